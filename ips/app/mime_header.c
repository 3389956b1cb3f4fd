/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Header fields of mails: those that say what a part is, and those that rules ask for.
 *
 * A value with parameters is "value; name=text; name="quoted"; ...", with comments in parentheses anywhere. Long texts are
 * cut into numbered parameters and percent-encoded (RFC 2231), or made of encoded words (2047), which is not allowed
 * in parameters and done by everybody. All are undone here; characters outside of ASCII stay as their bytes.
 *
 * Where a field that says what a part is comes twice, or says what nobody knows, readers differ: an event.
 *
 * Worker thread. Owns nothing.
 */
#include "ips/app/mime_parts.h"
#include "ips/app/words.h"

#define PARAMS_MAX 32 /* of one field */

/* --- encoded words -------------------------------------------------------------------------------------------------- */

int mime_hex(uint8_t c)
{
    if (word_digit(c))
        return c - '0';
    c = word_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint32_t decode_q(struct span text, uint8_t *out)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];

        if (c == '=' && i + 2 < text.len && mime_hex(text.p[i + 1]) >= 0 && mime_hex(text.p[i + 2]) >= 0) {
            c = (uint8_t)(mime_hex(text.p[i + 1]) * 16 + mime_hex(text.p[i + 2]));
            i += 2;
        } else if (c == '_') {
            c = ' ';
        }
        out[n++] = c;
    }
    return n;
}

static uint32_t decode_b(struct span text, uint8_t *out)
{
    uint32_t acc = 0, n = 0;
    unsigned bits = 0;

    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t v = mime_base64_value(text.p[i]);

        if (v > 63)
            continue;
        acc = acc << 6 | v;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (uint8_t)(acc >> bits);
        }
    }
    return n;
}

/* "=?charset?B?text?=" at the beginning of s; its length, 0: there is none. */
static uint32_t encoded_word(struct span s, uint8_t *kind, struct span *text)
{
    const uint8_t *q = s.len > 2 ? memchr(s.p + 2, '?', s.len - 2) : NULL;
    const uint8_t *end;
    struct span rest;

    if (!q || s.p[0] != '=' || s.p[1] != '?')
        return 0;
    rest = span_sub(s, (uint32_t)(q - s.p) + 1, s.len);
    if (rest.len < 2 || rest.p[1] != '?')
        return 0;
    *kind = word_lower(rest.p[0]);
    rest = span_sub(rest, 2, rest.len);
    end = rest.len > 0 ? memchr(rest.p, '?', rest.len) : NULL;
    if (!end || end + 1 == rest.p + rest.len || end[1] != '=' || (*kind != 'b' && *kind != 'q'))
        return 0;
    *text = span_sub(rest, 0, (uint32_t)(end - rest.p));
    return (uint32_t)(end + 2 - s.p);
}

uint32_t mime_words_decode(struct span in, uint8_t *out)
{
    uint32_t n = 0, blanks = 0;
    unsigned tries = 0;
    bool after = false; /* behind an encoded word: blanks in front of the next one are none */

    while (in.len > 0) {
        struct span text;
        uint8_t kind;
        uint32_t len = 0;

        if (in.p[0] == '=' && tries++ < 256) /* each may look through the rest of the field */
            len = encoded_word(in, &kind, &text);
        if (len > 0) {
            if (after)
                n -= blanks;
            n += kind == 'q' ? decode_q(text, out + n) : decode_b(text, out + n);
            in = span_sub(in, len, in.len);
            after = true;
            blanks = 0;
            continue;
        }
        if (word_blank(in.p[0])) {
            blanks++;
        } else {
            blanks = 0;
            after = false;
        }
        out[n++] = in.p[0];
        in = span_sub(in, 1, in.len);
    }
    return n;
}

/* --- values with parameters ----------------------------------------------------------------------------------------- */

struct param {
    struct span name, text; /* text without quotes; escapes are still in it */
};

static struct span skip_comments(struct span s)
{
    unsigned depth = 0;

