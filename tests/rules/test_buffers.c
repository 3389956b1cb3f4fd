/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Buffers: the table itself, sticky names and modifiers in the dialects, pcre letters, directions, lower case, empty
 * buffers, instances, the choice of a fast pattern among buffers, and what options without a parser wait for.
 */
#include "language.h"

#include "rules/buffers.h"
#include "rules/keywords.h"
#include "rules/kw/app_numbers.h"
#include "rules/kw/later.h"

static struct {
    uint32_t n;
    enum rule_dialect dialect;
} seen;

/* Every sticky name of a dialect is accepted before a content there, and makes the rule sleep unless it is live. */
static void try_name(const char *name, void *arg)
{
    const struct buffer_name *n = buffers_lookup(span_str(name));
    uint8_t use = buffers_use(n, seen.dialect);
    struct loaded l;
    char options[256];
    bool live = (buffer_table[n->buffer].flags & BUFFER_LIVE) != 0;

    (void)arg;
    if (use == 0 || strcmp(name, "base64_data") == 0)
        return;
    if (use == USE_MODIFIER)
        snprintf(options, sizeof(options), "content:\"abcd\"; %s;", name);
    else
        snprintf(options, sizeof(options), "%s%s; content:\"abcd\";", name,
                 buffer_table[n->buffer].flags & BUFFER_NEEDS_ARG ? ":\"id\",nocase" : "");
    l = load_options_as("ip", options, seen.dialect);
    if (l.errs.n > 0)
        fail_msg("%s: %s", options, l.errs.v[0].text);
    if (((ruleset_rule(l.rs, 0)->flags & RULE_DORMANT) == 0) != live)
        fail_msg("%s: dormant is not %d", options, !live);
    assert_true((ruleset_info(l.rs, 0)->apps & buffer_table[n->buffer].apps) == buffer_table[n->buffer].apps);
    uint16_t slot = l.rs->steps[ruleset_rule(l.rs, 0)->first_step].buffer;
    assert_int_equal(slot < BUF_N ? slot : l.rs->transformed[slot - BUF_N].base, n->buffer);
    unload(&l);
    seen.n++;
}

static void every_name(void **state)
{
    static const uint32_t at_least[] = {
        [DIALECT_SURICATA] = 180, [DIALECT_SNORT3] = 30, [DIALECT_SNORT2] = 15};

    for (int d = DIALECT_SURICATA; d <= DIALECT_SNORT2; d++) {
        seen.n = 0;
        seen.dialect = (enum rule_dialect)d;
        buffers_each_name(try_name, NULL);
        if (seen.n < at_least[d])
            fail_msg("dialect %d has %u names of buffers only", d, seen.n);
    }
    for (unsigned b = 0; b < BUF_N; b++)
        assert_true(buffers_name((enum buffer_id)b)[0] != '\0' && buffer_table[b].direction != 0);
    assert_null(buffers_lookup(span_str("http.urii")));
    assert_null(buffers_lookup(span_str("")));
    assert_true(BUF_SLOTS <= UINT16_MAX); /* step.buffer */
}

static uint16_t buffer_of_step(const char *options, uint32_t step)
{
    struct loaded l = load_options_as("http", options, DIALECT_SURICATA);
    uint16_t buffer;

    err_list_print(&l.errs, stderr);
    assert_int_equal(l.errs.n, 0);
    assert_true(step < ruleset_rule(l.rs, 0)->n_steps);
    buffer = l.rs->steps[ruleset_rule(l.rs, 0)->first_step + step].buffer;
    unload(&l);
    return buffer;
}

