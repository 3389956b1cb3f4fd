/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rule files as logical lines.
 *
 * A file is read whole into one heap buffer that the source owns until source_close(). A logical line is joined
 * inside that buffer: when a line ends in a backslash, the next one is moved down onto the backslash, as
 * Suricata does it, with nothing put between them. A list of pieces remembers the line and column every byte came
 * from, so that errors point into the file as the author wrote it.
 *
 * A line that starts with '#' is a comment; when what follows is the head of a rule it is a disabled rule, with its
 * continuation lines, which may have a '#' of their own. It is counted, and given out to those who ask for it.
 *
 * Snort 3 has more: C comments, blocks between lines that start with #begin and #end, and rules that go on over lines
 * without a backslash until their ')'. Comments are blanked in the buffer before the first line is given out, so
 * that every place stays what it was; the lines of a rule are joined with a blank. A line that starts another rule
 * ends one that was left open.
 *
 * Control thread. Files beyond SOURCE_FILE_MAX are refused before they are read.
 */
#include "rules/source.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ips/base/piece.h"
#include "rules/names.h"
#include "rules/service.h"

static int read_all(struct source *s, int fd, struct err *e)
{
    size_t cap = s->len + 1, n = 0;

    for (;;) {
        ssize_t got;

        if (n == cap) {
            uint8_t *bigger = cap > SOURCE_FILE_MAX ? NULL : realloc(s->bytes, cap * 2);

            if (bigger == NULL)
                return err_set(e, -EFBIG, "%s grew beyond %u MB while it was read", s->file,
                               SOURCE_FILE_MAX >> 20);
            s->bytes = bigger;
            cap *= 2;
        }
        got = read(fd, s->bytes + n, piece_of(cap - n));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int code = -errno;

            err_sys(e, code, "cannot read %s", s->file);
            return code;
        }
        if (got == 0)
            break;
        n += (size_t)got;
    }
    s->len = n;
    return 0;
}

static int open_and_read(struct source *s, struct err *e)
{
    int fd = open(s->file, O_RDONLY | O_CLOEXEC);
    struct stat st;
    int rc;

    if (fd < 0) {
        rc = err_sys(e, -errno, "cannot open %s", s->file);
        err_remedy(e, "check the path and that its owner lets this program read it");
        return rc;
    }
    if (fstat(fd, &st) != 0) {
        rc = err_sys(e, -errno, "cannot read %s", s->file);
    } else if (S_ISDIR(st.st_mode)) {
        rc = err_set(e, -EISDIR, "%s is a directory", s->file);
        err_remedy(e, "name the files in it, for example %s/*.rules", s->file);
    } else if (st.st_size > (off_t)SOURCE_FILE_MAX) {
        rc = err_set(e, -EFBIG, "%s has more than %u MB", s->file, SOURCE_FILE_MAX >> 20);
        err_remedy(e, "split the file");
    } else {
        s->len = (size_t)st.st_size;
        s->bytes = malloc(s->len + 1);
        rc = s->bytes != NULL ? read_all(s, fd, e) : err_set(e, -ENOMEM, "no memory to read %s", s->file);
    }
    close(fd);
    return rc;
}

int source_open(struct source *s, const char *file, struct err *e)
{
    int rc;

    memset(s, 0, sizeof(*s));
    s->file = file;
    s->line = 1;
    rc = open_and_read(s, e);
    if (rc != 0)
        source_close(s);
    else if (s->len >= 3 && memcmp(s->bytes, "\xef\xbb\xbf", 3) == 0)
        s->at = 3; /* a byte order mark, as Windows editors write it */
    return rc;
}

void source_close(struct source *s)
{
    free(s->bytes);
    free(s->pieces);
    memset(s, 0, sizeof(*s));
}

/* The next physical line, without its end; moves on behind it. */
static struct span take_line(struct source *s)
{
    uint8_t *p = s->bytes + s->at;
    size_t left = s->len - s->at;
    uint8_t *nl = memchr(p, '\n', left);
    size_t n = nl != NULL ? (size_t)(nl - p) : left;

