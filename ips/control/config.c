/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration object: made, read, changed, freed.
 *
 * A configuration owns every string and list in it, whether libcyaml or --set put them there: all come from
 * malloc, and config_free() is the one place where they die. Order: the file is scanned (config_scan.c: keys
 * and values, with lines), loaded by libcyaml, and what the file did not mention gets the defaults below.
 * Built by the main thread before any other exists; read-only afterwards.
 */
#include "ips/control/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ips/control/config_schema.h"
#include "ips/control/proto.h"

#define FILE_MAX_BYTES (4u << 20)

const struct config_default config_defaults[] = {
    {"rules.dialect", "auto"},
    {"rules.classification", ""},
    {"rules.reference", ""},
    {"rules.cache", "/var/cache/sluice"},
    {"rules.policy", ""},
    {"rules.disable_conf", ""},
    {"rules.enable_conf", ""},
    {"rules.drop_conf", ""},
    {"rules.modify_conf", ""},
    {"rules.geoip_database", ""},
    {"detect.action_order", "pass,drop,reject,alert"},
    {"detect.steps_max", "3000"},
    {"detect.threshold_file", ""},
    {"detect.state_dir", ""},
    {"detect.reputation_categories", ""},
    {"detect.reputation_files", ""},
    {"detect.track_max", "262144"},
    {"decode.malformed", "drop"},
    {"decode.checksums", "on"},
    {"decode.vxlan_ports", "4789,8472"},
    {"decode.geneve_ports", "6081"},
    {"decode.teredo_ports", "3544"},
    {"flow.memcap_policy", "default"},
    {"stream.midstream_policy", "default"},
    {"stream.memcap_policy", "default"},
    {"stream.memory", "268435456"},
    {"stream.flow_bytes", "8388608"},
    {"stream.window", "4096"},
    {"app.memory", "134217728"},
    {"app.flow_memory", "16777216"},
    {"app.memcap_policy", "default"},
    {"app.error_policy", "default"},
    {"app.ambiguous", "default"},
    {"app.ja3", "auto"},
    {"app.ja4", "auto"},
    {"app.hassh", "on"},
    {"app.hashes", "off"},
    {"app.off", ""},
    {"app.body_window", "8192"},
    {"app.body_start", "32768"},
    {"app.decompress_ratio", "2048"},
    {"app.decompress_bytes", "16777216"},
    {"app.layers", "4"},
    {"app.header_line", "18432"},
    {"app.headers_bytes", "65536"},
    {"app.headers", "512"},
    {"app.transactions", "256"},
    {"app.ftp.max_tx", "1024"},
    {"app.filestore.enabled", "off"},
    {"app.filestore.dir", "/var/log/sluice/files"},
    {"app.filestore.max_bytes", "104857600"},
    {"app.filestore.max_open", "256"},
    {"log.events", "all"},
    {"normalise.urgent", "on"},
    {"guard.source_rate", ""},
    {"guard.syn_source_rate", ""},
    {"guard.syn_destination_rate", ""},
    {"guard.sources", "65536"},
    {"defrag.memcap_policy", "default"},
    {"defrag.frames", "2048"},
    {"defrag.host_frames", "512"},
    {"defrag.datagram_frames", "256"},
    {"defrag.ipv4_timeout", "30"},
    {"defrag.ipv6_timeout", "60"},
    {"defrag.policy", "auto"},
    {"defrag.tiny", "drop"},
    {"exception_policy", "default"},
    {"flow.max", "262144"},
    {"flow.max_vars", "65536"},
    {"flow.tcp_new", "60"},
    {"flow.tcp_established", "600"},
    {"flow.tcp_closed", "60"},
    {"flow.udp_new", "30"},
    {"flow.udp_established", "300"},
    {"flow.icmp", "30"},
    {"flow.other", "30"},
    {"log.dir", "/var/log/sluice"},
    {"log.stats_interval", "60"},
    {"log.payload", "on"},
    {"log.ring_bytes", "4194304"},
    {"log.level", "notice"},
    {"overload.high", "50"},
    {"overload.low", "20"},
    {"overload.policy", "auto"},
    {"overload.elephant_depth", "1048576"},
    {"overload.packet_us", "10000"},
    {"supervisor.stall", "1000"},
    {"supervisor.strikes", "2"},
    {"control.socket", PROTO_SOCKET_DEFAULT},
    {"control.group", ""},
    {"pin_dir", PROTO_PIN_DIR_DEFAULT},
    {"crash_limit", "5"},
    {"user", ""},
};
#define N_DEFAULTS (sizeof(config_defaults) / sizeof(config_defaults[0]))
const unsigned n_config_defaults = N_DEFAULTS;

