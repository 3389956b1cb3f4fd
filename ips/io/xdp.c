/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel side of a bridge: the steering program of bpf/, loaded through its libbpf skeleton, its maps
 * filled, and attached to both interfaces by BPF links.
 *
 * Owns the program, the maps and the links. Pinned (xdp_pin.c) they outlive the daemon: whatever its death, the program
 * goes on and applies the fail policy, and the next daemon takes all of it over. Not pinned, all three live as long as
 * struct xdp. Runs in the control thread only; no worker comes here.
 *
 * Promises: xdp_attach() leaves both interfaces attached, or those it attached itself detached. A start that fails leaves
 * what an earlier daemon left. An error says which of the usual reasons
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
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
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

static int size_maps(struct xdp *x, const struct xdp_config *cfg)
{
    const uint32_t n = cfg->flow_buckets ? cfg->flow_buckets : 1;
    int code = bpf_map__set_max_entries(x->skel->maps.steer_flows, n);

    x->memory.flow_buckets = x->config.flow_buckets = n;
    if (code == 0 && cfg->rates)
        code = bpf_map__set_max_entries(x->skel->maps.steer_rates, cfg->rates);
    return code ? code : bpf_map__set_max_entries(x->skel->maps.steer_keys, n * STEER_WAYS);
}

static void find_maps(struct xdp *x)
{
#define X(member, name) x->map.member = bpf_object__find_map_fd_by_name(x->skel->obj, name);
    XDP_MAP_TABLE(X)
#undef X
}

static void *map_memory(int map, size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

    return p == MAP_FAILED ? NULL : p;
}

#define BEAT_BYTES (STEER_QUEUES_MAX * sizeof(struct steer_beat))

static int map_memories(struct xdp *x, struct err *e)
{
    const size_t n = x->memory.flow_buckets;

    x->memory.beats = map_memory(x->map.beats, BEAT_BYTES);
    x->memory.flows = map_memory(x->map.flows, n * sizeof(struct steer_bucket));
    x->memory.keys = map_memory(x->map.keys, n * STEER_WAYS * sizeof(struct steer_key_info));
    if (x->memory.beats && x->memory.flows && x->memory.keys)
        return 0;
    err_sys(e, -errno, "cannot map the verdict cache of %zu flows into memory", n * STEER_WAYS);
    return err_remedy(e, "lower bridges[].flow_cache_size"), -ENOMEM;
}

static void unmap_memories(struct xdp *x)
{
    const size_t n = x->memory.flow_buckets;

    if (x->memory.beats)
        munmap(x->memory.beats, BEAT_BYTES);
    if (x->memory.flows)
        munmap(x->memory.flows, n * sizeof(struct steer_bucket));
    if (x->memory.keys)
        munmap(x->memory.keys, n * STEER_WAYS * sizeof(struct steer_key_info));
}

int xdp_push_config(struct xdp *x, const struct steer_config *to, struct err *e)
{
    uint32_t zero = 0;

    if (bpf_map_update_elem(x->map.config, &zero, to, BPF_ANY) != 0)
        return err_sys(e, -errno, "cannot write the steering program's configuration");
    x->config = *to;
    return 0;
}

/* New maps get a secret of their own; of those taken over, what lives as long as they do is kept. */
static int fill_config(struct xdp *x, const struct xdp_config *cfg, struct err *e)
{
    struct steer_config to = x->config;
    uint32_t zero = 0;

    if (x->maps_taken && bpf_map_lookup_elem(x->map.config, &zero, &to) != 0)
        return err_sys(e, -errno, "cannot read the steering program's configuration");
    if (!x->maps_taken && getrandom(to.key, sizeof(to.key), 0) != sizeof(to.key))
        return err_sys(e, -errno, "cannot draw the verdict cache's secret");
    to.abi = STEER_ABI;
    to.fail_policy = cfg->fail_policy;
    to.heartbeat_ns = cfg->heartbeat_ns;
    to.flow_buckets = x->config.flow_buckets;
    for (int port = 0; port < STEER_PORTS; port++)
        to.ifindex[port] = x->ifindex[port];
    memcpy(x->memory.secret, to.key, sizeof(x->memory.secret));
    return xdp_push_config(x, &to, e);
}

