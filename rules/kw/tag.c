/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tag: log the packets that follow a match, as events of type packet.
 *
 *     tag:session[,COUNT,packets|seconds|bytes];    tag:host[,COUNT,packets|seconds|bytes[,src|dst]];
 *
 * session: both directions of the flow; host: everything from and to one end of the matching packet, dst when it does not
 * say which. Without a count 256 packets, which is also the most. Snort's other forms are read: "packets 8",
 * host_src, host_dst, and a count of 0 with another after it. What happens is in ips/detect/tag.c. Control thread.
 */
#include "rules/keywords.h"
#include "rules/source.h"

#define PACKETS_MAX 256
#define BYTES_MAX   (64u * FILTER_COUNT_MAX) /* they are counted in units of 64 */

static const struct {
    const char *word;
    uint8_t metric;
    uint32_t max;
} metrics[] = {{"packets", TAG_PACKETS, UINT32_MAX},
               {"seconds", TAG_SECONDS, FILTER_SECONDS_MAX},
               {"bytes", TAG_BYTES, BYTES_MAX}};

static const struct {
    const char *word;
    uint8_t track;
} whats[] = {{"session", TRACK_FLOW}, {"host", TRACK_DST}, {"host_src", TRACK_SRC}, {"host_dst", TRACK_DST}};

static bool refuse(struct draft *d, const struct option *o, struct span at)
{
    return draft_fail(d, at.p, o->kw->usage, "tag: '%.*s' cannot be read", TEXT_ARG(at));
}

/* "COUNT, metric" or "metric COUNT"; a count of 0 says nothing (Snort). */
static bool parse_amount(struct draft *d, const struct option *o, struct span first, struct span *rest,
                         struct rule_filter *f)
{
    struct span word = first, number;
    bool swapped = text_split(&word, ' ', &number);
    uint64_t n;

    if (swapped) { /* "packets 8" */
        struct span tmp = number;

        number = text_trim(word);
        word = tmp;
    } else {
        number = first;
        text_split(rest, ',', &word);
        word = text_trim(word);
    }
    for (unsigned i = 0; i < 3; i++) {
        if (!text_eq_nocase(word, metrics[i].word))
            continue;
        if (!text_u64(number, metrics[i].max, &n))
            return refuse(d, o, number);
        if (n == 0)
            return true;
        if (f->count != 0)
            return draft_fail(d, number.p, "keep one of them", "tag: two amounts in one tag");
        f->unique = metrics[i].metric;
        f->count = (uint32_t)(f->unique == TAG_PACKETS && n > PACKETS_MAX ? PACKETS_MAX : n);
        return true;
    }
    return refuse(d, o, word);
}

static bool parse_tag(struct draft *d, const struct option *o)
{
    struct rule_filter f = {.kind = FILTER_TAG, .unique = TAG_PACKETS, .track = TRACK_RULE};
    struct span rest = o->value, word;

    text_split(&rest, ',', &word);
    word = text_trim(word);
    for (unsigned i = 0; i < sizeof(whats) / sizeof(whats[0]); i++)
        if (text_eq_nocase(word, whats[i].word))
            f.track = whats[i].track;
    if (f.track == TRACK_RULE)
        return refuse(d, o, word);
    while (text_trim(rest).len > 0) {
        text_split(&rest, ',', &word);
        word = text_trim(word);
        if (f.track != TRACK_FLOW && (text_eq_nocase(word, "src") || text_eq_nocase(word, "dst")))
            f.track = text_eq_nocase(word, "src") ? TRACK_SRC : TRACK_DST;
        else if (!parse_amount(d, o, word, &rest, &f))
            return false;
    }
    if (f.count == 0)
        f.count = PACKETS_MAX;
    return draft_filter_add(d, &f, o->name.p);
}

const struct keyword kw_tag = {
    .name = "tag",
    .usage = "write tag:session,COUNT,packets; or tag:host,COUNT,seconds,src; with packets, seconds or bytes",
    .value = VALUE_PLAIN,
    .parse = parse_tag,
};
