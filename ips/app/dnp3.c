/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNP3 (IEEE 1815) over TCP and UDP: what control centres and outstations say to each other.
 *
 * Frames of at most 292 bytes have a checksum for their header and one for each 16 bytes of data. Their data, checksums
 * taken off, are pieces of a fragment (one byte in front says the first, the last, and their order), and a fragment is a
 * transaction: control, function, what a response indicates, and objects. dnp3_data is the whole fragment.
 *
 * Receivers ignore a frame with a wrong checksum, and so does this parser; where one does not, it reads what was not
 * inspected, so that is an ambiguity. Pieces out of order are thrown away as a receiver does. Bytes that begin no frame are
 * skipped up to the next 05 64.
 *
 * Worker thread. Owns a frame and a fragment for each direction of a flow.
 */
#include "ips/app/dnp3_parts.h"

#define HEADER       10 /* with its checksum */
#define FRAME_MAX    292
#define BLOCK        16 /* bytes of data with one checksum */
#define FRAGMENT_MAX (64u << 10)

enum { FIRST = 0x40, FINAL = 0x80, SEQUENCE = 0x3f };
enum {
    READ = 1,
    FREEZE = 7,
    FREEZE_AT_NR = 12,
    ENABLE_UNSOLICITED = 20,
    ASSIGN_CLASS = 22,
    RESPONSE = 129,
    AUTH_RESPONSE = 131
};

struct half {
    struct app_tx tx;
    uint8_t frame[FRAME_MAX];
    uint32_t n;            /* bytes of it */
    struct bytes fragment; /* what came of it */
    uint8_t next;          /* its next piece's number */
    bool open;             /* its first piece came */
};

struct dnp3 {
    struct half way[2];
    uint8_t now; /* direction of the fragment in hand */
    struct dnp3_facts facts;
};

/* CRC-16/DNP, four bits at a time: a stream of beginnings of frames asks for one at every other byte. */
static uint16_t checksum(const uint8_t *p, uint32_t n)
{
    static const uint16_t of_nibble[16] = {0x0000, 0xb26b, 0x29af, 0x9bc4, 0x535e, 0xe135, 0x7af1, 0xc89a,
                                           0xa6bc, 0x14d7, 0x8f13, 0x3d78, 0xf5e2, 0x4789, 0xdc4d, 0x6e26};
    uint16_t crc = 0;

    for (uint32_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ of_nibble[crc & 15];
        crc = crc >> 4 ^ of_nibble[crc & 15];
    }
    return (uint16_t)~crc;
}

static bool checks(const uint8_t *p, uint32_t n)
{
    return checksum(p, n) == (uint16_t)(p[n] | p[n + 1] << 8);
}

static uint32_t frame_bytes(uint8_t length)
{
    uint32_t data = length - 5u;

    return HEADER + data + 2 * ((data + BLOCK - 1) / BLOCK);
}

/* --- fragments ------------------------------------------------------------------------------------------------------------ */

static void put(struct app *a, struct dnp3 *s, struct app_tx *tx)
{
    app_put(a, tx, BUF_DNP3_DATA, bytes_span(&s->way[s->now].fragment));
    app_put_number(a, tx, BUF_DNP3_FUNC, s->facts.function);
    if (s->facts.response)
        app_put_number(a, tx, BUF_DNP3_IND, s->facts.indications);
    for (uint16_t i = 0; i < s->facts.n_objects; i++)
        app_put_number(a, tx, BUF_DNP3_OBJ, s->facts.object[i]);
}

static bool carries_values(uint8_t function)
{
    return function != READ && !(function >= FREEZE && function <= FREEZE_AT_NR) &&
           !(function >= ENABLE_UNSOLICITED && function <= ASSIGN_CLASS);
}

