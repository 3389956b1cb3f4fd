/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Header fields, as rules know them (http.h).
 *
 * The text that most buffers are parts of is written once, as fields come: "Name: value" CRLF, in order. http.start is all
 * of it, http.header what follows the first line, http.request_header and the buffers of single fields are spans in it. When
 * a name came more than once the text is written anew with the values joined, as Suricata shows them; cookies, which are
 * not part of http.header, cost a copy of the rest.
 *
 * Names are compared through a hash table, whose chains are bounded: who makes names that collide has them listed one
 * by one instead of joined. Those that something asks for by name are always joined, so that nobody hides the second one.
 *
 * Worker thread. Owns the bytes in struct http_fields.
 */
#include "ips/app/http.h"

static const struct {
    const char *name;
    uint8_t len, buffer[2]; /* by direction; BUF_PAYLOAD: none */
} ids[HTTP_IDS] = {
#define X(id, word, request, response) \
    [HTTP_##id] = {word, sizeof(word) - 1, {BUF_##request, BUF_##response}},
    HTTP_IDS_TABLE(X)
#undef X
};

#define ID_LEN_MIN 4 /* of their names: "host" and "content-disposition" */
#define ID_LEN_MAX 19

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

bool http_word_is(struct span s, const char *word)
{
    uint32_t i = 0;

    while (i < s.len && word[i] != '\0' && lower(s.p[i]) == (uint8_t)word[i])
        i++;
    return i == s.len && word[i] == '\0';
}

struct span http_trim(struct span s)
{
    while (s.len > 0 && http_blank(s.p[0]))
        s = span_sub(s, 1, s.len);
    while (s.len > 0 && http_blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

bool http_list_next(struct span *rest, struct span *one)
{
    const uint8_t *comma;

    if (rest->len == 0)
        return false;
    comma = memchr(rest->p, ',', rest->len);
    uint32_t n = comma ? (uint32_t)(comma - rest->p) : rest->len;
    *one = http_trim(span_sub(*rest, 0, n));
    *rest = span_sub(*rest, n + 1, rest->len);
    return true;
}

enum http_id http_id_of(struct span name)
{
    uint8_t first = name.len > 0 ? lower(name.p[0]) : 0;

    for (unsigned i = 1; i < HTTP_IDS; i++)
        if (ids[i].len == name.len && first == (uint8_t)ids[i].name[0] && http_word_is(name, ids[i].name))
            return (enum http_id)i;
    return HTTP_OTHER;
}

/* NULs in names are nothing to some receivers. */
static enum http_id without_nuls(struct span name)
{
    uint8_t room[32];
    uint32_t n = 0;

    for (uint32_t i = 0; i < name.len && n < sizeof(room); i++)
        if (name.p[i] != 0)
            room[n++] = name.p[i];
    return n > 0 ? http_id_of(span_of(room, n)) : HTTP_OTHER;
}

static uint32_t hash_of(struct span name)
{
    uint32_t h = name.len;

    for (uint32_t i = 0; i < name.len; i++)
        h = (h ^ (name.p[i] | 0x20)) * 0x9e3779b1u;
    return (h ^ h >> 15) & 0xffffff;
}

static bool same_name(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (uint32_t i = 0; i < a.len; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

static struct http_header *rows_of(const struct http_fields *f)
{
    return (struct http_header *)(void *)f->rows.p;
}

static struct span name_of(const struct http_fields *f, const struct http_header *h)
{
    return span_of(f->text.p + h->at, h->name_len);
}

static struct span value_of(const struct http_fields *f, const struct http_header *h)
{
    return span_of(f->text.p + h->at + h->name_len + 2, h->value_len);
}

/* --- as they come -------------------------------------------------------------------------------------------------- */

#define TEXT_FIRST 512 /* bytes of text at first */

static inline bool text_room(struct app *a, struct bytes *b, uint32_t more)
{
    if (b->cap - b->len >= more)
        return true;
    return bytes_reserve(a, b, b->len + more < TEXT_FIRST ? TEXT_FIRST : b->len + more);
}

static void write_bytes(struct bytes *b, const void *p, uint32_t n)
{
    if (n > 0)
        memcpy(b->p + b->len, p, n);
    b->len += n;
}

bool http_fields_line(struct app *a, struct http_fields *f, struct span line)
{
    if (!text_room(a, &f->text, line.len + 2))
        return false;
    write_bytes(&f->text, line.p, line.len);
    write_bytes(&f->text, "\r\n", 2);
    f->first = f->text.len;
    return true;
}

bool http_fields_add(struct app *a, struct http_fields *f, struct span name, struct span value)
{
    uint32_t hash = hash_of(name);
    struct http_header h = {.at = f->text.len, .name_len = name.len, .value_len = value.len};

    if (!text_room(a, &f->text, name.len + value.len + 4) ||
        (f->rows.cap - f->rows.len < sizeof(h) &&
         !bytes_reserve(a, &f->rows, f->rows.len + (uint32_t)sizeof(h))))
        return false;
    write_bytes(&f->text, name.p, name.len);
    write_bytes(&f->text, ": ", 2);
    write_bytes(&f->text, value.p, value.len);
    write_bytes(&f->text, "\r\n", 2);
    if (name.len > 0 && memchr(name.p, 0, name.len))
        h.id = without_nuls(name);
    else if (name.len >= ID_LEN_MIN && name.len <= ID_LEN_MAX)
        h.id = http_id_of(name);
    h.hash = hash & 0xffffff;
    write_bytes(&f->rows, &h, sizeof(h));
    f->n++;
    f->repeated |= f->names >> (hash & 63) & 1;
    f->names |= 1ull << (hash & 63);
    f->ids |= 1u << h.id;
    return true;
}

bool http_fields_fold(struct app *a, struct http_fields *f, struct span more)
{
    if (f->n == 0 || more.len == 0)
        return true;
    if (!text_room(a, &f->text, more.len + 1))
        return false;
    struct http_header *h = &rows_of(f)[f->n - 1];
    f->text.len -= 2;
    if (h->value_len > 0) {
        write_bytes(&f->text, " ", 1);
        h->value_len++;
    }
    write_bytes(&f->text, more.p, more.len);
    write_bytes(&f->text, "\r\n", 2);
    h->value_len += more.len;
    return true;
}

bool http_fields_last_named(const struct http_fields *f)
{
    return f->n > 0 && rows_of(f)[f->n - 1].name_len > 0;
}

bool http_fields_take_back(struct app *a, struct http_fields *f, struct bytes *value)
{
    struct http_header *h = &rows_of(f)[f->n - 1];

    if (!bytes_add(a, value, value_of(f, h)))
        return false;
    f->text.len = h->at;
    f->rows.len -= (uint32_t)sizeof(*h);
    f->n--;
    return true;
}

/* --- repeated names ------------------------------------------------------------------------------------------------- */

#define CHAIN_MAX 16 /* names that are compared with one */

struct join {      /* of each row */
    uint32_t next; /* row + 1 of the same name */
    uint32_t last; /* of the first one: the last of its chain, + 1; 0: it is not the first */
};

/* Row i goes behind the chain that begins with row first - 1; 0: there is none. */
static bool join(struct join *joins, uint32_t first, uint32_t i)
{
    if (first == 0)
        return false;
    joins[joins[first - 1].last - 1].next = i + 1;
    joins[first - 1].last = i + 1;
    joins[i].last = 0;
    return true;
}

/* Fills joins; true when any name is repeated. slots: 2^bits, zeroed. */
static bool find_repeated(const struct http_fields *f, struct join *joins, uint32_t *slots, unsigned bits)
{
    const struct http_header *rows = rows_of(f);
    uint32_t mask = (1u << bits) - 1, of_id[HTTP_IDS] = {0};
    bool any = false;

    for (uint32_t i = 0; i < f->n; i++) {
        uint32_t at = rows[i].hash * 0x9e3779b1u >> (32 - bits), *first = &of_id[rows[i].id];
        unsigned steps = 0;

        joins[i] = (struct join){.last = i + 1};
        if (rows[i].id != HTTP_OTHER) {
            any |= join(joins, *first, i);
            *first = *first == 0 ? i + 1 : *first;
            continue;
        }
        for (; slots[at] != 0 && steps < CHAIN_MAX; at = (at + 1) & mask, steps++) {
            uint32_t was = slots[at] - 1;

            if (rows[was].hash == rows[i].hash && same_name(name_of(f, &rows[was]), name_of(f, &rows[i]))) {
                any = join(joins, was + 1, i);
                break;
            }
        }
        if (slots[at] == 0)
            slots[at] = i + 1;
    }
    return any;
}

/* The text anew, values of one name behind its first. A length that is repeated stays one: which of them counts is the
 * parser's business. */
static bool write_joined(struct app *a, struct http_fields *f, const struct join *joins)
{
    struct bytes text = {0};
    struct http_header *rows = rows_of(f);
    uint32_t n = 0;

    if (!bytes_reserve(a, &text, f->text.len + 2)) /* ", " takes no more than the name and CRLF that go */
        return false;
    write_bytes(&text, f->text.p, f->first);
    for (uint32_t i = 0; i < f->n; i++) {
        struct http_header h = rows[i];

        if (joins[i].last == 0)
            continue;
        h.at = text.len;
        write_bytes(&text, f->text.p + rows[i].at, h.name_len + 2 + h.value_len);
        for (uint32_t k = joins[i].next; k > 0 && h.id != HTTP_CONTENT_LENGTH; k = joins[k - 1].next) {
            struct span v = value_of(f, &rows[k - 1]);

            write_bytes(&text, ", ", 2);
            write_bytes(&text, v.p, v.len);
            h.value_len += 2 + v.len;
        }
        write_bytes(&text, "\r\n", 2);
        rows[n++] = h; /* rows are read before they are written: n <= i */
    }
    bytes_free(a, &f->text);
    f->text = text;
    f->n = n;
    f->rows.len = n * (uint32_t)sizeof(*rows);
    f->joined = true;
    return true;
}

/* One that is written over may still be asked for by a join: values are read from rows[k - 1] with k - 1 > i >= n. */
static bool join_repeated(struct app *a, struct http_fields *f)
{
    uint32_t few_slots[128] = {0};
    struct join few[64];
    unsigned bits = 7;

    if (f->n <= 64)
        return !find_repeated(f, few, few_slots, bits) || write_joined(a, f, few);
    while (1u << bits < 2 * f->n)
        bits++;
    uint32_t slots_bytes = (uint32_t)sizeof(uint32_t) << bits,
             all = slots_bytes + f->n * (uint32_t)sizeof(struct join);
    uint8_t *room = app_take(a, all);
    if (!room)
        return false;
    struct join *joins = (struct join *)(void *)(room + slots_bytes);
    bool ok = !find_repeated(f, joins, (uint32_t *)(void *)room, bits) || write_joined(a, f, joins);
    app_give(a, room, all);
    return ok;
}

/* --- when all are there ----------------------------------------------------------------------------------------------- */

static enum http_id cookie_of(enum app_dir dir)
{
    return dir == APP_TO_SERVER ? HTTP_COOKIE : HTTP_SET_COOKIE;
}

/* http.header_names, and http.header where it is not a part of the text. */
static bool make_blocks(struct app *a, struct http_fields *f, enum app_dir dir)
{
    const struct http_header *rows = rows_of(f);
    bool cookies = f->ids >> cookie_of(dir) & 1;
    uint32_t bytes = 4;

    for (uint32_t i = 0; i < f->n; i++)
        bytes += rows[i].name_len + 2;
    if (!bytes_reserve(a, &f->made, bytes + (cookies ? f->text.len - f->first : 0)))
        return false;
    f->made.len = 0;
    write_bytes(&f->made, "\r\n", 2);
    for (uint32_t i = 0; i < f->n; i++) {
        write_bytes(&f->made, f->text.p + rows[i].at, rows[i].name_len);
        write_bytes(&f->made, "\r\n", 2);
    }
    write_bytes(&f->made, "\r\n", 2);
    f->list = (struct http_part){0, f->made.len};
    f->block = (struct http_part){f->made.len, 0};
    for (uint32_t i = 0; i < f->n && cookies; i++)
        if (rows[i].id != cookie_of(dir))
            write_bytes(&f->made, f->text.p + rows[i].at, rows[i].name_len + rows[i].value_len + 4);
    f->block.len = f->made.len - f->block.at;
    if (!cookies)
        f->block.at = UINT32_MAX;
    return true;
}

bool http_fields_finish(struct app *a, struct http_fields *f, enum app_dir dir)
{
    if (f->finished)
        return true;
    if (f->repeated && !join_repeated(a, f))
        return false;
    if (!text_room(a, &f->text, 2) || !make_blocks(a, f, dir))
        return false;
    write_bytes(&f->text, "\r\n", 2);
    f->finished = true;
    return true;
}

struct span http_fields_find(const struct http_fields *f, enum http_id id)
{
    const struct http_header *rows = rows_of(f);

    for (uint32_t i = 0; (f->ids >> id & 1) && i < f->n; i++)
        if (rows[i].id == id)
            return value_of(f, &rows[i]);
    return span_of(NULL, 0);
}

bool http_fields_each(const struct http_fields *f, enum http_id id, uint32_t *at, struct span *value)
{
    const struct http_header *rows = rows_of(f);

    while (*at < f->n && (f->ids >> id & 1)) {
        const struct http_header *h = &rows[(*at)++];

        if (h->id != id)
            continue;
        *value = value_of(f, h);
        return true;
    }
    return false;
}

struct span http_fields_block(const struct http_fields *f)
{
    if (f->block.at != UINT32_MAX)
        return span_of(f->made.p + f->block.at, f->block.len);
    return span_of(f->text.p + f->first, f->text.len - 2 - f->first);
}

/* What a proxy says of whom it speaks for: the first address of the list. */
static struct span first_of_list(struct span v)
{
    struct span one = {0};

    http_list_next(&v, &one);
    return one;
}

void http_fields_put(struct app *a, const struct http_fields *f, struct app_tx *tx, enum app_dir dir,
                     bool all)
{
    const struct http_header *rows = rows_of(f);

    if (!f->finished)
        return;
    if (all && f->n > 0) {
        app_put(a, tx, BUF_HTTP_HEADER, http_fields_block(f));
        app_put(a, tx, BUF_HTTP_HEADER_NAMES, span_of(f->made.p + f->list.at, f->list.len));
    }
    if (all && f->first > 0)
        app_put(a, tx, BUF_HTTP_START, bytes_span(&f->text));
    for (uint32_t i = 0; i < f->n; i++) {
        enum buffer_id b = (enum buffer_id)ids[rows[i].id].buffer[dir];

        if (b == BUF_HTTP_TRUE_IP)
            app_put(a, tx, b, first_of_list(value_of(f, &rows[i])));
        else if (b != BUF_PAYLOAD && (all || buffer_table[b].direction != BOTH_WAYS))
            app_put(a, tx, b, value_of(f, &rows[i]));
        if (b == BUF_HTTP_COOKIE && all)
            app_put(a, tx, BUF_HTTP_COOKIE_RAW, value_of(f, &rows[i]));
    }
}

void http_fields_put_each(struct app *a, const struct http_fields *f, struct app_tx *tx, enum app_dir dir)
{
    const struct http_header *rows = rows_of(f);
    enum buffer_id each = dir == APP_TO_SERVER ? BUF_HTTP_REQUEST_HEADER : BUF_HTTP_RESPONSE_HEADER;

    for (uint32_t i = 0; f->finished && i < f->n; i++)
        app_put(a, tx, each, span_of(f->text.p + rows[i].at, rows[i].name_len + 2 + rows[i].value_len));
}

void http_fields_free(struct app *a, struct http_fields *f)
{
    bytes_free(a, &f->text);
    bytes_free(a, &f->rows);
    bytes_free(a, &f->made);
    *f = (struct http_fields){0};
}
