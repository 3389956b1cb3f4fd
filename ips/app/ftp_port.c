/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where FTP's data connections go: PORT and PASV (RFC 959), EPRT and EPSV (2428).
 *
 * Clients look for the six numbers in a reply to PASV wherever they are, because servers put what they like around them
 * (RFC 1123 4.1.2.6). So do we: the first six with commas between them.
 *
 * Pure functions.
 */
#include <arpa/inet.h>

#include "ips/app/ftp_parts.h"
#include "ips/app/words.h"

bool ftp_port_numbers(struct span s, struct ftp_end *e)
{
    uint8_t v[6];
    unsigned n = 0;

    while (s.len > 0 && n < 6) {
        uint64_t number = 0;

        if (!word_digit(s.p[0])) {
            n = 0;
            s = span_sub(s, 1, s.len);
            continue;
        }
        if (word_number(&s, 255, &number))
            v[n++] = (uint8_t)number;
        else
            n = 0;
        while (n == 0 && s.len > 0 && word_digit(s.p[0]))
            s = span_sub(s, 1, s.len); /* the rest of a number that is too large */
        if (n == 6)
            break;
        if (s.len > 0 && s.p[0] == ',')
            s = word_skip_blanks(span_sub(s, 1, s.len));
        else
            n = 0;
    }
    if (n < 6)
        return false;
    *e = (struct ftp_end){.port = load_be16(v + 4), .has_addr = true};
    addr_set_ipv4(&e->addr, v);
    return e->port != 0;
}

/* Between two delimiters; *rest goes on at the second one. */
static bool field(struct span *rest, uint8_t delimiter, struct span *f)
{
    const uint8_t *end;

    if (rest->len < 2 || rest->p[0] != delimiter)
        return false;
    *rest = span_sub(*rest, 1, rest->len);
    end = memchr(rest->p, delimiter, rest->len);
    if (!end)
        return false;
    *f = span_sub(*rest, 0, (uint32_t)(end - rest->p));
    *rest = span_sub(*rest, f->len, rest->len);
    return true;
}

/* "192.0.2.1" or an IPv6 address. */
static bool address(struct span text, bool v6, struct addr *out)
{
    char s[INET6_ADDRSTRLEN];
    uint8_t v4[4];

    if (text.len == 0 || text.len >= sizeof(s))
        return false;
    memcpy(s, text.p, text.len);
    s[text.len] = '\0';
    if (v6)
        return inet_pton(AF_INET6, s, out->b) == 1;
    if (inet_pton(AF_INET, s, v4) != 1)
        return false;
    addr_set_ipv4(out, v4);
    return true;
}

bool ftp_port_extended(struct span s, struct ftp_end *e)
{
    const uint8_t *open = s.len > 0 ? memchr(s.p, '(', s.len) : NULL;
    struct span rest = open ? span_sub(s, (uint32_t)(open - s.p) + 1, s.len) : word_skip_blanks(s);
    uint8_t delimiter = rest.len > 0 ? rest.p[0] : 0;
    struct span family, addr, port;
    uint64_t number;

    if (!field(&rest, delimiter, &family) || !field(&rest, delimiter, &addr) ||
        !field(&rest, delimiter, &port) || !word_number(&port, UINT16_MAX, &number) || port.len > 0 ||
        number == 0)
        return false;
    *e = (struct ftp_end){.port = (uint16_t)number};
    e->has_addr = address(addr, word_is(family, "2"), &e->addr);
    return true;
}
