/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SMTP (RFC 5321) with pipelining (2920), chunks (3030) and STARTTLS (3207).
 *
 * A transaction is a mail: HELO, MAIL FROM and RCPT TO are published as they come, then the mail itself, until its end, or
 * the next HELO, MAIL or RSET behind it. What a client sends behind DATA is the mail's text at once, whether the server has
 * agreed or not: a client that does not wait is an event, and when the server refuses, what follows are commands again.
 *
 * After STARTTLS and the server's 220 both directions speak TLS.
 *
 * Worker thread. Owns what struct smtp points to.
 */
#include "ips/app/greeting.h"
#include "ips/app/smtp_parts.h"
#include "ips/app/table.h"

/* --- transactions --------------------------------------------------------------------------------------------------- */

bool smtp_open(struct app *a, struct smtp *s)
{
    if (!s->open) {
        app_tx_open(a, &s->tx);
        s->open = true;
    }
    return true;
}

void smtp_close_tx(struct app *a, struct smtp *s)
{
    if (!s->open)
        return;
    app_tx_close(a, &s->tx);
    s->open = false;
    s->from.len = s->to.len = 0;
    mime_free(a, &s->mime);
}

/* The mail's parser says whether to. */
static void go_on(struct smtp *s, bool on)
{
    s->bad |= s->mime.bad;
    s->dropped |= !on && !s->mime.bad;
}

void smtp_mail_end(struct app *a, struct smtp *s, bool whole)
{
    s->mode = SMTP_COMMANDS;
    go_on(s, s->dropped || mime_end(a, &s->mime, whole));
    if (!s->dropped && !s->bad)
        s->dropped = !app_inspect(a, &s->tx, APP_TO_SERVER, true);
    smtp_close_tx(a, s);
}

static void mail_bytes(struct app *a, struct smtp *s, struct span run)
{
    if (run.len > 0)
        go_on(s, mime_add(a, &s->mime, run));
}

/* --- bytes ---------------------------------------------------------------------------------------------------------- */

static void take_text(struct app *a, struct smtp *s, struct span *in)
{
    bool end = false;

    if (!s->agreed)
        app_event(a, AN_SMTP_PIPELINED);
    while (in->len > 0 && !end && !s->dropped && !s->bad) {
        struct span run;

        end = dots_take(&s->dots, in, &run);
        mail_bytes(a, s, run);
    }
    if (s->dots.odd)
        app_event(a, AN_SMTP_SMUGGLED_END);
    s->dots.odd = false;
    go_on(s, s->dropped || mime_flush(a, &s->mime));
    if (end && !s->dropped && !s->bad) {
        smtp_await(a, s, SMTP_OTHER);
        smtp_mail_end(a, s, true);
    }
}

static void take_chunk(struct app *a, struct smtp *s, struct span *in)
{
    uint32_t n = s->chunk_left < in->len ? (uint32_t)s->chunk_left : in->len;

    mail_bytes(a, s, span_sub(*in, 0, n));
    s->chunk_left -= n;
    *in = span_sub(*in, n, in->len);
    go_on(s, s->dropped || mime_flush(a, &s->mime));
    if (s->chunk_left > 0 || s->dropped || s->bad)
        return;
    s->mode = SMTP_COMMANDS;
    if (s->last_chunk)
        smtp_mail_end(a, s, true);
}

/* One line, or the beginning of one that is too long, whose rest says nothing. */
static void take_line(struct app *a, struct smtp *s, enum app_dir dir, struct span *in)
{
    struct span line;
    enum line_answer answer = line_take(a, &s->line[dir], in, SMTP_LINE_MAX, &line);
    bool cut = s->cut[dir];

    if (answer == LINE_NO_MEMORY)
        s->bad = true;
    if (answer != LINE_WHOLE && answer != LINE_LONG)
        return;
    s->cut[dir] = answer == LINE_LONG;
    if (cut)
        return;
    if (answer == LINE_LONG) {
        app_event(a, AN_SMTP_TRUNCATED_LINE);
        app_event(a, dir == APP_TO_SERVER ? AN_SMTP_LONG_COMMAND : AN_SMTP_LONG_REPLY);
    }
    if (dir == APP_TO_SERVER)
        smtp_command(a, s, line_text(line));
    else
        smtp_reply(a, s, line_text(line));
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct smtp *s = state;
    struct span rest = in->bytes;

    while (rest.len > 0 && !s->bad && !s->dropped && !s->tls) {
        if (in->dir == APP_TO_CLIENT || s->mode == SMTP_COMMANDS)
            take_line(a, s, (enum app_dir)in->dir, &rest);
        else if (s->mode == SMTP_TEXT)
            take_text(a, s, &rest);
        else
            take_chunk(a, s, &rest);
    }
    s->dropped = false;
    if (s->bad)
        return APP_BAD;
    if (!s->tls)
        return APP_OK;
    app_switch(a, in->bytes.len - rest.len, APP_TLS);
    return APP_SWITCH;
}

/* --- the rest of a parser ------------------------------------------------------------------------------------------- */

static void close_flow(struct app *a, void *state)
{
    struct smtp *s = state;

    if (s->open && s->mode != SMTP_COMMANDS)
        smtp_mail_end(a, s, false);
    smtp_close_tx(a, s);
    bytes_free(a, &s->line[0]);
    bytes_free(a, &s->line[1]);
    bytes_free(a, &s->helo);
    bytes_free(a, &s->from);
    bytes_free(a, &s->to);
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct smtp *s = state;
    struct span list = bytes_span(&s->to), one;

    if (s->helo.len > 0)
        app_put(a, tx, BUF_SMTP_HELO, bytes_span(&s->helo));
    if (s->from.len > 0)
        app_put(a, tx, BUF_SMTP_MAIL_FROM, bytes_span(&s->from));
    while (mime_list_next(&list, &one))
        app_put(a, tx, BUF_SMTP_RCPT_TO, one);
    mime_show(a, &s->mime);
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    const struct smtp *s = state;
    struct span list = bytes_span(&s->to), one;

    if (s->helo.len > 0)
        fields_text(f, "helo", bytes_span(&s->helo));
    if (s->from.len > 0)
        fields_text(f, "mail_from", bytes_span(&s->from));
    if (list.len > 0) {
        fields_list(f, "rcpt_to");
        while (mime_list_next(&list, &one))
            fields_text(f, NULL, one);
        fields_close(f);
    }
    if (!s->mime.there)
        return;
    fields_beside(f);
    fields_object(f, "email");
    mime_fields(&s->mime, f);
    fields_close(f);
}

static const uint16_t ports[] = {25, 587, 2525, 0};

static enum app_probe probe(struct span bytes, const struct app_hint *h)
{
    static const char *const commands[] = {"EHLO", "HELO", "LHLO", "MAIL FROM", "XCLIENT", "BDAT", NULL};
    static const char *const shared[] = {"NOOP", "HELP", "RSET", "QUIT", "STARTTLS", "VRFY", "EXPN", NULL};
    static const struct greeting g = {
        .name = "SMTP", .other_port = 21, .ports = ports, .commands = commands, .shared = shared};

    return greeting_probe(&g, bytes, h);
}

const struct app_parser parser_smtp = {
    .proto = APP_SMTP,
    .tcp = true,
    .state_bytes = sizeof(struct smtp),
    .ports = ports,
    .probe = probe,
    .take = take,
    .close = close_flow,
    .show = show,
    .fields = fields,
};
