/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration: defaults, files with and without mistakes, --set, and the checks of the whole. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "bpf/shared.h"
#include "ips/control/config.h"
#include "ips/control/config_schema.h"

static char path[64];

static int make_dir(void **state)
{
    char dir[] = "/tmp/sluice-config-XXXXXX";

    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/ips.yaml", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path);
    *strrchr(path, '/') = '\0';
    return rmdir(path);
}

static struct config *load(const char *text, struct err *e)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    memset(e, 0, sizeof(*e));
    return config_load(path, e);
}

static void defaults(void **state)
{
    struct err e;
    struct config *c = config_new(&e);

    (void)state;
    assert_non_null(c);
    assert_int_equal(c->n_bridges, 0);
    assert_true(c->decode.malformed_drop);
    assert_false(c->decode.not_ip_drop);
    assert_true(c->decode.checksums);
    assert_int_equal(c->flow.tcp_established_s, 600);
    assert_false(c->stream.midstream);
    assert_string_equal(c->detect.action_order, "pass,drop,reject,alert");
    assert_string_equal(c->control.socket, "/run/sluice/ipsd.sock");
    assert_int_equal(config_check(c, true, &e), 0);
    config_free(c);
    config_free(NULL);
}

static void a_whole_file(void **state)
{
    struct err e;
    struct config *c = load("bridges:\n"
                            "- name: lan\n"
                            "  interfaces: [eth1, eth2]\n"
                            "  queues: 2\n"
                            "  cpus: [0]\n"
                            "  mode: native\n"
                            "  busy_poll: on\n"
                            "  fail: closed\n"
                            "  heartbeat: 0\n"
                            "- interfaces:\n"
                            "  - eth3\n"
                            "  - eth4\n"
                            "rules:\n"
                            "  vars:\n"
                            "  - {name: HOME_NET, value: '[10.0.0.0/8,192.168.0.0/16]'}\n"
                            "  strict: yes\n"
                            "decode: {not_ip: drop, malformed: forward, checksums: off}\n"
                            "flow: {max: 1000, memcap_policy: drop}\n"
                            "stream: {midstream: true, async: on, midstream_policy: drop-flow}\n"
                            "log: {dir: /tmp, utc: true, packet: on, level: info}\n",
                            &e);

    (void)state;
    if (c == NULL)
        fail_msg("%s", e.text);
    assert_int_equal(c->n_bridges, 2);
    assert_string_equal(c->bridges[0].name, "lan");
    assert_string_equal(c->bridges[0].interfaces[1], "eth2");
    assert_int_equal(c->bridges[0].n_interfaces, 2);
    assert_int_equal(c->bridges[0].queues, 2);
    assert_int_equal(c->bridges[0].n_cpus, 1);
    assert_int_equal(c->bridges[0].mode, XDP_MODE_NATIVE);
    assert_int_equal(c->bridges[0].busy_poll, BUSY_POLL_ON);
    assert_int_equal(c->bridges[0].fail, STEER_FAIL_CLOSED);
    assert_int_equal(c->bridges[0].ring_size, 2048);
    assert_string_equal(c->bridges[1].name, "br1");
    assert_int_equal(c->bridges[1].fail, STEER_FAIL_OPEN);
    assert_int_equal(*c->bridges[0].heartbeat_ms, 0); /* which is not the default */
    assert_int_equal(*c->bridges[1].heartbeat_ms, CONFIG_DEFAULT_HEARTBEAT_MS);
    assert_int_equal(c->rules.n_vars, 1);
    assert_string_equal(c->rules.vars[0].value, "[10.0.0.0/8,192.168.0.0/16]");
    assert_true(c->rules.strict);
    assert_true(c->decode.not_ip_drop);
    assert_false(c->decode.malformed_drop);
    assert_false(c->decode.checksums);
    assert_int_equal(c->flow.max, 1000);
    assert_int_equal(c->flow.tcp_new_s, 60); /* not in the file: the default */
    assert_int_equal(c->flow.memcap_policy, EXCEPTION_DROP_FLOW);
    assert_true(c->stream.midstream && c->stream.async);
    assert_int_equal(c->stream.midstream_policy, EXCEPTION_DROP_FLOW);
    assert_true(c->log.utc && c->log.packet && c->log.payload);
    assert_string_equal(c->log.level, "info");
    assert_int_equal(config_check(c, false, &e), 0);
    config_free(c);
}

