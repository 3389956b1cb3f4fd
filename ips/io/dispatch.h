/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_DISPATCH_H
#define SLUICE_IO_DISPATCH_H
/*
 * An interface shared with other XDP programs through libxdp's dispatcher. Looking needs only the files that libxdp pins;
 * attaching and detaching need CAP_SYS_ADMIN, since libxdp looks programs up by their ids. Control thread only.
 * Apart from xdp_parts.h, because libxdp's header and port.h both have an XDP_MODE_NATIVE.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/err.h"

struct bpf_object;

bool dispatch_may(void);            /* this process may attach and detach */
bool dispatch_on(uint32_t ifindex); /* the interface's program is a dispatcher */
/* The link (a new descriptor) by which the interface's dispatcher calls the program; -ENOENT: it does not. */
int dispatch_find(uint32_t ifindex, int prog_fd);
/* The first XDP program of obj, which is open and not loaded, goes behind the dispatcher. Its descriptor, the caller's; or
 * -errno. The dispatcher is replaced in one step. */
int dispatch_attach(struct bpf_object *obj, uint32_t ifindex, bool generic, struct err *e);
int dispatch_detach(int prog_fd, uint32_t ifindex, bool generic); /* 0 or -errno */
#endif
