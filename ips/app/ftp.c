/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FTP's control connection (RFC 959, 2228 for AUTH, 2428).
 *
 * A transaction is a command with its replies; what the server says unasked is one, too. Replies of several lines are one
 * reply; a preliminary one (1yz) leaves its command waiting. Commands may be sent without waiting: they stand in a queue,
 * and when it is longer than the limit, the oldest is given up (ftp.too_many_transactions).
 *
 * Where the next data connection goes is told to the engine as soon as it is known, and again with the command that
 * uses it, because either may come first; so the data connection knows the file's name whoever opens it when.
 *
 * After AUTH TLS and 234 both directions speak TLS.
 *
 * Worker thread. Owns the queue.
 */
#include "ips/app/ftp_parts.h"
#include "ips/app/greeting.h"
#include "ips/app/table.h"
#include "ips/app/words.h"
#include "ips/flow/flow.h"

#define NOTE_MAX 64 /* bytes of app_expect()'s note */

struct command {
    struct app_tx tx;
    struct command *next;
    struct bytes line;    /* of the client; none: the server spoke unasked */
    struct bytes replies; /* each with its length in front, 2 bytes; the code is in it */
    uint16_t port;        /* of a data connection that it agrees on */
    uint8_t word;         /* bytes of the command's name in line */
    uint8_t verb;         /* enum ftp_verb */
    uint8_t mode;         /* enum ftp_mode */
    bool answered, line_cut, reply_cut;
};

struct ftp {
    struct bytes line[2]; /* by direction: what has no end yet */
    bool cut[2];          /* the rest of a line that was too long */
    bool bad, dropped, tls;
    bool too_many;     /* the event was set */
    bool greeted;      /* the server has said something */
    bool continues;    /* a reply of several lines is unfinished */
    uint8_t code[3];   /* its code */
    uint8_t note_len;  /* 0: no transfer was asked for */
    struct ftp_end at; /* where the next data connection goes; port 0: nobody knows */
    uint8_t mode;      /* enum ftp_mode, of it */
    uint32_t n;
    struct command *first, *last;
    uint8_t note[NOTE_MAX];
};

/* --- transactions --------------------------------------------------------------------------------------------------- */

static void remove_first(struct app *a, struct ftp *f)
{
    struct command *c = f->first; /* every caller has seen one */

    app_tx_close(a, &c->tx);
    f->first = c->next; /* NOLINT */
    if (!f->first)
        f->last = NULL;
    f->n--;
    bytes_free(a, &c->line);
    bytes_free(a, &c->replies);
    app_give(a, c, sizeof(*c));
}

/* At the queue's end, or in front of what waits: the greeting, when the client did not wait for it. */
static struct command *add(struct app *a, struct ftp *f, bool front)
{
    struct command *c;

    if (f->n >= app_limits(a)->ftp_commands) {
        if (!f->too_many)
            app_event(a, AN_FTP_TOO_MANY);
        f->too_many = true;
        remove_first(a, f);
    }
    c = app_take(a, sizeof(*c));
    if (!c) {
        f->bad = true;
        return NULL;
    }
    app_tx_open(a, &c->tx);
    if (front)
        c->next = f->first;
    else if (f->last)
        f->last->next = c;
    if (front || !f->first)
        f->first = c;
    if (!c->next)
        f->last = c;
    f->n++;
    return c;
}

/* --- data connections ----------------------------------------------------------------------------------------------- */

/* The port or the command became known. */
static void expect(struct app *a, struct ftp *f)
{
    if (f->at.port != 0)
        app_expect(a, f->mode == FTP_PASSIVE ? APP_TO_SERVER : APP_TO_CLIENT, f->at.port, APP_FTP_DATA,
                   span_of(f->note, f->note_len));
}

static void take_note(struct ftp *f, enum ftp_verb verb, struct span name)
{
    if (name.len > NOTE_MAX - 1)
        name = span_sub(name, name.len - (NOTE_MAX - 1), NOTE_MAX - 1);
    f->note[0] = (uint8_t)verb;
    memcpy(f->note + 1, name.p, name.len);
    f->note_len = (uint8_t)(1 + name.len);
}

