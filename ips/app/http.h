/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_HTTP_H
#define SLUICE_APP_HTTP_H
/*
 * What HTTP/1 and HTTP/2 have in common: header fields and request targets, and the buffers that rules know of them. A
 * parser takes a message off the wire; here it becomes what Suricata and Snort call it.
 *
 *     struct http_fields in a message's memory, zeroed: it has none
 *     http_fields_line()    the first line, for http.start (HTTP/1)
 *     http_fields_add()     each field, in order, without white space around name and value
 *     http_fields_finish()  when all are there: repeated ones are joined, the made-up buffers are built
 *     http_fields_put()     puts all buffers that come of fields, http_fields_put_each() the last of them; then
 *                           app_inspect(). show() calls them again
 *     http_fields_free()
 *
 * Spans that are returned lie in the fields' own memory and stay as they are until the next add or free. False
 * always means that no memory was left (memory.h). Worker thread.
 */
#include "ips/app/memory.h"

/* Fields that something asks for by name. */
#define HTTP_IDS_TABLE(X)                                                   \
    X(COOKIE, "cookie", HTTP_COOKIE, PAYLOAD)                               \
    X(SET_COOKIE, "set-cookie", PAYLOAD, HTTP_COOKIE)                       \
    X(HOST, "host", PAYLOAD, PAYLOAD)                                       \
    X(USER_AGENT, "user-agent", HTTP_USER_AGENT, PAYLOAD)                   \
    X(REFERER, "referer", HTTP_REFERER, PAYLOAD)                            \
    X(ACCEPT, "accept", HTTP_ACCEPT, PAYLOAD)                               \
    X(ACCEPT_ENCODING, "accept-encoding", HTTP_ACCEPT_ENC, PAYLOAD)         \
    X(ACCEPT_LANGUAGE, "accept-language", HTTP_ACCEPT_LANG, PAYLOAD)        \
    X(CONNECTION, "connection", HTTP_CONNECTION, HTTP_CONNECTION)           \
    X(CONTENT_LENGTH, "content-length", HTTP_CONTENT_LEN, HTTP_CONTENT_LEN) \
    X(CONTENT_TYPE, "content-type", HTTP_CONTENT_TYPE, HTTP_CONTENT_TYPE)   \
    X(SERVER, "server", PAYLOAD, HTTP_SERVER)                               \
    X(LOCATION, "location", PAYLOAD, HTTP_LOCATION)                         \
    X(TRANSFER_ENCODING, "transfer-encoding", PAYLOAD, PAYLOAD)             \
    X(CONTENT_ENCODING, "content-encoding", PAYLOAD, PAYLOAD)               \
    X(CONTENT_DISPOSITION, "content-disposition", PAYLOAD, PAYLOAD)         \
    X(UPGRADE, "upgrade", PAYLOAD, PAYLOAD)                                 \
    X(EXPECT, "expect", PAYLOAD, PAYLOAD)                                   \
    X(AUTHORIZATION, "authorization", PAYLOAD, PAYLOAD)                     \
    X(FORWARDED_FOR, "x-forwarded-for", HTTP_TRUE_IP, PAYLOAD)              \
    X(TRUE_CLIENT_IP, "true-client-ip", HTTP_TRUE_IP, PAYLOAD)

enum http_id {
    HTTP_OTHER,
#define X(id, name, request, response) HTTP_##id,
    HTTP_IDS_TABLE(X)
#undef X
        HTTP_IDS
};

struct http_header {   /* "Name: value" in text, with one blank and its CRLF behind */
    uint32_t at;       /* of the name */
    uint32_t name_len; /* the value begins two bytes behind the name */
    uint32_t value_len;
    uint32_t id : 8, hash : 24; /* enum http_id; of the name in lower case */
};

struct http_part { /* of made */
    uint32_t at, len;
};

