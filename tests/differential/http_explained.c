/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where our HTTP/1 and libhtp differ and mean to. Each row has the reason and the code that says whether a difference is of
 * that kind: a difference that none of them knows fails the test. Their counts are said, so a row that explains nothing
 * any more is seen.
 */
#include "tests/differential/http_libhtp.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static struct span lit(const char *s)
{
    return span_of(s, strlen(s));
}

static const uint8_t *find(struct span s, const char *word)
{
    return s.len > 0 ? memmem(s.p, s.len, word, strlen(word)) : NULL;
}

static bool begins_with(struct span s, struct span what)
{
    return s.len >= what.len && span_eq(span_sub(s, 0, what.len), what);
}

static bool ends_with(struct span s, struct span what)
{
    return s.len >= what.len && span_eq(span_sub(s, s.len - what.len, what.len), what);
}

static bool only_of(struct span s, const char *bytes)
{
    for (uint32_t i = 0; i < s.len; i++)
        if (s.p[i] == 0 || !strchr(bytes, s.p[i]))
            return false;
    return true;
}

static struct span ours(const struct pair *p, enum read_field field)
{
    return text_span(&p->our_tx->field[field]);
}

static struct span theirs(const struct pair *p, enum read_field field)
{
    return text_span(&p->their_tx->field[field]);
}

static bool event(const struct pair *p, enum anomaly which)
{
    return anomaly_has(&p->our->events, which);
}

static bool is_body(enum read_field f)
{
    return f == READ_REQUEST_BODY || f == READ_RESPONSE_BODY;
}

static bool is_head(enum read_field f)
{
    return f == READ_REQUEST_HEADERS || f == READ_RESPONSE_HEADERS;
}

static bool is_response(enum read_field f)
{
    return f >= READ_RESPONSE_PROTOCOL;
}

/* --- header fields: both lists with the difference taken out ---------------------------------------------------------- */

enum {
    NO_EMPTY,      /* fields without a name and nothing but white space for a value */
    NO_FOLD_BLANK, /* blanks in a row are one */
    NO_ODD_WHITE,  /* NUL, VT and FF at a value's ends */
};

static void add_line(struct text *t, unsigned what, struct span line)
{
    const uint8_t *colon = find(line, ": ");
    uint32_t at = colon ? (uint32_t)(colon - line.p) + 2 : 0;
    struct span value = span_sub(line, at, line.len);

    if (what == NO_EMPTY && at == 2 && only_of(value, " \t\r"))
        return;
    while (what == NO_ODD_WHITE && value.len > 0 && (value.p[0] < ' '))
        value = span_sub(value, 1, value.len);
    while (what == NO_ODD_WHITE && value.len > 0 && (value.p[value.len - 1] < ' '))
        value.len--;
    text_add(t, line.p, at);
    for (uint32_t i = 0; i < value.len; i++)
        if (what != NO_FOLD_BLANK || value.p[i] != ' ' || i == 0 || value.p[i - 1] != ' ')
            text_add(t, value.p + i, 1);
    text_add(t, "\n", 1);
}

static struct text without(struct span fields, unsigned what)
{
    struct text t = {0};

    while (fields.len > 0) {
        const uint8_t *lf = memchr(fields.p, '\n', fields.len);
        uint32_t n = lf ? (uint32_t)(lf - fields.p) : fields.len;

        add_line(&t, what, span_sub(fields, 0, n));
        fields = span_sub(fields, n + 1, fields.len);
    }
    return t;
}

static bool same_without(const struct pair *p, unsigned what)
{
    struct text us = without(p->us, what), them = without(p->them, what);
    bool same = is_head(p->field) && span_eq(text_span(&us), text_span(&them));

    free(us.p);
    free(them.p);
    return same;
}

static bool empty_field(const struct pair *p)
{
    return same_without(p, NO_EMPTY);
}

static bool folded_blanks(const struct pair *p)
{
    return same_without(p, NO_FOLD_BLANK) &&
           event(p, is_response(p->field) ? AN_HTTP_INVALID_RESPONSE_FIELD_FOLDING
                                          : AN_HTTP_INVALID_REQUEST_FIELD_FOLDING);
}

static bool odd_white(const struct pair *p)
{
    return same_without(p, NO_ODD_WHITE);
}

/* --- first lines ------------------------------------------------------------------------------------------------------ */

static bool no_request(const struct pair *p)
{
    return (p->field == READ_TARGET || p->field == READ_URI) && p->us.len == 0 &&
           ours(p, READ_METHOD).len == 0 && span_eq(p->them, lit("/libhtp::request_uri_not_seen"));
}

