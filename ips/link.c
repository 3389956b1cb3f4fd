/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces that change under a running daemon: what is said of it, and what is done about it.
 *
 * The thread `link` sleeps until the kernel says that some interface changed (ips/io/nic_watch.c), or a second is over.
 * Then it reads the interfaces of all bridges as they are and compares them with what it knew (struct bridge_side). What
 * differs is an engine event, and where something can be done it is done:
 *
 *   no link     frames to that side are dropped by the workers, counted (DROP_LINK_DOWN), not queued for later
 *   link_pass   the other side is set down, so that its neighbour sees it, too; and up again when the link is back
 *   gone        the program is taken off; workers go on for what the other side still brings
 *   back        the bridge is rebuilt with it (ips/bridge_rebuild.c), with growing pauses while that fails
 *   queues      set back to one per worker: frames of the others would follow the fail policy
 *   promiscuous set again; program detached by force: attached again
 *   name, MTU   followed, and said
 *
 * link_pass cannot go round in circles: a side that we hold down is never a reason to set the other one down, one that
 * has no link itself is not set down, and a side that was just set up has SETTLE_MS to find its link, before its lack
 * counts. Who sets a side up by hand that we hold down is left alone until the other side's link is back. At an orderly
 * end what we hold is set up again. After a crash nothing needs to be known: the next daemon sets its interfaces up and
 * decides by what they say.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/base/thread.h"
#include "ips/io/nic_watch.h"
#include "ips/link.h"
#include "ips/log/engine.h"

#define LOOK_MS              1000 /* what changes without a message is seen after so long */
#define AGAIN_MS             20   /* a command has the bridges in hand */
#define SETTLE_MS            5000 /* for two ends to agree on a speed */
#define REBUILD_TRIES        10
#define REBUILD_PAUSE_MS     1000 /* before the second try; then twice as long each time */
#define REBUILD_PAUSE_MAX_MS 30000
#define MENDS_MAX \
    5 /* times that a setting is set again, of those that somebody takes away; one more each minute */
#define MENDS_EVERY_NS (60 * NS_PER_S)

struct side_watch {          /* beside struct bridge_side, the thread's own */
    uint64_t settle_ns;      /* no link before then is no loss */
    uint32_t changes_before; /* what its count of carrier changes starts from */
    bool left_up;            /* set up by hand against link_pass */
    unsigned mends;          /* that may still be made */
    uint64_t mends_ns;       /* when there was one more */
};

struct bridge_watch {
    struct side_watch side[2];
    unsigned tries; /* to rebuild, since the last that succeeded */
    uint64_t next_ns;
    uint32_t tried[2]; /* index of the interface that was tried; 0: none */
};

struct links {
    struct bridge *bridges;
    unsigned n;
    pthread_mutex_t *hands;
    struct nic_watch *watch;
    struct bridge_watch of[BRIDGES_MAX];
    uint64_t now_ns;
    bool again;              /* soon: a command has the bridges in hand */
    pthread_mutex_t looking; /* held while it looks; taken before hands, which is only tried for */
    pthread_t thread;
    bool quit;
};

/* One interface, looked at: as it was known, and as it is. */
struct look {
    struct links *l;
    struct bridge *b;
    int side;
    const struct bridge_side *was; /* written only with set_side() */
    struct side_watch *own;
    struct nic_facts is;
};

/* --- what is known ---------------------------------------------------------------------------------------------- */

static void set_side(struct bridge *b, int side, const struct bridge_side *to)
{
    pthread_mutex_lock(&b->lock);
    b->side[side] = *to;
    pthread_mutex_unlock(&b->lock);
}

/* Workers drop what is for a side without link. Ports change in this thread only, so they may be read without the lock. */
static void tell_ports(struct bridge *b)
{
    for (uint32_t i = 0; i < b->n_workers; i++)
        for (int side = 0; side < 2; side++)
            if (b->workers[i]->port[side])
                port_set_down(b->workers[i]->port[side], !bridge_has_link(&b->side[side]));
}

