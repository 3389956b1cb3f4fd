/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report of a run of numbers: every number was written down twice, when it was sent and when it arrived, so each loss
 * has a time. Losses that lie close to each other are one outage. Slots say what was sent, lost and crossed in each part
 * of the run, so that who knows when a fault began and ended can tell what it cost from what was lost beside it.
 *
 * Runs once, after both threads have ended.
 */
#include "tests/faults/numbers.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define OUTAGE_ENDS  200 /* numbers that arrive in a row */
#define OUTAGES_MAX  2000
#define LATENCY_MOST 65536 /* us; slower ones count as this */

struct slot {
    uint32_t sent, lost, evil, crossed, late_us;
};

struct outage {
    uint64_t lost;
    uint32_t from_us, to_us;
};

struct totals {
    uint64_t sent[KIND_N], arrived[KIND_N];
    uint32_t latency[LATENCY_MOST]; /* datagrams that took so many microseconds */
    uint32_t latency_max_us;
    uint32_t sent_end_us; /* when the last number was sent */
};

static struct totals totals;

enum kind record_kind(const struct record *r, uint64_t number)
{
    uint64_t at = number % r->evil_every;

    if (at == 0)
        return number / r->evil_every & 1 ? KIND_EVIL : KIND_EVIL_NEW;
    return at == r->evil_every / 2 ? KIND_GOOD_NEW : KIND_GOOD;
}

static void add_up(const struct record *r)
{
    memset(&totals, 0, sizeof(totals));
    for (uint64_t i = 0; i < r->n; i++) {
        enum kind kind = record_kind(r, i);

        if (!r->sent_us[i])
            continue;
        totals.sent_end_us = r->sent_us[i];
        totals.sent[kind]++;
        if (!r->arrived_us[i])
            continue;
        totals.arrived[kind]++;
        if (kind != KIND_GOOD)
            continue;
        uint32_t us = r->arrived_us[i] > r->sent_us[i] ? r->arrived_us[i] - r->sent_us[i] : 0;
        totals.latency[us < LATENCY_MOST ? us : LATENCY_MOST - 1]++;
        if (us > totals.latency_max_us)
            totals.latency_max_us = us;
    }
}

static uint32_t latency_at(double part)
{
    uint64_t wanted = (uint64_t)(part * (double)totals.arrived[KIND_GOOD]), seen = 0;
    uint32_t us = 0;

    for (; us < LATENCY_MOST - 1; us++) {
        seen += totals.latency[us];
        if (seen > wanted)
            break;
    }
    return us;
}

static void print_outage(FILE *to, const struct outage *o, unsigned *n)
{
    if (o->lost && (*n)++ < OUTAGES_MAX)
        fprintf(to, "%s[%" PRIu32 ",%" PRIu32 ",%" PRIu64 "]", *n > 1 ? "," : "", o->from_us, o->to_us,
                o->lost);
}

static void print_outages(const struct record *r, FILE *to)
{
    struct outage o = {0};
    uint64_t in_a_row = 0;
    unsigned n = 0;

    fprintf(to, "\"outages\":[");
    for (uint64_t i = 0; i < r->n; i++) {
        if (!r->sent_us[i] || record_kind(r, i) != KIND_GOOD)
            continue;
        if (r->arrived_us[i]) {
            if (++in_a_row == OUTAGE_ENDS) {
                print_outage(to, &o, &n);
                o.lost = 0;
            }
            continue;
        }
        if (!o.lost++)
            o.from_us = r->sent_us[i];
        o.to_us = r->sent_us[i];
        in_a_row = 0;
    }
    print_outage(to, &o, &n);
    fprintf(to, "],\"n_outages\":%u,", n);
}

static void print_slot(FILE *to, const struct slot *s, bool first)
{
    fprintf(to, "%s[%u,%u,%u,%u,%u]", first ? "" : ",", s->sent, s->lost, s->evil, s->crossed, s->late_us);
}

/* [numbers sent, of them lost, new evil ones sent, of them crossed, the slowest's microseconds], by when they were sent */
static void print_slots(const struct record *r, FILE *to)
{
    struct slot s = {0};
    uint32_t end = r->slot_us;
    bool first = true;

    fprintf(to, "\"slots\":[");
    for (uint64_t i = 0; i < r->n; i++) {
        enum kind kind = record_kind(r, i);
        uint32_t sent = r->sent_us[i], arrived = r->arrived_us[i];

        if (!sent)
            continue;
        for (; sent > end; end += r->slot_us) {
            print_slot(to, &s, first);
            memset(&s, 0, sizeof(s));
            first = false;
        }
        if (kind == KIND_GOOD) {
            s.sent++;
            s.lost += !arrived;
            if (arrived > sent && arrived - sent > s.late_us)
                s.late_us = arrived - sent;
        } else if (kind == KIND_EVIL_NEW) {
            s.evil++;
            s.crossed += arrived != 0;
        }
    }
    print_slot(to, &s, first);
    fprintf(to, "],");
}

void record_print(const struct record *r, FILE *to)
{
    static const char *const names[KIND_N] = {"good", "good_new", "evil", "evil_new"};

    add_up(r);
    fprintf(to, "{\"start_ns\":%" PRIu64 ",\"seconds\":%.3f,", r->start_ns, totals.sent_end_us / 1e6);
    for (int k = 0; k < KIND_N; k++)
        fprintf(to, "\"%s\":{\"sent\":%" PRIu64 ",\"arrived\":%" PRIu64 "},", names[k], totals.sent[k],
                totals.arrived[k]);
    fprintf(to, "\"not_sent\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"stall_us\":%" PRIu32 ",", r->not_sent,
            r->refused, r->stall_us);
    fprintf(to, "\"duplicated\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"strange\":%" PRIu64 ",",
            r->duplicated, r->reordered, r->strange);
    fprintf(to, "\"latency_us\":{\"p50\":%u,\"p99\":%u,\"p999\":%u,\"max\":%u},", latency_at(0.5),
            latency_at(0.99), latency_at(0.999), totals.latency_max_us);
    fprintf(to, "\"longest_gap\":[%" PRIu32 ",%" PRIu32 "],\"n_gaps\":%" PRIu32 ",\"gaps\":[",
            r->longest.from_us, r->longest.us, r->n_gaps);
    for (uint32_t i = 0; i < r->n_gaps && i < GAPS_MAX; i++)
        fprintf(to, "%s[%" PRIu32 ",%" PRIu32 "]", i ? "," : "", r->gaps[i].from_us, r->gaps[i].us);
    fprintf(to, "],\"slot_us\":%" PRIu32 ",", r->slot_us);
    print_outages(r, to);
    print_slots(r, to);
    fprintf(to, "\"numbers\":%" PRIu64 "}\n", r->n);
}
