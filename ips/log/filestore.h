/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOG_FILESTORE_H
#define SLUICE_LOG_FILESTORE_H
/*
 * Files that rules want kept, from the workers' chunks to DIR/ab/SHA256. Whoever runs the logger calls it: the main thread
 * before its start and after its end, the logger's thread in between.
 */
#include "ips/base/err.h"
#include "ips/log/event.h"

struct filestore;
/* Makes the folders. NULL with *e filled. */
struct filestore *filestore_new(const char *dir, uint32_t max_open, struct err *e);
/* An EVENT_FILE of the ring of that number; info: its line for DIR/ab/SHA256.TIME.ID.json, when it is the last. */
void filestore_take(struct filestore *s, uint32_t ring, const struct event *ev, struct span bytes,
                    struct span info);
/* Files that did not end are kept as far as they came. */
void filestore_free(struct filestore *s);
#endif
