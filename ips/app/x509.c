/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads certificates: a bounded reader for DER, and just those parts that rules can ask about.
 *
 * OpenSSL's reader takes memory from the heap for every field, and accepts and refuses far more than matters here; a worker
 * may not do the one and need not do the other. Lengths are definite and checked against what holds them, nothing is
 * recursive, and each byte is passed a bounded number of times: the nesting of a certificate is known beforehand.
 *
 * Texts are written as Suricata writes them: attributes in the certificate's order, "C=US, O=Example, CN=a + UID=b", string
 * types as they are, with a NUL where there is one, everything else in hexadecimal; an unknown type as OID(1.2.3).
 *
 * Owns nothing. Any thread.
 */
#include "ips/app/x509.h"

enum tag {
    TAG_INTEGER = 0x02,
    TAG_OID = 0x06,
    TAG_OCTETS = 0x04,
    TAG_UTC_TIME = 0x17,
    TAG_TIME = 0x18,
    TAG_SEQUENCE = 0x30,
    TAG_SET = 0x31,
    TAG_VERSION = 0xa0,
    TAG_EXTENSIONS = 0xa3,
};

/* The element at the front of *s; *s goes on behind it. */
static bool next(struct span *s, uint8_t *tag, struct span *body)
{
    uint32_t len, head = 2;

    if (s->len < 2 || (s->p[0] & 0x1f) == 0x1f)
        return false;
    *tag = s->p[0];
    len = s->p[1];
    if (len >= 0x80) {
        uint32_t n = len & 0x7f;

        if (n == 0 || n > 4 || s->len < 2 + n)
            return false;
        len = 0;
        for (uint32_t i = 0; i < n; i++)
            len = len << 8 | s->p[2 + i];
        head += n;
    }
    if (len > s->len - head)
        return false;
    *body = span_sub(*s, head, len);
    *s = span_sub(*s, head + len, s->len);
    return true;
}

static bool expect(struct span *s, uint8_t tag, struct span *body)
{
    struct span at = *s;
    uint8_t found;

    if (!next(&at, &found, body) || found != tag)
        return false;
    *s = at;
    return true;
}

/* --- dates ------------------------------------------------------------------------------------------------------- */

static bool digits(const uint8_t *p, unsigned n, int *v)
{
    *v = 0;
    for (unsigned i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *v = *v * 10 + (p[i] - '0');
    }
    return true;
}

/* Days from 1970-01-01 to the first day of the month, in the Gregorian calendar; years from 1 on. */
static int64_t days(int year, int month)
{
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t y = year - 1;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return y * 365 + y / 4 - y / 100 + y / 400 - 719162 + before[month - 1] + (leap && month > 2);
}

