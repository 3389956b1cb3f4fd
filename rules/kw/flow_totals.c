/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keywords about what a flow has been so far: its age and how much was sent, the packet in hand included.
 *
 *     flow.age:[=|!|<|<=|>|>=]SECONDS, or a-b
 *     flow.pkts:toserver|toclient|either, N          flow.pkts_toserver:N, flow.pkts_toclient:N (Suricata 7)
 *     flow.bytes:toserver|toclient|either, N         the same; bytes of whole frames
 *
 * `either` holds when one direction alone meets the condition. Totals beyond 32 bits count as 4294967295. What has no
 * flow has no totals, and the options do not hold. Parsing in the control thread, matching in workers.
 */
#include "rules/dialect.h"
#include "rules/number.h"
#include "rules/source.h"

enum { SIDE_TOSERVER = 1, SIDE_TOCLIENT = 2 };

#define NS_PER_S 1000000000u

static bool parse_totals(struct draft *d, const struct option *o)
{
    static const char *const words[] = {"", "toserver", "toclient", "either"}; /* by SIDE_* */
    struct option number = *o;
    struct span side;
    struct draft_step *s;

    text_split(&number.value, ',', &side);
    side = text_trim(side);
    number.value = text_trim(number.value);
    for (size_t i = 1; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!text_eq_nocase(side, words[i]))
            continue;
        s = number_step(d, &number, UINT32_MAX);
        if (s)
            s->step.flags = (uint8_t)i;
        return s;
    }
    return draft_fail(d, o->value.p, o->kw->usage, "%s: '%.*s' is no direction", o->kw->name, TEXT_ARG(side));
}

static bool one_side(struct draft *d, const struct option *o, uint8_t side)
{
    struct draft_step *s = number_step(d, o, UINT32_MAX);

    if (s)
        s->step.flags = side;
    return s;
}

static bool parse_toserver(struct draft *d, const struct option *o)
{
    return one_side(d, o, SIDE_TOSERVER);
}

static bool parse_toclient(struct draft *d, const struct option *o)
{
    return one_side(d, o, SIDE_TOCLIENT);
}

static bool parse_age(struct draft *d, const struct option *o)
{
    return number_step(d, o, UINT32_MAX) != NULL;
}

static bool holds(const struct step *s, uint64_t v)
{
    return number_match(s, v < UINT32_MAX ? (uint32_t)v : UINT32_MAX);
}

static bool match_totals(const struct step *s, const uint64_t totals[2])
{
    return totals && (((s->flags & SIDE_TOSERVER) && holds(s, totals[0])) ||
                      ((s->flags & SIDE_TOCLIENT) && holds(s, totals[1])));
}

static bool match_pkts(const struct step *s, struct eval *e)
{
    return match_totals(s, e->facts->flow_pkts);
}

static bool match_bytes(const struct step *s, struct eval *e)
{
    return match_totals(s, e->facts->flow_bytes);
}

static bool match_age(const struct step *s, struct eval *e)
{
    return (e->facts->flags & FACT_HAS_FLOW) && holds(s, e->facts->flow_age_ns / NS_PER_S);
}

#define NUMBER_USAGE "N; with !, <, <=, > or >= before N, or a-b"
#define ROW(symbol, word, how, parser, matcher) \
    const struct keyword kw_##symbol = {        \
        .name = word,                           \
        .usage = "write " word ":" how,         \
        .value = VALUE_PLAIN,                   \
        .dialects = IN_SURICATA,                \
        .parse = parser,                        \
        .match = matcher,                       \
    }
#define SIDE_USAGE "toserver, " NUMBER_USAGE "; with toserver, toclient or either"

ROW(flow_age, "flow.age", NUMBER_USAGE " seconds", parse_age, match_age);
ROW(flow_bytes, "flow.bytes", SIDE_USAGE, parse_totals, match_bytes);
ROW(flow_bytes_toclient, "flow.bytes_toclient", NUMBER_USAGE, parse_toclient, match_bytes);
ROW(flow_bytes_toserver, "flow.bytes_toserver", NUMBER_USAGE, parse_toserver, match_bytes);
ROW(flow_pkts, "flow.pkts", SIDE_USAGE, parse_totals, match_pkts);
ROW(flow_pkts_toclient, "flow.pkts_toclient", NUMBER_USAGE, parse_toclient, match_pkts);
ROW(flow_pkts_toserver, "flow.pkts_toserver", NUMBER_USAGE, parse_toserver, match_pkts);
