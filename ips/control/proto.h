/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CONTROL_PROTO_H
#define SLUICE_CONTROL_PROTO_H
/*
 * The control socket: a unix stream socket, one JSON object per line each way. Request {"command": "block add",
 * "args": {...}}; reply {"ok": true, "result": ...} or {"ok": false, "code": N, "error": "...", "remedy": "..."}.
 * Replies come in the order of the requests. The peer's credentials are checked (SO_PEERCRED).
 *
 * A reply with code 422 also has "errors": [{"file", "line", "column", "what", "remedy"}, ...]. Arguments:
 *   rules reload  {"force": bool}           rules list  {"sid": N} or {"offset": N}, at most PROTO_RULES_MAX a reply,
 *   and {"only": "dormant"|"disabled"}
 *   rules explain {"sid": N, "gid": N} (any gid when left out)
 *   upgrade       {"check": bool, "force": bool, "wait_s": N}
 *   rules profile {"action": "on"|"off"|"show", "limit": N}
 *   block|allow add|del {"prefix": "10.0.0.0/8", "side": "src"|"dst"|"both"} (side is "src" when left out)
 *   block|allow list {"after": "10.0.0.0/8 src"} (what the page before gave as `next`)
 *   block load {"prefixes": "10.0.0.0/8\n192.0.2.1 both\n", "side": ...}; at most PROTO_BLOCKS_MAX
 *   flows list    {"limit": N, "kind": "bypassed"|"dropped"|"known"|"blocked"}
 *   flows bypass|drop|forget {"proto": "tcp", "from": "10.0.0.1:4711", "to": "[2001:db8::1]:443", "for": "10m",
 *   "vlan": "5.6"} (for and vlan may be left out); flows forget {"address": "10.0.0.1"}
 *   strikes clear {"gid": N, "sid": N} or {"parser": "name"} (all when left out)
 *   steer list|add|del|clear {"bridge": "br0"} (may be left out where there is one); add: {"line": "vlan 7 bypass",
 *   "at": N}; del: {"number": N}; all answer with the list
 */
#define PROTO_SOCKET_DEFAULT    "/run/sluice/ipsd.sock"
#define PROTO_PIN_DIR_DEFAULT   "/sys/fs/bpf/sluice"
#define PROTO_LINE_MAX_BYTES    (16u << 20)
#define PROTO_REQUEST_MAX_BYTES (1u << 20)
#define PROTO_RULES_MAX         5000
#define PROTO_BLOCKS_MAX        20000 /* entries of a list that one request adds, removes or is shown */

/* One table for codes: reply code, ipsctl's exit status, meaning. X(id, code, exit_status, "meaning") */
#define PROTO_CODE_TABLE(X)                                                                     \
    X(PROTO_OK, 200, 0, "done")                                                                 \
    X(PROTO_BAD_REQUEST, 400, 2, "the request is malformed or an argument is wrong")            \
    X(PROTO_DENIED, 403, 4, "the peer may not do this")                                         \
    X(PROTO_NOT_FOUND, 404, 5, "no such command or object")                                     \
    X(PROTO_CONFLICT, 409, 6, "it is there already")                                            \
    X(PROTO_INVALID, 422, 1, "the rules or the configuration have errors; nothing was changed") \
    X(PROTO_FAILED, 500, 1, "the daemon could not do it")
enum proto_code {
#define X(id, code, exit_status, meaning) id = code,
    PROTO_CODE_TABLE(X)
#undef X
};

/*
 * One table for commands: the server's dispatch, ipsctl's parsing, help and ipsctl(8) have these rows.
 * X(id, "name", "arguments as ipsctl takes them", "what it does")
 */
