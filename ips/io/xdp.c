/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel side of a bridge: the steering program of bpf/, loaded through its libbpf skeleton, its maps
 * filled, and attached to both interfaces by BPF links.
 *
 * Owns the program, the maps and the links: all three live as long as struct xdp (nothing is pinned), and an
 * interface never keeps a program whose owner is gone. Runs in the control thread only; no worker comes here.
 *
 * Promises: xdp_attach() leaves both interfaces attached or neither. An error says which of the usual reasons
 * it was (no privilege, a kernel without BPF or AF_XDP, a driver without native XDP, somebody else's program
 * on the interface, an MTU that does not fit a buffer) and what to do about that one. What libbpf and the
 * verifier say goes to the log at level debug.
 *
 * The block lists, which use the same maps, are in xdp_block.c.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bpf/steer.skel.h"
#include "ips/base/log.h"
#include "ips/io/xdp_parts.h"

const char *const steer_counter_names[STEER_CTR_N] = {
#define X(id, name, help) [id] = name,
    STEER_COUNTER_TABLE(X)
#undef X
};

/* --- what an interface refuses, and why --- */

/* The id of the BPF link that holds a program on the interface; 0 when it was put there without one. */
static uint32_t link_on(uint32_t ifindex)
{
    uint32_t id = 0, found = 0;

    while (!found && bpf_link_get_next_id(id, &id) == 0) {
        struct bpf_link_info info = {0};
        uint32_t size = sizeof(info);
        int fd = bpf_link_get_fd_by_id(id);

        if (fd < 0)
            continue;
        if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.type == BPF_LINK_TYPE_XDP &&
            info.xdp.ifindex == ifindex)
            found = id;
        close(fd);
    }
    return found;
}

/* Somebody else's program is on the interface: say whose, and the command that takes it off. */
static int occupied(int code, const char *ifname, uint32_t ifindex, struct err *e)
{
    LIBBPF_OPTS(bpf_xdp_query_opts, query);
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof(info), prog = 0, link;
    bool generic = false;

    if (bpf_xdp_query((int)ifindex, 0, &query) == 0) {
        generic = query.skb_prog_id != 0 && query.drv_prog_id == 0;
        prog = query.drv_prog_id   ? query.drv_prog_id
               : query.skb_prog_id ? query.skb_prog_id
                                   : query.hw_prog_id;
    }
    int fd = prog ? bpf_prog_get_fd_by_id(prog) : -1;
    if (fd >= 0) {
        if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0)
            info.name[0] = '\0';
        close(fd);
    }
    err_set(e, code, "%s already has an XDP program, id %u \"%s\"", ifname, prog, info.name);
    link = link_on(ifindex);
    if (link)
        err_remedy(e, "stop the program that attached it (another ipsd?), or run `bpftool link detach id %u`",
                   link);
    else
        err_remedy(e, "stop the program that attached it, or run `ip link set dev %s %s off`", ifname,
                   generic ? "xdpgeneric" : "xdp");
    return code;
}

/* Why a driver refuses native XDP. The kernel's own words (extack) do not come through the bpf() call. */
static const struct refusal {
    int code;
    const char *why, *remedy; /* %s: the interface */
} refusals[] = {
    {-EOPNOTSUPP, "the driver of %s has no native XDP, or not with its present settings",
     "set `bridges[].mode: generic` for this bridge (slower), or use a NIC whose driver has XDP; see "
     "`ethtool -i %s`"},
    {-ERANGE, "the MTU of %s or of its veth peer is too big for native XDP",
     "run `ip link set dev %s mtu 1500`, on the other end of a veth as well"},
    {-EINVAL,
     "the driver of %s refused native XDP: as a rule the MTU is too big for one buffer, or LRO is on",
     "run `ip link set dev %s mtu 1500`, look at the kernel's log (dmesg), or set `bridges[].mode: generic`"},
    {-ENOSPC, "%s has fewer receive queues than its veth peer has transmit queues",
     "give %s more queues (bridges[].queues), or the peer fewer (`ethtool -L PEER tx 1`)"},
    {-ENOMEM, "the driver of %s has no memory or no spare queues for native XDP",
     "free memory, use fewer queues (bridges[].queues), or set `bridges[].mode: generic` for %s"},
    {-ENODEV, "%s is gone", "check that %s exists: `ip link`"},
    {-EPERM, "no permission to attach the steering program to %s",
     "run ipsd as root, or with CAP_NET_ADMIN and CAP_BPF"},
};

