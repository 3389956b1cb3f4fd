/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What rules remember, and what stands between a match and its alert: flowbits, flowints, xbits, hostbits, thresholds,
 * filters, suppressions, tags; each trap of RULES.md 2C (38, 42, 45, 46) that is about them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "ips/base/clock.h"
#include "ips/detect/detect.h"
#include "ips/detect/threshold.h"
#include "tests/unit/packets.h"

static struct counters ctr;
static struct flow_table *flows;
static struct ruleset *rs;
static struct detect *det;
static struct event_ring *ring;
static struct frame f;
static uint64_t now_ms;
static uint32_t max_vars;

static char *temp_file(const char *text, char path[32])
{
    strcpy(path, "/tmp/sluice-state-XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

/* errors NULL: there must be none. */
static struct ruleset *build(const char *rules, const char *thresholds, struct err_list *errors)
{
    char path[32], config[32];
    const char *const files[] = {temp_file(rules, path)};
    const struct ruleset_var vars[] = {{"NEAR", "[10.0.0.0/24,!10.0.0.9]"}};
    struct ruleset_source src = {.files = files, .n_files = 1, .n_workers = 2, .vars = vars, .n_vars = 1};
    struct err_list own;

    if (thresholds)
        src.threshold_file = temp_file(thresholds, config);
    err_list_init(&own);
    struct ruleset *built = ruleset_build(&src, errors ? errors : &own);
    err_list_print(&own, stderr);
    assert_int_equal(own.n, 0);
    err_list_fini(&own);
    unlink(path);
    if (thresholds)
        unlink(config);
    assert_non_null(built);
    return built;
}

static void teardown_all(void)
{
    detect_free(det);
    flow_table_free(flows);
    event_ring_free(ring);
    ruleset_free(rs);
    det = NULL, flows = NULL, ring = NULL, rs = NULL;
}

static int teardown(void **state)
{
    teardown_all();
    max_vars = 0;
    return 0;
}

static void use_with(const char *rules, const char *thresholds)
{
    const struct flow_config fc = {.max_flows = 1000,
                                   .max_vars = max_vars ? max_vars : 100,
                                   .tcp_new_s = 30,
                                   .tcp_established_s = 600,
                                   .tcp_closed_s = 10,
                                   .udp_new_s = 30,
                                   .udp_established_s = 300,
                                   .icmp_s = 20,
                                   .other_s = 60};
    struct err e;

    teardown_all();
    memset(&ctr, 0, sizeof(ctr));
    now_ms = 1000000;
    rs = build(rules, thresholds, NULL);
    flows = flow_table_new(&fc, &e);
    ring = event_ring_new(1 << 20);
    det = detect_new(&(struct detect_config){.inline_mode = true, .flows = flows}, 0, ring, &ctr, &e);
    assert_true(flows && ring && det);
}

static void use(const char *rules)
{
    use_with(rules, NULL);
}

static struct packet send_pkt(const struct pkt *k)
{
    struct packet p = pkt_decoded(&f, k, now_ms * NS_PER_MS);

    flow_track(flows, &p, 1, &ctr);
    detect_packet(det, rs, &p);
    return p;
}

/* A datagram from host src, port sport, to host dst. */
static struct packet udp_from(uint8_t src, uint16_t sport, uint8_t dst, const char *payload)
{
    return send_pkt(&(struct pkt){
        .proto = IPPROTO_UDP, .src = src, .sport = sport, .dst = dst, .dport = 53, .payload = payload});
}

static struct packet udp(const char *payload)
{
    return udp_from(1, 1000, 2, payload);
}

/* The events since the last call: alerts as their sid, "s!" when dropped; drops as "-sid(reason)"; packets as "P". */
static const char *events(void)
{
    static char text[4096];
    const struct event *ev;
    size_t n = 0;

    text[0] = 0;
    while ((ev = event_ring_peek(ring))) {
        if (ev->type == EVENT_ALERT)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%u%s ", ev->sid, ev->verdict ? "!" : "");
        else if (ev->type == EVENT_PACKET)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "P ");
        else
            n += (size_t)snprintf(text + n, sizeof(text) - n, "-%u(%s) ", ev->sid,
                                  drop_info[ev->drop_reason].name);
        event_ring_release(ring, ev);
    }
    return text;
}

/* What a packet leads to. */
static const char *said(struct packet p)
{
    return events();
}

/* --- flowbits ------------------------------------------------------------------------------------------- */

static void bits_are_set_and_read_on_one_packet(void **state)
{
    /* readers first in the file, and with the higher priority: setters still run before them */
    use("alert udp any any -> any any (content:\"a\"; flowbits:isset,x; priority:1; sid:1;)\n"
        "alert udp any any -> any any (content:\"a\"; flowbits:isset,w; flowbits:set,x; sid:2;)\n"
        "alert udp any any -> any any (content:\"a\"; flowbits:set,w; priority:9; sid:3;)\n");
    assert_string_equal(said(udp("a")), "3 2 1 ");
}

static void action_comes_before_bits(void **state)
{
    use("drop udp any any -> any any (content:\"a\"; flowbits:isset,x; sid:1;)\n"
        "alert udp any any -> any any (content:\"a\"; flowbits:set,x; sid:2;)\n");
    assert_string_equal(said(udp("a")), "2 ");
    assert_string_equal(said(udp("a")), "1! 2! -1(rules) ");
}

static void bits_are_set_only_by_a_whole_match(void **state)
{
    use("alert udp any any -> any any (content:\"a\"; flowbits:set,x; content:\"b\"; noalert; sid:1;)\n"
        "alert udp any any -> any any (flowbits:isset,x; sid:2;)\n");
    assert_string_equal(said(udp("a")), "");
    assert_string_equal(said(udp("ab")), "2 ");
    assert_string_equal(said(udp_from(1, 1001, 2, "a")), ""); /* another flow */
    assert_string_equal(said(udp("")), "2 ");
}

static void bits_lists_and_commands(void **state)
{
    use("alert udp any any -> any any (content:\"set\"; flowbits:set,lists.a; flowbits:noalert; sid:1;)\n"
        "alert udp any any -> any any (content:\"two\"; flowbits:set,lists.b&lists.c; noalert; sid:2;)\n"
        "alert udp any any -> any any (content:\"off\"; flowbits:unset,lists.a; noalert; sid:3;)\n"
        "alert udp any any -> any any (content:\"flip\"; flowbits: toggle , lists.a; noalert; sid:4;)\n"
        "alert udp any any -> any any (content:\"?\"; flowbits:isset,lists.z|lists.a; sid:10;)\n"
        "alert udp any any -> any any (content:\"?\"; flowbits:isset,lists.a&lists.b; sid:11;)\n"
        "alert udp any any -> any any (content:\"?\"; flowbits:isnotset,lists.a; sid:12;)\n"
        "alert udp any any -> any any (content:\"?\"; flowbits:isnotset,lists.a|lists.b; sid:13;)\n");
    assert_string_equal(said(udp("?")), "12 13 ");
    udp("set");
    assert_string_equal(said(udp("?")), "10 13 ");
    udp("two");
    assert_string_equal(said(udp("?")), "10 11 ");
    udp("off");
    assert_string_equal(said(udp("?")), "12 13 ");
    udp("flip");
    assert_string_equal(said(udp("?")), "10 11 ");
    udp("flip");
    assert_string_equal(said(udp("?")), "12 13 ");
}

static void nothing_is_remembered_of_a_packet_without_flow(void **state)
{
    const struct pkt fragment = {.proto = IPPROTO_UDP, .payload = "a", .frag = 0x2000};

    use("alert ip any any -> any any (content:\"a\"; flowbits:set,x; noalert; sid:1;)\n"
        "alert ip any any -> any any (content:\"a\"; flowbits:isset,x; sid:2;)\n"
        "alert ip any any -> any any (content:\"a\"; flowbits:isnotset,x; sid:3;)\n"
        "alert ip any any -> any any (content:\"a\"; flowint:n,notset; sid:4;)\n");
    assert_string_equal(said(send_pkt(&fragment)), "");
}

static void bits_outlive_thresholds_and_passes(void **state)
{
    use_with(
        "alert udp any any -> any any (content:\"a\"; threshold:type limit,track by_src,count 1,seconds 9; "
        "flowbits:toggle,p; sid:1;)\n"
        "alert udp any any -> any any (content:\"a\"; flowbits:isset,p; sid:2;)\n"
        "alert udp any any -> any any (content:\"s\"; flowbits:set,q; sid:3;)\n"
        "pass udp any any -> any any (content:\"pass\"; sid:4;)\n"
        "alert udp any any -> any any (content:\"?\"; flowbits:isset,q; sid:5;)\n",
        "suppress gen_id 1, sig_id 3\n");
    assert_string_equal(said(udp("a")), "1 2 ");
    assert_string_equal(said(udp("a")), "");
    assert_string_equal(said(udp("a")), "2 ");
    assert_string_equal(said(udp("pass")), ""); /* matches 3 as well, by its s */
    assert_string_equal(said(udp("?")), "5 ");
}

static void bits_keep_their_meaning_across_reloads(void **state)
{
    use("alert udp any any -> any any (content:\"a\"; flowbits:set,reload.one; noalert; sid:1;)\n");
    udp("a");
    ruleset_free(rs);
    rs = build("alert udp any any -> any any (flowbits:isset,reload.other; sid:2;)\n"
               "alert udp any any -> any any (flowbits:isset,reload.one; sid:3;)\n",
               NULL, NULL);
    assert_string_equal(said(udp("b")), "3 ");
}

static void no_room_for_a_bit_is_counted(void **state)
{
    max_vars = 1;
    use("alert udp any any -> any any (flowbits:set,room; noalert; sid:1;)\n"
        "alert udp any any -> any any (flowbits:isset,room; sid:2;)\n");
    assert_string_equal(said(udp("a")), "2 ");
    assert_string_equal(said(udp_from(3, 1, 4, "a")), "");
    assert_int_equal(ctr.v[CTR_VARS_FULL], 1);
    now_ms += 400 * 1000; /* the first flow ends, and its block comes back */
    flow_expire(flows, now_ms * NS_PER_MS, 100, &ctr);
    assert_string_equal(said(udp_from(5, 1, 6, "a")), "2 ");
    assert_int_equal(ctr.v[CTR_VARS_FULL], 1);
}

static void numbers(void **state)
{
    use("alert udp any any -> any any (content:\"+\"; flowint:num.a,+,3; noalert; sid:1;)\n"
        "alert udp any any -> any any (content:\"-\"; flowint:num.a,-,num.b; noalert; sid:2;)\n"
        "alert udp any any -> any any (content:\"=\"; flowint:num.b, = ,4; noalert; sid:3;)\n"
        "alert udp any any -> any any (content:\"?\"; flowint:num.a,notset; sid:10;)\n"
        "alert udp any any -> any any (content:\"?\"; flowint:num.a,isset; sid:11;)\n"
        "alert udp any any -> any any (content:\"?\"; flowint:num.a,==,6; sid:12;)\n"
        "alert udp any any -> any any (content:\"?\"; flowint:num.a,>,num.b; sid:13;)\n"
        "alert udp any any -> any any (content:\"?\"; flowint:num.a,<=,2; sid:14;)\n"
        "alert udp any any -> any any (content:\"?\"; flowint:num.a,!=,6; sid:15;)\n");
    assert_string_equal(said(udp("?")), "10 ");
    udp("-");
    assert_string_equal(said(udp("?")), "10 "); /* nothing to take from */
    udp("+"), udp("+");
    assert_string_equal(said(udp("?")), "11 12 13 ");
    udp("="), udp("-");
    assert_string_equal(said(udp("?")), "11 14 15 ");
}

/* --- hosts and pairs -------------------------------------------------------------------------------------- */

static void host_bits(void **state)
{
    use("alert udp any any -> any any (content:\"set\"; xbits:set,hb,track ip_src,expire 10; noalert; "
        "sid:1;)\n"
        "alert udp any any -> any any (content:\"off\"; xbits:unset,hb,track ip_src; noalert; sid:2;)\n"
        "alert udp any any -> any any (content:\"flip\"; hostbits:toggle,hb,both; noalert; sid:3;)\n"
        "alert udp any any -> any any (content:\"?\"; xbits:isset,hb,track ip_src; sid:10;)\n"
        "alert udp any any -> any any (content:\"?\"; xbits:isset,hb,track ip_dst; sid:11;)\n"
        "alert udp any any -> any any (content:\"?\"; hostbits:isset,hb,both; sid:12;)\n"
        "alert udp any any -> any any (content:\"?\"; hostbits:isnotset,hb; sid:13;)\n");
    assert_string_equal(said(udp("?")), "13 ");
    udp_from(1, 7, 9, "set");
    assert_string_equal(said(udp_from(1, 8, 2, "?")), "10 12 "); /* other flows of the same host */
    assert_string_equal(said(udp_from(3, 8, 1, "?")), "11 12 13 ");
    assert_string_equal(said(udp_from(3, 8, 4, "?")), "13 ");
    now_ms += 10 * 1000;
    assert_string_equal(said(udp_from(1, 8, 2, "?")), "10 12 ");
    now_ms += 1;
    assert_string_equal(said(udp_from(1, 8, 2, "?")), "13 ");
    udp_from(1, 7, 9, "set"), udp_from(1, 7, 9, "off");
    assert_string_equal(said(udp_from(1, 8, 2, "?")), "13 ");
    udp_from(1, 7, 9, "flip"); /* both ends */
    assert_string_equal(said(udp_from(9, 8, 1, "?")), "10 11 12 ");
}

static void pair_bits_have_no_direction(void **state)
{
    use("alert udp any any -> any any (content:\"set\"; xbits:set,pb,track ip_pair; noalert; sid:1;)\n"
        "alert udp any any -> any any (content:\"?\"; xbits:isset,pb,track ip_pair; sid:10;)\n"
        "alert udp any any -> any any (content:\"?\"; xbits:isset,pb,track ip_src; sid:11;)\n");
    udp_from(1, 7, 9, "set");
    assert_string_equal(said(udp_from(9, 1, 1, "?")), "10 ");
    assert_string_equal(said(udp_from(1, 2, 9, "?")), "10 ");
    assert_string_equal(said(udp_from(1, 2, 8, "?")), "");
    now_ms += 30 * 1000 + 1; /* Suricata's default */
    assert_string_equal(said(udp_from(9, 1, 1, "?")), "");
}

/* Two workers, one table: what one sees the other knows. */
static void workers_share_hosts_and_counts(void **state)
{
    struct err e;

    use("alert udp any any -> any any (content:\"set\"; xbits:set,shared,track ip_src,expire 9; noalert; "
        "sid:1;)\n"
        "alert udp any any -> any any (content:\"?\"; xbits:isset,shared,track ip_src; sid:2;)\n"
        "alert udp any any -> any any (content:\"n\"; threshold:type threshold,track by_src,count 3,seconds "
        "9; sid:3;)\n");
    struct track *t = track_new(64, &e);
    struct detect *one = det;
    struct detect *two =
        detect_new(&(struct detect_config){.inline_mode = true, .flows = flows}, 1, ring, &ctr, &e);
    assert_true(t && two);
    detect_share_track(one, t);
    detect_share_track(two, t);
    udp("set");
    det = two;
    assert_string_equal(said(udp("?")), "2 ");
    assert_string_equal(said(udp("n")), "");
    det = one;
    assert_string_equal(said(udp("n")), "");
    det = two;
    assert_string_equal(said(udp("n")), "3 ");
    det = one;
    detect_free(two);
    teardown_all();
    track_free(t);
}

/* --- thresholds ------------------------------------------------------------------------------------------- */

/* What n packets, ms apart, lead to: the number of alerts and drops as "alert at 1 2 3, drop at 4". */
static const char *series(const char *rule, unsigned n, unsigned ms)
{
    static char text[1024];
    size_t at = 0;

    use(rule);
    text[0] = 0;
    for (unsigned i = 0; i < n; i++) {
        struct packet p = udp("a");

        at += (size_t)snprintf(text + at, sizeof(text) - at, "%c", events()[0] == '1' ? 'A' : '.');
        if (p.verdict == VERDICT_DROP)
            at += (size_t)snprintf(text + at, sizeof(text) - at, "!");
        now_ms += ms;
    }
    return text;
}

#define RULE(action, what) action " udp any any -> any any (content:\"a\"; " what "; sid:1;)\n"

static void each_type_of_threshold(void **state)
{
    assert_string_equal(series(RULE("alert", "threshold:type limit,track by_src,count 2,seconds 60"), 6, 1),
                        "AA....");
    assert_string_equal(
        series(RULE("alert", "threshold:type threshold,track by_dst,count 3,seconds 60"), 7, 1), "..A..A.");
    assert_string_equal(series(RULE("alert", "threshold:type both,track by_rule,count 3,seconds 60"), 7, 1),
                        "..A....");
    assert_string_equal(series(RULE("alert", "detection_filter:track by_src,count 2,seconds 60"), 6, 1),
                        "..AAAA");
    assert_string_equal(
        series(RULE("alert", "threshold:type backoff,track by_flow,count 1,multiplier 3"), 10, 1),
        "A.A.....A.");
    assert_string_equal(
        series(RULE("alert", "threshold:type threshold,track by_src,count 1,seconds 60"), 3, 1), "AAA");
    /* the window begins with its first match and does not slide: three seconds and the moment of its end */
    assert_string_equal(series(RULE("alert", "threshold:type limit,track by_src,count 1,seconds 3"), 9, 1000),
                        "A...A...A");
    assert_string_equal(series(RULE("alert", "threshold:type both,track by_src,count 2,seconds 3"), 8, 1000),
                        ".A...A..");
    assert_string_equal(
        series(RULE("alert", "threshold:type threshold,track by_src,count 3,seconds 3"), 8, 2000),
        "........");
}

/* Below the count there is neither alert nor drop; beyond it the drop is silent and still a drop. */
static void drops_and_thresholds(void **state)
{
    assert_string_equal(series(RULE("drop", "threshold:type limit,track by_src,count 1,seconds 60"), 3, 1),
                        "A!.!.!");
    assert_string_equal(
        series(RULE("drop", "threshold:type threshold,track by_src,count 2,seconds 60"), 4, 1), ".A!.A!");
    assert_string_equal(series(RULE("drop", "threshold:type both,track by_src,count 2,seconds 60"), 4, 1),
                        ".A!.!.!");
    assert_string_equal(series(RULE("drop", "detection_filter:track by_src,count 2,seconds 60"), 4, 1),
                        "..A!A!");
    assert_string_equal(series(RULE("drop", "noalert"), 2, 1), ".!.!");
}

static void what_is_tracked(void **state)
{
    use(RULE("alert", "threshold:type limit,track by_src,count 1,seconds 60"));
    udp_from(1, 1, 2, "a"), udp_from(1, 2, 3, "a"), udp_from(2, 1, 1, "a");
    assert_string_equal(events(), "1 1 ");
    use(RULE("alert", "threshold:type limit,track by_dst,count 1,seconds 60"));
    udp_from(1, 1, 2, "a"), udp_from(3, 2, 2, "a"), udp_from(1, 1, 4, "a");
    assert_string_equal(events(), "1 1 ");
    use(RULE("alert", "threshold:type limit,track by_both,count 1,seconds 60"));
    udp_from(1, 1, 2, "a"), udp_from(2, 2, 1, "a"), udp_from(1, 1, 4, "a");
    assert_string_equal(events(), "1 1 ");
    use(RULE("alert", "threshold:type limit,track by_rule,count 1,seconds 60"));
    udp_from(1, 1, 2, "a"), udp_from(3, 2, 4, "a");
    assert_string_equal(events(), "1 ");
    use(RULE("alert", "threshold:type limit,track by_flow,count 1,seconds 60"));
    udp_from(1, 1, 2, "a"), udp_from(1, 2, 2, "a"), udp_from(1, 1, 2, "a");
    assert_string_equal(events(), "1 1 ");
    use(RULE("alert", "detection_filter:track by_src,count 2,seconds 60,unique_on src_port"));
    udp_from(1, 1, 2, "a"), udp_from(1, 1, 2, "a"), udp_from(1, 2, 2, "a"), udp_from(1, 2, 2, "a");
    assert_string_equal(events(), "");
    assert_string_equal(said(udp_from(1, 3, 2, "a")), "1 ");
    now_ms += 61 * 1000;
    udp_from(1, 3, 2, "a"), udp_from(1, 4, 2, "a"); /* a port of the old window is new in the next */
    assert_string_equal(events(), "");
    assert_string_equal(said(udp_from(1, 5, 2, "a")), "1 ");
}

/* Counts belong to gid and sid, not to the loaded ruleset. */
static void counts_go_on_across_reloads(void **state)
{
    const char *rule = RULE("alert", "threshold:type limit,track by_src,count 2,seconds 60");

    use(rule);
    udp("a");
    ruleset_free(rs);
    rs = build(rule, NULL, NULL);
    udp("a"), udp("a");
    assert_string_equal(events(), "1 1 ");
}

/* A list of all matches in this window, as its definition says it; the same answers for any times and counts. */
static void counting_against_a_model(void **state)
{
    static const enum filter_kind kinds[] = {FILTER_LIMIT, FILTER_THRESHOLD, FILTER_BOTH, FILTER_DETECTION};

    srand(3);
    for (unsigned run = 0; run < 4000; run++) {
        const struct rule_filter flt = {.kind = (uint8_t)kinds[rand() % 4],
                                        .count = 1 + (uint32_t)rand() % 6,
                                        .seconds = 1 + (uint32_t)rand() % 5};
        struct track_value v = {0};
        uint64_t ms = 5000, window = 0, matches = 0;

        for (unsigned i = 0; i < 60; i++) {
            struct threshold_step s = {.filter = &flt, .now_ms = ms, .distinct = true};
            enum threshold_answer want = THRESHOLD_NOTHING;

            if (i == 0 || ms > window + flt.seconds * 1000) {
                window = ms;
                matches = 0;
            }
            matches++;
            if (flt.kind == FILTER_LIMIT)
                want = matches <= flt.count ? THRESHOLD_ALERT : THRESHOLD_SILENT;
            else if (flt.kind == FILTER_THRESHOLD)
                want = matches % flt.count == 0 ? THRESHOLD_ALERT : THRESHOLD_NOTHING;
            else if (flt.kind == FILTER_BOTH)
                want = matches < flt.count    ? THRESHOLD_NOTHING
                       : matches == flt.count ? THRESHOLD_ALERT
                                              : THRESHOLD_SILENT;
            else if (matches > flt.count)
                want = THRESHOLD_ALERT;
            assert_true(threshold_count(&v, i > 0 && v.deadline_ms >= ms, &s));
            assert_int_equal(s.answer, want);
            ms += (uint64_t)rand() % 1500;
        }
    }
}

/* --- threshold.config ------------------------------------------------------------------------------------- */

static void suppressed_and_dropped_all_the_same(void **state)
{
    const char *rule = "drop udp any any -> any any (content:\"a\"; sid:1;)\n";

    use_with(rule, "# a comment\n\nsuppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.1\n");
    assert_string_equal(said(udp_from(1, 1, 2, "a")), "-1(rules) ");
    assert_string_equal(said(udp_from(2, 1, 1, "a")), "1! -1(rules) ");
    use_with(rule, "suppress gen_id 1, sig_id 1, track by_dst, ip [10.0.0.0/30, 10.0.0.8/30]\n");
    assert_string_equal(said(udp_from(1, 1, 9, "a")), "-1(rules) ");
    assert_string_equal(said(udp_from(1, 1, 5, "a")), "1! -1(rules) ");
    use_with(rule, "suppress gen_id 1, sig_id 1, track by_either, ip !$NEAR\n");
    assert_string_equal(said(udp_from(1, 1, 5, "a")), "1! -1(rules) ");
    assert_string_equal(said(udp_from(9, 1, 5, "a")), "-1(rules) ");
    assert_string_equal(said(udp_from(5, 1, 9, "a")), "-1(rules) ");
    use_with(rule, "suppress gen_id 1, sig_id 0\nsuppress gen_id 2, sig_id 0\nsuppress gen_id 1, sig_id 7\n");
    assert_string_equal(said(udp("a")), "-1(rules) ");
}

/* Without addresses a suppress is a noalert: below the threshold's count nothing is dropped. */
static void suppressed_for_all_and_counted(void **state)
{
    use_with("drop udp any any -> any any (content:\"a\"; threshold:type both,track by_src,count 2,seconds "
             "60; sid:1;)\n",
             "suppress gen_id 1, sig_id 1\n");
    assert_string_equal(said(udp("a")), "");
    assert_string_equal(said(udp("a")), "-1(rules) ");
    use_with("drop udp any any -> any any (content:\"a\"; threshold:type both,track by_src,count 2,seconds "
             "60; sid:1;)\n",
             "suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.1\n");
    assert_string_equal(said(udp("a")), "-1(rules) ");
}

static void a_line_for_the_rule_replaces_its_own(void **state)
{
    const char *rules =
        RULE("alert", "threshold:type limit,track by_src,count 1,seconds 60") "alert udp any any -> any any "
                                                                              "(content:\"a\"; sid:2;)\n";

    use_with(rules, "event_filter gen_id 1, sig_id 1, type threshold, track by_src, count 2, seconds 60\n");
    assert_string_equal(said(udp("a")), "2 ");
    assert_string_equal(said(udp("a")), "1 2 ");
    use_with(rules, "threshold gen_id 0, sig_id 0, type threshold, track by_src, count 2, seconds 60\n");
    assert_string_equal(said(udp("a")), "1 "); /* for those that have none */
    assert_string_equal(said(udp("a")), "2 ");
    use_with(rules, "event_filter gid 1, sid 0, type limit, track by_rule, count 1, seconds 60\n"
                    "event_filter gid 0, sid 0, type both, track by_rule, count 9, seconds 60\n");
    assert_string_equal(said(udp("a")), "1 2 ");
    assert_string_equal(said(udp("a")), "");
}

static void rates_change_the_action(void **state)
{
    use_with(
        "alert udp any any -> any any (content:\"a\"; sid:1;)\n",
        "rate_filter gen_id 1, sig_id 1, track by_src, count 2, seconds 5, new_action drop, timeout 10\n");
    assert_string_equal(said(udp("a")), "1 ");
    assert_string_equal(said(udp("a")), "1 ");
    assert_string_equal(said(udp_from(3, 1, 2, "a")), "1 ");
    assert_string_equal(said(udp("a")), "1! -1(threshold detection_filter) ");
    now_ms += 10 * 1000;
    assert_string_equal(said(udp("a")), "1! -1(threshold detection_filter) ");
    now_ms += 1;
    assert_string_equal(said(udp("a")), "1 ");
    for (unsigned i = 0; i < 5; i++) { /* never more than two in five seconds */
        now_ms += 3 * 1000;
        assert_string_equal(said(udp("a")), "1 ");
    }
    use_with(
        "drop udp any any -> any any (content:\"a\"; sid:1;)\n",
        "rate_filter gen_id 1, sig_id 1, track by_rule, count 1, seconds 0, new_action alert, timeout 10\n");
    assert_string_equal(said(udp("a")), "1! -1(rules) ");
    assert_string_equal(said(udp("a")), "1 ");
    use_with(
        "alert udp any any -> any any (content:\"a\"; threshold:type limit,track by_src,count 1,seconds 60; "
        "sid:1;)\n"
        "alert udp any any -> any any (content:\"a\"; sid:2;)\n",
        "rate_filter gen_id 1, sig_id 1, track by_rule, count 1, seconds 5, new_action pass, timeout 10\n");
    assert_string_equal(said(udp("a")), "1 2 ");
    assert_string_equal(said(udp("a")), ""); /* passed: the second rule is not asked */
}

/* While the window lasts its count stays exceeded: one packet between two timeouts. */
static void rates_change_it_again(void **state)
{
    char text[32] = "";

    use_with(
        "alert udp any any -> any any (content:\"a\"; sid:1;)\n",
        "rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 60, new_action drop, timeout 3\n");
    for (unsigned i = 0; i < 12; i++) {
        strcat(text, udp("a").verdict == VERDICT_DROP ? "!" : ".");
        now_ms += 1000;
    }
    assert_string_equal(text, ".!!!!.!!!!.!");
    use_with(
        "drop udp any any -> any any (content:\"a\"; sid:1;)\n"
        "alert udp any any -> any any (content:\"a\"; sid:2;)\n",
        "rate_filter gen_id 1, sig_id 2, track by_src, count 1, seconds 60, new_action drop, timeout 3\n");
    udp("a"), events();
    assert_string_equal(said(udp("a")), "1! 2! -1(rules) "); /* the first reason is the reason */
}

static void bad_lines_are_named(void **state)
{
    static const struct {
        const char *line, *part;
        int column;
    } bad[] = {
        {"supress gen_id 1, sig_id 1", "starts with another word", 1},
        {"suppress gen_id 1", "sig_id is missing", 10},
        {"suppress gen_id 1, sig_id 1, track by_src", "only one of track and ip", 10},
        {"suppress gen_id 1, sig_id 1, track by_rule, ip 1.2.3.4", "no value that can be used", 30},
        {"suppress gen_id 1, sig_id 1, track by_src, ip 1.2.3", "1.2.3", 47},
        {"suppress gen_id 1, sig_id 1, track by_src, ip $NOWHERE", "NOWHERE", 47},
        {"suppress gen_id 0, sig_id 1", "gen_id 0", 1},
        {"event_filter gen_id 1, sig_id 1, type limit, track by_src, count 0, seconds 1", "count 0", 60},
        {"event_filter gen_id 1, sig_id 1, type limit, track by_src, count 1", "no seconds", 14},
        {"event_filter gen_id 1, sig_id 1, type backoff, track by_src, count 1, multiplier 2", "by_flow", 14},
        {"rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 1, new_action kill, timeout 1",
         "kill", 67},
        {"rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 1, new_action drop",
         "timeout is missing", 13},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err_list errs;
        char text[256];

        snprintf(text, sizeof(text), "\n%s\n", bad[i].line);
        err_list_init(&errs);
        struct ruleset *built = build("alert udp any any -> any any (sid:1;)\n", text, &errs);
        if (errs.n != 1 || strstr(errs.v[0].text, bad[i].part) == NULL || errs.v[0].line != 2 ||
            errs.v[0].column != bad[i].column || errs.v[0].remedy[0] == '\0')
            fail_msg("%s\nsays: %s (%d:%d; %s)", bad[i].line, errs.n ? errs.v[0].text : "nothing",
                     errs.n ? errs.v[0].line : 0, errs.n ? errs.v[0].column : 0,
                     errs.n ? errs.v[0].remedy : "");
        err_list_fini(&errs);
        ruleset_free(built);
    }
}

static void bad_options_are_refused(void **state)
{
    static const char *const bad[] = {"flowbits:set",
                                      "flowbits:put,a",
                                      "flowbits:set,a|b",
                                      "flowbits:isset,",
                                      "flowbits:isset,a b",
                                      "flowbits:noalert,a",
                                      "flowint:1a,+,1",
                                      "flowint:a,+",
                                      "flowint:a,~,1",
                                      "flowint:a,+,4294967296",
                                      "flowint:a,isset,1",
                                      "xbits:set,a",
                                      "xbits:set,a,track ip_srcs",
                                      "xbits:set,a,track ip_src,expire 0",
                                      "xbits:set,,track ip_src",
                                      "hostbits:set,a,up",
                                      "hostbits:set",
                                      "threshold:type limit",
                                      "threshold:type limit, track by_src, count 1, seconds 1, seconds 2",
                                      "threshold:type some, track by_src, count 1, seconds 1",
                                      "threshold:type limit, track by_either, count 1, seconds 1",
                                      ("threshold:type limit, track by_src, count 1, seconds 1; "
                                       "detection_filter:track by_src, count 1, seconds 1"),
                                      "detection_filter:track by_src, count 1, seconds 1, unique_on port",
                                      "tag:flow",
                                      "tag:session,5,apples",
                                      "tag:session,5,packets,src",
                                      "tag:host,5,packets,10,seconds"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err_list errs;
        char text[256];

        snprintf(text, sizeof(text), "alert udp any any -> any any (%s; sid:1;)\n", bad[i]);
        err_list_init(&errs);
        struct ruleset *built = build(text, NULL, &errs);
        if (errs.n == 0 || errs.v[0].remedy[0] == '\0' || ruleset_n_rules(built) != 0)
            fail_msg("accepted, or without a remedy: %s", bad[i]);
        err_list_fini(&errs);
        ruleset_free(built);
    }
}

/* --- tags ------------------------------------------------------------------------------------------------- */

static void tagged_packets_follow(void **state)
{
    use("alert udp any any -> any any (content:\"a\"; tag:session,2,packets; sid:1;)\n");
    assert_string_equal(said(udp("b")), "");
    assert_string_equal(said(udp("a")), "1 ");
    assert_string_equal(said(udp_from(1, 1001, 2, "b")), ""); /* another flow */
    assert_string_equal(said(udp("b")), "P ");
    assert_string_equal(said(udp("b")), "P ");
    assert_string_equal(said(udp("b")), "");
    assert_int_equal(ctr.v[CTR_TAGGED], 2);
    use("alert udp any any -> any any (content:\"a\"; tag:session,3,seconds; sid:1;)\n");
    udp("a");
    events();
    now_ms += 3000;
    assert_string_equal(said(udp("b")), "P ");
    now_ms += 1;
    assert_string_equal(said(udp("b")), "");
    use("alert udp any any -> any any (content:\"a\"; tag:session,128,bytes; sid:1;)\n");
    udp("a"), udp("b"), udp("b"), udp("b"); /* 43 bytes each, counted as 64 */
    assert_string_equal(events(), "1 P P ");
}

static void tagged_hosts(void **state)
{
    use("alert udp any any -> any any (content:\"a\"; tag:host,2,packets,src; sid:1;)\n");
    assert_string_equal(said(udp_from(1, 1, 2, "a")), "1 ");
    assert_string_equal(said(udp_from(3, 1, 2, "b")), "");
    assert_string_equal(said(udp_from(1, 9, 7, "b")), "P ");
    assert_string_equal(said(udp_from(7, 9, 1, "b")), "P ");
    assert_string_equal(said(udp_from(1, 9, 7, "b")), "");
}

static void a_count_not_reached_tags_nothing(void **state)
{
    use("alert udp any any -> any any (content:\"a\"; tag:session,5,packets; "
        "threshold:type threshold,track by_src,count 2,seconds 60; sid:1;)\n");
    assert_string_equal(said(udp("a")), "");
    assert_string_equal(said(udp("b")), "");
    assert_string_equal(said(udp("a")), "1 ");
    assert_string_equal(said(udp("b")), "P ");
}

#define T(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(bits_are_set_and_read_on_one_packet),
        T(action_comes_before_bits),
        T(bits_are_set_only_by_a_whole_match),
        T(bits_lists_and_commands),
        T(nothing_is_remembered_of_a_packet_without_flow),
        T(bits_outlive_thresholds_and_passes),
        T(bits_keep_their_meaning_across_reloads),
        T(no_room_for_a_bit_is_counted),
        T(numbers),
        T(host_bits),
        T(pair_bits_have_no_direction),
        T(workers_share_hosts_and_counts),
        T(each_type_of_threshold),
        T(drops_and_thresholds),
        T(what_is_tracked),
        T(counts_go_on_across_reloads),
        T(counting_against_a_model),
        T(suppressed_and_dropped_all_the_same),
        T(suppressed_for_all_and_counted),
        T(a_line_for_the_rule_replaces_its_own),
        T(rates_change_the_action),
        T(rates_change_it_again),
        T(bad_lines_are_named),
        T(bad_options_are_refused),
        T(tagged_packets_follow),
        T(tagged_hosts),
        T(a_count_not_reached_tags_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
