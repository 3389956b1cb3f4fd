/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prefilter: one Hyperscan scan over each buffer for the fast patterns of all rules that its protocol and direction
 * can match, one lookup for each address, and the list of rules that have neither.
 *
 * Hyperscan reports patterns in the order of their ends in the data; rules must be confirmed in the order of
 * their rank, and once. A bitmap over rules takes the duplicates out; the list is then sorted, by insertion while it
 * is short, as it nearly always is, and by reading the bitmap in order when it is long. A rule behind a pattern
 * becomes a candidate only when the facts that the table names for it hold: a word read beside its index, and not
 * a rule fetched from memory.
 *
 * A segment that adds to a stream is searched once for packet rules and for stream rules. A pattern may begin in the
 * segments before it: so the stream's last FRONT_BYTES are put in front of the payload, over the headers, for as long as the
 * scan takes. Measured with a public rule set and full-size segments (tests/bench/bench_stream.c), that costs 5 % of
 * the scan; a second scan over the seam 10 to 20 %, Hyperscan's vectored mode as much; its streaming mode as little,
 * but with a state of 100 to 260 bytes for each direction of each flow. Expressions whose matches may be longer
 * than that are searched for in the whole window, and so is everything when it is not known what was found before
 * (late.c).
 *
 * A scan that fails (it cannot, with a scratch made for this database) must not blind the rules: then all rules
 * with a pattern in this buffer are candidates, which is slow and right.
 *
 * Worker thread. Writes only this worker's scratch, bitmap and list, which the ruleset keeps for it.
 */
#include "ips/detect/prefilter.h"

#include <string.h>

#define INSERTION_SORT_MAX 48
/* That stand before a segment when it is searched: a pattern of FAST_PATTERN_MAX bytes (rules/fastpattern.c) that
 * ends with its first byte. Every TCP header with its IP header is longer, so there is room. */
#define FRONT_BYTES 31
#define SEAM_BYTES  (2 * FRONT_BYTES)

struct run {
    const uint32_t *first; /* of the patterns in hand: see struct prefilter */
    const struct rule_ref *refs;
    uint32_t facts;
    uint64_t *seen;
    uint32_t *candidates;
    uint32_t n;
    const struct prefilter *pf; /* of the buffer in hand */
    hs_scratch_t *scratch;
    struct counters *c;
};

/* False when it is one already. */
static bool add(struct run *r, uint32_t rule)
{
    uint64_t bit = 1ull << (rule % 64);

    if (r->seen[rule / 64] & bit)
        return false;
    r->seen[rule / 64] |= bit;
    r->candidates[r->n++] = rule;
    return true;
}

static void add_list(struct run *r, const struct rule_list *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        add(r, l->v[i]);
}

static void add_refs(struct run *r, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if ((r->refs[i].gate & ~r->facts) == 0)
            add(r, r->refs[i].rule);
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *ctx)
{
    struct run *r = ctx;

    add_refs(r, r->first[id], r->first[id + 1]);
    return 0;
}

/* The n patterns of one database. */
static void scan(struct run *r, const hs_database_t *db, struct span bytes, uint32_t n)
{
    if (db != NULL && hs_scan(db, (const char *)bytes.p, bytes.len, 0, r->scratch, on_match, r) != HS_SUCCESS)
        add_refs(r, r->first[0], r->first[n]);
}

static void add_refs_of_all(struct run *r)
{
    r->refs = r->pf->refs;
    add_refs(r, r->pf->first[0], r->pf->first[r->pf->n_patterns]);
}

static void scan_literals(struct run *r, struct span bytes)
{
    r->first = r->pf->first;
    r->refs = r->pf->refs;
    scan(r, r->pf->db, bytes, r->pf->n_literals);
}

static void scan_expressions(struct run *r, struct span bytes)
{
    r->refs = r->pf->refs;
    r->first = r->pf->first + r->pf->n_literals;
    scan(r, r->pf->exprs, bytes, r->pf->n_patterns - r->pf->n_literals);
}

