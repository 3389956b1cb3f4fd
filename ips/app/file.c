/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files: what rules and the log know of one beside its bytes, which are the body's (body.c).
 *
 * A name is put with the first bytes, so that a rule about both can match on them; the type as soon as enough of the
 * file's start has come; the size when it has ended, and only if it ended where it should: of a file that was cut off the
 * size is not known, and no digest. Digests are made when a rule of the ruleset in force at the file's beginning, or
 * app.hashes, asks for them. EVE's fileinfo is written once, at the end, with the words that Suricata uses.
 *
 * Alerts say which files their transaction carries: those that were there when a rule had a closer look are written
 * down for the packet in hand (struct file_record), and what becomes known of them until the packet's end is added. A rule
 * that matched is on the list of each file that it saw.
 *
 * filestore: from the point on where a rule matched, what was inspected is handed on; the window still has the first bytes of
 * a file that is not longer than it, or that was matched early. What it has no longer is not there, and the file is
 * TRUNCATED.
 *
 * Worker thread. Owns the name and the digests.
 */
#include "ips/app/file.h"
#include "ips/app/app_parts.h"

#define FILE_NAME_MAX 1024  /* bytes of a name that are kept */
#define KEEP_BYTES    32768 /* of a file that is kept, in one chunk */

void file_begin(struct app *a, struct file *f, enum app_dir dir, struct span name)
{
    file_free(a, f);
    f->id = ++a->file_ids;
    f->dir = (uint8_t)dir;
    f->there = true;
    bytes_add(a, &f->name, span_sub(name, 0, FILE_NAME_MAX));
    uint8_t asks = a->asks & ASK_HASHES;
    if (a->cfg.store_bytes && (a->asks & ASK_STORE))
        asks |= ASK_SHA256; /* the name of what is kept */
    if (asks)
        f->digests = digests_new(a, asks);
}

void file_look(struct file *f, struct span start, bool last)
{
    if (f->there && !f->magic)
        f->magic = magic_of(span_sub(start, 0, MAGIC_BYTES), last || start.len >= MAGIC_BYTES);
}

void file_take(struct app *a, struct file *f, struct app_tx *tx, struct span bytes, uint64_t origin)
{
    struct span fresh = span_sub(bytes, (uint32_t)(f->taken - origin), bytes.len);

    if (!f->there)
        return;
    f->taken += fresh.len;
    if (f->digests && fresh.len > 0)
        digests_add(f->digests, fresh);
    if (a->asks & ASK_GROWN)
        app_put_number(a, tx, BUF_FILE_GROWN, f->taken);
}

void file_put(struct app *a, struct file *f, struct app_tx *tx)
{
    if (f->there && !f->named && f->name.len > 0)
        app_put(a, tx, BUF_FILE_NAME, bytes_span(&f->name));
    if (f->there && !f->typed && f->magic)
        app_put(a, tx, BUF_FILE_MAGIC, span_str(f->magic));
    f->named = true;
    f->typed = f->magic != NULL;
}

static const struct {
    enum digest_kind kind;
    enum buffer_id buffer;
    const char *key;
} hashes[] = {{DIGEST_MD5, BUF_FILE_MD5, "md5"},
              {DIGEST_SHA1, BUF_FILE_SHA1, "sha1"},
              {DIGEST_SHA256, BUF_FILE_SHA256, "sha256"}};

static void put_hashes(struct app *a, const struct file *f, struct app_tx *tx)
{
    for (unsigned i = 0; i < DIGEST_N; i++) {
        struct span v = digests_value(f->digests, hashes[i].kind);

        if (v.len > 0)
            app_put(a, tx, hashes[i].buffer, v);
    }
}

/* --- for events ------------------------------------------------------------------------------------------------------ */

static const char *state_of(const struct file *f)
{
    if (!f->ended)
        return "UNKNOWN";
    return f->sized && (!f->keeping || f->kept_all) ? "CLOSED" : "TRUNCATED";
}

