/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Symmetric RSS: makes a NIC send both directions of a flow to the same queue number, so that one worker sees
 * both and no frame has to change hands. Spoken through ioctl(SIOCETHTOOL), since netlink can set it only
 * from Linux 6.17 on. Owns nothing but the heap block that rss_read() returns. Control thread only.
 *
 * Two ways, tried in this order:
 *   - the NIC folds source and destination before it hashes (symmetric-xor, or symmetric-or-xor; Linux 6.8).
 * Its key must not repeat every 16 bits: source ^ destination stands at both places of the input, and under a
 * key that repeats the two halves of the hash would cancel out, and every flow would land on queue 0;
 *   - a Toeplitz key that repeats every 16 bits (0x6d5a): exchanging addresses and ports exchanges words that
 * the key treats alike, so the hash stays the same (Woo and Park, "Scalable TCP session monitoring with
 * symmetric receive-side scaling", 2012). Either way the key is the same on every NIC of this process,
 * because the two directions arrive on different NICs.
 *
 * Hashed are the addresses and nothing else: fragments have no ports, and a NIC that took the ports of segments into the
 * hash would bring the fragments of a connection to another worker than its segments, where what is split over both is
 * not joined. NICs that always hash TCP by ports (igb, ixgbe), or do not say what they hash fragments by, do not qualify.
 *
 * What counts is what the driver says after it was told: everything is read back, and if the key, the
 * function, the table or the hashed fields are not what they must be, the answer is "not symmetric", never an
 * error: the bridge then hands frames to their owners.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <xxhash.h>
#include "ips/io/nic_parts.h"

/* In the kernel's headers since 6.8; older kernels have the bytes as reserved, 0. */
#define XFRM_SYM_XOR    1
#define XFRM_SYM_OR_XOR 2
#define HFUNC_TOEPLITZ  1 /* ETH_RSS_HASH_TOP */
#define INPUT_XFRM(r)   ((r)->rsvd8[0])

#define KEY_BYTES_MAX 1024 /* 40 to 52 on the NICs there are; a driver that says more is not believed */
#define TABLE_MAX     65536

int ethtool_ioctl(const struct ethtool_dev *d, void *request)
{
    struct ifreq ifr = {0};

    memcpy(ifr.ifr_name, d->ifname, strnlen(d->ifname, IFNAMSIZ - 1));
    ifr.ifr_data = request;
    return ioctl(d->fd, SIOCETHTOOL, &ifr) == 0 ? 0 : -errno;
}

/* struct ethtool_rxfh is followed by the table, then by the key. */
static uint32_t *table_of(struct ethtool_rxfh *r)
{
    return r->rss_config;
}

static uint8_t *key_of(struct ethtool_rxfh *r)
{
    return (uint8_t *)(r->rss_config + r->indir_size);
}

static size_t rxfh_bytes(uint32_t table, uint32_t key)
{
    return sizeof(struct ethtool_rxfh) + table * sizeof(uint32_t) + key;
}

struct ethtool_rxfh *rss_read(const struct ethtool_dev *d)
{
    struct ethtool_rxfh sizes = {.cmd = ETHTOOL_GRSSH}, *r;

    if (d->call(d, &sizes) != 0 || sizes.indir_size > TABLE_MAX || sizes.key_size > KEY_BYTES_MAX)
        return NULL;
    r = calloc(1, rxfh_bytes(sizes.indir_size, sizes.key_size));
    if (!r)
        return NULL;
    r->cmd = ETHTOOL_GRSSH;
    r->indir_size = sizes.indir_size;
    r->key_size = sizes.key_size;
    if (d->call(d, r) == 0 && r->indir_size == sizes.indir_size && r->key_size == sizes.key_size)
        return r;
    free(r);
    return NULL;
}

/* One key for all NICs of this process that fold before they hash; drawn once, so nobody outside can aim at a
 * queue. */
static const uint8_t *folding_key(void)
{
    static uint8_t key[KEY_BYTES_MAX];
    static bool drawn;

    if (!drawn) {
        if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
            return NULL;
        drawn = true;
    }
    return key;
}

static bool fill_key(uint8_t *key, uint32_t n, uint8_t xfrm)
{
    const uint8_t *random = xfrm ? folding_key() : NULL;

    if (xfrm && !random)
        return false;
    for (uint32_t i = 0; i < n; i++)
        key[i] = xfrm ? random[i] : i % 2 == 0 ? 0x6d : 0x5a;
    return true;
}

/* Tells the driver and asks it back. True when all of it is in effect. now: sizes of table and key. */
static bool program(const struct ethtool_dev *d, const struct ethtool_rxfh *now, uint32_t n_queues,
                    uint8_t xfrm, bool *touched)
{
    size_t bytes = rxfh_bytes(now->indir_size, now->key_size);
    struct ethtool_rxfh *want = calloc(1, bytes), *is = NULL;
    bool same = false;

    if (!want)
        return false;
    want->cmd = ETHTOOL_SRSSH;
    want->indir_size = now->indir_size;
    want->key_size = now->key_size;
    want->hfunc = HFUNC_TOEPLITZ;
    INPUT_XFRM(want) = xfrm;
    for (uint32_t i = 0; i < want->indir_size; i++)
        table_of(want)[i] = i % n_queues;
    if (fill_key(key_of(want), want->key_size, xfrm) && d->call(d, want) == 0) {
        *touched = true;
        is = rss_read(d);
        same = is && is->indir_size == want->indir_size && is->key_size == want->key_size &&
               is->hfunc == want->hfunc && INPUT_XFRM(is) == xfrm &&
               memcmp(is->rss_config, want->rss_config, bytes - sizeof(*want)) == 0;
    }
    free(is);
    free(want);
    return same;
}

#define ADDRESSES (RXH_IP_SRC | RXH_IP_DST)

static const struct {
    uint32_t type;
    bool optional; /* NICs that do not know it take its packets for plain IP */
} kinds[] = {
    {TCP_V4_FLOW, false}, {UDP_V4_FLOW, false}, {SCTP_V4_FLOW, true}, {IPV4_FLOW, false},
    {TCP_V6_FLOW, false}, {UDP_V6_FLOW, false}, {SCTP_V6_FLOW, true}, {IPV6_FLOW, false},
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == RSS_KINDS, "a place for the fields of each kind");

void rss_fields_read(const struct ethtool_dev *d, uint64_t fields[RSS_KINDS])
{
    for (size_t i = 0; i < RSS_KINDS; i++) {
        struct ethtool_rxnfc get = {.cmd = ETHTOOL_GRXFH, .flow_type = kinds[i].type};

        fields[i] = d->call(d, &get) == 0 ? get.data : RSS_UNKNOWN;
    }
}

static int set_fields(const struct ethtool_dev *d, size_t kind, uint64_t fields)
{
    struct ethtool_rxnfc set = {.cmd = ETHTOOL_SRXFH, .flow_type = kinds[kind].type, .data = fields};

    return d->call(d, &set);
}

/* Every kind of packet is hashed by its addresses; fields: what the driver says in the end. */
static bool hash_addresses_only(const struct ethtool_dev *d, uint64_t fields[RSS_KINDS], bool *touched)
{
    rss_fields_read(d, fields);
    for (size_t i = 0; i < RSS_KINDS; i++)
        if (fields[i] != ADDRESSES && fields[i] != RSS_UNKNOWN && set_fields(d, i, ADDRESSES) == 0)
            *touched = true;
    rss_fields_read(d, fields); /* once more, all of them: setting one may have changed another */
    for (size_t i = 0; i < RSS_KINDS; i++)
        if (fields[i] != ADDRESSES && !(kinds[i].optional && fields[i] == RSS_UNKNOWN))
            return false;
    return true;
}

bool rss_set_symmetric(const struct ethtool_dev *d, uint32_t n_queues, const char *driver, uint64_t *id,
                       bool *touched)
{
    static const uint8_t xfrms[] = {XFRM_SYM_XOR, XFRM_SYM_OR_XOR, 0};
    struct {
        uint64_t fields[RSS_KINDS];
        uint32_t xfrm, table, key_bytes, n_queues;
        char driver[32]; /* how hash bits choose a line of the table is the NIC's own affair */
    } what = {.n_queues = n_queues};
    struct ethtool_rxfh *now = rss_read(d);
    bool done = false;

    *id = 0;
    for (size_t i = 0; i < sizeof(xfrms) && !done && now && now->key_size && now->indir_size; i++) {
        done = program(d, now, n_queues, xfrms[i], touched);
        what.xfrm = xfrms[i];
    }
    if (done && hash_addresses_only(d, what.fields, touched)) {
        what.table = now->indir_size;
        what.key_bytes = now->key_size;
        snprintf(what.driver, sizeof(what.driver), "%s", driver);
        *id = XXH3_64bits(&what, sizeof(what));
    }
    free(now);
    return *id != 0;
}

static int write_back(const struct ethtool_dev *d, const struct ethtool_rxfh *was, uint32_t table)
{
    struct ethtool_rxfh *r = calloc(1, rxfh_bytes(table, was->key_size));

    if (!r)
        return -ENOMEM;
    memcpy(r, was, sizeof(*r));
    r->cmd = ETHTOOL_SRSSH;
    r->indir_size = table; /* 0: the driver's own table over the queues there are */
    memcpy(r->rss_config, was->rss_config, table * sizeof(uint32_t));
    memcpy(key_of(r), key_of((struct ethtool_rxfh *)was), was->key_size);
    int code = d->call(d, r);
    free(r);
    return code;
}

int rss_put_back(const struct ethtool_dev *d, const struct ethtool_rxfh *was,
                 const uint64_t fields[RSS_KINDS])
{
    uint64_t now[RSS_KINDS];
    int code = write_back(d, was, 0); /* first: a NIC that folds takes no fields that are not paired */

    rss_fields_read(d, now);
    for (size_t i = 0; i < RSS_KINDS; i++)
        if (fields[i] != RSS_UNKNOWN && fields[i] != now[i]) {
            int refused = set_fields(d, i, fields[i]);

            code = code ? code : refused;
        }
    return code;
}

int rss_put_back_table(const struct ethtool_dev *d, const struct ethtool_rxfh *was)
{
    struct ethtool_rxfh *is = rss_read(d);
    int code = 0;

    if (is && is->indir_size == was->indir_size &&
        memcmp(is->rss_config, was->rss_config, was->indir_size * sizeof(uint32_t)) != 0)
        code = write_back(d, was, was->indir_size);
    free(is);
    return code;
}
