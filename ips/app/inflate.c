/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gzip (RFC 1952) and HTTP's deflate (RFC 1950, and RFC 1951 without a frame, which browsers take as well).
 *
 * The frames are read here and zlib gets only what is in them, because zlib refuses what browsers let pass: flags that are
 * not assigned, a wrong checksum, a trailer that is missing. Such things are noted (decoder.odd) and the bytes are shown:
 * what a receiver may show, rules have seen.
 *
 * Which of the codings the bytes are is the sender's word first and their look second (decoder_again).
 *
 * Worker thread. Owns zlib's state, which dies in decoder_fini().
 */
#include "ips/app/inflate.h"

enum step { HEAD, EXTRA_LEN, EXTRA, NAME, COMMENT, HEAD_CHECK, DATA, TRAILER, BEHIND, OVER };

enum gzip_flag {
    FLAG_HCRC = 0x02,
    FLAG_EXTRA = 0x04,
    FLAG_NAME = 0x08,
    FLAG_COMMENT = 0x10,
    FLAG_NONE = 0xe0
};

#define INFLATE_WINDOW 32768u

bool decoder_keep(struct decoder *d, struct span *in, uint32_t n)
{
    while (d->n_kept < n && in->len > 0) {
        d->kept[d->n_kept++] = in->p[0];
        *in = span_sub(*in, 1, in->len);
    }
    return d->n_kept >= n;
}

/* --- zlib ---------------------------------------------------------------------------------------------------------- */

/* The window is a power of two: with a size in front of it, it would take a block twice as big. */
static void *zlib_take(void *opaque, unsigned items, unsigned size)
{
    struct decoder *d = opaque;

    if ((uint64_t)items * size == INFLATE_WINDOW && !d->window) {
        d->window = app_take(d->a, INFLATE_WINDOW);
        return d->window;
    }
    return app_lib_take(d->a, (size_t)items * size);
}

static void zlib_give(void *opaque, void *p)
{
    struct decoder *d = opaque;

    if (p != d->window) {
        app_lib_give(d->a, p);
        return;
    }
    app_give(d->a, p, INFLATE_WINDOW);
    d->window = NULL;
}

static bool open_zlib(struct decoder *d)
{
    if (d->open)
        return true;
    d->z = (z_stream){.zalloc = zlib_take, .zfree = zlib_give, .opaque = d};
    d->open = inflateInit2(&d->z, -MAX_WBITS) == Z_OK;
    return d->open;
}

static void begin_data(struct decoder *d)
{
    d->step = DATA;
    d->check = d->coding == BODY_GZIP ? 0 : 1;
    d->out = 0;
    if (d->open)
        inflateReset(&d->z);
}

static void checked(struct decoder *d, struct span made)
{
    d->out += made.len;
    if (d->coding == BODY_GZIP)
        d->check = (uint32_t)crc32(d->check, made.p, made.len);
    else if (d->wrapped)
        d->check = (uint32_t)adler32(d->check, made.p, made.len);
}

/* What is in the frame. */
static enum decoded data(struct decoder *d, struct span *in, uint8_t *out, uint32_t *n)
{
    int r;

    if (!open_zlib(d))
        return DECODED_NO_MEMORY;
    d->z.next_in = (uint8_t *)in->p;
    d->z.avail_in = in->len;
    d->z.next_out = out;
    d->z.avail_out = *n;
    r = inflate(&d->z, Z_NO_FLUSH);
    *in = span_sub(*in, in->len - d->z.avail_in, in->len);
    *n -= d->z.avail_out;
    checked(d, span_of(out, *n));
    if (r == Z_STREAM_END) {
        d->step = d->coding == BODY_GZIP || d->wrapped ? TRAILER : BEHIND;
        d->n_kept = 0;
        return DECODED_SOME;
    }
    if (r == Z_MEM_ERROR)
        return DECODED_NO_MEMORY;
    return r == Z_OK || r == Z_BUF_ERROR ? DECODED_SOME : DECODED_BAD;
}