static bool blanks_behind_target(const struct pair *p)
{
    return (p->field == READ_TARGET || p->field == READ_URI) && p->us.len > 0 &&
           begins_with(p->them, p->us) && only_of(span_sub(p->them, p->us.len, p->them.len), " \t") &&
           event(p, AN_HTTP_URI_DELIM_NON_COMPLIANT);
}

/* --- targets: both with the difference taken out ------------------------------------------------------------------------ */

enum {
    URI_U = 1,       /* %uXXXX is a character in the query as well */
    URI_UTF8 = 2,    /* a character is its best fit, and what is none '?' */
    URI_SLASHES = 4, /* several are one */
    URI_END = 8,     /* a slash at the path's end, which a dot segment leaves */
};

static uint32_t utf8_char(struct span s, uint32_t at, uint8_t *fit)
{
    uint8_t c = s.p[at];
    uint32_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1, v = c & (0x7f >> n);

    *fit = c < 0x80 ? c : '?';
    for (uint32_t i = 1; i < n; i++) {
        if (at + i >= s.len || (s.p[at + i] & 0xc0) != 0x80)
            return 1;
        v = v << 6 | (s.p[at + i] & 0x3f);
    }
    if (n > 1 && v < 256)
        *fit = (uint8_t)v;
    return n;
}

static uint8_t hex4(struct span s, uint32_t at)
{
    char digits[5] = {0};

    memcpy(digits, s.p + at, 4);
    return (uint8_t)strtoul(digits, NULL, 16);
}

static struct text plain_uri(struct span s, unsigned what)
{
    struct text t = {0};

    for (uint32_t i = 0; i < s.len;) {
        uint8_t c = s.p[i], last = t.len > 0 ? t.p[t.len - 1] : 0;
        uint32_t n = 1;

        if ((what & URI_U) && c == '%' && i + 6 <= s.len && (s.p[i + 1] | 0x20) == 'u' &&
            isxdigit(s.p[i + 2]) && isxdigit(s.p[i + 3]) && isxdigit(s.p[i + 4]) && isxdigit(s.p[i + 5])) {
            c = hex4(s, i + 2);
            n = 6;
        } else if ((what & URI_UTF8) && c >= 0x80) {
            n = utf8_char(s, i, &c);
        }
        if ((what & URI_END) && last == '/' && (c == '?' || c == '#'))
            t.len--;
        if (!((what & URI_SLASHES) && c == '/' && last == '/'))
            text_add(&t, &c, 1);
        i += n;
    }
    if ((what & URI_END) && t.len > 0 && t.p[t.len - 1] == '/')
        t.len--;
    return t;
}

static bool same_uri(const struct pair *p, unsigned what)
{
    struct text us = plain_uri(p->us, what), them = plain_uri(p->them, what & ~(unsigned)URI_UTF8);
    bool same = p->field == READ_URI && span_eq(text_span(&us), text_span(&them));

    free(us.p);
    free(them.p);
    return same;
}

static bool u_in_query(const struct pair *p)
{
    return same_uri(p, URI_U);
}

static bool best_fit(const struct pair *p)
{
    return same_uri(p, URI_UTF8);
}

static bool slashes(const struct pair *p)
{
    return same_uri(p, URI_SLASHES);
}

static bool last_dots(const struct pair *p)
{
    struct span target = ours(p, READ_TARGET);

    return same_uri(p, URI_END) && target.len > 0 &&
           (memchr(target.p, '.', target.len) || find(target, "%2"));
}

/* "/a//../b": one slash before the dots are looked at, so "a" goes. */
static bool dots_behind_slashes(const struct pair *p)
{
    const uint8_t *slashes_at = p->field == READ_URI ? find(p->them, "//") : NULL;
    const uint8_t *name = slashes_at && slashes_at > p->them.p
                              ? memrchr(p->them.p, '/', (size_t)(slashes_at - p->them.p))
                              : NULL;

    if (!name)
        return false;
    struct span front = span_of(p->them.p, (size_t)(name - p->them.p)),
                rest = span_sub(p->them, (uint32_t)(slashes_at + 1 - p->them.p), p->them.len);
    return p->us.len == front.len + rest.len && begins_with(p->us, front) && ends_with(p->us, rest);
}

static bool several(const struct pair *p)
{
    return same_uri(p, URI_U | URI_UTF8 | URI_SLASHES | URI_END);
}

/* --- first lines ------------------------------------------------------------------------------------------------------ */

