/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the configuration to what the steering program's maps hold.
 *
 * Lists change by difference: what the new configuration no longer has is taken off, what it has is added (entries that
 * are there keep their counts), and what `ipsctl block add` put there beside it stays. Both lists are sorted, so that
 * the difference is one walk. Steering lines and settings are written as a whole: the file is what holds after a reload,
 * whatever `ipsctl steer` did since.
 */
#include "ips/control/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/io/steer_line.h"

/* --- reading ---------------------------------------------------------------------------------------------- */

/* Says which key the mistake is in, before what it is. */
static int blame(struct err *e, const char *fmt, const char *name, unsigned index)
{
    char key[96], text[sizeof(e->text)];

    snprintf(key, sizeof(key), fmt, name, index); /* NOLINT: fmt is one of ours */
    snprintf(text, sizeof(text), "%s: %.*s", key, (int)(sizeof(text) - sizeof(key) - 2), e->text);
    memcpy(e->text, text, sizeof(e->text));
    return e->code;
}

static int read_lines(const struct bridge_config *b, struct live_bridge *out, struct err *e)
{
    const char *const ifname[STEER_PORTS] = {b->interfaces[0], b->interfaces[1]};

    if (b->n_steer > STEER_LINES_MAX) {
        err_set(e, -EINVAL, "bridge %s: %u steering lines", b->name, b->n_steer);
        return err_remedy(e, "write at most %d: ranges and prefixes make one of several", STEER_LINES_MAX),
               -EINVAL;
    }
    for (unsigned i = 0; i < b->n_steer; i++)
        if (steer_line_parse(b->steer[i], ifname, &out->lines[i].line, e) < 0)
            return blame(e, "bridge %.32s: steer[%u]", b->name, i);
    out->n_lines = b->n_steer;
    out->fail = (enum steer_fail_policy)b->fail;
    out->use_flows = !b->flow_cache_off;
    out->heartbeat_ns = *b->heartbeat_ms * NS_PER_MS;
    return 0;
}

static int read_guard(const struct config *c, struct xdp_guard *out, struct err *e)
{
    const struct {
        const char *key, *text;
    } rates[STEER_RATE_N] = {
        [STEER_RATE_SOURCE] = {"source_rate", c->guard.source_rate},
        [STEER_RATE_SYN_SRC] = {"syn_source_rate", c->guard.syn_source_rate},
        [STEER_RATE_SYN_DST] = {"syn_destination_rate", c->guard.syn_destination_rate},
    };

    out->broken = c->guard.broken;
    for (int i = 0; i < STEER_RATE_N; i++)
        if (xdp_rate_parse(rates[i].text, &out->limit[i], e) < 0)
            return blame(e, "guard.%s", rates[i].key, 0);
    return 0;
}

static int read_all(const struct config *c, struct live *l, struct err *e)
{
    int rc = read_guard(c, &l->guard, e);

    l->n_bridges = c->n_bridges;
    for (unsigned i = 0; i < c->n_bridges && rc == 0; i++)
        rc = read_lines(&c->bridges[i], &l->bridges[i], e);
    return rc;
}

int live_check(const struct config *c, struct err *e)
{
    struct live *l = calloc(1, sizeof(*l));
    int rc = l != NULL ? read_all(c, l, e) : err_set(e, -ENOMEM, "no memory for the configuration");

    free(l);
    return rc;
}

/* One entry of guard.block or guard.allow: a prefix or a file, with a side behind it or not. */
static void read_entry(struct prefix_list *l, const char *key, unsigned index, const char *text,
                       struct err_list *errs)
{
    struct err e = {.code = 0};
    uint8_t side = PREFIX_SRC;
    char path[4096], *space;
    struct prefix p;

    if (text[0] != '/') {
        if (prefix_parse_sided(text, PREFIX_SRC, &p, &e) == 0 && prefix_list_add(l, &p, &e) == 0)
            return;
        blame(&e, "guard.%s[%u]", key, index);
        err_remedy(
            &e,
            "give a prefix (192.0.2.0/24), or a file of prefixes by its path from / on, and src, dst or both "
            "behind it");
        err_list_add(errs, &e);
        return;
    }
    snprintf(path, sizeof(path), "%s", text);
    space = strrchr(path, ' ');
    if (space != NULL && prefix_side_read(space + 1, &side))
        *space = '\0';
    prefix_list_read(l, path, side, errs);
}