/* --- gzip ------------------------------------------------------------------------------------------------------------ */

/* The parts of a header that this member has, one after the other. */
static void next_part(struct decoder *d)
{
    static const struct {
        uint8_t flag, step;
    } parts[] = {
        {FLAG_EXTRA, EXTRA_LEN}, {FLAG_NAME, NAME}, {FLAG_COMMENT, COMMENT}, {FLAG_HCRC, HEAD_CHECK}};

    d->n_kept = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (d->flags & parts[i].flag) {
            d->flags &= (uint8_t)~parts[i].flag;
            d->step = parts[i].step;
            return;
        }
    }
    begin_data(d);
}

static bool skip_text(struct span *in)
{
    const uint8_t *end = memchr(in->p, 0, in->len);

    *in = span_sub(*in, end ? (uint32_t)(end - in->p) + 1 : in->len, in->len);
    return end != NULL;
}

static void skip(struct decoder *d, struct span *in)
{
    uint32_t n = d->left < in->len ? d->left : in->len;

    *in = span_sub(*in, n, in->len);
    d->left -= n;
    if (d->left == 0)
        next_part(d);
}

static bool gzip_head(struct decoder *d, struct span *in)
{
    static const uint8_t magic[3] = {0x1f, 0x8b, 0x08};
    bool whole = decoder_keep(d, in, 10);

    if (d->n_kept >= 3 && memcmp(d->kept, magic, 3) != 0) {
        if (!d->members)
            return false;
        d->odd |= ODD_BEHIND;
        d->step = OVER;
        return true;
    }
    if (!whole)
        return true;
    if (d->members)
        d->odd |= ODD_MEMBERS;
    d->members = true;
    d->flags = d->kept[3];
    if (d->flags & FLAG_NONE)
        d->odd |= ODD_HEADER;
    next_part(d);
    return true;
}

static uint32_t load_le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void trailer(struct decoder *d, struct span *in)
{
    bool gzip = d->coding == BODY_GZIP, same;

    if (!decoder_keep(d, in, gzip ? 8 : 4))
        return;
    same = gzip ? load_le32(d->kept) == d->check && load_le32(d->kept + 4) == (uint32_t)d->out
                : load_be32(d->kept) == d->check;
    if (!same)
        d->odd |= ODD_CHECK;
    d->n_kept = 0;
    d->step = BEHIND;
}

/* Behind the end: nothing, zeros that fill up, another member, or something else. */
static void behind(struct decoder *d, struct span *in)
{
    while (d->n_kept == 0 && in->len > 0 && in->p[0] == 0)
        *in = span_sub(*in, 1, in->len);
    if (in->len == 0)
        return;
    if (d->coding == BODY_GZIP) {
        d->step = HEAD; /* which says so when it is none */
        return;
    }
    d->odd |= ODD_BEHIND;
    d->step = OVER;
}

static enum decoded gzip_run(struct decoder *d, struct span *in, uint8_t *out, uint32_t *n)
{
    uint32_t room = *n;

    *n = 0;
    while (in->len > 0 || d->step == DATA) {
        if (d->step == HEAD) {
            if (!gzip_head(d, in))
                return DECODED_BAD;
        } else if (d->step == EXTRA_LEN) {
            if (!decoder_keep(d, in, 2))
                break;
            d->left = (uint32_t)(d->kept[1] << 8 | d->kept[0]);
            d->step = EXTRA;
            skip(d, in);
        } else if (d->step == EXTRA) {
            skip(d, in);
        } else if (d->step == NAME || d->step == COMMENT) {
            if (skip_text(in))
                next_part(d);
        } else if (d->step == HEAD_CHECK) {
            if (decoder_keep(d, in, 2))
                next_part(d);
        } else if (d->step == DATA) {
            *n = room;
            enum decoded r = data(d, in, out, n);
            if (r != DECODED_SOME || d->step == DATA || *n > 0)
                return r;
        } else if (d->step == TRAILER) {
            trailer(d, in);
        } else if (d->step == BEHIND) {
            behind(d, in);
        } else {
            *in = span_sub(*in, in->len, 0);
        }
    }
    return d->step == BEHIND || d->step == OVER ? DECODED_END : DECODED_SOME;
}

