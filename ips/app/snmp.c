/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SNMP versions 1, 2c (RFC 1157, 3416) and 3 with users (RFC 3412, 3414): snmp.version, snmp.community, snmp.usm and
 * snmp.pdu_type of each message, which is a transaction on the stack of take().
 *
 * Recognised by content on any port: a sequence that begins with a version, and what belongs to it. On SNMP's ports
 * anything that nobody else claims is taken, so that a broken message does not hide the next one.
 *
 * BER as receivers read it: lengths of any form but the indefinite one. Worker thread.
 */
#include "ips/app/table.h"

enum { TAG_INTEGER = 2, TAG_OCTETS = 4, TAG_OID = 6, TAG_SEQUENCE = 0x30, TAG_PDU = 0xa0, PDU_LAST = 8 };
enum { V1 = 0, V2C = 1, V3 = 3, USM = 3 };

struct snmp_tx {
    struct app_tx tx; /* first */
    bool has_version, has_pdu, malformed, unknown_security;
    uint8_t version; /* as people say it: 1, 2, 3 */
    uint8_t pdu;
    struct span community, user; /* p is NULL: none */
    struct span variables;       /* the PDU's */
};

/* --- BER ---------------------------------------------------------------------------------------------------------------- */

static bool ber_next(struct span *in, uint8_t *tag, struct span *value)
{
    if (in->len < 2)
        return false;
    uint32_t n = in->p[1], at = 2;
    if (n & 0x80) {
        uint32_t digits = n & 0x7f;

        if (digits == 0 || digits > 4 || in->len < 2 + digits)
            return false;
        for (n = 0; digits > 0; digits--)
            n = n << 8 | in->p[at++];
    }
    if (n > in->len - at)
        return false;
    *tag = in->p[0];
    *value = span_sub(*in, at, n);
    *in = span_sub(*in, at + n, in->len);
    return true;
}

static bool ber_take(struct span *in, uint8_t tag, struct span *value)
{
    uint8_t got;

    return ber_next(in, &got, value) && got == tag;
}

static bool ber_number(struct span *in, uint32_t *v)
{
    struct span s;

    if (!ber_take(in, TAG_INTEGER, &s) || s.len == 0 || s.len > 5)
        return false;
    *v = 0;
    for (uint32_t i = 0; i < s.len; i++)
        *v = *v << 8 | s.p[i];
    return true;
}

/* --- messages ------------------------------------------------------------------------------------------------------------ */

static bool read_pdu(struct span in, struct snmp_tx *t)
{
    struct span pdu;
    uint8_t tag;
    uint32_t v;

    if (!ber_next(&in, &tag, &pdu) || tag < TAG_PDU || tag > TAG_PDU + PDU_LAST)
        return false;
    t->pdu = tag - TAG_PDU;
    t->has_pdu = true;
    if (t->pdu == 4) /* a trap of version 1 has other fields */
        return true;
    for (int i = 0; i < 3; i++) /* request's id, error, where */
        if (!ber_number(&pdu, &v))
            return false;
    return ber_take(&pdu, TAG_SEQUENCE, &t->variables);
}

/* The user behind engine id, boots and time (RFC 3414, 2.4). */
static bool read_user(struct span parameters, struct snmp_tx *t)
{
    struct span in, skipped;
    uint32_t v;

    return ber_take(&parameters, TAG_SEQUENCE, &in) && ber_take(&in, TAG_OCTETS, &skipped) &&
           ber_number(&in, &v) && ber_number(&in, &v) && ber_take(&in, TAG_OCTETS, &t->user);
}

static bool read_v3(struct span in, struct snmp_tx *t)
{
    struct span global, flags, parameters, scoped, skipped;
    uint32_t v, model;
    uint8_t tag;

    if (!ber_take(&in, TAG_SEQUENCE, &global) || !ber_number(&global, &v) || !ber_number(&global, &v) ||
        !ber_take(&global, TAG_OCTETS, &flags) || flags.len == 0 || !ber_number(&global, &model) ||
        !ber_take(&in, TAG_OCTETS, &parameters))
        return false;
    t->unknown_security = model != USM;
    if (model == USM && !read_user(parameters, t))
        return false;
    if (!ber_next(&in, &tag, &scoped))
        return false;
    if (tag == TAG_OCTETS) /* encrypted */
        return true;
    return tag == TAG_SEQUENCE && ber_take(&scoped, TAG_OCTETS, &skipped) &&
           ber_take(&scoped, TAG_OCTETS, &skipped) && read_pdu(scoped, t);
}

