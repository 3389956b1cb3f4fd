/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_EXPLAIN_WORDS_H
#define SLUICE_RULES_EXPLAIN_WORDS_H
/* Private to rules/. Parts of a rule in plain words, in an arena. All return NULL when memory is out. */
#include "rules/builder.h"

const char *explain_say(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Text of a file with what a terminal should not get replaced. */
const char *explain_text(struct arena *a, struct span text);
/* Bytes as content has them: "GET |0d 0a|". */
const char *explain_literal(struct arena *a, struct span bytes);
/* The name of a buffer, and the transforms on it. */
const char *explain_buffer(struct arena *a, const struct builder *b, uint16_t slot);
/* A step or an effect. first: the first in its buffer. text: of the rule, where the step's option stands. */
const char *explain_step(struct arena *a, const struct draft *d, const struct draft_step *s, bool first,
                         struct span text);
const char *explain_filter(struct arena *a, const struct rule_filter *f);
/* What leads to the rule: its fast pattern, or what there is instead. */
const char *explain_fast(struct arena *a, const struct draft *d, const struct fast_pattern *f);
/* What of a packet the rule looks at, and how far its verdict reaches. */
const char *explain_inspects(const struct draft *d);
const char *explain_verdict(const struct rule *r);
#endif
