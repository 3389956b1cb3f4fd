/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Heads of messages: the first line, and header fields until an empty line.
 *
 * Lines end with LF; a CR in front of it is part of the end. Browsers end lines of a response with a CR alone as well, so there
 * such a line is taken for several. A line that begins with a blank continues the one before it; one without a colon is a
 * field without a name. Each of these is an event, because receivers differ.
 *
 * A line that lies whole in the segment is read there. What it says is copied once, into struct http_fields; a second
 * copy, as it came, is made only when the fields are not written as everybody writes them, or come more than once.
 *
 * Worker thread. Owns the beginning of a line (way->kept).
 */
#include <strings.h>

#include "ips/app/http1.h"

static bool is_white(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct span http1_part(const struct http1_message *m, struct http_part part)
{
    return part.len > 0 ? span_of(m->fields.text.p + part.at, part.len) : span_of(NULL, 0);
}

struct span http1_word(const struct http1_message *m, unsigned i)
{
    return http1_part(m, m->word[i]);
}

struct span http1_uri(const struct http1_tx *t)
{
    return t->norm_in_room ? bytes_span(&t->uri_room) : http1_part(&t->way[APP_TO_SERVER], t->norm);
}

struct span http1_raw(const struct http1_message *m)
{
    if (m->raw_differs)
        return bytes_span(&m->raw);
    return span_sub(bytes_span(&m->fields.text), m->fields.first, m->fields.text.len);
}

/* --- first lines -------------------------------------------------------------------------------------------------- */

static struct http_part part(struct span line, struct span word)
{
    return (struct http_part){word.len > 0 ? (uint32_t)(word.p - line.p) : 0, word.len};
}

/* Of *rest, up to white space, which goes, too: as many bytes of it as are returned. */
static uint32_t take_word(struct span *rest, struct span *word)
{
    uint32_t n = 0, white;

    while (n < rest->len && !is_white(rest->p[n]))
        n++;
    *word = span_sub(*rest, 0, n);
    white = n;
    while (n < rest->len && is_white(rest->p[n]))
        n++;
    *rest = span_sub(*rest, n, rest->len);
    return n - white;
}

static bool is_version(struct span s)
{
    return s.len >= 5 && strncasecmp((const char *)s.p, "http/", 5) == 0;
}

static uint16_t version_of(struct span s)
{
    if (s.len != 8 || !is_version(s) || s.p[5] < '0' || s.p[5] > '9' || s.p[6] != '.' || s.p[7] < '0' ||
        s.p[7] > '9')
        return 0;
    return (uint16_t)((s.p[5] - '0') << 8 | (s.p[7] - '0'));
}

static struct span trim_white(struct span s)
{
    while (s.len > 0 && is_white(s.p[0]))
        s = span_sub(s, 1, s.len);
    while (s.len > 0 && is_white(s.p[s.len - 1]))
        s.len--;
    return s;
}

/* What is behind the method: target and protocol. The target reaches to the last word if that is a version. */
static void split_target(struct app *a, struct span rest, struct span *target, struct span *protocol)
{
    uint32_t n = rest.len, end;

    while (n > 0 && !is_white(rest.p[n - 1]))
        n--;
    *protocol = span_sub(rest, n, rest.len);
    if (is_version(*protocol) && n > 0) {
        end = n;
        while (n > 0 && is_white(rest.p[n - 1]))
            n--;
        *target = span_sub(rest, 0, n);
        bool odd = end - n != 1 || rest.p[n] != ' ';
        for (uint32_t i = 0; i < n; i++)
            odd |= is_white(rest.p[i]);
        if (odd)
            app_event(a, AN_HTTP_URI_DELIM_NON_COMPLIANT);
        return;
    }
    take_word(&rest, target);
    *protocol = rest;
    app_event(a, rest.len > 0 ? AN_HTTP_REQUEST_LINE_INVALID : AN_HTTP_REQUEST_WITHOUT_VERSION);
}

/* What the target says; it lies in the text, which moves as it grows. */
static bool take_target(struct app *a, struct http1_tx *t)
{
    struct http1_message *m = &t->way[APP_TO_SERVER];
    struct span target = http1_word(m, 1), text = bytes_span(&m->fields.text);
    struct http_uri uri = {.norm = target};

    if (t->method == METHOD_CONNECT) {
        if (!http_host_split(target, &uri.host, &uri.port)) {
            app_event(a, AN_HTTP_INVALID_AUTHORITY_PORT);
            uri.host = uri.port = span_of(NULL, 0);
        }
    } else if (!http_uri_normalise(a, target, &t->uri_room, &uri)) {
        return false;
    }
    t->norm_in_room = uri.norm.len > 0 && uri.norm.p == t->uri_room.p;
    t->norm = (struct http_part){0};
    if (!t->norm_in_room)
        t->norm = part(text, uri.norm);
    t->uri_host = part(text, uri.host);
    t->uri_port = part(text, uri.port);
    return true;
}

static bool take_request_line(struct http1_run *r, struct span line)
{
    struct http1_tx *t = r->w->tx;
    struct http1_message *m = http1_message_of(r);
    struct span rest = trim_white(line), method, target, protocol;

    if (rest.p != line.p && rest.len > 0)
        app_event(r->a, AN_HTTP_REQUEST_LINE_LEADING_WHITESPACE);
    if (take_word(&rest, &method) != 1 || method.p[method.len] != ' ')
        app_event(r->a, AN_HTTP_METHOD_DELIM_NON_COMPLIANT);
    split_target(r->a, rest, &target, &protocol);
    if (!http_fields_line(r->a, &m->fields, line))
        return false;
    m->word[0] = part(line, method);
    m->word[1] = part(line, target);
    m->word[2] = part(line, protocol);
    m->version = version_of(protocol);
    t->method = (uint8_t)http1_method_of(method);
    return take_target(r->a, t);
}

static bool take_status_line(struct http1_run *r, struct span line)
{
    struct http1_tx *t = r->w->tx;
    struct http1_message *m = http1_message_of(r);
    struct span rest = trim_white(line), protocol, code;

    take_word(&rest, &protocol);
    take_word(&rest, &code);
    if (!http_fields_line(r->a, &m->fields, line))
        return false;
    m->word[0] = part(line, protocol);
    m->word[1] = part(line, code);
    m->word[2] = part(line, rest);
    m->version = version_of(protocol);
    if (m->version != 0x101 && m->version != 0x100)
        app_event(r->a, AN_HTTP_RESPONSE_INVALID_PROTOCOL);
    t->status = 0;
    for (uint32_t i = 0; i < code.len && code.len == 3; i++) /* 2040 is no 204, which would have no body */
        if (code.p[i] >= '0' && code.p[i] <= '9')
            t->status = (uint16_t)(t->status * 10 + (code.p[i] - '0'));
    if (t->status < 100)
        app_event(r->a, AN_HTTP_RESPONSE_INVALID_STATUS);
    return true;
}

/* --- header fields ---------------------------------------------------------------------------------------------------- */

/* Characters of a name (RFC 9110, token). */
static const uint8_t token[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1,         ['&'] = 1,         ['\''] = 1,
    ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,         ['^'] = 1,         ['_'] = 1,
    ['`'] = 1, ['|'] = 1, ['~'] = 1, ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1,
};

static void check_name(struct http1_run *r, struct span name)
{
    for (uint32_t i = 0; i < name.len; i++)
        if (!token[name.p[i]]) {
            app_event(r->a, http1_which(r, AN_HTTP_REQUEST_HEADER_INVALID, AN_HTTP_RESPONSE_HEADER_INVALID));
            return;
        }
}

/* From now on the fields as they came are kept beside what they say. */
static bool keep_raw(struct http1_run *r)
{
    struct http1_message *m = http1_message_of(r);

    if (m->raw_differs)
        return true;
    struct span so_far = http1_raw(m);
    if (!bytes_reserve(r->a, &m->raw, so_far.len + 256) || !bytes_add(r->a, &m->raw, so_far))
        return false;
    m->raw_differs = true;
    return true;
}

/* All of s up to t and behind it is what a strict receiver skips, too. */
static bool only_blanks_around(struct span s, struct span t)
{
    bool ok = true;

    for (const uint8_t *p = s.p; p < s.p + s.len; p++) {
        if (p == t.p)
            p += t.len;
        ok &= p == s.p + s.len || http_blank(*p) || *p == '\r'; /* a CR has its own event */
    }
    return ok;
}

/* One field; false: no memory. */
static bool take_field(struct http1_run *r, struct http_fields *f, struct span line)
{
    const uint8_t *colon = memchr(line.p, ':', line.len);
    struct span name, value;

    if (!colon) {
        app_event(r->a,
                  http1_which(r, AN_HTTP_REQUEST_FIELD_MISSING_COLON, AN_HTTP_RESPONSE_FIELD_MISSING_COLON));
        return http_fields_add(r->a, f, span_of(line.p, 0), trim_white(line));
    }
    name = span_of(line.p, (size_t)(colon - line.p));
    value = trim_white(span_of(colon + 1, (size_t)(line.p + line.len - colon - 1)));
    if (name.len > 0 && is_white(name.p[name.len - 1])) {
        app_event(r->a, AN_HTTP_SPACE_BEFORE_COLON);
        name = trim_white(name);
    }
    if (name.len == 0 ||
        !only_blanks_around(span_of(colon + 1, (size_t)(line.p + line.len - colon - 1)), value))
        app_event(r->a, http1_which(r, AN_HTTP_REQUEST_HEADER_INVALID, AN_HTTP_RESPONSE_HEADER_INVALID));
    check_name(r, name);
    while (name.len > 0 && (name.p[name.len - 1] == 0 || is_white(name.p[name.len - 1])))
        name.len--; /* to who ends words at a NUL */
    return http_fields_add(r->a, f, name, value);
}

/* A field by itself, its first letters a name and a colon. */
static bool is_field(struct span s)
{
    uint32_t n = 0;

    while (n < s.len && token[s.p[n]])
        n++;
    return n > 0 && n < s.len && s.p[n] == ':';
}

/* A NUL in front of a line is a blank to some. */
static bool folds(uint8_t c)
{
    return http_blank(c) || c == 0;
}

/*
 * A line that begins with a blank goes on with the one before it. That may have had no colon: then both are one field. Some who
 * get responses take what looks like a field for one, blank or not.
 */
static bool take_folded(struct http1_run *r, struct http_fields *f, struct span line)
{
    while (line.len > 0 && folds(line.p[0]))
        line = span_sub(line, 1, line.len);
    struct span more = trim_white(line);
    struct bytes both = {0};

    app_event(r->a,
              http1_which(r, AN_HTTP_INVALID_REQUEST_FIELD_FOLDING, AN_HTTP_INVALID_RESPONSE_FIELD_FOLDING));
    if (f->n == 0 || (r->dir == APP_TO_CLIENT && http_fields_last_named(f) && is_field(more)))
        return take_field(r, f, more);
    if (http_fields_last_named(f) || more.len == 0 || !memchr(more.p, ':', more.len))
        return http_fields_fold(r->a, f, more);
    bool ok = http_fields_take_back(r->a, f, &both) && bytes_add(r->a, &both, span_of(" ", 1)) &&
              bytes_add(r->a, &both, more) && take_field(r, f, bytes_span(&both));
    bytes_free(r->a, &both);
    return ok;
}

/* A call costs more than a short line. */
static inline const uint8_t *short_find(struct span s, uint8_t c)
{
    for (uint32_t i = 0; i < s.len; i++)
        if (s.p[i] == c)
            return s.p + i;
    return NULL;
}

/* A line without its end; CRs in it end lines, too, for who gets a response. */
static bool take_header_text(struct http1_run *r, struct http_fields *f, struct span text)
{
    while (text.len > 0) {
        const uint8_t *cr = text.len < 32 ? short_find(text, '\r') : memchr(text.p, '\r', text.len);
        uint32_t n = cr && r->dir == APP_TO_CLIENT ? (uint32_t)(cr - text.p) : text.len;
        struct span one = span_sub(text, 0, n);

        if (cr)
            app_event(r->a, AN_HTTP_BARE_CR);
        if (one.len > 0 && !(folds(one.p[0]) ? take_folded(r, f, one) : take_field(r, f, one)))
            return false;
        text = span_sub(text, n + 1, text.len);
    }
    return true;
}

/* --- steps ------------------------------------------------------------------------------------------------------------- */

/*
 * The next line, with its end; what the connection ended in has one, too. GO: it is there, and *cut says that it goes on
 * beyond the limits.
 */
static enum http1_next next_line(struct http1_run *r, struct span *line, bool *cut)
{
    const struct app_limits *l = app_limits(r->a);
    struct span lf = span_of("\n", 1);

    enum line_answer answer = line_take(r->a, &r->w->kept, &r->in, l->header_line, line);
    if (answer == LINE_MORE) {
        r->w->mid_line = r->w->kept.len > 0;
        if (!r->end || !r->w->mid_line)
            return WAIT;
        answer = line_take(r->a, &r->w->kept, &lf, l->header_line, line);
        r->cut_off = true;
    }
    r->w->mid_line = false;
    if (answer == LINE_NO_MEMORY)
        return http1_stop(r, APP_BAD);
    r->w->head_bytes += line->len;
    r->w->head_lines++;
    *cut = answer == LINE_LONG || r->w->head_bytes > l->headers_bytes;
    return GO;
}

/* Rules see what there is of a message that goes on beyond the limits; then nothing more is understood. */
static enum http1_next too_long(struct http1_run *r)
{
    app_event(r->a, http1_which(r, AN_HTTP_REQUEST_FIELD_TOO_LONG, AN_HTTP_RESPONSE_FIELD_TOO_LONG));
    struct http1_message *m = http1_message_of(r);
    if (!m->has_head) {
        http_fields_finish(r->a, &m->fields, r->dir);
        m->has_head = true;
        http1_put_line(r->a, r->w->tx, r->dir, true);
        http1_put_head(r->a, r->w->tx, r->dir, true);
    }
    http1_finish(r, false);
    return http1_stop(r, APP_BAD);
}

/* What waits in front of a first line, with what was kept of it, tells whether it is one. */
static enum app_probe begins_message(const struct http1_run *r)
{
    uint8_t room[64];
    struct span s = r->in;

    if (r->w->mid_line) {
        uint32_t n = r->w->kept.len, more = r->in.len;

        if (n >= sizeof(room))
            return PROBE_LIKELY;
        memcpy(room, r->w->kept.p, n);
        if (more > sizeof(room) - n)
            more = (uint32_t)sizeof(room) - n;
        if (more > 0) /* an end that comes alone has no bytes */
            memcpy(room + n, r->in.p, more);
        s = span_of(room, n + more);
    }
    return r->dir == APP_TO_SERVER ? http1_request_probe(s) : http1_response_probe(s);
}

static void skip_empty_lines(struct http1_run *r)
{
    uint32_t n = 0;

    while (n < r->in.len && (r->in.p[n] == '\r' || r->in.p[n] == '\n'))
        n++;
    r->in = span_sub(r->in, n, r->in.len);
}

static enum http1_next first_line(struct http1_run *r, struct span line)
{
    struct span text = line_text(line), rest = span_of(NULL, 0);
    const uint8_t *cr = memchr(text.p, '\r', text.len);

    if (cr) {
        app_event(r->a, AN_HTTP_BARE_CR);
        if (r->dir == APP_TO_CLIENT) {
            rest = span_sub(text, (uint32_t)(cr - text.p) + 1, text.len);
            text.len = (uint32_t)(cr - text.p);
        }
    }
    if (memchr(text.p, 0, text.len))
        app_event(r->a, AN_HTTP_NUL_IN_HEAD);
    enum http1_next next = http1_open(r);
    if (next != GO)
        return next;
    struct http1_message *m = http1_message_of(r);
    if (!(r->dir == APP_TO_SERVER ? take_request_line(r, text) : take_status_line(r, text)))
        return http1_stop(r, APP_BAD);
    m->has_line = true;
    r->w->step = AT_HEADERS;
    if (rest.len > 0 &&
        (!keep_raw(r) || !bytes_add(r->a, &m->raw, rest) || !take_header_text(r, &m->fields, rest)))
        return http1_stop(r, APP_BAD);
    return GO;
}

/* What begins here may be no message. GO: it is, or there was not enough of it yet. */
static enum http1_next look_ahead(struct http1_run *r)
{
    bool white = r->in.len > 0 && !r->w->mid_line && is_white(r->in.p[0]);
    enum app_probe begins = begins_message(r);

    if (!r->w->after_junk)
        return r->in.len > 0 && begins == PROBE_NO ? http1_junk(r) : GO;
    if (begins == PROBE_NO || white || (begins == PROBE_MORE && r->end))
        return http1_junk(r);
    if (begins != PROBE_MORE)
        http1_forget_junk(r);
    return GO;
}

enum http1_next http1_line(struct http1_run *r)
{
    struct span line;
    bool cut;

    if (!r->w->mid_line) {
        r->w->head_bytes = r->w->head_lines = 0;
        if (!r->w->after_junk)
            skip_empty_lines(r);
        if (r->in.len == 0 && !(r->w->after_junk && r->end))
            return WAIT;
    }
    enum http1_next ahead = look_ahead(r);
    if (ahead != GO || r->w->step != AT_LINE)
        return ahead;
    bool in_pieces = r->w->mid_line;
    enum http1_next next = next_line(r, &line, &cut);
    if (next != GO)
        return next;
    if (in_pieces && !r->cut_off && r->dir == APP_TO_SERVER && http1_request_probe(line) == PROBE_NO) {
        r->w->mid_line = true; /* it says now what it would have said at once; it lies in what is kept */
        r->w->kept.len = line.len;
        return http1_junk(r);
    }
    if (r->cut_off && r->dir == APP_TO_SERVER)
        app_event(r->a, AN_HTTP_REQUEST_LINE_INCOMPLETE);
    struct span text = line_text(line);
    if (trim_white(text).len == 0) {
        if (text.len > 0)
            app_event(r->a, http1_which(r, AN_HTTP_REQUEST_LINE_LEADING_WHITESPACE,
                                        AN_HTTP_RESPONSE_BODY_UNEXPECTED));
        return GO;
    }
    next = first_line(r, line);
    return next == GO && cut ? too_long(r) : next;
}

static enum http1_next head_is_whole(struct http1_run *r)
{
    struct http1_message *m = http1_message_of(r);
    struct span length;

    for (uint32_t at = 0; http_fields_each(&m->fields, HTTP_CONTENT_LENGTH, &at, &length);)
        http1_note_length(r, length); /* now that no folded line can follow, and none is joined */
    if (m->fields.repeated && !m->raw_differs &&
        (!keep_raw(r) || !bytes_add(r->a, &m->raw, span_of("\r\n", 2))))
        return http1_stop(r, APP_BAD);
    if (!http_fields_finish(r->a, &m->fields, r->dir))
        return http1_stop(r, APP_BAD);
    m->has_head = true;
    bytes_free(r->a, &r->w->kept);
    if (m->fields.joined)
        app_event(r->a,
                  http1_which(r, AN_HTTP_REQUEST_HEADER_REPETITION, AN_HTTP_RESPONSE_HEADER_REPETITION));
    if (!m->line_put)
        http1_put_line(r->a, r->w->tx, r->dir, true);
    http1_put_head(r->a, r->w->tx, r->dir, true);
    r->put = true;
    return http1_body_begin(r);
}

/* Keeps the line as it came, if the last text_bytes of the fields' text do not say the same. */
static bool note_raw(struct http1_run *r, struct span line, uint32_t before)
{
    struct http1_message *m = http1_message_of(r);
    struct span now = span_sub(bytes_span(&m->fields.text), before, UINT32_MAX);

    if (!m->raw_differs) {
        if (line.len == 2 ? now.len == 0 : span_eq(now, line))
            return true;
        struct span so_far = span_sub(bytes_span(&m->fields.text), m->fields.first, before - m->fields.first);

        if (!bytes_reserve(r->a, &m->raw, so_far.len + line.len + 256) || !bytes_add(r->a, &m->raw, so_far))
            return false;
        m->raw_differs = true;
    }
    return bytes_add(r->a, &m->raw, line);
}

enum http1_next http1_headers(struct http1_run *r)
{
    struct http1_message *m = http1_message_of(r);
    struct span line;
    bool cut;

    if (r->w->blank_line && (r->in.len > 0 || r->end)) { /* an empty line behind it would have been the end */
        r->w->blank_line = false;
        if (r->in.len == 0 || r->in.p[0] != '\n')
            return head_is_whole(r);
    }
    enum http1_next next = next_line(r, &line, &cut);
    if (next == WAIT && r->end)
        return head_is_whole(r); /* there is no more of it */
    if (next != GO)
        return next;
    struct span text = line_text(line);
    r->w->blank_line = r->dir == APP_TO_CLIENT && line.len == 2 && http_blank(line.p[0]);
    if (text.len > 0 && folds(text.p[0]) && !keep_raw(r)) /* it changes the text in front of it */
        return http1_stop(r, APP_BAD);
    uint32_t before = m->fields.text.len;
    if (!take_header_text(r, &m->fields, text) || !note_raw(r, line, before))
        return http1_stop(r, APP_BAD);
    if (text.len < 32 ? short_find(text, 0) != NULL : memchr(text.p, 0, text.len) != NULL)
        app_event(r->a, AN_HTTP_NUL_IN_HEAD);
    if (r->w->head_lines == app_limits(r->a)->headers + 2) /* the first line is none of them */
        app_event(r->a, http1_which(r, AN_HTTP_REQUEST_TOO_MANY_HEADERS, AN_HTTP_RESPONSE_TOO_MANY_HEADERS));
    if (cut)
        return too_long(r);
    return text.len == 0 ? head_is_whole(r) : GO;
}

enum http1_next http1_trailer(struct http1_run *r)
{
    struct http1_message *m = http1_message_of(r);
    struct span line;
    bool cut;

    enum http1_next next = next_line(r, &line, &cut);
    if (next == WAIT && r->end)
        return http1_finish(r, false);
    if (next != GO)
        return next;
    struct span text = line_text(line);
    if (!take_header_text(r, &m->trailer, text) || (text.len > 0 && !bytes_add(r->a, &m->raw_trailer, line)))
        return http1_stop(r, APP_BAD);
    if (cut)
        return too_long(r);
    return text.len == 0 ? http1_finish(r, true) : GO;
}

enum http1_next http1_chunk_line(struct http1_run *r, struct span *line, bool *cut)
{
    r->w->head_bytes = 0;
    return next_line(r, line, cut);
}
