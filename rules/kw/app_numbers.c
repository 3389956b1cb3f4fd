/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keywords that ask about a number that a protocol's parser publishes: one row each.
 *
 * The number is a buffer of 8 bytes that no rule can name otherwise (a row without names in rules/buffers.h), put by
 * app_put_number(): so it is there or not, may have several instances, of which one must hold, and makes its rule
 * dormant while nothing fills it, all like any other buffer.
 *
 *     CONDITION   N, =N, !N, <N, >=N, a-b, a<>b as in number.h; or one of the row's words
 *                 behind a comma, of several instances: any, all, all1, a number from 0 on or from -1 back (Suricata 8)
 *     SET         a list of N, a-b, <N, >N and words, of which one must hold; '!' before words or numbers: none of
 *                 them does, which is one more way to hold
 *     BITS        words with commas or bars between, each a bit; one of them must be set (ANY_BIT) or all (ALL_BITS);
 *                 '!' before one: it must not be set; a number stands for its bits
 *     NAMED       one of the words, and a condition behind it if it is to have a certain value: the number's upper half is
 *                 the word's, its lower half the value
 *
 * The words are "WORD=N ..." with blanks between, compared without regard to case. Parsing in the control thread,
 * matching in workers.
 */
#include "rules/kw/app_numbers.h"

#include <strings.h>

#include "rules/buffers.h"
#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/number.h"
#include "rules/source.h"

enum form { CONDITION, SET, ANY_BIT, ALL_BITS, NAMED };

struct number_row {
    struct keyword kw;
    const char *words; /* NULL: none */
    uint8_t form;
    uint16_t buffer;
};

static bool parse_number(struct draft *d, const struct option *o);
static bool match_range(const struct step *s, struct eval *e);

#define ROW(word, in, shape, id, list)     \
    {                                      \
        {.name = word,                     \
         .usage = "write " word ":value;", \
         .value = VALUE_RAW,               \
         .dialects = in,                   \
         .parse = parse_number,            \
         .match = match_range},            \
            list, shape, BUF_##id          \
    }
#define S  IN_SURICATA
#define S3 IN_SNORT3
#define A  0

#define DNP3_FUNCTIONS                                                                                      \
    "confirm=0 read=1 write=2 select=3 operate=4 direct_operate=5 direct_operate_nr=6 immed_freeze=7 "      \
    "immed_freeze_nr=8 freeze_clear=9 freeze_clear_nr=10 freeze_at_time=11 freeze_at_time_nr=12 "           \
    "cold_restart=13 "                                                                                      \
    "warm_restart=14 initialize_data=15 initialize_appl=16 start_appl=17 stop_appl=18 save_config=19 "      \
    "enable_unsolicited=20 disable_unsolicited=21 assign_class=22 delay_measure=23 record_current_time=24 " \
    "open_file=25 close_file=26 delete_file=27 get_file_info=28 authenticate_file=29 abort_file=30 "        \
    "activate_config=31 authenticate_req=32 authenticate_err=33 response=129 unsolicited_response=130 "     \
    "authenticate_resp=131"
#define DNP3_INDICATIONS                                                                                     \
    "device_restart=15 device_trouble=14 local_control=13 need_time=12 class_3_events=11 class_2_events=10 " \
    "class_1_events=9 all_stations=8 reserved_1=7 reserved_2=6 config_corrupt=5 already_executing=4 "        \
    "event_buffer_overflow=3 parameter_error=2 object_unknown=1 no_func_code_support=0"

