/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names and values as bytes: kind, key, NUL, and what the kind needs. See fields.h.
 *
 * The room for closing what is open is kept free, so that a record that ran out of room still is well-formed. What is
 * opened when there is no room is remembered (skipped), and what stands in it goes with it.
 *
 * Workers write into memory of their own; the logger reads a copy. No allocation.
 */
#include "ips/base/fields.h"

void fields_begin(struct fields *f, void *room, uint32_t bytes)
{
    *f = (struct fields){.p = room, .cap = bytes};
}

/* Kind and key, when `more` bytes behind them and all closings fit. */
static bool begin(struct fields *f, enum field_kind kind, const char *key, uint32_t more)
{
    uint32_t key_len = key ? (uint32_t)strlen(key) : 0;
    uint32_t closings = f->depth + (kind == FIELD_OBJECT || kind == FIELD_LIST ? 1u : 0u);

    if (f->skipped > 0 || f->cap - f->len < 2 + key_len + more + 2 * closings)
        return false;
    f->p[f->len++] = (uint8_t)kind;
    if (key_len > 0)
        memcpy(f->p + f->len, key, key_len);
    f->len += key_len;
    f->p[f->len++] = 0;
    return true;
}

static void put_bytes(struct fields *f, enum field_kind kind, const char *key, struct span s)
{
    s = span_sub(s, 0, FIELD_TEXT_MAX);
    if (!begin(f, kind, key, 2 + s.len))
        return;
    store_be16(f->p + f->len, (uint16_t)s.len);
    if (s.len > 0)
        memcpy(f->p + f->len + 2, s.p, s.len);
    f->len += 2 + s.len;
}

static void put_number(struct fields *f, enum field_kind kind, const char *key, uint64_t v)
{
    if (!begin(f, kind, key, 8))
        return;
    memcpy(f->p + f->len, &v, 8);
    f->len += 8;
}

void fields_text(struct fields *f, const char *key, struct span text)
{
    put_bytes(f, FIELD_TEXT, key, text);
}

void fields_word(struct fields *f, const char *key, const char *word)
{
    put_bytes(f, FIELD_TEXT, key, span_str(word));
}

void fields_hex(struct fields *f, const char *key, struct span bytes)
{
    put_bytes(f, FIELD_HEX, key, bytes);
}

void fields_number(struct fields *f, const char *key, uint64_t v)
{
    put_number(f, FIELD_NUMBER, key, v);
}

void fields_bool(struct fields *f, const char *key, bool v)
{
    put_number(f, FIELD_BOOL, key, v);
}

static uint32_t put_hex(uint8_t *p, uint8_t v)
{
    p[0] = (uint8_t) "0123456789abcdef"[v >> 4];
    p[1] = (uint8_t) "0123456789abcdef"[v & 15];
    return 2;
}

static uint32_t put_byte(uint8_t *p, uint8_t v)
{
    uint32_t len = 0;

    if (v >= 100)
        p[len++] = (uint8_t)('0' + v / 100);
    if (v >= 10)
        p[len++] = (uint8_t)('0' + v / 10 % 10);
    p[len++] = (uint8_t)('0' + v % 10);
    return len;
}

void fields_address(struct fields *f, const char *key, struct span a)
{
    uint8_t text[40];
    uint32_t len = 0;

    for (uint32_t i = 0; i < a.len && i < 16; i++) {
        if (i > 0 && (a.len == 4 || i % 2 == 0))
            text[len++] = a.len == 4 ? '.' : ':';
        len += a.len == 4 ? put_byte(text + len, a.p[i]) : put_hex(text + len, a.p[i]);
    }
    fields_text(f, key, span_of(text, len));
}

void fields_mac(struct fields *f, const char *key, struct span a)
{
    uint8_t text[24];
    uint32_t len = 0;

    for (uint32_t i = 0; i < a.len && i < 6; i++) {
        if (i > 0)
            text[len++] = ':';
        len += put_hex(text + len, a.p[i]);
    }
    fields_text(f, key, span_of(text, len));
}

static void open_nested(struct fields *f, enum field_kind kind, const char *key)
{
    if (f->skipped == 0 && f->depth < FIELDS_DEPTH_MAX && begin(f, kind, key, 0))
        f->depth++;
    else
        f->skipped++;
}

void fields_object(struct fields *f, const char *key)
{
    open_nested(f, FIELD_OBJECT, key);
}

void fields_list(struct fields *f, const char *key)
{
    open_nested(f, FIELD_LIST, key);
}

void fields_close(struct fields *f)
{
    if (f->skipped > 0) {
        f->skipped--;
        return;
    }
    f->depth--;
    f->p[f->len++] = FIELD_CLOSE;
    f->p[f->len++] = 0;
}

void fields_beside(struct fields *f)
{
    (void)begin(f, FIELD_BESIDE, NULL, 0); /* where this finds no room, nothing that follows does */
}

struct field fields_next(const uint8_t **at, const uint8_t *end)
{
    struct field f = {.kind = FIELD_END};

    if (*at >= end)
        return f;
    f.kind = *(*at)++;
    f.key = (const char *)*at;
    *at += strlen(f.key) + 1;
    if (f.kind == FIELD_TEXT || f.kind == FIELD_HEX) {
        f.bytes = span_of(*at + 2, load_be16(*at));
        *at += 2 + f.bytes.len;
    } else if (f.kind == FIELD_NUMBER || f.kind == FIELD_BOOL) {
        memcpy(&f.number, *at, 8);
        *at += 8;
    }
    return f;
}
