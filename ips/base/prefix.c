/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prefixes: text to numbers and back, and lists from files.
 *
 * A prefix is text: "10.0.0.0/8", "2001:db8::/32", or an address alone for a host. Bits behind the prefix length are
 * cleared, so "10.1.2.3/8" is 10.0.0.0/8. Text that is not exactly an address and a decimal length is refused, and so
 * is an IPv4 address in the dress of IPv6, which no packet carries.
 *
 * A list is a heap array that grows by doubling and is sorted once it is complete, so that a list of a million, with
 * duplicates, costs a sort and no lookups. ipsd reads files with this and so does ipsctl, which is why a mistake has the
 * same words in both. Owns nothing but what prefix_list_fini() frees.
 */
#include "ips/base/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    int af;
    uint8_t bits;
} families[] = {{AF_INET, 32}, {AF_INET6, 128}};

static const char *const side_names[] = {[PREFIX_SRC] = "src", [PREFIX_DST] = "dst", [PREFIX_BOTH] = "both"};
#define N_SIDES (sizeof(side_names) / sizeof(side_names[0]))

/* A decimal number of 1 to 3 digits without sign, blank or leading zero, at most max. */
static bool parse_length(const char *s, uint8_t max, uint8_t *out)
{
    unsigned v = 0;
    size_t n = strlen(s);

    if (n < 1 || n > 3 || (n > 1 && s[0] == '0'))
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        v = v * 10 + (unsigned)(*s - '0');
    }
    *out = (uint8_t)v;
    return v <= max;
}

static void clear_host_bits(struct prefix *p)
{
    for (unsigned byte = 0; byte < sizeof(p->addr); byte++) {
        unsigned kept = p->bits > byte * 8 ? p->bits - byte * 8 : 0;

        if (kept < 8)
            p->addr[byte] &= (uint8_t)(0xff00 >> kept);
    }
}

int prefix_parse(const char *text, struct prefix *p, struct err *e)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char addr[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    uint8_t bits;

    *p = (struct prefix){.family = strchr(text, ':') ? 1 : 0, .sides = PREFIX_SRC};
    bits = families[p->family].bits;
    if (n < sizeof(addr)) {
        memcpy(addr, text, n);
        addr[n] = '\0';
    }
    if (n >= sizeof(addr) || inet_pton(families[p->family].af, addr, p->addr) != 1) {
        err_set(e, -EINVAL, "\"%.64s\" is not an IPv4 or IPv6 prefix", text);
        err_remedy(e, "write an address or address/length, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32");
        return -EINVAL;
    }
    p->bits = bits;
    if (slash && !parse_length(slash + 1, bits, &p->bits)) {
        err_set(e, -EINVAL, "\"%.64s\": the prefix length is not a number from 0 to %u", text, bits);
        err_remedy(e, "write %s/%u for this one address", addr, bits);
        return -EINVAL;
    }
    /* No packet carries such an address, so the entry would do nothing. */
    if (p->family == 1 && p->bits >= 96 && memcmp(p->addr, mapped, sizeof(mapped)) == 0) {
        err_set(e, -EINVAL, "\"%.64s\" is an IPv4 address written as IPv6", text);
        err_remedy(e, "write it as IPv4");
        return -EINVAL;
    }
    clear_host_bits(p);
    return 0;
}

bool prefix_side_read(const char *word, uint8_t *side)
{
    for (size_t i = PREFIX_SRC; i < N_SIDES; i++)
        if (strcmp(side_names[i], word) == 0) {
            *side = (uint8_t)i;
            return true;
        }
    return false;
}

const char *prefix_side_name(uint8_t sides)
{
    return sides < N_SIDES && side_names[sides] != NULL ? side_names[sides] : "";
}

int prefix_parse_sided(const char *text, uint8_t side, struct prefix *p, struct err *e)
{
    char copy[PREFIX_LINE_MAX], *rest, *word, *behind, *more;
    int rc;

    snprintf(copy, sizeof(copy), "%s", text);
    word = strtok_r(copy, " \t", &rest);
    behind = word != NULL ? strtok_r(NULL, " \t", &rest) : NULL;
    more = behind != NULL ? strtok_r(NULL, " \t", &rest) : NULL;
    rc = prefix_parse(word != NULL ? word : "", p, e);
    if (rc < 0)
        return rc;
    p->sides = side;
    if (behind == NULL || (more == NULL && prefix_side_read(behind, &p->sides)))
        return 0;
    err_set(e, -EINVAL, "\"%.64s\": what stands behind the prefix is not a side", text);
    err_remedy(e, "write src, dst or both behind it, or nothing");
    return -EINVAL;
}

