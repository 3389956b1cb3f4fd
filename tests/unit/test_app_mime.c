/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mails: their parts, decoded, for any cut; boundaries, names and encodings as readers take them; what readers disagree about
 * is an event. The mails go through SMTP's DATA.
 */
#include "ips/app/smtp_parts.h"
#include "tests/unit/app_talk.h"

#define PARTS_MAX 6

struct mail {
    const char *text;
    const char *parts[PARTS_MAX]; /* in order of their ends; file.data */
    const char *name;             /* the first attachment's; NULL: there is none */
};

static const size_t pieces[] = {100000, 1, 2, 3, 17, 0};

static struct app_lab *begin_mail(void)
{
    static const struct turn t[] = {
        {S, "220 x ESMTP\r\n"}, {C, "EHLO x\r\n"}, {S, "250 x\r\n"}, {C, "DATA\r\n"}, {S, "354 go\r\n"}};
    struct app_lab *l = talk_new(25);

    play(l, t, N(t), 1000);
    lab_forget(l);
    return l;
}

static struct smtp *smtp_of(const struct app_lab *l)
{
    return l->app->slots[flow_index(l->flows, l->flow)].flow->state;
}

static void check_name(const struct app_lab *l, const char *name)
{
    struct span list = bytes_span(&smtp_of(l)->mime.names), one;

    if (!name) {
        assert_int_equal(list.len, 0);
        return;
    }
    assert_true(mime_list_next(&list, &one));
    if (!span_eq_str(one, name))
        fprintf(stderr, "the name is '%.*s', not '%s'\n", (int)one.len, one.p, name);
    assert_true(span_eq_str(one, name));
}

/* Ends of bodies, in order: a body's last publication holds all of it. */
static void check_parts(const struct app_lab *l, const struct mail *m, size_t piece)
{
    for (unsigned i = 0; i < PARTS_MAX && m->parts[i]; i++) {
        if (!lab_saw(l, BUF_FILE_DATA, m->parts[i]))
            fprintf(stderr, "pieces of %zu: no part '%s' in: %s\n", piece, m->parts[i], m->text);
        assert_true(lab_saw(l, BUF_FILE_DATA, m->parts[i]));
    }
}

static void check_mail(const struct mail *m)
{
    for (size_t i = 0; i < N(pieces); i++) {
        struct app_lab *l = begin_mail();

        play(l, &(struct turn){C, m->text}, 1, pieces[i]);
        check_name(l, m->name);
        lab_say(l, C, "\r\n.\r\n");
        check_parts(l, m, pieces[i]);
        assert_int_equal(smtp_of(l)->mode, SMTP_COMMANDS);
        lab_free(l);
    }
}

#define PART(headers, body) "--b\r\n" headers "\r\n\r\n" body "\r\n"
#define MIXED(rest) \
    "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n" rest "--b--\r\nepilogue\r\n"
#define CTE      "Content-Transfer-Encoding: "
#define ATTACHED "Content-Disposition: attachment; filename=a.exe\r\n"

static void test_parts(void **state)
{
    static const struct mail mails[] = {
        {"Subject: x\r\n\r\nplain\r\ntext", {"plain\r\ntext\r\n"}, NULL},
        {"Subject: x\nFrom: y\n\nplain\ntext\n", {"plain\ntext\n\r\n"}, NULL},
        {MIXED(PART("Content-Type: text/plain", "one\r\ntwo") PART(ATTACHED CTE "base64", "TVqQ\r\nQUI=")),
         {"one\r\ntwo", "MZ\x90"
                        "AB"},
         "a.exe"},
        /* nested, the inner one never closed; the last part without an end */
        {MIXED("--b\r\nContent-Type: multipart/alternative;\r\n boundary=\"b c\"\r\n\r\n--b c\r\n\r\nin "
               "1\r\n--b c  \r\n\r\nin 2\r\n"
               "--b\r\n\r\nout\r\n"),
         {"in 1", "in 2", "out"},
         NULL},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nno end", {"no end"}, NULL},
        /* a mail in a mail */
        {MIXED("--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n" CTE "base64\r\n\r\nYWJj\r\n"),
         {"abc"},
         NULL},
        {"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: s\r\n\r\nmail\r\n--b--\r\n",
         {"mail"},
         NULL},
        /* a boundary in the middle of a header, and one that was closed and comes again */
        {MIXED("--b\r\nContent-Type: text/plain\r\n--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\nagain\r\n"),
         {"x", "again"},
         NULL},
        /* the line's end in front of the boundary is the boundary's; an empty line is not */
        {MIXED("--b\r\n\r\na\r\n\r\n--b\r\n\r\nb\n"), {"a\r\n", "b"}, NULL},
        {"Content-Type: multipart/mixed; boundary=\"b\"; (c) x=y\r\n\r\n--b \t\r\n\r\nblank\r\n--b--",
         {"blank"},
         NULL},
        {"Content-Type: multipart/mixed; (boundary=no) Boundary = \"q\\\"b\" "
         ";\r\n\r\n--q\"b\r\n\r\nquoted\r\n--q\"b--",
         {"quoted"},
         NULL},
    };

    for (size_t i = 0; i < N(mails); i++)
        check_mail(&mails[i]);
}

