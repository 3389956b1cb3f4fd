/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where engines get the meaning of rules wrong: the numbered traps of ../shared/design/RULES.md, 2. The expected
 * answers are Suricata's unless a test says otherwise; tests/differential compares them with Suricata itself. Where
 * each trap is tested:
 *
 *     1-7, 16-19, 21, 35, 38-40, 42, 49, 50  here
 *     1, 2, 13, 15         also test_keywords_model.c and test_model.c: random rules against a plain model
 *     17                   here the ranks of buffers, which dormant rules are compiled by, too
 *     9, 10, 20, 21        test_keywords_sizes.c        11-15  test_keywords_bytes.c        16  test_keywords_misc.c
 *     22                   test_keywords_transforms.c
 *     30                   test_load.c: the letters; what is in the buffers waits for HTTP
 *     38                   here the order of rules; tests/unit/test_state.c: set and read on one packet
 *     34, 41, 43, 44, 47   tests/unit/test_detect.c, test_flow.c and test_reject.c
 *     45, 46               tests/unit/test_state.c
 *     50                   also test_load.c
 *     8, 23-29, 31-33, 48  wait for the parsers of HTTP, TLS, DNS and files, and the detection of services
 *     36, 37               wait for stream reassembly
 *
 * Recorded cases (make check-cases) have many of them again, on real traffic.
 */
#include "harness.h"

/* 1: when a relative content fails, the one before it is tried further on. */
static void trap01_backtracking(void **state)
{
    assert_true(options_match("content:\"A\"; content:\"B\"; distance:1; within:1;", "A.x A.B"));
    assert_true(options_match(
        "content:\"ab\"; content:\"cd\"; distance:0; within:2; content:\"ef\"; distance:0; within:2;",
        "abcd.. ab.. abcdef"));
    assert_false(options_match(
        "content:\"ab\"; content:\"cd\"; distance:0; within:2; content:\"ef\"; distance:0; within:2;",
        "abcd.. abef cdef ab cdef"));
    /* overlapping matches: the search goes on one byte behind the match's start, not behind its end */
    assert_true(options_match("content:\"aa\"; content:\"b\"; distance:0; within:1;", "aaab"));
    /* a content that is not relative and fails ends the rule; what stands before it does not matter */
    assert_false(
        options_match("content:\"A\"; content:\"B\"; distance:0; content:\"C\"; depth:1;", "A.B A.B C"));
    /* three levels down, only the first of the chain has an alternative */
    assert_true(options_match(
        "content:\"1\"; content:\"2\"; distance:0; within:2; content:\"3\"; distance:0; within:1;",
        "1.2. 1.23"));
    /* a negated relative content sends the search back, too */
    assert_true(options_match("content:\"x\"; content:!\"y\"; distance:0; within:1;", "xyxyxz"));
    assert_false(options_match("content:\"x\"; content:!\"y\"; distance:0; within:1;", "xyxyxy"));
    /* and between two relative ones it moves nothing */
    assert_true(options_match(
        "content:\"x\"; content:!\"y\"; distance:0; within:1; content:\"z\"; distance:1; within:1;",
        "xyz x.z"));
}

static void trap01_bound(void **state)
{
    struct loaded l = load_ok(
        "alert tcp any any -> any any (content:\"a\"; content:\"a\"; distance:0; within:200; "
        "content:\"a\"; distance:0; within:200; content:\"z\"; distance:0; within:1; sid:1;)\n"
        "alert tcp any any -> any any (content:\"a\"; content:\"a\"; distance:0; content:\"a\"; distance:0; "
        "content:\"z\"; distance:0; sid:2;)\n");
    char payload[1400];
    struct pkt p = {.proto = 6, .payload = payload, .payload_len = sizeof(payload)};

    memset(payload, 'a', sizeof(payload));
    payload[0] = 'z'; /* the prefilter would offer the rule */
    assert_false(rule_matches(l.rs, 1, &p));
    assert_true(last.step_limit);
    assert_int_equal(last.steps, 3000);
    /* without `within`, one failure shows that no other place can help: no search, no limit */
    assert_false(rule_matches(l.rs, 2, &p));
    assert_false(last.step_limit);
    assert_true(last.steps < 10);
    unload(&l);
}

