/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy over rules, all of it from an attacker.
 *
 * The input is rule text, a NUL, a policy.yaml, a NUL, a modify.conf, a NUL, a disable.conf. Besides memory errors
 * this checks three promises: a policy that is refused says where and what to do, every line of one that is taken adds
 * up, and no rule with noalert that was alert is drop or reject afterwards.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ips/control/policy_yaml.h"
#include "rules/explain.h"
#include "rules/ruleset.h"

enum { RULES, POLICY, MODIFY, DISABLE, N_FILES };

static int fds[N_FILES] = {-1, -1, -1, -1};
static char paths[N_FILES][64];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_file(int i, const uint8_t *text, size_t len)
{
    if (fds[i] < 0) {
        fds[i] = memfd_create("policy", 0);
        if (fds[i] < 0)
            abort();
        snprintf(paths[i], sizeof(paths[i]), "/proc/self/fd/%d", fds[i]);
    }
    if (ftruncate(fds[i], 0) != 0 || pwrite(fds[i], text, len, 0) != (ssize_t)len)
        abort();
}

static void check_lines(const struct ruleset *rs)
{
    const struct policy_report *r;
    uint32_t n;

    r = ruleset_policy(rs, &n);
    for (uint32_t i = 0; i < n; i++)
        if (r[i].n_decided > r[i].n_matched || r[i].n_off > r[i].n_matched || r[i].n_kept > r[i].n_matched ||
            r[i].file[0] == '\0' || r[i].line == 0)
            abort();
}

/* What is drop or reject with noalert was so before the policy. */
static void check_noalert(const struct ruleset *rs, const struct ruleset *before)
{
    for (uint32_t i = 0; i < ruleset_n_rules(rs); i++) {
        const struct rule *r = ruleset_rule(rs, i);
        bool was = false;

        if (!(r->flags & RULE_NOALERT) || (r->action != ACTION_DROP && r->action != ACTION_REJECT))
            continue;
        for (uint32_t k = 0; k < ruleset_n_rules(before); k++)
            was |= ruleset_info(before, k)->line == ruleset_info(rs, i)->line &&
                   (ruleset_rule(before, k)->action == ACTION_DROP ||
                    ruleset_rule(before, k)->action == ACTION_REJECT);
        if (!was && ruleset_info(rs, i)->policy != NULL)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *files[] = {paths[RULES]};
    struct ruleset_source src = {.files = files, .n_files = 1, .n_workers = 1, .dialect = DIALECT_AUTO};
    const struct policy_files policy = {
        .policy = paths[POLICY], .modify_conf = paths[MODIFY], .disable_conf = paths[DISABLE]};
    struct err_list errs;

    for (int i = 0; i < N_FILES; i++) {
        const uint8_t *nul = size > 0 && i < N_FILES - 1 ? memchr(data, 0, size) : NULL;
        size_t len = nul != NULL ? (size_t)(nul - data) : size;

        write_file(i, data, len);
        data += nul != NULL ? len + 1 : len;
        size -= nul != NULL ? len + 1 : len;
    }
    err_list_init(&errs);
    if (policy_load(&policy, &src.policy, &errs) == 0) {
        struct ruleset_source plain = src;
        struct explanation x;
        struct ruleset *rs = ruleset_build(&src, &errs), *before;
        struct err e = {.code = 0};

        plain.policy = NULL;
        before = ruleset_build(&plain, &errs);
        if (rs == NULL || before == NULL)
            abort();
        check_lines(rs);
        check_noalert(rs, before);
        if (explain_rule(&src, -1, 1, &x, &e) != 0)
            abort();
        explain_fini(&x);
        ruleset_free(rs);
        ruleset_free(before);
    } else {
        for (size_t i = 0; i < errs.n; i++)
            if (errs.v[i].text[0] == '\0' || errs.v[i].remedy[0] == '\0' || errs.v[i].line == 0)
                abort();
        if (errs.n == 0 || src.policy != NULL)
            abort();
    }
    policy_free(src.policy);
    err_list_fini(&errs);
    return 0;
}