/* What changes a bridge waits for a command that is under way, but nothing else does: the next look is soon. */
static bool take_hands(struct links *l)
{
    if (pthread_mutex_trylock(l->hands) == 0)
        return true;
    l->again = true;
    return false;
}

/* Somebody takes away what we set: it is set again, but not for ever. */
static bool may_mend(struct look *k)
{
    struct side_watch *own = k->own;

    if (k->l->now_ns - own->mends_ns >= MENDS_EVERY_NS) {
        own->mends_ns = k->l->now_ns;
        own->mends += own->mends < MENDS_MAX;
    }
    if (own->mends == 0)
        return false;
    own->mends--;
    return true;
}

/* --- events ----------------------------------------------------------------------------------------------------- */

static void say(const struct look *k, const char *what, json_t *more)
{
    json_t *fields = json_pack("{s:s, s:i}", "interface", k->was->ifname, "port", k->side);

    json_object_update(fields, more);
    json_decref(more);
    engine_say(json_object_get(fields, "error") ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, "io", what,
               k->b->cfg->name, fields);
}

static json_t *outcome(int code, const char *done, const char *remedy)
{
    return code == 0 ? json_pack("{s:s}", "done", done)
                     : json_pack("{s:s, s:s}", "error", strerror(-code), "remedy", remedy);
}

/* --- what may differ: a function each --------------------------------------------------------------------------- */

static void look_at_name(struct look *k, struct bridge_side *to)
{
    const char *configured = k->b->cfg->interfaces[k->side];
    char remedy[160] = "";

    if (strcmp(k->was->ifname, k->is.ifname) == 0)
        return;
    if (strcmp(k->is.ifname, configured) != 0)
        snprintf(remedy, sizeof(remedy),
                 "the next start needs the name in the configuration: put %s there, or %s back", k->is.ifname,
                 configured);
    say(k, "interface_renamed",
        json_pack("{s:s, s:s*}", "to", k->is.ifname, "remedy", remedy[0] ? remedy : NULL));
    snprintf(to->ifname, sizeof(to->ifname), "%s", k->is.ifname);
}

static void look_at_mtu(struct look *k, struct bridge_side *to)
{
    struct err e = {.code = 0};

    if (k->was->mtu == k->is.mtu)
        return;
    to->mtu = k->is.mtu;
    if (nic_mtu_fits(k->is.ifname, k->is.mtu, &e) == 0) {
        say(k, "mtu_changed", json_pack("{s:i, s:i}", "from", (int)k->was->mtu, "to", (int)k->is.mtu));
        return;
    }
    say(k, "mtu_changed",
        json_pack("{s:i, s:i, s:s, s:s}", "from", (int)k->was->mtu, "to", (int)k->is.mtu, "error", e.text,
                  "remedy", e.remedy));
}

static void look_at_link(struct look *k, struct bridge_side *to)
{
    to->up = k->is.up;
    to->carrier = k->is.carrier;
    if (k->is.carrier)
        k->own->settle_ns = 0; /* it is found */
    to->carrier_changes = (uint32_t)(k->is.carrier_changes - k->own->changes_before);
    if (k->was->up && k->was->carrier && !k->is.carrier)
        say(k, "link_down", json_pack("{s:s}", "reason", k->is.up ? "no carrier" : "set down"));
    else if (k->was->up && !k->is.up)
        say(k, "link_down", json_pack("{s:s}", "reason", "set down"));
    else if (!k->was->carrier && k->is.carrier)
        say(k, "link_up", NULL);
}

static void look_at_promisc(struct look *k, struct bridge_side *to)
{
    (void)to;
    if (k->is.promisc || !may_mend(k))
        return;
    int code = nic_watch_set(k->l->watch, k->is.ifindex, NIC_PROMISC, true);
    say(k, "promisc_cleared",
        outcome(code, "set again", "run `ip link set promisc on dev` with the interface's name"));
}

