/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asn1, base64_decode, rpc, ftpbounce, geoip, replace, bypass, target, and the keywords whose rules sleep.
 */
#include "harness.h"

#define M(options, payload) options_match_n(options, payload, sizeof(payload) - 1)

/* --- asn1 ------------------------------------------------------------------------------------------------------ */

static void asn1_lengths(void **state)
{
    /* X.690, A.3: a personnel record of 133 bytes */
    static const char record[] =
        "\x60\x81\x85\x61\x10\x1a\x04John\x1a\x01P\x1a\x05Smith\xa0\x0a\x1a\x08"
        "Director"
        "\x42\x01\x33\xa1\x0a\x43\x08"
        "19710917\xa2\x12\x61\x10\x1a\x04Mary\x1a\x01T\x1a\x05"
        "Smith\xa3\x42\x31\x1f\x61\x11\x1a\x05Ralph\x1a\x01T\x1a\x05Smith\xa0\x0a\x43\x08"
        "19571111\x31\x1f\x61\x11\x1a\x05Susan\x1a\x01"
        "B\x1a\x05Jones\xa0\x0a\x43\x08"
        "19590717";

    assert_true(M("asn1:oversize_length 132, absolute_offset 0;", record));
    assert_false(M("asn1:oversize_length 133, absolute_offset 0;", record));
    assert_true(
        M("asn1:oversize_length 65;", record)); /* without an offset from the start; an inner one has 66 */
    assert_false(M("asn1:oversize_length 100, absolute_offset 3;", "....\x02\x65"));
    assert_true(M("asn1:oversize_length 100, absolute_offset 4;", "....\x02\x65"));
    assert_true(M("content:\"AB\"; asn1:oversize_length 100, relative_offset 2;", "AB..\x02\x65"));
    assert_true(M("content:\"AB\"; asn1:oversize_length 100, relative_offset -4;", "\x02\x65"
                                                                                   "AB"));
    assert_true(M("content:\"A\"; asn1:oversize_length 100, relative_offset 0;",
                  "A\x02\x01.A\x02\x65")); /* goes on */
    /* long forms of the length, up to one that no number holds */
    assert_true(M("asn1:oversize_length 2048;", "\x04\x84\xff\xff\xff\xff"));
    assert_true(M("asn1:oversize_length 2048;", "\x04\x89\x01\0\0\0\0\0\0\0\0"));
    assert_false(M("asn1:oversize_length 2048;", "\x04\x84\xff\xff")); /* cut */
    assert_false(M("asn1:oversize_length 2048;", "\x04\x84\x00\x00\x07\xff"));
    assert_false(M("asn1:oversize_length 2048;", "\x04\xff\xff\xff\xff\xff")); /* 0xff is reserved */
    /* tags of several bytes, endless ones, values one after the other, indefinite lengths */
    assert_true(M("asn1:oversize_length 9;", "\x1f\x81\x01\x0a"));
    assert_false(M("asn1:oversize_length 9;", "\x1f\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0a"));
    assert_true(M("asn1:oversize_length 9;", "\x02\x01.\x02\x01.\x04\x0a"));
    assert_true(M("asn1:oversize_length 9;", "\x30\x80\x02\x01.\x04\x0a"));
    assert_false(M("asn1:oversize_length 9;", "\x04\x80\x04\x0a")); /* primitive and indefinite: no BER */
    assert_options_refused("asn1:oversize_length;", "wants a number");
    assert_options_refused("asn1:absolute_offset 0;", "looks for nothing");
    assert_options_refused("asn1:double_overflow, absolute_offset 0, relative_offset 1;", "two offsets");
    assert_options_refused("asn1:print;", "'print' is no word");
}

