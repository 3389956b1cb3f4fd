/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cache of compiled pattern databases.
 *
 * One file for each database, named by its key: SHA-256 over this format's version, Hyperscan's version, the processor
 * it compiles for, and every pattern with its flags and length. Other rules, another library or another machine ask
 * for another file. In front of Hyperscan's serialised form stands a header with the key, the length and a SHA-256
 * of the whole. A file is written under a name of its own and renamed when it is complete, so that there is never half
 * a one under its final name; what no load has asked for in a month is removed.
 *
 * Before a file is used: it is a regular file of one link, it and its directory belong to root or to this process's
 * user and nobody else may write to them, its length is what its header says and below a bound, the key is the
 * one asked for and the digest holds; Hyperscan then checks its own version, platform and CRC. Anything else is
 * logged and the database is compiled, as if the file were not there.
 *
 * This defends against files cut short by a crash or a full disk, decayed bytes, left-overs of other versions, and
 * other users of the machine. It does not defend against root or the user that ipsd runs as: whoever may write
 * here could change the rules or the program as well. A database is a program for Hyperscan's interpreters, so what
 * is behind the checks is trusted as code is; a key in the digest would lie beside the files and add nothing.
 */
#include "rules/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ips/base/log.h"
#include "ips/base/piece.h"

#define MAGIC          "SluiceDB"
#define FORMAT_VERSION 1
#define DATABASE_MAX   (1u << 30) /* bytes */
#define UNUSED_MAX_S   (30 * 24 * 3600)
#define SUFFIX         ".hsdb"
#define NAME_BYTES     (2 * CACHE_KEY_BYTES + sizeof(SUFFIX))

struct header {
    char magic[8];
    uint32_t version, header_bytes;
    uint64_t body_bytes;
    uint8_t key[CACHE_KEY_BYTES];
    uint8_t digest[32]; /* of the header with this field zero, and the body */
};

/* --- keys and digests --------------------------------------------------------------------------------------------- */

static void add(EVP_MD_CTX *md, bool *ok, const void *p, size_t n)
{
    *ok = *ok && EVP_DigestUpdate(md, p, n) == 1;
}

bool cache_key(struct cache_key *key, const struct cache_patterns *p)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    const char *library = hs_version();
    hs_platform_info_t machine;
    uint32_t version = FORMAT_VERSION;
    bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              hs_populate_platform(&machine) == HS_SUCCESS;

    if (ok) {
        uint64_t about[4] = {machine.tune, machine.cpu_features, p->literals, p->n};

        add(md, &ok, &version, sizeof(version));
        add(md, &ok, library, strlen(library) + 1);
        add(md, &ok, about, sizeof(about));
        for (uint32_t i = 0; i < p->n; i++) {
            uint64_t head[2] = {p->flags[i], p->lens[i]};

            add(md, &ok, head, sizeof(head));
            add(md, &ok, p->text[i], p->lens[i]);
        }
        ok = ok && EVP_DigestFinal_ex(md, key->bytes, NULL) == 1;
    }
    EVP_MD_CTX_free(md);
    return ok;
}

