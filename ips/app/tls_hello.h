/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_TLS_HELLO_H
#define SLUICE_APP_TLS_HELLO_H
/*
 * A ClientHello or ServerHello (RFC 8446 4.1, RFC 5246 7.4.1) as spans into its bytes, and the fingerprints that are made
 * of it. Whoever has a whole handshake message may ask: TLS over TCP, and QUIC's CRYPTO frames. Nothing is copied, but
 * for the fingerprints. Any thread; the fingerprints with a digest need a worker (digest.h).
 */
#include "ips/app/parser.h"

enum {
    TLS_HELLO_REQUEST = 0,
    TLS_CLIENT_HELLO = 1,
    TLS_SERVER_HELLO = 2,
    TLS_CERTIFICATE = 11,
    TLS_SERVER_KEY_EXCHANGE = 12,
    TLS_SERVER_HELLO_DONE = 14,
    TLS_CLIENT_KEY_EXCHANGE = 16,
    TLS_FINISHED = 20,
};

enum { SSL2 = 0x0002, SSL3 = 0x0300, TLS1_0 = 0x0301, TLS1_1 = 0x0302, TLS1_2 = 0x0303, TLS1_3 = 0x0304 };

enum tls_odd {                              /* what is wrong with a hello: bits */
               TLS_ODD_LENGTH = 1 << 0,     /* a length runs out of what it lies in, or bytes are left over */
               TLS_ODD_SNI_TWICE = 1 << 1,  /* the extension, or a second host name in it */
               TLS_ODD_SNI_TYPE = 1 << 2,   /* another name than a host name */
               TLS_ODD_SNI_LENGTH = 1 << 3, /* the name does not fit its list, or is empty */
               TLS_ODD_SNI_NAME = 1 << 4,   /* a NUL in the host name */
               TLS_ODD_EXTENSION_TWICE = 1 << 5,
};

struct tls_hello {
    bool client;
    bool retry;              /* HelloRetryRequest: the client will say hello again */
    uint16_t legacy_version; /* the field of that name */
    uint16_t version;        /* the newest that is offered, or the one chosen; drafts of 1.3 are TLS1_3 */
    uint16_t cipher;         /* chosen by a server */
    uint16_t n_extensions;   /* GREASE counted */
    uint32_t odd;            /* enum tls_odd */
    /* Spans of the message; p is NULL where there is none. Lists come without their own length. */
    struct span random;     /* 32 bytes, or fewer in a broken one */
    struct span session_id; /* or a challenge's */
    struct span ciphers;    /* offered: 2 bytes each */
    struct span extensions; /* as they lie there: type, length, bytes */
    struct span sni;
    struct span alpn;       /* names, each behind a byte of length */
    struct span groups;     /* 2 bytes each */
    struct span points;     /* 1 byte each */
    struct span algorithms; /* signature_algorithms: 2 bytes each */
    bool has_sni;           /* the extension is there, whatever is in it */
};

/* `message` is a whole handshake message with its header. False: it is no hello, or too short for a version and a
 * random; otherwise everything up to where it breaks is in *h, and what is wrong in h->odd. */
bool tls_hello_parse(struct span message, struct tls_hello *h);
/* SSLv2's ClientHello (RFC 5246 E.2) from the message type on; ciphers are 3 bytes each, and JA3 and JA4 are not made of it. */
bool tls_hello_parse_v2(struct span message, struct tls_hello *h);
/* The bytes that *h was made of begin at `to` now. */
void tls_hello_moved(struct tls_hello *h, const uint8_t *from, const uint8_t *to);
/* The next name of h->alpn; false when there is none. */
bool tls_alpn_next(struct span *list, struct span *name);
/* Values that mean nothing (RFC 8701). */
static inline bool tls_grease(uint16_t v)
{
    return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

/* --- fingerprints (ja.c) ------------------------------------------------------------------------------------------- */

#define JA3_TEXT_MAX 4096 /* a longer one is not made; some 600 ciphers and extensions */
#define JA4_BYTES    36   /* t13d1516h2_8daaf6152771_e5627efa2ab1 */
#define JA4S_BYTES   25   /* t120400_c030_4e8089b08790 */

/* JA3's string, or JA3S' for a server's hello, in room for JA3_TEXT_MAX; its length, 0: too long. Its MD5 is the hash. */
uint32_t ja3_text(const struct tls_hello *h, uint8_t out[JA3_TEXT_MAX]);
/* JA4 of a client, JA4S of a server; the number of characters, 0: too many ciphers or extensions. */
uint32_t ja4_make(struct app *a, const struct tls_hello *h, bool quic, uint8_t out[JA4_BYTES]);
#endif
