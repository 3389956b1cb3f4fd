/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files: what rules and the log know of one beside its bytes, which are the body's (body.c).
 *
 * A name is put with the first bytes, so that a rule about both can match on them; the type as soon as enough of the
 * file's start has come; the size when it has ended, and only if it ended where it should: of a file that was cut off the
 * size is not known, and no digest. Digests are made when a rule of the ruleset in force at the file's beginning, or
 * app.hashes, asks for them. EVE's fileinfo is written once, at the end, with the words that Suricata uses.
 *
 * Worker thread. Owns the name and the digests.
 */
#include "ips/app/file.h"
#include "ips/app/app_parts.h"

#define FILE_NAME_MAX 1024 /* bytes of a name that are kept */

void file_begin(struct app *a, struct file *f, struct span name)
{
    file_free(a, f);
    f->there = true;
    bytes_add(a, &f->name, span_sub(name, 0, FILE_NAME_MAX));
    if (a->file_asks & FILE_ASK_HASHES)
        f->digests = digests_new(a, a->file_asks & FILE_ASK_HASHES);
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
    if (a->file_asks & FILE_ASK_GROWN)
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

void file_show(struct app *a, const struct file *f, struct app_tx *tx)
{
    if (f->there && f->name.len > 0)
        app_put(a, tx, BUF_FILE_NAME, bytes_span(&f->name));
    if (f->magic)
        app_put(a, tx, BUF_FILE_MAGIC, span_str(f->magic));
    if (f->sized)
        app_put_number(a, tx, BUF_FILE_SIZE, f->size);
    if (f->there && (a->file_asks & FILE_ASK_GROWN))
        app_put_number(a, tx, BUF_FILE_GROWN, f->taken);
    put_hashes(a, f, tx);
}

void file_end(struct app *a, struct file *f, struct app_tx *tx, uint64_t size, bool whole)
{
    if (!f->there || f->logged)
        return;
    f->logged = true;
    f->size = size;
    f->sized = whole;
    file_put(a, f, tx);
    if (whole)
        app_put_number(a, tx, BUF_FILE_SIZE, size);
    if (whole && f->digests)
        digests_end(f->digests);
    put_hashes(a, f, tx);
    if (!a->cfg.log)
        return;
    fields_begin(&a->fields, a->fields_room, sizeof(a->fields_room));
    if (f->name.len > 0)
        fields_text(&a->fields, "filename", bytes_span(&f->name));
    if (f->magic)
        fields_word(&a->fields, "magic", f->magic);
    fields_bool(&a->fields, "gaps", false);
    for (unsigned i = 0; i < DIGEST_N; i++) {
        struct span v = digests_value(f->digests, hashes[i].kind);

        if (v.len > 0)
            fields_hex(&a->fields, hashes[i].key, v);
    }
    fields_word(&a->fields, "state", whole ? "CLOSED" : "TRUNCATED");
    fields_bool(&a->fields, "stored", false);
    fields_number(&a->fields, "size", size);
    fields_number(&a->fields, "tx_id", tx->id);
    app_log(a, "fileinfo", "fileinfo", tx, &a->fields);
}

void file_free(struct app *a, struct file *f)
{
    bytes_free(a, &f->name);
    digests_free(a, f->digests);
    *f = (struct file){0};
}
