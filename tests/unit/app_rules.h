/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_APP_RULES_H
#define SLUICE_TESTS_APP_RULES_H
/*
 * app_lab.h with rules: the same flow, and detection asked at each point.
 *
 *     struct rules_lab *r = rules_lab_new(&(struct lab_setup){.dport = 53, .udp = true}, "drop dns ... (sid:1;)\n");
 *     lab_send(r->lab, ...);
 *     assert_int_equal(rules_lab_alerts(r, 1), 1);     since the last call of rules_lab_forget()
 *     assert_int_equal(r->lab->pkt.verdict, VERDICT_DROP);
 */
#include <unistd.h>

#include "ips/detect/detect.h"
#include "ips/log/event.h"
#include "tests/unit/app_lab.h"

#define RULES_SEEN_MAX 1024

struct rules_lab {
    struct app_lab *lab; /* first: the hooks find the rest by it */
    const struct ruleset *rs;
    struct ruleset *own; /* NULL: borrowed */
    struct detect *det;
    struct event_ring *ring;
    uint32_t sid[RULES_SEEN_MAX], n;
    uint8_t verdict; /* of the last packet */
    uint32_t n_app_events;
    struct rules_lab *next;
};

static struct rules_lab *rules_labs; /* those that are there */

static inline struct rules_lab *rules_lab_of(const struct app_lab *l)
{
    struct rules_lab *r = rules_labs;

    while (r->lab != l)
        r = r->next;
    return r;
}

static inline struct ruleset *rules_lab_load(const char *rules, uint8_t dialect)
{
    char path[] = "/tmp/sluice-app-XXXXXX";
    const char *const files[] = {path};
    struct ruleset_source src = {
        .files = files, .n_files = 1, .n_workers = 1, .strict = true, .dialect = dialect};
    struct err_list errs;
    int fd = mkstemp(path);

    if (fd < 0 || write(fd, rules, strlen(rules)) != (ssize_t)strlen(rules))
        abort();
    close(fd);
    err_list_init(&errs);
    struct ruleset *rs = ruleset_build(&src, &errs);
    err_list_print(&errs, stderr);
    err_list_fini(&errs);
    unlink(path);
    if (!rs)
        abort();
    return rs;
}

static inline void rules_lab_begin(struct app_lab *l)
{
    struct rules_lab *r = rules_lab_of(l);

    detect_begin(r->det, r->rs, &l->pkt);
}

static inline void rules_lab_end(struct app_lab *l)
{
    struct rules_lab *r = rules_lab_of(l);

    detect_end(r->det, &l->pkt);
    r->verdict = l->pkt.verdict;
    for (const struct event *ev; (ev = event_ring_peek(r->ring)); event_ring_release(r->ring, ev)) {
        if (ev->type == EVENT_ALERT && r->n < RULES_SEEN_MAX)
            r->sid[r->n++] = ev->sid;
        r->n_app_events += ev->type == EVENT_APP;
    }
}

/* With a ruleset of the caller's. */
static inline struct rules_lab *rules_lab_over(const struct lab_setup *setup, const struct ruleset *rs)
{
    struct rules_lab *r = calloc(1, sizeof(*r));
    struct err e = {0};

    r->lab = lab_new(setup);
    r->rs = rs;
    r->ring = event_ring_new(1 << 20);
    struct detect_config dc = {.inline_mode = !setup->not_inline,
                               .log_payload = true,
                               .flows = r->lab->flows,
                               .max_flows = 16,
                               .app = r->lab->app};
    r->det = detect_new(&dc, 0, r->ring, &r->lab->counters, &e);
    if (!r->det || !r->ring)
        abort();
    app_set_hooks(r->lab->app,
                  &(struct app_hooks){.arg = r->det, .inspect = detect_point, .log = detect_log});
    r->lab->begin = rules_lab_begin;
    r->lab->end = rules_lab_end;
    r->next = rules_labs;
    rules_labs = r;
    return r;
}

static inline struct rules_lab *rules_lab_new_as(const struct lab_setup *setup, const char *rules,
                                                 uint8_t dialect)
{
    struct ruleset *rs = rules_lab_load(rules, dialect);
    struct rules_lab *r = rules_lab_over(setup, rs);

    r->own = rs;
    return r;
}

static inline struct rules_lab *rules_lab_new(const struct lab_setup *setup, const char *rules)
{
    return rules_lab_new_as(setup, rules, DIALECT_SURICATA);
}

static inline unsigned rules_lab_alerts(const struct rules_lab *r, uint32_t sid)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < r->n; i++)
        n += r->sid[i] == sid;
    return n;
}

static inline void rules_lab_forget(struct rules_lab *r)
{
    r->n = 0;
}

static inline void rules_lab_free(struct rules_lab *r)
{
    struct rules_lab **at = &rules_labs;

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    lab_free(r->lab);
    detect_free(r->det);
    ruleset_free(r->own);
    event_ring_free(r->ring);
    free(r);
}
#endif
