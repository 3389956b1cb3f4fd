/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MQTT 3.1, 3.1.1 and 5: a client and its broker, with messages of any length in both directions.
 *
 * Each message is a transaction. What is in front of a published message (its topic, its identifier, properties) is
 * collected, and the message goes to rules as it comes; all other messages are collected whole, up to
 * MESSAGE_MAX: what is behind that is skipped, and said so. The version is the client's, from its CONNECT; where
 * that was not seen, 3.1.1.
 *
 * put() takes a collected message apart and runs again for show(); nothing is kept but the message.
 *
 * Worker thread. Owns two messages per flow, one for each direction.
 */
#include "ips/app/body.h"

#define MESSAGE_MAX (256u << 10) /* bytes of a message that are read, a published text aside */

enum mqtt_type {
    CONNECT = 1,
    CONNACK,
    PUBLISH,
    PUBACK,
    PUBREC,
    PUBREL,
    PUBCOMP,
    SUBSCRIBE,
    SUBACK,
    UNSUBSCRIBE,
    UNSUBACK,
    PINGREQ,
    PINGRESP,
    DISCONNECT,
    AUTH
};

enum { WITH_USERNAME = 0x80, WITH_PASSWORD = 0x40, WILL_RETAIN = 0x20, WITH_WILL = 0x04, CLEAN = 0x02 };

struct mqtt_facts {      /* of a message, as keywords ask for them */
    uint64_t reasons[4]; /* a bit per reason code in the message */
    uint8_t type, flags; /* of the fixed header */
    uint8_t qos, version, connect_flags, return_code;
    bool connect, connack, session_present;
};
#define MQTT_DUP    0x08
#define MQTT_RETAIN 0x01

enum mqtt_place { TYPE, LENGTH, COLLECT, TEXT, SKIP };

struct message {
    struct app_tx tx;
    struct bytes kept;
    struct body text; /* of a PUBLISH */
    struct mqtt_facts facts;
    uint32_t left;         /* bytes of it that did not come yet */
    uint32_t want;         /* bytes that are collected */
    uint8_t place, digits; /* enum mqtt_place; of the length */
    bool read;             /* what is collected is complete */
};

struct mqtt {
    uint8_t version;
    bool connected; /* a CONNECT was seen */
    struct message way[2];
};

static const char *const type_words[16] = {
    [CONNECT] = "connect",         [CONNACK] = "connack",       [PUBLISH] = "publish",
    [PUBACK] = "puback",           [PUBREC] = "pubrec",         [PUBREL] = "pubrel",
    [PUBCOMP] = "pubcomp",         [SUBSCRIBE] = "subscribe",   [SUBACK] = "suback",
    [UNSUBSCRIBE] = "unsubscribe", [UNSUBACK] = "unsuback",     [PINGREQ] = "pingreq",
    [PINGRESP] = "pingresp",       [DISCONNECT] = "disconnect", [AUTH] = "auth",
};

/* --- reading --------------------------------------------------------------------------------------------------------- */

struct reader {
    struct span s;
    bool bad; /* something was not there; what is read then is empty */
};

static struct span take_bytes(struct reader *r, uint32_t n)
{
    struct span got = span_sub(r->s, 0, n);

    r->bad |= got.len < n;
    r->s = span_sub(r->s, got.len, r->s.len);
    return got;
}

static uint8_t take_byte(struct reader *r)
{
    struct span b = take_bytes(r, 1);

    return b.len == 1 ? b.p[0] : 0;
}

static uint16_t take_word(struct reader *r)
{
    struct span b = take_bytes(r, 2);

    return b.len == 2 ? load_be16(b.p) : 0;
}

static struct span take_string(struct reader *r)
{
    uint16_t n = take_word(r);

    return take_bytes(r, n);
}

/* A number of up to four bytes, lowest first, seven bits each. */
static uint32_t take_varint(struct reader *r)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < 4; i++) {
        uint8_t b = take_byte(r);

        v |= (uint32_t)(b & 0x7f) << 7 * i;
        if (!(b & 0x80))
            return v;
    }
    r->bad = true;
    return v;
}