static bool host_dots(const struct pair *p)
{
    return p->field == READ_HOST && p->us.len > 0 && begins_with(p->them, p->us) &&
           only_of(span_sub(p->them, p->us.len, p->them.len), ".");
}

static bool message_blanks(const struct pair *p)
{
    return p->field == READ_MESSAGE && begins_with(p->them, p->us) &&
           only_of(span_sub(p->them, p->us.len, p->them.len), " \t");
}

static bool head_cut_off(const struct pair *p)
{
    if (p->field != READ_HOST || p->them.len > 0 || p->id + 1 != p->our->n)
        return false;
    for (size_t i = 0; i < p->flow->n_turns; i++) {
        const struct turn *t = &p->flow->turns[i];

        if (t->dir == APP_TO_SERVER && t->len > 0 &&
            (memmem(t->p, t->len, "\n\r\n", 3) || memmem(t->p, t->len, "\n\n", 2)))
            return false;
    }
    return true;
}

static bool connect_to_none(const struct pair *p)
{
    if (!span_eq(ours(p, READ_METHOD), lit("CONNECT")) || !event(p, AN_HTTP_INVALID_AUTHORITY_PORT))
        return false;
    return (p->field == READ_URI && p->them.len == 0 && span_eq(p->us, ours(p, READ_TARGET))) ||
           (p->field == READ_HOST && p->us.len == 0 && span_eq(p->them, ours(p, READ_TARGET)));
}

/* --- bodies ------------------------------------------------------------------------------------------------------------ */

static bool empty_lines_behind(const struct pair *p)
{
    return is_body(p->field) && begins_with(p->them, p->us) &&
           only_of(span_sub(p->them, p->us.len, p->them.len), "\r\n");
}

/* A transaction of ours with nothing but a body. */
static bool is_stray(const struct read_tx *t, enum read_field body)
{
    for (unsigned f = 0; t && f < READ_N; f++)
        if ((f == body) != (t->field[f].len > 0))
            return false;
    return t != NULL;
}

static bool behind_the_length(const struct pair *p)
{
    enum anomaly said =
        is_response(p->field) ? AN_HTTP_RESPONSE_BODY_UNEXPECTED : AN_HTTP_REQUEST_BODY_UNEXPECTED;
    const struct read_tx *next = p->id + 1 < p->our->n ? p->our->tx[p->id + 1] : NULL,
                         *before = p->id > 0 && p->id - 1 < p->their->n ? p->their->tx[p->id - 1] : NULL;

    if (!is_body(p->field) || !event(p, said))
        return false;
    if (is_stray(p->our_tx, p->field)) /* seen from there */
        return p->them.len == 0 && before && ends_with(text_span(&before->field[p->field]), p->us);
    return is_stray(next, p->field) && begins_with(p->them, p->us) &&
           span_eq(span_sub(p->them, p->us.len, p->them.len), text_span(&next->field[p->field]));
}

static bool in_front_of_the_response(const struct pair *p)
{
    if (p->field != READ_RESPONSE_BODY || !event(p, AN_HTTP_RESPONSE_BODY_UNEXPECTED) ||
        !ends_with(p->them, p->us) || p->them.len == p->us.len)
        return false;
    struct span junk = span_sub(p->them, 0, p->them.len - p->us.len);
    return junk.p[junk.len - 1] == '\n' && ours(p, READ_STATUS).len > 0;
}

static bool three_layers(const struct pair *p)
{
    struct span fields = ours(p, READ_RESPONSE_HEADERS);
    const uint8_t *at = find(fields, "Content-Encoding: ");
    unsigned commas = 0;

    if (p->field != READ_RESPONSE_BODY || !at)
        return false;
    for (; at < fields.p + fields.len && *at != '\n'; at++)
        commas += *at == ',';
    return commas == 2 && p->us.len > 0 && !span_eq(p->us, text_span(&p->our_tx->wire[APP_TO_CLIENT]));
}

/* What its first chunk holds is too little for libhtp's decoder. */
static bool small_chunk(const struct pair *p)
{
    struct span wire = text_span(&p->our_tx->wire[APP_TO_CLIENT]), fields = ours(p, READ_RESPONSE_HEADERS);

    return p->field == READ_RESPONSE_BODY && p->us.len > 0 && p->them.len > 0 && wire.len > 0 &&
           wire.p[0] == 0x78 && !span_eq(p->us, wire) && find(fields, "hunked") &&
           (ends_with(wire, p->them) || ends_with(p->us, p->them));
}

