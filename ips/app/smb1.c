/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SMB 1: what the commands of one message say (MS-CIFS 2.2, MS-SMB).
 *
 * A message is a header, then a count of words, the words, a count of bytes, the bytes; the words of some commands say
 * where the next command of the same message begins ("AndX"). Places are counted from the header. Names are UTF-16 when
 * a flag of the header says so, and aligned to two then.
 *
 * Worker thread.
 */
#include "ips/app/smb.h"

#define MAGIC_LEN 4
#define HEAD_LEN  32
#define ANDX_MAX  8 /* commands of a message */

#define STATUS_ERROR  0xc0000000u
#define FLAG_RESPONSE 0x80
#define FLAG2_UNICODE 0x8000
#define NO_ANDX       0xff
#define PIPE_TRANSACT 0x26

struct message {
    struct span all; /* from the header on, without the first four bytes of it */
    struct span words, bytes;
    uint32_t bytes_at; /* place of bytes from the header */
    uint32_t status;
    uint16_t tree, id;
    uint8_t command;
    bool unicode;
};

typedef enum smb_stop (*command_fn)(struct app *a, struct smb *s, const struct message *m);

static void begin(struct app *a, struct smb *s, const struct message *m, const char *word)
{
    smb_command_begin(a, s, word, 1);
    s->command.tree = m->tree;
    s->command.session = smb_le16(m->all.p + 28 - MAGIC_LEN);
}

/* Bytes at a place from the header; what lies outside of the message is not there. */
static struct span part(struct app *a, const struct message *m, uint32_t at, uint32_t len)
{
    if (len > 0 && (at < MAGIC_LEN || at - MAGIC_LEN > m->all.len || len > m->all.len - (at - MAGIC_LEN)))
        app_event(a, AN_SMB_MALFORMED);
    return span_sub(m->all, at < MAGIC_LEN ? 0 : at - MAGIC_LEN, len);
}

/* A text in the command's bytes, from `from` on; it ends with a zero, or with the bytes. */
static struct span text_at(const struct message *m, uint32_t from, bool unicode)
{
    struct span t;
    uint32_t n = 0;

    if (unicode && ((m->bytes_at + from) & 1))
        from++;
    t = span_sub(m->bytes, from, m->bytes.len);
    if (!unicode)
        while (n < t.len && t.p[n] != 0)
            n++;
    else
        while (n + 1 < t.len && (t.p[n] | t.p[n + 1]) != 0)
            n += 2;
    return span_sub(t, 0, n);
}

/* The file that a number of two bytes calls; it is born when nobody has seen it opened. */
static int file_of(struct app *a, struct smb *s, const struct message *m, const uint8_t *id)
{
    uint8_t whole[16] = {id[0], id[1]};
    int chained = s->side[APP_TO_SERVER].related; /* opened by a command in front, whatever the number says */
    int file = chained >= 0 ? chained : smb_file_find(s, whole, sizeof(whole));

    if (file < 0) {
        file = smb_file_new(a, s, m->tree);
        if (file >= 0)
            smb_file_name_id(s, file, whole, sizeof(whole));
    }
    return file;
}

static enum smb_stop data_of(struct app *a, struct smb *s, int file, enum app_dir dir, uint64_t offset,
                             struct span data)
{
    return file < 0 ? SMB_BAD : smb_file_data(a, s, file, dir, offset, data);
}

/* --- requests ------------------------------------------------------------------------------------------------------- */

static enum smb_stop session_setup(struct app *a, struct smb *s, const struct message *m)
{
    if (m->words.len != 24) /* 12 words: with extended security */
        return SMB_OK;
    begin(a, s, m, "SMB1_COMMAND_SESSION_SETUP_ANDX");
    return smb_login(a, s, span_sub(m->bytes, 0, smb_le16(m->words.p + 14)));
}

static enum smb_stop tree_connect_andx(struct app *a, struct smb *s, const struct message *m)
{
    begin(a, s, m, "SMB1_COMMAND_TREE_CONNECT_ANDX");
    return smb_connect(a, s, text_at(m, smb_le16(m->words.p + 6), m->unicode), m->unicode, m->id);
}

static enum smb_stop tree_connect(struct app *a, struct smb *s, const struct message *m)
{
    begin(a, s, m,
          "SMB1_COMMAND_TREE_CONNECT"); /* a byte with 4 in front of each text, which is never UTF-16 */
    return smb_connect(a, s, text_at(m, 1, false), false, m->id);
}