static void skip_properties(struct reader *r, uint8_t version)
{
    if (version == 5)
        take_bytes(r, take_varint(r));
}

static void add_reason(struct mqtt_facts *f, uint8_t code)
{
    f->reasons[code / 64] |= 1ull << code % 64;
}

/* --- one message ------------------------------------------------------------------------------------------------------- */

static void put_if(struct app *a, struct message *m, enum buffer_id b, struct reader *r, bool there)
{
    struct span s;

    if (!there)
        return;
    s = take_string(r);
    if (a)
        app_put(a, &m->tx, b, s);
}

/* With a == NULL nothing is put: facts are filled and what is wrong is seen. */
static void read_connect(struct app *a, struct message *m, struct reader *r)
{
    struct mqtt_facts *f = &m->facts;

    put_if(a, m, BUF_MQTT_PROTOCOL_STRING, r, true);
    f->version = take_byte(r);
    f->connect_flags = take_byte(r);
    f->connect = true;
    take_word(r);
    skip_properties(r, f->version);
    put_if(a, m, BUF_MQTT_CLIENTID, r, true);
    if (f->connect_flags & WITH_WILL)
        skip_properties(r, f->version);
    put_if(a, m, BUF_MQTT_WILLTOPIC, r, f->connect_flags & WITH_WILL);
    put_if(a, m, BUF_MQTT_WILLMESSAGE, r, f->connect_flags & WITH_WILL);
    put_if(a, m, BUF_MQTT_USERNAME, r, f->connect_flags & WITH_USERNAME);
    put_if(a, m, BUF_MQTT_PASSWORD, r, f->connect_flags & WITH_PASSWORD);
}

static void read_topics(struct app *a, struct message *m, struct reader *r)
{
    bool subscribe = m->facts.type == SUBSCRIBE;

    take_word(r);
    skip_properties(r, m->facts.version);
    while (r->s.len > 0 && !r->bad) {
        put_if(a, m, subscribe ? BUF_MQTT_SUBSCRIBE_TOPIC : BUF_MQTT_UNSUBSCRIBE_TOPIC, r, true);
        if (subscribe)
            take_byte(r);
    }
}

static void read_reasons(struct message *m, struct reader *r)
{
    struct mqtt_facts *f = &m->facts;
    bool acknowledged = f->type == SUBACK || f->type == UNSUBACK;

    if (f->type != DISCONNECT && f->type != AUTH)
        take_word(r);
    if (acknowledged)
        skip_properties(r, f->version);
    if (acknowledged)
        while (r->s.len > 0)
            add_reason(f, take_byte(r));
    else if (f->version == 5) /* without one it is 0: all went well */
        add_reason(f, r->s.len > 0 ? take_byte(r) : 0);
}

static void put_numbers(struct app *a, struct message *m)
{
    const struct mqtt_facts *f = &m->facts;

    app_put_number(a, &m->tx, BUF_MQTT_TYPE, f->type);
    app_put_number(a, &m->tx, BUF_MQTT_FLAGS, f->flags);
    app_put_number(a, &m->tx, BUF_MQTT_QOS, f->qos);
    app_put_number(a, &m->tx, BUF_MQTT_VERSION, f->version);
    if (f->connect)
        app_put_number(a, &m->tx, BUF_MQTT_CONNECT_FLAGS, f->connect_flags);
    if (f->connack) {
        app_put_number(a, &m->tx, BUF_MQTT_RETURN_CODE, f->return_code);
        app_put_number(a, &m->tx, BUF_MQTT_SESSION_PRESENT, f->session_present);
    }
    for (unsigned i = 0; i < 4; i++)
        for (uint64_t left = f->reasons[i]; left; left &= left - 1)
            app_put_number(a, &m->tx, BUF_MQTT_REASON, 64 * i + (unsigned)__builtin_ctzll(left));
}