/* What libcyaml says of an error: the first message, then a backtrace from the inside out. */
struct cyaml_story {
    char what[256];
    int line, column;
    char path[256];
};

/* Puts `part` before what is there: the backtrace comes inner part first. */
static void path_prepend(char *path, size_t size, const char *part, const char *dot)
{
    char whole[256];

    snprintf(whole, sizeof(whole), "%s%s%s", part, path[0] != '\0' && path[0] != '[' ? dot : "", path);
    snprintf(path, size, "%s", whole);
}

__attribute__((format(printf, 3, 0))) static void story_add(cyaml_log_t level, void *ctx, const char *fmt,
                                                            va_list args)
{
    struct cyaml_story *s = ctx;
    char text[512], name[128], part[160];
    unsigned index;
    int line, column;

    vsnprintf(text, sizeof(text), fmt, args);
    text[strcspn(text, "\n")] = '\0';
    if (strncmp(text, "Load: ", 6) == 0) {
        if (s->what[0] == '\0')
            snprintf(s->what, sizeof(s->what), "%.200s", text + 6);
        return;
    }
    if (sscanf(text, " in mapping field '%127[^']' (line: %d, column: %d)", name, &line, &column) == 3)
        path_prepend(s->path, sizeof(s->path), name, ".");
    else if (sscanf(text, " in sequence entry '%u' (line: %d, column: %d)", &index, &line, &column) == 3) {
        snprintf(part, sizeof(part), "[%u]", index > 0 ? index - 1 : 0); /* it counts from 1, paths from 0 */
        path_prepend(s->path, sizeof(s->path), part, ".");
    } else if (sscanf(text, " in mapping (line: %d, column: %d)", &line, &column) != 2)
        return;
    if (s->line == 0) {
        s->line = line;
        s->column = column;
    }
}

static cyaml_config_t cyaml_settings(struct cyaml_story *story)
{
    return (cyaml_config_t){.log_fn = story_add,
                            .log_ctx = story,
                            .mem_fn = cyaml_mem,
                            .log_level = CYAML_LOG_ERROR,
                            .flags = CYAML_CFG_NO_ALIAS};
}

/* Gives a default to what nobody set; `seen` has a flag per row of the table, NULL means none was. */
static int apply_defaults(struct config *c, const bool *seen, struct err *e)
{
    for (unsigned i = 0; i < N_DEFAULTS; i++) {
        struct config_slot slot;
        int rc;

        if (seen != NULL && seen[i])
            continue;
        rc = config_resolve(c, config_defaults[i].path, &slot, e);
        if (rc == 0)
            rc = config_value_store(&slot, config_defaults[i].path, config_defaults[i].value, e);
        if (rc < 0)
            return rc;
    }
    for (unsigned i = 0; i < c->n_bridges; i++) {
        struct bridge_config *b = &c->bridges[i];

        if (b->ring_size == 0)
            b->ring_size = CONFIG_DEFAULT_RING_SIZE;
        if (b->flow_cache_size == 0)
            b->flow_cache_size = CONFIG_DEFAULT_FLOW_CACHE_SIZE;
        if (b->heartbeat_ms == NULL) { /* 0 has a meaning of its own */
            b->heartbeat_ms = malloc(sizeof(*b->heartbeat_ms));
            if (b->heartbeat_ms == NULL)
                return err_set(e, -ENOMEM, "no memory for the configuration");
            *b->heartbeat_ms = CONFIG_DEFAULT_HEARTBEAT_MS;
        }
        if (b->name == NULL && asprintf(&b->name, "br%u", i) < 0) {
            b->name = NULL;
            return err_set(e, -ENOMEM, "no memory for the configuration");
        }
    }
    return 0;
}

struct config *config_new(struct err *e)
{
    struct config *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        err_set(e, -ENOMEM, "no memory for the configuration");
        return NULL;
    }
    if (apply_defaults(c, NULL, e) < 0) {
        config_free(c);
        return NULL;
    }
    return c;
}

