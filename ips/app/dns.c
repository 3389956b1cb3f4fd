/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS in datagrams (port 53 and any other), over TCP, LLMNR (port 5355: it is taken as DNS, whose format it has), and
 * multicast DNS (port 5353, a protocol of its own for rules: mdns).
 *
 * Recognised by content on any port: all records of the message are read, and nothing may be wrong with them. On the
 * ports of DNS whatever nobody else claims is DNS, because a server there skips what it cannot read and answers the next
 * message; a flow must not hide behind one broken datagram.
 *
 * A datagram is a transaction of its own; it lives on the stack of take() and costs the flow nothing. Over TCP two bytes
 * of length come before each message. A message is collected until it is whole; nothing can be done with less of it, by
 * its receiver neither. A broken message is an event, and the next one is parsed.
 *
 * NetBIOS names (port 137) look like DNS and are not.
 *
 * Worker thread.
 */
#include "ips/app/dns.h"
#include "ips/app/memory.h"
#include "ips/app/table.h"

enum { PORT_DNS = 53, PORT_NETBIOS = 137, PORT_MDNS = 5353, PORT_LLMNR = 5355 };

struct dns_tx {
    struct app_tx tx; /* first */
    struct dns_view view;
};

/* --- recognising ----------------------------------------------------------------------------------------------------- */

static bool on_port(const struct app_hint *h, uint16_t port)
{
    return h->sport == port || h->dport == port;
}

static bool header_fits(const struct dns_reader *r)
{
    return dns_opcode(r->flags) <= 6 && !(r->flags & DNS_Z) &&
           (r->count[0] > 0 || ((r->flags & DNS_QR) && r->count[1] > 0));
}

/* Every record of it is there, and the message ends with the last one. */
static bool is_message(struct span message)
{
    struct dns_reader r;
    struct dns_record rec;
    uint8_t room[DNS_ROOM];
    enum dns_next next;

    if (!dns_begin(&r, message) || !header_fits(&r))
        return false;
    while ((next = dns_next(&r, &rec, room)) == DNS_RECORD)
        if (rec.section == DNS_QUERIES && (rec.class == 0 || (rec.class > 4 && rec.class < 254)))
            return false;
    return next == DNS_END && r.problems == 0 && r.at == message.len;
}

static enum app_probe probe_datagram(struct span bytes, const struct app_hint *h)
{
    bool ours = on_port(h, PORT_DNS) || on_port(h, PORT_LLMNR);

    if (on_port(h, PORT_NETBIOS) || on_port(h, PORT_MDNS))
        return PROBE_NO;
    if (is_message(bytes))
        return PROBE_YES;
    return ours ? PROBE_LIKELY : PROBE_NO;
}

static enum app_probe probe_mdns(struct span bytes, const struct app_hint *h)
{
    struct dns_reader r;

    if (!on_port(h, PORT_MDNS))
        return PROBE_NO;
    return dns_begin(&r, bytes) && header_fits(&r) ? PROBE_YES : PROBE_LIKELY;
}

/* The first record of a message of which more is to come is readable. */
static bool begins_well(struct span message)
{
    struct dns_reader r;
    struct dns_record rec;
    uint8_t room[DNS_ROOM];

    return dns_begin(&r, message) && dns_next(&r, &rec, room) == DNS_RECORD && r.problems == 0;
}

#define PROBE_ENOUGH 1024 /* bytes of a long message after which its first record tells */

static enum app_probe probe_stream(struct span bytes, const struct app_hint *h)
{
    bool ours = on_port(h, PORT_DNS);
    struct dns_reader r;

