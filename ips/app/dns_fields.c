/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A DNS message as EVE shows it: the members of Suricata 7's dns object (format 2: type, id, flags, rrname, rrtype, rcode,
 * answers and, by type, grouped), and the lists of questions, authorities and additionals that format 3 brought.
 *
 * The message is read anew from its bytes, so that nothing is kept for events that are not wanted. The first RECORDS_MAX
 * records are shown.
 *
 * Worker thread. Owns nothing.
 */
#include "ips/app/dns.h"

#define RECORDS_MAX 64
#define RDATA_MAX   1024 /* bytes of a text record that are shown */

static const struct {
    uint16_t type;
    const char *word;
} types[] = {
    {1, "A"},           {2, "NS"},      {3, "MD"},      {4, "MF"},      {5, "CNAME"},    {6, "SOA"},
    {7, "MB"},          {8, "MG"},      {9, "MR"},      {10, "NULL"},   {11, "WKS"},     {12, "PTR"},
    {13, "HINFO"},      {14, "MINFO"},  {15, "MX"},     {16, "TXT"},    {17, "RP"},      {18, "AFSDB"},
    {19, "X25"},        {20, "ISDN"},   {21, "RT"},     {22, "NSAP"},   {23, "NSAPPTR"}, {24, "SIG"},
    {25, "KEY"},        {26, "PX"},     {27, "GPOS"},   {28, "AAAA"},   {29, "LOC"},     {30, "NXT"},
    {33, "SRV"},        {34, "ATMA"},   {35, "NAPTR"},  {36, "KX"},     {37, "CERT"},    {38, "A6"},
    {39, "DNAME"},      {40, "SINK"},   {41, "OPT"},    {42, "APL"},    {43, "DS"},      {44, "SSHFP"},
    {45, "IPSECKEY"},   {46, "RRSIG"},  {47, "NSEC"},   {48, "DNSKEY"}, {49, "DHCID"},   {50, "NSEC3"},
    {51, "NSEC3PARAM"}, {52, "TLSA"},   {53, "SMIMEA"}, {55, "HIP"},    {59, "CDS"},     {60, "CDNSKEY"},
    {61, "OPENPGPKEY"}, {62, "CSYNC"},  {63, "ZONEMD"}, {64, "SVCB"},   {65, "HTTPS"},   {99, "SPF"},
    {108, "EUI48"},     {109, "EUI64"}, {249, "TKEY"},  {250, "TSIG"},  {251, "IXFR"},   {252, "AXFR"},
    {253, "MAILB"},     {254, "MAILA"}, {255, "ANY"},   {256, "URI"},   {257, "CAA"},
};

const char *dns_type_word(uint16_t type)
{
    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i].type == type)
            return types[i].word;
    return NULL;
}

static const char *const rcodes[] = {"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
                                     "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};

const char *dns_rcode_word(uint8_t rcode)
{
    return rcode < sizeof(rcodes) / sizeof(rcodes[0]) ? rcodes[rcode] : NULL;
}

/* --- small texts ----------------------------------------------------------------------------------------------------- */

struct text {
    uint8_t p[80];
    uint32_t len;
};

static void decimal(struct text *t, uint32_t v)
{
    uint8_t digits[10];
    uint32_t n = 0;

    do
        digits[n++] = (uint8_t)('0' + v % 10);
    while ((v /= 10) > 0);
    while (n > 0)
        t->p[t->len++] = digits[--n];
}

static void hex(struct text *t, const uint8_t *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        t->p[t->len++] = (uint8_t) "0123456789abcdef"[p[i] >> 4];
        t->p[t->len++] = (uint8_t) "0123456789abcdef"[p[i] & 15];
    }
}

static void put_text(struct fields *f, const char *key, const struct text *t)
{
    fields_text(f, key, span_of(t->p, t->len));
}

static void put_type(struct fields *f, const char *key, uint16_t type)
{
    const char *word = dns_type_word(type);
    struct text t = {.len = 0};

    if (word) {
        fields_word(f, key, word);
        return;
    }
    decimal(&t, type);
    put_text(f, key, &t);
}

