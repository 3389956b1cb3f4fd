/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Builds a bridge from its configuration, runs it, and takes it down again.
 *
 * Order up: kernel program, interfaces, UMEM, one pair of sockets and one worker per queue, threads, socket
 * map, attach. Order down is the reverse, with one rule of its own: sockets leave the map before the workers
 * stop, so that frames which still arrive follow the fail policy and those already in a ring are inspected
 * and sent. Runs in the control thread. Owns everything in struct bridge; workers borrow.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "ips/app/expect.h"
#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/bridge.h"
#include "ips/control/strikes.h"
#include "ips/log/engine.h"
#include "ips/sandbox.h"
#include "ips/supervise.h"
#include "ips/worker_setup.h"

/* The verdict cache's, of STEER_WAYS flows each. */
static uint32_t flow_buckets(const struct bridge *b)
{
    uint32_t n = 1;

    while (n * STEER_WAYS < b->cfg->flow_cache_size)
        n *= 2;
    return n;
}

static void say_takeover(const struct bridge *b)
{
    struct steer_life life;
    bool crashed = xdp_life(b->xdp, &life);

    if (life.starts > 1)
        engine_event("takeover", b->cfg->name,
                     json_pack("{s:b, s:b, s:I, s:I}", "attached", xdp_taken(b->xdp), "crashed", crashed,
                               "starts", (json_int_t)life.starts, "crashes", (json_int_t)life.crashes));
}

void bridge_xdp_config(const struct bridge *b, const struct config *cfg, struct xdp_config *xc)
{
    *xc = (struct xdp_config){.ifname = {b->cfg->interfaces[0], b->cfg->interfaces[1]},
                              .fail_policy = b->cfg->fail,
                              .mode = b->cfg->mode,
                              .pin_dir = cfg->pin_dir[0] ? cfg->pin_dir : NULL,
                              .bridge = b->cfg->name,
                              .owner = sandbox_uid(cfg->user),
                              .heartbeat_ns = *b->cfg->heartbeat_ms * NS_PER_MS,
                              .rates = cfg->guard.sources,
                              .flow_buckets = flow_buckets(b),
                              .crash_limit = cfg->force ? 0 : cfg->crash_limit};
}

static int open_xdp(struct bridge *b, const struct config *cfg, const struct bridge_heirloom *heirloom,
                    struct err *e)
{
    struct xdp_config xc;

    bridge_xdp_config(b, cfg, &xc);
    xc.pins_fd = heirloom ? &heirloom->pins_fd : NULL;
    for (int i = 0; i < 2; i++)
        if (nic_lookup(xc.ifname[i], &xc.ifindex[i], e))
            return e->code;
    b->xdp = xdp_open(&xc, e);
    if (!b->xdp)
        return e->code;
    xdp_memory(b->xdp, &b->memory);
    flowcache_init(&b->cache, b->memory.flows, b->memory.keys, b->memory.flow_buckets, b->memory.secret);
    b->cache_grace_ns = cfg->flow.udp_established_s * NS_PER_S;
    struct steer_strike strikes[STEER_STRIKES_MAX];
    int n = xdp_strikes(b->xdp, strikes, e);
    if (n > 0)
        strikes_learn(strikes, (unsigned)n); /* rules and parsers of what is made from here on */
    if (!heirloom)
        say_takeover(b);
    return n < 0 ? n : 0;
}

/* An earlier daemon set the interface up and did not put it back: what it was before that is what it will be after us. */
int bridge_open_nic(struct bridge *b, int side, struct nic_config *nc, struct err *e)
{
    struct steer_was was = {0};
    struct nic *nic;
    uint32_t ifindex = 0;

    nc->was = NULL;
    if (xdp_was_read(b->xdp, (uint32_t)side, &was) == 0 && nic_packed_ifindex(&was) != 0) {
        if (nic_lookup(nc->ifname, &ifindex, e) == 0 && ifindex == nic_packed_ifindex(&was))
            nc->was = &was;
        else if (nic_put_back(&was, e)) /* of another configuration */
            log_err(LOG_LEVEL_WARNING, "io", e);
    }
    nic = nic_open(nc, e);
    nc->was = NULL;
    if (!nic)
        return e->code;
    nic_pack(nic, &was);
    pthread_mutex_lock(&b->lock);
    b->nic[side] = nic;
    pthread_mutex_unlock(&b->lock);
    int rc = xdp_was_write(b->xdp, (uint32_t)side, &was);
    return rc ? err_sys(e, rc, "cannot remember the settings of %s", nc->ifname) : 0;
}

