/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What outlives the daemon: links and maps of a bridge, pinned in bpffs below <pin_dir>/<bridge>/.
 *
 * A daemon that starts locks that directory (flock, which any death releases), so a bridge has one daemon. Then it takes
 * over what fits: the maps when all are there, of this ABI and of the shape this build gives them; a link when it is
 * attached to the configured interface in the configured mode. What does not fit is removed, with the reason in the log.
 * A link that fits survives even new maps: it is switched to the new program in one step (BPF_LINK_UPDATE), so the wire
 * is never without a program. When link and maps come from the same build, the program on the wire is left alone.
 *
 * Everything is reached through the directory's descriptor (/proc/self/fd/N/...), because a daemon that has become
 * another user may no longer walk the path. Owns the descriptor and the lock; control thread only. The lock belongs to
 * the open file: a child that is to live longer than the daemon must close it.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "bpf/steer.skel.h"
#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/io/xdp_parts.h"

#define BPFFS_HOME "/sys/fs/bpf"
/* How long a daemon that has just died, or an ipsctl that looks, may keep the lock. */
#define LOCK_TRIES   25
#define LOCK_WAIT_US 20000

static const struct map_row {
    const char *name;
    size_t place; /* of its descriptor */
} map_rows[] = {
#define X(member, name) {name, offsetof(struct xdp_maps, member)},
    XDP_MAP_TABLE(X)
#undef X
};
#define MAP_N        (sizeof(map_rows) / sizeof(map_rows[0]))
#define WAS_NAME     "steer_was"
#define PROGRAM_NAME "program" /* of the links, as far as it is the same on both */
static const char *const link_names[STEER_PORTS] = {"link0", "link1"};

static int *map_fd(struct xdp *x, size_t row)
{
    return (int *)((char *)&x->map + map_rows[row].place);
}

struct pin_path {
    char text[64];
};

static struct pin_path path_of(const struct xdp *x, const char *name)
{
    struct pin_path p;

    snprintf(p.text, sizeof(p.text), "/proc/self/fd/%d/%s", x->dir_fd, name);
    return p;
}

static int get(const struct xdp *x, const char *name)
{
    struct pin_path p = path_of(x, name);

    return bpf_obj_get(p.text);
}

int xdp_pin_get_one(const struct xdp *x, const char *name)
{
    return x->dir_fd >= 0 ? get(x, name) : -1;
}

int xdp_pin_one(struct xdp *x, const char *name, int fd)
{
    struct pin_path p = path_of(x, name);

    return bpf_obj_pin(fd, p.text);
}

/* --- the directory --- */

static bool is_bpffs(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

static int mount_bpffs(const char *path, struct err *e)
{
    if (mount("bpf", path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0)
        return 0;
    err_sys(e, -errno, "cannot mount a BPF file system on %.200s", path);
    err_remedy(e, "run `mount -t bpf bpf %.100s`, or set `pin_dir` to a directory on a BPF file system",
               path);
    return -1;
}

/* path and what is missing of its parents. */
static int make_dirs(const char *path, struct err *e)
{
    char part[256];
    size_t n = strlen(path);

    if (n == 0 || n >= sizeof(part) || path[0] != '/') {
        err_set(e, -EINVAL, "pin_dir cannot be '%.64s'", path);
        return err_remedy(e, "give a path from the root of at most %zu bytes", sizeof(part) - 1), -EINVAL;
    }
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        snprintf(part, sizeof(part), "%.*s", (int)i, path);
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            err_sys(e, -errno, "cannot make the directory %s", part);
            err_remedy(e, "run `mount -t bpf bpf " BPFFS_HOME
                          "`, or correct `pin_dir` (a BPF file system takes no "
                          "names with dots)");
            return e ? e->code : -EINVAL;
        }
    }
    return 0;
}

