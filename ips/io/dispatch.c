/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Beside other XDP programs: libxdp's dispatcher holds the interface and calls up to ten programs in the order of their
 * priorities; each has the next one called when it says XDP_PASS. Ours passes only what a steering line gives to the host.
 *
 * libxdp replaces the whole dispatcher whenever a program comes or goes, in one step, and pins programs and links in
 * <bpffs>/xdp/dispatch-IFINDEX-ID/, so ours stays there when the daemon dies, like a pinned link. That layout is libxdp's
 * protocol (xdp-tools, lib/libxdp/protocol.org) and is all that is needed to see whether a program is there; what libxdp
 * itself does needs CAP_SYS_ADMIN. Owns nothing.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xdp/libxdp.h>
#include "ips/base/log.h"
#include "ips/io/dispatch.h"

#define PROGRAMS_MAX 10 /* of one dispatcher */

bool dispatch_may(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    return syscall(SYS_capget, &head, data) == 0 && data[0].effective & 1u << CAP_SYS_ADMIN;
}

/* Of the dispatcher that is on the interface, if it is one. */
static int folder_of(uint32_t ifindex, char *path, size_t size)
{
    const char *bpffs = getenv(XDP_BPFFS_ENVVAR);
    uint32_t id = 0;

    if (bpf_xdp_query_id((int)ifindex, 0, &id) != 0 || id == 0)
        return -ENOENT;
    snprintf(path, size, "%s/xdp/dispatch-%u-%u", bpffs ? bpffs : "/sys/fs/bpf", ifindex, id);
    return access(path, F_OK) == 0 ? 0 : -ENOENT;
}

bool dispatch_on(uint32_t ifindex)
{
    char path[256];

    return folder_of(ifindex, path, sizeof(path)) == 0;
}

static uint32_t id_of(int prog_fd)
{
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof(info);

    return bpf_obj_get_info_by_fd(prog_fd, &info, &size) == 0 ? info.id : 0;
}

int dispatch_find(uint32_t ifindex, int prog_fd)
{
    const uint32_t id = id_of(prog_fd);
    char folder[256], path[300];

    if (id == 0 || folder_of(ifindex, folder, sizeof(folder)) != 0)
        return -ENOENT;
    for (int i = 0; i < PROGRAMS_MAX; i++) {
        snprintf(path, sizeof(path), "%s/prog%d-prog", folder, i);
        int fd = bpf_obj_get(path);
        uint32_t here = fd >= 0 ? id_of(fd) : 0;

        if (fd >= 0)
            close(fd);
        if (here != id)
            continue;
        snprintf(path, sizeof(path), "%s/prog%d-link", folder, i);
        fd = bpf_obj_get(path);
        return fd >= 0 ? fd : -ENOENT;
    }
    return -ENOENT;
}

static int libxdp_says(enum libxdp_print_level level, const char *fmt, va_list ap)
{
    char line[512];

    (void)level;
    vsnprintf(line, sizeof(line), fmt, ap);
    line[strcspn(line, "\n")] = '\0';
    log_debug("io", "%s", line);
    return 0;
}

int dispatch_attach(struct bpf_object *obj, uint32_t ifindex, bool generic, struct err *e)
{
    libxdp_set_print(libxdp_says);
    struct xdp_program *p = xdp_program__from_bpf_obj(obj, "xdp");
    int code = (int)libxdp_get_error(p), fd;

    if (code != 0)
        return err_sys(e, code, "libxdp does not take the steering program");
    code = xdp_program__attach(p, (int)ifindex, generic ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
    if (code != 0) {
        err_sys(e, code, "cannot attach the steering program beside the others on this interface");
        err_remedy(e,
                   "see `xdp-loader status`: the dispatcher must be in the mode of bridges[].mode, with less "
                   "than %d "
                   "programs; `log.level: debug` shows libxdp's words",
                   PROGRAMS_MAX);
    }
    fd = code == 0 ? dup(xdp_program__fd(p)) : code;
    if (code == 0 && fd < 0)
        fd = err_sys(e, -errno, "cannot keep the steering program");
    xdp_program__close(p);
    return fd;
}

int dispatch_detach(int prog_fd, uint32_t ifindex, bool generic)
{
    struct xdp_program *p;
    int fd = dup(prog_fd), code; /* libxdp closes what it is given */

    libxdp_set_print(libxdp_says);
    if (fd < 0)
        return -errno;
    p = xdp_program__from_fd(fd);
    code = (int)libxdp_get_error(p);
    if (code != 0) {
        close(fd);
        return code;
    }
    code = xdp_program__detach(p, (int)ifindex, generic ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
    xdp_program__close(p);
    return code;
}
