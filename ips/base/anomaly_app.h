/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_ANOMALY_APP_H
#define SLUICE_BASE_ANOMALY_APP_H
/*
 * Rows of ANOMALY_TABLE (anomaly.h) that parsers set, by protocol: X(id, "word", "what it means"). The word is that of
 * app-layer-event; a help that begins with '*' is an ambiguity: two receivers may read the bytes differently
 * (app.ambiguous); one that begins with '#' is a limit of ours behind which something is not looked into
 * (app.memcap_policy). AN_APP_MISMATCH is the first of them.
 */

#define ANOMALIES_OF_ANY_APP(X)                                                                           \
    X(AN_APP_MISMATCH, "applayer_mismatch_protocol_both_directions",                                      \
      "*the two directions, or two datagrams, speak different protocols")                                 \
    X(AN_APP_SWITCHES, "applayer_too_many_switches", "#one segment changes the protocol again and again") \
    X(AN_APP_GAP, "applayer_gap", "bytes are missing: the parser gets no more of this direction")
#define ANOMALIES_OF_HTTP(X)                                                                                 \
    X(AN_HTTP_REQUEST_FIELD_MISSING_COLON, "http.request_field_missing_colon",                               \
      "*a line among a request's header fields without a colon")                                             \
    X(AN_HTTP_RESPONSE_FIELD_MISSING_COLON, "http.response_field_missing_colon",                             \
      "*a line among a response's header fields without a colon")                                            \
    X(AN_HTTP_INVALID_REQUEST_CHUNK_LEN, "http.invalid_request_chunk_len",                                   \
      "*the length of a request's chunk is no number")                                                       \
    X(AN_HTTP_INVALID_RESPONSE_CHUNK_LEN, "http.invalid_response_chunk_len",                                 \
      "*the length of a response's chunk is no number")                                                      \
    X(AN_HTTP_INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST, "http.invalid_transfer_encoding_value_in_request", \
      "*a request's transfer encoding is not one that is known, or not the last")                            \
    X(AN_HTTP_INVALID_TRANSFER_ENCODING_VALUE_IN_RESPONSE,                                                   \
      "http.invalid_transfer_encoding_value_in_response",                                                    \
      "*a response's transfer encoding is not one that is known, or not the last")                           \
    X(AN_HTTP_INVALID_CONTENT_LENGTH_FIELD_IN_REQUEST, "http.invalid_content_length_field_in_request",       \
      "*a request's content length is no number")                                                            \
    X(AN_HTTP_INVALID_CONTENT_LENGTH_FIELD_IN_RESPONSE, "http.invalid_content_length_field_in_response",     \
      "*a response's content length is no number")                                                           \
    X(AN_HTTP_DUPLICATE_CONTENT_LENGTH_FIELD_IN_REQUEST, "http.duplicate_content_length_field_in_request",   \
      "a request has two content lengths")                                                                   \
    X(AN_HTTP_DUPLICATE_CONTENT_LENGTH_FIELD_IN_RESPONSE, "http.duplicate_content_length_field_in_response", \
      "a response has two content lengths")                                                                  \
    X(AN_HTTP_100_CONTINUE_ALREADY_SEEN, "http.100_continue_already_seen",                                   \
      "a second 100 (Continue) for one request")                                                             \
    X(AN_HTTP_UNABLE_TO_MATCH_RESPONSE_TO_REQUEST, "http.unable_to_match_response_to_request",               \
      "a response that no request asked for")                                                                \
    X(AN_HTTP_INVALID_SERVER_PORT_IN_REQUEST, "http.invalid_server_port_in_request",                         \
      "the port in a request's target is no number")                                                         \
    X(AN_HTTP_INVALID_AUTHORITY_PORT, "http.invalid_authority_port",                                         \
      "the port that CONNECT asks for is no number")                                                         \
    X(AN_HTTP_REQUEST_HEADER_INVALID, "http.request_header_invalid",                                         \
      "*a request's header field whose name is no token")                                                    \
    X(AN_HTTP_RESPONSE_HEADER_INVALID, "http.response_header_invalid",                                       \
      "*a response's header field whose name is no token")                                                   \
    X(AN_HTTP_MISSING_HOST_HEADER, "http.missing_host_header", "a request of HTTP/1.1 without a host")       \
    X(AN_HTTP_HOST_HEADER_AMBIGUOUS, "http.host_header_ambiguous",                                           \
      "*a request that names more than one host")                                                            \
    X(AN_HTTP_INVALID_REQUEST_FIELD_FOLDING, "http.invalid_request_field_folding",                           \
      "*a request's header field that is folded, or one with nothing to fold")                               \
    X(AN_HTTP_INVALID_RESPONSE_FIELD_FOLDING, "http.invalid_response_field_folding",                         \
      "*a response's header field that is folded, or one with nothing to fold")                              \
    X(AN_HTTP_REQUEST_FIELD_TOO_LONG, "http.request_field_too_long",                                         \
      "#a line or all lines of a request's head are longer than is looked at")                               \
    X(AN_HTTP_RESPONSE_FIELD_TOO_LONG, "http.response_field_too_long",                                       \
      "#a line or all lines of a response's head are longer than is looked at")                              \
    X(AN_HTTP_REQUEST_LINE_INVALID, "http.request_line_invalid", "*a request line that is none")             \
    X(AN_HTTP_REQUEST_LINE_INCOMPLETE, "http.request_line_incomplete",                                       \
      "the connection ended in a request line")                                                              \
    X(AN_HTTP_REQUEST_BODY_UNEXPECTED, "http.request_body_unexpected",                                       \
      "*a body of a request that should have none")                                                          \
    X(AN_HTTP_RESPONSE_BODY_UNEXPECTED, "http.response_body_unexpected",                                     \
      "*bytes behind a response, or in one that should have none")                                           \
    X(AN_HTTP_REQUEST_SERVER_PORT_TCP_PORT_MISMATCH, "http.request_server_port_tcp_port_mismatch",           \
      "the port that a request names is not the one it was sent to")                                         \
    X(AN_HTTP_REQUEST_URI_HOST_INVALID, "http.request_uri_host_invalid",                                     \
      "the host in a request's target is no valid one")                                                      \
    X(AN_HTTP_REQUEST_HEADER_HOST_INVALID, "http.request_header_host_invalid",                               \
      "the host that a request names is no valid one")                                                       \
    X(AN_HTTP_REQUEST_AUTH_UNRECOGNIZED, "http.request_auth_unrecognized",                                   \
      "credentials in a scheme that is not known")                                                           \
    X(AN_HTTP_REQUEST_HEADER_REPETITION, "http.request_header_repetition",                                   \
      "a request's header field came more than once")                                                        \
    X(AN_HTTP_RESPONSE_HEADER_REPETITION, "http.response_header_repetition",                                 \
      "a response's header field came more than once")                                                       \
    X(AN_HTTP_RESPONSE_ABNORMAL_TRANSFER_ENCODING, "http.response_abnormal_transfer_encoding",               \
      "a response with a transfer encoding other than chunked")                                              \
    X(AN_HTTP_RESPONSE_CHUNKED_OLD_PROTO, "http.response_chunked_old_proto",                                 \
      "*a response of HTTP/1.0 that is chunked")                                                             \
    X(AN_HTTP_RESPONSE_INVALID_PROTOCOL, "http.response_invalid_protocol",                                   \
      "*a response of a protocol version that does not exist")                                               \
    X(AN_HTTP_RESPONSE_INVALID_STATUS, "http.response_invalid_status",                                       \
      "*a response whose status is no number of three digits")                                               \
    X(AN_HTTP_RESPONSE_MULTIPART_BYTERANGES, "http.response_multipart_byteranges",                           \
      "a response in several parts")                                                                         \
    X(AN_HTTP_DOUBLE_ENCODED_URI, "http.double_encoded_uri", "a target that is percent-encoded twice")       \
    X(AN_HTTP_URI_DELIM_NON_COMPLIANT, "http.uri_delim_non_compliant",                                       \
      "*white space in a request's target, or other than one blank behind it")                               \
    X(AN_HTTP_METHOD_DELIM_NON_COMPLIANT, "http.method_delim_non_compliant",                                 \
      "*other white space than one blank behind a request's method")                                         \
    X(AN_HTTP_REQUEST_LINE_LEADING_WHITESPACE, "http.request_line_leading_whitespace",                       \
      "*white space in front of a request's method")                                                         \
    X(AN_HTTP_REQUEST_CHUNK_EXTENSION, "http.request_chunk_extension",                                       \
      "*a chunk of a request with more than its length")                                                     \
    X(AN_HTTP_REQUEST_TOO_MANY_HEADERS, "http.request_too_many_headers",                                     \
      "a request with more header fields than app limits say")                                               \
    X(AN_HTTP_RESPONSE_TOO_MANY_HEADERS, "http.response_too_many_headers",                                   \
      "a response with more header fields than app limits say")                                              \
    X(AN_HTTP_FAILED_PROTOCOL_CHANGE, "http.failed_protocol_change",                                         \
      "the connection should have changed its protocol, and did not")                                        \
    X(AN_HTTP_RESPONSE_CHUNK_EXTENSION, "http.response_chunk_extension",                                     \
      "a chunk of a response with more than its length")                                                     \
    X(AN_HTTP_CONFLICTING_LENGTH, "http.conflicting_length", "*two content lengths that differ")             \
    X(AN_HTTP_LENGTH_AND_CHUNKED, "http.length_and_chunked", "*a content length in a chunked message")       \
    X(AN_HTTP_CHUNK_END_INVALID, "http.chunk_end_invalid", "*a chunk that does not end with CRLF")           \
    X(AN_HTTP_BARE_CR, "http.bare_cr", "*a carriage return within a line of a message's head")               \
    X(AN_HTTP_NUL_IN_HEAD, "http.nul_in_head", "*a NUL within a message's head")                             \
    X(AN_HTTP_SPACE_BEFORE_COLON, "http.space_before_colon",                                                 \
      "*white space between a header field's name and its colon")                                            \
    X(AN_HTTP_REQUEST_WITHOUT_VERSION, "http.request_without_version", "*a request line without a version")  \
    X(AN_HTTP_URI_U_ENCODED, "http.uri_u_encoded", "*%u in a request's target")                              \
    X(AN_HTTP_URI_NOT_UTF8, "http.uri_not_utf8", "a target whose bytes are no UTF-8, or overlong")           \
    X(AN_HTTP_TOO_MANY_TRANSACTIONS, "http.too_many_transactions",                                           \
      "#more requests wait for an answer than app limits say")                                               \
    X(AN_HTTP_ABNORMAL_CE_HEADER, "http.abnormal_ce_header",                                                 \
      "*a content encoding that is not known, or not written as it should be")                               \
    X(AN_HTTP_CONNECT_EARLY_DATA, "http.connect_early_data", "*data for a tunnel that is not open yet")