/* Takes the message apart. False: its lengths cannot be. */
static bool put(struct app *a, struct message *m)
{
    struct reader r = {.s = bytes_span(&m->kept)};
    struct mqtt_facts *f = &m->facts;

    switch (f->type) {
    case CONNECT:
        read_connect(a, m, &r);
        break;
    case CONNACK:
        f->connack = true;
        f->session_present = take_byte(&r) & 1;
        f->return_code = take_byte(&r);
        add_reason(f, f->return_code);
        break;
    case PUBLISH:
        put_if(a, m, BUF_MQTT_PUBLISH_TOPIC, &r, true);
        break;
    case SUBSCRIBE:
    case UNSUBSCRIBE:
        read_topics(a, m, &r);
        break;
    case PINGREQ:
    case PINGRESP:
        break;
    default:
        read_reasons(m, &r);
    }
    if (a)
        put_numbers(a, m);
    return !r.bad;
}

/* Bytes in front of a published text; more than are there: so many are to be collected first. UINT32_MAX: cannot be. */
static uint32_t publish_head(const struct message *m)
{
    struct span k = bytes_span(&m->kept);
    uint32_t n = 2;

    if (k.len < 2)
        return 2;
    n += load_be16(k.p) + (m->facts.qos > 0 ? 2u : 0);
    if (m->facts.version != 5 || k.len < n)
        return m->facts.version != 5 ? n : n + 1;
    struct reader r = {.s = span_sub(k, n, k.len)};
    uint32_t properties = take_varint(&r), digits = k.len - n - r.s.len;
    if (r.bad)
        return digits >= 4 ? UINT32_MAX : n + digits + 1;
    return n + digits + properties;
}

/* --- the flow --------------------------------------------------------------------------------------------------------- */

static void forget(struct app *a, struct message *m)
{
    bytes_free(a, &m->kept);
    body_free(a, &m->text);
    *m = (struct message){0};
}

/* False: dropped. */
static bool finish(struct app *a, struct message *m, enum app_dir dir)
{
    bool on = body_end(a, &m->text, &m->tx, m->left == 0);

    if (on)
        on = app_inspect(a, &m->tx, dir, true);
    app_tx_close(a, &m->tx);
    forget(a, m);
    return on;
}

static void begin(struct app *a, struct mqtt *s, struct message *m, uint8_t first)
{
    app_tx_open(a, &m->tx);
    m->facts.type = first >> 4;
    m->facts.flags = first & 0xf;
    m->facts.qos = first >> 1 & 3;
    m->facts.version = s->version ? s->version : 4;
    m->place = LENGTH;
    if (m->facts.type == 0 || (m->facts.type == AUTH && s->version != 5))
        app_event(a, AN_MQTT_UNASSIGNED);
    if (m->facts.type == PUBLISH && m->facts.qos == 3)
        app_event(a, AN_MQTT_QOS);
    if (m->facts.type == CONNECT && s->connected)
        app_event(a, AN_MQTT_DOUBLE_CONNECT);
    else if (m->facts.type == CONNACK && !s->connected)
        app_event(a, AN_MQTT_MISSING_CONNECT);
    else if (m->facts.type != CONNECT && !s->connected)
        app_event(a, AN_MQTT_UNINTRODUCED);
}

/* What is to be collected is there. False: dropped. */
static bool collected(struct app *a, struct mqtt *s, struct message *m, enum app_dir dir)
{
    struct body_about about = {.dir = dir, .buffers = {BUF_MQTT_PUBLISH_MESSAGE}, .n_buffers = 1};

    m->read = true;
    if (!put(a, m))
        app_event(a, AN_MQTT_MALFORMED);
    if (m->facts.type == CONNECT) {
        s->connected = true;
        s->version = m->facts.version;
    }
    if (m->left == 0)
        return finish(a, m, dir);
    if (m->facts.type == PUBLISH) {
        m->place = TEXT;
        return body_begin(a, &m->text, &m->tx, &about);
    }
    app_event(a, AN_MQTT_TOO_LONG);
    m->place = SKIP;
    return app_inspect(a, &m->tx, dir, false);
}

/* Bytes of what is collected. False with *answer set: leave take(). */
static bool collect(struct app *a, struct mqtt *s, struct message *m, struct span *rest, enum app_dir dir,
                    enum app_answer *answer)
{
    uint32_t lacking = m->want - m->kept.len;
    struct span piece = span_sub(*rest, 0, lacking);

