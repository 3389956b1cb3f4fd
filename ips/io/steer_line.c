/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One steering line: text to what the program compares, and back.
 *
 * A line is words: tests in any order, each at most once, then the action. Each test is a row of the table below: its
 * word, its bit, what else it cannot stand beside because both would need the same place of struct steer_line, and the
 * function that reads its value. Nothing is guessed: a word that is not in the table, a value that is out of range, two
 * IP versions in one line are mistakes, since a line that silently means something else would carry traffic past the
 * inspection. Owns nothing.
 */
#include "ips/io/steer_line.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ips/base/prefix.h"
#include "ips/base/suggest.h"

#define N_OF(a)  (sizeof(a) / sizeof((a)[0]))
#define VLAN_MAX 4095

static const char *const actions[] = {
    [STEER_INSPECT] = "inspect", [STEER_BYPASS] = "bypass", [STEER_DROP] = "drop", [STEER_HOST] = "host"};

/* The first name of a number is the one it is shown by. */
static const struct proto {
    const char *name;
    uint8_t number;
} protos[] = {{"icmp", 1},   {"igmp", 2},   {"tcp", 6},     {"udp", 17},  {"gre", 47},
              {"esp", 50},   {"ah", 51},    {"icmpv6", 58}, {"ospf", 89}, {"pim", 103},
              {"vrrp", 112}, {"sctp", 132}, {"icmp6", 58}};

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP  0x0806
#define ETHERTYPE_IPV6 0x86dd

struct reading {
    struct steer_line *l;
    const char *const *ifname;
    const char *word, *value; /* value: NULL when the word takes none, "" when it is missing */
    struct err *e;
};

static int bad_value(const struct reading *r, const char *remedy)
{
    if (r->value[0] == '\0')
        err_set(r->e, -EINVAL, "'%s' has nothing behind it", r->word);
    else
        err_set(r->e, -EINVAL, "'%s %.64s' cannot be", r->word, r->value);
    return err_remedy(r->e, "%s", remedy), -EINVAL;
}

/* --- values ----------------------------------------------------------------------------------------------- */

static bool read_number(const char **at, int base, unsigned long max, uint16_t *out)
{
    char *end;
    unsigned long v;

    if (!isxdigit((unsigned char)**at))
        return false;
    errno = 0;
    v = strtoul(*at, &end, base);
    if (end == *at || errno != 0 || v > max)
        return false;
    *at = end;
    *out = (uint16_t)v;
    return true;
}

/* N or N-M */
static bool read_range(const char *text, unsigned long least, unsigned long most, uint16_t out[2])
{
    if (!read_number(&text, 10, most, &out[0]))
        return false;
    out[1] = out[0];
    if (*text == '-' && (text++, !read_number(&text, 10, most, &out[1])))
        return false;
    return *text == '\0' && out[0] >= least && out[0] <= out[1];
}

static int read_vlan(struct reading *r)
{
    if (read_range(r->value, 1, VLAN_MAX, r->l->vlan))
        return 0;
    return bad_value(r,
                     "write a VLAN id from 1 to 4095, or a range: vlan 100-199; untagged for frames without");
}

static int read_untagged(struct reading *r)
{
    r->l->vlan[0] = r->l->vlan[1] = 0;
    return 0;
}

static int read_ports(struct reading *r, uint16_t out[2])
{
    if (read_range(r->value, 0, UINT16_MAX, out))
        return 0;
    return bad_value(r, "write a port number, or a range: dport 8000-8080");
}

static int read_sport(struct reading *r)
{
    return read_ports(r, r->l->sport);
}

static int read_dport(struct reading *r) /* port, too: it is kept in the same place */
{
    return read_ports(r, r->l->dport);
}

static int set_version(struct reading *r, uint8_t version)
{
    const uint16_t says = STEER_TEST_VERSION | STEER_TEST_SRC | STEER_TEST_DST | STEER_TEST_NET;

    if ((r->l->tests & says) && r->l->version != version) {
        err_set(r->e, -EINVAL, "'%s%s%.64s' is of another IP version than what stands before it", r->word,
                r->value ? " " : "", r->value ? r->value : "");
        return err_remedy(r->e, "write two lines, one for each version"), -EINVAL;
    }
    r->l->version = version;
    return 0;
}

