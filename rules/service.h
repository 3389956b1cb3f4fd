/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_SERVICE_H
#define SLUICE_RULES_SERVICE_H
/*
 * Application protocols as rules name them: as the protocol of the header (Suricata's http, Snort 3's service
 * rules), as the owner of a buffer, and in Snort 3's service option. One row each.
 *
 * X(ID, name for messages, header words of Suricata, names of Snort's services, transport, live). Words are separated by
 * blanks; `http` is HTTP1 and HTTP2. live: 1 when ips/app/ recognises it; rules about the others are dormant.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/span.h"

#define APP_TABLE(X)                                                                       \
    X(HTTP1, "http1", "http1", "", TCP, 1)                                                 \
    X(HTTP2, "http2", "http2", "http2", TCP, 1)                                            \
    X(DNS, "dns", "dns", "dns", IP, 1)                                                     \
    X(MDNS, "mdns", "mdns", "mdns", UDP, 1)                                                \
    X(TLS, "tls", "tls ssl", "ssl", TCP, 1)                                                \
    X(QUIC, "quic", "quic", "quic", UDP, 1)                                                \
    X(SMTP, "smtp", "smtp", "smtp", TCP, 1)                                                \
    X(IMAP, "imap", "imap", "imap", TCP, 1)                                                \
    X(POP3, "pop3", "pop3", "pop3", TCP, 1)                                                \
    X(FTP, "ftp", "ftp", "ftp", TCP, 1)                                                    \
    X(FTP_DATA, "ftp-data", "ftp-data", "ftp-data", TCP, 1)                                \
    X(SSH, "ssh", "ssh", "ssh", TCP, 1)                                                    \
    X(SMB, "smb", "smb", "netbios-ssn", TCP, 1)                                            \
    X(DCERPC, "dcerpc", "dcerpc", "dcerpc", IP, 1)                                         \
    X(NFS, "nfs", "nfs", "", IP, 0)                                                        \
    X(SUNRPC, "sunrpc", "", "sunrpc", IP, 1)                                               \
    X(TFTP, "tftp", "tftp", "tftp", UDP, 1)                                                \
    X(KRB5, "krb5", "krb5", "kerberos", IP, 1)                                             \
    X(IKE, "ike", "ike ikev2", "ikev2", UDP, 0)                                            \
    X(NTP, "ntp", "ntp", "ntp", UDP, 1)                                                    \
    X(DHCP, "dhcp", "dhcp", "dhcp", UDP, 1)                                                \
    X(SNMP, "snmp", "snmp", "snmp", UDP, 1)                                                \
    X(RFB, "rfb", "rfb", "vnc-server", TCP, 1)                                             \
    X(RDP, "rdp", "rdp", "rdp", TCP, 1)                                                    \
    X(SIP, "sip", "sip", "sip", IP, 1)                                                     \
    X(RTSP, "rtsp", "", "rtsp", TCP, 1)                                                    \
    X(MQTT, "mqtt", "mqtt", "mqtt", TCP, 1)                                                \
    X(WEBSOCKET, "websocket", "websocket", "", TCP, 1)                                     \
    X(LDAP, "ldap", "ldap", "ldap", IP, 1)                                                 \
    X(PGSQL, "pgsql", "pgsql", "postgresql", TCP, 0)                                       \
    X(MYSQL, "mysql", "", "mysql", TCP, 1)                                                 \
    X(TELNET, "telnet", "telnet", "telnet", TCP, 1)                                        \
    X(IRC, "irc", "irc", "irc", TCP, 1)                                                    \
    X(BITTORRENT, "bittorrent-dht", "bittorrent-dht", "bittorrent", UDP, 1)                \
    X(MODBUS, "modbus", "modbus", "modbus", TCP, 1)                                        \
    X(DNP3, "dnp3", "dnp3", "dnp3", IP, 1)                                                 \
    X(ENIP, "enip", "enip", "enip cip", IP, 0)                                             \
    X(S7COMM, "s7commplus", "", "s7commplus", TCP, 0)                                      \
    X(IEC104, "iec104", "", "iec104", TCP, 0)                                              \
    X(MMS, "mms", "", "mms", TCP, 0)                                                       \
    X(OPCUA, "opcua", "", "opcua", TCP, 0)                                                 \
    X(GTP, "gtp", "", "gtp", UDP, 0)                                                       \
    X(FILE, "file", "", "file", TCP, 0) /* Snort 3: bytes of a file, whoever carried it */ \
    X(DOH2, "doh2", "doh2", "", TCP, 1)

enum app_proto {
#define X(id, name, suricata, snort, transport, live) APP_##id,
    APP_TABLE(X)
#undef X
        APP_N,
};

#define APP_BIT(id) (1ull << APP_##id)
#define APP_HTTP    (APP_BIT(HTTP1) | APP_BIT(HTTP2))

struct service_word {
    const char *name; /* canonical, for messages and as the reason of a dormant rule */
    uint64_t apps;    /* APP_BIT(); http is two */
    bool live;        /* flows are known to speak it */
    uint8_t proto;    /* enum rule_proto that carries it; PROTO_IP: more than one */
};

/* The application protocol that a rule header names; false when there is none of that name in the dialect. */
bool service_header_word(struct span word, uint8_t dialect, struct service_word *out);
struct draft;
/* Snort 2's "service http" among the metadata, when the rule is known. */
void service_take_metadata(struct draft *d);
/* What Snort 3's service option calls a protocol; 0: a service that no parser will know, matched by its ports. */
uint64_t service_apps(struct span name);
/* APP_BIT()s of the protocols that flows are known to speak. */
uint64_t service_live(void);
#endif
