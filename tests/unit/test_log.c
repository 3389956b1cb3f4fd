/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event ring (alone and with a thread on either side), the JSON writer on good and bad bytes, EVE lines field
 * by field, and the logger: files, reopening, a disk that is full.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "ips/base/counters.h"
#include "ips/flow/exception.h"
#include "ips/log/eve.h"
#include "ips/log/logger.h"
#include "rules/ruleset.h"

/* --- the ring ------------------------------------------------------------------------------------------- */

static void ring_gives_back_what_was_put(void **state)
{
    struct event_ring *r = event_ring_new(5000); /* becomes 8192 */
    uint64_t put = 0, got = 0;

    (void)state;
    assert_null(event_ring_peek(r));
    for (int round = 0; round < 10000; round++) {
        uint32_t size = (uint32_t)(sizeof(struct event) + (size_t)(round * 7 % 900));
        struct event *ev = event_ring_reserve(r, size);
        const struct event *old;

        while (ev == NULL) { /* full: make room and try again */
            old = event_ring_peek(r);
            assert_non_null(old);
            assert_int_equal(old->flow_id, got++);
            event_ring_release(r, old);
            ev = event_ring_reserve(r, size);
        }
        assert_int_equal((uintptr_t)ev % 8, 0);
        assert_int_equal(ev->size, (size + 7) & ~7u);
        assert_int_equal(ev->sid, 0); /* nothing is left of an older record */
        ev->flow_id = put++;
        ev->sid = 77;
        memset(ev + 1, 0xab, size - sizeof(*ev));
        event_ring_commit(r, ev);
    }
    for (const struct event *ev; (ev = event_ring_peek(r)) != NULL; event_ring_release(r, ev))
        assert_int_equal(ev->flow_id, got++);
    assert_int_equal(put, got);
    event_ring_free(r);
    event_ring_free(NULL);
}

static void ring_refuses_without_harm(void **state)
{
    struct event_ring *r = event_ring_new(4096);
    struct event *ev;
    unsigned n = 0;

    (void)state;
    assert_null(event_ring_reserve(r, 4097));
    assert_null(event_ring_reserve(r, 8));
    assert_null(event_ring_reserve(r, UINT32_MAX));
    while ((ev = event_ring_reserve(r, 512)) != NULL) {
        ev->flow_id = n++;
        event_ring_commit(r, ev);
    }
    assert_int_equal(n, 8);
    /* a reservation that is not committed is as if it never was */
    event_ring_release(r, event_ring_peek(r));
    assert_non_null(event_ring_reserve(r, 512));
    ev = event_ring_reserve(r, 512);
    ev->flow_id = n;
    event_ring_commit(r, ev);
    for (unsigned i = 1; i <= n; i++) {
        assert_int_equal(event_ring_peek(r)->flow_id, i);
        event_ring_release(r, event_ring_peek(r));
    }
    assert_null(event_ring_peek(r));
    event_ring_free(r);
}

enum { EXCHANGED = 200000 };

static void *producer(void *arg)
{
    struct event_ring *r = arg;

    for (uint64_t i = 0; i < EXCHANGED;) {
        uint32_t extra = (uint32_t)(i * 13 % 400);
        struct event *ev = event_ring_reserve(r, (uint32_t)sizeof(*ev) + extra);

        if (ev == NULL) {
            sched_yield();
            continue;
        }
        ev->flow_id = i++;
        ev->payload_len = (uint16_t)extra;
        memset(ev + 1, (int)(i & 0xff), extra);
        event_ring_commit(r, ev);
    }
    return NULL;
}

static void ring_between_two_threads(void **state)
{
    struct event_ring *r = event_ring_new(16384);
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, producer, r), 0);
    for (uint64_t i = 0; i < EXCHANGED;) {
        const struct event *ev = event_ring_peek(r);

        if (ev == NULL) {
            sched_yield();
            continue;
        }
        if (ev->flow_id != i)
            fail_msg("record %llu came as %llu", (unsigned long long)i, (unsigned long long)ev->flow_id);
        i++;
        for (uint32_t k = 0; k < ev->payload_len; k++)
            if (((const uint8_t *)(ev + 1))[k] != (uint8_t)(i & 0xff))
                fail_msg("record %llu is torn", (unsigned long long)i);
        event_ring_release(r, ev);
    }
    pthread_join(thread, NULL);
    assert_null(event_ring_peek(r));
    event_ring_free(r);
}

