/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CONTROL_POLICY_YAML_H
#define SLUICE_CONTROL_POLICY_YAML_H
/*
 * policy.yaml(5), and a whole policy from the files that the configuration or a command line names.
 */
#include "rules/policy.h"

struct policy_files { /* NULL or "": none */
    const char *policy, *disable_conf, *enable_conf, *drop_conf, *modify_conf;
};

/* Adds the lines of a policy.yaml. Every mistake goes to errs, with line, column and remedy. 0, or negative. */
int policy_yaml_read(struct policy *p, const char *path, struct err_list *errs);

/* *out is NULL when no file is named. Negative, with *out NULL, when any of them has a mistake. */
int policy_load(const struct policy_files *files, struct policy **out, struct err_list *errs);
#endif
