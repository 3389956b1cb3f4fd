/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOG_JSON_H
#define SLUICE_LOG_JSON_H
/*
 * JSON text written straight into a growing buffer (RFC 8259): no tree, no copies. The caller opens and
 * closes objects and arrays in the right order; commas are the writer's business. A key of NULL writes an
 * array's element. When memory is out, `failed` is set, later calls do nothing, and the caller cuts back to
 * where it began. One thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ips/base/span.h"

struct json_writer {
    char *p;
    size_t len, cap;
    bool comma; /* the next key or element is not the first */
    bool failed;
};

void json_writer_fini(struct json_writer *w);
void json_write_raw(struct json_writer *w, const char *s, size_t len);
void json_write_open(struct json_writer *w, const char *key, char bracket); /* '{' or '[' */
void json_write_close(struct json_writer *w, char bracket);                 /* '}' or ']' */
void json_write_uint(struct json_writer *w, const char *key, uint64_t v);
void json_write_bool(struct json_writer *w, const char *key, bool v);
void json_write_str(struct json_writer *w, const char *key, const char *s);
/* Valid UTF-8 stands as it is; else every byte that is not printable ASCII is written as the text \xNN. */
void json_write_text(struct json_writer *w, const char *key, struct span s);
void json_write_hex(struct json_writer *w, const char *key, struct span s); /* lower-case */
/* Bytes for the eye: printable ASCII, CR and LF stay, every other byte becomes '.'. */
void json_write_printable(struct json_writer *w, const char *key, struct span s);
void json_write_base64(struct json_writer *w, const char *key, struct span s);
#endif