/* --- JSON ----------------------------------------------------------------------------------------------- */

static char *written(struct json_writer *w)
{
    json_write_raw(w, "", 1);
    assert_false(w->failed);
    return w->p;
}

static void texts_are_escaped(void **state)
{
    static const struct {
        const char *in, *out;
        size_t len;
    } rows[] = {
        {"plain", "\"plain\"", 5},
        {"a\"b\\c/", "\"a\\\"b\\\\c/\"", 6},
        {"\n\t\r\b\f\x01\x1f", "\"\\n\\t\\r\\b\\f\\u0001\\u001f\"", 7},
        {"\0x", "\"\\u0000x\"", 2},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
         "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"", 15},
        {"\xff\"a", "\"\\\\xff\\\"a\"", 3},
        {"ok\xc3", "\"ok\\\\xc3\"", 3},                              /* cut short */
        {"\xc0\xaf", "\"\\\\xc0\\\\xaf\"", 2},                       /* overlong */
        {"\xed\xa0\x80", "\"\\\\xed\\\\xa0\\\\x80\"", 3},            /* surrogate */
        {"\xf4\x90\x80\x80", "\"\\\\xf4\\\\x90\\\\x80\\\\x80\"", 4}, /* above U+10FFFF */
        {"\xe0\x80\x80", "\"\\\\xe0\\\\x80\\\\x80\"", 3},
        {"", "\"\"", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct json_writer w = {.p = NULL};

        json_write_text(&w, NULL, span_of(rows[i].in, rows[i].len));
        assert_string_equal(written(&w), rows[i].out);
        json_writer_fini(&w);
    }
}

static void base64_and_printable(void **state)
{
    static const struct {
        const char *in, *base64;
    } rows[] = {{"", "\"\""},
                {"f", "\"Zg==\""},
                {"fo", "\"Zm8=\""},
                {"foo", "\"Zm9v\""},
                {"foob", "\"Zm9vYg==\""},
                {"fooba", "\"Zm9vYmE=\""},
                {"GOOD", "\"R09PRA==\""},
                {"\xff\xfe\xfd", "\"//79\""}};
    struct json_writer w = {.p = NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) { /* RFC 4648, 10 */
        w.len = 0;
        w.comma = false;
        json_write_base64(&w, NULL, span_str(rows[i].in));
        assert_string_equal(written(&w), rows[i].base64);
    }
    w.len = 0;
    w.comma = false;
    json_write_printable(&w, NULL, span_of("A\r\n\t\0\x7f\xff\"\\~", 10));
    assert_string_equal(written(&w), "\"A\\r\\n....\\\"\\\\~\"");
    json_writer_fini(&w);
}

/* Whatever bytes go in, jansson, which is strict, reads what comes out. */
static void noise_stays_json(void **state)
{
    struct json_writer w = {.p = NULL};
    uint32_t seed = 7;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        uint8_t noise[64];
        json_t *j;

        for (size_t i = 0; i < sizeof(noise); i++) {
            seed = seed * 1664525 + 1013904223;
            noise[i] = (uint8_t)(seed >> (round % 2 ? 24 : 13));
        }
        w.len = 0;
        w.comma = false;
        json_write_open(&w, NULL, '{');
        json_write_text(&w, "text", span_of(noise, (size_t)(round % 65)));
        json_write_printable(&w, "printable", span_of(noise, sizeof(noise)));
        json_write_base64(&w, "base64", span_of(noise, (size_t)(round % 65)));
        json_write_open(&w, "list", '[');
        json_write_uint(&w, NULL, UINT64_C(9007199254740991));
        json_write_bool(&w, NULL, true);
        json_write_close(&w, ']');
        json_write_close(&w, '}');
        j = json_loadb(w.p, w.len, JSON_ALLOW_NUL, NULL);
        if (j == NULL)
            fail_msg("%.*s", (int)w.len, w.p);
        json_decref(j);
    }
    json_writer_fini(&w);
}