static void empty_files_are_defaults(void **state)
{
    static const char *const empty[] = {"", "# nothing\n", "---\n", "{}\n"};
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        struct config *c = load(empty[i], &e);

        if (strcmp(empty[i], "---\n") == 0) { /* a document that holds an empty text */
            assert_null(c);
            continue;
        }
        if (c == NULL)
            fail_msg("%zu: %s", i, e.text);
        assert_int_equal(c->flow.tcp_new_s, 60);
        config_free(c);
    }
}

static const struct {
    const char *text;
    int line;
    const char *what, *remedy; /* parts that the message must have */
} mistakes[] = {
    {"log:\n  dir: /tmp\n  colour: red\n", 3, "unknown key 'log.colour'", "ips.yaml(5)"},
    {"strem: {midstream: on}\n", 1, "unknown key 'strem'", "did you mean 'stream'?"},
    {"stream:\n  midstrem: on\n", 2, "unknown key 'stream.midstrem'", "did you mean 'stream.midstream'?"},
    {"detect:\n  xyzzy: x\n", 2, "unknown key 'detect.xyzzy'", ""},
    {"stream: {quux: true}\n", 1, "unknown key 'stream.quux'", ""},
    {"exception_policy: maybe\n", 1, "exception_policy cannot be 'maybe'", "ignore"},
    {"bridges:\n- name: a\n  interfaces: [a, b]\n  queus: 2\n", 4, "unknown key 'bridges[0].queus'",
     "bridges[0].queues"},
    {"flow:\n  max: many\n", 2, "flow.max cannot be 'many'", "whole number"},
    {"flow:\n  max: 1.5\n", 2, "flow.max cannot be '1.5'", "whole number"},
    {"stream:\n  memory: 1 mb\n", 2, "stream.memory cannot be '1 mb'", "1mb"},
    {"flow:\n  max: 12k\n", 2, "flow.max cannot be '12k'", "whole number"},
    {"flow:\n  max: 010\n", 2, "flow.max cannot be '010'", "whole number"},
    {"flow:\n  max: -1\n", 2, "flow.max cannot be '-1'", "whole number"},
    {"flow:\n  max: 99999999999999999999\n", 2, "flow.max cannot be", "whole number"},
    {"flow:\n  max:\n", 2, "flow.max cannot be ''", "whole number"},
    {"decode:\n  checksums: banana\n", 2, "decode.checksums cannot be 'banana'", "off, on"},
    {"decode:\n  malformed: pass\n", 2, "decode.malformed cannot be 'pass'", "forward, drop"},
    {"bridges:\n- interfaces: [a, b]\n  cpus: [0, x]\n", 3, "bridges[0].cpus[1] cannot be 'x'",
     "whole number"},
    {"bridges:\n- name: x\n", 0, "interfaces", "add the key"},
    {"bridges: 3\n", 1, "bridges has a single value", "it must be a list"},
    {"flow:\n", 1, "flow has a single value or none", "a group of keys"},
    {"log:\n  dir: [a]\n", 2, "log.dir is a list here", "it must be a single value"},
    {"rules:\n  vars: {HOME_NET: x}\n", 2, "rules.vars is a group of keys here", "it must be a list"},
    {"flow: {max: 9}\nflow: {max: 10}\n", 0, "flow", "once"},
    {"flow:\n\tmax: 1\n", 2, "not YAML", "never with tabs"},
    {"a: [b\n", 1, "unknown key 'a'", ""},
    {"log: {dir: 'x\n", 2, "not YAML", ""},
    {"log: {dir: &a x}\nuser: *a\n", 2, "aliases", "write the value out"},
    {"user: a\n---\nuser: b\n", 2, "second YAML document", "merge"},
    {"- a\n", 1, "the file is a list here", "group of keys"},
    {"just text\n", 1, "the file has a single value", "group of keys"},
    {"flow.max: 3\n", 1, "unknown key 'flow.max'", "--set"},
    {"user: \"a\\0b\"\n", 1, "NUL", ""},
    {"? [a]\n: b\n", 1, "where a key should", ""},
    {"bridges:\n- interfaces: [a, b, c]\n", 2, "bridges", ""},
};

