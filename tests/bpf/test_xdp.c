/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel side as ips/io/xdp.c drives it: attached to both interfaces or to neither; each refusal in the words the
 * operator gets, where the remedy names a command it is run and must help; frames that really cross without a worker
 * and really reach a socket; and the block lists by their text. On the veths of tests/bpf/lab.h; skipped only without
 * privilege.
 */
#include "tests/bpf/lab.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "bpf/steer.skel.h"
#include "ips/io/xdp_parts.h"

/* --- attaching --- */

static uint32_t program_on(const char *ifname)
{
    LIBBPF_OPTS(bpf_xdp_query_opts, q);

    assert_int_equal(bpf_xdp_query((int)if_nametoindex(ifname), 0, &q), 0);
    return q.prog_id;
}

static uint8_t mode_on(const char *ifname)
{
    LIBBPF_OPTS(bpf_xdp_query_opts, q);

    assert_int_equal(bpf_xdp_query((int)if_nametoindex(ifname), 0, &q), 0);
    return q.attach_mode;
}

static void test_attach_both(void **state)
{
    static const struct {
        enum xdp_mode mode;
        uint8_t attached;
    } modes[] = {{XDP_MODE_AUTO, XDP_ATTACHED_DRV},
                 {XDP_MODE_NATIVE, XDP_ATTACHED_DRV},
                 {XDP_MODE_GENERIC, XDP_ATTACHED_SKB}};

    LAB_NEEDED();
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct xdp_config cfg = lab_config(STEER_FAIL_OPEN);
        struct err e = {0};
        cfg.mode = modes[i].mode;
        struct xdp *x = lab_open(&cfg);
        assert_int_equal(program_on("tsa"), 0); /* loaded, not attached yet */
        if (xdp_attach(x, &e) != 0)
            fail_msg("%s; %s", e.text, e.remedy);
        assert_int_equal(mode_on("tsa"), modes[i].attached);
        assert_int_equal(mode_on("tsb"), modes[i].attached);
        assert_int_equal(program_on("tsa"), program_on("tsb"));
        xdp_close(x);
        assert_int_equal(program_on("tsa"), 0);
        assert_int_equal(program_on("tsb"), 0);
    }
}

static void expect_refusal(struct xdp *x, int code, const char *text, const char *remedy, struct err *e)
{
    *e = (struct err){0};
    assert_int_equal(xdp_attach(x, e), code);
    assert_int_equal(e->code, code);
    if (!strstr(e->text, text) || !strstr(e->remedy, remedy))
        fail_msg("\"%s; %s\" lacks \"%s\" or \"%s\"", e->text, e->remedy, text, remedy);
    assert_int_equal(program_on("tsa"), 0); /* neither */
}

/* Runs what stands between the n-th pair of backticks in the remedy. */
static void follow(const struct err *e)
{
    char cmd[256];
    const char *from = strchr(e->remedy, '`');
    const char *to = from ? strchr(from + 1, '`') : NULL;

    assert_true(from && to && to - from < (long)sizeof(cmd));
    snprintf(cmd, sizeof(cmd), "PATH=$PATH:/usr/sbin; %.*s", (int)(to - from - 1), from + 1);
    lab_run(cmd);
}

static void test_somebody_is_there(void **state)
{
    static const uint32_t ways[] = {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE};

    LAB_NEEDED();
    struct xdp_config cfg = lab_config(STEER_FAIL_OPEN);
    struct xdp *x = lab_open(&cfg), *other = lab_open(&cfg);
    struct err e;

    /* a program put there without a link, native and generic: on the second interface, so the first is let go */
    for (size_t i = 0; i < 2; i++) {
        int prog = bpf_program__fd(other->skel->progs.steer);
        assert_int_equal(bpf_xdp_attach((int)cfg.ifindex[1], prog, ways[i], NULL), 0);
        expect_refusal(x, i == 0 ? -EBUSY : -EEXIST, "tsb already has an XDP program",
                       "ip link set dev tsb xdp", &e);
        assert_non_null(strstr(e.text, "\"steer\""));
        follow(&e);
        assert_int_equal(program_on("tsb"), 0);
    }
    /* another ipsd */
    assert_int_equal(xdp_attach(other, NULL), 0);
    e = (struct err){0};
    assert_int_equal(xdp_attach(x, &e), -EBUSY);
    assert_non_null(strstr(e.text, "tsa already has an XDP program"));
    assert_non_null(strstr(e.remedy, "bpftool link detach id"));
    follow(&e);
    assert_int_equal(program_on("tsa"), 0);
    xdp_close(other);
    assert_int_equal(xdp_attach(x, &e), 0);
    xdp_close(x);
}

