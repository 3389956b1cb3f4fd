/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_BUFFERS_H
#define SLUICE_RULES_BUFFERS_H
/*
 * The buffer table: what rules can look into, one row each.
 *
 *     X(ID, Suricata's sticky names, Snort 3's sticky names, modifiers behind a content, pcre letter,
 *       application protocols, direction, flags)
 *
 * A row without names is a keyword's own, mostly a number (kw/app_numbers.c). Names are separated by blanks; modifiers are Suricata's legacy ones and Snort 2's. A buffer without LIVE has no
 * parser that fills it yet: rules that name it load and are dormant. A parser that comes puts LIVE into its rows.
 *
 * The flags are those of enum buffer_flag without its prefix. One row is one enum buffer_id; the order of the rows is Suricata's order of registration where it decides
 * between two fast patterns (rules/fastpattern.c).
 */
#include "rules/service.h"

enum buffer_flag {
    BUFFER_LIVE = 1 << 0, /* something fills it today */
    BUFFER_MULTI =
        1 << 1, /* several instances in one transaction; naming it again means another (RULES.md 2B, 32) */
    BUFFER_LOWER = 1 << 2, /* its bytes are lower-cased: nocase and upper-case letters are errors (2B, 25) */
    BUFFER_FOLDED =
        1 << 3, /* lower-case hexadecimal: contents are folded at load, whatever their author wrote */
    BUFFER_LATE =
        1 << 4, /* any bytes, or few: another buffer's content is the better fast pattern (2A, 17) */
    BUFFER_ARGS = 1 << 5,      /* Snort 3: may have a value, such as http_header:field user-agent */
    BUFFER_NEEDS_ARG = 1 << 6, /* Snort 3: has no meaning without one */
    BUFFER_LAST = 1 << 7,      /* the same bytes nearly always: after LATE, too */
    BUFFER_UPPER = 1 << 8,     /* upper-case hexadecimal: the same as FOLDED, the other way */
};

enum buffer_direction { TO_SERVER = 1, TO_CLIENT = 2, BOTH_WAYS = 3 };

#define BUFFERS_OF_PACKETS(X)                                                                      \
    X(PAYLOAD, "pkt_data", "pkt_data raw_data", "", 0, 0, BOTH_WAYS, LIVE | LATE) /* L4 payload */ \
    X(IPV4_HDR, "ipv4.hdr", "", "", 0, 0, BOTH_WAYS, LIVE) /* headers as they are on the wire */   \
    X(IPV6_HDR, "ipv6.hdr", "", "", 0, 0, BOTH_WAYS, LIVE)                                         \
    X(TCP_HDR, "tcp.hdr", "", "", 0, 0, BOTH_WAYS, LIVE)                                           \
    X(UDP_HDR, "udp.hdr", "", "", 0, 0, BOTH_WAYS, LIVE)                                           \
    X(ICMPV4_HDR, "icmpv4.hdr", "", "", 0, 0, BOTH_WAYS, LIVE)                                     \
    X(ICMPV6_HDR, "icmpv6.hdr", "", "", 0, 0, BOTH_WAYS, LIVE)                                     \
    /* what base64_decode made; lives while one rule is evaluated, so it is never scanned */       \
    X(BASE64, "base64_data", "base64_data", "", 0, 0, BOTH_WAYS, LIVE)