/* The end that a command or reply names, `owner` by its direction. */
static void agree(struct app *a, struct ftp *f, struct command *c, enum ftp_mode mode,
                  const struct ftp_end *e)
{
    const struct flow *flow = app_flow_of(a);
    const struct addr *owner = &flow->addr[mode == FTP_PASSIVE];

    if (e->has_addr && memcmp(owner, &e->addr, sizeof(*owner)) != 0)
        app_event(a, AN_FTP_OTHER_HOST);
    f->at = *e;
    f->mode = c->mode = (uint8_t)mode;
    c->port = e->port;
    expect(a, f);
}

/* --- commands ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    uint8_t verb;
} verbs[] = {
    {"PORT", FTP_PORT}, {"EPRT", FTP_EPRT}, {"PASV", FTP_PASV}, {"EPSV", FTP_EPSV}, {"AUTH", FTP_AUTH},
    {"STOR", FTP_STOR}, {"STOU", FTP_STOR}, {"APPE", FTP_STOR}, {"RETR", FTP_RETR}, {"LIST", FTP_LIST},
    {"NLST", FTP_LIST}, {"MLSD", FTP_LIST}, {"P@SW", FTP_PASV},
};

static enum ftp_verb verb_of(struct span word)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (word_is(word, verbs[i].word))
            return (enum ftp_verb)verbs[i].verb;
    return FTP_OTHER;
}

static struct span command_word(const struct command *c)
{
    return span_sub(bytes_span(&c->line), 0, c->word);
}

static struct span command_data(const struct command *c)
{
    return word_skip_blanks(span_sub(bytes_span(&c->line), c->word, c->line.len));
}

static void put_command(struct app *a, struct command *c)
{
    if (c->line.len == 0)
        return;
    app_put(a, &c->tx, BUF_FTP_COMMAND, command_word(c));
    app_put(a, &c->tx, BUF_FTP_COMMAND_DATA, command_data(c));
}

static void put_port(struct app *a, struct command *c)
{
    if (c->mode == FTP_NO_MODE)
        return;
    app_put_number(a, &c->tx, BUF_FTP_MODE, c->mode == FTP_PASSIVE);
    app_put_number(a, &c->tx, BUF_FTP_DYNAMIC_PORT, c->port);
}

/* Telnet's commands go, as servers have it that use its library (RFC 854, 959 3.1). In front of a line they are
 * the interrupt of ABOR; within a word only some servers take them out. */
static void strip_telnet(struct app *a, struct bytes *line)
{
    enum { IAC = 255, WILL = 251, DONT = 254 };
    uint32_t n = 0;
    bool within = false;

    for (uint32_t i = 0; i < line->len; i++) {
        uint8_t next = i + 1 < line->len ? line->p[i + 1] : 0;

        if (line->p[i] != IAC) {
            line->p[n++] = line->p[i];
            continue;
        }
        within |= n > 0;
        if (next == IAC)
            line->p[n++] = IAC;
        i += next >= WILL && next <= DONT ? 2 : 1;
    }
    line->len = n;
    if (within)
        app_event(a, AN_FTP_TELNET);
}

static void command(struct app *a, struct ftp *f, struct span line, bool cut)
{
    struct ftp_end end;
    struct command *c;
    struct span rest, word;

    if (f->last && f->last->verb == FTP_AUTH && !f->last->answered)
        app_event(a, AN_FTP_AUTH_PIPELINED);
    line = word_trim(line);
    if (line.len == 0)
        return;
    c = add(a, f, false);
    if (!c || !bytes_add(a, &c->line, line)) {
        f->bad = true;
        return;
    }
    if (memchr(c->line.p, 0xff, c->line.len))
        strip_telnet(a, &c->line);
    if (c->line.len == 0 && c == f->first)
        remove_first(a, f); /* a lone interrupt: no server answers it */
    if (f->last != c || c->line.len == 0)
        return;
    rest = bytes_span(&c->line);
    word = word_next(&rest);
    c->word = (uint8_t)(word.len < 255 ? word.len : 255);
    c->line_cut = cut;
    c->verb = (uint8_t)verb_of(word);
    if ((c->verb == FTP_PORT && ftp_port_numbers(rest, &end)) ||
        (c->verb == FTP_EPRT && ftp_port_extended(rest, &end)))
        agree(a, f, c, FTP_ACTIVE, &end);
    if (c->verb == FTP_PASV || c->verb == FTP_EPSV)
        f->at.port = 0;
    if (c->verb >= FTP_STOR) {
        take_note(f, (enum ftp_verb)c->verb, rest);
        expect(a, f);
    }
    put_command(a, c);
    put_port(a, c);
    f->dropped |= !app_inspect(a, &c->tx, APP_TO_SERVER, true);
}

