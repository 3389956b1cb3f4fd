/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parts of a rule in plain words.
 *
 * A content is told altogether, because its modifiers stand apart from it in the text; any other option is told by
 * what it is about and then as it is written. A keyword without a row in the table below is told by its name, so
 * nothing is left out. Pure functions over the draft and the arena given.
 */
#include "rules/explain_words.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>

#include "rules/buffers.h"
#include "rules/iplist.h"
#include "rules/keywords.h"
#include "rules/policy_parts.h"
#include "rules/source.h"

const char *explain_say(struct arena *a, const char *fmt, ...)
{
    char *text = NULL, *copy;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return NULL;
    copy = arena_strndup(a, text, (size_t)n);
    free(text);
    return copy;
}

const char *explain_text(struct arena *a, struct span text)
{
    char *s = arena_strndup(a, (const char *)text.p, text.len);

    for (uint32_t i = 0; s != NULL && i < text.len; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            s[i] = s[i] == '\t' || s[i] == '\n' || s[i] == '\r' ? ' ' : '?';
    return s;
}

const char *explain_literal(struct arena *a, struct span bytes)
{
    char *s = arena_alloc(a, (size_t)bytes.len * 5 + 3), *at = s;
    bool hex = false;

    if (s == NULL)
        return NULL;
    *at++ = '"';
    for (uint32_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.p[i];
        bool plain = c >= 0x20 && c < 0x7f && strchr("|\"\\;:", c) == NULL;

        if (plain == hex)
            *at++ = '|';
        else if (hex)
            *at++ = ' ';
        hex = !plain;
        at += plain ? (*at = (char)c, 1) : sprintf(at, "%02x", c);
    }
    if (hex)
        *at++ = '|';
    *at++ = '"';
    *at = '\0';
    return s;
}

static const char *const transform_words[TRANSFORM_N] = {
    [TRANSFORM_DOTPREFIX] = "dotprefix",
    [TRANSFORM_TO_LOWERCASE] = "to_lowercase",
    [TRANSFORM_TO_UPPERCASE] = "to_uppercase",
    [TRANSFORM_STRIP_WHITESPACE] = "strip_whitespace",
    [TRANSFORM_COMPRESS_WHITESPACE] = "compress_whitespace",
    [TRANSFORM_URL_DECODE] = "url_decode",
    [TRANSFORM_XOR] = "xor",
    [TRANSFORM_HEADER_LOWERCASE] = "header_lowercase",
    [TRANSFORM_STRIP_PSEUDO_HEADERS] = "strip_pseudo_headers",
    [TRANSFORM_TO_MD5] = "to_md5",
    [TRANSFORM_TO_SHA1] = "to_sha1",
    [TRANSFORM_TO_SHA256] = "to_sha256",
    [TRANSFORM_PCREXFORM] = "pcrexform",
    [TRANSFORM_HTTP_FIELD] = "the value of one field",
    [TRANSFORM_HTTP_URI] = "a part of the target",
    [TRANSFORM_HTTP_PARAM] = "the value of one parameter",
};

const char *explain_buffer(struct arena *a, const struct builder *b, uint16_t slot)
{
    const struct buffer_ref *ref = slot >= BUF_N ? &b->transformed[slot - BUF_N] : NULL;
    uint16_t base = ref != NULL ? ref->base : slot;
    const char *s = base == BUF_PAYLOAD ? "payload" : buffers_name(base);

    for (uint32_t i = 0; ref != NULL && s != NULL && i < ref->n; i++)
        s = explain_say(a, "%s%s%s", s, i == 0 ? " after " : ", ", transform_words[ref->list[i].kind]);
    return s;
}

/* --- steps ------------------------------------------------------------------------------------------------ */

static const struct {
    const char *keyword, *words; /* %s: the buffer */
} step_words[] = {
    {"pcre", "%s matches"},
    {"byte_test", "a number in %s"},
    {"byte_jump", "go on in %s behind a length that stands there"},
    {"byte_extract", "remember a number of %s"},
    {"byte_math", "compute with a number of %s"},
    {"isdataat", "%s has data there"},
    {"bsize", "length of %s"},
    {"bufferlen", "length of %s"},
    {"urilen", "length of the URI"},
    {"dsize", "length of the packet's payload"},
    {"base64_decode", "decode %s"},
    {"asn1", "ASN.1 in %s"},
    {"flags", "TCP flags"},
    {"tcp.flags", "TCP flags"},
    {"seq", "TCP sequence number"},
    {"ack", "TCP acknowledgement number"},
    {"window", "TCP window"},
    {"tcp.window", "TCP window"},
    {"tcp.mss", "TCP maximum segment size"},
    {"stream_size", "bytes of the stream so far"},
    {"flow.age", "seconds since the flow began"},
    {"flow.pkts", "packets of the flow so far"},
    {"flow.pkts_toserver", "packets to the server so far"},
    {"flow.pkts_toclient", "packets to the client so far"},
    {"flow.bytes", "bytes of the flow so far"},
    {"flow.bytes_toserver", "bytes to the server so far"},
    {"flow.bytes_toclient", "bytes to the client so far"},
    {"ttl", "time to live of the IP header"},
    {"tos", "type of service of the IP header"},
    {"id", "identification of the IP header"},
    {"fragbits", "fragment bits of the IP header"},
    {"fragoffset", "fragment offset of the IP header"},
    {"ipopts", "options of the IP header"},
    {"ip_proto", "protocol of the IP header"},
    {"sameip", "source and destination address are the same"},
    {"geoip", "country of an address"},
    {"itype", "ICMP type"},
    {"icode", "ICMP code"},
    {"icmp_id", "ICMP identification"},
    {"icmp_seq", "ICMP sequence number"},
    {"vlan.id", "VLAN number"},
    {"vlan.layers", "number of VLAN tags"},
    {"rpc", "Sun RPC call"},
    {"ftpbounce", "FTP PORT command to a third host"},
    {"decode-event", "something odd about the packet"},
    {"engine-event", "something odd about the packet"},
    {"stream-event", "something odd about the segment"},
    {"flowbits", "bits that rules note about the flow"},
    {"flowint", "counters that rules keep about the flow"},
    {"xbits", "bits that rules note about hosts or pairs of them"},
    {"hostbits", "bits that rules note about hosts"},
};

/* The option as it is written, without its ';'. at: where its name begins, inside text. */
static struct span option_at(struct span text, const uint8_t *at)
{
    struct span rest, name, value, none = span_sub(text, 0, 0);
    const uint8_t *end;

    if (at < text.p || at >= text.p + text.len)
        return none;
    rest = span_of(at, (size_t)(text.p + text.len - at));
    if (!policy_option_next(&rest, &name, &value))
        return none;
    end = value.len > 0 ? value.p + value.len : name.p + name.len;
    return span_of(at, (size_t)(end - at));
}

static const char *content_place(struct arena *a, const struct draft_step *s, bool first)
{
    const char *from = first ? "the buffer's start" : "the last match";
    const char *place = "";

    if (s->uses != 0)
        place = ", at a place that a variable gives";
    else if (s->has & LITERAL_STARTS)
        place = " at its start";
    else if (s->has & LITERAL_WITHIN && (s->has & LITERAL_DISTANCE) && s->distance != 0)
        place = explain_say(a, " within %d bytes, from %d bytes %s %s on", s->within, abs(s->distance),
                            s->distance < 0 ? "before" : "behind", from);
    else if (s->has & LITERAL_WITHIN)
        place = explain_say(a, " within %d bytes behind %s", s->within, from);
    else if (s->has & LITERAL_DISTANCE && s->distance != 0)
        place = explain_say(a, " from %d bytes %s %s on", abs(s->distance),
                            s->distance < 0 ? "before" : "behind", from);
    else if (s->has & LITERAL_DISTANCE)
        place = explain_say(a, " behind %s", from);
    else if (s->has & LITERAL_DEPTH && s->offset != 0)
        place = explain_say(a, " within %d bytes from byte %d on", s->depth, s->offset);
    else if (s->has & LITERAL_DEPTH)
        place = explain_say(a, " within the first %d bytes", s->depth);
    else if (s->has & LITERAL_OFFSET)
        place = explain_say(a, " from byte %d on", s->offset);
    return place;
}

static const char *explain_content(struct arena *a, const struct draft *d, const struct draft_step *s,
                                   bool first)
{
    const char *buffer = explain_buffer(a, d->b, s->step.buffer), *bytes = explain_literal(a, s->literal);
    const char *place = content_place(a, s, first);

    if (buffer == NULL || bytes == NULL || place == NULL)
        return NULL;
    return explain_say(a, "%s has %s%s%s%s%s%s", buffer, s->step.negated ? "no " : "", bytes, place,
                       s->has & LITERAL_ENDS ? ", at its end" : "",
                       s->has & LITERAL_NOCASE ? ", letters of either case" : "",
                       s->has & LITERAL_REPLACE ? ", which is written over" : "");
}

/* words with the buffer in the place of %s */
static const char *fill_in(struct arena *a, const char *words, const char *buffer)
{
    const char *hole = strstr(words, "%s");

    return hole == NULL ? words : explain_say(a, "%.*s%s%s", (int)(hole - words), words, buffer, hole + 2);
}

const char *explain_step(struct arena *a, const struct draft *d, const struct draft_step *s, bool first,
                         struct span text)
{
    const char *buffer, *written, *words = s->kw->name;

    if (s->literal.p != NULL)
        return explain_content(a, d, s, first);
    for (size_t i = 0; i < sizeof(step_words) / sizeof(step_words[0]); i++)
        if (strcmp(step_words[i].keyword, s->kw->name) == 0)
            words = step_words[i].words;
    buffer = explain_buffer(a, d->b, s->step.buffer);
    written = explain_text(a, option_at(text, s->at));
    words = buffer != NULL ? fill_in(a, words, buffer) : NULL;
    if (words == NULL || written == NULL)
        return NULL;
    return written[0] != '\0' ? explain_say(a, "%s: %s", words, written) : words;
}

/* --- the rest --------------------------------------------------------------------------------------------- */

const char *explain_filter(struct arena *a, const struct rule_filter *f)
{
    static const char *const tracks[] = {
        [TRACK_RULE] = "the rule",        [TRACK_SRC] = "a source",       [TRACK_DST] = "a destination",
        [TRACK_BOTH] = "a pair of hosts", [TRACK_EITHER] = "either host", [TRACK_FLOW] = "the flow"};
    const char *by = tracks[f->track], *from = f->global ? " (threshold.config)" : "";

    switch ((enum filter_kind)f->kind) {
    case FILTER_SUPPRESS:
        return explain_say(a, "no alert%s%s; a verdict still holds%s",
                           f->track == TRACK_RULE ? "" : " for listed addresses, by ",
                           f->track == TRACK_RULE ? "" : by, from);
    case FILTER_RATE:
        return explain_say(a, "%s for %u s when %s matches more than %u times in %u s%s",
                           f->new_action < ACTION_N ? rule_action_name(f->new_action) : "another action",
                           f->timeout_s, by, f->count, f->seconds, from);
    case FILTER_DETECTION:
        return explain_say(a, "matches only from match %u of %s in %u s on%s", f->count + 1, by, f->seconds,
                           from);
    case FILTER_LIMIT:
        return explain_say(a, "at most %u alerts for %s in %u s%s", f->count, by, f->seconds, from);
    case FILTER_THRESHOLD:
        return explain_say(a, "only every match number %u of %s in %u s counts%s", f->count, by, f->seconds,
                           from);
    case FILTER_BOTH:
        return explain_say(a, "one alert for %s in %u s, at match number %u%s", by, f->seconds, f->count,
                           from);
    case FILTER_BACKOFF:
        return explain_say(a, "alerts for %s at match number %u, then each time %u times later%s", by,
                           f->count, f->multiplier, from);
    case FILTER_TAG:
        return explain_say(a, "log what follows of %s", by);
    }
    return explain_say(a, "filter of kind %u", f->kind);
}

/* Rules without a fast pattern that name few addresses are looked up by them (rules/always.c). */
static bool found_by_address(const struct draft *d)
{
    const struct addr_set *sets = d->b->sets.addr;

    return (!(d->rule.flags & RULE_ANY_SRC) && iplist_takes(&sets[d->rule.src])) ||
           (!(d->rule.flags & RULE_ANY_DST) && iplist_takes(&sets[d->rule.dst]));
}

const char *explain_fast(struct arena *a, const struct draft *d, const struct fast_pattern *f)
{
    const char *buffer, *bytes;

    if (f->kind == FAST_NONE)
        return found_by_address(d) ? "its addresses, in one lookup for all rules"
                                   : "nothing: it is tried whenever its header fits";
    buffer = explain_buffer(a, d->b, f->buffer);
    bytes = f->kind == FAST_LITERAL ? explain_literal(a, span_of(f->bytes, f->len))
                                    : explain_say(a, "an expression: /%s/", (const char *)f->bytes);
    if (buffer == NULL || bytes == NULL)
        return NULL;
    return explain_say(a, "%s in %s%s", bytes, buffer,
                       f->flags & HS_FLAG_CASELESS ? ", letters of either case" : "");
}

const char *explain_inspects(const struct draft *d)
{
    uint32_t f = d->rule.flags;
    bool others = false; /* buffers beside the payload */

    for (uint32_t i = 0; i < d->n_steps; i++)
        others |= d->steps[i].step.flow != STEP_TEST && d->steps[i].step.buffer != BUF_PAYLOAD;
    if (f & RULE_IP_ONLY)
        return "addresses and ports, once for each direction of a flow";
    if (f & RULE_ONLY_STREAM)
        return "streams only, however they are cut into packets";
    if (f & RULE_NO_STREAM || d->packet_only)
        return f & RULE_NEEDS_PAYLOAD ? "single packets with a payload" : "single packets";
    if (others)
        return f & RULE_NEEDS_PAYLOAD ? "payload and the buffers that its steps name"
                                      : "the buffers that its steps name";
    if (!(f & RULE_STREAM))
        return f & RULE_NEEDS_PAYLOAD ? "single packets with a payload" : "every packet its header fits";
    return f & RULE_PACKET
               ? "payload, of TCP streams and also of each packet: it counts places from the start"
               : "payload, of TCP streams however they are cut into packets";
}

const char *explain_verdict(const struct rule *r)
{
    if (r->action == ACTION_ALERT)
        return "none: what matches goes on";
    if (r->flags & RULE_DROPS_FLOW)
        return "for the rest of the flow";
    if (r->flags & RULE_DROPS_STREAM)
        return "for the rest of the flow when it matched in a TCP stream, else for the packet";
    return "for the packet";
}