/* --- EVE ------------------------------------------------------------------------------------------------ */

struct sample {
    union {
        struct event ev;
        uint8_t bytes[4096];
    };
    uint8_t *end;
};

static uint16_t append(struct sample *s, const void *p, size_t len)
{
    memcpy(s->end, p, len);
    s->end += len;
    return (uint16_t)len;
}

static struct addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}};
}

/* A TCP alert with everything. */
static void fill(struct sample *s)
{
    static const char metadata[] =
        "created_at 2020_01_01, tag one, tag two words,, bare, signature_severity Major";
    static const char references[] = "url,example.com/a\ncve,2021-44228\nodd,thing";

    memset(s, 0, sizeof(*s));
    s->end = (uint8_t *)(&s->ev + 1);
    s->ev = (struct event){.size = sizeof(*s),
                           .type = EVENT_ALERT,
                           .action = ACTION_ALERT,
                           .ts_ns = 1704103200123456789u, /* 2024-01-01T10:00:00Z */
                           .pcap_cnt = 6,
                           .flow_id = 4242,
                           .src = v4(192, 168, 2, 3),
                           .dst = v4(208, 69, 36, 231),
                           .sport = 37010,
                           .dport = 80,
                           .ip_version = 4,
                           .ip_proto = 6,
                           .n_vlans = 2,
                           .vlan = {0xe00a, 20},
                           .has_flow = 1,
                           .flow_start_ns = 1255711456083524000u,
                           .pkts_to_server = 4,
                           .pkts_to_client = 2,
                           .bytes_to_server = 379,
                           .bytes_to_client = 1588,
                           .sid = 100,
                           .gid = 1,
                           .rev = 3,
                           .priority = 2,
                           .tcp_flags = 0x18};
    s->ev.msg_len = append(s, "msg \"escape\" tests", 18);
    s->ev.category_len = append(s, "Potentially Bad Traffic", 23);
    s->ev.metadata_len = append(s, metadata, sizeof(metadata) - 1);
    s->ev.references_len = append(s, references, sizeof(references) - 1);
    s->ev.payload_len = append(s, "GOOD", 4);
    s->ev.packet_len = append(s, "\x01\x02\x03", 3);
}

static json_t *eve(const struct sample *s, const struct logger_config *cfg)
{
    static const struct logger_config all = {
        .utc = true, .references = true, .payload = true, .payload_printable = true, .packet = true};
    struct json_writer w = {.p = NULL};
    struct eve e;
    json_t *j;

    eve_init(&e, cfg != NULL ? cfg : &all);
    eve_write_event(&e, &w, &s->ev);
    assert_false(w.failed);
    assert_int_equal(w.p[w.len - 1], '\n');
    assert_ptr_equal(memchr(w.p, '\n', w.len), w.p + w.len - 1); /* one line */
    j = json_loadb(w.p, w.len, JSON_REJECT_DUPLICATES, NULL);
    if (j == NULL)
        fail_msg("%.*s", (int)w.len, w.p);
    json_writer_fini(&w);
    return j;
}

/* The value at a dotted path, as JSON text. */
static void expect(json_t *event, const char *path, const char *want)
{
    char part[64];
    json_t *at = event;
    const char *p = path;
    char *text;

    while (*p != '\0') {
        size_t n = strcspn(p, ".");

        snprintf(part, sizeof(part), "%.*s", (int)n, p);
        at = json_object_get(at, part);
        p += n + (p[n] == '.');
    }
    if (at == NULL) {
        if (want != NULL)
            fail_msg("%s is missing", path);
        return;
    }
    text = json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT);
    if (want == NULL || strcmp(text, want) != 0)
        fail_msg("%s is %s, not %s", path, text, want != NULL ? want : "missing");
    free(text);
}

