/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transforms: what each makes of its input, and transformed buffers as rules and the prefilter see them. Trap 22.
 */
#include "harness.h"

#include <malloc.h>

#include "rules/eval_scratch.h"

static struct span run(const struct buffer_ref *ref, const char *in, uint32_t len, uint8_t *out)
{
    struct eval_scratch *s = eval_scratch_new(NULL);
    struct span r;

    assert_non_null(s);
    r = transform_apply(ref, span_of(in, len), out, s);
    eval_scratch_free(s);
    return r;
}

static void assert_becomes_n(enum transform_kind kind, const char *in, uint32_t len, const char *want,
                             uint32_t want_len)
{
    struct buffer_ref ref = {.list = {{.kind = (uint8_t)kind}}, .n = 1};
    uint8_t *out = malloc(len + TRANSFORM_ROOM_MIN); /* of the exact size that is promised */
    struct span r = run(&ref, in, len, out);

    assert_int_equal(r.len, want_len);
    assert_memory_equal(r.p, want, want_len);
    free(out);
}

static void assert_becomes(enum transform_kind kind, const char *in, const char *want)
{
    assert_becomes_n(kind, in, (uint32_t)strlen(in), want, (uint32_t)strlen(want));
}

/* Snort 3's arguments: want NULL: there is no such part. */
static void assert_part(struct transform part, const char *in, const char *want)
{
    struct buffer_ref ref = {.list = {part}, .n = 1};
    uint32_t len = (uint32_t)strlen(in);
    uint8_t *out = malloc(len + TRANSFORM_ROOM_MIN);

    if (part.data != NULL)
        ref.list[0].len = (uint8_t)strlen(part.data);
    struct span r = run(&ref, in, len, out);
    if (want == NULL)
        assert_null(r.p);
    else
        assert_true(span_eq_str(r, want));
    free(out);
}

static void parts_of_http(void **state)
{
    static const char head[] = "Host: a\r\nUser-Agent:  x y \r\nX-User-Agent: no\r\n";
    static const char target[] = "http://h.x:81/p/q?a=1&b=2#f";
    const struct transform agent = {.kind = TRANSFORM_HTTP_FIELD, .data = "user-agent"},
                           empty = {.kind = TRANSFORM_HTTP_FIELD, .data = "user"},
                           id = {.kind = TRANSFORM_HTTP_PARAM, .data = "id"},
                           any_id = {.kind = TRANSFORM_HTTP_PARAM, .data = "id", .from = 1};
    static const char *const parts[URI_PARTS] = {"http", "h.x", "81", "/p/q", "a=1&b=2", "f"};

    assert_part(agent, head, "x y");
    assert_part(empty, head, NULL);
    assert_part(agent, "user-agent", NULL);
    assert_part(agent, "user-agent:", "");
    for (uint16_t i = 0; i < URI_PARTS; i++) {
        assert_part((struct transform){.kind = TRANSFORM_HTTP_URI, .key_at = i}, target, parts[i]);
        assert_part((struct transform){.kind = TRANSFORM_HTTP_URI, .key_at = i}, "", NULL);
    }
    assert_part((struct transform){.kind = TRANSFORM_HTTP_URI, .key_at = URI_PATH}, "/a://b", "/a://b");
    assert_part(id, "a=1&id=2&ID=3&id=&xid=4", "2, ");
    assert_part(any_id, "a=1&id=2&ID=3&id=&xid=4", "2, 3, ");
    assert_part(id, "id", NULL);
    assert_part(id, "id=", "");
    assert_part(id, "id=id=1", "id=1");
}

