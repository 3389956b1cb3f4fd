/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CONTROL_PROTO_H
#define SLUICE_CONTROL_PROTO_H
/*
 * The control socket: a unix stream socket, one JSON object per line each way. Request {"command": "block add",
 * "args": {...}}; reply {"ok": true, "result": ...} or {"ok": false, "code": N, "error": "...", "remedy": "..."}.
 * Replies come in the order of the requests. The peer's credentials are checked (SO_PEERCRED).
 */
#define PROTO_SOCKET_DEFAULT  "/run/sluice/ipsd.sock"
#define PROTO_LINE_MAX_BYTES  (16u << 20)
#define PROTO_REQUEST_MAX_BYTES (1u << 20)

/* One table for codes: reply code, ipsctl's exit status, meaning. X(id, code, exit_status, "meaning") */
#define PROTO_CODE_TABLE(X)                                                                                  \
    X(PROTO_OK, 200, 0, "done")                                                                              \
    X(PROTO_BAD_REQUEST, 400, 2, "the request is malformed or an argument is wrong")                         \
    X(PROTO_DENIED, 403, 4, "the peer may not do this")                                                      \
    X(PROTO_NOT_FOUND, 404, 5, "no such command or object")                                                  \
    X(PROTO_CONFLICT, 409, 6, "it is there already")                                                         \
    X(PROTO_INVALID, 422, 1, "the rules or the configuration have errors; nothing was changed")              \
    X(PROTO_FAILED, 500, 1, "the daemon could not do it")
enum proto_code {
#define X(id, code, exit_status, meaning) id = code,
    PROTO_CODE_TABLE(X)
#undef X
};
#define PROTO_EXIT_NO_DAEMON 3 /* ipsctl: nobody answers on the socket */
#endif
