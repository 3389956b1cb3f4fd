/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS: messages are put together here from labels and numbers, sent as datagrams and over TCP in any cut, and what rules
 * would see is compared with what was put in. Broken ones: every prefix of a good message, pointers that go forward and
 * round, names beyond all bounds.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ips/app/dns.h"
#include "tests/unit/app_lab.h"

struct msg {
    uint8_t p[70000];
    uint32_t len;
};

static void u8(struct msg *m, unsigned v)
{
    m->p[m->len++] = (uint8_t)v;
}

static void u16(struct msg *m, unsigned v)
{
    u8(m, v >> 8);
    u8(m, v);
}

static void header(struct msg *m, unsigned flags, unsigned qd, unsigned an, unsigned ns, unsigned ar)
{
    m->len = 0;
    u16(m, 0x1234);
    u16(m, flags);
    u16(m, qd);
    u16(m, an);
    u16(m, ns);
    u16(m, ar);
}

/* Labels with '.' between, without the end. */
static void labels(struct msg *m, const char *name)
{
    while (*name) {
        size_t n = strcspn(name, ".");

        u8(m, (unsigned)n);
        memcpy(m->p + m->len, name, n);
        m->len += (uint32_t)n;
        name += n + (name[n] == '.');
    }
}

static void question(struct msg *m, const char *name, unsigned type)
{
    labels(m, name);
    u8(m, 0);
    u16(m, type);
    u16(m, 1);
}

static void record(struct msg *m, unsigned to, unsigned type, const void *rdata, unsigned n)
{
    u16(m, 0xc000 | to);
    u16(m, type);
    u16(m, 1);
    u16(m, 0);
    u16(m, 60);
    u16(m, n);
    memcpy(m->p + m->len, rdata, n);
    m->len += n;
}

static struct app_lab *udp(uint16_t port)
{
    return lab_new(&(struct lab_setup){.udp = true, .dport = port});
}

static struct app_lab *tcp(uint16_t port)
{
    return lab_new(&(struct lab_setup){.dport = port});
}

static void answer(struct msg *m)
{
    header(m, 0x8180, 1, 2, 1, 1);
    question(m, "WWW.Example.com", 1);
    record(m, 12, 5, "\003cdn\xc0\x10", 6);          /* www.example.com CNAME cdn.example.com */
    record(m, 12 + 21 + 12, 1, "\xc0\0\x02\x01", 4); /* the name in the CNAME's rdata */
    record(m, 16, 2, "\002ns\xc0\x18", 5);           /* example.com NS ns.com */
    u8(m, 0);
    u16(m, 41);
    u16(m, 1232);
    u16(m, 0);
    u16(m, 0);
    u16(m, 0);
}

static void query_is_seen(void **state)
{
    struct app_lab *l = udp(53);
    struct msg m;

    header(&m, 0x0100, 1, 0, 0, 0);
    question(&m, "WWW.Google.com", 28);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_true(lab_speaks(l, APP_DNS));
    assert_true(lab_saw(l, BUF_DNS_QUERY, "WWW.Google.com"));
    assert_true(lab_saw(l, BUF_DNS_QUERY_NAME, "WWW.Google.com"));
    assert_true(lab_saw(l, BUF_DNS_QUERIES, "WWW.Google.com"));
    assert_true(lab_saw_number(l, BUF_DNS_RRTYPE, 28));
    assert_true(lab_saw_number(l, BUF_DNS_OPCODE, 0));
    assert_int_equal(lab_count(l, BUF_DNS_QUERY), 1);
    assert_int_equal(lab_count(l, BUF_DNS_RESPONSE), 0);
    assert_int_equal(l->n_inspected, 1);
    assert_non_null(
        strstr(l->logged, "type=query id=4660 flags=100 rd=1 opcode=0 rrname=WWW.Google.com rrtype=AAAA"));
    lab_free(l);
}

