/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What it costs to parse TLS: a new flow's state, its bytes, everything published, and the state given back; without
 * detection and without events. Hellos with no fingerprints, with each, and with both; a server's flight with its
 * certificates; a record of application data when the handshake is over. The worst that is accepted: a hello in records of
 * one byte, and hellos of nothing but extensions without bytes, for the bytes that are sent.
 *
 *     bench_tls        one JSON object on standard output
 *
 * Each figure is the shortest of several rounds.
 */
#include "ips/app/table.h"
#include "ips/app/tls.h"
#include "ips/base/clock.h"
#include "tests/unit/tls_flights.h"

#define ROUNDS 200
#define TIMES  64

struct piece {
    uint8_t dir; /* enum app_dir */
    struct span bytes;
};

static double parse(struct app_lab *l, const struct piece *p, unsigned n, bool ja3, bool ja4)
{
    struct app *a = l->app;
    double best = 1e18;

    a->cfg.limits.ja3 = ja3;
    a->cfg.limits.ja4 = ja4;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t t = clock_mono_ns();

        for (int i = 0; i < TIMES; i++) {
            struct tls *state = app_take(a, sizeof(*state));

            for (unsigned k = 0; k < n; k++)
                parser_tls.take(a, state, &(struct app_in){.bytes = p[k].bytes, .dir = p[k].dir});
            parser_tls.close(a, state);
            app_give(a, state, sizeof(*state));
        }
        double ns = (double)(clock_mono_ns() - t) / TIMES;
        best = ns < best ? ns : best;
    }
    return best;
}

/* Each byte of the message in a record of its own. */
static uint32_t in_tiny_records(struct span record, uint8_t *out)
{
    uint32_t n = 0;

    for (uint32_t i = 5; i < record.len; i++, n += 6) {
        memcpy(out + n, "\x16\x03\x01\x00\x01", 5);
        out[n + 5] = record.p[i];
    }
    return n;
}

/* A record that is one hello: as many extensions as it holds, of 4 bytes each. */
static uint32_t of_extensions(uint8_t *out)
{
    uint32_t n = 5 + 4 + 2 + 32 + 1, room = 16384;

    memset(out, 0, room);
    memcpy(out, "\x16\x03\x01", 3);
    out[5] = TLS_CLIENT_HELLO;
    store_be16(out + 9, TLS1_2);
    memcpy(out + n, "\x00\x02\x13\x01\x01\x00", 6);
    n += 6 + 2;
    uint32_t list = n;
    for (uint16_t type = 50; n + 4 <= room; n += 4)
        store_be16(out + n, type++);
    store_be16(out + list - 2, (uint16_t)(n - list));
    store_be16(out + 7, (uint16_t)(n - 9));
    store_be16(out + 3, (uint16_t)(n - 5));
    return n;
}

static double application_data(struct app_lab *l)
{
    static const uint8_t data[] = "\x17\x03\x03\x05\xa7";
    static uint8_t record[1452];
    struct app *a = l->app;
    struct tls *state = app_take(a, sizeof(*state));
    double best = 1e18;

    memcpy(record, data, 5);
    for (const struct flight *f = tls12; f->hex; f++)
        parser_tls.take(a, state, &(struct app_in){.bytes = bytes_of(f->hex), .dir = f->dir});
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t t = clock_mono_ns();

        for (int i = 0; i < TIMES; i++)
            parser_tls.take(a, state, &(struct app_in){.bytes = span_of(record, sizeof(record)), .dir = 0});
        double ns = (double)(clock_mono_ns() - t) / TIMES;
        best = ns < best ? ns : best;
    }
    parser_tls.close(a, state);
    app_give(a, state, sizeof(*state));
    return best;
}

int main(void)
{
    static uint8_t tiny[65536], wide[32768];
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 443});
    struct span client = bytes_of(tls13_client), server = bytes_of(tls12_server);
    struct span client12 = bytes_of(tls12_client_1);
    const struct piece hello[] = {{APP_TO_SERVER, client}};
    const struct piece both[] = {{APP_TO_SERVER, client12}, {APP_TO_CLIENT, server}};

    l->app->hooks.inspect = NULL;
    l->app->hooks.log = NULL;
    lab_send(l, APP_TO_SERVER, client.p, client.len);
    double plain = parse(l, hello, 1, false, false);
    double ja3 = parse(l, hello, 1, true, false);
    double ja4 = parse(l, hello, 1, false, true);
    double all = parse(l, hello, 1, true, true);
    double handshake = parse(l, both, 2, false, false);
    double handshake_all = parse(l, both, 2, true, true);
    double data = application_data(l);
    uint32_t tiny_len = in_tiny_records(client, tiny), wide_len = of_extensions(wide);
    const struct piece t[] = {{APP_TO_SERVER, span_of(tiny, tiny_len)}};
    const struct piece w[] = {{APP_TO_SERVER, span_of(wide, wide_len)}};
    double tiny_ns = parse(l, t, 1, true, true);
    double wide_ns = parse(l, w, 1, true, true);

    printf("{\"hello_ns\": %.1f, \"hello_ja3_ns\": %.1f, \"hello_ja4_ns\": %.1f, \"hello_both_ns\": %.1f, "
           "\"hellos_per_s\": %.0f, \"hellos_with_both_per_s\": %.0f, "
           "\"hello_and_certificates_ns\": %.1f, \"the_same_with_both_ns\": %.1f, \"application_data_ns\": "
           "%.1f, "
           "\"hello_bytes\": %u, \"tiny_records_ns\": %.0f, \"tiny_records_bytes\": %u, "
           "\"tiny_records_to_ordinary_per_byte\": %.2f, \"extensions_ns\": %.0f, \"extensions_bytes\": %u, "
           "\"extensions_to_ordinary_per_byte\": %.2f}\n",
           plain, ja3, ja4, all, 1e9 / plain, 1e9 / all, handshake, handshake_all, data, client.len, tiny_ns,
           tiny_len, tiny_ns / tiny_len / (all / client.len), wide_ns, wide_len,
           wide_ns / wide_len / (all / client.len));
    lab_free(l);
    return 0;
}
