/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters as JSON: nested objects along the dots of their names, the same shape in stats events and in
 * `ipsctl stats`. Pure functions over the caller's values; any control thread.
 */
#include <errno.h>
#include <string.h>

#include "ips/control/control.h"

#define NAME_MAX_BYTES 128

int stats_put(json_t *root, const char *name, uint64_t v)
{
    char part[NAME_MAX_BYTES];
    json_t *at = root;

    for (;;) {
        size_t len = strcspn(name, ".");
        json_t *child;

        if (len == 0 || len >= sizeof(part))
            return -EINVAL;
        memcpy(part, name, len);
        part[len] = '\0';
        if (name[len] == '\0')
            return json_object_set_new(at, part, json_integer((json_int_t)v)) < 0 ? -ENOMEM : 0;
        child = json_object_get(at, part);
        if (child == NULL) {
            if (json_object_set_new(at, part, json_object()) < 0)
                return -ENOMEM;
            child = json_object_get(at, part);
        }
        at = child;
        name += len + 1;
    }
}

json_t *stats_counters_json(const struct counters *sum)
{
    json_t *root = json_object();
    int rc = root != NULL ? 0 : -ENOMEM;

    for (int i = 0; rc == 0 && i < CTR_N; i++)
        rc = stats_put(root, counter_info[i].name, sum->v[i]);
    for (int i = 0; rc == 0 && i < DROP_N; i++) {
        char name[NAME_MAX_BYTES];

        if (i == DROP_NONE)
            continue;
        snprintf(name, sizeof(name), "drop.%s", drop_info[i].name);
        for (char *p = name; *p != '\0'; p++)
            if (*p == ' ')
                *p = '_';
        rc = stats_put(root, name, sum->drop[i]);
    }
    static const char *const prefix[] = {[ANOMALY_DECODE] = "",
                                         [ANOMALY_STREAM] = "stream.",
                                         [ANOMALY_APP] = "",
                                         [ANOMALY_DETECT] = "detect."};
    for (int i = 0; rc == 0 && i < AN_N; i++) {
        char name[NAME_MAX_BYTES];

        snprintf(name, sizeof(name), "anomaly.%s%s", prefix[anomaly_room(i)], anomaly_info[i].name);
        rc = stats_put(root, name, sum->anomaly[i]);
    }
    if (rc == 0)
        return root;
    json_decref(root);
    return NULL;
}