void config_free(struct config *c)
{
    struct cyaml_story story = {.line = 0};
    cyaml_config_t settings = cyaml_settings(&story);

    if (c != NULL)
        cyaml_free(&settings, &config_schema, c, 0);
}

/* The whole file, NUL behind it; NULL with e filled. */
static char *read_file(const char *path, size_t *len, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    char *text = NULL;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) < 0) {
        err_sys(e, -errno, "cannot read the configuration %s", path);
        err_remedy(e, "give the right file with -c, or install one (see ips.yaml(5))");
        goto out;
    }
    if (!S_ISREG(st.st_mode) || (size_t)st.st_size > FILE_MAX_BYTES) {
        err_set(e, -EINVAL, "%s is not a file of at most %u MB", path, FILE_MAX_BYTES >> 20);
        err_remedy(e, "give a configuration file with -c");
        goto out;
    }
    text = malloc((size_t)st.st_size + 1);
    if (text == NULL) {
        err_set(e, -ENOMEM, "no memory to read %s", path);
        goto out;
    }
    for (*len = 0; *len < (size_t)st.st_size; *len += (size_t)n) {
        n = read(fd, text + *len, (size_t)st.st_size - *len);
        if (n < 0) {
            err_sys(e, -errno, "cannot read the configuration %s", path);
            free(text);
            text = NULL;
            goto out;
        }
        if (n == 0)
            break;
    }
    text[*len] = '\0';
out:
    if (fd >= 0)
        close(fd);
    return text;
}

static void note_seen(const char *path, void *arg)
{
    bool *seen = arg;

    for (unsigned i = 0; i < N_DEFAULTS; i++)
        if (strcmp(path, config_defaults[i].path) == 0)
            seen[i] = true;
}

/* libcyaml's words for what only it can find, made into one sentence. */
static int tell(const struct cyaml_story *s, cyaml_err_t code, const char *file, struct err *e)
{
    err_set(e, code == CYAML_ERR_OOM ? -ENOMEM : -EINVAL, "%s%s%s",
            s->what[0] != '\0' ? s->what : cyaml_strerror(code), s->path[0] != '\0' ? " in " : "", s->path);
    if (code == CYAML_ERR_MAPPING_FIELD_MISSING)
        err_remedy(e, "add the key that is missing");
    else if (code == CYAML_ERR_UNEXPECTED_EVENT)
        err_remedy(e, "each key may be given once");
    else
        err_remedy(e, "see ips.yaml(5) for what may stand there");
    err_at(e, file, s->line, s->column);
    return e->code;
}

struct config *config_load(const char *path, struct err *e)
{
    struct cyaml_story story = {.line = 0};
    cyaml_config_t settings = cyaml_settings(&story);
    bool seen[N_DEFAULTS] = {false};
    struct config *c = NULL;
    cyaml_err_t code;
    size_t len = 0;
    struct err local;
    char *text;

    if (e == NULL)
        e = &local;
    text = read_file(path, &len, e);
    if (text == NULL)
        return NULL;
    if (config_scan(path, &text, &len, note_seen, seen, e) < 0) {
        free(text);
        return NULL;
    }
    code = cyaml_load_data((const uint8_t *)text, len, &settings, &config_schema, (cyaml_data_t **)&c, NULL);
    free(text);
    if (code != CYAML_OK) {
        tell(&story, code, path, e);
        return NULL;
    }
    if (c == NULL) /* the file holds no key */
        return config_new(e);
    if (apply_defaults(c, seen, e) < 0) {
        config_free(c);
        return NULL;
    }
    return c;
}

int config_set(struct config *c, const char *assignment, struct err *e)
{
    const char *eq = strchr(assignment, '=');
    struct config_slot slot;
    char path[256];
    int rc;

    if (eq == NULL || eq == assignment || (size_t)(eq - assignment) >= sizeof(path)) {
        err_set(e, -EINVAL, "'%.80s' is not a setting", assignment);
        return err_remedy(e, "write KEY=VALUE, as in stream.midstream=on"), -EINVAL;
    }
    snprintf(path, sizeof(path), "%.*s", (int)(eq - assignment), assignment);
    rc = config_resolve(c, path, &slot, e);
    return rc < 0 ? rc : config_value_store(&slot, path, eq + 1, e);
}
