/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_HTTP_STREAMS_H
#define SLUICE_TESTS_HTTP_STREAMS_H
/*
 * A capture's TCP connections as two parsers are to read them: turns of bytes, in the order in which they came to be in order.
 * Put together simply (the first bytes win; behind a hole nothing comes), because both parsers read the same.
 */
#include "ips/app/parser.h"

struct turn {
    uint8_t *p;
    size_t len, cap;
    uint8_t dir; /* enum app_dir */
    bool end;    /* FIN or RST follows */
};

struct stream_flow {
    struct stream_flow *next;
    struct turn *turns;
    size_t n_turns;
    uint16_t server_port;
    unsigned number; /* from 1 in the capture */
};

/* NULL: no TCP, or the file cannot be read; *why then says it, or is NULL. */
struct stream_flow *streams_read(const char *path, const char **why);
void streams_free(struct stream_flow *f);
#endif
