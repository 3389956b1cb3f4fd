/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Picks real rules to measure with: the first COUNT rules, in the order of the files given and of their lines, that
 * this build's rule compiler accepts. Writes them to standard output as one rule file. A file is compiled as a
 * whole with errors allowed; what came out of it names the lines that are worth keeping.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/ruleset.h"
#include "tests/bench/wire.h"

static int by_line(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Prints at most `max` of the lines, which are sorted; a rule that spans lines is left out (its line is its last). */
static unsigned print_lines(const char *path, const uint32_t *lines, uint32_t n, unsigned max)
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;
    unsigned printed = 0;
    uint32_t number = 0, next = 0;

    if (!f)
        wire_die("cannot read %s: %s", path, strerror(errno));
    for (ssize_t len; printed < max && next < n && (len = getline(&text, &size, f)) > 0;) {
        if (++number != lines[next])
            continue;
        next++;
        if (strchr(text, '(') && text[len - (text[len - 1] == '\n') - 1] != '\\') {
            fputs(text, stdout);
            printed++;
        }
    }
    free(text);
    fclose(f);
    return printed;
}

static unsigned pick(const char *path, unsigned max)
{
    struct ruleset_source src = {.files = &path, .n_files = 1, .n_workers = 1, .generation = 1};
    struct err_list errs;
    unsigned printed = 0;

    err_list_init(&errs);
    struct ruleset *rs = ruleset_build(&src, &errs);
    err_list_fini(&errs);
    uint32_t n = rs ? ruleset_n_rules(rs) : 0;
    uint32_t *lines = n ? calloc(n, sizeof(*lines)) : NULL;
    if (lines) {
        for (uint32_t i = 0; i < n; i++)
            lines[i] = ruleset_info(rs, i)->line;
        qsort(lines, n, sizeof(*lines), by_line);
        printed = print_lines(path, lines, n, max);
        free(lines);
    }
    if (rs)
        ruleset_free(rs);
    return printed;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        wire_die("usage: bench_pick_rules COUNT FILE...");
    unsigned want = (unsigned)wire_number(argv[1], "COUNT"), got = 0;

    for (int i = 2; i < argc && got < want; i++)
        got += pick(argv[i], want - got);
    if (got < want)
        fprintf(stderr, "bench_pick_rules: only %u of %u rules were found\n", got, want);
    return got ? 0 : 1;
}