/* By protocol; looked up by a scan, because few rules have any. */
static const struct number_row rows[] = {
    /* TLS */
    ROW("tls.version", S, CONDITION, TLS_VERSION,
        "1.0=769 1.1=770 1.2=771 1.3=772 0x0300=768 0x0301=769 0x0302=770 0x0303=771 0x0304=772"),
    ROW("ssl_version", A, SET, TLS_VERSION, "sslv2=2 sslv3=768 tls1.0=769 tls1.1=770 tls1.2=771 tls1.3=772"),
    ROW("ssl_state", A, ANY_BIT, TLS_STATE,
        "client_hello=0 server_hello=1 client_keyx=2 server_keyx=3 unknown=4"),
    ROW("tls.cert_chain_len", S, CONDITION, TLS_CHAIN_LEN, NULL),
    /* SNMP and DHCP */
    ROW("snmp.version", S, CONDITION, SNMP_VERSION, NULL),
    ROW("snmp.pdu_type", S, CONDITION, SNMP_PDU_TYPE,
        "get_request=0 get_next_request=1 response=2 set_request=3 trap_v1=4 get_bulk_request=5 "
        "inform_request=6 trap_v2=7 report=8"),
    ROW("dhcp.leasetime", S, CONDITION, DHCP_LEASETIME, NULL),
    ROW("dhcp.renewal_time", S, CONDITION, DHCP_RENEWAL_TIME, NULL),
    ROW("dhcp.rebinding_time", S, CONDITION, DHCP_REBINDING_TIME, NULL),
    /* DNS */
    ROW("dns.opcode", S, CONDITION, DNS_OPCODE, NULL),
    ROW("dns.rcode", S, CONDITION, DNS_RCODE,
        "NOERROR=0 FORMERR=1 SERVFAIL=2 NXDOMAIN=3 NOTIMP=4 REFUSED=5 YXDOMAIN=6 YXRRSET=7 NXRRSET=8 "
        "NOTAUTH=9 "
        "NOTZONE=10 BADVERS=16 BADSIG=16 BADKEY=17 BADTIME=18 BADMODE=19 BADNAME=20 BADALG=21 BADTRUNC=22"),
    ROW("dns.rrtype", S, CONDITION, DNS_RRTYPE,
        "A=1 NS=2 CNAME=5 SOA=6 WKS=11 PTR=12 HINFO=13 MX=15 TXT=16 SIG=24 KEY=25 AAAA=28 LOC=29 SRV=33 "
        "NAPTR=35 "
        "CERT=37 A6=38 DNAME=39 OPT=41 DS=43 SSHFP=44 RRSIG=46 NSEC=47 DNSKEY=48 NSEC3=50 NSEC3PARAM=51 "
        "TLSA=52 "
        "CDS=59 CDNSKEY=60 SVCB=64 HTTPS=65 SPF=99 TKEY=249 TSIG=250 IXFR=251 AXFR=252 ANY=255 URI=256 "
        "CAA=257"),
    /* SMB and DCERPC */
    ROW("smb.version", S, CONDITION, SMB_VERSION, NULL),
    ROW("dcerpc.opnum", S, SET, DCERPC_OPNUM, NULL),
    ROW("dce_opnum", A, SET, DCERPC_OPNUM, NULL),
    /* FTP */
    ROW("ftp.mode", S, CONDITION, FTP_MODE, "active=0 passive=1"),
    ROW("ftp.dynamic_port", S, CONDITION, FTP_DYNAMIC_PORT, NULL),
    ROW("ftp.reply_received", S, CONDITION, FTP_REPLY_RECEIVED, "no=0 false=0 yes=1 true=1"),
    ROW("ftpdata_command", S, CONDITION, FTPDATA_COMMAND, "retr=0 stor=1"),
    /* HTTP/2 */
    ROW("http2.frametype", S, SET, HTTP2_FRAMETYPE,
        "DATA=0 HEADERS=1 PRIORITY=2 RSTSTREAM=3 SETTINGS=4 PUSHPROMISE=5 PING=6 GOAWAY=7 WINDOWUPDATE=8 "
        "CONTINUATION=9 RST_STREAM=3 PUSH_PROMISE=5 WINDOW_UPDATE=8"),
    ROW("http2.errorcode", S, SET, HTTP2_ERRORCODE,
        "NO_ERROR=0 PROTOCOL_ERROR=1 INTERNAL_ERROR=2 FLOW_CONTROL_ERROR=3 SETTINGS_TIMEOUT=4 "
        "STREAM_CLOSED=5 "
        "FRAME_SIZE_ERROR=6 REFUSED_STREAM=7 CANCEL=8 COMPRESSION_ERROR=9 CONNECT_ERROR=10 "
        "ENHANCE_YOUR_CALM=11 "
        "INADEQUATE_SECURITY=12 HTTP_1_1_REQUIRED=13"),
    ROW("http2.priority", S, CONDITION, HTTP2_PRIORITY, NULL),
    ROW("http2.window", S, CONDITION, HTTP2_WINDOW, NULL),
    ROW("http2.size_update", S, CONDITION, HTTP2_SIZE_UPDATE, NULL),
    ROW("http2.settings", S, NAMED, HTTP2_SETTINGS,
        "SETTINGS_HEADER_TABLE_SIZE=1 SETTINGS_ENABLE_PUSH=2 SETTINGS_MAX_CONCURRENT_STREAMS=3 "
        "SETTINGS_INITIAL_WINDOW_SIZE=4 SETTINGS_MAX_FRAME_SIZE=5 SETTINGS_MAX_HEADER_LIST_SIZE=6"),
    /* SIP */
    ROW("sip_method", A, SET, SIP_METHOD_N,
        "invite=1 cancel=2 ack=3 bye=4 register=5 options=6 refer=7 subscribe=8 update=9 join=10 info=11 "
        "message=12 notify=13 prack=14 publish=15"),
    ROW("sip_stat_code", A, SET, SIP_STAT_N, NULL),
    /* MQTT */
    ROW("mqtt.type", S, CONDITION, MQTT_TYPE,
        "UNASSIGNED=0 CONNECT=1 CONNACK=2 PUBLISH=3 PUBACK=4 PUBREC=5 PUBREL=6 PUBCOMP=7 SUBSCRIBE=8 "
        "SUBACK=9 "
        "UNSUBSCRIBE=10 UNSUBACK=11 PINGREQ=12 PINGRESP=13 DISCONNECT=14 AUTH=15"),
    ROW("mqtt.flags", S, ALL_BITS, MQTT_FLAGS, "dup=3 retain=0"),
    ROW("mqtt.qos", S, CONDITION, MQTT_QOS, NULL),
    ROW("mqtt.protocol_version", S, CONDITION, MQTT_VERSION, NULL),
    ROW("mqtt.connect.flags", S, ALL_BITS, MQTT_CONNECT_FLAGS,
        "username=7 password=6 will_retain=5 will=2 clean_session=1"),
    ROW("mqtt.connack.return_code", S, CONDITION, MQTT_RETURN_CODE, NULL),
    ROW("mqtt.connack.session_present", S, CONDITION, MQTT_SESSION_PRESENT, "no=0 false=0 yes=1 true=1"),
    ROW("mqtt.reason_code", S, CONDITION, MQTT_REASON, NULL),
    /* Modbus, DNP3; the modbus keyword and objects are in machines.c */
    ROW("modbus_func", A, SET, MODBUS_FUNC,
        "read_coils=1 read_discrete_inputs=2 read_holding_registers=3 read_input_registers=4 "
        "write_single_coil=5 "
        "write_single_register=6 read_exception_status=7 diagnostics=8 get_comm_event_counter=11 "
        "get_comm_event_log=12 write_multiple_coils=15 write_multiple_registers=16 report_slave_id=17 "
        "read_file_record=20 write_file_record=21 mask_write_register=22 read_write_multiple_registers=23 "
        "read_fifo_queue=24 encapsulated_interface_transport=43"),
    ROW("modbus_unit", A, SET, MODBUS_UNIT, NULL),
    ROW("dnp3_func", A, SET, DNP3_FUNC, DNP3_FUNCTIONS),
    ROW("dnp3.func", S, SET, DNP3_FUNC, DNP3_FUNCTIONS),
    ROW("dnp3_ind", A, ANY_BIT, DNP3_IND, DNP3_INDICATIONS),
    ROW("dnp3.ind", S, ANY_BIT, DNP3_IND, DNP3_INDICATIONS),
    /* WebSocket */
    ROW("websocket.flags", S, ALL_BITS, WEBSOCKET_FLAGS, "fin=7 comp=6"),
    ROW("websocket.mask", S, CONDITION, WEBSOCKET_MASK, NULL),
    ROW("websocket.opcode", S, SET, WEBSOCKET_OPCODE,
        "continuation=0 text=1 binary=2 connection_close=8 ping=9 pong=10"),
};

