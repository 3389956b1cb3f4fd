/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The block lists and the allow list: prefixes of sources and destinations whose frames the steering program drops
 * before any worker sees them, or lets past the guard whatever else is on. `ipsctl block`, `ipsctl allow` and the
 * configuration's guard.block and guard.allow end here.
 *
 * The LPM tries in the kernel are the only copy; nothing is remembered here. A word for each list in the program's
 * configuration (STEER_HAS_BLOCKS, STEER_HAS_ALLOWS) spares the lookups while all its tries are empty: it is raised
 * before the first entry counts as added and lowered after the last one is gone, so an entry is never on a list that
 * nobody looks at. Runs in the control thread only (single writer).
 *
 * In bulk: entries go in by bpf_map_update_batch(), which starts the counts of those that are there anew; where counts
 * are to be kept, and there are any, they go in one by one (BPF_NOEXIST), in twice the time. Sorted entries go in twice
 * as fast as others: their way through the trie is in the cache.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ips/io/xdp_parts.h"

#define BATCH 256 /* entries a system call, of which each delays a worker by half a millisecond at most */

static const char *const side_words[] = {"source", "destination"};

static const struct {
    const char *name;
    uint32_t flag, max;
} lists[] = {[XDP_LIST_BLOCK] = {"block list", STEER_HAS_BLOCKS, STEER_BLOCK_MAX},
             [XDP_LIST_ALLOW] = {"allow list", STEER_HAS_ALLOWS, STEER_ALLOW_MAX}};

struct key { /* what the kernel wants */
    union {
        struct steer_prefix_v4 v4;
        struct steer_prefix_v6 v6;
    };
};

/* [side][family] of a list: a descriptor */
static int trie(const struct xdp *x, enum xdp_list list, int side, int family)
{
    return list == XDP_LIST_BLOCK ? x->map.block[side][family] : x->map.allow[side][family];
}

static size_t key_size(int family)
{
    return family == 0 ? sizeof(struct steer_prefix_v4) : sizeof(struct steer_prefix_v6);
}

static void key_make(void *at, const struct prefix *p)
{
    struct key k = {.v6 = {.prefixlen = p->bits}}; /* both begin with the length */

    memcpy(p->family == 0 ? k.v4.addr : k.v6.addr, p->addr, p->family == 0 ? 4 : 16);
    memcpy(at, &k, key_size(p->family));
}

static void key_read(const struct key *k, int family, struct prefix *p)
{
    *p = (struct prefix){.family = (uint8_t)family, .bits = (uint8_t)k->v6.prefixlen};
    memcpy(p->addr, family == 0 ? k->v4.addr : k->v6.addr, family == 0 ? 4 : 16);
}

static int push_enabled(struct xdp *x, enum xdp_list list, bool enabled, struct err *e)
{
    return xdp_set_flags(x, lists[list].flag, enabled ? lists[list].flag : 0, e);
}

static bool trie_is_empty(int map)
{
    struct key k;

    return bpf_map_get_next_key(map, NULL, &k) != 0 && errno == ENOENT;
}

static bool list_is_empty(const struct xdp *x, enum xdp_list list)
{
    for (int s = 0; s < 2; s++)
        for (int f = 0; f < 2; f++)
            if (!trie_is_empty(trie(x, list, s, f)))
                return false;
    return true;
}

/* --- many at a time --------------------------------------------------------------------------------------- */

static int add_failed(int code, enum xdp_list list, int side, struct err *e)
{
    err_sys(e, code, "cannot add to the %s of %ss", lists[list].name, side_words[side]);
    if (code == -ENOSPC)
        err_remedy(e, "it holds %u prefixes: join neighbours into shorter prefixes, or remove some",
                   lists[list].max);
    else if (code == -ENOMEM)
        err_remedy(e, "free some memory, or raise the memory limit of the service");
    return code;
}

/* Next entries of that side and family, at most max, as keys; their number. *at moves behind them. */
static uint32_t take_keys(const struct prefix *v, size_t n, size_t *at, uint8_t which[2], uint8_t *keys,
                          uint32_t max)
{
    uint32_t taken = 0;

    for (; *at < n && taken < max; ++*at)
        if ((v[*at].sides & which[0]) && v[*at].family == which[1])
            key_make(keys + taken++ * key_size(which[1]), &v[*at]);
    return taken;
}

static int add_batch(int map, const void *keys, uint32_t n)
{
    static const struct steer_block fresh[BATCH];
    LIBBPF_OPTS(bpf_map_batch_opts, opts);

    return bpf_map_update_batch(map, keys, fresh, &n, &opts);
}

static int add_each(int map, const uint8_t *keys, size_t size, uint32_t n)
{
    const struct steer_block fresh = {0};

    for (uint32_t i = 0; i < n; i++)
        if (bpf_map_update_elem(map, keys + i * size, &fresh, BPF_NOEXIST) != 0 && errno != EEXIST)
            return -errno;
    return 0;
}

