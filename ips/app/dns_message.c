/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS messages: their records and names, and what rules see of them.
 *
 * Receivers differ most in names. Pointers should point back (RFC 1035, 4.1.4), and resolvers that insist on it see a
 * broken message where others read on: a pointer forward is followed, and is an event. Nothing goes round: a name has no more
 * than DNS_LABELS_MAX labels and pointers, and all names of a message together are bounded by its length, because a
 * pointer of two bytes stands for a name of 250. What is beyond the bound is not read, and is an event, too.
 *
 * Names are collected until DNS_NAMES_MAX or the room for text is full, then rules look at them, and their room is used
 * again. Each name is an instance of several buffers (names_of below).
 *
 * Worker thread. Owns nothing: the caller has the room.
 */
#include "ips/app/dns.h"

/* --- names --------------------------------------------------------------------------------------------------------- */

#define COPY_AT_ONCE  16
#define NAME_WIRE_MAX 255 /* RFC 1035, 2.3.4: with the lengths and the root's */

static bool cut(struct dns_reader *r)
{
    if (!(r->problems & DNS_CUT))
        r->cut_in = r->section;
    r->problems |= DNS_CUT;
    return false;
}

/* Follows the pointer at *pos, in a name or part of one that begins at `start`. False: its name ends here. */
static bool follow(struct dns_reader *r, uint32_t *pos, uint32_t start)
{
    if (*pos + 2 > r->message.len)
        return cut(r);
    uint32_t to = load_be16(r->message.p + *pos) & 0x3fff;
    if (to >= r->message.len)
        return cut(r);
    if (to >= start)
        r->problems |= DNS_FORWARD;
    *pos = to;
    return true;
}

/* The label at pos, behind a '.' when it is not the first. Where the next one is; 0: nothing follows. */
static uint32_t copy_label(struct dns_reader *r, uint32_t pos, uint8_t *room, uint32_t *len)
{
    uint32_t n = r->message.p[pos], there = r->message.len - pos - 1, at = *len;
    bool whole = n <= there || cut(r);

    if (!whole)
        n = there;
    if (r->budget < n + 1) {
        r->problems |= DNS_EXPANDED;
        return 0;
    }
    if (at + 1 + n > DNS_NAME_MAX) {
        r->problems |= DNS_LONG;
        return 0;
    }
    r->budget -= n + 1;
    room[at] = '.';
    at += at > 0;
    if (n <= COPY_AT_ONCE && there >= COPY_AT_ONCE)
        memcpy(room + at, r->message.p + pos + 1,
               COPY_AT_ONCE); /* more than is needed, in two instructions */
    else
        memcpy(room + at, r->message.p + pos + 1, n);
    *len = at + n;
    return whole ? pos + n + 1 : 0;
}

bool dns_name(struct dns_reader *r, uint32_t *at, uint8_t *room, uint32_t *len)
{
    uint32_t pos = *at, start = *at, parts = 0;
    bool jumped = false;

    *len = 0;
    for (;;) {
        if (pos >= r->message.len)
            return cut(r);
        uint8_t kind = r->message.p[pos] & 0xc0;
        if (r->message.p[pos] == 0)
            break;
        if (++parts > DNS_LABELS_MAX) {
            r->problems |= jumped ? DNS_LOOP : DNS_LABELS;
            break;
        }
        if (kind == 0xc0) {
            if (r->budget < 2) {
                r->problems |= DNS_EXPANDED;
                return false;
            }
            r->budget -= 2;
            if (!jumped)
                *at = pos + 2;
            jumped = true;
            if (!follow(r, &pos, start))
                return false;
            start = pos;
        } else if (kind != 0) {
            return cut(r);
        } else {
            pos = copy_label(r, pos, room, len);
            if (pos == 0 && jumped && (r->problems & DNS_LONG))
                break; /* where it ends is known all the same */
            if (pos == 0)
                return false;
        }
    }
    if (!jumped) {
        if (parts > DNS_LABELS_MAX)
            return false;
        *at = pos + 1;
    }
    if (*len + 2 > NAME_WIRE_MAX)
        r->problems |= DNS_LONG;
    return true;
}

/* --- records ------------------------------------------------------------------------------------------------------- */

bool dns_begin(struct dns_reader *r, struct span message)
{
    *r = (struct dns_reader){.message = message, .at = DNS_HEADER};
    if (message.len < DNS_HEADER)
        return false;
    r->budget = message.len * DNS_EXPANSION_MAX + DNS_NAME_MAX;
    r->id = load_be16(message.p);
    r->flags = load_be16(message.p + 2);
    for (int i = 0; i < DNS_SECTIONS; i++)
        r->count[i] = load_be16(message.p + 4 + 2 * i);
    r->left = r->count[0];
    return true;
}

