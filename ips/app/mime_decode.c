/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transfer encodings of mails, line by line: base64 and quoted-printable (RFC 2045, 6), uuencode.
 *
 * base64 is read as most readers do: what is no digit is passed over, and digits behind the padding go on. Both are events,
 * because some readers stop there.
 *
 * A text may hold a uuencoded file without saying so ("begin 644 name" to "end"): that is a file of its own.
 *
 * Worker thread. Owns nothing.
 */
#include "ips/app/mime_parts.h"
#include "ips/app/words.h"

#define DIGIT_NO    64
#define DIGIT_PAD   65
#define DIGIT_BLANK 66

uint8_t mime_base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint8_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0' + 52);
    if (c == '+')
        return 62;
    if (c == '/')
        return 63;
    if (c == '=')
        return DIGIT_PAD;
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' ? DIGIT_BLANK : DIGIT_NO;
}

/* The bytes of a quantum that is not whole. */
static uint32_t flush_quantum(struct mime *m, uint8_t *out)
{
    uint32_t n = 0;

    if (m->n_quantum >= 2)
        out[n++] = (uint8_t)(m->quantum >> (m->n_quantum == 2 ? 4 : 10));
    if (m->n_quantum == 3)
        out[n++] = (uint8_t)(m->quantum >> 2);
    m->n_quantum = 0;
    m->quantum = 0;
    return n;
}

static void base64(struct app *a, struct mime *m, struct span text)
{
    uint8_t out[MIME_LINE_MAX / 4 * 3 + 16];
    uint32_t n = 0;
    bool invalid = false, goes_on = false;

    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t v = mime_base64_value(text.p[i]);

        if (v <= 63) {
            goes_on |= m->after_pad;
            m->after_pad = false;
            m->quantum = m->quantum << 6 | v;
            if (++m->n_quantum < 4)
                continue;
            out[n++] = (uint8_t)(m->quantum >> 16);
            out[n++] = (uint8_t)(m->quantum >> 8);
            out[n++] = (uint8_t)m->quantum;
            m->n_quantum = 0;
            m->quantum = 0;
        } else if (v == DIGIT_PAD) {
            invalid |= m->n_quantum == 1 || (m->n_quantum == 0 && !m->after_pad);
            n += flush_quantum(m, out + n);
            m->after_pad = true;
        } else {
            invalid |= v == DIGIT_NO;
        }
        if (n + 8 > sizeof(out)) {
            mime_part_bytes(a, m, span_of(out, n));
            n = 0;
        }
    }
    if (invalid || goes_on)
        app_event(a, goes_on ? AN_MIME_BASE64_GOES_ON : AN_MIME_INVALID_BASE64);
    mime_part_bytes(a, m, span_of(out, n));
}

/* --- quoted-printable ----------------------------------------------------------------------------------------------- */

static const uint8_t crlf[2] = "\r\n";

/* The line's end, of n bytes, as it was. */
static struct span eol_of(uint8_t n)
{
    return span_sub(span_of(crlf, 2), 2u - n, n);
}

/* One byte of the text; what is not known yet waits in escape. */
static uint32_t quoted_byte(struct mime *m, uint8_t c, uint8_t *out, bool *invalid)
{
    int high, low;

    if (m->n_quantum == 0 && c != '=') {
        out[0] = c;
        return 1;
    }
    if (m->n_quantum < 2) {
        m->escape[m->n_quantum++] = c;
        if (m->n_quantum == 1 || mime_hex(c) >= 0)
            return 0;
        *invalid = true;
        m->n_quantum = 0;
        if (c == '=') { /* the second one may be the beginning of another */
            m->escape[0] = c;
            m->n_quantum = 1;
            out[0] = '=';
            return 1;
        }
        out[0] = '=';
        out[1] = c;
        return 2;
    }
    high = mime_hex(m->escape[1]);
    low = mime_hex(c);
    m->n_quantum = 0;
    if (low >= 0) {
        out[0] = (uint8_t)(high * 16 + low);
        return 1;
    }
    *invalid = true;
    out[0] = '=';
    out[1] = m->escape[1];
    out[2] = c;
    return 3;
}

