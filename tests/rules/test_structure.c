/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The structures that say which rules are worth a look: they may offer too much, never too little. Random rules and
 * packets, and for each packet the slow answer beside the fast one: every rule's header and options, one by one.
 */
#include "tests/rules/harness.h"

static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % n;
}

struct text {
    char v[1 << 20];
    size_t n;
};
static struct text text;

static void put(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    text.n += (size_t)vsnprintf(text.v + text.n, sizeof(text.v) - text.n, fmt, ap);
    va_end(ap);
    assert_true(text.n < sizeof(text.v));
}

/* A list may come out as no address at all: that rule is refused, and the others load. */
static struct loaded load_put(void)
{
    struct loaded l = load(text.v);

    text.n = 0;
    assert_non_null(l.rs);
    return l;
}

/* --- addresses -------------------------------------------------------------------------------------------------- */

/* From a small world, so that ranges overlap, touch and hold each other. */
static void put_address(void)
{
    unsigned a = random_below(4), b = random_below(256);

    switch (random_below(8)) {
    case 0:
        put("10.0.%u.0/%u", a, 22 + random_below(3));
        break;
    case 1:
        put("10.0.%u.%u-10.0.%u.%u", a, b, a, b + random_below(256 - b));
        break;
    case 2:
        put("2001:db8::%x", b);
        break;
    case 3:
        put("2001:db8::%x00/%u", a, 112 + random_below(12));
        break;
    case 4:
        put("255.255.255.%u", 250 + random_below(6));
        break;
    case 5:
        put("0.0.0.%u", random_below(3));
        break;
    default:
        put("10.0.%u.%u", a, b);
    }
}

static void put_list(unsigned max)
{
    unsigned n = 1 + random_below(max);

    put("[");
    for (unsigned i = 0; i < n; i++) {
        put("%s%s", i > 0 ? "," : "", i > 0 && random_below(8) == 0 ? "!" : "");
        put_address();
    }
    put("]");
}

static void random_address(uint8_t out[16])
{
    char name[64];
    size_t from = text.n;

    do {
        text.n = from;
        put_address();
    } while (strpbrk(text.v + from, "/-") != NULL);
    snprintf(name, sizeof(name), "%s", text.v + from);
    text.n = from;
    read_addr(name, out);
    if (random_below(4) == 0)
        out[15] ^= (uint8_t)(1u << random_below(3));
}

static void put_address_rules(unsigned n)
{
    static const char *const protos[] = {"ip", "ip", "ip", "tcp", "udp"};
    static const char *const options[] = {"", "", "", "flags:S;", "flow:to_server;", "dsize:>3;", "ttl:64;"};

    for (unsigned i = 0; i < n; i++) {
        const char *proto = protos[random_below(5)], *option = options[random_below(7)];
        bool ports = proto[0] != 'i' && random_below(3) == 0, src = random_below(4) != 0,
             both = random_below(6) == 0;

        if (proto[0] == 'u' && option[0] == 'f' && option[2] == 'a')
            option = "";
        put("alert %s ", proto);
        src ? put_list(30) : put("any");
        put(" any %s ", random_below(5) == 0 ? "<>" : "->");
        !src || both ? put_list(30) : put("%s", random_below(2) ? "any" : "!10.0.0.0/30");
        put(" %s (%s sid:%u;)\n", ports ? "80" : "any", option, i + 1);
    }
}

static struct facts random_facts(uint8_t src[16], uint8_t dst[16])
{
    static const uint8_t numbers[] = {6, 6, 17, 1, 47};
    static const uint32_t facts[] = {FACT_TCP, FACT_TCP, FACT_UDP, FACT_ICMP, 0};
    uint32_t kind = random_below(5);
    struct facts f = {.flags = facts[kind] | FACT_IPV4 | (random_below(2) ? FACT_HAS_FLOW : 0) |
                               (random_below(2) ? FACT_TO_CLIENT : 0) |
                               (random_below(2) ? FACT_ESTABLISHED : 0),
                      .ip_proto = numbers[kind],
                      .ip_ttl = 64,
                      .sport = 1234,
                      .dport = random_below(2) ? 80 : 81,
                      .tcp_flags = (uint8_t)random_below(256),
                      .icmp_type = (uint8_t)random_below(256),
                      .payload_len = (uint16_t)random_below(2)};

