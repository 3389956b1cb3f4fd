/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOG_EVE_DROP_H
#define SLUICE_LOG_EVE_DROP_H
/* The object "drop" of a drop event. Logger thread. */
#include "ips/log/event.h"
#include "ips/log/json.h"

void eve_write_drop(struct json_writer *w, const struct event *ev);
#endif
