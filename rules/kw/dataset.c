/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dataset and datarep: is this buffer in a set of values?
 *
 *     dataset:isset|isnotset|set|unset,NAME[,type T][,load F][,save F][,state F][,memcap N][,hashsize N];
 *     datarep:NAME,>|<|==|...,VALUE[,type T][,load F][,memcap N][,hashsize N];
 *
 * The value is all of the sticky buffer, with its transforms: to_sha256 before a set of digests. T is string, md5, sha256, ipv4
 * or ip, and must stand where a set is named first. set holds when the value was not there and is now; unset when it
 * was there. They act where they stand, whether or not what stands behind them holds, as in Suricata. datarep
 * holds when the value is in the set and its reputation compares as asked.
 *
 * Sets are process-wide or the ruleset's (rules/datasets.c). Matching runs in workers, without locks; a set that
 * is full takes no more, and counts that.
 */
#include "rules/builder.h"
#include "rules/datasets.h"
#include "rules/dialect.h"
#include "rules/kw/places.h"
#include "rules/source.h"

enum command { ISSET, ISNOTSET, SET, UNSET, N_COMMANDS };
enum operation { EQ, NE, LT, LE, GT, GE };

static const char *const commands[N_COMMANDS] = {"isset", "isnotset", "set", "unset"};
static const char *const types[DATASET_TYPE_N] = {[DATASET_STRING] = "string",
                                                  [DATASET_MD5] = "md5",
                                                  [DATASET_SHA256] = "sha256",
                                                  [DATASET_IPV4] = "ipv4",
                                                  [DATASET_IP] = "ip"};

static bool match_dataset(const struct step *s, struct eval *e)
{
    struct dataset *set = (struct dataset *)s->data;
    struct span v = eval_buffer(e, s->buffer);

    if (v.p == NULL)
        return false;
    switch (s->a) {
    case ISSET:
        return dataset_has(set, v, NULL);
    case ISNOTSET:
        return !dataset_has(set, v, NULL);
    case UNSET:
        return dataset_remove(set, v);
    default:
        break;
    }
    switch (dataset_add(set, v, 0)) {
    case DATASET_ADDED:
        return true;
    case DATASET_FULL:
        if (e->memory.c != NULL)
            counter_add(e->memory.c, CTR_DATASET_FULL, 1);
        return false;
    default:
        return false;
    }
}

static bool match_datarep(const struct step *s, struct eval *e)
{
    struct span v = eval_buffer(e, s->buffer);
    uint16_t rep;

    if (v.p == NULL || !dataset_has(s->data, v, &rep))
        return false;
    switch (s->a) {
    case EQ:
        return rep == s->b;
    case NE:
        return rep != s->b;
    case LT:
        return rep < s->b;
    case LE:
        return rep <= s->b;
    case GT:
        return rep > s->b;
    default:
        return rep >= s->b;
    }
}

static bool refuse(struct draft *d, const struct option *o, struct span at)
{
    return draft_fail(d, at.p, o->kw->usage, "%s: '%.*s' cannot be read", o->kw->name, TEXT_ARG(at));
}

/* Bytes with kb, mb, gb behind them, or none. */
static bool read_bytes(struct span text, uint64_t *out)
{
    static const struct {
        const char *unit;
        uint32_t shift;
    } units[] = {{"kb", 10}, {"mb", 20}, {"gb", 30}, {"kib", 10}, {"mib", 20}, {"gib", 30}, {"", 0}};
    uint32_t n = 0;

    while (n < text.len && text.p[n] >= '0' && text.p[n] <= '9')
        n++;
    for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (text_eq_nocase(text_trim(span_sub(text, n, text.len)), units[i].unit)) {
            if (!text_u64(span_sub(text, 0, n), 1ull << 40 >> units[i].shift, out) || *out == 0)
                return false;
            *out <<= units[i].shift;
            return true;
        }
    return false;
}

