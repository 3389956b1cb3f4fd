/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tables of tests/bpf/test_steer*.c and the bench of the program stand on: frames are built, maps written and
 * counters compared here, by other code than the daemon's and the program's, so that a mistake of theirs is not made twice.
 * One thread; every function fails the test by itself.
 */
#include "tests/bpf/steer_lab.h"

enum {
    IPV4_HDR = 20,
    IPV6_HDR = 40,
    TCP_HDR = 20,
    UDP_HDR = 8,
    SCTP_HDR = 12,
    PAYLOAD = 12,
    NS_PER_MS = 1000000
};

uint64_t steer_lab_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- frames ---------------------------------------------------------------------------------------------------------- */

/* One for experiments, when the frame is about something else. */
static uint8_t proto_of(const struct frame *f)
{
    return f->proto ? f->proto : 253;
}

static uint8_t *put_transport(const struct frame *f, uint8_t *p, uint32_t payload)
{
    store_be16(p, f->sport);
    store_be16(p + 2, f->dport);
    switch (f->proto) {
    case IPPROTO_TCP:
        memset(p + 4, 0, TCP_HDR - 4);
        p[12] = TCP_HDR / 4 << 4;
        p[13] = f->tcp;
        return p + TCP_HDR + payload;
    case IPPROTO_UDP:
        store_be16(p + 4, (uint16_t)(UDP_HDR + payload));
        return p + UDP_HDR + payload;
    case IPPROTO_SCTP:
        return p + SCTP_HDR + payload;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        p[0] = f->icmp;
        return p + 8 + payload;
    default:
        return p + payload;
    }
}

/* Each 8 bytes long. Returns what the header before them has to say. */
static uint8_t put_extensions(const struct frame *f, uint8_t **p)
{
    for (unsigned i = 0; i < f->n_ext; i++, *p += 8) {
        memset(*p, 0, 8);
        (*p)[0] = i + 1 < f->n_ext ? f->ext[i + 1] : proto_of(f);
        if (f->ext[i] == IPPROTO_FRAGMENT)
            store_be16(*p + 2, f->frag);
        else if (f->ext[i] == IPPROTO_DSTOPTS || f->ext[i] == IPPROTO_HOPOPTS)
            (*p)[2] = 1, (*p)[3] = 4; /* PadN */
    }
    return f->n_ext ? f->ext[0] : proto_of(f);
}

static uint8_t *put_ipv4(const struct frame *f, uint8_t *ip, uint32_t payload)
{
    uint8_t *p = ip + IPV4_HDR;

    memset(ip, 0, IPV4_HDR);
    ip[0] = (uint8_t)((f->version ? f->version : 4) << 4 | 5);
    store_be16(ip + 6, f->frag);
    ip[8] = f->hops ? f->hops : 64;
    assert_int_equal(inet_pton(AF_INET, f->src, ip + 12), 1);
    assert_int_equal(inet_pton(AF_INET, f->dst, ip + 16), 1);
    ip[9] = put_extensions(f, &p);
    p = put_transport(f, p, payload);
    store_be16(ip + 2, (uint16_t)(p - ip));
    return p;
}

static uint8_t *put_ipv6(const struct frame *f, uint8_t *ip, uint32_t payload)
{
    uint8_t *p = ip + IPV6_HDR;

    memset(ip, 0, IPV6_HDR);
    ip[0] = (uint8_t)((f->version ? f->version : 6) << 4);
    ip[7] = f->hops ? f->hops : 64;
    assert_int_equal(inet_pton(AF_INET6, f->src, ip + 8), 1);
    assert_int_equal(inet_pton(AF_INET6, f->dst, ip + 24), 1);
    ip[6] = put_extensions(f, &p);
    p = put_transport(f, p, payload);
    store_be16(ip + 4, (uint16_t)(p - ip - IPV6_HDR));
    return p;
}

