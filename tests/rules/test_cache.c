/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cache of compiled databases: it saves compiling, changes nothing else, and nothing in its directory can make it
 * load what it did not write.
 */
#include "tests/rules/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <utime.h>

#define RULES                                                               \
    "alert tcp any any -> any any (content:\"needle\"; sid:1;)\n"           \
    "alert udp any any -> any any (content:\"haystack\"; nocase; sid:2;)\n" \
    "alert udp any any -> any any (pcre:\"/^[a-f]{3}[0-9]+[x-z]{2}/\"; sid:3;)\n"

static char dir[64];

static int setup(void **state)
{
    snprintf(dir, sizeof(dir), "/tmp/sluice-cache-XXXXXX");
    return mkdtemp(dir) == NULL;
}

/* Calls fn for each file; returns how many there are. */
static unsigned each_file(void (*fn)(const char *path))
{
    DIR *d = opendir(dir);
    const struct dirent *f;
    unsigned n = 0;

    assert_non_null(d);
    while ((f = readdir(d)) != NULL)
        if (f->d_name[0] != '.') {
            char path[400];

            snprintf(path, sizeof(path), "%s/%s", dir, f->d_name);
            if (fn != NULL)
                fn(path);
            n++;
        }
    closedir(d);
    return n;
}

static void remove_file(const char *path)
{
    unlink(path);
    rmdir(path);
}

static int teardown(void **state)
{
    chmod(dir, 0700);
    each_file(remove_file);
    return rmdir(dir);
}

static struct loaded load_cached(const char *text, bool read_only)
{
    return load_source(text, strlen(text),
                       (struct ruleset_source){.cache_dir = dir, .cache_read_only = read_only});
}

/* Loads RULES; they work, and so many databases came from the cache. */
static void assert_loads(uint32_t cached)
{
    struct loaded l = load_cached(RULES, false);
    struct pkt p = {.proto = 6, .payload = "a needle"};

    assert_int_equal(l.errs.n, 0);
    assert_non_null(l.rs);
    assert_int_equal(ruleset_stats(l.rs)->n_databases, 3);
    assert_int_equal(ruleset_stats(l.rs)->n_cached, cached);
    assert_true(rule_matches(l.rs, 1, &p));
    p = (struct pkt){.proto = 17, .payload = "HayStack"};
    assert_true(rule_matches(l.rs, 2, &p));
    assert_false(rule_matches(l.rs, 3, &p));
    p.payload = "abc5xy";
    assert_true(rule_matches(l.rs, 3, &p));
    unload(&l);
}

static void kept_and_found(void **state)
{
    struct loaded l;

    assert_loads(0);
    assert_int_equal(each_file(NULL), 3);
    assert_loads(3);
    assert_int_equal(each_file(NULL), 3);
    /* another case rule is another database; the rest is still known */
    l = load_cached("alert tcp any any -> any any (content:\"needle\"; nocase; sid:1;)\n"
                    "alert udp any any -> any any (content:\"haystack\"; nocase; sid:2;)\n",
                    false);
    assert_int_equal(ruleset_stats(l.rs)->n_cached, 1);
    unload(&l);
    assert_int_equal(each_file(NULL), 4);
}

static void read_only_keeps_nothing(void **state)
{
    struct loaded l = load_cached(RULES, true);

    unload(&l);
    assert_int_equal(each_file(NULL), 0);
    assert_loads(0);
    l = load_cached(RULES, true);
    assert_int_equal(ruleset_stats(l.rs)->n_cached, 3);
    unload(&l);
    l = load(RULES);
    assert_int_equal(ruleset_stats(l.rs)->n_cached, 0);
    unload(&l);
}

/* --- files that are not what they should be ------------------------------------------------------------------ */

static void cut(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2), 0);
}

static void empty(const char *path)
{
    assert_int_equal(truncate(path, 0), 0);
}

static void lengthen(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size + 1), 0);
}

static long flip_at; /* from the end when negative */

static void flip(const char *path)
{
    FILE *f = fopen(path, "r+b");
    int c;

    assert_non_null(f);
    assert_int_equal(fseek(f, flip_at, flip_at < 0 ? SEEK_END : SEEK_SET), 0);
    c = fgetc(f);
    assert_int_not_equal(c, EOF);
    assert_int_equal(fseek(f, -1, SEEK_CUR), 0);
    fputc(c ^ 0x10, f);
    fclose(f);
}

static void writable_by_all(const char *path)
{
    assert_int_equal(chmod(path, 0666), 0);
}

static void linked_twice(const char *path)
{
    char other[420];

    if (strstr(path, "-link") != NULL)
        return;
    snprintf(other, sizeof(other), "%s-link", path);
    assert_int_equal(link(path, other), 0);
}

