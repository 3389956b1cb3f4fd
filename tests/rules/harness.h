/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_RULES_HARNESS_H
#define SLUICE_TESTS_RULES_HARNESS_H
/*
 * Rules from a string, packets from a struct, and the question "does rule SID match?". Every answer is also held
 * against the prefilter: a rule that matches must have been a candidate, or it would never be asked in ipsd.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "ips/detect/eval.h"
#include "ips/detect/prefilter.h"
#include "rules/ruleset_layout.h"

struct loaded {
    struct ruleset *rs;
    struct err_list errs;
    char path[64];
};

struct pkt {
    uint32_t flags; /* enum fact_flag beyond those that follow from the fields below */
    uint8_t proto;  /* 6, 17, 1, ... */
    const char *src, *dst;
    uint16_t sport, dport;
    uint8_t tcp_flags, type, code, ttl;
    uint16_t id;
    bool no_flow, to_client, established;
    uint8_t tos;
    uint16_t frag, window, icmp_id, icmp_seq;
    uint32_t seq, ack;
    struct span l3, l4; /* header bytes, for what looks into them */
    uint16_t vlan[2];
    uint8_t n_vlans;
    uint32_t stream_size[2];
    uint64_t flow_pkts[2], flow_bytes[2], flow_age_ms; /* unless no_flow */
    const char *payload;
    uint32_t payload_len; /* 0: strlen(payload) */
    struct anomalies anomalies;
};

/* What eval had to say beyond yes or no; of the last call of rule_matches(). */
static struct {
    bool step_limit, pcre_limit;
    uint32_t steps;
    struct replaced replaced[REPLACED_MAX];
    uint32_t n_replaced;
} last __attribute__((unused));

