/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One interface of an attached bridge goes, and another one takes its place; or somebody takes the program off.
 *
 * When an interface is removed the kernel detaches the program by itself and forgets the interface in the map by which
 * frames are forwarded. When it is moved to another namespace it forgets it there, too, but the program goes along: it
 * is taken off here. That map is therefore how one tells an interface that was away for a moment, whose sockets are dead,
 * from one that was not. Owns nothing; whoever may change the bridge, one at a time.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include "ips/io/xdp_parts.h"

bool xdp_port_attached(struct xdp *x, uint32_t port)
{
    struct bpf_link_info info = {0};
    uint32_t size = sizeof(info);

    if (x->link_fd[port] < 0 || bpf_obj_get_info_by_fd(x->link_fd[port], &info, &size) != 0)
        return false;
    return info.type != BPF_LINK_TYPE_XDP ||
           info.xdp.ifindex == x->ifindex[port]; /* else: behind a dispatcher */
}

bool xdp_port_known(struct xdp *x, uint32_t port)
{
    uint32_t ifindex;

    return bpf_map_lookup_elem(x->map.peer, &port, &ifindex) == 0 && ifindex == x->ifindex[port];
}

void xdp_detach_port(struct xdp *x, uint32_t port)
{
    xdp_pin_unlink(x, (int)port);
}

int xdp_replace_port(struct xdp *x, uint32_t port, const char *ifname, uint32_t ifindex, struct err *e)
{
    struct steer_config to = x->config;

    snprintf(x->ifname[port], sizeof(x->ifname[port]), "%s", ifname);
    if (x->ifindex[port] == ifindex && xdp_port_known(x, port))
        return 0;
    xdp_detach_port(x, port);
    x->ifindex[port] = to.ifindex[port] = ifindex;
    if (bpf_map_update_elem(x->map.peer, &port, &ifindex, BPF_ANY) != 0)
        return err_sys(e, -errno, "cannot forward frames to %s", ifname);
    return xdp_push_config(x, &to, e);
}
