/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bridge changes daemons: what the one that goes does to it (pause, say what it is and where its frames are, or go on
 * after all), and what the one that comes does (compare, adopt, run). The story is in handover.c.
 *
 * Frames that are neither free nor in a ring are in a worker's hand: fragments whose datagram is not whole. They are
 * handed over as they came, and the next daemon puts them together again. Frames between two workers are brought home
 * first. So every frame has a place in the state, and the sum says whether one is missing.
 *
 * Runs in the control thread of the one daemon and the main thread of the other, while no worker runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/bridge.h"
#include "ips/handover.h"
#include "ips/supervise.h"

/* --- what must be equal ----------------------------------------------------------------------------------------- */

json_t *bridge_facts(const struct bridge *b)
{
    const struct bridge_config *c = b->cfg;

    return json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:i, s:b, s:b, s:i}", "name", c->name, "interfaces 1",
                     c->interfaces[0], "interfaces 2", c->interfaces[1], "workers", (int)b->n_workers,
                     "ring_size", (json_int_t)c->ring_size, "frames", (json_int_t)c->frames, "mode",
                     (int)c->mode, "force_copy", c->force_copy, "keep_offloads", c->keep_offloads,
                     "busy_poll", (int)c->busy_poll);
}

int bridge_facts_same(const struct bridge_config *cfg, const json_t *facts, struct err *e)
{
    struct bridge b = {.cfg = cfg};
    json_t *wanted, *want;
    const char *name, *differs = NULL;

    b.n_workers = cfg->queues ? cfg->queues : (uint32_t)json_integer_value(json_object_get(facts, "workers"));
    wanted = bridge_facts(&b);
    json_object_foreach(wanted, name, want) if (!differs && !json_equal(want, json_object_get(facts, name)))
        differs = name;
    if (differs || !wanted) {
        err_set(e, -ESTALE, "bridge %s: its %s is not what the running daemon has", cfg->name,
                differs ? differs : "configuration");
        err_remedy(e, "this takes a restart, with the fail policy meanwhile; or leave it as it was");
    }
    json_decref(wanted);
    return differs || !wanted ? -ESTALE : 0;
}

/* --- the one that goes ------------------------------------------------------------------------------------------ */

/* Frames on their way from one worker to another. Those they complete may go on to a third, but never back. */
static void bring_home(struct bridge *b)
{
    unsigned n = 1;

    while (b->handoff && n > 0) {
        n = 0;
        for (uint32_t w = 0; w < b->n_workers; w++)
            while (handoff_pending(b->handoff, w))
                n += worker_take_handed(b->workers[w]);
    }
}

int bridge_may_leave(const struct bridge *b, struct err *e)
{
    const char *why = !xdp_pinned(b->xdp) ? "it is not pinned" : b->broken ? "it has no sockets now" : NULL;

    for (int side = 0; side < 2 && !why; side++)
        if (b->side[side].gone || strcmp(b->side[side].ifname, b->cfg->interfaces[side]) != 0)
            why = "an interface is gone, or has another name than in the configuration";
    if (!why)
        return 0;
    err_set(e, -ENOTSUP, "bridge %s cannot be handed over: %s", b->cfg->name, why);
    return err_remedy(e, "mend that first, or restart ipsd"), -ENOTSUP;
}

void bridge_pause(struct bridge *b)
{
    bridge_join_workers(b, WORKER_PAUSE);
    b->n_started = 0;
    bring_home(b);
    for (uint32_t w = 0; w < b->n_workers; w++)
        for (int side = 0; side < 2; side++)
            port_service(b->workers[w]->port[side]);
    umem_empty_depot(b->umem);
}

int bridge_resume(struct bridge *b, struct err *e)
{
    for (uint32_t w = 0; w < b->n_workers; w++)
        pulse_hold(&b->workers[w]->pulse,
                   WORKER_PAUSE_NS); /* what crossed meanwhile they still have to find out */
    return bridge_run_workers(b, e);
}

size_t bridge_frames_bytes(const struct bridge *b)
{
    struct umem_totals t;

    umem_totals(b->umem, &t);
    return handover_state_bytes((uint32_t)t.size, b->n_workers);
}

struct held_list {
    struct handover_frame *v;
    uint32_t n, max;
};