/* Returns the length that is there. */
uint32_t frame_build(const struct frame *f, uint8_t *bytes)
{
    static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    uint32_t payload = f->payload ? f->payload : PAYLOAD;
    uint8_t *p = bytes, *ip;

    memset(bytes, 0x5a, FRAME_MAX);
    memcpy(p, macs, sizeof(macs));
    p += sizeof(macs);
    for (int i = 0; i < 4 && f->tags[i]; i++, p += 4) {
        store_be16(p, f->tags[i]);
        store_be16(p + 2, (uint16_t)(f->vid[i] ? f->vid[i] & 0xfff : 100 + i));
    }
    store_be16(p, f->type);
    ip = p += 2;
    if (f->type == 0x0800)
        p = put_ipv4(f, ip, payload);
    else if (f->type == 0x86dd)
        p = put_ipv6(f, ip, payload);
    else
        p += 20;
    for (int i = 0; i < f->n_poke; i++)
        ip[f->poke[i][0]] = f->poke[i][1];
    p += f->pad;
    assert_true(p - bytes <= FRAME_MAX);
    return f->cut ? f->cut : (uint32_t)(p - bytes);
}

/* What bpf/shared.h says a tag is made of. */
void frame_key(const struct frame *f, struct steer_key *k)
{
    int family = f->type == 0x0800 ? AF_INET : AF_INET6, n = 0;
    uint8_t end[2][18] = {0}; /* address, port */

    memset(k, 0, sizeof(*k));
    inet_pton(family, f->src, end[0]);
    inet_pton(family, f->dst, end[1]);
    if (f->proto == IPPROTO_TCP || f->proto == IPPROTO_UDP || f->proto == IPPROTO_SCTP) {
        store_be16(end[0] + 16, f->sport);
        store_be16(end[1] + 16, f->dport);
    }
    int low = memcmp(end[0], end[1], sizeof(end[0])) <= 0 ? 0 : 1;
    for (int i = 0; i < 2; i++) {
        memcpy(k->addr[i], end[i ^ low], 16);
        memcpy(&k->port_be[i], end[i ^ low] + 16, 2);
    }
    k->proto = proto_of(f);
    k->version = family == AF_INET ? 4 : 6;
    for (int i = 0; i < 3 && f->tags[i]; i++) {
        uint32_t id = f->vid[i] ? f->vid[i] & 0xfff : 100u + (uint32_t)i;
        if (id)
            k->vlans |= id << 12 * n++;
    }
}

void source_key(const char *addr, struct steer_key *k)
{
    bool v6 = strchr(addr, ':') != NULL;

    memset(k, 0, sizeof(*k));
    assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, addr, k->addr[0]), 1);
    k->version = v6 ? 6 : 4;
}

/* --- maps ------------------------------------------------------------------------------------------------------------ */

static void put(int map, uint32_t key, const void *value)
{
    if (bpf_map_update_elem(map, &key, value, BPF_ANY) != 0)
        fail_msg("cannot write element %u: %s", key, strerror(errno));
}

static void put_prefix(const int tries[2], const char *text, bool add)
{
    static const struct steer_block none;
    char addr[64];
    struct {
        uint32_t prefixlen;
        uint8_t addr[16];
    } key = {0};

    if (!text)
        return;
    snprintf(addr, sizeof(addr), "%s", text);
    char *slash = strchr(addr, '/');
    bool v6 = strchr(addr, ':') != NULL;
    if (slash)
        *slash = '\0';
    key.prefixlen = slash ? (uint32_t)atoi(slash + 1) : v6 ? 128 : 32;
    assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, addr, key.addr), 1);
    int code =
        add ? bpf_map_update_elem(tries[v6], &key, &none, BPF_ANY) : bpf_map_delete_elem(tries[v6], &key);
    assert_int_equal(code, 0);
}

static uint64_t line_frames(struct steer_lab *l, uint32_t line)
{
    static uint64_t per_cpu[1024];
    uint64_t sum = 0;

    assert_int_equal(bpf_map_lookup_elem(l->line_frames, &line, per_cpu), 0);
    for (int i = 0; i < libbpf_num_possible_cpus(); i++)
        sum += per_cpu[i];
    return sum;
}

void steer_lab_push(struct steer_lab *l)
{
    put(l->config, 0, &l->cfg);
}