/* --- parsing -------------------------------------------------------------------------------------------------------- */

/* The number behind a word of the row. */
static bool word_value(const struct number_row *row, struct span word, uint64_t *v)
{
    for (const char *at = row->words; at != NULL && *at != '\0';) {
        size_t n = strcspn(at, "=");

        if (n == word.len && strncasecmp(at, (const char *)word.p, n) == 0) {
            *v = strtoull(at + n + 1, NULL, 10);
            return true;
        }
        at += strcspn(at, " ");
        at += *at == ' ';
    }
    return false;
}

static bool unknown(struct draft *d, const struct option *o, const struct number_row *row, struct span word)
{
    char remedy[300];

    snprintf(remedy, sizeof(remedy),
             row->words != NULL ? "write a number, or one of: %s" : "write a number%s",
             row->words != NULL ? row->words : "");
    return draft_fail(d, word.p, remedy, "%s: '%.*s' is no value", o->kw->name, TEXT_ARG(word));
}

struct range_set { /* in the arena */
    uint32_t n;
    struct number_cond v[];
};

#define SET_MAX       64
#define APP_INDEX_MAX 65535

/* One member of a set, or a condition that is a word. */
static bool read_member(struct draft *d, const struct option *o, const struct number_row *row,
                        struct span text, struct number_cond *c)
{
    struct option one = *o;
    struct span word = text;
    bool negated = word.len > 0 && word.p[0] == '!';
    uint64_t v;

