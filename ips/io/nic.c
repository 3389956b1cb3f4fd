/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network interface made ready for the bridge, and made again what it was.
 *
 * The set-up is a table of steps at the foot of this file, done from the top and undone from the bottom:
 * queues, symmetric RSS, offloads, promiscuous mode, up. A step reads the present state, remembers what it
 * changes in struct nic and does nothing where nothing is to be changed; putting back touches only what was
 * changed. The same way back serves nic_restore() and a nic_open() that fails half-way.
 *
 * The next process may have to go that way: nic_was.c packs what was changed, and a nic_open() that is given it takes it
 * for its own.
 *
 * Owns struct nic with two netlink sockets, which stay open so that the way back needs no new resource. Runs
 * in the control thread. Promises that a failed nic_open() leaves the interface as it was, as far as the
 * driver lets it, and that what could not be put back is logged with the command that does it.
 *
 * Order matters twice. Queues come before RSS, whose table must not name a queue that is off. Promiscuous
 * mode and up come last, so that no frame of the set-up's uncertain time comes in.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include "ips/base/log.h"
#include "ips/io/nic.h"
#include "ips/io/nic_parts.h"
#include "ips/io/packet.h"

/* What the kernel keeps free in front of each frame in a chunk (XDP_PACKET_HEADROOM). */
#define HEADROOM_BYTES 256
#define LINK_BYTES     (14 + VLAN_MAX * 4) /* Ethernet and three tags come on top of the MTU */
#define MTU_MAX        (FRAME_BYTES - HEADROOM_BYTES - LINK_BYTES)

/* --- queues --- */

static int too_many_queues(const struct nic *n, uint32_t want, uint32_t max, struct err *e)
{
    err_set(e, -EINVAL, "%s cannot have %u queues, its driver %s has at most %u", n->ifname, want,
            n->info.driver, max);
    err_remedy(e, "set `bridges[].queues: %u`", max);
    return -EINVAL;
}

static uint32_t at_most(uint32_t v, uint32_t max)
{
    return max != 0 && v > max ? max : v;
}

static int set_channels(struct nic *n, const struct nic_config *cfg, struct err *e)
{
    struct channels now, want;
    uint32_t max, queues;
    int code = channels_read(&n->ethtool, n->info.ifindex, &now);

    if (code == -EOPNOTSUPP) { /* the driver's queues are what they are */
        n->info.n_queues = n->was.n_rx_queues;
        if (cfg->n_queues != 0 && cfg->n_queues != n->was.n_rx_queues)
            return too_many_queues(n, cfg->n_queues, n->was.n_rx_queues, e);
        return 0;
    }
    if (code != 0)
        return nl_err(&n->ethtool, e, code, "read the number of queues of", n->ifname);
    max = now.combined_max > now.rx_max ? now.combined_max : now.rx_max;
    queues = at_most(cfg->n_queues ? cfg->n_queues : now.rx + now.combined, cfg->max_queues);
    if (queues > max)
        return too_many_queues(n, queues, max, e);
    n->info.n_queues = queues;
    if (now.rx + now.combined == queues && now.tx + now.combined >= queues)
        return 0;
    want = channels_for(&now, queues);
    code = channels_set(&n->ethtool, n->info.ifindex, &now, &want);
    if (code != 0) {
        nl_err(&n->ethtool, e, code, "set the number of queues of", n->ifname);
        if (code != -EPERM)
            err_remedy(e, "try `ethtool -L %s %s %u`, or set `bridges[].queues: %u`", n->ifname,
                       want.combined ? "combined" : "rx", queues, now.rx + now.combined);
        return code;
    }
    if (!n->channels_changed)
        n->channels_was = now;
    n->channels_changed = true;
    return 0;
}

static int put_back_channels(struct nic *n)
{
    struct channels now;
    int code;

    if (!n->channels_changed)
        return 0;
    code = channels_read(&n->ethtool, n->info.ifindex, &now);
    return code ? code : channels_set(&n->ethtool, n->info.ifindex, &now, &n->channels_was);
}

/* --- RSS --- */

/* A step of its own in front of the queues: on the way back the old table can only be laid when the old
 * queues, which it may name, are there again. */
static int remember_rss(struct nic *n, const struct nic_config *cfg, struct err *e)
{
    if (n->rss_changed) /* by an earlier process, which remembered */
        return 0;
    n->rss_was = rss_read(&n->dev);
    rss_fields_read(&n->dev, n->fields_was);
    return 0;
}

static int put_back_rss_table(struct nic *n)
{
    return n->rss_changed ? rss_put_back_table(&n->dev, n->rss_was) : 0;
}

static int put_back_rss(struct nic *n)
{
    return n->rss_changed ? rss_put_back(&n->dev, n->rss_was, n->fields_was) : 0;
}

