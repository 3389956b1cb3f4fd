/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interface set-up: what nic_open() sets on a veth and that nic_restore() puts every bit of it back; what
 * it refuses and in which words; and symmetric RSS against a driver made of two functions, since no virtual
 * device has an RSS key: that both directions get one queue, and that nothing is believed which was not read
 * back.
 *
 * The veth tests run in a network namespace of this process (root); without privilege they are skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "ips/base/span.h"
#include "ips/io/nic.h"
#include "ips/io/nic_parts.h"

#define XFRM(r) ((r)->rsvd8[0])

static bool have_netns;

static void run(const char *cmd)
{
    if (system(cmd) != 0)
        fail_msg("failed: %s", cmd);
}

/* A pair of veths, tna and tnb, with four queues each. */
static int setup(void **state)
{
    if (have_netns)
        run("ip link add tna numrxqueues 4 numtxqueues 4 type veth peer name tnb numrxqueues 4 numtxqueues "
            "4");
    return 0;
}

static int teardown(void **state)
{
    return have_netns && system("ip link del tna 2>/dev/null || true") != 0;
}

#define NEEDS_NETNS()    \
    do {                 \
        if (!have_netns) \
            skip();      \
    } while (0)

struct seen { /* read by the same functions in another order than nic.c uses them */
    struct link link;
    bool offload[OFFLOAD_N];
    struct channels channels;
};

static struct seen look(const char *ifname)
{
    struct seen s;
    struct nl route, ethtool;

    assert_int_equal(nl_open(&route, NETLINK_ROUTE, NULL), 0);
    assert_int_equal(nl_open(&ethtool, NETLINK_GENERIC, NULL), 0);
    assert_int_equal(link_read(&route, ifname, 0, &s.link), 0);
    assert_int_equal(offloads_read(&ethtool, s.link.ifindex, s.offload), 0);
    assert_int_equal(channels_read(&ethtool, s.link.ifindex, &s.channels), 0);
    nl_close(&route);
    nl_close(&ethtool);
    return s;
}

static bool ethtool_shows(const char *ifname, const char *line)
{
    char cmd[160];

    snprintf(cmd, sizeof(cmd), "ethtool -k %s | grep -qx '%s'", ifname, line);
    return system(cmd) == 0;
}

static void assert_same(const struct seen *a, const struct seen *b)
{
    const uint32_t ours = IFF_UP | IFF_PROMISC;

    assert_int_equal(a->link.flags & ours, b->link.flags & ours);
    assert_memory_equal(a->offload, b->offload, sizeof(a->offload));
    assert_memory_equal(&a->channels, &b->channels, sizeof(a->channels));
}

/* --- what is set and put back --- */

static void test_sets_and_puts_back(void **state)
{
    struct nic_config cfg = {.ifname = "tna", .n_queues = 2, .max_queues = 64};
    struct nic_info info;
    struct seen before, during, after;
    struct err e = {0};

    NEEDS_NETNS();
    run("ethtool -K tna gro on");
    before = look("tna");
    assert_int_equal(before.link.flags & (IFF_UP | IFF_PROMISC), 0);
    assert_int_equal(before.channels.rx, 4);

    struct nic *n = nic_open(&cfg, &e);
    if (!n)
        fail_msg("%s; %s", e.text, e.remedy);
    during = look("tna");
    assert_int_equal(during.link.flags & (IFF_UP | IFF_PROMISC), IFF_UP | IFF_PROMISC);
    for (int i = 0; i < OFFLOAD_N; i++)
        assert_false(during.offload[i]);
    assert_int_equal(during.channels.rx, 2);
    assert_int_equal(during.channels.tx, 2);
    /* another program's eyes */
    assert_true(ethtool_shows("tna", "generic-receive-offload: off"));
    assert_true(ethtool_shows("tna", "rx-vlan-offload: off"));
    assert_true(ethtool_shows("tna", "tx-vlan-offload: off"));
    assert_true(ethtool_shows("tnb", "rx-vlan-offload: on"));

    nic_info(n, &info);
    assert_string_equal(info.driver, "veth");
    assert_int_equal(info.ifindex, before.link.ifindex);
    assert_int_equal(info.mtu, 1500);
    assert_int_equal(info.n_queues, 2);
    assert_false(info.symmetric_rss); /* two queues, and a veth has no key to set */
    assert_non_null(strstr(info.offloads_off, "rx-gro"));
    assert_non_null(strstr(info.offloads_off, "rx-vlan-hw-parse"));
    assert_false(info.carrier); /* the other end is down */
    run("ip link set tnb up");
    nic_info(n, &info);
    assert_true(info.carrier);

    nic_restore(n);
    after = look("tna");
    assert_same(&before, &after);
    assert_true(ethtool_shows("tna", "generic-receive-offload: on"));
    assert_true(ethtool_shows("tna", "rx-vlan-offload: on"));
}

