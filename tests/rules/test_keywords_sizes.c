/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * isdataat, bsize, bufferlen, urilen, dsize, stream_size, flow.age, flow.pkts, flow.bytes: edges, dialects, contradictions. Traps 9, 10, 20 and 21.
 */
#include "harness.h"

#define M(options, payload)  options_match_n(options, payload, sizeof(payload) - 1)
#define S3(options, payload) options_match_as(DIALECT_SNORT3, options, payload, sizeof(payload) - 1)
#define S2(options, payload) options_match_as(DIALECT_SNORT2, options, payload, sizeof(payload) - 1)

/* Suricata's own table for "abcdefgh", and Snort's reading beside it. */
static void trap09_off_by_one(void **state)
{
    assert_true(M("isdataat:7;", "abcdefgh"));
    assert_false(M("isdataat:8;", "abcdefgh"));
    assert_true(M("isdataat:!8;", "abcdefgh"));
    assert_true(M("isdataat:8,relative;", "abcdefgh"));
    assert_false(M("isdataat:9,relative;", "abcdefgh"));
    assert_true(M("content:\"c\"; isdataat:4,relative;", "abcdefgh"));
    assert_true(M("content:\"c\"; isdataat:5,relative;", "abcdefgh"));
    assert_false(M("content:\"c\"; isdataat:6,relative;", "abcdefgh"));
    assert_true(S3("isdataat:7;", "abcdefgh"));
    assert_false(S3("isdataat:8;", "abcdefgh"));
    assert_true(S3("content:\"c\"; isdataat:4,relative;", "abcdefgh"));
    assert_false(S3("content:\"c\"; isdataat:5,relative;", "abcdefgh"));
    assert_true(S2("content:\"c\"; isdataat:!5,relative,rawbytes;", "abcdefgh"));
    /* commas, blanks, capitals */
    assert_true(M("content:\"c\"; isdataat: ! 6 , RELATIVE;", "abcdefgh"));
    assert_options_refused("isdataat:65536;", "'65536' is no number");
    assert_options_refused("isdataat:1,relatve;", "'relatve' is no word");
}

/* The end of the buffer is !1,relative in Suricata and !0,relative in Snort. */
static void trap09_end_of_buffer(void **state)
{
    assert_true(M("content:\"x\"; isdataat:!1,relative;", "x..x"));
    assert_false(M("content:\"x\"; isdataat:!1,relative;", "x..x."));
    assert_true(S3("content:\"x\"; isdataat:!0,relative;", "x..x"));
    assert_false(S3("content:\"x\"; isdataat:!0,relative;", "x..x."));
    assert_true(S3("content:\"x\"; isdataat:!1,relative;", "x..x."));
    assert_false(S3("content:\"x\"; isdataat:!1,relative;", "x..x.."));
    /* it became endswith: one step, and one look */
    struct loaded l =
        load_ok("alert tcp any any -> any any (content:\"ab\"; isdataat:!1,relative; sid:1;)\n");
    struct pkt p = {.proto = 6, .payload = "abababababababababababab"};

    assert_int_equal(ruleset_rule(l.rs, 0)->n_steps, 1);
    assert_true(rule_matches(l.rs, 1, &p));
    assert_int_equal(last.steps, 1);
    unload(&l);
    /* behind a negated content, too, in Suricata: absent, or not at the end */
    assert_true(M("content:!\"x\"; isdataat:!1,relative;", "x."));
    assert_false(M("content:!\"x\"; isdataat:!1,relative;", ".x"));
    /* behind pcre it stays a step and sends the search on */
    assert_true(M("pcre:\"/[0-9]/\"; isdataat:!1,relative;", "1.2.3"));
    assert_false(M("pcre:\"/[0-9]/\"; isdataat:!1,relative;", "1.2.3."));
    /* and so does another number */
    assert_true(M("content:\"x\"; isdataat:!3,relative;", "x......x.."));
    assert_true(M("content:\"x\"; isdataat:2,relative; content:\"y\"; distance:0; within:1;", "xzz xy."));
}

