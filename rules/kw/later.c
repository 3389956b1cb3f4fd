/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options that ask a protocol's parser, or a part of the engine, that is not there yet.
 *
 * A rule with one is loaded and dormant; its name is the reason that `ipsctl rules list --dormant` shows. What can be
 * said about the value without the parser is checked here, so that a misspelt rule is found today. The few rows without
 * DORMANT change nothing about what a rule matches: Snort 3's remarks, and Suricata's hint to its prefilter. Buffers
 * that nothing fills are in rules/buffers.h with all others.
 *
 * When the answer comes, the option gets a file of its own and a row in KEYWORD_TABLE, and its row here goes.
 * Control thread.
 */
#include "rules/kw/later.h"

#include <ctype.h>
#include <strings.h>

#include "rules/dialect.h"
#include "rules/number.h"
#include "rules/source.h"

enum form {
    NOTHING, /* no value */
    ANYTHING,
    NUMBER,  /* a condition in Suricata's notation: N, <N, a-b ... */
    NUMBERS, /* numbers with , - < > = ! between, as Snort writes sets and ranges */
    WORDS,   /* words of the row's list, with commas or bars between; '!' may stand before each */
    NAME,    /* one, of letters, digits, '.', '_' and '-' */
    NAMES,   /* the same with commas between; '!' may stand before them */
};

enum { DORMANT = 1 << 0, LOOKS = 1 << 1 /* into the sticky buffer in force */ };

struct later {
    struct keyword kw;
    const char *words; /* WORDS: separated by blanks */
    uint8_t form, flags;
};

static bool parse_later(struct draft *d, const struct option *o);

#define ROW(word, in, shape, bits, list)                                            \
    {                                                                               \
        {.name = word,                                                              \
         .usage = (shape) == NOTHING ? "write " word ";" : "write " word ":value;", \
         .value = (shape) == NOTHING ? VALUE_OPTIONAL : VALUE_RAW,                  \
         .dialects = in,                                                            \
         .parse = parse_later},                                                     \
            list, shape, bits                                                       \
    }
#define S  IN_SURICATA
#define S3 IN_SNORT3
#define A  0