static void asn1_values(void **state)
{
    char real[4 + 257] = {9, (char)0x82, 1, 1, 5};

    assert_true(M("asn1:bitstring_overflow;", "\x03\x01\xff"));
    assert_false(M("asn1:bitstring_overflow;", "\x03\x01\x07"));
    assert_false(M("asn1:bitstring_overflow;", "\x23\x01\xff")); /* constructed */
    assert_false(M("asn1:bitstring_overflow;", "\x83\x01\xff")); /* not a bit string, but a context tag */
    assert_false(M("asn1:bitstring_overflow;", "\x03\x00\xff"));
    assert_false(M("asn1:bitstring_overflow;", "\x03\x01"));
    assert_true(options_match_n("asn1:double_overflow;", real, sizeof(real)));
    assert_true(
        options_match_n("asn1:double_overflow bitstring_overflow;", real, 5)); /* its length says it */
    real[3] = 0;                                                               /* 256 bytes fit */
    assert_false(options_match_n("asn1:double_overflow;", real, sizeof(real)));
    real[3] = 1;
    real[4] = (char)0x80; /* binary, not ASCII */
    assert_false(options_match_n("asn1:double_overflow;", real, sizeof(real)));
    /* no end in sight: the walk has one */
    char deep[8192];
    for (size_t i = 0; i < sizeof(deep); i += 2) {
        deep[i] = 0x30;
        deep[i + 1] = (char)0x80;
    }
    assert_false(options_match_n("asn1:oversize_length 4000000;", deep, sizeof(deep)));
}

/* --- base64 ---------------------------------------------------------------------------------------------------- */

static void base64(void **state)
{
    assert_true(M("base64_decode; base64_data; content:\"Hello World\"; bsize:11;", "SGVsbG8gV29ybGQ="));
    assert_true(
        M("base64_decode:offset 8; base64_data; content:\"Hello\"; startswith;", "aaaaaaaaSGVsbG8gV29ybGQ="));
    assert_true(M("base64_decode:bytes 8; base64_data; content:\"Hello \"; bsize:6;", "SGVsbG8gV29ybGQ="));
    assert_true(
        M("content:\"auth=\"; base64_decode:relative; base64_data; content:\"Hello\";", "auth=SGVsbG8="));
    assert_true(
        M("content:\"auth=\"; base64_decode:bytes 12, offset 1, relative; base64_data; content:\"Hello\";",
          "auth= SGVsbG8gV29y"));
    assert_true(
        M("content:\"x\"; base64_decode:offset 0,relative; base64_data; content:\"|00|\"; startswith;",
          "xAAAA"));
    assert_false(M("base64_decode; base64_data; content:\"ello\"; startswith;", "SGVsbG8="));
    /* what is no base64 ends it; nothing decoded, no match */
    assert_true(M("base64_decode; base64_data; content:\"Hello\"; bsize:5;", "SGVsbG8=SGVsbG8="));
    assert_true(M("base64_decode; base64_data; content:\"Hel\"; bsize:3;", "SGVs,bG8="));
    assert_false(M("base64_decode;", "!SGVs"));
    assert_false(M("base64_decode;", "S"));
    assert_false(M("base64_decode:offset 4;", "SGVs"));
    /* a folded header line goes on, a new line does not */
    assert_true(M("base64_decode; base64_data; content:\"Hello\"; bsize:5;", "SGVs\r\n bG8="));
    assert_true(M("base64_decode; base64_data; content:\"Hello\"; bsize:5;", "SGVs\n\tbG8="));
    assert_true(M("base64_decode; base64_data; bsize:3;", "SGVs\r\nHost"));
    /* the search before it goes on when the contents behind base64_data do not fit */
    assert_true(M("content:\"b=\"; base64_decode:relative; base64_data; content:\"yes\";", "b=bm8= b=eWVz"));
    assert_false(M("content:\"b=\"; base64_decode:relative; base64_data; content:\"yes\";", "b=bm8= b=bm8="));
    /* the decoded contents never choose the candidates */
    assert_true(M("content:\"b=\"; base64_decode:relative; base64_data; content:\"longer than that\";",
                  "b=bG9uZ2VyIHRoYW4gdGhhdA=="));
    assert_options_refused("base64_data; content:\"a\";", "base64_data without base64_decode");
    assert_options_refused("base64_decode:bytes 1, offset 2, relatve;", "'relatve' is no word");
    assert_options_refused("base64_decode:bytes;", "bytes wants a number");
    assert_options_refused("base64_decode; base64_data; to_md5; content:\"a\";", "only a sticky buffer");
}

