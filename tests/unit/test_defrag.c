/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Defragmentation: what is put together is what was cut, in every order; what contradicts itself never is; every frame
 * comes back exactly once, whatever happens; budgets and times hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ips/base/clock.h"
#include "ips/decode/defrag.h"
#include "tests/unit/fragments.h"
#include "tests/unit/wrap.h"

#define FRAMES 256
#define S(n)   ((n)*NS_PER_S)

static struct counters counters;

static struct defrag *table(struct defrag_config cfg)
{
    struct err e = {.code = 0};

    if (cfg.frames == 0)
        cfg.frames = FRAMES;
    if (cfg.host_frames == 0)
        cfg.host_frames = cfg.frames;
    if (cfg.datagram_frames == 0)
        cfg.datagram_frames = cfg.host_frames;
    cfg.ipv4_s = 30;
    cfg.ipv6_s = 60;
    cfg.decode.verify_checksums = true;
    memset(&counters, 0, sizeof(counters));
    struct defrag *d = defrag_new(&cfg, &e);
    assert_non_null(d);
    return d;
}

static struct defrag *inline_table(void)
{
    return table((struct defrag_config){.inline_mode = true, .tiny_drop = true});
}

/* What leaves: how many frames with which reason. */
struct left {
    unsigned n, forwarded, by_reason[DROP_N];
    const uint8_t *first;
};

static struct left leaving(struct defrag *d)
{
    struct packet v[7];
    struct left l = {0};
    unsigned n;

    while ((n = defrag_leaving(d, v, 7, &counters)) > 0)
        for (unsigned i = 0; i < n; i++) {
            if (l.n++ == 0)
                l.first = v[i].data;
            if (v[i].verdict == VERDICT_FORWARD)
                l.forwarded++;
            else
                l.by_reason[v[i].drop_reason]++;
        }
    return l;
}

static void end(struct defrag *d)
{
    defrag_flush(d, DROP_SHUTDOWN, &counters);
    leaving(d);
    assert_int_equal(counters.v[CTR_DEFRAG_HELD], 0);
    defrag_free(d);
}

static enum defrag_answer give(struct defrag *d, struct frame *f, const struct frag *k, uint64_t now,
                               struct packet *out)
{
    struct packet p = frag_decoded(f, k, now);

    assert_true(p.flags & PKT_FRAGMENT);
    assert_false(p.flags & PKT_MALFORMED);
    enum defrag_answer a = defrag_take(d, &p, &p, &counters);
    if (out)
        *out = p;
    return a;
}

static uint32_t rnd(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    return *s ^= *s << 5;
}

/* --- what was cut is put together ------------------------------------------------------------------------------- */

struct cut {
    uint32_t off, len;
};

/* Cuts len bytes into at most max pieces of multiples of 8 that fit a test's frame. */
static unsigned cut_up(struct cut *v, unsigned max, uint32_t len, uint32_t least, uint32_t *seed)
{
    unsigned n = 0;

    for (uint32_t at = 0; at < len; n++) {
        uint32_t left = len - at, want = least + rnd(seed) % 1400 / 8 * 8;

        assert_true(n < max);
        if (want > 3000)
            want = 3000;
        v[n] = (struct cut){at, want < left ? want : left};
        at += v[n].len;
    }
    return n;
}

static void shuffle(struct cut *v, unsigned n, uint32_t *seed)
{
    for (unsigned i = n; i > 1; i--) {
        unsigned j = rnd(seed) % i;
        struct cut t = v[i - 1];

        v[i - 1] = v[j];
        v[j] = t;
    }
}

static void check_whole(struct defrag *d, const uint8_t *bytes, uint32_t len, bool v6)
{
    const struct packet *w = defrag_whole(d);

    assert_true(w->flags & PKT_REASSEMBLED);
    assert_true(w->flags & PKT_HAS_L4);
    assert_false(w->flags & (PKT_MALFORMED | PKT_FRAGMENT | PKT_BAD_CHECKSUM));
    assert_int_equal(w->ip_version, v6 ? 6 : 4);
    assert_int_equal(w->dport, 53);
    assert_int_equal(w->payload_len, len - 8);
    assert_memory_equal(w->data + w->l4_off, bytes, len);
}

