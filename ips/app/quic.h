/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_QUIC_H
#define SLUICE_APP_QUIC_H
/*
 * QUIC's packets as far as anyone can read them (RFC 9000, 9001, 9369): headers, and Initial packets, whose keys are made of
 * a connection id that they show. quic_packet.c has the formats and the keys, quic.c the flow and what rules see.
 * Worker thread.
 */
#include "ips/app/cipher.h"
#include "ips/app/parser.h"

#define QUIC_ID_MAX 20

enum quic_type { QUIC_INITIAL, QUIC_ZERO_RTT, QUIC_HANDSHAKE, QUIC_RETRY, QUIC_NEGOTIATION, QUIC_UNKNOWN };

struct quic_packet {   /* with a long header */
    struct span whole; /* up to the next one of the datagram */
    uint8_t type;      /* enum quic_type */
    uint32_t version;
    struct span dcid, scid;
    uint32_t number_at; /* QUIC_INITIAL: where its packet number is in `whole` */
};

/* The next packet of *datagram, which moves behind it. False: it is none that can be read. */
bool quic_packet_next(struct span *datagram, struct quic_packet *p);
/* Initial packets of that version can be opened. */
bool quic_version_known(uint32_t version);

struct quic_keys {
    uint8_t key[AES_KEY], iv[GCM_IV], header[AES_KEY];
};

/* Of both sides, by enum app_dir of whoever sends. `dcid` is that of the client's first packet, or of the first one after
 * a Retry. */
bool quic_keys_make(struct app *a, uint32_t version, struct span dcid, struct quic_keys keys[2]);
/* Takes an Initial packet's protection off; *largest is the packet number seen so far, and is updated. `room` is as long
 * as the packet; *frames lies in it. False: these are not its keys. */
bool quic_open(struct app *a, const struct quic_packet *p, const struct quic_keys *keys, uint64_t *largest,
               uint8_t *room, struct span *frames);
/* A number of 1 to 8 bytes. False: it is not whole. */
bool quic_varint(struct span *in, uint64_t *v);
#endif