#define BUFFERS_OF_HTTP(X)                                                                                   \
    X(HTTP_URI, "http.uri", "http_uri", "http_uri", 'U', APP_HTTP, TO_SERVER, LIVE | ARGS)                   \
    X(HTTP_URI_RAW, "http.uri.raw", "http_raw_uri", "http_raw_uri", 'I', APP_HTTP, TO_SERVER, LIVE | ARGS)   \
    X(HTTP_METHOD, "http.method", "http_method", "http_method", 'M', APP_HTTP, TO_SERVER,                    \
      LIVE | LAST | ARGS)                                                                                    \
    X(HTTP_REQUEST_LINE, "http.request_line http_request_line", "http_raw_request", "", 0, APP_HTTP,         \
      TO_SERVER, LIVE | ARGS)                                                                                \
    X(HTTP_HEADER, "http.header", "http_header", "http_header", 'H', APP_HTTP, BOTH_WAYS, LIVE | ARGS)       \
    X(HTTP_HEADER_RAW, "http.header.raw", "http_raw_header", "http_raw_header", 'D', APP_HTTP, BOTH_WAYS,    \
      LIVE | ARGS)                                                                                           \
    X(HTTP_REQUEST_HEADER, "http.request_header", "", "", 0, APP_HTTP, TO_SERVER, LIVE | MULTI)              \
    X(HTTP_RESPONSE_HEADER, "http.response_header", "", "", 0, APP_HTTP, TO_CLIENT, LIVE | MULTI)            \
    X(HTTP_HEADER_NAMES, "http.header_names http_header_names", "", "", 0, APP_HTTP, BOTH_WAYS, LIVE)        \
    X(HTTP_USER_AGENT, "http.user_agent", "", "http_user_agent", 'V', APP_HTTP, TO_SERVER, LIVE)             \
    X(HTTP_HOST, "http.host", "", "http_host", 'W', APP_HTTP, TO_SERVER, LIVE | LOWER)                       \
    X(HTTP_HOST_RAW, "http.host.raw", "", "http_raw_host", 'Z', APP_HTTP, TO_SERVER, LIVE)                   \
    X(HTTP_COOKIE, "http.cookie", "http_cookie", "http_cookie", 'C', APP_HTTP, BOTH_WAYS, LIVE | ARGS)       \
    X(HTTP_COOKIE_RAW, "", "http_raw_cookie", "http_raw_cookie", 'K', APP_HTTP, BOTH_WAYS, LIVE | ARGS)      \
    X(HTTP_REQUEST_BODY, "http.request_body", "http_client_body", "http_client_body", 'P', APP_HTTP,         \
      TO_SERVER, LIVE)                                                                                       \
    X(HTTP_RESPONSE_BODY, "http.response_body", "", "http_server_body", 'Q', APP_HTTP, TO_CLIENT, LIVE)      \
    X(HTTP_BODY_RAW, "", "http_raw_body", "", 0, APP_HTTP, BOTH_WAYS, LIVE)                                  \
    X(HTTP_STAT_CODE, "http.stat_code", "http_stat_code", "http_stat_code", 'S', APP_HTTP, TO_CLIENT,        \
      LIVE | LAST | ARGS)                                                                                    \
    X(HTTP_STAT_MSG, "http.stat_msg", "http_stat_msg", "http_stat_msg", 'Y', APP_HTTP, TO_CLIENT,            \
      LIVE | LATE | ARGS)                                                                                    \
    X(HTTP_RESPONSE_LINE, "http.response_line http_response_line", "http_raw_status", "", 0, APP_HTTP,       \
      TO_CLIENT, LIVE | ARGS)                                                                                \
    X(HTTP_PROTOCOL, "http.protocol http_protocol", "http_version", "", 0, APP_HTTP, BOTH_WAYS, LIVE | ARGS) \
    X(HTTP_START, "http.start http_start", "", "", 0, APP_HTTP, BOTH_WAYS, LIVE)                             \
    X(HTTP_ACCEPT, "http.accept http_accept", "", "", 0, APP_HTTP, TO_SERVER, LIVE)                          \
    X(HTTP_ACCEPT_ENC, "http.accept_enc http_accept_enc", "", "", 0, APP_HTTP, TO_SERVER, LIVE)              \
    X(HTTP_ACCEPT_LANG, "http.accept_lang http_accept_lang", "", "", 0, APP_HTTP, TO_SERVER, LIVE)           \
    X(HTTP_REFERER, "http.referer http_referer", "", "", 0, APP_HTTP, TO_SERVER, LIVE)                       \
    X(HTTP_CONNECTION, "http.connection http_connection", "", "", 0, APP_HTTP, BOTH_WAYS, LIVE)              \
    X(HTTP_CONTENT_LEN, "http.content_len http_content_len", "", "", 0, APP_HTTP, BOTH_WAYS, LIVE)           \
    X(HTTP_CONTENT_TYPE, "http.content_type http_content_type", "", "", 0, APP_HTTP, BOTH_WAYS, LIVE)        \
    X(HTTP_SERVER, "http.server", "", "", 0, APP_HTTP, TO_CLIENT, LIVE)                                      \
    X(HTTP_LOCATION, "http.location", "", "", 0, APP_HTTP, TO_CLIENT, LIVE)                                  \
    X(HTTP_PARAM, "", "http_param", "", 0, APP_HTTP, TO_SERVER, LIVE | ARGS | NEEDS_ARG)                     \
    X(HTTP_TRAILER, "", "http_trailer", "", 0, APP_HTTP, BOTH_WAYS, LIVE | ARGS)                             \
    X(HTTP_TRAILER_RAW, "", "http_raw_trailer", "", 0, APP_HTTP, BOTH_WAYS, LIVE | ARGS)                     \
    X(HTTP_TRUE_IP, "", "http_true_ip", "", 0, APP_HTTP, TO_SERVER, LIVE | ARGS)                             \
    X(HTTP2_HEADER, "http2.header", "", "", 0, APP_BIT(HTTP2), BOTH_WAYS, LIVE | MULTI)                      \
    X(HTTP2_HEADER_NAME, "http2.header_name", "", "", 0, APP_BIT(HTTP2), BOTH_WAYS, LIVE | MULTI)            \
    X(HTTP2_FRAMETYPE, "", "", "", 0, APP_BIT(HTTP2), BOTH_WAYS,                                             \
      LIVE | MULTI) /* numbers: kw/app_numbers.c */                                                          \
    X(HTTP2_ERRORCODE, "", "", "", 0, APP_BIT(HTTP2), BOTH_WAYS, LIVE | MULTI)                               \
    X(HTTP2_PRIORITY, "", "", "", 0, APP_BIT(HTTP2), BOTH_WAYS, LIVE | MULTI)                                \
    X(HTTP2_WINDOW, "", "", "", 0, APP_BIT(HTTP2), BOTH_WAYS, LIVE | MULTI)                                  \
    X(HTTP2_SIZE_UPDATE, "", "", "", 0, APP_BIT(HTTP2), BOTH_WAYS, LIVE | MULTI)                             \
    X(HTTP2_SETTINGS, "", "", "", 0, APP_BIT(HTTP2), BOTH_WAYS, LIVE | MULTI) /* id << 32 | value */         \
    X(WEBSOCKET_FLAGS, "", "", "", 0, APP_BIT(WEBSOCKET), BOTH_WAYS, LIVE | MULTI)                           \
    X(WEBSOCKET_MASK, "", "", "", 0, APP_BIT(WEBSOCKET), BOTH_WAYS, LIVE | MULTI)                            \
    X(WEBSOCKET_OPCODE, "", "", "", 0, APP_BIT(WEBSOCKET), BOTH_WAYS, LIVE | MULTI)                          \
    X(WEBSOCKET_PAYLOAD, "websocket.payload", "", "", 0, APP_BIT(WEBSOCKET), BOTH_WAYS, LIVE)

