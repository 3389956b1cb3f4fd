/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suricata's older words about certificates, and those about their dates.
 *
 *     tls.subject:[!]"text"; tls.issuerdn, tls.fingerprint    a part of tls.cert_subject, tls.cert_issuer, tls.cert_fingerprint, as it is
 *                                                  written: they take no modifiers (RULES.md 2B, 33)
 *     tls_cert_notbefore:DATE; <DATE, >DATE, DATE<>DATE       tls_cert_notafter; the named dates count in
 *     tls_cert_valid; tls_cert_expired;                       by notAfter alone, at the packet's time
 *     tls.store;                                              the event of the handshake says what the certificate says, stored or not
 *
 * DATE is YYYY-MM, YYYY-MM-DD, and HH, HH:MM or HH:MM:SS behind a T or a blank, in UTC; or seconds since 1970. What the
 * words look into is published by the parser (ips/app/tls_certs.c), numbers and dates as hidden buffers. Parsing in
 * the control thread, matching in workers.
 */
#include <ctype.h>

#include "rules/buffers.h"
#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/source.h"

/* --- names and fingerprints ------------------------------------------------------------------------------------------ */

static bool part_of(struct draft *d, const struct option *o, enum buffer_id b)
{
    struct option content = *o;

    content.kw = &kw_content;
    if (!kw_content.parse(d, &content))
        return false;
    d->last_content->has |= LITERAL_BUFFER;
    d->last_content->fresh = true;
    buffers_look(d, d->last_content, b);
    d->last_content = NULL; /* no modifiers */
    d->buffer_fresh = true; /* what follows in a sticky buffer begins anew */
    return true;
}

static bool parse_subject(struct draft *d, const struct option *o)
{
    return part_of(d, o, BUF_TLS_CERT_SUBJECT);
}

static bool parse_issuer(struct draft *d, const struct option *o)
{
    return part_of(d, o, BUF_TLS_CERT_ISSUER);
}

static bool parse_fingerprint(struct draft *d, const struct option *o)
{
    return part_of(d, o, BUF_TLS_CERT_FINGERPRINT);
}

static bool parse_store(struct draft *d, const struct option *o)
{
    d->info.apps |= APP_BIT(TLS);
    return true;
}

/* --- dates -------------------------------------------------------------------------------------------------------- */

struct dates { /* in the arena; both count in */
    int64_t from, to;
};

/* Two or four digits at the front of *s. */
static bool digits(struct span *s, uint32_t n, int *v)
{
    *v = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i >= s->len || !isdigit(s->p[i]))
            return false;
        *v = *v * 10 + (s->p[i] - '0');
    }
    *s = span_sub(*s, n, s->len);
    return true;
}

/* A separator and two digits, when there is something left. */
static bool part(struct span *s, const char *separators, int *v)
{
    if (s->len == 0)
        return true;
    if (strchr(separators, s->p[0]) == NULL)
        return false;
    *s = span_sub(*s, 1, s->len);
    return digits(s, 2, v);
}

static int64_t days_before(int year, int month)
{
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t y = year - 1;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return y * 365 + y / 4 - y / 100 + y / 400 - 719162 + before[month - 1] + (leap && month > 2);
}

