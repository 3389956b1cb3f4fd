/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gives a worker everything it needs, so that its thread never allocates, and takes it all back.
 * A worker owns its ports, flow and stream tables, defragmentation, detector and event ring; they die here, in reverse order.
 * Runs in the control thread, before the worker's thread starts and after it was joined.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ips/control/strikes.h"
#include "ips/flow/exception.h"
#include "ips/worker_setup.h"

static enum exception_action on_exception(enum exception cause, uint32_t own, const struct config *cfg,
                                          bool inline_mode)
{
    return exception_resolve(cause, (enum exception_action)own, (enum exception_action)cfg->exception_policy,
                             inline_mode);
}

static void fill_flow_config(struct flow_config *fc, const struct config *cfg,
                             const struct worker_place *place)
{
    *fc = (struct flow_config){
        .max_flows = cfg->flow.max,
        .max_vars = cfg->flow.max_vars,
        .tcp_new_s = cfg->flow.tcp_new_s,
        .tcp_established_s = cfg->flow.tcp_established_s,
        .tcp_closed_s = cfg->flow.tcp_closed_s,
        .udp_new_s = cfg->flow.udp_new_s,
        .udp_established_s = cfg->flow.udp_established_s,
        .icmp_s = cfg->flow.icmp_s,
        .other_s = cfg->flow.other_s,
        .midstream = cfg->stream.midstream,
        .async = cfg->stream.async,
        .bridged = place->inline_mode && !place->one_port,
        .on_midstream = on_exception(EXC_MIDSTREAM, cfg->stream.midstream_policy, cfg, place->inline_mode),
        .on_memcap = on_exception(EXC_FLOW_MEMCAP, cfg->flow.memcap_policy, cfg, place->inline_mode),
    };
}

/* In-line only dropping overlaps is safe: the frames go on as they came, and their receiver has a policy of its own. */
static void fill_defrag_config(struct defrag_config *dc, const struct config *cfg, bool inline_mode)
{
    bool automatic = cfg->defrag.policy == DEFRAG_POLICY_AUTO;

    *dc = (struct defrag_config){
        .frames = cfg->defrag.frames,
        .host_frames = cfg->defrag.host_frames,
        .datagram_frames = cfg->defrag.datagram_frames,
        .ipv4_s = cfg->defrag.ipv4_s,
        .ipv6_s = cfg->defrag.ipv6_s,
        .policy = inline_mode ? DEFRAG_POLICY_DROP
                  : automatic ? DEFRAG_POLICY_BSD
                              : (enum defrag_policy)cfg->defrag.policy,
        .tiny_drop = cfg->defrag.tiny_drop,
        .inline_mode = inline_mode,
    };
}

static void fill_stream_config(struct stream_config *sc, const struct config *cfg,
                               const struct worker_place *place)
{
    *sc = (struct stream_config){
        .memory_bytes = cfg->stream.memory_bytes,
        .flow_bytes = cfg->stream.flow_bytes,
        .window_bytes = cfg->stream.window_bytes,
        .depth_bytes = cfg->stream.depth_bytes,
        .bypass_at_depth = cfg->stream.bypass_at_depth,
        .conflict = cfg->stream.conflict_drop ? CONFLICT_DROP : CONFLICT_REWRITE,
        .on_memcap = on_exception(EXC_STREAM_MEMCAP, cfg->stream.memcap_policy, cfg, place->inline_mode),
        /* the ends of a recorded connection saw what a replay drops, so much looks impossible that was not */
        .drop_ignored = !cfg->stream.ignored_forward && !place->one_port,
        .inline_mode = place->inline_mode,
        .one_port = place->one_port,
        .max_flows = cfg->flow.max,
        .trim_window = cfg->normalise.window,
    };
}

static uint64_t protocols_off(const char *list)
{
    uint64_t off = 0;

    for (struct span word; span_next_word(&list, &word);)
        off |= service_apps(word);
    return off;
}

static void fill_app_config(struct app_config *ac, const struct config *cfg, const struct worker_place *place)
{
    *ac = (struct app_config){
        .memory_bytes = cfg->app.memory_bytes,
        .flow_bytes = cfg->app.flow_bytes,
        .max_flows = cfg->flow.max,
        .off = protocols_off(cfg->app.off) | strikes_apps(),
        .on_memcap = on_exception(EXC_APP_MEMCAP, cfg->app.memcap_policy, cfg, place->inline_mode),
        .on_error = on_exception(EXC_APP_ERROR, cfg->app.error_policy, cfg, place->inline_mode),
        .on_ambiguous = on_exception(EXC_APP_AMBIGUOUS, cfg->app.ambiguous_policy, cfg, place->inline_mode),
        .inline_mode = place->inline_mode,
        .expect = place->expect,
        .store_bytes = cfg->app.filestore.enabled ? cfg->app.filestore.max_bytes : 0,
        .ja3_auto = cfg->app.ja3 == FINGERPRINT_AUTO,
        .ja4_auto = cfg->app.ja4 == FINGERPRINT_AUTO,
        .asks = cfg->app.hashes ? ASK_HASHES : 0,
        .log = cfg->log.events[0] != '\0',
        .limits = {.body_window = cfg->app.body_window,
                   .body_start = cfg->app.body_start,
                   .request_body = cfg->app.http.request_body_bytes,
                   .response_body = cfg->app.http.response_body_bytes,
                   .file_depth = cfg->app.file_depth,
                   .decompress_ratio = cfg->app.decompress_ratio,
                   .decompress_bytes = cfg->app.decompress_bytes,
                   .layers = cfg->app.layers,
                   .header_line = cfg->app.header_line,
                   .headers_bytes = cfg->app.headers_bytes,
                   .headers = cfg->app.headers,
                   .transactions = cfg->app.transactions,
                   .ftp_commands = cfg->app.ftp.max_tx,
                   .encryption_bypass = cfg->app.encryption_bypass,
                   .ja3 = cfg->app.ja3 == 1,
                   .ja4 = cfg->app.ja4 == 1,
                   .hassh = cfg->app.hassh},
    };
}

