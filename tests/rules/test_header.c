/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rule headers: addresses, ports, variables, direction, protocol; and the header keywords.
 */
#include "harness.h"

#include "rules/keywords.h"
#include "rules/sets.h"

static bool addr_in(const char *expr, const char *addr)
{
    char rule[512];
    struct pkt p = {.proto = 6, .src = addr, .dst = addr};
    struct loaded l;
    bool yes;

    snprintf(rule, sizeof(rule), "alert ip %s any -> any any (sid:1;)", expr);
    l = load_ok(rule);
    yes = rule_matches(l.rs, 1, &p);
    unload(&l);
    return yes;
}

static bool port_in(const char *expr, uint16_t port)
{
    char rule[512];
    struct pkt p = {.proto = 17, .sport = 1, .dport = port};
    struct loaded l;
    bool yes;

    snprintf(rule, sizeof(rule), "alert udp any any -> any %s (sid:1;)", expr);
    l = load_ok(rule);
    yes = rule_matches(l.rs, 1, &p);
    unload(&l);
    return yes;
}

static void addresses(void **state)
{
    static const struct {
        const char *expr, *in, *out;
    } rows[] = {
        {"10.1.2.3", "10.1.2.3", "10.1.2.4"},
        {"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
        {"10.1.2.3/8", "10.0.0.0", "9.255.255.255"}, /* host bits are ignored */
        {"10.0.0.0/255.255.0.0", "10.0.255.255", "10.1.0.0"},
        {"10.0.0.5-10.0.0.9", "10.0.0.9", "10.0.0.10"},
        {"10.0.0.5 - 10.0.0.9", "10.0.0.5", "10.0.0.4"},
        {"!10.0.0.0/8", "11.0.0.1", "10.0.0.1"},
        {"!10.0.0.0/8", "2001:db8::1", "10.0.0.1"},
        {"0.0.0.0/0", "255.255.255.255", "::1"},
        {"::/0", "2001:db8::1", "10.0.0.1"},
        {"[10.0.0.0/8,!10.1.0.0/16]", "10.2.0.1", "10.1.0.1"},
        {"[10.0.0.0/8, !10.1.0.0/16, 10.1.2.3]", "10.2.0.1", "10.1.2.3"},
        {"[!10.1.0.0/16,!10.2.0.0/16]", "10.3.0.1", "10.2.0.1"},
        {"![10.1.0.0/16,10.2.0.0/16]", "10.3.0.1", "10.2.0.1"},
        {"[10.0.0.0/8,![10.1.0.0/16,!10.1.1.0/24]]", "10.1.1.1", "10.1.2.1"},
        {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
        {"2001:db8::1-2001:db8::ff", "2001:db8::ff", "2001:db8::100"},
        {"[10.0.0.1,2001:db8::1-2001:db8::ff]", "2001:db8::42", "10.0.0.2"},
        {"$HOME_NET", "172.31.255.255", "172.32.0.0"},
        {"$EXTERNAL_NET", "8.8.8.8", "192.168.1.1"},
        {"!$HOME_NET", "8.8.8.8", "192.168.1.1"},
        {"[$HOME_NET,!192.168.1.0/24]", "192.168.2.1", "192.168.1.1"},
        {"[8.8.8.8,$HOME_NET]", "8.8.8.8", "8.8.4.4"},
        {"::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"}, /* the mapped block is IPv4 */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expr[256];

        snprintf(expr, sizeof(expr), strchr(rows[i].expr, ' ') && rows[i].expr[0] != '[' ? "[%s]" : "%s",
                 rows[i].expr);
        if (!addr_in(expr, rows[i].in))
            fail_msg("%s does not hold %s", rows[i].expr, rows[i].in);
        if (addr_in(expr, rows[i].out))
            fail_msg("%s holds %s", rows[i].expr, rows[i].out);
    }
    assert_true(addr_in("any", "10.0.0.1") && addr_in("any", "::1"));
}

static void ports(void **state)
{
    assert_true(port_in("80", 80) && !port_in("80", 81));
    assert_true(port_in("[80,443]", 443) && !port_in("[80,443]", 442));
    assert_true(port_in("1024:", 65535) && !port_in("1024:", 1023));
    assert_true(port_in(":1023", 0) && !port_in(":1023", 1024));
    assert_true(port_in("[1:10,!5]", 6) && !port_in("[1:10,!5]", 5));
    assert_true(port_in("!80", 81) && !port_in("!80", 80));
    assert_true(port_in("!1:1024", 1025) && !port_in("!1:1024", 1024));
    assert_true(port_in("$HTTP_PORTS", 80) && !port_in("$HTTP_PORTS", 8080));
    assert_true(port_in("$FILE_DATA_PORTS", 143) && !port_in("$FILE_DATA_PORTS", 25));
    assert_true(port_in("$SHELLCODE_PORTS", 81) && !port_in("$SHELLCODE_PORTS", 80));
    assert_true(port_in("[ 80 , 443 ]", 443));
}

static void ports_and_protocols(void **state)
{
    struct loaded l =
        load_ok("alert ip any any -> any 80 (sid:1;)\nalert ip any any -> any any (sid:2;)\n"
                "alert tcp any any -> any any (sid:3;)\nalert icmp any any -> any any (sid:4;)\n"
                "alert udp any any -> any 0:65535 (sid:5;)\n");
    struct pkt tcp = {.proto = 6, .dport = 80}, gre = {.proto = 47, .dport = 80},
               icmp6 = {.proto = 58, .src = "::1", .dst = "::2"},
               fragment = {.proto = 17, .flags = FACT_FRAGMENT, .dport = 80};

    assert_true(rule_matches(l.rs, 1, &tcp));
    assert_false(rule_matches(l.rs, 1, &gre)); /* a rule with ports is about protocols that have them */
    assert_false(rule_matches(l.rs, 1, &fragment));
    assert_true(rule_matches(l.rs, 2, &gre) && rule_matches(l.rs, 2, &icmp6) &&
                rule_matches(l.rs, 2, &fragment));
    assert_true(rule_matches(l.rs, 3, &tcp) && !rule_matches(l.rs, 3, &fragment));
    assert_true(rule_matches(l.rs, 4, &icmp6) && !rule_matches(l.rs, 4, &tcp));
    assert_true(ruleset_rule(l.rs, find_rule(l.rs, 5))->flags & RULE_ANY_DPORT);
    unload(&l);
    assert_refused("alert icmp any any -> any 80 (sid:1;)", 0, "an icmp rule cannot name ports");
}

static void direction(void **state)
{
    struct loaded l = load_ok(
        "alert tcp 10.0.0.1 1000 -> 8.8.8.8 80 (sid:1;)\nalert tcp 10.0.0.1 1000 <> 8.8.8.8 80 (sid:2;)\n");
    struct pkt there = {.proto = 6, .src = "10.0.0.1", .sport = 1000, .dst = "8.8.8.8", .dport = 80},
               back = {.proto = 6, .src = "8.8.8.8", .sport = 80, .dst = "10.0.0.1", .dport = 1000},
               crossed = {.proto = 6, .src = "8.8.8.8", .sport = 1000, .dst = "10.0.0.1", .dport = 80};

    assert_true(rule_matches(l.rs, 1, &there) && !rule_matches(l.rs, 1, &back));
    assert_true(rule_matches(l.rs, 2, &there) && rule_matches(l.rs, 2, &back));
    assert_false(rule_matches(l.rs, 2, &crossed)); /* address and port turn round together */
    unload(&l);
    assert_refused("alert tcp any any <- any any (sid:1;)", 19, "'<-' is no direction");
    assert_refused("alert tcp any any => any any (sid:1;)", 19, "'=>' needs an application protocol");
}

static void variables(void **state)
{
    static const char rule[] = "alert tcp $SERVERS any -> any $WEB (sid:1;)";
    const struct ruleset_var vars[] = {{"SERVERS", "[$INNER,!10.0.0.9]"},
                                       {"INNER", "10.0.0.0/24"},
                                       {"WEB", "[$HTTP_PORTS,8080]"},
                                       {"HTTP_PORTS", "80"},
                                       {"HTTP_PORTS", "81"}};
    struct loaded l = load_source(rule, sizeof(rule) - 1, (struct ruleset_source){.vars = vars, .n_vars = 5});
    struct pkt p = {.proto = 6, .src = "10.0.0.8", .dport = 81};

    assert_int_equal(l.errs.n, 0);
    assert_true(rule_matches(l.rs, 1, &p)); /* the last definition of a name wins */
    p.dport = 80;
    assert_false(rule_matches(l.rs, 1, &p));
    p.dport = 8080;
    assert_true(rule_matches(l.rs, 1, &p));
    p.src = "10.0.0.9";
    assert_false(rule_matches(l.rs, 1, &p));
    unload(&l);
}

static void bad_variables(void **state)
{
    static const char rules[] =
        "alert tcp $LOOP any -> any any (sid:1;)\nalert tcp $BAD any -> any any (sid:2;)\n"
        "alert tcp [1.2.3.4,$BAD] any -> any any (sid:3;)\nalert tcp $EMPTY any -> any any (sid:4;)\n";
    const struct ruleset_var vars[] = {
        {"LOOP", "[$LOOP,1.2.3.4]"}, {"BAD", "[10.0.0.0/8,10.0.0.300]"}, {"EMPTY", " "}};
    struct loaded l =
        load_source(rules, sizeof(rules) - 1, (struct ruleset_source){.vars = vars, .n_vars = 3});
    static const char *const want[] = {"in the variable $LOOP: brackets and variables are more than 32 deep",
                                       "in the variable $BAD: '10.0.0.300' is not an address",
                                       "in the variable $BAD: '10.0.0.300' is not an address",
                                       "the variable '$EMPTY' is empty"};
    static const int columns[] = {11, 11, 20, 11};

    assert_int_equal(l.errs.n, 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(l.errs.v[i].text, want[i]);
        assert_int_equal(l.errs.v[i].line, i + 1);
        assert_int_equal(l.errs.v[i].column, columns[i]);
    }
    unload(&l);
    assert_refused("alert tcp any any -> any $NO_SUCH (sid:1;)", 26, "unknown variable '$NO_SUCH'");
}

static void bad_headers(void **state)
{
    assert_refused("alert tcp 10.0.0.256 any -> any any (sid:1;)", 11, "'10.0.0.256' is not an address");
    assert_refused("alert tcp 10.0.0.0/33 any -> any any (sid:1;)", 11, "no valid prefix length");
    assert_refused("alert tcp 10.0.0.0/255.0.255.0 any -> any any (sid:1;)", 11, "no valid prefix length");
    assert_refused("alert tcp 2001:db8::/129 any -> any any (sid:1;)", 11, "no valid prefix length");
    assert_refused("alert tcp 10.0.0.9-10.0.0.1 any -> any any (sid:1;)", 11, "backwards");
    assert_refused("alert tcp 10.0.0.9-::1 any -> any any (sid:1;)", 11, "not an address range");
    assert_refused("alert tcp [10.0.0.1,] any -> any any (sid:1;)", 21, "empty entry");
    assert_refused("alert tcp [] any -> any any (sid:1;)", 0, "empty entry");
    assert_refused("alert tcp [10.0.0.1 any -> any any (sid:1;)", 0, "");
    assert_refused("alert tcp 10.0.0.1] any -> any any (sid:1;)", 11, "is not an address");
    assert_refused("alert tcp any 65536 -> any any (sid:1;)", 15, "'65536' is not a port");
    assert_refused("alert tcp any 10:1 -> any any (sid:1;)", 15, "backwards");
    assert_refused("alert tcp any : -> any any (sid:1;)", 15, "not a port range");
    assert_refused("alert tcp any any -> any (sid:1;)", 0, "6 words instead of 7");
    assert_refused("alert tcp any any -> any any extra (sid:1;)", 30, "'extra' does not belong");
    assert_refused("alrt tcp any any -> any any (sid:1;)", 1, "unknown action 'alrt'");
    assert_refused("this is not a rule", 1, "unknown action 'this'");
    assert_refused("block tcp any any -> any any (sid:1;)", 1, "the action 'block' is Snort 3's");
    assert_refused("alert tcp any any <- any any (sid:1;)", 19, "'<-' is no direction");
    assert_refused("alert xyz any any -> any any (sid:1;)", 7, "unknown protocol 'xyz'");
    assert_refused("alert tcp any any -> any any", 1, "no options");
    assert_refused("alert tcp any any -> any any (sid:1;", 36, "does not end in ')'");
}

static void tcp_flags(void **state)
{
    static const struct {
        const char *option;
        uint8_t flags;
        bool want;
    } rows[] = {
        {"flags:S;", 0x02, true},    {"flags:S;", 0x12, false},       {"flags:SA;", 0x12, true},
        {"flags:S,CE;", 0xc2, true}, {"flags:S,12;", 0xc2, true},     {"flags:S;", 0xc2, false},
        {"flags:+S;", 0x12, true},   {"flags:S+;", 0x12, true},       {"flags:+SA;", 0x02, false},
        {"flags:*SF;", 0x01, true},  {"flags:*SF;", 0x10, false},     {"flags:!S;", 0x10, true},
        {"flags:!S;", 0x12, false},  {"flags:!SA;", 0x02, true},      {"flags:0;", 0x00, true},
        {"flags:0;", 0x10, false},   {"flags:!0;", 0x10, true},       {"flags:!0;", 0x00, false},
        {"flags:fpu;", 0x29, true},  {"flags:FSRPAUCE;", 0xff, true}, {"flags:0,CE;", 0xc0, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char rule[128];
        struct loaded l;
        struct pkt p = {.proto = 6, .tcp_flags = rows[i].flags};

        snprintf(rule, sizeof(rule), "alert tcp any any -> any any (%s sid:1;)", rows[i].option);
        l = load_ok(rule);
        if (rule_matches(l.rs, 1, &p) != rows[i].want)
            fail_msg("%s against %02x", rows[i].option, rows[i].flags);
        unload(&l);
    }
    assert_options_refused("flags:X;", "no such flag");
    assert_options_refused("flags:+*S;", "two modifiers");
    assert_options_refused("flags:S0;", "0 together with flags");
    assert_options_refused("flags:S,S;", "wants and ignores the same flag");
    assert_options_refused("flags:+;", "no flag");
    assert_refused("alert udp any any -> any any (flags:S; sid:1;)", 31,
                   "flags can never hold for a packet of the rule's protocol udp");
}

static void header_numbers(void **state)
{
    struct loaded l = load_ok(
        "alert icmp any any -> any any (itype:8; icode:0; sid:1;)\nalert icmp any any -> any any (itype:>10; "
        "sid:2;)\n"
        "alert icmp any any -> any any (icode:1<>5; sid:3;)\nalert ip any any -> any any (ttl:<5; sid:4;)\n"
        "alert ip any any -> any any (id:0; sid:5;)\nalert ip any any -> any any (sameip; sid:6;)\n"
        "alert ip any any -> any any (ttl:10-12; sid:7;)\nalert ip any any -> any any (itype:8; sid:8;)\n"
        "alert ip any any -> any any (dsize:0; sid:9;)\n");
    struct pkt echo = {.proto = 1, .type = 8, .ttl = 64, .id = 7},
               other = {.proto = 1, .type = 11, .code = 2, .ttl = 4},
               tcp = {.proto = 6, .ttl = 11, .src = "1.1.1.1", .dst = "1.1.1.1"},
               v6 = {.proto = 17, .src = "::1", .dst = "::2", .ttl = 1, .payload = "x"};

    assert_true(rule_matches(l.rs, 1, &echo) && !rule_matches(l.rs, 1, &other) &&
                !rule_matches(l.rs, 1, &tcp));
    assert_true(rule_matches(l.rs, 2, &other) && !rule_matches(l.rs, 2, &echo));
    assert_true(rule_matches(l.rs, 3, &other) && !rule_matches(l.rs, 3, &echo));
    assert_true(rule_matches(l.rs, 4, &other) && rule_matches(l.rs, 4, &v6) && !rule_matches(l.rs, 4, &tcp));
    assert_true(rule_matches(l.rs, 5, &other) && !rule_matches(l.rs, 5, &echo) &&
                !rule_matches(l.rs, 5, &v6)); /* IPv6 has no id */
    assert_true(rule_matches(l.rs, 6, &tcp) && !rule_matches(l.rs, 6, &echo));
    assert_true(rule_matches(l.rs, 7, &tcp) && !rule_matches(l.rs, 7, &other));
    assert_true(rule_matches(l.rs, 8, &echo) && !rule_matches(l.rs, 8, &tcp));
    assert_true(rule_matches(l.rs, 9, &echo) && !rule_matches(l.rs, 9, &v6));
    unload(&l);
    assert_options_refused("itype:8;", "itype can never hold for a packet of the rule's protocol tcp");
    assert_options_refused("ttl:256;", "no condition on a number from 0 to 255");
    assert_options_refused("ttl:>255;", "no number is '>255'");
    assert_options_refused("dsize:0; content:!\"x\";", "wants an empty payload");
}

static void ip_protocols(void **state)
{
    struct loaded l = load_ok("alert ip any any -> any any (ip_proto:gre; sid:1;)\nalert ip any any -> any "
                              "any (ip_proto:!47; sid:2;)\n"
                              "alert ip any any -> any any (ip_proto:>100; sid:3;)\nalert ip any any -> any "
                              "any (ip_proto:!tcp; ip_proto:!udp; sid:4;)\n"
                              "alert tcp any any -> any any (ip_proto:6; sid:5;)\n");
    struct pkt gre = {.proto = 47}, tcp = {.proto = 6}, sctp = {.proto = 132};

    assert_true(rule_matches(l.rs, 1, &gre) && !rule_matches(l.rs, 1, &tcp));
    assert_true(rule_matches(l.rs, 2, &tcp) && !rule_matches(l.rs, 2, &gre));
    assert_true(rule_matches(l.rs, 3, &sctp) && !rule_matches(l.rs, 3, &gre));
    assert_true(rule_matches(l.rs, 4, &sctp) && !rule_matches(l.rs, 4, &tcp));
    assert_true(rule_matches(l.rs, 5, &tcp));
    unload(&l);
    assert_options_refused("ip_proto:17;", "can never hold");
    assert_options_refused("ip_proto:>tcp;", "need a number");
    assert_options_refused("ip_proto:nosuch;", "no condition on a number");
}

static void keyword_table_is_sorted(void **state)
{
    for (uint32_t i = 0; i < KW_N; i++) {
        uint32_t index = KW_N;

        if (i > 0)
            assert_true(strcmp(keyword_table[i - 1]->name, keyword_table[i]->name) < 0);
        assert_ptr_equal(keyword_lookup(span_str(keyword_table[i]->name), &index), keyword_table[i]);
        assert_int_equal(index, i);
        assert_non_null(keyword_table[i]->usage);
    }
}

/* The same field text is one set, whatever the number of rules. */
static void sets_are_shared(void **state)
{
    struct loaded l = load_ok("alert tcp $HOME_NET any -> any $HTTP_PORTS (sid:1;)\nalert tcp any any -> "
                              "$HOME_NET $HTTP_PORTS (sid:2;)\n");

    assert_int_equal(l.rs->n_addr_sets, 2);
    assert_int_equal(l.rs->n_port_sets, 2);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(ports),
        cmocka_unit_test(ports_and_protocols),
        cmocka_unit_test(direction),
        cmocka_unit_test(variables),
        cmocka_unit_test(bad_variables),
        cmocka_unit_test(bad_headers),
        cmocka_unit_test(tcp_flags),
        cmocka_unit_test(header_numbers),
        cmocka_unit_test(ip_protocols),
        cmocka_unit_test(keyword_table_is_sorted),
        cmocka_unit_test(sets_are_shared),
    };

    return cmocka_run_group_tests_name("rules: header", tests, NULL, NULL);
}