static void mistakes_name_line_and_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct err e;
        struct config *c = load(mistakes[i].text, &e);
        char said[1100];

        err_format(&e, said, sizeof(said));
        if (c != NULL)
            fail_msg("accepted:\n%s", mistakes[i].text);
        if (strstr(e.text, mistakes[i].what) == NULL || strstr(e.remedy, mistakes[i].remedy) == NULL)
            fail_msg("%s--> %s", mistakes[i].text, said);
        if (mistakes[i].line != 0 && e.line != mistakes[i].line)
            fail_msg("%s--> line %d: %s", mistakes[i].text, e.line, said);
        assert_true(e.line > 0);
        assert_string_equal(e.file, path);
    }
}

static void no_such_file(void **state)
{
    struct err e;

    (void)state;
    assert_null(config_load("/nonexistent/ips.yaml", &e));
    assert_int_equal(e.code, -ENOENT);
    assert_null(config_load("/tmp", &e));
    assert_null(config_load("/dev/zero", &e));
    assert_non_null(strstr(e.text, "not a file"));
}

static void garbage_is_refused_without_harm(void **state)
{
    uint32_t seed = 12345;
    char text[400];
    struct err e;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        static const char alphabet[] = "abflowmax:{}[]-,#&*!|>'\"%@ \n\t?01\x80\xff";
        size_t n = seed % (sizeof(text) - 1);

        for (size_t i = 0; i < n; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
        }
        text[n] = '\0';
        config_free(load(text, &e));
    }
    /* nested deeper than anything a configuration needs */
    memset(text, '[', 300);
    text[300] = '\0';
    assert_null(load(text, &e));
}

static void settings(void **state)
{
    struct err e;
    struct config *c = load("bridges:\n- interfaces: [a, b]\n", &e);

    (void)state;
    assert_non_null(c);
    assert_int_equal(config_set(c, "stream.midstream=true", &e), 0);
    assert_true(c->stream.midstream);
    assert_int_equal(c->stream.midstream_policy, EXCEPTION_DEFAULT);
    assert_int_equal(c->exception_policy, EXCEPTION_DEFAULT);
    assert_int_equal(config_set(c, "exception_policy=auto", &e), 0);
    assert_int_equal(c->exception_policy, EXCEPTION_AUTO);
    assert_int_equal(config_set(c, "stream.midstream_policy=pass-flow", &e), 0);
    assert_int_equal(c->stream.midstream_policy, EXCEPTION_PASS_FLOW);
    assert_int_equal(config_set(c, "detect.action_order=drop,pass,reject,alert", &e), 0);
    assert_string_equal(c->detect.action_order, "drop,pass,reject,alert");
    assert_int_equal(config_set(c, "bridges[0].queues=2", &e), 0);
    assert_int_equal(c->bridges[0].queues, 2);
    assert_int_equal(config_set(c, "bridges[0].interfaces[1]=eth9", &e), 0);
    assert_string_equal(c->bridges[0].interfaces[1], "eth9");
    assert_int_equal(config_set(c, "log.dir=/a=b", &e), 0);
    assert_string_equal(c->log.dir, "/a=b");
    assert_int_equal(config_set(c, "bridges[1].queues=2", &e), -EINVAL);
    assert_int_equal(config_set(c, "bridges.queues=2", &e), -EINVAL);
    assert_int_equal(config_set(c, "bridges[x].queues=2", &e), -EINVAL);
    assert_int_equal(config_set(c, "bridges=2", &e), -EINVAL);
    assert_int_equal(config_set(c, "bridges[0]=2", &e), -EINVAL);
    assert_int_equal(config_set(c, "flow=2", &e), -EINVAL);
    assert_int_equal(config_set(c, "flow.max[0]=2", &e), -EINVAL);
    assert_int_equal(config_set(c, "flow.max.x=2", &e), -EINVAL);
    assert_int_equal(config_set(c, "flow.max=2x", &e), -EINVAL);
    assert_int_equal(config_set(c, "flow.max", &e), -EINVAL);
    assert_int_equal(config_set(c, "=1", &e), -EINVAL);
    assert_int_equal(config_set(c, "application.ftp.max_tx=10", &e), -EINVAL);
    assert_non_null(strstr(e.text, "unknown key 'application'"));
    config_free(c);
}