static void answer_is_seen(void **state)
{
    struct app_lab *l = udp(53);
    struct msg m;

    header(&m, 0x0100, 1, 0, 0, 0);
    question(&m, "WWW.Example.com", 1);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    lab_forget(l);
    answer(&m);
    lab_send(l, APP_TO_CLIENT, m.p, m.len);
    assert_int_equal(lab_count(l, BUF_DNS_QUERY), 0);
    assert_true(lab_saw(l, BUF_DNS_QUERIES, "WWW.Example.com"));
    assert_true(lab_saw(l, BUF_DNS_ANSWERS, "WWW.Example.com"));
    assert_true(lab_saw(l, BUF_DNS_ANSWERS, "cdn.Example.com"));
    assert_true(lab_saw(l, BUF_DNS_ANSWER_NAME, "cdn.Example.com"));
    assert_true(lab_saw(l, BUF_DNS_AUTHORITIES, "Example.com"));
    assert_true(lab_saw(l, BUF_DNS_ADDITIONALS, ""));
    assert_true(lab_saw(l, BUF_DNS_RESPONSE, "ns.com"));
    assert_true(lab_saw(l, BUF_DNS_RESPONSE, "cdn.Example.com"));
    assert_true(lab_saw_number(l, BUF_DNS_RRTYPE, 5));
    assert_int_equal(lab_count(l, BUF_DNS_RRTYPE), 2);
    assert_false(lab_event(l, AN_DNS_MALFORMED_DATA));
    assert_false(lab_event(l, AN_DNS_FORWARD_POINTER));
    assert_non_null(
        strstr(l->logged, "type=answer id=4660 flags=8180 qr=1 rd=1 ra=1 opcode=0 rcode=NOERROR"));
    assert_non_null(strstr(l->logged, "grouped={CNAME={=cdn.Example.com } A={=192.0.2.1 } }"));
    lab_free(l);
}

/* The same names and numbers over TCP, three messages, in every cut. */
static void any_cut_is_the_same(void **state)
{
    struct msg m, all = {.len = 0};

    for (int i = 0; i < 3; i++) {
        header(&m, 0x0100, 1, 0, 0, 0);
        question(&m, i == 0 ? "one.example" : i == 1 ? "two.example" : "three.example", 16);
        u16(&all, m.len);
        memcpy(all.p + all.len, m.p, m.len);
        all.len += m.len;
    }
    for (size_t piece = 1; piece <= all.len; piece++) {
        struct app_lab *l = tcp(piece % 2 ? 53 : 5300);

        lab_send_cut(l, APP_TO_SERVER, all.p, all.len, piece);
        assert_true(lab_speaks(l, APP_DNS));
        assert_int_equal(lab_count(l, BUF_DNS_QUERY), 3);
        assert_true(lab_saw(l, BUF_DNS_QUERY, "one.example"));
        assert_true(lab_saw(l, BUF_DNS_QUERY, "three.example"));
        answer(&m);
        memmove(m.p + 2, m.p, m.len);
        store_be16(m.p, (uint16_t)m.len);
        lab_send_cut(l, APP_TO_CLIENT, m.p, m.len + 2, piece);
        assert_int_equal(lab_count(l, BUF_DNS_ANSWERS), 2);
        assert_false(lab_event(l, AN_DNS_MALFORMED_DATA));
        lab_free(l);
    }
}

static void every_prefix_is_an_event(void **state)
{
    struct msg m;

    answer(&m);
    for (uint32_t n = 1; n < m.len; n++) {
        struct app_lab *l = udp(53);

        lab_send(l, APP_TO_SERVER, "\0\1\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1", 17);
        lab_forget(l);
        lab_send(l, APP_TO_CLIENT, m.p, n);
        assert_true(lab_event(l, AN_DNS_MALFORMED_DATA) || lab_event(l, AN_DNS_INVALID_AUTHORITIES) ||
                    lab_event(l, AN_DNS_INVALID_ADDITIONALS));
        if (n > 12 + 21) /* what is there is seen */
            assert_true(lab_saw(l, BUF_DNS_QUERIES, "WWW.Example.com"));
        lab_free(l);
    }
}

