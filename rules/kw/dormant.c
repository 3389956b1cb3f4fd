/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keywords about things that nothing in this engine tells yet: app-layer-protocol, app-layer-event, decode-event,
 * stream-event, engine-event. A rule with one loads, is listed as dormant, and is never evaluated; when what it asks
 * about exists, its keyword gets a match function and leaves this file.
 *
 * The form of the value is checked, so that a rule does not wake up broken. Control thread.
 */
#include <ctype.h>

#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/source.h"
#include "rules/words.h"

static bool is_word(struct span s)
{
    if (s.len == 0)
        return false;
    for (uint32_t i = 0; i < s.len; i++)
        if (!isalnum(s.p[i]) && memchr("._-", s.p[i], 3) == NULL)
            return false;
    return true;
}

/* app-layer-protocol:[!]name [,to_server|to_client|final|original...]; */
static bool parse_app_protocol(struct draft *d, const struct option *o)
{
    struct span rest = o->value, word;

    while (words_field(&rest, &word))
        if (!is_word(word))
            return draft_fail(d, word.p, o->kw->usage, "%s: '%.*s' is no name", o->kw->name, TEXT_ARG(word));
    draft_dormant(d, o->kw->name);
    return true;
}

/* One event, with a dot between what it is about and what happened, or a protocol alone. */
static bool parse_event(struct draft *d, const struct option *o)
{
    if (!is_word(o->value))
        return draft_fail(d, o->value.p, o->kw->usage, "%s: '%.*s' is no event", o->kw->name,
                          TEXT_ARG(o->value));
    draft_dormant(d, o->kw->name);
    return true;
}

#define ROW(symbol, word, how, parser, flag)                     \
    const struct keyword kw_##symbol = {.name = word,            \
                                        .usage = how,            \
                                        .value = VALUE_PLAIN,    \
                                        .flags = flag,           \
                                        .dialects = IN_SURICATA, \
                                        .parse = parser}

ROW(app_layer_protocol, "app-layer-protocol", "write app-layer-protocol:name; or app-layer-protocol:!name;",
    parse_app_protocol, KEYWORD_NEGATED);
ROW(app_layer_event, "app-layer-event", "write app-layer-event:protocol.event;", parse_event, 0);
ROW(decode_event, "decode-event", "write decode-event:protocol.event;", parse_event, 0);
ROW(engine_event, "engine-event", "write engine-event:protocol.event;", parse_event, 0);
ROW(stream_event, "stream-event", "write stream-event:event;", parse_event, 0);
