/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Modbus over TCP: who reads and writes what in a controller.
 *
 * Each frame, request or response, is a transaction: 7 bytes in front (identifier, protocol, length, unit), the
 * function's code, and its data, 260 bytes at most. What a request asks for (which table, which addresses, which values) is put
 * into struct modbus_facts for the modbus keyword. A frame is collected whole, which the protocol's own limit bounds; a
 * length beyond it, or too small for a function, ends the parsing, because nobody knows where the next frame begins.
 *
 * Identifiers of requests are remembered until their response comes, PENDING_MAX of them.
 *
 * Worker thread. Owns a frame for each direction of a flow.
 */
#include "ips/app/memory.h"
#include "rules/modbus_facts.h"

#define PREFIX      7   /* up to the unit, which the length counts already */
#define FRAME_MAX   260 /* bytes: the serial line's 253 and the prefix */
#define PENDING_MAX 64

struct frame_in {
    struct app_tx tx;
    uint8_t bytes[FRAME_MAX];
    uint32_t n;
};

struct modbus {
    struct frame_in way[2];
    uint8_t now; /* direction of the frame in hand */
    uint16_t pending[PENDING_MAX];
    uint32_t n_pending;
    struct modbus_facts facts;
};

/* --- what a request asks for ------------------------------------------------------------------------------------------- */

enum shape { PLAIN, READS, WRITES_ONE, WRITES_MANY, WRITES_BITS, MASKS, READS_AND_WRITES, SUBFUNCTION, MEI };

static const struct function {
    uint8_t code, shape, table;
    uint16_t most; /* that may be read or written */
} functions[] = {
    {1, READS, MODBUS_COILS, 2000},
    {2, READS, MODBUS_DISCRETES, 2000},
    {3, READS, MODBUS_HOLDING, 125},
    {4, READS, MODBUS_INPUT, 125},
    {5, WRITES_ONE, MODBUS_COILS, 1},
    {6, WRITES_ONE, MODBUS_HOLDING, 1},
    {7, PLAIN, 0, 0},
    {8, SUBFUNCTION, 0, 0},
    {11, PLAIN, 0, 0},
    {12, PLAIN, 0, 0},
    {15, WRITES_BITS, MODBUS_COILS, 1968},
    {16, WRITES_MANY, MODBUS_HOLDING, 123},
    {17, PLAIN, 0, 0},
    {20, PLAIN, 0, 0},
    {21, PLAIN, 0, 0},
    {22, MASKS, MODBUS_HOLDING, 1},
    {23, READS_AND_WRITES, MODBUS_HOLDING, 125},
    {24, PLAIN, 0, 0},
    {43, MEI, 0, 0},
};

