/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * app-layer-protocol: what the packet's flow speaks, as its bytes tell and not its ports.
 *
 *     app-layer-protocol:[!]NAME[|NAME...][,final|original|either|to_server|to_client];
 *
 * NAME is a protocol of rules/service.h, `failed` (nobody's), or `unknown` (not known yet). As in Suricata, '!' holds only
 * when a protocol is known. A protocol that nothing recognises makes the rule dormant. app-layer-event is in events.c,
 * with the other events. Matching runs in workers.
 */
#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/service.h"
#include "rules/source.h"

enum { ASKS_FAILED = 1 << 0, ASKS_UNKNOWN = 1 << 1 };

static bool take_name(struct draft *d, const struct option *o, struct draft_step *s, struct span name,
                      uint64_t *apps)
{
    struct service_word w;

    if (span_eq_str(name, "failed")) {
        s->step.flags |= ASKS_FAILED;
    } else if (span_eq_str(name, "unknown")) {
        s->step.flags |= ASKS_UNKNOWN;
    } else if (service_header_word(name, d->dialect, &w)) {
        *apps |= w.apps;
        if (!w.live)
            draft_dormant(d, w.name);
    } else {
        return draft_fail(d, name.p, "write a protocol such as http, tls or dns, or failed",
                          "app-layer-protocol: unknown protocol '%.*s'", TEXT_ARG(name));
    }
    return true;
}

static bool is_mode(struct span s)
{
    static const char *const modes[] = {"final", "original", "either", "to_server", "to_client"};

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (span_eq_str(s, modes[i]))
            return true;
    return false;
}

static bool parse_protocol(struct draft *d, const struct option *o)
{
    struct span mode = o->value, names, one;
    struct draft_step *s = draft_step_add(d, o->kw, o->name.p);
    uint64_t apps = 0;
    bool more = true;

    if (s == NULL)
        return false;
    if (text_split(&mode, ',', &names) && !is_mode(text_trim(mode)))
        return draft_fail(d, mode.p, "write final, original, either, to_server or to_client behind the comma",
                          "app-layer-protocol: unknown mode '%.*s'", TEXT_ARG(mode));
    names = text_trim(names);
    if (names.len > 0 && names.p[0] == '!') {
        s->step.negated = true;
        names = span_sub(names, 1, names.len);
    }
    while (more) {
        more = text_split(&names, '|', &one);
        if (!take_name(d, o, s, text_trim(one), &apps))
            return false;
    }
    s->step.a = (int32_t)(uint32_t)apps;
    s->step.b = (int32_t)(uint32_t)(apps >> 32);
    d->asks_app = true;
    return true;
}

static bool match_protocol(const struct step *s, struct eval *e)
{
    const struct facts *f = e->facts;
    uint64_t apps = (uint64_t)(uint32_t)s->b << 32 | (uint32_t)s->a;
    bool settled = (f->flags & FACT_APP_SETTLED) != 0;

    if (s->negated)
        return settled && (s->flags & ASKS_FAILED ? f->apps != 0 : f->apps != 0 && !(f->apps & apps));
    return (f->apps & apps) != 0 || ((s->flags & ASKS_FAILED) && settled && f->apps == 0) ||
           ((s->flags & ASKS_UNKNOWN) && !settled);
}

const struct keyword kw_app_layer_protocol = {
    .name = "app-layer-protocol",
    .usage = "write app-layer-protocol:http; or app-layer-protocol:!tls;",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .parse = parse_protocol,
    .match = match_protocol,
};