/* UTCTime YYMMDDhhmm[ss]Z or GeneralizedTime YYYYMMDDhhmmss[.f]Z; ±hhmm instead of Z as old ones have it. */
static bool read_time(struct span *s, int64_t *out)
{
    struct span t;
    uint8_t tag;
    int year, month, day, hour, minute, second = 0, zone_hour, zone_minute;
    uint32_t at;

    if (!next(s, &tag, &t) || (tag != TAG_UTC_TIME && tag != TAG_TIME))
        return false;
    at = tag == TAG_UTC_TIME ? 2 : 4;
    if (t.len < at + 8 || !digits(t.p, at, &year) || !digits(t.p + at, 2, &month) ||
        !digits(t.p + at + 2, 2, &day) || !digits(t.p + at + 4, 2, &hour) ||
        !digits(t.p + at + 6, 2, &minute))
        return false;
    if (tag == TAG_UTC_TIME)
        year += year < 50 ? 2000 : 1900;
    at += 8;
    if (t.len >= at + 2 && digits(t.p + at, 2, &second))
        at += 2;
    else
        second = 0;
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60 || year < 1)
        return false;
    *out = ((days(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60 + second;
    if (at < t.len && (t.p[at] == '.' || t.p[at] == ','))
        for (at++; at < t.len && t.p[at] >= '0' && t.p[at] <= '9';)
            at++;
    if (t.len == at + 5 && (t.p[at] == '+' || t.p[at] == '-') && digits(t.p + at + 1, 2, &zone_hour) &&
        digits(t.p + at + 3, 2, &zone_minute)) {
        int64_t ahead = zone_hour * 3600 + zone_minute * 60;

        *out += t.p[at] == '+' ? -ahead : ahead;
        return true;
    }
    return t.len == at + 1 && t.p[at] == 'Z';
}

/* --- the certificate ----------------------------------------------------------------------------------------------- */

static bool find_names(struct span list, struct x509 *c)
{
    static const uint8_t alt_name[] = {0x55, 0x1d, 0x11}; /* 2.5.29.17 */
    struct span extension, oid, value, names;
    uint8_t tag;

    while (list.len > 0) {
        if (!expect(&list, TAG_SEQUENCE, &extension) || !expect(&extension, TAG_OID, &oid))
            return false;
        if (!span_eq(oid, span_of(alt_name, sizeof(alt_name))) || c->names.p)
            continue;
        if (!next(&extension, &tag, &value))
            return false;
        if (tag != TAG_OCTETS && !expect(&extension, TAG_OCTETS, &value)) /* "critical" stood in front */
            return false;
        if (!expect(&value, TAG_SEQUENCE, &names))
            return false;
        c->names = names;
    }
    return true;
}

enum x509_part x509_parse(struct span der, struct x509 *c)
{
    struct span whole, tbs, part, body;
    uint8_t tag;

    memset(c, 0, sizeof(*c));
    if (!expect(&der, TAG_SEQUENCE, &whole) || !expect(&whole, TAG_SEQUENCE, &tbs))
        return X509_BAD_DER;
    if (tbs.len > 0 && tbs.p[0] == TAG_VERSION &&
        (!expect(&tbs, TAG_VERSION, &part) || !expect(&part, TAG_INTEGER, &body) || body.len != 1 ||
         body.p[0] > 2))
        return X509_BAD_VERSION;
    if (!expect(&tbs, TAG_INTEGER, &c->serial))
        return X509_BAD_SERIAL;
    if (!expect(&tbs, TAG_SEQUENCE, &part))
        return X509_BAD_ALGORITHM;
    if (!expect(&tbs, TAG_SEQUENCE, &c->issuer))
        return X509_BAD_NAME;
    if (!expect(&tbs, TAG_SEQUENCE, &part))
        return X509_BAD_DATE;
    bool dates = read_time(&part, &c->not_before) && read_time(&part, &c->not_after);
    if (!expect(&tbs, TAG_SEQUENCE, &c->subject))
        return X509_BAD_NAME;
    c->has_dates = dates;
    while (tbs.len > 0) { /* key, unique identifiers, extensions */
        if (!next(&tbs, &tag, &part))
            return X509_BAD_DER;
        if (tag == TAG_EXTENSIONS && (!expect(&part, TAG_SEQUENCE, &body) || !find_names(body, c)))
            return X509_BAD_EXTENSIONS;
    }
    return dates ? X509_WHOLE : X509_BAD_DATE;
}

/* --- texts ------------------------------------------------------------------------------------------------------- */

struct text {
    uint8_t *p;
    uint32_t len, cap;
    bool full;
};

static void put(struct text *t, struct span s)
{
    if (s.len > t->cap - t->len) {
        t->full = true;
        return;
    }
    if (s.len > 0)
        memcpy(t->p + t->len, s.p, s.len);
    t->len += s.len;
}

static void put_word(struct text *t, const char *s)
{
    put(t, span_str(s));
}

static void put_hex(struct text *t, struct span s)
{
    static const char digit[] = "0123456789ABCDEF";

    for (uint32_t i = 0; i < s.len && !t->full; i++) {
        uint8_t two[2] = {(uint8_t)digit[s.p[i] >> 4], (uint8_t)digit[s.p[i] & 15]};

        put(t, span_of(two, 2));
    }
}

static void put_decimal(struct text *t, uint64_t v)
{
    uint8_t d[20];
    unsigned n = sizeof(d);

    do {
        d[--n] = (uint8_t)('0' + v % 10);
        v /= 10;
    } while (v);
    put(t, span_of(d + n, sizeof(d) - n));
}

/* Names of attribute types: 2.5.4.x by x; the others are compared as they are encoded. */
static const char *const x500[] = {
    [0] = "objectClass",
    [1] = "aliasedEntryName",
    [2] = "knowledgeInformation",
    [3] = "CN",
    [4] = "surname",
    [5] = "serialNumber",
    [6] = "C",
    [7] = "L",
    [8] = "ST",
    [9] = "streetAddress",
    [10] = "O",
    [11] = "OU",
    [12] = "title",
    [13] = "description",
    [15] = "businessCategory",
    [17] = "postalCode",
    [41] = "name",
    [42] = "givenName",
    [43] = "initials",
    [44] = "generationQualifier",
    [46] = "dnQualifier",
};

static const struct {
    uint8_t len;
    uint8_t oid[11];
    const char *name;
} others[] = {
    {9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01}, "Email"},
    {9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x02}, "unstructuredName"},
    {10, {0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19}, "DC"},
};

static void put_oid(struct text *t, struct span oid)
{
    uint64_t v = 0;
    bool first = true;

    put_word(t, "OID(");
    for (uint32_t i = 0; i < oid.len && !t->full; i++) {
        v = v << 7 | (oid.p[i] & 0x7f);
        if (oid.p[i] & 0x80)
            continue;
        if (first) {
            uint64_t top = v < 40 ? 0 : v < 80 ? 1 : 2;

            put_decimal(t, top);
            v -= top * 40;
        }
        put_word(t, ".");
        put_decimal(t, v);
        first = false;
        v = 0;
    }
    put_word(t, ")");
}

