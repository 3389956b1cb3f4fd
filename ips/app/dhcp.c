/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DHCP for IPv4 (RFC 2131, 2132): each message is a transaction, read on the stack of take().
 *
 * Rules ask for the times of a lease (dhcp.leasetime, dhcp.renewal_time, dhcp.rebinding_time). Options may go on in the
 * fields for a server's and a file's name (option 52): those are read, too, as receivers do.
 *
 * Recognised by the cookie before the options, on any port; on DHCP's own ports anything that nobody else claims is
 * taken, so that a broken message does not hide the next one. Worker thread.
 */
#include "ips/app/table.h"

enum { HEADER = 236, COOKIE_END = 240, SNAME_AT = 44, SNAME = 64, FILE_AT = 108, FILE_LEN = 128 };
enum {
    OPT_PAD = 0,
    OPT_MASK = 1,
    OPT_ROUTER = 3,
    OPT_DNS = 6,
    OPT_HOSTNAME = 12,
    OPT_REQUESTED = 50,
    OPT_LEASE = 51,
    OPT_OVERLOAD = 52,
    OPT_TYPE = 53,
    OPT_PARAMETERS = 55,
    OPT_RENEWAL = 58,
    OPT_REBINDING = 59,
    OPT_VENDOR_CLASS = 60,
    OPT_CLIENT_ID = 61,
    OPT_END = 255,
};

struct dhcp_tx {
    struct app_tx tx; /* first */
    struct span message;
    struct span option[256]; /* the first of each code; p is NULL where there is none */
};

static enum app_probe probe(struct span b, const struct app_hint *h)
{
    bool ours = h->sport == 67 || h->sport == 68 || h->dport == 67 || h->dport == 68;

    if (b.len >= COOKIE_END && (b.p[0] == 1 || b.p[0] == 2) && load_be32(b.p + HEADER) == 0x63825363)
        return PROBE_YES;
    return ours ? PROBE_LIKELY : PROBE_NO;
}

/* False: an option runs out of its place. */
static bool read_options(struct dhcp_tx *t, struct span in)
{
    while (in.len > 0 && in.p[0] != OPT_END) {
        uint8_t code = in.p[0];

        if (code == OPT_PAD) {
            in = span_sub(in, 1, in.len);
            continue;
        }
        if (in.len < 2 || in.p[1] > in.len - 2)
            return false;
        if (!t->option[code].p)
            t->option[code] = span_sub(in, 2, in.p[1]);
        in = span_sub(in, 2u + in.p[1], in.len);
    }
    return true;
}

static void put_time(struct app *a, struct dhcp_tx *t, uint8_t code, enum buffer_id b)
{
    if (t->option[code].len == 4)
        app_put_number(a, &t->tx, b, load_be32(t->option[code].p));
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct dhcp_tx *t = (struct dhcp_tx *)tx;

    put_time(a, t, OPT_LEASE, BUF_DHCP_LEASETIME);
    put_time(a, t, OPT_RENEWAL, BUF_DHCP_RENEWAL_TIME);
    put_time(a, t, OPT_REBINDING, BUF_DHCP_REBINDING_TIME);
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct dhcp_tx t;
    bool whole = true;

    app_tx_open(a, &t.tx);
    t.message = in->bytes;
    memset(t.option, 0, sizeof(t.option));
    if (in->bytes.len < COOKIE_END || load_be32(in->bytes.p + HEADER) != 0x63825363) {
        app_event(a, AN_DHCP_MALFORMED);
    } else {
        whole = read_options(&t, span_sub(in->bytes, COOKIE_END, in->bytes.len));
        uint8_t more = t.option[OPT_OVERLOAD].len == 1 ? t.option[OPT_OVERLOAD].p[0] : 0;
        if (more & 1)
            whole &= read_options(&t, span_sub(in->bytes, FILE_AT, FILE_LEN));
        if (more & 2)
            whole &= read_options(&t, span_sub(in->bytes, SNAME_AT, SNAME));
    }
    if (!whole)
        app_event(a, AN_DHCP_TRUNCATED_OPTIONS);
    show(a, NULL, &t.tx, (enum app_dir)in->dir);
    app_inspect(a, &t.tx, (enum app_dir)in->dir, true);
    app_tx_close(a, &t.tx);
    return APP_OK;
}

/* --- EVE ---------------------------------------------------------------------------------------------------------------- */

static void put_addresses(struct fields *f, const char *key, struct span v)
{
    if (v.len < 4)
        return;
    fields_list(f, key);
    for (uint32_t i = 0; i + 4 <= v.len; i += 4)
        fields_address(f, NULL, span_sub(v, i, 4));
    fields_close(f);
}

static void put_type(struct fields *f, struct span v)
{
    static const char *const words[] = {NULL,  "discover", "offer",   "request", "decline",
                                        "ack", "nak",      "release", "inform"};
    uint8_t type = v.len == 1 ? v.p[0] : 0;

    if (type > 0)
        fields_word(f, "dhcp_type", type < sizeof(words) / sizeof(words[0]) ? words[type] : "unknown");
}

static void put_text(struct fields *f, const char *key, struct span v)
{
    if (v.p)
        fields_text(f, key, v);
}

static void put_seconds(struct fields *f, const char *key, struct span v)
{
    if (v.len == 4)
        fields_number(f, key, load_be32(v.p));
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    const struct dhcp_tx *t = (const struct dhcp_tx *)tx;
    const struct span *o = t->option, m = t->message;

    if (m.len < COOKIE_END)
        return;
    fields_word(f, "type", m.p[0] == 1 ? "request" : m.p[0] == 2 ? "reply" : "unknown");
    fields_number(f, "id", load_be32(m.p + 4));
    fields_mac(f, "client_mac", span_sub(m, 28, 6));
    fields_address(f, "client_ip", span_sub(m, 12, 4));
    fields_address(f, "assigned_ip", span_sub(m, 16, 4));
    fields_address(f, "next_server_ip", span_sub(m, 20, 4));
    fields_address(f, "relay_ip", span_sub(m, 24, 4));
    put_type(f, o[OPT_TYPE]);
    if (o[OPT_CLIENT_ID].len == 7)
        fields_mac(f, "client_id", span_sub(o[OPT_CLIENT_ID], 1, 6));
    put_text(f, "hostname", o[OPT_HOSTNAME]);
    put_text(f, "vendor_class_identifier", o[OPT_VENDOR_CLASS]);
    if (o[OPT_REQUESTED].len == 4)
        fields_address(f, "requested_ip", o[OPT_REQUESTED]);
    if (o[OPT_MASK].len == 4)
        fields_address(f, "subnet_mask", o[OPT_MASK]);
    put_addresses(f, "routers", o[OPT_ROUTER]);
    put_addresses(f, "dns_servers", o[OPT_DNS]);
    put_seconds(f, "lease_time", o[OPT_LEASE]);
    put_seconds(f, "renewal_time", o[OPT_RENEWAL]);
    put_seconds(f, "rebinding_time", o[OPT_REBINDING]);
}

static const uint16_t ports[] = {67, 68, 0};

const struct app_parser parser_dhcp = {.proto = APP_DHCP,
                                       .udp = true,
                                       .ports = ports,
                                       .probe = probe,
                                       .take = take,
                                       .show = show,
                                       .fields = fields};
