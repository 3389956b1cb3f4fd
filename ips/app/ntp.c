/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NTP (RFC 5905): recognised, so that rules with ntp in their header are about it, and on its port only, because its header
 * is nearly any byte. Rules look into the payload. Worker thread.
 */
#include "ips/app/table.h"

enum { PORT = 123, HEADER = 48, CONTROL_HEADER = 12, PRIVATE_HEADER = 8, MODE_CONTROL = 6, MODE_PRIVATE = 7 };

static uint32_t header_of(uint8_t mode)
{
    return mode == MODE_CONTROL ? CONTROL_HEADER : mode == MODE_PRIVATE ? PRIVATE_HEADER : HEADER;
}

/* Version 1 to 4, a mode, and as many bytes as it has at least. */
static bool is_message(struct span b)
{
    uint8_t version = b.len > 0 ? b.p[0] >> 3 & 7 : 0;

    return version >= 1 && version <= 4 && b.len >= header_of(b.p[0] & 7);
}

static enum app_probe probe(struct span b, const struct app_hint *h)
{
    if (h->sport != PORT && h->dport != PORT)
        return PROBE_NO;
    return PROBE_LIKELY;
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct app_tx tx;

    app_tx_open(a, &tx);
    if (!is_message(in->bytes))
        app_event(a, AN_NTP_MALFORMED);
    app_inspect(a, &tx, (enum app_dir)in->dir, true);
    app_tx_close(a, &tx);
    return APP_OK;
}

static const uint16_t ports[] = {PORT, 0};

const struct app_parser parser_ntp = {
    .proto = APP_NTP, .udp = true, .ports = ports, .probe = probe, .take = take};
