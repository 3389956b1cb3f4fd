/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SMB, all versions: frames, and what in them goes where (MS-CIFS, MS-SMB, MS-SMB2).
 *
 * A frame is four bytes with its length, of NetBIOS's session service or the same on port 445. Messages of version 1 are
 * put together whole, because chains of commands point into them; they are at most 128 KB long. Messages of versions 2 and
 * 3 may be chained, too, one behind the other; of each the header and what its command needs is put together, and
 * the data of a write, a read or a pipe is handed on as it comes, however long it is.
 *
 * Transactions: a command that names something (a tree, a file, a user), the bytes of a file in one direction
 * (smb_file.c), and a DCERPC call (dcerpc.c). What is encrypted or compressed cannot be looked into, and is said so.
 *
 * Worker thread. Owns the flow's state.
 */
#include "ips/app/ntlmssp.h"
#include "ips/app/smb.h"

#define SMB1_MAX  (128 * 1024 + 64) /* a message; the frame's 17 bits of length on NetBIOS */
#define WHOLE_MAX (64 * 1024)       /* bytes behind a header that are put together for a command */
#define HEAD2_LEN 64
#define MAGIC_LEN 4

enum stage { FRAME, MAGIC, V1, V2_HEAD, V2_BODY, V2_DATA, V2_REST, SKIP };

/* --- commands ------------------------------------------------------------------------------------------------------- */

bool smb_text(struct app *a, struct bytes *out, struct span raw, bool unicode)
{
    out->len = 0;
    if (!unicode)
        return bytes_add(a, out, raw);
    if (!bytes_reserve(a, out, raw.len / 2 * 3 + 1))
        return false;
    for (uint32_t i = 0; i + 1 < raw.len; i += 2) {
        uint16_t c = smb_le16(raw.p + i);

        if (c < 0x80) {
            out->p[out->len++] = (uint8_t)c;
        } else if (c < 0x800) {
            out->p[out->len++] = (uint8_t)(0xc0 | c >> 6);
            out->p[out->len++] = (uint8_t)(0x80 | (c & 0x3f));
        } else {
            out->p[out->len++] = (uint8_t)(0xe0 | c >> 12);
            out->p[out->len++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
            out->p[out->len++] = (uint8_t)(0x80 | (c & 0x3f));
        }
    }
    return true;
}

void smb_command_begin(struct app *a, struct smb *s, const char *word, uint8_t version)
{
    struct smb_command *c = &s->command;

    app_tx_open(a, &c->tx);
    c->word = word;
    c->version = version;
    c->share.len = c->pipe.len = c->file.len = c->user.len = c->domain.len = c->host.len = 0;
}

static void put_command(struct app *a, const struct smb_command *c, struct app_tx *tx)
{
    const struct {
        enum buffer_id buffer;
        const struct bytes *bytes;
    } rows[] = {{BUF_SMB_SHARE, &c->share},
                {BUF_SMB_NAMED_PIPE, &c->pipe},
                {BUF_SMB_NTLMSSP_USER, &c->user},
                {BUF_SMB_NTLMSSP_DOMAIN, &c->domain}};

    app_put_number(a, tx, BUF_SMB_VERSION, c->version);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].bytes->len > 0)
            app_put(a, tx, rows[i].buffer, bytes_span(rows[i].bytes));
}

enum smb_stop smb_command_show(struct app *a, struct smb *s, enum app_dir dir)
{
    struct app_tx *tx = &s->command.tx;

    put_command(a, &s->command, tx);
    bool on = app_inspect(a, tx, dir, true);
    app_tx_close(a, tx);
    return on ? SMB_OK : SMB_STOP;
}

enum smb_stop smb_login(struct app *a, struct smb *s, struct span token)
{
    struct smb_command *c = &s->command;
    struct ntlmssp login;

    switch (ntlmssp_parse(token, &login)) {
    case NTLMSSP_BAD:
        app_event(a, AN_SMB_NTLMSSP);
        return SMB_OK;
    case NTLMSSP_LOGIN:
        break;
    default:
        return SMB_OK;
    }
    if (!smb_text(a, &c->user, login.user, login.unicode) ||
        !smb_text(a, &c->domain, login.domain, login.unicode) ||
        !smb_text(a, &c->host, login.host, login.unicode))
        return SMB_BAD;
    return smb_command_show(a, s, APP_TO_SERVER);
}

