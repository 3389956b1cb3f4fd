/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rule headers in the dialects: actions and how far they reach, protocols of packets and applications, headers
 * without addresses, directions.
 */
#include "language.h"

#include "rules/service.h"

static uint32_t flags_of(const char *rule, enum rule_dialect dialect, enum rule_action *action)
{
    struct loaded l = load_as_ok(rule, dialect, 1);
    uint32_t flags = ruleset_rule(l.rs, 0)->flags;

    if (action != NULL)
        *action = (enum rule_action)ruleset_rule(l.rs, 0)->action;
    unload(&l);
    return flags;
}

/* 40: Suricata's scope follows from what the rule looks into, Snort's from the action. */
static void trap40_scope(void **state)
{
    static const struct {
        const char *action;
        enum rule_dialect dialect;
        enum rule_action is;
        bool flow_with_content, flow_with_dsize;
    } rows[] = {
        {"drop", DIALECT_SURICATA, ACTION_DROP, true, false},
        {"reject", DIALECT_SURICATA, ACTION_REJECT, true, false},
        {"rejectsrc", DIALECT_SURICATA, ACTION_REJECT, true, false},
        {"rejectdst", DIALECT_SURICATA, ACTION_REJECT, true, false},
        {"rejectboth", DIALECT_SURICATA, ACTION_REJECT, true, false},
        {"pass", DIALECT_SURICATA, ACTION_PASS, true, false},
        {"drop", DIALECT_SNORT3, ACTION_DROP, false, false},
        {"block", DIALECT_SNORT3, ACTION_DROP, true, true},
        {"reject", DIALECT_SNORT3, ACTION_REJECT, true, true},
        {"react", DIALECT_SNORT3, ACTION_REJECT, true, true},
        {"pass", DIALECT_SNORT3, ACTION_PASS, false, false},
        {"rewrite", DIALECT_SNORT3, ACTION_ALERT, false, false},
        {"log", DIALECT_SNORT3, ACTION_ALERT, false, false},
        {"drop", DIALECT_SNORT2, ACTION_DROP, true, true},
        {"block", DIALECT_SNORT2, ACTION_DROP, true, true},
        {"sdrop", DIALECT_SNORT2, ACTION_DROP, true, true},
        {"pass", DIALECT_SNORT2, ACTION_PASS, false, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum rule_action action;
        char rule[128];
        uint32_t flags;

        snprintf(rule, sizeof(rule), "%s tcp any any -> any any (content:\"x\"; sid:1;)", rows[i].action);
        flags = flags_of(rule, rows[i].dialect, &action);
        if (action != rows[i].is ||
            ((flags & (RULE_DROPS_FLOW | RULE_DROPS_STREAM)) != 0) != rows[i].flow_with_content)
            fail_msg("%s in dialect %d: action %d, flags %x", rows[i].action, rows[i].dialect, action, flags);
        snprintf(rule, sizeof(rule), "%s tcp any any -> any any (dsize:3; sid:1;)", rows[i].action);
        flags = flags_of(rule, rows[i].dialect, &action);
        if (((flags & (RULE_DROPS_FLOW | RULE_DROPS_STREAM)) != 0) != rows[i].flow_with_dsize)
            fail_msg("%s with dsize in dialect %d: flags %x", rows[i].action, rows[i].dialect, flags);
    }
    assert_true(flags_of("sdrop tcp any any -> any any (sid:1;)", DIALECT_SNORT2, NULL) & RULE_NOALERT);
    /* decided once per flow: in Suricata only */
    assert_true(flags_of("alert ip 10.0.0.1 any -> any any (sid:1;)", DIALECT_SURICATA, NULL) & RULE_IP_ONLY);
    assert_false(flags_of("alert ip 10.0.0.1 any -> any any (sid:1;)", DIALECT_SNORT3, NULL) & RULE_IP_ONLY);
}

static void actions_of_others(void **state)
{
    refused_at("block tcp any any -> any any (sid:1;)", DIALECT_SURICATA, 1, 1, "'block' is Snort 3's");
    refused_at("sdrop tcp any any -> any any (sid:1;)", DIALECT_SURICATA, 1, 1, "'sdrop' is Snort 2's");
    refused_at("rejectdst tcp any any -> any any (sid:1;)", DIALECT_SNORT3, 1, 1,
               "'rejectdst' is Suricata's");
    refused_at("activate tcp any any -> any any (sid:1;)", DIALECT_SNORT2, 1, 1, "is not supported");
}

static bool header_matches(const char *header, enum rule_dialect dialect, const struct pkt *p)
{
    char rule[256];
    struct loaded l;
    bool yes;

    snprintf(rule, sizeof(rule), "alert %s (sid:1;)", header);
    l = load_as_ok(rule, dialect, 1);
    yes = rule_matches(l.rs, 1, p);
    unload(&l);
    return yes;
}

static void packet_protocols(void **state)
{
    struct pkt tcp4 = {.proto = 6}, tcp6 = {.proto = 6, .src = "::1", .dst = "::2"},
               ping4 = {.proto = 1, .type = 8},
               ping6 = {.proto = 58, .type = 128, .src = "::1", .dst = "::2"}, sctp = {.proto = 132};
    static const struct {
        const char *proto;
        bool tcp4, tcp6, ping4, ping6, sctp;
    } rows[] = {
        {"ip", true, true, true, true, true},         {"ipv4", true, false, true, false, true},
        {"ip4", true, false, true, false, true},      {"ipv6", false, true, false, true, false},
        {"ip6", false, true, false, true, false},     {"tcp", true, true, false, false, false},
        {"tcp-pkt", true, true, false, false, false}, {"icmp", false, false, true, true, false},
        {"icmpv4", false, false, true, false, false}, {"icmpv6", false, false, false, true, false},
        {"sctp", false, false, false, false, true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char header[64];

        snprintf(header, sizeof(header), "%s any any -> any any", rows[i].proto);
        if (header_matches(header, DIALECT_SURICATA, &tcp4) != rows[i].tcp4 ||
            header_matches(header, DIALECT_SURICATA, &tcp6) != rows[i].tcp6 ||
            header_matches(header, DIALECT_SURICATA, &ping4) != rows[i].ping4 ||
            header_matches(header, DIALECT_SURICATA, &ping6) != rows[i].ping6 ||
            header_matches(header, DIALECT_SURICATA, &sctp) != rows[i].sctp)
            fail_msg("%s", rows[i].proto);
    }
    /* packets only: a drop is about the packet */
    assert_false(flags_of("drop tcp-pkt any any -> any any (content:\"x\"; sid:1;)", DIALECT_SURICATA, NULL) &
                 (RULE_DROPS_FLOW | RULE_DROPS_STREAM));
    refused_at("alert icmpv6 any 1 -> any any (sid:1;)", DIALECT_SURICATA, 1, 0, "cannot name ports");
    refused_at("alert tcp-pkt any any -> any any (sid:1;)", DIALECT_SNORT3, 1, 7, "'tcp-pkt' is Suricata's");
}

static void application_protocols(void **state)
{
    static const char *const suricata[] = {
        "http", "http1",    "http2", "dns",   "tls",       "ssl",    "smtp",
        "ftp",  "ftp-data", "ssh",   "smb",   "dcerpc",    "dnp3",   "enip",
        "nfs",  "tftp",     "krb5",  "ikev2", "ike",       "ntp",    "dhcp",
        "rfb",  "rdp",      "snmp",  "sip",   "mqtt",      "modbus", "pgsql",
        "quic", "telnet",   "imap",  "pop3",  "websocket", "ldap",   "bittorrent-dht",
        "mdns"};
    static const char *const snort[] = {"http", "http2", "ssl", "smtp", "ftp", "file", "netbios-ssn", "sip"};
    char rule[128];

    for (size_t i = 0; i < sizeof(suricata) / sizeof(suricata[0]); i++) {
        struct service_word w;

        assert_true(service_header_word(span_str(suricata[i]), DIALECT_SURICATA, &w));
        assert_int_equal(w.live, (w.apps & service_live()) != 0);
        assert_dormant(suricata[i], "content:\"x\";", DIALECT_SURICATA, w.live ? "" : w.name);
    }
    for (size_t i = 0; i < sizeof(snort) / sizeof(snort[0]); i++) {
        struct loaded l;

        snprintf(rule, sizeof(rule), "alert %s (content:\"x\"; sid:1;)", snort[i]);
        l = load_as_ok(rule, DIALECT_SNORT3, 1);
        uint64_t apps = ruleset_info(l.rs, 0)->apps;

        assert_int_equal(!(ruleset_rule(l.rs, 0)->flags & RULE_DORMANT), (apps & service_live()) != 0);
        assert_true(apps != 0 && ruleset_rule(l.rs, 0)->flags & RULE_APP);
        unload(&l);
    }
    refused_at("alert htpp any any -> any any (sid:1;)", DIALECT_SURICATA, 1, 7, "unknown protocol 'htpp'");
    refused_at("alert tls any any -> any any (sid:1;)", DIALECT_SNORT3, 1, 7, "'tls' is Suricata's");
    refused_at("alert netbios-ssn any any -> any any (sid:1;)", DIALECT_SURICATA, 1, 7,
               "'netbios-ssn' is Snort 3's");
    refused_at("alert http any any -> any any (sid:1;)", DIALECT_SNORT2, 1, 7, "the protocol 'http' is");
}

/* 48: a rule with `service` is matched by its header while the service of a flow is unknown. */
static void trap48_service(void **state)
{
    struct loaded l =
        load_as_ok("alert tcp any any -> any 21 (service:ftp, imap; content:\"USER\"; sid:1;)\n"
                   "alert tcp any any -> any 21 (service:no-such-service; content:\"USER\"; sid:2;)\n",
                   DIALECT_SNORT3, 2);
    struct pkt p = {.proto = 6, .dport = 21, .sport = 1, .payload = "USER x"}, other = p;

    other.dport = 22;
    assert_true(rule_matches(l.rs, 1, &p) && rule_matches(l.rs, 2, &p));
    assert_false(rule_matches(l.rs, 1, &other));
    assert_true(ruleset_info(l.rs, find_rule(l.rs, 1))->apps == (APP_BIT(FTP) | APP_BIT(IMAP)));
    assert_true(ruleset_info(l.rs, find_rule(l.rs, 2))->apps == 0);
    unload(&l);
    l = load_as_ok(
        "alert tcp any any -> any 80 (metadata:policy a drop, service http; content:\"x\"; sid:1;)",
        DIALECT_SNORT2, 1);
    assert_true(ruleset_info(l.rs, 0)->apps == APP_BIT(HTTP1));
    unload(&l);
    assert_options_refused_as(DIALECT_SNORT3, "service:a b;", "'a b' is no name of a service");
    assert_options_refused_as(DIALECT_SURICATA, "service:ftp;", "'service' is Snort 3's");
}

static void short_headers(void **state)
{
    struct pkt p = {.proto = 6, .sport = 7, .dport = 9};

    assert_true(header_matches("tcp", DIALECT_SNORT3, &p));
    p.proto = 17;
    assert_false(header_matches("tcp", DIALECT_SNORT3, &p));
    accepted("file_id (msg:\"MSEXE\"; file_meta:type \"MSEXE\",id 21,category \"Executables\"; file_data; "
             "content:\"MZ\",depth 2; gid:4; sid:16;)",
             DIALECT_SNORT3, 1);
    refused_at("alert tcp (sid:1;)", DIALECT_SURICATA, 1, 0, "the rule's header has 2 words instead of 7");
    refused_at("alert tcp any (sid:1;)", DIALECT_SNORT3, 1, 0, "the rule's header has 3 words instead of 7");
    refused_at("alert (sid:1;)", DIALECT_SNORT3, 1, 0, "the rule's header has 1 words instead of 7");
}

static void directions(void **state)
{
    assert_dormant("http", "content:\"x\";", DIALECT_SURICATA, "");
    accepted(
        "alert http any any => any any (http.uri; content:\"a\"; http.stat_code; content:\"200\"; sid:1;)",
        DIALECT_SURICATA, 1);
    accepted("alert http any any => any any (http.connection: to_client; content:\"a\"; sid:1;)",
             DIALECT_SURICATA, 1);
    refused_at("alert http any any -> any any (http.connection: to_client; content:\"a\"; sid:1;)",
               DIALECT_SURICATA, 1, 0, "http.connection takes no value");
    refused_at("alert http any any => any any (http.uri: to_client; content:\"a\"; sid:1;)", DIALECT_SURICATA,
               1, 0, "http.uri takes no value");
    refused_at(
        "alert http any any -> any any (http.uri; content:\"a\"; http.stat_code; content:\"200\"; sid:1;)",
        DIALECT_SURICATA, 1, 0, "filled in different directions");
    refused_at("alert http any any => any any (sid:1;)", DIALECT_SNORT3, 1, 0, "'=>' is Suricata's");
    refused_at("alert tcp any any <- any any (sid:1;)", DIALECT_SURICATA, 1, 19, "'<-' is no direction");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trap40_scope),     cmocka_unit_test(actions_of_others),
        cmocka_unit_test(packet_protocols), cmocka_unit_test(application_protocols),
        cmocka_unit_test(trap48_service),   cmocka_unit_test(short_headers),
        cmocka_unit_test(directions),
    };

    return cmocka_run_group_tests_name("rules: language: headers", tests, NULL, NULL);
}
