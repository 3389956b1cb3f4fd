// SPDX-License-Identifier: BSD-2-Clause
/*
 * Capture files as a port. The captures are written here, by libpcap or byte by byte: every link type, both
 * time resolutions, pcapng, cut frames, files that are empty, broken off, or no captures at all. What goes
 * through is read back with libpcap and compared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ips/io/pcapio.h"

static char dir[] = "/tmp/test_pcapio.XXXXXX";
static char in_path[64], out_path[64];

static void write_file(const void *bytes, size_t n)
{
    FILE *f = fopen(in_path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

struct record {
    uint32_t len, orig_len;
    uint64_t ts_ns;
};

static void fill_bytes(uint8_t *b, uint32_t len, uint32_t seed)
{
    for (uint32_t i = 0; i < len; i++)
        b[i] = (uint8_t)(seed + i * 13 + (i >> 8));
}

static void write_capture(int dlt, u_int precision, const struct record *r, size_t n)
{
    static uint8_t bytes[300000];
    pcap_t *dead = pcap_open_dead_with_tstamp_precision(dlt, 262144, precision);
    pcap_dumper_t *d = pcap_dump_open(dead, in_path);

    assert_non_null(d);
    for (size_t i = 0; i < n; i++) {
        uint64_t fraction = r[i].ts_ns % 1000000000u;
        struct pcap_pkthdr h = {
            .ts = {.tv_sec = (time_t)(r[i].ts_ns / 1000000000u),
                   .tv_usec =
                       (suseconds_t)(precision == PCAP_TSTAMP_PRECISION_NANO ? fraction : fraction / 1000)},
            .caplen = r[i].len,
            .len = r[i].orig_len};
        fill_bytes(bytes, r[i].len, (uint32_t)i);
        pcap_dump((u_char *)d, &h, bytes);
    }
    pcap_dump_close(d);
    pcap_close(dead);
}

static struct port *open_or_fail(const char *out)
{
    struct err e;
    char text[1024];
    struct port *p = pcapio_open(in_path, out, &e);

    if (!p)
        fail_msg("%s", err_format(&e, text, sizeof(text)));
    assert_int_equal(p->fd, -1);
    return p;
}

static void send_all(struct port *p, struct packet *pkts, unsigned n)
{
    struct packet *v[BURST_MAX];

    for (unsigned i = 0; i < n; i++)
        v[i] = &pkts[i];
    assert_int_equal(port_tx_burst(p, v, n), n);
    port_service(p);
}

static void every_link_type(void **state)
{
    static const struct {
        int dlt;
        enum link_type link;
    } cases[] = {
        {DLT_EN10MB, LINK_ETHERNET}, {DLT_RAW, LINK_RAW},       {DLT_IPV4, LINK_RAW},
        {DLT_IPV6, LINK_RAW},        {DLT_LINUX_SLL, LINK_SLL}, {DLT_LINUX_SLL2, LINK_SLL2},
        {DLT_NULL, LINK_NULL},       {DLT_LOOP, LINK_NULL},     {DLT_IEEE802_11, LINK_OTHER},
    };
    const struct record r = {.len = 60, .orig_len = 60, .ts_ns = 1700000000123456789u};
    struct packet pkt;
    struct err e;
    char why[PCAP_ERRBUF_SIZE];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_capture(cases[i].dlt, PCAP_TSTAMP_PRECISION_NANO, &r, 1);
        struct port *p = open_or_fail(out_path);
        assert_int_equal(port_rx_burst(p, &pkt, 1), 1);
        assert_int_equal(pkt.link, cases[i].link);
        send_all(p, &pkt, 1);
        assert_int_equal(pcapio_error(p, &e), 0);
        port_close(p);

        pcap_t *back = pcap_open_offline(out_path, why); /* the link type comes through */
        assert_non_null(back);
        assert_int_equal(pcap_datalink(back), cases[i].dlt);
        pcap_close(back);
    }
    /* raw IP has three numbers in files, depending on who wrote them; written it has the one for all */
    static const uint8_t raw_types[] = {12, 14, 101};
    for (size_t i = 0; i < sizeof(raw_types); i++) {
        uint8_t raw[24] = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0,           0,
                           0,    0,    0,    0,    0, 0, 0, 4, 0, raw_types[i]};
        write_file(raw, sizeof(raw));
        struct port *p = open_or_fail(out_path);
        assert_true(port_alloc(p, &pkt));
        assert_int_equal(pkt.link, LINK_RAW);
        port_close(p);
        pcap_t *back = pcap_open_offline(out_path, why);
        assert_non_null(back);
        assert_int_equal(pcap_datalink(back), DLT_RAW);
        pcap_close(back);
    }
}