    s = word_skip_blanks(s);
    while (s.len > 0 && (s.p[0] == '(' || depth > 0)) {
        uint8_t c = s.p[0];

        if (c == '\\' && s.len > 1)
            s = span_sub(s, 1, s.len);
        else if (c == '(')
            depth++;
        else if (c == ')')
            depth--;
        s = span_sub(s, 1, s.len);
        if (depth == 0)
            s = word_skip_blanks(s);
    }
    return s;
}

/* Up to one of the characters in `until`, a blank or a comment. */
static struct span token(struct span *s, const char *until)
{
    uint32_t n = 0;

    while (n < s->len && !word_blank(s->p[n]) && s->p[n] != '(' && !strchr(until, s->p[n]))
        n++;
    struct span t = span_sub(*s, 0, n);
    *s = span_sub(*s, n, s->len);
    return t;
}

static struct span quoted(struct span *s)
{
    uint32_t n = 1;

    while (n < s->len && s->p[n] != '"')
        n += s->p[n] == '\\' ? 2 : 1;
    struct span t = span_sub(*s, 1, (n < s->len ? n : s->len) - 1);
    *s = span_sub(*s, n + 1, s->len);
    return t;
}

static bool next_param(struct span *s, struct param *p)
{
    for (;;) {
        const uint8_t *semicolon = s->len > 0 ? memchr(s->p, ';', s->len) : NULL;

        if (!semicolon)
            return false;
        *s = skip_comments(span_sub(*s, (uint32_t)(semicolon - s->p) + 1, s->len));
        p->name = token(s, "=;");
        *s = skip_comments(*s);
        if (s->len == 0 || s->p[0] != '=')
            continue;
        *s = skip_comments(span_sub(*s, 1, s->len));
        if (s->len > 0 && s->p[0] == '"') {
            p->text = quoted(s);
        } else { /* a name with blanks in it, without quotes: everybody takes it up to the semicolon */
            uint32_t n = 0;

            while (n < s->len && s->p[n] != ';')
                n++;
            p->text = word_trim(span_sub(*s, 0, n));
            *s = span_sub(*s, n, s->len);
        }
        return true;
    }
}

static unsigned params_of(struct app *a, struct span s, struct param *list)
{
    unsigned n = 0;

    while (n < PARAMS_MAX && next_param(&s, &list[n]))
        n++;
    if (n == PARAMS_MAX)
        app_event(a, AN_MIME_MALFORMED);
    return n;
}

/* --- texts of parameters -------------------------------------------------------------------------------------------- */

struct text {
    uint8_t *p;
    uint32_t len, cap;
    bool cut;
};

static void text_add(struct text *t, uint8_t c)
{
    if (t->len == t->cap) { /* the end is what a file's kind is known by */
        memmove(t->p, t->p + t->cap / 2, t->cap - t->cap / 2);
        t->len -= t->cap / 2;
        t->cut = true;
    }
    t->p[t->len++] = c;
}

static void add_plain(struct text *t, struct span s)
{
    for (uint32_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\\' && i + 1 < s.len && (s.p[i + 1] == '"' || s.p[i + 1] == '\\'))
            i++;
        text_add(t, s.p[i]);
    }
}

static void add_percent(struct text *t, struct span s, bool first)
{
    for (unsigned quotes = 0; first && quotes < 2 && s.len > 0;) { /* charset'language' */
        const uint8_t *q = memchr(s.p, '\'', s.len);

        if (!q)
            break;
        s = span_sub(s, (uint32_t)(q - s.p) + 1, s.len);
        quotes++;
    }
    for (uint32_t i = 0; i < s.len; i++) {
        if (s.p[i] == '%' && i + 2 < s.len && mime_hex(s.p[i + 1]) >= 0 && mime_hex(s.p[i + 2]) >= 0) {
            text_add(t, (uint8_t)(mime_hex(s.p[i + 1]) * 16 + mime_hex(s.p[i + 2])));
            i += 2;
        } else {
            text_add(t, s.p[i]);
        }
    }
}

