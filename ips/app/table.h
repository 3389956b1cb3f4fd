/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_TABLE_H
#define SLUICE_APP_TABLE_H
/* Every parser, one row each: X(name) is `const struct app_parser parser_name`, in a file of its own. */
#include "ips/app/parser.h"

#define APP_PARSERS(X) \
    X(http1)           \
    X(tls)             \
    X(http2)           \
    X(websocket)       \
    X(ssh)             \
    X(quic)            \
    X(dhcp)            \
    X(snmp)            \
    X(tftp)            \
    X(ntp)             \
    X(dns)             \
    X(dns_stream)      \
    X(mdns)            \
    X(sip)             \
    X(smtp)            \
    X(ftp)             \
    X(ftp_data)        \
    X(pop3)            \
    X(imap)            \
    X(smb)             \
    X(dcerpc)          \
    X(mqtt)            \
    X(modbus)          \
    X(dnp3)            \
    X(telnet)          \
    X(irc)             \
    X(mysql)           \
    X(rfb)             \
    X(rtsp)            \
    X(dht)             \
    X(krb5)            \
    X(ldap)            \
    X(rdp)             \
    X(sunrpc)

#define X(name) extern const struct app_parser parser_##name;
APP_PARSERS(X)
#undef X
#endif
