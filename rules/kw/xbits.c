/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xbits and hostbits: one bit of memory per name and host, or pair of hosts, for a time.
 *
 *     xbits:set,NAME,track ip_src|ip_dst|ip_pair[,expire SECONDS];    set unset toggle isset isnotset
 *     hostbits:set,NAME[,src|dst|both[,SECONDS]];
 *
 * Tests run before any content; the others are done when the whole rule has matched. Source and destination are those of
 * the packet. A host's bits of one name are the same to xbits and hostbits, and to ip_src and ip_dst: a rule may set a bit on
 * the source and another find it on the destination. A pair is the same in both directions. An end of time is set
 * anew by every set; without one it is 30 seconds for xbits and 300 for hostbits, Suricata's defaults. hostbits `both`
 * acts on both ends; isset holds when one of them has the bit.
 *
 * Kept in the table that all workers share (ips/base/track.h). Matching runs in workers.
 */
#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/source.h"
#include "rules/var_names.h"

#define XBITS_EXPIRE_S    30
#define HOSTBITS_EXPIRE_S 300
#define EXPIRE_MAX_S      (10 * 365 * 24 * 3600)

enum command { SET, UNSET, TOGGLE, ISSET, ISNOTSET, N_COMMANDS };
enum { ON_SRC = 1, ON_DST = 2, ON_PAIR = 4 };

static const char *const commands[N_COMMANDS] = {"set", "unset", "toggle", "isset", "isnotset"};

static struct track_key key_of(const struct step *s, const struct eval *e, unsigned on)
{
    struct memory_key k = {.kind = on == ON_PAIR ? MEMORY_PAIR_BIT : MEMORY_HOST_BIT, .id = (uint32_t)s->b};

    if (on == ON_PAIR)
        memory_key_pair(&k, e->facts->src, e->facts->dst);
    else
        memcpy(k.a, on == ON_SRC ? e->facts->src : e->facts->dst, sizeof(k.a));
    return memory_key_hash(&e->memory, &k);
}

static bool test(const struct step *s, struct eval *e)
{
    struct track_value v;
    bool set = false;

    if (e->memory.track == NULL)
        return false;
    for (unsigned on = ON_SRC; on <= ON_PAIR && !set; on <<= 1)
        if (s->flags & on)
            set = track_get(e->memory.track, key_of(s, e, on), e->memory.now_ms, &v);
    return set == (s->a == ISSET);
}

struct change {
    enum command command;
    uint64_t deadline_ms;
};

static bool apply(struct track_value *v, bool alive, void *arg)
{
    const struct change *c = arg;

    v->deadline_ms = c->deadline_ms;
    return c->command == SET || (c->command == TOGGLE && !alive);
}

static bool act(const struct step *s, struct eval *e)
{
    struct change c = {(enum command)s->a, e->memory.now_ms + (uint64_t)s->c * 1000};

    for (unsigned on = ON_SRC; on <= ON_PAIR && e->memory.track != NULL; on <<= 1)
        if (s->flags & on)
            track_update(e->memory.track, key_of(s, e, on), e->memory.now_ms, apply, &c, e->memory.c);
    return true;
}

static bool refuse(struct draft *d, const struct option *o, struct span at, const char *what)
{
    return draft_fail(d, at.p, o->kw->usage, "%s: '%.*s' is no %s", o->kw->name, TEXT_ARG(at), what);
}

/* What both keywords begin with; the rest of the text stays in *rest. NULL: refused, or `noalert` (then true in *done). */
static struct draft_step *parse_begin(struct draft *d, const struct option *o, struct span *rest, bool *done)
{
    struct span word, name;
    struct draft_step *s;
    int command = 0;
    uint16_t id;