static void put_together(uint32_t seed, bool v6)
{
    static struct frame frames[200];
    static uint8_t bytes[65536];
    struct cut cuts[200];
    struct defrag *d = inline_table();
    uint32_t len = 3100 + rnd(&seed) % 20000;
    unsigned n = cut_up(cuts, 200, len, 64, &seed);

    datagram_build(bytes, len, v6, 1, seed);
    shuffle(cuts, n, &seed);
    for (unsigned i = 0; i < n; i++) {
        struct frag k = {.v6 = v6,
                         .id = seed,
                         .off = cuts[i].off,
                         .len = cuts[i].len,
                         .more = cuts[i].off + cuts[i].len < len,
                         .bytes = bytes + cuts[i].off};
        enum defrag_answer a = give(d, &frames[i], &k, S(1), NULL);

        assert_int_equal(a, i + 1 < n ? DEFRAG_HELD : DEFRAG_WHOLE);
        assert_int_equal(leaving(d).n, 0);
        assert_int_equal(counters.v[CTR_DEFRAG_HELD], i + 1);
    }
    check_whole(d, bytes, len, v6);
    assert_int_equal(defrag_whole_frames(d), n);
    defrag_settle(d, VERDICT_FORWARD, DROP_NONE, &counters);
    struct left l = leaving(d);
    assert_int_equal(l.forwarded, n);
    assert_ptr_equal(l.first, frames[0].b);
    end(d);
}

static void test_put_together_in_any_order(void **state)
{
    for (uint32_t seed = 1; seed < 200; seed++)
        put_together(seed * 7919, seed % 2);
}

static void test_largest_datagrams(void **state)
{
    static struct frame frames[40];
    static uint8_t bytes[65536];

    for (int v6 = 0; v6 < 2; v6++)
        for (uint32_t over = 0; over < 2; over++) {
            struct defrag *d = inline_table();
            uint32_t len = 65535 - (v6 ? 40 : 20) + over, at = 0;
            struct packet p = {.len = 0};
            enum defrag_answer a = DEFRAG_HELD;

            datagram_build(bytes, len, v6, 1, 3);
            for (unsigned i = 0; at < len; i++) {
                uint32_t n = len - at < 2000 ? len - at : 2000;
                struct frag k = {
                    .v6 = v6, .id = 9, .off = at, .len = n, .more = at + n < len, .bytes = bytes + at};
                a = give(d, &frames[i], &k, S(1), &p);
                at += n;
            }
            if (over) { /* one byte more than an IP packet can have */
                assert_int_equal(a, DEFRAG_DROP);
                assert_int_equal(p.drop_reason, DROP_DEFRAG_INVALID);
                assert_true(anomaly_has(&p.anomalies, v6 ? AN_IPV6_FRAG_TOO_LARGE : AN_IPV4_FRAG_TOO_LARGE));
            } else {
                assert_int_equal(a, DEFRAG_WHOLE);
                check_whole(d, bytes, len, v6);
                defrag_settle(d, VERDICT_DROP, DROP_RULES, &counters);
                assert_int_equal(leaving(d).by_reason[DROP_RULES], 33);
            }
            end(d);
        }
}

static void test_ipv6_extension_in_front(void **state)
{
    static const uint8_t ext[16] = {0, 0, 1, 4}; /* hop-by-hop, then routing without segments left */
    uint8_t chain[16] = {IPPROTO_ROUTING, 0, 1, 4};
    static uint8_t bytes[2000];
    struct frame f[2];
    struct defrag *d = inline_table();

    memcpy(chain + 8, ext, 8);
    datagram_build(bytes, 2000, true, 1, 5);
    for (int i = 0; i < 2; i++) {
        struct frag k = {
            .v6 = true, .id = 1, .off = i * 1000, .len = 1000, .more = !i, .bytes = bytes + i * 1000};
        struct frag h = k;

        h.options = ext;
        h.options_len = 8;
        h.ext_next = IPPROTO_HOPOPTS;
        assert_int_equal(give(d, &f[i], &h, S(1), NULL), i ? DEFRAG_WHOLE : DEFRAG_HELD);
    }
    check_whole(d, bytes, 2000, true);
    assert_int_equal(defrag_whole(d)->data[defrag_whole(d)->l3_off + 6], IPPROTO_HOPOPTS);
    assert_int_equal(defrag_whole(d)->l4_off - defrag_whole(d)->l3_off, 48);
    defrag_settle(d, VERDICT_FORWARD, DROP_NONE, &counters);
    leaving(d);
    end(d);
}

/* --- against a model -------------------------------------------------------------------------------------------- */

struct model { /* of one datagram, RFC 5722 with exact duplicates dropped by themselves */
    uint8_t bytes[4096];
    bool have[4096], dead;
    struct cut took[64];
    unsigned n;
    uint32_t total;
};

static enum defrag_answer model_take(struct model *m, const struct frag *k, bool *whole)
{
    uint32_t end = k->off + k->len, reach = 0;
    bool over = false;