static int set_rss(struct nic *n, const struct nic_config *cfg, struct err *e)
{
    if (n->info.n_queues == 1) {
        n->info.symmetric_rss = true;
        return 0;
    }
    n->info.symmetric_rss = n->rss_was && rss_set_symmetric(&n->dev, n->info.n_queues, n->info.driver,
                                                            &n->info.rss_id, &n->rss_changed);
    if (n->info.symmetric_rss)
        return 0;
    log_info(
        "io",
        "%s (%s) cannot hash both directions of a flow, and its fragments, to one queue: frames go to their "
        "worker over rings",
        n->ifname, n->info.driver);
    (void)put_back_rss(n); /* half of it is worse than the driver's own; what fails is said on the way back */
    return 0;
}

/* --- offloads --- */

static void list_offloads(char *buf, size_t size, const bool mask[OFFLOAD_N])
{
    size_t len = 0;

    buf[0] = '\0';
    for (int i = 0; i < OFFLOAD_N && len < size; i++)
        if (mask[i])
            len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? " " : "", offload_names[i]);
}

static int set_offloads(struct nic *n, const struct nic_config *cfg, struct err *e)
{
    bool on[OFFLOAD_N], still[OFFLOAD_N], any = false, any_still = false;
    char names[256];
    int code;

    if (cfg->keep_offloads)
        return 0;
    code = offloads_read(&n->ethtool, n->info.ifindex, on);
    if (code != 0)
        return nl_err(&n->ethtool, e, code, "read the offloads of", n->ifname);
    for (int i = 0; i < OFFLOAD_N; i++)
        any |= on[i];
    if (!any) {
        list_offloads(n->info.offloads_off, sizeof(n->info.offloads_off), n->offloads_changed);
        return 0;
    }
    code = offloads_set(&n->ethtool, n->info.ifindex, on, false);
    if (code == 0)
        code = offloads_read(&n->ethtool, n->info.ifindex, still);
    if (code != 0) {
        nl_err(&n->ethtool, e, code, "turn off the offloads of", n->ifname);
        if (code != -EPERM)
            err_remedy(e, "turn them off with `ethtool -K` and set `bridges[].keep_offloads: true`");
        return code;
    }
    for (int i = 0; i < OFFLOAD_N; i++) {
        n->offloads_changed[i] |= on[i] && !still[i];
        any_still |= still[i];
    }
    list_offloads(n->info.offloads_off, sizeof(n->info.offloads_off), n->offloads_changed);
    if (any_still) { /* fixed by the driver; the link may well carry no frames that they harm */
        list_offloads(names, sizeof(names), still);
        log_warning("io",
                    "%s (%s) cannot turn off %s: merged frames or VLAN tags on this link will be lost; use "
                    "another NIC if it carries such",
                    n->ifname, n->info.driver, names);
    }
    return 0;
}

static int put_back_offloads(struct nic *n)
{
    bool any = false;

    for (int i = 0; i < OFFLOAD_N; i++)
        any |= n->offloads_changed[i];
    return any ? offloads_set(&n->ethtool, n->info.ifindex, n->offloads_changed, true) : 0;
}

/* --- flags --- */

static int set_flag(struct nic *n, uint32_t flag, const char *what, bool *changed, struct err *e)
{
    int code;

    if (n->was.flags & flag)
        return 0;
    code = link_set_flag(&n->route, n->info.ifindex, flag, true);
    if (code != 0)
        return nl_err(&n->route, e, code, what, n->ifname);
    *changed = true;
    return 0;
}

static int set_promisc(struct nic *n, const struct nic_config *cfg, struct err *e)
{
    return set_flag(n, IFF_PROMISC, "make promiscuous", &n->promisc_changed, e);
}

static int put_back_promisc(struct nic *n)
{
    return n->promisc_changed ? link_set_flag(&n->route, n->info.ifindex, IFF_PROMISC, false) : 0;
}

static int set_up(struct nic *n, const struct nic_config *cfg, struct err *e)
{
    bool changed = false;
    int code = set_flag(n, IFF_UP, "bring up", &changed, e);

    /* down after an earlier process had it up: link_pass held it when that one died, and it is not to be down for good */
    n->up_changed |= changed && !n->taken_over;
    return code;
}

static int put_back_up(struct nic *n)
{
    return n->up_changed ? link_set_flag(&n->route, n->info.ifindex, IFF_UP, false) : 0;
}

/* --- the whole --- */

static const struct step {
    int (*set)(struct nic *n, const struct nic_config *cfg, struct err *e);
    int (*put_back)(struct nic *n);
    const char *what, *by_hand; /* for the log when it cannot be put back */
} steps[] = {
    {remember_rss, put_back_rss_table, "RSS table", "ethtool -X"},
    {set_channels, put_back_channels, "number of queues", "ethtool -L"},
    {set_rss, put_back_rss, "RSS key", "ethtool -X"},
    {set_offloads, put_back_offloads, "offloads", "ethtool -K"},
    {set_promisc, put_back_promisc, "promiscuous mode", "ip link set promisc off dev"},
    {set_up, put_back_up, "link state", "ip link set down dev"},
};
#define STEP_N (sizeof(steps) / sizeof(steps[0]))

