/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a bridge says of itself: the object behind `ipsctl status`, and its sums for stats.
 * Runs in the control thread. Everything it reads is either set before the workers start, published by them
 * with relaxed stores, or asked of the kernel on the spot: what is shown is what is in effect.
 */
#include "ips/bridge.h"
#include "ips/io/pins.h"

void bridge_counters(const struct bridge *b, struct counters *sum)
{
    for (uint32_t i = 0; i < b->n_workers; i++)
        counters_sum(sum, &b->workers[i]->counters);
}

static void add_stats(struct port_stats *sum, const struct port_stats *s)
{
    sum->kicks += s->kicks;
    sum->fill_starved += s->fill_starved;
    sum->kernel_rx_dropped += s->kernel_rx_dropped;
    sum->kernel_rx_ring_full += s->kernel_rx_ring_full;
    sum->kernel_fill_empty += s->kernel_fill_empty;
    sum->kernel_tx_invalid += s->kernel_tx_invalid;
    sum->kernel_tx_refused += s->kernel_tx_refused;
}

void bridge_add_port_stats(struct port_stats *sum, const struct port *p)
{
    struct port_stats s;

    port_read_stats(p, &s);
    add_stats(sum, &s);
}

void bridge_port_stats(struct bridge *b, struct port_stats *sum)
{
    pthread_mutex_lock(&b->lock);
    add_stats(sum, &b->closed_ports);
    for (uint32_t i = 0; i < b->n_workers; i++)
        for (int side = 0; side < 2; side++)
            if (b->workers[i]->port[side])
                bridge_add_port_stats(sum, b->workers[i]->port[side]);
    pthread_mutex_unlock(&b->lock);
}

void bridge_nic_info(struct bridge *b, int side, struct nic_info *out)
{
    *out = (struct nic_info){.ifindex = 0};
    pthread_mutex_lock(&b->lock);
    if (b->nic[side])
        nic_info(b->nic[side], out);
    pthread_mutex_unlock(&b->lock);
}

static json_t *queue_status(const struct port *port, uint32_t queue)
{
    struct port_mode m;

    port_mode(port, &m);
    return json_pack("{s:i, s:s, s:b, s:b, s:b}", "queue", (int)queue, "mode",
                     m.generic ? "generic" : "native", "zero_copy", m.zero_copy, "need_wakeup", m.need_wakeup,
                     "busy_poll", m.busy_poll);
}

static const char *side_state(const struct bridge_side *s)
{
    return s->gone      ? "gone"
           : s->passed  ? "down by link_pass"
           : !s->up     ? "down"
           : s->carrier ? "up"
                        : "no carrier";
}

/* cut: nothing can cross, because a side has no link; broken: sockets could not be opened anew, the fail policy decides. */
static const char *bridge_state(const struct bridge *b)
{
    return b->broken ? "broken" : bridge_has_link(&b->side[0]) && bridge_has_link(&b->side[1]) ? "up" : "cut";
}

/* Under b->lock. */
static json_t *port_status(const struct bridge *b, int side)
{
    const struct bridge_side *s = &b->side[side];
    struct nic_info info = {.ifindex = 0};
    json_t *queues = json_array();

    if (b->nic[side])
        nic_info(b->nic[side], &info);
    for (uint32_t q = 0; q < b->n_workers; q++)
        if (b->workers[q]->port[side])
            json_array_append_new(queues, queue_status(b->workers[q]->port[side], q));
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:b, s:I, s:b, s:s, s:I, s:o}", "interface", s->ifname,
                     "configured", b->cfg->interfaces[side], "state", side_state(s), "driver", info.driver,
                     "mtu", (int)(s->gone ? 0 : info.mtu), "carrier", !s->gone && info.carrier,
                     "carrier_changes", (json_int_t)s->carrier_changes, "symmetric_rss", info.symmetric_rss,
                     "offloads_off", info.offloads_off, "rx_missed", (json_int_t)info.rx_missed, "queues",
                     queues);
}