static void test_driver_refuses(void **state)
{
    LAB_NEEDED();
    struct xdp_config cfg = lab_config(STEER_FAIL_OPEN);
    struct err e;

    /* a driver without native XDP: the loopback has none, and takes a generic program */
    cfg.ifname[1] = "lo";
    cfg.ifindex[1] = if_nametoindex("lo");
    struct xdp *x = lab_open(&cfg);
    expect_refusal(x, -EOPNOTSUPP, "lo has no native XDP", "`bridges[].mode: generic`", &e);
    xdp_close(x);
    cfg.mode = XDP_MODE_GENERIC;
    x = lab_open(&cfg);
    assert_int_equal(xdp_attach(x, NULL), 0);
    xdp_close(x);

    /* an MTU that native XDP on a veth cannot take */
    cfg = lab_config(STEER_FAIL_OPEN);
    lab_run("ip link set tsb mtu 3800; ip link set tsb-peer mtu 3800");
    x = lab_open(&cfg);
    expect_refusal(x, -ERANGE, "MTU of tsb", "ip link set dev tsb mtu 1500", &e);
    follow(&e);
    lab_run("ip link set tsb-peer mtu 1500");
    assert_int_equal(xdp_attach(x, NULL), 0);
    xdp_close(x);

    /* fewer receive queues than the peer transmits on */
    lab_run("ethtool -L tsb rx 1");
    x = lab_open(&cfg);
    expect_refusal(x, -ENOSPC, "tsb has fewer receive queues", "bridges[].queues", &e);
    xdp_close(x);
}

static void test_interface_gone(void **state)
{
    LAB_NEEDED();
    struct xdp_config cfg = lab_config(STEER_FAIL_OPEN);
    struct xdp *x = lab_open(&cfg);
    struct err e = {0};

    lab_run("ip link del tsb");
    expect_refusal(x, -ENODEV, "tsb is gone", "ip link", &e);
    xdp_close(x);
    assert_null(xdp_open(&cfg, &e)); /* the devmap wants it already */
    assert_int_equal(e.code, -ENODEV);
    assert_non_null(strstr(e.text, "tsb is gone"));
}

static void test_no_privilege(void **state)
{
    int status;

    LAB_NEEDED();
    struct xdp_config cfg = lab_config(STEER_FAIL_OPEN);
    pid_t child = fork();
    if (child == 0) {
        struct err e = {0};
        if (setresuid(65534, 65534, 65534) != 0)
            _exit(2);
        if (xdp_open(&cfg, &e) != NULL || e.code != -EPERM)
            _exit(3);
        _exit(strstr(e.remedy, "run ipsd as root") && strstr(e.remedy, "CAP_BPF") ? 0 : 4);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- frames that cross --- */

static int packet_socket(const char *ifname)
{
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(0x88b5), /* for local experiments */
                             .sll_ifindex = (int)if_nametoindex(ifname)};
    int fd = socket(AF_PACKET, SOCK_RAW, at.sll_protocol);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static void make_frame(uint8_t frame[64], uint8_t mark)
{
    static const uint8_t head[14] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5};

    memset(frame, mark, 64);
    memcpy(frame, head, sizeof(head));
}

static void send_frame(int fd, uint8_t mark)
{
    uint8_t frame[64];

    make_frame(frame, mark);
    assert_int_equal(send(fd, frame, sizeof(frame), 0), sizeof(frame));
}

static void expect_frame(int fd, uint8_t mark)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t expect[64], got[128];

    make_frame(expect, mark);
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(recv(fd, got, sizeof(got), 0), sizeof(expect));
    assert_memory_equal(got, expect, sizeof(expect));
}