static bool is_pipes(struct span path)
{
    static const char ipc[] = {'I', 'P', 'C', '$'};

    if (path.len < sizeof(ipc))
        return false;
    for (unsigned i = 0; i < sizeof(ipc); i++)
        if ((path.p[path.len - sizeof(ipc) + i] & (i < 3 ? 0xdf : 0xff)) != ipc[i])
            return false;
    return true;
}

enum smb_stop smb_connect(struct app *a, struct smb *s, struct span path, bool unicode, uint64_t message)
{
    struct smb_command *c = &s->command;
    int tree = smb_tree_new(s);
    struct bytes *name = &s->trees[tree].name;

    if (!smb_text(a, name, path, unicode) || !smb_wait_add(a, s, WAIT_TREE, message, tree, 0))
        return SMB_BAD;
    s->trees[tree].pipe = is_pipes(bytes_span(name));
    if (!bytes_add(a, s->trees[tree].pipe ? &c->pipe : &c->share, bytes_span(name)))
        return SMB_BAD;
    return smb_command_show(a, s, APP_TO_SERVER);
}

enum smb_stop smb_create(struct app *a, struct smb *s, struct span name, bool unicode, uint64_t message)
{
    struct smb_command *c = &s->command;
    int file = smb_file_new(a, s, c->tree);

    if (file < 0 || !smb_wait_add(a, s, WAIT_CREATE, message, file, 0) ||
        !smb_text(a, &c->file, name, unicode) || !bytes_add(a, &s->files[file]->name, bytes_span(&c->file)))
        return SMB_BAD;
    s->side[APP_TO_SERVER].related = (int16_t)file;
    if (s->files[file]->pipe && !bytes_add(a, &c->pipe, bytes_span(&c->file)))
        return SMB_BAD;
    return smb_command_show(a, s, APP_TO_SERVER);
}

/* --- frames --------------------------------------------------------------------------------------------------------- */

static enum smb_stop take_frame(struct app *a, struct smb_side *side, struct span head)
{
    uint32_t len = (uint32_t)head.p[1] << 16 | load_be16(head.p + 2);

    side->frame = len;
    side->related = -1;
    if (head.p[0] == 0) {
        side->stage = len >= MAGIC_LEN ? MAGIC : SKIP;
        return SMB_OK;
    }
    side->stage = SKIP; /* NetBIOS asks for a session, or keeps it alive */
    if (head.p[0] >= 0x81 && head.p[0] <= 0x85)
        return SMB_OK;
    app_event(a, AN_SMB_MALFORMED);
    return SMB_BAD;
}

/* What the first four bytes of a message say it is. */
static void take_magic(struct app *a, struct smb *s, struct smb_side *side, struct span magic)
{
    side->frame -= MAGIC_LEN;
    side->stage = SKIP;
    if (memcmp(magic.p + 1, "SMB", 3) != 0) {
        app_event(a, AN_SMB_MALFORMED);
        return;
    }
    switch (magic.p[0]) {
    case 0xff:
        if (side->frame <= SMB1_MAX)
            side->stage = V1;
        else
            app_event(a, AN_SMB_TOO_LONG);
        return;
    case 0xfe:
        memcpy(side->head, magic.p, MAGIC_LEN);
        if (side->frame >= HEAD2_LEN - MAGIC_LEN)
            side->stage = V2_HEAD;
        else
            app_event(a, AN_SMB_MALFORMED);
        return;
    case 0xfd:
        if (!s->encrypted)
            app_event(a, AN_SMB_ENCRYPTED);
        s->encrypted = true;
        return;
    case 0xfc:
        app_event(a, AN_SMB_COMPRESSED);
        return;
    default:
        app_event(a, AN_SMB_MALFORMED);
    }
}

/* --- messages of version 2 -------------------------------------------------------------------------------------------- */

static void take_head2(struct app *a, struct smb *s, enum app_dir dir, struct span rest)
{
    struct smb_side *side = &s->side[dir];
    uint32_t next, needs;
    bool all;

    memcpy(side->head + MAGIC_LEN, rest.p, rest.len);
    side->frame -= rest.len;
    next = smb_le32(side->head + 20);
    side->message = side->frame;
    if (next != 0) {
        if (next < HEAD2_LEN || next - HEAD2_LEN > side->frame)
            app_event(a, AN_SMB_MALFORMED);
        else
            side->message = next - HEAD2_LEN;
    }
    side->frame -= side->message;
    side->skip = side->data = 0;
    side->file = -1;
    side->stage = V2_REST;
    if (!smb2_begin(a, s, dir, &needs, &all))
        return;
    if (needs > side->message || (all && side->message > WHOLE_MAX)) {
        app_event(a, needs > side->message ? AN_SMB_MALFORMED : AN_SMB_TOO_LONG);
        return;
    }
    side->stage = V2_BODY;
    side->skip = all ? side->message : needs; /* until it is there */
}

