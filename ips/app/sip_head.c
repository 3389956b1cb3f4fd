/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A SIP message's start line and headers (RFC 3261), as phones and proxies read them.
 *
 * Lines end with LF, with or without CR. A line that begins with a blank continues the one before: rules see the value as
 * the receiver joins it, with one blank in place of the line end (sip_header has the bytes as they came). Names are
 * compared without case and have short forms of one letter. Each header line is an instance of its buffer. Of several
 * Content-Length headers that differ, receivers take different ones.
 *
 * sip_head_put() runs again for show() and gives the same spans again: unfolded values are written anew into the same
 * place, whose room was reserved for all of them.
 *
 * Worker thread. Owns nothing; the head's memory is its message's (sip.c).
 */
#include "ips/app/sip_parts.h"

static const struct sip_name {
    const char *name, *brief;
    uint8_t buffer; /* enum buffer_id; BUF_N: for the parser alone */
} names[] = {
    {"From", "f", BUF_SIP_FROM},
    {"To", "t", BUF_SIP_TO},
    {"Via", "v", BUF_SIP_VIA},
    {"User-Agent", NULL, BUF_SIP_USER_AGENT},
    {"Content-Type", "c", BUF_SIP_CONTENT_TYPE},
    {"Content-Length", "l", BUF_SIP_CONTENT_LENGTH},
};

unsigned sip_method_number(struct span method)
{
    static const char *const methods[] = {"INVITE",  "CANCEL",  "ACK",       "BYE",    "REGISTER",
                                          "OPTIONS", "REFER",   "SUBSCRIBE", "UPDATE", "JOIN",
                                          "INFO",    "MESSAGE", "NOTIFY",    "PRACK",  "PUBLISH"};

    for (unsigned i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (lines_eq_nocase(method, methods[i]))
            return i + 1;
    return 0;
}

/* --- the start line --------------------------------------------------------------------------------------------------- */

static bool is_token(struct span s)
{
    static const char others[] = "-.!%*_+`'~";

    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i], lower = c | 0x20;

        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') &&
            !memchr(others, c, sizeof(others) - 1))
            return false;
    }
    return s.len > 0;
}

struct sip_start sip_start_line(struct span bytes)
{
    struct span all = bytes, line = bytes;

    lines_next(&all, &line);
    struct sip_start s = {.line = lines_trim(line)};
    struct span rest = s.line, first = lines_word(&rest), last;

    if (lines_begins_nocase(first, "SIP/")) {
        s.version = first;
        s.code = lines_word(&rest);
        s.text = rest;
        s.kind = s.code.len > 0 && s.code.p[0] >= '0' && s.code.p[0] <= '9' ? SIP_RESPONSE : SIP_NEITHER;
        return s;
    }
    /* the version is the last word; a URI with blanks in it is what lies between */
    uint32_t at = rest.len;
    while (at > 0 && !lines_is_blank(rest.p[at - 1]))
        at--;
    last = span_sub(rest, at, rest.len);
    s.method = first;
    s.uri = lines_trim(span_sub(rest, 0, at));
    s.version = last;
    s.kind =
        is_token(first) && s.uri.len > 0 && lines_begins_nocase(last, "SIP/") ? SIP_REQUEST : SIP_NEITHER;
    return s;
}

/* --- headers ------------------------------------------------------------------------------------------------------------ */

/* The next header line with the lines that continue it. */
static bool next_header(struct span *rest, struct span *whole, bool *folded)
{
    struct span line;

    *folded = false;
    if (!lines_next(rest, whole))
        return false;
    while (rest->len > 0 && lines_is_blank(rest->p[0]) && lines_next(rest, &line)) {
        whole->len += line.len;
        *folded = true;
    }
    return true;
}

/* One blank for each line end and the blanks around it. There is room. */
static struct span unfold(struct bytes *room, struct span s)
{
    uint8_t *to = room->p + room->len, *at = to;

    for (uint32_t i = 0; i < s.len; i++) {
        if (s.p[i] != '\r' && s.p[i] != '\n') {
            *at++ = s.p[i];
            continue;
        }
        while (at > to && lines_is_blank(at[-1]))
            at--;
        while (i + 1 < s.len && lines_is_white(s.p[i + 1]))
            i++;
        *at++ = ' ';
    }
    room->len += (uint32_t)(at - to);
    return span_of(to, (size_t)(at - to));
}