static int open_dir(struct xdp *x, const struct xdp_config *cfg, struct err *e)
{
    const size_t home = strlen(BPFFS_HOME);
    char path[320];

    if (strncmp(cfg->pin_dir, BPFFS_HOME, home) == 0 && strchr("/", cfg->pin_dir[home]) &&
        !is_bpffs(BPFFS_HOME) && mount_bpffs(BPFFS_HOME, e) != 0)
        return -1;
    if (make_dirs(cfg->pin_dir, e) != 0 || (!is_bpffs(cfg->pin_dir) && mount_bpffs(cfg->pin_dir, e) != 0))
        return -1;
    snprintf(path, sizeof(path), "%s/%s", cfg->pin_dir, cfg->bridge);
    if (make_dirs(path, e) != 0)
        return -1;
    x->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (x->dir_fd < 0 || (geteuid() == 0 && fchown(x->dir_fd, cfg->owner, (gid_t)-1) != 0))
        return err_sys(e, -errno, "cannot open %s", path), -1;
    for (int try = 0; try < LOCK_TRIES; try++) {
        if (flock(x->dir_fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK)
            break;
        usleep(LOCK_WAIT_US);
    }
    if (errno != EWOULDBLOCK)
        return err_sys(e, -errno, "cannot lock %s", path), -1;
    err_set(e, -EBUSY, "bridge %s is served by another ipsd, which holds %s", cfg->bridge, path);
    err_remedy(e, "stop that one, or give this bridge another name; `ipsctl link status` shows who it is");
    close(x->dir_fd);
    x->dir_fd = -1; /* nothing there is ours to remove */
    return -1;
}

/* --- maps --- */

void xdp_pin_drop(struct xdp *x, const char *name)
{
    if (x->dir_fd >= 0 && unlinkat(x->dir_fd, name, 0) != 0 && errno != ENOENT)
        log_warning("io", "cannot remove the pinned %s of bridge %s: %s", name, x->bridge, strerror(errno));
}

static void remove_maps(struct xdp *x)
{
    for (size_t i = MAP_N; i-- > 0;)
        xdp_pin_drop(x, map_rows[i].name);
    xdp_pin_drop(x, PROGRAM_NAME);
}

/* The kernel marks the values of a devmap as read-only for the program by itself. */
#define FLAGS_OF_THE_KERNEL BPF_F_RDONLY_PROG

static bool same_shape(const struct bpf_map *map, int fd, char *why, size_t size)
{
    struct bpf_map_info is = {0};
    uint32_t len = sizeof(is);

    if (bpf_obj_get_info_by_fd(fd, &is, &len) != 0) {
        snprintf(why, size, "%s cannot be read: %s", bpf_map__name(map), strerror(errno));
        return false;
    }
    if (is.type == bpf_map__type(map) && is.key_size == bpf_map__key_size(map) &&
        is.value_size == bpf_map__value_size(map) && is.max_entries == bpf_map__max_entries(map) &&
        (is.map_flags & ~FLAGS_OF_THE_KERNEL) == bpf_map__map_flags(map))
        return true;
    snprintf(why, size, "%s has another shape: %u entries of %u + %u bytes, not %u of %u + %u",
             bpf_map__name(map), is.max_entries, is.key_size, is.value_size, bpf_map__max_entries(map),
             bpf_map__key_size(map), bpf_map__value_size(map));
    return false;
}

/* The ABI is the first word of both; before it is known nothing else can be. */
static bool same_abi(const struct xdp *x, const char *name, char *why, size_t size)
{
    uint32_t zero = 0, len = sizeof(struct bpf_map_info);
    struct bpf_map_info is = {0};
    int fd = get(x, name);
    void *value = NULL;
    bool same = false;

    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &is, &len) == 0 && is.value_size >= sizeof(uint32_t) &&
        (value = malloc(is.value_size)) && bpf_map_lookup_elem(fd, &zero, value) == 0) {
        uint32_t abi;

        memcpy(&abi, value, sizeof(abi));
        same = abi == STEER_ABI;
        if (!same)
            snprintf(why, size, "they are of ABI %u, this build has %d", abi, STEER_ABI);
    } else {
        snprintf(why, size, "%s is not there, or not whole", name);
    }
    free(value);
    if (fd >= 0)
        close(fd);
    return same;
}

bool xdp_pin_same_abi(const struct xdp *x, char *why, size_t size)
{
    return same_abi(x, "steer_life", why, size) && same_abi(x, "steer_config", why, size);
}