void steer_lab_open(struct steer_lab *l)
{
    struct xdp_config cfg = lab_config(STEER_FAIL_CLOSED);
    struct bpf_map_info info = {0};
    uint32_t size = sizeof(info), zero = 0;

    memset(l, 0, sizeof(*l));
    l->x = lab_open(&cfg);
    const struct steer_bpf *s = l->x->skel;
    l->prog = bpf_program__fd(s->progs.steer);
    l->config = bpf_map__fd(s->maps.steer_config);
    l->sw = bpf_map__fd(s->maps.steer_switch);
    l->beats = bpf_map__fd(s->maps.steer_beats);
    l->flows = bpf_map__fd(s->maps.steer_flows);
    l->lines = bpf_map__fd(s->maps.steer_lines);
    l->line_frames = bpf_map__fd(s->maps.steer_line_frames);
    l->xsks = bpf_map__fd(s->maps.xsks);
    l->rates = bpf_map__fd(s->maps.steer_rates);
    const struct bpf_map *tries[2][2][2] = {
        {{s->maps.block_src_v4, s->maps.block_src_v6}, {s->maps.block_dst_v4, s->maps.block_dst_v6}},
        {{s->maps.allow_src_v4, s->maps.allow_src_v6}, {s->maps.allow_dst_v4, s->maps.allow_dst_v6}}};
    for (int i = 0; i < 4; i++) {
        l->block[i / 2][i % 2] = bpf_map__fd(tries[0][i / 2][i % 2]);
        l->allow[i / 2][i % 2] = bpf_map__fd(tries[1][i / 2][i % 2]);
    }
    assert_int_equal(bpf_obj_get_info_by_fd(l->flows, &info, &size), 0);
    assert_int_equal(bpf_map_lookup_elem(l->config, &zero, &l->cfg), 0);
    l->cfg.flow_buckets = l->n_buckets = info.max_entries;
    l->cfg.key[0] = 0x0706050403020100u;
    l->cfg.key[1] = 0x0f0e0d0c0b0a0908u;
    for (uint32_t p = 0; p < STEER_PORTS; p++)
        for (uint32_t q = 0; q < LAB_QUEUES; q++)
            lab_socket_open(&l->sockets[p][q], cfg.ifname[p], q);
}

void steer_lab_close(struct steer_lab *l)
{
    for (uint32_t p = 0; p < STEER_PORTS; p++)
        for (uint32_t q = 0; q < LAB_QUEUES; q++)
            if (l->sockets[p][q].xsk)
                lab_socket_close(&l->sockets[p][q]);
    xdp_close(l->x);
}

/* --- running --------------------------------------------------------------------------------------------------------- */

/* The test run wants 14 bytes at least. A shorter frame is put behind metadata, which the program does not see;
 * kernels that look through this (6.18 does) refuse it, -EINVAL, and the row is then counted as not run. */
int steer_lab_run(struct steer_lab *l, uint32_t ifindex, uint32_t queue, const uint8_t *frame, uint32_t len,
                  uint8_t *out, uint32_t *out_len, uint32_t repeat)
{
    uint8_t in[FRAME_MAX + 12] = {0};
    uint32_t meta = len < 14 ? 12 : 0;
    struct xdp_md ctx = {
        .data = meta, .data_end = meta + len, .ingress_ifindex = ifindex, .rx_queue_index = queue};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = meta + len, .data_out = out,
                .data_size_out = FRAME_MAX, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
                .repeat = (int)repeat);

    memcpy(in + meta, frame, len);
    int code = bpf_prog_test_run_opts(l->prog, &opts);
    if (code == -EINVAL && meta != 0)
        return code;
    if (code != 0)
        fail_msg("BPF_PROG_TEST_RUN, %u bytes on interface %u queue %u: %s", len, ifindex, queue,
                 strerror(-code));
    *out_len = opts.data_size_out;
    return (int)opts.retval;
}

static bool is_failing(enum steer_counter exit)
{
    return exit == STEER_FAIL_OPENED || exit == STEER_FAIL_KNOWN || exit == STEER_FAIL_CLOSED_DROP ||
           exit == STEER_FAIL_UNKNOWN_DROP || exit == STEER_NO_WAY_OUT;
}

static void check_counters(const struct row *r, const struct xdp_counters *a, const struct xdp_counters *b)
{
    uint32_t port = r->port == LO ? 0 : r->port,
             parse = r->parse | (r->empty && is_failing(r->exit) ? PNOSK : 0);

    for (uint32_t p = 0; p < STEER_PORTS; p++) {
        for (uint32_t c = 0; c < STEER_CTR_N; c++) {
            uint64_t expect = p == port && c == r->exit;
            if (b->exits[p][c] - a->exits[p][c] != expect)
                fail_msg("%s: port %u: %s moved by %lu, not by %lu", r->name, p, steer_counter_names[c],
                         b->exits[p][c] - a->exits[p][c], expect);
        }
        for (uint32_t c = 0; c < STEER_PARSE_N; c++) {
            uint64_t expect = p == port && (parse >> c & 1);
            if (b->parse[p][c] - a->parse[p][c] != expect)
                fail_msg("%s: port %u: parse counter %u moved by %lu, not by %lu", r->name, p, c,
                         b->parse[p][c] - a->parse[p][c], expect);
        }
    }
}

