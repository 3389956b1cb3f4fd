/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of configuration keys and what walks it.
 *
 * libcyaml reads a file by this table; `--set`, the defaults and the checks of single values find their keys
 * in it by dotted path, so a key is one row here and one paragraph in ips.yaml(5). Numbers are plain decimal,
 * those that count bytes may have a unit (the flag BYTES); words are lists below, the first word being the
 * default. What depends on more than one value is config_check.c's.
 *
 * Strings belong to the configuration they are in and die in config_free(). Main thread.
 */
#include "ips/control/config_schema.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bpf/shared.h"
#include "ips/base/suggest.h"

#define N_OF(a)  (sizeof(a) / sizeof((a)[0]))
#define TEXT_MAX 4096
#define LIST_MAX 1024
#define OPT      CYAML_FLAG_OPTIONAL
#define BYTES    ((enum cyaml_flag)(1 << 30)) /* ours: libcyaml's own end far below, and it looks at no other */
#define OPT_WORD (CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT)
/* Offset of a member within a group (a struct inside struct config). */
#define IN(group, member)   (offsetof(struct config, group.member) - offsetof(struct config, group))
#define SIZE(group, member) sizeof(((struct config *)NULL)->group.member)

/* Rows of a group. Booleans are words too, because libcyaml takes any text for true. */
#define UINT_ROW(k, group, member)                                                               \
    {                                                                                            \
        .key = k, .data_offset = IN(group, member), .value = { CYAML_VALUE_UINT(OPT, unsigned) } \
    }
#define BYTES_ROW(k, group, member)                                                                      \
    {                                                                                                    \
        .key = k, .data_offset = IN(group, member), .value = { CYAML_VALUE_UINT(OPT | BYTES, unsigned) } \
    }
#define WORD_ROW(k, group, member, words)                           \
    {                                                               \
        .key = k, .data_offset = IN(group, member), .value = {      \
            .type = CYAML_ENUM,                                     \
            .flags = OPT_WORD,                                      \
            .data_size = SIZE(group, member),                       \
            .enumeration = {.strings = words, .count = N_OF(words)} \
        }                                                           \
    }
#define TEXT_ROW(k, group, member)                                            \
    {                                                                         \
        .key = k, .data_offset = IN(group, member), .value = {                \
            CYAML_VALUE_STRING(OPT | CYAML_FLAG_POINTER, char *, 0, TEXT_MAX) \
        }                                                                     \
    }
/* A group in a group. */
#define INNER_ROW(k, group, member, rows)                      \
    {                                                          \
        .key = k, .data_offset = IN(group, member), .value = { \
            .type = CYAML_MAPPING,                             \
            .flags = OPT,                                      \
            .data_size = SIZE(group, member),                  \
            .mapping = {.fields = rows}                        \
        }                                                      \
    }
#define GROUP_ROW(k, group, rows)                                           \
    {                                                                       \
        .key = k, .data_offset = offsetof(struct config, group), .value = { \
            .type = CYAML_MAPPING,                                          \
            .flags = OPT,                                                   \
            .data_size = sizeof(((struct config *)NULL)->group),            \
            .mapping = {.fields = rows}                                     \
        }                                                                   \
    }

static const cyaml_strval_t bool_words[] = {{"off", 0},  {"on", 1}, {"false", 0},
                                            {"true", 1}, {"no", 0}, {"yes", 1}};
static const cyaml_strval_t off_words[] = {{"on", 0},    {"off", 1}, {"true", 0},
                                           {"false", 1}, {"yes", 0}, {"no", 1}};
static const cyaml_strval_t mode_words[] = {
    {"auto", XDP_MODE_AUTO}, {"native", XDP_MODE_NATIVE}, {"generic", XDP_MODE_GENERIC}};
static const cyaml_strval_t busy_words[] = {
    {"auto", BUSY_POLL_AUTO}, {"on", BUSY_POLL_ON}, {"off", BUSY_POLL_OFF}};
static const cyaml_strval_t fail_words[] = {
#define X(id, value, word) {word, id},
    STEER_FAIL_TABLE(X)
#undef X
};
static const cyaml_strval_t shutdown_words[] = {
    {"fail", SHUTDOWN_FAIL}, {"bridge", SHUTDOWN_BRIDGE}, {"detach", SHUTDOWN_DETACH}};