/* --- deflate --------------------------------------------------------------------------------------------------------- */

static bool has_zlib_frame(const uint8_t *p)
{
    return (p[0] & 0x0f) == 8 && p[0] >> 4 <= 7 && load_be16(p) % 31 == 0 && !(p[1] & 0x20);
}

static enum decoded deflate_run(struct decoder *d, struct span *in, uint8_t *out, uint32_t *n)
{
    uint32_t room = *n;
    enum decoded r = DECODED_SOME;

    *n = 0;
    if (d->step == HEAD) {
        if (!decoder_keep(d, in, 2))
            return DECODED_SOME;
        d->wrapped = !d->plain && has_zlib_frame(d->kept);
        if (d->wrapped)
            d->n_kept = 0;
        begin_data(d);
    }
    if (d->step == DATA && d->n_kept > 0) { /* the two bytes are data */
        struct span kept = span_of(d->kept, d->n_kept);

        *n = room;
        r = data(d, &kept, out, n);
        if (d->step == DATA)
            memmove(d->kept, kept.p, kept.len);
        d->n_kept = (uint8_t)(d->step == DATA ? kept.len : 0);
        if (r != DECODED_SOME || d->step == DATA)
            return r;
    } else if (d->step == DATA) {
        *n = room;
        r = data(d, in, out, n);
        if (r != DECODED_SOME || d->step == DATA)
            return r;
    }
    if (d->step == TRAILER)
        trailer(d, in);
    if (d->step == BEHIND)
        behind(d, in);
    if (d->step == OVER)
        *in = span_sub(*in, in->len, 0);
    return d->step == BEHIND || d->step == OVER ? DECODED_END : DECODED_SOME;
}

static void zlib_close(struct decoder *d)
{
    inflateEnd(&d->z);
}

/* --- any ------------------------------------------------------------------------------------------------------------- */

static const struct {
    enum decoded (*run)(struct decoder *d, struct span *in, uint8_t *out, uint32_t *n);
    void (*close)(struct decoder *d);
} codings[] = {
    [BODY_GZIP] = {gzip_run, zlib_close},       [BODY_DEFLATE] = {deflate_run, zlib_close},
    [BODY_BROTLI] = {brotli_run, brotli_close}, [BODY_ZSTD] = {zstd_run, zstd_close},
    [BODY_LZMA] = {lzma_run, lzma_close},
};

void decoder_init(struct app *a, struct decoder *d, enum body_coding coding)
{
    *d = (struct decoder){.a = a, .coding = (uint8_t)coding};
}

enum decoded decoder_run(struct decoder *d, struct span *in, uint8_t *out, uint32_t *n)
{
    return codings[d->coding].run(d, in, out, n);
}

bool decoder_again(struct decoder *d, struct span first)
{
    static const uint8_t gzip[3] = {0x1f, 0x8b, 0x08};
    uint8_t coding = d->coding, tries = d->tries;
    bool wrapped = d->wrapped;

    if (tries >= 2 || first.len < 2)
        return false;
    decoder_fini(d);
    if (memcmp(first.p, gzip, first.len < 3 ? 2 : 3) == 0 && coding != BODY_GZIP) {
        decoder_init(d->a, d, BODY_GZIP);
    } else if (coding == BODY_GZIP || (coding == BODY_DEFLATE && wrapped)) {
        decoder_init(d->a, d, BODY_DEFLATE);
        d->plain = wrapped;
    } else {
        return false;
    }
    d->tries = tries + 1;
    return true;
}

void decoder_fini(struct decoder *d)
{
    if (d->open)
        codings[d->coding].close(d);
    d->open = false;
}
