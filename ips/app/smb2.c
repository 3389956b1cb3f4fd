/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SMB 2 and 3: what the commands of one message say (MS-SMB2, section 2.2).
 *
 * Of a command that carries data only the part in front of it comes here; the data itself goes to its file as it comes,
 * with the place and length that were left in side. Messages of a compound that are "related" use the file of the one
 * before, which they call by 16 times 0xff.
 *
 * Worker thread.
 */
#include "ips/app/smb.h"

#define HEAD_LEN 64

enum {
    NEGOTIATE,
    SESSION_SETUP,
    LOGOFF,
    TREE_CONNECT,
    TREE_DISCONNECT,
    CREATE,
    CLOSE,
    FLUSH,
    READ,
    WRITE,
    LOCK,
    IOCTL
};
enum { FLAG_RESPONSE = 1, FLAG_ASYNC = 2, FLAG_RELATED = 4 };

#define STATUS_PENDING  0x103
#define STATUS_ERROR    0xc0000000u /* its two upper bits */
#define FILE_ID_LEN     16
#define PIPE_TRANSCEIVE 0x0011c017u
#define SHARE_PIPE      2

typedef enum smb_stop (*command_fn)(struct app *a, struct smb *s, struct smb_side *side, struct span body);

static uint16_t command_of(const struct smb_side *side)
{
    return smb_le16(side->head + 12);
}
static uint32_t status_of(const struct smb_side *side)
{
    return smb_le32(side->head + 8);
}
static uint32_t tree_of(const struct smb_side *side)
{
    const uint32_t async = FLAG_RESPONSE | FLAG_ASYNC; /* in a request it means nothing */

    return (smb_le32(side->head + 16) & async) == async ? 0 : smb_le32(side->head + 36);
}
static uint64_t message_of(const struct smb_side *side)
{
    return smb_le64(side->head + 24);
}

/* Bytes that an offset from the header and a length name in a body that is whole. */
static bool part(struct span body, uint32_t offset, uint32_t len, struct span *out)
{
    if (offset < HEAD_LEN || offset - HEAD_LEN > body.len || len > body.len - (offset - HEAD_LEN))
        return false;
    *out = span_sub(body, offset - HEAD_LEN, len);
    return true;
}

static void begin(struct app *a, struct smb *s, const struct smb_side *side, const char *word)
{
    smb_command_begin(a, s, word, 2);
    s->command.session = smb_le64(side->head + 40);
    s->command.tree = tree_of(side);
}

/* --- requests ------------------------------------------------------------------------------------------------------- */

static enum smb_stop negotiate(struct app *a, struct smb *s, struct smb_side *side, struct span body)
{
    if (body.len < 36 + 2u * smb_le16(body.p + 2))
        app_event(a, AN_SMB_DIALECTS);
    begin(a, s, side, "SMB2_COMMAND_NEGOTIATE_PROTOCOL");
    return smb_command_show(a, s, APP_TO_SERVER);
}

static enum smb_stop session_setup(struct app *a, struct smb *s, struct smb_side *side, struct span body)
{
    struct span token;

    if (!part(body, smb_le16(body.p + 12), smb_le16(body.p + 14), &token)) {
        app_event(a, AN_SMB_MALFORMED);
        token = body;
    }
    begin(a, s, side, "SMB2_COMMAND_SESSION_SETUP");
    return smb_login(a, s, token);
}

static enum smb_stop tree_connect(struct app *a, struct smb *s, struct smb_side *side, struct span body)
{
    struct span path;

    if (!part(body, smb_le16(body.p + 4), smb_le16(body.p + 6), &path)) {
        app_event(a, AN_SMB_MALFORMED);
        return SMB_OK;
    }
    begin(a, s, side, "SMB2_COMMAND_TREE_CONNECT");
    return smb_connect(a, s, path, true, message_of(side));
}

static enum smb_stop create(struct app *a, struct smb *s, struct smb_side *side, struct span body)
{
    struct span name;

    if (!part(body, smb_le16(body.p + 44), smb_le16(body.p + 46), &name)) {
        app_event(a, AN_SMB_MALFORMED);
        return SMB_OK;
    }
    begin(a, s, side, "SMB2_COMMAND_CREATE");
    return smb_create(a, s, name, true, message_of(side));
}