static void put_rcode(struct fields *f, uint8_t rcode)
{
    const char *word = dns_rcode_word(rcode);
    struct text t = {.len = 0};

    if (word) {
        fields_word(f, "rcode", word);
        return;
    }
    decimal(&t, rcode);
    put_text(f, "rcode", &t);
}

/* --- records --------------------------------------------------------------------------------------------------------- */

enum { T_A = 1, T_SOA = 6, T_TXT = 16, T_AAAA = 28, T_SRV = 33, T_SSHFP = 44 };

/* Strings with their lengths, one behind the other, joined. */
static void put_strings(struct fields *f, const char *key, struct span rdata)
{
    uint8_t room[RDATA_MAX];
    uint32_t len = 0;

    while (rdata.len > 0) {
        struct span one = span_sub(rdata, 1, rdata.p[0]);

        if (one.len > sizeof(room) - len)
            one.len = (uint32_t)sizeof(room) - len;
        memcpy(room + len, one.p, one.len);
        len += one.len;
        rdata = span_sub(rdata, 1u + rdata.p[0], rdata.len);
    }
    fields_text(f, key, span_of(room, len));
}

static bool name_in(struct dns_reader *r, const struct dns_record *rec, uint32_t *at, uint8_t *room,
                    struct span *name)
{
    if (*at >= rec->rdata_at + rec->rdata.len)
        return false;
    *name = span_of(room, 0);
    return dns_name(r, at, room, &name->len);
}

static void put_soa(struct fields *f, struct dns_reader *r, const struct dns_record *rec)
{
    static const char *const numbers[] = {"serial", "refresh", "retry", "expire", "minimum"};
    uint8_t room[DNS_ROOM];
    uint32_t at = rec->rdata_at, end = rec->rdata_at + rec->rdata.len;
    struct span name;

    fields_object(f, "soa");
    if (name_in(r, rec, &at, room, &name)) {
        fields_text(f, "mname", name);
        if (name_in(r, rec, &at, room, &name)) {
            fields_text(f, "rname", name);
            for (int i = 0; i < 5 && at + 4 <= end; i++, at += 4)
                fields_number(f, numbers[i], load_be32(r->message.p + at));
        }
    }
    fields_close(f);
}

static void put_srv(struct fields *f, struct dns_reader *r, const struct dns_record *rec)
{
    uint8_t room[DNS_ROOM];
    uint32_t at = rec->rdata_at + 6;
    struct span name;

    if (rec->rdata.len < 7)
        return;
    fields_object(f, "srv");
    fields_number(f, "priority", load_be16(rec->rdata.p));
    fields_number(f, "weight", load_be16(rec->rdata.p + 2));
    fields_number(f, "port", load_be16(rec->rdata.p + 4));
    if (name_in(r, rec, &at, room, &name))
        fields_text(f, "name", name);
    fields_close(f);
}

static void put_sshfp(struct fields *f, const struct dns_record *rec)
{
    struct text t = {.len = 0};

    if (rec->rdata.len < 2)
        return;
    fields_object(f, "sshfp");
    for (uint32_t i = 2; i < rec->rdata.len && t.len + 3 <= sizeof(t.p); i++) {
        if (i > 2)
            t.p[t.len++] = ':';
        hex(&t, rec->rdata.p + i, 1);
    }
    put_text(f, "fingerprint", &t);
    fields_number(f, "algo", rec->rdata.p[0]);
    fields_number(f, "type", rec->rdata.p[1]);
    fields_close(f);
}

/* False: nothing of that type is shown as one text. */
static bool put_rdata(struct fields *f, const char *key, struct dns_reader *r, const struct dns_record *rec)
{
    uint8_t room[DNS_ROOM];
    uint32_t in = dns_rdata_name(rec->type), at = rec->rdata_at + in;
    struct span name;

    if ((rec->type == T_A && rec->rdata.len == 4) || (rec->type == T_AAAA && rec->rdata.len == 16)) {
        fields_address(f, key, rec->rdata);
    } else if (rec->type == T_TXT) {
        put_strings(f, key, rec->rdata);
    } else if (rec->type != T_SOA && rec->type != T_SRV && in < rec->rdata.len &&
               name_in(r, rec, &at, room, &name)) {
        fields_text(f, key, name);
    } else {
        return false;
    }
    return true;
}