static const struct sip_name *header(struct span whole, struct span *value)
{
    const uint8_t *colon = whole.len ? memchr(whole.p, ':', whole.len) : NULL;
    struct span name;

    if (!colon)
        return NULL;
    name = lines_trim(span_sub(whole, 0, (uint32_t)(colon - whole.p)));
    *value = lines_trim(span_sub(whole, (uint32_t)(colon - whole.p) + 1, whole.len));
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (lines_eq_nocase(name, names[i].name) || (names[i].brief && lines_eq_nocase(name, names[i].brief)))
            return &names[i];
    return NULL;
}

static void read_length(struct sip_head *h, struct span value)
{
    uint64_t n = 0;

    if (value.len == 0 || value.len > 10)
        h->bad_length = true;
    for (uint32_t i = 0; i < value.len && i < 10; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            h->bad_length = true;
        n = n * 10 + (uint64_t)(value.p[i] - '0');
    }
    h->two_lengths |= h->has_length && n != h->length;
    if (!h->has_length)
        h->length = n;
    h->has_length = true;
}

bool sip_head_read(struct app *a, struct sip_head *h)
{
    struct span rest = bytes_span(&h->bytes), whole = {NULL, 0}, value;
    bool folded, any = false;

    lines_next(&rest, &whole);
    h->start_len = whole.len;
    h->start = sip_start_line(whole);
    while (next_header(&rest, &whole, &folded)) {
        const struct sip_name *n = header(whole, &value);

        any |= folded;
        if (n && n->buffer == BUF_SIP_CONTENT_LENGTH)
            read_length(h, value);
    }
    return !any || bytes_reserve(a, &h->unfolded, h->bytes.len);
}

void sip_head_put(struct app *a, struct sip_head *h, struct app_tx *tx)
{
    struct span rest = span_sub(bytes_span(&h->bytes), h->start_len, h->bytes.len), whole, value;
    const struct sip_start *s = &h->start;
    bool folded;

    if (s->kind == SIP_REQUEST) {
        app_put(a, tx, BUF_SIP_METHOD, s->method);
        app_put(a, tx, BUF_SIP_URI, s->uri);
        app_put(a, tx, BUF_SIP_REQUEST_LINE, s->line);
        app_put_number(a, tx, BUF_SIP_METHOD_N, sip_method_number(s->method));
    } else {
        uint64_t code = 0;

        for (uint32_t i = 0; i < s->code.len && i < 3; i++)
            code = code * 10 + (uint64_t)((s->code.p[i] - '0') & 0xf);
        app_put(a, tx, BUF_SIP_RESPONSE_LINE, s->line);
        app_put(a, tx, BUF_SIP_STAT_CODE, s->code);
        app_put(a, tx, BUF_SIP_STAT_MSG, s->text);
        app_put_number(a, tx, BUF_SIP_STAT_N, code);
        app_put_number(a, tx, BUF_SIP_STAT_N, code / 100); /* sip_stat_code:4 is any of 400 to 499 */
    }
    app_put(a, tx, BUF_SIP_PROTOCOL, s->version);
    if (rest.len > 0)
        app_put(a, tx, BUF_SIP_HEADER, rest);
    h->unfolded.len = 0;
    while (next_header(&rest, &whole, &folded)) {
        const struct sip_name *n = header(whole, &value);

        if (n)
            app_put(a, tx, (enum buffer_id)n->buffer, folded ? unfold(&h->unfolded, value) : value);
    }
}

void sip_head_fields(const struct sip_head *h, struct fields *f)
{
    const struct sip_start *s = &h->start;

    if (s->kind == SIP_REQUEST) {
        fields_text(f, "method", s->method);
        fields_text(f, "uri", s->uri);
        fields_text(f, "version", s->version);
        fields_text(f, "request_line", s->line);
    } else if (s->kind == SIP_RESPONSE) {
        fields_text(f, "version", s->version);
        fields_text(f, "code", s->code);
        fields_text(f, "reason", s->text);
        fields_text(f, "response_line", s->line);
    }
}