static const struct function *function_of(uint8_t code)
{
    for (unsigned i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (functions[i].code == code)
            return &functions[i];
    return NULL;
}

/* Of the function's code, and of its subfunction where it has one. */
static uint8_t category(const struct modbus_facts *f)
{
    static const uint8_t reserved[] = {9, 10, 13, 14, 41, 42, 90, 91, 125, 126, 127};
    uint8_t code = f->function;

    if (code == 8 && f->has_subfunction &&
        (f->subfunction > 20 || f->subfunction == 19 || (f->subfunction > 4 && f->subfunction < 10)))
        return MODBUS_RESERVED;
    if (code == 43 && f->has_subfunction && f->subfunction != 13 && f->subfunction != 14)
        return MODBUS_RESERVED;
    if (function_of(code))
        return MODBUS_PUBLIC_ASSIGNED;
    if (memchr(reserved, code, sizeof(reserved)))
        return MODBUS_RESERVED;
    if ((code >= 65 && code <= 72) || (code >= 100 && code <= 110))
        return MODBUS_USER_DEFINED;
    return MODBUS_PUBLIC_UNASSIGNED;
}

/* Words of `d` from `at` on, or its bits. False: they are not all there. */
static bool values(struct modbus_facts *f, struct span d, uint32_t at, bool bits)
{
    uint32_t n = f->n_values;

    if (n > MODBUS_VALUES_MAX || d.len < at + (bits ? (n + 7) / 8 : 2 * n)) {
        f->n_values = 0;
        return false;
    }
    for (uint32_t i = 0; i < n; i++)
        f->value[i] = bits ? d.p[at + i / 8] >> i % 8 & 1 : load_be16(d.p + at + 2 * i);
    return true;
}

/* Address and quantity stand in d's first 4 bytes; a byte count and values follow. False: they cannot be. */
static bool many(struct modbus_facts *f, const struct function *fn, struct span d)
{
    f->n_values = load_be16(d.p + 2);
    return f->n_values > 0 && f->n_values <= fn->most && values(f, d, 5, fn->shape == WRITES_BITS) &&
           d.p[4] == (fn->shape == WRITES_BITS ? (f->n_values + 7) / 8 : 2 * f->n_values);
}

static bool reads_and_writes(struct modbus_facts *f, const struct function *fn, struct span d)
{
    f->access = MODBUS_READ | MODBUS_WRITE;
    f->read_address = load_be16(d.p);
    f->read_quantity = load_be16(d.p + 2);
    if (d.len < 9)
        return false;
    f->write_address = load_be16(d.p + 4);
    f->n_values = load_be16(d.p + 6);
    return f->read_quantity > 0 && f->read_quantity <= fn->most && values(f, d, 9, false);
}

/* A request's data, behind the function's code. False: they are too short, or ask for what cannot be. */
static bool read_request(struct modbus_facts *f, struct span d)
{
    const struct function *fn = function_of(f->function);

    if (!fn || fn->shape == PLAIN)
        return true;
    if (fn->shape == MEI || fn->shape == SUBFUNCTION) {
        uint32_t n = fn->shape == MEI ? 1 : 2;

        f->has_subfunction = d.len >= n;
        if (f->has_subfunction)
            f->subfunction = n == 1 ? d.p[0] : load_be16(d.p);
        return f->has_subfunction;
    }
    if (d.len < 4)
        return false;
    f->table = fn->table;
    if (fn->shape == READS_AND_WRITES)
        return reads_and_writes(f, fn, d);
    if (fn->shape == READS) {
        f->access = MODBUS_READ;
        f->read_address = load_be16(d.p);
        f->read_quantity = load_be16(d.p + 2);
        return f->read_quantity > 0 && f->read_quantity <= fn->most;
    }
    f->access = MODBUS_WRITE;
    f->write_address = load_be16(d.p);
    if (fn->shape == WRITES_MANY || fn->shape == WRITES_BITS)
        return many(f, fn, d);
    f->n_values = 1;
    f->value[0] = load_be16(d.p + 2);
    return f->function != 5 || f->value[0] == 0 || f->value[0] == 0xff00;
}

/* --- frames ---------------------------------------------------------------------------------------------------------------- */

static struct span data_of(const struct frame_in *m)
{
    return span_of(m->bytes + PREFIX + 1, m->n - PREFIX - 1);
}

/* Fills the facts of the frame in hand. False: what it asks for cannot be. */
static bool read_frame(struct modbus *s)
{
    const struct frame_in *m = &s->way[s->now];
    struct modbus_facts *f = &s->facts;
    bool ok = true;

    f->unit = m->bytes[PREFIX - 1];
    f->function = m->bytes[PREFIX];
    f->has_subfunction = false;
    f->subfunction = 0;
    f->access = f->table = 0;
    f->read_address = f->read_quantity = f->write_address = f->n_values = 0;
    if (s->now == APP_TO_SERVER)
        ok = read_request(f, data_of(m));
    f->category = category(f);
    return ok;
}

static void request_comes(struct app *a, struct modbus *s, uint16_t id)
{
    uint8_t function = s->facts.function;

    if (function == 0 || function > 127)
        app_event(a, AN_MODBUS_FUNCTION);
    if (s->n_pending == PENDING_MAX) {
        app_event(a, AN_MODBUS_FLOODED);
        memmove(s->pending, s->pending + 1, sizeof(s->pending) - sizeof(s->pending[0]));
        s->n_pending--;
    }
    s->pending[s->n_pending++] = id;
}

static void response_comes(struct app *a, struct modbus *s, uint16_t id)
{
    const struct frame_in *m = &s->way[APP_TO_CLIENT];
    uint32_t i = 0;

    while (i < s->n_pending && s->pending[i] != id)
        i++;
    if (i == s->n_pending)
        app_event(a, AN_MODBUS_UNSOLICITED);
    else
        s->pending[i] = s->pending[--s->n_pending];
    if (s->facts.function & 0x80) {
        struct span d = data_of(m);

        if (d.len == 0 || d.p[0] == 0 || d.p[0] > 11 || d.p[0] == 7 || d.p[0] == 9)
            app_event(a, AN_MODBUS_EXCEPTION);
    }
}

static void put(struct app *a, struct modbus *s, struct app_tx *tx)
{
    app_put(a, tx, BUF_MODBUS_DATA, data_of(&s->way[s->now]));
    app_put_number(a, tx, BUF_MODBUS_FUNC, s->facts.function);
    app_put_number(a, tx, BUF_MODBUS_UNIT, s->facts.unit);
    app_put(a, tx, BUF_MODBUS_FACTS, span_of(&s->facts, sizeof(s->facts)));
}

/* A whole frame. False: dropped. */
static bool frame_comes(struct app *a, struct modbus *s, struct frame_in *m, enum app_dir dir)
{
    uint16_t id = load_be16(m->bytes);
    bool on;

    s->now = (uint8_t)dir;
    app_tx_open(a, &m->tx);
    if (load_be16(m->bytes + 2) != 0)
        app_event(a, AN_MODBUS_PROTOCOL);
    if (!read_frame(s))
        app_event(a, AN_MODBUS_VALUE);
    if (dir == APP_TO_SERVER)
        request_comes(a, s, id);
    else
        response_comes(a, s, id);
    put(a, s, &m->tx);
    on = app_inspect(a, &m->tx, dir, true);
    app_tx_close(a, &m->tx);
    m->n = 0;
    return on;
}

static void add(struct frame_in *m, struct span *rest, uint32_t upto)
{
    uint32_t n = upto > m->n ? upto - m->n : 0;

    n = n < rest->len ? n : rest->len;
    if (n > 0)
        memcpy(m->bytes + m->n, rest->p, n);
    m->n += n;
    *rest = span_sub(*rest, n, rest->len);
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct modbus *s = state;
    struct frame_in *m = &s->way[in->dir];
    struct span rest = in->bytes;

    while (rest.len > 0) {
        add(m, &rest, PREFIX);
        if (m->n < PREFIX)
            break;
        uint32_t total = load_be16(m->bytes + 4) + PREFIX - 1u;
        if (total < PREFIX + 1 || total > FRAME_MAX) {
            app_event(a, AN_MODBUS_LENGTH);
            return APP_BAD;
        }
        add(m, &rest, total);
        if (m->n == total && !frame_comes(a, s, m, (enum app_dir)in->dir))
            return APP_OK;
    }
    if (in->end && m->n > 0)
        app_event(a, AN_MODBUS_LENGTH);
    return APP_OK;
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    put(a, state, tx);
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    const struct modbus *s = state;
    const struct modbus_facts *v = &s->facts;

    fields_object(f, s->now == APP_TO_SERVER ? "request" : "response");
    fields_number(f, "transaction_id", load_be16(s->way[s->now].bytes));
    fields_number(f, "protocol_id", load_be16(s->way[s->now].bytes + 2));
    fields_number(f, "unit_id", v->unit);
    fields_number(f, "function_raw", v->function);
    if (v->has_subfunction)
        fields_number(f, "subfunction", v->subfunction);
    if (v->access & MODBUS_READ) {
        fields_object(f, "read");
        fields_number(f, "address", v->read_address);
        fields_number(f, "quantity", v->read_quantity);
        fields_close(f);
    }
    if (v->access & MODBUS_WRITE) {
        fields_object(f, "write");
        fields_number(f, "address", v->write_address);
        fields_number(f, "quantity", v->n_values);
        fields_close(f);
    }
    fields_close(f);
}

/* Little in a frame is fixed: off the port, it must be just one frame with a function that exists. */
static enum app_probe probe(struct span bytes, const struct app_hint *h)
{
    bool port = h->dport == 502;

    if (bytes.len >= 4 && load_be16(bytes.p + 2) != 0)
        return PROBE_NO;
    if (bytes.len < PREFIX + 1)
        return PROBE_MORE;
    uint32_t total = load_be16(bytes.p + 4) + PREFIX - 1u;
    if (total < PREFIX + 1 || total > FRAME_MAX)
        return PROBE_NO;
    if (port)
        return PROBE_LIKELY;
    return bytes.len == total && function_of(bytes.p[PREFIX] & 0x7f) ? PROBE_LIKELY : PROBE_NO;
}

static const uint16_t ports[] = {502, 0};

const struct app_parser parser_modbus = {
    .proto = APP_MODBUS,
    .tcp = true,
    .state_bytes = sizeof(struct modbus),
    .ports = ports,
    .probe = probe,
    .take = take,
    .show = show,
    .fields = fields,
};
