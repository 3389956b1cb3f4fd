/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is left of root after start-up, in three steps:
 *
 *   capabilities(7)  CAP_NET_ADMIN (put interfaces back, attach, detach), CAP_NET_RAW and CAP_IPC_LOCK (sockets and
 *                    their frames, on an interface that was removed and is back), CAP_BPF (maps), nothing else
 *   user             the configured one, when there is one
 *   seccomp(2)       system calls that start programs, enter namespaces, mount, trace or load modules fail with EPERM
 *
 * The filter is a list of refusals and not of permissions: libraries change what they call, and a security appliance
 * that dies of a libc update cuts the link. What it refuses is what an exploit would want. Main thread, once, before
 * other threads exist.
 */
#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ips/base/log.h"
#include "ips/sandbox.h"

static const int refused[] = {
    SCMP_SYS(execve),           SCMP_SYS(execveat),
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    SCMP_SYS(init_module),      SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),  SCMP_SYS(mount),
    SCMP_SYS(umount2),          SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),           SCMP_SYS(setns),
    SCMP_SYS(unshare),          SCMP_SYS(reboot),
    SCMP_SYS(swapon),           SCMP_SYS(swapoff),
    SCMP_SYS(add_key),          SCMP_SYS(request_key),
    SCMP_SYS(keyctl),           SCMP_SYS(open_by_handle_at),
    SCMP_SYS(userfaultfd),      SCMP_SYS(perf_event_open),
    SCMP_SYS(personality),      SCMP_SYS(acct),
    SCMP_SYS(settimeofday),     SCMP_SYS(clock_settime),
    SCMP_SYS(sethostname),      SCMP_SYS(setdomainname),
    SCMP_SYS(quotactl),         SCMP_SYS(syslog),
#ifndef __SANITIZE_ADDRESS__ /* the leak checker traces its own process */
    SCMP_SYS(ptrace),
#endif
};

static int drop_capabilities(const char *user, struct err *e)
{
    capng_clear(CAPNG_SELECT_BOTH);
    if (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK,
                      CAP_BPF, -1))
        return err_set(e, -EINVAL, "cannot name the capabilities to keep");

    if (!user || !user[0]) {
        /* the bounding set can only be shrunk with CAP_SETPCAP, which root under a container may lack */
        capng_select_t set =
            capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS;
        if (capng_apply(set))
            return err_sys(e, -errno, "cannot drop capabilities");
        return 0;
    }
    const struct passwd *pw = getpwnam(user);
    if (!pw) {
        err_set(e, -ENOENT, "no such user: %s", user);
        err_remedy(e, "create it ('adduser --system %s') or leave `user` out of the configuration", user);
        return -ENOENT;
    }
    int rc = capng_change_id((int)pw->pw_uid, (int)pw->pw_gid, CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
    if (rc) {
        err_set(e, -EPERM, "cannot become user %s (capng_change_id says %d)", user, rc);
        err_remedy(e, "start ipsd as root, or leave `user` out of the configuration");
        return -EPERM;
    }
    return 0;
}

static int install_filter(struct err *e)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int rc = ctx ? 0 : -ENOMEM;

    for (size_t i = 0; rc == 0 && i < sizeof(refused) / sizeof(refused[0]); i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
    if (rc == 0)
        rc = seccomp_load(ctx); /* sets no_new_privs as well */
    seccomp_release(ctx);
    return rc ? err_sys(e, rc, "cannot install the system call filter") : 0;
}

uid_t sandbox_uid(const char *user)
{
    const struct passwd *pw = user && user[0] ? getpwnam(user) : NULL;

    return pw ? pw->pw_uid : geteuid();
}

int sandbox_enter(const char *user, struct err *e)
{
    int rc = drop_capabilities(user, e);

    return rc ? rc : install_filter(e);
}
