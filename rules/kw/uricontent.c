/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uricontent:"x"; is content:"x"; http_uri; in one word, from the time before there were other buffers. Snort 3 has it
 * no more. Control thread.
 */
#include "rules/buffers.h"
#include "rules/dialect.h"
#include "rules/keywords.h"

static bool parse_uricontent(struct draft *d, const struct option *o)
{
    struct option content = *o;

    content.kw = &kw_content;
    return kw_content.parse(d, &content) && buffers_move_step(d, d->last_content, o->name.p, BUF_HTTP_URI);
}

const struct keyword kw_uricontent = {
    .name = "uricontent",
    .usage = "write uricontent:\"text\"; or content:\"text\"; http_uri;",
    .value = VALUE_QUOTED,
    .flags = KEYWORD_NEGATED,
    .dialects = IN_SURICATA | IN_SNORT2,
    .parse = parse_uricontent,
};