/* What stands behind `name` in the parameter's name: "*", "*0", "*0*"; -1: another parameter, else its number. */
static int section(struct span name, const char *word, bool *percent)
{
    uint64_t number = 0;
    struct span rest;

    *percent = false;
    if (!word_begins(name, word))
        return -1;
    rest = span_sub(name, (uint32_t)strlen(word), name.len);
    if (rest.len == 0)
        return 0;
    if (rest.p[0] != '*')
        return -1;
    rest = span_sub(rest, 1, rest.len);
    if (rest.len == 0) {
        *percent = true;
        return 0;
    }
    if (!word_number(&rest, PARAMS_MAX, &number))
        return -1;
    *percent = word_is(rest, "*");
    return rest.len == 0 || *percent ? (int)number : -1;
}

/* The parameter's text, put together. False: there is none. *twice: it is there more than once. */
static bool text_of(const struct param *list, unsigned n, const char *word, struct text *t, bool *twice)
{
    unsigned found = 0;

    *twice = false;
    for (int want = 0; want < PARAMS_MAX; want++) {
        unsigned here = 0;

        for (unsigned i = 0; i < n; i++) {
            bool percent;

            if (section(list[i].name, word, &percent) != want || here++ > 0)
                continue;
            if (percent)
                add_percent(t, list[i].text, want == 0);
            else
                add_plain(t, list[i].text);
        }
        *twice |= here > 1;
        found += here;
        if (here == 0)
            break;
    }
    return found > 0;
}

static void name_from(struct app *a, struct mime_part *p, const struct param *list, unsigned n,
                      const char *word)
{
    uint8_t room[1024], plain[1024];
    struct text t = {.p = room, .cap = sizeof(room)};
    struct span name;
    bool twice;

    if (!text_of(list, n, word, &t, &twice))
        return;
    name = span_of(plain, mime_words_decode(span_of(room, t.len), plain));
    if (twice)
        app_event(a, AN_MIME_DUPLICATE);
    if (t.cut || name.len > MIME_NAME_MAX)
        app_event(a, AN_MIME_LONG_FILENAME);
    if (name.len > MIME_NAME_MAX)
        name = span_sub(name, name.len - MIME_NAME_MAX, MIME_NAME_MAX);
    p->name_len = (uint8_t)name.len;
    memcpy(p->name, name.p, name.len);
}

/* --- fields --------------------------------------------------------------------------------------------------------- */

static void content_type(struct app *a, struct mime *m, struct span value)
{
    struct mime_part *p = &m->part;
    struct param list[PARAMS_MAX];
    struct span s = skip_comments(value), type;
    uint8_t room[MIME_BOUNDARY_MAX + 1];
    struct text b = {.p = room, .cap = sizeof(room)};
    bool twice;

    if (p->typed) { /* some readers take the last one; the first is as good */
        app_event(a, AN_MIME_DUPLICATE);
        return;
    }
    p->typed = true;
    type = token(&s, ";,");
    unsigned n = params_of(a, s, list);
    p->multipart = word_begins(type, "multipart/");
    p->digest = word_is(type, "multipart/digest");
    p->message = word_is(type, "message/rfc822") || word_is(type, "message/global");
    p->text = word_is(type, "text/plain") || word_is(type, "text/html");
    if (p->multipart && text_of(list, n, "boundary", &b, &twice)) {
        while (b.len > 0 && word_blank(room[b.len - 1]))
            b.len--;
        if (twice)
            app_event(a, AN_MIME_DUPLICATE);
        if (b.cut || b.len > MIME_BOUNDARY_MAX)
            app_event(a, AN_MIME_LONG_BOUNDARY);
        else
            memcpy(p->boundary, room, p->boundary_len = (uint8_t)b.len);
    }
    if (!p->name_of_disposition)
        name_from(a, p, list, n, "name");
}

