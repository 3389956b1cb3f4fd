/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_KEYWORDS_H
#define SLUICE_RULES_KEYWORDS_H
/*
 * Private to rules/. The keyword table: one row for each option name. A keyword is defined in a file of rules/kw/
 * and named once here; everything else (lookup, value checks, usage in error messages) follows from its row.
 */
#include "rules/draft.h"

enum keyword_value {
    VALUE_NONE,     /* nocase; */
    VALUE_PLAIN,    /* sid:1;  quotes around it are taken off */
    VALUE_QUOTED,   /* content:"x"; */
    VALUE_OPTIONAL, /* fast_pattern; or fast_pattern:1,2; */
    VALUE_RAW,      /* anything; quotes that are not around all of it stay */
};

enum keyword_flag {
    KEYWORD_ONCE = 1 << 0,      /* at most once in a rule */
    KEYWORD_NEGATED = 1 << 1,   /* "!" may stand before the quoted value */
    KEYWORD_PACKET = 1 << 2,    /* about one packet's headers: see the drop scope in rules/check.c */
    KEYWORD_TCP = 1 << 3,       /* can only hold for TCP */
    KEYWORD_ICMP = 1 << 4,      /* can only hold for ICMP and ICMPv6 */
    KEYWORD_MOVES = 1 << 5,     /* STEP_AT that leaves the cursor behind what it read or jumped to */
    KEYWORD_BOTH_ENDS = 1 << 6, /* in Snort 2's rules a range counts both its ends in */
};

struct option { /* one option as it was written */
    const struct keyword *kw;
    struct span name;
    struct span value; /* trimmed, without "!" and quotes */
    struct span list;  /* keyword.list: what follows the quoted text and a comma; empty when there is none */
    bool negated;
};

struct keyword {
    const char *name;
    const char *usage; /* how to write it, for remedies */
    uint8_t value;     /* enum keyword_value */
    uint16_t flags;    /* enum keyword_flag */
    uint8_t dialects;  /* IN_* of rules/dialect.h; 0: every dialect has it, with these values */
    bool list;         /* Snort 3: a list may follow the quoted value, content:"x",nocase; */
    /* Writes into the draft. False when the option was refused (and reported). */
    bool (*parse)(struct draft *d, const struct option *o);
    /* Once for each step of the keyword when all options are known; may be NULL. */
    bool (*check)(struct draft *d, struct draft_step *s);
    step_match_fn match; /* NULL for keywords that make no step */
};

/* Sorted by name. */
#define KEYWORD_TABLE(X)    \
    X(ack)                  \
    X(app_layer_event)      \
    X(app_layer_protocol)   \
    X(asn1)                 \
    X(base64_data)          \
    X(base64_decode)        \
    X(bsize)                \
    X(bufferlen)            \
    X(bypass)               \
    X(byte_extract)         \
    X(byte_jump)            \
    X(byte_math)            \
    X(byte_test)            \
    X(classtype)            \
    X(compress_whitespace)  \
    X(content)              \
    X(datarep)              \
    X(dataset)              \
    X(dce_iface)            \
    X(dcerpc_iface)         \
    X(decode_event)         \
    X(depth)                \
    X(detection_filter)     \
    X(distance)             \
    X(dnp3_object)          \
    X(dnp3_obj)             \
    X(dotprefix)            \
    X(dsize)                \
    X(endswith)             \
    X(engine_event)         \
    X(fast_pattern)         \
    X(fileext)              \
    X(filemagic)            \
    X(filemd5)              \
    X(filename)             \
    X(filesha1)             \
    X(filesha256)           \
    X(filesize)             \
    X(filestore)            \
    X(flags)                \
    X(flow)                 \
    X(flow_age)             \
    X(flow_bytes)           \
    X(flow_bytes_toclient)  \
    X(flow_bytes_toserver)  \
    X(flow_pkts)            \
    X(flow_pkts_toclient)   \
    X(flow_pkts_toserver)   \
    X(flowbits)             \
    X(flowint)              \
    X(fragbits)             \
    X(fragoffset)           \
    X(ftpbounce)            \
    X(geoip)                \
    X(gid)                  \
    X(header_lowercase)     \
    X(hostbits)             \
    X(icmp_id)              \
    X(icmp_seq)             \
    X(icmpv4_hdr)           \
    X(icmpv6_hdr)           \
    X(icmpv6_mtu)           \
    X(icode)                \
    X(id)                   \
    X(ip_proto)             \
    X(ipopts)               \
    X(iprep)                \
    X(ipv4_hdr)             \
    X(ipv6_hdr)             \
    X(isdataat)             \
    X(itype)                \
    X(metadata)             \
    X(modbus)               \
    X(msg)                  \
    X(noalert)              \
    X(nocase)               \
    X(offset)               \
    X(pcre)                 \
    X(pcrexform)            \
    X(priority)             \
    X(rawbytes)             \
    X(reference)            \
    X(replace)              \
    X(requires)             \
    X(rev)                  \
    X(rpc)                  \
    X(sameip)               \
    X(seq)                  \
    X(service)              \
    X(sid)                  \
    X(startswith)           \
    X(stream_event)         \
    X(stream_size)          \
    X(strip_pseudo_headers) \
    X(strip_whitespace)     \
    X(tag)                  \
    X(target)               \
    X(tcp_flags)            \
    X(tcp_hdr)              \
    X(tcp_mss)              \
    X(tcp_window)           \
    X(threshold)            \
    X(tls_fingerprint)      \
    X(tls_issuerdn)         \
    X(tls_store)            \
    X(tls_subject)          \
    X(tls_cert_expired)     \
    X(tls_cert_notafter)    \
    X(tls_cert_notbefore)   \
    X(tls_cert_valid)       \
    X(to_lowercase)         \
    X(to_md5)               \
    X(to_sha1)              \
    X(to_sha256)            \
    X(to_uppercase)         \
    X(tos)                  \
    X(ttl)                  \
    X(udp_hdr)              \
    X(uricontent)           \
    X(urilen)               \
    X(url_decode)           \
    X(vlan_id)              \
    X(vlan_layers)          \
    X(window)               \
    X(within)               \
    X(xbits)                \
    X(xor)

#define X(word) extern const struct keyword kw_##word;
KEYWORD_TABLE(X)
#undef X

enum keyword_index {
#define X(word) KW_##word,
    KEYWORD_TABLE(X)
#undef X
        KW_N,
};

extern const struct keyword *const keyword_table[KW_N];
/* NULL when there is no such keyword. */
const struct keyword *keyword_lookup(struct span name, uint32_t *index);
#endif
