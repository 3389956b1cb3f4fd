/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protocols of which rules ask no more than that a flow speaks them (service:telnet, app-layer-protocol:irc): they are
 * recognised, and their bytes are looked at as a stream. RFB, RTSP and BitTorrent's DHT are here for the same
 * reason.
 *
 * MySQL's client may ask for TLS in its first packet, of 32 bytes with one capability; what follows is recognised anew.
 *
 * Worker thread. Owns nothing but the 36 bytes of a MySQL client's first packet.
 */
#include "ips/app/lines.h"
#include "ips/app/memory.h"

/* Nothing in it is for rules. */
static enum app_answer done(struct app *a, void *state, const struct app_in *in)
{
    return APP_DONE;
}

/* How much of `word` the bytes begin with: all of it, so far, or not. */
static enum app_probe begins(struct span bytes, const char *word)
{
    size_t n = strlen(word);

    if (strncasecmp((const char *)bytes.p, word, bytes.len < n ? bytes.len : n) != 0)
        return PROBE_NO;
    return bytes.len < n ? PROBE_MORE : PROBE_YES;
}

static enum app_probe begins_any(struct span bytes, const char *const *words)
{
    enum app_probe best = PROBE_NO;

    for (; *words && best != PROBE_YES; words++) {
        enum app_probe p = begins(bytes, *words);

        best = p > best ? p : best;
    }
    return best;
}

/* --- Telnet: IAC, then a negotiation (RFC 854) ---------------------------------------------------------------------------- */

static enum app_probe probe_telnet(struct span bytes, const struct app_hint *h)
{
    enum { IAC = 255, SB = 250, WILL = 251, DO = 253, DONT = 254 };

    if (bytes.p[0] != IAC)
        return PROBE_NO;
    if (bytes.len < 3)
        return PROBE_MORE;
    if (bytes.p[1] < SB || bytes.p[1] > DONT || bytes.p[2] > 49)
        return PROBE_NO;
    return h->dport == 23 || bytes.len == 3 || bytes.p[3] == IAC || bytes.p[1] == SB ? PROBE_YES
                                                                                     : PROBE_LIKELY;
}

/* --- IRC: commands that a client begins with, and what a server says first (RFC 2812) ---------------------------------- */

static enum app_probe probe_irc(struct span bytes, const struct app_hint *h)
{
    static const char *const client[] = {"NICK ",  "CAP LS", "CAP REQ ", "JOIN #",
                                         "JOIN &", "PASS ",  "USER ",    NULL};
    static const char *const server[] = {"NOTICE ", "PING :", "ERROR :", NULL};
    struct span rest = bytes, line, word;
    bool whole = memchr(bytes.p, '\n', bytes.len) != NULL;

    lines_next(&rest, &line);
    line = lines_trim(line);
    if (bytes.p[0] == ':') { /* :server NOTICE, :server 001 */
        lines_word(&line);
        word = lines_word(&line);
        if (!whole)
            return PROBE_MORE;
        bool reply =
            word.len == 3 && word.p[0] <= '9' && word.p[1] <= '9' && word.p[2] <= '9' && line.len > 0;
        return reply || span_eq_str(word, "NOTICE") || span_eq_str(word, "PRIVMSG") ? PROBE_YES : PROBE_NO;
    }
    enum app_probe p = begins_any(bytes, h->dir == APP_TO_SERVER ? client : server);
    if (p == PROBE_YES && (lines_begins_nocase(bytes, "PASS ") || lines_begins_nocase(bytes, "USER "))) {
        /* FTP and POP3 have them, too; IRC's USER has four parameters, and behind PASS comes one of the others */
        if (lines_begins_nocase(bytes, "PASS ") && whole)
            return rest.len == 0                        ? PROBE_MORE
                   : lines_begins_nocase(rest, "PASS ") ? PROBE_NO
                                                        : probe_irc(rest, h);
        unsigned words = 0;
        while (words < 5 && line.len > 0 && lines_word(&line).len > 0)
            words++;
        return !whole ? PROBE_MORE : words == 5 ? PROBE_YES : PROBE_NO;
    }
    return p;
}

/* --- MySQL: the server's greeting --------------------------------------------------------------------------------------- */

struct mysql {
    uint8_t first[8]; /* of the client */
    uint32_t n;       /* bytes of its first packet */
};