/* What was right already is not ours to put back: the operator's own settings survive. */
static void test_leaves_what_was_right(void **state)
{
    struct nic_config cfg = {.ifname = "tna", .max_queues = 64};
    struct nic_info info;
    struct seen before, after;

    NEEDS_NETNS();
    run("ip link set tna up promisc on; ethtool -K tna gro off rxvlan off txvlan off");
    run("ethtool -L tna rx 1 tx 1");
    before = look("tna");
    struct nic *n = nic_open(&cfg, NULL);
    assert_non_null(n);
    nic_info(n, &info);
    assert_int_equal(info.n_queues, 1); /* as many as there are */
    assert_true(info.symmetric_rss);
    assert_int_equal(info.rss_id, 0);
    nic_restore(n);
    after = look("tna");
    assert_same(&before, &after);
    assert_true((after.link.flags & (IFF_UP | IFF_PROMISC)) == (IFF_UP | IFF_PROMISC));
}

static void test_keep_offloads(void **state)
{
    struct nic_config cfg = {.ifname = "tna", .max_queues = 2, .keep_offloads = true};
    struct nic_info info;

    NEEDS_NETNS();
    run("ethtool -K tna gro on");
    struct nic *n = nic_open(&cfg, NULL);
    assert_non_null(n);
    nic_info(n, &info);
    assert_int_equal(info.n_queues, 2); /* all four, but at most max_queues */
    assert_string_equal(info.offloads_off, "");
    assert_true(ethtool_shows("tna", "generic-receive-offload: on"));
    nic_restore(n);
}

static void test_restore_when_gone(void **state)
{
    struct nic_config cfg = {.ifname = "tna", .max_queues = 64};
    struct nic_info info;

    NEEDS_NETNS();
    struct nic *n = nic_open(&cfg, NULL);
    assert_non_null(n);
    run("ip link del tna");
    nic_info(n, &info);
    assert_false(info.carrier);
    nic_restore(n);
}

/* A process sets up and is killed; the next one gets what was packed, or a third puts back without setting up. */
static void test_what_a_killed_process_changed(void **state)
{
    struct nic_config cfg = {.ifname = "tna", .n_queues = 2, .max_queues = 64};
    struct steer_was was = {0}, again = {0};
    struct seen before, after;
    uint32_t ifindex;
    struct err e = {0};

    NEEDS_NETNS();
    run("ethtool -K tna gro on");
    before = look("tna");
    for (int round = 0; round < 2; round++) {
        struct nic *n = nic_open(&cfg, &e);
        assert_non_null(n);
        nic_pack(n, &was);
        nic_leave(n);
        after = look("tna");
        assert_int_equal(after.link.flags & IFF_PROMISC, IFF_PROMISC);
        assert_int_equal(nic_lookup("tna", &ifindex, &e), 0);
        assert_int_equal(nic_packed_ifindex(&was), ifindex);
        if (round == 0) {
            struct nic_config next = cfg;
            struct nic_info info;
            next.was = &was;
            n = nic_open(&next, &e);
            assert_non_null(n);
            nic_info(n, &info);
            assert_non_null(strstr(info.offloads_off, "rx-gro"));
            nic_pack(n, &again);
            assert_memory_equal(&was, &again, sizeof(was));
            nic_restore(n);
        } else {
            assert_int_equal(nic_put_back(&was, &e), 0);
        }
        after = look("tna");
        assert_same(&before, &after);
    }
    /* of another interface, cut short, of another version: nothing is remembered */
    run("ip link del tna; ip link add tnb type veth peer name tna");
    before = look("tna");
    assert_int_equal(nic_put_back(&was, &e), 0); /* the one that it was is gone */
    was.bytes--;
    assert_int_equal(nic_packed_ifindex(&was), 0);
    was.bytes++;
    was.version++;
    assert_int_equal(nic_packed_ifindex(&was), 0);
    assert_int_equal(nic_put_back(&was, &e), 0);
    after = look("tna");
    assert_same(&before, &after);
}