    random_address(src);
    random_address(dst);
    f.src = src;
    f.dst = dst;
    if (!(f.flags & FACT_HAS_FLOW))
        f.flags &= ~(uint32_t)(FACT_TO_CLIENT | FACT_ESTABLISHED);
    return f;
}

struct slow { /* what one packet met */
    unsigned matched, offered;
};

/* Each rule that matches must be offered, once and in order; of those that are not, only a pruned one may be missing. */
static struct slow compare(const struct ruleset *rs, struct eval *e, bool done)
{
    static struct counters c;
    const struct prefilter_hints hints = {.ip_only_done = done};
    struct candidates found;
    struct slow s = {0};
    uint32_t offered, next = 0;

    prefilter_run(rs, &rs->workers[0], e, &hints, &found, &c);
    do {
        offered = candidates_next(&found);
        s.offered += offered != CANDIDATE_NONE;
        for (; next < (offered == CANDIDATE_NONE ? rs->n_rules : offered); next++) {
            const struct rule *r = &rs->rules[next];

            e->steps_left = 3000;
            if ((r->flags & RULE_IP_ONLY) && done)
                continue;
            if (!(r->flags & RULE_DORMANT) && ruleset_header_match(rs, r, e->facts) && eval_rule(rs, r, e))
                fail_msg("sid %u matches and was not offered", rs->info[next].sid);
        }
        if (offered == CANDIDATE_NONE)
            break;
        assert_true(offered == next); /* each once, ascending */
        e->steps_left = 3000;
        assert_false((rs->rules[offered].flags & RULE_IP_ONLY) && done);
        s.matched +=
            ruleset_header_match(rs, &rs->rules[offered], e->facts) && eval_rule(rs, &rs->rules[offered], e);
        next = offered + 1;
    } while (true);
    return s;
}

static void address_lists_offer_what_matches(void **state)
{
    struct eval_scratch *scratch = eval_scratch_new(NULL);
    unsigned matched = 0, offered = 0, tried = 0;

    for (seed = 1; seed < 200000000; seed = seed * 7 + 1) {
        uint64_t again = seed;
        struct loaded l;

        put_address_rules(1 + random_below(60));
        l = load_put();
        for (int i = 0; i < 2000; i++) {
            uint8_t src[16], dst[16], payload[1] = {0};
            struct facts f = random_facts(src, dst);
            struct eval e = {.facts = &f, .scratch = scratch};
            struct slow s;

            eval_begin(&e, l.rs);
            e.buf[BUF_PAYLOAD] = span_of(payload, f.payload_len);
            s = compare(l.rs, &e, random_below(2) != 0);
            matched += s.matched;
            offered += s.offered;
            tried += l.rs->n_rules;
        }
        unload(&l);
        seed = again;
    }
    print_message("of %u rules %u were offered and %u matched\n", tried, offered, matched);
    assert_true(matched > 1000 && offered < tried / 3 * 2);
    eval_scratch_free(scratch);
}

/* What the structure itself says is exact, at the edges of every range too. */
static void a_lookup_is_exact(void **state)
{
    struct loaded l;

    seed = 5;
    for (unsigned i = 1; i <= 200; i++) {
        put("alert ip ");
        put_list(40);
        put(" any -> any any (sid:%u;)\n", i);
    }
    l = load_put();
    for (int i = 0; i < 20000; i++) {
        uint8_t a[16];
        const struct rule_list *got;
        uint32_t k = 0;

        random_address(a);
        got = iplist_lookup(&l.rs->ip_once, IPLIST_SRC, a);
        for (uint32_t r = 0; r < l.rs->n_rules; r++)
            if ((l.rs->rules[r].flags & RULE_IP_ONLY) && ruleset_addr_in(l.rs, l.rs->rules[r].src, a)) {
                assert_true(k < got->n && got->v[k] == r);
                k++;
            }
        assert_int_equal(k, got->n);
        assert_int_equal(iplist_lookup(&l.rs->ip_once, IPLIST_DST, a)->n, 0);
    }
    unload(&l);
}