/* 10: relative to the last match means its buffer; without one, from the start of the payload. */
static void trap10_buffer(void **state)
{
    static const uint8_t header[20] = {[12] = 0x50, [13] = 'F'};
    struct pkt p = {.proto = 6, .payload = "abc", .l4 = span_of(header, sizeof(header))};

    assert_true(options_match_packet(DIALECT_SURICATA, "tcp.hdr; content:\"F\"; isdataat:6,relative;", &p));
    assert_false(options_match_packet(DIALECT_SURICATA, "tcp.hdr; content:\"F\"; isdataat:7,relative;", &p));
    assert_true(options_match_packet(DIALECT_SURICATA, "tcp.hdr; isdataat:19;", &p));
    assert_false(options_match_packet(DIALECT_SURICATA, "tcp.hdr; isdataat:20;", &p));
}

static void trap20_bsize(void **state)
{
    assert_true(M("bsize:4;", "abcd"));
    assert_false(M("bsize:4;", "abcde"));
    assert_true(M("bsize:!4;", "abcde"));
    assert_true(M("bsize:<5;", "abcd"));
    assert_false(M("bsize:<5;", "abcde"));
    assert_true(M("bsize:<=5;", "abcde"));
    assert_true(M("bsize:>3;", "abcd"));
    assert_false(M("bsize:>4;", "abcd"));
    assert_true(M("bsize:>=4;", "abcd"));
    assert_true(M("bsize:=4;", "abcd"));
    assert_true(M("bsize:3<>5;", "abcd")); /* without its ends */
    assert_false(M("bsize:4<>6;", "abcd"));
    assert_false(M("bsize:2<>4;", "abcd"));
    assert_true(M("content:\"ab\"; bsize:4; content:\"cd\"; distance:0; within:2;", "abcd"));
    assert_options_refused("content:\"abcde\"; bsize:4;",
                           "allows at most 4 bytes, and the contents of this buffer need 5");
    assert_options_refused("content:\"abc\"; content:\"de\"; distance:0; bsize:<5;", "need 5");
    assert_options_refused("content:\"abc\"; offset:3; bsize:5;", "need 6");
    assert_options_refused("content:\"abc\"; startswith; endswith; bsize:4;",
                           "fills this buffer with its 3 bytes");
    assert_options_refused("content:\"abc\"; startswith; endswith; bsize:>3;",
                           "fills this buffer with its 3 bytes");
    assert_options_refused("bsize:4<>5;", "no number lies between");
    /* contents of other buffers do not count, nor negated ones, nor places nobody knows */
    struct loaded l = load_ok(
        "alert tcp any any -> any any (content:\"abcdef\"; tcp.hdr; content:\"a\"; bsize:4; sid:1;)\n"
        "alert tcp any any -> any any (content:!\"abcdef\"; bsize:4; sid:2;)\n"
        "alert tcp any any -> any any (pcre:\"/a.*b/\"; content:\"c\"; distance:-4; bsize:4; sid:3;)\n"
        "alert tcp any any -> any any (byte_jump:1,0; content:\"abc\"; distance:0; bsize:4; sid:4;)\n"
        "alert tcp any any -> any any (byte_extract:1,0,n; content:\"abcd\"; offset:n; bsize:4; sid:5;)\n");
    assert_int_equal(ruleset_n_rules(l.rs), 5);
    unload(&l);
}