static enum smb_stop create(struct app *a, struct smb *s, const struct message *m)
{
    begin(a, s, m, "SMB1_COMMAND_NT_CREATE_ANDX");
    return smb_create(a, s, text_at(m, 0, m->unicode), m->unicode, m->id);
}

static enum smb_stop open_andx(struct app *a, struct smb *s, const struct message *m)
{
    begin(a, s, m, "SMB1_COMMAND_OPEN_ANDX");
    return smb_create(a, s, text_at(m, 0, m->unicode), m->unicode, m->id);
}

static enum smb_stop close_file(struct app *a, struct smb *s, const struct message *m)
{
    int file = file_of(a, s, m, m->words.p);

    return file >= 0 && smb_wait_add(a, s, WAIT_CLOSE, m->id, file, 0) ? SMB_OK : SMB_BAD;
}

static enum smb_stop write_andx(struct app *a, struct smb *s, const struct message *m)
{
    const uint8_t *w = m->words.p;
    uint64_t offset = smb_le32(w + 6) | (m->words.len >= 28 ? (uint64_t)smb_le32(w + 24) << 32 : 0);
    uint32_t len = smb_le16(w + 20) | (uint32_t)smb_le16(w + 18) << 16;

    return data_of(a, s, file_of(a, s, m, w + 4), APP_TO_SERVER, offset, part(a, m, smb_le16(w + 22), len));
}

/* WRITE, and with another command at once: a byte and a length, or a byte of padding, stand in front of the data. */
static enum smb_stop write_core(struct app *a, struct smb *s, const struct message *m)
{
    uint32_t head = m->command == 0x2c ? 1 : 3;
    int file = file_of(a, s, m, m->words.p);
    struct span data = span_sub(m->bytes, head, smb_le16(m->words.p + 2));
    enum smb_stop stop = data_of(a, s, file, APP_TO_SERVER, smb_le32(m->words.p + 4), data);

    if (stop == SMB_OK && m->command == 0x2c)
        smb_file_close(a, s, file);
    return stop;
}

static enum smb_stop read_andx(struct app *a, struct smb *s, const struct message *m)
{
    const uint8_t *w = m->words.p;
    uint64_t offset = smb_le32(w + 6) | (m->words.len >= 24 ? (uint64_t)smb_le32(w + 20) << 32 : 0);
    int file = file_of(a, s, m, w + 4);

    return file >= 0 && smb_wait_add(a, s, WAIT_READ, m->id, file, offset) ? SMB_OK : SMB_BAD;
}

static enum smb_stop read_core(struct app *a, struct smb *s, const struct message *m)
{
    int file = file_of(a, s, m, m->words.p);

    return file >= 0 && smb_wait_add(a, s, WAIT_READ, m->id, file, smb_le32(m->words.p + 4)) ? SMB_OK
                                                                                             : SMB_BAD;
}

/* A transaction's name, and the bytes for a pipe when it writes to one and reads what comes back. */
static enum smb_stop transact(struct app *a, struct smb *s, const struct message *m)
{
    const uint8_t *w = m->words.p;
    struct span data = part(a, m, smb_le16(w + 24), smb_le16(w + 22));

    begin(a, s, m, "SMB1_COMMAND_TRANS");
    if (!smb_text(a, &s->command.pipe, text_at(m, 0, m->unicode), m->unicode))
        return SMB_BAD;
    enum smb_stop stop = smb_command_show(a, s, APP_TO_SERVER);
    if (stop != SMB_OK || m->words.len < 32 || smb_le16(w + 28) != PIPE_TRANSACT)
        return stop;
    int file = file_of(a, s, m, w + 30);
    if (file < 0 || !smb_wait_add(a, s, WAIT_PIPE, m->id, file, 0))
        return SMB_BAD;
    s->files[file]->pipe = true;
    return data_of(a, s, file, APP_TO_SERVER, 0, data);
}

/* More of it: the wait is put back, the response is still to come. */
static enum smb_stop transact_more(struct app *a, struct smb *s, const struct message *m)
{
    const uint8_t *w = m->words.p;
    struct smb_wait wait;
    int file;

