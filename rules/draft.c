/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What keyword parsers call: report an error at a place in the rule, add a step, keep a string.
 *
 * A rule may be refused for several reasons and all of them are reported in one pass, so an error marks the draft
 * as failed and parsing goes on. Out of memory is different: it ends the build, through builder.no_memory.
 * Strings and literals go into the ruleset's arena at once; those of a rule that is refused stay there unused,
 * which a ruleset of mostly good rules can afford. Control thread.
 */
#include "rules/draft.h"

#include <errno.h>
#include <stdarg.h>

#include "rules/builder.h"
#include "rules/keywords.h"
#include "rules/source.h"

bool draft_fail(struct draft *d, const uint8_t *at, const char *remedy, const char *fmt, ...)
{
    struct err e;
    int line, column;
    char what[sizeof(e.text)];
    va_list ap;

    d->failed = true;
    if (++d->n_errors > DRAFT_ERRORS_MAX)
        return false;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    if (d->n_errors == DRAFT_ERRORS_MAX) {
        snprintf(what, sizeof(what), "more than %d errors in one rule", DRAFT_ERRORS_MAX - 1);
        remedy = "correct those before; the others are not told";
    }
    for (char *c = what; *c != '\0'; c++) /* a rule file may hold anything; a terminal should not get it */
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    text_place(d->text, at, &line, &column);
    err_set(&e, -EINVAL, "%s", what);
    err_remedy(&e, "%s", remedy);
    err_at(&e, d->text->file, line, column);
    builder_error(d->b, &e);
    return false;
}

bool draft_no_memory(struct draft *d)
{
    d->b->no_memory = true;
    d->failed = true;
    return false;
}

void draft_buffer_set(struct draft *d, uint16_t base)
{
    d->buffer = (struct buffer_ref){.base = base};
    d->buffer_fresh = true;
    d->last_content = NULL; /* a modifier behind a sticky buffer belongs to nothing */
}

bool draft_buffer_slot(struct draft *d, const uint8_t *at, uint16_t *slot)
{
    struct builder *b = d->b;
    uint32_t i = 0;

    *slot = d->buffer.base;
    if (d->buffer.n == 0)
        return true;
    while (i < b->n_transformed && !buffer_ref_eq(&b->transformed[i], &d->buffer))
        i++;
    if (i == TRANSFORMED_MAX)
        return draft_fail(d, at, "use the same transforms in the same order where that means the same",
                          "more than %d different buffers with transforms in one ruleset", TRANSFORMED_MAX);
    if (i == b->n_transformed)
        b->transformed[b->n_transformed++] = d->buffer;
    *slot = (uint16_t)(BUF_N + i);
    return true;
}

struct draft_step *draft_step_add(struct draft *d, const struct keyword *kw, const uint8_t *at)
{
    struct draft_step *s;
    uint16_t slot;

    if (d->n_steps == STEPS_MAX) {
        draft_fail(d, at, "split the rule", "more than %d options that test or search", STEPS_MAX);
        return NULL;
    }
    if (!draft_buffer_slot(d, at, &slot))
        return NULL;
    s = &d->steps[d->n_steps++];
    memset(s, 0, sizeof(*s));
    s->kw = kw;
    s->at = at;
    s->step.match = kw->match;
    s->step.flow = STEP_TEST;
    s->step.buffer = slot;
    return s;
}

void draft_dormant(struct draft *d, const char *word)
{
    d->rule.flags |= RULE_DORMANT;
    if (d->info.dormant == NULL) /* one reason is enough to say */
        d->info.dormant = word;
}

struct draft_step *draft_post_add(struct draft *d, const struct keyword *kw, const uint8_t *at)
{
    struct draft_step *s;

    if (d->n_posts == POSTS_MAX) {
        draft_fail(d, at, "split the rule", "more than %d options that set something", POSTS_MAX);
        return NULL;
    }
    s = &d->posts[d->n_posts++];
    memset(s, 0, sizeof(*s));
    s->kw = kw;
    s->at = at;
    return s;
}

bool draft_filter_add(struct draft *d, const struct rule_filter *f, const uint8_t *at)
{
    if (d->n_filters == DRAFT_FILTERS_MAX)
        return draft_fail(d, at, "remove some", "more than %d thresholds and tags in a rule",
                          DRAFT_FILTERS_MAX);
    d->filters[d->n_filters++] = *f;
    return true;
}

const char *draft_string(struct draft *d, struct span text)
{
    const char *s = arena_strndup(d->b->arena, (const char *)text.p, text.len);

    if (s == NULL)
        draft_no_memory(d);
    return s;
}

const char *draft_unescape(struct draft *d, struct span text)
{
    char *s = arena_alloc(d->b->arena, (size_t)text.len + 1);
    uint32_t n = 0;

    if (s == NULL) {
        draft_no_memory(d);
        return NULL;
    }
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.p[i] == '\\' && i + 1 < text.len && text_is_one_of(text.p[i + 1], ";\"\\:"))
            i++;
        s[n++] = (char)text.p[i];
    }
    return s;
}