    *whole = false;
    if (m->dead)
        return DEFRAG_DROP;
    for (unsigned i = 0; i < m->n; i++)
        if (m->took[i].off + m->took[i].len > reach)
            reach = m->took[i].off + m->took[i].len;
    if (m->total ? end > m->total || (!k->more && end != m->total) : !k->more && end < reach) {
        m->dead = true;
        return DEFRAG_DROP;
    }
    for (uint32_t i = k->off; i < end; i++)
        over |= m->have[i];
    for (unsigned i = 0; over && i < m->n; i++)
        if (m->took[i].off == k->off && m->took[i].len == k->len)
            return DEFRAG_DROP;
    if (over) {
        m->dead = true;
        return DEFRAG_DROP;
    }
    m->took[m->n++] = (struct cut){k->off, k->len};
    memcpy(m->bytes + k->off, k->bytes, k->len);
    memset(m->have + k->off, true, k->len);
    if (!k->more)
        m->total = end;
    *whole = m->total != 0;
    for (uint32_t i = 0; i < m->total; i++)
        *whole &= m->have[i];
    return *whole ? DEFRAG_WHOLE : DEFRAG_HELD;
}

/* Random fragments of a small datagram: most runs meet overlaps, duplicates, two ends. */
static void against_model(uint32_t seed)
{
    static struct frame frames[64];
    static uint8_t bytes[4096];
    struct model m = {.n = 0};
    struct defrag *d = inline_table();
    bool v6 = rnd(&seed) % 2, whole = false;
    uint32_t blocks = 8 + rnd(&seed) % 20, in = 0, out = 0;

    for (unsigned i = 0; i < 40 && !whole; i++) {
        uint32_t off = rnd(&seed) % (blocks / 4) * 32, n = 32 * (1 + rnd(&seed) % 2), odd = rnd(&seed) % 40;
        if (odd == 0)
            off += 8;
        bool more = off + n < blocks * 8;
        for (uint32_t j = 0; j < n; j++)
            bytes[off + j] = (uint8_t)rnd(&seed);
        struct frag k = {
            .v6 = v6, .proto = 253, .id = 77, .off = off, .len = n, .more = more, .bytes = bytes + off};
        if (!more && odd == 1)
            k.len -= 5;
        if (off == 0 && !more)
            continue; /* no fragment */
        enum defrag_answer want = model_take(&m, &k, &whole), got = give(d, &frames[i], &k, S(1), NULL);

        assert_int_equal(got, want);
        in += got != DEFRAG_DROP;
        out += leaving(d).n;
        assert_int_equal(counters.v[CTR_DEFRAG_HELD], in - out);
        if (m.dead)
            assert_int_equal(in, out);
    }
    if (whole) {
        const struct packet *w = defrag_whole(d);

        assert_int_equal(w->len - w->l4_off, m.total);
        assert_memory_equal(w->data + w->l4_off, m.bytes, m.total);
        defrag_settle(d, VERDICT_FORWARD, DROP_NONE, &counters);
        assert_int_equal(leaving(d).forwarded, m.n);
    }
    end(d);
}

static void test_against_model(void **state)
{
    for (uint32_t seed = 1; seed < 3000; seed++)
        against_model(seed * 104729);
}

/* --- what is refused -------------------------------------------------------------------------------------------- */

static uint8_t text[4096];

/* Gives fragments of 64 bytes; the last one's answer and reason. */
static enum drop_reason answer_to(struct defrag *d, const struct frag *v, unsigned n, struct packet *last)
{
    static struct frame frames[64];
    static unsigned next; /* frames of earlier calls may still be held */
    enum defrag_answer a = DEFRAG_HELD;

    for (unsigned i = 0; i < n; i++) {
        struct frag k = v[i];

        k.bytes = k.bytes ? k.bytes : text + k.off;
        a = give(d, &frames[next++ % 64], &k, S(1), last);
    }
    return a == DEFRAG_DROP ? last->drop_reason : DROP_NONE;
}

static void test_overlap_refuses_all_of_it(void **state)
{
    for (int v6 = 0; v6 < 2; v6++) {
        struct defrag *d = inline_table();
        struct packet p;
        struct frag v[] = {{.v6 = v6, .off = 0, .len = 64, .more = true},
                           {.v6 = v6, .off = 128, .len = 64},
                           {.v6 = v6, .off = 56, .len = 72, .more = true},
                           {.v6 = v6, .off = 64, .len = 64, .more = true}};

        assert_int_equal(answer_to(d, v, 3, &p), DROP_DEFRAG_OVERLAP);
        assert_true(anomaly_has(&p.anomalies, v6 ? AN_IPV6_FRAG_OVERLAP : AN_IPV4_FRAG_OVERLAP));
        assert_int_equal(leaving(d).by_reason[DROP_DEFRAG_OVERLAP], 2);
        assert_int_equal(answer_to(d, v + 3, 1, &p), DROP_DEFRAG_OVERLAP); /* what comes later, too */
        assert_int_equal(counters.v[CTR_DEFRAG_REFUSED], 1);
        v[0].id = 1; /* another datagram is another matter */
        assert_int_equal(answer_to(d, v, 1, &p), DROP_NONE);
        end(d);
    }
}

