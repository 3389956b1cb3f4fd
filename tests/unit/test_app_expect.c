/* SPDX-License-Identifier: BSD-2-Clause */
/* Expected connections: the table by itself, with two threads, and FTP's data connections through it. */
#include <pthread.h>

#include "ips/app/expect.h"
#include "ips/app/ftp_parts.h"
#include "tests/unit/app_talk.h"

static struct addr host(unsigned n)
{
    return (struct addr){
        .b = {[10] = 0xff, [11] = 0xff, [12] = 10, [14] = (uint8_t)(n >> 8), [15] = (uint8_t)n}};
}

static struct expect_note note_of(const char *text)
{
    struct expect_note n = {.proto = APP_FTP_DATA, .len = (uint8_t)strlen(text)};

    memcpy(n.bytes, text, n.len);
    return n;
}

static void test_table(void **state)
{
    struct err e = {0};
    struct expect *x = expect_new(1, &e);
    struct addr a = host(1), b = host(2);
    struct expect_key k = {.listener = &a, .opener = &b, .port = 40000}, other = k;
    struct expect_note n = note_of("one"), got;

    assert_non_null(x);
    assert_false(expect_take(x, &k, 0, &got));
    assert_true(expect_add(x, &k, 0, &n));
    n = note_of("two!");
    assert_true(expect_add(x, &k, 10, &n)); /* changed, not added */
    assert_int_equal(expect_count(x), 1);
    other.port++;
    assert_false(expect_take(x, &other, 10, &got));
    other = k;
    other.listener = &b;
    other.opener = &a;
    assert_false(expect_take(x, &other, 10, &got));
    other = k;
    other.vlans = 5;
    assert_false(expect_take(x, &other, 10, &got));
    assert_true(expect_take(x, &k, 10 + EXPECT_MS, &got));
    assert_int_equal(got.len, 4);
    assert_memory_equal(got.bytes, "two!", 4);
    assert_int_equal(got.proto, APP_FTP_DATA);
    assert_int_equal(expect_count(x), 0);
    assert_false(expect_take(x, &k, 10, &got)); /* once only */

    assert_true(expect_add(x, &k, 100, &n));
    assert_false(expect_take(x, &k, 101 + EXPECT_MS, &got)); /* its time is over */
    assert_int_equal(expect_count(x), 0);
    expect_free(x);
}

/* Full: refused, and there is room again when time is over. */
static void test_full(void **state)
{
    struct err e = {0};
    struct expect *x = expect_new(64, &e);
    struct addr a = host(1), b = host(2);
    struct expect_key k = {.listener = &a, .opener = &b};
    struct expect_note n = note_of("x"), got;
    unsigned added = 0, later = 0;

    for (unsigned port = 1; port <= 1000; port++) {
        k.port = (uint16_t)port;
        added += expect_add(x, &k, 0, &n);
    }
    assert_int_equal(added, 64);
    assert_int_equal(expect_count(x), 64);
    for (unsigned port = 1001; port <= 2000; port++) {
        k.port = (uint16_t)port;
        later += expect_add(x, &k, EXPECT_MS + 1, &n);
    }
    assert_int_equal(later, 64);
    assert_int_equal(expect_count(x), 64);
    unsigned taken = 0;
    for (unsigned port = 1; port <= 2000; port++) {
        k.port = (uint16_t)port;
        taken += expect_take(x, &k, EXPECT_MS + 2, &got);
    }
    assert_int_equal(taken, 64);
    assert_int_equal(expect_count(x), 0);
    expect_free(x);
}

struct racer {
    struct expect *x;
    unsigned seed, added, taken, wrong;
};

static void *race(void *arg)
{
    struct racer *r = arg;

    for (unsigned i = 0; i < 50000; i++) {
        struct addr a = host(rand_r(&r->seed) % 40), b = host(1000);
        struct expect_key k = {.listener = &a, .opener = &b, .port = 1};
        struct expect_note n = {.proto = APP_FTP_DATA, .len = EXPECT_NOTE_MAX}, got;

        memset(n.bytes, a.b[15], sizeof(n.bytes));
        if (rand_r(&r->seed) % 2) {
            r->added += expect_add(r->x, &k, i / 10, &n);
        } else if (expect_take(r->x, &k, i / 10, &got)) {
            r->taken++;
            for (unsigned j = 0; j < sizeof(got.bytes); j++)
                r->wrong += got.bytes[j] != a.b[15];
        }
    }
    return NULL;
}