#define BUFFERS_OF_FILES(X)                                                             \
    X(FILE_DATA, "file.data file_data", "file_data", "", 0, 0, BOTH_WAYS, LIVE | MULTI) \
    X(FILE_NAME, "file.name", "", "", 0, 0, BOTH_WAYS, LIVE | MULTI)                    \
    X(FILE_MAGIC, "file.magic", "", "", 0, 0, BOTH_WAYS, LIVE | MULTI)                  \
    X(FILE_SIZE, "", "", "", 0, 0, BOTH_WAYS, LIVE)                                     \
    X(FILE_GROWN, "", "", "", 0, 0, BOTH_WAYS, LIVE | MULTI)                            \
    X(FILE_MD5, "", "", "", 0, 0, BOTH_WAYS, LIVE | MULTI)                              \
    X(FILE_SHA1, "", "", "", 0, 0, BOTH_WAYS, LIVE | MULTI)                             \
    X(FILE_SHA256, "", "", "", 0, 0, BOTH_WAYS, LIVE | MULTI)                           \
    X(JS_DATA, "", "js_data", "", 0, 0, BOTH_WAYS, 0)                                   \
    X(VBA_DATA, "", "vba_data", "", 0, 0, BOTH_WAYS, 0)

#define BUFFERS_OF_DNS(X)                                                                             \
    X(DNS_QUERY, "dns.query dns_query", "", "", 0, APP_BIT(DNS), TO_SERVER, LIVE | MULTI)             \
    X(DNS_OPCODE, "", "", "", 0, APP_BIT(DNS), BOTH_WAYS, LIVE) /* numbers: kw/app_numbers.c */       \
    X(DNS_RCODE, "", "", "", 0, APP_BIT(DNS), BOTH_WAYS, LIVE)                                        \
    X(DNS_RRTYPE, "", "", "", 0, APP_BIT(DNS), BOTH_WAYS, LIVE | MULTI)                               \
    X(DNS_QUERY_NAME, "dns.query.name", "", "", 0, APP_BIT(DNS), BOTH_WAYS, LIVE | MULTI)             \
    X(DNS_ANSWER_NAME, "dns.answer.name", "", "", 0, APP_BIT(DNS), BOTH_WAYS, LIVE | MULTI)           \
    X(DNS_QUERIES, "dns.queries.rrname", "", "", 0, APP_BIT(DNS), BOTH_WAYS, LIVE | MULTI)            \
    X(DNS_ANSWERS, "dns.answers.rrname", "", "", 0, APP_BIT(DNS), TO_CLIENT, LIVE | MULTI)            \
    X(DNS_AUTHORITIES, "dns.authorities.rrname", "", "", 0, APP_BIT(DNS), TO_CLIENT, LIVE | MULTI)    \
    X(DNS_ADDITIONALS, "dns.additionals.rrname", "", "", 0, APP_BIT(DNS), BOTH_WAYS, LIVE | MULTI)    \
    X(DNS_RESPONSE, "dns.response.rrname", "", "", 0, APP_BIT(DNS), TO_CLIENT, LIVE | MULTI)          \
    X(MDNS_QUERIES, "mdns.queries.rrname", "", "", 0, APP_BIT(MDNS), BOTH_WAYS, LIVE | MULTI)         \
    X(MDNS_ANSWERS, "mdns.answers.rrname", "", "", 0, APP_BIT(MDNS), BOTH_WAYS, LIVE | MULTI)         \
    X(MDNS_AUTHORITIES, "mdns.authorities.rrname", "", "", 0, APP_BIT(MDNS), BOTH_WAYS, LIVE | MULTI) \
    X(MDNS_ADDITIONALS, "mdns.additionals.rrname", "", "", 0, APP_BIT(MDNS), BOTH_WAYS, LIVE | MULTI) \
    X(MDNS_RESPONSE, "mdns.response.rrname", "", "", 0, APP_BIT(MDNS), BOTH_WAYS, LIVE | MULTI)

