/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS over HTTPS: see doh.h.
 *
 * A body is collected up to the length that a DNS message can have; a longer one is an event, and none. A flow that
 * carried one speaks DNS, too: rules for dns see what is in it, and the flow's other messages stay HTTP's.
 *
 * Worker thread. Owns the collected message.
 */
#include "ips/app/doh.h"

#include "ips/app/dns.h"
#include "ips/app/http.h"

static int base64url(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' || c == '+' ? 62 : c == '_' || c == '/' ? 63 : -1;
}

/* The value of the target's dns parameter, decoded. */
static void take_parameter(struct app *a, struct doh *d, struct span target)
{
    static const char key[] = "dns=";
    uint32_t at = 0, bits = 0, n = 0;

    while (at < target.len && target.p[at] != '?')
        at++;
    while (at < target.len && !span_eq_str(span_sub(target, at + 1, 4), key)) {
        at++;
        while (at < target.len && target.p[at] != '&')
            at++;
    }
    if (at >= target.len || !bytes_reserve(a, &d->message, target.len - at))
        return;
    for (at += 5; at < target.len && base64url(target.p[at]) >= 0; at++) {
        bits = bits << 6 | (uint32_t)base64url(target.p[at]);
        n += 6;
        if (n < 8)
            continue;
        n -= 8;
        d->message.p[d->message.len++] = (uint8_t)(bits >> n);
    }
    d->on = true;
}

void doh_begin(struct app *a, struct doh *d, struct span content_type, struct span target)
{
    uint32_t n = 0;

    doh_free(a, d);
    while (n < content_type.len && content_type.p[n] != ';')
        n++;
    if (http_word_is(http_trim(span_sub(content_type, 0, n)), "application/dns-message"))
        d->on = true;
    else if (target.len > 0 && memchr(target.p, '?', target.len))
        take_parameter(a, d, target);
}

void doh_add(struct app *a, struct doh *d, enum app_dir dir, struct span bytes)
{
    if (!d->on || d->over)
        return;
    if (bytes.len <= DOH_MESSAGE_MAX - d->message.len && bytes_add(a, &d->message, bytes))
        return;
    d->over = true;
    bytes_free(a, &d->message);
    app_event(a, dir == APP_TO_SERVER ? AN_HTTP2_DNS_REQUEST_TOO_LONG : AN_HTTP2_DNS_RESPONSE_TOO_LONG);
}

void doh_end(struct app *a, struct doh *d, struct app_tx *tx, enum app_dir dir)
{
    struct dns_view v;

    if (d->on && !d->over && d->message.len >= DNS_HEADER) {
        app_also(a, APP_DNS);
        app_also(a, APP_DOH2);
        dns_inspect(a, tx, &v, bytes_span(&d->message), dir, false);
    }
    doh_free(a, d);
}

void doh_free(struct app *a, struct doh *d)
{
    bytes_free(a, &d->message);
    d->on = d->over = false;
}
