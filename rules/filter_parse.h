/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_FILTER_PARSE_H
#define SLUICE_RULES_FILTER_PARSE_H
/*
 * Private to rules/. The text of thresholds: "type limit, track by_src, count 1, seconds 60", the same in a rule's
 * threshold and detection_filter and in the lines of threshold.config.
 */
#include "ips/base/span.h"
#include "rules/filter.h"

enum filter_form { FORM_THRESHOLD, FORM_DETECTION, FORM_EVENT, FORM_RATE, FORM_SUPPRESS };

struct filter_text {
    struct rule_filter filter;
    uint32_t gid, sid; /* FORM_EVENT, FORM_RATE, FORM_SUPPRESS; 0: every one */
    struct span ip;    /* FORM_SUPPRESS: the address list; len 0 when there is none */
};

struct filter_error {
    const uint8_t *at; /* in the text */
    char what[200];
    const char *remedy;
};

bool filter_parse(enum filter_form form, struct span text, struct filter_text *out, struct filter_error *e);
#endif