/* 2: pcre is retried for a relative successor; a negated one is not. */
static void trap02_pcre(void **state)
{
    assert_true(options_match("pcre:\"/A[0-9]/\"; content:\"B\"; distance:0; within:1;", "A1. A2B"));
    assert_false(options_match("pcre:\"/A[0-9]/\"; content:\"B\"; distance:0; within:1;", "A1. A2.B"));
    assert_true(options_match("content:\"id=\"; pcre:\"/^[a-f]+,/R\";", "id=12, id=abc,"));
    assert_false(options_match("content:\"id=\"; pcre:\"/^[a-f]+,/R\";", "id=12, abc,"));
    assert_true(options_match("content:\"id=\"; pcre:!\"/^[0-9]/R\";", "id=1 id=x"));
    assert_false(options_match("content:\"id=\"; pcre:!\"/^[0-9]/R\";", "id=1 id=2"));
    /* a later match that ends earlier is reached: greedy first, then the short one */
    assert_true(options_match("pcre:\"/a.*b|b/\"; content:\"c\"; distance:0;", "a bc.....b"));
    assert_true(options_match("pcre:\"/a.*b|b/\"; content:\"c\"; distance:0; within:1;", "a bc.....b"));
    /* A has one place only, also when it is retried */
    assert_false(options_match("pcre:\"/x/A\"; content:\"y\"; distance:0; within:1;", "xxy"));
}

/* 3: within counts from the previous match's end plus distance, and the whole pattern must fit. */
static void trap03_within(void **state)
{
    assert_true(options_match("content:\"A\"; content:\"BCD\"; distance:2; within:3;", "A..BCD"));
    assert_false(options_match("content:\"A\"; content:\"BCD\"; distance:2; within:3;", "A...BCD"));
    assert_true(options_match("content:\"A\"; content:\"BCD\"; distance:2; within:4;", "A...BCD"));
    assert_false(options_match("content:\"A\"; content:\"BCD\"; distance:2; within:3;", "A.BCD"));
    /* a negative distance looks back, and stops at the buffer's start */
    assert_true(options_match("content:\"abc\"; content:\"bc\"; distance:-2; within:2;", "abc"));
    assert_true(options_match("content:\"abc\"; content:\"abc\"; distance:-100;", "abc"));
    assert_false(options_match("content:\"abc\"; content:\"bc\"; distance:-1;", "abc"));
    assert_options_refused("content:\"A\"; content:\"BCD\"; within:2;", "within 2 cannot hold the 3 bytes");
}

/* 4: depth counts from offset; offset and depth do not mix with distance and within. */
static void trap04_depth(void **state)
{
    assert_true(options_match("content:\"BC\"; offset:3; depth:4;", ".....BC"));
    assert_false(options_match("content:\"BC\"; offset:3; depth:3;", ".....BC"));
    assert_false(options_match("content:\"BC\"; offset:3;", "BC.."));
    assert_true(options_match("content:\"BC\"; depth:2;", "BC"));
    assert_false(options_match("content:\"BC\"; depth:2;", ".BC"));
    assert_options_refused("content:\"abc\"; depth:2;", "depth 2 cannot hold the 3 bytes");
    assert_options_refused("content:\"a\"; content:\"b\"; depth:4; within:4;",
                           "offset or depth together with distance or within");
    assert_options_refused("content:\"a\"; content:\"b\"; distance:4; offset:4;",
                           "offset or depth together with distance or within");
}

/* 5: the first relative option of a buffer starts from the buffer's start. */
static void trap05_cursor(void **state)
{
    assert_true(options_match("content:\"MZ\"; within:2;", "MZ"));
    assert_false(options_match("content:\"MZ\"; within:2;", ".MZ"));
    assert_true(options_match("content:\"MZ\"; distance:1;", ".MZ"));
    assert_false(options_match("content:\"MZ\"; distance:1;", "MZ."));
    assert_true(options_match("pcre:\"/^MZ/R\";", "MZ"));
    /* an absolute content sets the cursor for what follows, wherever it stands */
    assert_true(
        options_match("content:\"B\"; content:\"A\"; depth:1; content:\"C\"; distance:0; within:1;", "AC B"));
}

/* 6: startswith and endswith. */
static void trap06_ends(void **state)
{
    assert_true(options_match("content:\"GET\"; startswith;", "GET /"));
    assert_false(options_match("content:\"GET\"; startswith;", " GET /"));
    assert_true(options_match("content:\".exe\"; endswith;", "a.exe b.exe"));
    assert_false(options_match("content:\".exe\"; endswith;", "a.exe b"));
    assert_true(options_match("content:\"abc\"; startswith; endswith;", "abc"));
    assert_false(options_match("content:\"abc\"; startswith; endswith;", "abcabc"));
    assert_true(options_match("content:\"a\"; content:\"c\"; distance:0; endswith;", "a.c.c"));
    assert_false(options_match("content:\"a\"; content:\"c\"; distance:0; within:1; endswith;", "a.c"));
    assert_true(options_match("content:\"a\"; content:\"c\"; within:2; distance:0; endswith;", "a a.c"));
    assert_true(options_match("content:\".exe\"; endswith; endswith;", "a.exe"));
    assert_false(options_match("content:\".exe\"; endswith; endswith;", "a.exe b"));
    assert_options_refused("content:\"a\"; startswith; startswith;", "startswith stands twice");
    assert_options_refused("content:\"a\"; startswith; offset:1;", "startswith together with");
    assert_options_refused("content:\"a\"; depth:4; startswith;", "startswith together with");
    assert_options_refused("content:\"a\"; distance:0; startswith;", "startswith together with");
    assert_options_refused("content:\"a\"; within:4; startswith;", "startswith together with");
}

