/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_DATASET_H
#define SLUICE_RULES_DATASET_H
/*
 * Sets of values that rules ask and fill: dataset and datarep. A set has one type, a fixed room, and may be asked and
 * changed by all workers at once without locks. Files are read and written by control threads only
 * (rules/dataset_file.c).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ips/base/err.h"
#include "ips/base/span.h"

enum dataset_type { DATASET_STRING, DATASET_MD5, DATASET_SHA256, DATASET_IPV4, DATASET_IP, DATASET_TYPE_N };

#define DATASET_ENTRIES      (1u << 20) /* room of a set that rules fill, when they do not say */
#define DATASET_ENTRIES_MAX  (1u << 26)
#define DATASET_MEMCAP_BYTES (100ull << 20)
#define DATASET_VALUE_MAX    65535 /* bytes */

struct dataset;

/* n_entries: as many fit at least; memcap: bytes of their values and the table. NULL with *e filled. */
struct dataset *dataset_new(enum dataset_type type, uint32_t n_entries, uint64_t memcap, struct err *e);
void dataset_free(struct dataset *d);
enum dataset_type dataset_type(const struct dataset *d);
uint32_t dataset_count(const struct dataset *d);
uint64_t dataset_bytes(const struct dataset *d); /* in use */

/*
 * A value as a buffer holds it: any bytes; 16 or 32 bytes of digest; 4 bytes of IPv4 address; 4 or 16 bytes of
 * address (for DATASET_IP). A value of another length is in no set. Any thread.
 */
bool dataset_has(const struct dataset *d, struct span value, uint16_t *rep);
enum dataset_answer { DATASET_ADDED, DATASET_THERE, DATASET_FULL, DATASET_UNFIT };
enum dataset_answer dataset_add(struct dataset *d, struct span value, uint16_t rep);
bool dataset_remove(struct dataset *d, struct span value); /* false when it was not there */

/* All values, in no order; fn's false ends it. Values that are added or removed meanwhile may be missed. */
typedef bool (*dataset_fn)(struct span value, uint16_t rep, void *arg);
bool dataset_each(const struct dataset *d, dataset_fn fn, void *arg);
#endif
