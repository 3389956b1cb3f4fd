/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of anomalies as data: see anomaly.h. Constant; any thread.
 */
#include "ips/base/anomaly.h"

const struct anomaly_info anomaly_info[AN_N] = {
#define X(id, name, help) {name, help},
    ANOMALY_TABLE(X)
#undef X
};
