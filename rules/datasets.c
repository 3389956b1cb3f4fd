/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datasets by name.
 *
 * A set that only loads a file belongs to the ruleset that was built with it: a reload reads the file anew. Every other
 * set holds what workers learnt, so it belongs to the process and is found again by its name when rules are reloaded;
 * it dies, and is saved, when the last ruleset that names it is gone. It is written only when it has changed,
 * so that checking rules writes nothing.
 *
 * load takes any path, from the rule file's folder when it is relative. Files that rules want written (save, state) may only be
 * plain names or paths below detect.state_dir, or the rule file's folder when that is not set: rules come from
 * strangers.
 *
 * Control threads; the process's list is under a mutex.
 */
#include "rules/datasets.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ips/base/log.h"
#include "rules/builder.h"
#include "rules/dataset_file.h"
#include "rules/keywords.h"
#include "rules/source.h"

#define PATH_BYTES 4096

struct shared_dataset {
    struct shared_dataset *next;
    char *name, *save_path;
    struct dataset *set;
    uint32_t n_users;
    uint32_t count; /* as loaded: with bytes it tells whether anything changed */
    uint64_t bytes;
    bool rep;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct shared_dataset *all;

/* --- paths ---------------------------------------------------------------------------------------------------------- */

static bool climbs(struct span path)
{
    struct span part;
    bool more = true;

    while (more) {
        more = text_split(&path, '/', &part);
        if (span_eq_str(part, ".."))
            return true;
    }
    return false;
}

static bool path_of(struct draft *d, const struct option *o, struct span name, bool write,
                    char out[PATH_BYTES])
{
    const char *file = d->text->file, *slash = strrchr(file, '/'), *state = d->b->src->state_dir;
    bool absolute = name.len > 0 && name.p[0] == '/';
    int n;

    if (write && (absolute || climbs(name)))
        return draft_fail(d, name.p, "give a plain name; it is put into detect.state_dir",
                          "%s: '%.*s' is not below the folder that rules may write to", o->kw->name,
                          TEXT_ARG(name));
    if (absolute)
        n = snprintf(out, PATH_BYTES, "%.*s", (int)name.len, (const char *)name.p);
    else if (write && state != NULL)
        n = snprintf(out, PATH_BYTES, "%s/%.*s", state, (int)name.len, (const char *)name.p);
    else
        n = snprintf(out, PATH_BYTES, "%.*s%.*s", slash != NULL ? (int)(slash - file + 1) : 0, file,
                     (int)name.len, (const char *)name.p);
    if (n > 0 && n < PATH_BYTES)
        return true;
    return draft_fail(d, name.p, "use a shorter path", "%s: the path is too long", o->kw->name);
}

/* --- making a set ---------------------------------------------------------------------------------------------------- */

/* path: what to load, "" for nothing. must: it has to be there. */
static struct dataset *make(struct draft *d, const struct option *o, const struct dataset_want *w,
                            const char *path, bool must)
{
    bool fills = w->load.p == NULL || w->save.p != NULL; /* rules add to it: room beyond the file's */
    struct dataset_file f = {.n_lines = 0};
    uint64_t entries, memcap, slots = 64;
    struct dataset *set;
    struct err e = {.code = 0};
    int rc = path[0] != '\0' ? dataset_file_open(&f, path, &e) : 0;

    if (rc != 0 && (must || rc != -ENOENT)) {
        draft_fail(d, o->value.p, e.remedy[0] != '\0' ? e.remedy : "check the file", "%s: %s", o->kw->name,
                   e.text);
        return NULL;
    }
    entries = f.n_lines + (fills ? DATASET_ENTRIES : 0ull);
    if (w->hashsize > entries)
        entries = w->hashsize;
    if (entries > DATASET_ENTRIES_MAX)
        entries = DATASET_ENTRIES_MAX;
    while (slots < 2 * entries)
        slots *= 2;
    memcap = w->memcap != 0 ? w->memcap : slots * 8 + f.value_bytes + (fills ? DATASET_MEMCAP_BYTES : 0);
    while (fills && entries > 1024 && entries > f.n_lines &&
           slots * 8 > memcap / 2) { /* a small memcap: fewer slots */
        entries /= 2;
        slots /= 2;
    }
    set = dataset_new((enum dataset_type)w->type, (uint32_t)entries, memcap, &e);
    if (set == NULL)
        draft_fail(d, o->value.p, e.remedy, "%s: %s", o->kw->name, e.text);
    else if (f.bytes != NULL)
        d->b->n_errors += dataset_file_load(&f, path, w->rep, set, d->b->errs);
    dataset_file_close(&f);
    return set;
}

static struct shared_dataset *find_shared(struct span name)
{
    for (struct shared_dataset *s = all; s != NULL; s = s->next)
        if (span_eq_str(name, s->name))
            return s;
    return NULL;
}

static struct shared_dataset *new_shared(struct draft *d, const struct option *o,
                                         const struct dataset_want *w)
{
    struct span from = w->state.p != NULL ? w->state : w->load, to = w->state.p != NULL ? w->state : w->save;
    char load[PATH_BYTES] = "", save[PATH_BYTES] = "";
    struct shared_dataset *s;

    if ((from.p != NULL && !path_of(d, o, from, w->state.p != NULL, load)) ||
        (to.p != NULL && !path_of(d, o, to, true, save)))
        return NULL;
    s = calloc(1, sizeof(*s));
    if (s != NULL) {
        s->name = strndup((const char *)w->name.p, w->name.len);
        s->save_path = save[0] != '\0' ? strdup(save) : NULL;
        s->rep = w->rep;
    }
    if (s == NULL || s->name == NULL || (save[0] != '\0' && s->save_path == NULL)) {
        draft_no_memory(d);
    } else if ((s->set = make(d, o, w, load, w->state.p == NULL)) != NULL) {
        s->count = dataset_count(s->set);
        s->bytes = dataset_bytes(s->set);
        s->next = all;
        all = s;
        return s;
    }
    if (s != NULL) {
        free(s->name);
        free(s->save_path);
    }
    free(s);
    return NULL;
}

/* --- use and release ------------------------------------------------------------------------------------------------- */

static bool same_kind(struct draft *d, const struct option *o, const struct dataset_want *w,
                      const struct dataset *set, bool rep)
{
    if ((w->type < 0 || w->type == (int)dataset_type(set)) && rep == w->rep)
        return true;
    return draft_fail(d, w->name.p, "use another name", "%s: the set '%.*s' is of another type", o->kw->name,
                      TEXT_ARG(w->name));
}

/* Fills u with a set that this ruleset did not use yet. */
static bool open_set(struct draft *d, const struct option *o, const struct dataset_want *w,
                     struct dataset_use *u)
{
    bool own = w->load.p != NULL && w->save.p == NULL && w->state.p == NULL;
    char path[PATH_BYTES];