    s->at += n + (nl != NULL);
    s->line++;
    return span_of(p, n);
}

static bool strip_continuation(struct span *line)
{
    uint32_t n = line->len;

    while (n > 0 && isspace(line->p[n - 1]))
        n--;
    if (n == 0 || line->p[n - 1] != '\\')
        return false;
    line->len = n - 1;
    return true;
}

static struct span next_word(struct span *rest)
{
    uint32_t n = 0;

    *rest = text_trim(*rest);
    while (n < rest->len && !isspace(rest->p[n]) && rest->p[n] != '(')
        n++;
    struct span word = span_sub(*rest, 0, n);
    *rest = span_sub(*rest, n, rest->len);
    return word;
}

/* Whether a line starts a rule: an action, and what may follow one. */
static bool starts_rule(struct span line)
{
    struct span rest = line, action = next_word(&rest), proto = next_word(&rest);
    struct service_word service;

    if (!names_is_action(action))
        return false;
    if (proto.len == 0)
        return text_trim(rest).len > 0; /* file_id ( */
    return names_proto(proto) != NULL || service_header_word(proto, DIALECT_SURICATA, &service) ||
           service_header_word(proto, DIALECT_SNORT3, &service);
}

/* What stands behind the '#' when that is a rule, not prose; empty otherwise. */
static struct span disabled_rule(const struct source *s, struct span line)
{
    struct span none = span_sub(line, 0, 0), rest = text_trim(line);

    while (rest.len > 0 && rest.p[0] == '#')
        rest = text_trim(span_sub(rest, 1, rest.len));
    if (!starts_rule(rest))
        return none;
    if (memchr(rest.p, '(', rest.len) == NULL && !strip_continuation(&line) && !s->open_ended)
        return none; /* prose that happens to start like a rule */
    return rest;
}

static int add_piece(struct source *s, uint32_t n, struct text_piece piece)
{
    if (n == s->cap_pieces) {
        size_t cap = s->cap_pieces == 0 ? 8 : s->cap_pieces * 2;
        struct text_piece *v = realloc(s->pieces, cap * sizeof(*v));

        if (v == NULL)
            return -ENOMEM;
        s->pieces = v;
        s->cap_pieces = cap;
    }
    s->pieces[n] = piece;
    return 0;
}

/* Snort 3: moves on to the next line that may belong to the rule in hand; false when there is none. */
static bool find_rest(struct source *s, bool disabled)
{
    size_t at = s->at;
    uint32_t line_no = s->line;

    while (s->at < s->len) {
        size_t line_at = s->at;
        uint32_t its_no = s->line;
        struct span line = text_trim(take_line(s));
        bool comment = line.len > 0 && line.p[0] == '#';

        while (disabled && line.len > 0 && line.p[0] == '#')
            line = text_trim(span_sub(line, 1, line.len));
        if (line.len == 0 || (comment && !disabled))
            continue;
        if (comment != disabled || starts_rule(line))
            break;
        s->at = line_at;
        s->line = its_no;
        return true;
    }
    s->at = at;
    s->line = line_no;
    return false;
}

static bool is_open(struct span joined)
{
    joined = text_trim(joined);
    return joined.len == 0 || joined.p[joined.len - 1] != ')';
}