#define ANOMALIES_OF_BODIES(X)                                                                              \
    X(AN_BODY_GZIP, "http.gzip_decompression_failed",                                                       \
      "*a body is not the gzip or deflate that it claims to be: receivers show it raw, in part, or not")    \
    X(AN_BODY_CODING, "http.decompression_failed",                                                          \
      "*a body is not the brotli, zstd or lzma that it claims to be: shown raw, in part, or not")           \
    X(AN_BODY_WINDOW, "http.lzma_memlimit_reached",                                                         \
      "*a compressed body refers farther back than is kept: the rest is not understood")                    \
    X(AN_BODY_LAYERS, "http.too_many_encoding_layers",                                                      \
      "#more compressions on top of each other than are undone (app.layers)")                               \
    X(AN_BODY_BOMB, "http.compression_bomb",                                                                \
      "#a body grows too much when it is decompressed (app.decompress_ratio): the rest is not looked into") \
    X(AN_BODY_HEADER, "http.compression_header", "*flags in a gzip header that mean nothing")               \
    X(AN_BODY_CHECKSUM, "http.compression_checksum",                                                        \
      "*a compressed body's checksum or length is wrong: some receivers refuse it")                         \
    X(AN_BODY_MEMBERS, "http.compression_members",                                                          \
      "*a second gzip stream behind the first: some receivers stop after one")                              \
    X(AN_BODY_BEHIND, "http.compression_trailing", "*bytes behind the end of a compressed body")            \
    X(AN_BODY_CUT, "http.compression_truncated", "a body ends before its compression does")                 \
    X(AN_BODY_MULTIPART, "http.multipart_generic_error",                                                    \
      "*form data without a boundary, or that does not end with it")                                        \
    X(AN_BODY_MULTIPART_HEADER, "http.multipart_invalid_header",                                            \
      "*a part of form data with odd fields, or a file's name twice")                                       \
    X(AN_BODY_MULTIPART_EMPTY, "http.multipart_no_filedata",                                                \
      "a part of form data that should be a file is empty")
