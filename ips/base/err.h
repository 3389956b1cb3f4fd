/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H
/*
 * What went wrong, on what, why, and what to do: one error as the operator will read it.
 *
 * Control-plane functions return 0 or -errno and fill the caller's struct err. The text is one sentence, or two
 * clauses "what; remedy". An error from a text file carries file:line:column. A err_list gathers
 * all errors of a file so that one pass shows all of them. Any thread; no shared state.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

struct err {
    int code;         /* negative errno; 0 when nothing went wrong */
    char text[480];   /* "what, on what, why" without a final full stop */
    char remedy[240]; /* what to do about it; may be empty */
    char file[256];   /* empty when the error has no place in a text */
    int line, column; /* from 1; 0 when unknown */
};

/* Fill e (which may be NULL) and return code, so that `return err_set(e, -EINVAL, ...)` reads well.
 * A ';' is not special: give the remedy with err_remedy(). */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Like err_set, and appends ": " and strerror(-code). */
int err_sys(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void err_at(struct err *e, const char *file, int line, int column);
void err_remedy(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "file:line:column: text; remedy" into buf; returns buf. */
const char *err_format(const struct err *e, char *buf, size_t size);

struct err_list {
    struct err *v; /* heap, owned by the list */
    size_t n, cap;
    size_t n_dropped; /* errors beyond the limit, counted and not kept */
};

#define ERR_LIST_MAX 10000 /* a hostile file must not fill memory with complaints */

void err_list_init(struct err_list *l);
void err_list_add(struct err_list *l, const struct err *e);
void err_list_fini(struct err_list *l);
void err_list_print(const struct err_list *l, FILE *out);
#endif
