/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words a rule may start with: actions and protocols, the dialects that have them, and those that this engine
 * refuses with advice. A word that is understood by halves would change what a rule means without anybody noticing:
 * what asks for something that is not there yet makes the rule dormant, what never will be is an error that names
 * the way out. Application protocols are rows of rules/service.h.
 *
 * Constant tables; any thread.
 */
#include "rules/names.h"

#include "rules/dialect.h"
#include "rules/source.h"

#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))

#define SNORT (IN_SNORT3 | IN_SNORT2)

/*
 * Suricata's `reject` answers the sender, `rejectdst` the receiver; in-line both ends of the connection must hear of
 * it, so all of them answer both. Snort's `log` writes the packet without an alert: an alert event is our log.
 * `react` is `reject` without its web page. `rewrite` lets the rule's replace options act. `config` changes the
 * engine's settings for a flow, which nothing here does yet.
 */
static const struct header_word actions[] = {
    {"alert", .id = ACTION_ALERT},
    {"pass", .id = ACTION_PASS},
    {"drop", .id = ACTION_DROP},
    {"reject", .id = ACTION_REJECT},
    {"rejectsrc", .id = ACTION_REJECT, .dialects = IN_SURICATA},
    {"rejectdst", .id = ACTION_REJECT, .dialects = IN_SURICATA},
    {"rejectboth", .id = ACTION_REJECT, .dialects = IN_SURICATA},
    {"config", .id = ACTION_ALERT, .dialects = IN_SURICATA, .dormant = true, .rule_flags = RULE_NOALERT},
    {"block", .id = ACTION_DROP, .dialects = SNORT},
    {"sdrop", .id = ACTION_DROP, .dialects = IN_SNORT2, .rule_flags = RULE_NOALERT},
    {"log", .id = ACTION_ALERT, .dialects = SNORT},
    {"react", .id = ACTION_REJECT, .dialects = SNORT},
    {"rewrite", .id = ACTION_ALERT, .dialects = IN_SNORT3},
    {"file_id", .id = ACTION_ALERT, .dialects = IN_SNORT3, .dormant = true, .rule_flags = RULE_NOALERT},
    {"activate", .id = -1, .dialects = IN_SNORT2,
     .remedy = "write alert with flowbits:set, and isset in the other"},
    {"dynamic", .id = -1, .dialects = IN_SNORT2,
     .remedy = "write log with flowbits:isset, and set in the other"},
};

static const struct header_word protos[] = {
    {"ip", .id = PROTO_IP},
    {"tcp", .id = PROTO_TCP},
    {"udp", .id = PROTO_UDP},
    {"icmp", .id = PROTO_ICMP},
    {"tcp-pkt", .id = PROTO_TCP, .dialects = IN_SURICATA, .packet_only = true},
    {"tcp-stream", .id = PROTO_TCP, .dialects = IN_SURICATA, .rule_flags = RULE_ONLY_STREAM},
    {"icmpv4", .id = PROTO_ICMP, .dialects = IN_SURICATA, .rule_flags = RULE_IPV4},
    {"icmpv6", .id = PROTO_ICMP, .dialects = IN_SURICATA, .rule_flags = RULE_IPV6},
    {"ipv4", .id = PROTO_IP, .dialects = IN_SURICATA, .rule_flags = RULE_IPV4},
    {"ip4", .id = PROTO_IP, .dialects = IN_SURICATA, .rule_flags = RULE_IPV4},
    {"ipv6", .id = PROTO_IP, .dialects = IN_SURICATA, .rule_flags = RULE_IPV6},
    {"ip6", .id = PROTO_IP, .dialects = IN_SURICATA, .rule_flags = RULE_IPV6},
    {"sctp", .id = PROTO_IP, .dialects = IN_SURICATA, .rule_flags = RULE_SCTP},
    {"pkthdr", .id = PROTO_IP, .dialects = IN_SURICATA, .rule_flags = RULE_ANY_PACKET},
    {"ether", .id = PROTO_IP, .dialects = IN_SURICATA, .dormant = true},
    {"arp", .id = PROTO_IP, .dialects = IN_SURICATA, .dormant = true},
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

/*
 * Snort 3's drop is about this packet, its block and reject about the flow; Snort 2 knows no difference between drop
 * and block (RULES.md 2C, 40). A pass is about the packet in both.
 */
bool names_action_holds_for_flow(const struct header_word *action, uint8_t dialect)
{
    if (action->id == ACTION_DROP && strcmp(action->word, "drop") == 0)
        return dialect == DIALECT_SNORT2;
    return action->id == ACTION_DROP || action->id == ACTION_REJECT;
}