/* --- replies -------------------------------------------------------------------------------------------------------- */

static bool has_code(struct span line)
{
    return line.len >= 3 && word_digit(line.p[0]) && word_digit(line.p[1]) && word_digit(line.p[2]) &&
           (line.len == 3 || line.p[3] == ' ' || line.p[3] == '-');
}

static void put_reply(struct app *a, struct command *c, struct span line)
{
    if (!has_code(line)) {
        app_put(a, &c->tx, BUF_FTP_REPLY, line);
        return;
    }
    app_put(a, &c->tx, BUF_FTP_COMPLETION_CODE, span_sub(line, 0, 3));
    app_put(a, &c->tx, BUF_FTP_REPLY, span_sub(line, 4, line.len));
}

static void meaning_of(struct app *a, struct ftp *f, struct command *c, struct span line)
{
    struct ftp_end end;

    if (word_begins(line, "227") && /* whatever it answers by our count: nothing else is answered so */
        ftp_port_numbers(span_sub(line, 3, line.len), &end))
        agree(a, f, c, FTP_PASSIVE, &end);
    else if (word_begins(line, "229") && ftp_port_extended(span_sub(line, 3, line.len), &end))
        agree(a, f, c, FTP_PASSIVE, &end);
    else if (c->verb == FTP_AUTH && word_begins(line, "234"))
        f->tls = true;
    else if (c->verb >= FTP_STOR && line.p[0] != '1') {
        f->at.port = 0;
        f->note_len = 0;
    }
}

static void keep_reply(struct app *a, struct ftp *f, struct command *c, struct span line)
{
    uint8_t len[2];

    store_be16(len, (uint16_t)line.len);
    if (c->replies.len + 2 + line.len > FTP_KEPT_MAX) {
        c->reply_cut = true;
        return;
    }
    f->bad |= !bytes_add(a, &c->replies, span_of(len, 2)) || !bytes_add(a, &c->replies, line);
}

/* True: the reply to the oldest command, or a part of it, that leaves it waiting. */
static bool waits_on(struct ftp *f, struct span line)
{
    bool code = has_code(line);

    if (f->continues) {
        f->continues = !code || memcmp(line.p, f->code, 3) != 0 || (line.len > 3 && line.p[3] == '-');
        return f->continues || f->code[0] == '1';
    }
    if (!code)
        return false;
    memcpy(f->code, line.p, 3);
    f->continues = line.len > 3 && line.p[3] == '-';
    return f->continues || line.p[0] == '1';
}

static void reply(struct app *a, struct ftp *f, struct span line, bool cut)
{
    bool greets = !f->greeted && (word_begins(line, "220") || word_begins(line, "120"));
    struct command *c = f->first && !greets ? f->first : add(a, f, true);
    bool waits = waits_on(f, line);

    f->greeted = true;
    if (!c)
        return;
    c->reply_cut |= cut;
    c->answered = !waits;
    keep_reply(a, f, c, line);
    if (has_code(line) && !f->continues)
        meaning_of(a, f, c, line);
    put_reply(a, c, line);
    put_port(a, c);
    app_put_number(a, &c->tx, BUF_FTP_REPLY_RECEIVED, 1);
    f->dropped |= !app_inspect(a, &c->tx, APP_TO_CLIENT, !waits);
    if (!waits)
        remove_first(a, f);
}

/* --- the parser ----------------------------------------------------------------------------------------------------- */