#define ANOMALIES_OF_TLS(X)                                                                               \
    X(AN_TLS_SSL2_HEADER, "tls.invalid_sslv2_header", "an SSLv2 message that is none")                    \
    X(AN_TLS_HEADER, "tls.invalid_tls_header", "what should be the first record is none")                 \
    X(AN_TLS_RECORD_VERSION, "tls.invalid_record_version", "a record of a version that TLS never had")    \
    X(AN_TLS_RECORD_TYPE, "tls.invalid_record_type", "a record of a type that TLS does not have")         \
    X(AN_TLS_RECORD_LENGTH, "tls.invalid_record_length", "a record longer than any may be")               \
    X(AN_TLS_HANDSHAKE_INVALID, "tls.invalid_handshake_message",                                          \
      "a handshake message of an unknown type, or one too many of a type")                                \
    X(AN_TLS_HELLO_LENGTH, "tls.handshake_invalid_length",                                                \
      "* a hello whose lengths do not fit, or that has bytes left over")                                  \
    X(AN_TLS_MESSAGE_TOO_LARGE, "tls.handshake_too_large",                                                \
      "* a hello or certificates that are longer than is read")                                           \
    X(AN_TLS_INTERLEAVED, "tls.handshake_interleaved",                                                    \
      "* another record in the middle of a handshake message")                                            \
    X(AN_TLS_SNI_TWICE, "tls.multiple_sni_extensions", "* more than one server name")                     \
    X(AN_TLS_SNI_TYPE, "tls.invalid_sni_type", "* a server name that is no host name")                    \
    X(AN_TLS_SNI_LENGTH, "tls.invalid_sni_length",                                                        \
      "* a server name that does not fit its list, or is empty")                                          \
    X(AN_TLS_SNI_NAME, "tls.invalid_sni_name", "* a NUL in a server name")                                \
    X(AN_TLS_SNI_CHANGED, "tls.changed_sni", "* the client's second hello asks for another server name")  \
    X(AN_TLS_EXTENSION_TWICE, "tls.duplicate_extension", "* an extension twice")                          \
    X(AN_TLS_CERT_INVALID, "tls.invalid_certificate", "a chain of certificates whose lengths do not fit") \
    X(AN_TLS_CERT_DER, "tls.certificate_invalid_der", "a certificate that is no DER")                     \
    X(AN_TLS_CERT_VERSION, "tls.certificate_invalid_version", "a certificate of an unknown version")      \
    X(AN_TLS_CERT_SERIAL, "tls.certificate_invalid_serial", "a certificate without a serial number")      \
    X(AN_TLS_CERT_ALGORITHM, "tls.certificate_invalid_algorithmidentifier",                               \
      "a certificate without an algorithm")                                                               \
    X(AN_TLS_CERT_NAME, "tls.certificate_invalid_x509name", "a certificate whose names cannot be read")   \
    X(AN_TLS_CERT_DATE, "tls.certificate_invalid_date", "a certificate whose dates cannot be read")       \
    X(AN_TLS_CERT_EXTENSIONS, "tls.certificate_invalid_extensions",                                       \
      "a certificate whose extensions cannot be read")                                                    \
    X(AN_TLS_ERROR, "tls.error_message_encountered", "an SSLv2 error message")                            \
    X(AN_TLS_HEARTBEAT, "tls.heartbeat_message", "a heartbeat")                                           \
    X(AN_TLS_HEARTBEAT_OVERFLOW, "tls.overflow_heartbeat_message",                                        \
      "a heartbeat that claims to be longer than its record (CVE-2014-0160)")                             \
    X(AN_TLS_HEARTBEAT_INVALID, "tls.invalid_heartbeat_message",                                          \
      "a heartbeat that neither asks nor answers")                                                        \
    X(AN_TLS_HEARTBEAT_LEAK, "tls.dataleak_heartbeat_mismatch",                                           \
      "an encrypted heartbeat that is longer than the one it answers (CVE-2014-0160)")