static void each(void **state)
{
    assert_becomes(TRANSFORM_DOTPREFIX, "evil.example", ".evil.example");
    assert_becomes(TRANSFORM_DOTPREFIX, "", ".");
    assert_becomes(TRANSFORM_TO_LOWERCASE, "AbC-\xc4Z[@", "abc-\xc4z[@");
    assert_becomes(TRANSFORM_TO_UPPERCASE, "AbC-\xe4z{`", "ABC-\xe4Z{`");
    assert_becomes(TRANSFORM_STRIP_WHITESPACE, " a\tb \r\n c\v\f", "abc");
    assert_becomes(TRANSFORM_STRIP_WHITESPACE, " \t ", "");
    assert_becomes(TRANSFORM_COMPRESS_WHITESPACE, "a \t\r\nb  c ", "a b c ");
    assert_becomes(TRANSFORM_COMPRESS_WHITESPACE, "\n\n a", " a");
    assert_becomes(TRANSFORM_COMPRESS_WHITESPACE, "a\tb\tc", "a b c");
    assert_becomes(TRANSFORM_URL_DECODE, "a%20b+c%2F%2f", "a b c//");
    assert_becomes(TRANSFORM_URL_DECODE, "%4", "%4");
    assert_becomes(TRANSFORM_URL_DECODE, "%", "%");
    assert_becomes(TRANSFORM_URL_DECODE, "%zz%%41", "%zz%A");
    assert_becomes_n(TRANSFORM_URL_DECODE, "%00x", 4, "\0x", 2);
    assert_becomes(TRANSFORM_HEADER_LOWERCASE, "Host: EXAMPLE\r\nX-Y:Z\r\n", "host: EXAMPLE\r\nx-y:Z\r\n");
    assert_becomes(TRANSFORM_STRIP_PSEUDO_HEADERS, ":method: GET\r\nHost: a\r\n:path: /\r\nB: c",
                   "Host: a\r\nB: c");
    assert_becomes(TRANSFORM_STRIP_PSEUDO_HEADERS, ":only", "");
    /* RFC 1321, FIPS 180 */
    assert_becomes_n(TRANSFORM_TO_MD5, "abc", 3,
                     "\x90\x01\x50\x98\x3c\xd2\x4f\xb0\xd6\x96\x3f\x7d\x28\xe1\x7f\x72", 16);
    assert_becomes_n(TRANSFORM_TO_MD5, "", 0,
                     "\xd4\x1d\x8c\xd9\x8f\x00\xb2\x04\xe9\x80\x09\x98\xec\xf8\x42\x7e", 16);
    assert_becomes_n(TRANSFORM_TO_SHA1, "abc", 3,
                     "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d", 20);
    assert_becomes_n(TRANSFORM_TO_SHA256, "abc", 3,
                     "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
                     "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad",
                     32);
}

static void chained(void **state)
{
    struct buffer_ref ref = {.n = TRANSFORMS_MAX};
    uint8_t out[4096 + TRANSFORM_ROOM_MIN];
    char in[4096];
    struct span r;

    /* every list of two, on inputs of every small length: within the room promised (a sanitizer sees more) */
    for (int a = 0; a < TRANSFORM_PCREXFORM; a++)
        for (int b = 0; b < TRANSFORM_PCREXFORM; b++)
            for (uint32_t len = 0; len < 5; len++) {
                struct buffer_ref two = {.list = {{.kind = (uint8_t)a, .data = "k", .len = 1},
                                                  {.kind = (uint8_t)b, .data = "k", .len = 1}},
                                         .n = 2};
                uint8_t *exact = malloc(len + TRANSFORM_ROOM_MIN);

                r = run(&two, "A %a", len, exact);
                assert_non_null(r.p);
                assert_true(r.len <= len + TRANSFORM_ROOM_MIN);
                free(exact);
            }
    memset(in, 'x', sizeof(in));
    for (int i = 0; i < TRANSFORMS_MAX; i++)
        ref.list[i].kind = TRANSFORM_DOTPREFIX;
    r = run(&ref, in, sizeof(in), out);
    assert_int_equal(r.len, sizeof(in) + TRANSFORMS_MAX);
    assert_memory_equal(r.p, "........x", 9);
}