/* The attacked end is the rule's to say; the other one is the source. */
static void alert_target(void **state)
{
    struct sample s;
    json_t *j;

    (void)state;
    fill(&s);
    s.ev.target = TARGET_SRC;
    j = eve(&s, NULL);
    expect(j, "alert.source.ip", "\"208.69.36.231\"");
    expect(j, "alert.source.port", "80");
    expect(j, "alert.target.ip", "\"192.168.2.3\"");
    expect(j, "alert.target.port", "37010");
    json_decref(j);
    s.ev.target = TARGET_DST;
    s.ev.ip_proto = 1;
    j = eve(&s, NULL);
    expect(j, "alert.source.ip", "\"192.168.2.3\"");
    expect(j, "alert.source.port", NULL);
    expect(j, "alert.target.ip", "\"208.69.36.231\"");
    json_decref(j);
}

static void alert_event(void **state)
{
    struct sample s;
    json_t *j;

    (void)state;
    fill(&s);
    j = eve(&s, NULL);
    expect(j, "timestamp", "\"2024-01-01T10:00:00.123456+0000\"");
    expect(j, "flow_id", "4242");
    expect(j, "pcap_cnt", "6");
    expect(j, "in_iface", NULL);
    expect(j, "event_type", "\"alert\"");
    expect(j, "vlan", "[10,20]");
    expect(j, "src_ip", "\"192.168.2.3\"");
    expect(j, "src_port", "37010");
    expect(j, "dest_ip", "\"208.69.36.231\"");
    expect(j, "dest_port", "80");
    expect(j, "proto", "\"TCP\"");
    expect(j, "ip_v", "4");
    expect(j, "icmp_type", NULL);
    expect(j, "pkt_src", "\"wire/pcap\"");
    expect(j, "alert.action", "\"allowed\"");
    expect(j, "alert.gid", "1");
    expect(j, "alert.signature_id", "100");
    expect(j, "alert.rev", "3");
    expect(j, "alert.signature", "\"msg \\\"escape\\\" tests\"");
    expect(j, "alert.category", "\"Potentially Bad Traffic\"");
    expect(j, "alert.severity", "2");
    expect(j, "alert.metadata",
           "{\"created_at\":[\"2020_01_01\"],\"tag\":[\"one\",\"two "
           "words\"],\"signature_severity\":[\"Major\"]}");
    expect(j, "alert.references",
           "[\"http://example.com/a\",\"https://cve.mitre.org/cgi-bin/"
           "cvename.cgi?name=2021-44228\",\"odd,thing\"]");
    expect(j, "verdict", "{\"action\":\"alert\"}");
    expect(j, "direction", "\"to_server\"");
    expect(j, "flow.pkts_toserver", "4");
    expect(j, "flow.exception_policy", NULL);
    expect(j, "flow.bytes_toclient", "1588");
    expect(j, "flow.start", "\"2009-10-16T16:44:16.083524+0000\"");
    expect(j, "flow.src_ip", "\"192.168.2.3\"");
    expect(j, "payload", "\"R09PRA==\"");
    expect(j, "payload_printable", "\"GOOD\"");
    expect(j, "stream", "0");
    expect(j, "packet", "\"AQID\"");
    expect(j, "packet_info", "{\"linktype\":1,\"linktype_name\":\"EN10MB\"}");
    json_decref(j);

    s.ev.exceptions = 1 << EXC_MIDSTREAM | 1 << EXC_STREAM_MEMCAP;
    j = eve(&s, NULL);
    expect(j, "flow.exception_policy", "[{\"target\":\"stream_midstream\"},{\"target\":\"stream_memcap\"}]");
    json_decref(j);
}

static void what_is_not_there_is_left_out(void **state)
{
    static const struct logger_config none = {.utc = true};
    struct sample s;
    json_t *j;

    (void)state;
    fill(&s);
    s.ev.pcap_cnt = 0;
    s.ev.has_flow = 0;
    s.ev.n_vlans = 0;
    s.ev.metadata_len = s.ev.references_len = s.ev.category_len = s.ev.payload_len = s.ev.packet_len = 0;
    s.ev.ip_version = 0;
    j = eve(&s, &none);
    expect(j, "pcap_cnt", NULL);
    expect(j, "flow_id", NULL);
    expect(j, "flow", NULL);
    expect(j, "direction", NULL);
    expect(j, "vlan", NULL);
    expect(j, "src_ip", NULL);
    expect(j, "proto", NULL);
    expect(j, "payload", NULL);
    expect(j, "packet", NULL);
    expect(j, "alert",
           "{\"action\":\"allowed\",\"gid\":1,\"signature_id\":100,\"rev\":3,\"signature\":\"msg "
           "\\\"escape\\\" tests\",\"category\":\"\",\"severity\":2}");
    json_decref(j);
}