static void test_encodings(void **state)
{
    static const struct mail mails[] = {
        {CTE "base64\r\n\r\nSGVsbG8sIHdv\r\ncmxkIQ==", {"Hello, world!"}, NULL},
        {CTE "BASE64 (a comment)\r\n\r\nSG VsbG8\tsI!Hdv\r\n*cmxkIQ", {"Hello, world!"}, NULL},
        {CTE "base64\r\n\r\nSGVs\r\nbA==\r\nbG8=", {"Helllo"}, NULL},
        {CTE "\r\n base64\r\n\r\nYWI=Y2Q=", {"abcd"}, NULL},
        {CTE "quoted-printable\r\n\r\nsoft=\r\n break=3D=41=e9  \r\nnext =  \r\nline",
         {"soft break=A\xe9\r\nnext line"},
         NULL},
        {CTE "Quoted-Printable\r\n\r\n=zz =4 ==41=", {"=zz =4 =A"}, NULL},
        {"\r\nhi\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\nbye", {"hi", "Cat", "bye\r\n"}, "cat.txt"},
        {CTE "8bit\r\n\r\nbegin with care\r\nend", {"begin with care\r\nend\r\n"}, NULL},
    };

    for (size_t i = 0; i < N(mails); i++)
        check_mail(&mails[i]);
}

static void test_names(void **state)
{
    static const struct mail mails[] = {
        {"Content-Type: application/x; name=\"a \\\"b\\\".exe\"\r\n\r\nx", {"x\r\n"}, "a \"b\".exe"},
        {"Content-Type: application/x; name=one\r\nContent-Disposition: inline; filename=two\r\n\r\nx",
         {"x\r\n"},
         "two"},
        {"Content-Disposition: attachment; filename=two\r\nContent-Type: application/x; name=one\r\n\r\nx",
         {"x\r\n"},
         "two"},
        {"Content-Disposition: attachment; filename*=utf-8'en'a%20b%2Eexe\r\n\r\nx", {"x\r\n"}, "a b.exe"},
        {"Content-Disposition: attachment; filename*1=\"b.e\";\r\n filename*0*=''a%41;filename*2=xe\r\n\r\nx",
         {"x\r\n"},
         "aAb.exe"},
        {"Content-Disposition: attachment; filename==?utf-8?B?YS5leGU=?=\r\n\r\nx", {"x\r\n"}, "a.exe"},
        {"Content-Disposition: attachment; filename=\"=?x?q?a=2E?= =?x?Q?e_e?=.c\"\r\n\r\nx",
         {"x\r\n"},
         "a.e e.c"},
        {"Content-Disposition: attachment; filename=my file.doc ; size=1\r\n\r\nx", {"x\r\n"}, "my file.doc"},
        {"content-disposition:ATTACHMENT;filename\r\n =\r\n \"f.old\"\r\n\r\nx", {"x\r\n"}, "f.old"},
        {"Content-Disposition: attachment\r\n\r\nx", {"x\r\n"}, ""},
    };

    for (size_t i = 0; i < N(mails); i++)
        check_mail(&mails[i]);
}

static void test_header(void **state)
{
    static const char mail[] =
        "Received: one\r\nReceived: two\r\nFrom: A <a@example.net>\r\nTo: b@x, C <c@x>\r\n"
        "CC: d@x\r\nSubject: =?utf-8?B?aGVs?=\r\n =?utf-8?Q?lo?= you\r\nDate: today\r\nMessage-ID: <1>\r\n"
        "X-Mailer: m\r\n\r\nsee http://Example.com/a?b=c and "
        "<HTTPS://other.example/x>\r\nhttp://last\r\n.\r\n";

    for (size_t i = 0; i < N(pieces); i++) {
        struct app_lab *l = begin_mail();

        play(l, &(struct turn){C, mail}, 1, pieces[i]);
        assert_true(lab_saw(l, BUF_EMAIL_FROM, "A <a@example.net>"));
        assert_true(lab_saw(l, BUF_EMAIL_TO, "b@x, C <c@x>"));
        assert_true(lab_saw(l, BUF_EMAIL_CC, "d@x"));
        assert_true(lab_saw(l, BUF_EMAIL_SUBJECT, "=?utf-8?B?aGVs?= =?utf-8?Q?lo?= you"));
        assert_true(lab_saw(l, BUF_EMAIL_SUBJECT, "hello you"));
        assert_true(lab_saw(l, BUF_EMAIL_DATE, "today"));
        assert_true(lab_saw(l, BUF_EMAIL_MESSAGE_ID, "<1>"));
        assert_true(lab_saw(l, BUF_EMAIL_X_MAILER, "m"));
        assert_true(lab_saw(l, BUF_EMAIL_RECEIVED, "one"));
        assert_true(lab_saw(l, BUF_EMAIL_RECEIVED, "two"));
        assert_true(lab_saw(l, BUF_EMAIL_URL, "Example.com/a?b=c"));
        assert_true(lab_saw(l, BUF_EMAIL_URL, "other.example/x"));
        assert_true(lab_saw(l, BUF_EMAIL_URL, "last"));
        assert_int_equal(lab_count(l, BUF_EMAIL_URL), 3);
        assert_non_null(strstr(l->logged, "} email={status=PARSE_DONE from=A <a@example.net> subject="));
        assert_non_null(strstr(l->logged, "to={=b@x =C <c@x> } cc={=d@x }"));
        assert_non_null(strstr(l->logged, "url={=Example.com/a?b=c =other.example/x =last }"));
        lab_free(l);
    }
}