static void modifiers(void **state)
{
    assert_int_equal(buffer_of_step("content:\"a\"; http_uri;", 0), BUF_HTTP_URI);
    assert_int_equal(buffer_of_step("content:\"a\"; nocase; http_uri; depth:5;", 0), BUF_HTTP_URI);
    assert_int_equal(buffer_of_step("uricontent:\"a\"; nocase;", 0), BUF_HTTP_URI);
    assert_int_equal(buffer_of_step("content:\"a\"; http_uri; content:\"b\";", 1), BUF_PAYLOAD);
    /* contents of one buffer belong together, however they are mixed */
    assert_int_equal(
        buffer_of_step("content:\"a\"; http_uri; content:\"b\"; content:\"c\"; distance:0; http_uri;", 1),
        BUF_HTTP_URI);
    /* an option that follows a content looks where the content did */
    assert_int_equal(buffer_of_step("content:\"a\"; http_uri; byte_test:1,=,1,0,relative;", 1), BUF_HTTP_URI);
    /* pkt_data takes a sticky buffer back */
    assert_int_equal(buffer_of_step("file_data; content:\"a\"; pkt_data; content:\"b\"; http_uri;", 1),
                     BUF_HTTP_URI);
    assert_options_refused("http_uri;", "http_uri has no content before it");
    assert_options_refused("content:\"a\"; http_uri; http_header;", "a second buffer, http.header");
    assert_options_refused("content:\"a\"; http_uri; http_uri;", "a second buffer");
    assert_options_refused("http.uri; content:\"a\"; http_header;",
                           "behind something that http.uri, named before it");
    assert_options_refused("content:\"a\"; http_uri:x;", "takes no value");
    assert_options_refused("tcp.hdr; content:\"a\"; http_uri;", "behind something that tcp.hdr");
}

static void pcre_letters(void **state)
{
    static const struct {
        char letter;
        enum buffer_id is;
    } rows[] = {{'U', BUF_HTTP_URI},           {'I', BUF_HTTP_URI_RAW},  {'P', BUF_HTTP_REQUEST_BODY},
                {'Q', BUF_HTTP_RESPONSE_BODY}, {'H', BUF_HTTP_HEADER},   {'D', BUF_HTTP_HEADER_RAW},
                {'M', BUF_HTTP_METHOD},        {'C', BUF_HTTP_COOKIE},   {'K', BUF_HTTP_COOKIE_RAW},
                {'S', BUF_HTTP_STAT_CODE},     {'Y', BUF_HTTP_STAT_MSG}, {'V', BUF_HTTP_USER_AGENT},
                {'W', BUF_HTTP_HOST},          {'Z', BUF_HTTP_HOST_RAW}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char options[64];

        snprintf(options, sizeof(options), "pcre:\"/x/i%c\";", rows[i].letter);
        if (buffer_of_step(options, 0) != rows[i].is)
            fail_msg("%s", options);
        assert_options_refused_as(DIALECT_SNORT3, options, "names a buffer, which Snort 3's rules cannot do");
    }
    assert_int_equal(buffer_of_step("http.uri; content:\"a\"; pcre:\"/x/U\";", 1), BUF_HTTP_URI);
    assert_int_equal(buffer_of_step("file_data; content:\"a\"; pcre:\"/x/Q\";", 1), BUF_FILE_DATA);
    assert_int_equal(buffer_of_step("content:\"a\"; http_uri; pcre:\"/x/UR\";", 1), BUF_HTTP_URI);
    assert_options_refused("pcre:\"/x/UP\";", "a second buffer, http.request_body");
    assert_options_refused("http.uri; pcre:\"/x/P\";", "named before it");
    assert_options_refused("pcre:\"/x/q\";", "unknown flag 'q'");
    /* without quotes, and with names for what groups capture */
    assert_int_equal(buffer_of_step("pcre:/one/U;", 0), BUF_HTTP_URI);
    assert_int_equal(buffer_of_step("pcre:\"/(a)(b)/i, flow:x, alert:y\";", 0), BUF_PAYLOAD);
    assert_true(options_match("pcre:\"/(a)(b)/i, flow:x, pkt:y\";", "AB"));
    assert_options_refused("pcre:\"/(a)/, x\";", "'x' names no capture");
    assert_options_refused("pcre:\"/(a)/, flow:\";", "'flow:' names no capture");
}