static void fill_record(struct file_record *r, const struct file *f, const struct app_tx *tx)
{
    struct span name = span_sub(bytes_span(&f->name), 0, sizeof(r->name));

    *r = (struct file_record){.id = f->id,
                              .tx_id = tx->id,
                              .dir = f->dir,
                              .size = f->ended ? f->size : f->taken,
                              .magic = f->magic,
                              .state = state_of(f),
                              .stored = f->keeping,
                              .n_sids = f->n_sids,
                              .name_len = (uint16_t)name.len};
    if (name.len > 0)
        memcpy(r->name, name.p, name.len);
    memcpy(r->sids, f->sids, sizeof(r->sids));
    for (unsigned i = 0; i < DIGEST_N; i++) {
        struct span v = digests_value(f->digests, hashes[i].kind);

        if (v.len > 0)
            memcpy(r->hash[i], v.p, v.len);
        r->hash_len[i] = (uint8_t)v.len;
    }
}

/* The packet's alerts say what is known of a file when all of it was inspected. */
static void keep_record(struct app *a, const struct file *f, const struct app_tx *tx, bool only_known)
{
    unsigned i = 0;

    while (i < a->n_files && a->files[i].id != f->id)
        i++;
    if (i == FILE_RECORDS_MAX || (i == a->n_files && only_known))
        return;
    fill_record(&a->files[i], f, tx);
    a->n_files += i == a->n_files;
}

static void write_record(struct fields *out, const struct file_record *r)
{
    if (r->name_len > 0)
        fields_text(out, "filename", span_of(r->name, r->name_len));
    if (r->n_sids > 0)
        fields_list(out, "sid");
    for (unsigned i = 0; i < r->n_sids; i++)
        fields_number(out, NULL, r->sids[i]);
    if (r->n_sids > 0)
        fields_close(out);
    if (r->magic)
        fields_word(out, "magic", r->magic);
    fields_bool(out, "gaps", false);
    for (unsigned i = 0; i < DIGEST_N; i++)
        if (r->hash_len[i] > 0)
            fields_hex(out, hashes[i].key, span_of(r->hash[i], r->hash_len[i]));
    fields_word(out, "state", r->state);
    fields_bool(out, "stored", r->stored);
    if (r->stored)
        fields_number(out, "file_id", r->id);
    fields_number(out, "size", r->size);
    fields_number(out, "tx_id", r->tx_id);
}

bool app_files(const struct app *a, uint64_t tx_id, bool to_client, struct fields *out)
{
    bool any = false;

    for (unsigned i = 0; i < a->n_files; i++) {
        const struct file_record *r = &a->files[i];

        if (r->tx_id != tx_id || (r->dir == APP_TO_CLIENT) != to_client)
            continue;
        if (!any)
            fields_list(out, "files");
        any = true;
        fields_object(out, NULL);
        write_record(out, r);
        fields_close(out);
    }
    if (any)
        fields_close(out);
    return any;
}

static uint8_t directions(uint8_t filestore, enum app_dir matched)
{
    return filestore & FILESTORE_MATCHED ? (uint8_t)(1u << matched)
                                         : filestore & (FILESTORE_TO_SERVER | FILESTORE_TO_CLIENT);
}

void app_keep_files(struct app *a, const struct packet *p, uint8_t filestore)
{
    struct app_flow *f = p->flow ? a->slots[flow_index(a->flows, p->flow)].flow : NULL;

    if (f && a->cfg.store_bytes)
        f->store |= directions(filestore, p->flags & PKT_TO_CLIENT ? APP_TO_CLIENT : APP_TO_SERVER);
}

void app_matched(struct app *a, const struct app_view *v, uint32_t sid, uint8_t filestore)
{
    if (filestore && a->cfg.store_bytes) {
        uint8_t dirs = directions(filestore, (enum app_dir)v->dir);

        v->tx->store |= dirs;
        a->flow->store |= filestore & FILESTORE_FLOW ? dirs : 0;
    }
    for (unsigned i = 0; i < a->n_shown; i++) {
        struct file *f = a->shown_files[i];
        unsigned k = 0;

        while (k < f->n_sids && f->sids[k] != sid)
            k++;
        if (f->dir != v->dir || k < f->n_sids || k == FILE_SIDS_MAX)
            continue;
        f->sids[f->n_sids++] = sid;
        keep_record(a, f, v->tx, true);
    }
}