    if (!smb_wait_take(s, WAIT_PIPE, m->id, &wait) || (file = smb_wait_file(s, &wait)) < 0)
        return SMB_OK;
    if (!smb_wait_add(a, s, WAIT_PIPE, m->id, file, 0))
        return SMB_BAD;
    return data_of(a, s, file, APP_TO_SERVER, 0, part(a, m, smb_le16(w + 12), smb_le16(w + 10)));
}

/* --- responses ------------------------------------------------------------------------------------------------------ */

static enum smb_stop negotiated(struct app *a, struct smb *s, const struct message *m)
{
    (void)a;
    (void)m;
    s->dialect = 1;
    return SMB_OK;
}

static enum smb_stop connected(struct app *a, struct smb *s, const struct message *m)
{
    struct smb_wait w;

    (void)a;
    if (smb_wait_take(s, WAIT_TREE, m->id, &w))
        smb_tree_is(s, w.index, m->tree, false);
    return SMB_OK;
}

static enum smb_stop created(struct app *a, struct smb *s, const struct message *m)
{
    const uint8_t *id = m->words.p + (m->command == 0xa2 ? 5 : 4);
    uint8_t whole[16] = {id[0], id[1]};
    struct smb_wait w;
    int file = smb_wait_take(s, WAIT_CREATE, m->id, &w) ? smb_wait_file(s, &w) : -1;
    int before = smb_file_find(s, whole, sizeof(whole));

    if (file < 0)
        return SMB_OK;
    if (before >= 0 && before != file)
        smb_file_close(a, s, before); /* its number is given anew */
    smb_file_name_id(s, file, whole, sizeof(whole));
    return SMB_OK;
}

static enum smb_stop closed(struct app *a, struct smb *s, const struct message *m)
{
    struct smb_wait w;

    if (smb_wait_take(s, WAIT_CLOSE, m->id, &w))
        smb_file_close(a, s, smb_wait_file(s, &w));
    return SMB_OK;
}

static enum smb_stop read_bytes(struct app *a, struct smb *s, const struct message *m, struct span data)
{
    struct smb_wait w = {0};
    int file = smb_wait_take(s, WAIT_READ, m->id, &w) ? smb_wait_file(s, &w) : -1;

    return smb_file_data(a, s, file, APP_TO_CLIENT, file < 0 ? 0 : w.offset, data);
}

static enum smb_stop read_response(struct app *a, struct smb *s, const struct message *m)
{
    const uint8_t *w = m->words.p;

    return read_bytes(a, s, m,
                      part(a, m, smb_le16(w + 12), smb_le16(w + 10) | (uint32_t)smb_le16(w + 14) << 16));
}

static enum smb_stop read_core_response(struct app *a, struct smb *s, const struct message *m)
{
    return read_bytes(a, s, m, span_sub(m->bytes, 3, smb_le16(m->words.p)));
}

static enum smb_stop transacted(struct app *a, struct smb *s, const struct message *m)
{
    const uint8_t *w = m->words.p;
    uint32_t displaced = smb_le16(w + 16), count = smb_le16(w + 12), total = smb_le16(w + 2);
    struct smb_wait wait;
    int file = smb_wait_take(s, WAIT_PIPE, m->id, &wait) ? smb_wait_file(s, &wait) : -1;

    if (file < 0)
        return SMB_OK;
    if (displaced + count < total && !smb_wait_add(a, s, WAIT_PIPE, m->id, file, 0))
        return SMB_BAD; /* it goes on in another response */
    return data_of(a, s, file, APP_TO_CLIENT, 0, part(a, m, smb_le16(w + 14), count));
}

/* --- a message ------------------------------------------------------------------------------------------------------ */

static const struct row {
    uint8_t command;
    uint8_t words; /* bytes of them, at least */
    bool andx;
    command_fn take;
} requests[] =
    {
        {0x04, 6, false, close_file},     {0x0a, 10, false, read_core},  {0x0b, 10, false, write_core},
        {0x14, 10, false, write_core},    {0x24, 4, true, NULL},         {0x25, 28, false, transact},
        {0x26, 16, false, transact_more}, {0x2c, 12, false, write_core}, {0x2d, 30, true, open_andx},
        {0x2e, 20, true, read_andx},      {0x2f, 24, true, write_andx},  {0x70, 0, false, tree_connect},
        {0x73, 4, true, session_setup},   {0x74, 4, true, NULL},         {0x75, 8, true, tree_connect_andx},
        {0xa2, 48, true, create},
},
  responses[] = {
      {0x04, 0, false, closed},     {0x0a, 10, false, read_core_response},
      {0x24, 4, true, NULL},        {0x25, 20, false, transacted},
      {0x2d, 30, true, created},    {0x2e, 24, true, read_response},
      {0x2f, 4, true, NULL},        {0x70, 4, false, connected},
      {0x72, 2, false, negotiated}, {0x73, 4, true, NULL},
      {0x74, 4, true, NULL},        {0x75, 4, true, connected},
      {0xa2, 8, true, created},
};

