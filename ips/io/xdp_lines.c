/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steering lines of a bridge in the kernel: the list in force, the frames each line took, and the change from one
 * list to the next.
 *
 * The map has two halves. A new list is written into the half that is not in force and then put in force by one word of
 * the program's configuration, so that a frame sees either the old list or the new one. A frame that came in just before
 * may still be walking the old half: before that half is written again, a grace period of the kernel's RCU is waited for,
 * which is what membarrier(2) does. A line that is in both lists takes its count along (what it counts between the
 * reading and the switch, some microseconds, is lost to it; the program's exit counters lose nothing).
 *
 * The maps are the only copy. Control thread only.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "ips/io/xdp_parts.h"

#define GRACE_NS 50000000L /* where membarrier() cannot (nohz_full): no frame is looked at for so long */

static void wait_grace(void)
{
    const struct timespec pause = {.tv_nsec = GRACE_NS};

    if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0)
        nanosleep(&pause, NULL);
}

/* A line's value of all CPUs; cpus has one for each. */
static int read_frames(struct xdp *x, uint32_t key, uint64_t *cpus, uint64_t *sum)
{
    int n = libbpf_num_possible_cpus();

    if (bpf_map_lookup_elem(x->map.line_frames, &key, cpus) != 0)
        return -errno;
    *sum = 0;
    for (int i = 0; i < n; i++)
        *sum += cpus[i];
    return 0;
}

static int write_frames(struct xdp *x, uint32_t key, uint64_t *cpus, uint64_t sum)
{
    memset(cpus, 0, (size_t)libbpf_num_possible_cpus() * sizeof(*cpus));
    cpus[0] = sum;
    return bpf_map_update_elem(x->map.line_frames, &key, cpus, BPF_ANY) == 0 ? 0 : -errno;
}

static uint64_t *new_cpus(struct err *e)
{
    int n = libbpf_num_possible_cpus();
    uint64_t *cpus = n > 0 ? calloc((size_t)n, sizeof(*cpus)) : NULL;

    if (cpus == NULL)
        err_set(e, -ENOMEM, "no memory for the counts of %d CPUs", n);
    return cpus;
}

int xdp_lines_get(struct xdp *x, struct xdp_line v[STEER_LINES_MAX], uint32_t *n, struct err *e)
{
    uint32_t first = STEER_LINES_FIRST(x->config.lines);
    uint64_t *cpus = new_cpus(e);
    int rc = cpus != NULL ? 0 : -ENOMEM;

    *n = STEER_LINES_N(x->config.lines);
    if (*n > STEER_LINES_MAX || first > STEER_LINES_MAX)
        *n = first = 0; /* cannot be, and would be read as a list all the same */
    for (uint32_t i = 0; i < *n && rc == 0; i++) {
        uint32_t key = first + i;

        rc = bpf_map_lookup_elem(x->map.lines, &key, &v[i].line) == 0 ? 0 : -errno;
        if (rc == 0)
            rc = read_frames(x, key, cpus, &v[i].frames);
        if (rc < 0)
            err_sys(e, rc, "cannot read the steering lines of bridge %s", x->bridge);
    }
    free(cpus);
    return rc;
}

/* Each count goes to one line: the first equal one of the new list that has none yet. */
static void carry_frames(struct xdp_line *next, uint32_t n, struct xdp_line *old, uint32_t n_old)
{
    for (uint32_t i = 0; i < n; i++) {
        next[i].frames = 0;
        for (uint32_t j = 0; j < n_old; j++)
            if (old[j].frames != 0 && memcmp(&next[i].line, &old[j].line, sizeof(old[j].line)) == 0) {
                next[i].frames = old[j].frames;
                old[j].frames = 0;
                break;
            }
    }
}

static int write_half(struct xdp *x, uint32_t first, const struct xdp_line *v, uint32_t n, struct err *e)
{
    uint64_t *cpus = new_cpus(e);
    int rc = cpus != NULL ? 0 : -ENOMEM;

    for (uint32_t i = 0; i < n && rc == 0; i++) {
        uint32_t key = first + i;

        rc = bpf_map_update_elem(x->map.lines, &key, &v[i].line, BPF_ANY) == 0 ? 0 : -errno;
        if (rc == 0)
            rc = write_frames(x, key, cpus, v[i].frames);
        if (rc < 0)
            err_sys(e, rc, "cannot write the steering lines of bridge %s", x->bridge);
    }
    free(cpus);
    return rc;
}

int xdp_lines_set(struct xdp *x, struct xdp_line *v, uint32_t n, struct err *e)
{
    struct xdp_line old[STEER_LINES_MAX];
    struct steer_config to = x->config;
    uint32_t n_old, first = STEER_LINES_FIRST(to.lines) == 0 ? STEER_LINES_MAX : 0;
    int rc;

    if (n > STEER_LINES_MAX) {
        err_set(e, -E2BIG, "%u steering lines", n);
        return err_remedy(e, "write at most %d: ranges and prefixes make one of several", STEER_LINES_MAX),
               -E2BIG;
    }
    rc = xdp_lines_get(x, old, &n_old, e);
    if (rc < 0)
        return rc;
    wait_grace();
    carry_frames(v, n, old, n_old);
    rc = write_half(x, first, v, n, e);
    if (rc < 0)
        return rc;
    to.lines = STEER_LINES(first, n);
    return xdp_push_config(x, &to, e);
}