/* Workers may not take memory: a digest does not. */
static void no_memory_taken(void **state)
{
    struct eval_scratch *s = eval_scratch_new(NULL);
    struct buffer_ref ref = {.list = {{.kind = TRANSFORM_TO_SHA256}}, .n = 1};
    uint8_t out[256];
    struct mallinfo2 before, after;

    for (int i = 0; i < 3; i++)
        transform_apply(&ref, span_of("abc", 3), out, s); /* what is made once is made */
    before = mallinfo2();
    for (int i = 0; i < 1000; i++)
        transform_apply(&ref, span_of("abc", 3), out, s);
    after = mallinfo2();
    assert_true(before.uordblks == after.uordblks);
    eval_scratch_free(s);
}

static const uint8_t tcp_bytes[] = "Name: evil.EXAMPLE +%41"; /* any bytes: the buffer is what counts */

static bool match(const char *options)
{
    struct pkt p = {.proto = 6, .payload = "payload", .l4 = span_of(tcp_bytes, sizeof(tcp_bytes) - 1)};

    return options_match_packet(DIALECT_SURICATA, options, &p);
}

static void in_rules(void **state)
{
    assert_true(match("tcp.hdr; dotprefix; content:\".Name\"; startswith;"));
    assert_true(match("tcp.hdr; dotprefix; content:\"Name\"; offset:1; depth:4;")); /* 22: shifted by one */
    assert_false(match("tcp.hdr; dotprefix; content:\"Name\"; startswith;"));
    assert_true(match("tcp.hdr; dotprefix; bsize:24;"));
    assert_true(match("tcp.hdr; bsize:23;"));
    assert_true(match("tcp.hdr; to_lowercase; content:\"evil.example\";"));
    assert_false(match("tcp.hdr; content:\"evil.example\";"));
    assert_true(match("tcp.hdr; to_uppercase; content:\"NAME: EVIL\"; pcre:\"/^NAME/\";"));
    assert_true(match("tcp.hdr; strip_whitespace; content:\"Name:evil\";"));
    assert_true(match("tcp.hdr; url_decode; compress_whitespace; content:\"EXAMPLE A\"; endswith;"));
    assert_true(
        match("tcp.hdr; compress_whitespace; url_decode; content:\"EXAMPLE  A\"; endswith;")); /* in order */
    assert_true(match("tcp.hdr; header_lowercase; content:\"name: evil.EX\"; startswith;"));
    assert_true(match("tcp.hdr; xor:\"0102\"; content:\"|4f 63 6c 67|\"; startswith;"));
    assert_true(match("tcp.hdr; xor:0102; content:\"|4f 63 6c 67|\"; startswith;"));
    assert_true(match("tcp.hdr; xor:offset 2,\"0102\"; content:\"Na|6c 67|\"; startswith;"));
    assert_true(match("tcp.hdr; xor:\"offset 2, 0102\"; content:\"Na|6c 67|\"; startswith;"));
    assert_false(match("tcp.hdr; xor:offset 2,\"0102\"; xor:\"0102\"; content:\"Name\"; startswith;"));
    assert_true(
        match("tcp.hdr; xor:offset 2,\"0102\"; xor:offset 2,\"0102\"; content:\"Name\"; startswith;"));
    assert_true(match("tcp.hdr; xor:offset 22,\"01\"; content:\"+%40\"; endswith;"));
    assert_true(
        match("tcp.hdr; xor:offset 23,\"01\"; content:\"+%41\"; endswith;")); /* right behind its end */
    assert_true(match("tcp.hdr; xor:offset 999,\"01\"; content:\"+%41\"; endswith;")); /* nothing to decode */
    /* the key is 'Na': 'm' ^ 'N', 'e' ^ 'a' */
    assert_true(match("tcp.hdr; xor:offset 2,extract 2 0; content:\"Na|23 04|\"; startswith;"));
    assert_true(match("tcp.hdr; xor:extract 2 0; content:\"|00 00 23 04|\"; startswith;"));
    assert_true(match("tcp.hdr; xor:extract 1 22; content:\"|00|\"; endswith;"));
    assert_true(
        match("tcp.hdr; xor:extract 2 22; content:\"Name\"; startswith;")); /* it ends within its key */
    assert_true(match("tcp.hdr; pcrexform:\"evil\\.([A-Z]+)\"; content:\"EXAMPLE\"; startswith; endswith;"));
    assert_true(match("tcp.hdr; pcrexform:\"evil\\.([A-Z]+)\"; to_lowercase; bsize:7; content:\"example\";"));
    assert_false(match("tcp.hdr; pcrexform:\"good\\.([A-Z]+)\"; content:!\"x\";")); /* no buffer */
    assert_true(match("tcp.hdr; strip_whitespace; to_md5; bsize:16;"));
    assert_true(match("tcp.hdr; to_sha1; bsize:20;"));
    assert_true(match("tcp.hdr; to_sha256; bsize:32;"));
    /* the same header as it is, and changed, in one rule */
    assert_true(match(
        "tcp.hdr; content:\"EXAMPLE\"; tcp.hdr; to_lowercase; content:\"example\"; content:!\"EXAMPLE\";"));
    assert_true(
        match("tcp.hdr; content:\"EXAMPLE\"; to_lowercase; content:\"example\"; content:!\"EXAMPLE\";"));
    /* behind a content: for what follows */
    assert_true(match("tcp.hdr; content:\"Name\"; startswith; dotprefix; content:\".Name\"; startswith;"));
    assert_true(match("tcp.hdr; to_lowercase; content:\"name\"; dotprefix; content:\".name\"; startswith;"));
    /* no header, no transform of it */
    assert_false(match("udp.hdr; dotprefix; content:\".\";"));
}

