/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dataset files, read whole and written anew.
 *
 * The format is Suricata's (rules/datasets.rst), so its files can be used as they are. A bad line is reported with its
 * number and left out; the others count. Lines that begin with '#' and empty ones say nothing.
 *
 * Control threads. Reading owns one buffer between open and close.
 */
#include "rules/dataset_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rules/source.h"

int dataset_file_open(struct dataset_file *f, const char *path, struct err *e)
{
    struct source s;
    int rc = source_open(&s, path, e);

    *f = (struct dataset_file){.n_lines = 1};
    if (rc != 0)
        return rc;
    f->bytes = s.bytes; /* taken over */
    f->len = s.len;
    s.bytes = NULL;
    source_close(&s);
    for (size_t i = 0; i < f->len; i++)
        f->n_lines += f->bytes[i] == '\n';
    /* a value is never longer than its text; an address has at most 16 bytes; 16 more for each record's head */
    f->value_bytes = f->len + 32ull * f->n_lines + 64;
    return 0;
}

void dataset_file_close(struct dataset_file *f)
{
    free(f->bytes);
    *f = (struct dataset_file){0};
}

/* --- text to bytes, in place: bytes are never more than their text ---------------------------------------------- */

static const char base64_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool from_base64(struct span in, uint8_t *out, uint32_t *n)
{
    uint32_t word = 0, bits = 0, pad = 0;

    *n = 0;
    for (uint32_t i = 0; i < in.len; i++) {
        const char *at = in.p[i] != '\0' ? strchr(base64_letters, in.p[i]) : NULL;

        if (in.p[i] == '=' && ++pad <= 2)
            continue;
        if (at == NULL || pad > 0)
            return false;
        word = word << 6 | (uint32_t)(at - base64_letters);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[(*n)++] = (uint8_t)(word >> bits);
        }
    }
    return in.len % 4 == 0;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool from_hex(struct span in, uint8_t *out, uint32_t *n)
{
    *n = in.len / 2;
    for (uint32_t i = 0; i < *n; i++) {
        int hi = hex_digit(in.p[2 * i]), lo = hex_digit(in.p[2 * i + 1]);

        if (hi < 0 || lo < 0)
            return false;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return in.len % 2 == 0;
}

static bool from_address(struct span in, uint8_t out[16], uint32_t *n)
{
    char text[INET6_ADDRSTRLEN];

    if (in.len >= sizeof(text))
        return false;
    memcpy(text, in.p, in.len);
    text[in.len] = '\0';
    *n = 4;
    if (inet_pton(AF_INET, text, out) == 1)
        return true;
    *n = 16;
    return inet_pton(AF_INET6, text, out) == 1;
}

/* Addresses have a room of their own, digests and strings are written over their text. */
static bool read_value(enum dataset_type type, struct span text, uint8_t room[16], struct span *value)
{
    uint8_t *out = type == DATASET_IPV4 || type == DATASET_IP ? room : (uint8_t *)text.p;
    uint32_t n = 0;
    bool good;

    if (type == DATASET_STRING)
        good = from_base64(text, out, &n);
    else if (type == DATASET_MD5 || type == DATASET_SHA256)
        good = from_hex(text, out, &n);
    else
        good = from_address(text, out, &n);
    *value = span_of(out, n);
    return good;
}

static void report(struct err_list *errs, const char *path, uint32_t line, const char *what,
                   const char *remedy)
{
    struct err e;

    err_set(&e, -EINVAL, "%s", what);
    err_remedy(&e, "%s", remedy);
    err_at(&e, path, (int)line, 1);
    err_list_add(errs, &e);
}

static const char *const usages[DATASET_TYPE_N] = {
    [DATASET_STRING] = "write each string in base64", [DATASET_MD5] = "write 32 hexadecimal digits",
    [DATASET_SHA256] = "write 64 hexadecimal digits", [DATASET_IPV4] = "write an IPv4 address",
    [DATASET_IP] = "write an IPv4 or IPv6 address",
};

/* NULL when the line was read, else what is wrong with it. */
static const char *load_line(struct span text, bool has_rep, struct dataset *d)
{
    struct span rest = text, head, value;
    uint8_t room[16];
    uint64_t rep = 0;

    text_split(&rest, ',', &head);
    if (has_rep && !text_u64(text_trim(rest), UINT16_MAX, &rep))
        return "the line has no reputation from 0 to 65535 behind a comma";
    if (!has_rep && rest.len > 0)
        return "the line has more than one value";
    if (!read_value(dataset_type(d), text_trim(head), room, &value))
        return "the line cannot be read as a value of the dataset's type";
    switch (dataset_add(d, value, (uint16_t)rep)) {
    case DATASET_UNFIT:
        return "the value has the wrong length for the dataset's type";
    case DATASET_FULL:
        return "the dataset is full: this value and maybe others are not in it";
    default:
        return NULL;
    }
}

uint32_t dataset_file_load(struct dataset_file *f, const char *path, bool rep, struct dataset *d,
                           struct err_list *errs)
{
    struct span rest = span_of(f->bytes, f->len), text;
    uint32_t line = 0, n_errors = 0;
    bool more = true;

    while (more) {
        const char *what = NULL;

        more = text_split(&rest, '\n', &text);
        text = text_trim(text);
        line++;
        if (text.len > 0 && text.p[0] != '#')
            what = load_line(text, rep, d);
        if (what == NULL)
            continue;
        report(errs, path, line, what, usages[dataset_type(d)]);
        n_errors++;
    }
    return n_errors;
}

/* --- bytes to text -------------------------------------------------------------------------------------------------- */

static void put_base64(FILE *out, struct span v)
{
    for (uint32_t i = 0; i < v.len; i += 3) {
        uint32_t n = v.len - i < 3 ? v.len - i : 3;
        uint32_t word =
            (uint32_t)v.p[i] << 16 | (n > 1 ? (uint32_t)v.p[i + 1] << 8 : 0) | (n > 2 ? v.p[i + 2] : 0u);

        for (uint32_t j = 0; j < 4; j++)
            fputc(j <= n ? base64_letters[word >> (18 - 6 * j) & 63] : '=', out);
    }
}

static void put_address(FILE *out, struct span v)
{
    static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
    char text[INET6_ADDRSTRLEN];
    bool v4 = v.len == 4 || (v.len == 16 && memcmp(v.p, mapped, 12) == 0);

    if (inet_ntop(v4 ? AF_INET : AF_INET6, v.p + (v4 ? v.len - 4 : 0), text, sizeof(text)) != NULL)
        fputs(text, out);
}

struct saver {
    FILE *out;
    enum dataset_type type;
};

static bool put_line(struct span v, uint16_t rep, void *arg)
{
    struct saver *s = arg;

    (void)rep;
    if (s->type == DATASET_STRING)
        put_base64(s->out, v);
    else if (s->type == DATASET_IPV4 || s->type == DATASET_IP)
        put_address(s->out, v);
    else
        for (uint32_t i = 0; i < v.len; i++)
            fprintf(s->out, "%02x", v.p[i]);
    return fputc('\n', s->out) != EOF;
}

int dataset_file_save(const char *path, const struct dataset *d, struct err *e)
{
    char beside[4096];
    struct saver s = {.type = dataset_type(d)};
    bool good;
    int rc;

    if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >= sizeof(beside))
        return err_set(e, -ENAMETOOLONG, "the name of dataset file %.80s... is too long", path);
    s.out = fopen(beside, "we");
    good = s.out != NULL && dataset_each(d, put_line, &s) && fflush(s.out) == 0 && fsync(fileno(s.out)) == 0;
    rc = good ? 0 : -errno;
    if (s.out != NULL && fclose(s.out) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(beside, path) != 0)
        rc = -errno;
    if (rc == 0)
        return 0;
    if (s.out != NULL)
        unlink(beside);
    err_sys(e, rc, "cannot save dataset file %s", path);
    err_remedy(e, "let the user that ipsd runs as write there, or set detect.state_dir");
    return rc;
}
