/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules on streams: an attack is found however it is cut, once, with the segment that completes it.
 *
 * The views are made by hand, as stream_begin() would make them: the stream's bytes lie in one piece, and a segment is
 * either in its frame or, as when it fills a hole, in that memory. What the window may reach back to is set by each
 * test.
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
#include "tests/unit/packets.h"

#define SYN       2
#define ACK       16
#define MAX_FLOWS 16

static struct ruleset *rs;
static struct detect *det;
static struct flow_table *flows;
static struct event_ring *ring;
static struct counters ctr;
static uint64_t now;

/* The stream to the server. */
static struct {
    uint8_t bytes[65536 + 4096];
    uint32_t len, window;
} stream;

static void load(const char *rules)
{
    char path[] = "/tmp/sluice-detect-XXXXXX";
    const char *files[] = {path};
    static uint32_t generation;
    struct ruleset_source src = {.files = files, .n_files = 1, .n_workers = 1, .generation = ++generation};
    struct err_list errs;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, rules, strlen(rules)), (ssize_t)strlen(rules));
    close(fd);
    err_list_init(&errs);
    ruleset_free(rs);
    rs = ruleset_build(&src, &errs);
    err_list_print(&errs, stderr);
    assert_non_null(rs);
    assert_int_equal(errs.n, 0);
    err_list_fini(&errs);
    unlink(path);
}

static struct packet track(struct frame *f, const struct pkt *k)
{
    struct packet p = pkt_decoded(f, k, now += NS_PER_MS);

    flow_track(flows, &p, 1, &ctr);
    return p;
}

static void begin(void)
{
    static struct frame f;
    static uint16_t port = 1000;
    struct flow_config fc = {.max_flows = MAX_FLOWS,
                             .tcp_new_s = 60,
                             .tcp_established_s = 600,
                             .tcp_closed_s = 10,
                             .udp_new_s = 30,
                             .udp_established_s = 300,
                             .icmp_s = 30,
                             .other_s = 30,
                             .max_vars = 64};
    struct detect_config dc = {.inline_mode = true, .max_flows = MAX_FLOWS, .log_payload = true};
    struct err e;

    detect_free(det);
    flow_table_free(flows);
    memset(&ctr, 0, sizeof(ctr));
    now = NS_PER_S;
    port++;
    flows = flow_table_new(&fc, &e);
    if (!ring)
        ring = event_ring_new(1 << 20);
    dc.flows = flows;
    det = detect_new(&dc, 0, ring, &ctr, &e);
    assert_non_null(det);
    track(&f, &(struct pkt){.tcp_flags = SYN});
    track(&f, &(struct pkt){.src = 2, .dst = 1, .sport = 80, .dport = 40000, .tcp_flags = SYN | ACK});
    track(&f, &(struct pkt){.tcp_flags = ACK});
    stream.len = 0;
    stream.window = 4096;
}

static void use(const char *rules)
{
    load(rules);
    begin();
}

static int teardown(void **state)
{
    detect_free(det);
    flow_table_free(flows);
    event_ring_free(ring);
    ruleset_free(rs);
    det = NULL;
    flows = NULL;
    ring = NULL;
    rs = NULL;
    return 0;
}

enum how { IN_FRAME, IN_MEMORY };

/* The next segment of the stream. When it is dropped it has not happened. */
static struct packet segment(const void *bytes, uint32_t len, enum how how)
{
    static struct frame f, copy;
    struct pkt k = {.tcp_flags = ACK, .payload = bytes, .payload_len = len};
    struct packet p = track(&f, &k);
    uint32_t tail = stream.len < stream.window ? stream.len : stream.window;
    struct stream_view v = {
        .tail = {stream.bytes + stream.len - tail, tail}, .offset = stream.len, .in_frame = how == IN_FRAME};