static const cyaml_strval_t dialect_words[] = {{"auto", DIALECT_AUTO},
                                               {"suricata", DIALECT_SURICATA},
                                               {"snort3", DIALECT_SNORT3},
                                               {"snort2", DIALECT_SNORT2}};
static const cyaml_strval_t conflict_words[] = {{"rewrite", 0}, {"drop", 1}};
static const cyaml_strval_t ignored_words[] = {{"drop", 0}, {"forward", 1}};
static const cyaml_strval_t forward_words[] = {{"forward", 0}, {"drop", 1}};
/* Suricata's words for exception policies, and `inspect` for ignore (ips.yaml(5)). */
static const cyaml_strval_t exception_words[] = {{"ignore", EXCEPTION_IGNORE},
                                                 {"drop", EXCEPTION_DROP_FLOW},
                                                 {"pass", EXCEPTION_PASS_FLOW},
                                                 {"bypass", EXCEPTION_PASS_FLOW},
                                                 {"drop-packet", EXCEPTION_DROP_PACKET},
                                                 {"pass-packet", EXCEPTION_PASS_PACKET},
                                                 {"drop-flow", EXCEPTION_DROP_FLOW},
                                                 {"pass-flow", EXCEPTION_PASS_FLOW},
                                                 {"reject", EXCEPTION_DROP_FLOW},
                                                 {"inspect", EXCEPTION_IGNORE},
                                                 {"auto", EXCEPTION_AUTO},
                                                 {"default", EXCEPTION_DEFAULT}};
static const cyaml_strval_t defrag_words[] = {
    {"auto", DEFRAG_POLICY_AUTO},      {"drop", DEFRAG_POLICY_DROP},
    {"first", DEFRAG_POLICY_FIRST},    {"last", DEFRAG_POLICY_LAST},
    {"bsd", DEFRAG_POLICY_BSD},        {"bsd_right", DEFRAG_POLICY_BSD_RIGHT},
    {"linux", DEFRAG_POLICY_LINUX},    {"windows", DEFRAG_POLICY_WINDOWS},
    {"solaris", DEFRAG_POLICY_SOLARIS}};
static const cyaml_strval_t tiny_words[] = {{"drop", 1}, {"inspect", 0}};
static const cyaml_schema_value_t text_entry = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, TEXT_MAX)};
static const cyaml_schema_value_t cpu_entry = {CYAML_VALUE_INT(CYAML_FLAG_DEFAULT, int)};

#define BRIDGE_WORD(k, member, words) \
    CYAML_FIELD_ENUM(k, OPT_WORD, struct bridge_config, member, words, N_OF(words))

static const cyaml_schema_field_t bridge_rows[] = {
    CYAML_FIELD_STRING_PTR("name", OPT, struct bridge_config, name, 1, 32),
    {.key = "interfaces",
     .data_offset = offsetof(struct bridge_config, interfaces),
     .count_offset = offsetof(struct bridge_config, n_interfaces),
     .count_size = sizeof(unsigned),
     .value = {CYAML_VALUE_SEQUENCE(CYAML_FLAG_DEFAULT, char *, &text_entry, 0, 2)}},
    CYAML_FIELD_UINT("queues", OPT, struct bridge_config, queues),
    CYAML_FIELD_SEQUENCE_COUNT("cpus", OPT | CYAML_FLAG_POINTER, struct bridge_config, cpus, n_cpus,
                               &cpu_entry, 0, WORKERS_MAX),
    BRIDGE_WORD("mode", mode, mode_words),
    BRIDGE_WORD("busy_poll", busy_poll, busy_words),
    BRIDGE_WORD("force_copy", force_copy, bool_words),
    BRIDGE_WORD("fail", fail, fail_words),
    CYAML_FIELD_UINT_PTR("heartbeat", OPT, struct bridge_config, heartbeat_ms),
    BRIDGE_WORD("shutdown", shutdown, shutdown_words),
    BRIDGE_WORD("flow_cache", flow_cache_off, off_words),
    CYAML_FIELD_UINT("flow_cache_size", OPT, struct bridge_config, flow_cache_size),
    CYAML_FIELD_UINT("ring_size", OPT, struct bridge_config, ring_size),
    CYAML_FIELD_UINT("frames", OPT, struct bridge_config, frames),
    CYAML_FIELD_SEQUENCE_COUNT("steer", OPT | CYAML_FLAG_POINTER, struct bridge_config, steer, n_steer,
                               &text_entry, 0, STEER_LINES_MAX),
    BRIDGE_WORD("keep_offloads", keep_offloads, bool_words),
    BRIDGE_WORD("link_pass", link_pass, bool_words),
    CYAML_FIELD_END};