static void directions(void **state)
{
    assert_options_refused("flow:to_client; http.uri; content:\"a\";",
                           "http.uri is filled to the server only, and the rule's flow says to_client");
    assert_options_refused("flow:to_server; content:\"200\"; http_stat_code;",
                           "http.stat_code is filled to the client");
    assert_options_refused("http.uri; content:\"a\"; http.stat_code; content:\"200\";",
                           "http.uri and http.stat_code are filled in different directions");
    assert_options_refused("http.uri; dotprefix; content:\"a\"; http.server; content:\"b\";",
                           "different directions");
    options_accepted("flow:to_client; http.header; content:\"a\";", DIALECT_SURICATA);
    options_accepted("flow:to_server; http.uri; content:\"a\"; file.data; content:\"b\";", DIALECT_SURICATA);
    /* 31: Snort 3 lets a rule about the response look at the request */
    options_accepted("flow:to_client; http_uri; content:\"a\"; http_stat_code; content:\"200\";",
                     DIALECT_SNORT3);
}

/* 25: http.host is lower-cased. */
static void trap25_lower_case(void **state)
{
    struct loaded l;

    assert_options_refused("http.host; content:\"a\"; nocase;",
                           "nocase on http.host, which is lower-cased already");
    assert_options_refused("http.host; content:\"Evil\";", "an upper-case letter never is in it");
    assert_options_refused("content:\"Evil\"; http_host;", "an upper-case letter never is in it");
    options_accepted("http.host; content:\"evil\";", DIALECT_SURICATA);
    options_accepted("http.host.raw; content:\"Evil\"; nocase;", DIALECT_SURICATA);
    options_accepted("http.host; to_uppercase; content:\"EVIL\";", DIALECT_SURICATA);
    /* hashes are written either way */
    l = load_options_as("tls", "ja3.hash; content:\"ABCDEF0123456789abcdef0123456789\";", DIALECT_SURICATA);
    assert_int_equal(l.errs.n, 0);
    assert_memory_equal(l.rs->steps[0].data, "abcdef0123456789abcdef0123456789", 32);
    unload(&l);
}

/* What is made only for rules that ask: of the buffer itself, or of what a transformation makes of it. */
static void who_asks(void **state)
{
    static const struct {
        const char *protocol, *options;
        uint8_t asks;
    } rows[] = {
        {"tls", "tls.sni; content:\"a\";", 0},
        {"tls", "ja3.hash; content:\"abc\";", ASK_JA3},
        {"tls", "ja3s.string; to_uppercase; content:\"ABC\";", ASK_JA3},
        {"tls", "ja4.hash; content:\"abc\";", ASK_JA4},
        {"http", "http.uri; to_lowercase; content:\"abc\"; filestore;", ASK_STORE},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loaded l = load_options_as(rows[i].protocol, rows[i].options, DIALECT_SURICATA);

        assert_int_equal(l.errs.n, 0);
        assert_int_equal(ruleset_asks(l.rs), rows[i].asks);
        unload(&l);
    }
}

static void empty_buffers(void **state)
{
    assert_options_refused("http.uri;", "nothing looks into the buffer http.uri");
    assert_options_refused("http.uri; http.method; content:\"GET\";",
                           "nothing looks into the buffer http.uri");
    assert_options_refused("content:\"a\"; http.uri; dsize:>3;", "nothing looks into the buffer http.uri");
    assert_options_refused("http.uri; dotprefix;", "nothing looks into the buffer http.uri");
    assert_options_refused("http.uri; nocase;", "nocase has no content before it");
    options_accepted("http.uri; bsize:3;", DIALECT_SURICATA);
    options_accepted("http.uri; pcre:\"/a/\";", DIALECT_SURICATA);
    options_accepted("http.uri; isdataat:10;", DIALECT_SURICATA);
    options_accepted("dns.query; dataset:isset,names,type string;", DIALECT_SURICATA);
    options_accepted("pkt_data;", DIALECT_SURICATA);
}