static void bytes_have_units(void **state)
{
    static const struct {
        const char *text;
        unsigned bytes;
    } good[] = {{"0", 0},
                {"1500", 1500},
                {"1kb", 1024},
                {"64KB", 65536},
                {"1mb", 1u << 20},
                {"3Mb", 3u << 20},
                {"2gb", 1u << 31},
                {"3GB", 3u << 30},
                {"0gb", 0},
                {"4095mb", 0xfff00000},
                {"4294967295", UINT32_MAX}};
    static const char *const bad[] = {"4gb",  "4096mb", "4294967296", "1 mb",
                                      "mb",   "1m",     "1tb",        "1.5mb",
                                      "-1kb", "01kb",   "1mbx",       "18446744073709551617kb"};
    struct err e;
    struct config *c = config_new(&e);
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(text, sizeof(text), "app.http.response_body_limit=%s", good[i].text);
        assert_int_equal(config_set(c, text, &e), 0);
        assert_int_equal(c->app.http.response_body_bytes, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "stream.memory=%s", bad[i]);
        if (config_set(c, text, &e) == 0)
            fail_msg("accepted: %s", text);
        assert_non_null(strstr(e.remedy, "1mb"));
    }
    assert_int_equal(config_set(c, "flow.max=1kb", &e), -EINVAL); /* flows are not bytes */
    assert_int_equal(config_set(c, "app.ftp.max_tx=1kb", &e), -EINVAL);
    assert_int_equal(config_set(c, "app.ftp.max_tx=10", &e), 0);
    assert_int_equal(c->app.ftp.max_tx, 10);
    assert_int_equal(config_set(c, "app.http.max_tx=10", &e), -EINVAL);
    assert_int_equal(config_set(c, "stream.memory=2gb", &e), 0);
    assert_int_equal(config_check(c, true, &e), 0);
    config_free(c);
}

/* libcyaml is given the text with digits in place of units: what stands around them must not move or vanish. */
static void a_file_has_units(void **state)
{
    struct err e;
    struct config *c = load(
        "\xef\xbb\xbf# gr\xc3\xb6\xc3\x9f"
        "e \xf0\x9f\x90\x8c 1mb\r\n"
        "app: {memory: 64mb, 'flow_memory' : '4MB' , http: {request_body_limit: !!int 1kb}, off: \"2kb\"}\n"
        "log:\n"
        "  dir: \"/tmp/\xc3\xb6\" # 3mb\n"
        "  ring_bytes: 1mb# no comment\n",
        &e);

    (void)state;
    assert_null(c);
    assert_int_equal(e.line, 5);
    assert_non_null(strstr(e.text, "log.ring_bytes cannot be '1mb# no comment'"));
    c = load(
        "\xef\xbb\xbf# gr\xc3\xb6\xc3\x9f"
        "e \xf0\x9f\x90\x8c 1mb\r\n"
        "app: {memory: 64mb, 'flow_memory' : '4MB' , http: {request_body_limit: !!int 1kb}, off: \"2kb\"}\n"
        "log:\n"
        "  dir: \"/tmp/\xc3\xb6\" # 3mb\n"
        "  ring_bytes: 1mb # a comment\n"
        "stream:\n"
        "  memory:\n"
        "    2gb\n"
        "  window: 8kb\n"
        "user: 1mb",
        &e);
    if (c == NULL)
        fail_msg("%s", e.text);
    assert_int_equal(c->app.memory_bytes, 64 << 20);
    assert_int_equal(c->app.flow_bytes, 4 << 20);
    assert_int_equal(c->app.http.request_body_bytes, 1024);
    assert_int_equal(c->app.http.response_body_bytes, 0);
    assert_string_equal(c->app.off, "2kb");
    assert_string_equal(c->log.dir, "/tmp/\xc3\xb6");
    assert_int_equal(c->log.ring_bytes, 1 << 20);
    assert_int_equal(c->stream.memory_bytes, 1u << 31);
    assert_int_equal(c->stream.window_bytes, 8192);
    assert_string_equal(c->user, "1mb");
    config_free(c);
    /* what only libcyaml finds has the right line behind such numbers, too */
    c = load("stream:\n  memory: 1mb\nbridges:\n- name: x\n  mode: native\nlog: {}\n", &e);
    assert_null(c);
    assert_non_null(strstr(e.remedy, "add the key"));
    assert_true(e.line >= 4 && e.line <= 6);
}