/* Two threads at the same few slots: a note that is taken is whole, and the right one. */
static void test_threads(void **state)
{
    struct err e = {0};
    struct expect *x = expect_new(64, &e);
    struct racer r[2] = {{.x = x, .seed = 1}, {.x = x, .seed = 2}};
    pthread_t t[2];

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, race, &r[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_true(r[0].taken > 1000);
    assert_int_equal(r[0].wrong + r[1].wrong, 0);
    assert_true(expect_count(x) <= 64);
    expect_free(x);
}

static struct app_lab *lab_with(struct expect *x, uint16_t port)
{
    return lab_new(&(struct lab_setup){.dport = port, .expect = x});
}

static void check_file(struct app_lab *data, enum app_dir dir, bool stor)
{
    static const char text[] = "bytes of the file";

    lab_send_cut(data, dir, text, strlen(text), 5);
    assert_true(lab_speaks(data, APP_FTP_DATA));
    assert_int_equal(lab_grown(data, BUF_FILE_DATA).len, strlen(text));
    assert_memory_equal(lab_grown(data, BUF_FILE_DATA).p, text, strlen(text));
    assert_true(lab_saw_number(data, BUF_FTPDATA_COMMAND, stor));
    lab_send_fin(data, dir, "", 0, true);
    lab_end_flow(data);
    assert_non_null(strstr(data->logged, stor ? "ftp_data: command=STOR filename=up.bin"
                                              : "ftp_data: command=RETR filename=dir/temp.txt"));
}

/* The port is known before the command, or behind it; the data connection is opened by either end. */
static void test_ftp(void **state)
{
    static const struct turn passive[] = {
        {S, "220 FTP\r\n"}, {C, "PASV\r\n"}, {S, "227 (10,0,0,2,156,64)\r\n"}, {C, "RETR dir/temp.txt\r\n"}};
    static const struct turn at_once[] = {
        {S, "220 FTP\r\n"}, {C, "EPSV\r\nSTOR up.bin\r\n"}, {S, "229 ok (|||40000|)\r\n"}};
    static const struct turn active[] = {
        {S, "220 FTP\r\n"}, {C, "PORT 10,0,0,1,156,64\r\n"}, {S, "200 ok\r\n"}, {C, "STOR up.bin\r\n"}};
    const struct {
        const struct turn *t;
        size_t n;
        uint16_t port;
        enum app_dir opener, sender;
        bool stor;
    } cases[] = {
        {passive, N(passive), 40000, C, S, false},
        {at_once, N(at_once), 40000, C, C, true},
        {active, N(active), 20, S, C, true},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct err e = {0};
        struct expect *x = expect_new(64, &e);
        struct app_lab *control = lab_with(x, 21), *data = lab_with(x, cases[i].port);

        lab_send(control, C, "", 0);
        play(control, cases[i].t, cases[i].n, 7);
        assert_int_equal(expect_count(x), 1);
        lab_send(data, cases[i].opener, "", 0);
        check_file(data, cases[i].sender, cases[i].stor);
        assert_int_equal(expect_count(x), 0);
        lab_free(data);
        lab_free(control);
        expect_free(x);
    }
}

static void test_both_ways(void **state)
{
    struct err e = {0};
    struct expect *x = expect_new(64, &e);
    struct app_lab *control = lab_with(x, 21), *data = lab_with(x, 8080);

    lab_send(control, C, "", 0);
    lab_say(control, S, "220 FTP\r\n");
    lab_say(control, C, "PASV\r\n");
    lab_say(control, S, "227 (10,0,0,2,31,144)\r\n");
    lab_say(data, C, "GET / HTTP/1.1\r\n\r\n");
    assert_true(lab_speaks(data, APP_FTP_DATA));
    lab_say(data, S, "HTTP/1.1 200 OK\r\n\r\n");
    assert_true(lab_event(data, AN_FTP_DATA_BOTH_WAYS));
    lab_free(data);
    lab_free(control);
    expect_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table), cmocka_unit_test(test_full),      cmocka_unit_test(test_threads),
        cmocka_unit_test(test_ftp),   cmocka_unit_test(test_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