#define ANOMALIES_OF_HTTP2(X)                                                                                \
    X(AN_HTTP2_INVALID_FRAME_HEADER, "http2.invalid_frame_header", "a frame on a stream where it cannot be") \
    X(AN_HTTP2_INVALID_CLIENT_MAGIC, "http2.invalid_client_magic", "the client's preface is another one")    \
    X(AN_HTTP2_INVALID_FRAME_LENGTH, "http2.invalid_frame_length",                                           \
      "a length that frames of that type cannot have")                                                       \
    X(AN_HTTP2_INVALID_PADDING, "http2.invalid_frame_data", "more padding than the frame has bytes")         \
    X(AN_HTTP2_INVALID_HEADER, "http2.invalid_header", "a header block that HPACK cannot decode")            \
    X(AN_HTTP2_LONG_FRAME, "http2.long_frame_data", "*a frame longer than was agreed")                       \
    X(AN_HTTP2_STREAM_ID_REUSE, "http2.stream_id_reuse", "*a header block on a stream that is over")         \
    X(AN_HTTP2_TOO_MANY_STREAMS, "http2.too_many_streams", "#more streams open than app.transactions")       \
    X(AN_HTTP2_AUTHORITY_HOST, "http2.authority_host_mismatch", "*:authority and Host name different hosts") \
    X(AN_HTTP2_USERINFO, "http2.userinfo_in_uri", "a user's name in :authority")                             \
    X(AN_HTTP2_DNS_REQUEST_TOO_LONG, "http2.dns_request_too_long", "a DNS message that is longer than any")  \
    X(AN_HTTP2_DNS_RESPONSE_TOO_LONG, "http2.dns_response_too_long", "a DNS answer that is longer than any") \
    X(AN_HTTP2_DATA_STREAM_ZERO, "http2.data_stream_zero", "DATA of no stream")                              \
    X(AN_HTTP2_TOO_MANY_FRAMES, "http2.too_many_frames",                                                     \
      "#a flood of frames that carry nothing of a message")                                                  \
    X(AN_HTTP2_BLOCK_INTERRUPTED, "http2.header_block_interrupted", "another frame inside a header block")   \
    X(AN_HTTP2_CONTINUATION_FLOOD, "http2.continuation_flood", "#a header block in too many frames")         \
    X(AN_HTTP2_RAPID_RESET, "http2.rapid_reset", "many requests called off as soon as they were made")       \
    X(AN_HTTP2_HEADERS_TOO_LARGE, "http2.headers_too_large", "headers beyond the limit, inspected in parts") \
    X(AN_HTTP2_HEADER_BOMB, "http2.header_bomb", "#a few bytes that stand for a flood of headers")           \
    X(AN_HTTP2_INVALID_PSEUDO, "http2.invalid_pseudo_header",                                                \
      "*a pseudo header that is missing, repeated or out of place")                                          \
    X(AN_HTTP2_INVALID_HEADER_BYTES, "http2.invalid_header_bytes",                                           \
      "*bytes in a header that end it elsewhere")                                                            \
    X(AN_HTTP2_CONNECTION_HEADER, "http2.connection_header",                                                 \
      "*a header that means something to HTTP/1 only")                                                       \
    X(AN_HTTP2_INVALID_TARGET, "http2.invalid_target",                                                       \
      "*blanks or other odd bytes in the method, path or host")                                              \
    X(AN_HTTP2_CONTENT_LENGTH, "http2.content_length_mismatch", "*content-length is not what comes")         \
    X(AN_HTTP2_DATA_OUT_OF_PLACE, "http2.data_out_of_place",                                                 \
      "*DATA behind its stream's end, or in front of its headers")                                           \
    X(AN_WEBSOCKET_MASK, "websocket.invalid_mask",                                                           \
      "*a client's frame without a mask, or a server's with one")                                            \
    X(AN_WEBSOCKET_RESERVED, "websocket.reserved_bits", "*bits of a frame that mean nothing there")          \
    X(AN_WEBSOCKET_OPCODE, "websocket.invalid_opcode", "a frame of an unknown kind")                         \
    X(AN_WEBSOCKET_LENGTH, "websocket.invalid_length", "*a length in more bytes than it needs")              \
    X(AN_WEBSOCKET_CONTROL, "websocket.invalid_control_frame",                                               \
      "*a control frame that is long, or one of several")                                                    \
    X(AN_WEBSOCKET_FRAGMENTS, "websocket.invalid_fragments", "*frames that do not make a message")           \
    X(AN_WEBSOCKET_AFTER_CLOSE, "websocket.data_after_close", "*frames behind the one that closes")          \
    X(AN_WEBSOCKET_UNPACKING, "websocket.failed_decompression", "*a packed message that cannot be unpacked")