static void read_lists(const struct config *c, struct live *l, struct err_list *errs)
{
    for (unsigned i = 0; i < c->guard.n_block; i++)
        read_entry(&l->lists[XDP_LIST_BLOCK], "block", i, c->guard.block[i], errs);
    for (unsigned i = 0; i < c->guard.n_allow; i++)
        read_entry(&l->lists[XDP_LIST_ALLOW], "allow", i, c->guard.allow[i], errs);
    for (int i = 0; i < 2; i++)
        prefix_list_sort(&l->lists[i]);
}

struct live *live_new(const struct config *c, struct err_list *errs)
{
    struct live *l = calloc(1, sizeof(*l));
    size_t n = errs->n + errs->n_dropped;
    struct err e = {.code = 0};

    if (l == NULL)
        err_set(&e, -ENOMEM, "no memory for the configuration");
    else
        read_all(c, l, &e);
    if (e.code != 0)
        err_list_add(errs, &e);
    if (l != NULL)
        read_lists(c, l, errs);
    if (errs->n + errs->n_dropped == n)
        return l;
    live_free(l);
    return NULL;
}

void live_free(struct live *l)
{
    if (l == NULL)
        return;
    for (int i = 0; i < 2; i++)
        prefix_list_fini(&l->lists[i]);
    free(l);
}

/* --- putting it in force ---------------------------------------------------------------------------------- */

/* What `was` has and `is` has not, by side, into out. */
static int subtract(const struct prefix_list *was, const struct prefix_list *is, struct prefix_list *out,
                    struct err *e)
{
    size_t j = 0;
    int rc = 0;

    for (size_t i = 0; i < was->n && rc == 0; i++) {
        struct prefix p = was->v[i];

        while (j < is->n && prefix_cmp(&is->v[j], &p) < 0)
            j++;
        if (j < is->n && prefix_cmp(&is->v[j], &p) == 0)
            p.sides = (uint8_t)(p.sides & ~is->v[j].sides);
        if (p.sides != 0)
            rc = prefix_list_add(out, &p, e);
    }
    return rc;
}

/* Adds before it takes away: what is on both lists, or inside the other's prefixes, is never off. */
static int apply_list(struct xdp *x, enum xdp_list list, const struct prefix_list *is,
                      const struct prefix_list *was, struct err *e)
{
    static const struct prefix_list nothing;
    struct prefix_list more = {.n = 0}, less = {.n = 0};
    size_t n_removed;
    int rc = subtract(is, was != NULL ? was : &nothing, &more, e);

    if (rc == 0 && was != NULL)
        rc = subtract(was, is, &less, e);
    if (rc == 0)
        rc = xdp_list_add(x, list, more.v, more.n, true, e);
    if (rc == 0)
        rc = xdp_list_del(x, list, less.v, less.n, &n_removed, e);
    prefix_list_fini(&more);
    prefix_list_fini(&less);
    return rc;
}

static int apply_bridge(struct live *l, unsigned i, const struct live *before, struct xdp *x, struct err *e)
{
    struct live_bridge *b = &l->bridges[i];
    int rc = 0;

    /* the allow list first: it wins, also over what is being added */
    for (int list = 1; list >= 0 && rc == 0; list--)
        rc = apply_list(x, (enum xdp_list)list, &l->lists[list], before ? &before->lists[list] : NULL, e);
    if (rc == 0)
        rc = xdp_guard_set(x, &l->guard, e);
    if (rc == 0)
        rc = xdp_lines_set(x, b->lines, b->n_lines, e);
    if (rc == 0)
        rc = xdp_set_heartbeat(x, b->heartbeat_ns, e);
    if (rc == 0)
        rc = xdp_set_flags(x, STEER_USE_FLOWS, b->use_flows ? STEER_USE_FLOWS : 0, e);
    return rc == 0 ? xdp_set_fail_policy(x, b->fail, e) : rc;
}

int live_apply(struct live *l, struct live *before, struct xdp *const *x, struct err *e)
{
    struct err undo = {.code = 0};
    int rc = 0;
    unsigned n = 0;

    for (; n < l->n_bridges && rc == 0; n++)
        rc = apply_bridge(l, n, before, x[n], e);
    for (unsigned i = 0; i < n && rc < 0 && before != NULL; i++)
        if (apply_bridge(before, i, l, x[i], &undo) < 0)
            log_err(LOG_LEVEL_ERROR, "control", &undo);
    return rc;
}
