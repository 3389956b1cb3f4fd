/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_PARTS_H
#define SLUICE_APP_PARTS_H
/*
 * Between the files of this room that are no parsers:
 *   app.c        a packet's way: what is new in it, who gets it, what became of it
 *   recognise.c  which protocol the first bytes are
 *   take.c       a parser gets a piece
 *   view.c       what parsers publish, and detection's call
 *   memory.c     the pool, and collecting bytes
 *   digest.c     MD5 and its like, for fingerprints
 *   cipher.c     AES for QUIC's first packets
 *   table.c      the parsers
 */
#include "ips/app/app.h"
#include "ips/app/digest.h"
#include "ips/app/file.h"
#include "ips/app/cipher.h"
#include "ips/app/memory.h"
#include "ips/base/pool.h"
#include "rules/ruleset.h"

#define PROBE_BYTES_MAX 2048 /* of a direction that are kept while its protocol is not known */
#define PROBE_BLANK_MAX 16   /* bytes of empty lines in front that may be more than that */
#define PROBE_DATAGRAMS 16 /* of a flow that are shown to all probes; later ones to those whose port it is */
#define PROBE_HELD_MAX  (2 * PROBE_BYTES_MAX)
#define PARSERS_MAX     64

struct app_way {     /* one direction of a flow */
    uint64_t parsed; /* place in the stream behind what was taken */
    uint64_t unsure; /* [unsure, parsed) came in a segment that was dropped: its copy must be the same */
    uint64_t unsure_hash;
    uint64_t may;      /* parsers that its bytes could still be of: bit by place in the table */
    uint64_t began;    /* where the parser began */
    struct bytes held; /* what came before the protocol was known */
    bool failed;       /* it is none of the known ones */
    bool ended;        /* the parser was told that nothing follows */
    bool lost;         /* bytes are missing: the parser gets nothing more of it */
    bool skipped;      /* the first of what was kept for the parser went, because it was too much */
    bool checked;      /* its bytes were compared with what the other direction's say */
};

struct app_flow {
    const struct app_parser *parser; /* NULL: not known */
    void *state;
    uint64_t next_tx;
    uint64_t apps;     /* what it speaks; what it spoke, while that is being recognised anew */
    uint32_t used;     /* bytes of the pool, this block not counted */
    uint8_t first;     /* enum app_dir: who sent first */
    bool over;         /* the parser gets nothing more */
    uint8_t store;     /* bit by direction: its files are kept (filestore) */
    struct bytes note; /* app_expect()'s */
    struct app_way way[2];
};

enum slot_flag {
    SLOT_SETTLED = 1 << 0, /* known, or never will be */
    SLOT_JUST = 1 << 1,    /* became known with the packet in hand */
    SLOT_OFF = 1 << 2,     /* no memory, or a policy: not looked at any more */
};

struct app_slot {          /* beside each flow of the flow table */
    struct app_flow *flow; /* NULL: nothing is kept */
    uint8_t proto;         /* enum app_proto + 1; 0: not known */
    uint8_t flags;         /* enum slot_flag */
    uint8_t tries;         /* datagrams that were nobody's */
    uint8_t failed;        /* bit by direction, for events */
};

#define FILE_RECORDS_MAX 8 /* files of a packet's transactions that its alerts tell of */

struct file_record { /* of a file, for events */
    uint64_t id, tx_id, size;
    const char *magic, *state; /* constants; magic may be NULL */
    uint32_t sids[FILE_SIDS_MAX];
    uint16_t name_len;
    uint8_t n_sids, dir, hash_len[DIGEST_N];
    bool stored;
    uint8_t hash[DIGEST_N][DIGEST_BYTES_MAX];
    uint8_t name[1024];
};

struct app {
    struct app_config cfg;
    struct beacon own_beacon; /* cfg.beacon when there is no worker */
    struct meter own_meter;   /* likewise */
    struct app_hooks hooks;
    struct flow_table *flows;
    struct stream_table *streams;
    struct pool *pool;
    struct ciphers *ciphers;
    struct app_slot *slots;
    uint64_t all[2]; /* parsers with a probe, by place in the table: of TCP, of UDP */
    size_t slots_bytes;
    /* the packet in hand */
    struct packet *p;
    struct counters *c;
    struct app_slot *slot;
    struct app_flow *flow;    /* of the slot; a datagram's is `datagram` */
    struct app_flow datagram; /* for flows that keep nothing */
    const struct flow *of;    /* the engine's flow */
    uint64_t now_ns, real_ns;
    uint32_t switch_at; /* app_switch() */
    uint8_t switch_to, dir;
    bool switched;
    bool memcap;       /* a limit was hit while the parser ran */
    bool took;         /* bytes of a stream were parsed */
    uint64_t file_ids; /* of the files so far */
    struct file_record files[FILE_RECORDS_MAX];
    uint8_t n_files;
    struct file *shown_files[FILE_RECORDS_MAX]; /* those in the view */
    uint8_t n_shown;
    uint8_t asks; /* enum rule_ask: of the ruleset in force, and of the configuration */
    struct digest_lately lately[DIGESTS_LATELY];
    struct app_view view;
    uint64_t shown[(BUF_N + 63) / 64];
    bool showing;
    struct fields fields;
    uint8_t fields_room[16384];
};

/* recognise.c: shows new bytes of the direction to the probes. True when the protocol is known now (flow->parser). */
bool recognise(struct app *a, struct span fresh, enum app_dir dir, bool end);
uint32_t recognise_blank(struct span s);
const struct app_parser *recognise_find(enum app_proto proto);
/* Once, when the configuration is known. */
void recognise_init(struct app *a);
void recognise_begin(struct app_flow *f, const struct app *a);
/* Bytes that begin a direction, or a datagram, of a flow that has a parser: whose they clearly are instead; or NULL. */
const struct app_parser *recognise_other(const struct app *a, struct span bytes, enum app_dir dir);
/* The port of one end of the flow is one of the parser's. */
bool recognise_owns(const struct app *a, const struct app_parser *p);
/* It is nobody's. */
bool recognise_hopeless(const struct app *a);
/* take.c: to the parser of the flow in hand */
enum app_answer app_take_piece(struct app *a, const struct app_in *in);
/* view.c */
void view_reset(struct app *a);
/* view.c: a record of the flow in hand */
void app_record_fill(const struct app *a, struct app_record *r, const char *event, const char *object,
                     const struct app_tx *tx, const struct fields *f);
/* memory.c */
void *memory_plain(struct app *a, uint32_t bytes); /* not on the flow's account */
void memory_plain_give(struct app *a, void *p, uint32_t bytes);
#endif
