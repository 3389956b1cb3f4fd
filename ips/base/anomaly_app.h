/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_ANOMALY_APP_H
#define SLUICE_BASE_ANOMALY_APP_H
/*
 * Rows of ANOMALY_TABLE (anomaly.h) that parsers set, by protocol: X(id, "word", "what it means"). The word is that of
 * app-layer-event; a help that begins with '*' is an ambiguity: two receivers may read the bytes differently
 * (app.ambiguous). AN_APP_MISMATCH is the first of them.
 */

#define ANOMALIES_OF_ANY_APP(X)                                      \
    X(AN_APP_MISMATCH, "applayer_mismatch_protocol_both_directions", \
      "the two directions speak different protocols")                \
    X(AN_APP_GAP, "applayer_gap", "bytes are missing: the parser gets no more of this direction")
#define ANOMALIES_OF_HTTP(X)
#define ANOMALIES_OF_BODIES(X)
#define ANOMALIES_OF_HTTP2(X)
#define ANOMALIES_OF_TLS(X)
#define ANOMALIES_OF_QUIC(X)
#define ANOMALIES_OF_DNS(X)
#define ANOMALIES_OF_MAIL(X)
#define ANOMALIES_OF_FTP(X)
#define ANOMALIES_OF_SSH(X)                                                                            \
    X(AN_SSH_INVALID_BANNER, "ssh.invalid_banner",                                                     \
      "a banner without version or software, or none where it must be")                                \
    X(AN_SSH_LONG_BANNER, "ssh.long_banner", "a banner of more than 255 bytes")                        \
    X(AN_SSH_INVALID_RECORD, "ssh.invalid_record", "a record or an offer with lengths that cannot be") \
    X(AN_SSH_LONG_KEX_RECORD, "ssh.long_kex_record", "an offer of more than 64 KB, which is not read")
#define ANOMALIES_OF_SMB(X)
#define ANOMALIES_OF_VOICE(X)                                                                            \
    X(AN_SIP_INVALID, "sip.invalid_data", "neither a request line nor a status line begins the message") \
    X(AN_SIP_INCOMPLETE, "sip.incomplete_data",                                                          \
      "a message ends before its empty line, or before its Content-Length")                              \
    X(AN_SIP_LENGTH, "sip.ambiguous_content_length",                                                     \
      "*Content-Length is no number, or there are two that differ")                                      \
    X(AN_SIP_TRAILING, "sip.trailing_data", "a datagram goes on behind its Content-Length")              \
    X(AN_SIP_HEADERS_LONG, "sip.headers_too_long",                                                       \
      "a head beyond app.headers, app.headers_bytes or app.header_line")                                 \
    X(AN_SIP_BODY_LONG, "sip.body_too_long", "a body that is too long to be read for a session description")
#define ANOMALIES_OF_MACHINES(X)
#define ANOMALIES_OF_OTHERS(X)

#define ANOMALIES_OF_APP(X)  \
    ANOMALIES_OF_ANY_APP(X)  \
    ANOMALIES_OF_HTTP(X)     \
    ANOMALIES_OF_BODIES(X)   \
    ANOMALIES_OF_HTTP2(X)    \
    ANOMALIES_OF_TLS(X)      \
    ANOMALIES_OF_QUIC(X)     \
    ANOMALIES_OF_DNS(X)      \
    ANOMALIES_OF_MAIL(X)     \
    ANOMALIES_OF_FTP(X)      \
    ANOMALIES_OF_SSH(X)      \
    ANOMALIES_OF_SMB(X)      \
    ANOMALIES_OF_VOICE(X)    \
    ANOMALIES_OF_MACHINES(X) \
    ANOMALIES_OF_OTHERS(X)
#endif
