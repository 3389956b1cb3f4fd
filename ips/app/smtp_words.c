/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What SMTP's commands and replies mean.
 *
 * Replies answer commands in order. A ring remembers what is awaited, so that the reply to DATA, STARTTLS or AUTH is known
 * for what it is. 354 answers DATA alone: it puts the ring right when server and we count commands differently, and a mail
 * follows it even where we saw no DATA.
 *
 * Behind DATA, STARTTLS and AUTH a client must wait. One that does not is an event: whether what it sends is a mail, a
 * command or a password depends on what the server will say.
 *
 * Worker thread. Owns nothing.
 */
#include "ips/app/smtp_parts.h"
#include "ips/app/words.h"

/* --- what is awaited ------------------------------------------------------------------------------------------------ */

static enum smtp_awaited awaited_last(const struct smtp *s)
{
    return s->n_awaited == 0
               ? SMTP_OTHER
               : (enum smtp_awaited)s->awaited[(s->first + s->n_awaited - 1u) % SMTP_AWAITED_MAX];
}

static enum smtp_awaited awaited_take(struct smtp *s)
{
    uint8_t what = s->awaited[s->first];

    s->first = (uint8_t)((s->first + 1) % SMTP_AWAITED_MAX);
    s->n_awaited--;
    return (enum smtp_awaited)what;
}

void smtp_await(struct app *a, struct smtp *s, enum smtp_awaited what)
{
    if (s->n_awaited == SMTP_AWAITED_MAX) { /* those are replies that nobody needs */
        app_event(a, AN_SMTP_MANY_COMMANDS);
        awaited_take(s);
    }
    s->awaited[(s->first + s->n_awaited) % SMTP_AWAITED_MAX] = (uint8_t)what;
    s->n_awaited++;
}

/* --- commands ------------------------------------------------------------------------------------------------------- */

static bool keep(struct app *a, struct smtp *s, struct bytes *b, struct span value)
{
    b->len = 0;
    s->bad |= !bytes_add(a, b, value);
    return !s->bad;
}

static void inspect(struct app *a, struct smtp *s)
{
    s->dropped |= !app_inspect(a, &s->tx, APP_TO_SERVER, false);
}

/* The address behind "MAIL FROM:" or "RCPT TO:", with its angles; parameters follow a blank. */
static bool address_of(struct span rest, const char *word, struct span *address)
{
    uint32_t n = 0;
    bool quoted = false, angle;

    if (!word_begins(rest, word))
        return false;
    rest = word_skip_blanks(span_sub(rest, (uint32_t)strlen(word), rest.len));
    if (rest.len == 0 || rest.p[0] != ':')
        return false;
    rest = word_skip_blanks(span_sub(rest, 1, rest.len));
    angle = rest.len > 0 && rest.p[0] == '<';
    for (; n < rest.len; n++) {
        if (rest.p[n] == '"')
            quoted = !quoted;
        else if (rest.p[n] == '\\')
            n++;
        else if (!quoted && (angle ? rest.p[n] == '>' : word_blank(rest.p[n])))
            break;
    }
    *address = span_sub(rest, 0, n + angle);
    return true;
}

/* A command that begins a mail. */
static void helo(struct app *a, struct smtp *s, struct span rest)
{
    if (s->from.len > 0)
        smtp_close_tx(a, s);
    smtp_open(a, s);
    smtp_await(a, s, SMTP_HELO);
    if (!keep(a, s, &s->helo, word_next(&rest)))
        return;
    app_put(a, &s->tx, BUF_SMTP_HELO, bytes_span(&s->helo));
    inspect(a, s);
}

static void mail(struct app *a, struct smtp *s, struct span rest)
{
    struct span address;

    smtp_await(a, s, SMTP_OTHER);
    if (!address_of(rest, "FROM", &address))
        return;
    if (s->from.len > 0)
        smtp_close_tx(a, s);
    smtp_open(a, s);
    if (!keep(a, s, &s->from, address))
        return;
    app_put(a, &s->tx, BUF_SMTP_MAIL_FROM, bytes_span(&s->from));
    inspect(a, s);
}

static void rcpt(struct app *a, struct smtp *s, struct span rest)
{
    struct span address;

    smtp_await(a, s, SMTP_OTHER);
    if (!address_of(rest, "TO", &address))
        return;
    smtp_open(a, s);
    if (s->to.len + 2 + address.len <= SMTP_KEPT_MAX && !mime_list_add(a, &s->to, address)) {
        s->bad = true;
        return;
    }
    app_put(a, &s->tx, BUF_SMTP_RCPT_TO, address);
    inspect(a, s);
}

static void begin_mail(struct app *a, struct smtp *s)
{
    smtp_open(a, s);
    mime_begin(a, &s->mime, &s->tx, APP_TO_SERVER, true);
}

static void begin_text(struct app *a, struct smtp *s)
{
    begin_mail(a, s);
    s->dots = (struct dots){0};
    s->mode = SMTP_TEXT;
    s->agreed = false;
}

static void data(struct app *a, struct smtp *s, struct span rest)
{
    smtp_await(a, s, SMTP_DATA);
    begin_text(a, s);
}