static void look_at_queues(struct look *k, struct bridge_side *to)
{
    uint32_t workers = k->b->n_workers;
    int code;

    to->queues = k->is.queues;
    if (k->is.queues == 0 || k->is.queues == workers || (k->is.queues == k->was->queues && k->was->known))
        return;
    if (!may_mend(k)) {
        say(k, "queues_changed",
            json_pack("{s:i, s:i, s:s, s:s}", "workers", (int)workers, "to", (int)k->is.queues, "error",
                      "somebody changes them again and again", "remedy",
                      "set bridges[].queues and restart ipsd, or put them back with `ethtool -L`"));
        return;
    }
    code = nic_watch_set_queues(k->l->watch, k->is.ifindex, workers);
    if (code == 0)
        to->queues = workers;
    json_t *more = outcome(
        code, "set back",
        "frames of queues without a worker follow bridges[].fail: put the queues back with `ethtool -L`");
    json_object_set_new(more, "workers", json_integer(workers));
    json_object_set_new(more, "to", json_integer(k->is.queues));
    say(k, "queues_changed", more);
}

static void look_at_program(struct look *k, struct bridge_side *to)
{
    struct err e = {.code = 0};

    (void)to;
    if (k->b->broken || xdp_port_attached(k->b->xdp, (uint32_t)k->side) || !take_hands(k->l))
        return;
    if (!may_mend(k)) {
        pthread_mutex_unlock(k->l->hands);
        return;
    }
    xdp_detach_port(k->b->xdp, (uint32_t)k->side);
    int code = xdp_attach(k->b->xdp, &e);
    pthread_mutex_unlock(k->l->hands);
    say(k, "program_detached",
        code ? json_pack("{s:s, s:s}", "error", e.text, "remedy", e.remedy)
             : json_pack("{s:s}", "done", "attached again"));
}

static void (*const looks[])(struct look *k, struct bridge_side *to) = {
    look_at_name, look_at_mtu, look_at_link, look_at_promisc, look_at_queues, look_at_program,
};

/* --- one side --------------------------------------------------------------------------------------------------- */

static void side_gone(struct look *k, const char *why)
{
    struct bridge_side to = *k->was;

    to.gone = true;
    to.up = to.carrier = to.passed = false;
    if (!take_hands(k->l))
        return;
    xdp_detach_port(k->b->xdp, (uint32_t)k->side);
    pthread_mutex_unlock(k->l->hands);
    say(k, "interface_gone",
        json_pack("{s:s, s:s, s:s}", "error", why, "remedy",
                  "nothing can cross until there is an interface of that name", "name",
                  k->b->cfg->interfaces[k->side]));
    set_side(k->b, k->side, &to);
    k->l->of[k->b->index].tries = 0;
    k->l->of[k->b->index].next_ns = 0;
}

static void first_look(struct look *k)
{
    struct bridge_side to = *k->was;
    struct nic_info info;

    bridge_nic_info(k->b, k->side, &info);
    to.known = true;
    to.mtu = k->is.mtu;
    to.up = k->is.up;
    to.carrier = k->is.carrier;
    *k->own = (struct side_watch){.settle_ns =
                                      k->is.carrier || info.was_up ? 0 : k->l->now_ns + SETTLE_MS * NS_PER_MS,
                                  .changes_before = k->is.carrier_changes - (uint32_t)to.carrier_changes,
                                  .mends = MENDS_MAX,
                                  .mends_ns = k->l->now_ns};
    look_at_queues(k, &to);
    set_side(k->b, k->side, &to);
}

static void look_at_side(struct links *l, struct bridge *b, int side)
{
    struct look k = {.l = l, .b = b, .side = side, .was = &b->side[side], .own = &l->of[b->index].side[side]};
    struct bridge_side to;
    int code;

    if (k.was->gone)
        return;
    code = nic_watch_read(l->watch, NULL, k.was->ifindex, &k.is);
    if (code == -ENODEV) {
        side_gone(&k, "removed");
        return;
    }
    if (code)
        return; /* no memory, or interrupted: the next look is not far */
    if (!b->broken && !xdp_port_known(b->xdp, (uint32_t)side)) {
        side_gone(&k, "it was away, and its sockets are dead");
        return;
    }
    if (!k.was->known) {
        first_look(&k);
        return;
    }
    to = *k.was;
    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
        looks[i](&k, &to);
    set_side(b, side, &to);
}