static void scan_all(struct run *r, struct span bytes)
{
    if (bytes.len == 0)
        return;
    scan_literals(r, bytes);
    scan_expressions(r, bytes);
}

static void begin(struct run *r, const struct scan *s, struct span bytes)
{
    add_list(r, &s->candidates);
    r->pf = s->pf;
    if (s->pf == NULL || bytes.len == 0)
        return;
    counter_add(r->c, CTR_DETECT_SCANS, 1);
    counter_add(r->c, CTR_DETECT_SCAN_BYTES, bytes.len);
}

static void look_into(struct run *r, const struct scan *s, struct span bytes)
{
    begin(r, s, bytes);
    if (s->pf != NULL)
        scan_all(r, bytes);
}

/* --- streams -------------------------------------------------------------------------------------------------------- */

static struct span last_bytes(struct span s, uint32_t n)
{
    return s.len > n ? span_sub(s, s.len - n, n) : s;
}

/* At most FRONT_BYTES, and nearly always as many: then it is two moves. */
static void copy_front(uint8_t *to, const uint8_t *from, uint32_t n)
{
    if (n == FRONT_BYTES)
        memcpy(to, from, FRONT_BYTES);
    else if (n > 0)
        memcpy(to, from, n);
}

/* What may begin in front of new bytes and end in them. */
static struct span seam(uint8_t bytes[SEAM_BYTES], struct span front, struct span new)
{
    struct span next = span_sub(new, 0, FRONT_BYTES);

    memcpy(bytes, front.p, front.len);
    memcpy(bytes + front.len, next.p, next.len);
    return span_of(bytes, front.len + next.len);
}

/* A segment, searched where it lies, with the stream's last bytes before it put over its headers as long as that takes. */
static void scan_in_frame(struct run *r, const struct sight *s)
{
    const struct packet *p = s->p;
    struct span front = last_bytes(sight_before_payload(s), FRONT_BYTES), all;
    uint8_t kept[FRONT_BYTES], *at;

    if (front.len > p->payload_off) { /* no TCP header is so short: but rules must not go blind */
        add_refs_of_all(r);
        return;
    }
    at = p->data + p->payload_off - front.len;
    all = span_of(at, front.len + p->payload_len);
    copy_front(kept, at, front.len);
    copy_front(at, front.p, front.len);
    scan_literals(r, all);
    copy_front(at, kept, front.len);
}

/* Bytes in the stream's memory, with those before them. */
static void scan_in_memory(struct run *r, const struct sight *s)
{
    const struct stream_view *v = s->view;
    struct span front = last_bytes(v->tail, FRONT_BYTES), all = v->fresh;
    uint8_t bytes[SEAM_BYTES];

    if (front.len > 0 && front.p + front.len == v->fresh.p)
        all = span_of(front.p, front.len + v->fresh.len);
    else if (front.len > 0)
        scan_literals(r, seam(bytes, front, v->fresh));
    scan_literals(r, all);
}

/*
 * Expressions, of which one's match may hang on one byte before and behind it. The packet is searched by itself for
 * rules about packets, because its first byte means something to them; where matches are short, the stream needs no more
 * than the seam in front of it.
 */
static void scan_expressions_in_stream(struct run *r, struct sight *s)
{
    const struct stream_view *v = s->view;
    struct span payload = packet_payload(s->p), new = v->in_frame ? payload : v->fresh;
    struct span front = last_bytes(v->in_frame ? sight_before_payload(s) : v->tail, FRONT_BYTES);
    uint8_t bytes[SEAM_BYTES];

    if (r->pf->exprs == NULL)
        return;
    scan_expressions(r, payload);
    if (r->pf->exprs_longest >= FRONT_BYTES - 1 && v->tail.len > 0) {
        sight_window(s);
        scan_expressions(r, s->window);
        return;
    }
    if (!v->in_frame)
        scan_expressions(r, new);
    if (front.len > 0)
        scan_expressions(r, seam(bytes, front, new));
}