static int restore_nic(struct bridge *b, int side, struct err *e)
{
    const struct steer_was nothing = {.version = STEER_WAS_VERSION};

    nic_restore(b->nic[side]);
    b->nic[side] = NULL;
    int rc = xdp_was_write(b->xdp, (uint32_t)side, &nothing);
    return rc ? err_sys(e, rc, "cannot forget the settings of %s", b->cfg->interfaces[side]) : 0;
}

/* Both interfaces get the same number of queues: what was asked for, or what both have. */
static int open_nics(struct bridge *b, const struct bridge_heirloom *heirloom, struct err *e)
{
    struct nic_config nc[2];
    struct nic_info info[2];

    for (int i = 0; i < 2; i++) {
        nc[i] = (struct nic_config){.ifname = b->cfg->interfaces[i],
                                    .n_queues = heirloom ? heirloom->n_workers : b->cfg->queues,
                                    .max_queues = WORKERS_MAX,
                                    .keep_offloads = b->cfg->keep_offloads};
        if (bridge_open_nic(b, i, &nc[i], e))
            return e->code;
        nic_info(b->nic[i], &info[i]);
        b->side[i].ifindex = info[i].ifindex;
        snprintf(b->side[i].ifname, sizeof(b->side[i].ifname), "%s", b->cfg->interfaces[i]);
    }
    if (info[0].n_queues == info[1].n_queues) {
        b->n_workers = info[0].n_queues;
        return 0;
    }
    int wide = info[0].n_queues > info[1].n_queues ? 0 : 1;
    nc[wide].n_queues = b->n_workers = info[1 - wide].n_queues;
    if (restore_nic(b, wide, e) == 0 && bridge_open_nic(b, wide, &nc[wide], e) == 0)
        return 0;
    err_remedy(e, "give both interfaces %u queues, or set bridges[].queues", b->n_workers);
    return e->code;
}

/* Every ring full, two bursts in every hand, and a quarter more for frames that are late in coming back. */
static uint32_t frames_wanted(const struct bridge *b, uint32_t held_frames)
{
    uint32_t n = b->cfg->frames;

    if (n == 0)
        n = b->n_workers * (2 * 2 * b->cfg->ring_size + 4 * BURST_MAX + b->cfg->ring_size);
    return n + b->n_workers * held_frames; /* fragments are held in frames that nothing else needs */
}

bool bridge_flows_arrive_at_owner(const struct bridge *b)
{
    struct nic_info info[2];

    if (b->n_workers == 1)
        return true;
    nic_info(b->nic[0], &info[0]);
    nic_info(b->nic[1], &info[1]);
    return nic_same_queue(&info[0], &info[1]);
}

/* The sockets of worker `index`, one on its queue of each interface. */
static int open_ports(struct bridge *b, uint32_t index, const struct bridge_heirloom *heirloom,
                      struct port *out[2], struct err *e)
{
    struct port_mode mode;

    for (uint8_t side = 0; side < 2; side++) {
        struct port_config pc = {.ifname = b->side[side].ifname,
                                 .queue = index,
                                 .ring_size = b->cfg->ring_size,
                                 .index = side,
                                 .mode = b->cfg->mode,
                                 .busy_poll = b->cfg->busy_poll,
                                 .force_copy = b->force_copy};
        out[side] = heirloom ? port_adopt(b->umem, index, &pc, heirloom->xsk_fd[index][side], e)
                             : port_open(b->umem, index, &pc, e);
        if (!out[side])
            return e->code;
        port_mode(out[side], &mode);
        b->saw_zero_copy |= mode.zero_copy;
    }
    return 0;
}

static void close_ports(struct port *(*ports)[2], uint32_t n)
{
    for (uint32_t i = n; i-- > 0;)
        for (int side = 1; side >= 0; side--)
            port_close(ports[i][side]);
}

