/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration as a whole: what a single value cannot tell.
 *
 * Limits of numbers are one table of rows (key, least, most, why). The rest are sentences: two sides to a bridge,
 * an interface once, rule files that are there, users and groups that exist. Reads the file system and the user
 * database, changes nothing. Main thread, before privileges are dropped.
 */
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <grp.h>
#include <net/if.h>
#include <pwd.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "bpf/shared.h"
#include "ips/base/log.h"
#include "ips/control/config_schema.h"
#include "ips/control/live.h"
#include "ips/io/pcapio.h"
#include "ips/io/xdp.h"

static const struct {
    const char *path;
    unsigned least, most;
    const char *why;
} limits[] = {
    {"detect.steps_max", 1, 1000000, "it bounds the work one rule may cause on one packet"},
    {"detect.track_max", 1024, 1u << 26, "it is the number of hosts, pairs and counts that are remembered"},
    {"flow.max_vars", 64, 1u << 26, "it is the number of blocks of 7 variables per worker"},
    {"flow.max", 64, 1u << 26, "it is the number of flows per worker"},
    {"flow.tcp_new", 1, 86400, "it is in seconds"},
    {"flow.tcp_established", 1, 864000, "it is in seconds"},
    {"flow.tcp_closed", 1, 86400, "it is in seconds"},
    {"flow.udp_new", 1, 86400, "it is in seconds"},
    {"flow.udp_established", 1, 864000, "it is in seconds"},
    {"flow.icmp", 1, 86400, "it is in seconds"},
    {"flow.other", 1, 86400, "it is in seconds"},
    {"normalise.ttl_floor", 0, 255, "a TTL has one byte"},
    {"guard.sources", 1024, 1u << 24, "it is the number of addresses whose rates are remembered"},
    {"defrag.frames", 64, PCAPIO_HELD_MAX,
     "it is the number of frames per worker that fragments are held in"},
    {"defrag.host_frames", 48, PCAPIO_HELD_MAX, "it must hold one datagram of a host at least"},
    {"defrag.datagram_frames", 48, PCAPIO_HELD_MAX, "a datagram of 65,535 bytes comes in 45 frames of 1,500"},
    {"defrag.ipv4_timeout", 1, 600, "it is in seconds"},
    {"defrag.ipv6_timeout", 1, 600, "it is in seconds"},
    {"stream.memory", 1u << 20, 1u << 31, "it is in bytes per worker"},
    {"stream.flow_bytes", 1u << 16, 1u << 24, "it is in bytes per direction of a flow"},
    {"app.memory", 1u << 20, 1u << 31, "it is in bytes, for each worker"},
    {"app.flow_memory", 65536, 1u << 27, "it is in bytes, and one body that is decompressed needs 256 KB"},
    {"app.body_window", 512, 1u << 16, "it is in bytes, for each body that is under way"},
    {"app.body_start", 512, 1u << 20, "it is in bytes, for each body that is under way"},
    {"app.layers", 1, 4, "each layer of compression needs memory of its own"},
    {"app.header_line", 1024, 1u << 20, "it is in bytes"},
    {"app.headers_bytes", 4096, 1u << 22, "it is in bytes"},
    {"app.headers", 16, 65536, "it is in lines"},
    {"app.transactions", 1, 65536, "it is of one flow"},
    {"app.filestore.max_bytes", 1, UINT32_MAX, "it is in bytes, of one file"},
    {"app.filestore.max_open", 1, 65536, "it is the number of files that are being written at a time"},
    {"app.ftp.max_tx", 1, 65536, "it is of one control connection"},
    {"stream.window", 64, 1u << 15, "it is in bytes, and every idle flow would like to keep as many"},
    {"overload.high", 1, 100, "it is in percent of an RX ring"},
    {"overload.low", 0, 99, "it is in percent of an RX ring"},
    {"overload.packet_us", 0, 60000000, "it is in microseconds, 0 means that nobody asks"},
    {"supervisor.stall", 0, 60000, "it is in milliseconds, 0 means that a worker may hang"},
    {"supervisor.strikes", 0, 1000, "0 means that nothing is ever switched off"},
    {"crash_limit", 0, XDP_CRASHES_MAX, "0 means that crashes never end the restarts"},
    {"log.stats_interval", 0, 86400, "it is in seconds, 0 means only at the end"},
    {"log.ring_bytes", 262144, 1u << 30, "it must hold the largest event several times over"},
};