struct http_fields {
    struct bytes
        text; /* the first line with CRLF, if there is one; "Name: value" CRLF of each; at the end CRLF */
    struct bytes rows;            /* struct http_header */
    struct bytes made;            /* what was made of them */
    uint32_t first;               /* in text: where the fields begin */
    uint32_t n;                   /* rows */
    uint64_t names;               /* bit by hash of the names that are there */
    uint32_t ids;                 /* bit by enum http_id of those that are there */
    struct http_part block, list; /* http.header, where it is not text itself; http.header_names */
    bool repeated;                /* a name came again, as it seems */
    bool joined;                  /* one did */
    bool finished;
};

bool http_fields_line(struct app *a, struct http_fields *f, struct span line);
bool http_fields_add(struct app *a, struct http_fields *f, struct span name, struct span value);
/* The last value goes on: a folded line. */
bool http_fields_fold(struct app *a, struct http_fields *f, struct span more);
/* The last one was none: its value goes behind *value. */
bool http_fields_take_back(struct app *a, struct http_fields *f, struct bytes *value);
/* Whether the last one has a name. */
bool http_fields_last_named(const struct http_fields *f);
bool http_fields_finish(struct app *a, struct http_fields *f, enum app_dir dir);
/* Buffers of both directions' kind (http.header ...) and of the direction's own, or only the latter. */
void http_fields_put(struct app *a, const struct http_fields *f, struct app_tx *tx, enum app_dir dir,
                     bool all);
/* http.request_header or http.response_header: each field. Last of all, because they may be more than a view can hold. */
void http_fields_put_each(struct app *a, const struct http_fields *f, struct app_tx *tx, enum app_dir dir);
/* p is NULL when there is none. A repeated one's values are joined by ", " when all are finished. */
struct span http_fields_find(const struct http_fields *f, enum http_id id);
/* The next field of that kind from row *at (0 at first) on. */
bool http_fields_each(const struct http_fields *f, enum http_id id, uint32_t *at, struct span *value);
/* http.header as a whole. */
struct span http_fields_block(const struct http_fields *f);
void http_fields_free(struct app *a, struct http_fields *f);
enum http_id http_id_of(struct span name);

/* --- request targets ------------------------------------------------------------------------------------------------ */

struct http_uri {
    struct span norm; /* http.uri: in room, or in the target itself */
    struct span host; /* of an absolute target, without port and user; as sent */
    struct span port; /* digits behind the host's ':' */
    bool absolute;
};
/* What a server would make of the target, once, and its oddities as events. *room holds norm. */
bool http_uri_normalise(struct app *a, struct span target, struct bytes *room, struct http_uri *u);

/* A character as the byte that IIS takes it for; '?': none. */
uint8_t http_best_fit(uint32_t c);

/* host[:port], [v6]:port. False: it is no valid one; *host is then all of it. */
bool http_host_split(struct span authority, struct span *host, struct span *port);
/* http.host and http.host.raw of an authority (several, with commas between them, are as many instances); *room holds what
 * had to be lower-cased. */
bool http_host_lower(struct app *a, struct span host, struct bytes *room, struct span *lower);

/* --- small words ------------------------------------------------------------------------------------------------------ */

static inline bool http_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct span http_trim(struct span s);                /* blanks and tabs at both ends */
bool http_word_is(struct span s, const char *lower); /* without regard to case */
/* The next of a list with commas, without blanks; false behind the last. */
bool http_list_next(struct span *rest, struct span *one);
/* The word somewhere in s, without regard to case and to NULs, as lenient receivers read it. *exact: it is all of s. */
bool http_has_word(struct span s, const char *lower, bool *exact);
struct body_about;
/* One word of Content-Encoding or Transfer-Encoding. False: it is no coding that is known. *odd is set when it is known
 * only to the lenient. One too many for struct body_about is counted in n_codings alone: body_begin() says so. */
bool http_coding_add(struct span word, struct body_about *about, bool *odd);
#endif