static const struct {
    const char *text, *what;
} conflicts[] = {
    {"", "no bridge"},
    {"bridges: [{interfaces: [a, a]}]", "on both sides"},
    {"bridges: [{interfaces: [a]}]", "has 1 interfaces"},
    {"bridges: [{interfaces: [a, b/c]}]", "cannot be an interface's name"},
    {"bridges: [{interfaces: [a, averyverylongname]}]", "cannot be an interface's name"},
    {"bridges: [{interfaces: [a, b]}, {interfaces: [c, a]}]", "interface a is in the bridges br0 and br1"},
    {"bridges: [{name: x, interfaces: [a, b]}, {name: x, interfaces: [c, d]}]", "same name"},
    {"bridges: [{interfaces: [a, b], ring_size: 1000}]", "ring_size is 1000"},
    {"bridges: [{interfaces: [a, b], ring_size: 32}]", "ring_size is 32"},
    {"bridges: [{interfaces: [a, b], frames: 100}]", "frames is 100"},
    {"bridges: [{interfaces: [a, b], queues: 65}]", "queues is 65"},
    {"bridges: [{interfaces: [a, b], cpus: [9999]}]", "no CPU 9999"},
    {"bridges: [{interfaces: [a, b], queues: 40}, {interfaces: [c, d], queues: 40}]", "80 queues in all"},
    {"bridges: [{interfaces: [a, b]}]\nrules: {files: [/nonexistent/*.rules]}", "no file matches"},
    {"bridges: [{interfaces: [a, b]}]\nrules: {vars: [{name: $X, value: a}]}", "cannot be a variable's name"},
    {"bridges: [{interfaces: [a, b]}]\nrules: {classification: /nonexistent}", "rules.classification"},
    {"bridges: [{interfaces: [a, b]}]\nflow: {max: 1}", "flow.max is 1"},
    {"bridges: [{name: a.b, interfaces: [a, b]}]", "cannot be a bridge's name"},
    {"bridges: [{name: ../x, interfaces: [a, b]}]", "cannot be a bridge's name"},
    {"bridges: [{interfaces: [a, b], heartbeat: 4}]", "heartbeat is 4"},
    {"bridges: [{interfaces: [a, b], heartbeat: 60001}]", "heartbeat is 60001"},
    {"bridges: [{interfaces: [a, b], flow_cache_size: 63}]", "flow_cache_size is 63"},
    {"bridges: [{interfaces: [a, b]}]\nlog: {level: loud}", "log.level"},
    {"bridges: [{interfaces: [a, b]}]\nlog: {dir: ''}", "log.dir is empty"},
    {"bridges: [{interfaces: [a, b]}]\ncontrol: {socket: relative}", "control.socket"},
    {"bridges: [{interfaces: [a, b]}]\ncontrol: {group: no-such-group}", "no group"},
    {"bridges: [{interfaces: [a, b]}]\nuser: no-such-user", "no user"},
    {"bridges: [{interfaces: [a, b]}]\ndetect: {action_order: 'pass,drop'}", "detect.action_order"},
    {"bridges: [{interfaces: [a, b]}]\ndetect: {action_order: 'pass,pass,drop,alert'}",
     "detect.action_order"},
    {"bridges: [{interfaces: [a, b]}]\ndetect: {action_order: 'pass,drop,reject,alert,pass'}",
     "detect.action_order"},
};

static void conflicts_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(conflicts) / sizeof(conflicts[0]); i++) {
        struct err e;
        struct config *c = load(conflicts[i].text, &e);

        if (c == NULL)
            fail_msg("%s: %s", conflicts[i].text, e.text);
        if (config_check(c, false, &e) >= 0)
            fail_msg("accepted: %s", conflicts[i].text);
        if (strstr(e.text, conflicts[i].what) == NULL)
            fail_msg("%s --> %s", conflicts[i].text, e.text);
        assert_true(e.code < 0);
        config_free(c);
    }
}

static void action_orders(void **state)
{
    uint8_t rank[ACTION_N];
    struct err e;

    (void)state;
    assert_int_equal(config_action_order("alert,pass,drop,reject", rank, &e), 0);
    assert_int_equal(rank[ACTION_ALERT], 0);
    assert_int_equal(rank[ACTION_PASS], 1);
    assert_int_equal(rank[ACTION_DROP], 2);
    assert_int_equal(rank[ACTION_REJECT], 3);
    assert_int_equal(config_action_order("", rank, &e), -EINVAL);
    assert_int_equal(config_action_order("pass, drop,reject,alert", rank, &e), -EINVAL);
    assert_int_equal(config_action_order("pass,drop,reject,alert,", rank, &e), -EINVAL);
}