#define BUFFERS_OF_TLS(X)                                                                                    \
    X(TLS_SNI, "tls.sni tls_sni", "", "", 0, APP_BIT(TLS), TO_SERVER, LIVE)                                  \
    X(TLS_ALPN, "tls.alpn", "", "", 0, APP_BIT(TLS), BOTH_WAYS, LIVE | MULTI)                                \
    X(TLS_CERTS, "tls.certs", "", "", 0, APP_BIT(TLS), BOTH_WAYS, LIVE | MULTI)                              \
    X(TLS_CERT_SUBJECT, "tls.cert_subject tls_cert_subject", "", "", 0, APP_BIT(TLS), BOTH_WAYS,             \
      LIVE | MULTI)                                                                                          \
    X(TLS_CERT_ISSUER, "tls.cert_issuer tls_cert_issuer", "", "", 0, APP_BIT(TLS), BOTH_WAYS, LIVE)          \
    X(TLS_CERT_SERIAL, "tls.cert_serial tls_cert_serial", "", "", 0, APP_BIT(TLS), BOTH_WAYS, LIVE | UPPER)  \
    X(TLS_CERT_FINGERPRINT, "tls.cert_fingerprint tls_cert_fingerprint", "", "", 0, APP_BIT(TLS), BOTH_WAYS, \
      LIVE | FOLDED)                                                                                         \
    X(TLS_SUBJECTALTNAME, "tls.subjectaltname", "", "", 0, APP_BIT(TLS), TO_CLIENT, LIVE | MULTI)            \
    X(TLS_RANDOM, "tls.random", "", "", 0, APP_BIT(TLS), BOTH_WAYS, LIVE)                                    \
    X(TLS_RANDOM_TIME, "tls.random_time", "", "", 0, APP_BIT(TLS), BOTH_WAYS, LIVE)                          \
    X(TLS_RANDOM_BYTES, "tls.random_bytes", "", "", 0, APP_BIT(TLS), BOTH_WAYS, LIVE)                        \
    X(TLS_VERSION, "", "", "", 0, APP_BIT(TLS), BOTH_WAYS, LIVE)                                             \
    X(TLS_STATE, "", "", "", 0, APP_BIT(TLS), BOTH_WAYS, LIVE | MULTI) /* a bit of enum tls_state */         \
    X(TLS_CHAIN_LEN, "", "", "", 0, APP_BIT(TLS), BOTH_WAYS, LIVE)                                           \
    X(TLS_NOT_BEFORE, "", "", "", 0, APP_BIT(TLS), BOTH_WAYS, LIVE) /* seconds since 1970, signed */         \
    X(TLS_NOT_AFTER, "", "", "", 0, APP_BIT(TLS), BOTH_WAYS, LIVE)                                           \
    X(TLS_CERT_IS_VALID, "", "", "", 0, APP_BIT(TLS), BOTH_WAYS, LIVE) /* 0 or 1: has not expired */         \
    X(JA3_HASH, "ja3.hash ja3_hash", "", "", 0, APP_BIT(TLS) | APP_BIT(QUIC), TO_SERVER, LIVE | FOLDED)      \
    X(JA3_STRING, "ja3.string ja3_string", "", "", 0, APP_BIT(TLS) | APP_BIT(QUIC), TO_SERVER, LIVE)         \
    X(JA3S_HASH, "ja3s.hash", "", "", 0, APP_BIT(TLS) | APP_BIT(QUIC), TO_CLIENT, LIVE | FOLDED)             \
    X(JA3S_STRING, "ja3s.string", "", "", 0, APP_BIT(TLS) | APP_BIT(QUIC), TO_CLIENT, LIVE)                  \
    X(JA4_HASH, "ja4.hash", "", "", 0, APP_BIT(TLS) | APP_BIT(QUIC), TO_SERVER, LIVE | FOLDED)               \
    X(QUIC_SNI, "quic.sni", "", "", 0, APP_BIT(QUIC), TO_SERVER, LIVE)                                       \
    X(QUIC_UA, "quic.ua", "", "", 0, APP_BIT(QUIC), TO_SERVER, 0)                                            \
    X(QUIC_VERSION, "quic.version", "", "", 0, APP_BIT(QUIC), BOTH_WAYS, LIVE)                               \
    X(QUIC_CYU_HASH, "quic.cyu.hash", "", "", 0, APP_BIT(QUIC), TO_SERVER, MULTI | FOLDED)                   \
    X(QUIC_CYU_STRING, "quic.cyu.string", "", "", 0, APP_BIT(QUIC), TO_SERVER, MULTI)

