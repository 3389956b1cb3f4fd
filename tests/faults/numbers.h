/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_FAULTS_NUMBERS_H
#define SLUICE_TESTS_FAULTS_NUMBERS_H
/*
 * What the two threads of numbers.c have written down about every datagram, and the report made of it (numbers_report.c).
 * Times are microseconds since record.start_ns; 0 says that it never happened.
 */
#include <stdint.h>
#include <stdio.h>

#define FLOWS_MAX     1024
#define GAPS_MAX      4096 /* listed; more are only counted */
#define GAP_LISTED_US 5000

/* What a datagram is there for; one sequence of numbers goes through all of them. */
enum kind {
    KIND_GOOD,     /* of a few standing flows: must arrive */
    KIND_GOOD_NEW, /* each in a flow of its own */
    KIND_EVIL,     /* of one standing flow, which a drop rule has convicted */
    KIND_EVIL_NEW, /* each in a flow of its own: whoever lets it by has not looked */
    KIND_N,
};

struct gap {
    uint32_t from_us, us;
};

struct record {
    uint64_t start_ns; /* CLOCK_MONOTONIC, which all namespaces share */
    uint64_t most;     /* numbers there is room for */
    uint32_t evil_every, flows, slot_us;
    /* the sender's */
    uint64_t n; /* numbers given out */
    uint32_t *sent_us;
    uint64_t not_sent; /* the interface was down */
    uint64_t refused;  /* the interface had no room: lost between the sender and the cable */
    uint32_t stall_us; /* the longest the sender was late: what a gap of this size may come from */
    /* the receiver's */
    uint32_t *arrived_us;
    uint64_t duplicated, reordered, strange;
    struct gap gaps[GAPS_MAX], longest;
    uint32_t n_gaps;
};

enum kind record_kind(const struct record *r, uint64_t number);
void record_print(const struct record *r, FILE *to); /* one line of JSON */
#endif
