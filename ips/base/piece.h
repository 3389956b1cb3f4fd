/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_PIECE_H
#define SLUICE_BASE_PIECE_H
/*
 * Big files, read and written while workers run. A kernel that does not preempt itself (CONFIG_PREEMPT_NONE, what servers
 * have) copies all that one system call asks for before it gives the processor to a worker: 15 ms for the 20 MB of a rule
 * file. Between two calls anybody may run. Any thread but a worker.
 */
#include <stddef.h>

#define PIECE_BYTES 65536

static inline size_t piece_of(size_t n)
{
    return n < PIECE_BYTES ? n : PIECE_BYTES;
}
#endif