static void test_duplicate_is_dropped_alone(void **state)
{
    struct defrag *d = inline_table();
    struct packet p;
    struct frag v[] = {
        {.len = 64, .more = true}, {.len = 64, .more = true, .bytes = text + 100}, {.off = 64, .len = 8}};

    for (unsigned i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * 7);
    assert_int_equal(answer_to(d, v, 2, &p), DROP_DEFRAG_DUPLICATE);
    assert_true(anomaly_has(&p.anomalies, AN_IPV4_FRAG_OVERLAP)); /* it says something else */
    v[1] = v[0];
    assert_int_equal(answer_to(d, v + 1, 1, &p), DROP_DEFRAG_DUPLICATE);
    assert_false(anomaly_has(&p.anomalies, AN_IPV4_FRAG_OVERLAP));
    assert_int_equal(answer_to(d, v + 2, 1, &p), DROP_NONE);
    assert_memory_equal(defrag_whole(d)->data + defrag_whole(d)->l4_off, text, 64);
    defrag_settle(d, VERDICT_FORWARD, DROP_NONE, &counters);
    assert_int_equal(leaving(d).forwarded, 2);
    end(d);
}

static void test_attacks_of_old(void **state)
{
    static const uint8_t lsrr[4] = {131, 3, 4, 0};
    const struct {
        const char *name;
        struct frag v[3];
        unsigned n;
        enum drop_reason why;
    } rows[] = {
        {"teardrop", {{.len = 64, .more = true}, {.off = 24, .len = 16}}, 2, DROP_DEFRAG_OVERLAP},
        {"two ends", {{.off = 128, .len = 64}, {.off = 64, .len = 64}}, 2, DROP_DEFRAG_OVERLAP},
        {"behind the end",
         {{.off = 64, .len = 64}, {.off = 128, .len = 64, .more = true}},
         2,
         DROP_DEFRAG_OVERLAP},
        {"no bytes", {{.off = 64, .len = 0, .more = true}}, 1, DROP_DEFRAG_INVALID},
        {"odd length", {{.len = 60, .more = true}}, 1, DROP_DEFRAG_INVALID},
        {"tiny UDP", {{.v6 = true, .len = 0, .more = true}}, 1, DROP_DEFRAG_INVALID},
        {"tiny TCP", {{.proto = IPPROTO_TCP, .len = 16, .more = true}}, 1, DROP_DEFRAG_TINY},
        {"tiny TCP of IPv6",
         {{.v6 = true, .proto = IPPROTO_TCP, .len = 16, .more = true}},
         1,
         DROP_DEFRAG_TINY},
        {"RFC 1858's second",
         {{.proto = IPPROTO_TCP, .off = 8, .len = 16, .more = true}},
         1,
         DROP_DEFRAG_TINY},
        {"headers cut, RFC 7112",
         {{.v6 = true, .proto = IPPROTO_DSTOPTS, .len = 8, .more = true}},
         1,
         DROP_DEFRAG_TINY},
        {"next headers differ",
         {{.v6 = true, .len = 64, .more = true}, {.v6 = true, .proto = IPPROTO_ICMPV6, .off = 64, .len = 64}},
         2,
         DROP_DEFRAG_INVALID},
        {"a source route on one",
         {{.len = 64, .more = true}, {.off = 64, .len = 64, .options = lsrr, .options_len = 4}},
         2,
         DROP_DEFRAG_INVALID},
    };

    text[0] = 60; /* of the destination options: more than are there */
    text[1] = 9;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct defrag *d = inline_table();
        struct packet p;
        enum drop_reason why = answer_to(d, rows[i].v, rows[i].n, &p);

        if (why != rows[i].why)
            fail_msg("%s: %s", rows[i].name, drop_info[why].name);
        assert_int_equal(leaving(d).n, rows[i].n - 1);
        end(d);
    }
}

static void test_not_inline_tiny_is_put_together(void **state)
{
    struct defrag *d = table((struct defrag_config){.tiny_drop = true});
    struct packet p;
    struct frag v[] = {{.proto = IPPROTO_TCP, .len = 8, .more = true},
                       {.proto = IPPROTO_TCP, .off = 8, .len = 60}};

    assert_int_equal(answer_to(d, v, 2, &p), DROP_NONE);
    assert_true(anomaly_has(&p.anomalies, AN_FRAG_TINY));
    assert_int_equal(defrag_whole_frames(d), 2);
    end(d);
}

static void test_what_makes_another_datagram(void **state)
{
    const struct frag rows[] = {{.id = 1}, {.src = 7}, {.v6 = true}, {.proto = IPPROTO_ICMP}, {.dst_mac = 9}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct defrag *d = inline_table();
        struct packet p;
        struct frag v[2] = {{.len = 64, .more = true}, rows[i]};

        v[1].off = 64;
        v[1].len = 64;
        assert_int_equal(answer_to(d, v, 2, &p), DROP_NONE);
        assert_int_equal(counters.v[CTR_DEFRAG_WHOLE], 0);
        assert_int_equal(counters.v[CTR_DEFRAG_HELD], 2);
        end(d);
    }
}