static bool logs_transactions(const char *events)
{
    return events[0] != '\0' && strcmp(events, "flow") != 0;
}

/* `all` is all transactions: a record for each flow of a flood must be asked for. */
static bool names_flow(const char *events)
{
    for (struct span word; span_next_word(&events, &word);)
        if (span_eq_str(word, "flow"))
            return true;
    return false;
}

static int equip(struct worker *w, const struct worker_place *place, const struct config *cfg, struct err *e)
{
    struct flow_config fc;
    struct defrag_config fragments;
    struct stream_config sc;
    struct app_config ac;
    struct detect_config dc = {.inline_mode = place->inline_mode,
                               .log_payload = cfg->log.payload,
                               .log_packet = cfg->log.packet,
                               .log_anomalies = cfg->log.anomalies,
                               .log_flows = names_flow(cfg->log.events),
                               .steps_max = cfg->detect.steps_max,
                               .bridge = place->bridge,
                               .beacon = &w->beacon,
                               .meter = &w->meter,
                               .track_entries = cfg->detect.track_max};

    fill_flow_config(&fc, cfg, place);
    w->ring = event_ring_new(cfg->log.ring_bytes);
    if (!w->ring) {
        err_set(e, -ENOMEM, "no memory for an event ring of %u bytes", cfg->log.ring_bytes);
        return err_remedy(e, "lower log.ring_bytes"), -ENOMEM;
    }
    w->inner = calloc(1, sizeof(*w->inner));
    if (!w->inner)
        return err_set(e, -ENOMEM, "no memory for packets inside others"), -ENOMEM;
    w->cfg.decode.pool = w->inner;
    if (config_decode_ports(cfg, &w->cfg.decode, e) < 0)
        return e->code;
    w->flows = flow_table_new(&fc, e);
    if (!w->flows)
        return e->code;
    fill_defrag_config(&fragments, cfg, place->inline_mode);
    fragments.decode = w->cfg.decode;
    w->defrag = defrag_new(&fragments, e);
    if (!w->defrag)
        return e->code;
    fill_stream_config(&sc, cfg, place);
    if (place->cache)
        flow_table_use_cache(w->flows, place->cache, !logs_transactions(cfg->log.events));
    w->to_remember = flow_to_remember(w->flows);
    w->streams = stream_table_new(&sc, w->flows, e);
    if (!w->streams)
        return e->code;
    fill_app_config(&ac, cfg, place);
    ac.beacon = &w->beacon;
    ac.meter = &w->meter;
    w->app = app_new(&ac, w->flows, w->streams, e);
    if (!w->app)
        return e->code;
    dc.app = w->app;
    dc.flows = w->flows;
    dc.streams = w->streams;
    dc.max_flows = fc.max_flows;
    dc.sources = place->cache;
    w->detect = detect_new(&dc, place->number, w->ring, &w->counters, e);
    if (!w->detect)
        return e->code;
    app_set_hooks(w->app,
                  &(struct app_hooks){
                      .arg = w->detect, .inspect = detect_point, .log = detect_log, .file = detect_file});
    return 0;
}

struct worker *worker_new(const struct worker_place *place, const struct config *cfg, struct err *e)
{
    struct worker *w = NULL;

    if (posix_memalign((void **)&w, 64, sizeof(*w)) != 0) {
        err_set(e, -ENOMEM, "no memory for worker %u", place->index);
        return NULL;
    }
    memset(w, 0, sizeof(*w));
    w->bridge = place->bridge;
    w->wake_fd = -1;
    w->cfg = (struct worker_config){
        .index = place->index,
        .n_workers = place->n_workers,
        .cpu = place->cpu,
        .not_ip_drop = cfg->decode.not_ip_drop,
        .malformed_drop = cfg->decode.malformed_drop,
        .inline_mode = place->inline_mode,
        .poll = place->poll,
        .decode = {.verify_checksums = cfg->decode.checksums, .any_udp_checksum = !place->inline_mode},
        .rss = place->rss,
        .on_defrag_memcap =
            on_exception(EXC_DEFRAG_MEMCAP, cfg->defrag.memcap_policy, cfg, place->inline_mode),
        .normalise = {.ttl_floor = (uint8_t)cfg->normalise.ttl_floor,
                      .urgent = cfg->normalise.urgent,
                      .tcp_reserved = cfg->normalise.tcp_reserved,
                      .tcp_options = cfg->normalise.tcp_options,
                      .ecn = cfg->normalise.ecn,
                      .padding = cfg->normalise.padding},
    };
    snprintf(w->name, sizeof(w->name), "ips-%u-%u", place->bridge % BRIDGES_MAX, place->index % WORKERS_MAX);
    if (equip(w, place, cfg, e) == 0)
        return w;
    worker_delete(w);
    return NULL;
}

void worker_delete(struct worker *w)
{
    if (!w)
        return;
    for (int side = 1; side >= 0; side--)
        if (w->port[side])
            port_close(w->port[side]);
    app_free(w->app);
    detect_free(w->detect);
    defrag_free(w->defrag);
    stream_table_free(w->streams);
    flow_table_free(w->flows);
    event_ring_free(w->ring);
    free(w->inner);
    free(w->adopted);
    free(w);
}
