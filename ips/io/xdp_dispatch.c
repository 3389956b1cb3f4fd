/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bridge whose interface has libxdp's dispatcher already: the steering program goes behind it (dispatch.c) in place of
 * having the interface to itself.
 *
 * The program is another copy of the same object, made to be called by a dispatcher, on the same maps; it is pinned as
 * "behind0" or "behind1" beside the maps, so that the next daemon finds it again. libxdp wants more privilege than a
 * running daemon keeps, so it is attached when the bridge is opened, before privileges are dropped: from then on frames
 * follow the fail policy until the workers run. And a running daemon cannot take it off: it leaves it, frames follow the fail
 * policy, and `ipsctl link detach` takes it off. A daemon started without that privilege takes over what is there, if it
 * is of its own build. Control thread.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "bpf/steer.skel.h"
#include "ips/base/log.h"
#include "ips/io/dispatch.h"
#include "ips/io/xdp_parts.h"

static const char *const behind_names[STEER_PORTS] = {"behind0", "behind1"};

static int attach_behind(struct xdp *x, int port, struct err *e)
{
    struct steer_bpf *copy = steer_bpf__open();
    struct err local = {.code = 0};
    int prog;

    e = e ? e : &local;
    if (!copy || xdp_pin_share_maps(x, copy) != 0) {
        err_sys(e, -errno, "cannot make a copy of the steering program for %s", x->ifname[port]);
        steer_bpf__destroy(copy);
        return -EIO;
    }
    prog = dispatch_attach(copy->obj, x->ifindex[port], x->mode == XDP_MODE_GENERIC, e);
    if (prog >= 0) {
        xdp_pin_drop(x, behind_names[port]);
        x->link_fd[port] = dispatch_find(x->ifindex[port], prog);
        if (x->link_fd[port] < 0 || xdp_pin_one(x, behind_names[port], prog) != 0) {
            err_sys(e, -errno, "cannot keep the steering program behind the dispatcher of %s",
                    x->ifname[port]);
            (void)dispatch_detach(prog, x->ifindex[port], x->mode == XDP_MODE_GENERIC);
        }
        close(prog);
    }
    steer_bpf__destroy(copy);
    if (e->code != 0)
        return e->code;
    x->dispatched[port] = true;
    log_notice("io",
               "bridge %s: %s has other XDP programs; the steering program is one of them, and the fail "
               "policy holds "
               "from here on",
               x->bridge, x->ifname[port]);
    return 0;
}

bool xdp_dispatch_find(struct xdp *x, int port)
{
    int prog = xdp_pin_get_one(x, behind_names[port]);

    if (prog < 0)
        return false;
    int link = dispatch_find(x->ifindex[port], prog);
    close(prog);
    if (link < 0)
        return false;
    x->link_fd[port] = link;
    return x->dispatched[port] = true;
}

/* Another build's, or on maps that are no longer: ours first, then that one goes, so that there is always one. */
static int renew(struct xdp *x, int port, struct err *e)
{
    int old = xdp_pin_get_one(x, behind_names[port]), code;

    close(x->link_fd[port]);
    x->link_fd[port] = -1;
    x->dispatched[port] = false;
    code = attach_behind(x, port, e);
    if (code == 0 && (code = dispatch_detach(old, x->ifindex[port], x->mode == XDP_MODE_GENERIC)) != 0)
        err_sys(e, code, "cannot take the earlier steering program off %s", x->ifname[port]);
    if (old >= 0)
        close(old);
    return code;
}

bool xdp_dispatch_same(const struct xdp *x, int port)
{
    int prog = xdp_pin_get_one(x, behind_names[port]);
    bool same = prog >= 0 && xdp_pin_same_build(x, prog, NULL);

    if (prog >= 0)
        close(prog);
    return same;
}

static int open_port(struct xdp *x, int port, struct err *e)
{
    bool there = xdp_dispatch_find(x, port);

    if (there && xdp_dispatch_same(x, port)) {
        x->link_taken[port] = true;
        return 0;
    }
    if (!dispatch_may()) {
        err_set(e, -EPERM, "%s has a dispatcher of XDP programs, and ipsd may not add to it",
                x->ifname[port]);
        err_remedy(e, "run `ipsctl link attach %s %s %s` as root before, or start ipsd with CAP_SYS_ADMIN",
                   x->bridge, x->ifname[0], x->ifname[1]);
        return -EPERM;
    }
    return there ? renew(x, port, e) : attach_behind(x, port, e);
}

int xdp_dispatch_open(struct xdp *x, struct err *e)
{
    int code = 0;

    for (int port = 0; port < STEER_PORTS && code == 0 && x->dir_fd >= 0; port++)
        if (x->link_fd[port] < 0 && dispatch_on(x->ifindex[port]))
            code = open_port(x, port, e);
    return code;
}

bool xdp_dispatch_holds(const struct xdp *x)
{
    return (x->dispatched[0] || x->dispatched[1]) && !dispatch_may();
}

void xdp_dispatch_drop(struct xdp *x, int port)
{
    int prog = xdp_pin_get_one(x, behind_names[port]), code = prog < 0 ? -ENOENT : 0;

    if (code == 0 && dispatch_on(x->ifindex[port]))
        code = dispatch_detach(prog, x->ifindex[port], x->mode == XDP_MODE_GENERIC);
    if (prog >= 0)
        close(prog);
    if (code != 0)
        log_warning("io",
                    "cannot take the steering program off the dispatcher of %s: %s; see `xdp-loader status`",
                    x->ifname[port], strerror(-code));
    xdp_pin_drop(x, behind_names[port]);
    x->dispatched[port] = false;
}
