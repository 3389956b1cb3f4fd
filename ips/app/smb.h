/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_SMB_H
#define SLUICE_APP_SMB_H
/*
 * Between the files of SMB's parser:
 *   smb.c       frames, what carries what, the parser's row
 *   smb1.c      messages of version 1
 *   smb2.c      messages of versions 2 and 3
 *   smb_file.c  trees, files and pipes, and who waits for a response
 */
#include "ips/app/dcerpc.h"

#define SMB_FILES_MAX 64 /* open ones that are followed */
#define SMB_TREES_MAX 8  /* connected ones that are known */
#define SMB_WAITS_MAX 64 /* requests whose response says something */
#define SMB_HEADS_MAX 4  /* beginnings of pieces that came before what is in front of them */
#define SMB_HEAD_LEN  1024

enum smb_stop { SMB_OK, SMB_BAD, SMB_STOP /* the packet was dropped */ };

struct smb_head { /* of a piece of a file */
    uint64_t at;
    uint32_t len;
    uint8_t bytes[SMB_HEAD_LEN];
};

struct smb_way { /* a file's bytes in one direction */
    struct app_tx tx;
    struct body body;
    uint64_t next; /* place in the file behind what was taken */
    bool open;
    uint8_t next_head;
    struct smb_head *heads; /* SMB_HEADS_MAX; NULL until one is needed */
    struct smb_head *head;  /* of the piece in hand, while it is short */
};

struct smb_file {
    uint64_t used, born; /* when something was last done with it, and first */
    uint8_t id[16];
    bool has_id, pipe;
    uint32_t tree;
    struct bytes name, share;
    struct dce *dce; /* of a pipe */
    struct smb_way way[2];
};

struct smb_tree {
    bool used, known, pipe; /* known: the response gave its number */
    uint32_t id;
    struct bytes name;
};

enum smb_wait_kind { WAIT_NONE, WAIT_TREE, WAIT_CREATE, WAIT_READ, WAIT_PIPE, WAIT_CLOSE };

struct smb_wait {
    uint64_t message;
    uint64_t offset; /* WAIT_READ */
    uint8_t kind;
    uint8_t index; /* of the tree or file */
    uint64_t born; /* the file's; another one has its place when that differs */
};

struct smb_side {
    uint8_t stage;
    struct bytes kept;
    uint32_t frame, message; /* bytes left of each */
    uint32_t skip, data;     /* of the message: in front of its data, and of that */
    uint64_t offset;         /* of the data in its file */
    uint8_t head[64];
    int16_t file;    /* of the data: index, or -1 */
    int16_t related; /* of the message before in a compound, or -1 */
};

struct smb_command { /* the one in hand, as rules and EVE see it */
    struct app_tx tx;
    const char *word;
    uint64_t session;
    uint32_t tree;
    uint8_t version;
    struct bytes share, pipe, file, user, domain, host;
};

struct smb {
    uint64_t clock; /* counts what was done with files */
    struct smb_command command;
    struct smb_side side[2];
    struct smb_file *files[SMB_FILES_MAX];
    struct smb_tree trees[SMB_TREES_MAX];
    struct smb_wait *waits; /* SMB_WAITS_MAX */
    uint8_t next_wait, next_tree;
    uint16_t dialect;
    bool encrypted;
};

static inline uint16_t smb_le16(const uint8_t *p)
{
    return (uint16_t)(p[1] << 8 | p[0]);
}
static inline uint32_t smb_le32(const uint8_t *p)
{
    return smb_le16(p) | (uint32_t)smb_le16(p + 2) << 16;
}
static inline uint64_t smb_le64(const uint8_t *p)
{
    return smb_le32(p) | (uint64_t)smb_le32(p + 4) << 32;
}

/* --- smb.c ---------------------------------------------------------------------------------------------------------- */

/* Text as UTF-8, in place of what was in out; unicode: it is UTF-16. False: no memory. */
bool smb_text(struct app *a, struct bytes *out, struct span raw, bool unicode);
/* A new command; then its texts are filled in, and smb_command_show() lets rules look. */
void smb_command_begin(struct app *a, struct smb *s, const char *word, uint8_t version);
enum smb_stop smb_command_show(struct app *a, struct smb *s, enum app_dir dir);
/* A login's token. */
enum smb_stop smb_login(struct app *a, struct smb *s, struct span token);
/* A tree's or a file's name, to rules and to what is known of it. `path` is raw. */
enum smb_stop smb_connect(struct app *a, struct smb *s, struct span path, bool unicode, uint64_t message);
enum smb_stop smb_create(struct app *a, struct smb *s, struct span name, bool unicode, uint64_t message);

/* --- smb1.c, smb2.c ------------------------------------------------------------------------------------------------- */

/* A whole message without its first four bytes. */
enum smb_stop smb1_take(struct app *a, struct smb *s, enum app_dir dir, struct span m);
/* A header is in side. False: nothing of the message is of interest. *needs: so many bytes behind the header are, at
 * once; *all: with everything behind them. */
bool smb2_begin(struct app *a, struct smb *s, enum app_dir dir, uint32_t *needs, bool *all);
/* Those bytes. What is data goes into side: skip, data, offset, file. */
enum smb_stop smb2_take(struct app *a, struct smb *s, enum app_dir dir, struct span body);

/* --- smb_file.c ----------------------------------------------------------------------------------------------------- */

/* Index; -1: no memory. */
int smb_file_new(struct app *a, struct smb *s, uint32_t tree);
int smb_file_find(const struct smb *s, const uint8_t *id, uint32_t len);
void smb_file_name_id(struct smb *s, int file, const uint8_t *id, uint32_t len);
void smb_file_close(struct app *a, struct smb *s, int file);
/* Bytes of it at a place. file -1: of one that is not known. */
enum smb_stop smb_file_data(struct app *a, struct smb *s, int file, enum app_dir dir, uint64_t offset,
                            struct span bytes);
int smb_tree_new(struct smb *s);
const struct smb_tree *smb_tree_find(const struct smb *s, uint32_t id);
void smb_tree_is(struct smb *s, int tree, uint32_t id, bool pipe);
bool smb_wait_add(struct app *a, struct smb *s, enum smb_wait_kind kind, uint64_t message, int index,
                  uint64_t offset);
/* Takes it off the list; false: there is none. WAIT_NONE: of any kind. */
bool smb_wait_take(struct smb *s, enum smb_wait_kind kind, uint64_t message, struct smb_wait *out);
/* The file it is about, or -1. */
int smb_wait_file(const struct smb *s, const struct smb_wait *w);
void smb_files_free(struct app *a, struct smb *s);
#endif
