/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules about files, over HTTP: digests against lists, and a size that is known before the end. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/app_rules.h"

static const char get[] = "GET /f/abc.bin HTTP/1.1\r\nHost: h\r\n\r\n";
static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab";
static const char md5[] = "# of \"abc\"\n\n00000000000000000000000000000000\n"
                          "900150983CD24FB0D6963F7D28E17F72  abc.bin\nffffffffffffffffffffffffffffffff";
static const char sha1[] = "a9993e364706816aba3e25717850c26c9cd0d89d\n";
static const char sha256[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\r\n";
static const char other[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ae\n";

static void write_list(char path[32], const char *text)
{
    strcpy(path, "/tmp/sluice-hashes-XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

/* Whether the rule has dropped by the second but last byte of the body, and by the last one. */
static void drops(const char *options, bool early, bool late)
{
    char text[512];

    snprintf(text, sizeof(text), "drop http any any -> any any (%s sid:1;)\n", options);
    struct rules_lab *r = rules_lab_new(&(struct lab_setup){.dport = 80}, text);
    lab_send(r->lab, APP_TO_SERVER, get, sizeof(get) - 1);
    lab_send(r->lab, APP_TO_CLIENT, head, sizeof(head) - 1);
    if ((r->verdict == VERDICT_DROP) != early)
        fail_msg("before the end: %s", options);
    if (!early) {
        lab_send(r->lab, APP_TO_CLIENT, "c", 1);
        if ((r->verdict == VERDICT_DROP) != late)
            fail_msg("at the end: %s", options);
    }
    rules_lab_free(r);
}

static void digests_in_lists(void **state)
{
    static const struct {
        const char *keyword, *list;
        bool holds;
    } rows[] = {{"filemd5:", md5, true},       {"filesha1:", sha1, true},     {"filesha256:", sha256, true},
                {"filesha256:", other, false}, {"filesha256:!", other, true}, {"filemd5:!", md5, false}};

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[32], options[128];

        write_list(path, rows[i].list);
        snprintf(options, sizeof(options), "%s%s;", rows[i].keyword, path);
        drops(options, false, rows[i].holds);
        snprintf(options, sizeof(options), "file.data; content:\"bc\"; %s%s;", rows[i].keyword, path);
        drops(options, false, rows[i].holds);
        unlink(path);
    }
}

static void sizes_as_soon_as_they_are_known(void **state)
{
    drops("filesize:>1;", true, true);
    drops("filesize:>2;", false, true);
    drops("filesize:>3;", false, false);
    drops("filesize:3;", false, true);
    drops("filesize:<4;", false, true);
    drops("filesize:2<>4;", false, true);
}

/* An alert tells of the files of its transaction, with what became known of them in its packet. */
static void alerts_say_which_files(void **state)
{
    struct rules_lab *r =
        rules_lab_new(&(struct lab_setup){.dport = 80},
                      "alert http any any -> any any (file.data; content:\"abc\"; sid:7;)\n"
                      "alert http any any -> any any (http.uri; content:\"abc\"; sid:8;)\n");
    uint8_t room[1024];
    struct fields f;

    lab_send(r->lab, APP_TO_SERVER, get, sizeof(get) - 1);
    assert_int_equal(rules_lab_alerts(r, 8), 1);
    fields_begin(&f, room, sizeof(room));
    assert_false(app_files(r->lab->app, 0, false, &f)); /* the request carries none */
    lab_send(r->lab, APP_TO_CLIENT, head, sizeof(head) - 1);
    assert_false(app_files(r->lab->app, 0, true, &f)); /* nobody has looked closer */
    lab_send(r->lab, APP_TO_CLIENT, "c", 1);
    assert_int_equal(rules_lab_alerts(r, 7), 1);
    assert_true(app_files(r->lab->app, 0, true, &f));
    r->lab->logged_len = 0;
    lab_note_fields(r->lab, &f);
    assert_string_equal(r->lab->logged, "files={={filename=/f/abc.bin sid={=7 } magic=ASCII text gaps=0 "
                                        "state=CLOSED stored=0 size=3 tx_id=0 } } ");
    rules_lab_free(r);
}

struct kept {
    uint8_t bytes[256];
    uint32_t len, room, n_first, n_last;
    bool named;
};

static struct kept kept;

static bool keep(void *det, const struct app_chunk *c)
{
    struct kept *k = &kept;

    k->n_first += c->first;
    k->n_last += c->last;
    k->named |= c->info != NULL;
    if (k->len + c->bytes.len > k->room)
        return false;
    if (c->bytes.len > 0)
        memcpy(k->bytes + k->len, c->bytes.p, c->bytes.len);
    k->len += c->bytes.len;
    return true;
}

/* What is handed on for filestore: in order, once, from the file's first byte as long as the window has it. */
static void files_that_are_kept(void **state)
{
    static const struct {
        const char *options;
        uint32_t room, limit;
        const char *bytes;
    } rows[] = {
        {"filestore;", 100, 100, "abc"},
        {"file.data; content:\"c\"; filestore;", 100, 100, "abc"},
        {"file.data; content:\"c\"; filestore:response,file;", 100, 100, "abc"},
        {"http.uri; content:\"abc\"; filestore:both,tx;", 100, 100, "abc"},
        {"content:\"GET /\"; filestore:both;", 100, 100, "abc"},
        {"filestore;", 100, 2, "ab"},
        {"filestore;", 2, 100, "ab"},
        {"filestore;", 100, 0, ""},
        {"http.uri; content:\"abc\"; filestore;", 100, 100, ""},
        {"file.data; content:\"x\"; filestore;", 100, 100, ""},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256];

        snprintf(text, sizeof(text), "alert http any any -> any any (%s sid:1;)\n", rows[i].options);
        struct rules_lab *r = rules_lab_new(&(struct lab_setup){.dport = 80}, text);
        kept = (struct kept){.room = rows[i].room};
        r->lab->app->cfg.store_bytes = rows[i].limit;
        r->lab->app->hooks.file = keep;
        lab_send(r->lab, APP_TO_SERVER, get, sizeof(get) - 1);
        lab_send_cut(r->lab, APP_TO_CLIENT, head, sizeof(head) - 1, 1);
        lab_send(r->lab, APP_TO_CLIENT, "c", 1);
        assert_true(span_eq_str(span_of(kept.bytes, kept.len), rows[i].bytes));
        assert_int_equal(kept.n_first, kept.len > 0);
        assert_int_equal(kept.n_last, kept.len > 0);
        assert_int_equal(kept.named, kept.len > 0);
        rules_lab_free(r);
    }
}

static void lists_that_cannot_be_read(void **state)
{
    static const char *const lists[] = {"90015098\n", "zz0150983cd24fb0d6963f7d28e17f72\n",
                                        "900150983cd24fb0d6963f7d28e17f720\n"};

    for (unsigned i = 0; i <= sizeof(lists) / sizeof(lists[0]); i++) {
        char path[32] = "/nowhere/to/be/found", rules[32], text[128];
        const char *const files[] = {rules};
        struct ruleset_source src = {
            .files = files, .n_files = 1, .n_workers = 1, .strict = true, .dialect = DIALECT_SURICATA};
        struct err_list errs;

        if (i < sizeof(lists) / sizeof(lists[0]))
            write_list(path, lists[i]);
        snprintf(text, sizeof(text), "alert http any any -> any any (filemd5:%s; sid:1;)\n", path);
        write_list(rules, text);
        err_list_init(&errs);
        assert_null(ruleset_build(&src, &errs));
        err_list_fini(&errs);
        unlink(rules);
        unlink(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_in_lists), cmocka_unit_test(sizes_as_soon_as_they_are_known),
        cmocka_unit_test(alerts_say_which_files), cmocka_unit_test(files_that_are_kept),
        cmocka_unit_test(lists_that_cannot_be_read)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