static void other_protocols(void **state)
{
    static const struct {
        uint8_t proto;
        const char *name;
    } rows[] = {{17, "\"UDP\""},     {1, "\"ICMP\""},   {58, "\"IPv6-ICMP\""}, {47, "\"GRE\""},
                {4, "\"IP-in-IP\""}, {132, "\"SCTP\""}, {253, "\"253\""}};
    struct sample s;
    json_t *j;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fill(&s);
        s.ev.ip_proto = rows[i].proto;
        s.ev.icmp_type = 8;
        j = eve(&s, NULL);
        expect(j, "proto", rows[i].name);
        if (rows[i].proto == 1 || rows[i].proto == 58)
            expect(j, "icmp_type", "8");
        expect(j, "src_port", rows[i].proto == 17 || rows[i].proto == 132 ? "37010" : NULL);
        json_decref(j);
    }
    fill(&s);
    s.ev.ip_version = 6;
    s.ev.src = (struct addr){{0x20, 1, 0x0d, 0xb8, 0x85, 0xa3, 0, 0, 0, 0, 0x8a, 0x2e, 3, 0x70, 0x73, 0x35}};
    j = eve(&s, NULL);
    expect(j, "src_ip", "\"2001:0db8:85a3:0000:0000:8a2e:0370:7335\"");
    expect(j, "ip_v", "6");
    json_decref(j);
}

static void verdicts(void **state)
{
    struct sample s;
    json_t *j;

    (void)state;
    fill(&s);
    s.ev.action = ACTION_DROP; /* without --inline nothing is dropped */
    j = eve(&s, NULL);
    expect(j, "alert.action", "\"allowed\"");
    expect(j, "verdict.action", "\"alert\"");
    json_decref(j);
    s.ev.verdict = VERDICT_DROP;
    j = eve(&s, NULL);
    expect(j, "alert.action", "\"blocked\"");
    expect(j, "verdict", "{\"action\":\"drop\"}");
    json_decref(j);
    s.ev.action = ACTION_ALERT; /* another rule dropped the packet */
    j = eve(&s, NULL);
    expect(j, "alert.action", "\"allowed\"");
    expect(j, "verdict.action", "\"drop\"");
    json_decref(j);
    s.ev.action = ACTION_REJECT;
    s.ev.rejected = 1;
    j = eve(&s, NULL);
    expect(j, "alert.action", "\"blocked\"");
    expect(j, "verdict", "{\"action\":\"drop\",\"reject-target\":\"both\",\"reject\":[\"tcp-reset\"]}");
    json_decref(j);
    s.ev.ip_proto = 17;
    j = eve(&s, NULL);
    expect(j, "verdict.reject", "[\"icmp-prohib\"]");
    json_decref(j);
    fill(&s);
    s.ev.passed = 1;
    j = eve(&s, NULL);
    expect(j, "verdict.action", "\"pass\"");
    json_decref(j);
}

static void drop_event(void **state)
{
    struct sample s;
    json_t *j;

    (void)state;
    fill(&s);
    s.ev.type = EVENT_DROP;
    s.ev.verdict = VERDICT_DROP;
    s.ev.action = ACTION_DROP;
    s.ev.drop_reason = DROP_FLOW;
    s.ev.to_client = 1;
    s.ev.ip_len = 60;
    s.ev.ip_ttl = 64;
    s.ev.tcp_seq = 4000000000u;
    s.ev.tcp_window = 512;
    j = eve(&s, NULL);
    expect(j, "event_type", "\"drop\"");
    expect(j, "drop",
           "{\"len\":60,\"tos\":0,\"ttl\":64,\"ipid\":0,\"tcpseq\":4000000000,\"tcpack\":0,\"tcpwin\":512,"
           "\"syn\":false,\"ack\":true,\"psh\":true,\"rst\":false,\"urg\":false,\"fin\":false,\"tcpres\":0,"
           "\"tcpurgp\":0,\"reason\":\"flow drop\"}");
    expect(j, "alert.signature_id", "100");
    expect(j, "alert.action", "\"blocked\"");
    expect(j, "verdict.action", "\"drop\"");
    expect(j, "direction", "\"to_client\"");
    expect(j, "flow.src_ip",
           "\"208.69.36.231\""); /* the flow's client sent nothing here: it is the receiver */
    expect(j, "payload", NULL);
    json_decref(j);
    s.ev.sid = 0; /* a policy dropped it */
    s.ev.drop_reason = 200;
    j = eve(&s, NULL);
    expect(j, "alert", NULL);
    expect(j, "drop.reason", "\"none\"");
    json_decref(j);
}

