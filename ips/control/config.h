/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CONTROL_CONFIG_H
#define SLUICE_CONTROL_CONFIG_H
/*
 * The configuration: one object, read from YAML by libcyaml, then `--set KEY=VALUE` on top, then checked as a
 * whole. ips.yaml(5) documents every key; the tables in config.c are its source. Keys are dotted paths.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/overload.h"
#include "ips/base/err.h"
#include "ips/decode/defrag.h"
#include "ips/flow/flow.h"
#include "ips/io/port.h"
#include "rules/ruleset.h"

#define BRIDGES_MAX 8
#define WORKERS_MAX 64

/* What the wire is to be when the daemon ends in good order. */
enum bridge_shutdown {
    SHUTDOWN_FAIL,   /* as bridges[].fail says */
    SHUTDOWN_BRIDGE, /* forwarded by the kernel */
    SHUTDOWN_DETACH, /* as if Sluice had never been there */
};

struct bridge_config {
    char *name;
    char *interfaces[2];
    unsigned n_interfaces;
    unsigned queues; /* 0 = as many as both interfaces have */
    int *cpus;       /* worker w runs on cpus[w % n_cpus]; empty: not pinned */
    unsigned n_cpus;
    enum xdp_mode mode;
    enum busy_poll busy_poll;
    bool force_copy;
    uint32_t fail;          /* enum steer_fail_policy */
    unsigned *heartbeat_ms; /* 20; 0: a worker\'s sign of life is not looked at */
    uint32_t shutdown;      /* enum bridge_shutdown */
    bool flow_cache_off;    /* the kernel does not look into it */
    char **steer;           /* steering lines, first match; ips/io/steer_line.h */
    unsigned n_steer;
    unsigned flow_cache_size; /* flows that the verdict cache holds; rounded up to a power of two */
    unsigned ring_size;       /* 2048 */
    unsigned frames;          /* 0 = enough for all rings of all queues and bursts in hand */
    bool keep_offloads;
    bool link_pass;
};

#define FINGERPRINT_AUTO   2
#define DEFRAG_POLICY_AUTO 255 /* in-line drop, else bsd */

struct var_config {
    char *name, *value;
};

