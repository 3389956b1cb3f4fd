/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QUIC: the keys and packets of RFC 9001, appendix A, and RFC 9369, appendix A; hellos in CRYPTO frames cut and shuffled over
 * frames, packets and datagrams; connections that hide behind others. Packets are sealed here with OpenSSL, by keys
 * that the published values have confirmed. What a worker does allocates nothing: malloc() is counted.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/quic_seal.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
#define COUNT_ALLOCATIONS 1
extern void *__libc_malloc(size_t n);
static unsigned long allocations;
void *malloc(size_t n)
{
    allocations++;
    return __libc_malloc(n);
}
#endif

static uint32_t unhex(const char *s, uint8_t *out)
{
    uint32_t n = 0;

    for (; s[0] && s[1]; s += 2) {
        char two[3] = {s[0], s[1], '\0'};
        out[n++] = (uint8_t)strtoul(two, NULL, 16);
    }
    return n;
}

static void assert_hex(const uint8_t *p, const char *hex)
{
    uint8_t want[64];
    uint32_t n = unhex(hex, want);

    assert_memory_equal(p, want, n);
}

/* The ClientHello of RFC 9001, A.2, and the CRYPTO frame's header. */
static const char client_hello[] =
    "010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c0000000"
    "10000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e00050005010000"
    "0000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400"
    "0d0010000e0403050306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07"
    "048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff";

/* The server's first packet, A.3. */
static const char server_packet[] = "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b639"
                                    "4100f37a1c69797554780bb38cc5a99f5e"
                                    "de4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded7"
                                    "4b562bfb19fb84022f8ef4cdd93795d77"
                                    "d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee";

static const uint8_t rfc_dcid[] = {0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08};

static struct app_lab *lab(void)
{
    return lab_new(&(struct lab_setup){.udp = true, .dport = 443});
}

static struct span rfc_id(void)
{
    return span_of(rfc_dcid, sizeof(rfc_dcid));
}

static void keys_are_the_published_ones(void **state)
{
    struct app_lab *l = lab();
    struct quic_keys k[2];

    assert_true(quic_keys_make(l->app, 1, rfc_id(), k));
    assert_hex(k[APP_TO_SERVER].key, "1f369613dd76d5467730efcbe3b1a22d");
    assert_hex(k[APP_TO_SERVER].iv, "fa044b2f42a3fd3b46fb255c");
    assert_hex(k[APP_TO_SERVER].header, "9f50449e04a0e810283a1e9933adedd2");
    assert_hex(k[APP_TO_CLIENT].key, "cf3a5331653c364c88f0f379b6067e37");
    assert_hex(k[APP_TO_CLIENT].iv, "0ac1493ca1905853b0bba03e");
    assert_hex(k[APP_TO_CLIENT].header, "c206b8d9b9f0f37644430b490eeaa314");
    assert_true(quic_keys_make(l->app, 0x6b3343cf, rfc_id(), k));
    assert_hex(k[APP_TO_SERVER].key, "8b1a0bc121284290a29e0971b5cd045d");
    assert_hex(k[APP_TO_SERVER].iv, "91f73e2351d8fa91660e909f");
    assert_hex(k[APP_TO_SERVER].header, "45b95e15235d6f45a6b19cbcb0294ba9");
    assert_hex(k[APP_TO_CLIENT].key, "82db637861d55e1d011f19ea71d5d2a7");
    assert_hex(k[APP_TO_CLIENT].iv, "dd13c276499c0249d3310652");
    assert_hex(k[APP_TO_CLIENT].header, "edf6d05c83121201b436e16877593c3a");
    assert_false(quic_keys_make(l->app, 0x51303433, rfc_id(), k));
    lab_free(l);
}

/* The client's packet of A.2, sealed here: its first bytes and its tag are those in the RFC. */
static void rfc_packet(struct app_lab *l, struct out *o)
{
    struct quic_keys k[2];
    struct out frames = {.len = 0};
    uint8_t hello[512];
    uint32_t n = unhex(client_hello, hello);

    quic_keys_make(l->app, 1, rfc_id(), k);
    put_u8(&frames, 6);
    put_u8(&frames, 0);
    put_varint2(&frames, n);
    put(&frames, hello, n);
    frames.len = 1162;
    o->len = 0;
    seal(l, o, 1, rfc_id(), 2, span_of(frames.p, frames.len), &k[APP_TO_SERVER]);
}