static void test_one_ttl_for_all(void **state)
{
    for (int v6 = 0; v6 < 2; v6++) {
        struct defrag *d = inline_table();
        static struct frame f[3];

        for (unsigned i = 0; i < 3; i++) {
            struct frag k = {.v6 = v6,
                             .off = i * 64,
                             .len = 64,
                             .more = i < 2,
                             .ttl = (uint8_t)(60 + i % 2),
                             .bytes = text};
            assert_int_equal(give(d, &f[i], &k, S(1), NULL), i < 2 ? DEFRAG_HELD : DEFRAG_WHOLE);
        }
        defrag_settle(d, VERDICT_FORWARD, DROP_NONE, &counters);
        leaving(d);
        for (unsigned i = 0; i < 3; i++) {
            struct packet p = frame_packet(&f[i], LINK_ETHERNET);
            const struct decode_config cfg = {.verify_checksums = true};

            decode_burst(&p, 1, &cfg, &counters);
            assert_int_equal(p.ip_ttl, 60);
            assert_false(p.flags & PKT_BAD_CHECKSUM);
        }
        assert_int_equal(counters.v[CTR_DEFRAG_TTL], 1);
        end(d);
    }
}

static void test_rewritten_bytes_reach_the_frames(void **state)
{
    struct defrag *d = inline_table();
    static struct frame f[2];

    memset(text, 'a', sizeof(text));
    for (unsigned i = 0; i < 2; i++) {
        struct frag k = {.off = (1 - i) * 64, .len = 64, .more = i == 1, .bytes = text};
        give(d, &f[i], &k, S(1), NULL);
    }
    struct packet *w = defrag_whole(d);
    memcpy(w->data + w->l4_off + 60, "REWRITE!", 8);
    w->flags |= PKT_REWRITTEN;
    defrag_settle(d, VERDICT_FORWARD, DROP_NONE, &counters);
    assert_memory_equal(f[1].b + f[1].l4 + 60, "REWR", 4);
    assert_memory_equal(f[0].b + f[0].l4, "ITE!aaaa", 8);
    leaving(d);
    end(d);
}

/* --- fragments of what fragments carried ------------------------------------------------------------------------ */

static void test_fragments_of_fragments(void **state)
{
    static struct frame f[4], whole;
    static uint8_t bytes[4000];
    struct defrag *d = inline_table();
    enum defrag_answer a = DEFRAG_DROP;

    datagram_build(bytes, 400, true, 1, 8);
    for (unsigned i = 0; i < 4; i++) { /* two fragments of id 5, each cut in two under an id of its own */
        unsigned inner = i / 2, part = i % 2;
        struct frag in = {.v6 = true,
                          .id = 5,
                          .off = inner * 200,
                          .len = 200,
                          .more = inner == 0,
                          .bytes = bytes + inner * 200};

        frag_build(&whole, &in);
        struct frag out = {.v6 = true,
                           .id = 100 + inner,
                           .proto = IPPROTO_FRAGMENT,
                           .off = part * 104,
                           .len = 104,
                           .more = part == 0,
                           .bytes = whole.b + whole.l4 + part * 104};
        a = give(d, &f[i], &out, S(1), NULL);
        assert_int_equal(a, part ? DEFRAG_WHOLE : DEFRAG_HELD);
        if (part) {
            struct packet *w = defrag_whole(d);

            assert_true(w->flags & PKT_FRAGMENT);
            a = defrag_take(d, w, w, &counters);
        }
    }
    assert_int_equal(a, DEFRAG_WHOLE);
    check_whole(d, bytes, 400, true);
    assert_int_equal(defrag_whole_frames(d), 4);
    struct packet *w = defrag_whole(d);
    memset(w->data + w->l4_off + 190, 'X', 20);
    w->flags |= PKT_REWRITTEN;
    defrag_settle(d, VERDICT_FORWARD, DROP_NONE, &counters);
    assert_int_equal(leaving(d).forwarded, 4);
    assert_memory_equal(f[1].b + f[1].l4 + 8 + 104 - 10, "XXXXXXXXXX", 10);
    assert_memory_equal(f[2].b + f[2].l4 + 8 + 8, "XXXXXXXXXX", 10);
    end(d);
}

/* --- fragments in tunnels --------------------------------------------------------------------------------------- */

static const struct wrap tunnels[][8] = {
    {ETH(0x0800), IP4(4)},
    {ETH(0x0800), IP4(47), BYTES(0, 0, 8, 0)},
    {ETH(0x86dd), IP6(4)},
    {ETH(0x0800), IP4(17), UDP(4789), BYTES(8, 0, 0, 0, 0, 0, 7, 0), ETH(0x0800)},
};
#define N_TUNNELS (sizeof(tunnels) / sizeof(tunnels[0]))

