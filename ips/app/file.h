/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_FILE_H
#define SLUICE_APP_FILE_H
/*
 * A file that a body carries: its name, its type by its first bytes, its size, digests, and EVE's fileinfo. Part of struct body, and
 * called by body.c alone. Worker thread; memory of the flow in hand.
 */
#include "ips/app/memory.h"

#define FILE_SIDS_MAX 8

struct digests;

struct file {
    struct bytes name;
    struct digests *digests;      /* NULL: nobody asks for them */
    uint64_t taken;               /* bytes that came so far */
    uint64_t id;                  /* of the worker's files */
    uint32_t sids[FILE_SIDS_MAX]; /* of rules that matched, the first ones */
    uint8_t n_sids;
    uint8_t dir;       /* enum app_dir */
    const char *magic; /* a constant; NULL: not known yet */
    uint64_t size;
    bool there;
    bool named, typed, sized; /* was published since the file began */
    bool ended, logged;
    bool keeping, kept_all;   /* parts of it were handed on; all of it so far */
    uint64_t kept_from, kept; /* where that begins and ends; kept UINT64_MAX: no more of it */
};

void file_begin(struct app *a, struct file *f, enum app_dir dir, struct span name);
/* Its first bytes, as far as they have come; last: no more will come that tell something. */
void file_look(struct file *f, struct span start, bool last);
/* Its bytes from `origin` on, the new ones at the end: those that came before are known. */
void file_take(struct app *a, struct file *f, struct app_tx *tx, struct span bytes, uint64_t origin);
/* What became known and was not published. */
void file_put(struct app *a, struct file *f, struct app_tx *tx);
/* For the parser's show(). */
void file_show(struct app *a, struct file *f, struct app_tx *tx);
/* After rules had a look at what was taken: the same bytes, for those files that are kept. */
void file_keep(struct app *a, struct file *f, const struct app_tx *tx, struct span bytes, uint64_t origin);
/* Nothing follows: size and digests are put. */
void file_end(struct app *a, struct file *f, struct app_tx *tx, uint64_t size, bool whole);
/* Rules have seen that: fileinfo. */
void file_close(struct app *a, struct file *f, struct app_tx *tx);
void file_free(struct app *a, struct file *f);

#define MAGIC_BYTES 1024 /* from a file's start, that tell its type */
/* A file's type in the words of file(1), or the beginning of them. NULL: more bytes could tell. */
const char *magic_of(struct span start, bool last);
#endif