static void rfc_packets_are_read(void **state)
{
    struct app_lab *l = lab();
    struct out o;
    uint8_t server[256];

    rfc_packet(l, &o);
    assert_int_equal(o.len, 1200);
    assert_hex(o.p, "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11");
    assert_hex(o.p + 1200 - 16, "e221af44860018ab0856972e194cd934");
    lab_send(l, APP_TO_SERVER, o.p, o.len);
    assert_true(lab_speaks(l, APP_QUIC));
    assert_true(lab_saw(l, BUF_QUIC_SNI, "example.com"));
    assert_true(lab_saw_bytes(l, BUF_QUIC_VERSION, "\0\0\0\1", 4));
    assert_int_equal(lab_count(l, BUF_JA3_HASH), 1);
    assert_int_equal(lab_count(l, BUF_JA4_HASH), 1);
    assert_true(lab_count(l, BUF_JA3S_HASH) == 0);
    assert_non_null(strstr(l->logged, "quic: version=1 sni=example.com ja3={"));
    assert_non_null(strstr(l->logged, "ja4=q13d0"));
    lab_forget(l);
    lab_send(l, APP_TO_CLIENT, server, unhex(server_packet, server));
    assert_int_equal(lab_count(l, BUF_JA3S_HASH), 1);
    assert_true(lab_saw(l, BUF_JA3S_STRING, "771,4865,51-43"));
    assert_false(lab_event(l, AN_QUIC_FAILED_DECRYPT));
    assert_false(lab_event(l, AN_QUIC_ERROR_ON_DATA));
    lab_free(l);
}

/* One byte of it changed: its receiver would drop it. */
static void a_wrong_tag_says_nothing(void **state)
{
    struct app_lab *l = lab();
    struct out o;

    for (uint32_t i = 30; i < 1200; i += 39) {
        rfc_packet(l, &o);
        o.p[i] ^= 0x20;
        lab_send(l, APP_TO_SERVER, o.p, o.len);
    }
    assert_true(lab_event(l, AN_QUIC_FAILED_DECRYPT));
    assert_int_equal(lab_count(l, BUF_QUIC_SNI), 0);
    rfc_packet(l, &o);
    lab_send(l, APP_TO_SERVER, o.p, o.len);
    assert_true(lab_saw(l, BUF_QUIC_SNI, "example.com"));
    lab_free(l);
}

/* The hello in pieces of any size, last piece first, several packets of a datagram, in both versions. */
static void any_cut_and_order(void **state)
{
    uint8_t hello[512];
    uint32_t len = unhex(client_hello, hello);

    for (uint32_t piece = 7; piece <= len; piece = piece * 2 + 1) {
        uint32_t version = piece & 8 ? 0x6b3343cf : 1, number = 0;
        struct app_lab *l = lab();
        struct quic_keys k[2];
        struct out o = {.len = 0}, frames;
        uint32_t pieces = (len + piece - 1) / piece;

        quic_keys_make(l->app, version, rfc_id(), k);
        for (uint32_t i = pieces; i-- > 0;) {
            uint32_t at = i * piece, n = len - at < piece ? len - at : piece;

            assert_int_equal(lab_count(l, BUF_QUIC_SNI), 0);
            frames.len = 0;
            put_u8(&frames, 1);
            put(&frames, "\2\0\0\0\0", 5); /* an acknowledgement */
            put_crypto(&frames, at, hello + at, n);
            put(&frames, "\0\0\0\0", 4);
            seal(l, &o, version, rfc_id(), number++, span_of(frames.p, frames.len), &k[APP_TO_SERVER]);
            if (number % 3 == 0 || i == 0) {
                lab_send(l, APP_TO_SERVER, o.p, o.len);
                o.len = 0;
            }
        }
        assert_int_equal(lab_count(l, BUF_QUIC_SNI), 1);
        assert_true(lab_saw(l, BUF_QUIC_SNI, "example.com"));
        assert_false(lab_event(l, AN_QUIC_CRYPTO_OVERLAP));
        assert_false(lab_event(l, AN_QUIC_FAILED_DECRYPT));
        lab_free(l);
    }
}