static void expect_in_socket(struct lab_socket *s, uint8_t mark)
{
    struct pollfd p = {.fd = xsk_socket__fd(s->xsk), .events = POLLIN};
    uint8_t expect[64];
    uint32_t slot = 0;

    make_frame(expect, mark);
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(xsk_ring_cons__peek(&s->rx, 1, &slot), 1);
    const struct xdp_desc *d = xsk_ring_cons__rx_desc(&s->rx, slot);
    assert_int_equal(d->len, sizeof(expect));
    assert_memory_equal(xsk_umem__get_data(s->area, d->addr), expect, sizeof(expect));
    xsk_ring_cons__release(&s->rx, 1);
}

/* The whole life: no worker, frames cross by the kernel alone; a worker comes and gets them; it dies, they cross
 * again. A veth takes redirected frames only when its other end runs NAPI, which GRO turns on. */
static void test_frames_cross(void **state)
{
    static const enum xdp_mode modes[] = {XDP_MODE_NATIVE, XDP_MODE_GENERIC};

    LAB_NEEDED();
    lab_run("ethtool -K tsa-peer gro on; ethtool -K tsb-peer gro on; ethtool -K tsa gro off; ethtool -K tsb "
            "gro off");
    for (size_t i = 0; i < 2; i++) {
        struct xdp_config cfg = lab_config(STEER_FAIL_OPEN);
        struct lab_socket s[LAB_QUEUES];
        struct xdp_counters c;
        cfg.mode = modes[i];
        struct xdp *x = lab_open(&cfg);
        int a = packet_socket("tsa-peer"), b = packet_socket("tsb-peer");

        assert_int_equal(xdp_attach(x, NULL), 0);
        send_frame(a, 1);
        expect_frame(b, 1);
        send_frame(b, 2);
        expect_frame(a, 2);
        for (uint32_t q = 0; q < LAB_QUEUES; q++) { /* the sender's CPU chooses the queue */
            lab_socket_open(&s[q], "tsa", q);
            assert_int_equal(xdp_set_socket(x, 0, q, xsk_socket__fd(s[q].xsk), NULL), 0);
        }
        send_frame(a, 3);
        struct pollfd p[LAB_QUEUES] = {{.fd = xsk_socket__fd(s[0].xsk), .events = POLLIN},
                                       {.fd = xsk_socket__fd(s[1].xsk), .events = POLLIN}};
        assert_int_equal(poll(p, LAB_QUEUES, 5000), 1);
        expect_in_socket(&s[p[0].revents ? 0 : 1], 3);
        for (uint32_t q = 0; q < LAB_QUEUES; q++)
            lab_socket_close(&s[q]);
        send_frame(a, 4);
        expect_frame(b, 4); /* and not 3 */
        assert_int_equal(xdp_counters(x, &c), 0);
        assert_int_equal(c.exits[0][STEER_FAIL_OPENED], 2);
        assert_int_equal(c.exits[1][STEER_FAIL_OPENED], 1);
        assert_int_equal(c.exits[0][STEER_TO_WORKER], 1);
        close(a);
        close(b);
        xdp_close(x);
    }
}

/* --- block lists --- */

struct listing {
    char text[4096];
    size_t n;
};

static int list_one(const struct prefix *p, uint64_t frames, void *arg)
{
    struct listing *l = arg;
    char prefix[PREFIX_TEXT_MAX];

    l->n++;
    snprintf(l->text + strlen(l->text), sizeof(l->text) - strlen(l->text), "%s%s %s %lu",
             l->n > 1 ? ", " : "", prefix_format(p, prefix), prefix_side_name(p->sides), frames);
    return 0;
}

static int each(struct xdp *x, int (*fn)(const struct prefix *, uint64_t, void *), void *arg)
{
    struct xdp_cursor c = {.trie = 0};

    return xdp_list_page(x, XDP_LIST_BLOCK, &c, UINT32_MAX, &(struct xdp_visit){.fn = fn, .arg = arg});
}