/* The payload of a segment that brings new bytes: what packet rules look into, and what stream rules do. */
static void look_into_stream(struct run *r, const struct scan *s, const struct prefilter_hints *h)
{
    struct span payload = packet_payload(h->sight->p);
    const struct stream_view *v = h->sight->view;

    begin(r, s, v->in_frame ? payload : v->fresh);
    if (s->pf == NULL)
        return;
    if (h->whole_window && v->tail.len > 0) {
        sight_window(h->sight);
        scan_all(r, h->sight->window);
        scan_all(r, payload);
        return;
    }
    if (v->in_frame)
        scan_in_frame(r, h->sight);
    else
        scan_in_memory(r, h->sight);
    if (!sight_covers_payload(h->sight))
        scan_literals(r, payload);
    scan_expressions_in_stream(r, h->sight);
}

/* A buffer that is made of the payload: made of the window, too. */
static void look_into_made(struct run *r, const struct scan *s, struct eval *e, struct sight *sight)
{
    struct span payload = e->buf[BUF_PAYLOAD], bytes;

    sight_window(sight);
    eval_look_at(e, sight->window, sight->origin, sight->fresh_at);
    bytes = eval_buffer(e, (uint16_t)s->slot);
    if (bytes.p != NULL)
        look_into(r, s, bytes);
    eval_look_at(e, payload, 0, 0);
}

/* --- candidates ------------------------------------------------------------------------------------------------------ */