/* --- the logger ----------------------------------------------------------------------------------------- */

static char dir[64], file[96], moved[96];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/sluice-log-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(file, sizeof(file), "%s/eve.json", dir);
    snprintf(moved, sizeof(moved), "%s/eve.json.1", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(file);
    unlink(moved);
    return rmdir(dir);
}

static void put(struct event_ring *r, uint64_t id)
{
    struct event *ev = event_ring_reserve(r, sizeof(*ev));

    assert_non_null(ev);
    uint32_t size = ev->size;
    *ev = (struct event){
        .size = size, .type = EVENT_ALERT, .has_flow = 1, .flow_id = id, .ip_version = 4, .sid = 1};
    event_ring_commit(r, ev);
}

/* Lines of that event type in the file; every line must be JSON. */
static unsigned lines(const char *path, const char *type)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    unsigned n = 0;

    if (f == NULL)
        return 0;
    while (getline(&line, &cap, f) > 0) {
        json_t *j = json_loads(line, 0, NULL);

        if (j == NULL)
            fail_msg("not JSON: %s", line);
        n += strcmp(json_string_value(json_object_get(j, "event_type")), type) == 0;
        json_decref(j);
    }
    free(line);
    fclose(f);
    return n;
}

static json_t *body(void *arg)
{
    return json_pack("{s:{s:i}}", "frames", "rx", 3);
}

static void capture_mode(void **state)
{
    struct logger_config cfg = {.dir = dir, .utc = true, .stats = body};
    struct event_ring *r = event_ring_new(65536);
    struct err e;
    struct logger *l = logger_new(&cfg, &r, 1, &e);

    (void)state;
    assert_non_null(l);
    for (uint64_t i = 0; i < 1000; i++) {
        put(r, i);
        if (i % 100 == 99)
            assert_int_equal(logger_drain(l, &e), 0);
    }
    assert_int_equal(lines(file, "alert"), 1000);
    assert_int_equal(logger_stop(l, &e), 0);
    assert_int_equal(lines(file, "stats"), 1);
    logger_free(l);
    event_ring_free(r);
}

static void with_a_thread_and_a_reopen(void **state)
{
    struct logger_config cfg = {.dir = dir, .utc = true, .stats = body, .stats_interval_s = 3600};
    struct event_ring *rings[3];
    struct stat st;
    struct err e;
    struct logger *l;

    (void)state;
    for (int i = 0; i < 3; i++)
        rings[i] = event_ring_new(1 << 20);
    l = logger_new(&cfg, rings, 3, &e);
    assert_non_null(l);
    assert_int_equal(logger_start(l, &e), 0);
    for (uint64_t i = 0; i < 900; i++)
        put(rings[i % 3], i);
    while (stat(file, &st) == 0 && st.st_size == 0)
        sched_yield();
    assert_int_equal(rename(file, moved), 0);
    logger_reopen(l);
    while (access(file, F_OK) != 0)
        sched_yield();
    for (uint64_t i = 0; i < 900; i++)
        put(rings[i % 3], i);
    assert_int_equal(logger_stop(l, &e), 0);
    assert_int_equal(lines(file, "alert") + lines(moved, "alert"), 1800);
    assert_int_equal(lines(file, "stats"), 1);
    logger_free(l);
    for (int i = 0; i < 3; i++)
        event_ring_free(rings[i]);
}