/* Joins the line, which begins at line_no and `column`, with those that continue it. */
static int join_lines(struct source *s, struct rule_text *t, struct span line, uint32_t line_no,
                      uint32_t column)
{
    uint8_t *joined = (uint8_t *)line.p;
    bool open_ended = s->open_ended && starts_rule(line), backslash;
    uint32_t n = 0, n_pieces = 0;

    for (;;) {
        backslash = strip_continuation(&line);
        if (add_piece(s, n_pieces++, (struct text_piece){.off = n, .line = line_no, .column = column}) != 0)
            return -ENOMEM;
        memmove(joined + n, line.p, line.len);
        n += line.len;
        if (backslash ? s->at >= s->len
                      : !open_ended || !is_open(span_of(joined, n)) || !find_rest(s, t->disabled))
            break;
        if (!backslash)
            joined[n++] = ' '; /* where the line's end was */
        line_no = s->line;
        line = take_line(s);
        for (column = 1; t->disabled && line.len > 0 && line.p[0] == '#'; column++)
            line = span_sub(line, 1, line.len);
    }
    t->text = span_of(joined, n);
    t->file = s->file;
    t->pieces = s->pieces;
    t->n_pieces = n_pieces;
    return 1;
}

int source_next(struct source *s, struct rule_text *t)
{
    while (s->at < s->len) {
        uint32_t line_no = s->line;
        struct span line = take_line(s), rule = text_trim(line);
        int rc;

        if (rule.len == 0)
            continue;
        *t = (struct rule_text){.dialect = s->dialect, .disabled = rule.p[0] == '#'};
        if (t->disabled && (rule = disabled_rule(s, line)).len == 0)
            continue;
        s->n_disabled += t->disabled;
        rc = t->disabled ? join_lines(s, t, span_of(rule.p, (size_t)(line.p + line.len - rule.p)), line_no,
                                      (uint32_t)(rule.p - line.p) + 1)
                         : join_lines(s, t, line, line_no, 1);
        if (rc < 0 || !t->disabled || s->give_disabled)
            return rc;
    }
    return 0;
}

/* --- Snort 3's comments --------------------------------------------------------------------------------------- */

static bool line_starts(const struct source *s, size_t at, const char *word)
{
    size_t n = strlen(word);

    return s->len - at >= n && memcmp(s->bytes + at, word, n) == 0;
}

static size_t line_end(const struct source *s, size_t at)
{
    const uint8_t *nl = memchr(s->bytes + at, '\n', s->len - at);

    return nl != NULL ? (size_t)(nl - s->bytes) : s->len;
}

static void blank(struct source *s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (s->bytes[i] != '\n')
            s->bytes[i] = ' ';
}

const uint8_t *source_find_block(const struct source *s)
{
    for (size_t at = s->at; at < s->len; at = line_end(s, at) + 1)
        if (line_starts(s, at, "#begin"))
            return s->bytes + at;
    return NULL;
}

/* Blanks from #begin to the end of the line that starts with #end; the file's end when there is none. */
static size_t blank_block(struct source *s, size_t at)
{
    size_t to = at;

    while (to < s->len && !line_starts(s, to, "#end"))
        to = line_end(s, to) + 1;
    if (to >= s->len)
        return s->len;
    to = line_end(s, to);
    blank(s, at, to);
    return to;
}

/* A comment begins where a word could, not inside of an address that is not quoted. */
static bool opens_comment(const struct source *s, size_t at, size_t line_at)
{
    return s->len - at >= 2 && s->bytes[at] == '/' && s->bytes[at + 1] == '*' &&
           (at == line_at || isspace(s->bytes[at - 1]) || text_is_one_of(s->bytes[at - 1], "(:,;)"));
}