static void read_fragment(struct app *a, struct dnp3 *s)
{
    static const enum anomaly events[] = {[DNP3_OBJECTS_BAD] = AN_DNP3_MALFORMED,
                                          [DNP3_OBJECTS_UNKNOWN] = AN_DNP3_OBJECT,
                                          [DNP3_OBJECTS_MANY] = AN_DNP3_FLOODED};
    struct span d = bytes_span(&s->way[s->now].fragment);
    struct dnp3_facts *f = &s->facts;

    f->function = f->response = 0;
    f->indications = f->n_objects = 0;
    if (d.len >= 2) {
        f->function = d.p[1];
        f->response = f->function >= RESPONSE && f->function <= AUTH_RESPONSE;
    }
    if (d.len < (f->response ? 4 : 2)) {
        app_event(a, AN_DNP3_MALFORMED);
        return;
    }
    if (f->response)
        f->indications = load_be16(d.p + 2);
    enum dnp3_objects answer =
        dnp3_objects(span_sub(d, f->response ? 4 : 2, d.len), carries_values(f->function), f);
    if (answer != DNP3_OBJECTS_OK)
        app_event(a, events[answer]);
}

/* A piece of a fragment. False with *answer set: leave take(). */
static bool piece_comes(struct app *a, struct dnp3 *s, struct half *m, struct span piece, enum app_dir dir,
                        enum app_answer *answer)
{
    uint8_t head = piece.p[0];
    bool on;

    if (head & FIRST) {
        m->fragment.len = 0;
        m->open = true;
        m->next = head & SEQUENCE;
    }
    if (!m->open || (head & SEQUENCE) != m->next || m->fragment.len > FRAGMENT_MAX) {
        app_event(a, m->fragment.len > FRAGMENT_MAX ? AN_DNP3_FLOODED : AN_DNP3_MALFORMED);
        m->open = false;
        return true;
    }
    m->next = (m->next + 1) & SEQUENCE;
    *answer = APP_BAD;
    if (!bytes_add(a, &m->fragment, span_sub(piece, 1, piece.len)))
        return false;
    if (!(head & FINAL))
        return true;
    s->now = (uint8_t)dir;
    app_tx_open(a, &m->tx);
    read_fragment(a, s);
    put(a, s, &m->tx);
    on = app_inspect(a, &m->tx, dir, true);
    app_tx_close(a, &m->tx);
    m->open = false;
    bytes_free(a, &m->fragment);
    *answer = APP_OK;
    return on;
}

/* --- frames ---------------------------------------------------------------------------------------------------------------- */

/* Takes the checksums out of a frame's data, in place. False: one is wrong. */
static bool strip(uint8_t *data, uint32_t n)
{
    uint32_t from = 0;

    for (uint32_t to = 0; to < n; to += BLOCK) {
        uint32_t block = n - to < BLOCK ? n - to : BLOCK;

        if (!checks(data + from, block))
            return false;
        memmove(data + to, data + from, block);
        from += block + 2;
    }
    return true;
}

static bool frame_comes(struct app *a, struct dnp3 *s, struct half *m, enum app_dir dir,
                        enum app_answer *answer)
{
    uint32_t n = m->frame[2] - 5u;

    if (n == 0)
        return true;
    if (!strip(m->frame + HEADER, n)) {
        app_event(a, AN_DNP3_DATA_CRC);
        return true;
    }
    return piece_comes(a, s, m, span_of(m->frame + HEADER, n), dir, answer);
}

static void add(struct half *m, struct span *rest, uint32_t upto)
{
    uint32_t n = upto > m->n ? upto - m->n : 0;

    n = n < rest->len ? n : rest->len;
    if (n > 0)
        memcpy(m->frame + m->n, rest->p, n);
    m->n += n;
    *rest = span_sub(*rest, n, rest->len);
}

/* A complete header. False: it is none, and m->n says how much of it may begin the next one. */
static bool header_comes(struct app *a, struct half *m)
{
    if (m->frame[2] < 5)
        app_event(a, AN_DNP3_LENGTH);
    else if (!checks(m->frame, HEADER - 2))
        app_event(a, AN_DNP3_LINK_CRC);
    else
        return true;
    return false;
}