/* The file cannot grow: events wait, no line is torn, and all are there once it can grow again. */
static void a_full_disk(void **state)
{
    struct logger_config cfg = {.dir = dir, .utc = true};
    struct event_ring *r = event_ring_new(1 << 20);
    struct rlimit old, small = {.rlim_cur = 1000};
    struct err e;
    struct logger *l = logger_new(&cfg, &r, 1, &e);

    (void)state;
    assert_non_null(l);
    signal(SIGXFSZ, SIG_IGN); /* write() then fails with EFBIG, as it does with ENOSPC */
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (uint64_t i = 0; i < 100; i++)
        put(r, i);
    assert_int_equal(logger_drain(l, &e), -EFBIG);
    assert_true(e.remedy[0] != '\0');
    put(r, 100);
    assert_int_equal(logger_drain(l, &e), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(logger_drain(l, &e), 0);
    assert_int_equal(lines(file, "alert"), 101);
    logger_free(l);
    event_ring_free(r);
}

/* Reopening in the middle of a line: the new file begins with a whole one. */
static void reopen_amid_a_line(void **state)
{
    struct logger_config cfg = {.dir = dir, .utc = true};
    struct event_ring *r = event_ring_new(1 << 20);
    struct rlimit old, small = {.rlim_cur = 1000};
    struct err e;
    struct logger *l = logger_new(&cfg, &r, 1, &e);

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    for (uint64_t i = 0; i < 100; i++)
        put(r, i);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(logger_drain(l, &e), -EFBIG);
    assert_int_equal(rename(file, moved), 0);
    logger_reopen(l);
    assert_int_equal(logger_drain(l, &e), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(logger_drain(l, &e), 0);
    assert_true(lines(file, "alert") >= 90); /* lines() fails on a line that is not whole */
    logger_free(l);
    event_ring_free(r);
}

/* What a killed daemon left of a line spoils none of the next one's. */
static void a_torn_line(void **state)
{
    static const char torn[] = "{\"event_type\":\"al";
    struct logger_config cfg = {.dir = dir, .utc = true};
    struct event_ring *r = event_ring_new(65536);
    struct err e;
    char text[4096] = "";

    (void)state;
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fputs(torn, f);
    fclose(f);
    for (uint64_t i = 0; i < 2; i++) { /* the second one finds whole lines, and adds no empty one */
        struct logger *l = logger_new(&cfg, &r, 1, &e);
        assert_non_null(l);
        put(r, i);
        assert_int_equal(logger_drain(l, &e), 0);
        logger_free(l);
    }
    f = fopen(file, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
    fclose(f);
    assert_memory_equal(text, torn, sizeof(torn) - 1);
    assert_memory_equal(text + sizeof(torn) - 1, "\n{", 2);
    f = fopen(file, "w");
    assert_non_null(f);
    fputs(text + sizeof(torn), f);
    fclose(f);
    assert_int_equal(lines(file, "alert"), 2);
    event_ring_free(r);
}

static void places_that_cannot_be(void **state)
{
    struct logger_config cfg = {.dir = "/nonexistent/deep"};
    struct err e;

    (void)state;
    assert_null(logger_new(&cfg, NULL, 0, &e));
    assert_int_equal(e.code, -ENOENT);
    assert_true(e.remedy[0] != '\0');
    cfg.dir = "/proc";
    assert_null(logger_new(&cfg, NULL, 0, &e));
    logger_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_gives_back_what_was_put),
        cmocka_unit_test(ring_refuses_without_harm),
        cmocka_unit_test(ring_between_two_threads),
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(base64_and_printable),
        cmocka_unit_test(noise_stays_json),
        cmocka_unit_test(alert_event),
        cmocka_unit_test(alert_target),
        cmocka_unit_test(what_is_not_there_is_left_out),
        cmocka_unit_test(other_protocols),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(drop_event),
        cmocka_unit_test_setup_teardown(capture_mode, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(with_a_thread_and_a_reopen, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_full_disk, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(reopen_amid_a_line, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_torn_line, make_dir, remove_dir),
        cmocka_unit_test(places_that_cannot_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