/* The file that an id calls; it is born when nobody has seen its create. In a chain of related requests it is the one
 * in front, whatever the id says (MS-SMB2 3.3.5.2.7.2). */
static int file_of(struct app *a, struct smb *s, struct smb_side *side, const uint8_t *id)
{
    static const uint8_t related[FILE_ID_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                                 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    bool chained = (smb_le32(side->head + 16) & FLAG_RELATED) != 0 && side->related >= 0;
    int file =
        chained || memcmp(id, related, FILE_ID_LEN) == 0 ? side->related : smb_file_find(s, id, FILE_ID_LEN);

    if (file < 0) {
        file = smb_file_new(a, s, tree_of(side));
        if (file >= 0)
            smb_file_name_id(s, file, id, FILE_ID_LEN);
    }
    side->related = (int16_t)file;
    return file;
}

/* A read's response may still be on its way: the response closes it. */
static enum smb_stop close_request(struct app *a, struct smb *s, struct smb_side *side, struct span body)
{
    int file = file_of(a, s, side, body.p + 8);

    return file >= 0 && smb_wait_add(a, s, WAIT_CLOSE, message_of(side), file, 0) ? SMB_OK : SMB_BAD;
}

static enum smb_stop read_request(struct app *a, struct smb *s, struct smb_side *side, struct span body)
{
    int file = file_of(a, s, side, body.p + 16);

    if (file < 0 || !smb_wait_add(a, s, WAIT_READ, message_of(side), file, smb_le64(body.p + 8)))
        return SMB_BAD;
    return SMB_OK;
}

/* Data of the message at an offset from its header, for a file. */
static void expect_data(struct app *a, struct smb_side *side, uint32_t taken, uint32_t offset, uint32_t len)
{
    uint32_t at = offset >= HEAD_LEN + taken ? offset - HEAD_LEN - taken : 0;

    if (len == 0)
        return;
    if (offset < HEAD_LEN + taken || at > side->message || len > side->message - at)
        app_event(a, AN_SMB_MALFORMED);
    side->skip = at < side->message ? at : side->message;
    side->data = len < side->message - side->skip ? len : side->message - side->skip;
}

static enum smb_stop write_request(struct app *a, struct smb *s, struct smb_side *side, struct span body)
{
    side->offset = smb_le64(body.p + 8);
    int file = file_of(a, s, side, body.p + 16);
    if (file < 0)
        return SMB_BAD;
    side->file = (int16_t)file;
    expect_data(a, side, body.len, smb_le16(body.p + 2), smb_le32(body.p + 4));
    return SMB_OK;
}

static enum smb_stop ioctl_request(struct app *a, struct smb *s, struct smb_side *side, struct span body)
{
    if (smb_le32(body.p + 4) != PIPE_TRANSCEIVE)
        return SMB_OK;
    int file = file_of(a, s, side, body.p + 8);
    if (file < 0 || !smb_wait_add(a, s, WAIT_PIPE, message_of(side), file, 0))
        return SMB_BAD;
    s->files[file]->pipe = true;
    side->file = (int16_t)file;
    expect_data(a, side, body.len, smb_le32(body.p + 24), smb_le32(body.p + 28));
    return SMB_OK;
}

/* --- responses ------------------------------------------------------------------------------------------------------ */

static enum smb_stop negotiated(struct app *a, struct smb *s, struct smb_side *side, struct span body)
{
    (void)a;
    (void)side;
    s->dialect = smb_le16(body.p + 4);
    return SMB_OK;
}

static enum smb_stop connected(struct app *a, struct smb *s, struct smb_side *side, struct span body)
{
    struct smb_wait w;

    (void)a;
    if (smb_wait_take(s, WAIT_TREE, message_of(side), &w))
        smb_tree_is(s, w.index, tree_of(side), body.p[2] == SHARE_PIPE);
    return SMB_OK;
}

static enum smb_stop created(struct app *a, struct smb *s, struct smb_side *side, struct span body)
{
    struct smb_wait w;
    int file = smb_wait_take(s, WAIT_CREATE, message_of(side), &w) ? smb_wait_file(s, &w) : -1;
    int before = smb_file_find(s, body.p + 64, FILE_ID_LEN);

    if (file < 0)
        return SMB_OK;
    if (before >= 0 && before != file)
        smb_file_close(a, s, before); /* its number is given anew */
    smb_file_name_id(s, file, body.p + 64, FILE_ID_LEN);
    return SMB_OK;
}

static enum smb_stop closed(struct app *a, struct smb *s, struct smb_side *side, struct span body)
{
    struct smb_wait w;

    (void)body;
    if (smb_wait_take(s, WAIT_CLOSE, message_of(side), &w))
        smb_file_close(a, s, smb_wait_file(s, &w));
    return SMB_OK;
}

static enum smb_stop read_response(struct app *a, struct smb *s, struct smb_side *side, struct span body)
{
    struct smb_wait w;

    side->file = -1;
    side->offset = 0;
    if (smb_wait_take(s, WAIT_READ, message_of(side), &w)) {
        side->file = (int16_t)smb_wait_file(s, &w);
        side->offset = w.offset;
    }
    expect_data(a, side, body.len, body.p[2], smb_le32(body.p + 4));
    return SMB_OK;
}

static enum smb_stop ioctl_response(struct app *a, struct smb *s, struct smb_side *side, struct span body)
{
    struct smb_wait w;

    if (smb_le32(body.p + 4) != PIPE_TRANSCEIVE || !smb_wait_take(s, WAIT_PIPE, message_of(side), &w))
        return SMB_OK;
    side->file = (int16_t)smb_wait_file(s, &w);
    if (side->file >= 0)
        expect_data(a, side, body.len, smb_le32(body.p + 32), smb_le32(body.p + 36));
    return SMB_OK;
}

/* --- the table ------------------------------------------------------------------------------------------------------ */

static const struct row {
    uint8_t command;
    uint8_t needs; /* bytes behind the header */
    bool all;      /* and everything behind them */
    command_fn take;
} requests[] =
    {
        {NEGOTIATE, 36, true, negotiate},      {SESSION_SETUP, 24, true, session_setup},
        {TREE_CONNECT, 8, true, tree_connect}, {CREATE, 56, true, create},
        {READ, 48, false, read_request},       {WRITE, 48, false, write_request},
        {IOCTL, 56, false, ioctl_request},     {CLOSE, 24, false, close_request},
},
  responses[] = {
      {NEGOTIATE, 64, false, negotiated}, {TREE_CONNECT, 16, false, connected}, {CREATE, 80, false, created},
      {READ, 16, false, read_response},   {IOCTL, 48, false, ioctl_response},   {CLOSE, 0, false, closed},
};

static const struct row *row_of(const struct smb_side *side, enum app_dir dir)
{
    const struct row *rows = dir == APP_TO_SERVER ? requests : responses;
    size_t n = dir == APP_TO_SERVER ? sizeof(requests) / sizeof(requests[0])
                                    : sizeof(responses) / sizeof(responses[0]);

    for (size_t i = 0; i < n; i++)
        if (rows[i].command == command_of(side))
            return &rows[i];
    return NULL;
}

/* A request was refused: what waited for it does not any more. */
static void refused(struct app *a, struct smb *s, const struct smb_side *side)
{
    struct smb_wait w;

    while (smb_wait_take(s, WAIT_NONE, message_of(side), &w))
        if (w.kind == WAIT_CREATE || w.kind == WAIT_CLOSE)
            smb_file_close(a, s, smb_wait_file(s, &w));
}

bool smb2_begin(struct app *a, struct smb *s, enum app_dir dir, uint32_t *needs, bool *all)
{
    struct smb_side *side = &s->side[dir];
    bool response = (smb_le32(side->head + 16) & FLAG_RESPONSE) != 0;
    const struct row *row = row_of(side, dir);

    if (response && dir == APP_TO_SERVER)
        app_event(a, AN_SMB_RESPONSE_TO_SERVER);
    if (!response && dir == APP_TO_CLIENT)
        app_event(a, AN_SMB_REQUEST_TO_CLIENT);
    if (dir == APP_TO_CLIENT && status_of(side) == STATUS_PENDING)
        return false;
    if (dir == APP_TO_CLIENT && (status_of(side) & STATUS_ERROR) == STATUS_ERROR &&
        command_of(side) != SESSION_SETUP) {
        refused(a, s, side);
        return false;
    }
    if (!row)
        return false;
    *needs = row->needs;
    *all = row->all;
    return true;
}

enum smb_stop smb2_take(struct app *a, struct smb *s, enum app_dir dir, struct span body)
{
    struct smb_side *side = &s->side[dir];

    return row_of(side, dir)->take(a, s, side, body);
}
