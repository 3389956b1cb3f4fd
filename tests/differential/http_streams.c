/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures into turns (http_streams.h), through libpcap and the engine's own decoder. Test code: one thread, memory from
 * malloc, and a capture that is too odd for it aborts.
 */
#include "tests/differential/http_streams.h"

#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "ips/decode/decode.h"

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4 };

struct waiting { /* a segment behind a hole */
    struct waiting *next;
    uint32_t seq;
    size_t len;
    bool fin;
    uint8_t bytes[];
};

struct way {
    uint32_t next;
    bool known, ended;
    struct waiting *waiting;
};

struct connection {
    struct stream_flow flow; /* the first member */
    struct addr addr[2];     /* of the client, of the server */
    uint16_t port[2];
    struct way way[2]; /* by who sends: the client, the server */
    bool over;
};

static void *get(void *p)
{
    if (!p)
        abort();
    return p;
}

static struct connection *of(struct stream_flow *f)
{
    return (struct connection *)(void *)f;
}

/* --- turns ----------------------------------------------------------------------------------------------------------- */

static struct turn *turn_of(struct stream_flow *f, uint8_t dir)
{
    struct turn *last = f->n_turns > 0 ? &f->turns[f->n_turns - 1] : NULL;

    if (last && last->dir == dir && !last->end)
        return last;
    f->turns = get(realloc(f->turns, (f->n_turns + 1) * sizeof(*f->turns)));
    f->turns[f->n_turns] = (struct turn){.dir = dir};
    return &f->turns[f->n_turns++];
}

static void add(struct stream_flow *f, uint8_t dir, const uint8_t *p, size_t len)
{
    struct turn *t = turn_of(f, dir);

    if (t->cap - t->len < len) {
        t->cap = 2 * t->cap + len + 256;
        t->p = get(realloc(t->p, t->cap));
    }
    memcpy(t->p + t->len, p, len);
    t->len += len;
}

static void finish(struct connection *c, uint8_t dir)
{
    if (!c->way[dir].ended)
        turn_of(&c->flow, dir)->end = true;
    c->way[dir].ended = true;
}

/* --- segments -------------------------------------------------------------------------------------------------------- */

static bool take_segment(struct connection *c, uint8_t dir, uint32_t seq, const uint8_t *p, size_t len,
                         bool fin)
{
    struct way *w = &c->way[dir];
    int32_t ahead = (int32_t)(seq - w->next);

    if (ahead > 0)
        return false;
    if ((size_t) - (int64_t)ahead < len) {
        size_t known = (size_t) - (int64_t)ahead;

        add(&c->flow, dir, p + known, len - known);
        w->next = seq + (uint32_t)len;
    }
    if (fin)
        finish(c, dir);
    return true;
}

static void take_waiting(struct connection *c, uint8_t dir)
{
    struct waiting **link = &c->way[dir].waiting;

    while (*link && !c->way[dir].ended) {
        struct waiting *w = *link;

        if (!take_segment(c, dir, w->seq, w->bytes, w->len, w->fin)) {
            link = &w->next;
            continue;
        }
        *link = w->next;
        free(w);
        link = &c->way[dir].waiting;
    }
}

static void wait_for(struct connection *c, uint8_t dir, uint32_t seq, const uint8_t *p, size_t len, bool fin)
{
    struct waiting **link = &c->way[dir].waiting;
    struct waiting *w = get(malloc(sizeof(*w) + len));

    *w = (struct waiting){.seq = seq, .len = len, .fin = fin};
    memcpy(w->bytes, p, len);
    while (*link && (int32_t)((*link)->seq - seq) <= 0)
        link = &(*link)->next;
    w->next = *link;
    *link = w;
}

/* --- packets --------------------------------------------------------------------------------------------------------- */