enum dns_next dns_next(struct dns_reader *r, struct dns_record *rec, uint8_t *room)
{
    while (r->left == 0) {
        if (r->section >= DNS_ADDITIONALS)
            return DNS_END;
        r->left = r->count[++r->section];
    }
    r->left--;
    rec->section = r->section;
    rec->type = rec->class = 0;
    rec->ttl = 0;
    rec->rdata = span_of(NULL, 0);
    rec->name = span_of(room, 0);
    if (r->at >= r->message.len) {
        cut(r);
        rec->name.p = NULL; /* nothing is there of it */
        return DNS_BROKEN;
    }
    bool whole = dns_name(r, &r->at, room, &rec->name.len);
    if (!whole)
        return DNS_BROKEN;
    uint32_t fixed = r->section == DNS_QUERIES ? 4 : 10;
    if (r->message.len - r->at < fixed) {
        cut(r);
        return DNS_BROKEN;
    }
    const uint8_t *p = r->message.p + r->at;
    rec->type = load_be16(p);
    rec->class = load_be16(p + 2);
    r->at += fixed;
    if (r->section == DNS_QUERIES)
        return DNS_RECORD;
    rec->ttl = load_be32(p + 4);
    uint32_t n = load_be16(p + 8);
    rec->rdata_at = r->at;
    rec->rdata = span_sub(r->message, r->at, n);
    if (rec->rdata.len < n) {
        cut(r);
        return DNS_BROKEN;
    }
    r->at += n;
    return DNS_RECORD;
}

enum { T_NS = 2, T_CNAME = 5, T_SOA = 6, T_PTR = 12, T_MX = 15, T_SRV = 33, T_DNAME = 39 };

uint32_t dns_rdata_name(uint16_t type)
{
    switch (type) {
    case T_NS:
    case T_CNAME:
    case T_SOA:
    case T_PTR:
    case T_DNAME:
        return 0;
    case T_MX:
        return 2;
    case T_SRV:
        return 6;
    default:
        return UINT32_MAX;
    }
}

/* --- what rules see ------------------------------------------------------------------------------------------------ */

enum { NONE = BUF_N };

/* By whose the name is; dns_query is of requests alone, and *.response.rrname is added for all names of responses. */
static const struct {
    uint8_t any[2], mdns;
} names_of[DNS_SECTIONS + 1] = {
    [DNS_QUERIES] = {{BUF_DNS_QUERIES, BUF_DNS_QUERY_NAME}, BUF_MDNS_QUERIES},
    [DNS_ANSWERS] = {{BUF_DNS_ANSWERS, BUF_DNS_ANSWER_NAME}, BUF_MDNS_ANSWERS},
    [DNS_AUTHORITIES] = {{BUF_DNS_AUTHORITIES, NONE}, BUF_MDNS_AUTHORITIES},
    [DNS_ADDITIONALS] = {{BUF_DNS_ADDITIONALS, NONE}, BUF_MDNS_ADDITIONALS},
    [DNS_SECTIONS] = {{NONE, NONE}, NONE},
};

static void put(struct app *a, struct app_tx *tx, uint8_t b, struct span name)
{
    if (b != NONE)
        app_put(a, tx, (enum buffer_id)b, name);
}

void dns_show(struct app *a, struct app_tx *tx, const struct dns_view *v)
{
    bool response = v->flags & DNS_QR;

    if (!v->header)
        return;
    if (!v->mdns) {
        app_put_number(a, tx, BUF_DNS_OPCODE, dns_opcode(v->flags));
        app_put_number(a, tx, BUF_DNS_RCODE, v->flags & 15);
        for (uint16_t i = 0; i < v->n_types; i++)
            app_put_number(a, tx, BUF_DNS_RRTYPE, v->type[i]);
    }
    for (uint16_t i = 0; i < v->n; i++) {
        uint8_t section = v->name[i].section;
        struct span name = v->name[i].name;

        if (v->mdns) {
            put(a, tx, names_of[section].mdns, name);
        } else {
            if (section == DNS_QUERIES && !response)
                put(a, tx, BUF_DNS_QUERY, name);
            put(a, tx, names_of[section].any[0], name);
            put(a, tx, names_of[section].any[1], name);
        }
        if (response)
            put(a, tx, v->mdns ? BUF_MDNS_RESPONSE : BUF_DNS_RESPONSE, name);
    }
}

/* Rules look at what is collected, and its room is free again. False when the packet was dropped. */
static bool look(struct app *a, struct app_tx *tx, struct dns_view *v, enum app_dir dir, bool end)
{
    dns_show(a, tx, v);
    bool goes_on = app_inspect(a, tx, dir, end);
    v->n = v->n_types = 0;
    v->used = 0;
    return goes_on;
}