static enum smb_stop take_body2(struct app *a, struct smb *s, struct smb_side *side, enum app_dir dir,
                                struct span body)
{
    side->message -= body.len;
    side->skip = side->data = 0;
    side->stage = V2_DATA;
    return smb2_take(a, s, dir, body);
}

static enum smb_stop take_data2(struct app *a, struct smb *s, struct smb_side *side, enum app_dir dir,
                                struct span *bytes)
{
    uint32_t *left = side->skip > 0 ? &side->skip : &side->data;
    struct span piece = span_sub(*bytes, 0, *left);
    enum smb_stop stop = SMB_OK;

    if (left == &side->data) {
        stop = smb_file_data(a, s, side->file, dir, side->offset, piece);
        side->offset += piece.len;
    }
    *left -= piece.len;
    side->message -= piece.len;
    *bytes = span_sub(*bytes, piece.len, bytes->len);
    if (side->skip == 0 && side->data == 0)
        side->stage = V2_REST;
    return stop;
}

/* --- bytes ---------------------------------------------------------------------------------------------------------- */

static uint32_t needed(const struct smb_side *side)
{
    switch ((enum stage)side->stage) {
    case FRAME:
    case MAGIC:
        return MAGIC_LEN;
    case V1:
        return side->frame;
    case V2_HEAD:
        return HEAD2_LEN - MAGIC_LEN;
    case V2_BODY:
        return side->skip;
    default:
        return 0;
    }
}

/* Something that was needed whole is there. */
static enum smb_stop take_piece(struct app *a, struct smb *s, enum app_dir dir, struct span piece)
{
    struct smb_side *side = &s->side[dir];

    switch ((enum stage)side->stage) {
    case FRAME:
        return take_frame(a, side, piece);
    case MAGIC:
        take_magic(a, s, side, piece);
        return SMB_OK;
    case V1:
        side->frame = 0;
        side->stage = FRAME;
        return smb1_take(a, s, dir, piece);
    case V2_HEAD:
        take_head2(a, s, dir, piece);
        return SMB_OK;
    default:
        return take_body2(a, s, side, dir, piece);
    }
}

static void pass_over(struct smb_side *side, struct span *bytes, uint32_t *left, uint8_t then)
{
    struct span piece = span_sub(*bytes, 0, *left);

    *left -= piece.len;
    *bytes = span_sub(*bytes, piece.len, bytes->len);
    if (*left == 0)
        side->stage = then;
}

static enum smb_stop step(struct app *a, struct smb *s, enum app_dir dir, struct span *bytes, bool *more)
{
    struct smb_side *side = &s->side[dir];
    struct span piece;

    if (side->stage == SKIP) {
        pass_over(side, bytes, &side->frame, FRAME);
        return SMB_OK;
    }
    if (side->stage == V2_REST) {
        pass_over(side, bytes, &side->message, side->frame >= MAGIC_LEN ? MAGIC : SKIP);
        return SMB_OK;
    }
    if (side->stage == V2_DATA)
        return take_data2(a, s, side, dir, bytes);
    switch (piece_take(a, &side->kept, bytes, needed(side), &piece)) {
    case LINE_WHOLE:
        return take_piece(a, s, dir, piece);
    case LINE_MORE:
        *more = true;
        return SMB_OK;
    default:
        return SMB_BAD;
    }
}

/* Whether a step is due that needs no byte. */
static bool is_due(const struct smb_side *side)
{
    return (side->stage == SKIP && side->frame == 0) || (side->stage == V2_REST && side->message == 0) ||
           (side->stage == V2_DATA && side->skip == 0 && side->data == 0) ||
           ((side->stage == V1 || side->stage == V2_BODY) && needed(side) == 0);
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct smb *s = state;
    struct smb_side *side = &s->side[in->dir];
    struct span bytes = in->bytes;
    enum smb_stop stop = SMB_OK;
    bool more = false;

    while (stop == SMB_OK && !more && (bytes.len > 0 || is_due(side)))
        stop = step(a, s, (enum app_dir)in->dir, &bytes, &more);
    return stop == SMB_BAD ? APP_BAD : APP_OK;
}

/* --- a flow ---------------------------------------------------------------------------------------------------------- */

