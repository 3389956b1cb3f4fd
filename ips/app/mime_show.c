/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What rules and events get of a mail beside its parts: header fields, and the URLs in its texts.
 *
 * A subject with encoded words is there twice, as it came and decoded. URLs are those with http:// or https:// in parts that
 * are text, without that; each is published once it ends, at a character that cannot be in one.
 *
 * Worker thread. Owns nothing.
 */
#include "ips/app/mime_parts.h"
#include "ips/app/words.h"

#define URL_MAX  1024  /* bytes of one */
#define URLS_MAX 16384 /* bytes of those that are kept */

static const struct {
    enum buffer_id buffer;
    const char *key; /* EVE's */
} rows[MIME_FIELDS] = {
    [MIME_FROM] = {BUF_EMAIL_FROM, "from"},
    [MIME_SUBJECT] = {BUF_EMAIL_SUBJECT, "subject"},
    [MIME_TO] = {BUF_EMAIL_TO, "to"},
    [MIME_CC] = {BUF_EMAIL_CC, "cc"},
    [MIME_DATE] = {BUF_EMAIL_DATE, "date"},
    [MIME_MESSAGE_ID] = {BUF_EMAIL_MESSAGE_ID, "message_id"},
    [MIME_X_MAILER] = {BUF_EMAIL_X_MAILER, "x_mailer"},
    [MIME_RECEIVED] = {BUF_EMAIL_RECEIVED, "received"},
};

static void put_list(struct app *a, const struct mime *m, enum buffer_id b, struct span list)
{
    struct span one;

    while (mime_list_next(&list, &one))
        app_put(a, m->tx, b, one);
}

void mime_put_header(struct app *a, const struct mime *m)
{
    for (unsigned i = 0; i < MIME_RECEIVED; i++)
        if (m->fields[i].len > 0)
            app_put(a, m->tx, rows[i].buffer, bytes_span(&m->fields[i]));
    if (m->plain_subject.len > 0)
        app_put(a, m->tx, BUF_EMAIL_SUBJECT, bytes_span(&m->plain_subject));
    put_list(a, m, BUF_EMAIL_RECEIVED, bytes_span(&m->fields[MIME_RECEIVED]));
}

void mime_show(struct app *a, struct mime *m)
{
    if (!m->there)
        return;
    if (m->email) {
        mime_put_header(a, m);
        put_list(a, m, BUF_EMAIL_URL, bytes_span(&m->urls));
    }
    body_show(a, &m->body, m->tx);
}

/* --- URLs ----------------------------------------------------------------------------------------------------------- */

static bool ends_url(uint8_t c)
{
    return c <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>' || c == ')' || c == ']' || c == '}' ||
           c == '|' || c == '`' || c == 0x7f;
}

static void url_is_whole(struct app *a, struct mime *m)
{
    m->url = false;
    if (m->link.len == 0)
        return;
    if (m->urls.len > URLS_MAX) {
        mime_put_urls(a, m);
        m->urls.len = m->urls_seen = 0;
    }
    m->bad |= !mime_list_add(a, &m->urls, bytes_span(&m->link));
    m->link.len = 0;
}

/* The next byte of "http://" or "https://". */
static void scheme_byte(struct mime *m, uint8_t c)
{
    static const char scheme[] = "http://";

    c = word_lower(c);
    if (m->url_at == 4 && c == 's')
        return;
    if (c == (uint8_t)scheme[m->url_at])
        m->url_at++;
    else
        m->url_at = c == 'h';
    if (m->url_at == sizeof(scheme) - 1) {
        m->url_at = 0;
        m->url = true;
    }
}

static void url_bytes(struct app *a, struct mime *m, struct span *text)
{
    uint32_t n = 0;

    while (n < text->len && !ends_url(text->p[n]))
        n++;
    m->bad |=
        !bytes_add(a, &m->link, span_sub(*text, 0, m->link.len + n <= URL_MAX ? n : URL_MAX - m->link.len));
    *text = span_sub(*text, n, text->len);
    if (text->len > 0)
        url_is_whole(a, m);
}

void mime_find_urls(struct app *a, struct mime *m, struct span text)
{
    while (text.len > 0 && !m->bad) {
        if (m->url) {
            url_bytes(a, m, &text);
            continue;
        }
        if (m->url_at == 0) { /* the fast way to the next 'h' is short in any text */
            uint32_t n = 0;

            while (n < text.len && (text.p[n] | 0x20) != 'h')
                n++;
            text = span_sub(text, n, text.len);
            if (text.len == 0)
                return;
        }
        scheme_byte(m, text.p[0]);
        text = span_sub(text, 1, text.len);
    }
}

void mime_put_urls(struct app *a, struct mime *m)
{
    struct span all = bytes_span(&m->urls);

    if (m->urls_seen == all.len)
        return;
    put_list(a, m, BUF_EMAIL_URL, span_sub(all, m->urls_seen, all.len));
    m->urls_seen = all.len;
    m->dropped |= !app_inspect(a, m->tx, (enum app_dir)m->dir, false);
}

/* --- EVE ------------------------------------------------------------------------------------------------------------ */

static void list_fields(struct fields *f, const char *key, struct span list)
{
    struct span one;

    if (list.len == 0)
        return;
    fields_list(f, key);
    while (mime_list_next(&list, &one))
        fields_text(f, NULL, one);
    fields_close(f);
}

/* Addresses, with commas between them. */
static void addresses(struct fields *f, const char *key, struct span s)
{
    fields_list(f, key);
    while (s.len > 0) {
        const uint8_t *comma = memchr(s.p, ',', s.len);
        uint32_t n = comma ? (uint32_t)(comma - s.p) : s.len;

        fields_text(f, NULL, word_trim(span_sub(s, 0, n)));
        s = span_sub(s, n + 1, s.len);
    }
    fields_close(f);
}

void mime_fields(const struct mime *m, struct fields *f)
{
    fields_word(f, "status",
                m->bad                     ? "PARSE_ERROR"
                : m->state == MIME_BETWEEN ? "PARSE_DONE"
                                           : "BODY_STARTED");
    for (unsigned i = 0; i < MIME_RECEIVED; i++) {
        if (m->fields[i].len == 0)
            continue;
        if (i == MIME_TO || i == MIME_CC)
            addresses(f, rows[i].key, bytes_span(&m->fields[i]));
        else
            fields_text(f, rows[i].key, bytes_span(&m->fields[i]));
    }
    list_fields(f, "received", bytes_span(&m->fields[MIME_RECEIVED]));
    list_fields(f, "attachment", bytes_span(&m->names));
    list_fields(f, "url", bytes_span(&m->urls));
}