/* A second connection from the same port, its hello in two packets with other connections between them. */
static void a_second_connection_is_seen(void **state)
{
    struct app_lab *l = lab();
    uint8_t hello[512], id[8] = "another";
    uint32_t len = unhex(client_hello, hello);
    struct quic_keys k[2];
    struct out o, frames;

    rfc_packet(l, &o);
    lab_send(l, APP_TO_SERVER, o.p, o.len);
    lab_send(l, APP_TO_CLIENT, "\x41 encrypted", 11);
    lab_forget(l);
    memcpy((uint8_t *)memmem(hello, len, "example.com", 11), "attack.evil", 11);
    quic_keys_make(l->app, 1, span_of(id, 8), k);
    for (int half = 0; half < 2; half++) {
        o.len = frames.len = 0;
        put_crypto(&frames, half ? 100 : 0, hello + (half ? 100 : 0), half ? len - 100 : 100);
        seal(l, &o, 1, half ? span_of("new id of server", 16) : span_of(id, 8), (uint32_t)half,
             span_of(frames.p, frames.len), &k[APP_TO_SERVER]);
        lab_send(l, APP_TO_SERVER, o.p, o.len);
        rfc_packet(l, &o);
        lab_send(l, APP_TO_SERVER, o.p, o.len);
    }
    assert_true(lab_saw(l, BUF_QUIC_SNI, "attack.evil"));
    assert_false(lab_event(l, AN_QUIC_TOO_MANY_CONNECTIONS));
    lab_free(l);
}

static void overlaps_and_limits(void **state)
{
    struct app_lab *l = lab();
    uint8_t hello[512];
    uint32_t len = unhex(client_hello, hello);
    struct quic_keys k[2];
    struct out o = {.len = 0}, frames = {.len = 0};

    quic_keys_make(l->app, 1, rfc_id(), k);
    put_crypto(&frames, 50, hello + 50, 100);
    hello[60] ^= 1;
    put_crypto(&frames, 55, hello + 55, 50);
    put(&frames, "\6\x80\1\0\0\1x", 7); /* at 65536 */
    seal(l, &o, 1, rfc_id(), 0, span_of(frames.p, frames.len), &k[APP_TO_SERVER]);
    lab_send(l, APP_TO_SERVER, o.p, o.len);
    assert_true(lab_event(l, AN_QUIC_CRYPTO_OVERLAP));
    assert_true(lab_event(l, AN_QUIC_CRYPTO_TOO_LONG));
    assert_false(lab_event(l, AN_QUIC_ERROR_ON_DATA));
    o.len = frames.len = 0;
    put_u8(&frames, 0x10); /* MAX_DATA has no place here */
    memset(frames.p + 1, 0, 31);
    frames.len = 32;
    seal(l, &o, 1, rfc_id(), 1, span_of(frames.p, frames.len), &k[APP_TO_SERVER]);
    lab_send(l, APP_TO_SERVER, o.p, o.len);
    assert_true(lab_event(l, AN_QUIC_ERROR_ON_DATA));
    (void)len;
    lab_free(l);
}

static void other_versions_are_told(void **state)
{
    struct app_lab *l = lab();

    lab_send(l, APP_TO_SERVER, "\xc3\x1a\x2a\x3a\x4a\4abcd\0xxxxxxxxxxxxxxxxxxxxxxxxx", 36);
    assert_true(lab_speaks(l, APP_QUIC));
    assert_true(lab_saw_bytes(l, BUF_QUIC_VERSION, "\x1a\x2a\x3a\x4a", 4));
    lab_send(l, APP_TO_CLIENT, "\xc3\0\0\0\0\0\4abcd\0\0\0\1", 15);
    assert_true(lab_saw_bytes(l, BUF_QUIC_VERSION, "\0\0\0\0", 4));
    lab_free(l);
    l = lab();
    lab_send(l, APP_TO_SERVER, "\x80 not QUIC at all, is it", 24);
    assert_false(lab_speaks(l, APP_QUIC));
    lab_free(l);
}

static void a_worker_allocates_nothing(void **state)
{
#if COUNT_ALLOCATIONS
    struct app_lab *l = lab();
    struct quic_keys k[2];
    struct out o;
    uint8_t room[4096];
    struct span frames, datagram;
    struct quic_packet p;

    rfc_packet(l, &o);
    for (int i = 0; i < 3; i++) {
        unsigned long before = allocations;
        uint64_t largest = 0;

        datagram = span_of(o.p, o.len);
        assert_true(quic_packet_next(&datagram, &p));
        assert_true(quic_keys_make(l->app, p.version, p.dcid, k));
        assert_true(quic_open(l->app, &p, &k[APP_TO_SERVER], &largest, room, &frames));
        assert_int_equal(allocations, before);
    }
    lab_free(l);
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_the_published_ones), cmocka_unit_test(rfc_packets_are_read),
        cmocka_unit_test(a_wrong_tag_says_nothing),    cmocka_unit_test(any_cut_and_order),
        cmocka_unit_test(a_second_connection_is_seen), cmocka_unit_test(overlaps_and_limits),
        cmocka_unit_test(other_versions_are_told),     cmocka_unit_test(a_worker_allocates_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
