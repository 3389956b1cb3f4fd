/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * brotli (RFC 7932), zstd (RFC 8878) and lzma (as .lzma and .xz) as content codings.
 *
 * Their windows are chosen by the sender. zstd's is at most what browsers take (RFC 9659: 8 MB); brotli's is bounded by the
 * format (16 MB) and allocated as it is needed; lzma's is set to LZMA_WINDOW_MAX at most in the header before the
 * library reads it, because a few bytes announce megabytes as a matter of course. What then refers farther back cannot be
 * decoded (ODD_WINDOW). The flow's memory limit stands above all of them.
 *
 * Worker thread. Owns the libraries' state, which dies in decoder_fini().
 */
#include <brotli/decode.h>
#define ZSTD_STATIC_LINKING_ONLY /* for custom allocators */
#include <zstd.h>
#include <zstd_errors.h>
#include "ips/app/inflate.h"

#define LZMA_WINDOW_MAX (1u << 20)
#define ZSTD_WINDOW_LOG 23

static void *lib_take(void *opaque, size_t size)
{
    struct decoder *d = opaque;

    return app_lib_take(d->a, size);
}

static void lib_give(void *opaque, void *p)
{
    struct decoder *d = opaque;

    app_lib_give(d->a, p);
}

/* --- brotli ---------------------------------------------------------------------------------------------------------- */

static bool brotli_is_memory(BrotliDecoderErrorCode e)
{
    return e <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES && e >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
}

enum decoded brotli_run(struct decoder *d, struct span *in, uint8_t *out, uint32_t *n)
{
    size_t avail_in = in->len, avail_out = *n;
    const uint8_t *next_in = in->p;
    BrotliDecoderResult r;

    *n = 0;
    if (d->step) { /* over */
        if (in->len > 0)
            d->odd |= ODD_BEHIND;
        *in = span_sub(*in, in->len, 0);
        return DECODED_END;
    }
    if (!d->open) {
        d->lib = BrotliDecoderCreateInstance(lib_take, lib_give, d);
        if (!d->lib)
            return DECODED_NO_MEMORY;
        d->open = true;
    }
    size_t room = avail_out;
    r = BrotliDecoderDecompressStream(d->lib, &avail_in, &next_in, &avail_out, &out, NULL);
    *in = span_sub(*in, in->len - (uint32_t)avail_in, in->len);
    *n = (uint32_t)(room - avail_out);
    d->out += *n;
    if (r == BROTLI_DECODER_RESULT_ERROR)
        return brotli_is_memory(BrotliDecoderGetErrorCode(d->lib)) ? DECODED_NO_MEMORY : DECODED_BAD;
    if (r != BROTLI_DECODER_RESULT_SUCCESS)
        return DECODED_SOME;
    d->step = 1;
    return DECODED_END;
}

void brotli_close(struct decoder *d)
{
    BrotliDecoderDestroyInstance(d->lib);
}

/* --- zstd ------------------------------------------------------------------------------------------------------------ */

enum decoded zstd_run(struct decoder *d, struct span *in, uint8_t *out, uint32_t *n)
{
    ZSTD_inBuffer from = {.src = in->p, .size = in->len};
    ZSTD_outBuffer to = {.dst = out, .size = *n};
    size_t r;

    *n = 0;
    if (!d->open) {
        d->lib = ZSTD_createDCtx_advanced((ZSTD_customMem){lib_take, lib_give, d});
        if (!d->lib)
            return DECODED_NO_MEMORY;
        d->open = true;
        ZSTD_DCtx_setParameter(d->lib, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    }
    if (d->step && in->len == 0) /* between two frames it would expect another */
        return DECODED_END;
    r = ZSTD_decompressStream(d->lib, &to, &from);
    *n = (uint32_t)to.pos;
    d->out += *n;
    if (ZSTD_isError(r)) {
        if (ZSTD_getErrorCode(r) == ZSTD_error_memory_allocation)
            return DECODED_NO_MEMORY;
        if (ZSTD_getErrorCode(r) == ZSTD_error_frameParameter_windowTooLarge)
            d->odd |= ODD_WINDOW;
        if (!d->step)
            return DECODED_BAD;
        d->odd |= ODD_BEHIND;
        *in = span_sub(*in, in->len, 0);
        return DECODED_END;
    }
    *in = span_sub(*in, (uint32_t)from.pos, in->len);
    d->step = r == 0;
    return r == 0 ? DECODED_END : DECODED_SOME;
}

void zstd_close(struct decoder *d)
{
    ZSTD_freeDCtx(d->lib);
}

/* --- lzma ------------------------------------------------------------------------------------------------------------ */

static void *lzma_take(void *opaque, size_t items, size_t size)
{
    return lib_take(opaque, items * size); /* liblzma asks for one item at a time */
}

/* Which of the two formats, with its window in bounds: kept is what goes in first. */
static enum decoded lzma_begin(struct decoder *d, struct span *in)
{
    static const lzma_allocator none;
    bool xz = (d->n_kept ? d->kept[0] : in->p[0]) == 0xfd;
    lzma_ret r;

