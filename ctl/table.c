/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables for people: heads, cells row by row, columns as wide as needed.
 *
 * A table owns copies of its cells and dies when it is printed. A column whose cells are all digits is set to the
 * right, the last column is never padded. Cells are cleaned of control characters. When memory is out the
 * program says so and ends: it has nothing else to do.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

#define COLUMNS_MAX 16

struct table {
    const char *const *heads;
    unsigned n_columns;
    char **cells; /* row after row */
    size_t n, cap;
};

static void *need(void *p)
{
    if (p == NULL) {
        fputs("ipsctl: out of memory\n", stderr);
        exit(1);
    }
    return p;
}

struct table *table_new(const char *const *heads, unsigned n_columns)
{
    struct table *t = need(calloc(1, sizeof(*t)));

    t->heads = heads;
    t->n_columns = n_columns < COLUMNS_MAX ? n_columns : COLUMNS_MAX;
    return t;
}

static void clean(char *s)
{
    for (; *s != '\0'; s++)
        if (iscntrl((unsigned char)*s))
            *s = '?';
}

void table_cell(struct table *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 64 : t->cap * 2;
        t->cells = need(realloc(t->cells, t->cap * sizeof(*t->cells)));
    }
    va_start(ap, fmt);
    n = vasprintf(&t->cells[t->n], fmt, ap);
    va_end(ap);
    if (n < 0)
        need(NULL);
    clean(t->cells[t->n++]);
}

static bool is_number(const char *s)
{
    return s[0] != '\0' && s[strspn(s, "0123456789-")] == '\0';
}

static void print_row(const struct table *t, char *const *cells, const int *widths, FILE *out)
{
    for (unsigned c = 0; c < t->n_columns; c++) {
        const char *gap = c > 0 ? "  " : "";

        if (c + 1 == t->n_columns && widths[c] >= 0)
            fprintf(out, "%s%s\n", gap, cells[c]);
        else /* a negative width sets the cell to the right */
            fprintf(out, "%s%*s%s", gap, -widths[c], cells[c], c + 1 == t->n_columns ? "\n" : "");
    }
}

void table_print(struct table *t, const char *indent, FILE *out)
{
    int widths[COLUMNS_MAX];

    for (unsigned c = 0; c < t->n_columns; c++) {
        bool numbers = t->n >= t->n_columns;

        widths[c] = (int)strlen(t->heads[c]);
        for (size_t i = c; i < t->n; i += t->n_columns) {
            if ((int)strlen(t->cells[i]) > widths[c])
                widths[c] = (int)strlen(t->cells[i]);
            numbers = numbers && is_number(t->cells[i]);
        }
        if (numbers)
            widths[c] = -widths[c];
    }
    fputs(indent, out);
    print_row(t, (char *const *)t->heads, widths, out);
    for (size_t i = 0; i + t->n_columns <= t->n; i += t->n_columns) {
        fputs(indent, out);
        print_row(t, t->cells + i, widths, out);
    }
    for (size_t i = 0; i < t->n; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
}

void print_clean(FILE *out, const char *s)
{
    for (; *s != '\0'; s++)
        fputc(iscntrl((unsigned char)*s) ? '?' : *s, out);
}
