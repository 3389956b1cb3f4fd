/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What SMB's two families of versions have in common: trees, open files and pipes, and requests that wait.
 *
 * A file is born with the request that opens it, because what follows in the same message may already use it; the
 * response gives it its number. Its bytes in each direction are a body for file.data as long as they follow one another;
 * what comes from another place begins a new one. Pieces may be written in any order: the first bytes of each piece that
 * came too early are kept, and stand behind what fills the hole in front of them, so a pattern across the seam is seen
 * when its last byte comes. A pipe's bytes are a DCERPC conversation, if they look like one.
 *
 * Everything is bounded: the file, wait or tree that was used longest ago goes when there are too many.
 *
 * Worker thread. Owns files, their bodies and conversations; smb_files_free() ends them.
 */
#include "ips/app/smb.h"

/* --- trees ---------------------------------------------------------------------------------------------------------- */

int smb_tree_new(struct smb *s)
{
    int i = s->next_tree;

    s->next_tree = (uint8_t)((s->next_tree + 1) % SMB_TREES_MAX);
    s->trees[i].used = true;
    s->trees[i].known = s->trees[i].pipe = false;
    return i;
}

const struct smb_tree *smb_tree_find(const struct smb *s, uint32_t id)
{
    for (unsigned i = 0; i < SMB_TREES_MAX; i++)
        if (s->trees[i].known && s->trees[i].id == id)
            return &s->trees[i];
    return NULL;
}

void smb_tree_is(struct smb *s, int tree, uint32_t id, bool pipe)
{
    for (unsigned i = 0; i < SMB_TREES_MAX; i++)
        if (s->trees[i].known && s->trees[i].id == id)
            s->trees[i].known = false;
    s->trees[tree].id = id;
    s->trees[tree].known = true;
    s->trees[tree].pipe |= pipe;
}

/* --- files ---------------------------------------------------------------------------------------------------------- */

static enum smb_stop end_way(struct app *a, struct smb_way *w)
{
    bool on = true;

    if (w->open) {
        on = body_end(a, &w->body, &w->tx, true);
        app_tx_close(a, &w->tx);
    }
    body_free(a, &w->body);
    w->open = false;
    w->head = NULL;
    return on ? SMB_OK : SMB_STOP;
}

void smb_file_close(struct app *a, struct smb *s, int file)
{
    struct smb_file *f = file >= 0 ? s->files[file] : NULL;

    if (!f)
        return;
    for (int dir = 0; dir < 2; dir++) {
        end_way(a, &f->way[dir]);
        app_give(a, f->way[dir].heads, SMB_HEADS_MAX * sizeof(struct smb_head));
        if (s->side[dir].file == file)
            s->side[dir].file = -1;
        if (s->side[dir].related == file)
            s->side[dir].related = -1;
    }
    if (f->dce) {
        dce_free(a, f->dce);
        app_give(a, f->dce, sizeof(*f->dce));
    }
    bytes_free(a, &f->name);
    bytes_free(a, &f->share);
    app_give(a, f, sizeof(*f));
    s->files[file] = NULL;
}

/* Pipes go last: without what was bound, calls are no more than bytes. */
static bool goes_before(const struct smb_file *f, const struct smb_file *other)
{
    return f->pipe != other->pipe ? other->pipe : f->used < other->used;
}

int smb_file_new(struct app *a, struct smb *s, uint32_t tree)
{
    const struct smb_tree *t = smb_tree_find(s, tree);
    int at = 0;

    for (int i = 0; i < SMB_FILES_MAX && s->files[at]; i++)
        if (!s->files[i] || goes_before(s->files[i], s->files[at]))
            at = i;
    if (s->files[at]) {
        app_event(a, AN_SMB_TOO_MANY_FILES);
        smb_file_close(a, s, at);
    }
    struct smb_file *f = app_take(a, sizeof(*f));
    if (!f)
        return -1;
    s->files[at] = f;
    f->used = f->born = ++s->clock;
    f->tree = tree;
    f->pipe = t && t->pipe;
    if (t && !bytes_add(a, &f->share, bytes_span(&t->name))) {
        smb_file_close(a, s, at);
        return -1;
    }
    return at;
}

int smb_file_find(const struct smb *s, const uint8_t *id, uint32_t len)
{
    for (int i = 0; i < SMB_FILES_MAX; i++)
        if (s->files[i] && s->files[i]->has_id && memcmp(s->files[i]->id, id, len) == 0)
            return i;
    return -1;
}

void smb_file_name_id(struct smb *s, int file, const uint8_t *id, uint32_t len)
{
    struct smb_file *f = s->files[file];

    memset(f->id, 0, sizeof(f->id));
    memcpy(f->id, id, len);
    f->has_id = true;
}

/* --- their bytes ---------------------------------------------------------------------------------------------------- */

static bool begin_way(struct app *a, struct smb_file *f, enum app_dir dir, uint64_t offset)
{
    struct smb_way *w = &f->way[dir];
    struct body_about about = {.dir = dir,
                               .buffers = {BUF_FILE_DATA},
                               .n_buffers = 1,
                               .depth = app_limits(a)->file_depth,
                               .name = bytes_span(&f->name),
                               .file = true};

    app_tx_open(a, &w->tx);
    w->open = true;
    w->next = offset;
    return body_begin(a, &w->body, &w->tx, &about);
}