static const cyaml_schema_value_t bridge_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct bridge_config, bridge_rows)};

static const cyaml_schema_field_t var_rows[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct var_config, name, 1, 64),
    CYAML_FIELD_STRING_PTR("value", CYAML_FLAG_POINTER, struct var_config, value, 1, 65535), CYAML_FIELD_END};
static const cyaml_schema_value_t var_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct var_config, var_rows)};

#define LIST_ROW(k, group, member, count)                                                    \
    {                                                                                        \
        .key = k, .data_offset = IN(group, member), .count_offset = IN(group, count),        \
        .count_size = sizeof(unsigned), .value = {                                           \
            CYAML_VALUE_SEQUENCE(OPT | CYAML_FLAG_POINTER, char *, &text_entry, 0, LIST_MAX) \
        }                                                                                    \
    }

static const cyaml_schema_field_t rules_rows[] = {
    LIST_ROW("files", rules, files, n_files),
    {.key = "vars",
     .data_offset = IN(rules, vars),
     .count_offset = IN(rules, n_vars),
     .count_size = sizeof(unsigned),
     .value = {CYAML_VALUE_SEQUENCE(OPT | CYAML_FLAG_POINTER, struct var_config, &var_entry, 0, LIST_MAX)}},
    WORD_ROW("dialect", rules, dialect, dialect_words),
    TEXT_ROW("classification", rules, classification),
    TEXT_ROW("reference", rules, reference),
    TEXT_ROW("cache", rules, cache),
    TEXT_ROW("policy", rules, policy),
    TEXT_ROW("disable_conf", rules, disable_conf),
    TEXT_ROW("enable_conf", rules, enable_conf),
    TEXT_ROW("drop_conf", rules, drop_conf),
    TEXT_ROW("modify_conf", rules, modify_conf),
    TEXT_ROW("geoip_database", rules, geoip_database),
    WORD_ROW("strict", rules, strict, bool_words),
    CYAML_FIELD_END};

static const cyaml_schema_field_t detect_rows[] = {
    TEXT_ROW("action_order", detect, action_order),
    UINT_ROW("steps_max", detect, steps_max),
    TEXT_ROW("threshold_file", detect, threshold_file),
    TEXT_ROW("state_dir", detect, state_dir),
    TEXT_ROW("reputation_categories", detect, reputation_categories),
    TEXT_ROW("reputation_files", detect, reputation_files),
    UINT_ROW("track_max", detect, track_max),
    CYAML_FIELD_END};

static const cyaml_schema_field_t decode_rows[] = {
    WORD_ROW("not_ip", decode, not_ip_drop, forward_words),
    WORD_ROW("malformed", decode, malformed_drop, forward_words),
    WORD_ROW("checksums", decode, checksums, bool_words),
    TEXT_ROW("vxlan_ports", decode, vxlan_ports),
    TEXT_ROW("geneve_ports", decode, geneve_ports),
    TEXT_ROW("teredo_ports", decode, teredo_ports),
    CYAML_FIELD_END};

static const cyaml_schema_field_t flow_rows[] = {
    UINT_ROW("max", flow, max),
    UINT_ROW("max_vars", flow, max_vars),
    UINT_ROW("tcp_new", flow, tcp_new_s),
    UINT_ROW("tcp_established", flow, tcp_established_s),
    UINT_ROW("tcp_closed", flow, tcp_closed_s),
    UINT_ROW("udp_new", flow, udp_new_s),
    UINT_ROW("udp_established", flow, udp_established_s),
    UINT_ROW("icmp", flow, icmp_s),
    UINT_ROW("other", flow, other_s),
    WORD_ROW("memcap_policy", flow, memcap_policy, exception_words),
    CYAML_FIELD_END};