/* RSS goes through the pack as the driver gave it; what has been tampered with is not taken. */
static void test_pack_of_rss(void **state)
{
    enum { TABLE = 128, KEY = 40 };
    struct ethtool_rxfh *r = calloc(1, sizeof(*r) + TABLE * sizeof(uint32_t) + KEY);
    struct nic n = {.info.ifindex = 7, .rss_changed = true, .rss_was = r}, back = {.info.ifindex = 7};
    struct steer_was was;

    assert_non_null(r);
    r->indir_size = TABLE;
    r->key_size = KEY;
    for (uint32_t i = 0; i < TABLE; i++)
        r->rss_config[i] = i % 5;
    memset(r->rss_config + TABLE, 0x5a, KEY);
    n.fields_was[3] = RXH_IP_SRC;
    nic_pack(&n, &was);
    assert_true(nic_unpack(&back, &was));
    assert_true(back.rss_changed);
    assert_memory_equal(back.rss_was, r, sizeof(*r) + TABLE * sizeof(uint32_t) + KEY);
    assert_int_equal(back.fields_was[3], RXH_IP_SRC);
    free(back.rss_was);
    back = (struct nic){.info.ifindex = 8};
    assert_false(nic_unpack(&back, &was));
    back.info.ifindex = 7;
    was.bytes -= 4; /* cut short */
    assert_false(nic_unpack(&back, &was));
    free(r);
}

/* --- what is refused --- */

static void test_refusals(void **state)
{
    static const struct {
        const char *prepare, *ifname, *text, *remedy;
        uint32_t n_queues;
        int code;
    } rows[] = {
        {NULL, "tnx", "there is no interface tnx", "ip link", 0, -ENODEV},
        {NULL, "a-name-longer-than-the-kernel-allows", "there is no interface a-name", "ip link", 0, -ENODEV},
        {NULL, "lo", "lo is not an Ethernet interface", "bridges[].interfaces", 0, -EINVAL},
        {"ip link set tna mtu 3815", "tna", "MTU 3815", "ip link set dev tna mtu 1500", 0, -EMSGSIZE},
        {NULL, "tna", "cannot have 9 queues", "bridges[].queues: 4", 9, -EINVAL},
    };

    NEEDS_NETNS();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct nic_config cfg = {.ifname = rows[i].ifname, .n_queues = rows[i].n_queues, .max_queues = 64};
        struct seen before, after;
        struct err e = {0};

        if (rows[i].prepare)
            run(rows[i].prepare);
        before = look("tna");
        assert_null(nic_open(&cfg, &e));
        assert_int_equal(e.code, rows[i].code);
        if (!strstr(e.text, rows[i].text) || !strstr(e.remedy, rows[i].remedy))
            fail_msg("row %zu: \"%s; %s\"", i, e.text, e.remedy);
        after = look("tna");
        assert_same(&before, &after);
        if (rows[i].prepare)
            run("ip link set tna mtu 1500");
    }
    run("ip link set tna mtu 3814");
    struct nic *n = nic_open(&(struct nic_config){.ifname = "tna", .max_queues = 64}, NULL);
    assert_non_null(n); /* the biggest that fits */
    nic_restore(n);
}

/* In a child, whose kernel refuses requests of 32 bytes on the first socket from now on: RTM_NEWLINK without
 * attributes, which is how a flag is set. Exit status 0: nic_open() failed with EPERM, and its text is right.
 */
static void open_without_flags(const struct nic_config *cfg)
{
    struct err e = {0};
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int next_fd = dup(0);

    if (!ctx || next_fd < 0 || close(next_fd) != 0 ||
        seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(sendto), 2,
                         SCMP_A0(SCMP_CMP_EQ, (unsigned)next_fd, 0), SCMP_A2(SCMP_CMP_EQ, 32, 0)) != 0 ||
        seccomp_load(ctx) != 0)
        _exit(2);
    if (nic_open(cfg, &e) != NULL || e.code != -EPERM)
        _exit(3);
    _exit(strstr(e.text, "promiscuous tna") && strstr(e.remedy, "CAP_NET_ADMIN") ? 0 : 4);
}

