/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A conversation chosen by the fuzzer through decode, flow and detect, in bursts, with a table of eight flows so
 * that evictions, expiry and port reuse happen all the time. What must hold: a packet's flow has its addresses, ports
 * and direction; a dropped flow's packets are dropped; a drop has a reason; counts agree; nothing is touched
 * after it was freed (the sanitizer watches).
 *
 * Input: records of one choice byte, then for bit 0 clear: 8 bytes that describe a packet between few ends; for bit 0
 * set: a length byte and a raw frame. Bit 1 ends the burst, bits 2-7 let time pass.
 */
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>

#include "ips/base/clock.h"
#include "ips/detect/detect.h"
#include "ips/detect/reject.h"
#include "tests/unit/packets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

static const char rules[] =
    "pass tcp any any -> any 81 (content:\"ok\"; sid:1;)\n"
    "drop tcp any any -> any any (content:\"aa\"; flow:established; sid:2;)\n"
    "drop udp any any -> any any (content:\"a\"; content:\"b\"; distance:0; within:4; sid:3;)\n"
    "reject ip any any -> any any (content:\"c\"; pcre:\"/c[a-d]+/\"; sid:4;)\n"
    "drop ip 10.0.0.3 any -> any any (sid:5;)\n"
    "alert ip any any -> any any (msg:\"any\"; sid:6;)\n"
    "alert tcp any any <> any 80 (flags:S; flow:to_server; reference:url,x; reference:url,y; sid:7;)\n"
    "alert icmp any any -> any any (itype:8; icode:0; sid:8;)\n"
    "alert ip any any -> any any (ttl:<62; dsize:>3; sid:9;)\n";

struct run {
    struct flow_table *flows;
    struct detect *det;
    struct event_ring *ring;
    struct counters c;
    struct packet pkts[BURST_MAX];
    struct frame frames[BURST_MAX];
    unsigned n;
    uint64_t now_ns;
};

static struct ruleset *load(void)
{
    char path[] = "/tmp/sluice-fuzz-XXXXXX";
    const char *const files[] = {path};
    struct ruleset_source src = {.files = files, .n_files = 1, .n_workers = 1, .strict = true};
    struct err_list errs;
    int fd = mkstemp(path);

    CHECK(fd >= 0 && write(fd, rules, sizeof(rules) - 1) == (ssize_t)sizeof(rules) - 1);
    close(fd);
    err_list_init(&errs);
    struct ruleset *rs = ruleset_build(&src, &errs);
    err_list_print(&errs, stderr);
    err_list_fini(&errs);
    unlink(path);
    CHECK(rs);
    return rs;
}

static void check_flow(const struct packet *p)
{
    const struct flow *f = p->flow;
    unsigned from = p->flags & PKT_TO_CLIENT ? 1 : 0;

    CHECK(f->proto == p->ip_proto && f->ip_version == p->ip_version && f->hash == p->hash);
    CHECK(memcmp(&f->addr[from], &p->src, 16) == 0 && memcmp(&f->addr[!from], &p->dst, 16) == 0);
    if (p->ip_proto == IPPROTO_TCP || p->ip_proto == IPPROTO_UDP)
        CHECK(f->port[from] == p->sport && f->port[!from] == p->dport);
    CHECK((f->flags & (from ? FLOW_SEEN_TC : FLOW_SEEN_TS)) && f->state <= FLOW_CLOSED &&
          f->verdict <= FLOW_DROP);
}

