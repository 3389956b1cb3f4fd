/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow: the packet's direction and the state of its flow.
 *
 * All of it becomes flags of the rule, tested with the header before any option runs
 * (ruleset_header_match); there is no step. Every form needs a flow, stateless too (RULES.md 2A, 35). only_frag and
 * no_frag tell a datagram that was put together from fragments from one that came whole, in all dialects; a fragment
 * itself has no flow, so neither matches it. Words that exclude each other are errors at load. Control thread.
 */
#include "rules/keywords.h"
#include "rules/source.h"

static const struct flow_word {
    const char *word;
    uint32_t flag;     /* enum rule_flag */
    uint32_t excludes; /* flags that must not stand beside it */
} words[] = {
    {"established", RULE_ESTABLISHED, RULE_NOT_ESTABLISHED},
    {"not_established", RULE_NOT_ESTABLISHED, RULE_ESTABLISHED},
    {"stateless", 0, RULE_ESTABLISHED | RULE_NOT_ESTABLISHED},
    {"to_server", RULE_TO_SERVER, RULE_TO_CLIENT},
    {"from_client", RULE_TO_SERVER, RULE_TO_CLIENT},
    {"to_client", RULE_TO_CLIENT, RULE_TO_SERVER},
    {"from_server", RULE_TO_CLIENT, RULE_TO_SERVER},
    {"no_stream", RULE_NO_STREAM, RULE_ONLY_STREAM},
    {"only_stream", RULE_ONLY_STREAM, RULE_NO_STREAM},
    {"no_frag", RULE_NO_FRAG, RULE_ONLY_FRAG},
    {"only_frag", RULE_ONLY_FRAG, RULE_NO_FRAG},
};

static const struct flow_word *find(struct span word)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (text_eq_nocase(word, words[i].word))
            return &words[i];
    return NULL;
}

static bool parse_flow(struct draft *d, const struct option *o)
{
    struct span rest = o->value, one;
    bool more = true, ok = true;

    while (more) {
        const struct flow_word *w;

        more = text_split(&rest, ',', &one);
        one = text_trim(one);
        w = find(one);
        if (w == NULL) {
            ok = draft_fail(d, one.p, o->kw->usage, "flow: unknown word '%.*s'", TEXT_ARG(one));
            continue;
        }
        if ((d->rule.flags & w->excludes) != 0 ||
            (d->stateless && (w->flag & (RULE_ESTABLISHED | RULE_NOT_ESTABLISHED))))
            ok = draft_fail(d, one.p, "keep one of them", "flow: '%.*s' contradicts a word before it",
                            TEXT_ARG(one));
        else if (w->flag != 0 ? (d->rule.flags & w->flag) != 0 : d->stateless)
            ok = draft_fail(d, one.p, "remove it", "flow: '%.*s' says again what a word before it says",
                            TEXT_ARG(one));
        d->rule.flags |= w->flag | RULE_NEEDS_FLOW;
        d->stateless |= w->flag == 0;
        d->packet_only |= w->flag == RULE_NO_STREAM;
    }
    return ok;
}

const struct keyword kw_flow = {
    .name = "flow",
    .usage = "write words of established, not_established, stateless, to_server, to_client, from_client, "
             "from_server, no_stream, only_stream, no_frag, only_frag with commas between",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_ONCE,
    .parse = parse_flow,
};