/* The fifth of six steps fails: queues and offloads, which were set before it, are put back. */
static void test_failure_half_way_is_undone(void **state)
{
    struct nic_config cfg = {.ifname = "tna", .n_queues = 2, .max_queues = 64};
    struct seen before, after;
    int status;

    NEEDS_NETNS();
    run("ethtool -K tna gro on");
    before = look("tna");
    pid_t child = fork();
    if (child == 0)
        open_without_flags(&cfg);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    after = look("tna");
    assert_same(&before, &after);
}

/* --- symmetric RSS against a driver of our own --- */

#define FAKE_TABLE 128
#define FAKE_KEY   40
#define ADDRESSES  (RXH_IP_SRC | RXH_IP_DST)
#define PORTS      (RXH_L4_B_0_1 | RXH_L4_B_2_3)

static struct fake {
    bool has_xfrm, fixed_key, lies, fixed_fields, no_sctp, mute;
    uint64_t fields[256]; /* by kind of packet */
    uint8_t hfunc, xfrm, key[FAKE_KEY];
    uint32_t table[FAKE_TABLE];
    uint32_t n_sets;
} fake;

static int fake_get(struct ethtool_rxfh *r)
{
    bool sizes_only = r->indir_size == 0 && r->key_size == 0;

    r->indir_size = FAKE_TABLE;
    r->key_size = FAKE_KEY;
    r->hfunc = fake.hfunc;
    XFRM(r) = fake.xfrm;
    if (!sizes_only) {
        memcpy(r->rss_config, fake.table, sizeof(fake.table));
        memcpy(r->rss_config + FAKE_TABLE, fake.key, FAKE_KEY);
    }
    return 0;
}

static int fake_set(const struct ethtool_rxfh *r)
{
    if (XFRM(r) && !fake.has_xfrm)
        return -EOPNOTSUPP;
    if (fake.fixed_key)
        return -EOPNOTSUPP;
    assert_true(r->key_size == FAKE_KEY && (r->indir_size == FAKE_TABLE || r->indir_size == 0));
    fake.n_sets++;
    if (fake.lies)
        return 0;
    fake.hfunc = r->hfunc;
    fake.xfrm = XFRM(r);
    for (uint32_t i = 0; i < FAKE_TABLE; i++)
        fake.table[i] = r->indir_size ? r->rss_config[i] : i % 8;
    memcpy(fake.key, r->rss_config + r->indir_size, FAKE_KEY);
    return 0;
}

static int fake_call(const struct ethtool_dev *d, void *request)
{
    uint32_t cmd = *(uint32_t *)request;
    struct ethtool_rxnfc *fields = request;

    if (cmd == ETHTOOL_GRSSH)
        return fake_get(request);
    if (cmd == ETHTOOL_SRSSH)
        return fake_set(request);
    if (cmd != ETHTOOL_GRXFH && cmd != ETHTOOL_SRXFH)
        return -EOPNOTSUPP;
    assert_true(fields->flow_type < 256);
    if ((fake.no_sctp && (fields->flow_type == SCTP_V4_FLOW || fields->flow_type == SCTP_V6_FLOW)) ||
        (fake.mute && fields->flow_type == IPV6_FLOW))
        return -EINVAL; /* a kind this NIC does not know */
    uint64_t *now = &fake.fields[fields->flow_type];
    if (cmd == ETHTOOL_GRXFH)
        fields->data = *now;
    else if (fake.fixed_fields && fields->flow_type == TCP_V4_FLOW && fields->data != *now)
        return -EINVAL; /* as igb and ixgbe do */
    else
        *now = fields->data;
    return 0;
}

static const struct ethtool_dev fake_dev = {.fd = -1, .ifname = "fake", .call = fake_call};

/* The hash as Microsoft's RSS specification defines it, over source, destination, source port, destination
 * port. */
static uint32_t toeplitz(const uint8_t *key, const uint8_t *in, size_t n)
{
    uint32_t hash = 0, window = (uint32_t)key[0] << 24 | key[1] << 16 | key[2] << 8 | key[3];

    for (size_t i = 0; i < n; i++)
        for (int bit = 7; bit >= 0; bit--) {
            if (in[i] >> bit & 1)
                hash ^= window;
            window = window << 1 | (key[i + 4] >> bit & 1);
        }
    return hash;
}