static bool digest(struct header h, const void *body, uint8_t out[32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

    memset(h.digest, 0, sizeof(h.digest));
    add(md, &ok, &h, sizeof(h));
    add(md, &ok, body, h.body_bytes);
    ok = ok && EVP_DigestFinal_ex(md, out, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

static void file_name(const struct cache_key *key, char name[NAME_BYTES])
{
    for (int i = 0; i < CACHE_KEY_BYTES; i++)
        snprintf(name + 2 * i, 3, "%02x", key->bytes[i]);
    memcpy(name + 2 * CACHE_KEY_BYTES, SUFFIX, sizeof(SUFFIX));
}

/* --- the directory -------------------------------------------------------------------------------------------------- */

/* Ours or root's, and nobody else's to write. */
static bool is_ours(const struct stat *st)
{
    return (st->st_uid == 0 || st->st_uid == geteuid()) && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

void cache_open(struct cache *c, const char *dir, bool read_only)
{
    struct stat st;

    *c = (struct cache){.dir = -1, .read_only = read_only};
    if (dir == NULL || dir[0] == '\0')
        return;
    c->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->dir < 0) {
        if (errno != ENOENT)
            log_warning("rules", "the cache of compiled rules %s cannot be opened and is not used: %s", dir,
                        strerror(errno));
        return;
    }
    if (fstat(c->dir, &st) == 0 && is_ours(&st))
        return;
    log_warning(
        "rules",
        "the cache of compiled rules %s is not used, because others may write to it; make it root's own "
        "with mode 0755 or less",
        dir);
    close(c->dir);
    c->dir = -1;
}

/* Files of ours that nobody asked for in a long time; a write that was cut short leaves one of those too. */
static void sweep(const struct cache *c)
{
    int fd = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    time_t now = time(NULL);
    const struct dirent *f;
    struct stat st;

    if (d == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((f = readdir(d)) != NULL)
        if (strstr(f->d_name, SUFFIX) != NULL && fstatat(c->dir, f->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && now - st.st_mtime > UNUSED_MAX_S)
            unlinkat(c->dir, f->d_name, 0);
    closedir(d);
}

void cache_close(struct cache *c)
{
    if (c->dir < 0)
        return;
    if (!c->read_only)
        sweep(c);
    close(c->dir);
    c->dir = -1;
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

static bool read_all(int fd, void *p, size_t n)
{
    uint8_t *at = p;

    while (n > 0) {
        ssize_t got = read(fd, at, piece_of(n));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

/* What is wrong with the file; NULL when *db is what it holds. */
static const char *read_database(int fd, const struct cache_key *key, hs_database_t **db)
{
    struct header h;
    struct stat st;
    uint8_t sum[32];
    const char *wrong = NULL;
    size_t bytes;
    char *body;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 || !is_ours(&st))
        return "others may write to it";
    if ((uint64_t)st.st_size < sizeof(h) || !read_all(fd, &h, sizeof(h)))
        return "it is too short";
    if (memcmp(h.magic, MAGIC, sizeof(h.magic)) != 0 || h.version != FORMAT_VERSION ||
        h.header_bytes != sizeof(h) || memcmp(h.key, key->bytes, sizeof(h.key)) != 0)
        return "its header is another's";
    if (h.body_bytes > DATABASE_MAX || h.body_bytes != (uint64_t)st.st_size - sizeof(h))
        return "its length is wrong";
    body = malloc(h.body_bytes + 1);
    if (body == NULL)
        return "there is no memory for it";
    if (!read_all(fd, body, h.body_bytes))
        wrong = "it cannot be read";
    else if (!digest(h, body, sum) || memcmp(sum, h.digest, sizeof(sum)) != 0)
        wrong = "its digest is wrong";
    else if (hs_serialized_database_size(body, h.body_bytes, &bytes) != HS_SUCCESS || bytes > DATABASE_MAX ||
             hs_deserialize_database(body, h.body_bytes, db) != HS_SUCCESS)
        wrong = "Hyperscan refuses it";
    free(body);
    return wrong;
}

hs_database_t *cache_load(struct cache *c, const struct cache_key *key)
{
    char name[NAME_BYTES];
    hs_database_t *db = NULL;
    const char *wrong;
    int fd;

    if (c->dir < 0)
        return NULL;
    file_name(key, name);
    fd = openat(c->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        c->n_misses++;
        return NULL;
    }
    wrong = read_database(fd, key, &db);
    if (wrong != NULL) {
        log_warning("rules", "the cached database %s is not used: %s; it is compiled again", name, wrong);
        c->n_misses++;
    } else {
        c->n_hits++;
        if (!c->read_only)
            futimens(fd, NULL); /* still wanted; when it fails the file is only made again one day */
    }
    close(fd);
    return db;
}

/* --- writing --------------------------------------------------------------------------------------------------------- */

static bool write_all(int fd, const void *p, size_t n)
{
    const uint8_t *at = p;

    while (n > 0) {
        ssize_t put = write(fd, at, piece_of(n));

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        at += put;
        n -= (size_t)put;
    }
    return true;
}

/* False with errno set. */
static bool write_file(const struct cache *c, const char *name, const struct header *h, const char *body)
{
    char temporary[NAME_BYTES + 32];
    bool ok;
    int fd;

    snprintf(temporary, sizeof(temporary), "%s.%d", name, (int)getpid());
    unlinkat(c->dir, temporary, 0); /* left by a process of the same number */
    fd = openat(c->dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    ok = write_all(fd, h, sizeof(*h)) && write_all(fd, body, h->body_bytes) && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    ok = ok && renameat(c->dir, temporary, c->dir, name) == 0;
    if (!ok) {
        int why = errno;

        unlinkat(c->dir, temporary, 0);
        errno = why;
    }
    return ok;
}

void cache_store(struct cache *c, const struct cache_key *key, const hs_database_t *db)
{
    struct header h = {.magic = MAGIC, .version = FORMAT_VERSION, .header_bytes = sizeof(h)};
    char name[NAME_BYTES], *body = NULL;
    size_t bytes = 0;

    if (c->dir < 0 || c->read_only)
        return;
    if (hs_serialize_database(db, &body, &bytes) != HS_SUCCESS || bytes > DATABASE_MAX)
        goto out;
    h.body_bytes = bytes;
    memcpy(h.key, key->bytes, sizeof(h.key));
    if (!digest(h, body, h.digest))
        goto out;
    file_name(key, name);
    if (write_file(c, name, &h, body)) {
        c->n_stored++;
        goto out;
    }
    log_warning("rules", "compiled rules cannot be kept in the cache: %s; the next start compiles them again",
                strerror(errno));
    c->read_only = true; /* once is enough to say */
out:
    free(body); /* hs_serialize_database() takes it from malloc() unless told otherwise */
}
