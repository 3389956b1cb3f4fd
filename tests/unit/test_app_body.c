/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies: whatever their compression, and however they are cut, rules see the same bytes; and what receivers are
 * lenient about is shown as the lenient ones show it, with an event.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <brotli/encode.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/unit/body_lab.h"

#define TEXT_BYTES 24000

struct packed {
    uint8_t *p;
    size_t len;
};

static uint8_t text[TEXT_BYTES];

/* Compressible, but not too much. */
static int make_text(void **state)
{
    uint32_t x = 1;

    for (size_t i = 0; i < TEXT_BYTES; i++) {
        x = x * 1664525 + 1013904223;
        text[i] = i % 97 < 60 ? (uint8_t) "the quick brown fox "[i % 20] : (uint8_t)('a' + (x >> 24) % 26);
    }
    memcpy(text + 20000, "EVIL", 4);
    return 0;
}

static struct packed zlib_pack(const void *p, size_t len, int window_bits)
{
    struct packed out = {.p = malloc(len + len / 100 + 256)};
    z_stream z = {0};

    deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
    z.next_in = (uint8_t *)p;
    z.avail_in = (unsigned)len;
    z.next_out = out.p;
    z.avail_out = (unsigned)(len + len / 100 + 256);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.len = z.total_out;
    deflateEnd(&z);
    return out;
}

static struct packed pack(enum body_coding c, const void *p, size_t len)
{
    size_t room = len + len / 50 + 1024;
    struct packed out = {0};

    if (c == BODY_GZIP)
        return zlib_pack(p, len, 31);
    if (c == BODY_DEFLATE)
        return zlib_pack(p, len, 15);
    out.p = malloc(room);
    out.len = room;
    if (c == BODY_BROTLI) {
        assert_true(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, len, p, &out.len, out.p));
    } else if (c == BODY_ZSTD) {
        out.len = ZSTD_compress(out.p, room, p, len, 3);
    } else if (c == BODY_LZMA) {
        lzma_options_lzma o;
        lzma_stream z = LZMA_STREAM_INIT;

        lzma_lzma_preset(&o, 6); /* announces 8 MB */
        assert_int_equal(lzma_alone_encoder(&z, &o), LZMA_OK);
        z.next_in = p;
        z.avail_in = len;
        z.next_out = out.p;
        z.avail_out = room;
        assert_int_equal(lzma_code(&z, LZMA_FINISH), LZMA_STREAM_END);
        out.len = z.total_out;
        lzma_end(&z);
    } else {
        memcpy(out.p, p, len);
        out.len = len;
    }
    return out;
}

static struct body_about about_of(enum body_coding first, enum body_coding second)
{
    return (struct body_about){.dir = APP_TO_CLIENT,
                               .buffers = {BUF_HTTP_RESPONSE_BODY, BUF_FILE_DATA},
                               .n_buffers = 2,
                               .coding = {(uint8_t)first, (uint8_t)second},
                               .n_codings = second == BODY_IDENTITY ? 1 : 2};
}

static const struct app_limits small = {.body_window = 1024, /* reading it over and over takes time */
                                        .body_start = 2048,
                                        .decompress_ratio = 2048,
                                        .decompress_bytes = 1u << 20,
                                        .layers = 4};

static struct app_lab *carried(const struct body_about *about, const void *p, size_t len, size_t piece)
{
    struct app_lab *l = body_lab_new(&small);

    body_lab_begin(l, about);
    assert_true(body_lab_add(l, p, len, piece));
    body_lab_end(l, true);
    return l;
}

static void assert_shown(struct app_lab *l, const void *p, size_t len)
{
    for (unsigned i = 0; i < 2; i++) {
        struct span s = lab_grown(l, i ? BUF_FILE_DATA : BUF_HTTP_RESPONSE_BODY);

        assert_int_equal(s.len, len);
        assert_memory_equal(s.p, p, len);
    }
}

static const size_t pieces[] = {1, 7, 1460, 1u << 20};

static void every_coding_at_every_cut(void **state)
{
    for (int c = BODY_IDENTITY; c <= BODY_LZMA; c++) {
        struct body_about about = about_of((enum body_coding)c, BODY_IDENTITY);
        struct packed z = pack((enum body_coding)c, text, TEXT_BYTES);

        for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
            struct app_lab *l = carried(&about, z.p, z.len, pieces[i]);

            assert_shown(l, text, TEXT_BYTES);
            for (int e = AN_BODY_GZIP; e <= AN_BODY_CUT; e++)
                assert_false(lab_event(l, (enum anomaly)e));
            body_lab_free(l);
        }
        free(z.p);
    }
}

