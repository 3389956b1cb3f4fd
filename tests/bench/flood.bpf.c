/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The bench's generator: run by BPF_PROG_TEST_RUN with live frames, once per frame. The first frame of a burst waits
 * here until the burst is due, so the pace is kept by the clock. Frames that are dropped instead of sent would go
 * back to their page pool through the ring that the appliance returns the sent ones to, several million times a
 * second, and the appliance would pay for the lock: so a frame is dropped only when a long wait must be broken.
 * Live frames reach the other end of the veth as a driver's RX pages would: no skb is made on the way, which is
 * what lets one CPU offer several million frames a second. Only bench_flood.c loads it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define FLOWS_MASK  1023 /* as many source ports */
#define LATE_NS_MAX 1000000
#define LOOKS_MAX   10000 /* at the clock, about 40 ns each */
#define ID_OFF      18
#define SOURCE_OFF  28                         /* the address's lower half */
#define SOURCE      (10u << 24 | 1u << 16 | 1) /* wire_frame()'s */
#define SPORT_OFF   34                         /* Ethernet 14 + IPv4 20 */
#define PAYLOAD_OFF 42

volatile __u64 interval_ns; /* between bursts; 0 = as fast as it goes */
volatile __u64 due_ns;
volatile __u64 n_sent;
volatile __u32 burst;  /* frames per burst */
volatile __u32 n_left; /* of the burst that is leaving */
volatile __u32 ifindex;
volatile _Bool random_source; /* a SYN flood: another address and port in each frame */
volatile __u32 n_bad;         /* of a burst: the last ones come from random addresses of 100.64.0.0/12 */

static long look(__u32 index __attribute__((unused)), void *now)
{
    *(__u64 *)now = bpf_ktime_get_ns();
    return *(__u64 *)now >= due_ns; /* 1 ends the loop */
}

static void put(__u8 *at, __u16 v)
{
    at[0] = v >> 8;
    at[1] = (__u8)v;
}

/* Another source; the id makes up for it, so that no checksum changes (RFC 1071). */
static void come_from(__u8 *frame, __u32 address)
{
    __u32 sum = 0;

    for (int i = 0; i < 4; i += 2)
        sum += frame[SOURCE_OFF - 2 + i] << 8 | frame[SOURCE_OFF - 1 + i];
    sum += frame[ID_OFF] << 8 | frame[ID_OFF + 1];
    sum += (0xffff - (address >> 16)) + (0xffff - (address & 0xffff));
    sum = (sum >> 16) + (sum & 0xffff);
    put(frame + SOURCE_OFF - 2, address >> 16);
    put(frame + SOURCE_OFF, address & 0xffff);
    put(frame + ID_OFF, (sum >> 16) + sum);
}

SEC("xdp")
int flood(struct xdp_md *ctx)
{
    __u8 *frame = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

    if (frame + PAYLOAD_OFF > end)
        return XDP_ABORTED;
    if (n_left == 0) {
        __u64 now = 0;
        bpf_loop(LOOKS_MAX, look, &now, 0);
        if (now < due_ns)
            return XDP_DROP;
        due_ns += interval_ns;
        if (now > due_ns + LATE_NS_MAX)
            due_ns = now; /* we were not running: do not make up for it with one long burst */
        n_left = burst;
    }
    n_left--;
    n_sent++;
    if (random_source) { /* r and ~r add up to nothing, so no checksum changes (RFC 1071) */
        __u16 r = (__u16)bpf_get_prandom_u32();
        put(frame + SOURCE_OFF, r);
        put(frame + ID_OFF, ~r);
        put(frame + SPORT_OFF, ~r);
    } else if (n_left < n_bad) {
        come_from(frame, 100u << 24 | 64u << 16 | (bpf_get_prandom_u32() & 0xfffff));
    } else {
        come_from(frame, SOURCE);
        put(frame + SPORT_OFF, 0x4000 | (n_sent & FLOWS_MASK));
    }
    return bpf_redirect(ifindex, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
