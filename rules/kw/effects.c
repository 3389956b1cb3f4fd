/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keywords that say what a match does beyond the rule's action: bypass, target, replace.
 *
 *     bypass;                    the flow is no longer inspected: it passes from here on
 *     target:src_ip|dest_ip;     which end is attacked, for the event
 *     replace:"text";            behind a content: in-line, its match becomes this text of the same length
 *
 * replace changes the packet's payload, so the content must look there. Control thread.
 */
#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/kw/content.h"
#include "rules/source.h"

static bool parse_bypass(struct draft *d, const struct option *o)
{
    d->rule.flags |= RULE_BYPASS;
    return true;
}

static bool parse_target(struct draft *d, const struct option *o)
{
    if (text_eq_nocase(o->value, "src_ip"))
        d->info.target = TARGET_SRC;
    else if (text_eq_nocase(o->value, "dest_ip"))
        d->info.target = TARGET_DST;
    else
        return draft_fail(d, o->value.p, o->kw->usage, "target: '%.*s' is no end of a packet",
                          TEXT_ARG(o->value));
    return true;
}

static bool parse_replace(struct draft *d, const struct option *o)
{
    struct draft_step *s = d->last_content;
    uint8_t *bytes;
    uint32_t n = 0;

    if (s == NULL)
        return draft_fail(d, o->name.p, "write it behind a content", "replace has no content before it");
    if (s->literal.p == NULL) /* refused already */
        return false;
    if (s->has & LITERAL_REPLACE)
        return draft_fail(d, o->name.p, "keep one of them", "replace stands twice behind one content");
    if (s->step.negated)
        return draft_fail(d, o->name.p, "remove the '!' of the content",
                          "replace behind a negated content: there is nothing to write over");
    if (s->step.buffer != BUF_PAYLOAD)
        return draft_fail(d, o->name.p, "remove the buffer's name before the content",
                          "replace changes the packet, and the content looks into another buffer");
    /* the text behind the pattern's own bytes, so that one pointer leads to both */
    bytes = arena_alloc(d->b->arena, (size_t)s->literal.len + o->value.len + 1);
    if (bytes == NULL)
        return draft_no_memory(d);
    memcpy(bytes, s->literal.p, s->literal.len);
    if (!content_parse_bytes(d, o->value, bytes + s->literal.len, &n))
        return false;
    if (n != s->literal.len)
        return draft_fail(d, o->value.p, "make them equally long: a packet's length cannot change",
                          "replace has %u bytes, and its content %u", n, s->literal.len);
    s->literal.p = bytes;
    s->step.data = bytes;
    s->has |= LITERAL_REPLACE;
    for (uint32_t i = n = 0; i < d->n_steps; i++)
        n += (d->steps[i].has & LITERAL_REPLACE) != 0;
    if (n > REPLACED_MAX)
        return draft_fail(d, o->name.p, "split the rule", "more than %d contents with replace", REPLACED_MAX);
    d->rule.flags |= RULE_REPLACES;
    return true;
}

#define ROW(word, how, val, flag, in)  \
    const struct keyword kw_##word = { \
        .name = #word, .usage = how, .value = val, .flags = flag, .dialects = in, .parse = parse_##word}

ROW(bypass, "write bypass;", VALUE_NONE, KEYWORD_ONCE, IN_SURICATA);
ROW(target, "write target:src_ip; or target:dest_ip;", VALUE_PLAIN, KEYWORD_ONCE, IN_SURICATA);
ROW(replace, "write replace:\"text\"; as long as the content before it", VALUE_QUOTED, 0, 0);