static struct packet_pool pool;
static const struct decode_config open_tunnels = {
    .verify_checksums = true, .n_ports = 4, .ports = DECODE_PORTS_DEFAULT, .pool = &pool};

/* The fragment's IP packet without a link header. */
static void bare(struct frame *f, const struct frag *k)
{
    frag_build(f, k);
    f->len -= f->l3;
    memmove(f->b, f->b + f->l3, f->len);
}

static enum defrag_answer give_frame(struct defrag *d, struct frame *f)
{
    struct packet p = frame_packet(f, LINK_ETHERNET);

    pool.used = 0;
    p.now_ns = S(1);
    decode_burst(&p, 1, &open_tunnels, &counters);
    struct packet *in = packet_innermost(&p);
    assert_true(in->flags & PKT_FRAGMENT);
    return defrag_take(d, &p, in, &counters);
}

static void test_fragments_in_tunnels(void **state)
{
    static const unsigned order[] = {1, 2, 0};
    static uint8_t bytes[1000];

    datagram_build(bytes, 1000, false, 1, 6);
    for (size_t t = 0; t < N_TUNNELS; t++) {
        static struct frame f[3];
        struct defrag *d = table((struct defrag_config){.inline_mode = true, .decode = open_tunnels});
        enum defrag_answer a = DEFRAG_DROP;

        for (unsigned i = 0; i < 3; i++) {
            uint32_t off = order[i] * 400;
            struct frag k = {
                .id = 3, .off = off, .len = off < 800 ? 400 : 200, .more = off < 800, .bytes = bytes + off};

            bare(&f[i], &k);
            wrap_all(&f[i], tunnels[t]);
            a = give_frame(d, &f[i]);
            assert_int_equal(a, i < 2 ? DEFRAG_HELD : DEFRAG_WHOLE);
        }
        check_whole(d, bytes, 1000, false);
        struct packet *w = defrag_whole(d);
        assert_non_null(w->outer);
        memset(w->data + w->l4_off + 796, 'Z', 8);
        w->flags |= PKT_REWRITTEN;
        defrag_settle(d, VERDICT_FORWARD, DROP_NONE, &counters);
        assert_memory_equal(f[0].b + f[0].len - 4, "ZZZZ", 4); /* 400 to 799 */
        assert_memory_equal(f[1].b + f[1].len - 200, "ZZZZ", 4);
        assert_int_equal(leaving(d).forwarded, 3);
        end(d);
    }
}

/* A host cuts a datagram, and the tunnel cuts the packets it makes of that once more. */
static void test_fragments_in_a_tunnels_fragments(void **state)
{
    static struct frame f[4], inner;
    static uint8_t bytes[1200];
    struct defrag *d = table((struct defrag_config){.inline_mode = true, .decode = open_tunnels});
    enum defrag_answer a = DEFRAG_DROP;

    datagram_build(bytes, 1200, false, 1, 6);
    for (unsigned i = 0; i < 4; i++) {
        unsigned cut = i / 2, part = i % 2;
        struct frag k = {.id = 3, .off = cut * 600, .len = 600, .more = cut == 0, .bytes = bytes + cut * 600};

        bare(&inner, &k);
        struct frag o = {.id = 50 + cut,
                         .src = 9,
                         .proto = 4,
                         .more = part == 0,
                         .off = part * 304,
                         .len = part ? inner.len - 304 : 304,
                         .bytes = inner.b + part * 304};
        frag_build(&f[i], &o);
        a = give_frame(d, &f[i]);
        assert_int_equal(a, part ? DEFRAG_WHOLE : DEFRAG_HELD);
        if (part) {
            struct packet *w = defrag_whole(d), *in = packet_innermost(w);

            assert_true(in != w && (in->flags & PKT_FRAGMENT));
            a = defrag_take(d, w, in, &counters);
            assert_int_equal(a, cut ? DEFRAG_WHOLE : DEFRAG_HELD);
        }
    }
    check_whole(d, bytes, 1200, false);
    assert_int_equal(defrag_whole_frames(d), 4);
    defrag_settle(d, VERDICT_DROP, DROP_RULES, &counters);
    assert_int_equal(leaving(d).by_reason[DROP_RULES], 4);
    end(d);
}

static void test_tunnels_keep_their_fragments_apart(void **state)
{
    static struct frame f[2];
    struct defrag *d = table((struct defrag_config){.inline_mode = true, .decode = open_tunnels});

    for (unsigned i = 0; i < 2; i++) {
        struct frag k = {.id = 3, .off = i * 400, .len = 400, .more = i == 0, .bytes = text};
        struct wrap vxlan[] = {ETH(0x0800), IP4(17),           UDP(4789), BYTES(8, 0, 0, 0, 0, 0, 7, 0),
                               ETH(0x0800), {.kind = WRAP_END}};

        vxlan[3].bytes[6] = (uint8_t)(7 + i); /* another network */
        bare(&f[i], &k);
        wrap_all(&f[i], vxlan);
        assert_int_equal(give_frame(d, &f[i]), DEFRAG_HELD);
    }
    end(d);
}

