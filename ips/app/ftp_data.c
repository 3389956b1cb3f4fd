/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FTP's data connections: the bytes of one file, or of a listing, from one end to the other.
 *
 * Nobody recognises one by its bytes: the control connection has said that it comes, and left a note with the command
 * and the end of the file's name. One direction carries bytes. When the other one does, too, this is no data connection,
 * whatever the control connection said: an event, because a server could have named a port of another service, to
 * have it looked at as a file; from there on it is recognised like any other.
 *
 * Worker thread. Owns the body.
 */
#include "ips/app/body.h"
#include "ips/app/ftp_parts.h"
#include "ips/app/table.h"

struct ftp_data {
    struct body body;
    struct app_tx tx;
    uint8_t verb; /* enum ftp_verb; 0: the command is not known */
    uint8_t dir;  /* enum app_dir of the bytes */
    bool open;
    uint8_t name_len;
    uint8_t name[64]; /* its end */
};

static void put_command(struct app *a, struct ftp_data *d, struct app_tx *tx)
{
    if (d->verb == FTP_STOR || d->verb == FTP_RETR)
        app_put_number(a, tx, BUF_FTPDATA_COMMAND, d->verb == FTP_STOR);
}

static bool begin(struct app *a, struct ftp_data *d, enum app_dir dir)
{
    struct span note = app_expected(a);
    struct body_about about = {.dir = dir,
                               .buffers = {BUF_FILE_DATA},
                               .n_buffers = 1,
                               .depth = app_limits(a)->file_depth,
                               .name = span_sub(note, 1, sizeof(d->name))};

    d->verb = note.len > 0 ? note.p[0] : 0;
    d->name_len = (uint8_t)about.name.len;
    if (d->name_len > 0)
        memcpy(d->name, about.name.p, d->name_len);
    d->dir = (uint8_t)dir;
    d->open = true;
    about.file = d->verb != FTP_LIST;
    app_tx_open(a, &d->tx);
    put_command(a, d, &d->tx);
    return body_begin(a, &d->body, &d->tx, &about);
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct ftp_data *d = state;

    if (in->bytes.len > 0 && d->open && d->dir != in->dir) {
        app_event(a, AN_FTP_DATA_BOTH_WAYS);
        app_switch(a, 0, APP_N);
        return APP_SWITCH;
    }
    if (in->bytes.len > 0 && !d->open && !begin(a, d, (enum app_dir)in->dir))
        return APP_OK;
    if (!body_add(a, &d->body, &d->tx, in->bytes))
        return APP_OK;
    if (in->end && d->open && d->dir == in->dir)
        (void)(body_end(a, &d->body, &d->tx, true) &&
               app_inspect(a, &d->tx, (enum app_dir)d->dir,
                           true)); /* nothing is left to do when it is dropped */
    return APP_OK;
}

static void close_flow(struct app *a, void *state)
{
    struct ftp_data *d = state;

    if (!d->open)
        return;
    (void)body_end(a, &d->body, &d->tx, false);
    app_tx_close(a, &d->tx);
    body_free(a, &d->body);
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct ftp_data *d = state;

    put_command(a, d, tx);
    body_show(a, &d->body, tx);
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    const struct ftp_data *d = state;

    if (d->verb == FTP_STOR || d->verb == FTP_RETR)
        fields_word(f, "command", d->verb == FTP_STOR ? "STOR" : "RETR");
    if (d->name_len > 0)
        fields_text(f, "filename", span_of(d->name, d->name_len));
}

const struct app_parser parser_ftp_data = {
    .proto = APP_FTP_DATA,
    .tcp = true,
    .state_bytes = sizeof(struct ftp_data),
    .take = take,
    .close = close_flow,
    .show = show,
    .fields = fields,
    .object = "ftp_data",
};