/* One map, when it fits; else what is there under its name is removed. 1: taken, 0: to be made anew. */
static int take_map(struct xdp *x, const char *name, bool abi_fits, struct err *e)
{
    struct bpf_map *map = bpf_object__find_map_by_name(x->skel->obj, name);
    int fd = get(x, name), taken = 0;
    char why[160];

    if (fd < 0)
        return 0;
    if (abi_fits && !same_shape(map, fd, why, sizeof(why)))
        log_notice("io", "bridge %s: a map that was left is made anew: %s", x->bridge, why);
    else if (abi_fits && bpf_map__reuse_fd(map, fd) != 0) /* out of descriptors or memory */
        err_sys(e, -errno, "cannot take over the map %s of bridge %s", name, x->bridge);
    else
        taken = abi_fits;
    close(fd);
    if (!taken && e->code == 0)
        xdp_pin_drop(x, name);
    return taken;
}

/* Within one ABI maps differ in size alone, as the configuration sets it. What the interfaces were has a version of its own
 * and outlives the ABI. */
static int take_maps(struct xdp *x, struct err *e)
{
    bool any = faccessat(x->dir_fd, map_rows[0].name, F_OK, 0) == 0;
    char why[160];
    bool abi_fits = any && xdp_pin_same_abi(x, why, sizeof(why));

    if (any && !abi_fits)
        log_notice("io", "bridge %s: the maps that were left are removed: %s", x->bridge, why);
    x->all_taken = true;
    for (size_t i = 0; i < MAP_N && e->code == 0; i++) {
        bool fits = abi_fits || strcmp(map_rows[i].name, WAS_NAME) == 0;

        x->map_taken[i] = take_map(x, map_rows[i].name, fits, e) == 1;
        x->all_taken &= x->map_taken[i];
    }
    x->maps_taken = abi_fits;
    return e->code;
}

/* --- links --- */

static bool info_of(int fd, struct bpf_link_info *info)
{
    uint32_t size = sizeof(*info);

    memset(info, 0, sizeof(*info));
    return bpf_obj_get_info_by_fd(fd, info, &size) == 0 && info->type == BPF_LINK_TYPE_XDP;
}

static void drop_link(struct xdp *x, int port, int fd)
{
    if (fd >= 0) {
        (void)bpf_link_detach(fd); /* at once; one whose interface is gone is detached already */
        close(fd);
    }
    xdp_pin_drop(x, link_names[port]);
}

/* NULL: the link carries the interface's frames as it is wanted. */
static const char *unfit(const struct xdp *x, int port, int fd, char *why, size_t size)
{
    LIBBPF_OPTS(bpf_xdp_query_opts, query);
    struct bpf_link_info info;
    uint8_t mode = x->mode == XDP_MODE_GENERIC ? XDP_ATTACHED_SKB : XDP_ATTACHED_DRV;

    if (!info_of(fd, &info))
        return "it is no link of an XDP program";
    if (info.xdp.ifindex == 0)
        return "its interface is gone";
    if (info.xdp.ifindex != x->ifindex[port]) {
        snprintf(why, size, "it is on the interface with index %u", info.xdp.ifindex);
        return why;
    }
    if (bpf_xdp_query((int)x->ifindex[port], 0, &query) != 0 || query.attach_mode != mode)
        return "it is attached in another mode";
    return NULL;
}

static void take_links(struct xdp *x)
{
    for (int port = 0; port < STEER_PORTS; port++) {
        int fd = get(x, link_names[port]);
        char buf[64];

        if (fd < 0)
            continue;
        const char *why = unfit(x, port, fd, buf, sizeof(buf));
        if (why) {
            log_notice("io", "bridge %s: the link that was left on %s is removed: %s", x->bridge,
                       x->ifname[port], why);
            drop_link(x, port, fd);
            continue;
        }
        x->link_fd[port] = fd;
        x->link_taken[port] = true;
    }
}

bool xdp_pin_same_build(const struct xdp *x, int fd, uint32_t *id)
{
    struct bpf_prog_info theirs = {0}, ours = {0};
    uint32_t size = sizeof(ours), ids[2 * MAP_N] = {0}, map_size = sizeof(struct bpf_map_info);
    struct bpf_map_info config = {0};
    bool same = false;

    if (!x->all_taken || bpf_obj_get_info_by_fd(x->map.config, &config, &map_size) != 0 ||
        bpf_obj_get_info_by_fd(bpf_program__fd(x->skel->progs.steer), &ours, &size) != 0)
        return false;
    theirs.map_ids = (uintptr_t)ids;
    theirs.nr_map_ids = 2 * MAP_N;
    size = sizeof(theirs);
    if (bpf_obj_get_info_by_fd(fd, &theirs, &size) == 0 &&
        memcmp(theirs.tag, ours.tag, sizeof(ours.tag)) == 0)
        for (uint32_t i = 0; i < theirs.nr_map_ids && i < 2 * MAP_N; i++)
            same |= ids[i] == config.id;
    if (id)
        *id = theirs.id;
    return same;
}