/* --- times and budgets ------------------------------------------------------------------------------------------ */

static void test_timeouts(void **state)
{
    for (int v6 = 0; v6 < 2; v6++) {
        struct defrag *d = inline_table();
        static struct frame f[3];
        uint64_t limit = v6 ? 60 : 30;
        struct frag k = {.v6 = v6, .len = 64, .more = true, .bytes = text};

        assert_int_equal(give(d, &f[0], &k, S(100), NULL), DEFRAG_HELD);
        k.off = 64; /* a later fragment gives no more time */
        assert_int_equal(give(d, &f[1], &k, S(100 + limit - 1), NULL), DEFRAG_HELD);
        defrag_expire(d, S(100 + limit) - 1, 100, &counters);
        assert_int_equal(leaving(d).n, 0);
        defrag_expire(d, S(100 + limit + 1), 100, &counters);
        assert_int_equal(leaving(d).by_reason[DROP_DEFRAG_TIMEOUT], 2);
        assert_int_equal(counters.v[CTR_DEFRAG_TIMEOUTS], 1);
        assert_int_equal(counters.v[CTR_DEFRAG_HELD], 0);
        k = (struct frag){.v6 = v6, .off = 128, .len = 64, .bytes = text};
        assert_int_equal(give(d, &f[2], &k, S(140 + limit), NULL), DEFRAG_HELD); /* begins anew */
        end(d);
    }
}

static void test_a_hosts_oldest_goes(void **state)
{
    static struct frame f[40];
    struct defrag *d = table(
        (struct defrag_config){.inline_mode = true, .frames = 32, .host_frames = 8, .datagram_frames = 4});
    struct frag k = {.src = 9, .len = 64, .more = true, .bytes = text};
    struct left l;

    give(d, &f[39], &k, S(1), NULL); /* another host's */
    for (unsigned i = 0; i < 8; i++) {
        k = (struct frag){.id = i, .len = 64, .more = true, .bytes = text};
        assert_int_equal(give(d, &f[i], &k, S(1), NULL), DEFRAG_HELD);
        assert_int_equal(leaving(d).n, 0);
    }
    k.id = 8;
    assert_int_equal(give(d, &f[8], &k, S(1), NULL), DEFRAG_HELD);
    l = leaving(d);
    assert_int_equal(l.by_reason[DROP_DEFRAG_MEMCAP], 1);
    assert_ptr_equal(l.first, f[0].b);
    assert_int_equal(counters.v[CTR_DEFRAG_EVICTED], 1);
    k = (struct frag){.id = 0, .off = 64, .len = 64, .bytes = text}; /* the rest of what was given up */
    struct packet p;
    assert_int_equal(give(d, &f[9], &k, S(1), &p), DEFRAG_DROP);
    assert_int_equal(p.drop_reason, DROP_DEFRAG_MEMCAP);
    end(d);
}

static void test_spray_stays_within_budget(void **state)
{
    static struct frame f[4096];
    struct defrag *d = table(
        (struct defrag_config){.inline_mode = true, .frames = 64, .host_frames = 64, .datagram_frames = 8});
    unsigned in = 0, out = 0;

    for (unsigned i = 0; i < 4096; i++) {
        struct frag k = {.src = (uint8_t)(1 + i % 200),
                         .id = i,
                         .off = 8 * (i % 3),
                         .len = 64,
                         .more = true,
                         .bytes = text};

        in += give(d, &f[i], &k, S(1) + i, NULL) == DEFRAG_HELD;
        out += leaving(d).by_reason[DROP_DEFRAG_MEMCAP];
        assert_true(counters.v[CTR_DEFRAG_HELD] <= 64);
        assert_int_equal(counters.v[CTR_DEFRAG_HELD], in - out);
    }
    assert_int_equal(in, 4096);
    end(d);
}

static void test_too_many_fragments(void **state)
{
    static struct frame f[9];
    struct defrag *d = table(
        (struct defrag_config){.inline_mode = true, .frames = 64, .host_frames = 64, .datagram_frames = 8});
    struct packet p;

    for (unsigned i = 0; i < 9; i++) {
        struct frag k = {.off = 8 * i, .len = 8, .more = true, .bytes = text};
        assert_int_equal(give(d, &f[i], &k, S(1), &p), i < 8 ? DEFRAG_HELD : DEFRAG_DROP);
    }
    assert_int_equal(p.drop_reason, DROP_DEFRAG_INVALID);
    assert_int_equal(leaving(d).by_reason[DROP_DEFRAG_INVALID], 8);
    end(d);
}

