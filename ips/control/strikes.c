/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is left out because it stalled workers.
 *
 * The maps of the bridges hold the counts (ips/io/xdp_strikes.c); they are read when a bridge is opened, before rules are
 * loaded and workers made. Here is what follows from them. A mutex guards the list: the loader reads it while the server
 * may forgive. Lives as long as the process; owns no memory.
 */
#include "ips/control/strikes.h"

#include <jansson.h>
#include <pthread.h>
#include <string.h>

#include "ips/base/log.h"
#include "ips/log/engine.h"
#include "rules/service.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct steer_strike off[STEER_STRIKES_MAX]; /* guarded, as n_off */
static unsigned n_off, enough;

void strikes_limit(unsigned limit)
{
    __atomic_store_n(&enough, limit, __ATOMIC_RELAXED);
}

static bool same(const struct steer_strike *a, const struct steer_strike *b)
{
    return a->gid == b->gid && a->sid == b->sid && strcmp(a->parser, b->parser) == 0;
}

/* False: it was known. */
static bool add(const struct steer_strike *s)
{
    bool new = true;

    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < n_off && new; i++)
        new = !same(&off[i], s);
    new = new &&n_off < STEER_STRIKES_MAX;
    if (new)
        off[n_off++] = *s;
    pthread_mutex_unlock(&lock);
    return new;
}

void strikes_learn(const struct steer_strike *v, unsigned n)
{
    unsigned limit = __atomic_load_n(&enough, __ATOMIC_RELAXED);

    for (unsigned i = 0; i < n; i++) {
        const struct steer_strike *s = &v[i];

        if (limit == 0 || s->count < limit || !add(s))
            continue;
        if (s->parser[0] != '\0') {
            log_warning("main",
                        "the %s parser is switched off: it stalled a worker %u times; `ipsctl strikes clear "
                        "%s` and a restart bring it back",
                        s->parser, s->count, s->parser);
            engine_event("parser_switched_off", NULL,
                         json_pack("{s:s, s:I}", "parser", s->parser, "strikes", (json_int_t)s->count));
        } else {
            log_warning(
                "main",
                "rule %u:%u is switched off: it stalled a worker %u times; `ipsctl strikes clear %u:%u` "
                "and `ipsctl rules reload` bring it back",
                s->gid, s->sid, s->count, s->gid, s->sid);
            engine_event("rule_switched_off", NULL,
                         json_pack("{s:I, s:I, s:I}", "gid", (json_int_t)s->gid, "sid", (json_int_t)s->sid,
                                   "strikes", (json_int_t)s->count));
        }
    }
}

void strikes_forgive(const struct steer_strike *what)
{
    unsigned kept = 0;

    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < n_off && what; i++)
        if (!same(&off[i], what))
            off[kept++] = off[i];
    n_off = kept;
    pthread_mutex_unlock(&lock);
}

bool strikes_is_off(const struct steer_strike *s)
{
    bool found = false;

    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < n_off; i++)
        found |= same(&off[i], s);
    pthread_mutex_unlock(&lock);
    return found;
}

unsigned strikes_rules(struct rule_id out[STEER_STRIKES_MAX])
{
    unsigned n = 0;

    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < n_off; i++)
        if (off[i].parser[0] == '\0')
            out[n++] = (struct rule_id){.gid = off[i].gid, .sid = off[i].sid};
    pthread_mutex_unlock(&lock);
    return n;
}

uint64_t strikes_apps(void)
{
    uint64_t apps = 0;

    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < n_off; i++)
        if (off[i].parser[0] != '\0')
            apps |= service_apps(span_str(off[i].parser));
    pthread_mutex_unlock(&lock);
    return apps;
}
