/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BENCH_WIRE_H
#define SLUICE_BENCH_WIRE_H
/*
 * What the bench's tools know of the lab that run-bench builds: names, addresses, the test frame, and how to look
 * at another namespace. Single-threaded programs; every failure ends them with one sentence.
 */
#include <stdint.h>

#define WIRE_CLIENT_IP   "10.1.0.1"
#define WIRE_SERVER_IP   "10.1.0.2"
#define WIRE_FRAME_BYTES 60 /* 64 on a wire, with the FCS */

_Noreturn void wire_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
uint64_t wire_now_ns(void);
void wire_enter(const char *netns); /* this thread's network namespace from here on, by its `ip netns` name */
uint64_t wire_number(const char *text, const char *what);

/* The UDP frame of the flood. Its destination address is nobody's, so the far end's stack drops it at once. */
void wire_frame(uint8_t frame[WIRE_FRAME_BYTES]);
/* A SYN from 10.7.0.0, port 65535, id 65535: see flood.bpf.c for how its source varies. */
void wire_syn(uint8_t frame[WIRE_FRAME_BYTES]);
#endif