static int add_to(int map, uint8_t which[2], const struct prefix *v, size_t n, bool keep)
{
    uint8_t keys[BATCH * sizeof(struct key)];
    bool batch = !keep || trie_is_empty(map);
    size_t at = 0;
    uint32_t taken;
    int code = 0;

    while (code == 0 && (taken = take_keys(v, n, &at, which, keys, BATCH)) > 0)
        code = batch ? add_batch(map, keys, taken) : add_each(map, keys, key_size(which[1]), taken);
    return code;
}

int xdp_list_add(struct xdp *x, enum xdp_list list, const struct prefix *v, size_t n, bool keep,
                 struct err *e)
{
    int code = n > 0 ? push_enabled(x, list, true, e) : 0;

    for (uint8_t s = 0; s < 2 && code == 0; s++)
        for (uint8_t f = 0; f < 2 && code == 0; f++) {
            uint8_t which[2] = {(uint8_t)(1 << s), f};

            code = add_to(trie(x, list, s, f), which, v, n, keep);
            if (code != 0)
                add_failed(code, list, s, e);
        }
    if (code != 0 && list_is_empty(x, list))
        push_enabled(x, list, false, NULL);
    return code;
}

int xdp_list_del(struct xdp *x, enum xdp_list list, const struct prefix *v, size_t n, size_t *n_removed,
                 struct err *e)
{
    int code = 0;

    *n_removed = 0;
    for (size_t i = 0; i < n && code == 0; i++)
        for (int s = 0; s < 2 && code == 0; s++) {
            char text[PREFIX_TEXT_MAX];
            struct key k;

            if (!(v[i].sides & 1 << s))
                continue;
            key_make(&k, &v[i]);
            if (bpf_map_delete_elem(trie(x, list, s, v[i].family), &k) == 0)
                ++*n_removed;
            else if (errno != ENOENT)
                code = err_sys(e, -errno, "cannot take %s off the %s as a %s", prefix_format(&v[i], text),
                               lists[list].name, side_words[s]);
        }
    if (*n_removed > 0 && list_is_empty(x, list)) {
        int pushed = push_enabled(x, list, false, code == 0 ? e : NULL);
        code = code ? code : pushed;
    }
    return code;
}

int xdp_list_clear(struct xdp *x, enum xdp_list list, size_t max, size_t *n_removed, struct err *e)
{
    *n_removed = 0;
    for (int s = 0; s < 2; s++)
        for (int f = 0; f < 2; f++) {
            int map = trie(x, list, s, f);
            struct key k;

            while (*n_removed < max && bpf_map_get_next_key(map, NULL, &k) == 0) {
                if (bpf_map_delete_elem(map, &k) != 0)
                    return err_sys(e, -errno, "cannot empty the %s", lists[list].name);
                ++*n_removed;
            }
        }
    return list_is_empty(x, list) ? push_enabled(x, list, false, e) : 0;
}

/* --- reading ---------------------------------------------------------------------------------------------- */

/* From the cursor on; 1 when the trie is through, 0 when the page is full or fn said so (*said). */
static int page_of(int map, struct xdp_cursor *c, uint32_t *room, const struct xdp_visit *visit, int *said)
{
    int family = c->trie & 1;
    struct key next, here = {0};

    if (c->inside)
        key_make(&here, &c->at);
    for (;;) {
        struct steer_block value;
        struct prefix p;

        if (bpf_map_get_next_key(map, c->inside ? &here : NULL, &next) != 0)
            return errno == ENOENT ? 1 : -errno;
        if (*room == 0)
            return 0;
        here = next;
        key_read(&here, family, &p);
        p.sides = (uint8_t)(1 << (c->trie >> 1 & 1));
        c->at = p;
        c->inside = true;
        --*room;
        /* the longest match of an entry's own key is the entry */
        if (bpf_map_lookup_elem(map, &here, &value) != 0) {
            if (errno == ENOENT)
                continue;
            return -errno;
        }
        *said = visit->fn(&p, value.frames, visit->arg);
        if (*said != 0)
            return 0;
    }
}

int xdp_list_page(struct xdp *x, enum xdp_list list, struct xdp_cursor *c, uint32_t max,
                  const struct xdp_visit *visit)
{
    int said = 0;

    for (; c->trie < 4; c->trie++, c->inside = false) {
        int rc = page_of(trie(x, list, c->trie >> 1, c->trie & 1), c, &max, visit, &said);

        if (rc != 1)
            return rc < 0 ? rc : said;
    }
    return 0;
}

uint64_t xdp_list_frames(struct xdp *x, enum xdp_list list, const struct prefix *p)
{
    struct steer_block value;
    struct key k;

    key_make(&k, p);
    return bpf_map_lookup_elem(trie(x, list, p->sides == PREFIX_DST, p->family), &k, &value) == 0
               ? value.frames
               : 0;
}