    memcpy(stream.bytes + stream.len, bytes, len);
    v.fresh = how == IN_FRAME ? packet_payload(&p) : span_of(stream.bytes + stream.len, len);
    if (how == IN_FRAME && tail > 0) {
        /* there is no stream table that would join them: the frame lies where both are in one piece */
        static uint8_t lies[sizeof(stream.bytes)];

        memcpy(lies, v.tail.p, tail);
        memcpy(lies + tail, bytes, len);
        v.tail = span_of(lies, tail);
        v.fresh = span_of(lies + tail, len);
        v.in_frame = false;
    }
    p.flags |= PKT_STREAM;
    p.view = &v;
    memcpy(&copy, &f, sizeof(f));
    detect_packet(det, rs, &p);
    if (!(p.flags & PKT_REWRITTEN))
        assert_memory_equal(&copy, &f, sizeof(f));
    if (p.verdict == VERDICT_FORWARD)
        stream.len += len;
    p.view = NULL;
    return p;
}

static struct packet say(const char *text)
{
    return segment(text, (uint32_t)strlen(text), IN_MEMORY);
}

/* How many alerts since the last call; their sids, in *sids. */
static unsigned alerts(char *sids, size_t size)
{
    unsigned n = 0;
    size_t at = 0;

    if (sids)
        sids[0] = 0;
    for (const struct event *ev; (ev = event_ring_peek(ring)); event_ring_release(ring, ev)) {
        if (ev->type != EVENT_ALERT)
            continue;
        n++;
        if (sids)
            at += (size_t)snprintf(sids + at, size - at, "%u ", ev->sid);
    }
    return n;
}

static void assert_alerts(const char *want)
{
    char sids[256];

    alerts(sids, sizeof(sids));
    assert_string_equal(sids, want);
}

/* --- cuts ---------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *options, *attack;
} attacks[] = {
    {"content:\"evil code\";", "so evil code here"},
    {"content:\"EVIL\"; nocase; content:\"code\"; distance:1; within:6;", "so evil code here"},
    {"content:\"code\"; content:\"evil\";", "so evil code here"},
    {"content:\"here\"; content:\"so\"; content:\"evil\";", "so evil code here"},
    {"content:\"evil\"; fast_pattern:0,2; content:\"re\"; distance:0;", "so evil code here"},
    {"content:\"so\"; startswith; content:\"here\"; fast_pattern;", "so evil code here"},
    {"content:\"so\"; depth:2; content:\"here\"; offset:13; depth:4;", "so evil code here"},
    {"pcre:\"/ev[a-z]l c.{3} h/\";", "so evil code here"},
    {"pcre:\"/^so .*here/\";", "so evil code here"},
    {"pcre:\"/evil (?=code here)/\";", "so evil code here"},
    {"content:\"code\"; pcre:\"/^ here/R\";", "so evil code here"},
    {"content:\"evil\"; byte_test:1,=,0x63,1,relative;", "so evil code here"},
    {"content:\"evil\"; isdataat:9,relative;", "so evil code here"},
    {"byte_test:4,=,0x6576696c,3; content:\"here\";", "so evil code here"},
    {"content:\"len=\"; byte_extract:1,0,n,relative,string,dec; content:\"XY\"; distance:n; within:2;",
     "len=3...XY"},
    {"content:\"n\"; byte_jump:1,0,relative,string,dec; content:\"Q\"; within:1;", "n2abQ"},
    {"content:\"b:\"; base64_decode:bytes 8,relative; base64_data; content:\"evil\";", "b:ZXZpbA=="},
    {"content:\"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\";",
     "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    {"content:\"evil\"; content:!\"good\";", "so evil code here"},
    {"content:\"aab\"; content:\"c\"; within:1;", "aaaabaabc"},
};

static void load_attack(size_t i)
{
    char rule[512];

    snprintf(rule, sizeof(rule), "alert tcp-stream any any -> any any (%s sid:1;)\n", attacks[i].options);
    load(rule);
}

static void expect_one(size_t i, const char *cut)
{
    unsigned n = alerts(NULL, 0);

    if (n != 1)
        fail_msg("%s, cut %s: %u alerts", attacks[i].options, cut, n);
}

static void cut_in_two(void **state)
{
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        const char *a = attacks[i].attack;
        uint32_t len = (uint32_t)strlen(a);

        load_attack(i);
        for (int how = IN_FRAME; how <= IN_MEMORY; how++)
            for (uint32_t at = 0; at < len; at++) {
                char cut[32];

                begin();
                if (at > 0)
                    segment(a, at, (enum how)how);
                segment(a + at, len - at, (enum how)how);
                snprintf(cut, sizeof(cut), "at %u", at);
                expect_one(i, cut);
            }
    }
}

static void cut_in_three(void **state)
{
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        const char *a = attacks[i].attack;
        uint32_t len = (uint32_t)strlen(a);

        load_attack(i);
        for (uint32_t x = 1; x < len - 1; x++)
            for (uint32_t y = x + 1; y < len; y++) {
                char cut[32];

                begin();
                segment(a, x, IN_MEMORY);
                segment(a + x, y - x, IN_MEMORY);
                segment(a + y, len - y, IN_MEMORY);
                snprintf(cut, sizeof(cut), "at %u and %u", x, y);
                expect_one(i, cut);
            }
    }
}

static void byte_by_byte(void **state)
{
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        load_attack(i);
        begin();
        for (const char *c = attacks[i].attack; *c; c++)
            segment(c, 1, IN_MEMORY);
        expect_one(i, "into bytes");
    }
}

/* Behind it other bytes come, and nothing is said again. */
static void once(void **state)
{
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        load_attack(i);
        begin();
        say(attacks[i].attack);
        for (int k = 0; k < 20; k++)
            say("----------------");
        expect_one(i, "not at all");
    }
}