static int read_address(struct reading *r, __u32 addr[4], __u32 mask[4])
{
    struct prefix p;
    uint8_t m[16] = {0};

    if (prefix_parse(r->value, &p, NULL) < 0)
        return bad_value(
            r, "write an address or address/length, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32");
    for (unsigned bit = 0; bit < p.bits; bit++)
        m[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    memcpy(addr, p.addr, sizeof(p.addr));
    memcpy(mask, m, sizeof(m));
    return set_version(r, p.family == 0 ? 4 : 6);
}

static int read_src(struct reading *r) /* net, too */
{
    return read_address(r, r->l->src, r->l->src_mask);
}

static int read_dst(struct reading *r)
{
    return read_address(r, r->l->dst, r->l->dst_mask);
}

static int read_proto(struct reading *r)
{
    const char *at = r->value;
    uint16_t number;

    for (size_t i = 0; i < N_OF(protos); i++)
        if (strcmp(protos[i].name, r->value) == 0) {
            r->l->proto = protos[i].number;
            return 0;
        }
    if (!read_number(&at, 10, UINT8_MAX, &number) || *at != '\0')
        return bad_value(
            r, "write tcp, udp, icmp, icmpv6, sctp, gre, esp, another name of ips.yaml(5), or a number");
    r->l->proto = (uint8_t)number;
    return 0;
}

static int read_in(struct reading *r)
{
    char remedy[96];

    for (uint8_t i = 0; i < STEER_PORTS; i++)
        if (strcmp(r->ifname[i], r->value) == 0) {
            r->l->in_port = i;
            return 0;
        }
    snprintf(remedy, sizeof(remedy), "write in %s or in %s, the bridge's interfaces", r->ifname[0],
             r->ifname[1]);
    return bad_value(r, remedy);
}

static int read_ethertype(struct reading *r)
{
    const char *at = r->value;

    if (read_number(&at, 0, UINT16_MAX, &r->l->ethertype) && *at == '\0')
        return 0;
    return bad_value(r, "write it as a number: ethertype 0x88cc");
}

static int read_arp(struct reading *r)
{
    r->l->ethertype = ETHERTYPE_ARP;
    return 0;
}

static int read_ipv4(struct reading *r)
{
    return set_version(r, 4);
}

static int read_ipv6(struct reading *r)
{
    return set_version(r, 6);
}

static int read_not_ip(struct reading *r)
{
    return set_version(r, 0);
}

static const struct test {
    const char *word;
    uint16_t bit, beside; /* beside: the bits of what cannot stand in the same line */
    bool has_value;
    int (*read)(struct reading *r);
} tests[] = {
    {"in", STEER_TEST_IN_PORT, STEER_TEST_IN_PORT, true, read_in},
    {"vlan", STEER_TEST_VLAN, STEER_TEST_VLAN, true, read_vlan},
    {"untagged", STEER_TEST_VLAN, STEER_TEST_VLAN, false, read_untagged},
    {"ethertype", STEER_TEST_ETHERTYPE, STEER_TEST_ETHERTYPE, true, read_ethertype},
    {"arp", STEER_TEST_ETHERTYPE, STEER_TEST_ETHERTYPE, false, read_arp},
    {"ipv4", STEER_TEST_VERSION, STEER_TEST_VERSION, false, read_ipv4},
    {"ipv6", STEER_TEST_VERSION, STEER_TEST_VERSION, false, read_ipv6},
    {"not-ip", STEER_TEST_VERSION, STEER_TEST_VERSION, false, read_not_ip},
    {"src", STEER_TEST_SRC, STEER_TEST_SRC | STEER_TEST_NET, true, read_src},
    {"dst", STEER_TEST_DST, STEER_TEST_DST, true, read_dst},
    {"net", STEER_TEST_NET, STEER_TEST_SRC | STEER_TEST_NET, true, read_src},
    {"proto", STEER_TEST_PROTO, STEER_TEST_PROTO, true, read_proto},
    {"sport", STEER_TEST_SPORT, STEER_TEST_SPORT, true, read_sport},
    {"dport", STEER_TEST_DPORT, STEER_TEST_DPORT | STEER_TEST_PORT, true, read_dport},
    {"port", STEER_TEST_PORT, STEER_TEST_DPORT | STEER_TEST_PORT, true, read_dport},
};

/* --- the line --------------------------------------------------------------------------------------------- */

static int unknown_word(const char *word, bool last, struct err *e)
{
    struct suggest s;

    suggest_init(&s, word);
    for (size_t i = 0; i < N_OF(tests) && !last; i++)
        suggest_offer(&s, tests[i].word);
    for (size_t i = 0; i < N_OF(actions); i++)
        suggest_offer(&s, actions[i]);
    if (last)
        err_set(e, -EINVAL, "the line ends in '%.64s', which is no action", word);
    else
        err_set(e, -EINVAL, "'%.64s' is no word of a steering line", word);
    if (s.best != NULL)
        err_remedy(e, "did you mean '%s'?", s.best);
    else if (last)
        err_remedy(e, "end it with inspect, bypass, drop or host");
    else
        err_remedy(e, "see ips.yaml(5) for the words there are");
    return -EINVAL;
}

static bool read_action(const char *word, struct steer_line *l)
{
    for (size_t i = 0; i < N_OF(actions); i++)
        if (strcmp(actions[i], word) == 0) {
            l->action = (uint8_t)i;
            return true;
        }
    return false;
}

/* The word and, where it has one, its value, the next of *rest. */
static int read_test(struct reading *r, char **rest)
{
    for (size_t i = 0; i < N_OF(tests); i++) {
        const struct test *t = &tests[i];

        if (strcmp(t->word, r->word) != 0)
            continue;
        if (r->l->tests & t->beside) {
            err_set(r->e, -EINVAL, "'%s' cannot stand beside what the line says before", r->word);
            err_remedy(r->e, "write each test once; src beside net and dport beside port need two lines");
            return -EINVAL;
        }
        r->value = NULL;
        if (t->has_value && (r->value = strtok_r(NULL, " \t", rest)) == NULL)
            r->value = "";
        int rc = t->read(r);
        r->l->tests |= t->bit;
        return rc;
    }
    return unknown_word(r->word, false, r->e);
}

/* Tests that together hold for no frame are a mistake, too. */
static int check(struct steer_line *l, struct err *e)
{
    const uint16_t addresses = STEER_TEST_SRC | STEER_TEST_DST | STEER_TEST_NET;
    const uint16_t ports = STEER_TEST_SPORT | STEER_TEST_DPORT | STEER_TEST_PORT;
    const uint16_t ip = ports | STEER_TEST_PROTO | addresses;

    if ((l->tests & STEER_TEST_ETHERTYPE) && l->ethertype == ETHERTYPE_ARP &&
        (l->tests & (ip | STEER_TEST_VERSION)) == (l->tests & addresses) && l->version != 6) {
        l->version = 0; /* its addresses are of no IP header */
        return 0;
    }
    if ((l->tests & STEER_TEST_ETHERTYPE) && (l->tests & ip) && l->ethertype != ETHERTYPE_IPV4 &&
        l->ethertype != ETHERTYPE_IPV6) {
        err_set(e, -EINVAL, "an ethertype beside a test that only IP packets have");
        return err_remedy(e, "remove one of them; arp may have IPv4 addresses beside it"), -EINVAL;
    }
    if ((l->tests & ip) && (l->tests & STEER_TEST_VERSION) && l->version == 0) {
        err_set(e, -EINVAL, "not-ip beside a test that only IP packets have");
        return err_remedy(e, "remove one of them"), -EINVAL;
    }
    if ((l->tests & ports) && (l->tests & STEER_TEST_PROTO) && l->proto != 6 && l->proto != 17 &&
        l->proto != 132) {
        err_set(e, -EINVAL, "a port beside a protocol that has none");
        return err_remedy(e, "ports are of proto tcp, udp and sctp"), -EINVAL;
    }
    return 0;
}

int steer_line_parse(const char *text, const char *const ifname[STEER_PORTS], struct steer_line *l,
                     struct err *e)
{
    char copy[STEER_LINE_TEXT_MAX], *rest, *word, *next = NULL;
    struct reading r = {.l = l, .ifname = ifname, .e = e};
    int rc = 0;

    *l = (struct steer_line){.tests = 0};
    if (strlen(text) >= sizeof(copy)) {
        err_set(e, -EINVAL, "the line is longer than %zu bytes", sizeof(copy) - 1);
        return err_remedy(e, "write several lines"), -EINVAL;
    }
    memcpy(copy, text, strlen(text) + 1);
    word = strtok_r(copy, " \t", &rest);
    if (word == NULL) {
        err_set(e, -EINVAL, "the line is empty");
        return err_remedy(e, "write tests and an action, as in vlan 100-199 bypass"), -EINVAL;
    }
    for (; rc == 0; word = next) {
        r.word = word;
        if (read_action(word, l)) {
            next = strtok_r(NULL, " \t", &rest);
            if (next == NULL)
                return check(l, e);
            err_set(e, -EINVAL, "'%.64s' stands behind the action %s", next, word);
            return err_remedy(e, "put the action last"), -EINVAL;
        }
        rc = read_test(&r, &rest);
        if (rc == 0 && (next = strtok_r(NULL, " \t", &rest)) == NULL)
            return unknown_word(r.value != NULL ? r.value : r.word, true, e);
    }
    return rc;
}

/* --- and back --------------------------------------------------------------------------------------------- */

struct writing {
    char *buf;
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void put(struct writing *w, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    w->n += (size_t)vsnprintf(w->buf + w->n, STEER_LINE_TEXT_MAX - w->n, fmt, ap);
    va_end(ap);
    if (w->n >= STEER_LINE_TEXT_MAX) /* cannot be: all words together are shorter */
        w->n = STEER_LINE_TEXT_MAX - 1;
}

static void put_range(struct writing *w, const char *word, const uint16_t v[2])
{
    put(w, "%s %u", word, v[0]);
    if (v[1] != v[0])
        put(w, "-%u", v[1]);
    put(w, " ");
}

static void put_address(struct writing *w, const char *word, const __u32 addr[4], const __u32 mask[4],
                        bool v6)
{
    struct prefix p = {.family = v6};
    char text[PREFIX_TEXT_MAX];

    memcpy(p.addr, addr, sizeof(p.addr));
    for (int i = 0; i < 4; i++)
        p.bits = (uint8_t)(p.bits + __builtin_popcount(mask[i]));
    prefix_format(&p, text);
    if (p.bits == (v6 ? 128 : 32))
        *strchr(text, '/') = '\0';
    put(w, "%s %s ", word, text);
}

static void put_proto(struct writing *w, uint8_t proto)
{
    for (size_t i = 0; i < N_OF(protos); i++)
        if (protos[i].number == proto) {
            put(w, "proto %s ", protos[i].name);
            return;
        }
    put(w, "proto %u ", proto);
}

static void put_link(struct writing *w, const struct steer_line *l, const char *const ifname[STEER_PORTS])
{
    if (l->tests & STEER_TEST_IN_PORT)
        put(w, "in %s ", ifname[l->in_port < STEER_PORTS ? l->in_port : 0]);
    if ((l->tests & STEER_TEST_VLAN) && l->vlan[1] == 0)
        put(w, "untagged ");
    else if (l->tests & STEER_TEST_VLAN)
        put_range(w, "vlan", l->vlan);
    if ((l->tests & STEER_TEST_ETHERTYPE) && l->ethertype == ETHERTYPE_ARP)
        put(w, "arp ");
    else if (l->tests & STEER_TEST_ETHERTYPE)
        put(w, "ethertype 0x%04x ", l->ethertype);
}

const char *steer_line_format(const struct steer_line *l, const char *const ifname[STEER_PORTS], char *buf)
{
    struct writing w = {.buf = buf};

    put_link(&w, l, ifname);
    if (l->tests & STEER_TEST_VERSION)
        put(&w, "%s ", l->version == 4 ? "ipv4" : l->version == 6 ? "ipv6" : "not-ip");
    if (l->tests & STEER_TEST_SRC)
        put_address(&w, "src", l->src, l->src_mask, l->version == 6);
    if (l->tests & STEER_TEST_NET)
        put_address(&w, "net", l->src, l->src_mask, l->version == 6);
    if (l->tests & STEER_TEST_DST)
        put_address(&w, "dst", l->dst, l->dst_mask, l->version == 6);
    if (l->tests & STEER_TEST_PROTO)
        put_proto(&w, l->proto);
    if (l->tests & STEER_TEST_SPORT)
        put_range(&w, "sport", l->sport);
    if (l->tests & STEER_TEST_DPORT)
        put_range(&w, "dport", l->dport);
    if (l->tests & STEER_TEST_PORT)
        put_range(&w, "port", l->dport);
    put(&w, "%s", l->action < N_OF(actions) ? actions[l->action] : "inspect");
    return buf;
}