/* The row's entry goes into a way of its bucket, other ways are other flows'. */
static uint32_t put_entry(struct steer_lab *l, const struct row *r, struct steer_bucket *b, unsigned *way)
{
    static unsigned turn;
    const struct entry *e = &r->entry;
    uint64_t now_ns = steer_lab_now_ns();
    struct steer_key key;

    memset(b, 0, sizeof(*b));
    *way = turn++ % STEER_WAYS;
    if (e->kind == STEER_KIND_SOURCE)
        source_key(e->of ? e->of->src : r->src, &key);
    else
        frame_key(e->of ? e->of : &r->frame, &key);
    for (unsigned i = 0; i < STEER_WAYS; i++)
        b->way[i].tag = i < *way ? STEER_TAG_BUSY : STEER_TAG_FREE;
    struct steer_flow *f = &b->way[*way];
    f->tag = steer_tag(&key, l->cfg.key);
    f->kind = e->kind;
    f->last_ns = now_ns - (uint64_t)(e->age_ms * NS_PER_MS);
    f->idle_ms = e->idle_ms ? e->idle_ms : 60000;
    f->expires_ns = e->expires_in_ms ? now_ns + (uint64_t)(e->expires_in_ms * NS_PER_MS) : 0;
    put(l->flows, (uint32_t)f->tag & (l->n_buckets - 1), b);
    return (uint32_t)f->tag & (l->n_buckets - 1);
}

static void check_entry(struct steer_lab *l, const struct row *r, uint32_t index, unsigned way,
                        const struct steer_bucket *before, uint32_t len)
{
    struct steer_bucket after, expect = *before;
    struct steer_flow *f = &expect.way[way];

    assert_int_equal(bpf_map_lookup_elem(l->flows, &index, &after), 0);
    if (r->charged) {
        f->pkts[r->entry.end] = 1;
        f->bytes[r->entry.end] = len;
        f->last_ns = after.way[way].last_ns;
        int64_t age_ns = (int64_t)(steer_lab_now_ns() - f->last_ns);
        if (age_ns < 0 || age_ns > 1000 * (int64_t)NS_PER_MS)
            fail_msg("%s: the entry was last used %ld ns ago", r->name, age_ns);
    }
    if (memcmp(&after, &expect, sizeof(after)) != 0)
        fail_msg("%s: the entry was %s: frames %llu and %llu", r->name,
                 r->charged ? "not charged as expected" : "changed", after.way[way].pkts[0],
                 after.way[way].pkts[1]);
}

static void put_row(struct steer_lab *l, const struct row *r)
{
    struct steer_switch sw = {.bypass = r->bypass};
    struct steer_beat beat = {.beat_ns = r->asleep ? STEER_ASLEEP
                                         : r->never_beat
                                             ? 0
                                             : steer_lab_now_ns() - (uint64_t)(r->beat_age_ms * NS_PER_MS)};
    uint32_t port = r->port == LO ? 0 : r->port, slot = STEER_XSK_SLOT(port, r->queue);

    l->cfg.fail_policy = r->policy;
    l->cfg.flags = r->flags | (r->block || r->block_dst ? STEER_HAS_BLOCKS : 0) |
                   (r->allow || r->allow_dst ? STEER_HAS_ALLOWS : 0);
    l->cfg.heartbeat_ns = (uint64_t)r->heartbeat_ms * NS_PER_MS;
    l->cfg.lines = STEER_LINES(r->first_line, r->n_lines);
    steer_lab_push(l);
    put(l->sw, 0, &sw);
    if (r->queue < STEER_QUEUES_MAX) {
        int fd = r->queue < LAB_QUEUES ? xsk_socket__fd(l->sockets[port][r->queue].xsk) : -1;
        put(l->beats, r->queue, &beat);
        if (r->empty && !r->slots_kept)
            bpf_map_delete_elem(l->xsks, &slot);
        else if (!r->slots_kept)
            put(l->xsks, slot, &fd);
    }
    for (uint32_t i = 0; i < r->n_lines; i++)
        put(l->lines, r->first_line + i, &r->lines[i]);
    put_prefix(l->block[0], r->block, true);
    put_prefix(l->block[1], r->block_dst, true);
    put_prefix(l->allow[0], r->allow, true);
    put_prefix(l->allow[1], r->allow_dst, true);
}