static void trap21_ranges(void **state)
{
    struct pkt p = {.proto = 6, .payload = "abcd"};

    /* dsize: a<>b without its ends in Suricata and Snort 3, with them in Snort 2; a<=>b always with them */
    assert_true(options_match_packet(DIALECT_SURICATA, "dsize:3<>5;", &p));
    assert_false(options_match_packet(DIALECT_SURICATA, "dsize:4<>8;", &p));
    assert_false(options_match_packet(DIALECT_SNORT3, "dsize:4<>8;", &p));
    assert_true(options_match_packet(DIALECT_SNORT3, "dsize:4<=>8;", &p));
    assert_true(options_match_packet(DIALECT_SNORT3, "dsize:1<=>4;", &p));
    assert_false(options_match_packet(DIALECT_SNORT3, "dsize:5<=>8;", &p));
    assert_true(options_match_packet(DIALECT_SNORT2, "dsize:4<>8;", &p));
    assert_true(options_match_packet(DIALECT_SNORT2, "dsize:1<>4;", &p));
    assert_true(options_match_packet(DIALECT_SNORT2, "dsize:4<>4;", &p));
    assert_false(options_match_packet(DIALECT_SNORT2, "dsize:5<>8;", &p));
    assert_true(options_match_packet(DIALECT_SURICATA, "dsize:=4;", &p));
    assert_true(options_match_packet(DIALECT_SURICATA, "dsize:!=5;", &p));
    /* Snort 2's ttl may leave an end out, and counts both in; its itype does not */
    p = (struct pkt){.proto = 1, .type = 8, .ttl = 5};
    assert_true(options_match_packet(DIALECT_SNORT2, "ttl:3-5;", &p));
    assert_true(options_match_packet(DIALECT_SNORT2, "ttl:5-;", &p));
    assert_true(options_match_packet(DIALECT_SNORT2, "ttl:-5;", &p));
    assert_false(options_match_packet(DIALECT_SNORT2, "ttl:-4;", &p));
    assert_false(options_match_packet(DIALECT_SURICATA, "ttl:3-5;", &p));
    assert_false(options_match_packet(DIALECT_SNORT2, "itype:8<>10;", &p));
    assert_true(options_match_packet(DIALECT_SNORT2, "itype:7<>9;", &p));
    assert_options_refused("ttl:-5;", "'-5' is no condition");
    assert_options_refused("dsize:8<=>4;", "no number lies between");
}

static void trap21_bufferlen(void **state)
{
    assert_true(S3("bufferlen:4;", "abcd"));
    assert_true(S3("bufferlen:4<=>6;", "abcd"));
    assert_false(S3("bufferlen:4<>6;", "abcd"));
    assert_true(S3("bufferlen:3<>5;", "abcd"));
    assert_true(S3("bufferlen:>3;", "abcd"));
    assert_true(S3("content:\"b\"; bufferlen:2,relative;", "abcd"));
    assert_false(S3("content:\"b\"; bufferlen:4,relative;", "abcd"));
    assert_true(S3("content:\"b\"; bufferlen:1,relative;", "abcb.")); /* the next match */
    assert_options_refused_as(DIALECT_SNORT3, "bufferlen:4,backwards;", "unknown word 'backwards'");
    assert_options_refused("bufferlen:4;", "Snort 3");
    assert_options_refused_as(DIALECT_SNORT3, "bsize:4;", "Suricata");
}

/* The URI's length: until there is a parser for it, the rule sleeps. */
static void trap21_urilen(void **state)
{
    struct loaded l =
        load_ok("alert http any any -> any any (content:\"a\"; urilen:>20,raw; sid:1;)\n"
                "alert http any any -> any any (urilen:5<>10,norm; sid:2;)\n"
                "alert http any any -> any any (http.uri; content:\"/a\"; urilen:5; content:\"b\"; "
                "distance:0; sid:3;)\n");
    struct ruleset_source snort2 = {.dialect = DIALECT_SNORT2};
    static const char both_ends[] = "alert tcp any any -> any any (urilen:5<>5; sid:1;)\n";
    static const uint8_t buffers[] = {BUF_HTTP_URI_RAW, BUF_HTTP_URI, BUF_HTTP_URI};

    for (uint32_t i = 0; i < 3; i++) {
        const struct rule *r = ruleset_rule(l.rs, find_rule(l.rs, i + 1));
        bool found = false;

        for (uint8_t k = 0; k < r->n_steps; k++)
            found |= l.rs->steps[r->first_step + k].buffer == buffers[i];
        assert_true(found);
    }
    unload(&l);
    assert_refused("alert http any any -> any any (http.uri; content:\"/abcd\"; urilen:4; sid:1;)\n", 0,
                   "urilen allows at most 4 bytes, and the contents of this buffer need 5");
    assert_options_refused("urilen:5<>5;", "no number lies between");
    assert_options_refused("urilen:5,cooked;", "unknown word 'cooked'");
    l = load_source(both_ends, strlen(both_ends), snort2); /* with its ends, and not decoded */
    assert_int_equal(l.errs.n, 0);
    assert_int_equal(l.rs->steps[0].buffer, BUF_HTTP_URI_RAW);
    unload(&l);
}