    *answer = APP_BAD;
    if (!bytes_add(a, &m->kept, piece))
        return false;
    *rest = span_sub(*rest, piece.len, rest->len);
    m->left -= piece.len;
    if (piece.len < lacking)
        return true;
    if (m->facts.type == PUBLISH) {
        uint32_t need = publish_head(m);

        if (need > MESSAGE_MAX || need > m->kept.len + m->left) {
            app_event(a, AN_MQTT_MALFORMED);
            need = m->kept.len;
        }
        m->want = need;
        if (need > m->kept.len)
            return true;
    }
    *answer = APP_OK;
    return collected(a, s, m, dir);
}

/* One byte of the length. False: it has no end. */
static bool length_byte(struct message *m, uint8_t b)
{
    m->left |= (uint32_t)(b & 0x7f) << 7 * m->digits++;
    if (b & 0x80)
        return m->digits < 4;
    m->want = m->left < MESSAGE_MAX ? m->left : MESSAGE_MAX;
    if (m->facts.type == PUBLISH)
        m->want = m->left < 2 ? m->left : 2;
    m->place = COLLECT;
    return true;
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct mqtt *s = state;
    struct message *m = &s->way[in->dir];
    enum app_dir dir = (enum app_dir)in->dir;
    struct span rest = in->bytes;
    enum app_answer answer;

    while (rest.len > 0 || (m->place == COLLECT && m->kept.len == m->want)) {
        uint8_t byte = rest.len > 0 ? rest.p[0] : 0;
        struct span piece = span_sub(rest, 0, m->left);

        switch (m->place) {
        case TYPE:
            begin(a, s, m, byte);
            rest = span_sub(rest, 1, rest.len);
            break;
        case LENGTH:
            if (!length_byte(m, byte)) {
                app_event(a, AN_MQTT_MALFORMED);
                return APP_BAD;
            }
            rest = span_sub(rest, 1, rest.len);
            break;
        case COLLECT:
            if (!collect(a, s, m, &rest, dir, &answer))
                return answer;
            break;
        default:
            rest = span_sub(rest, piece.len, rest.len);
            m->left -= piece.len;
            if (m->place == TEXT && !body_add(a, &m->text, &m->tx, piece))
                return APP_OK;
            if (m->left == 0 && !finish(a, m, dir))
                return APP_OK;
        }
    }
    if (m->place == TEXT && m->text.origin == 0 && m->text.window.len == 0 &&
        !app_inspect(a, &m->tx, dir, false))
        return APP_OK; /* what is in front of the text, before any of it has come */
    if (in->end && m->place != TYPE) {
        if (m->place == COLLECT) {
            m->read = true;
            put(a, m);
        }
        app_event(a, AN_MQTT_MALFORMED);
        finish(a, m, dir);
    }
    return APP_OK;
}

static void close_flow(struct app *a, void *state)
{
    struct mqtt *s = state;

    for (int dir = 0; dir < 2; dir++) {
        if (s->way[dir].place != TYPE)
            app_tx_close(a, &s->way[dir].tx);
        forget(a, &s->way[dir]);
    }
}

static struct message *of(struct mqtt *s, const struct app_tx *tx)
{
    return &s->way[tx == &s->way[1].tx];
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct message *m = of(state, tx);

    if (!m->read)
        return;
    put(a, m);
    body_show(a, &m->text, tx);
}

/* --- EVE -------------------------------------------------------------------------------------------------------------- */

static void connect_fields(struct message *m, struct reader *r, struct fields *f)
{
    uint8_t flags = m->facts.connect_flags, version = m->facts.version;

    fields_text(f, "protocol_string", take_string(r));
    fields_number(f, "protocol_version", version);
    fields_object(f, "flags");
    fields_bool(f, "username", flags & WITH_USERNAME);
    fields_bool(f, "password", flags & WITH_PASSWORD);
    fields_bool(f, "will_retain", flags & WILL_RETAIN);
    fields_bool(f, "will", flags & WITH_WILL);
    fields_bool(f, "clean_session", flags & CLEAN);
    fields_close(f);
    take_bytes(r, 4);
    skip_properties(r, version);
    fields_text(f, "client_id", take_string(r));
    if (flags & WITH_WILL) {
        skip_properties(r, version);
        fields_object(f, "will");
        fields_text(f, "topic", take_string(r));
        fields_text(f, "message", take_string(r));
        fields_close(f);
    }
    if (flags & WITH_USERNAME)
        fields_text(f, "username", take_string(r));
}