/* False: it is broken; what was read of it is there. */
static bool read_message(struct span b, struct snmp_tx *t)
{
    struct span in;
    uint32_t version;

    t->has_version = t->has_pdu = t->unknown_security = false;
    t->community = t->user = t->variables = span_of(NULL, 0);
    if (!ber_take(&b, TAG_SEQUENCE, &in) || !ber_number(&in, &version) ||
        (version != V1 && version != V2C && version != V3))
        return false;
    t->has_version = true;
    t->version = version == V3 ? 3 : (uint8_t)(version + 1);
    if (version == V3)
        return read_v3(in, t);
    return ber_take(&in, TAG_OCTETS, &t->community) && read_pdu(in, t);
}

static enum app_probe probe(struct span b, const struct app_hint *h)
{
    struct snmp_tx t;

    if (read_message(b, &t))
        return PROBE_YES;
    return h->dport == 161 || h->dport == 162 || h->sport == 161 || h->sport == 162 ? PROBE_LIKELY : PROBE_NO;
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct snmp_tx *t = (struct snmp_tx *)tx;

    if (t->has_version)
        app_put_number(a, tx, BUF_SNMP_VERSION, t->version);
    if (t->has_pdu)
        app_put_number(a, tx, BUF_SNMP_PDU_TYPE, t->pdu);
    if (t->community.p)
        app_put(a, tx, BUF_SNMP_COMMUNITY, t->community);
    if (t->user.p)
        app_put(a, tx, BUF_SNMP_USM, t->user);
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct snmp_tx t;

    app_tx_open(a, &t.tx);
    if (!read_message(in->bytes, &t))
        app_event(a, AN_SNMP_MALFORMED);
    if (t.unknown_security)
        app_event(a, AN_SNMP_UNKNOWN_SECURITY);
    show(a, NULL, &t.tx, (enum app_dir)in->dir);
    app_inspect(a, &t.tx, (enum app_dir)in->dir, true);
    app_tx_close(a, &t.tx);
    return APP_OK;
}

/* --- EVE ---------------------------------------------------------------------------------------------------------------- */

#define VARIABLES_MAX 32
#define OID_TEXT      256

static uint32_t put_decimal(uint8_t *p, uint32_t v)
{
    uint8_t digits[10];
    uint32_t n = 0, len = 0;

    do
        digits[n++] = (uint8_t)('0' + v % 10);
    while ((v /= 10) > 0);
    while (n > 0)
        p[len++] = digits[--n];
    return len;
}

static void put_oid(struct fields *f, struct span oid)
{
    uint8_t text[OID_TEXT];
    uint32_t len = 0, v = 0;
    bool first = true;

    for (uint32_t i = 0; i < oid.len && len < OID_TEXT - 24; i++) {
        v = v << 7 | (oid.p[i] & 0x7f);
        if (oid.p[i] & 0x80)
            continue;
        if (first) {
            uint32_t root = v < 40 ? 0 : v < 80 ? 1 : 2;

            len += put_decimal(text, root);
            v -= root * 40;
        }
        first = false;
        text[len++] = '.';
        len += put_decimal(text + len, v);
        v = 0;
    }
    fields_text(f, NULL, span_of(text, len));
}

static void put_variables(struct fields *f, struct span in)
{
    struct span one, oid;

    fields_list(f, "vars");
    for (int i = 0; i < VARIABLES_MAX && ber_take(&in, TAG_SEQUENCE, &one) && ber_take(&one, TAG_OID, &oid);
         i++)
        put_oid(f, oid);
    fields_close(f);
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    static const char *const words[PDU_LAST + 1] = {"get_request",    "get_next_request", "response",
                                                    "set_request",    "trap_v1",          "get_bulk_request",
                                                    "inform_request", "trap_v2",          "report"};
    const struct snmp_tx *t = (const struct snmp_tx *)tx;

    if (t->has_version)
        fields_number(f, "version", t->version);
    if (t->community.p)
        fields_text(f, "community", t->community);
    if (t->user.p)
        fields_text(f, "usm", t->user);
    if (t->has_pdu)
        fields_word(f, "pdu_type", words[t->pdu]);
    if (t->variables.len > 0)
        put_variables(f, t->variables);
}

static const uint16_t ports[] = {161, 162, 0};

const struct app_parser parser_snmp = {.proto = APP_SNMP,
                                       .udp = true,
                                       .ports = ports,
                                       .probe = probe,
                                       .take = take,
                                       .show = show,
                                       .fields = fields};