#define ANOMALIES_OF_QUIC(X)                                                                                \
    X(AN_QUIC_FAILED_DECRYPT, "quic.failed_decrypt",                                                        \
      "an Initial packet that no key of its connection opens")                                              \
    X(AN_QUIC_ERROR_ON_DATA, "quic.error_on_data", "a frame or message that an Initial packet cannot hold") \
    X(AN_QUIC_ERROR_ON_HEADER, "quic.error_on_header", "a header that is not whole")                        \
    X(AN_QUIC_CRYPTO_OVERLAP, "quic.crypto_overlap", "*bytes of the handshake come twice and differ")       \
    X(AN_QUIC_CRYPTO_TOO_LONG, "quic.crypto_too_long",                                                      \
      "#more than 32 KB of a handshake that is not complete")                                               \
    X(AN_QUIC_TOO_MANY_CONNECTIONS, "quic.too_many_connections",                                            \
      "#more connections at a time than are kept apart")
#define ANOMALIES_OF_DNS(X)                                                                            \
    X(AN_DNS_MALFORMED_DATA, "dns.malformed_data", "a question or answer that is not whole")           \
    X(AN_DNS_INVALID_AUTHORITIES, "dns.invalid_authorities", "an authority record that is not whole")  \
    X(AN_DNS_INVALID_ADDITIONALS, "dns.invalid_additionals", "an additional record that is not whole") \
    X(AN_DNS_NOT_REQUEST, "dns.not_a_request", "a response towards the server")                        \
    X(AN_DNS_NOT_RESPONSE, "dns.not_a_response", "a request towards the client")                       \
    X(AN_DNS_Z_FLAG_SET, "dns.z_flag_set", "the reserved bit is set")                                  \
    X(AN_DNS_INVALID_OPCODE, "dns.invalid_opcode", "an operation that is not assigned")                \
    X(AN_DNS_NAME_TOO_LONG, "dns.name_too_long", "*a name of more than 255 bytes")                     \
    X(AN_DNS_INFINITE_LOOP, "dns.infinite_loop", "the pointers of a name go round")                    \
    X(AN_DNS_TOO_MANY_LABELS, "dns.too_many_labels", "a name of more than 255 labels")                 \
    X(AN_DNS_FORWARD_POINTER, "dns.forward_pointer", "*a pointer to what comes later in the message")  \
    X(AN_DNS_TOO_MANY_NAMES, "dns.too_many_names", "#the names together are 8 times longer than the message")