/* All or none. */
static int open_all_ports(struct bridge *b, const struct bridge_heirloom *heirloom, struct port *(*ports)[2],
                          struct err *e)
{
    memset(ports, 0, b->n_workers * sizeof(*ports));
    for (uint32_t i = 0; i < b->n_workers; i++)
        if (open_ports(b, i, heirloom, ports[i], e)) {
            close_ports(ports, b->n_workers);
            return e->code;
        }
    return 0;
}

/* The first socket's mode is every socket's. Where the first interface has zero-copy and the second has not, the
 * second's bind fails, and all must start over in copy mode. */
static int open_ports_any_mode(struct bridge *b, struct port *(*ports)[2], struct err *e)
{
    b->force_copy = b->cfg->force_copy;
    b->saw_zero_copy = false;
    if (open_all_ports(b, NULL, ports, e) == 0)
        return 0;
    if (b->force_copy || !b->saw_zero_copy)
        return e->code;
    log_notice("io", "bridge %s: %s has zero-copy and %s has not; both run in copy mode", b->cfg->name,
               b->side[0].ifname, b->side[1].ifname);
    b->force_copy = true;
    return open_all_ports(b, NULL, ports, e);
}

static void swap_ports(struct bridge *b, struct port *(*ports)[2])
{
    pthread_mutex_lock(&b->lock);
    for (uint32_t i = 0; i < b->n_workers; i++)
        for (int side = 0; side < 2; side++) {
            struct port *old = b->workers[i]->port[side];

            if (old)
                bridge_add_port_stats(&b->closed_ports, old);
            b->workers[i]->port[side] = ports[i][side];
            ports[i][side] = old;
        }
    pthread_mutex_unlock(&b->lock);
}

int bridge_open_ports(struct bridge *b, struct err *e)
{
    struct port *ports[WORKERS_MAX][2] = {{NULL}};

    if (open_ports_any_mode(b, ports, e))
        return e->code;
    swap_ports(b, ports);
    return 0;
}

static int adopt_ports(struct bridge *b, const struct bridge_heirloom *heirloom, struct err *e)
{
    struct port *ports[WORKERS_MAX][2] = {{NULL}};

    if (open_all_ports(b, heirloom, ports, e))
        return e->code;
    swap_ports(b, ports);
    return 0;
}

void bridge_close_ports(struct bridge *b)
{
    struct port *ports[WORKERS_MAX][2] = {{NULL}};

    swap_ports(b, ports);
    close_ports(ports, b->n_workers);
}

/* Worker `index` of the bridge: its own state; its sockets come later. */
static struct worker *open_worker(struct bridge *b, const struct config *cfg, uint32_t index, struct err *e)
{
    struct worker_place place = {.bridge = b->index,
                                 .index = index,
                                 .n_workers = b->n_workers,
                                 .number = b->first_worker + index,
                                 .cpu = b->cfg->n_cpus ? b->cfg->cpus[index % b->cfg->n_cpus] : -1,
                                 .poll = b->cfg->busy_poll != BUSY_POLL_ON,
                                 .rss = bridge_flows_arrive_at_owner(b),
                                 .inline_mode = true,
                                 .expect = b->expect,
                                 .cache = &b->cache};
    struct worker *w = worker_new(&place, cfg, e);

    if (!w)
        return NULL;
    w->handoff = b->handoff;
    w->order = &b->order;
    w->wake_fd = b->wake_fd;
    w->limits = &b->limits;
    w->cfg.ring_size = b->cfg->ring_size;
    w->pulse = (struct pulse){
        .beat = &b->memory.beats[index], .beats = b->memory.beats, .escaped_ns = &b->escaped_ns};
    return w;
}

/* What may change while workers run, each a word that they read. */
void bridge_configure(struct bridge *b, const struct config *cfg)
{
    const struct bridge_config *is = &cfg->bridges[b->index];

    overload_configure(&b->limits, &cfg->overload);
    __atomic_store_n(&b->link_pass, is->link_pass, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < b->n_workers; i++) {
        struct worker *w = b->workers[i];

        __atomic_store_n(&w->cfg.fail, (enum steer_fail_policy)is->fail, __ATOMIC_RELAXED);
        __atomic_store_n(&w->pulse.heartbeat_ns, *is->heartbeat_ms * NS_PER_MS, __ATOMIC_RELAXED);
        flow_table_note_known(w->flows, is->fail == STEER_FAIL_OPEN_KNOWN);
    }
}