    if (!own)
        u->shared = find_shared(w->name);
    if (u->shared == NULL && w->type < 0)
        return draft_fail(d, w->name.p, "add type string, md5, sha256, ipv4 or ip where it is used first",
                          "%s: the set '%.*s' is not known", o->kw->name, TEXT_ARG(w->name));
    if (own) {
        u->set = path_of(d, o, w->load, false, path) ? make(d, o, w, path, true) : NULL;
        u->rep = w->rep;
        return u->set != NULL;
    }
    if (u->shared == NULL)
        u->shared = new_shared(d, o, w);
    if (u->shared == NULL || !same_kind(d, o, w, u->shared->set, u->shared->rep))
        return false;
    u->shared->n_users++;
    u->set = u->shared->set;
    u->rep = u->shared->rep;
    return true;
}

struct dataset *datasets_use(struct draft *d, const struct option *o, const struct dataset_want *w)
{
    struct datasets *l = &d->b->datasets;
    struct dataset_use u = {.name = NULL};
    void *v = l->v;
    bool ok;

    for (size_t i = 0; i < l->n; i++)
        if (span_eq_str(w->name, l->v[i].name))
            return same_kind(d, o, w, l->v[i].set, l->v[i].rep) ? l->v[i].set : NULL;
    if (l->n == DATASETS_MAX) {
        draft_fail(d, w->name.p, "join sets", "%s: more than %d datasets", o->kw->name, DATASETS_MAX);
        return NULL;
    }
    u.name = draft_string(d, w->name);
    if (u.name == NULL || !builder_grow(d->b, &v, &l->cap, l->n, sizeof(*l->v)))
        return NULL;
    l->v = v;
    pthread_mutex_lock(&lock);
    ok = open_set(d, o, w, &u);
    pthread_mutex_unlock(&lock);
    if (!ok)
        return NULL;
    l->v[l->n++] = u;
    return u.set;
}

static void drop_shared(struct shared_dataset *s)
{
    struct err e;

    for (struct shared_dataset **at = &all; *at != NULL; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    if (s->save_path != NULL && (dataset_count(s->set) != s->count || dataset_bytes(s->set) != s->bytes) &&
        dataset_file_save(s->save_path, s->set, &e) != 0)
        log_err(LOG_LEVEL_ERROR, "rules", &e);
    dataset_free(s->set);
    free(s->name);
    free(s->save_path);
    free(s);
}

void datasets_release(struct dataset_use *v, size_t n)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n; i++) {
        if (v[i].shared == NULL)
            dataset_free(v[i].set);
        else if (--v[i].shared->n_users == 0)
            drop_shared(v[i].shared);
    }
    pthread_mutex_unlock(&lock);
}