/* Ranges that hold each other to any depth would make lists without end: the widest rules are tried one by one then. */
static void lists_have_a_bound(void **state)
{
    uint8_t src[16], dst[16];
    struct facts f = {.flags = FACT_IPV4, .src = src, .dst = dst};
    struct eval e = {.facts = &f, .scratch = eval_scratch_new(NULL)};
    struct loaded l;

    for (unsigned i = 0; i < 6000; i++)
        put("alert ip 10.%u.%u.0-11.%u.%u.255 any -> any any (sid:%u;)\n", i / 256, i % 256, 255 - i / 256,
            255 - i % 256, i + 1);
    l = load_put();
    assert_true(ruleset_stats(l.rs)->memory_bytes < 64u << 20);
    read_addr("10.200.0.0", src);
    read_addr("10.0.0.1", dst);
    eval_begin(&e, l.rs);
    assert_int_equal(compare(l.rs, &e, false).matched, 6000);
    read_addr("10.0.1.0", src);
    assert_int_equal(compare(l.rs, &e, false).matched, 2);
    read_addr("9.0.0.0", src);
    assert_int_equal(compare(l.rs, &e, false).matched, 0);
    unload(&l);
    eval_scratch_free(e.scratch);
}

/* --- rules without a fast pattern ------------------------------------------------------------------------------ */

static void flags_and_types_choose_the_list(void **state)
{
    static const struct {
        uint32_t fact;
        uint8_t tcp_flags, icmp_type;
        uint16_t payload_len;
        bool to_client;
        uint32_t n;
    } t[] = {
        {FACT_TCP, 0x02, 0, 0, false, 3}, /* 1 2 4 */
        {FACT_TCP, 0x02, 0, 0, true, 2},  /* 1 4 */
        {FACT_TCP, 0x12, 0, 0, false, 1}, /* 4 */
        {FACT_TCP, 0x12, 0, 9, false, 2}, /* 3 4 */
        {FACT_ICMP, 0, 8, 0, false, 3},   /* 4 5 7 */
        {FACT_ICMP, 0, 0, 0, false, 2},   /* 4 7 */
        {FACT_ICMP, 0, 5, 0, false, 3},   /* 4 6 7 */
        {FACT_UDP, 0, 0, 0, false, 1},    /* 4 */
        {0, 0, 0, 0, false, 1},
    };
    struct loaded l = load_ok("alert tcp any any -> any any (flags:S; sid:1;)\n"
                              "alert tcp any any -> any any (flags:S; flow:to_server; sid:2;)\n"
                              "alert tcp any any -> any any (content:!\"x\"; sid:3;)\n"
                              "alert ip any any -> any any (ttl:<5; sid:4;)\n"
                              "alert icmp any any -> any any (itype:8; sid:5;)\n"
                              "alert icmp any any -> any any (itype:3<>7; sid:6;)\n"
                              "alert icmp any any -> any any (icode:3; sid:7;)\n");

    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct facts f = {.flags = t[i].fact | (t[i].to_client ? FACT_TO_CLIENT : 0),
                          .tcp_flags = t[i].tcp_flags,
                          .icmp_type = t[i].icmp_type,
                          .payload_len = t[i].payload_len};

        assert_int_equal(
            l.rs->always->lists[l.rs->always->list[ruleset_proto_of(&f)][ruleset_always_key(&f, false)]].n,
            t[i].n);
    }
    unload(&l);
}

