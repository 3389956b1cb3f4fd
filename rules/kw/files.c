/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keywords about the files that messages carry: name, extension, type, size.
 *
 *     filename:[!]"part";  fileext:[!]"pdf";  filemagic:[!]"PDF document";     without regard to case
 *     filesize:[to_client,|to_server,] COND;                                   COND: N, <N, >N, a<>b as in number.h
 *
 * A file without a name meets none of the conditions on it, also not a negated one. The size is known when the file has
 * ended where it should; that it is more than N, as soon as more has come. Parsing in the control thread, matching in workers.
 */
#include <ctype.h>
#include <strings.h>

#include "rules/buffers.h"
#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/number.h"
#include "rules/source.h"

struct part { /* in the arena */
    uint32_t len;
    uint8_t lower[];
};

/* A step in a buffer that no rule need name. NULL: reported. */
static struct draft_step *step_in(struct draft *d, const struct option *o, enum buffer_id b)
{
    struct draft_step *s = draft_step_add(d, o->kw, o->name.p);

    if (s == NULL)
        return NULL;
    s->step.flow = STEP_AT;
    s->fresh = true;
    s->step.buffer = (uint16_t)b;
    d->info.apps |= buffer_table[b].apps;
    d->buffer_fresh = true;
    if (!(buffer_table[b].flags & BUFFER_LIVE))
        draft_dormant(d, o->kw->name);
    return s;
}

static bool parse_part(struct draft *d, const struct option *o, enum buffer_id b)
{
    struct draft_step *s = step_in(d, o, b);
    struct span v = text_trim(o->value);
    struct part *part;

    if (s == NULL)
        return false;
    if (v.len > 0 && v.p[0] == '!') {
        s->step.negated = true;
        v = text_trim(span_sub(v, 1, v.len));
    }
    if (v.len >= 2 && v.p[0] == '"' && v.p[v.len - 1] == '"')
        v = span_sub(v, 1, v.len - 2);
    if (v.len == 0)
        return draft_fail(d, o->value.p, o->kw->usage, "%s: nothing to look for", o->kw->name);
    part = arena_alloc(d->b->arena, sizeof(*part) + v.len);
    if (part == NULL)
        return draft_no_memory(d);
    part->len = v.len;
    for (uint32_t i = 0; i < v.len; i++)
        part->lower[i] = (uint8_t)tolower(v.p[i]);
    s->step.data = part;
    return true;
}

static bool same_at(struct span b, uint32_t at, const struct part *part)
{
    return strncasecmp((const char *)b.p + at, (const char *)part->lower, part->len) == 0;
}

static bool match_part(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    const struct part *part = s->data;
    bool found = false;

    if (b.len == 0)
        return false;
    for (uint32_t at = 0; !found && at + part->len <= b.len; at++)
        found = same_at(b, at, part);
    return found != s->negated;
}

static bool match_ext(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    const struct part *part = s->data;
    bool found =
        b.len > part->len && b.p[b.len - part->len - 1] == '.' && same_at(b, b.len - part->len, part);

    return b.len > 0 && found != s->negated;
}

static bool parse_name(struct draft *d, const struct option *o)
{
    return parse_part(d, o, BUF_FILE_NAME);
}

static bool parse_magic(struct draft *d, const struct option *o)
{
    return parse_part(d, o, BUF_FILE_MAGIC);
}

static bool parse_size(struct draft *d, const struct option *o)
{
    struct option condition = *o;
    struct draft_step *s = step_in(d, o, BUF_FILE_SIZE);
    struct number_cond c;
    struct span rest = o->value, word;

    if (s == NULL)
        return false;
    if (memchr(o->value.p, ',', o->value.len) != NULL) {
        text_split(&rest, ',', &word);
        word = text_trim(word);
        if (!span_eq_str(word, "to_client") && !span_eq_str(word, "to_server"))
            return draft_fail(d, word.p, o->kw->usage, "filesize: '%.*s' is no direction", TEXT_ARG(word));
        condition.value = text_trim(rest);
    }
    if (!number_parse(d, &condition, UINT32_MAX, &c))
        return false;
    s->step.a = (int32_t)c.lo;
    s->step.b = (int32_t)c.hi;
    s->step.negated = c.negated;
    if (c.hi == UINT32_MAX && !c.negated)
        s->step.buffer = BUF_FILE_GROWN;
    return true;
}

static bool match_size(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    uint64_t v;

    if (b.len != sizeof(v))
        return false;
    memcpy(&v, b.p, sizeof(v));
    return number_match(s, v < UINT32_MAX ? (uint32_t)v : UINT32_MAX);
}

const struct keyword kw_filename = {
    .name = "filename",
    .usage = "write filename:\"part of a name\";",
    .value = VALUE_RAW,
    .dialects = IN_SURICATA,
    .parse = parse_name,
    .match = match_part,
};

const struct keyword kw_fileext = {
    .name = "fileext",
    .usage = "write fileext:\"pdf\";",
    .value = VALUE_RAW,
    .dialects = IN_SURICATA,
    .parse = parse_name,
    .match = match_ext,
};

const struct keyword kw_filemagic = {
    .name = "filemagic",
    .usage = "write filemagic:\"part of what file(1) says\";",
    .value = VALUE_RAW,
    .dialects = IN_SURICATA,
    .parse = parse_magic,
    .match = match_part,
};

const struct keyword kw_filesize = {
    .name = "filesize",
    .usage = "write filesize:>100; bytes, with <, >, <> as in dsize",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .parse = parse_size,
    .match = match_size,
};