#define ANOMALIES_OF_MAIL(X)                                                                                 \
    X(AN_SMTP_INVALID_REPLY, "smtp.invalid_reply", "a line of the server that is no reply")                  \
    X(AN_SMTP_UNMATCHED_REPLY, "smtp.unable_to_match_reply_with_request", "a reply to no command")           \
    X(AN_SMTP_LONG_COMMAND, "smtp.max_command_line_len_exceeded", "a command of more than 4096 bytes")       \
    X(AN_SMTP_LONG_REPLY, "smtp.max_reply_line_len_exceeded", "a reply's line of more than 4096 bytes")      \
    X(AN_SMTP_TRUNCATED_LINE, "smtp.truncated_line", "the end of a long line was not looked at")             \
    X(AN_SMTP_MANY_COMMANDS, "smtp.too_many_commands", "more than 64 commands wait for replies")             \
    X(AN_SMTP_PIPELINED, "smtp.invalid_pipelined_sequence",                                                  \
      "*sent behind DATA, STARTTLS or AUTH without waiting for the reply")                                   \
    X(AN_SMTP_SMUGGLED_END, "smtp.smuggled_end_of_data",                                                     \
      "*a dot on a line of its own, but without CR LF around it: the mail's end for some servers")           \
    X(AN_SMTP_BDAT_NOT_OFFERED, "smtp.bdat_not_offered", "*BDAT, and the server did not offer CHUNKING")     \
    X(AN_SMTP_BDAT_LENGTH, "smtp.bdat_chunk_len_exceeded", "*BDAT without a length that can be")             \
    X(AN_SMTP_DUPLICATE_FIELDS, "smtp.duplicate_fields",                                                     \
      "a header field of a mail that may come once comes again")                                             \
    X(AN_MIME_MALFORMED, "smtp.mime_malformed_msg",                                                          \
      "*a header of a mail that is none, or is cut, or a multipart without a boundary")                      \
    X(AN_MIME_INVALID_BASE64, "smtp.mime_invalid_base64",                                                    \
      "characters in base64 that are none of it, or a wrong end")                                            \
    X(AN_MIME_BASE64_GOES_ON, "smtp.mime_base64_behind_padding",                                             \
      "*base64 goes on behind its padding, where some readers stop")                                         \
    X(AN_MIME_INVALID_QP, "smtp.mime_invalid_qp", "an escape in quoted-printable that is none")              \
    X(AN_MIME_LONG_LINE, "smtp.mime_long_line", "a line of a mail with more than 998 bytes")                 \
    X(AN_MIME_LONG_ENC_LINE, "smtp.mime_long_enc_line", "an encoded line with more than 76 bytes")           \
    X(AN_MIME_LONG_NAME, "smtp.mime_long_header_name", "the name of a header field has more than 75 bytes")  \
    X(AN_MIME_LONG_VALUE, "smtp.mime_long_header_value",                                                     \
      "the value of a header field has more than 2000 bytes")                                                \
    X(AN_MIME_LONG_BOUNDARY, "smtp.mime_long_boundary", "*a boundary of more than 254 bytes")                \
    X(AN_MIME_LONG_FILENAME, "smtp.mime_long_filename", "the name of an attachment has more than 255 bytes") \
    X(AN_MIME_DUPLICATE, "smtp.mime_duplicate_field", "*what says what a part of a mail is comes twice")     \
    X(AN_MIME_UNKNOWN_ENCODING, "smtp.mime_unknown_encoding", "*a transfer encoding that nobody knows")      \
    X(AN_MIME_ENCODED_PARTS, "smtp.mime_encoded_parts",                                                      \
      "*a mail or multipart in base64 or quoted-printable")                                                  \
    X(AN_MIME_LIKE_BOUNDARY, "smtp.mime_like_boundary", "*a line that begins like a boundary and goes on")   \
    X(AN_MIME_DEEP, "smtp.mime_too_deep",                                                                    \
      "*more than 16 multiparts inside each other: the rest is looked at as it is")                          \
    X(AN_POP3_MANY_COMMANDS, "pop3.too_many_commands", "#more than 1024 commands wait for answers")          \
    X(AN_POP3_PIPELINED, "pop3.stls_pipelined", "*sent behind STLS without waiting for the answer")          \
    X(AN_POP3_UNMATCHED, "pop3.unmatched_answer", "an answer to no command")                                 \
    X(AN_POP3_ODD_END, "pop3.ambiguous_end", "*a dot on a line of its own, but without CR LF around it")     \
    X(AN_IMAP_PIPELINED, "imap.starttls_pipelined", "*sent behind STARTTLS without waiting for the answer")  \
    X(AN_IMAP_LONG_LINE, "imap.long_line", "a line of more than 8192 bytes")                                 \
    X(AN_SMTP_NO_WELCOME, "smtp.no_server_welcome_message", "the client speaks before the server")           \
    X(AN_SMTP_TLS_REJECTED, "smtp.tls_rejected", "the server refused STARTTLS")                              \
    X(AN_SMTP_DATA_REJECTED, "smtp.data_command_rejected", "the server refused DATA")
