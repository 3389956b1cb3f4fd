/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_INFLATE_H
#define SLUICE_APP_INFLATE_H
/*
 * One layer of compression, undone as its bytes come: gzip and deflate (inflate.c), brotli, zstd and lzma
 * (inflate_others.c). The libraries' state is memory of the flow in hand; a decoder must stay where it is while it lives.
 * Worker thread.
 */
#include <zlib.h>
#include <lzma.h>
#include "ips/app/body.h"

enum decoded {
    DECODED_SOME, /* so far; when the room is full there may be more without further bytes */
    DECODED_END,  /* the coding has ended; what follows of the body means nothing */
    DECODED_BAD,  /* not what the coding allows; what came out before is good */
    DECODED_NO_MEMORY,
};

/* What receivers take differently, seen on the way. */
enum decoder_odd {
    ODD_HEADER = 1 << 0,  /* flags that are not assigned */
    ODD_CHECK = 1 << 1,   /* checksum or length at the end are wrong */
    ODD_MEMBERS = 1 << 2, /* more than one, one behind the other */
    ODD_BEHIND = 1 << 3,  /* something else behind the end */
    ODD_WINDOW = 1 << 4,  /* it refers to bytes farther back than are kept: LZMA_WINDOW_MAX */
};

struct decoder {
    struct app *a;
    uint8_t coding; /* enum body_coding */
    uint8_t step, flags;
    uint8_t odd;  /* enum decoder_odd */
    bool open;    /* the library has state */
    bool wrapped; /* deflate: in zlib's frame */
    bool plain;   /* deflate: no frame, whatever it looks like */
    bool members; /* gzip: the header of the first one has been read */
    uint8_t tries;
    uint8_t kept[16]; /* the part of a header or trailer that has come */
    uint8_t n_kept;
    uint32_t left; /* bytes to skip */
    uint32_t check;
    uint64_t out; /* of this member */
    uint8_t *window;
    union {
        z_stream z;
        lzma_stream lzma;
        void *lib;
    };
};

/* No memory is taken before the first bytes come. */
void decoder_init(struct app *a, struct decoder *d, enum body_coding coding);
/* Takes from *in, writes to out[*n], *n becomes what was written. */
enum decoded decoder_run(struct decoder *d, struct span *in, uint8_t *out, uint32_t *n);
/*
 * It was bad before anything came out, and `first` is all that it was given: true when the bytes could be another coding,
 * as servers and browsers mix them up; the decoder is as new then.
 */
bool decoder_again(struct decoder *d, struct span first);
void decoder_fini(struct decoder *d);

/* inflate_others.c */
enum decoded brotli_run(struct decoder *d, struct span *in, uint8_t *out, uint32_t *n);
enum decoded zstd_run(struct decoder *d, struct span *in, uint8_t *out, uint32_t *n);
enum decoded lzma_run(struct decoder *d, struct span *in, uint8_t *out, uint32_t *n);
void brotli_close(struct decoder *d);
void zstd_close(struct decoder *d);
void lzma_close(struct decoder *d);
/* Collects bytes of *in until n are kept. */
bool decoder_keep(struct decoder *d, struct span *in, uint32_t n);
#endif