static void quoted_printable(struct app *a, struct mime *m, struct span text, bool ends, uint8_t eol)
{
    uint8_t out[3 * MIME_LINE_MAX + 8];
    uint32_t n = 0;
    bool invalid = false, soft = false;

    if (ends) { /* blanks at a line's end were added on the way */
        while (text.len > 0 && word_blank(text.p[text.len - 1]))
            text.len--;
        soft = text.len > 0 ? text.p[text.len - 1] == '=' : m->n_quantum == 1;
        if (soft && text.len > 0)
            text.len--;
    }
    if (m->eol > 0)
        mime_part_bytes(a, m, eol_of(m->eol));
    for (uint32_t i = 0; i < text.len; i++)
        n += quoted_byte(m, text.p[i], out + n, &invalid);
    if (ends && m->n_quantum > 0) {
        if (!(soft && m->n_quantum == 1 && text.len == 0)) {
            invalid = true;
            memcpy(out + n, m->escape, m->n_quantum);
            n += m->n_quantum;
        }
        m->n_quantum = 0;
    }
    m->eol = soft || !ends ? 0 : eol;
    if (invalid)
        app_event(a, AN_MIME_INVALID_QP);
    mime_part_bytes(a, m, span_of(out, n));
}

/* --- uuencode ------------------------------------------------------------------------------------------------------- */

/* "begin 644 name" */
static bool uu_begins(struct span text, struct span *name)
{
    struct span rest = text, mode;
    uint64_t number;

    if (!word_begins(text, "begin "))
        return false;
    word_next(&rest);
    mode = word_next(&rest);
    *name = word_trim(rest);
    return mode.len >= 3 && word_number(&mode, 100000, &number) && mode.len == 0 && name->len > 0;
}

static void uu_line(struct app *a, struct mime *m, struct span text)
{
    uint8_t out[64 + 3];
    uint32_t n = 0, want;

    if (text.len == 0)
        return;
    want = (uint32_t)(text.p[0] - 32) & 63;
    for (uint32_t i = 1; i + 1 < text.len && n < want; i += 4) {
        uint32_t v = 0;

        for (uint32_t k = 0; k < 4; k++)
            v = v << 6 | (i + k < text.len ? (uint32_t)(text.p[i + k] - 32) & 63 : 0);
        out[n++] = (uint8_t)(v >> 16);
        out[n++] = (uint8_t)(v >> 8);
        out[n++] = (uint8_t)v;
    }
    mime_part_bytes(a, m, span_of(out, n < want ? n : want));
}

/* True: the line was a part of a uuencoded file. */
static bool uu(struct app *a, struct mime *m, struct span text)
{
    struct span name;

    if (m->uu && word_is(text, "end")) {
        mime_part_end(a, m);
        m->uu = false;
        mime_part_begin(a, m, span_of(m->part.name, 0), false);
        return true;
    }
    if (m->uu) {
        uu_line(a, m, text);
        return true;
    }
    if (!uu_begins(text, &name))
        return false;
    mime_part_end(a, m);
    m->uu = true;
    m->eol = 0;
    mime_part_begin(a, m,
                    name.len > MIME_NAME_MAX ? span_sub(name, name.len - MIME_NAME_MAX, MIME_NAME_MAX) : name,
                    true);
    return true;
}

/* --- lines ---------------------------------------------------------------------------------------------------------- */

void mime_decode_line(struct app *a, struct mime *m, struct span text, bool ends, uint8_t eol)
{
    if (m->part.coding == MIME_BASE64) {
        if (text.len > 76)
            app_event(a, AN_MIME_LONG_ENC_LINE);
        base64(a, m, text);
        return;
    }
    if (m->part.coding == MIME_QUOTED) {
        if (text.len > 76)
            app_event(a, AN_MIME_LONG_ENC_LINE);
        quoted_printable(a, m, text, ends, eol);
        return;
    }
    if (!m->cut && uu(a, m, text))
        return;
    if (m->eol > 0)
        mime_part_bytes(a, m, eol_of(m->eol));
    mime_part_bytes(a, m, text);
    m->eol = ends ? eol : 0;
}

void mime_decode_end(struct app *a, struct mime *m)
{
    uint8_t out[4];

    if (m->part.coding == MIME_BASE64 && m->n_quantum > 0) {
        if (m->n_quantum == 1)
            app_event(a, AN_MIME_INVALID_BASE64);
        mime_part_bytes(a, m, span_of(out, flush_quantum(m, out)));
    }
    m->n_quantum = 0;
}
