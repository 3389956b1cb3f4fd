/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transformed buffers: made when a rule or the prefilter asks for one first, kept for the rest of the packet.
 *
 * The result of every transform is written into an area that belongs to the worker's scratch and starts anew with
 * each packet. The input is copied there once and each transform of a list works on that copy in place; none but
 * dotprefix and the digests makes it longer, and by less than TRANSFORM_ROOM_MIN. An area that is full leaves the
 * buffer absent and says so (hit_transform_limit); it holds 1 MB, many times what a packet's buffers need.
 *
 * The meaning of each word is Suricata's (RULES.md 2A, 22: dotprefix shifts lengths and offsets by one). Digests
 * come from OpenSSL through contexts made at start, so that a digest takes no memory. Worker thread.
 */
#include "rules/transforms.h"

#include <openssl/evp.h>

#include "rules/eval_scratch.h"
#include "rules/ruleset_layout.h"

#define DIGEST_MAX 32 /* bytes: SHA-256 */

static inline bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* All of them: n bytes at p, which has room for TRANSFORM_ROOM_MIN more; the new length, or -1: no buffer. */
typedef int64_t (*transform_fn)(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s);

static int64_t dotprefix(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s)
{
    memmove(p + 1, p, n);
    p[0] = '.';
    return (int64_t)n + 1;
}

static int64_t to_lowercase(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s)
{
    for (uint32_t i = 0; i < n; i++)
        p[i] = lower(p[i]);
    return n;
}

static int64_t to_uppercase(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s)
{
    for (uint32_t i = 0; i < n; i++)
        if (p[i] >= 'a' && p[i] <= 'z')
            p[i] &= 0xdf;
    return n;
}

static int64_t strip_whitespace(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s)
{
    uint32_t out = 0;

    for (uint32_t i = 0; i < n; i++)
        if (!is_space(p[i]))
            p[out++] = p[i];
    return out;
}

static int64_t compress_whitespace(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s)
{
    uint32_t out = 0;

    for (uint32_t i = 0; i < n; i++)
        if (!is_space(p[i]))
            p[out++] = p[i];
        else if (i == 0 || !is_space(p[i - 1]))
            p[out++] = ' ';
    return out;
}

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1;
}

/* What is no valid %XX stays as it is. */
static int64_t url_decode(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s)
{
    uint32_t out = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (p[i] == '%' && i + 2 < n && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
            p[out++] = (uint8_t)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
            i += 2;
        } else {
            p[out++] = p[i] == '+' ? ' ' : p[i];
        }
    }
    return out;
}

/* A buffer that ends before its key or before the first byte to decode stays as it is, as in Suricata. */
static int64_t xor_key(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s)
{
    const uint8_t *key = t->data;
    uint8_t own[UINT8_MAX];

    if (key == NULL) {
        if (n < (uint32_t)t->key_at + t->len)
            return n;
        memcpy(own, p + t->key_at, t->len); /* it may be decoded itself */
        key = own;
    }
    for (uint32_t i = t->from; i < n; i++)
        p[i] ^= key[(i - t->from) % t->len];
    return n;
}

/* Lower case up to the colon of each line; a line without one is a name to its end. */
static int64_t header_lowercase(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s)
{
    bool name = true;

    for (uint32_t i = 0; i < n; i++) {
        if (p[i] == '\n')
            name = true;
        else if (p[i] == ':')
            name = false;
        else if (name)
            p[i] = lower(p[i]);
    }
    return n;
}

static int64_t strip_pseudo_headers(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s)
{
    uint32_t out = 0, from = 0;

    while (from < n) {
        const uint8_t *nl = memchr(p + from, '\n', n - from);
        uint32_t len = nl != NULL ? (uint32_t)(nl - (p + from)) + 1 : n - from;

        if (p[from] != ':') {
            memmove(p + out, p + from, len);
            out += len;
        }
        from += len;
    }
    return out;
}

static int64_t digest(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s)
{
    EVP_MD_CTX *ctx = s->digest[t->kind - TRANSFORM_TO_MD5];
    unsigned len = 0;

    /* NULL for the type: the one the context was made with; so nothing is looked up and nothing allocated */
    if (EVP_DigestInit_ex(ctx, NULL, NULL) != 1 || EVP_DigestUpdate(ctx, p, n) != 1 ||
        EVP_DigestFinal_ex(ctx, p, &len) != 1)
        return -1;
    return len;
}

static int64_t pcrexform(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s)
{
    const PCRE2_SIZE *ends;
    int rc = pcre2_match(t->data, p, n, 0, 0, s->match_data_groups, s->mctx);

    if (rc < 2) /* no match, a limit, or a group that took no part */
        return -1;
    ends = pcre2_get_ovector_pointer(s->match_data_groups);
    if (ends[2] == PCRE2_UNSET || ends[3] < ends[2])
        return -1;
    memmove(p, p + ends[2], ends[3] - ends[2]);
    return (int64_t)(ends[3] - ends[2]);
}

static int64_t http_field(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s)
{
    return http_part_field(t, p, n);
}

static int64_t http_uri(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s)
{
    return http_part_uri(t, p, n);
}

static int64_t http_param(const struct transform *t, uint8_t *p, uint32_t n, struct eval_scratch *s)
{
    return http_part_param(t, p, n);
}