static const cyaml_schema_field_t stream_rows[] = {
    WORD_ROW("midstream", stream, midstream, bool_words),
    WORD_ROW("async", stream, async, bool_words),
    WORD_ROW("midstream_policy", stream, midstream_policy, exception_words),
    WORD_ROW("memcap_policy", stream, memcap_policy, exception_words),
    BYTES_ROW("memory", stream, memory_bytes),
    BYTES_ROW("flow_bytes", stream, flow_bytes),
    BYTES_ROW("window", stream, window_bytes),
    BYTES_ROW("depth", stream, depth_bytes),
    WORD_ROW("bypass_at_depth", stream, bypass_at_depth, bool_words),
    WORD_ROW("conflict", stream, conflict_drop, conflict_words),
    WORD_ROW("ignored", stream, ignored_forward, ignored_words),
    CYAML_FIELD_END};

static const cyaml_strval_t fingerprint_words[] = {
    {"auto", FINGERPRINT_AUTO}, {"on", 1}, {"off", 0}, {"yes", 1}, {"no", 0}, {"true", 1}, {"false", 0}};
static const cyaml_strval_t encryption_words[] = {{"track", 0}, {"bypass", 1}};

static const cyaml_schema_field_t app_http_rows[] = {
    BYTES_ROW("request_body_limit", app.http, request_body_bytes),
    BYTES_ROW("response_body_limit", app.http, response_body_bytes), CYAML_FIELD_END};

static const cyaml_schema_field_t app_ftp_rows[] = {UINT_ROW("max_tx", app.ftp, max_tx), CYAML_FIELD_END};

static const cyaml_schema_field_t app_filestore_rows[] = {
    WORD_ROW("enabled", app.filestore, enabled, bool_words), TEXT_ROW("dir", app.filestore, dir),
    BYTES_ROW("max_bytes", app.filestore, max_bytes), UINT_ROW("max_open", app.filestore, max_open),
    CYAML_FIELD_END};

static const cyaml_schema_field_t app_rows[] = {
    BYTES_ROW("memory", app, memory_bytes),
    BYTES_ROW("flow_memory", app, flow_bytes),
    WORD_ROW("memcap_policy", app, memcap_policy, exception_words),
    WORD_ROW("error_policy", app, error_policy, exception_words),
    WORD_ROW("ambiguous", app, ambiguous_policy, exception_words),
    WORD_ROW("encryption", app, encryption_bypass, encryption_words),
    WORD_ROW("ja3", app, ja3, fingerprint_words),
    WORD_ROW("ja4", app, ja4, fingerprint_words),
    WORD_ROW("hassh", app, hassh, bool_words),
    WORD_ROW("hashes", app, hashes, bool_words),
    TEXT_ROW("off", app, off),
    BYTES_ROW("body_window", app, body_window),
    BYTES_ROW("body_start", app, body_start),
    BYTES_ROW("file_depth", app, file_depth),
    UINT_ROW("decompress_ratio", app, decompress_ratio),
    BYTES_ROW("decompress_bytes", app, decompress_bytes),
    UINT_ROW("layers", app, layers),
    BYTES_ROW("header_line", app, header_line),
    BYTES_ROW("headers_bytes", app, headers_bytes),
    UINT_ROW("headers", app, headers),
    UINT_ROW("transactions", app, transactions),
    INNER_ROW("http", app, http, app_http_rows),
    INNER_ROW("ftp", app, ftp, app_ftp_rows),
    INNER_ROW("filestore", app, filestore, app_filestore_rows),
    CYAML_FIELD_END};

static const cyaml_schema_field_t normalise_rows[] = {
    UINT_ROW("ttl_floor", normalise, ttl_floor),
    WORD_ROW("urgent", normalise, urgent, bool_words),
    WORD_ROW("tcp_reserved", normalise, tcp_reserved, bool_words),
    WORD_ROW("tcp_options", normalise, tcp_options, bool_words),
    WORD_ROW("window", normalise, window, bool_words),
    WORD_ROW("ecn", normalise, ecn, bool_words),
    WORD_ROW("padding", normalise, padding, bool_words),
    CYAML_FIELD_END};