static void always_lists_offer_what_matches(void **state)
{
    static const char *const tcp[] = {"flags:S;",        "flags:S,12;",     "flags:+A;",        "flags:!R;",
                                      "flags:0;",        "flags:*FS;",      "dsize:0;",         "ttl:64;",
                                      "content:!\"q\";", "flow:to_client;", "flow:established;"};
    static const char *const icmp[] = {"itype:8;", "itype:<20;", "itype:3<>9;", "icode:0;",
                                       "itype:>200; icode:0;"};
    struct eval_scratch *scratch = eval_scratch_new(NULL);
    unsigned matched = 0;

    for (seed = 3; seed < 100000000; seed = seed * 5 + 3) {
        uint64_t again = seed;
        unsigned n = 1 + random_below(40);
        struct loaded l;

        for (unsigned i = 0; i < n; i++)
            if (random_below(3) == 0)
                put("alert icmp any any -> any any (%s sid:%u;)\n", icmp[random_below(5)], i + 1);
            else
                put("alert tcp any any -> any any (%s%s sid:%u;)\n", tcp[random_below(11)],
                    random_below(2) ? "dsize:<2;" : "", i + 1);
        if (strstr(text.v, "dsize:0;dsize") != NULL) /* twice in a rule is an error */
            for (char *p; (p = strstr(text.v, "dsize:0;dsize:<2;")) != NULL;)
                memset(p, ' ', 8);
        l = load_put();
        for (int i = 0; i < 2000; i++) {
            uint8_t src[16], dst[16], payload[1] = {(uint8_t)('p' + random_below(2))};
            struct facts f = random_facts(src, dst);
            struct eval e = {.facts = &f, .scratch = scratch};

            eval_begin(&e, l.rs);
            e.buf[BUF_PAYLOAD] = span_of(payload, f.payload_len);
            matched += compare(l.rs, &e, false).matched;
        }
        unload(&l);
        seed = again;
    }
    assert_true(matched > 1000);
    eval_scratch_free(scratch);
}

/* --- fast patterns --------------------------------------------------------------------------------------------- */

static void groups(void **state)
{
    struct loaded l =
        load_ok("alert tcp any any -> any any (flow:to_server; content:\"request\"; sid:1;)\n"
                "alert tcp any any -> any any (flow:to_client; content:\"response\"; sid:2;)\n"
                "alert udp any any -> any any (content:\"datagram\"; sid:3;)\n"
                "alert tcp any any -> any any (flow:established; content:\"common\"; sid:4;)\n");
    static const char all[] = "request response datagram common";
    static const struct {
        uint32_t flags;
        bool candidate[4];
    } t[] = {
        {FACT_TCP | FACT_HAS_FLOW | FACT_ESTABLISHED, {true, false, false, true}},
        {FACT_TCP | FACT_HAS_FLOW | FACT_ESTABLISHED | FACT_TO_CLIENT, {false, true, false, true}},
        {FACT_TCP | FACT_HAS_FLOW, {true, false, false, false}}, /* not established: sid 4's gate is shut */
        {FACT_TCP, {false, false, false, false}},                /* nor is there a flow */
        {FACT_UDP | FACT_HAS_FLOW, {false, false, true, false}},
        {FACT_ICMP, {false, false, false, false}},
    };

    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct facts f = {.flags = t[i].flags};

        for (uint32_t sid = 1; sid <= 4; sid++)
            assert_int_equal(is_candidate(l.rs, find_rule(l.rs, sid), &f, span_str(all)),
                             t[i].candidate[sid - 1]);
    }
    /* tcp has two groups of two patterns, udp one for both directions */
    assert_int_equal(l.rs->n_prefilters, 3);
    assert_int_equal(ruleset_stats(l.rs)->n_patterns, 5);
    assert_ptr_equal(l.rs->scans[PROTO_UDP][0].v[0].pf, l.rs->scans[PROTO_UDP][1].v[0].pf);
    assert_int_equal(l.rs->scans[PROTO_ICMP][0].n, 0);
    unload(&l);
}

static void assert_pattern(const char *options, const char *want, unsigned flags)
{
    char rule[1024];
    struct loaded l;
    const struct prefilter *pf;

    snprintf(rule, sizeof(rule), "alert tcp any any -> any any (%s sid:1;)\n", options);
    l = load_ok(rule);
    pf = payload_patterns(l.rs, PROTO_TCP);
    if (want == NULL) {
        assert_null(pf);
        assert_int_equal(n_always(l.rs, FACT_TCP), 1);
    } else {
        struct facts f = {.flags = FACT_TCP};

        assert_non_null(pf);
        assert_int_equal(pf->n_patterns, 1);
        assert_int_equal(n_always(l.rs, FACT_TCP), 0);
        assert_int_equal(pf->exprs != NULL, flags);
        assert_true(is_candidate(l.rs, 0, &f, span_str(want)));
        assert_false(is_candidate(l.rs, 0, &f, span_of(want, strlen(want) - 1)));
        assert_false(is_candidate(l.rs, 0, &f, span_str(want + 1)));
    }
    unload(&l);
}