static int attach_failed(int code, const char *ifname, uint32_t ifindex, struct err *e)
{
    char name[IF_NAMESIZE];

    if (code == -EINVAL && !if_indextoname(ifindex, name))
        code = -ENODEV; /* the kernel's word for an index that is not there is EINVAL */
    if (code == -EBUSY || code == -EEXIST)
        return occupied(code, ifname, ifindex, e);
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        char text[256];

        if (refusals[i].code != code)
            continue;
        snprintf(text, sizeof(text), refusals[i].why, ifname);
        err_sys(e, code, "%s", text);
        snprintf(text, sizeof(text), refusals[i].remedy, ifname);
        err_remedy(e, "%s", text);
        return code;
    }
    return err_sys(e, code, "cannot attach the steering program to %s", ifname);
}

/* --- opening: what the kernel must have, load, fill --- */

static int libbpf_says(enum libbpf_print_level level, const char *fmt, va_list ap)
{
    char *text, *line, *rest;

    if (vasprintf(&text, fmt, ap) < 0)
        return 0;
    for (rest = text; (line = strsep(&rest, "\n"));) /* the verifier's log comes as one text of many lines */
        if (*line)
            log_debug("io", "%s", line);
    free(text);
    return 0;
}

/* An XSKMAP on a kernel without AF_XDP fails with a bare EINVAL; the socket family says it plainly. */
static int require_af_xdp(struct err *e)
{
    int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), code = -errno;

    if (fd >= 0) {
        close(fd);
        return 0;
    }
    if (code == -EAFNOSUPPORT) {
        err_set(e, code, "this kernel has no AF_XDP sockets");
        err_remedy(e, "run a kernel built with CONFIG_XDP_SOCKETS=y, such as Debian's, 6.1 or later");
        return code;
    }
    err_sys(e, code, "cannot open an AF_XDP socket");
    if (code == -EPERM)
        err_remedy(e, "run ipsd as root, or with CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF");
    return code;
}

static int load_failed(int code, struct err *e)
{
    switch (code) {
    case -EPERM:
        err_sys(e, code, "cannot load the steering program");
        err_remedy(e, "run ipsd as root, or with CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF");
        break;
    case -ENOSYS:
        err_set(e, code, "this kernel has no bpf() system call");
        err_remedy(e, "run a kernel built with CONFIG_BPF_SYSCALL=y, such as Debian's, 6.1 or later");
        break;
    case -ENOMEM:
        err_sys(e, code, "cannot load the steering program");
        err_remedy(e, "free some memory, or raise the memory limit of the service");
        break;
    default:
        err_sys(e, code, "the kernel refused the steering program");
        err_remedy(e, "it needs Linux 6.1 or later; `log.level: debug` shows the verifier's words");
    }
    return code;
}

static void find_maps(struct xdp *x)
{
    const struct steer_bpf *s = x->skel;

    x->map.config = bpf_map__fd(s->maps.steer_config);
    x->map.xsks = bpf_map__fd(s->maps.xsks);
    x->map.counters = bpf_map__fd(s->maps.steer_counters);
    x->map.parse = bpf_map__fd(s->maps.steer_parse);
    x->map.block[0][0] = bpf_map__fd(s->maps.block_src_v4);
    x->map.block[0][1] = bpf_map__fd(s->maps.block_src_v6);
    x->map.block[1][0] = bpf_map__fd(s->maps.block_dst_v4);
    x->map.block[1][1] = bpf_map__fd(s->maps.block_dst_v6);
}

int xdp_push_config(struct xdp *x, struct err *e)
{
    uint32_t zero = 0;

    if (bpf_map_update_elem(x->map.config, &zero, &x->config, BPF_ANY) == 0)
        return 0;
    return err_sys(e, -errno, "cannot write the steering program's configuration");
}

static int fill_maps(struct xdp *x, struct err *e)
{
    int code = xdp_push_config(x, e), peer = bpf_map__fd(x->skel->maps.peer);

    for (uint32_t port = 0; port < STEER_PORTS && code == 0; port++)
        if (bpf_map_update_elem(peer, &port, &x->ifindex[port], BPF_ANY) != 0)
            code = attach_failed(-errno, x->ifname[port], x->ifindex[port], e);
    return code;
}

struct xdp *xdp_open(const struct xdp_config *cfg, struct err *e)
{
    struct xdp *x;
    int code;