/* More frames than the port has, of all sizes, in bursts: bytes, lengths, numbers and times come through. */
static void bytes_and_times_come_through(void **state)
{
    enum { N = 1000 };
    static struct record r[N];
    static uint8_t want[70000];
    struct packet pkts[BURST_MAX];
    struct err e;
    char why[PCAP_ERRBUF_SIZE];
    unsigned n, total = 0;

    for (uint32_t i = 0; i < N; i++) {
        uint32_t len = i == 500 ? 65557 : i % 1515;
        r[i] = (struct record){.len = len,
                               .orig_len = len + (i % 7 == 0 ? 100 : 0),
                               .ts_ns = 1600000000000000000u + i * 999999937u};
    }
    write_capture(DLT_EN10MB, PCAP_TSTAMP_PRECISION_NANO, r, N);
    struct port *p = open_or_fail(out_path);
    while ((n = port_rx_burst(p, pkts, 33)) > 0) {
        for (unsigned i = 0; i < n; i++, total++) {
            fill_bytes(want, r[total].len, total);
            assert_int_equal(pkts[i].len, r[total].len);
            assert_int_equal(pkts[i].orig_len, r[total].orig_len);
            assert_int_equal(pkts[i].ts_ns, r[total].ts_ns);
            assert_int_equal(pkts[i].pcap_cnt, total + 1);
            assert_int_equal(pkts[i].in_port, 0);
            assert_memory_equal(pkts[i].data, want, r[total].len);
        }
        send_all(p, pkts, n);
    }
    assert_int_equal(total, N);
    assert_true(p->at_end);
    assert_int_equal(port_rx_burst(p, pkts, 33), 0);
    assert_int_equal(pcapio_error(p, &e), 0);
    port_close(p);

    pcap_t *back = pcap_open_offline_with_tstamp_precision(out_path, PCAP_TSTAMP_PRECISION_NANO, why);
    struct pcap_pkthdr *h;
    const u_char *bytes;
    for (total = 0; pcap_next_ex(back, &h, &bytes) == 1; total++) {
        fill_bytes(want, r[total].len, total);
        assert_int_equal(h->caplen, r[total].len);
        assert_int_equal(h->len, r[total].orig_len);
        assert_int_equal((uint64_t)h->ts.tv_sec * 1000000000u + (uint64_t)h->ts.tv_usec, r[total].ts_ns);
        assert_memory_equal(bytes, want, r[total].len);
    }
    assert_int_equal(total, N);
    pcap_close(back);
}

static void microseconds_become_nanoseconds(void **state)
{
    const struct record r = {.len = 60, .orig_len = 60, .ts_ns = 1700000000123456000u};
    struct packet pkt;

    write_capture(DLT_EN10MB, PCAP_TSTAMP_PRECISION_MICRO, &r, 1);
    struct port *p = open_or_fail(NULL);
    assert_int_equal(port_rx_burst(p, &pkt, 1), 1);
    assert_int_equal(pkt.ts_ns, r.ts_ns);
    assert_int_equal(pkt.now_ns, r.ts_ns);
    port_close(p);
}

/* Frames in hand are out of the pool: rx stops, and goes on where it was when they are given back. */
static void frames_run_out_and_come_back(void **state)
{
    enum { POOL = 2 * BURST_MAX + PCAPIO_HELD_MAX, N = POOL + BURST_MAX };
    static struct record r[N];
    static struct packet pkts[N];
    struct packet one, *v;
    unsigned n, total = 0;

    for (int i = 0; i < N; i++)
        r[i] = (struct record){.len = 60, .orig_len = 60};
    write_capture(DLT_EN10MB, PCAP_TSTAMP_PRECISION_NANO, r, N);
    struct port *p = open_or_fail(NULL);
    while ((n = port_rx_burst(p, pkts + total, BURST_MAX)) > 0)
        total += n;
    assert_int_equal(total, POOL);
    assert_false(p->at_end);
    assert_false(port_alloc(p, &one));
    for (unsigned i = 0; i < total; i++) {
        v = &pkts[i];
        port_free_burst(p, &v, 1);
    }
    assert_int_equal(port_rx_burst(p, pkts, N), BURST_MAX);
    assert_int_equal(pkts[0].pcap_cnt, POOL + 1);
    assert_true(p->at_end);
    port_close(p);
}

/* The frame that passes 64 KiB ends the burst; every frame comes, in one burst or another. */
static void large_frames_end_a_burst(void **state)
{
    enum { N = 40, LEN = 9000 };
    static struct record r[N];
    static struct packet pkts[N];
    struct packet *v;
    unsigned n, total = 0;

    for (int i = 0; i < N; i++)
        r[i] = (struct record){.len = LEN, .orig_len = LEN};
    write_capture(DLT_EN10MB, PCAP_TSTAMP_PRECISION_NANO, r, N);
    struct port *p = open_or_fail(NULL);
    while ((n = port_rx_burst(p, pkts, BURST_MAX)) > 0) {
        assert_int_equal(n, total + 8 <= N ? 8 : N - total);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(pkts[i].pcap_cnt, ++total);
            v = &pkts[i];
            port_free_burst(p, &v, 1);
        }
    }
    assert_int_equal(total, N);
    assert_true(p->at_end);
    port_close(p);
}

