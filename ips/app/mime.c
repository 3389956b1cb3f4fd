/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mail's lines: headers, parts, and the boundaries between them.
 *
 * Open multiparts stand in a stack. A line that is a boundary of any of them ends everything that is further in, whether it
 * was closed or not. A boundary is "--", its text, "--" when it closes, and blanks; a line that only begins like
 * one is text here and a boundary for some readers: an event. A multipart that was closed stays in the stack, because some
 * readers go on when its boundary comes again.
 *
 * The line's end in front of a boundary belongs to the boundary, so it is held back until the next line is known.
 *
 * Lines are handled when they are whole or MIME_LINE_MAX bytes long; what has no end yet waits, because no receiver does
 * anything with a mail that has not ended.
 *
 * Worker thread. Owns what struct mime points to.
 */
#include "ips/app/mime.h"

#include "ips/app/mime_parts.h"
#include "ips/app/words.h"

bool mime_list_add(struct app *a, struct bytes *list, struct span one)
{
    uint8_t len[2];

    if (one.len > UINT16_MAX)
        one.len = UINT16_MAX;
    store_be16(len, (uint16_t)one.len);
    return bytes_add(a, list, span_of(len, 2)) && bytes_add(a, list, one);
}

bool mime_list_next(struct span *list, struct span *one)
{
    if (list->len < 2)
        return false;
    *one = span_sub(*list, 2, load_be16(list->p));
    *list = span_sub(*list, 2 + one->len, list->len);
    return true;
}

#define BARE_BASE64 40 /* characters of a first line that are no word */

/* --- parts ---------------------------------------------------------------------------------------------------------- */

void mime_part_bytes(struct app *a, struct mime *m, struct span bytes)
{
    if (bytes.len == 0 || m->dropped)
        return;
    if (m->part.text && m->email)
        mime_find_urls(a, m, bytes);
    m->dropped |= !body_gather(a, &m->body, m->tx, bytes);
}

void mime_part_begin(struct app *a, struct mime *m, struct span name, bool file)
{
    struct body_about about = {.dir = (enum app_dir)m->dir,
                               .buffers = {BUF_FILE_DATA},
                               .n_buffers = 1,
                               .depth = app_limits(a)->file_depth,
                               .name = name,
                               .file = file};

    if (file && m->names.len < 8192)
        m->bad |= !mime_list_add(a, &m->names, name);
    if (!m->dropped)
        m->dropped |= !body_begin(a, &m->body, m->tx, &about);
}

void mime_part_end(struct app *a, struct mime *m)
{
    if (!m->dropped)
        m->dropped |= !body_end(a, &m->body, m->tx, true);
}

static void leave_part(struct app *a, struct mime *m)
{
    if (m->state != MIME_BODY)
        return;
    mime_decode_end(a, m);
    mime_part_end(a, m);
    m->state = MIME_BETWEEN;
}

static void enter_header(struct mime *m, bool of_part)
{
    m->of_part = of_part;
    memset(&m->part, 0, offsetof(struct mime_part, boundary));
    m->part.text = true;
    m->field.len = 0;
    m->state = MIME_HEADER;
}

/* The multipart that the header has spoken of is the innermost from now on; false: it is a body like any other. */
static bool push(struct app *a, struct mime *m)
{
    if (m->part.boundary_len == 0) {
        app_event(a, AN_MIME_MALFORMED);
        return false;
    }
    if (m->levels == MIME_LEVELS_MAX) {
        app_event(a, AN_MIME_DEEP);
        return false;
    }
    m->boundaries.len = m->boundary_at[m->levels];
    if (!bytes_add(a, &m->boundaries, span_of(m->part.boundary, m->part.boundary_len))) {
        m->bad = true;
        return false;
    }
    m->digests = (m->digests & ~(1u << m->levels)) | (uint32_t)m->part.digest << m->levels;
    m->boundary_at[++m->levels] = (uint16_t)m->boundaries.len;
    m->state = MIME_BETWEEN;
    return true;
}