/* Behind a header that is none, the next one may begin at any of its bytes. */
static void look_again(struct half *m)
{
    uint32_t at = 1;

    while (at < m->n && (m->frame[at] != 0x05 || (at + 1 < m->n && m->frame[at + 1] != 0x64)))
        at++;
    memmove(m->frame, m->frame + at, m->n - at);
    m->n -= at;
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct dnp3 *s = state;
    struct half *m = &s->way[in->dir];
    struct span rest = in->bytes;
    enum app_answer answer = APP_OK;

    while (rest.len > 0) {
        add(m, &rest, m->n < 2 ? m->n + 1 : HEADER);
        if (m->n == 1 && m->frame[0] != 0x05) {
            app_event(a, AN_DNP3_MALFORMED);
            m->n = 0;
        } else if (m->n == 2 && m->frame[1] != 0x64) {
            app_event(a, AN_DNP3_MALFORMED);
            m->n = m->frame[1] == 0x05;
        }
        if (m->n < HEADER)
            continue;
        if (m->n == HEADER && !header_comes(a, m)) {
            look_again(m);
            continue;
        }
        uint32_t total = frame_bytes(m->frame[2]);
        add(m, &rest, total);
        if (m->n < total)
            continue;
        m->n = 0;
        if (!frame_comes(a, s, m, (enum app_dir)in->dir, &answer))
            return answer;
    }
    if (in->end && m->n > 0) {
        app_event(a, AN_DNP3_MALFORMED);
        m->n = 0;
    }
    return APP_OK;
}

static void close_flow(struct app *a, void *state)
{
    struct dnp3 *s = state;

    for (int dir = 0; dir < 2; dir++)
        bytes_free(a, &s->way[dir].fragment);
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    put(a, state, tx);
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    const struct dnp3 *s = state;
    const struct half *m = &s->way[s->now];

    fields_object(f, s->facts.response ? "response" : "request");
    fields_object(f, "control");
    if (m->fragment.len > 0) {
        fields_bool(f, "fir", m->fragment.p[0] & 0x80);
        fields_bool(f, "fin", m->fragment.p[0] & 0x40);
        fields_bool(f, "con", m->fragment.p[0] & 0x20);
        fields_bool(f, "uns", m->fragment.p[0] & 0x10);
        fields_number(f, "sequence", m->fragment.p[0] & 0x0f);
    }
    fields_close(f);
    fields_number(f, "src", (uint64_t)(m->frame[6] | m->frame[7] << 8));
    fields_number(f, "dst", (uint64_t)(m->frame[4] | m->frame[5] << 8));
    fields_object(f, "application");
    fields_number(f, "function_code", s->facts.function);
    fields_list(f, "objects");
    for (uint16_t i = 0; i < s->facts.n_objects; i++) {
        fields_object(f, NULL);
        fields_number(f, "group", s->facts.object[i] >> 8);
        fields_number(f, "variation", s->facts.object[i] & 0xff);
        fields_close(f);
    }
    fields_close(f);
    fields_close(f);
    if (s->facts.response)
        fields_number(f, "iin", s->facts.indications);
    fields_close(f);
}

/* 05 64, a length that can be, and a right checksum. */
static enum app_probe probe(struct span bytes, const struct app_hint *h)
{
    static const uint8_t start[] = {0x05, 0x64};
    uint32_t n = bytes.len < 2 ? bytes.len : 2;

    if (memcmp(bytes.p, start, n) != 0 || (bytes.len > 2 && bytes.p[2] < 5))
        return PROBE_NO;
    if (bytes.len < HEADER)
        return PROBE_MORE;
    return checks(bytes.p, HEADER - 2) ? PROBE_YES : h->dport == 20000 ? PROBE_LIKELY : PROBE_NO;
}

static const uint16_t ports[] = {20000, 0};

const struct app_parser parser_dnp3 = {
    .proto = APP_DNP3,
    .tcp = true,
    .udp = true,
    .state_bytes = sizeof(struct dnp3),
    .ports = ports,
    .probe = probe,
    .take = take,
    .close = close_flow,
    .show = show,
    .fields = fields,
};