static void sort_by_insertion(uint32_t *v, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        uint32_t x = v[i], j = i;

        for (; j > 0 && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

/* Reads the set bits from the lowest word to the highest; clears them. */
static void sort_by_bitmap(uint64_t *seen, uint32_t *v, uint32_t n)
{
    uint32_t lo = UINT32_MAX, hi = 0, out = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t word = v[i] / 64;

        lo = word < lo ? word : lo;
        hi = word > hi ? word : hi;
    }
    for (uint32_t word = lo; word <= hi; word++) {
        for (uint64_t bits = seen[word]; bits; bits &= bits - 1)
            v[out++] = word * 64 + (uint32_t)__builtin_ctzll(bits);
        seen[word] = 0;
    }
}

static void sort(struct run *r)
{
    if (r->n > INSERTION_SORT_MAX) {
        sort_by_bitmap(r->seen, r->candidates, r->n);
        return;
    }
    for (uint32_t i = 0; i < r->n; i++)
        r->seen[r->candidates[i] / 64] = 0;
    sort_by_insertion(r->candidates, r->n);
}

static void look(struct run *r, const struct scan *s, struct eval *e, const struct prefilter_hints *h)
{
    bool stream = h->sight != NULL && h->sight->view != NULL;
    struct span bytes = eval_buffer(e, (uint16_t)s->slot);

    if (stream && s->slot == BUF_PAYLOAD) {
        look_into_stream(r, s, h);
        return;
    }
    if (bytes.p != NULL)
        look_into(r, s, bytes);
    if (stream && s->slot >= BUF_N && e->transformed[s->slot - BUF_N].base == BUF_PAYLOAD)
        look_into_made(r, s, e, h->sight);
}

void prefilter_run(const struct ruleset *rs, const struct ruleset_worker *w, struct eval *e,
                   const struct prefilter_hints *hints, struct candidates *out, struct counters *c)
{
    const struct facts *f = e->facts;
    enum rule_proto proto = ruleset_proto_of(f);
    const struct scan_list *scans = &rs->scans[proto][f->flags & FACT_TO_CLIENT ? 1 : 0];
    const struct rule_list *always =
        &rs->always->lists[rs->always->list[proto][ruleset_always_key(f, hints->ip_only_done)]];
    uint32_t only_late = 0;
    struct run r = {
        .facts = f->flags, .seen = w->seen, .candidates = w->candidates, .scratch = w->scratch, .c = c};

    for (uint32_t i = 0; i < scans->n_packet; i++)
        look(&r, &scans->v[i], e, hints);
    for (uint32_t i = 0; i < hints->n_late; i++)
        only_late |= (uint32_t)add(&r, hints->late[i]) << i;
    add_list(&r, iplist_lookup(&rs->ip_each, IPLIST_SRC, f->src));
    add_list(&r, iplist_lookup(&rs->ip_each, IPLIST_DST, f->dst));
    if (!hints->ip_only_done) {
        add_list(&r, iplist_lookup(&rs->ip_once, IPLIST_SRC, f->src));
        add_list(&r, iplist_lookup(&rs->ip_once, IPLIST_DST, f->dst));
    }
    if (f->anomalies != NULL && anomaly_any(f->anomalies))
        add_list(&r, &rs->anomalous);
    sort(&r);
    *out = (struct candidates){r.candidates, always->v, r.n, always->n, only_late};
}

/* --- transactions --------------------------------------------------------------------------------------------------- */

/* What of an instance is to be searched: new bytes, and those in front of them where a pattern may begin. */
static struct span unseen(const struct run *r, const struct app_view *v, uint32_t b, struct span bytes,
                          bool all)
{
    uint32_t from = v->fresh_at[b];
    bool far = r->pf && r->pf->exprs && r->pf->exprs_longest >= FRONT_BYTES - 1;

    if (all || from <= FRONT_BYTES || far)
        return bytes;
    return span_sub(bytes, from - FRONT_BYTES, bytes.len);
}

static void look_into_instances(struct run *r, const struct scan *s, struct eval *e, const struct app_view *v,
                                bool all)
{
    uint32_t b = slot_base(e->transformed, s->slot);

    add_list(r, &s->candidates);
    r->pf = s->pf;
    if (s->pf == NULL)
        return;
    for (uint16_t i = v->first[b]; i; i = v->instance[i - 1].next) {
        struct span bytes = v->instance[i - 1].bytes;

        if (!all && !v->instance[i - 1].fresh)
            continue;
        if (s->slot >= BUF_N) {
            eval_buffer_set(e, (uint16_t)b, bytes);
            bytes = eval_buffer(e, (uint16_t)s->slot);
        } else {
            bytes = unseen(r, v, b, bytes, all);
        }
        if (bytes.p == NULL || bytes.len == 0)
            continue;
        counter_add(r->c, CTR_DETECT_SCANS, 1);
        counter_add(r->c, CTR_DETECT_SCAN_BYTES, bytes.len);
        scan_all(r, bytes);
    }
}

void prefilter_run_point(const struct ruleset *rs, const struct ruleset_worker *w, struct eval *e,
                         const struct prefilter_point *point, struct candidates *out, struct counters *c)
{
    const struct facts *f = e->facts;
    const struct scan_list *scans = &rs->scans[ruleset_proto_of(f)][f->flags & FACT_TO_CLIENT ? 1 : 0];
    const struct app_view *v = point->view;
    const uint64_t *look_at = point->memo->all ? v->set : v->fresh;
    struct run r = {
        .facts = f->flags, .seen = w->seen, .candidates = w->candidates, .scratch = w->scratch, .c = c};

    for (uint32_t i = scans->n_packet; i < scans->n; i++) {
        const struct scan *s = &scans->v[i];
        uint32_t b = slot_base(rs->transformed, s->slot);

        if (look_at[b / 64] >> b % 64 & 1)
            look_into_instances(&r, s, e, v, point->memo->all);
    }
    for (uint32_t i = 0; i < point->memo->n; i++)
        if (!(point->memo->rule[i] & MEMO_DONE) && point->memo->rule[i] < rs->n_rules)
            add(&r, point->memo->rule[i]);
    for (uint32_t i = 0; i < point->n_wanted; i++)
        add(&r, point->wanted[i]);
    if (f->anomalies != NULL && anomaly_any(f->anomalies))
        add_list(&r, &rs->anomalous);
    sort(&r);
    *out = (struct candidates){.found = r.candidates, .n_found = r.n};
}

void prefilter_run_anomalous(const struct ruleset *rs, struct candidates *out)
{
    *out = (struct candidates){NULL, rs->anomalous.v, 0, rs->anomalous.n, 0};
}
