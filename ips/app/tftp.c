/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TFTP (RFC 1350, 2347): recognised by its requests, on any port, and by its port. A server answers from a port of its
 * own: rules see that flow as one of UDP, because what app_expect() remembers does not tell UDP from TCP. Rules look into
 * the payload; the log has the request. Worker thread.
 */
#include "ips/app/table.h"

enum { PORT = 69, READ = 1, WRITE = 2, LAST_OPCODE = 6 };

struct tftp_tx {
    struct app_tx tx; /* first */
    uint16_t opcode;  /* 0: none that is known */
    struct span file, mode;
};

static bool take_text(struct span *in, struct span *out)
{
    const uint8_t *nul = in->len > 0 ? memchr(in->p, 0, in->len) : NULL;

    if (!nul)
        return false;
    *out = span_sub(*in, 0, (uint32_t)(nul - in->p));
    *in = span_sub(*in, out->len + 1, in->len);
    return true;
}

static bool is_mode(struct span s)
{
    static const char *const modes[] = {"netascii", "octet", "mail"};

    for (int i = 0; i < 3; i++) {
        bool same = s.len == strlen(modes[i]);

        for (uint32_t k = 0; same && k < s.len; k++)
            same = (s.p[k] | 0x20) == modes[i][k];
        if (same)
            return true;
    }
    return false;
}

/* False: it is broken. */
static bool read_message(struct span b, struct tftp_tx *t)
{
    t->opcode = 0;
    t->file = t->mode = span_of(NULL, 0);
    if (b.len < 4 || load_be16(b.p) == 0 || load_be16(b.p) > LAST_OPCODE)
        return false;
    t->opcode = load_be16(b.p);
    struct span rest = span_sub(b, 2, b.len);
    return t->opcode > WRITE || (take_text(&rest, &t->file) && take_text(&rest, &t->mode));
}

static enum app_probe probe(struct span b, const struct app_hint *h)
{
    struct tftp_tx t;

    if (read_message(b, &t) && t.opcode <= WRITE && t.file.len > 0 && is_mode(t.mode))
        return PROBE_YES;
    return h->dport == PORT ? PROBE_LIKELY : PROBE_NO;
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct tftp_tx t;

    app_tx_open(a, &t.tx);
    if (!read_message(in->bytes, &t))
        app_event(a, AN_TFTP_MALFORMED);
    app_inspect(a, &t.tx, (enum app_dir)in->dir, true);
    if (t.opcode == READ || t.opcode == WRITE)
        app_tx_close(a, &t.tx);
    return APP_OK;
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    static const char *const words[] = {"unknown", "read", "write", "data", "ack", "error", "oack"};
    const struct tftp_tx *t = (const struct tftp_tx *)tx;

    fields_word(f, "packet", words[t->opcode]);
    if (t->file.p) {
        fields_text(f, "file", t->file);
        fields_text(f, "mode", t->mode);
    }
}

static const uint16_t ports[] = {PORT, 0};

const struct app_parser parser_tftp = {
    .proto = APP_TFTP, .udp = true, .ports = ports, .probe = probe, .take = take, .fields = fields};
