/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of parsers, and collecting bytes that come in pieces.
 *
 * Blocks come from the worker's pool and are counted on the flow in hand, so that one flow cannot take what all need. A
 * flow gives everything back when it closes: `used` is zero then, and a test says so.
 *
 * Worker thread. Owns nothing: the pool is the worker's (app.c).
 */
#include "ips/app/app_parts.h"

static unsigned order_of(uint32_t bytes)
{
    unsigned order = 0;

    while (order <= POOL_ORDER_MAX && ((uint64_t)POOL_UNIT << order) < bytes)
        order++;
    return order;
}

void *memory_plain(struct app *a, uint32_t bytes)
{
    unsigned order = order_of(bytes);
    pool_ref r = order <= POOL_ORDER_MAX ? pool_take(a->pool, order) : 0;

    if (!r)
        return NULL;
    return memset(pool_at(a->pool, r), 0, bytes);
}

void memory_plain_give(struct app *a, void *p, uint32_t bytes)
{
    if (p)
        pool_give(a->pool, pool_ref_of(a->pool, p), order_of(bytes));
}

static void *take(struct app *a, uint32_t bytes)
{
    uint32_t size = POOL_UNIT << order_of(bytes);
    void *p;

    if (bytes > POOL_UNIT << POOL_ORDER_MAX || a->flow->used + (uint64_t)size > a->cfg.flow_bytes)
        return NULL;
    p = memory_plain(a, bytes);
    if (p)
        a->flow->used += size;
    return p;
}

void *app_take(struct app *a, uint32_t bytes)
{
    void *p = take(a, bytes);

    if (!p)
        a->memcap = true;
    return p;
}

void app_give(struct app *a, void *p, uint32_t bytes)
{
    if (!p)
        return;
    a->flow->used -= POOL_UNIT << order_of(bytes);
    memory_plain_give(a, p, bytes);
}

struct lib_block { /* in front of what a library holds */
    _Alignas(16) uint32_t bytes;
};

void *app_lib_take(struct app *a, size_t bytes)
{
    struct lib_block *b = NULL;

    if (bytes < POOL_UNIT << POOL_ORDER_MAX)
        b = take(a, (uint32_t)(bytes + sizeof(*b)));
    if (!b)
        return NULL;
    b->bytes = (uint32_t)(bytes + sizeof(*b));
    return b + 1;
}

void app_lib_give(struct app *a, void *p)
{
    if (p)
        app_give(a, (struct lib_block *)p - 1, ((struct lib_block *)p - 1)->bytes);
}

/* --- bytes ------------------------------------------------------------------------------------------------------ */

bool bytes_reserve(struct app *a, struct bytes *b, uint32_t len)
{
    uint32_t cap = POOL_UNIT << order_of(len);
    uint8_t *p;

    if (len <= b->cap)
        return true;
    p = app_take(a, cap);
    if (!p)
        return false;
    if (b->len > 0)
        memcpy(p, b->p, b->len);
    app_give(a, b->p, b->cap);
    b->p = p;
    b->cap = cap;
    return true;
}

bool bytes_add(struct app *a, struct bytes *b, struct span more)
{
    if (more.len == 0)
        return true;
    if (more.len > UINT32_MAX - b->len || !bytes_reserve(a, b, b->len + more.len))
        return false;
    memcpy(b->p + b->len, more.p, more.len);
    b->len += more.len;
    return true;
}

void bytes_cut(struct bytes *b, uint32_t n)
{
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->p, b->p + n, b->len - n);
    b->len -= n;
}

void bytes_free(struct app *a, struct bytes *b)
{
    app_give(a, b->p, b->cap);
    *b = (struct bytes){0};
}

/* What the last call gave out is in kept: it goes now. A line that is not whole keeps `cap` with its top bit. */
#define GIVEN UINT32_MAX /* kept->len: the line in it was given out */

static void begin(struct bytes *kept)
{
    if (kept->len == GIVEN)
        kept->len = 0;
}

/* n bytes of *in complete what is kept. */
static enum line_answer complete(struct app *a, struct bytes *kept, struct span *in, uint32_t n,
                                 struct span *out)
{
    struct span piece = span_sub(*in, 0, n);

    if (kept->len > 0) {
        if (!bytes_add(a, kept, piece))
            return LINE_NO_MEMORY;
        piece = bytes_span(kept);
        kept->len = GIVEN;
    }
    *in = span_sub(*in, n, in->len);
    *out = piece;
    return LINE_WHOLE;
}

static enum line_answer keep(struct app *a, struct bytes *kept, struct span *in)
{
    if (!bytes_add(a, kept, *in))
        return LINE_NO_MEMORY;
    *in = span_sub(*in, in->len, 0);
    return LINE_MORE;
}

enum line_answer line_take(struct app *a, struct bytes *kept, struct span *in, uint32_t max,
                           struct span *line)
{
    const uint8_t *lf;
    uint32_t n;

    begin(kept);
    n = max > kept->len ? max - kept->len : 0; /* bytes that may come yet */
    if (n > in->len)
        n = in->len;
    lf = n > 0 ? memchr(in->p, '\n', n) : NULL;
    if (lf)
        return complete(a, kept, in, (uint32_t)(lf - in->p) + 1, line);
    if (kept->len + n >= max) {
        enum line_answer answer = complete(a, kept, in, n, line);
        return answer == LINE_WHOLE ? LINE_LONG : answer;
    }
    return keep(a, kept, in);
}

enum line_answer piece_take(struct app *a, struct bytes *kept, struct span *in, uint32_t n,
                            struct span *piece)
{
    begin(kept);
    if (kept->len + (uint64_t)in->len >= n)
        return complete(a, kept, in, n > kept->len ? n - kept->len : 0, piece);
    return keep(a, kept, in);
}

struct span line_waits(const struct bytes *kept)
{
    return span_of(kept->p, kept->len == GIVEN ? 0 : kept->len);
}

struct span line_text(struct span line)
{
    if (line.len > 0 && line.p[line.len - 1] == '\n')
        line.len--;
    if (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    return line;
}