static void take_back_row(struct steer_lab *l, const struct row *r)
{
    put_prefix(l->block[0], r->block, false);
    put_prefix(l->block[1], r->block_dst, false);
    put_prefix(l->allow[0], r->allow, false);
    put_prefix(l->allow[1], r->allow_dst, false);
}

/* The queue's beat is left alone, but one that said "asleep" is the time now; frames that escaped are counted. */
static void check_beat(struct steer_lab *l, const struct row *r, uint64_t before_ns)
{
    struct steer_beat beat;
    uint32_t queue = r->queue;
    bool escaped = r->exit == STEER_FAIL_OPENED || r->exit == STEER_FAIL_KNOWN ||
                   r->exit == STEER_SWITCH_BYPASS || (r->exit == STEER_NO_WAY_OUT && !r->worker);

    if (queue >= STEER_QUEUES_MAX)
        return;
    assert_int_equal(bpf_map_lookup_elem(l->beats, &queue, &beat), 0);
    if (beat.escaped != escaped)
        fail_msg("%s: escaped is %llu, not %d", r->name, beat.escaped, escaped);
    if (r->asleep && r->heartbeat_ms && !r->empty &&
        (beat.beat_ns < before_ns || beat.beat_ns > steer_lab_now_ns()))
        fail_msg("%s: a beat that said asleep is %llx now", r->name, beat.beat_ns);
}

bool steer_lab_row(struct steer_lab *l, const struct row *r)
{
    uint8_t frame[FRAME_MAX], out[FRAME_MAX];
    uint32_t len = frame_build(&r->frame, frame), out_len, index = 0;
    uint32_t ifindex = r->port == LO ? if_nametoindex("lo") : l->x->ifindex[r->port];
    struct xdp_counters before, after;
    struct steer_bucket bucket;
    uint64_t hits[2 * STEER_LINES_MAX], now_ns;
    unsigned way = 0;

    put_row(l, r);
    if (r->entry.kind)
        index = put_entry(l, r, &bucket, &way);
    for (uint32_t i = 0; i < 2 * STEER_LINES_MAX; i++)
        hits[i] = r->n_lines ? line_frames(l, i) : 0;
    assert_int_equal(xdp_counters(l->x, &before), 0);
    now_ns = steer_lab_now_ns();
    int verdict = steer_lab_run(l, ifindex, r->queue, frame, len, out, &out_len, 1);
    assert_int_equal(xdp_counters(l->x, &after), 0);
    take_back_row(l, r);
    if (verdict == -EINVAL)
        return false;
    if (verdict != (int)r->verdict)
        fail_msg("%s: verdict %d, not %d", r->name, verdict, r->verdict);
    check_counters(r, &before, &after);
    check_beat(l, r, now_ns);
    if (r->cut == 0 || r->cut >= 14) {
        assert_int_equal(out_len, len);
        assert_memory_equal(out, frame, len);
    }
    for (uint32_t i = 0; i < 2 * STEER_LINES_MAX && r->n_lines; i++)
        if (line_frames(l, i) - hits[i] != (r->line && i == r->first_line + r->line - 1))
            fail_msg("%s: steering line %u counted %lu frames", r->name, i, line_frames(l, i) - hits[i]);
    if (r->entry.kind) {
        static const struct steer_bucket none;
        check_entry(l, r, index, way, &bucket, len);
        put(l->flows, index, &none);
    }
    return true;
}

void steer_lab_rows(const struct row *rows, size_t n)
{
    static struct steer_lab l;
    size_t n_not_run = 0, n_may = 0;

    steer_lab_open(&l);
    for (size_t i = 0; i < n; i++) {
        n_not_run += !steer_lab_row(&l, &rows[i]);
        n_may += rows[i].cut && rows[i].cut < 14;
    }
    print_message("%zu cases, %zu of them not run: this kernel has no test run below 14 bytes\n", n,
                  n_not_run);
    assert_true(n_not_run <= n_may);
    steer_lab_close(&l);
}