/* The link's program is the pinned one, and this build's. Asked of what is pinned, since only root in the widest sense may
 * open a program by its id. */
static bool same_program(const struct xdp *x, int port)
{
    int fd = get(x, PROGRAM_NAME);
    struct bpf_link_info link;
    uint32_t id = 0;
    bool same =
        fd >= 0 && xdp_pin_same_build(x, fd, &id) && info_of(x->link_fd[port], &link) && link.prog_id == id;

    if (fd >= 0)
        close(fd);
    return same;
}

int xdp_pin_update_link(struct xdp *x, int port)
{
    if (same_program(x, port))
        return 0;
    if (bpf_link_update(x->link_fd[port], bpf_program__fd(x->skel->progs.steer), NULL) != 0)
        return -errno;
    x->program_new = true;
    log_notice("io", "bridge %s: the program on %s is now this build's", x->bridge, x->ifname[port]);
    return 0;
}

int xdp_pin_program(struct xdp *x, struct err *e)
{
    struct pin_path p = path_of(x, PROGRAM_NAME);

    if (x->dir_fd < 0 || !x->program_new)
        return 0;
    if ((unlinkat(x->dir_fd, PROGRAM_NAME, 0) == 0 || errno == ENOENT) &&
        bpf_obj_pin(bpf_program__fd(x->skel->progs.steer), p.text) == 0)
        return 0;
    return err_sys(e, -errno, "cannot pin the program of bridge %s", x->bridge);
}

int xdp_pin_link(struct xdp *x, int port, struct err *e)
{
    struct pin_path p = path_of(x, link_names[port]);

    if (x->dir_fd < 0 || bpf_obj_pin(x->link_fd[port], p.text) == 0)
        return 0;
    return err_sys(e, -errno, "cannot pin the link of %s", x->ifname[port]);
}

/* --- the whole --- */

/* All maps, or -ESTALE; nothing is removed. */
static int inherit_maps(struct xdp *x, char *why, size_t size)
{
    if (!xdp_pin_same_abi(x, why, size))
        return -ESTALE;
    for (size_t i = 0; i < MAP_N; i++) {
        struct bpf_map *map = bpf_object__find_map_by_name(x->skel->obj, map_rows[i].name);
        int fd = get(x, map_rows[i].name);
        bool fits = fd >= 0 && same_shape(map, fd, why, size);

        if (fd < 0)
            snprintf(why, size, "%s is missing", map_rows[i].name);
        if (fits && bpf_map__reuse_fd(map, fd) != 0) {
            snprintf(why, size, "%s cannot be taken over: %s", map_rows[i].name, strerror(errno));
            fits = false;
        }
        if (fd >= 0)
            close(fd);
        if (!fits)
            return -ESTALE;
        x->map_taken[i] = true;
    }
    x->maps_taken = x->all_taken = true;
    return 0;
}

/* At an upgrade: all of it must fit, since the other daemon is using it. */
static int inherit(struct xdp *x, const struct xdp_config *cfg, struct err *e)
{
    const char *restart = "restart ipsd; meanwhile frames follow the fail policy";
    char why[160] = "they cannot be reached";

    x->leave_pinned = true;
    x->dir_fd = fcntl(*cfg->pins_fd, F_DUPFD_CLOEXEC, 0);
    if (x->dir_fd < 0 || inherit_maps(x, why, sizeof(why)) != 0) {
        err_set(e, -ESTALE, "the maps that bridge %s runs on do not fit: %s", x->bridge, why);
        return err_remedy(e, "%s", restart), -1;
    }
    for (int port = 0; port < STEER_PORTS; port++) {
        x->link_fd[port] = get(x, link_names[port]);
        if (x->link_fd[port] < 0 && xdp_dispatch_find(x, port)) {
            x->link_taken[port] = true;
            continue;
        }
        const char *no =
            x->link_fd[port] < 0 ? "it is not there" : unfit(x, port, x->link_fd[port], why, sizeof(why));

        if (no) {
            err_set(e, -ESTALE, "the link of bridge %s on %s cannot be taken over: %s", x->bridge,
                    x->ifname[port], no);
            return err_remedy(e, "%s", restart), -1;
        }
        x->link_taken[port] = true;
    }
    return 0;
}

