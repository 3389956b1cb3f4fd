/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel side of a bridge without its daemon: what `ipsctl link` does with the pins.
 *
 * Reads and writes the pinned maps themselves, so it works when no daemon runs, when it hangs, and when it cannot be
 * started. Whether one runs is asked of the lock on the bridge's directory and of nothing else: process ids are used
 * again. Writing the bypass switch needs no lock (a word that only operators write); what takes things off or changes whose
 * life it is takes the lock first, so that no daemon starts in the middle of it. Maps of another ABI are never
 * interpreted: they can only be taken off.
 *
 * Owns a struct xdp without program or memory for the time of one call. One thread.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "ips/base/clock.h"
#include "ips/io/nic.h"
#include "ips/io/pins.h"
#include "ips/io/xdp_parts.h"

static int no_pins(const char *dir, const char *bridge, int code, struct err *e)
{
    if (code == -ENOENT) {
        err_set(e, code, "nothing is pinned%s%s in %.200s", bridge ? " of bridge " : "", bridge ? bridge : "",
                dir);
        return err_remedy(e, "give the daemon's pin_dir with --pin-dir, or attach with `ipsctl link attach`"),
               code;
    }
    err_sys(e, code, "cannot look into %.200s", dir);
    if (code == -EACCES || code == -EPERM)
        err_remedy(e, "run ipsctl as root");
    return code;
}

/* A file's, never a path; as the configuration checks it. */
static bool is_name(const char *bridge)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t len = strspn(bridge, good);

    return len > 0 && len < STEER_NAME_BYTES && bridge[len] == '\0';
}

/* The pins, opened; a map that is not there is -1. */
static struct xdp *look(const char *dir, const char *bridge, struct err *e)
{
    char path[320];
    struct xdp *x = xdp_pin_look(bridge);

    if (!x) {
        err_sys(e, -ENOMEM, "cannot look at bridge %.32s", bridge);
        return NULL;
    }
    snprintf(path, sizeof(path), "%s/%s", dir, bridge);
    if (is_name(bridge))
        x->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    else
        errno = ENOENT;
    if (x->dir_fd < 0 || xdp_pin_get(x) != 0) {
        no_pins(dir, bridge, x->dir_fd < 0 ? -errno : -ENOENT, e);
        xdp_pin_unlook(x);
        return NULL;
    }
    return x;
}

static bool has_daemon(const struct xdp *x)
{
    if (flock(x->dir_fd, LOCK_SH | LOCK_NB) != 0)
        return errno == EWOULDBLOCK;
    flock(x->dir_fd, LOCK_UN);
    return false;
}

static int read_value(int map, void *value)
{
    uint32_t zero = 0;

    return map >= 0 && bpf_map_lookup_elem(map, &zero, value) == 0 ? 0 : -1;
}

/* Before anything is read from these maps. */
static int check_abi(const struct xdp *x, struct err *e)
{
    char why[160];

    if (xdp_pin_same_abi(x, why, sizeof(why)))
        return 0;
    err_set(e, -EPROTO, "the maps pinned of bridge %s cannot be read: %s", x->bridge, why);
    err_remedy(
        e, "use the ipsctl of the build that made them, or take all of it off with `ipsctl link detach %s`",
        x->bridge);
    return -EPROTO;
}

static void read_beats(const struct xdp *x, struct pins_state *out)
{
    const uint64_t now = clock_mono_ns();

    for (uint32_t q = 0; q < STEER_QUEUES_MAX; q++) {
        struct steer_beat beat = {.beat_ns = 0};

        (void)bpf_map_lookup_elem(x->map.beats, &q, &beat);
        out->beat_age_ns[q] = beat.beat_ns == 0              ? -1
                              : beat.beat_ns == STEER_ASLEEP ? -2
                              : beat.beat_ns > now           ? 0
                                                             : (int64_t)(now - beat.beat_ns);
    }
}