static void expect_list(struct xdp *x, const char *expect, bool enabled)
{
    struct listing l = {.n = 0};
    struct steer_config config;
    uint32_t zero = 0;

    assert_int_equal(each(x, list_one, &l), 0);
    assert_string_equal(l.text, expect);
    assert_int_equal(bpf_map_lookup_elem(x->map.config, &zero, &config), 0);
    assert_int_equal(config.flags, enabled ? STEER_HAS_BLOCKS : 0);
}

/* One, as text. */
static int block_add(struct xdp *x, const char *prefix, uint8_t sides, struct err *e)
{
    struct prefix p;
    int code = prefix_parse(prefix, &p, e);

    p.sides = sides;
    return code == 0 ? xdp_list_add(x, XDP_LIST_BLOCK, &p, 1, true, e) : code;
}

static int block_del(struct xdp *x, const char *prefix, uint8_t sides, struct err *e)
{
    struct prefix p;
    size_t n = 0;
    int code = prefix_parse(prefix, &p, e);

    p.sides = sides;
    if (code == 0)
        code = xdp_list_del(x, XDP_LIST_BLOCK, &p, 1, &n, e);
    return code == 0 && n == 0 ? -ENOENT : code;
}

static void test_block_add_and_del(void **state)
{
    LAB_NEEDED();
    struct xdp_config cfg = lab_config(STEER_FAIL_OPEN);
    struct xdp *x = lab_open(&cfg);
    struct err e = {0};

    expect_list(x, "", false);
    assert_int_equal(block_del(x, "10.0.0.0/8", PREFIX_BOTH, &e), -ENOENT);

    assert_int_equal(block_add(x, "10.1.2.3/8", PREFIX_BOTH, &e), 0); /* host bits go */
    expect_list(x, "10.0.0.0/8 src 0, 10.0.0.0/8 dst 0", true);
    assert_int_equal(block_add(x, "192.0.2.7", PREFIX_SRC, &e), 0);
    assert_int_equal(block_add(x, "2001:DB8::ffff/33", PREFIX_DST, &e), 0);
    assert_int_equal(block_add(x, "192.0.2.7/32", PREFIX_SRC, &e), 0); /* again: one entry */
    expect_list(x, "10.0.0.0/8 src 0, 192.0.2.7/32 src 0, 10.0.0.0/8 dst 0, 2001:db8::/33 dst 0", true);

    /* a longer or shorter prefix, and the other side, are other entries */
    assert_int_equal(block_del(x, "10.0.0.0/9", PREFIX_BOTH, &e), -ENOENT);
    assert_int_equal(block_del(x, "10.0.0.0/7", PREFIX_BOTH, &e), -ENOENT);
    assert_int_equal(block_del(x, "192.0.2.7", PREFIX_DST, &e), -ENOENT);
    assert_int_equal(block_del(x, "10.255.0.0/8", PREFIX_SRC, &e), 0);
    expect_list(x, "192.0.2.7/32 src 0, 10.0.0.0/8 dst 0, 2001:db8::/33 dst 0", true);
    assert_int_equal(block_del(x, "10.0.0.0/8", PREFIX_BOTH, &e), 0); /* what is left of both sides */
    assert_int_equal(block_del(x, "192.0.2.7", PREFIX_BOTH, &e), 0);
    expect_list(x, "2001:db8::/33 dst 0", true);
    assert_int_equal(block_del(x, "2001:db8::/33", PREFIX_DST, &e), 0);
    expect_list(x, "", false); /* the last one gone: no more lookups */
    assert_int_equal(block_add(x, "::/0", PREFIX_SRC, &e), 0);
    expect_list(x, "::/0 src 0", true);
    xdp_close(x);
}

