/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DCERPC on TCP and UDP: a flow is one conversation (dcerpc.h). The endpoint mapper is at port 135, all others are
 * anywhere: a bind is recognised by itself.
 *
 * Worker thread.
 */
#include <netinet/in.h>

#include "ips/app/dcerpc.h"
#include "ips/flow/flow.h"

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct dce *d = state;
    enum dce_answer answer = app_flow_of(a)->proto == IPPROTO_UDP
                                 ? dce_take_datagram(a, d, (enum app_dir)in->dir, in->bytes)
                                 : dce_take(a, d, (enum app_dir)in->dir, in->bytes);

    return answer == DCE_BAD ? APP_BAD : APP_OK;
}

static void close_flow(struct app *a, void *state)
{
    dce_free(a, state);
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct dce_call *call = dce_owns(state, tx);

    if (call)
        dce_show(a, call, tx, dir);
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    const struct dce_call *call = dce_owns(state, tx);

    if (call)
        dce_fields(state, call, f);
}

#define BIND        11
#define TYPE_MAX    19
#define HEAD_LEN    16
#define DATAGRAM    80
#define MAPPER_PORT 135

/* Version, type, the order of integers and a length: a bind is more than chance. */
static enum app_probe probe_stream(struct span b)
{
    if ((b.len > 0 && b.p[0] != 5) || (b.len > 1 && b.p[1] > 1) || (b.len > 2 && b.p[2] > TYPE_MAX) ||
        (b.len > 4 && b.p[4] != 0x10 && b.p[4] != 0) || (b.len > 5 && b.p[5] != 0) ||
        (b.len > 7 && (b.p[6] != 0 || b.p[7] != 0)))
        return PROBE_NO;
    if (b.len < HEAD_LEN)
        return PROBE_MORE;
    uint16_t len = b.p[4] ? (uint16_t)(b.p[9] << 8 | b.p[8]) : load_be16(b.p + 8);
    if (len < HEAD_LEN)
        return PROBE_NO;
    return b.p[2] == BIND || b.p[2] == BIND + 1 ? PROBE_YES : PROBE_LIKELY;
}

static enum app_probe probe(struct span b, const struct app_hint *h)
{
    if (!h->udp)
        return probe_stream(b);
    if (b.len < DATAGRAM || b.p[0] != 4 || b.p[1] > 10 || (b.p[4] != 0x10 && b.p[4] != 0) || b.p[5] != 0 ||
        b.p[6] != 0)
        return PROBE_NO;
    uint16_t len = b.p[4] ? (uint16_t)(b.p[75] << 8 | b.p[74]) : load_be16(b.p + 74);
    if (len > b.len - DATAGRAM)
        return PROBE_NO;
    return h->dport == MAPPER_PORT || h->sport == MAPPER_PORT || h->dport >= 1024 ? PROBE_LIKELY : PROBE_NO;
}

static const uint16_t ports[] = {MAPPER_PORT, 593, 0};

const struct app_parser parser_dcerpc = {
    .proto = APP_DCERPC,
    .tcp = true,
    .udp = true,
    .state_bytes = sizeof(struct dce),
    .ports = ports,
    .probe = probe,
    .take = take,
    .close = close_flow,
    .show = show,
    .fields = fields,
};