    if (negated)
        word = text_trim(span_sub(word, 1, word.len));
    if (word_value(row, word, &v)) {
        *c = (struct number_cond){.lo = (uint32_t)v, .hi = (uint32_t)v, .negated = negated};
        return true;
    }
    if (text.len == 0 || strchr("0123456789<>=!", text.p[0]) == NULL)
        return unknown(d, o, row, text);
    one.value = text;
    if (memchr(text.p, '-', text.len) != NULL && row->form == SET) { /* both ends count in a list */
        struct span rest = text, lo;
        uint64_t a, b;

        text_split(&rest, '-', &lo);
        if (!text_u64(text_trim(lo), UINT32_MAX, &a) || !text_u64(text_trim(rest), UINT32_MAX, &b) || b < a)
            return unknown(d, o, row, text);
        *c = (struct number_cond){.lo = (uint32_t)a, .hi = (uint32_t)b};
        return true;
    }
    return number_parse(d, &one, UINT32_MAX, c);
}

static bool match_range(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    uint64_t v;

    if (b.len != sizeof(v))
        return false;
    memcpy(&v, b.p, sizeof(v));
    return number_match(s, v < UINT32_MAX ? (uint32_t)v : UINT32_MAX);
}

enum which {
    WHICH_ALL,
    WHICH_AT
}; /* of several instances; any of them needs nothing: they are tried in turn */

struct indexed { /* in the arena */
    struct number_cond c;
    uint8_t which; /* enum which */
    int64_t at;    /* WHICH_AT: from 0 on, or from the end: -1 is the last */
};

static bool holds(const struct number_cond *c, struct span b)
{
    uint64_t v;

    if (b.len != sizeof(v))
        return false;
    memcpy(&v, b.p, sizeof(v));
    return (v >= c->lo && v <= c->hi) != c->negated;
}