/* --- rpc, ftpbounce ----------------------------------------------------------------------------------------------- */

static void rpc(void **state)
{
    static const char call[] = "\x80\0\0\x38" /* record mark, TCP only */
                               "\x64\xb2\xb3\x75\0\0\0\0\0\0\0\x02\0\x01\x86\xa0\0\0\0\x02\0\0\0\x03";
    struct pkt tcp = {.proto = 6, .payload = call, .payload_len = 28};
    struct pkt udp = {.proto = 17, .payload = call + 4, .payload_len = 24};
    static const struct {
        const char *options;
        bool match;
    } cases[] = {{"rpc:100000,2,3;", true},  {"rpc:100000, 2, *;", true}, {"rpc:100000,*,3;", true},
                 {"rpc:100000,*,*;", true},  {"rpc:100000;", true},       {"rpc:100000,2;", true},
                 {"rpc:100001,2,3;", false}, {"rpc:100000,3,3;", false},  {"rpc:100000,2,4;", false}};
    char reply[24];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(options_match_packet(DIALECT_SURICATA, cases[i].options, &tcp), cases[i].match);
        assert_int_equal(options_match_packet(DIALECT_SURICATA, cases[i].options, &udp), cases[i].match);
    }
    udp.payload_len = 23;
    assert_false(options_match_packet(DIALECT_SURICATA, "rpc:100000;", &udp));
    memcpy(reply, call + 4, sizeof(reply));
    reply[7] = 1;
    udp = (struct pkt){.proto = 17, .payload = reply, .payload_len = 24};
    assert_false(options_match_packet(DIALECT_SURICATA, "rpc:100000;", &udp));
    assert_options_refused("rpc:*;", "no program");
    assert_options_refused("rpc:1,a;", "'a' is no program");
    assert_options_refused("rpc:1,2,3,4;", "'4' is no program");
}

static void ftpbounce(void **state)
{
    static const char rule[] = "content:\"PORT\"; nocase; ftpbounce; pcre:\"/^PORT/smi\";"; /* ET's */

    assert_true(M(rule, "PORT 192,168,1,1,10,20\r\n"));
    assert_false(M(rule, "PORT 10,0,0,1,10,20\r\n")); /* the sender */
    assert_true(M(rule, "port 10,0,0,2,10,20\r\n"));
    assert_true(M("ftpbounce;", "PORT 1,2,3,4,5,6"));
    assert_false(M("ftpbounce;", "PORT 10,0,0,1,5,6"));
    assert_true(M(rule, "PORT 10,0,0,1,1,1\r\nPORT 8,8,8,8,1,1\r\n")); /* the second */
    assert_false(M(rule, "PORT 1,2,3,4\r\n"));
    assert_false(M(rule, "PORT 256,2,3,4,5,6\r\n"));
    assert_false(M(rule, "PORT 1,2,3,4,5"));
    assert_false(M(rule, "PORT"));
    assert_false(M(rule, "PORT a,b,c,d,e,f"));
}

/* --- geoip ------------------------------------------------------------------------------------------------------- */

struct mmdb { /* a database in the making: nodes of 24-bit records, data behind them */
    uint32_t node[512][2];
    uint32_t n_nodes;
    uint8_t data[512];
    uint32_t n_data;
};

#define LEAF 0x800000 /* record in the making: data at the low bits */

static uint32_t add_country(struct mmdb *m, const char *code)
{
    uint32_t at = m->n_data;

    m->n_data += (uint32_t)sprintf((char *)m->data + at,
                                   "\xe1\x47"
                                   "country\xe1\x48"
                                   "iso_code\x42%s",
                                   code);
    return at;
}