/* A stream of two bytes says all that there is, which is nothing. */
static void an_empty_stream(void **state)
{
    struct body_about about = about_of(BODY_DEFLATE, BODY_IDENTITY);
    const int bits[] = {15, -15};

    for (int k = 0; k < 2; k++) {
        struct packed z = zlib_pack("", 0, bits[k]);

        for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
            struct app_lab *l = carried(&about, z.p, z.len, pieces[i]);

            assert_int_equal(lab_grown(l, BUF_FILE_DATA).len, 0);
            assert_false(lab_event(l, AN_BODY_GZIP));
            body_lab_free(l);
        }
        free(z.p);
    }
}

static void layers_on_layers(void **state)
{
    for (int first = BODY_GZIP; first <= BODY_LZMA; first++) {
        for (int second = BODY_GZIP; second <= BODY_LZMA; second++) {
            struct body_about about = about_of((enum body_coding)first, (enum body_coding)second);
            struct packed in = pack((enum body_coding)first, text, TEXT_BYTES);
            struct packed z = pack((enum body_coding)second, in.p, in.len);
            struct app_lab *l = carried(&about, z.p, z.len, 1460);

            assert_shown(l, text, TEXT_BYTES);
            body_lab_free(l);
            free(in.p);
            free(z.p);
        }
    }
}

/* What does not fit what was announced; the same whatever the cuts. */
static void lies_about_codings(void **state)
{
    static const char page[] = "<html><body>hello, this is no compression at all</body></html>";
    struct packed raw = zlib_pack(text, TEXT_BYTES, -15), zlib = zlib_pack(text, TEXT_BYTES, 15),
                  gzip = zlib_pack(text, TEXT_BYTES, 31);
    struct {
        enum body_coding first, second;
        struct packed sent, shown;
        enum anomaly event;
    } cases[] = {
        {BODY_GZIP, 0, {(void *)page, sizeof(page)}, {(void *)page, sizeof(page)}, AN_BODY_GZIP},
        {BODY_DEFLATE, 0, {(void *)page, sizeof(page)}, {(void *)page, sizeof(page)}, AN_BODY_GZIP},
        {BODY_ZSTD, 0, {(void *)page, sizeof(page)}, {(void *)page, sizeof(page)}, AN_BODY_CODING},
        {BODY_GZIP, BODY_DEFLATE, {(void *)page, sizeof(page)}, {(void *)page, sizeof(page)}, AN_BODY_GZIP},
        {BODY_DEFLATE, BODY_DEFLATE, zlib, {text, TEXT_BYTES}, AN_BODY_GZIP},
        {BODY_DEFLATE, 0, raw, {text, TEXT_BYTES}, AN_N},
        {BODY_DEFLATE, 0, gzip, {text, TEXT_BYTES}, AN_BODY_GZIP},
        {BODY_GZIP, 0, zlib, {text, TEXT_BYTES}, AN_BODY_GZIP},
        {BODY_GZIP, 0, raw, {text, TEXT_BYTES}, AN_BODY_GZIP},
        {BODY_GZIP, 0, {(void *)"ab", 2}, {(void *)"ab", 2}, AN_BODY_GZIP},
        {BODY_BROTLI, BODY_GZIP, gzip, {text, TEXT_BYTES}, AN_BODY_CODING},
    };

    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct body_about about = about_of(cases[k].first, cases[k].second);

        for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
            struct app_lab *l = carried(&about, cases[k].sent.p, cases[k].sent.len, pieces[i]);
            struct span s = lab_grown(l, BUF_FILE_DATA);

            if (s.len == 0 && lab_saw_bytes(l, BUF_FILE_DATA, cases[k].shown.p, cases[k].shown.len))
                s = span_of(cases[k].shown.p,
                            cases[k].shown.len); /* it was shown at once, and did not grow */
            /* what is shown ends as it should; something decoded by mistake may stand in front of it */
            if (s.len < cases[k].shown.len ||
                memcmp(s.p + s.len - cases[k].shown.len, cases[k].shown.p, cases[k].shown.len) != 0)
                fail_msg("case %zu in pieces of %zu: %u bytes", k, pieces[i], s.len);
            if (cases[k].event != AN_N)
                assert_true(lab_event(l, cases[k].event));
            else
                assert_false(lab_event(l, AN_BODY_GZIP));
            body_lab_free(l);
        }
    }
    free(raw.p);
    free(zlib.p);
    free(gzip.p);
}