static void every_default_has_its_key(void **state)
{
    struct err e;

    (void)state;
    for (unsigned i = 0; i < n_config_defaults; i++) {
        struct config_slot slot;

        assert_int_equal(config_resolve(NULL, config_defaults[i].path, &slot, &e), 0);
        assert_int_equal(config_value_check(slot.type, config_defaults[i].path, config_defaults[i].value, &e),
                         0);
    }
}

static char *read_text(const char *name)
{
    static char text[65536];
    FILE *f = fopen(name, "r");
    size_t n;

    if (f == NULL)
        fail_msg("cannot open %s: run the tests from the top of the tree", name);
    n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = '\0';
    return text;
}

/* Every row of the table, under the name that the manual gives it. */
static void look_up_keys(const cyaml_schema_value_t *group, const char *above, const char *manual)
{
    for (const cyaml_schema_field_t *f = group->mapping.fields; f->key != NULL; f++) {
        char name[128];

        snprintf(name, sizeof(name), "%s%s%s", above, above[0] != '\0' ? "." : "", f->key);
        if (f->value.type == CYAML_MAPPING)
            look_up_keys(&f->value, name, manual);
        else if (strcmp(f->key, "bridges") == 0)
            look_up_keys(f->value.sequence.entry, "", manual);
        else if (strstr(manual, name) == NULL)
            fail_msg("ips.yaml(5) does not describe %s", name);
    }
}

static void every_key_is_in_the_manual(void **state)
{
    (void)state;
    look_up_keys(&config_schema, "", read_text("appliance/man/ips.yaml.5"));
}

/* As it is, and with every commented default in force. */
static void the_shipped_file_loads(void **state)
{
    struct err e;
    struct config *c = config_load("appliance/ips.yaml", &e);
    char *text;

    (void)state;
    if (c == NULL)
        fail_msg("%d: %s", e.line, e.text);
    assert_int_equal(c->n_bridges, 1);
    config_free(c);
    text = read_text("appliance/ips.yaml");
    for (char *p = strstr(text, "bridges:"); p != NULL; p = strchr(p, '\n')) {
        p += *p == '\n';
        size_t indent = strspn(p, " ");
        char *key = p + indent + 1 + strspn(p + indent + 1, " ");

        /* "# key: value" or "#   key: value" */
        if (p[indent] == '#' && key[0] != ':' && key[strspn(key, "abcdefghijklmnopqrstuvwxyz_")] == ':')
            memmove(p + indent, p + indent + 2, strlen(p + indent + 2) + 1);
    }
    c = load(text, &e);
    if (c == NULL)
        fail_msg("%d: %s", e.line, e.text);
    assert_int_equal(c->bridges[0].ring_size, CONFIG_DEFAULT_RING_SIZE);
    for (unsigned i = 0; i < n_config_defaults; i++) { /* the defaults that it shows are the defaults */
        struct config_slot slot;
        const char *path_i = config_defaults[i].path;

        if (strcmp(path_i, "rules.classification") == 0 || strcmp(path_i, "rules.policy") == 0)
            continue; /* the file names what is installed beside it */
        assert_int_equal(config_resolve(c, path_i, &slot, &e), 0);
        if (slot.type->type == CYAML_STRING)
            assert_string_equal(*(char **)slot.data, config_defaults[i].value);
        else if (slot.type->type == CYAML_UINT &&
                 *(unsigned *)slot.data != strtoul(config_defaults[i].value, NULL, 10))
            fail_msg("appliance/ips.yaml shows another default for %s", path_i);
    }
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(a_whole_file),
        cmocka_unit_test(empty_files_are_defaults),
        cmocka_unit_test(mistakes_name_line_and_remedy),
        cmocka_unit_test(no_such_file),
        cmocka_unit_test(garbage_is_refused_without_harm),
        cmocka_unit_test(settings),
        cmocka_unit_test(bytes_have_units),
        cmocka_unit_test(a_file_has_units),
        cmocka_unit_test(conflicts_are_found),
        cmocka_unit_test(action_orders),
        cmocka_unit_test(every_default_has_its_key),
        cmocka_unit_test(every_key_is_in_the_manual),
        cmocka_unit_test(the_shipped_file_loads),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