static const transform_fn functions[TRANSFORM_N] = {
    [TRANSFORM_DOTPREFIX] = dotprefix,
    [TRANSFORM_TO_LOWERCASE] = to_lowercase,
    [TRANSFORM_TO_UPPERCASE] = to_uppercase,
    [TRANSFORM_STRIP_WHITESPACE] = strip_whitespace,
    [TRANSFORM_COMPRESS_WHITESPACE] = compress_whitespace,
    [TRANSFORM_URL_DECODE] = url_decode,
    [TRANSFORM_XOR] = xor_key,
    [TRANSFORM_HEADER_LOWERCASE] = header_lowercase,
    [TRANSFORM_STRIP_PSEUDO_HEADERS] = strip_pseudo_headers,
    [TRANSFORM_TO_MD5] = digest,
    [TRANSFORM_TO_SHA1] = digest,
    [TRANSFORM_TO_SHA256] = digest,
    [TRANSFORM_PCREXFORM] = pcrexform,
    [TRANSFORM_HTTP_FIELD] = http_field,
    [TRANSFORM_HTTP_URI] = http_uri,
    [TRANSFORM_HTTP_PARAM] = http_param,
};

_Static_assert(DIGEST_MAX + TRANSFORMS_MAX <= TRANSFORM_ROOM_MIN, "a digest and dots fit");

bool buffer_ref_eq(const struct buffer_ref *a, const struct buffer_ref *b)
{
    if (a->base != b->base || a->n != b->n)
        return false;
    for (uint8_t i = 0; i < a->n; i++) {
        const struct transform *x = &a->list[i], *y = &b->list[i];

        if (x->kind != y->kind || x->len != y->len || x->from != y->from || x->key_at != y->key_at)
            return false;
        if (x->data != y->data && (x->kind == TRANSFORM_PCREXFORM || x->data == NULL || y->data == NULL ||
                                   memcmp(x->data, y->data, x->len) != 0))
            return false;
    }
    return true;
}

struct span transform_apply(const struct buffer_ref *ref, struct span in, uint8_t *out,
                            struct eval_scratch *s)
{
    int64_t n = in.len;

    if (n > 0)
        memcpy(out, in.p, in.len);
    for (uint8_t i = 0; i < ref->n && n >= 0; i++)
        n = functions[ref->list[i].kind](&ref->list[i], out, (uint32_t)n, s);
    return n >= 0 ? span_of(out, (size_t)n) : span_of(NULL, 0);
}

/* --- as buffers of an evaluation ------------------------------------------------------------------------------ */

void eval_begin(struct eval *e, const struct ruleset *rs)
{
    memset(e->buf, 0, BUFFERS_OF_PACKETS_N * sizeof(e->buf[0])); /* their owner writes them without telling */
    for (uint32_t word = 0; word < sizeof(e->is_set) / sizeof(e->is_set[0]); word++) {
        for (uint64_t bits = e->is_set[word]; bits != 0; bits &= bits - 1)
            e->buf[word * 64 + (uint32_t)__builtin_ctzll(bits)] = span_of(NULL, 0);
        e->is_set[word] = 0;
    }
    e->transformed = rs->transformed;
    e->n_transformed = rs->n_transformed;
    e->made = 0;
    e->origin = 0;
    e->fresh_at = 0;
    e->instances = NULL;
    e->hit_transform_limit = false;
    e->scratch->area_used = 0;
}

void eval_buffer_set(struct eval *e, uint16_t buffer, struct span bytes)
{
    e->buf[buffer] = bytes;
    e->is_set[buffer / 64] |= 1ull << buffer % 64;
    for (uint64_t made = e->made; made != 0; made &= made - 1) {
        int i = __builtin_ctzll(made);

        if (e->transformed[i].base == buffer)
            e->made &= ~(1ull << i);
    }
}

void eval_publish(struct eval *e, const struct buffer_instance *instances, const uint16_t *first,
                  const uint64_t *origins)
{
    e->instances = instances;
    e->first = first;
    e->origins = origins;
    e->made = 0;
    e->scratch->area_used = 0;
}

void eval_unpublish(struct eval *e)
{
    for (uint32_t word = 0; word < sizeof(e->is_set) / sizeof(e->is_set[0]); word++) {
        uint64_t bits = e->is_set[word];

        if (word == 0)
            bits &= ~((1ull << BUFFERS_OF_PACKETS_N) - 1);
        for (e->is_set[word] &= ~bits; bits != 0; bits &= bits - 1)
            e->buf[word * 64 + (uint32_t)__builtin_ctzll(bits)] = span_of(NULL, 0);
    }
    e->instances = NULL;
    e->made = 0;
}

void eval_look_at(struct eval *e, struct span payload, int64_t origin, uint32_t fresh_at)
{
    e->fresh_at = fresh_at;
    if (payload.p == e->buf[BUF_PAYLOAD].p && payload.len == e->buf[BUF_PAYLOAD].len && e->origin == origin)
        return;
    eval_buffer_set(e, BUF_PAYLOAD, payload);
    e->origin = origin;
}

struct span eval_buffer_make(struct eval *e, uint16_t slot)
{
    const struct buffer_ref *ref = &e->transformed[slot - BUF_N];
    struct eval_scratch *s = e->scratch;
    struct span in = e->buf[ref->base], made = {NULL, 0};
    uint32_t room = TRANSFORM_AREA - s->area_used;

    if (in.len + (uint64_t)TRANSFORM_ROOM_MIN > room && e->instances) {
        /* one instance after the other was transformed: what is asked for again is made again */
        e->made = 0;
        s->area_used = 0;
        room = TRANSFORM_AREA;
    }
    if (in.p != NULL && in.len <= room && room - in.len >= TRANSFORM_ROOM_MIN) {
        made = transform_apply(ref, in, s->area + s->area_used, s);
        s->area_used += made.len;
    } else if (in.p != NULL) {
        e->hit_transform_limit = true;
    }
    e->made |= 1ull << (slot - BUF_N);
    e->buf[slot] = made;
    return made;
}
