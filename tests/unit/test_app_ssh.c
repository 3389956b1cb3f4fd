/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SSH: banners and offers, whole, byte by byte and cut at random, are published alike; what is not SSH is said so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/app_lab.h"

#define CLIENT        "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
#define SERVER        "welcome to this host\r\n\r\nSSH-1.99-dropbear_2022.83\r\n"
#define CLIENT_STRING "curve25519-sha256,ext-info-c;aes128-ctr,aes256-ctr;hmac-sha2-256;none,zlib@openssh.com"
#define SERVER_STRING "curve25519-sha256;aes256-gcm@openssh.com;hmac-sha2-512;none"
#define CLIENT_HASSH  "941bf1a08c084587b7ec6565479f7e67"
#define SERVER_HASSH  "94a36a91f1b36a6b9ef84f4088f9009b"

struct talk {
    uint8_t b[262144];
    uint32_t n;
};

static void add(struct talk *t, const void *p, size_t n)
{
    memcpy(t->b + t->n, p, n);
    t->n += (uint32_t)n;
}

static void add_be32(struct talk *t, uint32_t v)
{
    store_be32(t->b + t->n, v);
    t->n += 4;
}

static void record(struct talk *t, uint8_t type, const void *body, uint32_t n)
{
    const uint8_t padding[8] = {0};

    add_be32(t, 2 + n + 8);
    add(t, "\x08", 1);
    add(t, &type, 1);
    add(t, body, n);
    add(t, padding, 8);
}

/* An offer; what goes in the other direction is said differently, so that a mistake would show. */
static void offer(struct talk *t, bool client)
{
    static const char *const lists[2][10] = {
        {"curve25519-sha256,ext-info-c", "ssh-ed25519", "aes128-ctr,aes256-ctr", "x-s2c", "hmac-sha2-256",
         "y-s2c", "none,zlib@openssh.com", "z-s2c", "", ""},
        {"curve25519-sha256", "ssh-rsa", "x-c2s", "aes256-gcm@openssh.com", "y-c2s", "hmac-sha2-512", "z-c2s",
         "none", "", ""},
    };
    static struct talk body;

    body.n = 0;
    add(&body, "0123456789abcdef", 16);
    for (unsigned i = 0; i < 10; i++) {
        add_be32(&body, (uint32_t)strlen(lists[!client][i]));
        add(&body, lists[!client][i], strlen(lists[!client][i]));
    }
    add(&body, "\0\0\0\0\0", 5);
    record(t, 20, body.b, body.n);
}

static struct talk said[2];

static void prepare(void)
{
    said[0].n = said[1].n = 0;
    add(&said[0], CLIENT, strlen(CLIENT));
    add(&said[1], SERVER, strlen(SERVER));
    for (int dir = 0; dir < 2; dir++) {
        record(&said[dir], 2, "ignore me", 9);
        offer(&said[dir], dir == 0);
        record(&said[dir], 30, "key", 3);
        record(&said[dir], 21, "", 0);
        add(&said[dir], "\x93\x8a\x03\x00 what follows is encrypted", 20);
    }
}

static void check(struct app_lab *l, bool both)
{
    assert_true(lab_speaks(l, APP_SSH));
    assert_true(lab_saw(l, BUF_SSH_PROTO, "2.0"));
    assert_true(lab_saw(l, BUF_SSH_SOFTWARE, "OpenSSH_9.2p1"));
    assert_true(lab_saw(l, BUF_SSH_HASSH, CLIENT_HASSH));
    assert_true(lab_saw(l, BUF_SSH_HASSH_STRING, CLIENT_STRING));
    if (!both)
        return;
    assert_true(lab_saw(l, BUF_SSH_PROTO, "1.99"));
    assert_true(lab_saw(l, BUF_SSH_SOFTWARE, "dropbear_2022.83"));
    assert_true(lab_saw(l, BUF_SSH_HASSH_SERVER, SERVER_HASSH));
    assert_true(lab_saw(l, BUF_SSH_HASSH_SERVER_STRING, SERVER_STRING));
    assert_int_equal(lab_count(l, BUF_SSH_PROTO), 2);
    assert_int_equal(lab_count(l, BUF_SSH_HASSH), 1);
    assert_non_null(strstr(l->logged, "ssh: client={proto_version=2.0 software_version=OpenSSH_9.2p1 "
                                      "hassh={hash=" CLIENT_HASSH " string=" CLIENT_STRING));
    assert_non_null(strstr(l->logged, "server={proto_version=1.99 software_version=dropbear_2022.83 "));
    assert_false(lab_event(l, AN_SSH_INVALID_BANNER));
    assert_false(lab_event(l, AN_SSH_INVALID_RECORD));
}

static void test_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 1200; piece = piece < 40 ? piece + 1 : piece * 2) {
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 2222});

        prepare();
        lab_send_cut(l, APP_TO_CLIENT, said[1].b, said[1].n, piece);
        lab_send_cut(l, APP_TO_SERVER, said[0].b, said[0].n, piece);
        check(l, true);
        lab_free(l);
    }
}