static void test_a_rule_drops_a_held_fragment(void **state)
{
    static struct frame f[3];
    struct defrag *d = inline_table();
    struct packet p;

    for (unsigned i = 0; i < 2; i++) {
        struct frag k = {.off = 64 * i, .len = 64, .more = true, .bytes = text};
        assert_int_equal(give(d, &f[i], &k, S(1), &p), DEFRAG_HELD);
    }
    defrag_refuse(d, DROP_RULES, &counters);
    assert_int_equal(leaving(d).by_reason[DROP_RULES], 2);
    struct frag k = {.off = 128, .len = 64, .bytes = text};
    assert_int_equal(give(d, &f[2], &k, S(1), &p), DEFRAG_DROP);
    assert_int_equal(p.drop_reason, DROP_RULES);
    end(d);
}

/* --- whose bytes hold ------------------------------------------------------------------------------------------- */

/* The picture that Novak's paper on target-based reassembly draws, one letter a block of 8 bytes. */
static void test_policies(void **state)
{
    static const struct {
        char c;
        uint8_t at, n; /* blocks */
    } v[] = {{'A', 0, 3},  {'B', 4, 2},  {'C', 6, 3},  {'D', 10, 1}, {'E', 13, 2}, {'F', 15, 3},
             {'G', 18, 2}, {'H', 20, 2}, {'I', 22, 1}, {'J', 1, 4},  {'K', 6, 3},  {'L', 9, 3},
             {'M', 12, 3}, {'N', 16, 1}, {'O', 19, 1}, {'P', 20, 1}, {'Q', 22, 2}};
    static const struct {
        enum defrag_policy policy;
        const char *want;
    } rows[] = {
        {DEFRAG_POLICY_FIRST, "AAAJBBCCCLDLMEEFFFGGHHIQ"},
        {DEFRAG_POLICY_LAST, "AJJJJBKKKLLLMMMFNFGOPHQQ"},
        {DEFRAG_POLICY_BSD, "AAAJJBCCCLLLMMMFFFGGHHIQ"},
        {DEFRAG_POLICY_LINUX, "AAAJJBKKKLLLMMMFFFGGPHQQ"},
        {DEFRAG_POLICY_WINDOWS, "AAAJBBCCCLLLMEEFFFGGHHIQ"},
        {DEFRAG_POLICY_SOLARIS, "AAAJBBCCCLLLMMMFFFGGHHIQ"},
    };

    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        static struct frame f[17];
        struct defrag *d = table((struct defrag_config){.policy = rows[r].policy});
        enum defrag_answer a = DEFRAG_DROP;

        for (unsigned i = 0; i < 17; i++) {
            uint8_t bytes[64];
            struct frag k = {
                .proto = 253, .off = v[i].at * 8u, .len = v[i].n * 8u, .more = i < 16, .bytes = bytes};

            memset(bytes, v[i].c, sizeof(bytes));
            a = give(d, &f[i], &k, S(1), NULL);
        }
        assert_int_equal(a, DEFRAG_WHOLE);
        const struct packet *w = defrag_whole(d);
        assert_int_equal(w->len - w->l4_off, 24 * 8);
        for (unsigned i = 0; i < 24 * 8; i++)
            if (w->data[w->l4_off + i] != (uint8_t)rows[r].want[i / 8])
                fail_msg("policy %d, block %u: %c, not %c", rows[r].policy, i / 8, w->data[w->l4_off + i],
                         rows[r].want[i / 8]);
        end(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_together_in_any_order),
        cmocka_unit_test(test_largest_datagrams),
        cmocka_unit_test(test_ipv6_extension_in_front),
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_overlap_refuses_all_of_it),
        cmocka_unit_test(test_duplicate_is_dropped_alone),
        cmocka_unit_test(test_attacks_of_old),
        cmocka_unit_test(test_not_inline_tiny_is_put_together),
        cmocka_unit_test(test_what_makes_another_datagram),
        cmocka_unit_test(test_one_ttl_for_all),
        cmocka_unit_test(test_rewritten_bytes_reach_the_frames),
        cmocka_unit_test(test_fragments_of_fragments),
        cmocka_unit_test(test_fragments_in_tunnels),
        cmocka_unit_test(test_fragments_in_a_tunnels_fragments),
        cmocka_unit_test(test_tunnels_keep_their_fragments_apart),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_a_hosts_oldest_goes),
        cmocka_unit_test(test_spray_stays_within_budget),
        cmocka_unit_test(test_too_many_fragments),
        cmocka_unit_test(test_a_rule_drops_a_held_fragment),
        cmocka_unit_test(test_policies),
    };

    return cmocka_run_group_tests_name("defrag", tests, NULL, NULL);
}