/* Room for one more name, after rules have looked when there is none. NULL: the packet was dropped. */
static uint8_t *room_for_name(struct app *a, struct app_tx *tx, struct dns_view *v, enum app_dir dir)
{
    if ((v->n == DNS_NAMES_MAX || v->n_types == DNS_NAMES_MAX || v->used + DNS_ROOM > sizeof(v->text)) &&
        !look(a, tx, v, dir, false))
        return NULL;
    return v->text + v->used;
}

static void keep_name(struct dns_view *v, struct span name, uint8_t section)
{
    v->name[v->n].name = name;
    v->name[v->n++].section = section;
    v->used += name.len;
}

/* The hosts that a response's record names. False: the packet was dropped. */
static bool take_rdata(struct app *a, struct app_tx *tx, struct dns_view *v, struct dns_reader *r,
                       const struct dns_record *rec, enum app_dir dir)
{
    uint32_t in = dns_rdata_name(rec->type), at, len;

    if (in >= rec->rdata.len) /* nothing in it, as in updates (RFC 2136) */
        return true;
    at = rec->rdata_at + in;
    for (int n = rec->type == T_SOA ? 2 : 1; n > 0; n--) {
        uint8_t *room = room_for_name(a, tx, v, dir);

        if (!room)
            return false;
        bool whole = dns_name(r, &at, room, &len);
        keep_name(v, span_of(room, len), DNS_SECTIONS);
        if (whole && at > rec->rdata_at + rec->rdata.len)
            cut(r);
        if (!whole || at >= rec->rdata_at + rec->rdata.len)
            return true;
    }
    return true;
}

static const struct {
    uint8_t problem;
    enum anomaly event;
} events[] = {
    {DNS_LONG, AN_DNS_NAME_TOO_LONG},      {DNS_LOOP, AN_DNS_INFINITE_LOOP},
    {DNS_LABELS, AN_DNS_TOO_MANY_LABELS},  {DNS_FORWARD, AN_DNS_FORWARD_POINTER},
    {DNS_EXPANDED, AN_DNS_TOO_MANY_NAMES},
};

/* Which part of the message is broken: the first that is. */
static void say_problems(struct app *a, uint8_t problems, uint8_t cut_in)
{
    for (unsigned i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (problems & events[i].problem)
            app_event(a, events[i].event);
    if (problems & DNS_CUT)
        app_event(a, cut_in == DNS_ADDITIONALS   ? AN_DNS_INVALID_ADDITIONALS
                     : cut_in == DNS_AUTHORITIES ? AN_DNS_INVALID_AUTHORITIES
                                                 : AN_DNS_MALFORMED_DATA);
}

static void say_header(struct app *a, uint16_t flags, enum app_dir dir, bool mdns)
{
    if (!mdns && !!(flags & DNS_QR) != (dir == APP_TO_CLIENT))
        app_event(a, flags & DNS_QR ? AN_DNS_NOT_REQUEST : AN_DNS_NOT_RESPONSE);
    if (flags & DNS_Z)
        app_event(a, AN_DNS_Z_FLAG_SET);
    if (dns_opcode(flags) > 6)
        app_event(a, AN_DNS_INVALID_OPCODE);
}

bool dns_inspect(struct app *a, struct app_tx *tx, struct dns_view *v, struct span message, enum app_dir dir,
                 bool mdns)
{
    struct dns_reader r;
    struct dns_record rec;
    enum dns_next next;

    v->message = message;
    v->n = v->n_types = 0;
    v->used = 0;
    v->mdns = mdns;
    v->header = dns_begin(&r, message);
    v->flags = r.flags;
    if (!v->header) {
        app_event(a, AN_DNS_MALFORMED_DATA);
        return app_inspect(a, tx, dir, true);
    }
    say_header(a, r.flags, dir, mdns);
    bool response = r.flags & DNS_QR;
    do {
        uint8_t *room = room_for_name(a, tx, v, dir);

        if (!room)
            return false;
        next = dns_next(&r, &rec, room);
        if (next == DNS_END || !rec.name.p)
            break;
        keep_name(v, rec.name, rec.section);
        if (next == DNS_RECORD && rec.section == (response ? DNS_ANSWERS : DNS_QUERIES))
            v->type[v->n_types++] = rec.type;
        if (response && rec.rdata.len > 0 && !take_rdata(a, tx, v, &r, &rec, dir))
            return false;
    } while (next == DNS_RECORD);
    if (r.problems)
        say_problems(a, r.problems, r.cut_in);
    return look(a, tx, v, dir, true);
}
