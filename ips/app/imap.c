/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IMAP (RFC 3501, 9051), as far as it carries mails: literals, and what they are.
 *
 * A line of either end that ends with {n} goes on behind n bytes of any kind; nothing in those is a command. A literal that a
 * server sends for BODY[], RFC822, or a part of a mail, and one that a client sends with APPEND, goes to file.data: as a mail
 * with its header where the request was for all of it, else as it is, or decoded when it looks like base64, for the
 * encoding stands elsewhere (BODYSTRUCTURE). Pieces of one mail (BODY[]<0>, BODY[]<4096>) that follow each other are one.
 *
 * After STARTTLS and the server's OK both directions speak TLS.
 *
 * Worker thread. Owns what struct imap points to.
 */
#include "ips/app/mime.h"
#include "ips/app/table.h"
#include "ips/app/words.h"

#define LINE_MAX_BYTES 8192
#define TAG_MAX        32

enum content { NOTHING, WHOLE_MAIL, SOME_PART };

struct imap {
    struct bytes line[2];
    bool cut[2];
    bool dropped, tls, open;
    bool continues[2];  /* the line in hand goes on behind a literal */
    bool starttls;      /* the client's command is STARTTLS */
    uint32_t n_awaited; /* commands without a tagged response */
    bool waits;         /* the client sends its literal when the server agrees */
    uint8_t tag_len;    /* of the client's command */
    uint8_t tag[TAG_MAX];
    uint8_t content[2];  /* enum content of the literal in hand */
    bool appends;        /* the client's command is APPEND */
    uint64_t left[2];    /* of the literal */
    uint8_t mail_dir;    /* enum app_dir of the mail that is open */
    uint64_t mail_bytes; /* of it, for pieces */
    bool pieces;         /* it may go on with another piece */
    struct app_tx tx;
    struct mime mime;
};

/* --- mails ---------------------------------------------------------------------------------------------------------- */

static void end_mail(struct app *a, struct imap *s, bool whole)
{
    if (!s->open)
        return;
    if (!s->dropped && mime_end(a, &s->mime, whole))
        s->dropped = !app_inspect(a, &s->tx, (enum app_dir)s->mail_dir, true);
    app_tx_close(a, &s->tx);
    s->open = false;
    mime_free(a, &s->mime);
}

static void begin_mail(struct app *a, struct imap *s, enum app_dir dir, enum content what, uint64_t origin)
{
    if (s->open && s->pieces && origin > 0 && origin == s->mail_bytes && s->mail_dir == dir)
        return;
    end_mail(a, s, true);
    app_tx_open(a, &s->tx);
    s->open = true;
    s->mail_dir = (uint8_t)dir;
    s->mail_bytes = 0;
    mime_begin(a, &s->mime, &s->tx, dir, false);
    if (what == SOME_PART)
        mime_begin_bare(a, &s->mime);
}

/* --- lines ---------------------------------------------------------------------------------------------------------- */

/* "{123}", "{123+}" or "~{123}" at the end of the line. */
static bool literal(struct span line, uint64_t *n)
{
    uint32_t open = line.len;
    struct span digits;

    if (line.len < 3 || line.p[line.len - 1] != '}')
        return false;
    while (open > 0 && line.len - open < 24 && line.p[open - 1] != '{')
        open--;
    if (open == 0 || line.p[open - 1] != '{')
        return false;
    digits = span_sub(line, open, line.len - open - 1);
    if (!word_number(&digits, UINT32_MAX, n))
        return false;
    return digits.len == 0 || word_is(digits, "+") || word_is(digits, "-");
}

/* What the literal behind a server's line is: the last word that names something of a mail. */
static enum content content_of(struct span line, uint64_t *origin, bool *piece)
{
    enum content what = NOTHING;

    *origin = 0;
    *piece = false;
    for (uint32_t i = 0; i < line.len; i++) {
        struct span s = span_sub(line, i, line.len);

        if (word_begins(s, "RFC822.TEXT") || word_begins(s, "RFC822.HEADER")) {
            what = SOME_PART;
        } else if (word_begins(s, "RFC822 ") || word_begins(s, "BODY[]") || word_begins(s, "BINARY[]")) {
            what = WHOLE_MAIL;
        } else if (word_begins(s, "BODY[") || word_begins(s, "BINARY[")) {
            what = SOME_PART;
        } else if (word_begins(s, "]<") && what != NOTHING) {
            s = span_sub(s, 2, s.len);
            *piece = word_number(&s, UINT64_MAX, origin);
        }
    }
    return what;
}

static void goes_on(struct app *a, struct imap *s, enum app_dir dir, struct span line)
{
    uint64_t origin = 0;
    bool piece = false;
    enum content what = dir == APP_TO_CLIENT ? content_of(line, &origin, &piece)
                        : s->appends         ? WHOLE_MAIL
                                             : NOTHING;

    s->content[dir] = (uint8_t)what;
    if (what == NOTHING)
        return;
    begin_mail(a, s, dir, what, origin);
    s->pieces = piece;
}