#define ANOMALIES_OF_FTP(X)                                                                                \
    X(AN_FTP_LONG_REQUEST, "ftp.request_command_too_long", "a command of more than 4096 bytes")            \
    X(AN_FTP_LONG_RESPONSE, "ftp.response_command_too_long", "a reply's line of more than 4096 bytes")     \
    X(AN_FTP_TOO_MANY, "ftp.too_many_transactions",                                                        \
      "too many commands wait for replies: the oldest were given up")                                      \
    X(AN_FTP_OTHER_HOST, "ftp.data_to_other_host",                                                         \
      "*a data connection is to go to another host than the one that asks for it")                         \
    X(AN_FTP_TELNET, "ftp.telnet_command", "*a telnet command within a command: some servers take it out") \
    X(AN_FTP_DATA_BOTH_WAYS, "ftp.data_both_ways", "*a data connection with bytes in both directions")     \
    X(AN_FTP_AUTH_PIPELINED, "ftp.auth_pipelined", "*sent behind AUTH without waiting for the reply")
#define ANOMALIES_OF_SSH(X)                                                                            \
    X(AN_SSH_INVALID_BANNER, "ssh.invalid_banner",                                                     \
      "a banner without version or software, or none where it must be")                                \
    X(AN_SSH_LONG_BANNER, "ssh.long_banner", "a banner of more than 255 bytes")                        \
    X(AN_SSH_INVALID_RECORD, "ssh.invalid_record", "a record or an offer with lengths that cannot be") \
    X(AN_SSH_LONG_KEX_RECORD, "ssh.long_kex_record", "an offer of more than 64 KB, which is not read")
