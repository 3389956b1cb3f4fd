/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_FILTER_H
#define SLUICE_RULES_FILTER_H
/*
 * What stands between a rule's match and its alert: suppressions, rate filters, thresholds, tags, from the rule itself or
 * from threshold.config. A rule has a list of them in the order of enum filter_kind, which is the order in which they
 * are asked.
 */
#include <stdbool.h>
#include <stdint.h>

enum filter_kind {
    FILTER_SUPPRESS,  /* no alert for the addresses; everything else goes on */
    FILTER_RATE,      /* rate_filter: another action for `timeout` seconds when count is exceeded */
    FILTER_DETECTION, /* detection_filter: nothing up to count, everything from count + 1 on */
    FILTER_LIMIT,     /* alerts up to count */
    FILTER_THRESHOLD, /* an alert at every count-th match, nothing in between */
    FILTER_BOTH,      /* one alert, at the count-th match */
    FILTER_BACKOFF,   /* alerts at match count, count * multiplier, count * multiplier^2, ... */
    FILTER_TAG,       /* log packets that follow */
};

enum filter_track { TRACK_RULE, TRACK_SRC, TRACK_DST, TRACK_BOTH, TRACK_EITHER, TRACK_FLOW };
enum filter_unique { UNIQUE_NONE, UNIQUE_SRC_PORT, UNIQUE_DST_PORT };
enum tag_metric { TAG_PACKETS, TAG_SECONDS, TAG_BYTES };

#define FILTER_COUNT_MAX \
    1000000 /* counts are kept in the 22 bits of a tracked entry, rate filters need one */
#define FILTER_SECONDS_MAX (10u * 365 * 24 * 3600)
#define FILTERS_MAX        64 /* of one rule */

struct rule_filter {
    uint8_t kind;       /* enum filter_kind */
    uint8_t track;      /* enum filter_track; TAG: TRACK_FLOW, TRACK_SRC or TRACK_DST */
    uint8_t new_action; /* RATE: enum rule_action */
    uint8_t unique;     /* DETECTION: enum filter_unique; TAG: enum tag_metric */
    uint16_t addr_set;  /* SUPPRESS with a track: the addresses */
    bool global;        /* from threshold.config */
    uint32_t count, seconds, timeout_s, multiplier;
};

struct filter_list {
    uint32_t first, n; /* in ruleset.filters */
};
#endif
