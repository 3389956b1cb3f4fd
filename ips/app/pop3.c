/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * POP3 (RFC 1939) with pipelining (2449) and STLS (2595).
 *
 * Commands stand in a ring until they are answered, because only the command says whether an answer is one line or a text
 * that ends with a dot. Mails (RETR, TOP) go to file.data part by part; a transaction is a command with its answer, and
 * commands that bring no mail share one.
 *
 * Worker thread. Owns what struct pop3 points to.
 */
#include "ips/app/dots.h"
#include "ips/app/mime.h"
#include "ips/app/table.h"
#include "ips/app/words.h"

#define LINE_MAX_BYTES 4096
#define AWAITED_MAX    1024 /* clients send as many RETRs at once */

enum answer { ONE_LINE, TEXT, MAIL, STLS, AUTH };

struct pop3 {
    struct bytes line[2];
    bool cut[2];
    bool greeted, dropped, tls, auth; /* auth: the server asked for a line that is no command */
    bool open;
    uint16_t first, n_awaited;
    uint8_t awaited[AWAITED_MAX]; /* enum answer */
    uint8_t text;                 /* enum answer that is coming: TEXT, MAIL; ONE_LINE: none */
    struct dots dots;
    struct app_tx tx;
    struct mime mime;
};

static const struct {
    const char *word;
    uint8_t answer, with_number; /* with an argument: one line */
} commands[] = {
    {"RETR", MAIL, MAIL}, {"TOP", MAIL, MAIL},  {"LIST", TEXT, ONE_LINE}, {"UIDL", TEXT, ONE_LINE},
    {"CAPA", TEXT, TEXT}, {"STLS", STLS, STLS}, {"AUTH", TEXT, AUTH},
};

static void await(struct app *a, struct pop3 *s, enum answer what)
{
    if (s->n_awaited == AWAITED_MAX) {
        app_event(a, AN_POP3_MANY_COMMANDS);
        s->first = (uint16_t)((s->first + 1) % AWAITED_MAX);
        s->n_awaited--;
    }
    s->awaited[(s->first + s->n_awaited++) % AWAITED_MAX] = (uint8_t)what;
}

static void command(struct app *a, struct pop3 *s, struct span line)
{
    struct span rest = line, word = word_next(&rest);
    enum answer what = ONE_LINE;

    if (s->auth) {
        s->auth = false;
        await(a, s, AUTH);
        return;
    }
    if (s->n_awaited > 0 && s->awaited[(s->first + s->n_awaited - 1u) % AWAITED_MAX] == STLS)
        app_event(a, AN_POP3_PIPELINED);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (word_is(word, commands[i].word))
            what = (enum answer)(rest.len > 0 ? commands[i].with_number : commands[i].answer);
    await(a, s, what);
}

static void begin_text(struct app *a, struct pop3 *s, enum answer what)
{
    s->text = (uint8_t)what;
    s->dots = (struct dots){0};
    if (what != MAIL)
        return;
    app_tx_open(a, &s->tx);
    s->open = true;
    mime_begin(a, &s->mime, &s->tx, APP_TO_CLIENT, false);
}

static void answer(struct app *a, struct pop3 *s, struct span line)
{
    bool ok = word_begins(line, "+OK");
    enum answer what;

    if (!s->greeted) {
        s->greeted = true;
        return;
    }
    if (s->n_awaited == 0) {
        app_event(a, AN_POP3_UNMATCHED);
        return;
    }
    what = (enum answer)s->awaited[s->first];
    s->first = (uint16_t)((s->first + 1) % AWAITED_MAX);
    s->n_awaited--;
    if (what == AUTH)
        s->auth = word_begins(line, "+ ") || word_is(line, "+");
    else if (ok && what == STLS)
        s->tls = true;
    else if (ok && (what == TEXT || what == MAIL))
        begin_text(a, s, what);
}

static void end_mail(struct app *a, struct pop3 *s, bool whole)
{
    if (!s->open)
        return;
    if (!s->dropped && mime_end(a, &s->mime, whole))
        s->dropped = !app_inspect(a, &s->tx, APP_TO_CLIENT, true);
    app_tx_close(a, &s->tx);
    s->open = false;
    mime_free(a, &s->mime);
}

static void take_text(struct app *a, struct pop3 *s, struct span *in)
{
    bool end = false, on = true;

    while (in->len > 0 && !end && on) {
        struct span run;

        end = dots_take(&s->dots, in, &run);
        if (s->text == MAIL)
            on = mime_add(a, &s->mime, run);
    }
    if (s->dots.odd)
        app_event(a, AN_POP3_ODD_END);
    s->dots.odd = false;
    if (s->text == MAIL)
        on = on && mime_flush(a, &s->mime);
    s->dropped = !on;
    if (!end || s->dropped)
        return;
    s->text = ONE_LINE;
    end_mail(a, s, true);
}

/* False: no memory. */
static bool take_line(struct app *a, struct pop3 *s, enum app_dir dir, struct span *in)
{
    struct span line;
    enum line_answer got = line_take(a, &s->line[dir], in, LINE_MAX_BYTES, &line);
    bool cut = s->cut[dir];

    if (got != LINE_WHOLE && got != LINE_LONG)
        return got != LINE_NO_MEMORY;
    s->cut[dir] = got == LINE_LONG;
    if (cut)
        return true;
    if (dir == APP_TO_SERVER)
        command(a, s, line_text(line));
    else
        answer(a, s, line_text(line));
    return true;
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct pop3 *s = state;
    struct span rest = in->bytes;

    s->dropped = false;
    while (rest.len > 0 && !s->dropped && !s->tls && !s->mime.bad) {
        if (in->dir == APP_TO_CLIENT && s->text != ONE_LINE)
            take_text(a, s, &rest);
        else if (!take_line(a, s, (enum app_dir)in->dir, &rest))
            return APP_BAD;
    }
    if (s->mime.bad)
        return APP_BAD;
    if (!s->tls)
        return APP_OK;
    app_switch(a, in->bytes.len - rest.len, APP_TLS);
    return APP_SWITCH;
}

static void close_flow(struct app *a, void *state)
{
    struct pop3 *s = state;

    end_mail(a, s, false);
    bytes_free(a, &s->line[0]);
    bytes_free(a, &s->line[1]);
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    mime_show(a, &((struct pop3 *)state)->mime);
}

static const uint16_t ports[] = {110, 0};

static enum app_probe probe(struct span bytes, const struct app_hint *h)
{
    static const char *const words[] = {"USER ", "CAPA", "APOP ", "STLS", "AUTH", "PASS ", "NOOP", "QUIT"};

    if (h->dir == APP_TO_CLIENT) {
        if (!word_may_begin(bytes, "+OK"))
            return PROBE_NO;
        return bytes.len < 4 ? PROBE_MORE : memchr(" \r\n", bytes.p[3], 3) ? PROBE_YES : PROBE_NO;
    }
    if (h->dport != 110 && !word_begins(h->other, "+OK"))
        return PROBE_NO;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (word_may_begin(bytes, words[i]))
            return bytes.len < strlen(words[i]) ? PROBE_MORE : PROBE_LIKELY;
    return PROBE_MORE; /* a server answers nonsense with -ERR, and goes on */
}

const struct app_parser parser_pop3 = {
    .proto = APP_POP3,
    .tcp = true,
    .state_bytes = sizeof(struct pop3),
    .ports = ports,
    .probe = probe,
    .take = take,
    .close = close_flow,
    .show = show,
};
