/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rule file from an attacker, up to the drafts: guess of the dialect, lines, header, options, checks; no pattern
 * database is built, so that thousands of files a second go through.
 *
 * The first byte chooses the dialect, the rest is the file. Besides memory errors this checks that the places of
 * errors are inside the file, that each says what to do, that a file without errors lost no rule, and that the same
 * bytes are read the same way twice.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rules/builder.h"
#include "rules/dialect.h"

static int file_fd = -1;
static char file_path[64];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_file(const uint8_t *text, size_t len)
{
    if (file_fd < 0) {
        file_fd = memfd_create("rules", 0);
        snprintf(file_path, sizeof(file_path), "/proc/self/fd/%d", file_fd);
    }
    if (file_fd < 0 || ftruncate(file_fd, 0) != 0 || pwrite(file_fd, text, len, 0) != (ssize_t)len)
        abort();
}

static uint32_t lines_of(const uint8_t *text, size_t len)
{
    uint32_t n = 1;

    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    return n;
}

struct outcome {
    size_t n_rules, n_disabled, n_errors, n_steps;
    uint32_t n_rejected, n_skipped;
};

static void check_errors(const struct err_list *errs, uint32_t n_lines)
{
    for (size_t i = 0; i < errs->n; i++) {
        const struct err *e = &errs->v[i];

        if (e->text[0] == '\0' || e->remedy[0] == '\0' || e->line < 1 || e->column < 1)
            abort();
        if (strcmp(e->file, file_path) == 0 && (uint32_t)e->line > n_lines)
            abort();
    }
}

static struct outcome read_as(uint8_t dialect, uint32_t n_lines)
{
    const char *files[] = {file_path};
    const struct ruleset_source src = {.files = files, .n_files = 1, .n_workers = 1, .dialect = dialect};
    struct err_list errs;
    struct builder *b;
    struct outcome o;
    struct err e = {0};

    err_list_init(&errs);
    b = builder_new(&src, &errs);
    if (b == NULL || builder_load(b, &e) != 0)
        abort();
    check_errors(&errs, n_lines);
    if (errs.n + errs.n_dropped == 0 && b->n_rejected > 0)
        abort(); /* rejected in silence */
    for (size_t i = 0; i < b->n_rules; i++)
        if (((b->rules[i].rule.flags & RULE_DORMANT) != 0) != (b->rules[i].info.dormant != NULL))
            abort();
    o = (struct outcome){.n_rules = b->n_rules,
                         .n_disabled = b->n_disabled,
                         .n_errors = errs.n,
                         .n_steps = b->n_steps,
                         .n_rejected = b->n_rejected,
                         .n_skipped = b->n_skipped};
    builder_free(b, true);
    err_list_fini(&errs);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t n_lines;
    struct outcome once, twice;
    uint8_t dialect;

    if (size == 0)
        return 0;
    dialect = data[0] % (DIALECT_AUTO + 1);
    data++;
    size--;
    if (memmem(data, size, "include", 7) != NULL && memmem(data, size, "/dev", 4) != NULL)
        return 0; /* other files are not this one's to read */
    n_lines = lines_of(data, size);
    put_file(data, size);
    once = read_as(dialect, n_lines);
    if (dialect == DIALECT_AUTO)
        dialect = (uint8_t)dialect_detect(span_of(data, size));
    twice = read_as(dialect, n_lines);
    if (memcmp(&once, &twice, sizeof(once)) != 0)
        abort();
    return 0;
}