#define BUFFERS_OF_MAIL_AND_FTP(X)                                                                       \
    X(SMTP_HELO, "smtp.helo", "", "", 0, APP_BIT(SMTP), TO_SERVER, LIVE)                                 \
    X(SMTP_MAIL_FROM, "smtp.mail_from", "", "", 0, APP_BIT(SMTP), TO_SERVER, LIVE)                       \
    X(SMTP_RCPT_TO, "smtp.rcpt_to", "", "", 0, APP_BIT(SMTP), TO_SERVER, LIVE | MULTI)                   \
    X(EMAIL_FROM, "email.from", "", "", 0, APP_BIT(SMTP), TO_SERVER, LIVE)                               \
    X(EMAIL_SUBJECT, "email.subject", "", "", 0, APP_BIT(SMTP), TO_SERVER, LIVE)                         \
    X(EMAIL_TO, "email.to", "", "", 0, APP_BIT(SMTP), TO_SERVER, LIVE)                                   \
    X(EMAIL_CC, "email.cc", "", "", 0, APP_BIT(SMTP), TO_SERVER, LIVE)                                   \
    X(EMAIL_DATE, "email.date", "", "", 0, APP_BIT(SMTP), TO_SERVER, LIVE)                               \
    X(EMAIL_MESSAGE_ID, "email.message_id", "", "", 0, APP_BIT(SMTP), TO_SERVER, LIVE)                   \
    X(EMAIL_X_MAILER, "email.x_mailer", "", "", 0, APP_BIT(SMTP), TO_SERVER, LIVE)                       \
    X(EMAIL_URL, "email.url", "", "", 0, APP_BIT(SMTP), TO_SERVER, LIVE | MULTI)                         \
    X(EMAIL_RECEIVED, "email.received", "", "", 0, APP_BIT(SMTP), TO_SERVER, LIVE | MULTI)               \
    X(EMAIL_BODY_MD5, "email.body_md5", "", "", 0, APP_BIT(SMTP), TO_SERVER, FOLDED)                     \
    X(FTP_COMMAND, "ftp.command", "", "", 0, APP_BIT(FTP), TO_SERVER, LIVE)                              \
    X(FTP_COMMAND_DATA, "ftp.command_data", "", "", 0, APP_BIT(FTP), TO_SERVER, LIVE)                    \
    X(FTP_REPLY, "ftp.reply", "", "", 0, APP_BIT(FTP), TO_CLIENT, LIVE | MULTI)                          \
    X(FTP_COMPLETION_CODE, "ftp.completion_code", "", "", 0, APP_BIT(FTP), TO_CLIENT, LIVE | MULTI)      \
    /* numbers: 0 active, 1 passive; of the data connection; whether there is a reply; 0 RETR, 1 STOR */ \
    X(FTP_MODE, "", "", "", 0, APP_BIT(FTP), BOTH_WAYS, LIVE)                                            \
    X(FTP_DYNAMIC_PORT, "", "", "", 0, APP_BIT(FTP), BOTH_WAYS, LIVE)                                    \
    X(FTP_REPLY_RECEIVED, "", "", "", 0, APP_BIT(FTP), BOTH_WAYS, LIVE)                                  \
    X(FTPDATA_COMMAND, "", "", "", 0, APP_BIT(FTP_DATA), BOTH_WAYS, LIVE)