/* A datagram that nobody can read does not hide the next ones. */
static void junk_hides_nothing(void **state)
{
    struct app_lab *l = udp(53);
    struct msg m;

    for (int i = 0; i < 10; i++)
        lab_send(l, APP_TO_SERVER, "\xff\xff\xff", 3);
    assert_true(lab_event(l, AN_DNS_MALFORMED_DATA));
    header(&m, 0x0100, 1, 0, 0, 0);
    question(&m, "evil.example", 1);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_true(lab_saw(l, BUF_DNS_QUERY, "evil.example"));
    lab_free(l);

    l = tcp(53);
    lab_send(l, APP_TO_SERVER, "\0\0\0\3abc\0\014\1\2\3\4\5\6\7\x8\x9\xa\xb\xc", 21);
    memmove(m.p + 2, m.p, m.len);
    store_be16(m.p, (uint16_t)m.len);
    lab_send(l, APP_TO_SERVER, m.p, m.len + 2);
    assert_true(lab_saw(l, BUF_DNS_QUERY, "evil.example"));
    lab_free(l);
}

static void pointers_forward_and_round(void **state)
{
    struct app_lab *l = udp(53);
    struct msg m;

    header(&m, 0x0100, 1, 0, 0,
           0); /* the name's end is behind the question: evil.<pointer to 23>, 23: example */
    labels(&m, "evil");
    u16(&m, 0xc000 | 23);
    u16(&m, 1);
    u16(&m, 1);
    assert_int_equal(m.len, 23);
    labels(&m, "example");
    u8(&m, 0);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_true(lab_saw(l, BUF_DNS_QUERY, "evil.example"));
    assert_true(lab_event(l, AN_DNS_FORWARD_POINTER));
    assert_false(lab_event(l, AN_DNS_MALFORMED_DATA));
    lab_forget(l);
    header(&m, 0x0100, 2, 0, 0, 0);
    labels(&m, "round");
    u16(&m, 0xc000 | 12);
    u16(&m, 1);
    u16(&m, 1);
    question(&m, "behind.it", 1);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_true(lab_event(l, AN_DNS_INFINITE_LOOP) || lab_event(l, AN_DNS_TOO_MANY_NAMES));
    lab_free(l);
}

static void long_names(void **state)
{
    struct app_lab *l = udp(53);
    struct msg m;
    char name[1200];

    header(&m, 0x0100, 1, 0, 0, 0);
    for (int i = 0; i < 253; i++)
        name[i] = i % 50 == 49 ? '.' : 'a';
    name[253] = '\0';
    question(&m, name, 1);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_true(lab_saw(l, BUF_DNS_QUERY, name));
    assert_false(lab_event(l, AN_DNS_NAME_TOO_LONG));
    header(&m, 0x0100, 1, 0, 0, 0);
    memset(name, 'b', sizeof(name));
    for (int i = 63; i < 1199; i += 64)
        name[i] = '.';
    name[255] = '\0';
    question(&m, name, 1);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_true(lab_saw_bytes(l, BUF_DNS_QUERY, name, 255));
    assert_true(lab_event(l, AN_DNS_NAME_TOO_LONG));
    name[255] = '.';
    name[1199] = '\0';
    header(&m, 0x0100, 1, 0, 0, 0);
    question(&m, name, 1);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_true(lab_saw_bytes(l, BUF_DNS_QUERY, name, 1023));
    lab_free(l);
}

/* More names than rules see at a time: all of them are seen, and once. */
static void many_names(void **state)
{
    struct app_lab *l = tcp(53);
    struct msg m;
    char name[32];

    m.len = 0;
    header(&m, 0x0100, 1000, 0, 0, 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "host%d.example", i);
        question(&m, name, (unsigned)(i + 1));
    }
    memmove(m.p + 2, m.p, m.len);
    store_be16(m.p, (uint16_t)m.len);
    lab_send(l, APP_TO_SERVER, m.p, m.len + 2);
    assert_int_equal(lab_count(l, BUF_DNS_QUERY), 1000);
    assert_int_equal(lab_count(l, BUF_DNS_RRTYPE), 1000);
    assert_true(lab_saw(l, BUF_DNS_QUERY, "host999.example"));
    lab_free(l);
}