/* Fragments are hashed as plain IP. */
static uint32_t fake_queue(const uint8_t src[4], const uint8_t dst[4], uint16_t sport, uint16_t dport,
                           bool fragment)
{
    uint64_t fields = fake.fields[fragment ? IPV4_FLOW : TCP_V4_FLOW];
    uint8_t in[12];

    memcpy(in, src, 4);
    memcpy(in + 4, dst, 4);
    store_be16(in + 8, sport);
    store_be16(in + 10, dport);
    if (fake.xfrm) { /* symmetric-xor: both places get source ^ destination */
        for (int i = 0; i < 4; i++)
            in[i] = in[4 + i] = in[i] ^ in[4 + i];
        for (int i = 8; i < 10; i++)
            in[i] = in[2 + i] = in[i] ^ in[2 + i];
    }
    assert_true((fields & ADDRESSES) == ADDRESSES);
    return fake.table[toeplitz(fake.key, in, fields & PORTS ? 12 : 8) % FAKE_TABLE];
}

static void fake_reset(void)
{
    fake = (struct fake){.hfunc = 1};
    for (int i = 0; i < FAKE_KEY; i++)
        fake.key[i] = (uint8_t)(i * 37 + 11);
    for (uint32_t i = 0; i < FAKE_TABLE; i++)
        fake.table[i] = i / 16;
    for (int i = 0; i < 256; i++)
        fake.fields[i] = ADDRESSES;
    fake.fields[TCP_V4_FLOW] = fake.fields[TCP_V6_FLOW] = ADDRESSES | PORTS;
    fake.fields[SCTP_V4_FLOW] = ADDRESSES | PORTS;
    fake.fields[UDP_V4_FLOW] = ADDRESSES | RXH_VLAN;
}

/* 4,000 flows: both directions and all fragments on one queue, and every queue gets a fair share. */
static void check_spread(uint32_t n_queues)
{
    uint32_t n[8] = {0}, x = 12345;

    for (int i = 0; i < 4000; i++) {
        uint8_t src[4], dst[4];
        uint16_t sport, dport;
        for (int b = 0; b < 4; b++) {
            x = x * 1664525 + 1013904223;
            src[b] = (uint8_t)(x >> 24);
            dst[b] = (uint8_t)(x >> 16);
        }
        sport = (uint16_t)(x >> 8);
        dport = (uint16_t)(i % 3 ? 443 : 80);
        uint32_t q = fake_queue(src, dst, sport, dport, false);
        assert_int_equal(q, fake_queue(dst, src, dport, sport, false));
        assert_int_equal(q, fake_queue(src, dst, 0, 0, true));
        assert_int_equal(q, fake_queue(dst, src, 0, 0, true));
        assert_true(q < n_queues);
        n[q]++;
    }
    for (uint32_t q = 0; q < n_queues; q++)
        assert_in_range(n[q], 4000 / n_queues / 2, 4000 / n_queues * 2);
}

static void test_rss_by_key(void **state)
{
    uint64_t id, again, other;
    bool touched = false;

    fake_reset();
    struct fake before = fake;
    struct ethtool_rxfh *was = rss_read(&fake_dev);
    uint64_t fields[RSS_KINDS];
    assert_non_null(was);
    rss_fields_read(&fake_dev, fields);
    assert_true(rss_set_symmetric(&fake_dev, 4, "fake", &id, &touched));
    assert_true(touched && id != 0 && fake.xfrm == 0);
    check_spread(4);

    /* the same again is the same thing; other queues or another driver is not */
    assert_true(rss_set_symmetric(&fake_dev, 4, "fake", &again, &touched) && again == id);
    assert_true(rss_set_symmetric(&fake_dev, 4, "other", &other, &touched) && other != id);
    assert_true(rss_set_symmetric(&fake_dev, 8, "fake", &other, &touched) && other != id);

    assert_int_equal(rss_put_back(&fake_dev, was, fields), 0);
    assert_memory_equal(fake.key, before.key, FAKE_KEY);
    assert_memory_not_equal(fake.table, before.table, sizeof(fake.table)); /* the driver's own */
    assert_int_equal(rss_put_back_table(&fake_dev, was), 0);
    fake.n_sets = before.n_sets;
    assert_memory_equal(&fake, &before, sizeof(fake));
    assert_int_equal(rss_put_back_table(&fake_dev, was), 0);
    assert_int_equal(fake.n_sets, before.n_sets); /* nothing to do */
    free(was);
}