static int check_limits(const struct config *c, struct err *e)
{
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct config_slot slot;
        unsigned v;
        int rc = config_resolve((struct config *)c, limits[i].path, &slot, e); /* reads only */

        if (rc < 0)
            return rc;
        v = *(const unsigned *)slot.data;
        if (v >= limits[i].least && v <= limits[i].most)
            continue;
        err_set(e, -EINVAL, "%s is %u", limits[i].path, v);
        err_remedy(e, "give a value from %u to %u: %s", limits[i].least, limits[i].most, limits[i].why);
        return -EINVAL;
    }
    return 0;
}

int config_action_order(const char *text, uint8_t rank[ACTION_N], struct err *e)
{
    unsigned n = 0;
    bool named[ACTION_N] = {false};

    for (const char *at = text; n < ACTION_N && at != NULL && *at != '\0';) {
        size_t len = strcspn(at, ",");
        unsigned a = 0;

        while (a < ACTION_N &&
               (strlen(rule_action_name(a)) != len || memcmp(rule_action_name(a), at, len) != 0))
            a++;
        if (a == ACTION_N || named[a])
            break;
        named[a] = true;
        rank[a] = (uint8_t)n++;
        at = at[len] == ',' ? at + len + 1 : NULL;
        if (n == ACTION_N && at == NULL)
            return 0;
    }
    err_set(e, -EINVAL, "detect.action_order cannot be '%.80s'", text);
    err_remedy(
        e,
        "name each of pass, drop, reject and alert once, with commas and no blanks, the first to act first");
    return -EINVAL;
}

static int check_interface_name(const struct bridge_config *b, const char *name, struct err *e)
{
    size_t len = strlen(name);
    bool good = len > 0 && len < IFNAMSIZ && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;

    for (size_t i = 0; i < len; i++)
        good = good && name[i] != '/' && name[i] != ':' && isgraph((unsigned char)name[i]);
    if (good)
        return 0;
    err_set(e, -EINVAL, "bridge %s: '%.32s' cannot be an interface's name", b->name, name);
    return err_remedy(e, "give a name as 'ip link' shows it"), -EINVAL;
}

/* It names a directory of pins, and a BPF file system takes no dots in names. */
static int check_bridge_name(const struct bridge_config *b, struct err *e)
{
    size_t len = strlen(b->name), good = 0;

    while (isalnum((unsigned char)b->name[good]) || b->name[good] == '-' || b->name[good] == '_')
        good++;
    if (len > 0 && len < STEER_NAME_BYTES && good == len)
        return 0;
    err_set(e, -EINVAL, "'%.32s' cannot be a bridge's name", b->name);
    return err_remedy(e, "give up to %d letters, digits, - and _", STEER_NAME_BYTES - 1), -EINVAL;
}

static int check_bridge(const struct bridge_config *b, struct err *e)
{
    if (check_bridge_name(b, e) < 0)
        return -EINVAL;
    if (b->n_interfaces != 2) {
        err_set(e, -EINVAL, "bridge %s has %u interfaces", b->name, b->n_interfaces);
        return err_remedy(e, "give it two, as in interfaces: [eth1, eth2]"), -EINVAL;
    }
    for (int i = 0; i < 2; i++)
        if (check_interface_name(b, b->interfaces[i], e) < 0)
            return -EINVAL;
    if (strcmp(b->interfaces[0], b->interfaces[1]) == 0) {
        err_set(e, -EINVAL, "bridge %s has %s on both sides", b->name, b->interfaces[0]);
        return err_remedy(e, "give two different interfaces"), -EINVAL;
    }
    if (b->queues > STEER_QUEUES_MAX) {
        err_set(e, -EINVAL, "bridge %s: queues is %u", b->name, b->queues);
        return err_remedy(e, "give 1 to %d, or 0 for as many as both interfaces have", STEER_QUEUES_MAX),
               -EINVAL;
    }
    if (b->ring_size < 64 || b->ring_size > 32768 || (b->ring_size & (b->ring_size - 1)) != 0) {
        err_set(e, -EINVAL, "bridge %s: ring_size is %u", b->name, b->ring_size);
        return err_remedy(e, "give a power of two from 64 to 32768"), -EINVAL;
    }
    if (*b->heartbeat_ms != 0 && (*b->heartbeat_ms < 5 || *b->heartbeat_ms > 60000)) {
        err_set(e, -EINVAL, "bridge %s: heartbeat is %u", b->name, *b->heartbeat_ms);
        return err_remedy(e, "give 5 to 60000 milliseconds, or 0 for none"), -EINVAL;
    }
    if (b->flow_cache_size < 64 || b->flow_cache_size > 1u << 24) {
        err_set(e, -EINVAL, "bridge %s: flow_cache_size is %u", b->name, b->flow_cache_size);
        return err_remedy(e, "give 64 to %u flows; each takes 128 bytes", 1u << 24), -EINVAL;
    }
    if (b->frames != 0 && (b->frames < 2 * b->ring_size || b->frames > 1u << 22)) {
        err_set(e, -EINVAL, "bridge %s: frames is %u", b->name, b->frames);
        err_remedy(e, "give %u to %u (4096 bytes each), or 0 for as many as the rings need", 2 * b->ring_size,
                   1u << 22);
        return -EINVAL;
    }
    for (unsigned i = 0; i < b->n_cpus; i++)
        if (b->cpus[i] < 0 || b->cpus[i] >= sysconf(_SC_NPROCESSORS_CONF)) {
            err_set(e, -EINVAL, "bridge %s: there is no CPU %d", b->name, b->cpus[i]);
            err_remedy(e, "give numbers from 0 to %ld in cpus", sysconf(_SC_NPROCESSORS_CONF) - 1);
            return -EINVAL;
        }
    return 0;
}

