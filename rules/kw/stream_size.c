/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream_size: how much a TCP connection's ends have sent so far.
 *
 *     stream_size:server|client|both|either, =|!=|<|<=|>|>=, N;
 *
 * The size is the span of sequence numbers used, so SYN and FIN count one each, as in Suricata: after the handshake
 * it is 1. A connection whose beginning was not seen has no size, and the option does not hold for it. Snort 3 has
 * the range before the side (stream_size:<6,to_server): `to_server` is what the client sent. Matching runs in workers.
 */
#include "rules/keywords.h"
#include "rules/number.h"
#include "rules/source.h"
#include "rules/words.h"

enum { SIDE_CLIENT = 1, SIDE_SERVER = 2, SIDE_EITHER = 4 };

static const struct {
    const char *word;
    uint8_t sides;
} sides[] = {
    {"client", SIDE_CLIENT},
    {"server", SIDE_SERVER},
    {"both", SIDE_CLIENT | SIDE_SERVER},
    {"either", SIDE_CLIENT | SIDE_SERVER | SIDE_EITHER},
    {"to_server", SIDE_CLIENT},
    {"to_client", SIDE_SERVER},
};

static uint8_t find_sides(struct span word)
{
    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++)
        if (text_eq_nocase(word, sides[i].word))
            return sides[i].sides;
    return 0;
}

static bool parse_stream_size(struct draft *d, const struct option *o)
{
    struct span rest = o->value, field;
    struct option number = *o;
    char text[64] = "";
    uint8_t which = 0;
    struct draft_step *s;

    while (words_field(&rest,
                       &field)) { /* the operator and the number are two fields in Suricata, one in Snort 3 */
        uint8_t found = find_sides(field);

        if (found != 0 && which != 0)
            return draft_fail(d, field.p, o->kw->usage, "stream_size: two sides in '%.*s'",
                              TEXT_ARG(o->value));
        which |= found;
        if (found == 0) {
            size_t n = strlen(text);

            snprintf(text + n, sizeof(text) - n, "%.*s", TEXT_ARG(field));
        }
    }
    if (which == 0)
        return draft_fail(d, o->value.p, o->kw->usage, "stream_size: no side in '%.*s'", TEXT_ARG(o->value));
    number.value = span_str(text);
    s = number_step(d, &number, UINT32_MAX);
    if (s == NULL)
        return false;
    s->step.flags = which;
    return true;
}

static bool match_stream_size(const struct step *s, struct eval *e)
{
    const struct facts *f = e->facts;
    bool client = number_match(s, f->stream_size[0]), server = number_match(s, f->stream_size[1]);

    if (!(f->flags & FACT_STREAM_SIZE))
        return false;
    if (s->flags & SIDE_EITHER)
        return client || server;
    return (client || !(s->flags & SIDE_CLIENT)) && (server || !(s->flags & SIDE_SERVER));
}

const struct keyword kw_stream_size = {
    .name = "stream_size",
    .usage = "write stream_size:server,>,N; with client, server, both or either and = != < <= > >=",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_TCP,
    .parse = parse_stream_size,
    .match = match_stream_size,
};