static void put_record(struct fields *f, struct dns_reader *r, const struct dns_record *rec)
{
    fields_object(f, NULL);
    fields_text(f, "rrname", rec->name);
    put_type(f, "rrtype", rec->type);
    if (rec->section != DNS_QUERIES) {
        fields_number(f, "ttl", rec->ttl);
        if (rec->type == T_SOA)
            put_soa(f, r, rec);
        else if (rec->type == T_SRV)
            put_srv(f, r, rec);
        else if (rec->type == T_SSHFP)
            put_sshfp(f, rec);
        else
            put_rdata(f, "rdata", r, rec);
    }
    fields_close(f);
}

/* Answers of each type together: {"A": [...], "CNAME": [...]}. */
static void put_grouped(struct fields *f, struct dns_reader *r, const struct dns_record *answer, uint32_t n)
{
    bool done[RECORDS_MAX] = {false};

    fields_object(f, "grouped");
    for (uint32_t i = 0; i < n; i++) {
        const char *word = dns_type_word(answer[i].type);

        if (done[i] || !word || answer[i].type == T_SOA || answer[i].type == T_SRV)
            continue;
        fields_list(f, word);
        for (uint32_t k = i; k < n; k++) {
            if (answer[k].type != answer[i].type)
                continue;
            put_rdata(f, NULL, r, &answer[k]);
            done[k] = true;
        }
        fields_close(f);
    }
    fields_close(f);
}

static void put_flags(struct fields *f, const struct dns_reader *r)
{
    static const struct {
        uint16_t bit;
        const char *word;
    } bits[] = {{DNS_QR, "qr"}, {0x0400, "aa"}, {0x0200, "tc"}, {0x0100, "rd"}, {0x0080, "ra"}, {DNS_Z, "z"}};
    struct text t = {.len = 0};

    hex(&t, r->message.p + 2, 2);
    uint32_t zeros = 0;
    while (zeros < 3 && t.p[zeros] == '0')
        zeros++;
    fields_text(f, "flags", span_of(t.p + zeros, t.len - zeros));
    for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        if (r->flags & bits[i].bit)
            fields_bool(f, bits[i].word, true);
}

/* --- the message ------------------------------------------------------------------------------------------------------ */

static void put_sections(struct fields *f, struct dns_reader *r)
{
    static const char *const lists[DNS_SECTIONS] = {"queries", "answers", "authorities", "additionals"};
    struct dns_record rec, answer[RECORDS_MAX];
    uint8_t room[DNS_ROOM];
    uint32_t n = 0, n_answers = 0;
    int open = -1;

    while (n++ < RECORDS_MAX && dns_next(r, &rec, room) == DNS_RECORD) {
        if (rec.section != open) {
            if (open >= 0)
                fields_close(f);
            else if (rec.section == DNS_QUERIES) {
                fields_text(f, "rrname", rec.name);
                put_type(f, "rrtype", rec.type);
            }
            fields_list(f, lists[rec.section]);
            open = rec.section;
        }
        put_record(f, r, &rec);
        if (rec.section == DNS_ANSWERS)
            answer[n_answers++] = rec;
    }
    if (open >= 0)
        fields_close(f);
    if (n_answers > 0)
        put_grouped(f, r, answer, n_answers);
}

void dns_fields(struct span message, struct fields *f)
{
    struct dns_reader r;

    fields_number(f, "version", 2);
    if (!dns_begin(&r, message))
        return;
    fields_word(f, "type", r.flags & DNS_QR ? "answer" : "query");
    fields_number(f, "id", r.id);
    put_flags(f, &r);
    fields_number(f, "opcode", dns_opcode(r.flags));
    if (r.flags & DNS_QR)
        put_rcode(f, r.flags & 15);
    put_sections(f, &r);
}