static void made_frames_carry_the_last_time(void **state)
{
    const struct record r[2] = {{.len = 60, .orig_len = 60, .ts_ns = 5000000001},
                                {.len = 70, .orig_len = 70, .ts_ns = 6000000002}};
    struct packet pkts[2], made = {.flags = PKT_INJECTED, .ts_ns = 1}, *v[3] = {&pkts[0], &made, &pkts[1]};
    struct pcap_pkthdr *h;
    const u_char *bytes;
    char why[PCAP_ERRBUF_SIZE];
    uint8_t expected[1600]; /* the frame itself dies with the port */

    write_capture(DLT_RAW, PCAP_TSTAMP_PRECISION_NANO, r, 2);
    struct port *p = open_or_fail(out_path);
    assert_int_equal(port_rx_burst(p, pkts, 2), 2);
    assert_true(port_alloc(p, &made));
    assert_int_equal(made.link, LINK_RAW);
    assert_int_equal(made.len, 0);
    fill_bytes(made.data, 1600, 99);
    fill_bytes(expected, 1600, 99);
    made.len = 1600;
    assert_int_equal(port_tx_burst(p, v, 3), 3);
    port_close(p);

    pcap_t *back = pcap_open_offline_with_tstamp_precision(out_path, PCAP_TSTAMP_PRECISION_NANO, why);
    assert_int_equal(pcap_next_ex(back, &h, &bytes), 1);
    assert_int_equal(h->caplen, 60);
    assert_int_equal(pcap_next_ex(back, &h, &bytes), 1);
    assert_int_equal(h->caplen, 1600);
    assert_int_equal(h->len, 1600);
    assert_int_equal(h->ts.tv_sec, 6);
    assert_int_equal(h->ts.tv_usec, 2);
    assert_memory_equal(bytes, expected, 1600);
    assert_int_equal(pcap_next_ex(back, &h, &bytes), 1);
    assert_int_equal(h->caplen, 70);
    pcap_close(back);
}

/* Section header, interface (Ethernet, nanoseconds by option if_tsresol 9), one enhanced packet of 4 bytes.
 */
static void pcapng(void **state)
{
    static const uint32_t file[] = {
        0x0a0d0d0a, 28, 0x1a2b3c4d, 1,          0xffffffff, 0xffffffff, 28,     /* SHB */
        1,          32, 1,          65535,      0x00010009, 9,          0,  32, /* IDB */
        6,          36, 0,          0x17979cfe, 0x1f5e8a15, 4,          60, 0xdeadbeef,
        36, /* EPB: captured 4 of 60 */
    };
    struct packet pkt;
    struct err e;

    write_file(file, sizeof(file));
    struct port *p = open_or_fail(NULL);
    assert_int_equal(port_rx_burst(p, &pkt, 1), 1);
    assert_int_equal(pkt.link, LINK_ETHERNET);
    assert_int_equal(pkt.len, 4);
    assert_int_equal(pkt.orig_len, 60);
    assert_int_equal(pkt.ts_ns, 0x17979cfe1f5e8a15);
    assert_memory_equal(pkt.data, &file[22], 4);
    assert_int_equal(port_rx_burst(p, &pkt, 1), 0);
    assert_true(p->at_end);
    assert_int_equal(pcapio_error(p, &e), 0);
    port_close(p);

    write_file(file, sizeof(file) - 6);
    p = open_or_fail(NULL);
    assert_int_equal(port_rx_burst(p, &pkt, 1), 0);
    assert_true(p->at_end);
    assert_int_equal(pcapio_error(p, &e), -EIO);
    assert_non_null(strstr(e.text, "breaks off in frame 1"));
    port_close(p);
}

static void a_file_that_breaks_off(void **state)
{
    const struct record r[3] = {
        {.len = 60, .orig_len = 60}, {.len = 60, .orig_len = 60}, {.len = 60, .orig_len = 60}};
    struct packet pkts[4];
    struct err e = {0};
    struct stat st;

    write_capture(DLT_EN10MB, PCAP_TSTAMP_PRECISION_NANO, r, 3);
    assert_int_equal(stat(in_path, &st), 0);
    for (off_t cut = 1; cut < 76; cut += 25) { /* inside the bytes and inside the record's header */
        assert_int_equal(truncate(in_path, st.st_size - cut), 0);
        struct port *p = open_or_fail(NULL);
        assert_int_equal(port_rx_burst(p, pkts, 4), 2);
        assert_true(p->at_end);
        assert_int_equal(pcapio_error(p, &e), -EIO);
        assert_non_null(strstr(e.text, in_path));
        assert_non_null(strstr(e.text, "breaks off in frame 3"));
        assert_true(e.remedy[0] != 0);
        port_close(p);
    }
}