int nic_mtu_fits(const char *ifname, uint32_t mtu, struct err *e)
{
    if (mtu <= MTU_MAX)
        return 0;
    err_set(e, -EMSGSIZE, "%s has MTU %u, but a frame must fit one buffer: at most %d", ifname, mtu, MTU_MAX);
    err_remedy(e, "run `ip link set dev %s mtu 1500`, and set the same MTU on the hosts of this network",
               ifname);
    return -EMSGSIZE;
}

/* What cannot be an end of the bridge, whatever is set. */
static int check(const struct nic *n, struct err *e)
{
    if (n->was.type != ARPHRD_ETHER) {
        err_set(e, -EINVAL, "%s is not an Ethernet interface%s", n->ifname,
                n->was.flags & IFF_LOOPBACK ? " but the loopback" : "");
        err_remedy(e, "name two Ethernet interfaces under `bridges[].interfaces`; `ip link` lists them");
        return -EINVAL;
    }
    return nic_mtu_fits(n->ifname, n->was.mtu, e);
}

static int identify(struct nic *n, const char *ifname, struct err *e)
{
    struct ethtool_drvinfo drv = {.cmd = ETHTOOL_GDRVINFO};
    int code = link_read(&n->route, ifname, 0, &n->was);

    if (code == -ENODEV) {
        err_set(e, code, "there is no interface %.64s", ifname);
        err_remedy(e, "correct `bridges[].interfaces`; `ip link` lists the interfaces there are");
        return code;
    }
    if (code != 0)
        return nl_err(&n->route, e, code, "read the state of", ifname);
    snprintf(n->ifname, sizeof(n->ifname), "%s", ifname);
    n->info.ifindex = n->was.ifindex;
    n->info.mtu = n->was.mtu;
    snprintf(n->info.driver, sizeof(n->info.driver), "%s", "unknown"); /* some virtual devices do not say */
    if (n->dev.call(&n->dev, &drv) == 0)
        snprintf(n->info.driver, sizeof(n->info.driver), "%.31s", drv.driver);
    return check(n, e);
}

/* Found and fit, and nothing changed. */
static struct nic *nic_new(const char *ifname, struct err *e)
{
    struct nic *n = calloc(1, sizeof(*n));

    if (!n) {
        err_sys(e, -ENOMEM, "cannot set up %.64s", ifname);
        return NULL;
    }
    if (nl_open(&n->route, NETLINK_ROUTE, e) == 0 && nl_open(&n->ethtool, NETLINK_GENERIC, e) == 0) {
        n->dev = (struct ethtool_dev){mnl_socket_get_fd(n->ethtool.socket), n->ifname, ethtool_ioctl};
        if (identify(n, ifname, e) == 0)
            return n;
    }
    nic_leave(n);
    return NULL;
}

int nic_lookup(const char *ifname, uint32_t *ifindex, struct err *e)
{
    struct err local = {.code = 0};
    struct nic *n = nic_new(ifname, e ? e : &local);

    if (!n)
        return e ? e->code : local.code;
    *ifindex = n->info.ifindex;
    nic_leave(n);
    return 0;
}

struct nic *nic_open(const struct nic_config *cfg, struct err *e)
{
    struct nic *n = nic_new(cfg->ifname, e);

    if (!n)
        return NULL;
    n->taken_over = cfg->was && nic_unpack(n, cfg->was);
    n->info.was_up = n->taken_over && (n->was.flags & IFF_UP);
    for (size_t i = 0; i < STEP_N; i++)
        if (steps[i].set(n, cfg, e) != 0) {
            (n->taken_over ? nic_leave : nic_restore)(n);
            return NULL;
        }
    return n;
}

int nic_put_back(const struct steer_was *was, struct err *e)
{
    char ifname[IF_NAMESIZE];
    struct nic *n;

    if (!if_indextoname(nic_packed_ifindex(was), ifname))
        return 0;
    n = nic_new(ifname, e);
    if (!n)
        return -ENODEV;
    (void)nic_unpack(n, was); /* false: nothing to put back */
    nic_restore(n);
    return 0;
}

void nic_restore(struct nic *n)
{
    if (!n)
        return;
    for (size_t i = STEP_N; i-- > 0;) {
        int code = steps[i].put_back(n);

        if (code == -ENODEV) /* unplugged or deleted: there is nothing to put back */
            log_info("io", "%s is gone, its %s needs no putting back", n->ifname, steps[i].what);
        else if (code != 0)
            log_warning("io", "cannot put back the %s of %s: %s; use `%s %s`", steps[i].what, n->ifname,
                        strerror(-code), steps[i].by_hand, n->ifname);
    }
    nic_leave(n);
}

void nic_leave(struct nic *n)
{
    if (!n)
        return;
    free(n->rss_was);
    nl_close(&n->ethtool);
    nl_close(&n->route);
    free(n);
}

void nic_info(const struct nic *n, struct nic_info *out)
{
    struct nl route = n->route; /* the sequence number moves with each question; n itself stays as it is */
    struct link now;

    *out = n->info;
    if (link_read(&route, NULL, n->info.ifindex, &now) != 0)
        return; /* gone: no carrier */
    out->mtu = now.mtu;
    out->carrier = now.carrier;
    out->rx_missed = now.rx_missed;
}
