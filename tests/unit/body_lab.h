/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_BODY_LAB_H
#define SLUICE_TESTS_BODY_LAB_H
/*
 * Bodies without a protocol around them: a parser that does nothing but show its body.
 *
 *     struct app_lab *l = body_lab_new(NULL);
 *     body_lab_begin(l, &about); body_lab_add(l, bytes, len, piece); body_lab_end(l, true);
 *     lab_grown(l, BUF_FILE_DATA)
 *     body_lab_free(l);
 */
#include "ips/app/body.h"
#include "tests/unit/app_lab.h"

struct body_lab_state {
    struct body body;
    struct app_tx tx;
};
static struct body_lab_state body_state;
static struct app_flow body_flow;

static void body_lab_show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct body_lab_state *s = state;

    body_show(a, &s->body, tx);
}

static const struct app_parser body_lab_parser = {.proto = APP_HTTP1, .tcp = true, .show = body_lab_show};

static inline struct app_lab *body_lab_new(const struct app_limits *limits)
{
    struct app_lab *l =
        lab_new(&(struct lab_setup){.limits = limits, .memory_bytes = 64u << 20, .flow_bytes = 32u << 20});

    static const uint8_t room[LAB_HEADERS + 1]; /* lab_packet() points in front of a payload */

    lab_packet(l, APP_TO_CLIENT, span_of(room + LAB_HEADERS, 0), false);
    memset(&body_state, 0, sizeof(body_state));
    body_flow = (struct app_flow){.parser = &body_lab_parser, .state = &body_state};
    l->app->p = &l->pkt;
    l->app->c = &l->counters;
    l->app->flow = &body_flow;
    l->app->of = l->pkt.flow;
    l->app->dir = APP_TO_CLIENT;
    app_tx_open(l->app, &body_state.tx);
    return l;
}

static inline void body_lab_events(struct app_lab *l)
{
    for (unsigned i = 0; i < sizeof(l->events.bits) / sizeof(l->events.bits[0]); i++)
        l->events.bits[i] |= l->pkt.anomalies.bits[i];
}

static inline void body_lab_begin(struct app_lab *l, const struct body_about *about)
{
    body_begin(l->app, &body_state.body, &body_state.tx, about);
}

/* In pieces of so many bytes, each in memory of just its size. */
static inline bool body_lab_add(struct app_lab *l, const void *bytes, size_t len, size_t piece)
{
    bool on = true;

    for (size_t at = 0; on && at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece;
        uint8_t *copy = malloc(n);

        memcpy(copy, (const uint8_t *)bytes + at, n);
        on = body_add(l->app, &body_state.body, &body_state.tx, span_of(copy, n));
        free(copy);
    }
    return on;
}

static inline void body_lab_end(struct app_lab *l, bool whole)
{
    body_end(l->app, &body_state.body, &body_state.tx, whole);
    body_lab_events(l);
}

/* The body goes; another one may come. */
static inline void body_lab_forget(struct app_lab *l)
{
    body_free(l->app, &body_state.body);
    if (body_flow.used != 0) {
        fprintf(stderr, "%u bytes of the flow were not given back\n", body_flow.used);
        abort();
    }
    lab_forget(l);
}

static inline void body_lab_free(struct app_lab *l)
{
    body_lab_forget(l);
    lab_free(l);
}
#endif
