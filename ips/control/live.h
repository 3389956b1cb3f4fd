/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CONTROL_LIVE_H
#define SLUICE_CONTROL_LIVE_H
/*
 * What of the configuration stands in the kernel's maps, and can therefore change while frames cross: the fail policy,
 * heartbeats, steering lines, the guard's settings and its lists. Made whole from a configuration (files of prefixes are
 * read), then applied; an object that could not be made has changed nothing.
 *
 * live_new() in any control thread; live_apply() in the one that owns the bridges' struct xdp.
 */
#include "ips/control/config.h"
#include "ips/io/xdp.h"

struct live {
    unsigned n_bridges;
    struct live_bridge {
        enum steer_fail_policy fail;
        uint64_t heartbeat_ns;
        bool use_flows;
        struct xdp_line lines[STEER_LINES_MAX];
        uint32_t n_lines;
    } bridges[BRIDGES_MAX];
    struct xdp_guard guard;
    struct prefix_list lists[2]; /* by enum xdp_list: guard.block, guard.allow */
};

/* NULL: errs says why, with key, or file and line. */
struct live *live_new(const struct config *c, struct err_list *errs);
void live_free(struct live *l);
/* The steering lines and rates alone, without reading a file: for config_check(). */
int live_check(const struct config *c, struct err *e);
/*
 * Puts l in force on the bridges, in the configuration's order, in place of `before`; NULL: of nothing, and then what is
 * on the lists already stays. When it cannot, what `before` said is put back as far as can be, and e says why.
 */
int live_apply(struct live *l, struct live *before, struct xdp *const *x, struct err *e);
#endif
