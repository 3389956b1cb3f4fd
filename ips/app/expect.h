/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_EXPECT_H
#define SLUICE_APP_EXPECT_H
/*
 * Connections that others have agreed on: FTP's data. One table for all workers of a bridge, because the data connection may
 * be another worker's than the one that saw it agreed on. See expect.c.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/err.h"
#include "ips/io/packet.h"

#define EXPECT_NOTE_MAX 64 /* bytes */
#define EXPECT_MS       30000
#define EXPECT_ENTRIES  8192

struct expect;

struct expect_key {
    const struct addr *listener, *opener;
    uint16_t port;  /* of the listener */
    uint32_t vlans; /* as in struct flow */
};

struct expect_note {
    uint8_t proto, len;
    uint8_t bytes[EXPECT_NOTE_MAX];
};

/* n_entries is rounded up to a power of two, at least 64. Control thread; workers use it afterwards. */
struct expect *expect_new(uint32_t n_entries, struct err *e);
void expect_free(struct expect *x);
/* Makes the entry, or changes the note of the one that is there. False: no room. */
bool expect_add(struct expect *x, const struct expect_key *k, uint64_t now_ms, const struct expect_note *n);
/* Takes the entry out; false: there is none. Cheap while nothing is expected. */
bool expect_take(struct expect *x, const struct expect_key *k, uint64_t now_ms, struct expect_note *n);
/* Entries, those included whose time is over and that nobody came across. Any thread. */
uint32_t expect_count(const struct expect *x);
#endif