static void add_net(struct mmdb *m, const char *addr, int bits, uint32_t data)
{
    uint8_t b[4];
    uint32_t node = 0;

    assert_int_equal(inet_pton(AF_INET, addr, b), 1);
    for (int i = 0; i < bits; i++) {
        uint32_t *r = &m->node[node][b[i / 8] >> (7 - i % 8) & 1];

        if (i == bits - 1)
            *r = LEAF | data;
        else if (*r == 0)
            *r = m->n_nodes++;
        node = *r;
    }
}

static void write_mmdb(const struct mmdb *m, char path[64])
{
    uint8_t out[8192];
    size_t n = 0;
    static const char meta[] = "\xab\xcd\xefMaxMind.com\xe9\x4a"
                               "node_count\xc4";
    static const char meta2[] = "\x4b"
                                "record_size\xa1\x18\x4aip_version\xa1\x04\x4d"
                                "database_type\x44Test\x49"
                                "languages\x00\x04\x5b"
                                "binary_format_major_version\xa1\x02\x5b"
                                "binary_format_minor_version\xa0\x4b"
                                "build_epoch\x01\x02\x01\x4b"
                                "description\xe0";

    for (uint32_t i = 0; i < m->n_nodes; i++)
        for (int side = 0; side < 2; side++) {
            uint32_t r = m->node[i][side];

            r = r == 0 ? m->n_nodes : r & LEAF ? m->n_nodes + 16 + (r & ~LEAF) : r;
            out[n++] = (uint8_t)(r >> 16);
            out[n++] = (uint8_t)(r >> 8);
            out[n++] = (uint8_t)r;
        }
    memset(out + n, 0, 16);
    n += 16;
    memcpy(out + n, m->data, m->n_data);
    n += m->n_data;
    memcpy(out + n, meta, sizeof(meta) - 1);
    n += sizeof(meta) - 1;
    store_be32(out + n, m->n_nodes);
    n += 4;
    memcpy(out + n, meta2, sizeof(meta2) - 1);
    n += sizeof(meta2) - 1;
    write_file(path, (const char *)out, n);
}

static void geoip(void **state)
{
    static struct mmdb m = {.n_nodes = 1};
    static const struct {
        const char *options, *src, *dst;
        bool match;
    } cases[] = {
        {"geoip:src,RU;", "5.1.1.1", "9.9.9.9", true},     {"geoip:src,RU;", "9.9.9.9", "5.1.1.1", false},
        {"geoip:dst,RU;", "9.9.9.9", "5.1.1.1", true},     {"geoip:dest,ru;", "9.9.9.9", "5.1.1.1", true},
        {"geoip:any,CN,RU;", "9.9.9.9", "5.1.1.1", true},  {"geoip:RU;", "5.1.1.1", "9.9.9.9", true},
        {"geoip:both,US,RU;", "9.9.9.9", "5.1.1.1", true}, {"geoip:both,RU;", "9.9.9.9", "5.1.1.1", false},
        {"geoip:src,!RU;", "9.9.9.9", "5.1.1.1", true},    {"geoip:src,!RU;", "5.1.1.1", "9.9.9.9", false},
        {"geoip:src,!RU;", "10.0.0.1", "9.9.9.9", false}, /* of no country */
        {"geoip:src,RU;", "10.0.0.1", "9.9.9.9", false},   {"geoip:src,US,!RU;", "9.9.9.9", "9.9.9.9", true},
        {"geoip:src,RU;", "2001::1", "2001::2", false},
    };
    struct ruleset_source src = {0};
    char path[64], rule[256];

    add_net(&m, "5.0.0.0", 8, add_country(&m, "RU"));
    add_net(&m, "9.9.0.0", 16, add_country(&m, "US"));
    write_mmdb(&m, path);
    src.geoip_database = path;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pkt p = {.proto = 17, .src = cases[i].src, .dst = cases[i].dst};
        struct loaded l;

        snprintf(rule, sizeof(rule), "alert ip any any -> any any (%s sid:1;)\n", cases[i].options);
        l = load_source(rule, strlen(rule), src);
        err_list_print(&l.errs, stderr);
        assert_int_equal(l.errs.n, 0);
        assert_int_equal(ruleset_stats(l.rs)->n_dormant, 0);
        if (rule_matches(l.rs, 1, &p) != cases[i].match)
            fail_msg("%s from %s to %s", cases[i].options, cases[i].src, cases[i].dst);
        unload(&l);
    }
    unlink(path);
    /* a file that is none is an error; no file at all, and the rule sleeps */
    struct loaded l = load_source(rule, strlen(rule), src);
    assert_int_equal(l.errs.n, 1);
    assert_non_null(strstr(l.errs.v[0].text, path));
    unload(&l);
    l = load_ok("alert ip any any -> any any (geoip:src,RU; sid:1;)\n");
    assert_int_equal(ruleset_stats(l.rs)->n_dormant, 1);
    assert_string_equal(ruleset_info(l.rs, 0)->dormant, "geoip");
    unload(&l);
    assert_options_refused("geoip:src;", "no country");
    assert_options_refused("geoip:src,RUS;", "'RUS' is no country");
}