static void test_block_prefixes(void **state)
{
    static const struct {
        const char *text, *canonical; /* NULL: refused */
    } rows[] = {
        {"1.2.3.4", "1.2.3.4/32"},
        {"1.2.3.4/32", "1.2.3.4/32"},
        {"1.2.3.5/31", "1.2.3.4/31"},
        {"1.2.3.255/25", "1.2.3.128/25"},
        {"255.255.255.255/1", "128.0.0.0/1"},
        {"1.2.3.4/0", "0.0.0.0/0"},
        {"fe80::1", "fe80::1/128"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"},
        {"2001:db8:1:2:3:4:5:6/65", "2001:db8:1:2::/65"},
        {"2001:db8::1/0", "::/0"},
        {"::ffff:0:0/95", "::fffe:0:0/95"},
        {"", NULL},
        {"/8", NULL},
        {"10", NULL},
        {"10.0.0", NULL},
        {"10.0.0.0/", NULL},
        {"10.0.0.0/33", NULL},
        {"10.0.0.0/-1", NULL},
        {"10.0.0.0/+8", NULL},
        {"10.0.0.0/08", NULL},
        {"10.0.0.0/8 ", NULL},
        {" 10.0.0.0/8", NULL},
        {"10.0.0.0/8/8", NULL},
        {"10.0.0.0/4294967304", NULL},
        {"10.0.0.0/255.0.0.0", NULL},
        {"10.0.0.256", NULL},
        {"010.0.0.1", NULL},
        {"example.com", NULL},
        {"::1/129", NULL},
        {"fe80::1%eth0", NULL},
        {"1:2:3", NULL},
        {"::ffff:1.2.3.4", NULL}, /* no packet carries it */
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/128", NULL},
    };

    LAB_NEEDED();
    struct xdp_config cfg = lab_config(STEER_FAIL_OPEN);
    struct xdp *x = lab_open(&cfg);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e = {0};
        char expect[128] = "";
        int code = block_add(x, rows[i].text, PREFIX_SRC, &e);

        if (code != (rows[i].canonical ? 0 : -EINVAL))
            fail_msg("\"%s\": %d", rows[i].text, code);
        if (rows[i].canonical) {
            snprintf(expect, sizeof(expect), "%s src 0", rows[i].canonical);
            expect_list(x, expect, true);
            assert_int_equal(block_del(x, rows[i].text, PREFIX_SRC, &e), 0);
        } else {
            assert_true(e.text[0] && e.remedy[0]);
        }
        expect_list(x, "", false);
    }
    xdp_close(x);
}

static int stop_at_two(const struct prefix *p, uint64_t frames, void *arg)
{
    return ++*(int *)arg == 2 ? 77 : 0;
}

struct removal {
    struct xdp *x;
    int n;
};

static int remove_it(const struct prefix *p, uint64_t frames, void *arg)
{
    struct removal *r = arg;
    size_t n;

    r->n++;
    return xdp_list_del(r->x, XDP_LIST_BLOCK, p, 1, &n, NULL);
}

static void test_block_many(void **state)
{
    enum { N = 5000 };
    LAB_NEEDED();
    struct xdp_config cfg = lab_config(STEER_FAIL_OPEN);
    struct removal r = {.x = lab_open(&cfg)};
    struct listing l = {.n = 0};
    int n = 0;

    for (uint32_t i = 0; i < N; i++) {
        char text[32];
        snprintf(text, sizeof(text), "10.%u.%u.0/%u", i >> 8, i & 255, 24 + i % 9);
        assert_int_equal(block_add(r.x, text, PREFIX_SRC, NULL), 0);
    }
    assert_int_equal(each(r.x, list_one, &l), 0);
    assert_int_equal(l.n, N);
    assert_int_equal(each(r.x, stop_at_two, &n), 77);
    assert_int_equal(each(r.x, remove_it, &r), 0); /* the callback may remove what it is shown */
    assert_int_equal(r.n, N);
    expect_list(r.x, "", false);
    xdp_close(r.x);
}

static uint32_t flags_of(struct xdp *x)
{
    struct steer_config config;
    uint32_t zero = 0;

    assert_int_equal(bpf_map_lookup_elem(x->map.config, &zero, &config), 0);
    return config.flags;
}