int xdp_pin_open(struct xdp *x, const struct xdp_config *cfg, struct err *e)
{
    struct err failed = {0};

    if (cfg->pins_fd)
        return inherit(x, cfg, e);
    if (open_dir(x, cfg, e) != 0)
        return -1;
    if (take_maps(x, &failed) != 0) {
        if (e)
            *e = failed;
        return -1;
    }
    take_links(x);
    return 0;
}

int xdp_pin_maps(struct xdp *x, struct err *e)
{
    for (size_t i = 0; i < MAP_N; i++) {
        struct pin_path p = path_of(x, map_rows[i].name);

        if (!x->map_taken[i] && bpf_obj_pin(*map_fd(x, i), p.text) != 0)
            return err_sys(e, -errno, "cannot pin the map %s of bridge %s", map_rows[i].name, x->bridge);
    }
    return 0;
}

int xdp_pin_share_maps(struct xdp *x, struct steer_bpf *other)
{
    int code = 0;

    for (size_t i = 0; i < MAP_N && code == 0; i++) {
        struct bpf_map *map = bpf_object__find_map_by_name(other->obj, map_rows[i].name);

        code = bpf_map__reuse_fd(map, *map_fd(x, i));
    }
    return code;
}

void xdp_pin_unlink(struct xdp *x, int port)
{
    if (x->dispatched[port]) {
        close(x->link_fd[port]);
        xdp_dispatch_drop(x, port);
    } else {
        drop_link(x, port, x->link_fd[port]);
    }
    x->link_fd[port] = -1;
    x->link_taken[port] = false;
}

void xdp_pin_remove(struct xdp *x)
{
    for (int port = 0; port < STEER_PORTS; port++)
        xdp_pin_unlink(x, port);
    remove_maps(x);
}

void xdp_pin_close(struct xdp *x)
{
    if (x->dir_fd >= 0)
        close(x->dir_fd);
    x->dir_fd = -1;
}

/* --- without a program --- */

struct xdp *xdp_pin_look(const char *bridge)
{
    struct xdp *x = calloc(1, sizeof(*x));

    if (!x)
        return NULL;
    x->dir_fd = -1;
    snprintf(x->bridge, sizeof(x->bridge), "%s", bridge);
    for (int port = 0; port < STEER_PORTS; port++)
        x->link_fd[port] = -1;
    for (size_t i = 0; i < MAP_N; i++)
        *map_fd(x, i) = -1;
    return x;
}

int xdp_pin_get(struct xdp *x)
{
    int found = -1;

    for (size_t i = 0; i < MAP_N; i++)
        if ((*map_fd(x, i) = get(x, map_rows[i].name)) >= 0)
            found = 0;
    for (int port = 0; port < STEER_PORTS; port++)
        if ((x->link_fd[port] = get(x, link_names[port])) >= 0)
            found = 0;
    uint32_t zero = 0;
    if (x->map.config >= 0 && bpf_map_lookup_elem(x->map.config, &zero, &x->config) == 0 &&
        x->config.abi == STEER_ABI)
        for (int port = 0; port < STEER_PORTS; port++) {
            x->ifindex[port] = x->config.ifindex[port];
            if (x->link_fd[port] < 0)
                (void)xdp_dispatch_find(x, port);
        }
    return found;
}

void xdp_pin_unlook(struct xdp *x)
{
    for (size_t i = 0; i < MAP_N; i++)
        if (*map_fd(x, i) >= 0)
            close(*map_fd(x, i));
    for (int port = 0; port < STEER_PORTS; port++)
        if (x->link_fd[port] >= 0)
            close(x->link_fd[port]);
    xdp_pin_close(x);
    free(x);
}

uint32_t xdp_pin_link_ifindex(const struct xdp *x, int port)
{
    struct bpf_link_info info;

    if (x->dispatched[port])
        return x->ifindex[port];
    return x->link_fd[port] >= 0 && info_of(x->link_fd[port], &info) ? info.xdp.ifindex : 0;
}
