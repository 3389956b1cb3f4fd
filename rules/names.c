/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words a rule may start with: actions and protocols, supported ones and those that other engines have and
 * this one refuses with advice. A word that is understood by halves would change what a rule means without
 * anybody noticing, so what is not supported is an error that names the way out.
 *
 * Constant tables; any thread.
 */
#include "rules/names.h"

#include "rules/source.h"

#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))

static const struct header_word actions[] = {
    {"alert", ACTION_ALERT, NULL},
    {"pass", ACTION_PASS, NULL},
    {"drop", ACTION_DROP, NULL},
    {"reject", ACTION_REJECT, NULL},
    {"block", -1, "write drop: a drop rule on stream content holds for the whole flow"},
    {"sdrop", -1, "write drop with the noalert option"},
    {"log", -1, "write alert"},
    {"rejectsrc", -1, "write reject"},
    {"rejectdst", -1, "write reject, which answers both ends"},
    {"rejectboth", -1, "write reject, which answers both ends"},
    {"react", -1, "write reject"},
    {"rewrite", -1, "disable the rule with a '#'; packets are not rewritten"},
    {"config", -1, "disable the rule with a '#'; the config action is not supported"},
    {"activate", -1, "disable the rule with a '#'"},
    {"dynamic", -1, "disable the rule with a '#'"},
};

#define NO_PARSER  "write tcp or udp with the service's ports, or disable the rule with a '#'"
#define NO_VARIANT "write tcp, or disable the rule with a '#'"

static const struct header_word protos[] = {
    {"ip", PROTO_IP, NULL},
    {"tcp", PROTO_TCP, NULL},
    {"udp", PROTO_UDP, NULL},
    {"icmp", PROTO_ICMP, NULL},
    {"tcp-pkt", -1, NO_VARIANT},
    {"tcp-stream", -1, NO_VARIANT},
    {"icmpv6", -1, "write icmp, which covers ICMPv6; add an IPv6 address list such as ::/0 to exclude IPv4"},
    {"ipv4", -1, "write ip with the address 0.0.0.0/0"},
    {"ip4", -1, "write ip with the address 0.0.0.0/0"},
    {"ipv6", -1, "write ip with the address ::/0"},
    {"ip6", -1, "write ip with the address ::/0"},
    {"sctp", -1, "write ip with ip_proto:132"},
    {"pkthdr", -1, "disable the rule with a '#'; decoder events are not supported"},
    {"http", -1, NO_PARSER},
    {"http1", -1, NO_PARSER},
    {"http2", -1, NO_PARSER},
    {"dns", -1, NO_PARSER},
    {"tls", -1, NO_PARSER},
    {"ssl", -1, NO_PARSER},
    {"quic", -1, NO_PARSER},
    {"smtp", -1, NO_PARSER},
    {"imap", -1, NO_PARSER},
    {"pop3", -1, NO_PARSER},
    {"ftp", -1, NO_PARSER},
    {"ftp-data", -1, NO_PARSER},
    {"ssh", -1, NO_PARSER},
    {"smb", -1, NO_PARSER},
    {"dcerpc", -1, NO_PARSER},
    {"dhcp", -1, NO_PARSER},
    {"file", -1, NO_PARSER},
};

static const struct header_word *find(const struct header_word *rows, size_t n, struct span word)
{
    for (size_t i = 0; i < n; i++)
        if (text_eq_nocase(word, rows[i].word))
            return &rows[i];
    return NULL;
}

const struct header_word *names_action(struct span word)
{
    return find(actions, N_ROWS(actions), word);
}

const struct header_word *names_proto(struct span word)
{
    return find(protos, N_ROWS(protos), word);
}

bool names_is_action(struct span word)
{
    return names_action(word) != NULL;
}

const char *rule_action_name(enum rule_action a)
{
    for (size_t i = 0; i < N_ROWS(actions); i++)
        if (actions[i].id == (int)a)
            return actions[i].word;
    return "none";
}