/* --- what a match does ----------------------------------------------------------------------------------------------- */

static void replace(void **state)
{
    assert_true(M("content:\"GET\"; replace:\"BET\";", "a GET b"));
    assert_int_equal(last.n_replaced, 1);
    assert_int_equal(last.replaced[0].at, 2);
    assert_int_equal(last.replaced[0].len, 3);
    /* the place that holds in the end, and every content that wants it */
    assert_true(
        M("content:\"A\"; nocase; replace:\"|00|\"; content:\"B\"; distance:0; within:1; replace:\"Z\";",
          "a. a. AB"));
    assert_int_equal(last.n_replaced, 2);
    assert_int_equal(last.replaced[0].at, 6);
    assert_int_equal(last.replaced[1].at, 7);
    assert_false(M("content:\"A\"; replace:\"Z\"; content:\"B\";", "A"));
    assert_int_equal(last.n_replaced, 0);
    assert_true(M("content:\"A\";", "A"));
    assert_int_equal(last.n_replaced, 0);
    /* the bytes themselves: the harness frees the ruleset, so load it here */
    struct loaded l =
        load_ok("alert tcp any any -> any any (content:\"ab|00|\"; nocase; replace:\"X|01 3b|\"; sid:1;)\n");
    struct pkt p = {.proto = 6, .payload = "..AB\0", .payload_len = 5};

    assert_int_equal(l.errs.n, 0);
    assert_true(rule_matches(l.rs, 1, &p));
    assert_memory_equal(last.replaced[0].bytes, "X\x01;", 3);
    unload(&l);
    assert_options_refused("content:\"abc\"; replace:\"ab\";", "replace has 2 bytes, and its content 3");
    assert_options_refused("replace:\"ab\";", "replace has no content before it");
    assert_options_refused("content:!\"abc\"; replace:\"abd\";", "negated content");
    assert_options_refused("content:\"a\"; replace:\"b\"; replace:\"c\";", "stands twice");
    assert_options_refused("tcp.hdr; content:\"a\"; replace:\"b\";", "another buffer");
}

static void flags_of_rules(void **state)
{
    struct loaded l = load_ok("alert tcp any any -> any any (content:\"a\"; bypass; sid:1;)\n"
                              "alert tcp any any -> any any (content:\"a\"; target:src_ip; sid:2;)\n"
                              "alert tcp any any -> any any (content:\"a\"; target: DEST_IP; sid:3;)\n");
    static const struct {
        uint32_t bypass;
        uint8_t target;
    } want[] = {{RULE_BYPASS, TARGET_UNKNOWN}, {0, TARGET_SRC}, {0, TARGET_DST}};

    for (uint32_t i = 0; i < 3; i++) {
        uint32_t index = find_rule(l.rs, i + 1);

        assert_int_equal(ruleset_rule(l.rs, index)->flags & RULE_BYPASS, want[i].bypass);
        assert_int_equal(ruleset_info(l.rs, index)->target, want[i].target);
    }
    unload(&l);
    assert_options_refused("target:both;", "'both' is no end");
}