static void close_flow(struct app *a, void *state)
{
    struct smb *s = state;
    struct smb_command *c = &s->command;
    struct bytes *const all[] = {&c->share,  &c->pipe, &c->file,         &c->user,
                                 &c->domain, &c->host, &s->side[0].kept, &s->side[1].kept};

    smb_files_free(a, s);
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        bytes_free(a, all[i]);
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct smb *s = state;

    if (tx == &s->command.tx) {
        put_command(a, &s->command, tx);
        return;
    }
    for (unsigned i = 0; i < SMB_FILES_MAX; i++) {
        struct smb_file *f = s->files[i];
        struct dce_call *call = f && f->dce ? dce_owns(f->dce, tx) : NULL;

        if (call) {
            dce_show(a, call, tx, dir);
            app_put(a, tx, BUF_SMB_NAMED_PIPE, bytes_span(&f->name));
            return;
        }
        for (int d = 0; f && d < 2; d++) {
            if (&f->way[d].tx != tx)
                continue;
            body_show(a, &f->way[d].body, tx);
            if (f->share.len > 0)
                app_put(a, tx, BUF_SMB_SHARE, bytes_span(&f->share));
            return;
        }
    }
}

static const char *dialect_word(uint16_t dialect)
{
    static const struct {
        uint16_t dialect;
        const char *word;
    } rows[] = {{1, "NT LM 0.12"}, {0x202, "2.02"}, {0x210, "2.10"}, {0x2ff, "2.??"},
                {0x300, "3.00"},   {0x302, "3.02"}, {0x311, "3.11"}};

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].dialect == dialect)
            return rows[i].word;
    return "unknown";
}

static void text_field(struct fields *f, const char *key, const struct bytes *b)
{
    if (b->len > 0)
        fields_text(f, key, bytes_span(b));
}

static void command_fields(const struct smb_command *c, struct fields *f)
{
    fields_word(f, "command", c->word);
    fields_number(f, "session_id", c->session);
    fields_number(f, "tree_id", c->tree);
    text_field(f, "filename", &c->file);
    text_field(f, "share", &c->share);
    text_field(f, "named_pipe", &c->pipe);
    if (c->user.len == 0 && c->domain.len == 0)
        return;
    fields_object(f, "ntlmssp");
    text_field(f, "domain", &c->domain);
    text_field(f, "user", &c->user);
    text_field(f, "host", &c->host);
    fields_close(f);
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    struct smb *s = state;

    fields_number(f, "id", tx->id + 1);
    fields_word(f, "dialect", dialect_word(s->dialect));
    if (tx == &s->command.tx) {
        command_fields(&s->command, f);
        return;
    }
    for (unsigned i = 0; i < SMB_FILES_MAX; i++) {
        const struct smb_file *file = s->files[i];
        const struct dce_call *call = file && file->dce ? dce_owns(file->dce, tx) : NULL;

        if (!file || (!call && tx != &file->way[0].tx && tx != &file->way[1].tx))
            continue;
        fields_word(f, "command",
                    call                                 ? "SMB_PIPE"
                    : tx == &file->way[APP_TO_SERVER].tx ? "SMB_FILE_WRITE"
                                                         : "SMB_FILE_READ");
        fields_number(f, "tree_id", file->tree);
        text_field(f, call ? "named_pipe" : "filename", &file->name);
        text_field(f, "share", &file->share);
        if (!call)
            return;
        fields_object(f, "dcerpc");
        dce_fields(file->dce, call, f);
        fields_close(f);
        return;
    }
}

/* A frame's head and the first bytes of a message; on port 139 a request for a session. */
static enum app_probe probe(struct span b, const struct app_hint *h)
{
    static const uint8_t first[] = {0xff, 0xfe, 0xfd, 0xfc};

    if (b.len > 0 && b.p[0] >= 0x81 && b.p[0] <= 0x85)
        return h->dport != 139 && h->sport != 139 ? PROBE_NO : b.len < 4 ? PROBE_MORE : PROBE_LIKELY;
    if (b.len > 0 && b.p[0] != 0)
        return PROBE_NO;
    if (b.len > 4 && !memchr(first, b.p[4], sizeof(first)))
        return PROBE_NO;
    if (b.len > 5 && memcmp(b.p + 5, "SMB", b.len < 8 ? b.len - 5 : 3) != 0)
        return PROBE_NO;
    return b.len < 8 ? PROBE_MORE : PROBE_YES;
}

static const uint16_t ports[] = {445, 139, 0};

const struct app_parser parser_smb = {
    .proto = APP_SMB,
    .tcp = true,
    .state_bytes = sizeof(struct smb),
    .ports = ports,
    .probe = probe,
    .take = take,
    .close = close_flow,
    .show = show,
    .fields = fields,
};