static void twice(void **state)
{
    use("alert tcp any any -> any any (content:\"evil\"; content:\"code\"; distance:1; sid:1;)");
    say("evil code, ev");
    assert_alerts("1 ");
    say("il co");
    say("de");
    assert_alerts("1 ");
    say("harmless");
    assert_alerts("");
}

/* --- packets and streams -------------------------------------------------------------------------------------------- */

static void packet_rules_see_packets(void **state)
{
    use("alert tcp any any -> any any (content:\"evil\"; dsize:<5; sid:1;)\n"
        "alert tcp-pkt any any -> any any (content:\"evil\"; sid:2;)\n"
        "alert tcp any any -> any any (content:\"evil\"; flow:no_stream; sid:3;)\n"
        "alert tcp any any -> any any (content:\"evil\"; flow:only_stream; sid:4;)\n"
        "alert tcp-stream any any -> any any (content:\"evil\"; sid:5;)\n");
    say("ev");
    say("il");
    assert_alerts("4 5 ");
    say("evil");
    assert_alerts("1 2 3 4 5 ");
}

static void depth_counts_from_either_start(void **state)
{
    use("alert tcp any any -> any any (content:\"evil\"; depth:4; sid:1;)\n"
        "alert tcp-stream any any -> any any (content:\"evil\"; depth:4; sid:2;)\n"
        "alert tcp-stream any any -> any any (content:\"evil\"; offset:4; sid:3;)\n"
        "alert tcp-stream any any -> any any (content:\"evil\"; offset:12; depth:4; sid:4;)\n");
    say("ev");
    say("il"); /* 0: in the stream */
    assert_alerts("1 2 ");
    say("evil"); /* 4: in the packet, once */
    assert_alerts("1 3 ");
    say(".evil"); /* 9 */
    assert_alerts("3 ");
    stream.window = 4;
    say("...........evil"); /* far behind the window's start */
    assert_alerts("3 ");
    use("alert tcp-stream any any -> any any (content:\"evil\"; offset:12; depth:4; sid:4;)\n");
    stream.window = 6;
    say("............");
    say("ev");
    say("il");
    assert_alerts("4 ");
}

static void early_and_old_are_for_packet_rules(void **state)
{
    static struct frame f;
    struct pkt k = {.tcp_flags = ACK, .payload = "evil"};

    use("alert tcp any any -> any any (content:\"evil\"; sid:1;)\n"
        "alert tcp-pkt any any -> any any (content:\"evil\"; sid:2;)\n"
        "alert tcp any any -> any any (content:\"evil\"; depth:4; sid:3;)\n"
        "alert tcp any any -> any any (flags:A; sid:4;)\n");
    struct packet p = track(&f, &k);
    p.flags |= PKT_STREAM;
    detect_packet(det, rs, &p);
    assert_alerts("2 3 4 ");
    p = track(&f, &k);
    p.flags |= PKT_IGNORED;
    detect_packet(det, rs, &p);
    assert_alerts("1 2 3 4 ");
    p = track(&f, &k); /* of no stream: as a packet */
    detect_packet(det, rs, &p);
    assert_alerts("1 2 3 4 ");
}

