/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Form data, taken apart as its bytes come.
 *
 *     --BOUNDARY CRLF fields CRLF CRLF data CRLF --BOUNDARY ... CRLF --BOUNDARY-- CRLF
 *
 * Nothing of a part's data waits here but the line end that may belong to the next boundary, and as much of a
 * boundary as has come: what of it turns out to be data is known without having been kept. A line may end with LF alone,
 * as servers take it. Fields are read for the file's name only; when a name is given twice the last one counts, and there is
 * an event.
 *
 * Worker thread. Owns itself and the part in hand.
 */
#include <strings.h>
#include "ips/app/multipart.h"

#define BOUNDARY_MAX  256
#define FIELD_MAX     4096 /* bytes of a line of a part's fields */
#define PART_NAME_MAX 1024 /* bytes of a file's name */

enum where { IN_PREAMBLE, AT_BOUNDARY_END, IN_FIELDS, IN_DATA, IN_EPILOGUE };

struct multipart {
    struct body part;
    struct bytes line, name;
    uint16_t n_boundary, matched; /* bytes of it, with its two dashes; those that have come */
    uint8_t where, dir;
    bool line_start, named;
    bool cr, lf; /* a line end that has come and is not known to be data */
    uint8_t boundary[BOUNDARY_MAX];
};

static bool begins(struct span s, const char *word)
{
    size_t n = strlen(word);

    return s.len >= n && strncasecmp((const char *)s.p, word, n) == 0;
}

/* The value of a parameter, without its quotes; from `s` behind its '='. */
static struct span value_of(struct span s)
{
    uint32_t n = 0;

    if (s.len > 0 && s.p[0] == '"') {
        s = span_sub(s, 1, s.len);
        while (n < s.len && s.p[n] != '"')
            n += s.p[n] == '\\' && n + 1 < s.len ? 2 : 1;
    } else {
        while (n < s.len && !strchr("; \t,\r\n", s.p[n]))
            n++;
    }
    return span_sub(s, 0, n);
}

/* Where the parameter's value begins, the next one from *at on; false: there is none. */
static bool find_parameter(struct span s, const char *word, uint32_t *at)
{
    for (uint32_t i = *at; i < s.len; i++) {
        bool first = i == 0 || strchr("; \t,", s.p[i - 1]);

        if (first && begins(span_sub(s, i, s.len), word)) {
            *at = i + (uint32_t)strlen(word);
            return true;
        }
    }
    return false;
}

struct multipart *multipart_new(struct app *a, const struct body_about *about)
{
    struct multipart *m;
    struct span boundary;
    uint32_t at = 0;

    if (!begins(about->content_type, "multipart/form-data"))
        return NULL;
    if (!find_parameter(about->content_type, "boundary=", &at)) {
        app_event(a, AN_BODY_MULTIPART);
        return NULL;
    }
    boundary = value_of(span_sub(about->content_type, at, about->content_type.len));
    if (boundary.len == 0 || boundary.len > BOUNDARY_MAX - 2) {
        app_event(a, AN_BODY_MULTIPART);
        return NULL;
    }
    m = app_take(a, sizeof(*m));
    if (!m)
        return NULL;
    memcpy(m->boundary, "--", 2);
    memcpy(m->boundary + 2, boundary.p, boundary.len);
    m->n_boundary = (uint16_t)(boundary.len + 2);
    m->dir = (uint8_t)about->dir;
    m->line_start = true;
    return m;
}

/* --- fields --------------------------------------------------------------------------------------------------------- */

static void take_field(struct app *a, struct multipart *m, struct span line)
{
    uint32_t at = 0;

    if (!memchr(line.p, ':', line.len) && line.p[0] != ' ' && line.p[0] != '\t')
        app_event(a, AN_BODY_MULTIPART_HEADER);
    if (!begins(line, "content-disposition") && line.p[0] != ' ' && line.p[0] != '\t')
        return;
    while (find_parameter(line, "filename", &at)) {
        struct span rest = span_sub(line, at, line.len);

        if (rest.len > 0 && rest.p[0] == '*')
            rest = span_sub(rest, 1, rest.len);
        if (rest.len == 0 || rest.p[0] != '=')
            continue;
        if (m->named)
            app_event(a, AN_BODY_MULTIPART_HEADER);
        m->name.len = 0;
        bytes_add(a, &m->name, span_sub(value_of(span_sub(rest, 1, rest.len)), 0, PART_NAME_MAX));
        m->named = true;
    }
}

static bool begin_data(struct app *a, struct multipart *m, struct app_tx *tx)
{
    struct body_about about = {.dir = (enum app_dir)m->dir,
                               .buffers = {BUF_FILE_DATA},
                               .n_buffers = 1,
                               .name = bytes_span(&m->name),
                               .file = true};

    m->where = IN_DATA;
    m->line_start = true;
    m->matched = 0;
    m->cr = m->lf = false;
    return !m->named || body_begin(a, &m->part, tx, &about);
}

