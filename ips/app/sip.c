/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SIP (RFC 3261), over TCP and UDP: calls are set up with it, and messages sent.
 *
 * Each message is a transaction of its own, as in Suricata. Start line and headers are collected until the empty line and
 * published at once; the body goes to rules as it comes (sip_body), and is read for a session description when it is
 * complete (sdp.*). Either end may send requests and responses.
 *
 * Over TCP, Content-Length says where a message ends, and without it the message has no body. A datagram is one message:
 * its body is all that follows the headers, even behind Content-Length, so that nothing goes unseen; that there is
 * more, or less, is an event. Line ends between messages keep a connection alive and mean nothing.
 *
 * A head that is longer than the limits (limits.h) is published as far as it came, and the flow's parser gives up.
 *
 * Worker thread. Owns two messages per flow, one for each direction.
 */
#include <netinet/in.h>

#include "ips/app/sip_parts.h"
#include "ips/flow/flow.h"

enum sip_place { BETWEEN, HEAD, BODY };

struct message {
    struct app_tx tx;
    struct sip_head head;
    struct body body;
    struct bytes line; /* a piece of one */
    uint64_t left;     /* of the body */
    uint32_t n_lines;
    uint8_t place;  /* enum sip_place */
    bool put;       /* something was, that rules have not seen */
    bool read;      /* the head is complete */
    bool described; /* the body is complete */
};

struct sip {
    struct message way[2];
};

static void forget(struct app *a, struct message *m)
{
    bytes_free(a, &m->head.bytes);
    bytes_free(a, &m->head.unfolded);
    bytes_free(a, &m->line);
    body_free(a, &m->body);
    *m = (struct message){0};
}

/* The body's bytes from its beginning, where they are still there. */
static struct span whole_body(const struct message *m)
{
    return m->body.origin == 0 ? bytes_span(&m->body.window) : span_of(NULL, 0);
}

/* The message is over: what it is gets inspected and logged. False: dropped. */
static bool finish(struct app *a, struct message *m, enum app_dir dir)
{
    bool on = true;

    if (m->body.there) {
        m->described = true;
        sdp_put(a, &m->tx, whole_body(m));
        on = body_end(a, &m->body, &m->tx, m->left == 0);
        if (m->body.origin > 0)
            app_event(a, AN_SIP_BODY_LONG);
    }
    if (on)
        on = app_inspect(a, &m->tx, dir, true);
    app_tx_close(a, &m->tx);
    forget(a, m);
    return on;
}

/* The head's lines are there, or as many as came. False: no memory. */
static bool read_head(struct app *a, struct message *m)
{
    if (!sip_head_read(a, &m->head))
        return false;
    m->read = true;
    m->put = true;
    sip_head_put(a, &m->head, &m->tx);
    return true;
}

/* The empty line has come. `rest`: what is left of the datagram. */
static enum app_answer begin_body(struct app *a, struct message *m, enum app_dir dir, bool datagram,
                                  uint32_t rest)
{
    const struct sip_head *h = &m->head;
    struct body_about about = {.dir = dir, .buffers = {BUF_SIP_BODY}, .n_buffers = 1};

    if (!read_head(a, m))
        return APP_BAD;
    if (h->two_lengths || h->bad_length)
        app_event(a, AN_SIP_LENGTH);
    m->left = h->length;
    if (datagram) {
        if (h->has_length && h->length < rest)
            app_event(a, AN_SIP_TRAILING);
        if (h->has_length && h->length > rest)
            app_event(a, AN_SIP_INCOMPLETE);
        m->left = rest;
    }
    m->place = BODY;
    if (m->left > 0)
        body_begin(a, &m->body, &m->tx, &about);
    else
        finish(a, m, dir);
    return APP_OK;
}

/* What came is shown to rules, and nothing more of the flow is understood. */
static enum app_answer give_up(struct app *a, struct message *m, enum app_dir dir, enum anomaly why)
{
    app_event(a, why);
    if (m->place == HEAD && m->head.bytes.len > 0 &&
        sip_start_line(bytes_span(&m->head.bytes)).kind != SIP_NEITHER && read_head(a, m))
        finish(a, m, dir);
    return APP_BAD;
}

/* Lines of the head. False with *answer set: leave take(). */
static bool take_head(struct app *a, struct message *m, const struct app_in *in, struct span *rest,
                      bool datagram, enum app_answer *answer)
{
    const struct app_limits *l = app_limits(a);
    struct span line;
    enum line_answer got = line_take(a, &m->line, rest, l->header_line, &line);

    *answer = APP_BAD;
    if (got == LINE_NO_MEMORY)
        return false;
    if (got == LINE_MORE)
        return true;
    if (!bytes_add(a, &m->head.bytes, line))
        return false;
    if (got == LINE_LONG || m->head.bytes.len > l->headers_bytes || ++m->n_lines > l->headers) {
        *answer = give_up(a, m, (enum app_dir)in->dir, AN_SIP_HEADERS_LONG);
        return false;
    }
    if (m->n_lines == 1 && sip_start_line(line).kind == SIP_NEITHER) {
        app_event(a, AN_SIP_INVALID);
        *answer = datagram ? APP_OK : APP_BAD;
        forget(a, m);
        return false;
    }
    if (line_text(line).len > 0)
        return true;
    *answer = begin_body(a, m, (enum app_dir)in->dir, datagram, rest->len);
    return *answer == APP_OK;
}