/* --- link_pass -------------------------------------------------------------------------------------------------- */

static void hold(struct links *l, struct bridge *b, int side, bool down)
{
    struct look k = {.l = l, .b = b, .side = side, .was = &b->side[side], .own = &l->of[b->index].side[side]};
    const struct bridge_side *other = &b->side[1 - side];
    struct bridge_side to = *k.was;
    int code = nic_watch_set(l->watch, to.ifindex, NIC_UP, !down);

    if (code == -ENODEV)
        return; /* seen with the next look */
    json_t *more = outcome(code, down ? "set down" : "set up", "look at the interface with `ip link`");
    json_object_set_new(more, "because_of", json_string(other->ifname));
    say(&k, "link_passed", more);
    if (code == 0) {
        to.up = !down;
        to.carrier = false;
    }
    to.passed = down && code == 0;
    k.own->left_up = down && code != 0; /* it will not: do not ask once a second */
    k.own->settle_ns = l->now_ns + SETTLE_MS * NS_PER_MS;
    set_side(b, side, &to);
}

static void pass_on(struct links *l, struct bridge *b, int side)
{
    const struct bridge_side *this = &b->side[side], *other = &b->side[1 - side];
    struct side_watch *own = &l->of[b->index].side[side], *others = &l->of[b->index].side[1 - side];
    struct bridge_side to = *other;

    if (bridge_has_link(this)) {
        others->left_up = false;
        if (other->passed)
            hold(l, b, 1 - side, false);
        return;
    }
    if (other->passed && other->up) { /* by somebody else */
        others->left_up = true;
        to.passed = false;
        set_side(b, 1 - side, &to);
    }
    if (bridge_has_link(other) && !others->left_up && !this->passed &&
        (this->gone || l->now_ns >= own->settle_ns))
        hold(l, b, 1 - side, true);
}

/* --- rebuild ---------------------------------------------------------------------------------------------------- */

/* True when every side that is gone has an interface of its configured name again. One that was not there before has all
 * tries before it. */
static bool all_back(struct links *l, struct bridge *b, const char *fresh[2])
{
    struct bridge_watch *of = &l->of[b->index];
    struct nic_facts is;

    for (int side = 0; side < 2; side++) {
        fresh[side] = b->side[side].gone ? b->cfg->interfaces[side] : NULL;
        if (!fresh[side])
            continue;
        if (nic_watch_read(l->watch, fresh[side], 0, &is) != 0)
            return false;
        if (of->tried[side] != is.ifindex) {
            of->tried[side] = is.ifindex;
            of->tries = 0;
            of->next_ns = 0;
        }
    }
    return true;
}

/* The sides that were gone and are not: to be looked at as new. */
static void say_back(struct links *l, struct bridge *b, const char *const fresh[2])
{
    for (int side = 0; side < 2; side++) {
        struct look k = {
            .l = l, .b = b, .side = side, .was = &b->side[side], .own = &l->of[b->index].side[side]};
        struct bridge_side to = *k.was;

        if (!fresh[side] || to.gone)
            continue;
        to.known = false;
        set_side(b, side, &to);
        say(&k, "interface_back", json_pack("{s:i}", "ifindex", (int)to.ifindex));
    }
}

static void rebuilt(struct links *l, struct bridge *b)
{
    struct bridge_watch *of = &l->of[b->index];

    log_notice("io", "bridge %s: rebuilt", b->cfg->name);
    engine_event("bridge_rebuilt", b->cfg->name, json_pack("{s:i}", "tries", (int)of->tries));
    of->tries = 0;
    of->next_ns = 0;
}