const char *prefix_format(const struct prefix *p, char *buf)
{
    char addr[INET6_ADDRSTRLEN] = "";

    inet_ntop(families[p->family].af, p->addr, addr, sizeof(addr));
    snprintf(buf, PREFIX_TEXT_MAX, "%s/%u", addr, p->bits);
    return buf;
}

int prefix_cmp(const struct prefix *a, const struct prefix *b)
{
    int c = (int)a->family - (int)b->family;

    if (c == 0)
        c = memcmp(a->addr, b->addr, sizeof(a->addr));
    return c != 0 ? c : (int)a->bits - (int)b->bits;
}

/* --- lists ------------------------------------------------------------------------------------------------ */

int prefix_list_add(struct prefix_list *l, const struct prefix *p, struct err *e)
{
    if (l->n == PREFIX_LIST_MAX) {
        err_set(e, -ENOSPC, "the list has more than %d prefixes", PREFIX_LIST_MAX);
        return err_remedy(e, "join neighbours into shorter prefixes"), -ENOSPC;
    }
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        struct prefix *v = realloc(l->v, cap * sizeof(*v));

        if (v == NULL)
            return err_set(e, -ENOMEM, "no memory for a list of %zu prefixes", cap);
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = *p;
    return 0;
}

void prefix_list_fini(struct prefix_list *l)
{
    free(l->v);
    *l = (struct prefix_list){.n = 0};
}

static int compare(const void *a, const void *b)
{
    return prefix_cmp(a, b);
}

void prefix_list_sort(struct prefix_list *l)
{
    size_t n = 0;

    if (l->n == 0)
        return;
    qsort(l->v, l->n, sizeof(*l->v), compare);
    for (size_t i = 1; i < l->n; i++) {
        if (prefix_cmp(&l->v[n], &l->v[i]) == 0)
            l->v[n].sides |= l->v[i].sides;
        else
            l->v[++n] = l->v[i];
    }
    l->n = n + 1;
}

static FILE *open_list(const char *path, struct err *e)
{
    FILE *f = fopen(path, "re");
    struct stat st;

    if (f == NULL) {
        err_sys(e, -errno, "cannot read the list %s", path);
        err_remedy(e, "name a file of prefixes, one a line, that may be read here");
        return NULL;
    }
    if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode)) {
        err_set(e, -EISDIR, "%s is a directory", path);
        err_remedy(e, "name a file of prefixes, one a line");
        fclose(f);
        return NULL;
    }
    return f;
}

/* One line without its comment; an empty one is none. */
static int take_line(struct prefix_list *l, char *line, uint8_t side, struct err *e)
{
    struct prefix p;
    int rc;

    line[strcspn(line, "#\r\n")] = '\0';
    if (line[strspn(line, " \t")] == '\0')
        return 0;
    rc = prefix_parse_sided(line, side, &p, e);
    return rc < 0 ? rc : prefix_list_add(l, &p, e);
}

static int not_a_line(struct err *e)
{
    err_set(e, -EINVAL, "a line of more than %d bytes, or with a NUL byte", PREFIX_LINE_MAX - 2);
    return err_remedy(e, "write one prefix a line, as plain text"), -EINVAL;
}

int prefix_list_read(struct prefix_list *l, const char *path, uint8_t side, struct err_list *errs)
{
    struct err e = {.code = 0};
    char line[PREFIX_LINE_MAX];
    FILE *f = open_list(path, &e);
    int number = 0, code = 0;
    size_t named = 0;

    if (f == NULL) {
        err_list_add(errs, &e);
        return e.code;
    }
    while (code != -ENOMEM && code != -ENOSPC && fgets(line, sizeof(line), f) != NULL) {
        bool whole = strchr(line, '\n') != NULL || feof(f);
        int rc;

        number++;
        e = (struct err){.code = 0};
        rc = whole ? take_line(l, line, side, &e) : not_a_line(&e);
        if (rc < 0) {
            code = rc;
            err_at(&e, path, number, 0);
            if (named++ < PREFIX_ERRS_MAX)
                err_list_add(errs, &e);
            else
                errs->n_dropped++;
        }
        while (!whole && fgets(line, sizeof(line), f) != NULL)
            whole = strchr(line, '\n') != NULL;
    }
    if (ferror(f)) {
        code = err_sys(&e, -EIO, "cannot read the list %s", path);
        err_list_add(errs, &e);
    }
    fclose(f);
    return code;
}
