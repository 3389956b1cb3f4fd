/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_XDP_H
#define SLUICE_IO_XDP_H
/*
 * The kernel side of a bridge: loads the steering program, fills its maps, attaches it to both interfaces by
 * BPF links, and pins all of it, so that it outlives the daemon. Control thread only. Keys, values and words are in
 * bpf/shared.h; who needs a map that has no function here finds its descriptor in xdp_parts.h.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "bpf/shared.h"
#include "ips/base/err.h"
#include "ips/base/prefix.h"
#include "ips/io/port.h"

struct xdp;

#define XDP_CRASH_WINDOW_S 60
#define XDP_CRASHES_MAX    8 /* that are remembered one by one */

struct xdp_config {
    const char *ifname[STEER_PORTS];
    uint32_t ifindex[STEER_PORTS];
    enum steer_fail_policy fail_policy;
    enum xdp_mode mode; /* AUTO and NATIVE: native or an error with the remedy; GENERIC: on the skb */
    const char *
        pin_dir; /* pins go into pin_dir/bridge; NULL: nothing is pinned, and all of it ends with struct xdp */
    const char *bridge;    /* its name; of letters, digits, - and _ */
    uid_t owner;           /* who may remove the pins: what the daemon will run as */
    uint32_t flow_buckets; /* of the verdict cache, a power of two; 0: 1 */
    uint32_t rates;        /* addresses whose rate is remembered; 0: STEER_RATES_DEFAULT */
    uint64_t heartbeat_ns; /* a worker whose sign of life is older has none; 0: it is not looked at */
    uint32_t crash_limit;  /* so many within XDP_CRASH_WINDOW_S refuse the start; 0: none */
    bool no_daemon;        /* an operator attaches: nobody's life begins */
    /* At an upgrade: xdp_pins_fd() of the daemon that still serves the bridge. xdp_open() then changes nothing, and
     * fails where it would have to; xdp_succeed() takes over. The descriptor stays the caller's. */
    const int *pins_fd;
};

/* Load and fill, or take over what an earlier daemon left pinned; not attached yet, as far as it is new. -EBUSY: another
 * daemon serves this bridge. -ELOOP: crash_limit is reached, and everything stays as it is. */
struct xdp *xdp_open(const struct xdp_config *cfg, struct err *e);
int xdp_attach(struct xdp *x, struct err *e); /* both interfaces or neither; what is attached stays so */
/* Lets go. What is not pinned, or was never attached, ends here; else it stays if xdp_leave() said so, or if an earlier
 * daemon had left it. */
void xdp_close(struct xdp *x);
bool xdp_taken(const struct xdp *x); /* an earlier daemon's links still carry the traffic */
/* Of the daemons on these maps; true when the last one did not end in good order. */
bool xdp_life(const struct xdp *x, struct steer_life *out);
/* The wire is to stay as the fail policy says, from xdp_close() on. -EINVAL: nothing is pinned. */
int xdp_leave(struct xdp *x);
/* Off both interfaces, and nothing stays pinned. */
void xdp_detach(struct xdp *x);
/* cfg as xdp_open() had it. Call when the other daemon has stopped; xdp_attach() after it. */
int xdp_succeed(struct xdp *x, const struct xdp_config *cfg, struct err *e);
bool xdp_pinned(const struct xdp *x);
int xdp_pins_fd(const struct xdp *x);   /* the directory of the pins and its lock; -1: nothing is pinned */
bool xdp_attached(const struct xdp *x); /* to one interface at least; as the kernel says it */
bool xdp_stays(const struct xdp *x);    /* something will be attached when xdp_close() is done */
int xdp_set_fail_policy(struct xdp *x, enum steer_fail_policy policy, struct err *e);
int xdp_set_flags(struct xdp *x, uint32_t mask, uint32_t on,
                  struct err *e); /* enum steer_flag; others stay */
/* xdp_link.c, while the bridge is attached and one interface goes or comes. */
bool xdp_port_attached(struct xdp *x, uint32_t port); /* the program is on the interface */
bool xdp_port_known(struct xdp *x,
                    uint32_t port); /* the kernel forwards to it: false once it was removed, for good */
void xdp_detach_port(struct xdp *x, uint32_t port); /* if it is attached */
/* The interface takes the place of the port's. It is not attached yet; the same interface again changes nothing. */
int xdp_replace_port(struct xdp *x, uint32_t port, const char *ifname, uint32_t ifindex, struct err *e);
int xdp_set_socket(struct xdp *x, uint32_t port, uint32_t queue, int fd, struct err *e);
int xdp_clear_socket(struct xdp *x, uint32_t port, uint32_t queue);