/* An interface belongs to one side of one bridge, and a name to one bridge. */
static int check_shared(const struct config *c, unsigned i, unsigned j, struct err *e)
{
    const struct bridge_config *a = &c->bridges[i], *b = &c->bridges[j];

    if (strcmp(a->name, b->name) == 0) {
        err_set(e, -EINVAL, "bridges[%u] and bridges[%u] have the same name, %s", i, j, a->name);
        return err_remedy(e, "name them differently"), -EINVAL;
    }
    for (int x = 0; x < 2; x++)
        for (int y = 0; y < 2; y++)
            if (strcmp(a->interfaces[x], b->interfaces[y]) == 0) {
                err_set(e, -EINVAL, "interface %s is in the bridges %s and %s", a->interfaces[x], a->name,
                        b->name);
                return err_remedy(e, "an interface can belong to one bridge"), -EINVAL;
            }
    return 0;
}

static int check_bridges(const struct config *c, struct err *e)
{
    unsigned queues = 0;

    if (c->n_bridges == 0) {
        err_set(e, -EINVAL, "no bridge is configured");
        err_remedy(
            e,
            "add 'bridges: [{name: br0, interfaces: [eth1, eth2]}]' with this machine's interfaces, or run "
            "capture mode with --pcap FILE");
        return -EINVAL;
    }
    for (unsigned i = 0; i < c->n_bridges; i++) {
        if (check_bridge(&c->bridges[i], e) < 0)
            return -EINVAL;
        for (unsigned j = 0; j < i; j++)
            if (check_shared(c, j, i, e) < 0)
                return -EINVAL;
        queues += c->bridges[i].queues;
    }
    if (queues > WORKERS_MAX) {
        err_set(e, -EINVAL, "the bridges have %u queues in all", queues);
        return err_remedy(e, "lower bridges[].queues: at most %d workers can run", WORKERS_MAX), -EINVAL;
    }
    return 0;
}

static int check_single_files(const struct config *c, struct err *e)
{
    const struct {
        const char *key, *path;
    } rows[] = {
        {"rules.classification", c->rules.classification}, {"rules.policy", c->rules.policy},
        {"rules.disable_conf", c->rules.disable_conf},     {"rules.enable_conf", c->rules.enable_conf},
        {"rules.drop_conf", c->rules.drop_conf},           {"rules.modify_conf", c->rules.modify_conf},
        {"rules.geoip_database", c->rules.geoip_database}, {"rules.reference", c->rules.reference}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].path[0] == '\0' || access(rows[i].path, R_OK) == 0)
            continue;
        err_sys(e, -errno, "%s: cannot read %s", rows[i].key, rows[i].path);
        return err_remedy(e, "correct the path, or remove the key"), e->code;
    }
    return 0;
}

