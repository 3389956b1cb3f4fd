/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_DNS_H
#define SLUICE_APP_DNS_H
/*
 * Messages of the domain name system, whatever carried them: UDP, TCP, multicast, HTTP (RFC 1035, 6762, 8484).
 *
 * A message is whole when it comes here. It is read record by record, nothing is allocated, and the work is bounded by its
 * length: DNS_EXPANSION_MAX bytes of names for each byte of the message. Names are labels with '.' between, as sent; the
 * root's is empty. A name that cannot be read to its end is what there is of it.
 *
 *     struct dns_view v;                                    on the stack: 8 KB
 *     dns_inspect(a, tx, &v, message, dir);                 puts everything, rules look, oddities are events
 *     dns_show(a, tx, &v);                                  puts the names at hand again (a parser's show())
 *     dns_fields(message, f);                               members of EVE's dns object
 *
 * Worker thread.
 */
#include "ips/app/parser.h"

#define DNS_HEADER        12
#define DNS_NAME_MAX      1025 /* bytes of a name as text; a name that follows the rules has up to 253 */
#define DNS_ROOM          (DNS_NAME_MAX + 16) /* for it, and what is copied too much */
#define DNS_LABELS_MAX    255                 /* labels and pointers of a name */
#define DNS_EXPANSION_MAX 8  /* bytes of names for a byte of the message, and DNS_NAME_MAX more */
#define DNS_NAMES_MAX     64 /* names that rules see at a time */

#define DNS_QR 0x8000
#define DNS_Z  0x0040

static inline uint8_t dns_opcode(uint16_t flags)
{
    return flags >> 11 & 15;
}

enum dns_section { DNS_QUERIES, DNS_ANSWERS, DNS_AUTHORITIES, DNS_ADDITIONALS, DNS_SECTIONS };

enum dns_problem {
    DNS_CUT = 1 << 0,      /* a record or name runs out of the message, or has a label of an unknown kind */
    DNS_LONG = 1 << 1,     /* a name of more than 253 bytes */
    DNS_LOOP = 1 << 2,     /* its pointers go round */
    DNS_LABELS = 1 << 3,   /* more than DNS_LABELS_MAX */
    DNS_FORWARD = 1 << 4,  /* a pointer that does not point back */
    DNS_EXPANDED = 1 << 5, /* the names of the message are too long together */
};

struct dns_reader {
    struct span message;
    uint32_t at;
    uint32_t budget; /* bytes of names that may still be read */
    uint16_t id, flags, count[DNS_SECTIONS];
    uint16_t left;    /* records of the section */
    uint8_t section;  /* enum dns_section; DNS_SECTIONS behind the last */
    uint8_t problems; /* enum dns_problem */
    uint8_t cut_in;   /* section where DNS_CUT was met first */
};

struct dns_record {
    struct span name; /* in the caller's room */
    uint8_t section;
    uint16_t type, class;
    uint32_t ttl;
    struct span rdata;
    uint32_t rdata_at;
};

enum dns_next {
    DNS_RECORD,
    DNS_END,
    DNS_BROKEN /* what was read of the record is there, and nothing follows */
};

/* False: no header. */
bool dns_begin(struct dns_reader *r, struct span message);
/* room: DNS_ROOM bytes for the name. */
enum dns_next dns_next(struct dns_reader *r, struct dns_record *rec, uint8_t *room);
/* The name at `at`, into room; *at moves behind it. False: it has no end that could be found. */
bool dns_name(struct dns_reader *r, uint32_t *at, uint8_t *room, uint32_t *len);
/* Where in rdata of that type a host's name stands; UINT32_MAX: nowhere. */
uint32_t dns_rdata_name(uint16_t type);

struct dns_view {
    struct span message;
    struct {
        struct span name;
        uint8_t section; /* DNS_SECTIONS: of rdata */
    } name[DNS_NAMES_MAX];
    uint16_t type[DNS_NAMES_MAX];
    uint16_t flags, n, n_types;
    uint32_t used;
    bool mdns, header;
    uint8_t text[4096 + DNS_ROOM];
};

/* False when the packet was dropped. */
bool dns_inspect(struct app *a, struct app_tx *tx, struct dns_view *v, struct span message, enum app_dir dir,
                 bool mdns);
void dns_show(struct app *a, struct app_tx *tx, const struct dns_view *v);
void dns_fields(struct span message, struct fields *f);

/* The words of record types and response codes; NULL: it has none. */
const char *dns_type_word(uint16_t type);
const char *dns_rcode_word(uint8_t rcode);
#endif