static inline void write_file(char path[64], const char *text, size_t len)
{
    int fd;

    snprintf(path, 64, "/tmp/sluice-rules-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    close(fd);
}

static inline struct loaded load_source(const char *text, size_t len, struct ruleset_source src)
{
    struct loaded l = {0};
    const char *files[1];

    write_file(l.path, text, len);
    files[0] = l.path;
    src.files = files;
    src.n_files = 1;
    if (src.n_workers == 0)
        src.n_workers = 1;
    err_list_init(&l.errs);
    l.rs = ruleset_build(&src, &l.errs);
    unlink(l.path);
    return l;
}

static inline struct loaded load(const char *text)
{
    return load_source(text, strlen(text), (struct ruleset_source){0});
}

/* The same, and any error fails the test. */
static inline struct loaded load_ok(const char *text)
{
    struct loaded l = load(text);

    err_list_print(&l.errs, stderr);
    assert_int_equal(l.errs.n, 0);
    assert_non_null(l.rs);
    return l;
}

static inline void unload(struct loaded *l)
{
    ruleset_free(l->rs);
    err_list_fini(&l->errs);
}

static inline void read_addr(const char *text, uint8_t out[16])
{
    memset(out, 0, 16);
    if (inet_pton(AF_INET, text, out + 12) == 1) {
        out[10] = out[11] = 0xff;
        return;
    }
    assert_int_equal(inet_pton(AF_INET6, text, out), 1);
}

static inline uint32_t find_rule(const struct ruleset *rs, uint32_t sid)
{
    for (uint32_t i = 0; i < ruleset_n_rules(rs); i++)
        if (ruleset_info(rs, i)->sid == sid)
            return i;
    fail_msg("no rule with sid %u", sid);
    return 0;
}

/* Whether the prefilter would offer the rule for this packet: the first of its flow in this direction. */
static inline bool is_candidate_in(const struct ruleset *rs, uint32_t rule, struct eval *e)
{
    static struct counters c;
    const struct prefilter_hints hints = {0};
    struct candidates found;
    bool hit = false;

    prefilter_run(rs, &rs->workers[0], e, &hints, &found, &c);
    for (uint32_t i; (i = candidates_next(&found)) != CANDIDATE_NONE;)
        hit |= i == rule;
    return hit;
}

/* How many rules would be tried on any packet with a payload. */
static inline uint32_t n_always(const struct ruleset *rs, uint32_t fact_flags)
{
    static const uint8_t nobody[16];
    struct facts f = {.flags = fact_flags, .src = nobody, .dst = nobody, .payload_len = 1};

    return rs->always->lists[rs->always->list[ruleset_proto_of(&f)][ruleset_always_key(&f, false)]].n;
}

/* The fast patterns that a buffer of packets of this protocol, to the server, is searched for; NULL: none. */
static inline const struct prefilter *slot_patterns(const struct ruleset *rs, enum rule_proto proto,
                                                    uint32_t slot)
{
    for (uint32_t i = 0; i < rs->scans[proto][0].n; i++)
        if (rs->scans[proto][0].v[i].slot == slot)
            return rs->scans[proto][0].v[i].pf;
    return NULL;
}

static inline const struct prefilter *payload_patterns(const struct ruleset *rs, enum rule_proto proto)
{
    return slot_patterns(rs, proto, BUF_PAYLOAD);
}

/* The packet's buffers. */
static inline void set_buffers(struct eval *e, const struct ruleset *rs, struct span payload)
{
    const struct facts *f = e->facts;
    bool v6 = (f->flags & FACT_IPV6) != 0;

    eval_begin(e, rs);
    if (payload.len > 0)
        e->buf[BUF_PAYLOAD] = payload;
    e->buf[v6 ? BUF_IPV6_HDR : BUF_IPV4_HDR] = f->l3_hdr;
    if (f->flags & FACT_TCP)
        e->buf[BUF_TCP_HDR] = f->l4_hdr;
    if (f->flags & FACT_UDP)
        e->buf[BUF_UDP_HDR] = f->l4_hdr;
    if (f->flags & FACT_ICMP)
        e->buf[v6 ? BUF_ICMPV6_HDR : BUF_ICMPV4_HDR] = f->l4_hdr;
}

/* The same for a packet of which only the payload matters. */
static inline bool is_candidate(const struct ruleset *rs, uint32_t rule, const struct facts *f,
                                struct span payload)
{
    static const uint8_t nobody[16];
    struct facts with_ends = *f;
    struct eval e = {.facts = &with_ends, .scratch = eval_scratch_new(NULL)};
    bool hit;

    with_ends.src = with_ends.dst = nobody;
    with_ends.payload_len = (uint16_t)payload.len;
    assert_non_null(e.scratch);
    set_buffers(&e, rs, payload);
    hit = is_candidate_in(rs, rule, &e);
    eval_scratch_free(e.scratch);
    return hit;
}

static inline bool rule_matches(const struct ruleset *rs, uint32_t sid, const struct pkt *p)
{
    uint8_t src[16], dst[16];
    uint32_t i = find_rule(rs, sid), len = p->payload_len;
    struct eval_scratch *scratch = eval_scratch_new(NULL);
    struct facts f = {.flags = p->flags,
                      .ip_proto = p->proto,
                      .ip_ttl = p->ttl,
                      .ip_id = p->id,
                      .sport = p->sport,
                      .dport = p->dport,
                      .tcp_flags = p->tcp_flags,
                      .icmp_type = p->type,
                      .icmp_code = p->code,
                      .ip_tos = p->tos,
                      .ip_frag = p->frag,
                      .tcp_window = p->window,
                      .icmp_id = p->icmp_id,
                      .icmp_seq = p->icmp_seq,
                      .tcp_seq = p->seq,
                      .tcp_ack = p->ack,
                      .l3_hdr = p->l3,
                      .l4_hdr = p->l4,
                      .vlan = {p->vlan[0], p->vlan[1]},
                      .n_vlans = p->n_vlans,
                      .anomalies = &p->anomalies,
                      .stream_size = {p->stream_size[0], p->stream_size[1]},
                      .flow_pkts = p->no_flow ? NULL : p->flow_pkts,
                      .flow_bytes = p->no_flow ? NULL : p->flow_bytes,
                      .flow_age_ns = p->flow_age_ms * 1000000,
                      .src = src,
                      .dst = dst};
    struct eval e = {.facts = &f, .scratch = scratch, .steps_left = 3000};
    void *copy;
    bool yes;

    assert_non_null(scratch);
    if (len == 0 && p->payload != NULL)
        len = (uint32_t)strlen(p->payload);
    copy = malloc(len + 1); /* of the exact size, so that a sanitizer sees a read beyond it */
    assert_non_null(copy);
    if (len > 0)
        copy = realloc(copy, len);
    memcpy(copy, len > 0 ? p->payload : "", len);
    read_addr(p->src != NULL ? p->src : "10.0.0.1", src);
    read_addr(p->dst != NULL ? p->dst : "8.8.8.8", dst);
    f.payload_len = (uint16_t)len;
    f.ip_version = memcmp(src, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0 ? 4 : 6;
    f.flags |= f.ip_version == 4 ? FACT_IPV4 : FACT_IPV6;
    f.flags |= p->proto == 6                     ? FACT_TCP
               : p->proto == 17                  ? FACT_UDP
               : p->proto == 1 || p->proto == 58 ? FACT_ICMP
                                                 : 0;
    f.flags |= (p->no_flow ? 0 : FACT_HAS_FLOW) | (p->to_client ? FACT_TO_CLIENT : 0) |
               (p->established ? FACT_ESTABLISHED : 0);
    set_buffers(&e, rs, span_of(copy, len));
    yes = ruleset_header_match(rs, ruleset_rule(rs, i), &f) && eval_rule(rs, ruleset_rule(rs, i), &e);
    last.step_limit = e.hit_step_limit;
    last.pcre_limit = e.hit_pcre_limit;
    last.steps = 3000 - e.steps_left;
    memcpy(last.replaced, e.replaced, sizeof(e.replaced));
    last.n_replaced = e.n_replaced;
    if (yes)
        assert_true(is_candidate_in(rs, i, &e));
    eval_scratch_free(scratch);
    free(copy);
    return yes;
}

/* One rule of these options, read as a dialect, against a packet of its protocol. */
static inline bool options_match_packet(enum rule_dialect dialect, const char *options, const struct pkt *p)
{
    struct ruleset_source src = {.dialect = (uint8_t)dialect};
    const char *proto = p->proto == 6                     ? "tcp"
                        : p->proto == 17                  ? "udp"
                        : p->proto == 1 || p->proto == 58 ? "icmp"
                                                          : "ip";
    char rule[4096];
    struct loaded l;
    bool yes;

    snprintf(rule, sizeof(rule), "alert %s any any -> any any (%s sid:1;)\n", proto, options);
    l = load_source(rule, strlen(rule), src);
    err_list_print(&l.errs, stderr);
    assert_int_equal(l.errs.n, 0);
    yes = rule_matches(l.rs, 1, p);
    unload(&l);
    return yes;
}

static inline bool options_match_as(enum rule_dialect dialect, const char *options, const char *payload,
                                    uint32_t len)
{
    struct pkt p = {
        .proto = 6, .payload = payload, .payload_len = len, .sport = 40000, .dport = 80, .established = true};

    return options_match_packet(dialect, options, &p);
}

/* The common case: options of one rule against one TCP payload. */
static inline bool options_match_n(const char *options, const char *payload, uint32_t len)
{
    return options_match_as(DIALECT_SURICATA, options, payload, len);
}

static inline bool options_match(const char *options, const char *payload)
{
    return options_match_n(options, payload, (uint32_t)strlen(payload));
}

/* One rule that must be refused: the column, a part of the text; a remedy must be there. */
static inline void assert_refused(const char *rule, int column, const char *part)
{
    struct loaded l = load(rule);
    char text[1100];

    if (l.errs.n == 0)
        fail_msg("accepted: %s", rule);
    err_format(&l.errs.v[0], text, sizeof(text));
    if (strstr(l.errs.v[0].text, part) == NULL || (column != 0 && l.errs.v[0].column != column) ||
        l.errs.v[0].remedy[0] == '\0')
        fail_msg("%s\nwas refused with\n%s\nnot at column %d with \"%s\"", rule, text, column, part);
    assert_int_equal(l.errs.v[0].line, 1);
    assert_non_null(l.rs);
    assert_int_equal(ruleset_n_rules(l.rs), 0);
    assert_int_equal(ruleset_stats(l.rs)->n_rejected, 1);
    unload(&l);
}

/* The same, read as a dialect. */
static inline void assert_options_refused_as(enum rule_dialect dialect, const char *options, const char *part)
{
    struct ruleset_source src = {.dialect = (uint8_t)dialect};
    char rule[4096];
    struct loaded l;

    snprintf(rule, sizeof(rule), "alert tcp any any -> any any (%s sid:1;)\n", options);
    l = load_source(rule, strlen(rule), src);
    if (l.errs.n == 0 || strstr(l.errs.v[0].text, part) == NULL || l.errs.v[0].remedy[0] == '\0')
        fail_msg("%s: %s", options, l.errs.n == 0 ? "accepted" : l.errs.v[0].text);
    unload(&l);
}

static inline void assert_options_refused(const char *options, const char *part)
{
    char rule[4096];

    snprintf(rule, sizeof(rule), "alert tcp any any -> any any (%s sid:1;)\n", options);
    assert_refused(rule, 0, part);
}
#endif