/* The instances of the buffer, whichever is tried at the moment. */
static bool match_indexed(const struct step *s, struct eval *e)
{
    const struct indexed *x = s->data;
    int64_t n = 0, i = 0;

    if (e->instances == NULL || !(e->is_set[s->buffer / 64] >> s->buffer % 64 & 1))
        return false;
    for (uint16_t at = e->first[s->buffer]; at != 0; at = e->instances[at - 1].next)
        n++;
    int64_t wanted = x->at < 0 ? n + x->at : x->at;
    for (uint16_t at = e->first[s->buffer]; at != 0; at = e->instances[at - 1].next, i++) {
        bool match = holds(&x->c, e->instances[at - 1].bytes);

        if (x->which == WHICH_AT && i == wanted)
            return match;
        if (x->which == WHICH_ALL && !match)
            return false;
    }
    return x->which == WHICH_ALL;
}

static bool match_set(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    const struct range_set *set = s->data;
    uint64_t v;

    if (b.len != sizeof(v))
        return false;
    memcpy(&v, b.p, sizeof(v));
    bool forbids = false, forbidden = false;
    for (uint32_t i = 0; i < set->n; i++) {
        bool in = v >= set->v[i].lo && v <= set->v[i].hi;

        if (in && !set->v[i].negated)
            return true;
        forbids |= set->v[i].negated;
        forbidden |= in;
    }
    return forbids && !forbidden;
}

static bool match_bits(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    uint64_t v;

    if (b.len != sizeof(v))
        return false;
    memcpy(&v, b.p, sizeof(v));
    uint32_t set = (uint32_t)v & (uint32_t)s->a, clear = (uint32_t)v & (uint32_t)s->b;
    if (s->flags == ANY_BIT && s->a != 0)
        return clear == 0 && set != 0;
    return clear == 0 && set == (uint32_t)s->a;
}

static bool match_named(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    const struct range_set *one = s->data;
    uint64_t v;

    if (b.len != sizeof(v))
        return false;
    memcpy(&v, b.p, sizeof(v));
    if (v >> 32 != (uint32_t)s->a)
        return false;
    v &= UINT32_MAX;
    return one->n == 0 || (v >= one->v[0].lo && v <= one->v[0].hi) != one->v[0].negated;
}

static bool parse_named(struct draft *d, const struct option *o, const struct number_row *row,
                        struct draft_step *s)
{
    struct range_set *one = arena_alloc(d->b->arena, sizeof(*one) + sizeof(one->v[0]));
    uint32_t n = 0;
    uint64_t id;

    if (one == NULL)
        return draft_no_memory(d);
    while (n < o->value.len && strchr("=<>! ", o->value.p[n]) == NULL)
        n++;
    if (!word_value(row, span_sub(o->value, 0, n), &id))
        return unknown(d, o, row, span_sub(o->value, 0, n));
    struct span rest = text_trim(span_sub(o->value, n, o->value.len));
    one->n = rest.len > 0;
    if (one->n > 0 && !read_member(d, o, row, rest, &one->v[0]))
        return false;
    s->step.a = (int32_t)id;
    s->step.data = one;
    s->step.match = match_named;
    return true;
}

static bool parse_set(struct draft *d, const struct option *o, const struct number_row *row,
                      struct draft_step *s)
{
    struct number_cond v[SET_MAX];
    struct span rest = o->value, one;
    struct range_set *set;
    bool more = true;
    uint32_t n = 0;

    while (more) {
        more = text_split(&rest, ',', &one);
        if (n == SET_MAX)
            return draft_fail(d, one.p, "make two rules of it", "%s: more than %u values", o->kw->name,
                              SET_MAX);
        if (!read_member(d, o, row, text_trim(one), &v[n++]))
            return false;
    }
    set = arena_alloc(d->b->arena, sizeof(*set) + n * sizeof(v[0]));
    if (set == NULL)
        return draft_no_memory(d);
    set->n = n;
    memcpy(set->v, v, n * sizeof(v[0]));
    s->step.data = set;
    s->step.match = match_set;
    return true;
}

