/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decode-event, stream-event and engine-event: what the engine found odd about the packet.
 *
 *     decode-event:ipv4.trunc_pkt;   stream-event:est_packet_out_of_window;   engine-event:stream.est_packet_out_of_window;
 *
 * app-layer-event:http.invalid_content_length; asks the same of parsers.
 *
 * The words are the rows of ips/base/anomaly.h; those of stream-event have "stream." before them in the other
 * two. A rule about an event that Suricata knows and this engine does not notice is dormant. Matching runs in workers.
 */
#include <ctype.h>

#include "ips/base/anomaly.h"
#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/source.h"

static bool is_word(struct span s)
{
    if (s.len == 0)
        return false;
    for (uint32_t i = 0; i < s.len; i++)
        if (!isalnum(s.p[i]) && memchr("._-", s.p[i], 3) == NULL)
            return false;
    return true;
}

/* AN_N: no such row. */
static enum anomaly find_anomaly(struct span name, const struct keyword *kw)
{
    bool stream = (kw->flags & KEYWORD_TCP) != 0;
    static const char prefix[] = "stream.";
    bool has_prefix = name.len > sizeof(prefix) - 1 && memcmp(name.p, prefix, sizeof(prefix) - 1) == 0;

    enum anomaly_room room = kw == &kw_app_layer_event ? ANOMALY_APP
                             : stream || has_prefix    ? ANOMALY_STREAM
                                                       : ANOMALY_DECODE;

    if (has_prefix)
        name = span_sub(name, sizeof(prefix) - 1, name.len);
    for (unsigned i = 0; i < AN_N; i++) {
        if (span_eq_str(name, anomaly_info[i].name) && anomaly_room((enum anomaly)i) == room)
            return (enum anomaly)i;
    }
    return AN_N;
}

static bool parse_event(struct draft *d, const struct option *o)
{
    enum anomaly which;
    struct draft_step *s;

    if (!is_word(o->value))
        return draft_fail(d, o->value.p, o->kw->usage, "%s: '%.*s' is no name", o->kw->name,
                          TEXT_ARG(o->value));
    which = find_anomaly(o->value, o->kw);
    if (which == AN_N) {
        draft_dormant(d, o->kw->name);
        return true;
    }
    s = draft_step_add(d, o->kw, o->name.p);
    if (s == NULL)
        return false;
    d->asks_app |= o->kw == &kw_app_layer_event;
    s->step.a = which;
    return true;
}

static bool match_event(const struct step *s, struct eval *e)
{
    return e->facts->anomalies && anomaly_has(e->facts->anomalies, (enum anomaly)s->a);
}

#define ROW(symbol, word, bits)                                           \
    const struct keyword kw_##symbol = {.name = word,                     \
                                        .usage = "write " word ":event;", \
                                        .value = VALUE_PLAIN,             \
                                        .flags = bits,                    \
                                        .dialects = IN_SURICATA,          \
                                        .parse = parse_event,             \
                                        .match = match_event}

ROW(app_layer_event, "app-layer-event", 0);
ROW(decode_event, "decode-event", KEYWORD_PACKET);
ROW(engine_event, "engine-event", KEYWORD_PACKET);
ROW(stream_event, "stream-event", KEYWORD_PACKET | KEYWORD_TCP);