/* A gzip file of `text`, with other flags in its header and other bytes behind it. */
static struct packed odd_gzip(uint8_t flags, const char *parts, size_t n_parts, size_t cut,
                              const char *behind, size_t n_behind)
{
    struct packed z = zlib_pack(text, TEXT_BYTES, 31), out = {.p = malloc(z.len + n_parts + n_behind)};

    memcpy(out.p, z.p, 10);
    out.p[3] = flags;
    memcpy(out.p + 10, parts, n_parts);
    memcpy(out.p + 10 + n_parts, z.p + 10, z.len - 10 - cut);
    out.len = z.len + n_parts - cut;
    memcpy(out.p + out.len, behind, n_behind);
    out.len += n_behind;
    free(z.p);
    return out;
}

static void odd_gzip_is_shown_as_browsers_do(void **state)
{
    static const struct {
        uint8_t flags;
        const char *parts;
        uint8_t n_parts, cut;
        const char *behind;
        uint8_t n_behind;
        enum anomaly event;
    } cases[] = {
        {0x01, "", 0, 0, "", 0, AN_N},
        {0x02, "xx", 2, 0, "", 0, AN_N},
        {0x04, "\x05\0Ap\1\0\0", 7, 0, "", 0, AN_N},
        {0x08, "name.txt", 9, 0, "", 0, AN_N},
        {0x1f, "\1\0Aname\0comment\0xx", 18, 0, "", 0, AN_N},
        {0x20, "", 0, 0, "", 0, AN_BODY_HEADER},
        {0x80, "", 0, 0, "", 0, AN_BODY_HEADER},
        {0x00, "", 0, 8, "", 0, AN_BODY_CUT},
        {0x00, "", 0, 4, "", 0, AN_BODY_CUT},
        {0x00, "", 0, 8, "\1\2\3\4\5\6\7\10", 8, AN_BODY_CHECKSUM},
        {0x00, "", 0, 0, "\0\0\0\0", 4, AN_N},
        {0x00, "", 0, 0, "garbage", 7, AN_BODY_BEHIND},
        {0x00, "", 0, 0, "\x1fgarbage", 8, AN_BODY_BEHIND},
        {0x00, "", 0, 0, "\x1f\x8bgarbage", 9, AN_BODY_BEHIND},
    };
    struct body_about about = about_of(BODY_GZIP, BODY_IDENTITY);

    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct packed z = odd_gzip(cases[k].flags, cases[k].parts, cases[k].n_parts, cases[k].cut,
                                   cases[k].behind, cases[k].n_behind);

        for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
            struct app_lab *l = carried(&about, z.p, z.len, pieces[i]);

            assert_shown(l, text, TEXT_BYTES);
            for (int e = AN_BODY_GZIP; e <= AN_BODY_CUT; e++)
                if (lab_event(l, (enum anomaly)e) != (e == (int)cases[k].event))
                    fail_msg("case %zu in pieces of %zu: event %d", k, pieces[i], e);
            body_lab_free(l);
        }
        free(z.p);
    }
}

static void a_second_member_is_shown_too(void **state)
{
    struct body_about about = about_of(BODY_GZIP, BODY_IDENTITY);
    struct packed a = zlib_pack(text, 1000, 31), b = zlib_pack(text + 1000, TEXT_BYTES - 1000, 31);
    uint8_t *both = malloc(a.len + b.len);

    memcpy(both, a.p, a.len);
    memcpy(both + a.len, b.p, b.len);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct app_lab *l = carried(&about, both, a.len + b.len, pieces[i]);

        assert_shown(l, text, TEXT_BYTES);
        assert_true(lab_event(l, AN_BODY_MEMBERS));
        assert_false(lab_event(l, AN_BODY_BEHIND));
        body_lab_free(l);
    }
    free(a.p);
    free(b.p);
    free(both);
}

static void a_bomb_is_given_up(void **state)
{
    static const struct app_limits limits = {.body_window = 8192,
                                             .body_start = 32768,
                                             .decompress_ratio = 100,
                                             .decompress_bytes = 1u << 20,
                                             .layers = 4};
    size_t size = 64u << 20;
    uint8_t *zeros = calloc(1, size);
    struct packed in = zlib_pack(zeros, size, 31), z = zlib_pack(in.p, in.len, 31);
    struct body_about about = about_of(BODY_GZIP, BODY_GZIP);
    struct app_lab *l = body_lab_new(&limits);

    body_lab_begin(l, &about);
    assert_true(body_lab_add(l, z.p, z.len, 1460));
    body_lab_end(l, true);
    assert_true(lab_event(l, AN_BODY_BOMB));
    assert_in_range(lab_grown(l, BUF_FILE_DATA).len, 1u << 20, (1u << 20) + 2 * BODY_PIECE);
    body_lab_free(l);
    free(zeros);
    free(in.p);
    free(z.p);
}

