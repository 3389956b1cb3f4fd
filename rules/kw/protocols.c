/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two keywords that read a little of a protocol out of the payload: rpc and ftpbounce.
 *
 *     rpc:program [, version|*] [, procedure|*];    an ONC RPC call (RFC 5531): over UDP at the payload's start, over
 *                                                   TCP behind the 4 bytes of the record mark
 *     ftpbounce;                                    a PORT command (RFC 959) that names another host than its sender
 *
 * ftpbounce reads the address behind the last match (Snort: content:"PORT"; ftpbounce;), or behind the PORT that the
 * payload begins with. Six numbers with commas are wanted, and four of them are the address. Matching runs in workers.
 */
#include <strings.h>

#include "rules/kw/places.h"

#include "rules/source.h"

/* --- rpc ------------------------------------------------------------------------------------------------------- */

enum { RPC_VERSION = 1 << 0, RPC_PROCEDURE = 1 << 1 };

static bool parse_rpc(struct draft *d, const struct option *o)
{
    struct span rest = o->value, field;
    uint64_t v[3] = {0};
    struct draft_step *s;
    uint8_t flags = 0;
    int n = 0;

    while (words_field(&rest, &field)) {
        bool any = n > 0 && span_eq_str(field, "*");

        if (n == 3 || (!any && !words_number(field, 0, UINT32_MAX, &v[n])))
            return draft_fail(d, field.p, o->kw->usage, "rpc: '%.*s' is no program, version or procedure",
                              TEXT_ARG(field));
        if (n > 0 && !any)
            flags |= n == 1 ? RPC_VERSION : RPC_PROCEDURE;
        n++;
    }
    s = place_step_add(d, o);
    if (s == NULL)
        return false;
    s->step.buffer = BUF_PAYLOAD;
    s->step.flags = flags;
    s->step.a = (int32_t)(uint32_t)v[0];
    s->step.b = (int32_t)(uint32_t)v[1];
    s->step.c = (int32_t)(uint32_t)v[2];
    return true;
}

static bool match_rpc(const struct step *s, struct eval *e)
{
    struct span call = eval_buffer(e, BUF_PAYLOAD);

    if (e->facts->flags & FACT_TCP)
        call = span_sub(call, 4, call.len);
    else if (!(e->facts->flags & FACT_UDP))
        return false;
    return call.len >= 24 && load_be32(call.p + 4) == 0 && load_be32(call.p + 12) == (uint32_t)s->a &&
           (!(s->flags & RPC_VERSION) || load_be32(call.p + 16) == (uint32_t)s->b) &&
           (!(s->flags & RPC_PROCEDURE) || load_be32(call.p + 20) == (uint32_t)s->c);
}

/* --- ftpbounce -------------------------------------------------------------------------------------------------- */

static bool parse_ftpbounce(struct draft *d, const struct option *o)
{
    struct draft_step *s = place_step_add(d, o);

    if (s == NULL)
        return false;
    s->step.buffer = BUF_PAYLOAD;
    s->step.relative = true; /* another PORT may follow the one that matched */
    return true;
}

/* Six numbers of a byte each with commas between, blanks around them; false when they are not there. */
static bool read_host_port(struct span s, uint8_t out[6])
{
    uint32_t i = 0;

    for (int n = 0; n < 6; n++) {
        uint32_t v = 0, first;

        while (i < s.len && (s.p[i] == ' ' || s.p[i] == '\t'))
            i++;
        for (first = i; i < s.len && i - first < 3 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            v = v * 10 + s.p[i] - '0';
        if (i == first || v > UINT8_MAX)
            return false;
        out[n] = (uint8_t)v;
        while (i < s.len && (s.p[i] == ' ' || s.p[i] == '\t'))
            i++;
        if (n < 5 && (i >= s.len || s.p[i++] != ','))
            return false;
    }
    return true;
}

static bool match_ftpbounce(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, BUF_PAYLOAD);
    uint8_t host_port[6];
    uint32_t from = e->cursor;

    if (from == 0 && b.len >= 5 && strncasecmp((const char *)b.p, "PORT ", 5) == 0)
        from = 5;
    if (!(e->facts->flags & FACT_IPV4) || !read_host_port(span_sub(b, from, b.len), host_port))
        return false;
    return memcmp(host_port, e->facts->src + 12, 4) != 0;
}

const struct keyword kw_rpc = {
    .name = "rpc",
    .usage = "write rpc:program; rpc:program,version; or rpc:program,version,procedure; * stands for any of "
             "the last "
             "two",
    .value = VALUE_PLAIN,
    .parse = parse_rpc,
    .match = match_rpc,
};

const struct keyword kw_ftpbounce = {
    .name = "ftpbounce",
    .usage = "write ftpbounce; behind content:\"PORT\";",
    .value = VALUE_NONE,
    .flags = KEYWORD_TCP,
    .parse = parse_ftpbounce,
    .match = match_ftpbounce,
};
