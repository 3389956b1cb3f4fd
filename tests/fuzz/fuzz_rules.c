/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rule text from an attacker, then packets from another one.
 *
 * The input is rule text, a NUL, and a payload, whose beginning stands for the headers, too, and whose first byte
 * chooses the dialect. The text is loaded as a rule file; every rule that loads is then evaluated against the payload
 * in both directions. Besides memory errors this checks three promises: each rule is
 * loaded or rejected or disabled but never lost, a rule that matches was a candidate of the prefilter, and the
 * bound on backtracking holds.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ips/detect/eval.h"
#include "ips/detect/prefilter.h"
#include "rules/ruleset_layout.h"

#define STEPS 3000

static struct eval_scratch *scratch;
static int file_fd = -1;
static char file_path[64];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_up(void)
{
    if (scratch != NULL)
        return;
    scratch = eval_scratch_new(NULL);
    file_fd = memfd_create("rules", 0);
    if (scratch == NULL || file_fd < 0)
        abort();
    snprintf(file_path, sizeof(file_path), "/proc/self/fd/%d", file_fd);
}

static void write_rules(const uint8_t *text, size_t len)
{
    if (ftruncate(file_fd, 0) != 0 || pwrite(file_fd, text, len, 0) != (ssize_t)len)
        abort();
}

/* The packet's buffers, for one evaluation. */
static void set_buffers(struct eval *e, const struct ruleset *rs, struct span payload)
{
    const struct facts *f = e->facts;
    bool v6 = (f->flags & FACT_IPV6) != 0;

    eval_begin(e, rs);
    if (payload.len > 0)
        e->buf[BUF_PAYLOAD] = payload;
    e->buf[v6 ? BUF_IPV6_HDR : BUF_IPV4_HDR] = f->l3_hdr;
    e->buf[f->flags & FACT_TCP   ? BUF_TCP_HDR
           : f->flags & FACT_UDP ? BUF_UDP_HDR
                                 : BUF_ICMPV4_HDR] = f->l4_hdr;
}

/* candidate[i] = 1 for every rule that ipsd would evaluate. */
static uint8_t *candidates_of(const struct ruleset *rs, struct eval *e)
{
    static struct counters c;
    const struct prefilter_hints hints = {0};
    uint8_t *candidate = calloc(rs->n_rules + 1, 1);
    struct candidates found;

    if (candidate == NULL)
        abort();
    prefilter_run(rs, &rs->workers[0], e, &hints, &found, &c);
    for (uint32_t i, last = 0; (i = candidates_next(&found)) != CANDIDATE_NONE; last = i + 1) {
        if (i < last) /* out of order, or twice */
            abort();
        candidate[i] = 1;
    }
    return candidate;
}

static void try_packet(const struct ruleset *rs, const struct facts *f, struct span payload)
{
    struct eval e = {.facts = f, .scratch = scratch};
    uint8_t *candidate;

    set_buffers(&e, rs, payload);
    candidate = candidates_of(rs, &e);
    for (uint32_t i = 0; i < rs->n_rules; i++) {
        const struct rule *r = ruleset_rule(rs, i);
        bool dormant = (r->flags & RULE_DORMANT) != 0;

        e.steps_left = STEPS;
        if (dormant && candidate[i])
            abort();
        if (dormant || !ruleset_header_match(rs, r, f))
            continue;
        if (eval_rule(rs, r, &e) && !candidate[i])
            abort();
        if (e.steps_left > STEPS || e.cursor > payload.len + TRANSFORM_ROOM_MIN)
            abort();
        for (uint32_t k = 0; k < e.n_replaced; k++)
            if (e.replaced[k].at + e.replaced[k].len > payload.len)
                abort();
    }
    free(candidate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t src[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1},
                         dst[16] = {[0] = 0x20, [1] = 1, [15] = 8};
    static const struct {
        uint32_t fact;
        uint8_t number;
    } kinds[] = {{FACT_TCP, 6}, {FACT_UDP, 17}, {FACT_ICMP, 1}, {0, 47}};
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    size_t text_len = nul != NULL ? (size_t)(nul - data) : size;
    struct span payload = nul != NULL ? span_of(nul + 1, size - text_len - 1) : span_of(data, 0);
    const char *files[] = {file_path};
    struct ruleset_source source = {
        .files = files, .n_files = 1, .n_workers = 1, .dialect = payload.len > 0 ? payload.p[0] % 4 : 0};
    struct err_list errs;
    struct ruleset *rs;

    set_up();
    write_rules(data, text_len);
    err_list_init(&errs);
    rs = ruleset_build(&source, &errs);
    if (rs == NULL || (ruleset_stats(rs)->n_rejected > 0 && errs.n == 0))
        abort();
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        for (int back = 0; back < 2; back++) {
            struct facts f = {.flags = kinds[k].fact | (k % 2 ? FACT_IPV6 : FACT_IPV4) | FACT_HAS_FLOW |
                                       FACT_ESTABLISHED | FACT_STREAM_SIZE | (back ? FACT_TO_CLIENT : 0),
                              .ip_proto = kinds[k].number,
                              .ip_ttl = 64,
                              .sport = 40000,
                              .dport = 80,
                              .tcp_flags = 0x18,
                              .icmp_type = 8,
                              .payload_len = (uint16_t)payload.len,
                              .l3_hdr = span_sub(payload, 0, 60),
                              .l4_hdr = span_sub(payload, 0, 40),
                              .vlan = {100, 200},
                              .n_vlans = 2,
                              .stream_size = {1000, payload.len},
                              .src = back ? dst : src,
                              .dst = back ? src : dst};

            try_packet(rs, &f, payload);
        }
    ruleset_free(rs);
    err_list_fini(&errs);
    return 0;
}
