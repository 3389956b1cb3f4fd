/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_EVADE_PARTS_H
#define SLUICE_TESTS_EVADE_PARTS_H
/* What the makers of plans share: evade_plan.c, evade_chaff.c. */
#include "tests/net/evade.h"

struct builder {
    struct variant *v;
    struct rng r;
    unsigned attack_at, attack_len;
    struct piece {
        int32_t off;
        unsigned len;
    } piece[256];
    unsigned n_pieces;
};

/* What a receiver makes of a chaff packet. */
enum fate {
    DISCARDED, /* surely nothing */
    MAYBE,     /* it may take the bytes */
    ENDS       /* it may end the connection, or make the receiver deaf */
};

enum group {
    G_SUM = 1,
    G_TTL = 2,
    G_WINDOW = 4,
    G_PAWS = 8,
    G_RST = 16,
    G_FIN = 32,
    G_SYN = 64,
    G_FIELDS = 128,
    G_VLAN = 256,
    GROUPS = 9
};

struct chaff {
    enum group group;
    enum fate fate;
    void (*make)(struct builder *b, struct step *s);
};

extern const struct chaff chaff_conflict; /* a good segment that says something else */
extern const struct chaff chaff_bad_sum, chaff_low_ttl;
/* One of these groups, that fits the mode. */
const struct chaff *chaff_pick(struct builder *b, unsigned groups);
/* Odd, and yet a receiver takes it: what an inspector must not overlook. */
void chaff_odd(struct builder *b, struct step *s);
#endif