static enum app_probe probe_mysql(struct span bytes, const struct app_hint *h)
{
    if (h->dir == APP_TO_SERVER)
        return PROBE_NO;
    if (bytes.len < 6)
        return bytes.len < 5 || bytes.p[4] == 10 ? PROBE_MORE : PROBE_NO;
    uint32_t n = (uint32_t)(bytes.p[0] | bytes.p[1] << 8 | bytes.p[2] << 16);
    if (n < 20 || n > 1024 || bytes.p[3] != 0 || bytes.p[4] != 10 || bytes.p[5] < '0' || bytes.p[5] > '9')
        return PROBE_NO;
    const uint8_t *end = memchr(bytes.p + 5, '\0', bytes.len - 5);
    return end ? PROBE_YES : bytes.len < n ? PROBE_MORE : PROBE_NO;
}

static enum app_answer take_mysql(struct app *a, void *state, const struct app_in *in)
{
    enum { PACKET = 36, SSL = 0x08 /* of the second byte of the capabilities */ };
    struct mysql *s = state;

    if (in->dir == APP_TO_CLIENT)
        return APP_OK;
    for (uint32_t i = 0; i < in->bytes.len; i++) {
        if (s->n < sizeof(s->first))
            s->first[s->n] = in->bytes.p[i];
        s->n++;
        if (s->n == sizeof(s->first) &&
            !(s->first[0] == PACKET - 4 && s->first[1] == 0 && (s->first[5] & SSL)))
            return APP_DONE;
        if (s->n == PACKET) {
            app_switch(a, i + 1, APP_N);
            return APP_SWITCH;
        }
    }
    return APP_OK;
}

/* --- others by their first words ------------------------------------------------------------------------------------------ */

static enum app_probe probe_rfb(struct span bytes, const struct app_hint *h)
{
    return begins(bytes, "RFB 00");
}

static enum app_probe probe_rtsp(struct span bytes, const struct app_hint *h)
{
    struct span rest = bytes, line;

    if (begins(bytes, "RTSP/") != PROBE_NO)
        return begins(bytes, "RTSP/");
    if (bytes.p[0] < 'A' || bytes.p[0] > 'Z')
        return PROBE_NO;
    if (!lines_next(&rest, &line))
        return PROBE_MORE;
    bool whole = line.p[line.len - 1] == '\n';
    struct span method = lines_word(&line);
    if (method.len > 16 || (line.len > 0 && begins(line, "rtsp://") == PROBE_NO && line.p[0] != '*'))
        return PROBE_NO;
    lines_word(&line);
    return !whole ? PROBE_MORE : begins(line, "RTSP/") == PROBE_YES ? PROBE_YES : PROBE_NO;
}

static enum app_probe probe_dht(struct span bytes, const struct app_hint *h)
{
    static const char *const words[] = {"d1:ad2:id20:", "d1:rd2:id20:", "d2:ip6:", "d1:eli20", NULL};

    return begins_any(bytes, words) == PROBE_YES ? PROBE_YES : PROBE_NO;
}

static const uint16_t telnet_ports[] = {23, 0}, irc_ports[] = {6667, 0}, mysql_ports[] = {3306, 0},
                      rfb_ports[] = {5900, 0}, rtsp_ports[] = {554, 0};

const struct app_parser parser_telnet = {
    .proto = APP_TELNET, .tcp = true, .ports = telnet_ports, .probe = probe_telnet, .take = done};
const struct app_parser parser_irc = {
    .proto = APP_IRC, .tcp = true, .ports = irc_ports, .probe = probe_irc, .take = done};
const struct app_parser parser_mysql = {.proto = APP_MYSQL,
                                        .tcp = true,
                                        .state_bytes = sizeof(struct mysql),
                                        .ports = mysql_ports,
                                        .probe = probe_mysql,
                                        .take = take_mysql};
const struct app_parser parser_rfb = {
    .proto = APP_RFB, .tcp = true, .ports = rfb_ports, .probe = probe_rfb, .take = done};
const struct app_parser parser_rtsp = {
    .proto = APP_RTSP, .tcp = true, .ports = rtsp_ports, .probe = probe_rtsp, .take = done};
const struct app_parser parser_dht = {.proto = APP_BITTORRENT, .udp = true, .probe = probe_dht, .take = done};
