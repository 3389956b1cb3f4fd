/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_BPF_STEER_LAB_H
#define SLUICE_TESTS_BPF_STEER_LAB_H
/*
 * The steering program under BPF_PROG_TEST_RUN, as tables: a row is a frame, what the maps hold when it comes, and what is
 * expected: the verdict, the same bytes again, exactly one exit counter of the right port moved by one, exactly the parse
 * counters named, the steering line hit, the entry of the verdict cache charged or not, and `escaped` moved or not. Maps
 * are written here and by nobody else.
 *
 * The kernel looks the frame's interface up in the caller's namespace, so the two ports are veths of tests/bpf/lab.h,
 * and a slot that is to be occupied holds a real AF_XDP socket. Skipped only without privilege.
 */
#include "tests/bpf/lab.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <time.h>
#include "bpf/steer.skel.h"
#include "bpf/tag.h"
#include "ips/base/span.h"
#include "ips/io/xdp_parts.h"

#define FRAME_MAX 512
#define LO        2      /* instead of a port: the loopback, which is not of the bridge */
#define NO_TAG_ID 0x1000 /* a tag whose id is 0 (its priority is 0 too) */

#define P4     (1u << STEER_PARSE_IPV4)
#define P6     (1u << STEER_PARSE_IPV6)
#define POTH   (1u << STEER_PARSE_OTHER)
#define PVLAN  (1u << STEER_PARSE_VLAN)
#define PSHRT  (1u << STEER_PARSE_SHORT)
#define PALLOW (1u << STEER_SAW_ALLOWED)
#define PSTALE (1u << STEER_SAW_STALE)
#define PNOSK  (1u << STEER_SAW_NO_SOCKET)

#define FRAME_FIELDS                                                                                        \
    uint16_t tags[4];         /* ethertypes of the tags, outermost first */                                 \
    uint16_t vid[4];          /* their ids; 0: 100 and so on; NO_TAG_ID */                                  \
    uint16_t type;            /* ethertype behind them */                                                   \
    const char *src, *dst;    /* of an IP header, version by the ethertype */                               \
    uint8_t version;          /* when it is not what the ethertype says */                                  \
    uint8_t proto, tcp, hops; /* transport; TCP's flags */                                                  \
    uint8_t icmp;             /* type */                                                                    \
    uint16_t sport, dport;                                                                                  \
    uint8_t n_ext, ext[12];    /* extension headers; AH may stand in IPv4 */                                \
    uint16_t frag;             /* as in the IPv4 header; IPv6: as in the fragment header, if ext has one */ \
    uint8_t payload;           /* bytes behind the transport's header; 0: 12 */                             \
    uint8_t pad;               /* bytes behind the packet */                                                \
    uint8_t n_poke, poke[4][2] /* at this byte of the IP header and what follows, this value */
struct frame {
    FRAME_FIELDS;
    uint8_t cut; /* bytes of the frame that are there; 0 = all */
};

struct entry { /* of the verdict cache */
    uint32_t kind;
    int64_t age_ms; /* since last_ns */
    uint32_t idle_ms;
    int64_t expires_in_ms;  /* 0: never */
    const struct frame *of; /* the frame it is of; NULL: the row's */
    uint8_t end;            /* expected: who is charged */
};

struct row {
    const char *name;
    union {
        struct frame frame;
        struct {
            FRAME_FIELDS;
            uint8_t cut;
        };
    };
    /* where and how */
    uint8_t port, queue;
    bool empty;      /* no socket behind the queue */
    bool slots_kept; /* they are as the test left them */
    bool bypass;
    enum steer_fail_policy policy;
    uint32_t flags;       /* besides those that block and allow need */
    int64_t heartbeat_ms; /* 0: none is asked for */
    int64_t beat_age_ms;  /* below 0: ahead */
    bool asleep, never_beat;
    const struct steer_line *lines;
    uint32_t n_lines, first_line;
    const char *block, *block_dst, *allow, *allow_dst; /* prefixes */
    struct entry entry;
    /* expected */
    enum xdp_action verdict;
    enum steer_counter exit;
    uint32_t parse; /* and PNOSK, when it is `empty` and the exit is of the fail policy */
    uint32_t line;  /* hit, from 1 */
    bool charged;   /* the entry */
    bool worker;    /* no way out, but the worker was not missed: nothing escaped */
};

#define IP4            .type = 0x0800, .src = "192.0.2.1", .dst = "198.51.100.9"
#define IP6            .type = 0x86dd, .src = "2001:db8::1", .dst = "2001:db8:f::9"
#define BACK4          .type = 0x0800, .src = "198.51.100.9", .dst = "192.0.2.1"
#define BACK6          .type = 0x86dd, .src = "2001:db8:f::9", .dst = "2001:db8::1"
#define TCP(f)         .proto = IPPROTO_TCP, .tcp = (f), .sport = 40000, .dport = 443
#define UDP            .proto = IPPROTO_UDP, .sport = 40000, .dport = 53
#define FIN            0x01
#define SYN            0x02
#define RST            0x04
#define PSH            0x08
#define ACK            0x10
#define URG            0x20
#define TO_WORKER      .verdict = XDP_REDIRECT, .exit = STEER_TO_WORKER
#define DROPPED(why)   .verdict = XDP_DROP, .exit = (why)
#define FORWARDED(why) .verdict = XDP_REDIRECT, .exit = (why)
#define OPENED         .empty = true, .policy = STEER_FAIL_OPEN, FORWARDED(STEER_FAIL_OPENED)
#define CLOSED         .empty = true, .policy = STEER_FAIL_CLOSED, DROPPED(STEER_FAIL_CLOSED_DROP)
#define N_OF(a)        (sizeof(a) / sizeof((a)[0]))

struct steer_lab {
    struct xdp *x;
    int prog, config, sw, beats, flows, lines, line_frames, xsks, rates;
    int block[2][2], allow[2][2]; /* [source, destination][IPv4, IPv6] */
    uint32_t n_buckets;
    struct lab_socket sockets[STEER_PORTS][LAB_QUEUES];
    struct steer_config cfg;
};

void steer_lab_open(struct steer_lab *l);
void steer_lab_close(struct steer_lab *l);
void steer_lab_push(struct steer_lab *l); /* l->cfg to the map */
uint64_t steer_lab_now_ns(void);

uint32_t frame_build(const struct frame *f, uint8_t *bytes);
void frame_key(const struct frame *f, struct steer_key *k);
void source_key(const char *addr, struct steer_key *k);
/* The program's verdict; -EINVAL when this kernel would not run a frame so short. */
int steer_lab_run(struct steer_lab *l, uint32_t ifindex, uint32_t queue, const uint8_t *frame, uint32_t len,
                  uint8_t *out, uint32_t *out_len, uint32_t repeat);
/* Puts the maps into the state of the row, runs it, checks, takes back what was put. False when it could not be run. */
bool steer_lab_row(struct steer_lab *l, const struct row *r);
void steer_lab_rows(const struct row *rows, size_t n);
#endif