static void a_directory(const char *path)
{
    unlink(path);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void a_fifo(const char *path)
{
    unlink(path);
    assert_int_equal(mkfifo(path, 0644), 0);
}

static void a_symlink(const char *path)
{
    char other[420];

    snprintf(other, sizeof(other), "%s/.target-of-%s", dir, strrchr(path, '/') + 1);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
}

static void remove_targets(void)
{
    DIR *d = opendir(dir);
    const struct dirent *f;

    while ((f = readdir(d)) != NULL)
        if (strncmp(f->d_name, ".target", 7) == 0)
            unlinkat(dirfd(d), f->d_name, 0);
    closedir(d);
}

static void damaged_files_are_compiled_again(void **state)
{
    static void (*const damage[])(const char *) = {cut, empty, lengthen, writable_by_all, linked_twice};

    for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
        each_file(remove_file);
        assert_loads(0);
        each_file(damage[i]);
        assert_loads(0);
        assert_loads(3); /* and a good one has taken its place */
    }
}

static void what_is_no_file_is_not_followed(void **state)
{
    assert_loads(0);
    each_file(a_symlink);
    assert_loads(0);
    remove_targets();
    assert_int_equal(each_file(NULL), 3);
    each_file(remove_file);
    assert_loads(0);
    each_file(a_fifo);
    assert_loads(0);
    each_file(remove_file);
    assert_loads(0);
    each_file(a_directory);
    assert_loads(0);
}

/* One bit, anywhere: in the magic, the key, the digest, the database's header, its middle, its end. */
static void every_byte_counts(void **state)
{
    static const long places[] = {0, 7, 8, 12, 16, 23, 24, 55, 56, 87, 88, 100, 300, 1000, -1, -100};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        each_file(remove_file);
        assert_loads(0);
        flip_at = places[i];
        each_file(flip);
        assert_loads(0);
    }
}

/* A file whose digest is right but whose database Hyperscan did not write: the last line of defence. */
static void forge(const char *path)
{
    uint8_t file[65536];
    unsigned digest_bytes;
    FILE *f = fopen(path, "r+b");
    size_t n;

    assert_non_null(f);
    n = fread(file, 1, sizeof(file), f);
    assert_true(n > 200 && n < sizeof(file));
    file[n / 2] ^= 1;
    memset(file + 56, 0, 32);
    uint8_t sum[32];
    assert_int_equal(EVP_Digest(file, n, sum, &digest_bytes, EVP_sha256(), NULL), 1);
    memcpy(file + 56, sum, sizeof(sum));
    rewind(f);
    assert_int_equal(fwrite(file, 1, n, f), n);
    fclose(f);
}

static void hyperscan_checks_too(void **state)
{
    assert_loads(0);
    each_file(forge);
    assert_loads(0);
    assert_loads(3);
}

/* Two files that change places: each is good, and neither is the one asked for. */
static void a_file_is_bound_to_its_name(void **state)
{
    char path[3][400], spare[400];
    DIR *d;
    const struct dirent *f;
    int n = 0;

    assert_loads(0);
    d = opendir(dir);
    while ((f = readdir(d)) != NULL)
        if (f->d_name[0] != '.' && n < 3)
            snprintf(path[n++], sizeof(path[0]), "%s/%s", dir, f->d_name);
    closedir(d);
    assert_int_equal(n, 3);
    snprintf(spare, sizeof(spare), "%s/spare", dir);
    assert_int_equal(rename(path[0], spare) | rename(path[1], path[0]) | rename(spare, path[1]), 0);
    assert_loads(1);
}

static void a_directory_others_can_write_to(void **state)
{
    assert_loads(0);
    assert_int_equal(chmod(dir, 0777), 0);
    assert_loads(0);
    assert_int_equal(chmod(dir, 0770), 0);
    assert_loads(0);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_loads(3);
    if (geteuid() == 0) {
        assert_int_equal(chown(dir, 12345, 0), 0);
        assert_loads(0);
        assert_int_equal(chown(dir, 0, 0), 0);
    }
}

static void no_directory(void **state)
{
    rmdir(dir);
    assert_loads(0);
    assert_int_equal(mkdir(dir, 0700), 0);
}

static void age(const char *path)
{
    struct utimbuf old = {.actime = 1000000000, .modtime = 1000000000};

    assert_int_equal(utime(path, &old), 0);
}

static void unused_ones_go(void **state)
{
    struct loaded l = load_cached("alert tcp any any -> any any (content:\"other\"; sid:1;)\n", false);
    char path[160];

    unload(&l);
    snprintf(path, sizeof(path), "%s/%064d.hsdb.77", dir, 0); /* a write that was cut short */
    fclose(fopen(path, "w"));
    snprintf(path, sizeof(path), "%s/unrelated", dir);
    fclose(fopen(path, "w"));
    assert_int_equal(each_file(age), 3);
    assert_loads(0);
    assert_int_equal(each_file(NULL), 4); /* ours, and what is not the cache's to remove */
    each_file(age);
    assert_loads(3); /* being used keeps them */
    assert_int_equal(each_file(NULL), 4);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(kept_and_found),
        TEST(read_only_keeps_nothing),
        TEST(damaged_files_are_compiled_again),
        TEST(what_is_no_file_is_not_followed),
        TEST(every_byte_counts),
        TEST(hyperscan_checks_too),
        TEST(a_file_is_bound_to_its_name),
        TEST(a_directory_others_can_write_to),
        TEST(no_directory),
        TEST(unused_ones_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