static void add_held(const struct packet *frame, void *arg)
{
    struct held_list *l = arg;

    if (l->n < l->max)
        l->v[l->n] = (struct handover_frame){
            .umem_addr = frame->umem_addr, .len = frame->len, .in_port = frame->in_port, .link = frame->link};
    l->n++;
}

int bridge_frames_write(struct bridge *b, void *memory, size_t *bytes, struct err *e)
{
    struct handover_writer w;
    struct umem_totals t;
    uint64_t n = 0;
    struct held_list held = {.n = 0};

    umem_totals(b->umem, &t);
    held.max = (uint32_t)t.size;
    held.v = malloc(held.max * sizeof(*held.v));
    handover_state_begin(&w, memory, (uint32_t)t.size, b->n_workers);
    for (uint32_t i = 0; held.v && i < b->n_workers; i++) {
        struct worker *k = b->workers[i];
        struct handover_worker s = {.n_free =
                                        frame_cache_read(umem_cache(b->umem, i), handover_state_free(&w))};

        held.n = 0;
        defrag_each_held(k->defrag, add_held, &held);
        s.held = held.v;
        s.n_held = held.n;
        n += s.n_free + s.n_held;
        for (int side = 0; side < 2; side++) {
            port_held(k->port[side], &s.port[side]);
            n += s.port[side].fill + s.port[side].tx;
        }
        if (n > t.size)
            break;
        handover_state_add(&w, &s);
    }
    *bytes = (size_t)(w.at - (uint8_t *)memory);
    if (!held.v)
        return err_set(e, -ENOMEM, "no memory for a list of frames");
    free(held.v);
    if (n == t.size)
        return 0;
    return err_set(e, -EPROTO, "bridge %s: %llu of %llu frames were found; nothing is handed over",
                   b->cfg->name, (unsigned long long)n, (unsigned long long)t.size);
}

/* --- the one that comes ----------------------------------------------------------------------------------------- */

static int adopt_held(struct worker *w, struct umem *u, const struct handover_worker *s)
{
    w->adopted = calloc(s->n_held + 1, sizeof(*w->adopted));
    if (!w->adopted)
        return -ENOMEM;
    for (uint32_t i = 0; i < s->n_held; i++) {
        const struct handover_frame *f = &s->held[i];

        w->adopted[i] = (struct packet){.data = umem_at(u, f->umem_addr),
                                        .umem_addr = f->umem_addr,
                                        .len = f->len,
                                        .orig_len = f->len,
                                        .in_port = f->in_port,
                                        .link = f->link,
                                        .handed = true}; /* the other daemon has inspected it */
    }
    w->n_adopted = s->n_held;
    return 0;
}

int bridge_frames_adopt(struct bridge *b, const void *state, size_t bytes, struct err *e)
{
    struct handover_worker *s = calloc(b->n_workers, sizeof(*s));
    struct umem_totals t;
    int rc;

    umem_totals(b->umem, &t);
    if (!s)
        return err_set(e, -ENOMEM, "no memory to take over %u workers", b->n_workers);
    rc = handover_state_read(state, bytes, (uint32_t)t.size, b->n_workers, b->cfg->ring_size, s, e);
    for (uint32_t i = 0; i < b->n_workers && rc == 0; i++) {
        struct worker *w = b->workers[i];
        struct frame_counts c = {.held = s[i].n_held};

        for (int side = 0; side < 2; side++) {
            port_resume(w->port[side], s[i].port[side]);
            c.fill += s[i].port[side].fill;
            c.tx += s[i].port[side].tx;
        }
        frame_cache_adopt(umem_cache(b->umem, i), s[i].free, s[i].n_free, c);
        pulse_start(&w->pulse); /* the beat lies ahead, and stays there until the worker's own */
        if (adopt_held(w, b->umem, &s[i]))
            rc = err_set(e, -ENOMEM, "no memory for %u fragments", s[i].n_held);
    }
    free(s);
    return rc;
}

/* Workers run already: the program steers to the same sockets as before, and nothing it reads had to change for them. */
int bridge_succeed(struct bridge *b, const struct config *cfg, uint64_t since_ns, struct err *e)
{
    struct xdp_config xc;

    b->started = true;
    supervise_add(b);
    bridge_xdp_config(b, cfg, &xc);
    if (xdp_succeed(b->xdp, &xc, e) || xdp_attach(b->xdp, e))
        return e->code;
    flowcache_inherit(&b->cache, since_ns, b->cache_grace_ns);
    return 0;
}