static const struct row *row_of(uint8_t command, enum app_dir dir)
{
    const struct row *rows = dir == APP_TO_SERVER ? requests : responses;
    size_t n = dir == APP_TO_SERVER ? sizeof(requests) / sizeof(requests[0])
                                    : sizeof(responses) / sizeof(responses[0]);

    for (size_t i = 0; i < n; i++)
        if (rows[i].command == command)
            return &rows[i];
    return NULL;
}

/* The words and bytes of a command at a place from the header; false: they are not whole. */
static bool read_block(struct app *a, struct message *m, uint32_t at)
{
    struct span b = span_sub(m->all, at - MAGIC_LEN, m->all.len);
    uint32_t n = b.len > 0 ? 2u * b.p[0] : UINT32_MAX;

    if (b.len < 3 || n > b.len - 3) {
        app_event(a, AN_SMB_MALFORMED);
        return false;
    }
    m->words = span_sub(b, 1, n);
    m->bytes = span_sub(b, 3 + n, b.len); /* what the count says is too small for long writes and reads */
    m->bytes_at = at + 3 + n;
    return true;
}

/* A request was refused: what waited for it does not any more. */
static void refused(struct app *a, struct smb *s, uint64_t id)
{
    struct smb_wait w;

    while (smb_wait_take(s, WAIT_NONE, id, &w))
        if (w.kind == WAIT_CREATE || w.kind == WAIT_CLOSE)
            smb_file_close(a, s, smb_wait_file(s, &w));
}

static void begin_message(struct app *a, struct message *m, enum app_dir dir)
{
    const uint8_t *p = m->all.p;
    bool response = (p[9 - MAGIC_LEN] & FLAG_RESPONSE) != 0;

    m->command = p[4 - MAGIC_LEN];
    m->status = smb_le32(p + 5 - MAGIC_LEN);
    m->unicode = (smb_le16(p + 10 - MAGIC_LEN) & FLAG2_UNICODE) != 0;
    m->tree = smb_le16(p + 24 - MAGIC_LEN);
    m->id = smb_le16(p + 30 - MAGIC_LEN);
    if (response != (dir == APP_TO_CLIENT))
        app_event(a, response ? AN_SMB_RESPONSE_TO_SERVER : AN_SMB_REQUEST_TO_CLIENT);
}

enum smb_stop smb1_take(struct app *a, struct smb *s, enum app_dir dir, struct span all)
{
    struct message m = {.all = all};
    uint32_t at = HEAD_LEN;
    enum smb_stop stop = SMB_OK;

    if (all.len < HEAD_LEN - MAGIC_LEN) {
        app_event(a, AN_SMB_MALFORMED);
        return SMB_OK;
    }
    begin_message(a, &m, dir);
    if (dir == APP_TO_CLIENT && (m.status & STATUS_ERROR) == STATUS_ERROR) {
        if (m.command != 0x73)
            refused(a, s, m.id);
        return SMB_OK;
    }
    for (unsigned i = 0; i < ANDX_MAX && stop == SMB_OK; i++) {
        const struct row *row = row_of(m.command, dir);

        if (!row || !read_block(a, &m, at))
            return SMB_OK;
        if (m.words.len < row->words) {
            if (m.words.len > 0)
                app_event(a, AN_SMB_MALFORMED);
            return SMB_OK;
        }
        if (row->take)
            stop = row->take(a, s, &m);
        if (!row->andx || m.words.len < 4 || m.words.p[0] == NO_ANDX)
            return stop;
        m.command = m.words.p[0];
        if (smb_le16(m.words.p + 2) <= at || smb_le16(m.words.p + 2) >= all.len + MAGIC_LEN) {
            app_event(a, AN_SMB_MALFORMED);
            return stop;
        }
        at = smb_le16(m.words.p + 2);
    }
    return stop;
}
