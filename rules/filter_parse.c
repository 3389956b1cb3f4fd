/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads "key value, key value": one table of keys with the forms each belongs to, in any order, each once.
 *
 * Keys are those of Suricata and Snort 2; gid and sid are Snort 3's names for gen_id and sig_id. A comma inside [] is part of
 * an address list. What does not fit together (a limit without seconds, a suppress with an address and no track) is refused,
 * since a threshold that means something else than its author thinks hides alerts. Control thread, no memory of
 * its own.
 */
#include "rules/filter_parse.h"

#include <stdio.h>

#include "rules/ruleset.h"
#include "rules/source.h"

enum field {
    GEN_ID,
    SIG_ID,
    TYPE,
    TRACK,
    COUNT,
    SECONDS,
    MULTIPLIER,
    UNIQUE_ON,
    NEW_ACTION,
    TIMEOUT,
    IP,
    N_FIELDS
};

#define IN(form) (1u << (form))
#define CONFIG   (IN(FORM_EVENT) | IN(FORM_RATE) | IN(FORM_SUPPRESS))
#define LIMITS   (IN(FORM_THRESHOLD) | IN(FORM_EVENT))
#define COUNTED  (LIMITS | IN(FORM_DETECTION) | IN(FORM_RATE))

static const struct {
    const char *word;
    uint8_t field;
    uint8_t may, must; /* forms */
} keys[] = {
    {"gen_id", GEN_ID, CONFIG, CONFIG},
    {"gid", GEN_ID, CONFIG, 0},
    {"sig_id", SIG_ID, CONFIG, CONFIG},
    {"sid", SIG_ID, CONFIG, 0},
    {"type", TYPE, LIMITS, LIMITS},
    {"track", TRACK, COUNTED | IN(FORM_SUPPRESS), COUNTED},
    {"count", COUNT, COUNTED, COUNTED},
    {"seconds", SECONDS, COUNTED, 0}, /* must, but for backoff */
    {"multiplier", MULTIPLIER, LIMITS, 0},
    {"unique_on", UNIQUE_ON, IN(FORM_DETECTION), 0},
    {"new_action", NEW_ACTION, IN(FORM_RATE), IN(FORM_RATE)},
    {"timeout", TIMEOUT, IN(FORM_RATE), IN(FORM_RATE)},
    {"ip", IP, IN(FORM_SUPPRESS), 0},
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static const char *const usages[] = {
    [FORM_THRESHOLD] =
        "write type limit, track by_src, count N, seconds N; with type limit, threshold, both or "
        "backoff (multiplier N instead of seconds) and track by_src, by_dst, by_both, by_rule or by_flow",
    [FORM_DETECTION] =
        "write track by_src, count N, seconds N; with track by_src, by_dst, by_both, by_rule or by_flow; "
        "unique_on src_port or dst_port may follow",
    [FORM_EVENT] = "write event_filter gen_id 1, sig_id N, type limit, track by_src, count N, seconds N",
    [FORM_RATE] =
        "write rate_filter gen_id 1, sig_id N, track by_src, count N, seconds N, new_action drop, timeout N",
    [FORM_SUPPRESS] =
        "write suppress gen_id 1, sig_id N, track by_src, ip ADDRESSES; or leave track and ip out",
};

struct choice {
    const char *word;
    uint8_t value;
};
static const struct choice types[] = {{"limit", FILTER_LIMIT},
                                      {"threshold", FILTER_THRESHOLD},
                                      {"both", FILTER_BOTH},
                                      {"backoff", FILTER_BACKOFF},
                                      {NULL, 0}};
static const struct choice tracks[] = {{"by_src", TRACK_SRC},
                                       {"by_dst", TRACK_DST},
                                       {"by_both", TRACK_BOTH},
                                       {"by_rule", TRACK_RULE},
                                       {"by_either", TRACK_EITHER},
                                       {"by_flow", TRACK_FLOW},
                                       {NULL, 0}};
static const struct choice uniques[] = {
    {"src_port", UNIQUE_SRC_PORT}, {"dst_port", UNIQUE_DST_PORT}, {NULL, 0}};
static const struct choice actions[] = {{"alert", ACTION_ALERT},
                                        {"drop", ACTION_DROP},
                                        {"pass", ACTION_PASS},
                                        {"log", ACTION_ALERT},
                                        {"sdrop", ACTION_DROP},
                                        {"reject", ACTION_REJECT},
                                        {NULL, 0}};

static bool fail(struct filter_error *e, struct span at, const char *what, const char *remedy)
{
    e->at = at.p;
    e->remedy = remedy;
    snprintf(e->what, sizeof(e->what), "'%.*s' %s", (int)(at.len < 60 ? at.len : 60), (const char *)at.p,
             what);
    return false;
}

static bool choose(const struct choice *rows, struct span value, uint8_t *out)
{
    for (; rows->word != NULL; rows++)
        if (text_eq_nocase(value, rows->word)) {
            *out = rows->value;
            return true;
        }
    return false;
}

static bool number(struct span value, uint64_t min, uint64_t max, uint32_t *out)
{
    uint64_t v;

    if (!text_u64(value, max, &v) || v < min)
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool set_field(enum filter_form form, enum field field, struct span value, struct filter_text *t)
{
    struct rule_filter *f = &t->filter;

    switch (field) {
    case GEN_ID:
        return number(value, 0, UINT32_MAX, &t->gid);
    case SIG_ID:
        return number(value, 0, UINT32_MAX, &t->sid);
    case TYPE:
        return choose(types, value, &f->kind);
    case TRACK:
        return choose(tracks, value, &f->track) && (f->track != TRACK_EITHER || form == FORM_SUPPRESS) &&
               (form != FORM_SUPPRESS || f->track == TRACK_SRC || f->track == TRACK_DST ||
                f->track == TRACK_EITHER);
    case COUNT:
        return number(value, 1, FILTER_COUNT_MAX, &f->count);
    case SECONDS: /* a rate filter's 0: for ever (Snort) */
        return number(value, form != FORM_RATE, FILTER_SECONDS_MAX, &f->seconds);
    case MULTIPLIER:
        return number(value, 2, FILTER_COUNT_MAX, &f->multiplier);
    case UNIQUE_ON:
        return choose(uniques, value, &f->unique);
    case NEW_ACTION:
        return choose(actions, value, &f->new_action);
    case TIMEOUT:
        return number(value, 0, FILTER_SECONDS_MAX, &f->timeout_s);
    default:
        t->ip = value;
        return value.len > 0;
    }
}

/* The next "key value", cut at a comma that is not inside []. */
static struct span take_pair(struct span *rest)
{
    uint32_t n = 0, open = 0;
    struct span pair;

    for (; n < rest->len && (open > 0 || rest->p[n] != ','); n++) {
        open += rest->p[n] == '[';
        open -= rest->p[n] == ']' && open > 0;
    }
    pair = text_trim(span_sub(*rest, 0, n));
    *rest = span_sub(*rest, n + 1, rest->len);
    return pair;
}

static bool check(enum filter_form form, struct span text, uint32_t seen, const struct filter_text *t,
                  struct filter_error *e)
{
    const struct rule_filter *f = &t->filter;
    bool backoff = f->kind == FILTER_BACKOFF && (LIMITS & IN(form)), timed = (seen >> SECONDS & 1) != 0;

    for (unsigned i = 0; i < N_KEYS; i++)
        if ((keys[i].must & IN(form)) && !(seen >> keys[i].field & 1)) {
            fail(e, text, "", usages[form]);
            snprintf(e->what, sizeof(e->what), "%s is missing", keys[i].word);
            return false;
        }
    if ((COUNTED & IN(form)) && timed == backoff)
        return fail(e, text, backoff ? "has type backoff and seconds" : "has no seconds", usages[form]);
    if ((seen >> MULTIPLIER & 1) != (backoff ? 1u : 0u))
        return fail(e, text,
                    backoff ? "has type backoff and no multiplier" : "has a multiplier and is no backoff",
                    usages[form]);
    if (backoff && f->track != TRACK_FLOW)
        return fail(e, text, "has type backoff and does not track by_flow", usages[form]);
    if (form == FORM_SUPPRESS && (seen >> TRACK & 1) != (seen >> IP & 1))
        return fail(e, text, "has only one of track and ip", usages[form]);
    return true;
}

bool filter_parse(enum filter_form form, struct span text, struct filter_text *out, struct filter_error *e)
{
    static const uint8_t kinds[] = {[FORM_THRESHOLD] = FILTER_LIMIT,
                                    [FORM_DETECTION] = FILTER_DETECTION,
                                    [FORM_EVENT] = FILTER_LIMIT,
                                    [FORM_RATE] = FILTER_RATE,
                                    [FORM_SUPPRESS] = FILTER_SUPPRESS};
    struct span rest = text;
    uint32_t seen = 0;

    *out = (struct filter_text){.filter = {.kind = kinds[form]}};
    while (text_trim(rest).len > 0) {
        struct span value = take_pair(&rest), pair = value, word;
        unsigned i = 0;

        text_split(&value, ' ', &word);
        value = text_trim(value);
        while (i < N_KEYS && (!(keys[i].may & IN(form)) || !text_eq_nocase(word, keys[i].word)))
            i++;
        if (i == N_KEYS)
            return fail(e, pair, "does not belong here", usages[form]);
        if (seen >> keys[i].field & 1)
            return fail(e, pair, "stands here twice", "keep one of them");
        seen |= 1u << keys[i].field;
        if (!set_field(form, (enum field)keys[i].field, value, out))
            return fail(e, pair, "has no value that can be used", usages[form]);
    }
    return check(form, text, seen, out, e);
}