static void refused(void **state)
{
    assert_options_refused("dotprefix; content:\"a\";", "only a sticky buffer can be transformed");
    assert_options_refused("tcp.hdr; xor:\"0\";", "is no key");
    assert_options_refused("tcp.hdr; xor:\"zz\";", "is no key");
    assert_options_refused("tcp.hdr; xor:\"\";", "");
    assert_options_refused("tcp.hdr; xor:offset 4;", "is no offset and key");
    assert_options_refused("tcp.hdr; xor:offset x,\"01\";", "is no offset and key");
    assert_options_refused("tcp.hdr; xor:offset 70000,\"01\";", "is no offset and key");
    assert_options_refused("tcp.hdr; xor:offset 4,;", "is no key");
    assert_options_refused("tcp.hdr; xor:offset 4,\"\";", "is no key");
    assert_options_refused("tcp.hdr; xor:extract 0 0;", "does not say where the key is");
    assert_options_refused("tcp.hdr; xor:extract 1;", "does not say where the key is");
    assert_options_refused("tcp.hdr; xor:extract 256 0;", "does not say where the key is");
    assert_options_refused("tcp.hdr; xor:extract 1 x;", "does not say where the key is");
    assert_options_refused("tcp.hdr; pcrexform:\"a\";", "must have one group");
    assert_options_refused("tcp.hdr; pcrexform:\"(a)(b)\";", "must have one group");
    assert_options_refused("tcp.hdr; pcrexform:\"(a\";", "pcrexform: missing closing parenthesis");
    assert_options_refused(
        "tcp.hdr; dotprefix; dotprefix; dotprefix; dotprefix; dotprefix; dotprefix; dotprefix; "
        "dotprefix; dotprefix; content:\"a\";",
        "more than 8 transforms");
}