static bool same_addr(const struct addr *a, const struct addr *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static struct connection *find(struct stream_flow *all, const struct packet *p, uint8_t *dir)
{
    for (struct stream_flow *f = all; f; f = f->next) {
        struct connection *c = of(f);

        for (*dir = 0; *dir < 2; (*dir)++)
            if (p->sport == c->port[*dir] && p->dport == c->port[!*dir] &&
                same_addr(&p->src, &c->addr[*dir]) && same_addr(&p->dst, &c->addr[!*dir]))
                return c;
    }
    return NULL;
}

/* Who opens is the client; in the middle of a connection, who does not answer. */
static struct connection *new_connection(struct stream_flow **all, const struct packet *p, uint8_t *dir)
{
    const uint8_t *bytes = p->data + p->payload_off;
    bool syn_ack = (p->tcp_flags & (TCP_SYN | 0x10)) == (TCP_SYN | 0x10);
    bool answers = syn_ack || (p->payload_len >= 5 && memcmp(bytes, "HTTP/", 5) == 0);
    struct connection *c = get(calloc(1, sizeof(*c)));

    *dir = answers;
    c->addr[*dir] = p->src;
    c->addr[!*dir] = p->dst;
    c->port[*dir] = p->sport;
    c->port[!*dir] = p->dport;
    c->flow.server_port = c->port[1];
    c->flow.number = *all ? (*all)->number + 1 : 1;
    c->flow.next = *all;
    *all = &c->flow;
    return c;
}

static void take_packet(struct stream_flow **all, const struct packet *p)
{
    bool first = (p->tcp_flags & (TCP_SYN | 0x10)) == TCP_SYN;
    uint8_t dir;

    if (!(p->flags & PKT_HAS_L4) || (p->flags & PKT_MALFORMED) || p->ip_proto != 6)
        return;
    struct connection *c = find(*all, p, &dir);
    if (c && first && c->over)
        c = NULL; /* the ports are used anew */
    if (!c)
        c = new_connection(all, p, &dir);
    struct way *w = &c->way[dir];
    uint32_t seq = p->tcp_seq;
    if (p->tcp_flags & TCP_SYN)
        seq++;
    if (!w->known) {
        w->known = true;
        w->next = seq;
    }
    if (w->ended)
        return;
    bool fin = (p->tcp_flags & TCP_FIN) != 0;
    if (p->tcp_flags & TCP_RST) {
        c->over = true;
        finish(c, 0);
        finish(c, 1);
        return;
    }
    const uint8_t *bytes = p->data + p->payload_off;
    if (!take_segment(c, dir, seq, bytes, p->payload_len, fin)) {
        if (p->payload_len > 0 || fin)
            wait_for(c, dir, seq, bytes, p->payload_len, fin);
        return;
    }
    take_waiting(c, dir);
    c->over = c->way[0].ended && c->way[1].ended;
}

/* --- captures -------------------------------------------------------------------------------------------------------- */

static int link_of(int dlt)
{
    static const int rows[][2] = {
        {DLT_EN10MB, LINK_ETHERNET}, {DLT_RAW, LINK_RAW},   {DLT_IPV4, LINK_RAW},  {DLT_LINUX_SLL, LINK_SLL},
        {DLT_LINUX_SLL2, LINK_SLL2}, {DLT_NULL, LINK_NULL}, {DLT_LOOP, LINK_NULL}, {DLT_PPP, LINK_PPP},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i][0] == dlt)
            return rows[i][1];
    return -1;
}

static struct stream_flow *in_order(struct stream_flow *last)
{
    struct stream_flow *first = NULL;

    while (last) {
        struct stream_flow *before = last->next;

        last->next = first;
        first = last;
        last = before;
    }
    return first;
}

struct stream_flow *streams_read(const char *path, const char **why)
{
    static char said[PCAP_ERRBUF_SIZE];
    static struct packet_pool pool;
    struct decode_config cfg = {.n_ports = 4, .ports = DECODE_PORTS_DEFAULT, .pool = &pool};
    struct counters counters = {0};
    struct stream_flow *all = NULL;
    struct pcap_pkthdr *h;
    const u_char *bytes;
    pcap_t *in = pcap_open_offline(path, said);

    *why = in ? NULL : said;
    int link = in ? link_of(pcap_datalink(in)) : -1;
    while (link >= 0 && pcap_next_ex(in, &h, &bytes) == 1) {
        struct packet p = {.len = h->caplen, .orig_len = h->len, .link = (uint8_t)link};
        const struct packet *in_it = &p;

        p.data = get(malloc(h->caplen + 1));
        memcpy(p.data, bytes, h->caplen);
        pool.used = 0;
        decode_burst(&p, 1, &cfg, &counters);
        while (in_it->inner)
            in_it = in_it->inner;
        take_packet(&all, in_it);
        free(p.data);
    }
    if (in)
        pcap_close(in);
    for (struct stream_flow *f = all; f; f = f->next)
        for (uint8_t dir = 0; dir < 2; dir++) /* the capture's end is the connection's */
            finish(of(f), dir);
    return in_order(all);
}

void streams_free(struct stream_flow *f)
{
    while (f) {
        struct stream_flow *next = f->next;

        for (size_t i = 0; i < f->n_turns; i++)
            free(f->turns[i].p);
        free(f->turns);
        for (int dir = 0; dir < 2; dir++)
            for (struct waiting *w = of(f)->way[dir].waiting, *after; w; w = after) {
                after = w->next;
                free(w);
            }
        free(f);
        f = next;
    }
}