static bool read_date(struct draft *d, const struct option *o, struct span text, int64_t *out)
{
    int year, month = 0, day = 1, hour = 0, minute = 0, second = 0;
    struct span s = text;
    uint64_t seconds;

    if (text_u64(text, UINT32_MAX, &seconds)) {
        *out = (int64_t)seconds;
        return true;
    }
    bool ok = digits(&s, 4, &year) && s.len > 0 && part(&s, "-", &month) && part(&s, "-", &day) &&
              part(&s, "T ", &hour) && part(&s, ":", &minute) && part(&s, ":", &second) && s.len == 0;
    if (!ok || year < 1 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
        second > 60)
        return draft_fail(d, text.p, "write a date such as 2024-04-21 or 2024-04-21T12:30:00",
                          "%s: '%.*s' is no date", o->kw->name, TEXT_ARG(text));
    *out = ((days_before(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60 + second;
    return true;
}

static bool read_dates(struct draft *d, const struct option *o, struct dates *v)
{
    struct span s = o->value;
    const uint8_t *range = s.len > 0 ? memmem(s.p, s.len, "<>", 2) : NULL;

    *v = (struct dates){.from = INT64_MIN, .to = INT64_MAX};
    if (range != NULL) {
        uint32_t at = (uint32_t)(range - s.p);

        if (!read_date(d, o, text_trim(span_sub(s, 0, at)), &v->from) ||
            !read_date(d, o, text_trim(span_sub(s, at + 2, s.len)), &v->to))
            return false;
        return v->from < v->to || draft_fail(d, s.p, "write the earlier date first",
                                             "%s: a range that ends before it begins", o->kw->name);
    }
    if (s.len > 0 && s.p[0] == '<')
        return read_date(d, o, text_trim(span_sub(s, 1, s.len)), &v->to);
    if (s.len > 0 && s.p[0] == '>')
        return read_date(d, o, text_trim(span_sub(s, 1, s.len)), &v->from);
    if (!read_date(d, o, s, &v->from))
        return false;
    v->to = v->from;
    return true;
}

/* A step that reads a number that the parser published. */
static struct draft_step *number(struct draft *d, const struct option *o, enum buffer_id b)
{
    struct draft_step *s = draft_step_add(d, o->kw, o->name.p);

    if (s == NULL)
        return NULL;
    s->step.flow = STEP_AT;
    s->fresh = true;
    d->buffer_fresh = true;
    buffers_look(d, s, b);
    return s;
}

static bool parse_dates(struct draft *d, const struct option *o, enum buffer_id b)
{
    struct draft_step *s = number(d, o, b);
    struct dates *v = arena_alloc(d->b->arena, sizeof(*v));

    if (s == NULL)
        return false;
    if (v == NULL)
        return draft_no_memory(d);
    s->step.data = v;
    return read_dates(d, o, v);
}

static bool parse_not_before(struct draft *d, const struct option *o)
{
    return parse_dates(d, o, BUF_TLS_NOT_BEFORE);
}

static bool parse_not_after(struct draft *d, const struct option *o)
{
    return parse_dates(d, o, BUF_TLS_NOT_AFTER);
}

static bool parse_valid(struct draft *d, const struct option *o)
{
    struct draft_step *s = number(d, o, BUF_TLS_CERT_IS_VALID);

    if (s != NULL)
        s->step.a = 1;
    return s != NULL;
}

static bool parse_expired(struct draft *d, const struct option *o)
{
    return number(d, o, BUF_TLS_CERT_IS_VALID) != NULL;
}

static bool match_dates(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    const struct dates *v = s->data;
    int64_t at;

    if (b.len != sizeof(at))
        return false;
    memcpy(&at, b.p, sizeof(at));
    return at >= v->from && at <= v->to;
}

static bool match_valid(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    uint64_t valid;

    if (b.len != sizeof(valid))
        return false;
    memcpy(&valid, b.p, sizeof(valid));
    return valid == (uint64_t)s->a;
}

#define PART(id, word, parser)                                               \
    const struct keyword kw_tls_##id = {.name = word,                        \
                                        .usage = "write " word ":\"text\";", \
                                        .value = VALUE_QUOTED,               \
                                        .flags = KEYWORD_NEGATED,            \
                                        .dialects = IN_SURICATA,             \
                                        .parse = parser};
PART(subject, "tls.subject", parse_subject)
PART(issuerdn, "tls.issuerdn", parse_issuer)
PART(fingerprint, "tls.fingerprint", parse_fingerprint)

#define DATE(id, word, parser)                                                                         \
    const struct keyword kw_tls_cert_##id = {.name = word,                                             \
                                             .usage = "write " word ":>2024-04-21; or with < or a<>b", \
                                             .value = VALUE_PLAIN,                                     \
                                             .dialects = IN_SURICATA,                                  \
                                             .parse = parser,                                          \
                                             .match = match_dates};
DATE(notbefore, "tls_cert_notbefore", parse_not_before)
DATE(notafter, "tls_cert_notafter", parse_not_after)

#define WORD(id, word, parser, matcher)                         \
    const struct keyword kw_##id = {.name = word,               \
                                    .usage = "write " word ";", \
                                    .value = VALUE_NONE,        \
                                    .dialects = IN_SURICATA,    \
                                    .parse = parser,            \
                                    .match = matcher};
WORD(tls_cert_valid, "tls_cert_valid", parse_valid, match_valid)
WORD(tls_cert_expired, "tls_cert_expired", parse_expired, match_valid)
WORD(tls_store, "tls.store", parse_store, NULL)