static void close_workers(struct bridge *b)
{
    for (uint32_t i = b->n_workers; b->workers && i-- > 0;) {
        worker_delete(b->workers[i]);
        b->workers[i] = NULL;
    }
}

static int open_workers(struct bridge *b, const struct config *cfg, struct err *e)
{
    for (uint32_t i = 0; i < b->n_workers; i++) {
        b->workers[i] = open_worker(b, cfg, i, e);
        if (!b->workers[i])
            return e->code;
    }
    bridge_configure(b, cfg);
    return 0;
}

static struct umem *open_umem(const struct bridge *b, uint32_t held_frames,
                              const struct bridge_heirloom *heirloom, struct err *e)
{
    uint32_t n = frames_wanted(b, held_frames);

    return heirloom ? umem_adopt(heirloom->umem_fd, n, b->n_workers, e) : umem_new(n, b->n_workers, e);
}

int bridge_open(struct bridge *b, const struct config *cfg, const struct bridge_place *place, struct err *e)
{
    const struct bridge_heirloom *heirloom = place->heirloom;

    memset(b, 0, sizeof(*b));
    pthread_mutex_init(&b->lock, NULL);
    b->cfg = &cfg->bridges[place->index];
    b->index = place->index;
    b->first_worker = place->first_worker;
    b->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (b->wake_fd < 0)
        err_sys(e, -errno, "cannot make an eventfd for bridge %s", b->cfg->name);
    if (b->wake_fd < 0 || open_xdp(b, cfg, heirloom, e) || open_nics(b, heirloom, e))
        goto fail;
    b->workers = calloc(b->n_workers, sizeof(*b->workers));
    b->umem = b->workers ? open_umem(b, cfg->defrag.frames, heirloom, e) : NULL;
    if (!b->workers)
        err_set(e, -ENOMEM, "no memory for %u workers", b->n_workers);
    if (!b->umem)
        goto fail;
    if (b->n_workers > 1) { /* fragments and tunnels need it whatever the NICs can do */
        b->handoff = handoff_new(b->n_workers, b->cfg->ring_size, e);
        if (!b->handoff)
            goto fail;
    }
    b->expect = expect_new(EXPECT_ENTRIES, e);
    if (!b->expect || open_workers(b, cfg, e) ||
        (heirloom ? adopt_ports(b, heirloom, e) : bridge_open_ports(b, e)))
        goto fail;
    for (uint32_t i = 0; i < b->n_workers; i++)
        b->workers[i]->ruleset = place->ruleset;
    return 0;
fail:
    bridge_close(b);
    return e->code;
}

static int start_worker(struct worker *w, struct err *e)
{
    int rc = pthread_create(&w->thread, NULL, worker_run, w);

    if (rc)
        return err_sys(e, -rc, "cannot start worker thread %s", w->name);
    pthread_setname_np(w->thread, w->name);
    if (w->cfg.cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(w->cfg.cpu, &set);
        rc = pthread_setaffinity_np(w->thread, sizeof(set), &set);
        if (rc)
            log_warning("io", "cannot pin %s to CPU %d: %s; it runs unpinned", w->name, w->cfg.cpu,
                        strerror(rc));
    }
    return 0;
}

int bridge_run_workers(struct bridge *b, struct err *e)
{
    uint64_t count;

    (void)!read(b->wake_fd, &count, sizeof(count)); /* of their last end */
    __atomic_store_n(&b->order, WORKER_RUN, __ATOMIC_RELEASE);
    for (; b->n_started < b->n_workers; b->n_started++)
        if (start_worker(b->workers[b->n_started], e))
            return e->code;
    return 0;
}