static int check_rules(const struct config *c, struct err *e)
{
    for (unsigned i = 0; i < c->rules.n_files; i++) {
        const char *pattern = c->rules.files[i];
        glob_t g;
        int rc;

        if (access(pattern, R_OK) == 0) /* a file whose name has brackets is that file */
            continue;
        rc = glob(pattern, 0, NULL, &g);
        if (rc == GLOB_NOMATCH) {
            err_set(e, -ENOENT, "rules.files: no file matches %s", pattern);
            return err_remedy(e, "correct the path, or remove the line"), -ENOENT;
        }
        if (rc != 0)
            return err_set(e, -EIO, "rules.files: cannot list %s", pattern);
        for (size_t j = 0; rc == 0 && j < g.gl_pathc; j++)
            if (access(g.gl_pathv[j], R_OK) < 0) {
                rc = err_sys(e, -errno, "rules.files: cannot read %s", g.gl_pathv[j]);
                err_remedy(e, "make it readable for the daemon, or remove it from rules.files");
            }
        globfree(&g);
        if (rc < 0)
            return rc;
    }
    for (unsigned i = 0; i < c->rules.n_vars; i++)
        for (const char *p = c->rules.vars[i].name; *p != '\0'; p++)
            if (!isalnum((unsigned char)*p) && *p != '_') {
                err_set(e, -EINVAL, "rules.vars: '%.64s' cannot be a variable's name", c->rules.vars[i].name);
                return err_remedy(e, "use letters, digits and '_', without a '$'"), -EINVAL;
            }
    return check_single_files(c, e);
}

static int check_daemon(const struct config *c, struct err *e)
{
    struct sockaddr_un sun;

    if (c->control.socket[0] != '/' || strlen(c->control.socket) >= sizeof(sun.sun_path)) {
        err_set(e, -EINVAL, "control.socket cannot be '%s'", c->control.socket);
        return err_remedy(e, "give an absolute path of at most %zu bytes", sizeof(sun.sun_path) - 1), -EINVAL;
    }
    if (c->control.group[0] != '\0' && getgrnam(c->control.group) == NULL) {
        err_set(e, -EINVAL, "control.group: there is no group '%s'", c->control.group);
        return err_remedy(e, "create it with groupadd, or remove the key: root only"), -EINVAL;
    }
    if (c->user[0] != '\0' && getpwnam(c->user) == NULL) {
        err_set(e, -EINVAL, "user: there is no user '%s'", c->user);
        return err_remedy(e, "create it with useradd --system, or remove the key: stay root"), -EINVAL;
    }
    return 0;
}

static int check_defrag(const struct config *c, bool capture, struct err *e)
{
    if (c->defrag.datagram_frames > c->defrag.host_frames || c->defrag.host_frames > c->defrag.frames) {
        err_set(e, -EINVAL, "defrag: %u frames, %u of one host, %u of one datagram", c->defrag.frames,
                c->defrag.host_frames, c->defrag.datagram_frames);
        return err_remedy(e, "give defrag.datagram_frames <= defrag.host_frames <= defrag.frames"), -EINVAL;
    }
    if (capture || c->defrag.policy == DEFRAG_POLICY_AUTO || c->defrag.policy == DEFRAG_POLICY_DROP)
        return 0;
    err_set(e, -EINVAL,
            "defrag.policy says whose bytes hold where fragments overlap; in-line nothing but drop is safe");
    err_remedy(
        e, "remove the key: receivers disagree, and they are sent the fragments, not what was put together");
    return -EINVAL;
}

int config_check(const struct config *c, bool capture, struct err *e)
{
    uint8_t rank[ACTION_N];
    struct decode_config dc;
    enum log_level level;
    int rc;

    if (!capture && ((rc = check_bridges(c, e)) < 0 || (rc = check_daemon(c, e)) < 0))
        return rc;
    if ((rc = check_limits(c, e)) < 0 || (rc = check_defrag(c, capture, e)) < 0 ||
        (rc = check_rules(c, e)) < 0 || (rc = config_action_order(c->detect.action_order, rank, e)) < 0 ||
        (rc = config_decode_ports(c, &dc, e)) < 0 || (!capture && (rc = live_check(c, e)) < 0))
        return rc;
    if (c->overload.low >= c->overload.high) {
        err_set(e, -EINVAL, "overload.low is %u and overload.high is %u", c->overload.low, c->overload.high);
        return err_remedy(e, "give a lower overload.low: it says when the overload is over"), -EINVAL;
    }
    if (!log_level_parse(c->log.level, &level)) {
        err_set(e, -EINVAL, "log.level cannot be '%.32s'", c->log.level);
        return err_remedy(e, "give one of: error, warning, notice, info, debug"), -EINVAL;
    }
    if (c->log.dir[0] == '\0') {
        err_set(e, -EINVAL, "log.dir is empty");
        return err_remedy(e, "give a directory for eve.json (--log-dir DIR)"), -EINVAL;
    }
    return 0;
}
