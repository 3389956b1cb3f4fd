/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overload and slow packets as events.
 *
 * Workers count and publish; here that becomes what is said, at most once a second for each worker, so that an event tells of
 * all that happened since the last one: how far the worker goes now, how far it went meanwhile, what was shed.
 * Supervisor's thread. Owns nothing.
 */
#include "ips/load_events.h"

#include <arpa/inet.h>

#include "ips/base/clock.h"

#define EVERY_NS NS_PER_S

static const char *const step_words[OVERLOAD_STEPS] = {"none", "elephants", "rules", "shed"};

static void put_end(json_t *o, const char *ip_key, const char *port_key, const struct addr *a, uint16_t port,
                    uint8_t version)
{
    char text[INET6_ADDRSTRLEN];

    inet_ntop(version == 4 ? AF_INET : AF_INET6, version == 4 ? a->b + 12 : a->b, text, sizeof(text));
    json_object_set_new(o, ip_key, json_string(text));
    if (port)
        json_object_set_new(o, port_key, json_integer(port));
}

void load_put_ends(json_t *o, const struct packet_ends *e)
{
    if (e->ip_version == 0)
        return;
    put_end(o, "src_ip", "src_port", &e->src, e->sport, e->ip_version);
    put_end(o, "dest_ip", "dest_port", &e->dst, e->dport, e->ip_version);
    json_object_set_new(o, "ip_proto", json_integer(e->ip_proto));
}

/* Adds what came to *was under `key`. */
static void put_more(json_t *o, const char *key, uint64_t *was, uint64_t is)
{
    if (is > *was)
        json_object_set_new(o, key, json_integer((json_int_t)(is - *was)));
    *was = is;
}

static void put_rules(json_t *o, const struct worker *w)
{
    uint64_t ids[COSTLY_MAX];
    uint32_t n = detect_left_out(w->detect, ids);
    json_t *list = n > 0 ? json_array() : NULL;

    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, json_sprintf("%u:%u", (unsigned)(ids[i] >> 32), (unsigned)ids[i]));
    if (list)
        json_object_set_new(o, "rules_left_out", list);
}

struct load_said load_said_now(const struct worker *w)
{
    struct counters c = {.v = {0}};
    struct load_said s = {.at_ns = 0};

    counters_sum(&c, &w->counters);
    for (uint32_t i = 0; i < OVERLOAD_STEPS; i++)
        s.entered[i] = __atomic_load_n(&w->overload.entered[i], __ATOMIC_RELAXED);
    s.flows = c.v[CTR_OVERLOAD_FLOWS];
    s.rules = c.v[CTR_OVERLOAD_RULES];
    s.forwarded = c.v[CTR_OVERLOAD_FORWARDED];
    s.dropped = c.drop[DROP_OVERLOAD];
    s.slow = c.v[CTR_SLOW_PACKETS];
    return s;
}

json_t *load_event(struct load_said *said, const struct worker *w, uint64_t now_ns)
{
    uint32_t step = __atomic_load_n(&w->overload.step, __ATOMIC_RELAXED), highest = step;
    uint64_t entered[OVERLOAD_STEPS];
    bool changed = false;

    for (uint32_t i = 0; i < OVERLOAD_STEPS; i++) {
        entered[i] = __atomic_load_n(&w->overload.entered[i], __ATOMIC_RELAXED);
        if (entered[i] == said->entered[i])
            continue;
        changed = true;
        highest = i > highest ? i : highest;
    }
    if (!changed || (said->at_ns != 0 && now_ns - said->at_ns < EVERY_NS))
        return NULL;
    said->at_ns = now_ns;
    memcpy(said->entered, entered, sizeof(entered));

    struct counters c = {.v = {0}};
    counters_sum(&c, &w->counters);
    json_t *o = json_pack("{s:i, s:i, s:s, s:i, s:i, s:i}", "worker", (int)w->cfg.index, "step", (int)step,
                          "sheds", step_words[step], "highest_step", (int)highest, "occupancy",
                          (int)(__atomic_load_n(&w->overload.permille, __ATOMIC_RELAXED) / 10), "peak",
                          (int)(__atomic_load_n(&w->overload.peak, __ATOMIC_RELAXED) / 10));
    put_more(o, "bypassed_flows", &said->flows, c.v[CTR_OVERLOAD_FLOWS]);
    put_more(o, "rules_skipped", &said->rules, c.v[CTR_OVERLOAD_RULES]);
    put_more(o, "forwarded", &said->forwarded, c.v[CTR_OVERLOAD_FORWARDED]);
    put_more(o, "dropped", &said->dropped, c.drop[DROP_OVERLOAD]);
    put_rules(o, w);
    return o;
}

json_t *load_slow_event(struct load_said *said, struct worker *w)
{
    struct slow_packet *s = &w->slow;

    if (!__atomic_load_n(&s->full, __ATOMIC_ACQUIRE))
        return NULL;
    json_t *o = json_pack("{s:i, s:I}", "worker", (int)w->cfg.index, "us", (json_int_t)s->us);
    if (s->sid) {
        json_object_set_new(o, "gid", json_integer(s->gid));
        json_object_set_new(o, "sid", json_integer(s->sid));
    }
    if (s->parser)
        json_object_set_new(o, "parser", json_string(app_word((enum app_proto)(s->parser - 1))));
    load_put_ends(o, &s->end);
    put_more(o, "packets", &said->slow, __atomic_load_n(&w->counters.v[CTR_SLOW_PACKETS], __ATOMIC_RELAXED));
    __atomic_store_n(&s->full, false, __ATOMIC_RELEASE);
    return o;
}