    *rest = o->value;
    text_split(rest, ',', &word);
    text_split(rest, ',', &name);
    word = text_trim(word), name = text_trim(name);
    *done = text_eq_nocase(word, "noalert") && name.len == 0;
    if (*done) {
        d->rule.flags |= RULE_NOALERT;
        return NULL;
    }
    while (command < N_COMMANDS && !text_eq_nocase(word, commands[command]))
        command++;
    if (command == N_COMMANDS || name.len == 0 || name.len > VAR_NAME_BYTES ||
        memchr(name.p, ' ', name.len)) {
        refuse(d, o, command == N_COMMANDS ? word : name, command == N_COMMANDS ? "command" : "name");
        return NULL;
    }
    id = var_name_id(VAR_HOSTBIT, name);
    if (id == VAR_ID_NONE) {
        draft_fail(d, name.p, "restart, which forgets names that are no longer used",
                   "%s: %d different names were used since the start", o->kw->name, VAR_NAMES_MAX);
        return NULL;
    }
    s = command < ISSET ? draft_post_add(d, o->kw, o->name.p) : draft_step_add(d, o->kw, o->name.p);
    if (s == NULL)
        return NULL;
    s->step.a = command;
    s->step.b = id;
    s->step.match = command < ISSET ? act : test;
    s->state = STATE_HOSTS;
    s->ip_only = true;
    return s;
}

static bool parse_seconds(struct draft *d, const struct option *o, struct span text, int32_t *out)
{
    uint64_t v;

    if (!text_u64(text, EXPIRE_MAX_S, &v) || v == 0)
        return refuse(d, o, text, "number of seconds");
    *out = (int32_t)v;
    return true;
}

/* "word value" */
static bool take_pair(struct span text, const char *word, struct span *value)
{
    uint32_t n = (uint32_t)strlen(word);

    text = text_trim(text);
    if (text.len <= n || !text_eq_nocase(span_sub(text, 0, n), word) ||
        (text.p[n] != ' ' && text.p[n] != '\t'))
        return false;
    *value = text_trim(span_sub(text, n, text.len));
    return true;
}

static bool parse_xbits(struct draft *d, const struct option *o)
{
    static const struct {
        const char *word;
        uint8_t on;
    } tracks[] = {{"ip_src", ON_SRC}, {"ip_dst", ON_DST}, {"ip_pair", ON_PAIR}};
    struct span rest, track, expire, value;
    bool done, has_expire;
    struct draft_step *s = parse_begin(d, o, &rest, &done);

    if (s == NULL)
        return done;
    has_expire = text_split(&rest, ',', &track);
    expire = rest;
    s->step.c = XBITS_EXPIRE_S;
    if (!take_pair(track, "track", &value))
        return refuse(d, o, text_trim(track), "track ip_src, ip_dst or ip_pair");
    for (unsigned i = 0; i < 3; i++)
        if (text_eq_nocase(value, tracks[i].word))
            s->step.flags = tracks[i].on;
    if (s->step.flags == 0)
        return refuse(d, o, value, "ip_src, ip_dst or ip_pair");
    if (s->step.flags == ON_PAIR)
        s->state = STATE_PAIRS;
    if (!has_expire)
        return true;
    if (!take_pair(expire, "expire", &value))
        return refuse(d, o, text_trim(expire), "expire SECONDS");
    return parse_seconds(d, o, value, &s->step.c);
}

static bool parse_hostbits(struct draft *d, const struct option *o)
{
    struct span rest, ends;
    bool done, has_expire;
    struct draft_step *s = parse_begin(d, o, &rest, &done);

    if (s == NULL)
        return done;
    s->step.c = HOSTBITS_EXPIRE_S;
    s->step.flags = ON_SRC;
    has_expire = text_split(&rest, ',', &ends);
    ends = text_trim(ends);
    if (text_eq_nocase(ends, "dst"))
        s->step.flags = ON_DST;
    else if (text_eq_nocase(ends, "both"))
        s->step.flags = ON_SRC | ON_DST;
    else if (ends.len > 0 && !text_eq_nocase(ends, "src"))
        return refuse(d, o, ends, "src, dst or both");
    return !has_expire || parse_seconds(d, o, text_trim(rest), &s->step.c);
}

const struct keyword kw_xbits = {
    .name = "xbits",
    .usage =
        "write xbits:set,NAME,track ip_src,expire SECONDS; with set, unset, toggle, isset or isnotset, and "
        "ip_src, ip_dst or ip_pair",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .parse = parse_xbits,
};

const struct keyword kw_hostbits = {
    .name = "hostbits",
    .usage = "write hostbits:set,NAME,src; with set, unset, toggle, isset or isnotset, and src, dst or both",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .parse = parse_hostbits,
};
