/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The block lists: prefixes of sources and destinations whose frames the steering program drops before any
 * worker sees them. `ipsctl block` ends here.
 *
 * The four LPM tries in the kernel are the only copy; nothing is remembered here. The one word beside them,
 * STEER_HAS_BLOCKS in the program's configuration, spares the lookups while all four are empty: it is raised
 * before the first entry counts as added and lowered after the last one is gone, so an entry is never on a
 * list that nobody looks at. Runs in the control thread only (single writer).
 *
 * A prefix is text: "10.0.0.0/8", "2001:db8::/32", or an address alone for a host. Bits behind the prefix
 * length are cleared, so "10.1.2.3/8" is 10.0.0.0/8. Text that is not exactly an address and a decimal length
 * is refused.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "ips/io/xdp_parts.h"

struct prefix {
    int family; /* index: 0 IPv4, 1 IPv6 */
    union {
        uint32_t length; /* bits; the first member of both keys */
        struct steer_prefix_v4 v4;
        struct steer_prefix_v6 v6;
    } key;
};

static const struct family {
    int af;
    uint32_t bits;
} families[] = {{AF_INET, 32}, {AF_INET6, 128}};

static const enum xdp_block_side sides[] = {XDP_BLOCK_SRC, XDP_BLOCK_DST}; /* by index into map.block */
static const char *const side_words[] = {"source", "destination"};

static uint8_t *prefix_addr(struct prefix *p)
{
    return p->family == 0 ? p->key.v4.addr : p->key.v6.addr;
}

/* A decimal number of 1 to 3 digits without sign, blank or leading zero, at most max. */
static bool parse_length(const char *s, uint32_t max, uint32_t *out)
{
    uint32_t v = 0;
    size_t n = strlen(s);

    if (n < 1 || n > 3 || (n > 1 && s[0] == '0'))
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        v = v * 10 + (uint32_t)(*s - '0');
    }
    *out = v;
    return v <= max;
}

static void clear_host_bits(uint8_t *addr, uint32_t bits, uint32_t length)
{
    for (uint32_t byte = 0; byte < bits / 8; byte++) {
        uint32_t kept = length > byte * 8 ? length - byte * 8 : 0;

        if (kept < 8)
            addr[byte] &= (uint8_t)(0xff00 >> kept);
    }
}

static int prefix_parse(const char *text, struct prefix *p, struct err *e)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char addr[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    uint32_t bits;

    memset(p, 0, sizeof(*p));
    p->family = strchr(text, ':') ? 1 : 0;
    bits = families[p->family].bits;
    if (n < sizeof(addr)) {
        memcpy(addr, text, n);
        addr[n] = '\0';
    }
    if (n >= sizeof(addr) || inet_pton(families[p->family].af, addr, prefix_addr(p)) != 1) {
        err_set(e, -EINVAL, "\"%.64s\" is not an IPv4 or IPv6 prefix", text);
        err_remedy(e, "write an address or address/length, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32");
        return -EINVAL;
    }
    p->key.length = bits;
    if (slash && !parse_length(slash + 1, bits, &p->key.length)) {
        err_set(e, -EINVAL, "\"%.64s\": the prefix length is not a number from 0 to %u", text, bits);
        err_remedy(e, "write %s/%u for this one address", addr, bits);
        return -EINVAL;
    }
    /* No packet carries such an address, so the entry would block nothing. */
    if (p->family == 1 && p->key.length >= 96 && memcmp(p->key.v6.addr, mapped, sizeof(mapped)) == 0) {
        err_set(e, -EINVAL, "\"%.64s\" is an IPv4 address written as IPv6", text);
        err_remedy(e, "write it as IPv4");
        return -EINVAL;
    }
    clear_host_bits(prefix_addr(p), bits, p->key.length);
    return 0;
}