struct config {
    struct bridge_config *bridges;
    unsigned n_bridges;
    struct {
        char **files; /* globs */
        unsigned n_files;
        struct var_config *vars;
        unsigned n_vars;
        uint32_t dialect; /* enum rule_dialect */
        char *classification, *reference;
        char *geoip_database;
        char *cache; /* directory of compiled pattern databases; "": none */
        char *policy, *disable_conf, *enable_conf, *drop_conf, *modify_conf; /* files; "": none */
        bool strict;
    } rules;
    struct {
        char *action_order; /* "pass,drop,reject,alert" */
        unsigned steps_max;
        char *threshold_file;
        char *state_dir;
        char *reputation_categories, *reputation_files; /* the second is a glob */
        unsigned track_max; /* entries of the table of hosts that all workers share */
    } detect;
    struct {
        bool not_ip_drop;                                /* decode.not_ip: forward|drop */
        bool malformed_drop;                             /* decode.malformed: drop|forward */
        bool checksums;                                  /* decode.checksums: on|off */
        char *vxlan_ports, *geneve_ports, *teredo_ports; /* "4789,8472" */
    } decode;
    struct {
        unsigned max;      /* flows per worker */
        unsigned max_vars; /* blocks of 7 flowbits and flowints per worker */
        unsigned tcp_new_s, tcp_established_s, tcp_closed_s, udp_new_s, udp_established_s, icmp_s, other_s;
        uint32_t memcap_policy; /* enum exception_action */
    } flow;
    struct {
        bool midstream, async;
        uint32_t midstream_policy, memcap_policy; /* enum exception_action */
        unsigned memory_bytes;                    /* per worker */
        unsigned flow_bytes;                      /* kept per direction */
        unsigned window_bytes;                    /* how far rules look back */
        unsigned depth_bytes;                     /* per direction; 0: no limit */
        bool bypass_at_depth, conflict_drop, ignored_forward;
    } stream;
    struct {
        unsigned memory_bytes, flow_bytes;                      /* per worker, per flow */
        uint32_t memcap_policy, error_policy, ambiguous_policy; /* enum exception_action */
        bool encryption_bypass, hassh, hashes;
        uint32_t ja3, ja4; /* 0, 1, or FINGERPRINT_AUTO */
        char *off;         /* protocols that are not to be recognised, with commas */
        unsigned body_window, body_start, file_depth;
        unsigned decompress_ratio, decompress_bytes, layers;
        unsigned header_line, headers_bytes, headers, transactions;
        struct {
            unsigned request_body_bytes, response_body_bytes; /* 0: no limit */
        } http;
        struct {
            unsigned max_tx;
        } ftp;
        struct { /* files that rules want kept */
            bool enabled;
            char *dir;
            unsigned max_bytes, max_open; /* of one file; files at a time */
        } filestore;
    } app;
    struct {
        unsigned ttl_floor;
        bool urgent, tcp_reserved, tcp_options, window, ecn, padding;
    } normalise;
    struct {
        unsigned frames, host_frames,
            datagram_frames; /* held: per worker, of a source host, of one datagram */
        unsigned ipv4_s, ipv6_s;
        uint32_t policy;        /* enum defrag_policy, or DEFRAG_POLICY_AUTO */
        bool tiny_drop;         /* defrag.tiny: drop|inspect */
        uint32_t memcap_policy; /* enum exception_action */
    } defrag;
    struct { /* in the kernel, before any worker */
        bool broken;
        char *source_rate, *syn_source_rate, *syn_destination_rate; /* "N/s burst M"; "": no limit */
        unsigned sources;                                           /* addresses whose rates are remembered */
        char **block, **allow;                                      /* prefixes, and files of them */
        unsigned n_block, n_allow;
    } guard;
    struct {
        char *dir;
        unsigned stats_interval_s;
        bool payload, packet, utc, anomalies, references;
        char *events;        /* of protocols, with commas; "all" */
        unsigned ring_bytes; /* per worker */
        char *level;
    } log;
    struct overload_config overload;
    struct {
        unsigned stall_ms; /* that a worker's round may take; 0: as long as it likes */
        unsigned strikes;  /* until a rule or parser is left out; 0: never */
    } supervisor;
    struct {
        char *socket; /* path */
        char *group;  /* members may use it besides root; empty: root only */
    } control;
    /* Not keys: the same file and command line once more, checked; NULL: there is none. */
    struct config *(*reread)(void *arg, struct err *e);
    void *reread_arg;
    uint32_t exception_policy; /* enum exception_action: of every cause that has no word of its own */
    char *pin_dir;             /* of the links and maps that outlive the daemon; empty: none does */
    unsigned crash_limit;      /* crashes within XDP_CRASH_WINDOW_S that end the restarts; 0: none */
    bool force;                /* not a key: --force */
    char *user;                /* drop privileges to this user; empty: stay */
};

/* The ports of decode.*_ports; 0 or -errno. */
int config_decode_ports(const struct config *c, struct decode_config *dc, struct err *e);
/* Defaults only. */
struct config *config_new(struct err *e);
/* Defaults, then the file. Errors name line and path and the remedy. */
struct config *config_load(const char *path, struct err *e);
int config_set(struct config *c, const char *assignment, struct err *e); /* "key=value" */
/* The command line's --rules (in place of rules.files) and --var NAME=VALUE (added to rules.vars); config_args.c. */
int config_set_rules(struct config *c, const char *const *files, unsigned n, struct err *e);
int config_set_var(struct config *c, const char *assignment, struct err *e);
/* Whole-object checks; capture mode needs no bridges. */
int config_check(const struct config *c, bool capture, struct err *e);
void config_free(struct config *c);
#endif