/* Equal lists share a slot; too many different ones are an error of the rule that has the next. */
static void slots(void **state)
{
    char *text = malloc(1 << 16);
    size_t n = 0;
    struct loaded l;

    for (int i = 0; i < TRANSFORMED_MAX + 2; i++)
        n += (size_t)sprintf(text + n,
                             "alert tcp any any -> any any (tcp.hdr; xor:\"%02x\"; content:\"a\"; sid:%d;)\n",
                             i, i + 1);
    l = load(text);
    assert_int_equal(l.errs.n, 2);
    assert_non_null(strstr(l.errs.v[0].text, "more than 64 different buffers"));
    assert_int_equal(l.rs->n_transformed, TRANSFORMED_MAX);
    unload(&l);
    n = 0;
    for (int i = 0; i < 200; i++)
        n += (size_t)sprintf(text + n,
                             "alert tcp any any -> any any (tcp.hdr; xor:\"%02x\"; content:\"a\"; sid:%d;)\n",
                             i % 3, i + 1);
    l = load_ok(
        "alert tcp any any -> any any (tcp.hdr; xor:\"01\"; content:\"a\"; sid:1;)\n"
        "alert tcp any any -> any any (tcp.hdr; xor:offset 1,01; content:\"a\"; sid:2;)\n"
        "alert tcp any any -> any any (tcp.hdr; xor:extract 1 0; content:\"a\"; sid:3;)\n"
        "alert tcp any any -> any any (tcp.hdr; xor:extract 1 1; content:\"a\"; sid:4;)\n"
        "alert tcp any any -> any any (tcp.hdr; xor:\"offset 1,extract 1 1\"; content:\"a\"; sid:5;)\n"
        "alert tcp any any -> any any (tcp.hdr; xor:offset 1,extract 1 1; content:\"a\"; sid:6;)\n");
    assert_int_equal(l.rs->n_transformed, 5);
    unload(&l);
    l = load_ok(text);
    assert_int_equal(l.rs->n_transformed, 3);
    assert_int_equal(slot_patterns(l.rs, PROTO_TCP, BUF_N)->n_patterns, 1);
    unload(&l);
    free(text);
}

/* A transformed buffer is made once, anew when its base changes, and absent when there is no room. */
static void life(void **state)
{
    struct loaded l = load_ok("alert tcp any any -> any any (tcp.hdr; dotprefix; content:\"a\"; sid:1;)\n");
    static uint8_t big[TRANSFORM_AREA];
    struct facts f = {.flags = FACT_TCP};
    struct eval e = {.facts = &f, .scratch = eval_scratch_new(NULL), .steps_left = 100};
    struct span first;

    eval_begin(&e, l.rs);
    assert_null(eval_buffer(&e, BUF_N).p);
    eval_buffer_set(&e, BUF_TCP_HDR, span_of("abc", 3));
    first = eval_buffer(&e, BUF_N);
    assert_int_equal(first.len, 4);
    assert_ptr_equal(eval_buffer(&e, BUF_N).p, first.p);
    eval_buffer_set(&e, BUF_PAYLOAD, span_of("x", 1)); /* another's change leaves it */
    assert_ptr_equal(eval_buffer(&e, BUF_N).p, first.p);
    eval_buffer_set(&e, BUF_TCP_HDR, span_of("xyz!", 4));
    assert_memory_equal(eval_buffer(&e, BUF_N).p, ".xyz!", 5);
    assert_false(e.hit_transform_limit);
    eval_buffer_set(&e, BUF_TCP_HDR, span_of(big, sizeof(big)));
    assert_null(eval_buffer(&e, BUF_N).p);
    assert_true(e.hit_transform_limit);
    eval_begin(&e, l.rs); /* the next packet has all the room again */
    assert_int_equal(e.scratch->area_used, 0);
    eval_buffer_set(&e, BUF_TCP_HDR, span_of(big, sizeof(big) - TRANSFORM_ROOM_MIN));
    assert_int_equal(eval_buffer(&e, BUF_N).len, sizeof(big) - TRANSFORM_ROOM_MIN + 1);
    eval_scratch_free(e.scratch);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each),     cmocka_unit_test(parts_of_http),
        cmocka_unit_test(chained),  cmocka_unit_test(no_memory_taken),
        cmocka_unit_test(in_rules), cmocka_unit_test(refused),
        cmocka_unit_test(slots),    cmocka_unit_test(life),
    };

    return cmocka_run_group_tests_name("rules: transforms", tests, NULL, NULL);
}