static void topic_fields(struct message *m, struct reader *r, struct fields *f)
{
    bool subscribe = m->facts.type == SUBSCRIBE;

    fields_number(f, "message_id", take_word(r));
    skip_properties(r, m->facts.version);
    fields_list(f, "topics");
    while (r->s.len > 0 && !r->bad) {
        struct span topic = take_string(r);

        if (!subscribe) {
            fields_text(f, NULL, topic);
            continue;
        }
        fields_object(f, NULL);
        fields_text(f, "topic", topic);
        fields_number(f, "qos", take_byte(r) & 3);
        fields_close(f);
    }
    fields_close(f);
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    struct message *m = of(state, tx);
    struct reader r = {.s = bytes_span(&m->kept)};

    if (!m->read || !type_words[m->facts.type])
        return;
    fields_object(f, type_words[m->facts.type]);
    fields_number(f, "qos", m->facts.qos);
    fields_bool(f, "retain", m->facts.flags & MQTT_RETAIN);
    fields_bool(f, "dup", m->facts.flags & MQTT_DUP);
    if (m->facts.type == CONNECT) {
        connect_fields(m, &r, f);
    } else if (m->facts.type == PUBLISH) {
        fields_text(f, "topic", take_string(&r));
        if (m->facts.qos > 0)
            fields_number(f, "message_id", take_word(&r));
        if (m->text.origin == 0)
            fields_text(f, "message", bytes_span(&m->text.window));
    } else if (m->facts.type == CONNACK) {
        fields_bool(f, "session_present", m->facts.session_present);
        fields_number(f, "return_code", m->facts.return_code);
    } else if (m->facts.type == SUBSCRIBE || m->facts.type == UNSUBSCRIBE) {
        topic_fields(m, &r, f);
    } else if (m->facts.type < PINGREQ) {
        fields_number(f, "message_id", take_word(&r));
    }
    fields_close(f);
}

/* --- the protocol ------------------------------------------------------------------------------------------------------- */

/* A client begins with CONNECT: type, length, and one of two names with its length. */
static enum app_probe probe(struct span bytes, const struct app_hint *h)
{
    static const uint8_t name[] = {0, 4, 'M', 'Q', 'T', 'T'}, old[] = {0, 6, 'M', 'Q', 'I', 's', 'd', 'p'};
    struct reader r = {.s = bytes};
    uint8_t first = take_byte(&r);

    if (h->dir == APP_TO_CLIENT)
        return first == CONNACK << 4 && h->dport == 1883 ? PROBE_LIKELY : PROBE_NO;
    if (first != CONNECT << 4)
        return PROBE_NO;
    take_varint(&r);
    if (r.bad)
        return bytes.len < 5 ? PROBE_MORE : PROBE_NO;
    uint32_t n = r.s.len < sizeof(name) ? r.s.len : sizeof(name);
    uint32_t n_old = r.s.len < sizeof(old) ? r.s.len : sizeof(old);
    if (memcmp(r.s.p, name, n) == 0)
        return n == sizeof(name) ? PROBE_YES : PROBE_MORE;
    if (memcmp(r.s.p, old, n_old) == 0)
        return n_old == sizeof(old) ? PROBE_YES : PROBE_MORE;
    return PROBE_NO;
}

static const uint16_t ports[] = {1883, 0};

const struct app_parser parser_mqtt = {
    .proto = APP_MQTT,
    .tcp = true,
    .state_bytes = sizeof(struct mqtt),
    .ports = ports,
    .probe = probe,
    .take = take,
    .close = close_flow,
    .show = show,
    .fields = fields,
};