int pins_read(const char *dir, const char *bridge, struct pins_state *out, struct err *e)
{
    struct xdp *x = look(dir, bridge, e);
    struct xdp_counters c;
    int code;

    if (!x)
        return -ENOENT;
    memset(out, 0, sizeof(*out));
    snprintf(out->bridge, sizeof(out->bridge), "%s", bridge);
    out->daemon = has_daemon(x);
    for (int port = 0; port < STEER_PORTS; port++) {
        uint32_t ifindex = xdp_pin_link_ifindex(x, port);
        out->attached[port] = ifindex != 0;
        if (ifindex && !if_indextoname(ifindex, out->ifname[port]))
            out->ifname[port][0] = '\0'; /* in another namespace */
    }
    code = check_abi(x, e);
    if (code == 0 &&
        (read_value(x->map.config, &out->config) || read_value(x->map.switches, &out->switches) ||
         read_value(x->map.life, &out->life) || xdp_counters(x, &c)))
        code = err_sys(e, -errno, "cannot read what is pinned of bridge %s", bridge);
    if (code == 0) {
        memcpy(out->exits, c.exits, sizeof(out->exits));
        read_beats(x, out);
    }
    xdp_pin_unlook(x);
    return code;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int pins_each(const char *dir, int (*fn)(const char *bridge, void *arg), void *arg, struct err *e)
{
    struct dirent **v;
    int n = scandir(dir, &v, NULL, by_name), code = -ENOENT;

    if (n < 0)
        return no_pins(dir, NULL, -errno, e);
    for (int i = 0; i < n; i++) {
        struct xdp *x =
            v[i]->d_name[0] != '.' && (code == 0 || code == -ENOENT) ? look(dir, v[i]->d_name, NULL) : NULL;

        if (x) { /* an empty directory is what a bridge leaves that was detached */
            xdp_pin_unlook(x);
            code = fn(v[i]->d_name, arg);
        }
        free(v[i]);
    }
    free(v);
    return code == -ENOENT ? no_pins(dir, NULL, code, e) : code;
}

int pins_bypass(const char *dir, const char *bridge, bool on, struct err *e)
{
    struct xdp *x = look(dir, bridge, e);
    struct steer_switch s = {.bypass = on};
    uint32_t zero = 0;
    int code;

    if (!x)
        return -ENOENT;
    code = check_abi(x, e);
    if (code == 0 && bpf_map_update_elem(x->map.switches, &zero, &s, BPF_ANY) != 0)
        code = err_sys(e, -errno, "cannot switch the bypass of bridge %s", bridge);
    xdp_pin_unlook(x);
    return code;
}

static int lock(const struct xdp *x, struct err *e)
{
    if (flock(x->dir_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    err_set(e, -EBUSY, "a daemon serves bridge %s", x->bridge);
    return -EBUSY;
}

int pins_reset(const char *dir, const char *bridge, struct err *e)
{
    struct xdp *x = look(dir, bridge, e);
    struct steer_life life;
    uint32_t zero = 0;
    int code;

    if (!x)
        return -ENOENT;
    code = lock(x, e);
    if (code != 0)
        err_remedy(e, "there is nothing to reset: it was started");
    else
        code = check_abi(x, e);
    if (code == 0) {
        memset(&life, 0, sizeof(life));
        if (read_value(x->map.life, &life) == 0) {
            memset(life.crash_ns, 0, sizeof(life.crash_ns));
            life.crashes = life.pid = 0;
        }
        if (life.abi != STEER_ABI || bpf_map_update_elem(x->map.life, &zero, &life, BPF_ANY) != 0)
            code = err_sys(e, -errno, "cannot forget the crashes of bridge %s", bridge);
    }
    xdp_pin_unlook(x);
    return code;
}

int pins_detach(const char *dir, const char *bridge, bool force, struct err *e)
{
    struct xdp *x = look(dir, bridge, e);
    struct steer_was was[STEER_PORTS];
    int code = 0;

    if (!x)
        return -ENOENT;
    if (!force && lock(x, e) != 0) {
        err_remedy(e, "stop it first; --force takes its program off all the same, and then no frame crosses");
        code = -EBUSY;
    } else {
        memset(was, 0, sizeof(was));
        for (uint32_t port = 0; port < STEER_PORTS; port++)
            if (x->map.was < 0 || check_abi(x, NULL) != 0 || xdp_was_read(x, port, &was[port]) != 0)
                memset(&was[port], 0, sizeof(was[port]));
        xdp_pin_remove(x);
        for (uint32_t port = 0; port < STEER_PORTS; port++) {
            int rc =
                has_daemon(x) && force ? 0 : nic_put_back(&was[port], e); /* a daemon puts them back itself */
            code = code ? code : rc;
        }
    }
    xdp_pin_unlook(x);
    return code;
}

/* As a bridge is opened (ips/bridge.c), without what only a daemon needs: sockets, memory, workers. */
static int set_up(struct xdp *x, const char *const ifname[STEER_PORTS], struct nic *nic[STEER_PORTS],
                  struct err *e)
{
    for (uint32_t port = 0; port < STEER_PORTS; port++) {
        struct nic_config nc = {.ifname = ifname[port]};
        struct steer_was was = {0};

        if (xdp_was_read(x, port, &was) == 0 && nic_packed_ifindex(&was) != 0)
            nc.was = &was;
        nic[port] = nic_open(&nc, e);
        if (!nic[port])
            return -EIO;
        nic_pack(nic[port], &was);
        int rc = xdp_was_write(x, port, &was);
        if (rc)
            return err_sys(e, rc, "cannot remember the settings of %s", ifname[port]);
    }
    return xdp_attach(x, e);
}

int pins_attach(const char *dir, const char *bridge, const char *const ifname[STEER_PORTS],
                enum steer_fail_policy policy, struct err *e)
{
    struct xdp_config cfg = {
        .fail_policy = policy, .pin_dir = dir, .bridge = bridge, .owner = geteuid(), .no_daemon = true};
    struct nic *nic[STEER_PORTS] = {NULL, NULL};
    struct xdp *x;
    int code;

    if (!is_name(bridge)) {
        err_set(e, -EINVAL, "'%.32s' cannot be a bridge's name", bridge);
        return err_remedy(e, "give up to %d letters, digits, - and _", STEER_NAME_BYTES - 1), -EINVAL;
    }
    for (int port = 0; port < STEER_PORTS; port++) {
        cfg.ifname[port] = ifname[port];
        code = nic_lookup(ifname[port], &cfg.ifindex[port], e);
        if (code != 0)
            return code;
    }
    x = xdp_open(&cfg, e);
    if (!x)
        return -EIO;
    code = set_up(x, ifname, nic, e);
    if (code == 0)
        (void)xdp_leave(x); /* pinned it is: there is a directory */
    bool stays = xdp_stays(x);
    xdp_close(x);
    for (int port = 0; port < STEER_PORTS; port++)
        (stays ? nic_leave : nic_restore)(nic[port]);
    return code;
}

const char *pins_counter_name(unsigned counter)
{
    return counter < STEER_CTR_N ? steer_counter_names[counter] : "";
}

const char *pins_fail_name(unsigned policy)
{
    static const char *const names[] = {
#define X(id, value, word) [id] = word,
        STEER_FAIL_TABLE(X)
#undef X
    };

    return policy < sizeof(names) / sizeof(names[0]) ? names[policy] : "?";
}
