/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LINK_H
#define SLUICE_LINK_H
/* Interfaces that change under a running daemon: seen, said, mended. See link.c. */
#include "ips/bridge.h"

struct links;

/* Starts the thread, when the bridges have been started. hands: held while it changes a bridge, and only ever tried for:
 * who else may change one holds it, too. */
struct links *links_start(struct bridge *bridges, unsigned n, pthread_mutex_t *hands, struct err *e);
/* Between these the thread looks at nothing and touches nothing, however long: for who hands bridges over. A process may
 * end so: what link_pass set down stays down. May be called with hands held. */
void links_pause(struct links *l);
void links_resume(struct links *l);
/* Joins the thread, and sets up what was set down by us. Before the bridges are stopped; NULL is fine. */
void links_stop(struct links *l);
#endif
