/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_TLS_H
#define SLUICE_APP_TLS_H
/*
 * Between the files of the TLS parser:
 *   tls.c            probe, records, what becomes of each; SSLv2
 *   tls_handshake.c  handshake messages and the buffers that are made of them
 *   tls_certs.c      certificates
 *   tls_hello.h      hellos as spans, fingerprints (QUIC's, too)
 */
#include "ips/app/digest.h"
#include "ips/app/memory.h"
#include "ips/app/tls_hello.h"
#include "ips/app/x509.h"

#define TLS_HELLO_MAX     131400 /* bytes of a hello with its header; OpenSSL takes as many */
#define TLS_CERTS_MAX     262144 /* of a Certificate message; OpenSSL takes 100 kB, Go 256 KB */
#define TLS_SAME_MAX      4      /* hellos, or Certificate messages, of one side of a flow */
#define TLS_ADDRESSES_MAX 8      /* of a certificate that are shown at a time */
#define TLS_FINGERPRINT   59     /* aa:bb:..: SHA-1 */

enum tls_state { /* ssl_state's: bits */
                 TLS_STATE_CLIENT_HELLO = 1 << 0,
                 TLS_STATE_SERVER_HELLO = 1 << 1,
                 TLS_STATE_CLIENT_KEYX = 1 << 2,
                 TLS_STATE_SERVER_KEYX = 1 << 3,
                 TLS_STATE_UNKNOWN = 1 << 4, /* none of these has come */
};
#define TLS_STATES 5

struct tls_print { /* fingerprints of one hello */
    uint8_t ja3[32], ja4[JA4_BYTES];
    uint8_t ja3_len, ja4_len;
};

struct tls_side { /* what one end said of itself */
    struct tls_hello hello;
    struct bytes kept; /* the hello's message, JA3's string behind it */
    uint32_t ja3_at;   /* place of it in kept */
    struct tls_print print;
    uint8_t n;   /* hellos so far */
    uint8_t dir; /* enum app_dir that it went */
};

struct tls_certs {
    struct bytes message; /* whole, with its header */
    struct bytes text;    /* subject, issuer, serial number */
    struct span chain;    /* in message: lengths of 3 bytes and certificates; empty for SSLv2's one */
    struct span leaf;     /* the first one */
    struct x509 x;        /* of it */
    struct span subject, issuer, serial; /* in text; p is NULL when there is none */
    uint8_t fingerprint[TLS_FINGERPRINT];
    uint32_t n; /* in the chain */
    uint8_t address[TLS_ADDRESSES_MAX][X509_ADDRESS_TEXT];
};

struct tls_way { /* one direction */
    uint8_t head[5], n_head;
    uint8_t type;         /* of the record in hand */
    uint16_t version;     /* of the last record's header */
    uint32_t left;        /* bytes of the record to come */
    struct bytes message; /* a handshake message that is not whole */
    uint32_t skip;        /* bytes of one that nobody asks about */
    uint16_t heartbeat;   /* length of the last request's record */
    uint8_t beat[3], n_beat;
    uint8_t states;  /* enum tls_state */
    uint8_t n_certs; /* Certificate messages */
    bool began;      /* a record has come */
    bool v2;         /* the record in hand is SSLv2's */
    bool encrypted;  /* what follows cannot be read */
    bool ended;      /* rules know that nothing more comes */
};

struct tls {
    struct app_tx tx;
    bool open;                  /* the transaction */
    bool over;                  /* the handshake is; only headers of records are looked at */
    bool resumed;               /* the server took the client's session */
    bool v2;                    /* the server answered in SSLv2 */
    uint16_t version;           /* that the server chose; 0: not yet */
    struct tls_side side[2];    /* client's, server's hello: whoever said it */
    struct tls_certs *certs[2]; /* by direction */
    struct tls_way way[2];
};

/* tls_handshake.c. False: stop, the packet was dropped, or memory is out (*bad then). */
bool tls_handshake(struct app *a, struct tls *t, enum app_dir dir, struct span bytes, bool *bad);
/* A whole SSLv2 message from its type on. */
bool tls_message_v2(struct app *a, struct tls *t, enum app_dir dir, struct span message, bool *bad);
void tls_show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir);
void tls_fields(void *state, const struct app_tx *tx, struct fields *f);
void tls_open(struct app *a, struct tls *t);
/* Memory of what rules have seen goes back. */
void tls_forget(struct app *a, struct tls *t);

/* tls_certs.c */
bool tls_certificate(struct app *a, struct tls *t, enum app_dir dir, struct span message, bool *bad);
bool tls_certificate_v2(struct app *a, struct tls *t, enum app_dir dir, struct span der, bool *bad);
void tls_put_certs(struct app *a, struct tls *t, enum app_dir dir, bool fresh);
void tls_certs_fields(const struct tls_certs *c, struct fields *f);
void tls_certs_free(struct app *a, struct tls_certs *c);
#endif