/* C comments of the line that begins at `at`; where the search goes on, or s->len when one does not end. */
static size_t blank_comments(struct source *s, size_t at, const uint8_t **unclosed)
{
    bool quoted = false;

    for (size_t i = at; i < s->len && s->bytes[i] != '\n'; i++) {
        const uint8_t *end;

        if (s->bytes[i] == '\\' && i + 1 < s->len && s->bytes[i + 1] != '\n') {
            i++;
        } else if (s->bytes[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && opens_comment(s, i, at)) {
            end = memmem(s->bytes + i + 2, s->len - i - 2, "*/", 2);
            if (end == NULL) {
                *unclosed = s->bytes + i;
                return s->len;
            }
            blank(s, i, (size_t)(end - s->bytes) + 2);
            i = (size_t)(end - s->bytes) + 1;
        }
    }
    return line_end(s, at);
}

const uint8_t *source_set_snort3(struct source *s)
{
    const uint8_t *unclosed = NULL;
    size_t at = s->at;

    s->open_ended = true;
    while (at < s->len && unclosed == NULL) {
        size_t first = at;

        while (first < s->len && (s->bytes[first] == ' ' || s->bytes[first] == '\t'))
            first++;
        if (line_starts(s, at, "#begin")) {
            size_t to = blank_block(s, at);

            if (to == s->len && line_starts(s, at, "#begin"))
                unclosed = s->bytes + at;
            at = to + 1;
        } else if (first < s->len && s->bytes[first] == '#') {
            at = line_end(s, at) + 1;
        } else {
            at = blank_comments(s, at, &unclosed) + 1;
        }
    }
    return unclosed;
}

void source_place(const struct source *s, const uint8_t *at, int *line, int *column)
{
    const uint8_t *from = s->bytes;

    *line = 1;
    for (const uint8_t *nl; (nl = memchr(from, '\n', (size_t)(at - from))) != NULL; from = nl + 1)
        ++*line;
    *column = (int)(at - from) + 1;
}

void text_place(const struct rule_text *t, const uint8_t *at, int *line, int *column)
{
    uint32_t off = at >= t->text.p && at <= t->text.p + t->text.len ? (uint32_t)(at - t->text.p) : 0;
    uint32_t i = t->n_pieces - 1;

    while (i > 0 && t->pieces[i].off > off)
        i--;
    *line = (int)t->pieces[i].line;
    *column = (int)(t->pieces[i].column + off - t->pieces[i].off);
}

struct span text_trim(struct span s)
{
    while (s.len > 0 && isspace(s.p[0])) {
        s.p++;
        s.len--;
    }
    while (s.len > 0 && isspace(s.p[s.len - 1]))
        s.len--;
    return s;
}

bool text_split(struct span *s, char c, struct span *head)
{
    const uint8_t *cut = s->len > 0 ? memchr(s->p, c, s->len) : NULL;

    if (cut == NULL) {
        *head = *s;
        *s = span_sub(*s, s->len, 0);
        return false;
    }
    *head = span_of(s->p, (size_t)(cut - s->p));
    *s = span_sub(*s, head->len + 1, s->len);
    return true;
}

bool text_eq_nocase(struct span s, const char *word)
{
    return strlen(word) == s.len && strncasecmp((const char *)s.p, word, s.len) == 0;
}

bool text_u64(struct span s, uint64_t max, uint64_t *v)
{
    uint64_t n = 0;

    if (s.len == 0 || s.len > 18) /* 18 digits cannot overflow */
        return false;
    for (uint32_t i = 0; i < s.len; i++) {
        if (!isdigit(s.p[i]))
            return false;
        n = n * 10 + (uint64_t)(s.p[i] - '0');
    }
    *v = n;
    return n <= max;
}

static const struct {
    char letter;
    uint32_t seconds;
} time_units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}; /* the longest first */

bool text_seconds(struct span s, uint32_t max, uint32_t *seconds)
{
    uint32_t each = 1; /* a number alone is seconds */
    uint64_t n;

    for (size_t i = 0; i < sizeof(time_units) / sizeof(time_units[0]) && s.len > 0; i++)
        if (s.p[s.len - 1] == (uint8_t)time_units[i].letter) {
            each = time_units[i].seconds;
            s = span_sub(s, 0, s.len - 1);
            break;
        }
    if (!text_u64(s, max / each, &n) || n == 0)
        return false;
    *seconds = (uint32_t)n * each;
    return true;
}

const char *text_seconds_format(uint32_t seconds, char buf[TEXT_SECONDS_MAX])
{
    size_t unit = 0;

    while (seconds % time_units[unit].seconds != 0)
        unit++;
    snprintf(buf, TEXT_SECONDS_MAX, "%u%c", seconds / time_units[unit].seconds, time_units[unit].letter);
    return buf;
}