/* 7: negated contents, also in windows that start behind the end of the buffer. */
static void trap07_negation(void **state)
{
    assert_true(options_match("content:!\"evil\";", "good"));
    assert_false(options_match("content:!\"evil\";", "an evil one"));
    assert_true(options_match("content:!\"evil\"; depth:4;", " evil"));
    assert_true(options_match("content:!\"x\"; offset:50;", "x short"));
    assert_true(options_match("content:\"end\"; content:!\"x\"; distance:10;", "the end"));
    assert_true(options_match("content:!\"abc\"; endswith;", "abc."));
    assert_false(options_match("content:!\"abc\"; endswith;", "..abc"));
    assert_true(options_match("content:!\"abc\"; endswith;", "abc..")); /* also as the only content */
    /* nothing to look into: a rule with a payload option does not match, not even by negation */
    struct loaded l = load_ok("alert tcp any any -> any any (content:!\"evil\"; sid:1;)");
    struct pkt p = {.proto = 6};

    assert_false(rule_matches(l.rs, 1, &p));
    unload(&l);
}

/* 16: rawbytes has no effect, but needs a content. */
static void trap16_rawbytes(void **state)
{
    assert_true(options_match("content:\"a\"; rawbytes; nocase;", "A"));
    assert_options_refused("rawbytes;", "no content before it");
}

/* The literal that the prefilter holds for the only rule. */
static void assert_fast(const char *options, const char *want, bool nocase)
{
    char rule[1024];
    struct loaded l;
    struct facts f = {.flags = FACT_TCP};

    snprintf(rule, sizeof(rule), "alert tcp any any -> any any (%s sid:1;)", options);
    l = load_ok(rule);
    assert_int_equal(payload_patterns(l.rs, PROTO_TCP)->n_patterns, 1);
    assert_int_equal(l.rs->stats.n_no_prefilter, 0);
    assert_true(is_candidate(l.rs, 0, &f, span_str(want)));
    for (uint32_t cut = 1; cut < strlen(want); cut++) /* exactly this literal: no part of it will do */
        assert_false(is_candidate(l.rs, 0, &f, span_of(want, cut)) &&
                     is_candidate(l.rs, 0, &f, span_str(want + cut)));
    snprintf(rule, sizeof(rule), "%s", want);
    rule[0] ^= 0x20;
    assert_int_equal(is_candidate(l.rs, 0, &f, span_str(rule)), nocase);
    unload(&l);
}

/* 17: the choice of the fast pattern, which never changes what matches. */
static void trap17_fast_pattern(void **state)
{
    assert_fast("content:\"abc\"; content:\"longer\"; content:\"xyz\";", "longer", false);
    assert_fast("content:\"aaaa\"; content:\"a1c&\";", "a1c&", false); /* stronger at the same length */
    assert_fast("content:\"abcd\"; content:\"efgh\";", "abcd", false); /* leftmost when all else is equal */
    assert_fast("content:\"abcd\"; fast_pattern; content:\"longer\";", "abcd", false);
    assert_fast("content:\"ab\"; fast_pattern; content:\"longer\";", "longer", false); /* too short a wish */
    assert_fast("content:!\"negated and long\"; content:\"short\"; nocase;", "short", true);
    assert_fast("content:!\"negated and long\"; fast_pattern; content:\"short\";", "short", false);
    assert_fast("content:\"0123456789\"; fast_pattern:3,4;", "3456", false);
    assert_true(options_match("content:\"0123456789\"; fast_pattern:3,4;", "0123456789"));
    assert_false(options_match("content:\"0123456789\"; fast_pattern:3,4;", "3456"));
    assert_true(options_match("content:\"abc\"; fast_pattern:only; content:\"d\"; distance:0;", "abcd"));
    assert_options_refused("content:\"abc\"; fast_pattern:2,2;", "outside the 3 bytes");
    assert_options_refused("content:\"abc\"; fast_pattern; content:\"def\"; fast_pattern;",
                           "two contents are fast_pattern");
}