/* Another daemon still serves the bridge: look, and touch nothing. */
static int read_config(struct xdp *x, struct err *e)
{
    uint32_t zero = 0;

    if (bpf_map_lookup_elem(x->map.config, &zero, &x->config) != 0)
        return err_sys(e, -errno, "cannot read the steering program's configuration");
    memcpy(x->memory.secret, x->config.key, sizeof(x->memory.secret));
    return 0;
}

static int fill_maps(struct xdp *x, const struct xdp_config *cfg, struct err *e)
{
    int code = fill_config(x, cfg, e);

    for (uint32_t port = 0; port < STEER_PORTS && code == 0; port++)
        if (bpf_map_update_elem(x->map.peer, &port, &x->ifindex[port], BPF_ANY) != 0)
            code = attach_failed(-errno, x->ifname[port], x->ifindex[port], e);
    return code;
}

static struct xdp *new_xdp(const struct xdp_config *cfg, struct err *e)
{
    struct xdp *x = calloc(1, sizeof(*x));

    if (!x) {
        err_sys(e, -ENOMEM, "cannot set up the steering program");
        return NULL;
    }
    x->mode = cfg->mode;
    x->dir_fd = -1;
    snprintf(x->bridge, sizeof(x->bridge), "%s", cfg->bridge ? cfg->bridge : "");
    for (int port = 0; port < STEER_PORTS; port++) {
        x->link_fd[port] = -1;
        x->ifindex[port] = cfg->ifindex[port];
        snprintf(x->ifname[port], sizeof(x->ifname[port]), "%s", cfg->ifname[port]);
    }
    return x;
}

struct xdp *xdp_open(const struct xdp_config *cfg, struct err *e)
{
    struct xdp *x;
    int code;

    libbpf_set_print(libbpf_says);
    if (require_af_xdp(e) != 0)
        return NULL;
    x = new_xdp(cfg, e);
    if (!x)
        return NULL;
    x->skel = steer_bpf__open();
    code = x->skel ? size_maps(x, cfg) : -errno;
    if (code == 0 && cfg->pin_dir && xdp_pin_open(x, cfg, e) != 0)
        goto fail;
    if (code == 0)
        code = steer_bpf__load(x->skel);
    if (code != 0) {
        load_failed(code, e);
        goto fail;
    }
    find_maps(x);
    if (map_memories(x, e) != 0)
        goto fail;
    if (cfg->pins_fd) {
        if (read_config(x, e) != 0)
            goto fail;
        return x;
    }
    if (xdp_life_begin(x, cfg, false, e) != 0 || fill_maps(x, cfg, e) != 0 ||
        (cfg->pin_dir && xdp_pin_maps(x, e) != 0) || xdp_dispatch_open(x, e) != 0)
        goto fail;
    if (x->maps_taken)
        log_notice("io", "bridge %s: took over what was pinned%s, start %llu", x->bridge,
                   xdp_taken(x) ? ", attached all the while" : "", (unsigned long long)x->life.starts);
    return x;

fail:
    xdp_close(x);
    return NULL;
}

int xdp_succeed(struct xdp *x, const struct xdp_config *cfg, struct err *e)
{
    if (fill_maps(x, cfg, e) != 0 || xdp_life_begin(x, cfg, true, e) != 0)
        return e->code;
    x->leave_pinned = false;
    return 0;
}

int xdp_pins_fd(const struct xdp *x)
{
    return x->dir_fd;
}

bool xdp_taken(const struct xdp *x)
{
    return x->link_taken[0] && x->link_taken[1];
}

bool xdp_pinned(const struct xdp *x)
{
    return x->dir_fd >= 0;
}

bool xdp_attached(const struct xdp *x)
{
    return xdp_pin_link_ifindex(x, 0) != 0 || xdp_pin_link_ifindex(x, 1) != 0;
}

bool xdp_stays(const struct xdp *x)
{
    return x->leave_pinned || x->link_taken[0] || x->link_taken[1] || xdp_dispatch_holds(x);
}