    if (!decoder_keep(d, in, xz ? 6 : 13))
        return DECODED_SOME;
    if (!xz && d->kept[0] >= 9 * 5 * 5)
        return DECODED_BAD;
    uint32_t window =
        (uint32_t)d->kept[4] << 24 | (uint32_t)d->kept[3] << 16 | (uint32_t)d->kept[2] << 8 | d->kept[1];
    if (!xz && window > LZMA_WINDOW_MAX) {
        d->flags = 1;
        memcpy(d->kept + 1, (const uint8_t[]){0, 0, LZMA_WINDOW_MAX >> 16, 0}, 4);
    }
    lzma_allocator *own = app_lib_take(d->a, sizeof(none));
    if (!own)
        return DECODED_NO_MEMORY;
    *own = (lzma_allocator){.alloc = lzma_take, .free = lib_give, .opaque = d};
    d->lzma = (lzma_stream)LZMA_STREAM_INIT;
    d->lzma.allocator = own;
    d->open = true;
    r = xz ? lzma_stream_decoder(&d->lzma, UINT64_MAX, 0) : lzma_alone_decoder(&d->lzma, UINT64_MAX);
    if (r != LZMA_OK)
        return r == LZMA_MEM_ERROR ? DECODED_NO_MEMORY : DECODED_BAD;
    d->step = 1;
    return DECODED_SOME;
}

static enum decoded lzma_feed(struct decoder *d, struct span *in, uint8_t *out, uint32_t *n)
{
    lzma_ret r;

    d->lzma.next_in = in->p;
    d->lzma.avail_in = in->len;
    d->lzma.next_out = out;
    d->lzma.avail_out = *n;
    r = lzma_code(&d->lzma, LZMA_RUN);
    *in = span_sub(*in, in->len - (uint32_t)d->lzma.avail_in, in->len);
    *n -= (uint32_t)d->lzma.avail_out;
    d->out += *n;
    if (r == LZMA_OK || r == LZMA_BUF_ERROR)
        return DECODED_SOME;
    if (r == LZMA_STREAM_END)
        return DECODED_END;
    if (r == LZMA_MEM_ERROR || r == LZMA_MEMLIMIT_ERROR)
        return DECODED_NO_MEMORY;
    if (d->flags && d->out >= LZMA_WINDOW_MAX)
        d->odd |= ODD_WINDOW;
    return DECODED_BAD;
}

enum decoded lzma_run(struct decoder *d, struct span *in, uint8_t *out, uint32_t *n)
{
    uint32_t room = *n;
    enum decoded r;

    *n = 0;
    if (d->step == 2) {
        if (in->len > 0)
            d->odd |= ODD_BEHIND;
        *in = span_sub(*in, in->len, 0);
        return DECODED_END;
    }
    if (d->step == 0) {
        if (in->len == 0)
            return DECODED_SOME;
        r = lzma_begin(d, in);
        if (r != DECODED_SOME || d->step == 0)
            return r;
    }
    *n = room;
    if (d->n_kept > 0) { /* a header makes nothing */
        struct span kept = span_of(d->kept, d->n_kept);

        r = lzma_feed(d, &kept, out, n);
        d->n_kept = 0;
        if (r != DECODED_SOME)
            return r;
        *n = room;
    }
    r = lzma_feed(d, in, out, n);
    if (r == DECODED_END)
        d->step = 2;
    return r;
}

void lzma_close(struct decoder *d)
{
    lzma_allocator *own = (lzma_allocator *)d->lzma.allocator;

    lzma_end(&d->lzma);
    app_lib_give(d->a, own);
}