static void header_ends(struct app *a, struct mime *m)
{
    struct mime_part *p = &m->part;

    mime_header_field(a, m);
    m->field.len = 0;
    if (!p->typed && m->of_part && (m->digests >> (m->levels - 1) & 1))
        p->message = true; /* RFC 2046, 5.1.5 */
    if (m->top) {
        m->top = false;
        if (m->email) {
            mime_put_header(a, m);
            m->dropped |= !app_inspect(a, m->tx, (enum app_dir)m->dir, false);
        }
    }
    if ((p->multipart || p->message) && (p->coding == MIME_BASE64 || p->coding == MIME_QUOTED))
        app_event(a, AN_MIME_ENCODED_PARTS);
    if (p->multipart && push(a, m))
        return;
    if (p->message && p->coding == MIME_IDENTITY) {
        enter_header(m, false);
        return;
    }
    m->state = MIME_BODY;
    m->eol = m->n_quantum = 0;
    m->after_pad = m->uu = false;
    mime_part_begin(a, m, span_of(p->name, p->name_len), p->name_len > 0 || p->attachment);
}

/* --- boundaries ----------------------------------------------------------------------------------------------------- */

static struct span boundary(const struct mime *m, unsigned level)
{
    return span_sub(bytes_span(&m->boundaries), m->boundary_at[level],
                    (uint32_t)m->boundary_at[level + 1] - m->boundary_at[level]);
}

/* The level whose boundary the line is; -1: none. */
static int boundary_of(struct app *a, const struct mime *m, struct span text, bool *closes)
{
    struct span rest;
    bool like = false;

    for (int level = m->levels - 1; level >= 0; level--) {
        struct span b = boundary(m, (unsigned)level);

        if (text.len < 2 + b.len || memcmp(text.p + 2, b.p, b.len) != 0)
            continue;
        rest = word_trim(span_sub(text, 2 + b.len, text.len));
        *closes = word_is(rest, "--");
        if (rest.len == 0 || *closes)
            return level;
        like = true;
    }
    if (like)
        app_event(a, AN_MIME_LIKE_BOUNDARY);
    return -1;
}

/* True: the line was a boundary. */
static bool take_boundary(struct app *a, struct mime *m, struct span text)
{
    bool closes;
    int level;

    if (m->levels == 0 || text.len < 2 || text.p[0] != '-' || text.p[1] != '-')
        return false;
    level = boundary_of(a, m, text, &closes);
    if (level < 0)
        return false;
    if (m->state == MIME_HEADER && m->field.len > 0) /* a header that no empty line ended */
        header_ends(a, m);
    leave_part(a, m);
    m->levels = (uint8_t)(level + 1);
    m->eol = 0;
    if (closes)
        m->state = MIME_BETWEEN;
    else
        enter_header(m, true);
    return true;
}

/* --- lines ---------------------------------------------------------------------------------------------------------- */

static void header_line(struct app *a, struct mime *m, struct span text, bool begins)
{
    if (begins && text.len == 0) {
        header_ends(a, m);
        return;
    }
    if (begins && (!word_blank(text.p[0]) || m->field.len == 0)) {
        mime_header_field(a, m);
        m->field.len = 0;
    }
    if (m->field.len + text.len > app_limits(a)->header_line) {
        app_event(a, AN_MIME_LONG_VALUE);
        app_event(a, AN_MIME_MALFORMED); /* a boundary may stand in what is cut off */
        text = span_sub(text, 0, app_limits(a)->header_line - m->field.len);
    }
    m->bad |= !bytes_add(a, &m->field, text);
}