static void take_line(struct app *a, struct ftp *f, enum app_dir dir, struct span *in)
{
    struct span line;
    enum line_answer answer = line_take(a, &f->line[dir], in, FTP_LINE_MAX, &line);
    bool cut = f->cut[dir], too_long = answer == LINE_LONG;

    if (answer == LINE_NO_MEMORY)
        f->bad = true;
    if (answer != LINE_WHOLE && answer != LINE_LONG)
        return;
    f->cut[dir] = too_long;
    if (cut)
        return;
    if (too_long)
        app_event(a, dir == APP_TO_SERVER ? AN_FTP_LONG_REQUEST : AN_FTP_LONG_RESPONSE);
    if (dir == APP_TO_SERVER)
        command(a, f, line_text(line), too_long);
    else
        reply(a, f, line_text(line), too_long);
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct ftp *f = state;
    struct span rest = in->bytes;

    f->dropped = false;
    while (rest.len > 0 && !f->bad && !f->dropped && !f->tls)
        take_line(a, f, (enum app_dir)in->dir, &rest);
    if (f->bad)
        return APP_BAD;
    if (!f->tls)
        return APP_OK;
    app_switch(a, in->bytes.len - rest.len, APP_TLS);
    return APP_SWITCH;
}

static void close_flow(struct app *a, void *state)
{
    struct ftp *f = state;

    while (f->first)
        remove_first(a, f);
    bytes_free(a, &f->line[0]);
    bytes_free(a, &f->line[1]);
}

/* The next of the replies that are kept; false: there is none. */
static bool next_reply(struct span *list, struct span *one)
{
    if (list->len < 2)
        return false;
    *one = span_sub(*list, 2, load_be16(list->p));
    *list = span_sub(*list, 2 + one->len, list->len);
    return true;
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct command *c = (struct command *)tx; /* its first member */
    struct span list = bytes_span(&c->replies), one;

    put_command(a, c);
    put_port(a, c);
    while (next_reply(&list, &one))
        put_reply(a, c, one);
    app_put_number(a, tx, BUF_FTP_REPLY_RECEIVED, c->replies.len > 0);
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    const struct command *c = (const struct command *)tx;
    struct span list = bytes_span(&c->replies), one;

    if (c->line.len > 0) {
        fields_text(f, "command", command_word(c));
        if (command_data(c).len > 0)
            fields_text(f, "command_data", command_data(c));
        fields_bool(f, "command_truncated", c->line_cut);
    }
    if (list.len > 0) {
        fields_list(f, "completion_code");
        while (next_reply(&list, &one))
            if (has_code(one))
                fields_text(f, NULL, span_sub(one, 0, 3));
        fields_close(f);
        list = bytes_span(&c->replies);
        fields_list(f, "reply");
        while (next_reply(&list, &one))
            fields_text(f, NULL, has_code(one) ? span_sub(one, 4, one.len) : one);
        fields_close(f);
    }
    fields_bool(f, "reply_truncated", c->reply_cut);
    fields_word(f, "reply_received", c->replies.len > 0 ? "yes" : "no");
    if (c->mode == FTP_NO_MODE)
        return;
    fields_word(f, "mode", c->mode == FTP_PASSIVE ? "passive" : "active");
    fields_number(f, "dynamic_port", c->port);
}

static const uint16_t ports[] = {21, 0};

static enum app_probe probe(struct span bytes, const struct app_hint *h)
{
    static const char *const commands[] = {"PASV", "EPSV", "PORT", "EPRT", "RETR", "CWD",  "PWD",
                                           "SYST", "FEAT", "CLNT", "XCWD", "MKD",  "SITE", NULL};
    static const char *const shared[] = {"USER", "PASS", "NOOP", "HELP", "AUTH TLS", "AUTH SSL",
                                         "QUIT", "OPTS", "TYPE", "HOST", "ACCT",     NULL};
    static const struct greeting g = {
        .name = "FTP", .other_port = 25, .ports = ports, .commands = commands, .shared = shared};

    return greeting_probe(&g, bytes, h);
}

const struct app_parser parser_ftp = {
    .proto = APP_FTP,
    .tcp = true,
    .state_bytes = sizeof(struct ftp),
    .ports = ports,
    .probe = probe,
    .take = take,
    .close = close_flow,
    .show = show,
    .fields = fields,
};