int xdp_leave(struct xdp *x)
{
    if (x->dir_fd < 0)
        return -EINVAL;
    x->leave_pinned = true;
    return 0;
}

void xdp_detach(struct xdp *x)
{
    if (xdp_dispatch_holds(x)) {
        log_warning(
            "io",
            "bridge %s: a running daemon may not take the program off a dispatcher; frames follow the fail "
            "policy until `ipsctl link detach %s`",
            x->bridge, x->bridge);
        x->leave_pinned = true;
        return;
    }
    x->leave_pinned = false;
    xdp_pin_remove(x);
}

void xdp_close(struct xdp *x)
{
    if (!x)
        return;
    if (x->life.pid != 0 && x->dir_fd >= 0)
        (void)xdp_life_write(x, 0,
                             NULL); /* else this end counts as a crash, which is said at the next start */
    if (!xdp_stays(x))
        xdp_detach(x);
    for (int port = 0; port < STEER_PORTS; port++)
        if (x->link_fd[port] >= 0)
            close(x->link_fd[port]);
    unmap_memories(x);
    steer_bpf__destroy(x->skel);
    xdp_pin_close(x);
    free(x);
}

/* --- attaching --- */

static int attach_port(struct xdp *x, int port, struct err *e)
{
    LIBBPF_OPTS(bpf_link_create_opts, opts);
    int code;

    opts.flags = x->mode == XDP_MODE_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;

    if (x->dispatched[port]) {
        if (x->link_taken[port] && !xdp_dispatch_same(x, port))
            log_notice("io", "bridge %s: behind the dispatcher of %s the earlier build's program stays",
                       x->bridge, x->ifname[port]);
        return 0;
    }
    if (x->link_taken[port]) {
        code = xdp_pin_update_link(x, port);
        return code == 0 ? 0 : err_sys(e, code, "cannot replace the program on %s", x->ifname[port]);
    }
    if (x->link_fd[port] >= 0)
        return 0;
    code = bpf_link_create(bpf_program__fd(x->skel->progs.steer), (int)x->ifindex[port], BPF_XDP, &opts);
    if (code < 0)
        return attach_failed(code, x->ifname[port], x->ifindex[port], e);
    x->link_fd[port] = code;
    x->program_new = true;
    return xdp_pin_link(x, port, e);
}

int xdp_attach(struct xdp *x, struct err *e)
{
    bool stays[STEER_PORTS];
    int code = 0;

    for (int port = 0; port < STEER_PORTS; port++)
        stays[port] = x->link_fd[port] >= 0;
    for (int port = 0; port < STEER_PORTS && code == 0; port++)
        code = attach_port(x, port, e);
    if (code == 0)
        code = xdp_pin_program(x, e);
    for (int port = 0; port < STEER_PORTS && code != 0; port++)
        if (x->link_fd[port] >= 0 && !stays[port])
            xdp_pin_unlink(x, port);
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

void xdp_memory(const struct xdp *x, struct xdp_memory *out)
{
    *out = x->memory;
}

int xdp_set_fail_policy(struct xdp *x, enum steer_fail_policy policy, struct err *e)
{
    struct steer_config to = x->config;

    to.fail_policy = policy;
    return xdp_push_config(x, &to, e);
}

int xdp_set_heartbeat(struct xdp *x, uint64_t heartbeat_ns, struct err *e)
{
    struct steer_config to = x->config;

    to.heartbeat_ns = heartbeat_ns;
    return xdp_push_config(x, &to, e);
}

int xdp_set_flags(struct xdp *x, uint32_t mask, uint32_t on, struct err *e)
{
    struct steer_config to = x->config;

    to.flags = (to.flags & ~mask) | (on & mask);
    return to.flags == x->config.flags ? 0 : xdp_push_config(x, &to, e);
}

int xdp_was_read(struct xdp *x, uint32_t port, struct steer_was *out)
{
    return bpf_map_lookup_elem(x->map.was, &port, out) == 0 ? 0 : -errno;
}

int xdp_was_write(struct xdp *x, uint32_t port, const struct steer_was *was)
{
    return bpf_map_update_elem(x->map.was, &port, was, BPF_ANY) == 0 ? 0 : -errno;
}