    if (bytes.len < 2)
        return PROBE_MORE;
    uint32_t n = load_be16(bytes.p);
    if (n < DNS_HEADER)
        return ours ? PROBE_LIKELY : PROBE_NO;
    if (!dns_begin(&r, span_sub(bytes, 2, n)))
        return PROBE_MORE;
    if (header_fits(&r) && ours)
        return PROBE_YES;
    if (ours)
        return PROBE_LIKELY;
    if (!header_fits(&r) || r.count[0] > 4)
        return PROBE_NO;
    if (bytes.len >= 2 + n)
        return is_message(r.message) ? PROBE_YES : PROBE_NO;
    if (bytes.len < PROBE_ENOUGH)
        return PROBE_MORE;
    return begins_well(r.message) ? PROBE_LIKELY : PROBE_NO;
}

/* --- messages -------------------------------------------------------------------------------------------------------- */

/* False when the packet was dropped. */
static bool take_message(struct app *a, struct span message, enum app_dir dir, bool mdns)
{
    struct dns_tx t;

    app_tx_open(a, &t.tx);
    bool goes_on = dns_inspect(a, &t.tx, &t.view, message, dir, mdns);
    app_tx_close(a, &t.tx);
    return goes_on;
}

static enum app_answer take_datagram(struct app *a, void *state, const struct app_in *in)
{
    take_message(a, in->bytes, (enum app_dir)in->dir, false);
    return APP_OK;
}

static enum app_answer take_mdns(struct app *a, void *state, const struct app_in *in)
{
    take_message(a, in->bytes, (enum app_dir)in->dir, true);
    return APP_OK;
}

struct dns_stream {
    struct dns_way {
        struct bytes kept;
        uint32_t need; /* bytes of the message at hand; 0: its length comes next */
    } way[2];
};

#define KEPT_IDLE 2048 /* bytes of room that a flow keeps between messages */

static enum app_answer take_stream(struct app *a, void *state, const struct app_in *in)
{
    struct dns_way *w = &((struct dns_stream *)state)->way[in->dir];
    struct span rest = in->bytes, piece;

    while (rest.len > 0) {
        enum line_answer got = piece_take(a, &w->kept, &rest, w->need ? w->need : 2, &piece);

        if (got == LINE_NO_MEMORY)
            return APP_BAD;
        if (got == LINE_MORE)
            break;
        if (w->need == 0) {
            w->need = load_be16(piece.p);
            if (w->need == 0)
                app_event(a, AN_DNS_MALFORMED_DATA);
            continue;
        }
        w->need = 0;
        bool goes_on = take_message(a, piece, (enum app_dir)in->dir, false);
        if (w->kept.cap > KEPT_IDLE)
            bytes_free(a, &w->kept);
        if (!goes_on)
            break;
    }
    return APP_OK;
}

static void close_stream(struct app *a, void *state)
{
    struct dns_stream *s = state;

    for (int dir = 0; dir < 2; dir++)
        bytes_free(a, &s->way[dir].kept);
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    dns_show(a, tx, &((struct dns_tx *)tx)->view);
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    fields_number(f, "tx_id", tx->id);
    dns_fields(((const struct dns_tx *)tx)->view.message, f);
}

static const uint16_t ports[] = {PORT_DNS, PORT_LLMNR, 0};
static const uint16_t mdns_ports[] = {PORT_MDNS, 0};

const struct app_parser parser_dns = {.proto = APP_DNS,
                                      .udp = true,
                                      .ports = ports,
                                      .probe = probe_datagram,
                                      .take = take_datagram,
                                      .show = show,
                                      .fields = fields};

const struct app_parser parser_mdns = {.proto = APP_MDNS,
                                       .udp = true,
                                       .ports = mdns_ports,
                                       .probe = probe_mdns,
                                       .take = take_mdns,
                                       .show = show,
                                       .fields = fields};

const struct app_parser parser_dns_stream = {.proto = APP_DNS,
                                             .tcp = true,
                                             .state_bytes = sizeof(struct dns_stream),
                                             .ports = ports,
                                             .probe = probe_stream,
                                             .take = take_stream,
                                             .close = close_stream,
                                             .show = show,
                                             .fields = fields};