#define ANOMALIES_OF_SMB(X)                                                                                \
    X(AN_SMB_MALFORMED, "smb.malformed_data", "a message whose lengths cannot be, or that is none")        \
    X(AN_SMB_NTLMSSP, "smb.malformed_ntlmssp_request", "an NTLMSSP message whose parts lie outside of it") \
    X(AN_SMB_DIALECTS, "smb.negotiate_malformed_dialects", "a list of dialects that cannot be read")       \
    X(AN_SMB_FILE_OVERLAP, "smb.file_overlap", "bytes of a file that were transferred before")             \
    X(AN_SMB_FILE_GAP, "smb.file_gap",                                                                     \
      "bytes of a file are missing: what follows is looked at as another piece")                           \
    X(AN_SMB_RESPONSE_TO_SERVER, "smb.response_to_server", "a response to the server")                     \
    X(AN_SMB_REQUEST_TO_CLIENT, "smb.request_to_client", "a request to the client")                        \
    X(AN_SMB_ENCRYPTED, "smb.encrypted", "SMB 3 encrypts from here on: its messages are not looked into")  \
    X(AN_SMB_COMPRESSED, "smb.compressed", "SMB 3.1.1 compresses: a message that is not looked into")      \
    X(AN_SMB_TOO_LONG, "smb.message_too_long", "#a message that is too long to be put together")           \
    X(AN_SMB_TOO_MANY_FILES, "smb.too_many_files",                                                         \
      "more files are open than are followed: the oldest is given up")                                     \
    X(AN_DCERPC_MALFORMED, "dcerpc.malformed", "lengths that cannot be, or no DCERPC")                     \
    X(AN_DCERPC_TOO_MANY_CALLS, "dcerpc.too_many_calls",                                                   \
      "#fragments of more calls are mixed than are put together")                                          \
    X(AN_DCERPC_TOO_MANY_CONTEXTS, "dcerpc.too_many_contexts", "#more contexts than are kept")             \
    X(AN_DCERPC_FRAGMENT_ORDER, "dcerpc.fragment_order",                                                   \
      "a datagram's fragment that does not follow the one before")
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
#define ANOMALIES_OF_MACHINES(X)                                                                             \
    X(AN_MQTT_MISSING_CONNECT, "mqtt.missing_connect", "a broker's answer to a CONNECT that nobody sent")    \
    X(AN_MQTT_DOUBLE_CONNECT, "mqtt.double_connect", "a second CONNECT in a connection")                     \
    X(AN_MQTT_UNINTRODUCED, "mqtt.unintroduced_message", "a message before any CONNECT")                     \
    X(AN_MQTT_QOS, "mqtt.invalid_qos_level", "a message is published with quality of service 3")             \
    X(AN_MQTT_UNASSIGNED, "mqtt.unassigned_msg_type", "a message of a type that does not exist")             \
    X(AN_MQTT_MALFORMED, "mqtt.malformed_traffic", "lengths in a message contradict each other")             \
    X(AN_MQTT_TOO_LONG, "mqtt.message_too_long",                                                             \
      "#more than 256 KB that are no published text: what is behind is not read")                            \
    X(AN_MODBUS_PROTOCOL, "modbus.invalid_protocol_id", "the protocol identifier is not 0")                  \
    X(AN_MODBUS_LENGTH, "modbus.invalid_length",                                                             \
      "*a length that no message can have, or that does not fit its function")                               \
    X(AN_MODBUS_UNSOLICITED, "modbus.unsolicited_response", "a response that nobody asked for")              \
    X(AN_MODBUS_FUNCTION, "modbus.invalid_function_code", "function code 0, or above 127 in a request")      \
    X(AN_MODBUS_VALUE, "modbus.invalid_value", "a quantity or a value that the function does not allow")     \
    X(AN_MODBUS_EXCEPTION, "modbus.invalid_exception_code", "an exception with a code that does not exist")  \
    X(AN_MODBUS_FLOODED, "modbus.flooded", "more requests without a response than are remembered")           \
    X(AN_DNP3_LENGTH, "dnp3.len_too_small", "a frame with a length below 5")                                 \
    X(AN_DNP3_LINK_CRC, "dnp3.bad_link_crc", "*a frame's header has a wrong checksum: it is ignored")        \
    X(AN_DNP3_DATA_CRC, "dnp3.bad_transport_crc", "*a frame's data have a wrong checksum: they are ignored") \
    X(AN_DNP3_MALFORMED, "dnp3.malformed",                                                                   \
      "*bytes that are no frame, or fragments that do not follow each other")                                \
    X(AN_DNP3_OBJECT, "dnp3.unknown_object",                                                                 \
      "an object whose size is not known: what follows it is not read")                                      \
    X(AN_DNP3_FLOODED, "dnp3.flooded", "#a fragment beyond 64 KB, or more than 256 objects in one")
#define ANOMALIES_OF_DATAGRAMS(X)                                                                           \
    X(AN_DHCP_MALFORMED, "dhcp.malformed_options", "no header, or no cookie before the options")            \
    X(AN_DHCP_TRUNCATED_OPTIONS, "dhcp.truncated_options", "an option that runs out of the message")        \
    X(AN_NTP_MALFORMED, "ntp.malformed_data", "another version than 1 to 4, or a header that is not whole") \
    X(AN_TFTP_MALFORMED, "tftp.malformed_data",                                                             \
      "an operation that is not assigned, or a request without its end")                                    \
    X(AN_SNMP_MALFORMED, "snmp.malformed_data",                                                             \
      "a message that is not whole, or of another version than 1, 2c and 3")                                \
    X(AN_SNMP_UNKNOWN_SECURITY, "snmp.unknown_security_model",                                              \
      "version 3 with another security model than that of users")
#define ANOMALIES_OF_OTHERS(X)

#define ANOMALIES_OF_APP(X)   \
    ANOMALIES_OF_ANY_APP(X)   \
    ANOMALIES_OF_HTTP(X)      \
    ANOMALIES_OF_BODIES(X)    \
    ANOMALIES_OF_HTTP2(X)     \
    ANOMALIES_OF_TLS(X)       \
    ANOMALIES_OF_QUIC(X)      \
    ANOMALIES_OF_DNS(X)       \
    ANOMALIES_OF_MAIL(X)      \
    ANOMALIES_OF_FTP(X)       \
    ANOMALIES_OF_SSH(X)       \
    ANOMALIES_OF_SMB(X)       \
    ANOMALIES_OF_VOICE(X)     \
    ANOMALIES_OF_MACHINES(X)  \
    ANOMALIES_OF_DATAGRAMS(X) \
    ANOMALIES_OF_OTHERS(X)
#endif