static void too_many_layers_are_not_undone(void **state)
{
    static const struct app_limits limits = {
        .body_window = 8192, .body_start = 32768, .decompress_ratio = 100, .layers = 1};
    struct packed in = zlib_pack(text, TEXT_BYTES, 31), z = zlib_pack(in.p, in.len, 31);
    struct body_about about = about_of(BODY_GZIP, BODY_GZIP);
    struct app_lab *l = body_lab_new(&limits);

    body_lab_begin(l, &about);
    assert_true(body_lab_add(l, z.p, z.len, 1460));
    body_lab_end(l, true);
    assert_true(lab_event(l, AN_BODY_LAYERS));
    assert_shown(l, z.p, z.len);
    body_lab_free(l);
    free(in.p);
    free(z.p);
}

/* Detection has at least body_window bytes in front of what is new, and the start as a whole. */
static void check_window(void *arg, struct app *a, const struct app_view *v)
{
    struct app_lab *l = arg;
    unsigned b = BUF_FILE_DATA;
    struct span s = v->instance[v->first[b] - 1].bytes;

    assert_true(s.len - v->fresh_at[b] <= BODY_PIECE);
    assert_true(v->origin[b] == 0 || v->fresh_at[b] >= app_limits(a)->body_window);
    assert_true(v->origin[b] == 0 || v->origin[b] + s.len > app_limits(a)->body_start);
    lab_inspect(l, a, v);
}

static void the_window_reaches_back(void **state)
{
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct body_about about = about_of(BODY_IDENTITY, BODY_IDENTITY);
        struct app_lab *l = body_lab_new(&small);

        app_set_hooks(l->app, &(struct app_hooks){.arg = l, .inspect = check_window});
        body_lab_begin(l, &about);
        assert_true(body_lab_add(l, text, TEXT_BYTES, pieces[i]));
        body_lab_end(l, true);
        assert_shown(l, text, TEXT_BYTES);
        body_lab_free(l);
    }
}

static void depth_ends_it(void **state)
{
    for (int c = BODY_IDENTITY; c <= BODY_GZIP; c++) {
        struct body_about about = about_of((enum body_coding)c, BODY_IDENTITY);
        struct packed z = pack((enum body_coding)c, text, TEXT_BYTES);

        about.depth = 5000;
        struct app_lab *l = carried(&about, z.p, z.len, 700);
        assert_shown(l, text, 5000);
        body_lab_free(l);
        free(z.p);
    }
}

/* Many small pieces are looked at together, and nothing is left behind. */
static void gathered_pieces(void **state)
{
    struct body_about about = about_of(BODY_IDENTITY, BODY_IDENTITY);
    struct app_lab *l = body_lab_new(NULL);

    body_lab_begin(l, &about);
    for (uint32_t i = 0; i < 1000; i++)
        assert_true(body_gather(l->app, &body_state.body, &body_state.tx, span_of(text + i, 1)));
    assert_int_equal(l->n_inspected, 0);
    assert_true(body_flush(l->app, &body_state.body, &body_state.tx));
    assert_int_equal(l->n_inspected, 1);
    assert_shown(l, text, 1000);
    body_lab_free(l);
}

static void no_memory_is_no_blindness(void **state)
{
    struct body_about about = about_of(BODY_IDENTITY, BODY_IDENTITY);
    struct app_lab *l = body_lab_new(NULL);

    l->app->cfg.flow_bytes = 2048;
    body_lab_begin(l, &about);
    assert_true(body_lab_add(l, text, TEXT_BYTES, 1460));
    body_lab_end(l, true);
    assert_shown(l, text, TEXT_BYTES);
    assert_true(l->app->memcap);
    body_lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_coding_at_every_cut),
        cmocka_unit_test(an_empty_stream),
        cmocka_unit_test(layers_on_layers),
        cmocka_unit_test(lies_about_codings),
        cmocka_unit_test(odd_gzip_is_shown_as_browsers_do),
        cmocka_unit_test(a_second_member_is_shown_too),
        cmocka_unit_test(a_bomb_is_given_up),
        cmocka_unit_test(too_many_layers_are_not_undone),
        cmocka_unit_test(the_window_reaches_back),
        cmocka_unit_test(depth_ends_it),
        cmocka_unit_test(gathered_pieces),
        cmocka_unit_test(no_memory_is_no_blindness),
    };

    return cmocka_run_group_tests(tests, make_text, NULL);
}