/* 32: a buffer of several instances, named again, is another one; any other goes on where it was. */
static void trap32_instances(void **state)
{
    struct loaded l = load_options_as(
        "dns", "dns.query; content:\"a\"; dns.query; content:\"b\"; content:\"c\"; distance:0;",
        DIALECT_SURICATA);
    const struct step *s = l.rs->steps;

    assert_int_equal(l.errs.n, 0);
    assert_true(s[0].new_buffer && s[1].new_buffer && !s[2].new_buffer);
    unload(&l);
    l = load_options_as(
        "http", "http.uri; content:\"a\"; http.method; content:\"m\"; http.uri; content:\"b\"; distance:0;",
        DIALECT_SURICATA);
    s = l.rs->steps;
    assert_int_equal(l.errs.n, 0);
    assert_int_equal(s[0].buffer, BUF_HTTP_URI);
    assert_int_equal(s[1].buffer, BUF_HTTP_URI);
    assert_int_equal(s[2].buffer, BUF_HTTP_METHOD);
    assert_true(s[0].new_buffer && !s[1].new_buffer && s[2].new_buffer);
    unload(&l);
    /* sizes are about one instance */
    options_accepted("dns.query; content:\"abc\"; bsize:3; dns.query; content:\"abcdef\"; bsize:6;",
                     DIALECT_SURICATA);
    assert_options_refused("dns.query; content:\"abc\"; dns.query; content:\"abcdef\"; bsize:5;", "bsize");
    assert_options_refused("http.uri; content:\"abcdef\"; http.uri; bsize:5;", "");
}

/* Arguments of Snort 3's buffers pick a part; what cannot be answered sleeps. */
static void snort3_arguments(void **state)
{
    assert_dormant("tcp", "http_header:field host, request; content:\"x\",nocase;", DIALECT_SNORT3,
                   "http_header:field host, request");
    assert_dormant("tcp", "http_uri:host; content:\"x\";", DIALECT_SNORT3, "http_uri:host");
    options_accepted("http_header:field user-agent; content:\"x\";", DIALECT_SNORT3);
    options_accepted("http_uri:with_body,query; content:\"x\";", DIALECT_SNORT3);
    options_accepted("http_param:\"id\",nocase; content:\"x\";", DIALECT_SNORT3);
    assert_options_refused_as(DIALECT_SNORT3, "http_param; content:\"x\";", "http_param needs a value");
    assert_options_refused_as(DIALECT_SNORT3, "http_header:feild x; content:\"x\";",
                              "unknown argument 'feild'");
    assert_options_refused_as(DIALECT_SNORT3, "http_header:field; content:\"x\";",
                              "unknown argument 'field'");
    assert_options_refused_as(DIALECT_SNORT3, "file_data:x; content:\"x\";", "file_data takes no value");
    options_accepted("file_data:mime; content:\"x\";", DIALECT_SNORT2);
}

/* The only slot that packets to the server are scanned in for this rule. */
static uint8_t scanned_slot(const char *options)
{
    struct loaded l = load_options_as("tcp", options, DIALECT_SURICATA);
    const struct scan_list *scans = &l.rs->scans[PROTO_TCP][0];
    uint16_t slot;

    err_list_print(&l.errs, stderr);
    assert_int_equal(l.errs.n, 0);
    assert_int_equal(scans->n, 1);
    slot = (uint8_t)scans->v[0].slot;
    unload(&l);
    return slot;
}