/* Nothing follows in this direction, and the message is not complete. */
static void cut_off(struct app *a, struct message *m, enum app_dir dir)
{
    if (m->place == BETWEEN)
        return;
    app_event(a, AN_SIP_INCOMPLETE);
    if (m->place == HEAD) {
        if (m->line.len > 0 && m->line.len != UINT32_MAX)
            bytes_add(a, &m->head.bytes, bytes_span(&m->line));
        if (sip_start_line(bytes_span(&m->head.bytes)).kind == SIP_NEITHER || !read_head(a, m)) {
            app_tx_close(a, &m->tx);
            forget(a, m);
            return;
        }
    }
    finish(a, m, dir);
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct sip *s = state;
    struct message *m = &s->way[in->dir];
    enum app_dir dir = (enum app_dir)in->dir;
    bool datagram = app_flow_of(a)->proto == IPPROTO_UDP;
    struct span rest = in->bytes;
    enum app_answer answer;

    while (rest.len > 0) {
        if (m->place == BETWEEN) {
            if (rest.p[0] == '\r' || rest.p[0] == '\n' || rest.p[0] == '\0') {
                rest = span_sub(rest, 1, rest.len);
                continue;
            }
            app_tx_open(a, &m->tx);
            m->place = HEAD;
        }
        if (m->place == HEAD) {
            if (!take_head(a, m, in, &rest, datagram, &answer))
                return answer;
            continue;
        }
        struct span piece = span_sub(rest, 0, m->left < rest.len ? (uint32_t)m->left : rest.len);
        rest = span_sub(rest, piece.len, rest.len);
        m->left -= piece.len;
        m->put = false; /* body_add() inspects */
        if (!body_add(a, &m->body, &m->tx, piece) || (m->left == 0 && !finish(a, m, dir)))
            return APP_OK;
    }
    if (m->put) {
        m->put = false;
        if (!app_inspect(a, &m->tx, dir, false))
            return APP_OK;
    }
    if (in->end)
        cut_off(a, m, dir);
    return APP_OK;
}

static void close_flow(struct app *a, void *state)
{
    struct sip *s = state;

    for (int dir = 0; dir < 2; dir++) {
        if (s->way[dir].place != BETWEEN)
            app_tx_close(a, &s->way[dir].tx);
        forget(a, &s->way[dir]);
    }
}

static struct message *of(struct sip *s, const struct app_tx *tx)
{
    return &s->way[tx == &s->way[1].tx];
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct message *m = of(state, tx);

    if (!m->read)
        return;
    sip_head_put(a, &m->head, tx);
    body_show(a, &m->body, tx);
    if (m->described)
        sdp_put(a, tx, whole_body(m));
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    const struct message *m = of(state, tx);

    if (!m->read)
        return;
    sip_head_fields(&m->head, f);
    if (m->described)
        sdp_fields(whole_body(m), f);
}

/* A start line tells; before its end, what is there of it must fit. */
static enum app_probe probe(struct span bytes, const struct app_hint *h)
{
    static const char version[] = "SIP/";
    struct span rest = bytes, line, word;

    while (rest.len > 0 && (rest.p[0] == '\r' || rest.p[0] == '\n'))
        rest = span_sub(rest, 1, rest.len);
    if (rest.len == 0)
        return h->udp ? PROBE_NO : PROBE_MORE;
    bool whole = memchr(rest.p, '\n', rest.len) != NULL;
    lines_next(&rest, &line);
    if (whole)
        return sip_start_line(line).kind != SIP_NEITHER ? PROBE_YES : PROBE_NO;
    if (memcmp(line.p, version, line.len < 4 ? line.len : 4) == 0)
        return line.len > 512 ? PROBE_LIKELY : PROBE_MORE;
    word = lines_word(&line);
    for (uint32_t i = 0; i < word.len; i++)
        if ((word.p[i] < 'A' || word.p[i] > 'Z') && word.p[i] != '_' && word.p[i] != '-')
            return PROBE_NO;
    if (word.len == 0 || word.len > 32 || (line.len > 0 && (line.p[0] == '/' || line.p[0] == '*')))
        return PROBE_NO;
    return PROBE_MORE;
}

static const uint16_t ports[] = {5060, 0};

const struct app_parser parser_sip = {
    .proto = APP_SIP,
    .tcp = true,
    .udp = true,
    .state_bytes = sizeof(struct sip),
    .ports = ports,
    .probe = probe,
    .take = take,
    .close = close_flow,
    .show = show,
    .fields = fields,
};