/* The first line of a part whose header is not known: a boundary, or base64, or neither. */
static void first_line(struct app *a, struct mime *m, struct span text)
{
    struct mime_part *p = &m->part;
    uint32_t digits = 0;

    if (text.len > 2 && text.len <= 2 + MIME_BOUNDARY_MAX && text.p[0] == '-' && text.p[1] == '-') {
        p->boundary_len = (uint8_t)(text.len - 2);
        memcpy(p->boundary, text.p + 2, text.len - 2);
        if (push(a, m))
            return;
    }
    while (digits < text.len && mime_base64_value(text.p[digits]) <= 63)
        digits++;
    if (text.len >= BARE_BASE64 && digits == text.len)
        p->coding = MIME_BASE64;
    m->state = MIME_BODY;
    mime_part_begin(a, m, span_of(NULL, 0), false);
}

/* A line, or a piece of one: begins and ends say which. */
static void one_line(struct app *a, struct mime *m, struct span line, bool begins, bool ends)
{
    struct span text = ends ? line_text(line) : line;

    if (begins && text.len > 998)
        app_event(a, AN_MIME_LONG_LINE);
    if (m->state == MIME_BARE)
        first_line(a, m, text);
    if (begins && take_boundary(a, m, text))
        return;
    if (m->state == MIME_HEADER)
        header_line(a, m, text, begins);
    else if (m->state == MIME_BODY)
        mime_decode_line(a, m, text, ends, (uint8_t)(line.len - text.len));
}

static bool going(const struct mime *m)
{
    return !m->bad && !m->dropped;
}

bool mime_add(struct app *a, struct mime *m, struct span bytes)
{
    while (bytes.len > 0 && going(m)) {
        struct span line;
        enum line_answer answer = line_take(a, &m->line, &bytes, MIME_LINE_MAX, &line);

        if (answer == LINE_NO_MEMORY)
            m->bad = true;
        if (answer != LINE_WHOLE && answer != LINE_LONG)
            break;
        one_line(a, m, line, !m->cut, answer == LINE_WHOLE);
        m->cut = answer == LINE_LONG;
    }
    return going(m);
}

bool mime_flush(struct app *a, struct mime *m)
{
    if (!going(m))
        return false;
    mime_put_urls(a, m);
    m->dropped |= !body_flush(a, &m->body, m->tx);
    return going(m);
}

void mime_begin(struct app *a, struct mime *m, struct app_tx *tx, enum app_dir dir, bool email)
{
    mime_free(a, m);
    m->there = m->top = true;
    m->tx = tx;
    m->dir = (uint8_t)dir;
    m->email = email;
    enter_header(m, false);
}

void mime_begin_bare(struct app *a, struct mime *m)
{
    m->top = false;
    m->state = MIME_BARE;
}

bool mime_end(struct app *a, struct mime *m, bool whole)
{
    struct span rest = line_waits(&m->line);

    if (!m->there || !going(m))
        return going(m);
    if (rest.len > 0)
        one_line(a, m, rest, !m->cut, false);
    m->line.len = 0;
    if (going(m) && m->state == MIME_HEADER && whole)
        header_ends(a, m);
    if (going(m) && m->state == MIME_BODY) {
        static const uint8_t crlf[2] = "\r\n";

        if (m->levels == 0 && m->part.coding == MIME_IDENTITY)
            mime_part_bytes(a, m, span_sub(span_of(crlf, 2), 2u - m->eol, m->eol));
        mime_decode_end(a, m);
        mime_put_urls(a, m);
        m->dropped |= !body_end(a, &m->body, m->tx, whole);
    }
    m->state = MIME_BETWEEN;
    return going(m);
}

void mime_free(struct app *a, struct mime *m)
{
    bytes_free(a, &m->line);
    bytes_free(a, &m->field);
    bytes_free(a, &m->boundaries);
    for (unsigned i = 0; i < MIME_FIELDS; i++)
        bytes_free(a, &m->fields[i]);
    bytes_free(a, &m->plain_subject);
    bytes_free(a, &m->names);
    bytes_free(a, &m->urls);
    bytes_free(a, &m->link);
    body_free(a, &m->body);
    memset(m, 0, sizeof(*m));
}
