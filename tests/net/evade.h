/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_EVADE_H
#define SLUICE_TESTS_EVADE_H
/*
 * The evasion generator: evade_plan.c and evade_chaff.c make of (seed, number) the list of steps that one sender takes,
 * evade_words.c prints them, evade_wire.c makes of one step the frames that carry it, evade.c plays many plans at a time against a real receiver
 * and looks at what that one got.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_MAX 8192
#define STEPS_MAX  512
#define MIN_TTL \
    10 /* the receiver takes nothing that arrives with less: what a router in front of it would do */

/* Listening ports: an ordinary receiver, one that reads urgent data in-line, one that takes data in a SYN. */
enum { PORT_PLAIN = 8080, PORT_URGENT_INLINE = 8081, PORT_FAST_OPEN = 8082 };

enum mode { MODE_ATTACK, MODE_HARMLESS };
enum step_kind { SEND, WAIT_SYNACK, WAIT_ACCEPT, WAIT_ACK };

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };

enum fault {
    BAD_TCP_SUM = 1 << 0,
    ZERO_TCP_SUM = 1 << 1,
    BAD_IP_SUM = 1 << 2,
    LOW_TTL = 1 << 3,
    OTHER_MAC = 1 << 4,
    NO_TIMESTAMP = 1 << 5,
    MD5_OPTION = 1 << 6,
    SHORT_HEADER = 1 << 7,  /* data offset below 5 */
    LONG_HEADER = 1 << 8,   /* data offset beyond the segment */
    BAD_VERSION = 1 << 9,   /* the IP header's version field */
    TRUNCATED = 1 << 10,    /* the IP header promises more than the frame holds */
    ROUTING_LEFT = 1 << 11, /* IPv6 routing header, type 0, with segments left */
    SPOOFED = 1 << 12,      /* sent from this side in the server's name */
    PADDED = 1 << 13,       /* bytes behind the IP packet */
    AT_EDGE = 1 << 14,      /* sequence number counts from the right edge of the receiver's window */
    OPTIONS = 1 << 15,      /* unknown TCP options */
    FAST_OPEN = 1 << 16,    /* an empty Fast Open option */
    VID_5 = 1 << 17,        /* in a VLAN that the receiver is not in */
    BAD_ECHO = 1 << 18,     /* a timestamp echo that the receiver never sent */
    RESERVED_BITS = 1 << 19,
    LEAST_TTL = 1 << 20, /* just enough */
    RESTART = 1 << 21,   /* with this SYN another connection begins */
};

/* How a packet is cut into IP fragments; overlaps carry other bytes in an attack and the same in a harmless run. */
enum frag_trick {
    FRAG_NONE,
    FRAG_PLAIN,    /* any order */
    FRAG_TWICE,    /* exact duplicates */
    FRAG_OVERLAP,  /* other bytes in fragments of any overlap, before or behind the real one */
    FRAG_BAD_SUM,  /* other bytes in fragments whose IP checksum is wrong */
    FRAG_OTHER_ID, /* other bytes in fragments of datagrams that never complete */
    FRAG_ATOMIC,   /* IPv6: a fragment header and nothing to put together; IPv4: like FRAG_PLAIN */
    FRAG_TRICKS
};

struct step {
    uint8_t kind, flags, trick, ext; /* ext: how many IPv6 extension headers, or words of IPv4 options */
    uint8_t
        tags; /* priority tags: bit 0 802.1Q, bit 1 802.1ad, bit 2 another 802.1Q in front, and tags / 8 more */
    bool chaff; /* all bytes are chaff */
    uint16_t len, urgent;
    uint32_t fault;
    int32_t off;      /* of the first byte in the stream; the SYN stands at -1 */
    uint32_t seq_add; /* moves it somewhere else */
    uint32_t ack_add;
    int32_t ts_add;
    int32_t chaff_to; /* bytes in front of this one are chaff */
    int32_t old;      /* its chaff is old when this much is acknowledged; 0: always */
    uint32_t seed;    /* of the wire's own choices */
};

struct variant {
    uint64_t seed;
    uint32_t number;
    enum mode mode;
    const char *class_name;
    bool v6, udp, timestamps, fast_open;
    bool udp_no_sum;
    bool no_excuse; /* UDP: the receiver has no reason to discard it, so that it is not sent without tricks */
    uint16_t port;
    uint32_t isn, ts_base;
    unsigned len;
    uint8_t real[STREAM_MAX], chaff[STREAM_MAX];
    unsigned n_steps;
    struct step step[STEPS_MAX];
};

/* --- a generator of numbers that is the same everywhere ------------------------------------------------------- */

struct rng {
    uint64_t s;
};

static inline uint32_t rng_next(struct rng *r)
{
    uint64_t z = r->s += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 16);
}

static inline unsigned rng_below(struct rng *r, unsigned n)
{
    return n ? rng_next(r) % n : 0;
}
static inline unsigned rng_range(struct rng *r, unsigned from, unsigned to)
{
    return from + rng_below(r, to - from + 1);
}
static inline bool rng_chance(struct rng *r, unsigned percent)
{
    return rng_below(r, 100) < percent;
}

/* --- evade_plan.c --------------------------------------------------------------------------------------------- */

extern const char *const plan_attack[2];
extern bool plan_decoys; /* harmless: some of what the receiver surely discards is the attack */
unsigned plan_n_classes(void);
const char *plan_class_name(unsigned i);
/* Only class `only` when it is not NULL; false: there is no such class. */
bool plan_make(struct variant *v, uint64_t seed, uint32_t number, enum mode mode, const char *only);
/* The steps as text, one line each. */
void plan_print(const struct variant *v);
void plan_print_step(const struct variant *v, const struct step *s);

/* --- evade_wire.c --------------------------------------------------------------------------------------------- */

struct wire_addresses {
    uint8_t client_mac[6], server_mac[6];
    uint8_t client4[4], server4[4], client6[16], server6[16];
};

/* What the sender has learned of its connection by now. */
struct wire_state {
    uint16_t sport;
    uint32_t server_next; /* what the sender acknowledges */
    uint32_t edge;        /* right edge of the receiver's window */
    uint32_t ts_now, ts_echo;
    uint32_t attempt; /* of a datagram: it gets another identification */
};

typedef void wire_send(void *arg, const uint8_t *frame, size_t len);
void wire_step(const struct variant *v, const struct step *s, const struct wire_addresses *a,
               const struct wire_state *w, wire_send *send, void *arg);

/* A TCP segment that came back, or one that did not. */
struct wire_answer {
    uint16_t port; /* the client's */
    uint8_t flags, window_scale;
    bool has_scale, has_ts;
    uint16_t window;
    uint32_t seq, ack, ts;
};
bool wire_parse(const uint8_t *frame, size_t len, struct wire_answer *out);
#endif