/* In bulk into empty and into filled lists; duplicates and prefixes inside prefixes; counts stay. */
static void test_bulk(void **state)
{
    enum { N = 3000 };
    LAB_NEEDED();
    struct xdp_config cfg = lab_config(STEER_FAIL_OPEN);
    struct xdp *x = lab_open(&cfg);
    const struct steer_block seven = {.frames = 7};
    struct steer_prefix_v4 key = {.prefixlen = 24, .addr = {10, 0, 3}};
    struct prefix_list l = {.n = 0};
    struct listing got = {.n = 0};
    struct err e = {0};
    struct prefix p;
    size_t n;

    for (int i = 0; i < N; i++) {
        char text[PREFIX_TEXT_MAX];

        snprintf(text, sizeof(text), i % 3 == 2 ? "2001:db8:%x::/48" : "10.%u.%u.0/24", i / 256, i % 256);
        assert_int_equal(prefix_parse_sided(text, i % 2 ? PREFIX_BOTH : PREFIX_SRC, &p, &e), 0);
        assert_int_equal(prefix_list_add(&l, &p, &e), 0);
        assert_int_equal(prefix_list_add(&l, &p, &e), 0);
    }
    assert_int_equal(prefix_parse("10.0.0.0/8", &p, &e), 0);
    assert_int_equal(prefix_list_add(&l, &p, &e), 0);
    prefix_list_sort(&l);
    assert_int_equal(l.n, N * 2 / 3 + 12 + 1); /* the IPv6 ones: i / 256 */
    assert_int_equal(xdp_list_add(x, XDP_LIST_BLOCK, l.v, l.n, true, &e), 0);
    assert_int_equal(flags_of(x), STEER_HAS_BLOCKS);
    assert_int_equal(bpf_map_update_elem(x->map.block[0][0], &key, &seven, BPF_EXIST), 0);
    assert_int_equal(xdp_list_add(x, XDP_LIST_BLOCK, l.v, l.n, true, &e), 0); /* again: nothing changes */
    assert_int_equal(prefix_parse("10.0.3.0/24", &p, &e), 0);
    assert_int_equal(xdp_list_frames(x, XDP_LIST_BLOCK, &p), 7);
    assert_int_equal(each(x, list_one, &got), 0);
    n = 0;
    for (size_t i = 0; i < l.n; i++)
        n += l.v[i].sides == PREFIX_BOTH ? 2 : 1;
    assert_int_equal(got.n, n);

    assert_int_equal(xdp_list_add(x, XDP_LIST_ALLOW, &p, 1, true, &e), 0);
    assert_int_equal(flags_of(x), STEER_HAS_BLOCKS | STEER_HAS_ALLOWS);
    assert_int_equal(xdp_list_del(x, XDP_LIST_ALLOW, &p, 1, &n, &e), 0);
    assert_int_equal(n, 1);
    assert_int_equal(flags_of(x), STEER_HAS_BLOCKS);
    assert_int_equal(xdp_list_clear(x, XDP_LIST_BLOCK, 100, &n, &e), 0);
    assert_int_equal(n, 100);
    assert_int_equal(flags_of(x), STEER_HAS_BLOCKS);
    assert_int_equal(xdp_list_clear(x, XDP_LIST_BLOCK, SIZE_MAX, &n, &e), 0);
    assert_int_equal(flags_of(x), 0);
    prefix_list_fini(&l);
    xdp_close(x);
}

/* Pages follow each other without a gap, whatever trie they end in. */
static void test_pages(void **state)
{
    static const char *const texts[] = {"10.0.0.0/8 both", "10.1.0.0/16", "192.0.2.1 dst", "::1 both",
                                        "fd00::/8"};
    LAB_NEEDED();
    struct xdp_config cfg = lab_config(STEER_FAIL_OPEN);
    struct xdp *x = lab_open(&cfg);
    struct listing whole = {.n = 0};
    struct prefix p;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(prefix_parse_sided(texts[i], PREFIX_SRC, &p, NULL), 0);
        assert_int_equal(xdp_list_add(x, XDP_LIST_BLOCK, &p, 1, true, NULL), 0);
    }
    assert_int_equal(each(x, list_one, &whole), 0);
    assert_int_equal(whole.n, 7);
    for (uint32_t page = 1; page < 9; page++) {
        const struct xdp_visit visit = {.fn = list_one, .arg = &(struct listing){.n = 0}};
        struct xdp_cursor c = {.trie = 0};

        for (int i = 0; c.trie < 4; i++) {
            assert_true(i < 9);
            assert_int_equal(xdp_list_page(x, XDP_LIST_BLOCK, &c, page, &visit), 0);
        }
        assert_string_equal(((struct listing *)visit.arg)->text, whole.text);
    }
    xdp_close(x);
}

