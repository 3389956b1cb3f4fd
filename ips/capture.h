/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CAPTURE_H
#define SLUICE_CAPTURE_H
/*
 * Capture mode: the same engine over a capture file, in the calling thread, with the capture's own clock.
 */
#include <stdbool.h>
#include "ips/control/config.h"

struct capture_args {
    const char *in, *out; /* out: NULL, or where the frames that would have left go */
    bool inline_mode;     /* verdicts act; else drop rules alert and nothing is dropped */
};

/* Reads all of the capture, writes log.dir/eve.json, prints one line of totals to stdout. Rules that fail to load
 * are named on stderr; the run goes on with the others unless rules.strict. */
int capture_run(const struct config *cfg, const struct capture_args *args, struct err *e);
#endif
