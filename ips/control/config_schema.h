/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CONTROL_CONFIG_SCHEMA_H
#define SLUICE_CONTROL_CONFIG_SCHEMA_H
/*
 * The one table of configuration keys, as libcyaml wants it, and what else is read from it: dotted paths for
 * --set and for messages, checks of single values, defaults. Only ips/control/config*.c include this.
 */
#include <cyaml/cyaml.h>
#include "ips/control/config.h"

extern const cyaml_schema_value_t config_schema;

/* Keys whose default is not 0, off, or the first word of their list. */
struct config_default {
    const char *path, *value;
};
extern const struct config_default config_defaults[];
extern const unsigned n_config_defaults;
#define CONFIG_DEFAULT_HEARTBEAT_MS    20    /* bridges[].heartbeat */
#define CONFIG_DEFAULT_RING_SIZE       2048  /* bridges[].ring_size */
#define CONFIG_DEFAULT_FLOW_CACHE_SIZE 65536 /* bridges[].flow_cache_size */

struct config_slot {
    const cyaml_schema_value_t *type;
    void *data; /* where the value (or the pointer to it) is; NULL when only the type was asked for */
};

/* Finds what "flow.max" or "bridges[0].queues" names. c may be NULL: types only, any index. */
int config_resolve(struct config *c, const char *path, struct config_slot *slot, struct err *e);
/* Is text a value for a key of this type? path is for the message. */
int config_value_check(const cyaml_schema_value_t *type, const char *path, const char *text, struct err *e);
/* The value of a key that counts bytes; false for all others. */
bool config_value_bytes(const cyaml_schema_value_t *type, const char *text, unsigned long *v);
/* Checks, then stores. */
int config_value_store(const struct config_slot *slot, const char *path, const char *text, struct err *e);

/* config_check.c: "pass,drop,reject,alert" to the rank of each action, 0 acting first. */
int config_action_order(const char *text, uint8_t rank[ACTION_N], struct err *e);

/* config_scan.c: finds, with line and column, whatever is wrong with keys and single values; calls seen() for
 * every key that has one. 0 when libcyaml may have the text; it is exchanged (malloc) for one of the same lines in
 * which numbers of bytes have no unit. */
int config_scan(const char *file, char **text, size_t *len, void (*seen)(const char *path, void *arg),
                void *arg, struct err *e);
#endif
