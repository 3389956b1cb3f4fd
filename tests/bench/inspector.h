/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BENCH_INSPECTOR_H
#define SLUICE_BENCH_INSPECTOR_H
/*
 * The inspector that the bench puts behind every way of getting packets: the engine's own decode, flow table and
 * detection, or nothing at all (the null inspector forwards whatever comes). And the frame around an adapter:
 * arguments, the line "ready" that run-bench waits for, an end by SIGTERM or SIGINT.
 * One thread.
 */
#include <stdbool.h>
#include "ips/io/packet.h"

struct inspector;

/* usage: NAME [--rules FILE] ARG...; without --rules the null inspector. Failure ends the program with a sentence. */
struct inspector *inspector_start(int argc, char **argv, int n_args, const char *usage, char ***args);
void inspector_ready(void);
bool inspector_stopped(void);
/* Sets each packet's verdict. data, len, link, in_port are set; n <= BURST_MAX. */
void inspector_burst(struct inspector *in, struct packet *pkts, unsigned n);
/* Says on standard error what was done, and frees. */
void inspector_end(struct inspector *in);
#endif
