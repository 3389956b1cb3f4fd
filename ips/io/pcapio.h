/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_PCAPIO_H
#define SLUICE_IO_PCAPIO_H
/*
 * Capture files behind the same burst interface as a socket: rx from a pcap or pcapng file (libpcap), tx into a
 * pcap file with nanosecond times, or nowhere. Ethernet, raw IP, Linux cooked v1 and v2, BSD loopback.
 * A frame longer than the snapshot length is passed on as captured, with orig_len saying so.
 * A file that ends inside a record: the frames before it are delivered, then pcapio_error() says where.
 */
#include <stdint.h>
#include "ips/base/err.h"
#include "ips/io/port.h"

/* Frames that the engine may hold back for longer than a burst. */
#define PCAPIO_HELD_MAX 4096

/* Frames up to 65,535 bytes (captures taken with offloads on hold such), in the port's own memory. */
struct port *pcapio_open(const char *in_path, const char *out_path, struct err *e);
/* 0, or -errno and what was wrong with the rest of the file or with writing. Call it after the last tx_burst: it
 * flushes the output. */
int pcapio_error(const struct port *p, struct err *e);
#endif