/* 17: a content in a buffer of its own stands for the rule, before one in the payload, but not with three bytes. */
static void trap17_fast_pattern(void **state)
{
    assert_int_equal(scanned_slot("tcp.hdr; content:\"|00 01 02 03|\"; pkt_data; content:\"muchlonger\";"),
                     BUF_TCP_HDR);
    assert_int_equal(scanned_slot("content:\"muchlonger\"; tcp.hdr; content:\"|00 01 02 03|\";"),
                     BUF_TCP_HDR);
    assert_int_equal(scanned_slot("tcp.hdr; content:\"|00 01 02|\"; pkt_data; content:\"muchlonger\";"),
                     BUF_PAYLOAD);
    assert_int_equal(
        scanned_slot("tcp.hdr; content:\"|00 01 02 03|\"; pkt_data; content:\"muchlonger\"; fast_pattern;"),
        BUF_PAYLOAD);
    assert_int_equal(scanned_slot("tcp.hdr; content:!\"|00 01 02 03|\"; pkt_data; content:\"longer\";"),
                     BUF_PAYLOAD);
    /* equally good ones: the later row of the table */
    assert_int_equal(scanned_slot("tcp.hdr; content:\"abcd\"; ipv4.hdr; content:\"efgh\";"), BUF_TCP_HDR);
}

/* A buffer of one packet is not there for the next. */
static void forgotten(void **state)
{
    struct loaded l = load_ok("alert tcp any any -> any any (tcp.hdr; content:\"abcd\"; sid:1;)");
    struct eval e = {.scratch = eval_scratch_new(NULL)};

    eval_begin(&e, l.rs);
    e.buf[BUF_TCP_HDR] = span_str("abcd");
    eval_buffer_set(&e, BUF_HTTP_URI, span_str("/"));
    eval_buffer_set(&e, BUF_PAYLOAD, span_str("x"));
    assert_non_null(eval_buffer(&e, BUF_HTTP_URI).p);
    eval_begin(&e, l.rs);
    for (unsigned b = 0; b < BUF_N; b++)
        assert_null(eval_buffer(&e, (uint16_t)b).p);
    eval_scratch_free(e.scratch);
    unload(&l);
}

/* --- options that wait --------------------------------------------------------------------------------------------- */

static void options_without_parser(void **state)
{
    assert_dormant("tcp", "appids:\"firefox\"; content:\"a\";", DIALECT_SNORT3, "appids");
    assert_dormant("tcp", "content:\"a\"; sd_pattern:\"us_social\",threshold 5;", DIALECT_SNORT3,
                   "sd_pattern");
    assert_dormant("tcp", "content:\"a\"; cvs:invalid-entry;", DIALECT_SNORT2, "cvs");
    options_accepted("rem:\"any (text), here\"; soid:3|1;", DIALECT_SNORT3);
    assert_dormant("tcp", "content:\"a\"; prefilter;", DIALECT_SURICATA, "");
    assert_options_refused("cvs:valid;", "unknown word 'valid'");
    assert_options_refused("dns.opcode:x;", "dns.opcode: 'x' is no value");
    assert_options_refused("dns.rcode:NXDOMAINS;", "dns.rcode: 'NXDOMAINS' is no value");
    assert_options_refused("dns.opcode;", "dns.opcode needs a value");
    assert_options_refused("ssl_stat:x;", "unknown keyword 'ssl_stat'");
}

/* No name is in two tables: the first would hide the other. */
static void check_unique(const char *name, void *arg)
{
    uint32_t index;

    (void)arg;
    if (keyword_lookup(span_str(name), &index) != NULL || buffers_lookup(span_str(name)) != NULL)
        fail_msg("%s is in two tables", name);
}

static void tables_do_not_overlap(void **state)
{
    later_each_name(check_unique, NULL);
    app_numbers_each_name(check_unique, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name),
        cmocka_unit_test(modifiers),
        cmocka_unit_test(pcre_letters),
        cmocka_unit_test(directions),
        cmocka_unit_test(trap25_lower_case),
        cmocka_unit_test(who_asks),
        cmocka_unit_test(empty_buffers),
        cmocka_unit_test(trap32_instances),
        cmocka_unit_test(snort3_arguments),
        cmocka_unit_test(trap17_fast_pattern),
        cmocka_unit_test(options_without_parser),
        cmocka_unit_test(tables_do_not_overlap),
        cmocka_unit_test(forgotten),
    };

    return cmocka_run_group_tests_name("rules: buffers", tests, NULL, NULL);
}