void bridge_join_workers(struct bridge *b, enum worker_order order)
{
    const uint64_t one = 1;

    __atomic_store_n(&b->order, order, __ATOMIC_RELEASE);
    (void)!write(b->wake_fd, &one, sizeof(one)); /* fails only when it is readable already */
    for (uint32_t i = 0; i < b->n_started; i++)
        pthread_join(b->workers[i]->thread, NULL);
}

int bridge_start_workers(struct bridge *b, struct err *e)
{
    for (uint32_t i = 0; i < b->n_workers; i++)
        pulse_start(&b->workers[i]->pulse);
    if (bridge_run_workers(b, e))
        goto fail;
    for (uint32_t q = 0; q < b->n_workers; q++)
        for (uint32_t side = 0; side < 2; side++)
            if (xdp_set_socket(b->xdp, side, q, port_fd(b->workers[q]->port[side]), e))
                goto fail;
    supervise_add(b);
    if (xdp_attach(b->xdp, e) == 0)
        return 0;
fail:
    bridge_stop_workers(b);
    return e->code;
}

int bridge_start(struct bridge *b, struct err *e)
{
    flowcache_take_over(&b->cache, clock_mono_ns(), b->cache_grace_ns); /* nobody else writes it now */
    if (bridge_start_workers(b, e))
        return e->code;
    b->started = true;
    return 0;
}

/* Frames that one worker handed to another that had already left its loop. */
static void drain_handoff(struct bridge *b)
{
    struct packet pkts[BURST_MAX], *v[BURST_MAX];
    unsigned n;

    for (uint32_t w = 0; b->handoff && w < b->n_workers; w++)
        while ((n = handoff_receive(b->handoff, w, pkts, BURST_MAX)) > 0) {
            for (unsigned i = 0; i < n; i++) {
                v[i] = &pkts[i];
                counter_drop(&b->workers[w]->counters, DROP_SHUTDOWN);
            }
            port_free_burst(b->workers[w]->port[0], v, n);
        }
}

/* The wire as bridges[].shutdown wants it. Before the sockets leave the map, so that no frame meets another policy. */
static void choose_end(struct bridge *b)
{
    struct err e = {.code = 0};

    if (b->cfg->shutdown == SHUTDOWN_BRIDGE && xdp_set_fail_policy(b->xdp, STEER_FAIL_OPEN, &e))
        log_err(LOG_LEVEL_WARNING, "io", &e);
    b->detach =
        b->cfg->shutdown == SHUTDOWN_DETACH || !xdp_attached(b->xdp); /* or `link detach --force` was here */
    if (!b->detach && xdp_leave(b->xdp) == 0)
        log_notice("io", "bridge %s: %s and %s stay attached, and frames %s", b->cfg->name,
                   b->cfg->interfaces[0], b->cfg->interfaces[1],
                   b->cfg->shutdown == SHUTDOWN_BRIDGE ? "are forwarded by the kernel"
                                                       : "follow the fail policy");
}

void bridge_stop_workers(struct bridge *b)
{
    for (uint32_t q = 0; q < b->n_started; q++)
        for (uint32_t side = 0; side < 2; side++)
            xdp_clear_socket(b->xdp, side, q);
    bridge_join_workers(b, WORKER_QUIT);
    supervise_remove(b);
    drain_handoff(b);
    b->n_started = 0;
}

void bridge_stop(struct bridge *b)
{
    if (b->started)
        choose_end(b);
    bridge_stop_workers(b);
}

void bridge_close(struct bridge *b)
{
    if (b->xdp && b->detach)
        xdp_detach(b->xdp);
    bool stays = b->xdp && xdp_stays(b->xdp);
    xdp_close(b->xdp);
    close_workers(b);
    free(b->workers);
    expect_free(b->expect);
    handoff_free(b->handoff);
    umem_free(b->umem);
    if (b->wake_fd >= 0)
        close(b->wake_fd);
    b->wake_fd = -1;
    for (int i = 1; i >= 0;
         i--) { /* what stays attached stays set up: it has to take in what is not for this host */
        (stays ? nic_leave : nic_restore)(b->nic[i]);
        b->nic[i] = NULL;
    }
    b->xdp = NULL;
    b->workers = NULL;
    b->expect = NULL;
    b->handoff = NULL;
    b->umem = NULL;
    pthread_mutex_destroy(&b->lock);
}