static void burst(struct run *r, const struct ruleset *rs)
{
    static uint8_t answer[2048];
    const struct decode_config cfg = {.verify_checksums = true};

    decode_burst(r->pkts, r->n, &cfg, &r->c);
    flow_prefetch_burst(r->flows, r->pkts, r->n);
    for (unsigned i = 0; i < r->n; i++) {
        struct packet *p = &r->pkts[i];

        flow_lookup(r->flows, p, &r->c);
        flow_account(r->flows, p);
        uint8_t verdict_before = p->flow ? p->flow->verdict : FLOW_INSPECT;

        if (p->flow)
            check_flow(p);
        bool reject = detect_packet(r->det, rs, p);
        CHECK((p->verdict == VERDICT_DROP) == (p->drop_reason != DROP_NONE));
        if (verdict_before == FLOW_DROP)
            CHECK(p->verdict == VERDICT_DROP && !reject);
        if (verdict_before == FLOW_PASS)
            CHECK(p->verdict == VERDICT_FORWARD && p->flow->verdict == FLOW_PASS);
        if (reject) {
            CHECK(p->verdict == VERDICT_DROP);
            CHECK(reject_build(p, REJECT_TO_SENDER, answer, sizeof(answer)) <= sizeof(answer));
            CHECK(reject_build(p, REJECT_TO_RECEIVER, answer, sizeof(answer)) <= sizeof(answer));
        }
    }
    for (const struct event *ev; (ev = event_ring_peek(r->ring));)
        event_ring_release(r->ring, ev);
    flow_expire(r->flows, r->now_ns, 3, &r->c);
    CHECK(flow_table_count(r->flows) ==
          r->c.v[CTR_FLOW_NEW] - r->c.v[CTR_FLOW_EXPIRED] - r->c.v[CTR_FLOW_EVICTED]);
    CHECK(flow_table_count(r->flows) <= 8);
    r->n = 0;
}

static void described(struct frame *f, const uint8_t *d)
{
    static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ESP, 47};
    static const char *const payloads[] = {"", "aa", "a..b", "ok", "ccab", "none of these", "aok", "c"};
    uint8_t proto = protos[d[0] % 6];
    bool turn = d[0] & 0x80;
    struct pkt k = {.v6 = (d[0] & 0x40) && proto != IPPROTO_ICMP,
                    .proto = proto,
                    .payload = payloads[d[6] & 7],
                    .n_vlans = d[1] >> 6 & 1,
                    .tci = {d[1] >> 7},
                    .tcp_flags = d[2],
                    .seq = d[3],
                    .ack = d[4],
                    .icmp_type = d[2] & 15,
                    .icmp_id = d[3] & 1,
                    .frag = d[7] == 255 ? 0x2000 : 0};
    uint16_t client_port = 1 + (d[1] & 15), server_port = 80 + (d[1] >> 4 & 1);

    k.src = turn ? 2 : 1 + (d[5] & 2);
    k.dst = turn ? 1 + (d[5] & 2) : 2;
    k.sport = turn ? server_port : client_port;
    k.dport = turn ? client_port : server_port;
    frame_build(f, &k);
}

static void start(struct run *r)
{
    const struct flow_config fc = {.max_flows = 8,
                                   .tcp_new_s = 5,
                                   .tcp_established_s = 60,
                                   .tcp_closed_s = 1,
                                   .udp_new_s = 3,
                                   .udp_established_s = 30,
                                   .icmp_s = 2,
                                   .other_s = 4,
                                   .on_midstream = EXCEPTION_DROP_FLOW};
    const struct detect_config dc = {.inline_mode = true, .log_payload = true, .log_packet = true};
    struct err e;

    r->now_ns = 1000 * NS_PER_S;
    r->flows = flow_table_new(&fc, &e);
    if (!r->ring) { /* these two keep nothing from packet to packet */
        r->ring = event_ring_new(1 << 16);
        CHECK(r->ring);
        r->det = detect_new(&dc, 0, r->ring, &r->c, &e);
    }
    CHECK(r->flows && r->det);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ruleset *rs;
    static struct run r;

    if (!rs)
        rs = load();
    memset(&r.c, 0, sizeof(r.c));
    r.n = 0;
    start(&r);
    while (size >= 9) {
        uint8_t choice = data[0];
        struct frame *f = &r.frames[r.n];
        uint32_t used = 9;

        if (choice & 1) {
            uint32_t len = data[1] < size - 2 ? data[1] : (uint32_t)size - 2;
            memcpy(f->b, data + 2, len);
            f->len = len;
            used = 2 + len;
        } else {
            described(f, data + 1);
        }
        data += used;
        size -= used;
        r.now_ns += (choice >> 2) * (NS_PER_S / 8);
        r.pkts[r.n] = frame_packet(f, LINK_ETHERNET);
        r.pkts[r.n].now_ns = r.pkts[r.n].ts_ns = r.now_ns;
        if (++r.n == BURST_MAX || (choice & 2))
            burst(&r, rs);
    }
    if (r.n)
        burst(&r, rs);
    flow_table_free(r.flows);
    return 0;
}