/* Two bytes for a name of 250, as often as a message holds: the work is bounded, and that is said. */
static void names_are_bounded(void **state)
{
    struct app_lab *l = tcp(53);
    struct msg m;
    char name[251];

    for (int i = 0; i < 250; i++)
        name[i] = i % 2 ? '.' : 'x';
    name[249] = '\0';
    header(&m, 0x0100, 10000, 0, 0, 0);
    question(&m, name, 1);
    while (m.len < 60000) {
        u16(&m, 0xc00c);
        u16(&m, 1);
        u16(&m, 1);
    }
    memmove(m.p + 2, m.p, m.len);
    store_be16(m.p, (uint16_t)m.len);
    lab_send(l, APP_TO_SERVER, m.p, m.len + 2);
    assert_true(lab_event(l, AN_DNS_TOO_MANY_NAMES));
    assert_true(lab_count(l, BUF_DNS_QUERY) > 1000); /* as many as the lab writes down */
    lab_free(l);
}

static void flags_and_directions(void **state)
{
    struct app_lab *l = udp(53);
    struct msg m;

    header(&m, 0x0100, 1, 0, 0, 0);
    question(&m, "a.example", 1);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_false(lab_event(l, AN_DNS_NOT_REQUEST));
    header(&m, 0x8140, 1, 0, 0, 0);
    question(&m, "a.example", 1);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_true(lab_event(l, AN_DNS_NOT_REQUEST));
    assert_true(lab_event(l, AN_DNS_Z_FLAG_SET));
    header(&m, 0x7100, 1, 0, 0, 0);
    question(&m, "a.example", 1);
    lab_send(l, APP_TO_CLIENT, m.p, m.len);
    assert_true(lab_event(l, AN_DNS_NOT_RESPONSE));
    assert_true(lab_event(l, AN_DNS_INVALID_OPCODE));
    assert_true(lab_saw_number(l, BUF_DNS_OPCODE, 14));
    lab_free(l);
}

/* On a port that is nobody's by content; not on NetBIOS'; multicast DNS is another protocol. */
static void other_ports(void **state)
{
    struct msg m;

    header(&m, 0x0100, 1, 0, 0, 0);
    question(&m, "tunnel.example", 16);
    struct app_lab *l = udp(4444);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_true(lab_saw(l, BUF_DNS_QUERY, "tunnel.example"));
    lab_free(l);
    l = udp(137);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_false(lab_speaks(l, APP_DNS));
    lab_free(l);
    l = udp(5355);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_true(lab_saw(l, BUF_DNS_QUERY, "tunnel.example"));
    lab_free(l);
    l = udp(5353);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_true(lab_speaks(l, APP_MDNS));
    assert_true(lab_saw(l, BUF_MDNS_QUERIES, "tunnel.example"));
    assert_int_equal(lab_count(l, BUF_DNS_QUERY), 0);
    answer(&m);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_true(lab_saw(l, BUF_MDNS_ANSWERS, "cdn.Example.com"));
    assert_true(lab_saw(l, BUF_MDNS_RESPONSE, "ns.com"));
    assert_false(lab_event(l, AN_DNS_NOT_REQUEST));
    lab_free(l);
    l = tcp(80);
    lab_say(l, APP_TO_SERVER, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    assert_false(lab_speaks(l, APP_DNS));
    lab_free(l);
}

/* An update's records without data (RFC 2136) and a label of bytes that are no letters. */
static void odd_but_right(void **state)
{
    struct app_lab *l = udp(53);
    struct msg m;

    header(&m, 0x2800, 1, 1, 1, 0);
    labels(&m, "a\001b c");
    u8(&m, 0);
    u16(&m, 6);
    u16(&m, 1);
    record(&m, 12, 255, "", 0);
    record(&m, 12, 5, "", 0);
    lab_send(l, APP_TO_SERVER, m.p, m.len);
    assert_true(lab_saw(l, BUF_DNS_QUERY, "a\001b c"));
    assert_false(lab_event(l, AN_DNS_MALFORMED_DATA));
    lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_is_seen),       cmocka_unit_test(answer_is_seen),
        cmocka_unit_test(any_cut_is_the_same), cmocka_unit_test(every_prefix_is_an_event),
        cmocka_unit_test(junk_hides_nothing),  cmocka_unit_test(pointers_forward_and_round),
        cmocka_unit_test(long_names),          cmocka_unit_test(many_names),
        cmocka_unit_test(names_are_bounded),   cmocka_unit_test(flags_and_directions),
        cmocka_unit_test(other_ports),         cmocka_unit_test(odd_but_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