static void check_event(const char *text, enum anomaly which)
{
    struct app_lab *l = begin_mail();

    lab_say(l, C, text);
    lab_say(l, C, "\r\n.\r\n");
    if (!lab_event(l, which))
        fprintf(stderr, "no %s in: %.200s\n", anomaly_info[which].name, text);
    assert_true(lab_event(l, which));
    lab_free(l);
}

static char *many(const char *before, char c, size_t n, const char *after)
{
    static char text[8192];
    size_t k = strlen(before);

    memcpy(text, before, k);
    memset(text + k, c, n);
    strcpy(text + k + n, after);
    return text;
}

static void test_events(void **state)
{
    check_event("no field\r\n\r\nx", AN_MIME_MALFORMED);
    check_event("Content-Type: multipart/mixed\r\n\r\nx", AN_MIME_MALFORMED);
    check_event("Subject: a\r\nSubject: b\r\n\r\nx", AN_SMTP_DUPLICATE_FIELDS);
    check_event("Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\nx",
                AN_MIME_DUPLICATE);
    check_event("Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\nx", AN_MIME_DUPLICATE);
    check_event(CTE "base64\r\n" CTE "7bit\r\n\r\nx", AN_MIME_DUPLICATE);
    check_event(CTE "base-64\r\n\r\nx", AN_MIME_UNKNOWN_ENCODING);
    check_event("Content-Type: message/rfc822\r\n" CTE "base64\r\n\r\nYWJj", AN_MIME_ENCODED_PARTS);
    check_event(CTE "base64\r\n\r\nYW-Jj", AN_MIME_INVALID_BASE64);
    check_event(CTE "base64\r\n\r\nYWJjZ", AN_MIME_INVALID_BASE64);
    check_event(CTE "base64\r\n\r\nYQ==YWJj", AN_MIME_BASE64_GOES_ON);
    check_event(CTE "quoted-printable\r\n\r\na=zz", AN_MIME_INVALID_QP);
    check_event("Content-Type: multipart/mixed; boundary=b\r\n\r\n--bc\r\n\r\nx", AN_MIME_LIKE_BOUNDARY);
    check_event(many("\r\n", 'x', 999, ""), AN_MIME_LONG_LINE);
    check_event(many(CTE "base64\r\n\r\n", 'Y', 80, ""), AN_MIME_LONG_ENC_LINE);
    check_event(many("", 'x', 76, ": y\r\n\r\n"), AN_MIME_LONG_NAME);
    check_event(many("X: ", 'x', 2001, "\r\n\r\n"), AN_MIME_LONG_VALUE);
    check_event(many("Content-Type: multipart/x; boundary=", 'x', 255, "\r\n\r\n"), AN_MIME_LONG_BOUNDARY);
    check_event(many("Content-Disposition: x; filename=", 'x', 256, "\r\n\r\n"), AN_MIME_LONG_FILENAME);

    struct app_lab *l = begin_mail();
    for (int i = 0; i < MIME_LEVELS_MAX + 1; i++) {
        char text[100];

        assert_false(lab_event(l, AN_MIME_DEEP));
        snprintf(text, sizeof(text), "Content-Type: multipart/mixed; boundary=b%c\r\n\r\n--b%c\r\n", 'a' + i,
                 'a' + i);
        lab_say(l, C, text);
    }
    assert_true(lab_event(l, AN_MIME_DEEP));
    lab_free(l);
}

/* An ordinary mail is none of it. */
static void test_no_events(void **state)
{
    struct app_lab *l = begin_mail();
    struct anomalies none = {0};

    lab_say(l, C,
            "From: a\r\n" MIXED(PART("Content-Type: text/plain", "one") PART(
                ATTACHED CTE "base64", "TVqQAAM=") PART(CTE "quoted-printable", "a=3Db")) "\r\n.\r\n");
    assert_memory_equal(&l->events, &none, sizeof(none));
    lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),  cmocka_unit_test(test_encodings), cmocka_unit_test(test_names),
        cmocka_unit_test(test_header), cmocka_unit_test(test_events),    cmocka_unit_test(test_no_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