static void patterns_from_pcre(void **state)
{
    assert_pattern("pcre:\"/longliteral[0-9]/\";", "longliteral", 0);
    assert_pattern("content:\"ab\"; pcre:\"/longliteral[0-9]/\";", "longliteral", 0);
    assert_pattern("content:\"abcd\"; pcre:\"/longliteral[0-9]/\";", "abcd", 0);
    assert_pattern("content:\"ab\"; pcre:!\"/longliteral[0-9]/\";", "ab", 0);
    assert_pattern("content:\"ab\"; pcre:\"/[a-z]x[0-9]/\";", "ab", 0);
    assert_pattern("content:\"ab\"; pcre:\"/longliteral/R\";", "longliteral", 0);
    assert_pattern("pcre:\"/[a-z][0-9]/\";", "a1", 1);
    assert_pattern("content:\"a\"; pcre:\"/[b-z][0-9]/\";", "b1", 1);
    assert_pattern("pcre:\"/([a-z])[0-9]\\1/\";", "a1a", 1); /* only as a prefilter */
    assert_pattern("pcre:!\"/[a-z][0-9]/\";", NULL, 0);
    assert_pattern("pcre:\"/[a-z]*/\";", NULL, 0);       /* matches nothing, too */
    assert_pattern("pcre:\"/^[a-z][0-9]/R\";", NULL, 0); /* relative: not the whole buffer is its subject */
    assert_pattern("pcre:\"/[a-z]{1,9999}[0-9]/\";", NULL, 0); /* takes long to compile */
}

/* A rule whose only pattern is an expression: Hyperscan finds, PCRE2 decides. */
static void expressions_are_confirmed(void **state)
{
    struct loaded l = load_ok("alert tcp any any -> any any (pcre:\"/([a-z])[0-9]\\1/\"; sid:1;)\n");
    struct pkt p = {.proto = 6, .payload = "--b7b--"};
    struct facts f = {.flags = FACT_TCP};

    assert_true(rule_matches(l.rs, 1, &p));
    p.payload = "--b7c--";
    assert_false(rule_matches(l.rs, 1, &p));
    assert_true(is_candidate(l.rs, 0, &f, span_str("--b7c--")));
    assert_false(is_candidate(l.rs, 0, &f, span_str("--777--")));
    unload(&l);
}

/* A rule that looks into another buffer than the payload, without a literal, is tried where that buffer is. */
static void rules_by_buffer(void **state)
{
    struct loaded l = load_ok("alert ip any any -> any any (tcp.hdr; content:!\"zzz\"; sid:1;)\n");
    struct facts f = {.flags = FACT_TCP | FACT_IPV4, .l4_hdr = span_str("header")};
    struct eval_scratch *scratch = eval_scratch_new(NULL);
    static const uint8_t nobody[16];
    struct eval e = {.facts = &f, .scratch = scratch};

    f.src = f.dst = nobody;
    assert_int_equal(n_always(l.rs, FACT_TCP), 0);
    set_buffers(&e, l.rs, span_of(NULL, 0));
    assert_true(is_candidate_in(l.rs, 0, &e));
    f.l4_hdr = span_of(NULL, 0);
    set_buffers(&e, l.rs, span_of(NULL, 0));
    assert_false(is_candidate_in(l.rs, 0, &e));
    unload(&l);
    eval_scratch_free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_lists_offer_what_matches),
        cmocka_unit_test(a_lookup_is_exact),
        cmocka_unit_test(lists_have_a_bound),
        cmocka_unit_test(flags_and_types_choose_the_list),
        cmocka_unit_test(always_lists_offer_what_matches),
        cmocka_unit_test(groups),
        cmocka_unit_test(patterns_from_pcre),
        cmocka_unit_test(expressions_are_confirmed),
        cmocka_unit_test(rules_by_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