/* The maps that are memory: any thread, by the rules of bpf/shared.h, as long as struct xdp lives. */
struct xdp_memory {
    struct steer_beat *beats; /* STEER_QUEUES_MAX */
    struct steer_bucket *flows;
    struct steer_key_info *keys; /* flow_buckets * STEER_WAYS */
    uint32_t flow_buckets;
    __u64 secret[2]; /* of tags */
};
void xdp_memory(const struct xdp *x, struct xdp_memory *out);

/* What the interface was before the first daemon on these maps set it up; as ips/io/nic.c packs it. */
int xdp_was_read(struct xdp *x, uint32_t port, struct steer_was *out);
int xdp_was_write(struct xdp *x, uint32_t port, const struct steer_was *was);

/*
 * The block lists and the allow list (xdp_block.c); `sides` of a prefix say which of the two it goes on. Adding what is
 * there is no error; keep: it keeps its count. Sorted entries go in fastest.
 */
enum xdp_list { XDP_LIST_BLOCK, XDP_LIST_ALLOW };
int xdp_list_add(struct xdp *x, enum xdp_list list, const struct prefix *v, size_t n, bool keep,
                 struct err *e);
/* What is not there is no error; *n_removed counts sides. */
int xdp_list_del(struct xdp *x, enum xdp_list list, const struct prefix *v, size_t n, size_t *n_removed,
                 struct err *e);
int xdp_list_clear(struct xdp *x, enum xdp_list list, size_t max, size_t *n_removed,
                   struct err *e); /* at most max */
/* Shows entries, once for each side, from the cursor (zeroed: the first) on, at most max of them, and moves it behind
 * them. fn may remove what it is shown; nonzero stops and is returned. When c->trie is 4, that was all. */
struct xdp_cursor {
    uint8_t trie; /* side * 2 + family */
    bool inside;  /* behind `at` */
    struct prefix at;
};
struct xdp_visit {
    int (*fn)(const struct prefix *p, uint64_t frames, void *arg);
    void *arg;
};
int xdp_list_page(struct xdp *x, enum xdp_list list, struct xdp_cursor *c, uint32_t max,
                  const struct xdp_visit *visit);
uint64_t xdp_list_frames(struct xdp *x, enum xdp_list list,
                         const struct prefix *p); /* of one entry on one side */

/* The guard's switches and limits (xdp_guard.c); an interval of 0 is no limit. */
struct xdp_guard {
    bool broken;
    struct steer_limit limit[STEER_RATE_N];
};
int xdp_guard_set(struct xdp *x, const struct xdp_guard *g, struct err *e);
void xdp_guard_get(const struct xdp *x, struct xdp_guard *g);
#define XDP_RATE_TEXT_MAX 64
/* "5000/s burst 1000"; "5000/s" has a burst of 5000; "0" and "" are no limit. */
int xdp_rate_parse(const char *text, struct steer_limit *l, struct err *e);
const char *xdp_rate_format(const struct steer_limit *l, char *buf);
int xdp_set_heartbeat(struct xdp *x, uint64_t heartbeat_ns, struct err *e);

/* The steering lines in force (xdp_lines.c), and a new list in their place: a frame sees the one or the other. What stays
 * keeps its count; v[].frames is written. */
struct xdp_line {
    struct steer_line line;
    uint64_t frames;
};
int xdp_lines_get(struct xdp *x, struct xdp_line v[STEER_LINES_MAX], uint32_t *n, struct err *e);
int xdp_lines_set(struct xdp *x, struct xdp_line *v, uint32_t n, struct err *e);

struct xdp_counters {
    uint64_t exits[STEER_PORTS][STEER_CTR_N];
    uint64_t parse[STEER_PORTS][STEER_PARSE_N];
};
int xdp_counters(struct xdp *x, struct xdp_counters *out);
extern const char *const steer_counter_names[STEER_CTR_N];

/* What stalled workers, in the map that outlives the daemon (xdp_strikes.c). Any thread. */
int xdp_strike(struct xdp *x, const struct steer_strike *what,
               struct err *e); /* one more; its count is not read */
int xdp_strikes(struct xdp *x, struct steer_strike v[STEER_STRIKES_MAX],
                struct err *e); /* how many, or negative */
/* Forgets one (its gid and sid, or its parser), or all when `what` is NULL. How many, or negative. */
int xdp_strikes_clear(struct xdp *x, const struct steer_strike *what, struct err *e);
#endif
