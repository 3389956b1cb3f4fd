/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store of files.
 *
 * A worker hands on what it inspected, piece by piece, by a number that is the file's alone in its ring. Pieces are
 * written to DIR/tmp/ and hashed on the way; the end renames the file to its digest, so a name in DIR/ab/ is always
 * the name of all that is in it, and the same content is there once. Beside it one line of JSON for each time that it was
 * seen: SHA256.TIME.ID.json, the fileinfo event, whose "state" says whether that was all of the file.
 *
 * What the disk refuses, and files beyond max_open, the longest idle first, are given up or ended as they are;
 * that is said in the diary once a minute. Workers never wait for any of it.
 *
 * Owns the open files.
 */
#include "ips/log/filestore.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ips/base/clock.h"
#include "ips/base/log.h"

#define PATH_BYTES   4096
#define COMPLAINT_NS (60 * NS_PER_S)

struct stored {
    uint64_t id, used; /* of the file in its ring; when it was touched */
    uint32_t ring;
    int fd; /* -1: the place is free */
    EVP_MD_CTX *digest;
};

struct filestore {
    char *dir;
    uint64_t clock;
    struct log_rate complaint;
    uint32_t n;
    struct stored files[];
};

static int make_dir(const char *path, struct err *e)
{
    if (mkdir(path, 0750) == 0 || errno == EEXIST)
        return access(path, W_OK) == 0
                   ? 0
                   : (err_sys(e, -errno, "cannot write to %s", path),
                      err_remedy(e, "let the daemon's user write there, or set app.filestore.dir"), -EACCES);
    err_sys(e, -errno, "cannot create %s", path);
    err_remedy(e, "create it for the daemon's user, or set app.filestore.dir to one that exists");
    return e->code;
}

static int make_dirs(const char *dir, struct err *e)
{
    char path[PATH_BYTES];
    int rc = make_dir(dir, e);

    for (int i = -1; rc == 0 && i < 256; i++) {
        if (i < 0)
            snprintf(path, sizeof(path), "%s/tmp", dir);
        else
            snprintf(path, sizeof(path), "%s/%02x", dir, (unsigned)i);
        rc = make_dir(path, e);
    }
    return rc;
}

struct filestore *filestore_new(const char *dir, uint32_t max_open, struct err *e)
{
    struct filestore *s;

    if (strlen(dir) > PATH_BYTES - 256) {
        err_set(e, -ENAMETOOLONG, "app.filestore.dir: the path is too long");
        return NULL;
    }
    if (make_dirs(dir, e) != 0)
        return NULL;
    s = calloc(1, sizeof(*s) + max_open * sizeof(s->files[0]));
    if (s == NULL || (s->dir = strdup(dir)) == NULL) {
        free(s);
        err_set(e, -ENOMEM, "no memory for app.filestore");
        return NULL;
    }
    s->n = max_open;
    for (uint32_t i = 0; i < s->n; i++)
        s->files[i].fd = -1;
    return s;
}

static void complain(struct filestore *s, const char *what, int error)
{
    uint64_t held = 0;

    if (log_rate_pass(&s->complaint, clock_mono_ns(), COMPLAINT_NS, &held))
        log_error("log", "%s in %s: %s; files are missing there (%llu such errors since the last message)",
                  what, s->dir, strerrordesc_np(error), (unsigned long long)held);
}

static void temp_path(const struct filestore *s, const struct stored *f, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/tmp/%u-%llu", s->dir, f->ring, (unsigned long long)f->id);
}

static void give_up(struct filestore *s, struct stored *f)
{
    char path[PATH_BYTES];

    temp_path(s, f, path);
    unlink(path);
    close(f->fd);
    EVP_MD_CTX_free(f->digest);
    *f = (struct stored){.fd = -1};
}

static bool write_all(int fd, struct span s)
{
    while (s.len > 0) {
        ssize_t n = write(fd, s.p, s.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        s = span_sub(s, (uint32_t)n, s.len);
    }
    return true;
}

static void write_info(struct filestore *s, const struct stored *f, const char *name, struct span info)
{
    char path[PATH_BYTES];
    int fd;

    snprintf(path, sizeof(path), "%s/%.2s/%s.%llu.%llu.json", s->dir, name, name,
             (unsigned long long)(clock_real_ns() / NS_PER_S), (unsigned long long)f->id);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0 || !write_all(fd, info))
        complain(s, "cannot write what is known of a file", errno);
    if (fd >= 0)
        close(fd);
}

/* The file gets its name. */
static void finish(struct filestore *s, struct stored *f, struct span info)
{
    char from[PATH_BYTES], to[PATH_BYTES], name[65];
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (EVP_DigestFinal_ex(f->digest, digest, &n) != 1 || n != 32) {
        complain(s, "cannot hash a file", ENOMEM);
        give_up(s, f);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        snprintf(name + 2 * i, 3, "%02x", digest[i]);
    temp_path(s, f, from);
    snprintf(to, sizeof(to), "%s/%.2s/%s", s->dir, name, name);
    if (rename(from, to) != 0) {
        complain(s, "cannot rename a file", errno);
        give_up(s, f);
        return;
    }
    if (info.len > 0)
        write_info(s, f, name, info);
    close(f->fd);
    EVP_MD_CTX_free(f->digest);
    *f = (struct stored){.fd = -1};
}

/* A new file takes a free place, or the longest idle one's. NULL: it cannot be made. */
static struct stored *begin(struct filestore *s, uint32_t ring, uint64_t id)
{
    struct stored *f = &s->files[0];
    char path[PATH_BYTES];

    for (uint32_t i = 0; i < s->n; i++) {
        if (s->files[i].used < f->used)
            f = &s->files[i];
    }
    if (f->fd >= 0) {
        complain(s, "too many files at a time (app.filestore.max_open)", EMFILE);
        finish(s, f, span_of(NULL, 0));
    }
    *f = (struct stored){.ring = ring, .id = id, .fd = -1};
    temp_path(s, f, path);
    f->digest = EVP_MD_CTX_new();
    if (f->digest == NULL || EVP_DigestInit_ex(f->digest, EVP_sha256(), NULL) != 1)
        errno = ENOMEM;
    else
        f->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (f->fd >= 0)
        return f;
    complain(s, "cannot store a file", errno);
    EVP_MD_CTX_free(f->digest);
    *f = (struct stored){.fd = -1};
    return NULL;
}

static struct stored *find(struct filestore *s, uint32_t ring, uint64_t id)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->files[i].fd >= 0 && s->files[i].ring == ring && s->files[i].id == id)
            return &s->files[i];
    return NULL;
}

void filestore_take(struct filestore *s, uint32_t ring, const struct event *ev, struct span bytes,
                    struct span info)
{
    /* what follows a piece that was not written has no beginning here */
    struct stored *f = ev->file_first ? begin(s, ring, ev->file_id) : find(s, ring, ev->file_id);

    if (f == NULL)
        return;
    f->used = ++s->clock;
    if (!write_all(f->fd, bytes) || EVP_DigestUpdate(f->digest, bytes.p, bytes.len) != 1) {
        complain(s, "cannot write a file", errno);
        give_up(s, f);
    } else if (ev->file_last) {
        finish(s, f, info);
    }
}

void filestore_free(struct filestore *s)
{
    if (s == NULL)
        return;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->files[i].fd >= 0)
            finish(s, &s->files[i], span_of(NULL, 0));
    free(s->dir);
    free(s);
}