static const cyaml_schema_field_t defrag_rows[] = {
    UINT_ROW("frames", defrag, frames),
    UINT_ROW("host_frames", defrag, host_frames),
    UINT_ROW("datagram_frames", defrag, datagram_frames),
    UINT_ROW("ipv4_timeout", defrag, ipv4_s),
    UINT_ROW("ipv6_timeout", defrag, ipv6_s),
    WORD_ROW("policy", defrag, policy, defrag_words),
    WORD_ROW("tiny", defrag, tiny_drop, tiny_words),
    WORD_ROW("memcap_policy", defrag, memcap_policy, exception_words),
    CYAML_FIELD_END};

static const cyaml_schema_field_t guard_rows[] = {
    WORD_ROW("broken", guard, broken, bool_words),
    TEXT_ROW("source_rate", guard, source_rate),
    TEXT_ROW("syn_source_rate", guard, syn_source_rate),
    TEXT_ROW("syn_destination_rate", guard, syn_destination_rate),
    UINT_ROW("sources", guard, sources),
    LIST_ROW("block", guard, block, n_block),
    LIST_ROW("allow", guard, allow, n_allow),
    CYAML_FIELD_END};

static const cyaml_schema_field_t log_rows[] = {TEXT_ROW("dir", log, dir),
                                                UINT_ROW("stats_interval", log, stats_interval_s),
                                                WORD_ROW("payload", log, payload, bool_words),
                                                WORD_ROW("packet", log, packet, bool_words),
                                                WORD_ROW("anomalies", log, anomalies, bool_words),
                                                TEXT_ROW("events", log, events),
                                                WORD_ROW("references", log, references, bool_words),
                                                WORD_ROW("utc", log, utc, bool_words),
                                                BYTES_ROW("ring_bytes", log, ring_bytes),
                                                TEXT_ROW("level", log, level),
                                                CYAML_FIELD_END};

static const cyaml_strval_t overload_words[] = {
    {"auto", OVERLOAD_AUTO}, {"off", OVERLOAD_OFF}, {"drop", OVERLOAD_DROP}};

static const cyaml_schema_field_t overload_rows[] = {UINT_ROW("high", overload, high),
                                                     UINT_ROW("low", overload, low),
                                                     WORD_ROW("policy", overload, policy, overload_words),
                                                     BYTES_ROW("elephant_depth", overload, elephant_bytes),
                                                     UINT_ROW("packet_us", overload, packet_us),
                                                     CYAML_FIELD_END};

static const cyaml_schema_field_t supervisor_rows[] = {
    UINT_ROW("stall", supervisor, stall_ms), UINT_ROW("strikes", supervisor, strikes), CYAML_FIELD_END};

static const cyaml_schema_field_t control_rows[] = {TEXT_ROW("socket", control, socket),
                                                    TEXT_ROW("group", control, group), CYAML_FIELD_END};

static const cyaml_schema_field_t config_rows[] = {
    CYAML_FIELD_SEQUENCE_COUNT("bridges", OPT | CYAML_FLAG_POINTER, struct config, bridges, n_bridges,
                               &bridge_entry, 0, BRIDGES_MAX),
    GROUP_ROW("rules", rules, rules_rows),
    GROUP_ROW("detect", detect, detect_rows),
    GROUP_ROW("decode", decode, decode_rows),
    GROUP_ROW("flow", flow, flow_rows),
    GROUP_ROW("stream", stream, stream_rows),
    GROUP_ROW("app", app, app_rows),
    GROUP_ROW("normalise", normalise, normalise_rows),
    GROUP_ROW("defrag", defrag, defrag_rows),
    GROUP_ROW("guard", guard, guard_rows),
    GROUP_ROW("log", log, log_rows),
    GROUP_ROW("overload", overload, overload_rows),
    GROUP_ROW("supervisor", supervisor, supervisor_rows),
    GROUP_ROW("control", control, control_rows),
    CYAML_FIELD_ENUM("exception_policy", OPT_WORD, struct config, exception_policy, exception_words,
                     N_OF(exception_words)),
    CYAML_FIELD_STRING_PTR("pin_dir", OPT, struct config, pin_dir, 0, 200),
    CYAML_FIELD_UINT("crash_limit", OPT, struct config, crash_limit),
    CYAML_FIELD_STRING_PTR("user", OPT, struct config, user, 0, 64),
    CYAML_FIELD_END};