static void rebuild_failed(struct links *l, struct bridge *b, const struct err *e)
{
    struct bridge_watch *of = &l->of[b->index];
    uint64_t pause_ms = (uint64_t)REBUILD_PAUSE_MS << (of->tries - 1);
    bool last = of->tries >= REBUILD_TRIES;

    if (pause_ms > REBUILD_PAUSE_MAX_MS)
        pause_ms = REBUILD_PAUSE_MAX_MS;
    of->next_ns = last ? UINT64_MAX : clock_mono_ns() + pause_ms * NS_PER_MS;
    log_err(LOG_LEVEL_ERROR, "io", e);
    engine_event("rebuild_failed", b->cfg->name,
                 json_pack("{s:s, s:s, s:i, s:s}", "error", e->text, "remedy", e->remedy, "tries",
                           (int)of->tries, "next",
                           last ? "never: restart ipsd, or remove the interface and add it again" : "soon"));
}

static void mend(struct links *l, struct bridge *b)
{
    struct bridge_watch *of = &l->of[b->index];
    struct err e = {.code = 0};
    const char *fresh[2];
    int code;

    if (!b->broken && !b->side[0].gone && !b->side[1].gone)
        return;
    if (!all_back(l, b, fresh) || l->now_ns < of->next_ns || !take_hands(l))
        return;
    of->tries++;
    code = bridge_rebuild(b, fresh, &e);
    pthread_mutex_unlock(l->hands);
    say_back(l, b, fresh);
    if (code)
        rebuild_failed(l, b, &e);
    else
        rebuilt(l, b);
}

/* --- the thread ------------------------------------------------------------------------------------------------- */

static void look_at_all(struct links *l)
{
    l->now_ns = clock_mono_ns();
    for (unsigned i = 0; i < l->n; i++) {
        struct bridge *b = &l->bridges[i];

        for (int side = 0; side < 2; side++)
            look_at_side(l, b, side);
        tell_ports(b);
        for (int side = 0; side < 2; side++)
            if (__atomic_load_n(&b->link_pass, __ATOMIC_RELAXED))
                pass_on(l, b, side);
            else if (b->side[side].passed) /* switched off meanwhile */
                hold(l, b, side, false);
        mend(l, b);
        for (int side = 0; side < 2; side++)
            if (!b->side[side].known)
                look_at_side(l, b, side);
        tell_ports(b);
    }
}

static void *links_run(void *arg)
{
    struct links *l = arg;

    while (!__atomic_load_n(&l->quit, __ATOMIC_ACQUIRE)) {
        pthread_mutex_lock(&l->looking);
        l->again = false;
        look_at_all(l);
        int wait_ms = l->again ? AGAIN_MS : LOOK_MS;
        pthread_mutex_unlock(&l->looking);
        nic_watch_wait(l->watch, wait_ms);
    }
    return NULL;
}

struct links *links_start(struct bridge *bridges, unsigned n, pthread_mutex_t *hands, struct err *e)
{
    struct links *l = calloc(1, sizeof(*l));

    if (!l) {
        err_set(e, -ENOMEM, "no memory to watch interfaces");
        return NULL;
    }
    l->bridges = bridges;
    l->n = n;
    l->hands = hands;
    pthread_mutex_init(&l->looking, NULL);
    l->watch = nic_watch_new(e);
    if (!l->watch)
        goto fail;
    look_at_all(l); /* here, so that whoever asks for the status finds it known */
    if (thread_start(&l->thread, "link", links_run, l, e) == 0)
        return l;
fail:
    nic_watch_free(l->watch);
    pthread_mutex_destroy(&l->looking);
    free(l);
    return NULL;
}

void links_pause(struct links *l)
{
    pthread_mutex_lock(&l->looking);
}

void links_resume(struct links *l)
{
    pthread_mutex_unlock(&l->looking);
    nic_watch_wake(l->watch);
}

void links_stop(struct links *l)
{
    if (!l)
        return;
    __atomic_store_n(&l->quit, true, __ATOMIC_RELEASE);
    nic_watch_wake(l->watch);
    pthread_join(l->thread, NULL);
    for (unsigned i = 0; i < l->n; i++)
        for (int side = 0; side < 2; side++)
            if (l->bridges[i].side[side].passed)
                hold(l, &l->bridges[i], side, false);
    nic_watch_free(l->watch);
    pthread_mutex_destroy(&l->looking);
    free(l);
}