/* Its receiver discards it: it is told, and changes nothing for the connection. */
static void ignored_segments_are_told(void **state)
{
    static struct frame f;
    struct pkt k = {.tcp_flags = ACK, .payload = "evil"};

    use("pass tcp any any -> any any (content:\"evil\"; sid:1;)\n"
        "drop tcp any any -> any any (content:\"evil\"; flowbits:set,x; sid:2;)\n"
        "alert tcp any any -> any any (flowbits:isset,x; sid:3;)\n");
    struct packet p = track(&f, &k);
    p.flags |= PKT_IGNORED;
    detect_packet(det, rs, &p);
    assert_int_equal(say("fine").flow->verdict, FLOW_INSPECT);
    use("drop tcp any any -> any any (content:\"evil\"; flowbits:set,x; sid:2;)\n"
        "alert tcp any any -> any any (flowbits:isset,x; sid:3;)\n");
    p = track(&f, &k);
    p.flags |= PKT_IGNORED;
    p.verdict = VERDICT_DROP;
    p.drop_reason = DROP_STREAM_INVALID;
    detect_packet(det, rs, &p);
    assert_alerts("2 ");
    assert_int_equal(p.verdict, VERDICT_DROP);
    assert_int_equal(p.drop_reason, DROP_STREAM_INVALID);
    assert_int_equal(say("fine").verdict, VERDICT_FORWARD);
    assert_alerts("");
}

static void negations_look_at_the_window(void **state)
{
    use("alert tcp any any -> any any (content:\"evil\"; content:!\"good\"; sid:1;)\n"
        "alert tcp any any -> any any (content:\"evil\"; isdataat:!1,relative; sid:2;)\n"
        "alert tcp any any -> any any (content:\"evil\"; content:!\"!\"; within:1; sid:3;)\n");
    say("good ");
    say("evil!");
    assert_alerts("");
    say("evil");
    assert_alerts("2 3 ");
    say("!");
    assert_alerts("");
}

static void a_drop_in_the_stream_holds(void **state)
{
    use("drop tcp any any -> any any (content:\"evil\"; sid:1;)");
    assert_int_equal(say("ev").verdict, VERDICT_FORWARD);
    struct packet p = say("il");
    assert_int_equal(p.verdict, VERDICT_DROP);
    assert_int_equal(p.drop_reason, DROP_RULES);
    p = say("il");
    assert_int_equal(p.drop_reason, DROP_FLOW);
    use("drop tcp any any -> any any (content:\"evil\"; depth:4; sid:1;)");
    say("..");
    assert_int_equal(say("evil").drop_reason, DROP_RULES); /* in the packet only */
    assert_int_equal(say("fine").verdict, VERDICT_FORWARD);
    use("drop tcp-pkt any any -> any any (content:\"evil\"; sid:1;)");
    assert_int_equal(say("evil").drop_reason, DROP_RULES);
    assert_int_equal(say("fine").verdict, VERDICT_FORWARD);
}

/* What was dropped has not happened: its repetition is dropped like it, and with it the attack never arrives. */
static void a_dropped_segment_comes_again(void **state)
{
    use("drop tcp any any -> any any (content:\"ev\"; content:\"il\"; distance:0; content:\"x\"; dsize:>0; "
        "sid:2;)\n"
        "alert tcp any any -> any any (content:\"evil\"; sid:1;)\n");
    say("ev");
    alerts(NULL, 0);
    assert_int_equal(stream.len, 2);
    say("il");
    assert_alerts("1 ");
}

/* --- what is remembered --------------------------------------------------------------------------------------------- */

/* More rules wait for their second content than there is room for. */
static void many_wait(void **state)
{
    char rules[4096];
    size_t n = 0;

    for (unsigned i = 1; i <= 20; i++)
        n += (size_t)snprintf(
            rules + n, sizeof(rules) - n,
            "alert tcp any any -> any any (content:\"pattern%02u\"; content:\"!\"; sid:%u;)\n", i, i);
    use(rules);
    for (unsigned i = 1; i <= 20; i++) {
        char text[16];

        snprintf(text, sizeof(text), "pattern%02u", i);
        say(text);
    }
    assert_alerts("");
    say("!");
    assert_int_equal(alerts(NULL, 0) + ctr.v[CTR_DETECT_QUEUE_FULL], 20);
}