static json_t *overload_status(const struct worker *w)
{
    static const char *const words[OVERLOAD_STEPS] = {"none", "elephants", "rules", "shed"};
    uint32_t step = __atomic_load_n(&w->overload.step, __ATOMIC_RELAXED);
    uint64_t ids[COSTLY_MAX];
    uint32_t n = detect_left_out(w->detect, ids);
    json_t *out = json_array();

    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(out, json_sprintf("%u:%u", (unsigned)(ids[i] >> 32), (unsigned)ids[i]));
    return json_pack("{s:i, s:s, s:i, s:i, s:o}", "step", (int)step, "sheds", words[step],
                     "occupancy_permille", (int)__atomic_load_n(&w->overload.permille, __ATOMIC_RELAXED),
                     "peak_permille", (int)__atomic_load_n(&w->overload.peak, __ATOMIC_RELAXED),
                     "rules_left_out", out);
}

static json_t *worker_status(const struct worker *w)
{
    struct counters sum = {.v = {0}};
    uint64_t dropped = 0;

    counters_sum(&sum, &w->counters);
    for (unsigned i = 0; i < DROP_N; i++)
        dropped += sum.drop[i];
    return json_pack("{s:i, s:i, s:o, s:I, s:I, s:I, s:i, s:I, s:I}", "index", (int)w->cfg.index, "cpu",
                     w->cfg.cpu, "overload", overload_status(w), "rx", (json_int_t)sum.v[CTR_RX_FRAMES], "tx",
                     (json_int_t)sum.v[CTR_TX_FRAMES], "dropped", (json_int_t)dropped, "flows",
                     (int)flow_table_count(w->flows), "stream_bytes",
                     (json_int_t)stream_table_bytes(w->streams), "app_bytes", (json_int_t)app_bytes(w->app));
}

static json_t *frames_status(const struct bridge *b)
{
    struct umem_totals t;

    umem_totals(b->umem, &t);
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "free", (json_int_t)t.free, "fill", (json_int_t)t.fill,
                     "worker", (json_int_t)t.worker, "tx", (json_int_t)t.tx, "size", (json_int_t)t.size);
}

static void put_most(uint32_t *most, const uint32_t *shown)
{
    uint32_t v = __atomic_load_n(shown, __ATOMIC_RELAXED);

    *most = v > *most ? v : *most;
}

void bridge_use(struct bridge *b, struct bridge_use *sum)
{
    pthread_mutex_lock(&b->lock);
    sum->carrier_changes += b->side[0].carrier_changes + b->side[1].carrier_changes;
    sum->rebuilds += b->rebuilds;
    pthread_mutex_unlock(&b->lock);
    for (uint32_t i = 0; i < b->n_workers; i++) {
        sum->flows += flow_table_count(b->workers[i]->flows);
        sum->stream_bytes += stream_table_bytes(b->workers[i]->streams);
        sum->app_bytes += app_bytes(b->workers[i]->app);
        put_most(&sum->occupancy_permille, &b->workers[i]->overload.permille);
        put_most(&sum->overload_step, &b->workers[i]->overload.step);
    }
}

static const char *const shutdown_words[] = {
    [SHUTDOWN_FAIL] = "fail", [SHUTDOWN_BRIDGE] = "bridge", [SHUTDOWN_DETACH] = "detach"};

json_t *bridge_status(struct bridge *b)
{
    json_t *workers = json_array(), *ports;
    const char *state;

    pthread_mutex_lock(&b->lock);
    state = bridge_state(b);
    ports = json_pack("[o, o]", port_status(b, 0), port_status(b, 1));
    pthread_mutex_unlock(&b->lock);
    for (uint32_t i = 0; i < b->n_workers; i++)
        json_array_append_new(workers, worker_status(b->workers[i]));
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:b, s:b, s:b, s:o, s:o, s:o}", "name", b->cfg->name, "state",
                     state, "rebuilds", (json_int_t)b->rebuilds, "fail", pins_fail_name(b->cfg->fail),
                     "shutdown", shutdown_words[b->cfg->shutdown], "pinned", xdp_pinned(b->xdp), "hugepages",
                     umem_is_huge(b->umem), "handoff", b->handoff != NULL, "ports", ports, "workers", workers,
                     "frames", frames_status(b));
}
