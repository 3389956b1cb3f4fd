/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of the daemons on a bridge's maps, in the map steer_life: who serves it, how many did, and which of them did not
 * end in good order. A death is noticed by the next one that starts. One that takes over at an upgrade begins its life where
 * the other's ends, and nobody has died. Control thread.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/io/xdp_parts.h"

int xdp_life_write(struct xdp *x, uint32_t pid, struct err *e)
{
    uint32_t zero = 0;

    x->life.pid = pid;
    if (bpf_map_update_elem(x->map.life, &zero, &x->life, BPF_ANY) == 0)
        return 0;
    return err_sys(e, -errno, "cannot write down who serves bridge %s", x->bridge);
}

/* The last one did not end in good order. It is counted when that is found out, so at most once. */
static void count_crash(struct xdp *x)
{
    struct steer_life *l = &x->life;

    l->crashes++;
    l->crash_ns[l->crashes % XDP_CRASHES_MAX] = clock_mono_ns();
    x->crashed = true;
    log_warning("io",
                "bridge %s: the last ipsd (pid %u) did not end in good order; meanwhile the fail policy held",
                x->bridge, l->pid);
}

/* A daemon that cannot live on this traffic or configuration must not be started for ever: between two deaths frames would
 * be inspected now, and not then. Nothing was changed yet: the wire follows the fail policy, and goes on doing so. */
static int check_crashes(struct xdp *x, uint32_t limit, struct err *e)
{
    const uint64_t now = clock_mono_ns(), window = XDP_CRASH_WINDOW_S * NS_PER_S;
    uint32_t n = 0;

    for (uint64_t i = 0; i < XDP_CRASHES_MAX && i < x->life.crashes; i++)
        n += now - x->life.crash_ns[(x->life.crashes - i) % XDP_CRASHES_MAX] < window;
    if (limit == 0 || n < limit)
        return 0;
    (void)xdp_life_write(x, 0, NULL);
    err_set(e, -ELOOP,
            "bridge %s: ipsd crashed %u times within %d s and is not started again; frames follow the fail "
            "policy",
            x->bridge, n, XDP_CRASH_WINDOW_S);
    err_remedy(
        e, "look at the log and `ipsctl link status`; then `ipsctl link reset`, or start ipsd with --force");
    return -ELOOP;
}

/* The life of the daemons on these maps goes on with this one. */
int xdp_life_begin(struct xdp *x, const struct xdp_config *cfg, bool handed_over, struct err *e)
{
    struct steer_life *l = &x->life;
    uint32_t zero = 0;

    if (x->maps_taken && bpf_map_lookup_elem(x->map.life, &zero, l) != 0)
        return err_sys(e, -errno, "cannot read who served bridge %s", x->bridge);
    if (l->pid != 0 && !handed_over)
        count_crash(x);
    if (!handed_over && check_crashes(x, cfg->crash_limit, e) != 0)
        return -ELOOP;
    l->abi = STEER_ABI;
    snprintf(l->name, sizeof(l->name), "%s", x->bridge);
    snprintf(l->version, sizeof(l->version), "%s", SLUICE_VERSION);
    for (int port = 0; port < STEER_PORTS; port++)
        snprintf(l->ifname[port], sizeof(l->ifname[port]), "%s", x->ifname[port]);
    if (cfg->no_daemon)
        return xdp_life_write(x, 0, e);
    l->started_ns = clock_mono_ns();
    l->starts++;
    return xdp_life_write(x, (uint32_t)getpid(), e);
}

bool xdp_life(const struct xdp *x, struct steer_life *out)
{
    *out = x->life;
    return x->crashed;
}