#define BUFFERS_OF_SSH_AND_SMB(X)                                                                            \
    X(SSH_PROTO, "ssh.proto ssh_proto", "", "", 0, APP_BIT(SSH), BOTH_WAYS, LIVE)                            \
    X(SSH_SOFTWARE, "ssh.software ssh_software", "", "", 0, APP_BIT(SSH), BOTH_WAYS, LIVE)                   \
    X(SSH_HASSH, "ssh.hassh", "", "", 0, APP_BIT(SSH), TO_SERVER, LIVE | FOLDED)                             \
    X(SSH_HASSH_STRING, "ssh.hassh.string", "", "", 0, APP_BIT(SSH), TO_SERVER, LIVE)                        \
    X(SSH_HASSH_SERVER, "ssh.hassh.server", "", "", 0, APP_BIT(SSH), TO_CLIENT, LIVE | FOLDED)               \
    X(SSH_HASSH_SERVER_STRING, "ssh.hassh.server.string", "", "", 0, APP_BIT(SSH), TO_CLIENT, LIVE)          \
    X(SMB_NAMED_PIPE, "smb.named_pipe smb_named_pipe", "", "", 0, APP_BIT(SMB), TO_SERVER, LIVE)             \
    X(SMB_SHARE, "smb.share smb_share", "", "", 0, APP_BIT(SMB), TO_SERVER, LIVE)                            \
    X(SMB_NTLMSSP_USER, "smb.ntlmssp_user", "", "", 0, APP_BIT(SMB), TO_SERVER, LIVE)                        \
    X(SMB_NTLMSSP_DOMAIN, "smb.ntlmssp_domain", "", "", 0, APP_BIT(SMB), TO_SERVER, LIVE)                    \
    X(DCERPC_IFACE, "", "", "", 0, APP_BIT(DCERPC) | APP_BIT(SMB), BOTH_WAYS, LIVE) /* dcerpc.h */           \
    X(DCERPC_OPNUM, "", "", "", 0, APP_BIT(DCERPC) | APP_BIT(SMB), BOTH_WAYS, LIVE)                          \
    X(DCERPC_LITTLE, "", "", "", 0, APP_BIT(DCERPC) | APP_BIT(SMB), BOTH_WAYS,                               \
      LIVE) /* byte order of its integers */                                                                 \
    X(SMB_VERSION, "", "", "", 0, APP_BIT(SMB), BOTH_WAYS, LIVE)                                             \
    X(DCERPC_STUB_DATA, "dcerpc.stub_data dce_stub_data", "dce_stub_data", "", 0,                            \
      APP_BIT(DCERPC) | APP_BIT(SMB), BOTH_WAYS, LIVE)                                                       \
    X(KRB5_CNAME, "krb5.cname krb5_cname", "", "", 0, APP_BIT(KRB5), BOTH_WAYS, MULTI)                       \
    X(KRB5_SNAME, "krb5.sname krb5_sname", "", "", 0, APP_BIT(KRB5), BOTH_WAYS, MULTI)                       \
    X(LDAP_REQUEST_DN, "ldap.request.dn", "", "", 0, APP_BIT(LDAP), TO_SERVER, 0)                            \
    X(LDAP_RESPONSES_DN, "ldap.responses.dn", "", "", 0, APP_BIT(LDAP), TO_CLIENT, MULTI)                    \
    X(LDAP_RESPONSES_MESSAGE, "ldap.responses.message", "", "", 0, APP_BIT(LDAP), TO_CLIENT, MULTI)          \
    X(LDAP_REQUEST_ATTRIBUTE, "ldap.request.attribute_type", "", "", 0, APP_BIT(LDAP), TO_SERVER, MULTI)     \
    X(LDAP_RESPONSES_ATTRIBUTE, "ldap.responses.attribute_type", "", "", 0, APP_BIT(LDAP), TO_CLIENT, MULTI) \
    X(PGSQL_QUERY, "pgsql.query", "", "", 0, APP_BIT(PGSQL), TO_SERVER, 0)                                   \
    X(SNMP_VERSION, "", "", "", 0, APP_BIT(SNMP), BOTH_WAYS, LIVE)                                           \
    X(SNMP_PDU_TYPE, "", "", "", 0, APP_BIT(SNMP), BOTH_WAYS, LIVE)                                          \
    X(DHCP_LEASETIME, "", "", "", 0, APP_BIT(DHCP), BOTH_WAYS, LIVE)                                         \
    X(DHCP_RENEWAL_TIME, "", "", "", 0, APP_BIT(DHCP), BOTH_WAYS, LIVE)                                      \
    X(DHCP_REBINDING_TIME, "", "", "", 0, APP_BIT(DHCP), BOTH_WAYS, LIVE)                                    \
    X(SNMP_COMMUNITY, "snmp.community", "", "", 0, APP_BIT(SNMP), BOTH_WAYS, LIVE)                           \
    X(SNMP_USM, "snmp.usm", "", "", 0, APP_BIT(SNMP), BOTH_WAYS, LIVE)                                       \
    X(RFB_NAME, "rfb.name", "", "", 0, APP_BIT(RFB), TO_CLIENT, 0)                                           \
    X(IKE_INIT_SPI, "ike.init_spi", "", "", 0, APP_BIT(IKE), BOTH_WAYS, FOLDED)                              \
    X(IKE_RESP_SPI, "ike.resp_spi", "", "", 0, APP_BIT(IKE), BOTH_WAYS, FOLDED)                              \
    X(IKE_VENDOR, "ike.vendor", "", "", 0, APP_BIT(IKE), TO_SERVER, MULTI)                                   \
    X(IKE_KEY_EXCHANGE, "ike.key_exchange_payload", "", "", 0, APP_BIT(IKE), BOTH_WAYS, 0)                   \
    X(IKE_NONCE, "ike.nonce_payload", "", "", 0, APP_BIT(IKE), BOTH_WAYS, 0)

