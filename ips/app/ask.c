/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What parsers ask of the engine while they have a piece in hand, and what detection and the log ask of a flow's protocol.
 *
 * Worker thread; app_bytes() any. Owns nothing.
 */
#include <netinet/in.h>

#include "ips/app/app_parts.h"
#include "ips/app/expect.h"

static const char *const words[APP_N + 1] = {
#define X(id, name, suricata, snort, transport, live) name,
    APP_TABLE(X)
#undef X
        "unknown",
};

const char *app_word(enum app_proto proto)
{
    return proto == APP_HTTP1 ? "http" : words[proto];
}

/* --- what parsers ask ------------------------------------------------------------------------------------------------- */

void app_switch(struct app *a, uint32_t consumed, enum app_proto proto)
{
    a->switched = true;
    a->switch_at = consumed;
    a->switch_to = (uint8_t)proto;
}

void app_also(struct app *a, enum app_proto proto)
{
    a->flow->apps |= 1ull << proto;
}

void app_bypass(struct app *a)
{
    if (a->p && flow_settle(a->p->flow, FLOW_PASS, true))
        counter_add(a->c, CTR_APP_BYPASSED, 1);
}

bool app_expect(struct app *a, enum app_dir dir, uint16_t port, enum app_proto proto, struct span note)
{
    bool server = dir == APP_TO_SERVER;
    struct expect_key k = {.listener = &a->of->addr[server],
                           .opener = &a->of->addr[!server],
                           .port = port,
                           .vlans = a->of->vlans};
    struct expect_note n = {.proto = (uint8_t)proto,
                            .len = (uint8_t)(note.len < EXPECT_NOTE_MAX ? note.len : EXPECT_NOTE_MAX)};

    if (!a->cfg.expect)
        return false;
    if (n.len > 0)
        memcpy(n.bytes, note.p, n.len);
    bool ok = expect_add(a->cfg.expect, &k, a->now_ns / 1000000, &n);
    counter_add(a->c, ok ? CTR_APP_EXPECTED : CTR_APP_EXPECT_FULL, 1);
    return ok;
}

struct span app_expected(const struct app *a)
{
    return bytes_span(&a->flow->note);
}

const struct flow *app_flow_of(const struct app *a)
{
    return a->of;
}

uint64_t app_now_ns(const struct app *a)
{
    return a->now_ns;
}

uint64_t app_real_ns(const struct app *a)
{
    return a->real_ns;
}

const struct app_limits *app_limits(const struct app *a)
{
    return &a->cfg.limits;
}

/* --- what others ask ---------------------------------------------------------------------------------------------------- */

static const struct app_slot *slot_of(const struct app *a, const struct packet *p)
{
    return p->flow ? &a->slots[flow_index(a->flows, p->flow)] : NULL;
}

uint64_t app_of(const struct app *a, const struct packet *p)
{
    const struct app_slot *s = slot_of(a, p);

    return !s ? 0 : s->flow && s->flow->apps ? s->flow->apps : s->proto ? 1ull << (s->proto - 1) : 0;
}

bool app_settled(const struct app *a, const struct packet *p)
{
    const struct app_slot *s = slot_of(a, p);

    return !s || (s->flags & SLOT_SETTLED);
}

bool app_just_known(const struct app *a, const struct packet *p)
{
    const struct app_slot *s = slot_of(a, p);

    return s && (s->flags & SLOT_JUST);
}

const char *app_name(const struct app *a, const struct packet *p)
{
    return p->flow ? app_name_of(a, p->flow) : NULL;
}

const char *app_name_of(const struct app *a, const struct flow *f)
{
    const struct app_slot *s = &a->slots[flow_index(a->flows, f)];

    if ((!s->proto && !(s->flags & SLOT_SETTLED)))
        return NULL;
    return s->proto ? app_word((enum app_proto)(s->proto - 1)) : "failed";
}

uint64_t app_bytes(const struct app *a)
{
    return pool_used(a->pool);
}