static bool parse_bits(struct draft *d, const struct option *o, const struct number_row *row,
                       struct draft_step *s)
{
    struct span rest = o->value;
    uint64_t set = 0, clear = 0;

    while (rest.len > 0) {
        uint32_t n = 0;
        uint64_t v;

        while (n < rest.len && rest.p[n] != ',' && rest.p[n] != '|')
            n++;
        struct span word = text_trim(span_sub(rest, 0, n));
        bool no = word.len > 0 && word.p[0] == '!';
        if (no)
            word = text_trim(span_sub(word, 1, word.len));
        if (word_value(row, word, &v))
            v = UINT64_C(1) << v;
        else if (!text_u64(word, UINT32_MAX, &v))
            return unknown(d, o, row, word);
        *(no ? &clear : &set) |= v;
        rest = span_sub(rest, n + 1, rest.len);
    }
    s->step.a = (int32_t)(uint32_t)set;
    s->step.b = (int32_t)(uint32_t)clear;
    s->step.flags = row->form;
    s->step.match = match_bits;
    return true;
}

/* Suricata's condition on one of several: N,any  N,all  N,all1  N,0  N,-1. */
static bool parse_indexed(struct draft *d, const struct option *o, const struct number_row *row,
                          struct draft_step *s, struct span text, struct span index)
{
    struct indexed *x = arena_alloc(d->b->arena, sizeof(*x));
    struct option one = *o;

    if (x == NULL)
        return draft_no_memory(d);
    if (!read_member(d, o, row, text, &x->c))
        return false;
    s->step.data = x;
    s->step.match = match_indexed;
    x->which = WHICH_ALL;
    if (span_eq_str(index, "all") || span_eq_str(index, "all1"))
        return true;
    x->which = WHICH_AT;
    one.value = index;
    return number_read(d, &one, -APP_INDEX_MAX, APP_INDEX_MAX, &x->at);
}

static bool parse_number(struct draft *d, const struct option *o)
{
    const struct number_row *row =
        (const struct number_row *)((const char *)o->kw - offsetof(struct number_row, kw));
    struct draft_step *s = draft_step_add(d, o->kw, o->name.p);
    struct number_cond c = {0};

    if (s == NULL)
        return false;
    s->step.flow = STEP_AT;
    s->fresh = true;
    s->step.buffer = row->buffer;
    d->info.apps |= buffer_table[row->buffer].apps;
    if (!(buffer_table[row->buffer].flags & BUFFER_LIVE))
        draft_dormant(d, o->kw->name);
    d->buffer_fresh = true; /* what follows in a sticky buffer begins anew */
    if (row->form == SET)
        return parse_set(d, o, row, s);
    if (row->form == NAMED)
        return parse_named(d, o, row, s);
    if (row->form != CONDITION)
        return parse_bits(d, o, row, s);
    struct span rest = o->value, text;
    bool has_index = text_split(&rest, ',', &text);
    struct span index = text_trim(rest);
    if (has_index && (buffer_table[row->buffer].flags & BUFFER_MULTI) && !span_eq_str(index, "any"))
        return parse_indexed(d, o, row, s, text_trim(text), index);
    if (has_index && (buffer_table[row->buffer].flags & BUFFER_MULTI))
        rest = text;
    else
        rest = o->value;
    if (!read_member(d, o, row, text_trim(rest), &c))
        return false;
    s->step.a = (int32_t)c.lo;
    s->step.b = (int32_t)c.hi;
    s->step.negated = c.negated;
    return true;
}

/* --- lookup ----------------------------------------------------------------------------------------------------------- */

const struct keyword *app_numbers_lookup(struct span name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (span_eq_str(name, rows[i].kw.name))
            return &rows[i].kw;
    return NULL;
}

void app_numbers_each_name(void (*take)(const char *name, void *arg), void *arg)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        take(rows[i].kw.name, arg);
}