static bool end_part(struct app *a, struct multipart *m, struct app_tx *tx, bool whole)
{
    bool on = body_end(a, &m->part, tx, whole);

    if (m->part.there && m->part.raw == 0)
        app_event(a, AN_BODY_MULTIPART_EMPTY);
    m->named = false;
    m->name.len = 0;
    return on;
}

static bool take_line(struct app *a, struct multipart *m, struct app_tx *tx, struct span *in)
{
    struct span line, text;
    enum line_answer r = line_take(a, &m->line, in, FIELD_MAX, &line);

    if (r == LINE_NO_MEMORY) {
        m->where = IN_EPILOGUE;
        return true;
    }
    if (r == LINE_MORE)
        return true;
    text = line_text(line);
    if (r == LINE_LONG)
        app_event(a, AN_BODY_MULTIPART_HEADER);
    if (m->where == AT_BOUNDARY_END) {
        m->where = text.len >= 2 && memcmp(text.p, "--", 2) == 0 ? IN_EPILOGUE : IN_FIELDS;
        return true;
    }
    if (text.len == 0)
        return begin_data(a, m, tx);
    take_field(a, m, text);
    return true;
}

/* --- data ------------------------------------------------------------------------------------------------------------- */

static bool emit(struct app *a, struct multipart *m, struct app_tx *tx, struct span s)
{
    return m->where != IN_DATA || s.len == 0 || body_gather(a, &m->part, tx, s);
}

/* The line end, and what looked like a boundary, were data. */
static bool emit_pending(struct app *a, struct multipart *m, struct app_tx *tx)
{
    bool on = emit(a, m, tx, span_of("\r", m->cr)) && emit(a, m, tx, span_of("\n", m->lf)) &&
              emit(a, m, tx, span_of(m->boundary, m->matched));

    m->cr = m->lf = false;
    m->matched = 0;
    return on;
}

/* At the beginning of a line: as far as it is the boundary. */
static bool match_boundary(struct app *a, struct multipart *m, struct app_tx *tx, struct span *in)
{
    while (in->len > 0 && m->matched < m->n_boundary && in->p[0] == m->boundary[m->matched]) {
        m->matched++;
        *in = span_sub(*in, 1, in->len);
    }
    if (m->matched == m->n_boundary) {
        bool on = m->where != IN_DATA || end_part(a, m, tx, true);

        m->where = AT_BOUNDARY_END;
        m->matched = 0;
        m->cr = m->lf = false;
        return on;
    }
    if (in->len == 0)
        return true;
    m->line_start = false;
    return emit_pending(a, m, tx);
}

/* Up to and with the end of the line. */
static bool take_text(struct app *a, struct multipart *m, struct app_tx *tx, struct span *in)
{
    const uint8_t *lf = memchr(in->p, '\n', in->len);
    uint32_t n = lf ? (uint32_t)(lf - in->p) : in->len;
    bool cr = n > 0 ? in->p[n - 1] == '\r' : m->cr, on = true;

    if (m->cr && n > 0)
        on = emit_pending(a, m, tx);
    on = on && emit(a, m, tx, span_sub(*in, 0, n - (n > 0 && cr)));
    m->cr = cr;
    m->lf = m->line_start = lf != NULL;
    *in = span_sub(*in, n + (lf != NULL), in->len);
    return on;
}

bool multipart_take(struct app *a, struct multipart *m, struct app_tx *tx, struct span in)
{
    bool on = true;

    while (on && in.len > 0 && m->where != IN_EPILOGUE) {
        if (m->where == AT_BOUNDARY_END || m->where == IN_FIELDS)
            on = take_line(a, m, tx, &in);
        else if (m->line_start)
            on = match_boundary(a, m, tx, &in);
        else
            on = take_text(a, m, tx, &in);
    }
    return on && body_flush(a, &m->part, tx);
}

bool multipart_end(struct app *a, struct multipart *m, struct app_tx *tx, bool whole)
{
    if (m->where == IN_EPILOGUE)
        return true;
    if (whole)
        app_event(a, AN_BODY_MULTIPART);
    return emit_pending(a, m, tx) && end_part(a, m, tx, false);
}

void multipart_show(struct app *a, struct multipart *m, struct app_tx *tx)
{
    body_show(a, &m->part, tx);
}

void multipart_free(struct app *a, struct multipart *m)
{
    if (!m)
        return;
    body_free(a, &m->part);
    bytes_free(a, &m->line);
    bytes_free(a, &m->name);
    app_give(a, m, sizeof(*m));
}