/* What was taken out of its order: its first bytes are kept for what will come in front of them. */
static bool begin_head(struct app *a, struct smb_way *w, uint64_t offset)
{
    if (!w->heads)
        w->heads = app_take(a, SMB_HEADS_MAX * sizeof(*w->heads));
    if (!w->heads)
        return false;
    w->head = &w->heads[w->next_head];
    w->next_head = (uint8_t)((w->next_head + 1) % SMB_HEADS_MAX);
    w->head->at = offset;
    w->head->len = 0;
    return true;
}

static void add_head(struct smb_way *w, struct span bytes)
{
    if (!w->head)
        return;
    uint32_t room = SMB_HEAD_LEN - w->head->len, n = bytes.len < room ? bytes.len : room;

    memcpy(w->head->bytes + w->head->len, bytes.p, n);
    w->head->len += n;
    if (w->head->len == SMB_HEAD_LEN)
        w->head = NULL;
}

/* What was taken has reached a piece that came before it: that one's beginning follows. */
static enum smb_stop join_heads(struct app *a, struct smb_way *w)
{
    for (unsigned i = 0; w->heads && i < SMB_HEADS_MAX; i++) {
        struct smb_head *h = &w->heads[i];

        if (h->len == 0 || h == w->head || h->at != w->next)
            continue;
        w->next += h->len;
        if (!body_add(a, &w->body, &w->tx, span_of(h->bytes, h->len)))
            return SMB_STOP;
        h->len = 0;
        i = UINT32_MAX; /* from the first one on; each is used once */
    }
    return SMB_OK;
}

static enum smb_stop file_bytes(struct app *a, struct smb_file *f, enum app_dir dir, uint64_t offset,
                                struct span bytes)
{
    struct smb_way *w = &f->way[dir];
    bool hole = w->open && offset > w->next, again = w->open && offset < w->next;

    if (hole || again) {
        app_event(a, again ? AN_SMB_FILE_OVERLAP : AN_SMB_FILE_GAP);
        if (end_way(a, w) != SMB_OK)
            return SMB_STOP;
    }
    if (!w->open && (!begin_way(a, f, dir, offset) || (offset > 0 && !begin_head(a, w, offset))))
        return SMB_BAD;
    add_head(w, bytes);
    w->next += bytes.len;
    if (!body_add(a, &w->body, &w->tx, bytes))
        return SMB_STOP;
    return join_heads(a, w);
}

static enum smb_stop pipe_bytes(struct app *a, struct smb_file *f, enum app_dir dir, uint64_t offset,
                                struct span bytes)
{
    if (!f->dce)
        f->dce = app_take(a, sizeof(*f->dce));
    if (!f->dce)
        return SMB_BAD;
    switch (dce_take(a, f->dce, dir, bytes)) {
    case DCE_OK:
        return SMB_OK;
    case DCE_STOP:
        return SMB_STOP;
    default:
        break;
    }
    /* not DCERPC: a file's bytes, then */
    dce_free(a, f->dce);
    app_give(a, f->dce, sizeof(*f->dce));
    f->dce = NULL;
    f->pipe = false;
    return file_bytes(a, f, dir, offset, bytes);
}

enum smb_stop smb_file_data(struct app *a, struct smb *s, int file, enum app_dir dir, uint64_t offset,
                            struct span bytes)
{
    if (bytes.len == 0)
        return SMB_OK;
    if (file < 0)
        file = smb_file_new(a, s, 0);
    if (file < 0)
        return SMB_BAD;
    s->side[dir].file = (int16_t)file;
    struct smb_file *f = s->files[file];
    f->used = ++s->clock;
    if (f->pipe)
        return pipe_bytes(a, f, dir, offset, bytes);
    return file_bytes(a, f, dir, offset, bytes);
}

/* --- who waits ------------------------------------------------------------------------------------------------------ */

bool smb_wait_add(struct app *a, struct smb *s, enum smb_wait_kind kind, uint64_t message, int index,
                  uint64_t offset)
{
    if (!s->waits)
        s->waits = app_take(a, SMB_WAITS_MAX * sizeof(*s->waits));
    if (!s->waits)
        return false;
    s->waits[s->next_wait] = (struct smb_wait){
        .message = message, .offset = offset, .kind = (uint8_t)kind, .index = (uint8_t)index};
    if (kind != WAIT_TREE && index >= 0)
        s->waits[s->next_wait].born = s->files[index]->born;
    s->next_wait = (uint8_t)((s->next_wait + 1) % SMB_WAITS_MAX);
    return true;
}

bool smb_wait_take(struct smb *s, enum smb_wait_kind kind, uint64_t message, struct smb_wait *out)
{
    for (unsigned i = 0; s->waits && i < SMB_WAITS_MAX; i++) {
        if (s->waits[i].kind == WAIT_NONE || s->waits[i].message != message ||
            (kind != WAIT_NONE && s->waits[i].kind != kind))
            continue;
        *out = s->waits[i];
        s->waits[i].kind = WAIT_NONE;
        return true;
    }
    return false;
}

int smb_wait_file(const struct smb *s, const struct smb_wait *w)
{
    if (w->index >= SMB_FILES_MAX || !s->files[w->index] || s->files[w->index]->born != w->born)
        return -1;
    return w->index;
}

void smb_files_free(struct app *a, struct smb *s)
{
    for (int i = 0; i < SMB_FILES_MAX; i++)
        smb_file_close(a, s, i);
    for (unsigned i = 0; i < SMB_TREES_MAX; i++)
        bytes_free(a, &s->trees[i].name);
    app_give(a, s->waits, SMB_WAITS_MAX * sizeof(*s->waits));
    s->waits = NULL;
}