static void test_rss_by_folding(void **state)
{
    uint64_t id, by_key;
    uint8_t key[FAKE_KEY];
    bool touched = false;

    fake_reset();
    assert_true(rss_set_symmetric(&fake_dev, 4, "fake", &by_key, &touched));
    fake_reset();
    fake.has_xfrm = true;
    assert_true(rss_set_symmetric(&fake_dev, 4, "fake", &id, &touched));
    assert_int_equal(fake.xfrm, 1);
    assert_true(id != by_key); /* symmetric both, but not with each other */
    check_spread(4);           /* with a key that repeats, every flow would be on queue 0 */
    memcpy(key, fake.key, FAKE_KEY);
    fake_reset();
    fake.has_xfrm = true;
    assert_true(rss_set_symmetric(&fake_dev, 4, "fake", &by_key, &touched));
    assert_true(by_key == id);
    assert_memory_equal(key, fake.key, FAKE_KEY); /* the other NIC gets the same key */
}

static void test_rss_not_believed(void **state)
{
    uint64_t id = 1;
    bool touched = false;

    fake_reset();
    fake.fixed_key = true;
    assert_false(rss_set_symmetric(&fake_dev, 4, "fake", &id, &touched));
    assert_false(touched);
    assert_int_equal(id, 0);
    fake_reset();
    fake.lies = true; /* says yes and changes nothing */
    assert_false(rss_set_symmetric(&fake_dev, 4, "fake", &id, &touched));
    assert_true(touched);
}

/* A NIC that takes ports into the hash of segments, and has none for fragments, does not bring them together. */
static void test_rss_must_leave_ports_alone(void **state)
{
    uint64_t id = 1, fields[RSS_KINDS];
    bool touched = false;

    fake_reset();
    fake.fixed_fields = true;
    struct fake before = fake;
    struct ethtool_rxfh *was = rss_read(&fake_dev);
    assert_non_null(was);
    rss_fields_read(&fake_dev, fields);
    assert_false(rss_set_symmetric(&fake_dev, 4, "fake", &id, &touched));
    assert_true(id == 0 && touched); /* other kinds than TCP could be set, and have to go back */
    assert_int_equal(rss_put_back(&fake_dev, was, fields), 0);
    assert_int_equal(rss_put_back_table(&fake_dev, was), 0);
    fake.n_sets = before.n_sets;
    assert_memory_equal(&fake, &before, sizeof(fake));
    free(was);

    fake_reset();
    fake.mute = true; /* does not say what it hashes IPv6 fragments by */
    assert_false(rss_set_symmetric(&fake_dev, 4, "fake", &id, &touched));
    fake_reset();
    fake.no_sctp = true; /* to which SCTP is IP */
    assert_true(rss_set_symmetric(&fake_dev, 4, "fake", &id, &touched));
    check_spread(4);
}

static void test_same_queue_is_about_the_pair(void **state)
{
    struct nic_info a = {.n_queues = 4, .symmetric_rss = true, .rss_id = 7}, b = a;

    assert_true(nic_same_queue(&a, &b));
    b.rss_id = 8;
    assert_false(nic_same_queue(&a, &b));
    b = a;
    b.symmetric_rss = false;
    assert_false(nic_same_queue(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sets_and_puts_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leaves_what_was_right, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keep_offloads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restore_when_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_a_killed_process_changed, setup, teardown),
        cmocka_unit_test(test_pack_of_rss),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failure_half_way_is_undone, setup, teardown),
        cmocka_unit_test(test_rss_by_key),
        cmocka_unit_test(test_rss_by_folding),
        cmocka_unit_test(test_rss_not_believed),
        cmocka_unit_test(test_rss_must_leave_ports_alone),
        cmocka_unit_test(test_same_queue_is_about_the_pair),
    };

    have_netns = geteuid() == 0 && unshare(CLONE_NEWNET) == 0;
    if (!have_netns)
        print_message("no privilege to make a network namespace: the veth tests are skipped\n");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
