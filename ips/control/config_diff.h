/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CONTROL_CONFIG_DIFF_H
#define SLUICE_CONTROL_CONFIG_DIFF_H
/*
 * What a configuration read again would change in the one that runs, key by key, and taking it over. Control threads.
 */
#include "ips/control/config.h"

enum config_how {                 /* a key changes: */
                  CONFIG_RESTART, /* with the next start */
                  CONFIG_LIVE,    /* while frames cross */
                  CONFIG_RULES,   /* likewise, with the rules loaded anew in the same step */
};

struct config_change {
    char key[128];
    char *was, *is; /* as text; heap */
    enum config_how how;
};

struct config_changes {
    struct config_change *v; /* heap */
    size_t n, cap;
    size_t n_of[3]; /* by enum config_how */
};

/* -ENOMEM when it cannot. */
int config_diff(const struct config *running, const struct config *fresh, struct config_changes *out,
                struct err *e);
void config_changes_fini(struct config_changes *c);
const char *config_how_name(enum config_how how);

/*
 * The live values of fresh go into running, and running's into fresh, which is then to be freed. Whoever runs beside the
 * caller must not look at live values: those are for the server's thread, and for the loader's while it has a job.
 * Values that are not live stay where they are, so that threads may keep pointers to them.
 */
void config_adopt(struct config *running, struct config *fresh);
#endif