const cyaml_schema_value_t config_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config, config_rows)};

/* --- walking a dotted path ------------------------------------------------------------------------------ */

static const cyaml_schema_field_t *field_find(const cyaml_schema_value_t *map, const char *name, size_t len)
{
    for (const cyaml_schema_field_t *f = map->mapping.fields; f->key != NULL; f++)
        if (strlen(f->key) == len && memcmp(f->key, name, len) == 0)
            return f;
    return NULL;
}

static int unknown_key(const cyaml_schema_value_t *map, const char *path, const char *name, size_t len,
                       struct err *e)
{
    char word[128];
    struct suggest s;

    snprintf(word, sizeof(word), "%.*s", (int)len, name);
    suggest_init(&s, word);
    for (const cyaml_schema_field_t *f = map->mapping.fields; f->key != NULL; f++)
        suggest_offer(&s, f->key);
    err_set(e, -EINVAL, "unknown key '%.*s'", (int)(name - path + (long)len), path);
    if (s.best != NULL)
        err_remedy(e, "did you mean '%.*s%s'?", (int)(name - path), path, s.best);
    else
        err_remedy(e, "see ips.yaml(5) for the keys there are");
    return -EINVAL;
}

static unsigned long count_read(const void *p, unsigned size)
{
    return size == sizeof(unsigned) ? *(const unsigned *)p : 0;
}

/* at stands behind '['; steps into the list's element and returns what follows ']', or NULL. */
static const char *step_into(struct config_slot *slot, const char *at, const char *path, unsigned long count,
                             struct err *e)
{
    const cyaml_schema_value_t *list = slot->type, *entry;
    char *end;
    unsigned long i;

    if (list->type != CYAML_SEQUENCE) {
        err_set(e, -EINVAL, "'%s' has an index, but that is not a list", path);
        err_remedy(e, "leave the [index] out");
        return NULL;
    }
    i = strtoul(at, &end, 10);
    if (!isdigit((unsigned char)*at) || *end != ']') {
        err_set(e, -EINVAL, "'%s' has no number between [ and ]", path);
        err_remedy(e, "write the element's index, counted from 0, as in bridges[0].queues=2");
        return NULL;
    }
    entry = list->sequence.entry;
    if (slot->data != NULL) {
        char *base = list->flags & CYAML_FLAG_POINTER ? *(char **)slot->data : slot->data;

        if (i >= count) {
            err_set(e, -EINVAL, "'%s': there are %lu elements, counted from 0", path, count);
            err_remedy(e, "elements are made in the configuration file; --set changes those that are there");
            return NULL;
        }
        slot->data = base + i * (entry->flags & CYAML_FLAG_POINTER ? sizeof(void *) : entry->data_size);
    }
    slot->type = entry;
    return end + 1;
}

int config_resolve(struct config *c, const char *path, struct config_slot *slot, struct err *e)
{
    const char *at = path;

    slot->type = &config_schema;
    slot->data = c;
    for (;;) {
        size_t len = strcspn(at, ".[");
        const cyaml_schema_field_t *f = field_find(slot->type, at, len);
        unsigned long count = 0;

        if (f == NULL)
            return unknown_key(slot->type, path, at, len, e);
        if (slot->data != NULL) {
            if (f->value.type == CYAML_SEQUENCE)
                count = count_read((char *)slot->data + f->count_offset, f->count_size);
            slot->data = (char *)slot->data + f->data_offset;
        }
        slot->type = &f->value;
        at += len;
        if (*at == '[' && (at = step_into(slot, at + 1, path, count, e)) == NULL)
            return -EINVAL;
        if (*at == '\0')
            return 0;
        if (*at != '.' || slot->type->type != CYAML_MAPPING) {
            err_set(e, -EINVAL, "'%s' names nothing below '%.*s'", path, (int)(at - path), path);
            return err_remedy(e, "see ips.yaml(5) for the keys there are"), -EINVAL;
        }
        at++;
    }
}

/* --- single values -------------------------------------------------------------------------------------- */