static void content_disposition(struct app *a, struct mime *m, struct span value)
{
    struct mime_part *p = &m->part;
    struct param list[PARAMS_MAX];
    struct span s = skip_comments(value);
    uint8_t before = p->name_len;

    p->attachment |= word_is(token(&s, ";"), "attachment");
    if (p->name_of_disposition) {
        app_event(a, AN_MIME_DUPLICATE);
        return;
    }
    p->name_len = 0;
    name_from(a, p, list, params_of(a, s, list), "filename");
    p->name_of_disposition = p->name_len > 0;
    if (p->name_len == 0)
        p->name_len = before;
}

static void transfer_encoding(struct app *a, struct mime *m, struct span value)
{
    static const struct {
        const char *word;
        uint8_t coding;
    } codings[] = {
        {"7bit", MIME_IDENTITY},
        {"8bit", MIME_IDENTITY},
        {"binary", MIME_IDENTITY},
        {"base64", MIME_BASE64},
        {"quoted-printable", MIME_QUOTED},
        {"x-uuencode", MIME_UU},
        {"uuencode", MIME_UU},
        {"x-uue", MIME_UU},
    };
    struct span s = skip_comments(value), word = token(&s, ";,\"");

    if (m->part.coded) {
        app_event(a, AN_MIME_DUPLICATE);
        return;
    }
    m->part.coded = true;
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++)
        if (word_is(word, codings[i].word)) {
            m->part.coding = codings[i].coding;
            return;
        }
    app_event(a, AN_MIME_UNKNOWN_ENCODING);
}

static void keep_subject(struct app *a, struct mime *m)
{
    struct span raw = bytes_span(&m->fields[MIME_SUBJECT]);

    if (!word_has(raw, "=?"))
        return;
    if (!bytes_reserve(a, &m->plain_subject, raw.len)) {
        m->bad = true;
        return;
    }
    m->plain_subject.len = mime_words_decode(raw, m->plain_subject.p);
}

static void keep_field(struct app *a, struct mime *m, struct span name, struct span value)
{
    static const char *const names[MIME_FIELDS] = {"From", "Subject",    "To",       "Cc",
                                                   "Date", "Message-ID", "X-Mailer", "Received"};

    for (unsigned i = 0; i < MIME_FIELDS; i++) {
        struct bytes *f = &m->fields[i];

        if (!word_is(name, names[i]))
            continue;
        if (i == MIME_RECEIVED) {
            if (f->len < 32768)
                m->bad |= !mime_list_add(a, f, value);
        } else if (f->len == 0) {
            m->bad |= !bytes_add(a, f, value);
            if (i == MIME_SUBJECT && !m->bad)
                keep_subject(a, m);
        } else {
            app_event(a, AN_SMTP_DUPLICATE_FIELDS);
        }
        return;
    }
}

void mime_header_field(struct app *a, struct mime *m)
{
    struct span field = bytes_span(&m->field), name, value;
    const uint8_t *colon = field.len > 0 ? memchr(field.p, ':', field.len) : NULL;

    if (field.len == 0)
        return;
    if (!colon) {
        if (!word_begins(field, "From ") && !word_begins(field, ">From ")) /* mbox's */
            app_event(a, AN_MIME_MALFORMED);
        return;
    }
    name = word_trim(span_sub(field, 0, (uint32_t)(colon - field.p)));
    value = word_trim(span_sub(field, (uint32_t)(colon - field.p) + 1, field.len));
    if (name.len > 75)
        app_event(a, AN_MIME_LONG_NAME);
    if (value.len > 2000)
        app_event(a, AN_MIME_LONG_VALUE);
    if (word_is(name, "Content-Type"))
        content_type(a, m, value);
    else if (word_is(name, "Content-Disposition"))
        content_disposition(a, m, value);
    else if (word_is(name, "Content-Transfer-Encoding"))
        transfer_encoding(a, m, value);
    else if (m->top && m->email)
        keep_field(a, m, name, value);
}