static void test_random_cuts(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 300; seed++) {
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 22});
        uint32_t at[2] = {0, 0};

        prepare();
        srand(seed);
        while (at[0] < said[0].n || at[1] < said[1].n) {
            int dir = rand() & 1;
            uint32_t n = (uint32_t)rand() % 90 + 1;

            if (at[dir] + n > said[dir].n)
                n = said[dir].n - at[dir];
            if (n > 0)
                lab_send(l, (enum app_dir)dir, said[dir].b + at[dir], n);
            at[dir] += n;
        }
        check(l, true);
        lab_free(l);
    }
}

/* After both NEWKEYS the flow is not looked at any more, and is bypassed only where that is wanted. */
static void test_encrypted(void **state)
{
    (void)state;
    for (int bypass = 0; bypass < 2; bypass++) {
        struct app_limits limits = APP_LIMITS_DEFAULT;
        limits.encryption_bypass = bypass != 0;
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 22, .limits = &limits});

        prepare();
        lab_send(l, APP_TO_SERVER, said[0].b, said[0].n);
        assert_int_equal(l->flow->verdict, FLOW_INSPECT);
        lab_send(l, APP_TO_CLIENT, said[1].b, said[1].n);
        assert_int_equal(l->flow->verdict, bypass ? FLOW_PASS : FLOW_INSPECT);
        lab_forget(l);
        lab_say(l, APP_TO_SERVER, "SSH-2.0-again\r\n");
        assert_int_equal(l->n_seen, 0);
        lab_free(l);
    }
}

static void test_no_hassh(void **state)
{
    struct app_limits limits = APP_LIMITS_DEFAULT;
    (void)state;
    limits.hassh = false;
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 22, .limits = &limits});

    prepare();
    lab_send(l, APP_TO_SERVER, said[0].b, said[0].n);
    assert_true(lab_saw(l, BUF_SSH_SOFTWARE, "OpenSSH_9.2p1"));
    assert_int_equal(lab_count(l, BUF_SSH_HASSH), 0);
    assert_int_equal(lab_count(l, BUF_SSH_HASSH_STRING), 0);
    lab_free(l);
}

/* A banner longer than a line may be is cut, said so, and what follows its end is still read. */
static void test_long_banner(void **state)
{
    const size_t lengths[] = {256, 20000, 50000};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 22});
        static struct talk t;

        t.n = 0;
        add(&t, "SSH-2.0-x", 9);
        memset(t.b + 9, 'A', lengths[i]);
        t.n += (uint32_t)lengths[i];
        add(&t, "\r\n", 2);
        offer(&t, true);
        lab_send_cut(l, APP_TO_SERVER, t.b, t.n, 1460);
        assert_true(lab_event(l, AN_SSH_LONG_BANNER));
        assert_int_equal(lab_count(l, BUF_SSH_SOFTWARE), 1);
        assert_true(lab_saw(l, BUF_SSH_HASSH, CLIENT_HASSH));
        lab_free(l);
    }
}

static void test_oddities(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        enum anomaly event;
    } rows[] = {
        {"SSH-2.0\r\n", 9, AN_SSH_INVALID_BANNER},
        {"SSH-\n", 5, AN_SSH_INVALID_BANNER},
        {"SSH-2.0-\n", 9, AN_SSH_INVALID_BANNER},
        {"SSH-2.0-a\n\0\0\0\1\0\0", 16, AN_SSH_INVALID_RECORD},
        {"SSH-2.0-a\n\0\x7f\0\1\0\0", 16, AN_SSH_INVALID_RECORD},
        {"SSH-2.0-a\n\0\0\0\x08\x09\x14xxxxxxxxx", 24, AN_SSH_INVALID_RECORD},
        {"SSH-2.0-a\n\0\0\0\x20\0\x14"
         "0123456789abcdef\xff\xff\xff\xff 0123456789",
         46, AN_SSH_INVALID_RECORD},
        {"SSH-2.0-a\n\0\x01\0\1\0\x14", 16, AN_SSH_LONG_KEX_RECORD},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t piece = 1; piece < 50; piece += 48) {
            struct app_lab *l = lab_new(&(struct lab_setup){.dport = 22});

            lab_send_cut(l, APP_TO_SERVER, rows[i].bytes, rows[i].n, piece);
            assert_true(lab_event(l, rows[i].event));
            lab_free(l);
        }
    }
}

/* SSH 1: the banner is all. */
static void test_version_1(void **state)
{
    (void)state;
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 22});

    lab_say(l, APP_TO_CLIENT, "SSH-1.5-old\n\x01\x02\x03\x04\x05\x06\x07");
    assert_true(lab_saw(l, BUF_SSH_PROTO, "1.5"));
    assert_false(lab_event(l, AN_SSH_INVALID_RECORD));
    lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),      cmocka_unit_test(test_random_cuts),
        cmocka_unit_test(test_encrypted),   cmocka_unit_test(test_no_hassh),
        cmocka_unit_test(test_long_banner), cmocka_unit_test(test_oddities),
        cmocka_unit_test(test_version_1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
