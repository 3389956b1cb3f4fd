/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Session descriptions (RFC 8866): what a call's two ends agree on, as lines "x=value".
 *
 * The description is looked for in whatever a SIP message carries, whatever its Content-Type says, from the first line
 * that begins with "v=" on: a phone that finds one among the parts of a multipart body reads it there, too. It ends
 * with the first line that is not of its form. Some letters mean another buffer behind an "m=" line than in front
 * of the first one; attributes and bandwidths are the same in both places.
 *
 * Worker thread. Owns nothing: spans into the body.
 */
#include "ips/app/sip_parts.h"

#define SDP_LINES_MAX 1024

static const struct sdp_row {
    char letter;
    uint8_t buffer, in_media; /* enum buffer_id; BUF_N: none */
    const char *key;          /* in EVE, of the session's own lines */
} rows[] = {
    {'o', BUF_SDP_ORIGIN, BUF_N, "origin"},
    {'s', BUF_SDP_SESSION_NAME, BUF_N, "session_name"},
    {'i', BUF_SDP_SESSION_INFO, BUF_SDP_MEDIA_INFO, "session_info"},
    {'u', BUF_SDP_URI, BUF_N, "uri"},
    {'e', BUF_SDP_EMAIL, BUF_N, "email"},
    {'p', BUF_SDP_PHONE_NUMBER, BUF_N, "phone_number"},
    {'c', BUF_SDP_CONNECTION_DATA, BUF_SDP_MEDIA_CONNECTION, "connection_data"},
    {'b', BUF_SDP_BANDWIDTH, BUF_SDP_BANDWIDTH, NULL},
    {'t', BUF_SDP_TIME, BUF_SDP_TIME, "time"},
    {'r', BUF_SDP_REPEAT_TIME, BUF_SDP_REPEAT_TIME, NULL},
    {'z', BUF_SDP_TIMEZONE, BUF_N, "timezone"},
    {'k', BUF_SDP_ENCRYPTION_KEY, BUF_SDP_MEDIA_KEY, "encryption_key"},
    {'a', BUF_SDP_ATTRIBUTE, BUF_SDP_ATTRIBUTE, NULL},
    {'m', BUF_SDP_MEDIA, BUF_SDP_MEDIA, NULL},
};

struct sdp_at { /* a walk over the lines */
    struct span rest;
    bool began, media;
    unsigned lines;
};

/* The next line's row and value; NULL: the description is over. */
static const struct sdp_row *next(struct sdp_at *at, struct span *value)
{
    struct span line;

    while (lines_next(&at->rest, &line)) {
        line = lines_trim(line);
        if (!at->began) {
            at->began = lines_begins(line, "v=");
            continue;
        }
        if (line.len < 2 || line.p[1] != '=' || ++at->lines > SDP_LINES_MAX)
            return NULL;
        at->media |= line.p[0] == 'm';
        *value = lines_trim(span_sub(line, 2, line.len));
        for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
            if (rows[i].letter == (char)line.p[0])
                return &rows[i];
    }
    return NULL;
}

void sdp_put(struct app *a, struct app_tx *tx, struct span body)
{
    struct sdp_at at = {.rest = body};
    const struct sdp_row *row;
    struct span value;

    while ((row = next(&at, &value))) {
        uint8_t b = at.media ? row->in_media : row->buffer;

        if (b != (uint8_t)BUF_N)
            app_put(a, tx, (enum buffer_id)b, value);
    }
}

/* The lines with one letter, as a list of texts. */
static void list(struct span body, struct fields *f, char letter, const char *key)
{
    struct sdp_at at = {.rest = body};
    const struct sdp_row *row;
    struct span value;
    bool open = false;

    while ((row = next(&at, &value))) {
        if (row->letter != letter)
            continue;
        if (!open)
            fields_list(f, key);
        open = true;
        fields_text(f, NULL, value);
    }
    if (open)
        fields_close(f);
}

void sdp_fields(struct span body, struct fields *f)
{
    struct sdp_at at = {.rest = body};
    const struct sdp_row *row = next(&at, &(struct span){0});
    struct span value;

    if (!row)
        return;
    fields_object(f, "sdp");
    at = (struct sdp_at){.rest = body};
    while ((row = next(&at, &value)))
        if (row->key && !at.media)
            fields_text(f, row->key, value);
    list(body, f, 'b', "bandwidths");
    list(body, f, 'a', "attributes");
    list(body, f, 'm', "media_descriptions");
    fields_close(f);
}