/* "key value" */
static bool read_field(struct draft *d, const struct option *o, struct span field, struct dataset_want *w)
{
    struct span value = field, key;
    uint64_t n;

    text_split(&value, ' ', &key);
    value = text_trim(value);
    if (value.len == 0)
        return refuse(d, o, field);
    if (text_eq_nocase(key, "type")) {
        for (w->type = 0; w->type < DATASET_TYPE_N && !text_eq_nocase(value, types[w->type]);)
            w->type++;
        return w->type < DATASET_TYPE_N || refuse(d, o, field);
    }
    if (text_eq_nocase(key, "memcap"))
        return read_bytes(value, &w->memcap) || refuse(d, o, field);
    if (text_eq_nocase(key, "hashsize")) {
        if (!text_u64(value, DATASET_ENTRIES_MAX, &n))
            return refuse(d, o, field);
        w->hashsize = (uint32_t)n;
        return true;
    }
    if (text_eq_nocase(key, "load"))
        w->load = value;
    else if (text_eq_nocase(key, "save") && !w->rep)
        w->save = value;
    else if (text_eq_nocase(key, "state") && !w->rep)
        w->state = value;
    else
        return refuse(d, o, field);
    return true;
}

/* Fields behind the positional ones; then the step, in the buffer in force, with its set. */
static bool finish(struct draft *d, const struct option *o, struct span rest, struct dataset_want *w,
                   int32_t a, int32_t b)
{
    struct draft_step *s;
    struct span field;

    if (w->name.len == 0 || w->name.len > DATASET_NAME_MAX || memchr(w->name.p, ' ', w->name.len) != NULL)
        return refuse(d, o, w->name);
    while (words_field(&rest, &field))
        if (!read_field(d, o, field, w))
            return false;
    if (w->state.p != NULL && (w->load.p != NULL || w->save.p != NULL))
        return draft_fail(d, o->value.p, "keep state, or load and save",
                          "%s: state together with load or save", o->kw->name);
    if (d->buffer.base == BUF_PAYLOAD)
        return draft_fail(d, o->name.p, "write a sticky buffer such as dns.query; before it",
                          "%s looks into a sticky buffer, and there is none", o->kw->name);
    s = place_step_add(d, o);
    if (s == NULL)
        return false;
    s->step.a = a;
    s->step.b = b;
    s->step.data = datasets_use(d, o, w);
    return s->step.data != NULL;
}

static bool parse_dataset(struct draft *d, const struct option *o)
{
    struct dataset_want w = {.type = -1};
    struct span rest = o->value, word;
    int32_t c = 0;

    if (!words_field(&rest, &word))
        return refuse(d, o, o->value);
    while (c < N_COMMANDS && !text_eq_nocase(word, commands[c]))
        c++;
    if (c == N_COMMANDS)
        return refuse(d, o, word);
    if (!words_field(&rest, &w.name))
        return refuse(d, o, o->value);
    return finish(d, o, rest, &w, c, 0);
}

static bool parse_datarep(struct draft *d, const struct option *o)
{
    static const struct {
        const char *sign;
        uint8_t operation;
    } signs[] = {{"=", EQ}, {"==", EQ}, {"!=", NE}, {"<", LT}, {"<=", LE}, {">", GT}, {">=", GE}};
    struct dataset_want w = {.type = -1, .rep = true};
    struct span rest = o->value, sign, number;
    uint64_t v;

    if (!words_field(&rest, &w.name) || !words_field(&rest, &sign) || !words_field(&rest, &number))
        return refuse(d, o, o->value);
    if (!text_u64(number, UINT16_MAX, &v))
        return refuse(d, o, number);
    for (unsigned i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (span_eq_str(sign, signs[i].sign))
            return finish(d, o, rest, &w, signs[i].operation, (int32_t)v);
    return refuse(d, o, sign);
}

const struct keyword kw_dataset = {
    .name = "dataset",
    .usage = "write dataset:isset,NAME,type string,load FILE; with isset, isnotset, set or unset, and type "
             "string, md5, "
             "sha256, ipv4 or ip",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .parse = parse_dataset,
    .match = match_dataset,
};

const struct keyword kw_datarep = {
    .name = "datarep",
    .usage = "write datarep:NAME,>,VALUE,type string,load FILE; with a value from 0 to 65535",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .parse = parse_datarep,
    .match = match_datarep,
};
