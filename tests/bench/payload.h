/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BENCH_PAYLOAD_H
#define SLUICE_BENCH_PAYLOAD_H
/*
 * Payloads for the benches of scanning: the same ones in every run.
 */
#include <stdint.h>
#include <string.h>

#define PAYLOAD_LEN 1460

static uint64_t seed = 7;
static inline uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % below;
}

/* Random bytes, base64, prose in HTML, the head of a request: what full-size packets are made of. */
static inline void fill_payload(uint8_t out[PAYLOAD_LEN], unsigned kind)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char *const words[] = {"the ",
                                        "of ",
                                        "<p>",
                                        "</p>\n",
                                        "network ",
                                        "and ",
                                        "<a href=\"/index.html\">",
                                        "packet ",
                                        "</a> ",
                                        "which ",
                                        "people ",
                                        "<div class=\"main\">",
                                        "</div>\n",
                                        "content ",
                                        "server ",
                                        "with ",
                                        "2024 ",
                                        "more ",
                                        "about ",
                                        "page "};
    static const char request[] =
        "GET /articles/index.html?page=2&sort=date HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: "
        "Mozilla/5.0 "
        "(X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0\r\nAccept: "
        "text/html,application/xhtml+xml,"
        "application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, "
        "deflate, br\r\n"
        "Connection: keep-alive\r\nCookie: session=8127361287361287361; theme=dark\r\n\r\n";

    for (uint32_t n = 0; n < PAYLOAD_LEN;) {
        char number[2] = {0};
        const char *piece = number;
        uint32_t len = 1;

        if (kind == 2)
            piece = words[draw(20)];
        else if (kind == 3)
            piece = request;
        else
            number[0] = kind == 0 ? (char)draw(256) : base64[draw(64)];
        len = kind < 2 ? 1 : (uint32_t)strlen(piece);
        if (len > PAYLOAD_LEN - n)
            len = PAYLOAD_LEN - n;
        memcpy(out + n, piece, len);
        n += len;
    }
}
#endif