static void a_frame_that_is_too_long(void **state)
{
    const struct record r[2] = {{.len = 60, .orig_len = 60}, {.len = 70000, .orig_len = 70000}};
    struct packet pkts[2];
    struct err e = {0};

    write_capture(DLT_EN10MB, PCAP_TSTAMP_PRECISION_NANO, r, 2);
    struct port *p = open_or_fail(NULL);
    assert_int_equal(port_rx_burst(p, pkts, 2), 1);
    assert_true(p->at_end);
    assert_int_equal(pcapio_error(p, &e), -EMSGSIZE);
    assert_non_null(strstr(e.text, "frame 2 has 70000 bytes"));
    port_close(p);
}

static void a_capture_without_frames(void **state)
{
    struct packet pkt;
    struct err e;

    write_capture(DLT_EN10MB, PCAP_TSTAMP_PRECISION_NANO, NULL, 0);
    struct port *p = open_or_fail(out_path);
    assert_int_equal(port_rx_burst(p, &pkt, 1), 0);
    assert_true(p->at_end);
    assert_int_equal(pcapio_error(p, &e), 0);
    port_close(p);
}

static void assert_refused(const char *in, const char *out, int code, const char *text)
{
    struct err e = {0};

    assert_null(pcapio_open(in, out, &e));
    if (e.code != code || !strstr(e.text, text) || !e.remedy[0])
        fail_msg("code %d: %s; %s", e.code, e.text, e.remedy);
}

static void refusals_say_what_to_do(void **state)
{
    const struct record r = {.len = 60, .orig_len = 60};
    struct stat before, after;
    char path[128];

    assert_refused("/nonexistent/x.pcap", NULL, -ENOENT, "/nonexistent/x.pcap");
    assert_refused(dir, NULL, -EINVAL, dir); /* a directory */
    write_file("", 0);
    assert_refused(in_path, NULL, -EINVAL, "truncated");
    write_file("this is a text, not a capture file\n", 35);
    assert_refused(in_path, NULL, -EINVAL, "unknown file format");

    write_capture(DLT_EN10MB, PCAP_TSTAMP_PRECISION_NANO, &r, 1);
    assert_int_equal(stat(in_path, &before), 0);
    assert_refused(in_path, in_path, -EINVAL, "both"); /* and the capture still is what it was */
    snprintf(path, sizeof(path), "%s/./in.pcap", dir);
    assert_refused(in_path, path, -EINVAL, "both");
    assert_int_equal(stat(in_path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_refused(in_path, "/nonexistent/out.pcap", -EIO, "/nonexistent/out.pcap");
}

/* A full disk: /dev/full says ENOSPC as one does. */
static void output_that_cannot_be_written(void **state)
{
    const struct record r = {.len = 60, .orig_len = 60};
    struct packet pkt;
    struct err e = {0};

    write_capture(DLT_EN10MB, PCAP_TSTAMP_PRECISION_NANO, &r, 1);
    struct port *p = open_or_fail("/dev/full");
    assert_int_equal(port_rx_burst(p, &pkt, 1), 1);
    send_all(p, &pkt, 1);
    assert_int_equal(pcapio_error(p, &e), -ENOSPC);
    assert_non_null(strstr(e.text, "/dev/full"));
    port_close(p);
}

static int make_dir(void **state)
{
    if (!mkdtemp(dir))
        return -1;
    snprintf(in_path, sizeof(in_path), "%s/in.pcap", dir);
    snprintf(out_path, sizeof(out_path), "%s/out.pcap", dir);
    return 0;
}

static int remove_dir(void **state)
{
    unlink(in_path);
    unlink(out_path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_link_type),
        cmocka_unit_test(bytes_and_times_come_through),
        cmocka_unit_test(microseconds_become_nanoseconds),
        cmocka_unit_test(frames_run_out_and_come_back),
        cmocka_unit_test(large_frames_end_a_burst),
        cmocka_unit_test(made_frames_carry_the_last_time),
        cmocka_unit_test(pcapng),
        cmocka_unit_test(a_file_that_breaks_off),
        cmocka_unit_test(a_frame_that_is_too_long),
        cmocka_unit_test(a_capture_without_frames),
        cmocka_unit_test(refusals_say_what_to_do),
        cmocka_unit_test(output_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
