/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_RULES_LANGUAGE_H
#define SLUICE_TESTS_RULES_LANGUAGE_H
/* What the tests of the rule language share: rules read in a dialect, and errors expected by their text. */
#include "harness.h"

static inline struct loaded load_as(const char *text, enum rule_dialect dialect)
{
    return load_source(text, strlen(text), (struct ruleset_source){.dialect = (uint8_t)dialect});
}

/* n rules, and not an error. */
static inline struct loaded load_as_ok(const char *text, enum rule_dialect dialect, uint32_t n)
{
    struct loaded l = load_as(text, dialect);

    err_list_print(&l.errs, stderr);
    assert_int_equal(l.errs.n, 0);
    assert_non_null(l.rs);
    assert_int_equal(ruleset_n_rules(l.rs), n);
    return l;
}

static inline void accepted(const char *text, enum rule_dialect dialect, uint32_t n)
{
    struct loaded l = load_as_ok(text, dialect, n);

    unload(&l);
}

static inline void refused_at(const char *text, enum rule_dialect dialect, int line, int column,
                              const char *part)
{
    struct loaded l = load_as(text, dialect);
    char shown[1100];

    if (l.errs.n == 0)
        fail_msg("accepted: %s", text);
    err_format(&l.errs.v[0], shown, sizeof(shown));
    if (strstr(l.errs.v[0].text, part) == NULL || (line != 0 && l.errs.v[0].line != line) ||
        (column != 0 && l.errs.v[0].column != column) || l.errs.v[0].remedy[0] == '\0')
        fail_msg("%s\nwas refused with\n%s\nnot at %d:%d with \"%s\"", text, shown, line, column, part);
    unload(&l);
}

/* One rule of these options. */
static inline struct loaded load_options_as(const char *proto, const char *options, enum rule_dialect dialect)
{
    char rule[4096];

    snprintf(rule, sizeof(rule), "alert %s any any -> any any (%s sid:1;)\n", proto, options);
    return load_as(rule, dialect);
}

static inline void options_accepted(const char *options, enum rule_dialect dialect)
{
    struct loaded l = load_options_as("tcp", options, dialect);

    err_list_print(&l.errs, stderr);
    if (l.errs.n > 0)
        fail_msg("refused: %s", options);
    unload(&l);
}

/* Why rule 1 sleeps; "" when it does not. */
static inline void assert_dormant(const char *proto, const char *options, enum rule_dialect dialect,
                                  const char *word)
{
    struct loaded l = load_options_as(proto, options, dialect);
    const struct rule_info *info;

    err_list_print(&l.errs, stderr);
    assert_int_equal(l.errs.n, 0);
    info = ruleset_info(l.rs, 0);
    if (strcmp(info->dormant != NULL ? info->dormant : "", word) != 0)
        fail_msg("%s (%s) waits for \"%s\", not \"%s\"", proto, options, info->dormant, word);
    assert_int_equal((ruleset_rule(l.rs, 0)->flags & RULE_DORMANT) != 0, word[0] != '\0');
    assert_int_equal(ruleset_stats(l.rs)->n_dormant, word[0] != '\0');
    unload(&l);
}
#endif