#define BUFFERS_OF_VOICE(X)                                                                                \
    X(SIP_METHOD, "sip.method", "", "", 0, APP_BIT(SIP), TO_SERVER, LIVE | LAST)                           \
    X(SIP_URI, "sip.uri", "", "", 0, APP_BIT(SIP), TO_SERVER, LIVE)                                        \
    X(SIP_REQUEST_LINE, "sip.request_line", "", "", 0, APP_BIT(SIP), TO_SERVER, LIVE)                      \
    X(SIP_RESPONSE_LINE, "sip.response_line", "", "", 0, APP_BIT(SIP), TO_CLIENT, LIVE)                    \
    X(SIP_STAT_CODE, "sip.stat_code", "", "", 0, APP_BIT(SIP), TO_CLIENT, LIVE | LAST)                     \
    X(SIP_STAT_MSG, "sip.stat_msg", "", "", 0, APP_BIT(SIP), TO_CLIENT, LIVE | LATE)                       \
    X(SIP_PROTOCOL, "sip.protocol", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE)                              \
    X(SIP_FROM, "sip.from", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE | MULTI)                              \
    X(SIP_TO, "sip.to", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE | MULTI)                                  \
    X(SIP_VIA, "sip.via", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE | MULTI)                                \
    X(SIP_USER_AGENT, "sip.user_agent sip.ua", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE | MULTI)           \
    X(SIP_CONTENT_TYPE, "sip.content_type", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE | MULTI)              \
    X(SIP_CONTENT_LENGTH, "sip.content_length", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE | MULTI)          \
    X(SIP_HEADER, "", "sip_header", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE)                                  \
    X(SIP_BODY, "", "sip_body", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE)                                      \
    X(SDP_ORIGIN, "sdp.origin", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE)                                  \
    X(SDP_SESSION_NAME, "sdp.session_name", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE)                      \
    X(SDP_SESSION_INFO, "sdp.session_info", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE)                      \
    X(SDP_URI, "sdp.uri", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE)                                        \
    X(SDP_EMAIL, "sdp.email", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE)                                    \
    X(SDP_PHONE_NUMBER, "sdp.phone_number", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE)                      \
    X(SDP_CONNECTION_DATA, "sdp.connection_data", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE)                \
    X(SDP_BANDWIDTH, "sdp.bandwidth", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE | MULTI)                    \
    X(SDP_TIME, "sdp.time", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE | MULTI)                              \
    X(SDP_REPEAT_TIME, "sdp.repeat_time", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE | MULTI)                \
    X(SDP_TIMEZONE, "sdp.timezone", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE)                              \
    X(SDP_ENCRYPTION_KEY, "sdp.encryption_key", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE)                  \
    X(SDP_ATTRIBUTE, "sdp.attribute", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE | MULTI)                    \
    X(SDP_MEDIA, "sdp.media.media", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE | MULTI)                      \
    X(SDP_MEDIA_INFO, "sdp.media.media_info sdp.media.session_info", "", "", 0, APP_BIT(SIP), BOTH_WAYS,   \
      LIVE | MULTI)                                                                                        \
    X(SDP_MEDIA_CONNECTION, "sdp.media.connection_data", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE | MULTI) \
    X(SDP_MEDIA_KEY, "sdp.media.encryption_key", "", "", 0, APP_BIT(SIP), BOTH_WAYS, LIVE | MULTI)         \
    X(SIP_METHOD_N, "", "", "", 0, APP_BIT(SIP), TO_SERVER, LIVE)                                          \
    X(SIP_STAT_N, "", "", "", 0, APP_BIT(SIP), TO_CLIENT, LIVE | MULTI)

#define BUFFERS_OF_MACHINES(X)                                                                               \
    X(MQTT_CLIENTID, "mqtt.connect.clientid", "", "", 0, APP_BIT(MQTT), TO_SERVER, LIVE)                     \
    X(MQTT_USERNAME, "mqtt.connect.username", "", "", 0, APP_BIT(MQTT), TO_SERVER, LIVE)                     \
    X(MQTT_PASSWORD, "mqtt.connect.password", "", "", 0, APP_BIT(MQTT), TO_SERVER, LIVE)                     \
    X(MQTT_WILLTOPIC, "mqtt.connect.willtopic", "", "", 0, APP_BIT(MQTT), TO_SERVER, LIVE)                   \
    X(MQTT_WILLMESSAGE, "mqtt.connect.willmessage", "", "", 0, APP_BIT(MQTT), TO_SERVER, LIVE)               \
    X(MQTT_PROTOCOL_STRING, "mqtt.connect.protocol_string", "", "", 0, APP_BIT(MQTT), TO_SERVER, LIVE)       \
    X(MQTT_PUBLISH_TOPIC, "mqtt.publish.topic", "", "", 0, APP_BIT(MQTT), BOTH_WAYS, LIVE)                   \
    X(MQTT_PUBLISH_MESSAGE, "mqtt.publish.message", "", "", 0, APP_BIT(MQTT), BOTH_WAYS, LIVE)               \
    X(MQTT_SUBSCRIBE_TOPIC, "mqtt.subscribe.topic", "", "", 0, APP_BIT(MQTT), TO_SERVER, LIVE | MULTI)       \
    X(MQTT_UNSUBSCRIBE_TOPIC, "mqtt.unsubscribe.topic", "", "", 0, APP_BIT(MQTT), TO_SERVER, LIVE | MULTI)   \
    X(MODBUS_DATA, "", "modbus_data", "", 0, APP_BIT(MODBUS), BOTH_WAYS, LIVE)                               \
    X(DNP3_DATA, "dnp3.data dnp3_data", "dnp3_data", "", 0, APP_BIT(DNP3), BOTH_WAYS, LIVE)                  \
    X(ENIP_PRODUCT_NAME, "enip.product_name", "", "", 0, APP_BIT(ENIP), TO_CLIENT, 0)                        \
    X(ENIP_SERVICE_NAME, "enip.service_name", "", "", 0, APP_BIT(ENIP), TO_CLIENT, 0)                        \
    X(MMS_DATA, "", "mms_data", "", 0, APP_BIT(MMS), BOTH_WAYS, 0)                                           \
    X(S7COMMPLUS_CONTENT, "", "s7commplus_content", "", 0, APP_BIT(S7COMM), BOTH_WAYS, 0)                    \
    /* numbers: kw/app_numbers.c; MODBUS_FACTS: modbus_facts.h */ X(MQTT_TYPE, "", "", "", 0, APP_BIT(MQTT), \
                                                                    BOTH_WAYS, LIVE)                         \
    X(MQTT_FLAGS, "", "", "", 0, APP_BIT(MQTT), BOTH_WAYS, LIVE)                                             \
    X(MQTT_QOS, "", "", "", 0, APP_BIT(MQTT), BOTH_WAYS, LIVE)                                               \
    X(MQTT_VERSION, "", "", "", 0, APP_BIT(MQTT), BOTH_WAYS, LIVE)                                           \
    X(MQTT_CONNECT_FLAGS, "", "", "", 0, APP_BIT(MQTT), BOTH_WAYS, LIVE)                                     \
    X(MQTT_RETURN_CODE, "", "", "", 0, APP_BIT(MQTT), BOTH_WAYS, LIVE)                                       \
    X(MQTT_SESSION_PRESENT, "", "", "", 0, APP_BIT(MQTT), BOTH_WAYS, LIVE)                                   \
    X(MQTT_REASON, "", "", "", 0, APP_BIT(MQTT), BOTH_WAYS, LIVE | MULTI)                                    \
    X(MODBUS_FUNC, "", "", "", 0, APP_BIT(MODBUS), BOTH_WAYS, LIVE)                                          \
    X(MODBUS_UNIT, "", "", "", 0, APP_BIT(MODBUS), BOTH_WAYS, LIVE)                                          \
    X(MODBUS_FACTS, "", "", "", 0, APP_BIT(MODBUS), BOTH_WAYS, LIVE)                                         \
    X(DNP3_FUNC, "", "", "", 0, APP_BIT(DNP3), BOTH_WAYS, LIVE)                                              \
    X(DNP3_IND, "", "", "", 0, APP_BIT(DNP3), BOTH_WAYS, LIVE)                                               \
    X(DNP3_OBJ, "", "", "", 0, APP_BIT(DNP3), BOTH_WAYS, LIVE | MULTI)