static void put_type(struct text *t, struct span oid)
{
    if (oid.len == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x04 && oid.p[2] < sizeof(x500) / sizeof(x500[0]) &&
        x500[oid.p[2]]) {
        put_word(t, x500[oid.p[2]]);
        return;
    }
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (span_eq(oid, span_of(others[i].oid, others[i].len))) {
            put_word(t, others[i].name);
            return;
        }
    }
    put_oid(t, oid);
}

/* NumericString, PrintableString, T61String, VideotexString, IA5String, GraphicString, VisibleString, GeneralString,
 * BMPString, UTF8String, ObjectDescriptor */
static bool is_string(uint8_t tag)
{
    return tag == 0x07 || tag == 0x0c || (tag >= 0x12 && tag <= 0x16) || (tag >= 0x19 && tag <= 0x1b) ||
           tag == 0x1e;
}

bool x509_name_text(struct span name, uint8_t *out, uint32_t cap, uint32_t *len)
{
    struct text t = {.p = out, .cap = cap};
    struct span set, attribute, oid, value;
    uint8_t tag;

    while (name.len > 0 && !t.full) {
        bool first = true;

        if (!expect(&name, TAG_SET, &set))
            return false;
        if (t.len > 0)
            put_word(&t, ", ");
        while (set.len > 0 && !t.full) {
            if (!expect(&set, TAG_SEQUENCE, &attribute) || !expect(&attribute, TAG_OID, &oid) ||
                !next(&attribute, &tag, &value))
                return false;
            if (!first)
                put_word(&t, " + ");
            first = false;
            put_type(&t, oid);
            put_word(&t, "=");
            if (is_string(tag))
                put(&t, value);
            else
                put_hex(&t, value);
        }
    }
    *len = t.len;
    return !t.full;
}

bool x509_serial_text(struct span serial, uint8_t *out, uint32_t cap, uint32_t *len)
{
    struct text t = {.p = out, .cap = cap};

    for (uint32_t i = 0; i < serial.len && !t.full; i++) {
        if (i > 0)
            put_word(&t, ":");
        put_hex(&t, span_sub(serial, i, 1));
    }
    *len = t.len;
    return !t.full && serial.len > 0;
}

void x509_date_text(int64_t seconds, uint8_t out[X509_DATE_TEXT])
{
    int64_t day = seconds / 86400 - (seconds % 86400 < 0), rest = seconds - day * 86400;
    int64_t year =
        1970 + (day >= 0 ? day / 365 : day / 366); /* not too early, and a few years late at most */
    int month = 12;

    if (year > 9999)
        year = 9999;
    while (year > 0 && days((int)year, 1) > day)
        year--;
    while (month > 1 && days((int)year, month) > day)
        month--;
    int64_t of_month = day - days((int)year, month) + 1;
    const struct {
        uint8_t at, n;
        int64_t v;
    } parts[] = {{0, 4, year},         {5, 2, month},           {8, 2, of_month},
                 {11, 2, rest / 3600}, {14, 2, rest / 60 % 60}, {17, 2, rest % 60}};
    memcpy(out, "0000-00-00T00:00:00", X509_DATE_TEXT);
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        int64_t v = parts[i].v;

        for (unsigned k = parts[i].n; k > 0; k--, v /= 10)
            out[parts[i].at + k - 1] = (uint8_t)('0' + v % 10);
    }
}

static void put_address(struct text *t, struct span a)
{
    static const char digit[] = "0123456789abcdef";

    for (uint32_t i = 0; a.len == 4 && i < 4; i++) {
        if (i > 0)
            put_word(t, ".");
        put_decimal(t, a.p[i]);
    }
    for (uint32_t i = 0; a.len == 16 && i < 16; i++) {
        uint8_t two[2] = {(uint8_t)digit[a.p[i] >> 4], (uint8_t)digit[a.p[i] & 15]};

        if (i > 0 && i % 2 == 0)
            put_word(t, ":");
        put(t, span_of(two, 2));
    }
}

bool x509_next_name(struct span *names, uint8_t room[X509_ADDRESS_TEXT], struct span *text)
{
    enum { MAIL = 0x81, HOST = 0x82, URI = 0x86, ADDRESS = 0x87 };
    uint8_t tag;

    while (next(names, &tag, text)) {
        if (tag == MAIL || tag == HOST || tag == URI)
            return true;
        if (tag == ADDRESS && (text->len == 4 || text->len == 16)) {
            struct text t = {.p = room, .cap = X509_ADDRESS_TEXT};

            put_address(&t, *text);
            *text = span_of(room, t.len);
            return true;
        }
    }
    return false;
}
