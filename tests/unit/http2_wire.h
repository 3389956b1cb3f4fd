/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_HTTP2_WIRE_H
#define SLUICE_TESTS_HTTP2_WIRE_H
/*
 * One direction of an HTTP/2 connection as bytes, its headers packed by libnghttp2.
 *
 *     struct wire w; wire_begin(&w, true);                       the client's preface first
 *     wire_frame(&w, H2_SETTINGS, 0, 0, "", 0);
 *     wire_headers(&w, 1, H2_END_STREAM, ":method: GET\n:path: /\n");
 *     wire_end(&w);
 */
#include "ips/app/http2.h"

#define WIRE_BYTES (1u << 20)

struct wire {
    uint8_t *b;
    size_t n;
    nghttp2_hd_deflater *deflate;
    uint8_t block[65536];
    size_t block_len;
};

static inline void wire_bytes(struct wire *w, const void *p, size_t n)
{
    if (n > WIRE_BYTES - w->n)
        abort();
    if (n > 0)
        memcpy(w->b + w->n, p, n);
    w->n += n;
}

static inline void wire_begin(struct wire *w, bool client)
{
    memset(w, 0, sizeof(*w));
    w->b = malloc(WIRE_BYTES);
    if (nghttp2_hd_deflate_new(&w->deflate, 65536) != 0)
        abort();
    if (client)
        wire_bytes(w, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
}

static inline void wire_end(struct wire *w)
{
    nghttp2_hd_deflate_del(w->deflate);
    free(w->b);
}

static inline void wire_head(struct wire *w, size_t len, uint8_t type, uint8_t flags, uint32_t stream)
{
    uint8_t head[9];

    store_be32(head, (uint32_t)len << 8 | type);
    head[4] = flags;
    store_be32(head + 5, stream);
    wire_bytes(w, head, 9);
}

static inline void wire_frame(struct wire *w, uint8_t type, uint8_t flags, uint32_t stream, const void *p,
                              size_t len)
{
    wire_head(w, len, type, flags, stream);
    wire_bytes(w, p, len);
}

static inline void wire_data(struct wire *w, uint32_t stream, uint8_t flags, const char *text)
{
    wire_frame(w, H2_DATA, flags, stream, text, strlen(text));
}

/* "name: value\n" each, into block. */
static inline void wire_pack(struct wire *w, const char *text)
{
    nghttp2_nv nv[600];
    size_t n = 0;

    while (*text) {
        const char *colon = strstr(text + 1, ": "), *end = strchr(text, '\n');

        nv[n++] = (nghttp2_nv){(uint8_t *)text, (uint8_t *)colon + 2, (size_t)(colon - text),
                               (size_t)(end - colon - 2), NGHTTP2_NV_FLAG_NONE};
        text = end + 1;
    }
    ssize_t len = nghttp2_hd_deflate_hd(w->deflate, w->block, sizeof(w->block), nv, n);
    if (len < 0)
        abort();
    w->block_len = (size_t)len;
}

static inline void wire_headers(struct wire *w, uint32_t stream, uint8_t flags, const char *text)
{
    wire_pack(w, text);
    wire_frame(w, H2_HEADERS, (uint8_t)(flags | H2_END_HEADERS), stream, w->block, w->block_len);
}

static inline void wire_number(struct wire *w, uint8_t type, uint32_t stream, uint32_t v)
{
    uint8_t b[4];

    store_be32(b, v);
    wire_frame(w, type, 0, stream, b, 4);
}
#endif