static void events(void **state)
{
    static const struct {
        const char *option;
        enum anomaly of;
    } rows[] = {
        {"stream-event:est_packet_out_of_window;", AN_EST_OUT_OF_WINDOW},
        {"decode-event:stream.est_packet_out_of_window;", AN_EST_OUT_OF_WINDOW},
        {"engine-event:stream.fin_syn;", AN_FIN_SYN},
        {"decode-event:ipv4.trunc_pkt;", AN_IPV4_TRUNC_PKT},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pkt odd = {.flags = FACT_TCP}, other = odd;
        char rule[256];

        anomaly_set(&odd.anomalies, rows[i].of);
        anomaly_set(&other.anomalies, AN_RST_INVALID_ACK);
        snprintf(rule, sizeof(rule), "alert tcp any any -> any any (%s sid:1;)\n", rows[i].option);
        struct loaded l = load_ok(rule);
        assert_int_equal(ruleset_stats(l.rs)->n_dormant, 0);
        assert_true(rule_matches(l.rs, 1, &odd));
        assert_false(rule_matches(l.rs, 1, &other));
        unload(&l);
    }
    assert_options_refused("decode-event:a b;", "is no name");
}

static void sleepers(void **state)
{
    static const char *const options[] = {
        "app-layer-event:http.no_such_event;",
        "decode-event:wrong.word;",
        "stream-event:wrong_thread;",
        "engine-event:stream.wrong_thread;",
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        char rule[256], word[32];
        struct loaded l;

        snprintf(rule, sizeof(rule), "drop tcp any any -> any any (%s content:\"a\"; sid:1;)\n", options[i]);
        snprintf(word, sizeof(word), "%.*s", (int)strcspn(options[i], ":"), options[i]);
        l = load_ok(rule);
        assert_int_equal(ruleset_stats(l.rs)->n_loaded, 1);
        assert_int_equal(ruleset_stats(l.rs)->n_dormant, 1);
        assert_string_equal(ruleset_info(l.rs, 0)->dormant, word);
        assert_int_equal(payload_patterns(l.rs, PROTO_TCP)->refs[0].gate, GATE_NEVER);
        assert_int_equal(n_always(l.rs, FACT_TCP), 0);
        unload(&l);
    }
    assert_options_refused("app-layer-event:a b;", "is no name");
    assert_options_refused("app-layer-event:!a;", "is no name");
    assert_options_refused("app-layer-event:a,b;", "is no name");
    assert_options_refused("app-layer-event:\"a b\";", "is no name");
    assert_options_refused("decode-event;", "");
    assert_options_refused("app-layer-protocol:;", "");
    assert_options_refused("app-layer-protocol:http,;", "unknown mode");
    assert_options_refused("app-layer-protocol:ht tp;", "unknown protocol 'ht tp'");
    assert_options_refused("app-layer-evnt:http.x;", "unknown keyword");
}

/* 16: rawbytes does nothing in Suricata, looks into the packet in Snort 2, is an error in Snort 3. */
static void trap16_rawbytes(void **state)
{
    static const char rule[] = "base64_decode:offset 2; base64_data; content:\"pQ\"; rawbytes;";

    assert_options_refused_as(DIALECT_SNORT3, "content:\"p\"; rawbytes;", "Snort 3");
    assert_false(M(rule, "pQSGVsbG8="));
    assert_true(options_match_as(DIALECT_SNORT2, rule, "pQSGVsbG8=", 10));
    assert_true(M(rule, "..cFE="));
    assert_false(options_match_as(DIALECT_SNORT2, rule, "..cFE=", 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asn1_lengths), cmocka_unit_test(asn1_values),     cmocka_unit_test(base64),
        cmocka_unit_test(rpc),          cmocka_unit_test(ftpbounce),       cmocka_unit_test(geoip),
        cmocka_unit_test(replace),      cmocka_unit_test(flags_of_rules),  cmocka_unit_test(events),
        cmocka_unit_test(sleepers),     cmocka_unit_test(trap16_rawbytes),
    };

    return cmocka_run_group_tests_name("rules: misc keywords", tests, NULL, NULL);
}
