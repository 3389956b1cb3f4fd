/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_PINS_H
#define SLUICE_IO_PINS_H
/*
 * The kernel side of a bridge as it lies pinned, for whoever has no daemon to ask: looked at, switched, attached, taken
 * off. ipsctl's `link` commands. Needs root; one thread. dir is `pin_dir`.
 */
#include <stdbool.h>
#include <stdint.h>
#include "bpf/shared.h"
#include "ips/base/err.h"

struct pins_state {
    char bridge[STEER_NAME_BYTES];
    char ifname[STEER_PORTS][16]; /* of the links as they are called now; "" where there is no link */
    bool attached[STEER_PORTS];
    bool daemon; /* one holds the lock */
    struct steer_config config;
    struct steer_switch switches;
    struct steer_life life;
    uint64_t exits[STEER_PORTS][STEER_CTR_N];
    int64_t beat_age_ns[STEER_QUEUES_MAX]; /* -1: no worker has given a sign of life; -2: it sleeps */
};

/* Every bridge that has pins, by name; nonzero of fn stops and is returned. -ENOENT: nothing is pinned there. */
int pins_each(const char *dir, int (*fn)(const char *bridge, void *arg), void *arg, struct err *e);
int pins_read(const char *dir, const char *bridge, struct pins_state *out, struct err *e);
int pins_bypass(const char *dir, const char *bridge, bool on, struct err *e);
int pins_reset(const char *dir, const char *bridge,
               struct err *e); /* forgets the crashes; -EBUSY while a daemon runs */
/* Detaches, unpins, puts the interfaces back. -EBUSY while a daemon runs, unless force. */
int pins_detach(const char *dir, const char *bridge, bool force, struct err *e);
/* Sets both interfaces up and attaches the program: frames follow the policy until a daemon takes over. */
int pins_attach(const char *dir, const char *bridge, const char *const ifname[STEER_PORTS],
                enum steer_fail_policy policy, struct err *e);
const char *pins_counter_name(unsigned counter); /* of enum steer_counter */
const char *pins_fail_name(unsigned policy);     /* of enum steer_fail_policy; "?": none of them */
#endif
