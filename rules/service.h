/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_SERVICE_H
#define SLUICE_RULES_SERVICE_H
/*
 * Application protocols as rules name them: as the protocol of the header (Suricata's http, Snort 3's service
 * rules), as the owner of a buffer, and in Snort 3's service option. One row each.
 *
 * X(ID, name for messages, header words of Suricata, names of Snort's services, transport). Words are separated by
 * blanks; `http` is HTTP1 and HTTP2.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/span.h"

#define APP_TABLE(X)                                                                    \
    X(HTTP1, "http1", "http1", "", TCP)                                                 \
    X(HTTP2, "http2", "http2", "http2", TCP)                                            \
    X(DNS, "dns", "dns", "dns", IP)                                                     \
    X(MDNS, "mdns", "mdns", "mdns", UDP)                                                \
    X(TLS, "tls", "tls ssl", "ssl", TCP)                                                \
    X(QUIC, "quic", "quic", "quic", UDP)                                                \
    X(SMTP, "smtp", "smtp", "smtp", TCP)                                                \
    X(IMAP, "imap", "imap", "imap", TCP)                                                \
    X(POP3, "pop3", "pop3", "pop3", TCP)                                                \
    X(FTP, "ftp", "ftp", "ftp", TCP)                                                    \
    X(FTP_DATA, "ftp-data", "ftp-data", "ftp-data", TCP)                                \
    X(SSH, "ssh", "ssh", "ssh", TCP)                                                    \
    X(SMB, "smb", "smb", "netbios-ssn", TCP)                                            \
    X(DCERPC, "dcerpc", "dcerpc", "dcerpc", IP)                                         \
    X(NFS, "nfs", "nfs", "", IP)                                                        \
    X(SUNRPC, "sunrpc", "", "sunrpc", IP)                                               \
    X(TFTP, "tftp", "tftp", "tftp", UDP)                                                \
    X(KRB5, "krb5", "krb5", "kerberos", IP)                                             \
    X(IKE, "ike", "ike ikev2", "ikev2", UDP)                                            \
    X(NTP, "ntp", "ntp", "ntp", UDP)                                                    \
    X(DHCP, "dhcp", "dhcp", "dhcp", UDP)                                                \
    X(SNMP, "snmp", "snmp", "snmp", UDP)                                                \
    X(RFB, "rfb", "rfb", "vnc-server", TCP)                                             \
    X(RDP, "rdp", "rdp", "rdp", TCP)                                                    \
    X(SIP, "sip", "sip", "sip", IP)                                                     \
    X(RTSP, "rtsp", "", "rtsp", TCP)                                                    \
    X(MQTT, "mqtt", "mqtt", "mqtt", TCP)                                                \
    X(WEBSOCKET, "websocket", "websocket", "", TCP)                                     \
    X(LDAP, "ldap", "ldap", "ldap", IP)                                                 \
    X(PGSQL, "pgsql", "pgsql", "postgresql", TCP)                                       \
    X(MYSQL, "mysql", "", "mysql", TCP)                                                 \
    X(TELNET, "telnet", "telnet", "telnet", TCP)                                        \
    X(IRC, "irc", "irc", "irc", TCP)                                                    \
    X(BITTORRENT, "bittorrent-dht", "bittorrent-dht", "bittorrent", UDP)                \
    X(MODBUS, "modbus", "modbus", "modbus", TCP)                                        \
    X(DNP3, "dnp3", "dnp3", "dnp3", IP)                                                 \
    X(ENIP, "enip", "enip", "enip cip", IP)                                             \
    X(S7COMM, "s7commplus", "", "s7commplus", TCP)                                      \
    X(IEC104, "iec104", "", "iec104", TCP)                                              \
    X(MMS, "mms", "", "mms", TCP)                                                       \
    X(OPCUA, "opcua", "", "opcua", TCP)                                                 \
    X(GTP, "gtp", "", "gtp", UDP)                                                       \
    X(FILE, "file", "", "file", TCP) /* Snort 3: bytes of a file, whoever carried it */ \
    X(DOH2, "doh2", "doh2", "", TCP)

enum app_proto {
#define X(id, name, suricata, snort, transport) APP_##id,
    APP_TABLE(X)
#undef X
        APP_N,
};

#define APP_BIT(id) (1ull << APP_##id)
#define APP_HTTP    (APP_BIT(HTTP1) | APP_BIT(HTTP2))

struct service_word {
    const char *name; /* canonical, for messages and as the reason of a dormant rule */
    uint64_t apps;    /* APP_BIT(); http is two */
    uint8_t proto;    /* enum rule_proto that carries it; PROTO_IP: more than one */
};

/* The application protocol that a rule header names; false when there is none of that name in the dialect. */
bool service_header_word(struct span word, uint8_t dialect, struct service_word *out);
struct draft;
/* Snort 2's "service http" among the metadata, when the rule is known. */
void service_take_metadata(struct draft *d);
/* What Snort 3's service option calls a protocol; 0: a service that no parser will know, matched by its ports. */
uint64_t service_apps(struct span name);
#endif