#define PROTO_COMMAND_TABLE(X)                                                                               \
    X(CMD_STATUS, "status", "", "bridges, queues, workers, rules, and who owns the frames")                  \
    X(CMD_STATS, "stats", "", "all counters")                                                                \
    X(CMD_DROPS, "drops", "", "frames that did not leave, by reason")                                        \
    X(CMD_RULES_CHECK, "rules check", "[--strict] [FILE...]",                                                \
      "check rule files without a daemon (--strict: one error refuses all); without FILE, the daemon's own") \
    X(CMD_RULES_RELOAD, "rules reload", "[--force]",                                                         \
      "load the configured rule files anew; with an error the running rules stay, unless --force")           \
    X(CMD_RULES_LIST, "rules list", "[--dormant|--disabled] [SID]",                                          \
      "the rules that are loaded, in the order of evaluation; only those that sleep, or those left out")     \
    X(CMD_RULES_POLICY, "rules policy", "[FILE...]",                                                         \
      "what each line of the policy decides, of the running rules or of rule files")                         \
    X(CMD_RULES_EXPLAIN, "rules explain", "[GID:]SID [FILE...]",                                             \
      "what became of a rule and why, by the running configuration or in rule files")                        \
    X(CMD_RULES_PROFILE, "rules profile", "[on|off|show] [--limit N]",                                       \
      "which rules cost most: checks, matches, nanoseconds")                                                 \
    X(CMD_BLOCK_ADD, "block add", "PREFIX [src|dst|both]",                                                   \
      "drop frames of an address or network in the kernel")                                                  \
    X(CMD_BLOCK_DEL, "block del", "PREFIX [src|dst|both]", "take an address or network off the block list")  \
    X(CMD_BLOCK_LIST, "block list", "", "the block list, and the frames each entry dropped")                 \
    X(CMD_BLOCK_LOAD, "block load", "FILE [src|dst|both]", "add the prefixes in a file, one a line")         \
    X(CMD_BLOCK_CLEAR, "block clear", "", "take everything off the block list")                              \
    X(CMD_ALLOW_ADD, "allow add", "PREFIX [src|dst|both]", "let an address or network past the guard")       \
    X(CMD_ALLOW_DEL, "allow del", "PREFIX [src|dst|both]", "take it off the allow list")                     \
    X(CMD_ALLOW_LIST, "allow list", "", "the allow list, and the frames each entry let past")                \
    X(CMD_STRIKES_LIST, "strikes list", "", "rules and parsers that stalled a worker")                       \
    X(CMD_STRIKES_CLEAR, "strikes clear", "[GID:SID|PARSER]",                                                \
      "forgive one, or all: a rule comes back with the next reload, a parser with the next start")           \
    X(CMD_LINK_STATUS, "link status", "[--pin-dir DIR] [BRIDGE]",                                            \
      "what is attached and pinned, who serves it, and what frames met; needs no daemon")                    \
    X(CMD_LINK_ATTACH, "link attach", "[--pin-dir DIR] BRIDGE INTERFACE INTERFACE [open|closed]",            \
      "attach the kernel side alone; frames follow the fail policy until a daemon takes over")               \
    X(CMD_LINK_DETACH, "link detach", "[--pin-dir DIR] [--force] BRIDGE",                                    \
      "take the program off and put the interfaces back; refused while a daemon runs, but for --force")      \
    X(CMD_LINK_BYPASS, "link bypass", "[--pin-dir DIR] on|off [BRIDGE]",                                     \
      "have the kernel forward every frame uninspected, whether a daemon runs or not")                       \
    X(CMD_LINK_RESET, "link reset", "[--pin-dir DIR] [BRIDGE]",                                              \
      "forget the crashes, so that a daemon may be started again")                                           \
    X(CMD_CONFIG_DIFF, "config diff", "", "what the configuration file would change, and how")               \
    X(CMD_CONFIG_RELOAD, "config reload", "",                                                                \
      "read the configuration again and put it in force; all of it, or nothing with the reason")             \
    X(CMD_STEER_LIST, "steer list", "", "the steering lines of a bridge, and the frames each took")          \
    X(CMD_STEER_ADD, "steer add", "[at N] LINE", "add a steering line, at the end or before the N-th")       \
    X(CMD_STEER_DEL, "steer del", "N", "remove the N-th steering line")                                      \
    X(CMD_STEER_CLEAR, "steer clear", "", "remove all steering lines")                                       \
    X(CMD_GUARD_SHOW, "guard show", "", "what the guard refuses in the kernel, and the frames it refused")   \
    X(CMD_FLOWS_LIST, "flows list", "[--limit N] [bypassed|dropped|known|blocked]",                          \
      "the verdict cache: flows that the kernel settles, and addresses blocked for a time")                  \
    X(CMD_FLOWS_BYPASS, "flows bypass", "PROTO ADDR:PORT ADDR:PORT [for TIME] [vlan ID]",                    \
      "have a flow forwarded in the kernel, uninspected")                                                    \
    X(CMD_FLOWS_DROP, "flows drop", "PROTO ADDR:PORT ADDR:PORT [for TIME] [vlan ID]",                        \
      "have a flow dropped in the kernel")                                                                   \
    X(CMD_FLOWS_FORGET, "flows forget", "PROTO ADDR:PORT ADDR:PORT [vlan ID] | ADDR",                        \
      "inspect a flow again, whatever was decided; free an address that is blocked for a time")              \
    X(CMD_UPGRADE, "upgrade", "[--check] [--force] [--wait SECONDS]",                                        \
      "start the installed ipsd, which takes the bridges over without losing a frame; when it cannot, this " \
      "one goes on (--check: only try; --force: although rules have errors; --wait: 120 s to get ready)")    \
    X(CMD_SHUTDOWN, "shutdown", "", "end the daemon")                                                        \
    X(CMD_HELP, "help", "[COMMAND]", "the commands there are")
enum proto_command {
#define X(id, name, args, help) id,
    PROTO_COMMAND_TABLE(X)
#undef X
        CMD_N,
};

#define PROTO_EXIT_NO_DAEMON 3 /* ipsctl: nobody answers on the socket */
#endif