static bool number_parse(const cyaml_schema_value_t *type, const char *text, unsigned long *v)
{
    static const struct {
        const char *word;
        unsigned shift;
    } units[] = {{"", 0}, {"kb", 10}, {"mb", 20}, {"gb", 30}};
    const unsigned long most = type->flags & BYTES ? UINT32_MAX : INT32_MAX;
    char *end;

    if (!isdigit((unsigned char)text[0]) || (text[0] == '0' && isdigit((unsigned char)text[1])))
        return false; /* a leading zero would be octal to libcyaml */
    errno = 0;
    *v = strtoul(text, &end, 10);
    if (errno != 0)
        return false;
    for (size_t i = 0; i < (type->flags & BYTES ? N_OF(units) : 1); i++)
        if (strcasecmp(end, units[i].word) == 0 && *v <= most >> units[i].shift) {
            *v <<= units[i].shift;
            return true;
        }
    return false;
}

static const cyaml_strval_t *word_find(const cyaml_schema_value_t *type, const char *text)
{
    for (uint32_t i = 0; i < type->enumeration.count; i++)
        if (strcmp(type->enumeration.strings[i].str, text) == 0)
            return &type->enumeration.strings[i];
    return NULL;
}

static int bad_word(const cyaml_schema_value_t *type, const char *path, const char *text, struct err *e)
{
    char words[160] = "";

    for (uint32_t i = 0; i < type->enumeration.count; i++) {
        size_t at = strlen(words);

        snprintf(words + at, sizeof(words) - at, "%s%s", i > 0 ? ", " : "", type->enumeration.strings[i].str);
    }
    err_set(e, -EINVAL, "%s cannot be '%.64s'", path, text);
    return err_remedy(e, "give one of: %s", words), -EINVAL;
}

int config_value_check(const cyaml_schema_value_t *type, const char *path, const char *text, struct err *e)
{
    unsigned long v;
    size_t len = strlen(text);

    switch (type->type) {
    case CYAML_UINT:
    case CYAML_INT:
        if (number_parse(type, text, &v))
            return 0;
        err_set(e, -EINVAL, "%s cannot be '%.64s'", path, text);
        if (type->flags & BYTES)
            return err_remedy(e, "give a number of bytes up to %u, or one with a unit, as in 64kb, 1mb, 2gb",
                              UINT32_MAX),
                   -EINVAL;
        return err_remedy(e, "give a whole number from 0 to %d, digits only", INT32_MAX), -EINVAL;
    case CYAML_ENUM:
        return word_find(type, text) != NULL ? 0 : bad_word(type, path, text, e);
    case CYAML_STRING:
        if (len >= type->string.min && len <= type->string.max)
            return 0;
        err_set(e, -EINVAL, "%s has a text of %zu bytes", path, len);
        return err_remedy(e, "give %u to %u bytes", type->string.min, type->string.max), -EINVAL;
    default:
        err_set(e, -EINVAL, "%s is %s, not a single value", path,
                type->type == CYAML_SEQUENCE ? "a list" : "a group of keys");
        err_remedy(e, "see ips.yaml(5) for its form; --set takes single values only");
        return -EINVAL;
    }
}

bool config_value_bytes(const cyaml_schema_value_t *type, const char *text, unsigned long *v)
{
    return type->flags & BYTES && number_parse(type, text, v);
}

int config_value_store(const struct config_slot *slot, const char *path, const char *text, struct err *e)
{
    const cyaml_schema_value_t *type = slot->type;
    int rc = config_value_check(type, path, text, e);
    uint32_t v = 0;
    unsigned long n;
    char *copy;

    if (rc < 0)
        return rc;
    if (type->type == CYAML_STRING) {
        copy = strdup(text);
        if (copy == NULL)
            return err_set(e, -ENOMEM, "no memory for the configuration");
        free(*(char **)slot->data);
        *(char **)slot->data = copy;
        return 0;
    }
    if (type->type == CYAML_ENUM)
        v = (uint32_t)word_find(type, text)->val;
    else if (number_parse(type, text, &n))
        v = (uint32_t)n;
    if (type->data_size == sizeof(bool))
        *(bool *)slot->data = v != 0;
    else
        memcpy(slot->data, &v, sizeof(v));
    return 0;
}