    libbpf_set_print(libbpf_says);
    if (require_af_xdp(e) != 0)
        return NULL;
    x = calloc(1, sizeof(*x));
    if (!x) {
        err_sys(e, -ENOMEM, "cannot set up the steering program");
        return NULL;
    }
    x->mode = cfg->mode;
    x->config.abi = STEER_ABI;
    x->config.fail_policy = cfg->fail_policy;
    for (int port = 0; port < STEER_PORTS; port++) {
        x->link_fd[port] = -1;
        x->ifindex[port] = x->config.ifindex[port] = cfg->ifindex[port];
        snprintf(x->ifname[port], sizeof(x->ifname[port]), "%s", cfg->ifname[port]);
    }
    x->skel = steer_bpf__open();
    code = x->skel ? steer_bpf__load(x->skel) : -errno;
    if (code != 0) {
        load_failed(code, e);
        goto fail;
    }
    find_maps(x);
    if (fill_maps(x, e) != 0)
        goto fail;
    return x;

fail:
    xdp_close(x);
    return NULL;
}

void xdp_close(struct xdp *x)
{
    if (!x)
        return;
    for (int port = 0; port < STEER_PORTS; port++)
        if (x->link_fd[port] >= 0)
            close(x->link_fd[port]);
    steer_bpf__destroy(x->skel);
    free(x);
}

/* --- attaching --- */

int xdp_attach(struct xdp *x, struct err *e)
{
    LIBBPF_OPTS(bpf_link_create_opts, opts);
    int prog = bpf_program__fd(x->skel->progs.steer), code = 0;

    opts.flags = x->mode == XDP_MODE_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
    for (int port = 0; port < STEER_PORTS && code == 0; port++) {
        x->link_fd[port] = bpf_link_create(prog, (int)x->ifindex[port], BPF_XDP, &opts);
        if (x->link_fd[port] < 0) {
            code = attach_failed(x->link_fd[port], x->ifname[port], x->ifindex[port], e);
            x->link_fd[port] = -1;
        }
    }
    for (int port = 0; port < STEER_PORTS && code != 0; port++) {
        if (x->link_fd[port] >= 0)
            close(x->link_fd[port]);
        x->link_fd[port] = -1;
    }
    return code;
}

/* --- sockets and counters --- */

int xdp_set_socket(struct xdp *x, uint32_t port, uint32_t queue, int fd, struct err *e)
{
    uint32_t slot = STEER_XSK_SLOT(port, queue);

    if (port >= STEER_PORTS || queue >= STEER_QUEUES_MAX) {
        err_set(e, -ERANGE, "the steering program has no slot for port %u queue %u", port, queue);
        err_remedy(e, "use at most %d queues (bridges[].queues)", STEER_QUEUES_MAX);
        return -ERANGE;
    }
    if (bpf_map_update_elem(x->map.xsks, &slot, &fd, BPF_ANY) == 0)
        return 0;
    return err_sys(e, -errno, "cannot steer queue %u of %s to its socket", queue, x->ifname[port]);
}

int xdp_clear_socket(struct xdp *x, uint32_t port, uint32_t queue)
{
    uint32_t slot = STEER_XSK_SLOT(port, queue);

    if (port >= STEER_PORTS || queue >= STEER_QUEUES_MAX)
        return -ERANGE;
    return bpf_map_delete_elem(x->map.xsks, &slot) == 0 ? 0 : -errno;
}

/* out[key] = sum over the CPUs of map[key], for keys 0 to n-1. */
static int sum_counters(int map, uint64_t *out, uint32_t n)
{
    int n_cpus = libbpf_num_possible_cpus(), code = 0;

    if (n_cpus < 0)
        return n_cpus;
    uint64_t *per_cpu = calloc((size_t)n_cpus, sizeof(*per_cpu));
    if (!per_cpu)
        return -ENOMEM;
    for (uint32_t key = 0; key < n && code == 0; key++) {
        if (bpf_map_lookup_elem(map, &key, per_cpu) != 0) {
            code = -errno;
            break;
        }
        out[key] = 0;
        for (int cpu = 0; cpu < n_cpus; cpu++)
            out[key] += per_cpu[cpu];
    }
    free(per_cpu);
    return code;
}

int xdp_counters(struct xdp *x, struct xdp_counters *out)
{
    int code = sum_counters(x->map.counters, &out->exits[0][0], STEER_PORTS * STEER_CTR_N);

    return code ? code : sum_counters(x->map.parse, &out->parse[0][0], STEER_PORTS * STEER_PARSE_N);
}