static int push_enabled(struct xdp *x, bool enabled, struct err *e)
{
    uint32_t before = x->config.flags;

    x->config.flags = enabled ? before | STEER_HAS_BLOCKS : before & ~(uint32_t)STEER_HAS_BLOCKS;
    if (x->config.flags == before)
        return 0;
    int code = xdp_push_config(x, e);
    if (code != 0)
        x->config.flags = before;
    return code;
}

int xdp_block_add(struct xdp *x, const char *prefix, enum xdp_block_side side, struct err *e)
{
    const struct steer_block fresh = {0};
    struct prefix p;
    int code = prefix_parse(prefix, &p, e);

    if (code == 0)
        code = push_enabled(x, true, e);
    for (int s = 0; s < 2 && code == 0; s++) {
        if (!(side & sides[s]) ||
            bpf_map_update_elem(x->map.block[s][p.family], &p.key, &fresh, BPF_ANY) == 0)
            continue;
        code = err_sys(e, -errno, "cannot block %s as a %s%s", prefix, side_words[s],
                       s == 1 && (side & XDP_BLOCK_SRC) ? " (as a source it is blocked now)" : "");
        if (code == -ENOSPC)
            err_remedy(e, "the list holds %d prefixes: join neighbours into shorter prefixes, or remove some",
                       STEER_BLOCK_MAX);
    }
    return code;
}

static bool lists_are_empty(const struct xdp *x)
{
    struct prefix p;

    for (int s = 0; s < 2; s++)
        for (int f = 0; f < 2; f++)
            if (bpf_map_get_next_key(x->map.block[s][f], NULL, &p.key) == 0 || errno != ENOENT)
                return false;
    return true;
}

int xdp_block_del(struct xdp *x, const char *prefix, enum xdp_block_side side, struct err *e)
{
    struct prefix p;
    int code = prefix_parse(prefix, &p, e), n_removed = 0;

    for (int s = 0; s < 2 && code == 0; s++) {
        if (!(side & sides[s]))
            continue;
        if (bpf_map_delete_elem(x->map.block[s][p.family], &p.key) == 0)
            n_removed++;
        else if (errno != ENOENT)
            code = err_sys(e, -errno, "cannot unblock %s as a %s", prefix, side_words[s]);
    }
    if (code == 0 && n_removed == 0) {
        code = err_set(e, -ENOENT, "%s is not on the block list", prefix);
        err_remedy(e, "`ipsctl block list` shows the prefixes as they must be given");
    }
    if (n_removed > 0 && lists_are_empty(x)) {
        int pushed = push_enabled(x, false, code == 0 ? e : NULL);
        code = code ? code : pushed;
    }
    return code;
}

static int each_in(int map, int family, enum xdp_block_side side, xdp_block_fn fn, void *arg)
{
    struct prefix here = {.family = family}, next = {.family = family};
    char addr[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 4];
    int code = bpf_map_get_next_key(map, NULL, &here.key) == 0 ? 0 : -errno;

    while (code == 0) {
        struct steer_block value;
        /* the next key first, so that fn may remove the present one */
        int step = bpf_map_get_next_key(map, &here.key, &next.key) == 0 ? 0 : -errno;

        /* the longest match of an entry's own key is the entry */
        if (bpf_map_lookup_elem(map, &here.key, &value) == 0) {
            inet_ntop(families[family].af, prefix_addr(&here), addr, sizeof(addr));
            snprintf(text, sizeof(text), "%s/%u", addr, here.key.length);
            code = fn(text, side, value.frames, arg);
        } else if (errno != ENOENT) {
            code = -errno;
        }
        if (code == 0)
            code = step;
        here = next;
    }
    return code == -ENOENT ? 0 : code;
}

int xdp_block_each(struct xdp *x, xdp_block_fn fn, void *arg)
{
    int code = 0;

    for (int f = 0; f < 2 && code == 0; f++)
        for (int s = 0; s < 2 && code == 0; s++)
            code = each_in(x->map.block[s][f], f, sides[s], fn, arg);
    return code;
}