static void they_leave_with_the_window(void **state)
{
    use("alert tcp any any -> any any (content:\"pattern\"; content:\"!\"; sid:1;)");
    stream.window = 64;
    say("pattern");
    for (int i = 0; i < 8; i++) /* the pattern is in front of the first of these, too */
        say("................");
    uint64_t tried = ctr.v[CTR_DETECT_CANDIDATES];
    say("................!");
    assert_alerts("");
    assert_int_equal(ctr.v[CTR_DETECT_CANDIDATES], tried);
}

/* Another ruleset has not seen what is in the window. */
static void a_reload_looks_back(void **state)
{
    use("alert tcp any any -> any any (content:\"unrelated\"; sid:9;)");
    say("pattern");
    load("alert tcp any any -> any any (content:\"pattern\"; content:\"!\"; sid:1;)");
    say("...");
    say("!");
    assert_alerts("1 ");
}

/* A rule that waits for a flowbit is not tried again for old bytes alone. */
static void a_flowbit_comes_later(void **state)
{
    use("alert tcp any any -> any any (content:\"evil\"; flowbits:isset,x; sid:1;)\n"
        "alert tcp any any -> any any (content:\"now\"; flowbits:set,x; sid:2;)\n");
    say("evil");
    say("now");
    assert_alerts("2 ");
    say("evil");
    assert_alerts("1 ");
}

/* Thousands of beginnings of a match in old bytes do not hide the one that reaches the new ones. */
static void chaff_uses_up_nothing(void **state)
{
    static char chaff[8192];

    memset(chaff, 'a', sizeof(chaff));
    use("alert tcp any any -> any any (content:\"a\"; content:\"b\"; within:3; content:\"c\"; within:3; "
        "sid:1;)\n"
        "alert tcp any any -> any any (content:\"a\"; byte_test:1,=,0x62,0,relative; sid:2;)\n");
    stream.window = 8192;
    for (uint32_t at = 0; at < sizeof(chaff); at += 1024)
        segment(chaff + at, 1024, IN_MEMORY);
    assert_alerts("");
    say("b");
    say("c");
    assert_alerts("2 1 ");
}

/* Nor do beginnings in the same segment, or in the same datagram, in front of the attack. */
static void chaff_in_one_piece(void **state)
{
    static char chaff[8192];
    uint32_t n = 0;

    while (n + 6 < 1440)
        n += (uint32_t)sprintf(chaff + n, "abab--");
    n += (uint32_t)sprintf(chaff + n, "ab--bc--cd");
    use("alert tcp any any -> any any (content:\"ab\"; content:\"b\"; within:90; content:\"bc\"; within:60; "
        "content:\"cd\"; within:4; sid:1;)\n");
    segment(chaff, n, IN_MEMORY);
    assert_alerts("1 ");
    assert_int_equal(ctr.v[CTR_DETECT_STEP_LIMIT], 0);
}

/* Decoding from each of many places to the end is work that the steps bound. */
static void decoding_costs_steps(void **state)
{
    static char chaff[8192];

    for (uint32_t n = 0; n < sizeof(chaff); n++)
        chaff[n] = "axdgybyh"[n % 8];
    use("alert tcp any any -> any any (content:\"ax\"; base64_decode:relative; base64_data; "
        "content:\"evil\"; sid:1;)");
    stream.window = 8192;
    for (uint32_t at = 0; at < sizeof(chaff); at += 1024)
        segment(chaff + at, 1024, IN_MEMORY);
    assert_true(ctr.v[CTR_DETECT_STEP_LIMIT] > 0);
    assert_alerts("");
}