/* The one buffer in which the prefilter looks for the rule, dormant or not. */
static void assert_fast_buffer(const char *options, enum buffer_id want, bool to_client)
{
    char rule[1024];
    struct loaded l;
    uint32_t n = 0;

    snprintf(rule, sizeof(rule), "alert tcp any any -> any any (flow:%s; %s sid:1;)",
             to_client ? "to_client" : "to_server", options);
    l = load_ok(rule);
    assert_int_equal(l.rs->stats.n_patterns, 1);
    for (uint32_t i = 0; i < l.rs->scans[PROTO_TCP][to_client].n; i++, n++)
        if (l.rs->scans[PROTO_TCP][to_client].v[i].slot != want)
            fail_msg("%s: %s, not %s", options, buffers_name(l.rs->scans[PROTO_TCP][to_client].v[i].slot),
                     buffers_name(want));
    assert_int_equal(n, 1);
    unload(&l);
}

/* 17: buffers of their own, then the payload, then methods and status codes; only then the length. */
static void trap17_buffers_first(void **state)
{
    static const struct {
        const char *options;
        enum buffer_id want;
        bool to_client;
    } rows[] = {
        {"content:\"a longer one\"; http.uri; content:\"/evil\";", BUF_HTTP_URI, false},
        {"http.uri; content:\"/evil\"; pkt_data; content:\"a longer one\";", BUF_HTTP_URI, false},
        {"content:\"a longer one\"; tcp.hdr; content:\"|01 02 03 04|\";", BUF_TCP_HDR, false},
        {"content:\"abcd\"; content:\"PROPFIND\"; http_method;", BUF_PAYLOAD, false},
        {"content:\"abc\"; content:\"PROPFIND\"; http_method;", BUF_PAYLOAD, false},
        {"http.method; content:\"PROPFIND\"; http.uri; content:\"/a/b\";", BUF_HTTP_URI, false},
        {"http.method; content:\"PROPFIND\"; http.uri; content:\"/a\";", BUF_HTTP_URI, false},
        {"http.method; content:\"PROPFIND\";", BUF_HTTP_METHOD, false},
        {"http.uri; content:!\"/negated/and/long\"; http.method; content:\"POST\";", BUF_HTTP_METHOD, false},
        {"http.stat_code; content:\"20000\"; pkt_data; content:\"abcd\";", BUF_PAYLOAD, true},
        {"http.stat_code; content:\"20000\"; http.stat_msg; content:\"Gone\";", BUF_HTTP_STAT_MSG, true},
        {"http.stat_msg; content:\"Not here\"; http.server; content:\"iis7\";", BUF_HTTP_SERVER, true},
        {"http.uri; content:\"/four\"; http.header; content:\"longer\";", BUF_HTTP_HEADER, false},
        {"http.uri; content:\"longer\"; http.header; content:\"/four\";", BUF_HTTP_URI, false},
        /* the rule's wish goes before all */
        {"http.uri; content:\"/evil\"; pkt_data; content:\"four\"; fast_pattern;", BUF_PAYLOAD, false},
        {"http.method; content:\"POST\"; fast_pattern; http.uri; content:\"/evil\";", BUF_HTTP_METHOD, false},
        /* too short to be found by: whatever is longer and stronger, but nothing that is always the same */
        {"http.uri; content:\"/a\"; http.user_agent; content:\"evil\";", BUF_HTTP_USER_AGENT, false},
        {"content:\"a longer one\"; http.uri; content:\"/a\";", BUF_PAYLOAD, false},
        {"content:\"|00 00 00 00|\"; tcp.hdr; content:\"|05 02|\";", BUF_TCP_HDR, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_fast_buffer(rows[i].options, rows[i].want, rows[i].to_client);
}

/* 17: whichever of the contents is the fast pattern, the same packets match (and are candidates: rule_matches). */
static void trap17_same_matches(void **state)
{
    static const char *const wishes[] = {"", "fast_pattern;", "fast_pattern:1,2;"};
    static const char *const payloads[] = {"user longer", "user long", "longer user",
                                           "USER longer", "user",      ""};
    static const char *const headers[] = {"\x01\x02|xyz|", "\x01\x02xyz", "nothing"};

    for (unsigned which = 0; which < 3; which++)
        for (unsigned wish = 0; wish < 3; wish++) {
            char rule[400];
            struct loaded l;

            snprintf(rule, sizeof(rule),
                     "alert tcp any any -> any any (content:\"user\"; depth:4; %s content:\"longer\"; "
                     "distance:0; %s "
                     "tcp.hdr; content:\"|01 02 7c|xyz|7c|\"; %s sid:1;)",
                     which == 0 ? wishes[wish] : "", which == 1 ? wishes[wish] : "",
                     which == 2 ? wishes[wish] : "");
            l = load_ok(rule);
            for (unsigned i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
                for (unsigned j = 0; j < sizeof(headers) / sizeof(headers[0]); j++) {
                    struct pkt p = {.proto = 6, .payload = payloads[i], .l4 = span_str(headers[j])};

                    assert_int_equal(rule_matches(l.rs, 1, &p), i == 0 && j == 0);
                }
            unload(&l);
        }
}

static void trap17_long_pattern(void **state)
{
    char options[900], text[301];

    memset(text, 'q', sizeof(text) - 1);
    text[300] = '\0';
    text[299] = 'z';
    snprintf(options, sizeof(options), "content:\"%s\";", text);
    assert_true(options_match(options, text));
    text[299] = 'y';
    assert_false(options_match(options, text));
}

/* 18: case counts unless nocase is there; fast_pattern:only leaves the content in force. */
static void trap18_case(void **state)
{
    assert_false(options_match("content:\"GET\";", "get"));
    assert_true(options_match("content:\"GeT\"; nocase;", "gEt"));
    assert_true(options_match("content:\"a|41 5b|\"; nocase;", "AA["));
    assert_false(options_match("content:\"a|41 5b|\"; nocase;", "AA{")); /* only letters have a case */
    assert_false(options_match("content:\"abc\"; fast_pattern:only; depth:3;", "bc"));
    assert_false(options_match("content:\"abc\"; fast_pattern:only; depth:3;", ".abc"));
}

/* 19: escapes, hexadecimal, and ';' inside quotes. */
static void trap19_text(void **state)
{
    assert_true(options_match("content:\"a\\;b\\\"c\\\\d\\:e\";", "a;b\"c\\d:e"));
    assert_true(options_match("content:\"a|3b 22|b|7C|\";", "a;\"b|"));
    assert_true(options_match_n("content:\"|00 0d0A ff|\";", "x\0\r\n\xff", 5));
    assert_true(options_match("content:\"a|62|c\";", "abc"));
    assert_true(options_match("msg:\"a\\;b\"; content:\"x\";", "x"));
    assert_true(options_match("pcre:\"/a\\;\\\"b/\";", "a;\"b"));
    assert_options_refused("content:\"a;b\";", "';' inside quotes");
    assert_options_refused("pcre:\"/a;b/\";", "';' inside quotes");
    assert_options_refused("content:\"a\\nb\";", "a backslash may only stand before");
    assert_options_refused("content:\"a|4|b\";", "odd number of hexadecimal digits");
    assert_options_refused("content:\"a|4g|b\";", "'g' is no hexadecimal digit");
    assert_options_refused("content:\"a|41\";", "'|' without its other '|'");
    assert_options_refused("content:\"\";", "empty value");
    assert_options_refused("content:\"||\";", "no bytes");
    assert_options_refused("content:abc;", "must stand in quotes");
    assert_options_refused("content:\"abc;", "");
}

/* 21: ranges leave both ends out. */
static void trap21_ranges(void **state)
{
    assert_true(options_match("dsize:3<>5;", "abcd"));
    assert_false(options_match("dsize:3<>5;", "abc"));
    assert_false(options_match("dsize:3<>5;", "abcde"));
    assert_true(options_match("dsize:>3;", "abcd"));
    assert_false(options_match("dsize:<4;", "abcd"));
    assert_true(options_match("dsize:<=4;", "abcd"));
    assert_true(options_match("dsize:4;", "abcd"));
    assert_true(options_match("dsize:!5;", "abcd"));
    assert_false(options_match("dsize:!4;", "abcd"));
    assert_options_refused("dsize:3<>4;", "no number lies between");
    assert_options_refused("dsize:5<>3;", "no number lies between");
    assert_options_refused("dsize:<0;", "no number is");
    assert_options_refused("dsize:70000;", "no condition on a number");
    assert_options_refused("dsize:<3; content:\"abc\";",
                           "dsize allows at most 2 bytes, and the rule's contents need 3");
    assert_options_refused("dsize:6; content:\"abc\"; content:\"de\"; distance:2;", "contents need 7");
}

/* 34, 35: what flow asks for. */
static void trap35_flow(void **state)
{
    struct loaded l =
        load_ok("alert tcp any any -> any any (flow:stateless; sid:1;)\n"
                "alert tcp any any -> any any (flow:established,to_server; sid:2;)\n"
                "alert tcp any any -> any any (flow:to_client; sid:3;)\n"
                "alert tcp any any -> any any (flow: not_established , from_client ; sid:4;)\n");
    struct pkt none = {.proto = 6, .no_flow = true}, fresh = {.proto = 6},
               up = {.proto = 6, .established = true},
               down = {.proto = 6, .established = true, .to_client = true};
    const struct pkt *pkts[] = {&none, &fresh, &up, &down};
    static const bool want[4][4] = {{0, 1, 1, 1}, {0, 0, 1, 0}, {0, 0, 0, 1}, {0, 1, 0, 0}};

    for (uint32_t sid = 1; sid <= 4; sid++)
        for (int i = 0; i < 4; i++)
            assert_int_equal(rule_matches(l.rs, sid, pkts[i]), want[sid - 1][i]);
    unload(&l);
    assert_options_refused("flow:established,not_established;", "contradicts");
    assert_options_refused("flow:to_server,from_server;", "contradicts");
    assert_options_refused("flow:stateless,established;", "contradicts");
    assert_options_refused("flow:established,stateless;", "contradicts");
    assert_options_refused("flow:no_stream,only_stream;", "contradicts");
    assert_options_refused("flow:no_frag,only_frag;", "contradicts");
    assert_options_refused("flow:only_frag,only_frag;", "says again");
    assert_options_refused("flow:to_server,from_client;", "says again");
    assert_options_refused("flow:sideways;", "unknown word 'sideways'");
    assert_options_refused("flow:established; flow:to_server;", "stands in the rule twice");
}

/* only_frag: put together from fragments; no_frag: came whole. A fragment itself has no flow, and matches neither. */
static void trap35_fragments(void **state)
{
    static const struct pkt whole = {.proto = 17, .payload = "x", .established = true},
                            joined = {.flags = FACT_REASSEMBLED, .proto = 17, .payload = "x"},
                            back = {.flags = FACT_REASSEMBLED,
                                    .proto = 17,
                                    .payload = "x",
                                    .to_client = true},
                            part = {.flags = FACT_FRAGMENT, .proto = 17, .payload = "x", .no_flow = true};
    static const struct pkt *const pkts[] = {&whole, &joined, &back, &part};
    static const bool want[4][4] = {{0, 1, 1, 0}, {1, 0, 0, 0}, {0, 0, 1, 0}, {1, 1, 1, 1}};
    struct loaded l = load_ok("alert udp any any -> any any (flow:only_frag; content:\"x\"; sid:1;)\n"
                              "alert udp any any -> any any (flow:No_Frag, established; sid:2;)\n"
                              "alert ip any any -> any any (flow:to_client,only_frag,no_stream; sid:3;)\n"
                              "alert udp any any -> any any (content:\"x\"; sid:4;)\n");

    for (uint32_t sid = 1; sid <= 4; sid++)
        for (int i = 0; i < 4; i++)
            assert_int_equal(rule_matches(l.rs, sid, pkts[i]), want[sid - 1][i]);
    unload(&l);
}

/* 38: who sets a bit comes before who reads it, whatever their order in the file and their priorities. */
static void trap38_setters_first(void **state)
{
    struct loaded l = load_ok(
        "alert tcp any any -> any any (content:\"a\"; flowbits:isset,x; priority:1; sid:1;)\n"
        "alert tcp any any -> any any (content:\"a\"; flowbits:isset,w; flowbits:set,x; priority:2; sid:2;)\n"
        "alert tcp any any -> any any (content:\"a\"; flowbits:set,w; priority:9; sid:3;)\n"
        "alert tcp any any -> any any (content:\"a\"; priority:1; sid:4;)\n"
        "drop tcp any any -> any any (content:\"a\"; flowbits:isset,x; sid:5;)\n");
    static const uint32_t want[] = {5, 3, 2, 1, 4}; /* an action still comes before any bit */

    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(ruleset_info(l.rs, i)->sid, want[i]);
    unload(&l);
}

/* 39: pass before drop before reject before alert, then priority, then as loaded; or as configured. */
static void trap39_order(void **state)
{
    static const char rules[] = "alert tcp any any -> any any (sid:1;)\n"
                                "reject tcp any any -> any any (sid:2;)\n"
                                "drop tcp any any -> any any (sid:3;)\n"
                                "pass tcp any any -> any any (sid:4;)\n"
                                "alert tcp any any -> any any (sid:5; priority:1;)\n"
                                "alert tcp any any -> any any (sid:6; classtype:trojan-activity;)\n"
                                "drop tcp any any -> any any (sid:7; priority:200;)\n";
    static const uint32_t by_default[] = {4, 3, 7, 2, 5, 6, 1}, alert_first[] = {5, 6, 1, 2, 3, 7, 4};
    struct ruleset_source src = {
        .action_order = {[ACTION_ALERT] = 0, [ACTION_REJECT] = 1, [ACTION_DROP] = 2, [ACTION_PASS] = 3}};
    struct loaded l = load_ok(rules);

    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal(ruleset_info(l.rs, i)->sid, by_default[i]);
    unload(&l);
    l = load_source(rules, sizeof(rules) - 1, src);
    assert_non_null(l.rs);
    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal(ruleset_info(l.rs, i)->sid, alert_first[i]);
    unload(&l);
}

/* 36: what a TCP rule is tried on: packets, streams, or both. */
static void trap36_kinds(void **state)
{
    static const struct {
        const char *options;
        uint32_t kinds;
    } rows[] = {
        {"alert tcp any any -> any any (content:\"x\"; sid:1;)", RULE_STREAM},
        {"alert ip any any -> any any (content:\"x\"; sid:1;)", RULE_STREAM},
        {"alert tcp any any -> any any (pcre:\"/x/\"; sid:1;)", RULE_STREAM},
        {"alert tcp any any -> any any (pcre:\"/^x/m\"; sid:1;)", RULE_STREAM},
        {"alert tcp any any -> any any (content:\"x\"; endswith; sid:1;)", RULE_STREAM},
        {"alert tcp any any -> any any (content:\"x\"; content:\"y\"; within:5; sid:1;)", RULE_STREAM},
        {"alert tcp any any -> any any (content:\"x\"; depth:5; sid:1;)", RULE_STREAM | RULE_PACKET},
        {"alert tcp any any -> any any (content:\"x\"; offset:5; sid:1;)", RULE_STREAM | RULE_PACKET},
        {"alert tcp any any -> any any (content:\"x\"; startswith; sid:1;)", RULE_STREAM | RULE_PACKET},
        {"alert tcp any any -> any any (pcre:\"/^x/\"; sid:1;)", RULE_STREAM | RULE_PACKET},
        {"alert tcp any any -> any any (byte_test:1,>,5,0; sid:1;)", RULE_STREAM | RULE_PACKET},
        {"alert tcp any any -> any any (content:\"x\"; byte_test:1,>,5,0,relative; sid:1;)", RULE_STREAM},
        {"alert tcp any any -> any any (content:\"x\"; isdataat:500; sid:1;)", RULE_STREAM | RULE_PACKET},
        {"alert tcp any any -> any any (content:\"x\"; stream_size:client,>,5; sid:1;)",
         RULE_STREAM | RULE_PACKET},
        {"alert tcp any any -> any any (content:\"x\"; dsize:>10; sid:1;)", RULE_PACKET},
        {"alert tcp any any -> any any (content:\"x\"; flags:A; sid:1;)", RULE_PACKET},
        {"alert tcp any any -> any any (content:\"x\"; flow:no_stream; sid:1;)", RULE_PACKET},
        {"alert tcp-pkt any any -> any any (content:\"x\"; sid:1;)", RULE_PACKET},
        {"alert tcp any any -> any any (content:\"x\"; depth:5; flow:only_stream; sid:1;)", RULE_STREAM},
        {"alert tcp-stream any any -> any any (content:\"x\"; depth:5; sid:1;)", RULE_STREAM},
        {"alert tcp any any -> any any (flow:established; sid:1;)", RULE_PACKET},
        {"alert udp any any -> any any (content:\"x\"; sid:1;)", RULE_PACKET},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loaded l = load_ok(rows[i].options);
        uint32_t kinds = ruleset_rule(l.rs, 0)->flags & (RULE_STREAM | RULE_PACKET);

        if (kinds != rows[i].kinds)
            fail_msg("%s: %x", rows[i].options, kinds);
        unload(&l);
    }
    assert_refused("alert tcp-stream any any -> any any (content:\"x\"; dsize:5; sid:1;)", 0, "streams only");
}

/* 40: how far a drop reaches. */
static void trap40_scope(void **state)
{
    static const struct {
        const char *rule;
        bool stream, packet, ip_only; /* a match in a stream; one in a packet, TCP or not; decided once */
    } rows[] = {
        {"drop ip 10.0.0.1 any -> any any (sid:1;)", true, true, true},
        {"drop tcp any any -> any 80 (sid:1;)", true, true, true},
        {"drop ip !10.0.0.1 any -> any any (sid:1;)", true, true,
         false}, /* like ip-only: tested on every packet */
        {"drop tcp $EXTERNAL_NET any -> any any (sid:1;)", true, true, false},
        {"drop tcp any any -> any any (flow:to_server; sid:1;)", false, false, false},
        {"drop tcp any any -> any any (content:\"x\"; sid:1;)", true, false, false},
        {"drop tcp any any -> any any (flow:established,to_server; pcre:\"/x/\"; sid:1;)", true, false,
         false},
        {"drop tcp any any -> any any (content:\"x\"; depth:5; sid:1;)", true, false, false},
        {"drop tcp-pkt any any -> any any (content:\"x\"; sid:1;)", false, false, false},
        {"drop tcp-stream any any -> any any (content:\"x\"; sid:1;)", true, false, false},
        {"drop tcp any any -> any any (content:\"x\"; dsize:>10; sid:1;)", false, false, false},
        {"drop tcp any any -> any any (content:\"x\"; flow:no_stream; sid:1;)", false, false, false},
        {"drop tcp any any -> any any (flags:S; sid:1;)", false, false, false},
        {"drop ip any any -> any any (ttl:1; sid:1;)", false, false, false},
        {"drop ip any any -> any any (sameip; sid:1;)", false, false, false},
        {"drop udp any any -> any any (content:\"x\"; sid:1;)", false, false, false},
        {"drop ip any any -> any any (content:\"x\"; sid:1;)", true, false, false},
        {"drop icmp any any -> any any (itype:8; sid:1;)", false, false, false},
        {"drop icmp any any -> any any (msg:\"m\"; classtype:icmp-event; noalert; sid:1;)", true, true, true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loaded l = load_ok(rows[i].rule);
        const struct rule *r = ruleset_rule(l.rs, 0);

        if (ruleset_holds_for_flow(r, true) != rows[i].stream ||
            ruleset_holds_for_flow(r, false) != rows[i].packet ||
            ((r->flags & RULE_IP_ONLY) != 0) != rows[i].ip_only)
            fail_msg("%s: flags %x", rows[i].rule, r->flags);
        unload(&l);
    }
}

/* 42: noalert is silent and changes nothing else. */
static void trap42_noalert(void **state)
{
    struct loaded l = load_ok("drop tcp any any -> any any (content:\"x\"; noalert; sid:1;)");

    assert_true(ruleset_rule(l.rs, 0)->flags & RULE_NOALERT);
    assert_int_equal(ruleset_rule(l.rs, 0)->action, ACTION_DROP);
    unload(&l);
}

/* 49: a negation of everything is an error, not a rule that never matches. */
static void trap49_nothing(void **state)
{
    static const char rule[] = "alert tcp $EXTERNAL_NET any -> $HOME_NET any (sid:1;)";
    const struct ruleset_var any = {"HOME_NET", "any"};
    struct loaded l = load_source(rule, sizeof(rule) - 1, (struct ruleset_source){.vars = &any, .n_vars = 1});

    assert_int_equal(l.errs.n, 1);
    assert_non_null(strstr(l.errs.v[0].text, "'$EXTERNAL_NET' is no address at all"));
    assert_int_equal(l.errs.v[0].column, 11);
    unload(&l);
    assert_refused("alert tcp !any any -> any any (sid:1;)", 11, "is no address at all");
    assert_refused("alert tcp any !0:65535 -> any any (sid:1;)", 15, "is no port at all");
    assert_refused("alert tcp [10.0.0.1,!10.0.0.0/8] any -> any any (sid:1;)", 11, "is no address at all");
}

/* 50: one bad rule is told and stops no other; a rule whose requires is not met steps aside without an error. */
static void trap50_one_bad_rule(void **state)
{
    struct loaded l = load("alert tcp any any -> any any (content:\"a\"; sid:1;)\n"
                           "alert tcp any any -> any any (content:\"a\"; nonsense; sid:2;)\n"
                           "alert tcp any any -> any any (requires:version < 1; nonsense; sid:3;)\n"
                           "alert tcp any any -> any any (requires:version >= 7; content:\"b\"; sid:4;)\n");

    assert_int_equal(l.errs.n, 1);
    assert_int_equal(l.errs.v[0].line, 2);
    assert_int_equal(ruleset_n_rules(l.rs), 2);
    assert_int_equal(ruleset_stats(l.rs)->n_rejected, 1);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trap01_backtracking),  cmocka_unit_test(trap01_bound),
        cmocka_unit_test(trap02_pcre),          cmocka_unit_test(trap03_within),
        cmocka_unit_test(trap04_depth),         cmocka_unit_test(trap05_cursor),
        cmocka_unit_test(trap06_ends),          cmocka_unit_test(trap07_negation),
        cmocka_unit_test(trap16_rawbytes),      cmocka_unit_test(trap17_fast_pattern),
        cmocka_unit_test(trap17_long_pattern),  cmocka_unit_test(trap18_case),
        cmocka_unit_test(trap17_buffers_first), cmocka_unit_test(trap17_same_matches),
        cmocka_unit_test(trap19_text),          cmocka_unit_test(trap21_ranges),
        cmocka_unit_test(trap35_flow),          cmocka_unit_test(trap35_fragments),
        cmocka_unit_test(trap39_order),         cmocka_unit_test(trap36_kinds),
        cmocka_unit_test(trap40_scope),         cmocka_unit_test(trap42_noalert),
        cmocka_unit_test(trap49_nothing),       cmocka_unit_test(trap38_setters_first),
        cmocka_unit_test(trap50_one_bad_rule),
    };

    return cmocka_run_group_tests_name("rules: traps", tests, NULL, NULL);
}
