/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keywords about the digests of files: filemd5, filesha1, filesha256.
 *
 *     filemd5:[!]LIST;     a file of the rule file's folder, or a path
 *
 * A line of the list begins with a digest in hexadecimal; what stands behind a blank (md5sum's names of files) says
 * nothing, nor do empty lines and those that begin with '#'. The list becomes a sorted array in the arena, so a rule
 * keeps what its file said when rules were loaded. A digest is known when the file has ended where it should: of one
 * that was cut off, a negated list holds neither.
 *
 * Reading in control threads, matching in workers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/kw/places.h"
#include "rules/source.h"

#define PATH_BYTES 4096

struct hash_list { /* in the arena */
    uint32_t n;
    const uint8_t *v; /* n of them, ascending */
};

static const struct hash_kind {
    const char *name;
    uint16_t buffer;
    uint8_t bytes;
} kinds[] = {
    {"filemd5", BUF_FILE_MD5, 16}, {"filesha1", BUF_FILE_SHA1, 20}, {"filesha256", BUF_FILE_SHA256, 32}};

static const struct hash_kind *kind_of(const struct option *o)
{
    const struct hash_kind *k = kinds;

    while (strcmp(k->name, o->kw->name) != 0)
        k++;
    return k;
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hash(struct span line, uint32_t bytes, uint8_t *out)
{
    if (line.len < 2 * bytes ||
        (line.len > 2 * bytes && line.p[2 * bytes] != ' ' && line.p[2 * bytes] != '\t'))
        return false;
    for (uint32_t i = 0; i < bytes; i++) {
        int high = digit(line.p[2 * i]), low = digit(line.p[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static int compare16(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static int compare20(const void *a, const void *b)
{
    return memcmp(a, b, 20);
}

static int compare32(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static int (*compare_of(uint32_t bytes))(const void *, const void *)
{
    return bytes == 16 ? compare16 : bytes == 20 ? compare20 : compare32;
}

/* The text's digests. NULL: reported. */
static const struct hash_list *read_list(struct draft *d, const struct option *o, struct span text,
                                         const char *path)
{
    uint32_t bytes = kind_of(o)->bytes, line_number = 0, most = text.len / (2 * bytes) + 1;
    struct hash_list *l = arena_alloc(d->b->arena, sizeof(*l));
    uint8_t *v = arena_alloc(d->b->arena, (size_t)most * bytes);
    struct span line;
    bool more = true;

    if (l == NULL || v == NULL) {
        draft_no_memory(d);
        return NULL;
    }
    l->n = 0;
    l->v = v;
    while (more) {
        more = text_split(&text, '\n', &line);
        line = text_trim(line);
        line_number++;
        if (line.len == 0 || line.p[0] == '#')
            continue;
        if (!read_hash(line, bytes, v + (size_t)l->n * bytes)) {
            draft_fail(d, o->value.p, "correct the line, or put '#' before it",
                       "%s: line %u of %s does not begin with %u hexadecimal digits", o->kw->name,
                       line_number, path, 2 * bytes);
            return NULL;
        }
        l->n++;
    }
    qsort(v, l->n, bytes, compare_of(bytes));
    return l;
}

static const struct hash_list *load(struct draft *d, const struct option *o, struct span name)
{
    const char *file = d->text->file, *slash = strrchr(file, '/');
    const struct hash_list *l = NULL;
    char path[PATH_BYTES];
    struct source s;
    struct err e = {.code = 0};
    int folder = slash != NULL && name.p[0] != '/' ? (int)(slash - file + 1) : 0;

    if (snprintf(path, sizeof(path), "%.*s%.*s", folder, file, TEXT_ARG(name)) >= PATH_BYTES) {
        draft_fail(d, name.p, "use a shorter path", "%s: the path is too long", o->kw->name);
        return NULL;
    }
    if (source_open(&s, path, &e) != 0) {
        draft_fail(d, name.p, e.remedy[0] != '\0' ? e.remedy : "check the file", "%s: %s", o->kw->name,
                   e.text);
        return NULL;
    }
    l = read_list(d, o, span_of(s.bytes, s.len), path);
    source_close(&s);
    return l;
}

static bool parse_hashes(struct draft *d, const struct option *o)
{
    struct span v = text_trim(o->value);
    struct draft_step *s;
    bool negated = v.len > 0 && v.p[0] == '!';

    if (negated)
        v = text_trim(span_sub(v, 1, v.len));
    if (v.len >= 2 && v.p[0] == '"' && v.p[v.len - 1] == '"')
        v = span_sub(v, 1, v.len - 2);
    if (v.len == 0)
        return draft_fail(d, o->value.p, o->kw->usage, "%s: no list is named", o->kw->name);
    s = draft_step_add(d, o->kw, o->name.p);
    if (s == NULL)
        return false;
    buffers_look(d, s, (enum buffer_id)kind_of(o)->buffer);
    s->step.flow = STEP_AT;
    s->fresh = true;
    d->buffer_fresh = true; /* what follows in a sticky buffer begins anew */
    s->step.negated = negated;
    s->step.len = kind_of(o)->bytes;
    s->step.data = load(d, o, v);
    return s->step.data != NULL;
}

static bool match_hashes(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    const struct hash_list *l = s->data;

    if (b.len != s->len)
        return false;
    return (bsearch(b.p, l->v, l->n, s->len, compare_of(s->len)) != NULL) != s->negated;
}

#define ROW(word)                                                                   \
    const struct keyword kw_##word = {.name = #word,                                \
                                      .usage = "write " #word ":LIST; with a file", \
                                      .value = VALUE_RAW,                           \
                                      .dialects = IN_SURICATA,                      \
                                      .parse = parse_hashes,                        \
                                      .match = match_hashes}

ROW(filemd5);
ROW(filesha1);
ROW(filesha256);