/* One list after another; the halves change places, and a line that stays keeps its frames. */
static void test_lines(void **state)
{
    LAB_NEEDED();
    struct xdp_config cfg = lab_config(STEER_FAIL_OPEN);
    struct xdp *x = lab_open(&cfg);
    struct xdp_line v[STEER_LINES_MAX + 1] = {{.frames = 0}}, got[STEER_LINES_MAX];
    static uint64_t cpus[4096];
    uint32_t n, key;
    struct err e = {0};

    for (uint32_t i = 0; i < STEER_LINES_MAX; i++)
        v[i].line = (struct steer_line){.tests = STEER_TEST_VLAN, .vlan = {(uint16_t)i, (uint16_t)i}};
    assert_int_equal(xdp_lines_get(x, got, &n, &e), 0);
    assert_int_equal(n, 0);
    for (uint32_t round = 0; round < 5; round++) {
        assert_int_equal(xdp_lines_set(x, v, 3, &e), 0);
        assert_int_equal(xdp_lines_get(x, got, &n, &e), 0);
        assert_int_equal(n, 3);
        assert_int_equal(STEER_LINES_FIRST(x->config.lines), round % 2 ? 0 : STEER_LINES_MAX);
        assert_memory_equal(&got[2].line, &v[2].line, sizeof(v[2].line));
        assert_int_equal(got[1].frames, round * 10 * (uint32_t)libbpf_num_possible_cpus());
        key = STEER_LINES_FIRST(x->config.lines) + 1; /* as the program would */
        assert_int_equal(bpf_map_lookup_elem(x->map.line_frames, &key, cpus), 0);
        for (int c = 0; c < libbpf_num_possible_cpus(); c++)
            cpus[c] += 10;
        assert_int_equal(bpf_map_update_elem(x->map.line_frames, &key, cpus, BPF_ANY), 0);
    }
    v[0] = v[1]; /* the second goes to the front, twice: its count goes to the first of them */
    assert_int_equal(xdp_lines_set(x, v, 2, &e), 0);
    assert_int_equal(xdp_lines_get(x, got, &n, &e), 0);
    assert_true(n == 2 && got[0].frames == 50 * (uint32_t)libbpf_num_possible_cpus() && got[1].frames == 0);
    assert_int_equal(xdp_lines_set(x, v, STEER_LINES_MAX + 1, &e), -E2BIG);
    assert_int_equal(xdp_lines_set(x, v, STEER_LINES_MAX, &e), 0);
    assert_int_equal(xdp_lines_get(x, got, &n, &e), 0);
    assert_int_equal(n, STEER_LINES_MAX);
    assert_int_equal(xdp_lines_set(x, v, 0, &e), 0);
    assert_int_equal(STEER_LINES_N(x->config.lines), 0);
    xdp_close(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_attach_both, lab_setup),
        cmocka_unit_test_setup(test_somebody_is_there, lab_setup),
        cmocka_unit_test_setup(test_driver_refuses, lab_setup),
        cmocka_unit_test_setup(test_interface_gone, lab_setup),
        cmocka_unit_test_setup(test_no_privilege, lab_setup),
        cmocka_unit_test_setup(test_frames_cross, lab_setup),
        cmocka_unit_test_setup(test_block_add_and_del, lab_setup),
        cmocka_unit_test_setup(test_block_prefixes, lab_setup),
        cmocka_unit_test_setup(test_block_many, lab_setup),
        cmocka_unit_test_setup(test_lines, lab_setup),
        cmocka_unit_test_setup(test_bulk, lab_setup),
        cmocka_unit_test_setup(test_pages, lab_setup),
    };

    lab_enter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