/* By family; looked up by a scan, because few rules have any. */
static const struct later rows[] = {
    /* files */
    ROW("file_type", A, ANYTHING, DORMANT, NULL),
    ROW("file_group", IN_SNORT2, ANYTHING, DORMANT, NULL),
    ROW("file_meta", S3, ANYTHING, DORMANT, NULL),
    /* HTTP and DNS */
    ROW("http_encode", IN_SNORT2, ANYTHING, DORMANT, NULL),
    ROW("http_header_test", S3, ANYTHING, DORMANT, NULL),
    ROW("http_trailer_test", S3, ANYTHING, DORMANT, NULL),
    ROW("http_max_header_line", S3, NUMBERS, DORMANT, NULL),
    ROW("http_max_trailer_line", S3, NUMBERS, DORMANT, NULL),
    ROW("http_num_cookies", S3, NUMBERS, DORMANT, NULL),
    ROW("http_num_headers", S3, NUMBERS, DORMANT, NULL),
    ROW("http_num_trailers", S3, NUMBERS, DORMANT, NULL),
    ROW("http_version_match", S3, ANYTHING, DORMANT, NULL),
    /* SSH, SMB, DCERPC, Kerberos, LDAP, SNMP, NFS, DHCP, RFB, IKE */
    ROW("ssh.protoversion", S, ANYTHING, DORMANT, NULL),
    ROW("ssh.softwareversion", S, ANYTHING, DORMANT, NULL),
    ROW("krb5_msg_type", S, NUMBERS, DORMANT, NULL),
    ROW("krb5_err_code", S, NUMBERS, DORMANT, NULL),
    ROW("krb5.weak_encryption", S, NOTHING, DORMANT, NULL),
    ROW("krb5.ticket_encryption", S, ANYTHING, DORMANT, NULL),
    ROW("ldap.request.operation", S, ANYTHING, DORMANT, NULL),
    ROW("ldap.responses.operation", S, ANYTHING, DORMANT, NULL),
    ROW("ldap.responses.count", S, NUMBER, DORMANT, NULL),
    ROW("ldap.responses.result_code", S, ANYTHING, DORMANT, NULL),
    ROW("nfs_procedure", S, NUMBER, DORMANT, NULL),
    ROW("nfs.procedure", S, ANYTHING, DORMANT, NULL),
    ROW("nfs_version", S, NUMBER, DORMANT, NULL),
    ROW("nfs.version", S, NUMBER, DORMANT, NULL),
    ROW("rfb.secresult", S, ANYTHING, DORMANT, NULL),
    ROW("rfb.sectype", S, NUMBER, DORMANT, NULL),
    ROW("ike.exchtype", S, NUMBER, DORMANT, NULL),
    ROW("ike.chosen_sa_attribute", S, ANYTHING, DORMANT, NULL),
    ROW("ike.key_exchange_payload_length", S, NUMBER, DORMANT, NULL),
    ROW("ike.nonce_payload_length", S, NUMBER, DORMANT, NULL),
    /* voice and things */
    ROW("gtp_info", A, ANYTHING, DORMANT, NULL),
    ROW("gtp_type", A, ANYTHING, DORMANT, NULL),
    ROW("gtp_version", A, NUMBERS, DORMANT, NULL),
    ROW("enip_command", A, ANYTHING, DORMANT, NULL),
    ROW("enip.command", S, ANYTHING, DORMANT, NULL),
    ROW("enip.status", S, ANYTHING, DORMANT, NULL),
    ROW("enip.cip_attribute", S, NUMBER, DORMANT, NULL),
    ROW("enip.cip_class", S, NUMBER, DORMANT, NULL),
    ROW("enip.cip_extendedstatus", S, NUMBER, DORMANT, NULL),
    ROW("enip.cip_instance", S, NUMBER, DORMANT, NULL),
    ROW("enip.cip_status", S, NUMBER, DORMANT, NULL),
    ROW("enip_req", S3, NOTHING, DORMANT, NULL),
    ROW("enip_rsp", S3, NOTHING, DORMANT, NULL),
    ROW("cip_service", A, ANYTHING, DORMANT, NULL),
    ROW("cip_attribute", S3, NUMBERS, DORMANT, NULL),
    ROW("cip_class", S3, NUMBERS, DORMANT, NULL),
    ROW("cip_conn_path_class", S3, NUMBERS, DORMANT, NULL),
    ROW("cip_instance", S3, NUMBERS, DORMANT, NULL),
    ROW("cip_req", S3, NOTHING, DORMANT, NULL),
    ROW("cip_rsp", S3, NOTHING, DORMANT, NULL),
    ROW("cip_status", S3, NUMBERS, DORMANT, NULL),
    ROW("iec104_apci_type", S3, ANYTHING, DORMANT, NULL),
    ROW("iec104_asdu_func", S3, ANYTHING, DORMANT, NULL),
    ROW("mms_func", S3, ANYTHING, DORMANT, NULL),
    ROW("s7commplus_func", S3, ANYTHING, DORMANT, NULL),
    ROW("s7commplus_opcode", S3, ANYTHING, DORMANT, NULL),
    ROW("opcua_msg_service", S3, ANYTHING, DORMANT, NULL),
    ROW("opcua_msg_type", S3, ANYTHING, DORMANT, NULL),
    ROW("opcua_node_id", S3, ANYTHING, DORMANT, NULL),
    ROW("opcua_node_namespace_index", S3, ANYTHING, DORMANT, NULL),
    /* flows */
    /* looking into buffers in ways that do not exist yet */
    ROW("absent", S, NOTHING, DORMANT | LOOKS, NULL),
    ROW("entropy", S, ANYTHING, DORMANT | LOOKS, NULL),
    ROW("regex", S3, ANYTHING, DORMANT | LOOKS, NULL),
    ROW("sd_pattern", S3, ANYTHING, DORMANT | LOOKS, NULL),
    ROW("md5", S3, ANYTHING, DORMANT | LOOKS, NULL),
    ROW("sha256", S3, ANYTHING, DORMANT | LOOKS, NULL),
    ROW("sha512", S3, ANYTHING, DORMANT | LOOKS, NULL),
    ROW("ber_data", S3, ANYTHING, DORMANT | LOOKS, NULL),
    ROW("ber_skip", S3, ANYTHING, DORMANT | LOOKS, NULL),
    ROW("cvs", A, WORDS, DORMANT | LOOKS, "invalid-entry"),
    ROW("domain", S, NOTHING, DORMANT, NULL),
    ROW("tld", S, NOTHING, DORMANT, NULL),
    ROW("from_base64", S, NOTHING, DORMANT, NULL),
    ROW("gunzip", S, NOTHING, DORMANT, NULL),
    ROW("zlib_deflate", S, NOTHING, DORMANT, NULL),
    ROW("frame", S, ANYTHING, DORMANT, NULL),
    /* the engine */
    ROW("appids", S3, ANYTHING, DORMANT, NULL),
    ROW("config", S, ANYTHING, DORMANT, NULL),
    ROW("so", S3, ANYTHING, DORMANT, NULL),
    ROW("stream_reassemble", A, ANYTHING, DORMANT, NULL),
    ROW("prefilter", S, NOTHING, 0, NULL),
    ROW("rem", S3, ANYTHING, 0, NULL),
    ROW("soid", A, ANYTHING, 0, NULL),
};