/* What waited for a hole comes at once, and may be long; then the steps are bounded, and what they leave out is dropped. */
static void more_than_steps_are_for(void **state)
{
    static const uint32_t len = 1 << 20;
    struct frame f;
    uint8_t *bytes = malloc(len);

    use("drop tcp any any -> any any (content:\"ab\"; byte_test:1,>,200,0,relative; content:\"cd\"; sid:1;)\n"
        "alert tcp any any -> any any (content:\"ab\"; byte_test:1,>,201,0,relative; sid:2;)\n");
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = "ab"[i % 2];
    struct packet p = track(&f, &(struct pkt){.tcp_flags = ACK, .payload = "a"});
    struct stream_view v = {.fresh = {bytes, len}};
    p.flags |= PKT_STREAM;
    p.view = &v;
    detect_packet(det, rs, &p);
    assert_int_equal(p.verdict, VERDICT_DROP);
    assert_int_equal(p.drop_reason, DROP_STEPS);
    assert_int_equal(ctr.v[CTR_DETECT_STEP_LIMIT], 2);
    p.verdict = VERDICT_FORWARD;
    load("alert tcp any any -> any any (content:\"ab\"; byte_test:1,>,201,0,relative; sid:2;)\n");
    detect_packet(det, rs, &p);
    assert_int_equal(p.verdict, VERDICT_FORWARD);
    free(bytes);
}

static void replace_in_this_frame(void **state)
{
    use("alert tcp any any -> any any (content:\"evil\"; replace:\"good\"; sid:1;)");
    say("ev");
    struct packet p = say("il");
    assert_memory_equal(p.data + p.payload_off, "od", 2);
    assert_true(p.flags & PKT_REWRITTEN);
    assert_alerts("1 ");
}

static void the_event_shows_the_window(void **state)
{
    use("alert tcp any any -> any any (content:\"evil\"; sid:1;)\n"
        "alert tcp-pkt any any -> any any (content:\"il\"; sid:2;)\n");
    say("..ev");
    say("il");
    const struct event *ev = event_ring_peek(ring);
    const uint8_t *payload =
        (const uint8_t *)(ev + 1) + ev->msg_len + ev->category_len + ev->metadata_len + ev->references_len;
    assert_true(ev->in_stream);
    assert_int_equal(ev->payload_len, 6);
    assert_memory_equal(payload, "..evil", 6);
    event_ring_release(ring, ev);
    ev = event_ring_peek(ring);
    assert_false(ev->in_stream);
    assert_int_equal(ev->payload_len, 2);
    event_ring_release(ring, ev);
}

/* --- expressions without a literal ------------------------------------------------------------------------------------ */

/* Their matches may be longer than what is put in front of a segment, and as long as the window. */
static void expressions_across_the_window(void **state)
{
    for (int how = IN_FRAME; how <= IN_MEMORY; how++) {
        use("alert tcp-stream any any -> any any (pcre:\"/[0-3]x[4-7].*[a-c]y[d-f]/s\"; sid:1;)\n"
            "alert tcp-stream any any -> any any (pcre:\"/[0-3]z[4-7].{60}[a-c]z[d-f]/s\"; sid:2;)\n");
        segment("2x5", 3, (enum how)how);
        for (int k = 0; k < 5; k++)
            segment("----------------", 16, (enum how)how);
        segment("by", 2, (enum how)how);
        assert_alerts("");
        segment("e", 1, (enum how)how);
        assert_alerts("1 ");
        segment("1z7--------------------", 23, (enum how)how);
        segment("--------------------", 20, (enum how)how);
        segment("--------------------bz", 22, (enum how)how);
        assert_alerts("");
        segment("f", 1, (enum how)how);
        assert_alerts("2 ");
    }
}

/* Where a packet begins means something to rules about packets. */
static void expressions_at_the_packets_start(void **state)
{
    for (int how = IN_FRAME; how <= IN_MEMORY; how++) {
        use("alert tcp-pkt any any -> any any (pcre:\"/^[a-e]v[0-9]l/\"; sid:1;)\n");
        segment("----------------", 16, (enum how)how);
        segment("ev1l and more", 13, (enum how)how);
        assert_alerts("1 ");
        use("alert tcp-pkt any any -> any any (pcre:\"/^[a-e]v[0-9]l.*[a-c]z[d-f]/s\"; sid:2;)\n");
        segment("----------------", 16, (enum how)how);
        segment("ev1l and more aze", 17, (enum how)how);
        assert_alerts("2 ");
    }
}