/* Blanks and line ends apart, both say the same. */
static bool folded_field(const struct pair *p)
{
    struct text both[2] = {{0}, {0}};
    struct span from[2] = {p->us, p->them};

    for (int k = 0; k < 2; k++)
        for (uint32_t i = 0; i < from[k].len; i++)
            if (from[k].p[i] != ' ' && from[k].p[i] != '\n')
                text_add(&both[k], &from[k].p[i], 1);
    bool same = p->field == READ_RESPONSE_HEADERS && event(p, AN_HTTP_INVALID_RESPONSE_FIELD_FOLDING) &&
                find(p->us, " \n") && span_eq(text_span(&both[0]), text_span(&both[1]));
    free(both[0].p);
    free(both[1].p);
    return same;
}

/* --- whole messages ---------------------------------------------------------------------------------------------------- */

static bool too_long(const struct pair *p)
{
    bool request = event(p, AN_HTTP_REQUEST_FIELD_TOO_LONG);

    if (is_head(p->field) && is_response(p->field) != request && p->us.len > 18000)
        return begins_with(p->them, span_sub(p->us, 0, p->us.len - 1));
    return request && is_response(p->field) && p->us.len == 0 && ours(p, READ_REQUEST_HEADERS).len > 18000;
}

/* libhtp makes a line of HTTP/0.9 of whatever comes, and all of the answer its body. */
static bool no_message(const struct pair *p)
{
    struct span method = theirs(p, READ_METHOD), body = ours(p, READ_REQUEST_BODY);

    if (!event(p, AN_HTTP_REQUEST_BODY_UNEXPECTED) || ours(p, READ_METHOD).len > 0 || body.len == 0 ||
        !begins_with(body, method) || theirs(p, READ_REQUEST_PROTOCOL).len > 0)
        return false;
    struct span answer = theirs(p, READ_RESPONSE_BODY);
    return !is_response(p->field) || (begins_with(answer, ours(p, READ_RESPONSE_PROTOCOL)) &&
                                      ends_with(answer, ours(p, READ_RESPONSE_BODY)));
}

static struct explanation {
    const char *why;
    bool (*holds)(const struct pair *p);
    unsigned n;
} rows[] = {
    {"a response without a request: libhtp makes up a target", no_request, 0},
    {"blanks in front of the protocol are the target's to libhtp", blanks_behind_target, 0},
    {"the head is cut off: libhtp looks for no host in it", head_cut_off, 0},
    {"a dot behind a host's name is not the name's", host_dots, 0},
    {"blanks behind a message are the message's to libhtp", message_blanks, 0},
    {"%uXXXX in the query is a character to us", u_in_query, 0},
    {"UTF-8 in the path stays to us; libhtp writes the best fit, and '?' for what is none", best_fit, 0},
    {"several slashes are one, also those that were backslashes or encoded; libhtp leaves some", slashes, 0},
    {"a dot segment at the path's end leaves a slash (RFC 3986, 5.2.4), in libhtp none", last_dots, 0},
    {"several slashes are one before dots are looked at, in libhtp behind it", dots_behind_slashes, 0},
    {"more than one of these in a target", several, 0},
    {"CONNECT to what is no authority: a host to libhtp, a target to us", connect_to_none, 0},
    {"a line of CRs in a head is a field without name to libhtp, nothing to us", empty_field, 0},
    {"folded lines are joined by one blank, by more in libhtp", folded_blanks, 0},
    {"a folded line that looks like a field is one in a response, to libhtp not behind an empty value",
     folded_field, 0},
    {"NUL, VT or FF at a value's ends: white space to us", odd_white, 0},
    {"empty lines behind a message are its body to libhtp", empty_lines_behind, 0},
    {"bytes behind a message's length are its body to libhtp, a transaction of their own to us",
     behind_the_length, 0},
    {"lines in front of a response are its body to libhtp", in_front_of_the_response, 0},
    {"deflate with few bytes in its first chunk: libhtp loses them, or does not decode it", small_chunk, 0},
    {"three codings: we undo four, libhtp as Suricata sets it two", three_layers, 0},
    {"a field beyond our limit, in one piece: libhtp's limit is for what it has to keep", too_long, 0},
    {"what is no message is a body to us, HTTP/0.9 to libhtp", no_message, 0},
};

const char *explained(const struct pair *p)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].holds(p)) {
            rows[i].n++;
            return rows[i].why;
        }
    return NULL;
}

void explained_counts(void (*say)(const char *why, unsigned n))
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        say(rows[i].why, rows[i].n);
}
