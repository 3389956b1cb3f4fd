/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_XDP_H
#define SLUICE_IO_XDP_H
/*
 * The kernel side of a bridge: loads the steering program, fills its maps, attaches it to both interfaces by
 * BPF links. Control thread only. Keys, values and words are in bpf/shared.h.
 */
#include <stdbool.h>
#include <stdint.h>
#include "bpf/shared.h"
#include "ips/base/err.h"
#include "ips/io/port.h"

struct xdp;

struct xdp_config {
    const char *ifname[STEER_PORTS];
    uint32_t ifindex[STEER_PORTS];
    enum steer_fail_policy fail_policy;
    enum xdp_mode mode; /* AUTO and NATIVE: native or an error with the remedy; GENERIC: on the skb */
};

struct xdp *xdp_open(const struct xdp_config *cfg, struct err *e); /* load and fill; not attached yet */
int xdp_attach(struct xdp *x, struct err *e);                      /* both interfaces or neither */
void xdp_close(struct xdp *x);                                     /* detach, unload */
int xdp_set_socket(struct xdp *x, uint32_t port, uint32_t queue, int fd, struct err *e);
int xdp_clear_socket(struct xdp *x, uint32_t port, uint32_t queue);

/* "10.0.0.0/8" or "2001:db8::/32"; an address alone is a host; bits behind the length are cleared. side = source,
 * destination or both. Adding what is there is no error and starts its count anew; xdp_block_each() shows a prefix
 * once per side, and the callback may remove it (nonzero stops and is returned). */
enum xdp_block_side { XDP_BLOCK_SRC = 1, XDP_BLOCK_DST = 2, XDP_BLOCK_BOTH = 3 };
int xdp_block_add(struct xdp *x, const char *prefix, enum xdp_block_side side, struct err *e);
int xdp_block_del(struct xdp *x, const char *prefix, enum xdp_block_side side, struct err *e); /* -ENOENT */
typedef int (*xdp_block_fn)(const char *prefix, enum xdp_block_side side, uint64_t frames, void *arg);
int xdp_block_each(struct xdp *x, xdp_block_fn fn, void *arg);

struct xdp_counters {
    uint64_t exits[STEER_PORTS][STEER_CTR_N];
    uint64_t parse[STEER_PORTS][STEER_PARSE_N];
};
int xdp_counters(struct xdp *x, struct xdp_counters *out);
extern const char *const steer_counter_names[STEER_CTR_N];
#endif