static void command(struct app *a, struct imap *s, struct span line)
{
    struct span rest = line, tag, word;

    tag = word_next(&rest);
    word = word_next(&rest);
    if (s->starttls || (s->n_awaited > 0 && word_is(word, "STARTTLS")))
        app_event(a, AN_IMAP_PIPELINED);
    s->appends = word_is(word, "APPEND");
    s->starttls = word_is(word, "STARTTLS");
    s->n_awaited++;
    s->tag_len = (uint8_t)(tag.len < TAG_MAX ? tag.len : TAG_MAX);
    memcpy(s->tag, tag.p, s->tag_len);
}

static void response(struct app *a, struct imap *s, struct span line)
{
    struct span rest = line, tag = word_next(&rest);

    bool bad = word_begins(rest, "BAD");

    if (word_is(tag, "+") || (word_is(tag, "*") && !bad))
        return;
    if (s->n_awaited > 0 && --s->n_awaited > 0 && s->starttls) /* of a command before it, whatever its tag */
        return;
    if (s->tag_len == 0 || word_is(tag, "*") ||
        !span_eq(span_sub(tag, 0, TAG_MAX), span_of(s->tag, s->tag_len)))
        return;
    s->tls = s->starttls && word_is(word_next(&rest), "OK");
    s->starttls = false;
    if (s->waits) { /* refused: it will not come */
        s->left[APP_TO_SERVER] = 0;
        s->continues[APP_TO_SERVER] = false;
    }
    s->waits = false;
}

/* False: no memory. */
static bool take_line(struct app *a, struct imap *s, enum app_dir dir, struct span *in)
{
    struct span line;
    enum line_answer got = line_take(a, &s->line[dir], in, LINE_MAX_BYTES, &line);
    bool cut = s->cut[dir], continues = s->continues[dir];

    if (got != LINE_WHOLE && got != LINE_LONG)
        return got != LINE_NO_MEMORY;
    s->cut[dir] = got == LINE_LONG;
    line = line_text(line);
    if (got == LINE_LONG && !cut)
        app_event(a, AN_IMAP_LONG_LINE);
    if (!cut && !continues && dir == APP_TO_SERVER)
        command(a, s, line);
    else if (!cut && !continues)
        response(a, s, line);
    s->continues[dir] = got == LINE_LONG || literal(line, &s->left[dir]);
    if (dir == APP_TO_SERVER)
        s->waits = got == LINE_WHOLE && s->continues[dir] && word_digit(line.p[line.len - 2]);
    if (got == LINE_WHOLE && s->continues[dir])
        goes_on(a, s, dir, line);
    return true;
}

static void take_literal(struct app *a, struct imap *s, enum app_dir dir, struct span *in)
{
    uint32_t n = s->left[dir] < in->len ? (uint32_t)s->left[dir] : in->len;

    if (s->content[dir] != NOTHING && s->open && s->mail_dir == dir) {
        s->mail_bytes += n;
        s->dropped = !mime_add(a, &s->mime, span_sub(*in, 0, n)) || !mime_flush(a, &s->mime);
    }
    *in = span_sub(*in, n, in->len);
    s->left[dir] -= n;
    if (dir == APP_TO_SERVER)
        s->waits = false;
    if (s->left[dir] > 0 || s->dropped)
        return;
    if (s->content[dir] != NOTHING && !s->pieces && s->mail_dir == dir)
        end_mail(a, s, true);
    s->content[dir] = NOTHING;
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct imap *s = state;
    enum app_dir dir = (enum app_dir)in->dir;
    struct span rest = in->bytes;

    s->dropped = false;
    while (rest.len > 0 && !s->dropped && !s->tls && !s->mime.bad) {
        if (s->left[dir] > 0)
            take_literal(a, s, dir, &rest);
        else if (!take_line(a, s, dir, &rest))
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
    struct imap *s = state;

    end_mail(a, s, false);
    bytes_free(a, &s->line[0]);
    bytes_free(a, &s->line[1]);
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    mime_show(a, &((struct imap *)state)->mime);
}

static const uint16_t ports[] = {143, 0};

static enum app_probe probe(struct span bytes, const struct app_hint *h)
{
    static const char *const greetings[] = {"* OK", "* PREAUTH", "* BYE"};
    static const char *const words[] = {"CAPABILITY", "LOGIN", "STARTTLS", "AUTHENTICATE",
                                        "SELECT",     "NOOP",  "ID",       "LOGOUT"};
    struct span rest = bytes, word;

    if (h->dir == APP_TO_CLIENT) {
        for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++)
            if (word_may_begin(bytes, greetings[i]))
                return bytes.len <= strlen(greetings[i]) ? PROBE_MORE : PROBE_YES;
        return PROBE_NO;
    }
    if (h->dport != 143 && !word_begins(h->other, "* OK") && !word_begins(h->other, "* PREAUTH"))
        return PROBE_NO;
    word_next(&rest);
    word = line_text(word_next(&rest));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (word_is(word, words[i]))
            return PROBE_LIKELY;
    return PROBE_MORE;
}

const struct app_parser parser_imap = {
    .proto = APP_IMAP,
    .tcp = true,
    .state_bytes = sizeof(struct imap),
    .ports = ports,
    .probe = probe,
    .take = take,
    .close = close_flow,
    .show = show,
};