#define BUFFER_TABLE(X)        \
    BUFFERS_OF_PACKETS(X)      \
    BUFFERS_OF_HTTP(X)         \
    BUFFERS_OF_FILES(X)        \
    BUFFERS_OF_DNS(X)          \
    BUFFERS_OF_TLS(X)          \
    BUFFERS_OF_MAIL_AND_FTP(X) \
    BUFFERS_OF_SSH_AND_SMB(X)  \
    BUFFERS_OF_VOICE(X)        \
    BUFFERS_OF_MACHINES(X)

enum buffer_id {
#define X(id, suricata, snort3, modifier, letter, apps, direction, flags) BUF_##id,
    BUFFER_TABLE(X)
#undef X
        BUF_N
};

#define BUFFERS_OF_PACKETS_N (BUF_BASE64 + 1) /* the first rows: headers, payload, and what is made of them */

struct buffer_row {
    const char *suricata, *snort3, *modifier;
    uint64_t apps;     /* APP_BIT(); 0: of the packet, or of whatever carries files */
    uint8_t direction; /* enum buffer_direction */
    uint16_t flags;    /* enum buffer_flag */
    char letter;       /* pcre flag; 0: none */
};

extern const struct buffer_row buffer_table[BUF_N];

/* What a parser has put into a buffer; there may be more than one. */
struct buffer_instance {
    struct span bytes;
    uint16_t next; /* index + 1 of the next instance of the same buffer; 0: none */
    bool fresh;    /* put since rules looked last */
};

enum buffer_use {                        /* what a name is, by dialect */
                  USE_SURICATA = 1 << 0, /* sticky */
                  USE_SNORT3 = 1 << 1,   /* sticky */
                  USE_MODIFIER = 1 << 2, /* behind a content: Suricata, Snort 2 */
};

struct buffer_name {
    const char *name;
    uint32_t len;
    uint16_t buffer; /* enum buffer_id */
    uint8_t uses;    /* enum buffer_use */
};

struct draft;
struct draft_step;
struct option;

/* NULL when no buffer has that name in any dialect. */
const struct buffer_name *buffers_lookup(struct span name);
/* The buffer that a pcre flag names; BUF_N: none. */
enum buffer_id buffers_letter(char letter);
/* Its first name, for messages. */
const char *buffers_name(enum buffer_id b);
/* What n is in the dialect: 0, USE_MODIFIER, or another use for a sticky buffer. */
uint8_t buffers_use(const struct buffer_name *n, uint8_t dialect);
/* For "did you mean". */
void buffers_each_name(void (*take)(const char *name, void *arg), void *arg);

/* A rule names a buffer: as a sticky buffer, or as the modifier of the content before it. False: reported. */
bool buffers_option(struct draft *d, const struct buffer_name *n, const struct option *o);
/* Moves a content or pcre into the buffer, as a modifier behind it or a letter does. False: reported. */
bool buffers_move_step(struct draft *d, struct draft_step *s, const uint8_t *at, enum buffer_id b);
/* An option that says itself which buffer it looks into, wherever it stands. */
void buffers_look(struct draft *d, struct draft_step *s, enum buffer_id b);
/* When the rule is known: empty sticky buffers, directions, case. Errors are reported. */
void buffers_check(struct draft *d);
#endif