void file_show(struct app *a, struct file *f, struct app_tx *tx)
{
    if (f->there && a->showing) {
        if (a->n_shown < FILE_RECORDS_MAX)
            a->shown_files[a->n_shown++] = f;
        keep_record(a, f, tx, false);
    }
    if (f->there && f->name.len > 0)
        app_put(a, tx, BUF_FILE_NAME, bytes_span(&f->name));
    if (f->magic)
        app_put(a, tx, BUF_FILE_MAGIC, span_str(f->magic));
    if (f->sized)
        app_put_number(a, tx, BUF_FILE_SIZE, f->size);
    if (f->there && (a->asks & ASK_GROWN))
        app_put_number(a, tx, BUF_FILE_GROWN, f->taken);
    put_hashes(a, f, tx);
}

/* --- keeping it ------------------------------------------------------------------------------------------------------- */

static bool hand_on(struct app *a, struct file *f, struct app_chunk *c)
{
    c->id = f->id;
    c->first = !f->keeping;
    bool on = a->hooks.file(a->hooks.arg, c);
    if (!on)
        counter_add(a->c, CTR_FILES_LOST, 1);
    return on;
}

/* What was not handed on when it was there is never handed on: what is kept is a beginning of the file, or a middle. */
void file_keep(struct app *a, struct file *f, const struct app_tx *tx, struct span bytes, uint64_t origin)
{
    if (!f->there || !((tx->store | a->flow->store) >> f->dir & 1) || !a->hooks.file || f->kept == UINT64_MAX)
        return;
    if (!f->keeping) {
        f->kept_all = origin == 0;
        f->kept = origin;
    }
    struct span s = span_sub(bytes, (uint32_t)(f->kept - origin), bytes.len);
    uint64_t from = f->keeping ? f->kept_from : origin;

    f->kept_from = from;
    while (s.len > 0) {
        uint64_t room = a->cfg.store_bytes - (f->kept - from);
        uint32_t n = s.len < KEEP_BYTES ? s.len : KEEP_BYTES;
        struct app_chunk c = {.bytes = span_sub(s, 0, n < room ? n : (uint32_t)room)};

        if (room == 0 || !hand_on(a, f, &c)) {
            f->kept_all = false;
            f->kept = UINT64_MAX;
            return;
        }
        f->keeping = true;
        f->kept += c.bytes.len;
        s = span_sub(s, c.bytes.len, s.len);
    }
}

/* The last chunk, without bytes. */
static void keep_end(struct app *a, struct file *f, const struct app_record *info)
{
    struct app_chunk c = {.last = true, .info = info};

    if (!f->keeping || !a->hooks.file)
        return;
    counter_add(a->c, f->kept_all && f->sized ? CTR_FILES_STORED : CTR_FILES_INCOMPLETE, 1);
    (void)hand_on(a, f, &c); /* else the logger ends it when it wants the place */
}

/* --- the end ------------------------------------------------------------------------------------------------------------ */

void file_end(struct app *a, struct file *f, struct app_tx *tx, uint64_t size, bool whole)
{
    if (!f->there || f->ended)
        return;
    f->ended = true;
    f->size = size;
    f->sized = whole;
    file_put(a, f, tx);
    if (whole)
        app_put_number(a, tx, BUF_FILE_SIZE, size);
    if (whole && f->digests)
        digests_end(f->digests);
    put_hashes(a, f, tx);
    keep_record(a, f, tx, true);
}

void file_close(struct app *a, struct file *f, struct app_tx *tx)
{
    struct file_record r;
    struct app_record info;

    if (!f->ended || f->logged)
        return;
    f->logged = true;
    if (!a->cfg.log && !f->keeping)
        return;
    fill_record(&r, f, tx);
    fields_begin(&a->fields, a->fields_room, sizeof(a->fields_room));
    write_record(&a->fields, &r);
    app_record_fill(a, &info, "fileinfo", "fileinfo", tx, &a->fields);
    keep_end(a, f, &info);
    app_log(a, "fileinfo", "fileinfo", tx, &a->fields);
}

void file_free(struct app *a, struct file *f)
{
    if (!f->logged)
        keep_end(a, f, NULL);
    bytes_free(a, &f->name);
    digests_free(a, f->digests);
    *f = (struct file){0};
}
