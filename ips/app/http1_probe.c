/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether bytes are HTTP/1: the first line of a request or of a response, on any port.
 *
 * A request is a method that is known and a target that looks like one, or anything that ends with a version: servers answer
 * methods that nobody has heard of. What other protocols begin with (SIP's and RTSP's lines, HTTP/2's preface) is not
 * HTTP/1. Empty lines in front are skipped, as servers do.
 *
 * Worker thread. Owns nothing.
 */
#include <strings.h>

#include "ips/app/http1.h"

#define LINE_LONG_ENOUGH   512  /* bytes of a first line that begins like one, and is likely one */
#define METHOD_LONG_ENOUGH 1024 /* the same of a method, on HTTP's ports */

static const char *const methods[] = {
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "CONNECT",
    "OPTIONS",
    "DELETE",
    "TRACE",
    "PATCH",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "SEARCH",
    "REPORT",
    "MKACTIVITY",
    "CHECKOUT",
    "MERGE",
    "M-SEARCH",
    "VERSION-CONTROL",
    "CHECKIN",
    "UNCHECKOUT",
    "LABEL",
    "UPDATE",
    "MKWORKSPACE",
    "BASELINE-CONTROL",
    "ACL",
    "PURGE",
    "LINK",
    "UNLINK",
    "BIND",
    "REBIND",
    "UNBIND",
    "MKCALENDAR",
    "ORDERPATCH",
    "MKREDIRECTREF",
    "QUERY",
    "RPC_IN_DATA",
    "RPC_OUT_DATA",
    "BITS_POST",
    "CCM_POST",
    "SMS_POST",
    "TRACK",
    "DEBUG",
    "INDEX",
    "TEXTSEARCH",
    "SPACEJUMP",
    "BMOVE",
    "BCOPY",
    "BDELETE",
    "BPROPFIND",
    "BPROPPATCH",
    "NOTIFY",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "POLL",
    "X-MS-ENUMATTS",
    "SSTP_DUPLEX_POST",
};
#define METHODS_N (sizeof(methods) / sizeof(methods[0]))

enum http1_method http1_method_of(struct span word)
{
    static const char *const cases[] = {"GET", "HEAD", "POST", "PUT", "CONNECT"};

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (strlen(cases[i]) == word.len && memcmp(cases[i], word.p, word.len) == 0)
            return (enum http1_method)(METHOD_GET + i);
    return METHOD_OTHER;
}

bool http1_method_known(struct span word)
{
    for (unsigned i = 0; i < METHODS_N; i++)
        if (strlen(methods[i]) == word.len && memcmp(methods[i], word.p, word.len) == 0)
            return true;
    return false;
}

static bool is_token(uint8_t c)
{
    return c > ' ' && c < 0x7f && !memchr("()<>@,;:\\\"/[]?={}", c, 17);
}

/* Lenient servers take any white space; binary protocols begin with a byte and something that looks like it. */
static bool ends_method(struct span line, uint32_t n)
{
    return http_blank(line.p[n]) || (n > 2 && (line.p[n] == '\v' || line.p[n] == '\f'));
}

static struct span skip_white(struct span s)
{
    uint32_t n = 0;

    while (n < s.len && (s.p[n] == '\r' || s.p[n] == '\n' || http_blank(s.p[n])))
        n++;
    return span_sub(s, n, s.len);
}

/* The line ends with "HTTP/" and a version of 0 or 1, as far as it is one. */
static bool ends_with_version(struct span line)
{
    uint32_t n = line.len;

    while (n > 0 && (line.p[n - 1] <= ' '))
        n--;
    line.len = n;
    while (n > 0 && line.p[n - 1] > ' ')
        n--;
    struct span last = span_sub(line, n, line.len);
    return n > 0 && last.len >= 5 && strncasecmp((const char *)last.p, "http/", 5) == 0 &&
           (last.len == 5 || last.p[5] != '2');
}

static bool target_of_others(struct span s)
{
    static const char *const schemes[] = {"sip:", "sips:", "tel:", "rtsp:", "rtspu:"};

    for (unsigned i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (s.len >= strlen(schemes[i]) &&
            strncasecmp((const char *)s.p, schemes[i], strlen(schemes[i])) == 0)
            return true;
    return false;
}

static enum app_probe known_method(struct span target, bool whole)
{
    if (target_of_others(target)) /* unless the line ends with HTTP's version: then any scheme will do */
        return whole ? PROBE_NO : PROBE_MORE;
    if (target.len == 0)
        return whole ? PROBE_LIKELY : PROBE_MORE;
    if (target.p[0] == '/' || (target.len >= 7 && strncasecmp((const char *)target.p, "http://", 7) == 0))
        return PROBE_YES;
    return whole ? PROBE_LIKELY : PROBE_MORE;
}

enum app_probe http1_request_probe(struct span bytes)
{
    struct span s = skip_white(bytes), method = s, target;
    const uint8_t *lf;
    uint32_t n = 0;

    if (s.len == 0)
        return PROBE_MORE;
    lf = memchr(s.p, '\n', s.len);
    struct span line = lf ? span_of(s.p, (size_t)(lf - s.p)) : s;
    while (n < line.len && is_token(line.p[n]))
        n++;
    method.len = n;
    if (n == line.len)
        return lf ? PROBE_NO : PROBE_MORE;
    if (n == 0 || !ends_method(line, n))
        return PROBE_NO;
    target = skip_white(span_sub(line, n + 1, line.len));
    if (lf && ends_with_version(line))
        return n == 3 && memcmp(s.p, "PRI", 3) == 0 && target.p[0] == '*' ? PROBE_NO : PROBE_YES;
    if (lf && memmem(line.p, line.len, "/2.0", 4) && !http1_method_known(method))
        return PROBE_NO;
    if (http1_method_known(method))
        return known_method(target, lf != NULL);
    if (lf)
        return PROBE_NO;
    return line.len >= LINE_LONG_ENOUGH && target.len > 0 && target.p[0] == '/' ? PROBE_LIKELY : PROBE_MORE;
}

/* Servers hand on any method, of thousands of letters as well: longer than what is waited for. */
static bool long_method(struct span bytes)
{
    struct span s = skip_white(bytes);
    uint32_t n = 0;

    while (n < s.len &&
           (((s.p[n] | 0x20) >= 'a' && (s.p[n] | 0x20) <= 'z') || s.p[n] == '_' || s.p[n] == '-'))
        n++;
    return n == s.len && n >= METHOD_LONG_ENOUGH;
}

enum app_probe http1_response_probe(struct span bytes)
{
    static const char word[] = "http/";
    struct span s = skip_white(bytes);
    uint32_t n = s.len < 5 ? s.len : 5;

    if (n > 0 && strncasecmp((const char *)s.p, word, n) != 0)
        return PROBE_NO;
    if (s.len < 6)
        return PROBE_MORE;
    return s.p[5] == '2' ? PROBE_LIKELY : PROBE_YES;
}

enum app_probe http1_probe(struct span bytes, const struct app_hint *h)
{
    enum app_probe response = http1_response_probe(bytes);

    if (response != PROBE_NO && !(response == PROBE_MORE && h->dir == APP_TO_SERVER))
        return response;
    enum app_probe request = http1_request_probe(bytes);
    for (const uint16_t *port = http1_ports; request == PROBE_MORE && *port; port++)
        if (*port == h->dport && long_method(bytes))
            return PROBE_LIKELY;
    return request;
}
