/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors as the operator reads them, and lists of them.
 *
 * A struct err belongs to whoever declared it and owns no memory, so it can be copied, returned and
 * forgotten. An err_list owns one heap array and dies in err_list_fini(). When memory is out, or the list has
 * ERR_LIST_MAX entries, further errors are counted in n_dropped instead of kept: the number shown is still
 * true.
 *
 * Any thread; no shared state. Texts that do not fit are cut at the buffer's end, never overrun.
 */
#include "ips/base/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void err_reset(struct err *e, int code)
{
    e->code = code;
    e->text[0] = e->remedy[0] = e->file[0] = '\0';
    e->line = e->column = 0;
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    va_list ap;

    if (e == NULL)
        return code;
    err_reset(e, code);
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    return code;
}

int err_sys(struct err *e, int code, const char *fmt, ...)
{
    va_list ap;
    char why[128];
    size_t at;

    if (e == NULL)
        return code;
    err_reset(e, code);
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    at = strlen(e->text);
    /* GNU strerror_r: returns the text, which may or may not be in the buffer given */
    snprintf(e->text + at, sizeof(e->text) - at, ": %s", strerror_r(-code, why, sizeof(why)));
    return code;
}

void err_at(struct err *e, const char *file, int line, int column)
{
    if (e == NULL)
        return;
    snprintf(e->file, sizeof(e->file), "%s", file);
    e->line = line;
    e->column = column;
}

void err_remedy(struct err *e, const char *fmt, ...)
{
    va_list ap;

    if (e == NULL)
        return;
    va_start(ap, fmt);
    vsnprintf(e->remedy, sizeof(e->remedy), fmt, ap);
    va_end(ap);
}

const char *err_format(const struct err *e, char *buf, size_t size)
{
    size_t at = 0;

    if (size == 0)
        return "";
    buf[0] = '\0';
    if (e->file[0] != '\0') {
        snprintf(buf, size, "%s:", e->file);
        at = strlen(buf);
        if (e->line > 0) {
            snprintf(buf + at, size - at, "%d:", e->line);
            at = strlen(buf);
        }
        if (e->line > 0 && e->column > 0) {
            snprintf(buf + at, size - at, "%d:", e->column);
            at = strlen(buf);
        }
        snprintf(buf + at, size - at, " ");
        at = strlen(buf);
    }
    snprintf(buf + at, size - at, "%s%s%s", e->text, e->remedy[0] != '\0' ? "; " : "", e->remedy);
    return buf;
}

void err_list_init(struct err_list *l)
{
    memset(l, 0, sizeof(*l));
}

void err_list_add(struct err_list *l, const struct err *e)
{
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 16 : l->cap * 2;
        struct err *v = NULL;

        if (cap > ERR_LIST_MAX)
            cap = ERR_LIST_MAX;
        if (cap > l->cap)
            v = realloc(l->v, cap * sizeof(*v));
        if (v == NULL) {
            l->n_dropped++;
            return;
        }
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = *e;
}

void err_list_fini(struct err_list *l)
{
    free(l->v);
    err_list_init(l);
}

void err_list_print(const struct err_list *l, FILE *out)
{
    char line[1100];

    for (size_t i = 0; i < l->n; i++)
        fprintf(out, "%s\n", err_format(&l->v[i], line, sizeof(line)));
    if (l->n_dropped > 0)
        fprintf(out, "and %zu more errors that are not shown\n", l->n_dropped);
}