static bool is_among(struct span word, const char *list)
{
    while (*list != '\0') {
        size_t n = strcspn(list, " ");

        if (n == word.len && strncasecmp(list, (const char *)word.p, n) == 0)
            return true;
        list += n + (list[n] == ' ');
    }
    return false;
}

static bool check_words(struct draft *d, const struct option *o, struct span rest, const char *list)
{
    while (rest.len > 0) {
        struct span word;
        uint32_t n = 0;

        while (n < rest.len && rest.p[n] != ',' && rest.p[n] != '|')
            n++;
        word = text_trim(span_sub(rest, 0, n));
        if (word.len > 0 && word.p[0] == '!')
            word = text_trim(span_sub(word, 1, word.len));
        if (!is_among(word, list)) {
            char remedy[200];

            snprintf(remedy, sizeof(remedy), "write one of: %s", list);
            return draft_fail(d, rest.p, remedy, "%s: unknown word '%.*s'", o->kw->name, TEXT_ARG(word));
        }
        rest = span_sub(rest, n + 1, rest.len);
    }
    return true;
}

static bool check_name(struct draft *d, const struct option *o, struct span name)
{
    bool ok = name.len > 0;

    for (uint32_t i = 0; i < name.len; i++)
        ok &= isalnum(name.p[i]) || text_is_one_of(name.p[i], "._-");
    return ok || draft_fail(d, name.p, o->kw->usage, "%s: '%.*s' is no name", o->kw->name, TEXT_ARG(name));
}

static bool check_names(struct draft *d, const struct option *o, struct span rest)
{
    struct span one;
    bool more = true, ok = true;

    while (more && ok) {
        more = text_split(&rest, ',', &one);
        ok = check_name(d, o, text_trim(one));
    }
    return ok;
}

static bool check_numbers(struct draft *d, const struct option *o, struct span value)
{
    bool digit = false;

    for (uint32_t i = 0; i < value.len; i++) {
        bool hex = isxdigit(value.p[i]) || value.p[i] == 'x';

        digit |= isdigit(value.p[i]) != 0;
        if (!hex && !text_is_one_of(value.p[i], ",-<>=! "))
            return draft_fail(d, value.p + i, "write numbers with commas, or a range",
                              "%s: '%.*s' is no number", o->kw->name, TEXT_ARG(value));
    }
    return digit ||
           draft_fail(d, value.p, o->kw->usage, "%s: '%.*s' is no number", o->kw->name, TEXT_ARG(value));
}

static struct span without_quotes(struct span v)
{
    if (v.len > 0 && v.p[0] == '!')
        v = text_trim(span_sub(v, 1, v.len));
    return v.len >= 2 && v.p[0] == '"' && v.p[v.len - 1] == '"' ? text_trim(span_sub(v, 1, v.len - 2)) : v;
}

static bool parse_later(struct draft *d, const struct option *o)
{
    const struct later *row = (const struct later *)((const char *)o->kw - offsetof(struct later, kw));
    struct option plain = *o;
    struct number_cond c;
    bool ok = true;

    plain.value = without_quotes(o->value);
    if (row->form == NUMBER)
        ok = number_parse(d, &plain, UINT32_MAX, &c);
    else if (row->form == NUMBERS)
        ok = check_numbers(d, o, plain.value);
    else if (row->form == WORDS)
        ok = check_words(d, o, plain.value, row->words);
    else if (row->form == NAME)
        ok = check_name(d, o, o->value); /* a '!' is not taken off */
    else if (row->form == NAMES)
        ok = check_names(d, o, plain.value);
    if (row->flags & DORMANT)
        draft_dormant(d, o->kw->name);
    if (row->flags & LOOKS)
        d->sticky_steps = UINT32_MAX;
    return ok;
}

const struct keyword *later_lookup(struct span name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (span_eq_str(name, rows[i].kw.name))
            return &rows[i].kw;
    return NULL;
}

void later_each_name(void (*take)(const char *name, void *arg), void *arg)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        take(rows[i].kw.name, arg);
}