static void bdat(struct app *a, struct smtp *s, struct span rest)
{
    struct span size = word_next(&rest);

    smtp_await(a, s, SMTP_BDAT);
    if (s->greeted && !s->chunking)
        app_event(a, AN_SMTP_BDAT_NOT_OFFERED);
    if (!word_number(&size, UINT32_MAX, &s->chunk_left) || size.len > 0) {
        app_event(a, AN_SMTP_BDAT_LENGTH);
        return;
    }
    s->last_chunk = word_begins(rest, "LAST");
    if (!s->mime.there)
        begin_mail(a, s);
    s->mode = SMTP_CHUNK;
    if (s->chunk_left > 0 || s->dropped)
        return;
    s->mode = SMTP_COMMANDS;
    if (s->last_chunk)
        smtp_mail_end(a, s, true);
}

static void rset(struct app *a, struct smtp *s, struct span rest)
{
    smtp_await(a, s, SMTP_OTHER);
    if (s->mime.there)
        smtp_mail_end(a, s, false);
    else if (s->from.len > 0)
        smtp_close_tx(a, s);
}

static void starttls(struct app *a, struct smtp *s, struct span rest)
{
    smtp_await(a, s, SMTP_STARTTLS);
}

static void auth(struct app *a, struct smtp *s, struct span rest)
{
    smtp_await(a, s, SMTP_AUTH);
}

static const struct command {
    const char *word;
    void (*run)(struct app *a, struct smtp *s, struct span rest);
} commands[] = {
    {"EHLO", helo},
    {"HELO", helo},
    {"LHLO", helo},
    {"MAIL", mail},
    {"RCPT", rcpt},
    {"DATA", data},
    {"BDAT", bdat},
    {"RSET", rset},
    {"AUTH", auth},
    {"STARTTLS", starttls},
    {"X-ANONYMOUSTLS", starttls},
};

void smtp_command(struct app *a, struct smtp *s, struct span line)
{
    enum smtp_awaited last = awaited_last(s);
    struct span rest = line, word;

    if (!s->greeted && !s->speaks && s->n_awaited == 0)
        app_event(a, AN_SMTP_NO_WELCOME);
    s->speaks = true;
    if (s->auth) { /* a name, a password, or what else the server has asked for */
        s->auth = false;
        smtp_await(a, s, SMTP_AUTH);
        return;
    }
    if (last == SMTP_DATA || last == SMTP_STARTTLS || last == SMTP_AUTH)
        app_event(a, AN_SMTP_PIPELINED);
    word = word_next(&rest);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (word_is(word, commands[i].word)) {
            commands[i].run(a, s, rest);
            return;
        }
    smtp_await(a, s, SMTP_OTHER);
}

/* --- replies -------------------------------------------------------------------------------------------------------- */

static void reply_to_data(struct app *a, struct smtp *s, unsigned code)
{
    if (code < 400) /* none that answers DATA: server and we count differently */
        return;
    app_event(a, AN_SMTP_DATA_REJECTED);
    if (s->mode == SMTP_TEXT)
        smtp_mail_end(a, s, false);
}

static void whole_reply(struct app *a, struct smtp *s, unsigned code)
{
    enum smtp_awaited what;

    if (!s->greeted) { /* a client that spoke first must not have the greeting taken for a reply: its 220 is STARTTLS's */
        s->greeted = true;
        if (!s->speaks || code == 220)
            return;
    }
    if (code == 354 && s->mode != SMTP_CHUNK) { /* a mail comes, whatever we took the command for */
        s->n_awaited = 0;
        if (s->mode == SMTP_COMMANDS)
            begin_text(a, s);
        s->agreed = true;
        return;
    }
    if (s->n_awaited == 0) {
        if (code != 421) /* which needs no command */
            app_event(a, AN_SMTP_UNMATCHED_REPLY);
        return;
    }
    what = awaited_take(s);
    if (what == SMTP_DATA)
        reply_to_data(a, s, code);
    else if (what == SMTP_BDAT && (code == 500 || code == 502) && s->mode == SMTP_CHUNK)
        smtp_mail_end(a, s, false); /* the server has no such command: what follows are commands */
    else if (what == SMTP_AUTH)
        s->auth = code == 334;
    else if (what == SMTP_STARTTLS && code == 220)
        s->tls = true;
    else if (what == SMTP_STARTTLS)
        app_event(a, AN_SMTP_TLS_REJECTED);
}

void smtp_reply(struct app *a, struct smtp *s, struct span line)
{
    bool digits = line.len >= 3;

    for (uint32_t i = 0; digits && i < 3; i++)
        digits = word_digit(line.p[i]);
    if (!digits || (line.len > 3 && line.p[3] != '-' && line.p[3] != ' ')) {
        app_event(a, AN_SMTP_INVALID_REPLY);
        return;
    }
    if (s->n_awaited > 0 && s->awaited[s->first] == SMTP_HELO &&
        word_is(word_trim(span_sub(line, 4, line.len)), "CHUNKING"))
        s->chunking = true;
    if (line.len > 3 && line.p[3] == '-')
        return;
    whole_reply(a, s,
                (unsigned)(line.p[0] - '0') * 100 + (unsigned)(line.p[1] - '0') * 10 +
                    (unsigned)(line.p[2] - '0'));
}