static void size_of_streams(void **state)
{
    struct pkt p = {.proto = 6, .flags = FACT_STREAM_SIZE, .stream_size = {100, 6}};
    struct pkt unknown = {.proto = 6, .stream_size = {100, 6}};
    static const struct {
        const char *options;
        bool match;
    } cases[] = {
        {"stream_size:server,<,7;", true},        {"stream_size:server,<,6;", false},
        {"stream_size:server,=,6;", true},        {"stream_size:client,=,100;", true},
        {"stream_size:client,!=,100;", false},    {"stream_size:server,>=,6;", true},
        {"stream_size:both,>,5;", true},          {"stream_size:both,>,6;", false},
        {"stream_size:either,>,6;", true},        {"stream_size:either,>,100;", false},
        {"stream_size: client , > , 8;", true},   {"stream_size:<7,to_client;", true},
        {"stream_size:90<>110,to_server;", true}, {"stream_size:either,<=,6;", true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (options_match_packet(DIALECT_SURICATA, cases[i].options, &p) != cases[i].match)
            fail_msg("%s", cases[i].options);
        assert_false(options_match_packet(DIALECT_SURICATA, cases[i].options, &unknown));
    }
    assert_options_refused("stream_size:6;", "no side");
    assert_options_refused("stream_size:server,client,6;", "two sides");
    assert_options_refused("stream_size:server,<,x;", "no condition");
}

static void totals_of_flows(void **state)
{
    struct pkt p = {.proto = 17, .flow_pkts = {10, 3}, .flow_bytes = {3000, 5ull << 32}, .flow_age_ms = 2999};
    struct pkt unknown = p;
    static const struct {
        const char *options;
        bool match;
    } cases[] = {
        {"flow.age:2;", true},
        {"flow.age:3;", false},
        {"flow.age:>1;", true},
        {"flow.age:>=3;", false},
        {"flow.age:1-3;", true},
        {"flow.pkts:toserver,=10;", true},
        {"flow.pkts:toclient,10;", false},
        {"flow.pkts: toclient , <4;", true},
        {"flow.pkts:either,10;", true},
        {"flow.pkts:either,3;", true},
        {"flow.pkts:either,4-9;", false},
        {"flow.pkts:either,!10;", true}, /* the other direction has not */
        {"flow.pkts:toserver,!10;", false},
        {"flow.pkts_toserver:10;", true},
        {"flow.pkts_toclient:10;", false},
        {"flow.pkts_toclient:<4;", true},
        {"flow.bytes:toserver,<=3000;", true},
        {"flow.bytes:toserver,<3000;", false},
        {"flow.bytes:toclient,>4000000000;", true}, /* beyond 32 bits */
        {"flow.bytes_toclient:<4000000000;", false},
        {"flow.bytes_toserver:3000;", true},
        {"flow.bytes_toclient:>8000; flow.bytes:either,3000;", true},
    };

    (void)state;
    unknown.no_flow = true;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (options_match_packet(DIALECT_SURICATA, cases[i].options, &p) != cases[i].match)
            fail_msg("%s", cases[i].options);
        assert_false(options_match_packet(DIALECT_SURICATA, cases[i].options, &unknown));
    }
    assert_options_refused("flow.pkts:10;", "'10' is no direction");
    assert_options_refused("flow.pkts:both,10;", "'both' is no direction");
    assert_options_refused("flow.bytes:toserver;", "no condition");
    assert_options_refused("flow.bytes_toserver:toserver,1;", "no condition");
    assert_options_refused("flow.age:<0;", "no number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trap09_off_by_one), cmocka_unit_test(trap09_end_of_buffer),
        cmocka_unit_test(trap10_buffer),     cmocka_unit_test(trap20_bsize),
        cmocka_unit_test(trap21_ranges),     cmocka_unit_test(trap21_bufferlen),
        cmocka_unit_test(trap21_urilen),     cmocka_unit_test(size_of_streams),
        cmocka_unit_test(totals_of_flows),
    };

    return cmocka_run_group_tests_name("rules: sizes", tests, NULL, NULL);
}