/* --- at random: the stream cut anyhow finds what the whole finds ------------------------------------------------------ */

static uint32_t rng = 1;
static uint32_t draw(uint32_t below)
{
    rng = rng * 1664525 + 1013904223;
    return (rng >> 8) % below;
}

static void random_cuts(void **state)
{
    static const char rules[] =
        "alert tcp-stream any any -> any any (content:\"ab\"; content:\"ba\"; sid:1;)\n"
        "alert tcp-stream any any -> any any (content:\"abc\"; content:\"cc\"; distance:0; within:5; "
        "sid:2;)\n"
        "alert tcp-stream any any -> any any (pcre:\"/a[bc]{3}a/\"; sid:3;)\n"
        "alert tcp-stream any any -> any any (content:\"cab\"; byte_test:1,=,0x63,2,relative; sid:4;)\n"
        "alert tcp-stream any any -> any any (content:\"bb\"; offset:5; depth:9; sid:5;)\n"
        "alert tcp-stream any any -> any any (content:\"cb\"; content:\"a\"; distance:2; content:\"cc\"; "
        "sid:6;)\n"
        "alert tcp-stream any any -> any any (content:\"bca\"; pcre:\"/^b+c/R\"; sid:7;)\n";

    load(rules);
    for (int round = 0; round < 3000; round++) {
        char text[40];
        uint32_t len = 2 + draw(sizeof(text) - 2), whole = 0, cut = 0;

        for (uint32_t i = 0; i < len; i++)
            text[i] = (char)('a' + draw(3));
        for (int pass = 0; pass < 2; pass++) {
            uint32_t *found = pass == 0 ? &whole : &cut;

            begin();
            for (uint32_t at = 0; at < len;) {
                uint32_t n = pass == 0 ? len : 1 + draw(len - at > 9 ? 9 : len - at);

                segment(text + at, n, draw(2) ? IN_FRAME : IN_MEMORY);
                at += n;
            }
            for (const struct event *ev; (ev = event_ring_peek(ring)); event_ring_release(ring, ev))
                *found |= 1u << ev->sid;
        }
        if (whole != cut)
            fail_msg("%.*s: %x whole, %x in segments", (int)len, text, whole, cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(cut_in_two, teardown),
        cmocka_unit_test_teardown(cut_in_three, teardown),
        cmocka_unit_test_teardown(byte_by_byte, teardown),
        cmocka_unit_test_teardown(once, teardown),
        cmocka_unit_test_teardown(twice, teardown),
        cmocka_unit_test_teardown(packet_rules_see_packets, teardown),
        cmocka_unit_test_teardown(depth_counts_from_either_start, teardown),
        cmocka_unit_test_teardown(early_and_old_are_for_packet_rules, teardown),
        cmocka_unit_test_teardown(ignored_segments_are_told, teardown),
        cmocka_unit_test_teardown(negations_look_at_the_window, teardown),
        cmocka_unit_test_teardown(a_drop_in_the_stream_holds, teardown),
        cmocka_unit_test_teardown(a_dropped_segment_comes_again, teardown),
        cmocka_unit_test_teardown(many_wait, teardown),
        cmocka_unit_test_teardown(they_leave_with_the_window, teardown),
        cmocka_unit_test_teardown(a_reload_looks_back, teardown),
        cmocka_unit_test_teardown(a_flowbit_comes_later, teardown),
        cmocka_unit_test_teardown(chaff_uses_up_nothing, teardown),
        cmocka_unit_test_teardown(expressions_across_the_window, teardown),
        cmocka_unit_test_teardown(expressions_at_the_packets_start, teardown),
        cmocka_unit_test_teardown(chaff_in_one_piece, teardown),
        cmocka_unit_test_teardown(decoding_costs_steps, teardown),
        cmocka_unit_test_teardown(more_than_steps_are_for, teardown),
        cmocka_unit_test_teardown(replace_in_this_frame, teardown),
        cmocka_unit_test_teardown(the_event_shows_the_window, teardown),
        cmocka_unit_test_teardown(random_cuts, teardown),
    };

    return cmocka_run_group_tests_name("detect: streams", tests, NULL, NULL);
}
