/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The bench's generator: run by BPF_PROG_TEST_RUN with live frames, once per frame that could leave. It sends the
 * frame when its burst is due and drops it otherwise, so the pace is kept by the clock and not by sleeping.
 * Live frames reach the other end of the veth as a driver's RX pages would: no skb is made on the way, which is
 * what lets one CPU offer several million frames a second. Only bench_flood.c loads it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define FLOWS_MASK   1023 /* as many source ports */
#define LATE_NS_MAX  1000000
#define SPORT_OFF    34   /* Ethernet 14 + IPv4 20 */
#define PAYLOAD_OFF  42

volatile __u64 interval_ns; /* between bursts; 0 = as fast as it goes */
volatile __u64 due_ns;
volatile __u64 n_sent;
volatile __u32 burst;       /* frames per burst */
volatile __u32 n_left;      /* of the burst that is leaving */
volatile __u32 ifindex;
volatile __u32 n_made;

SEC("xdp")
int flood(struct xdp_md *ctx)
{
    __u8 *frame = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

    if (frame + PAYLOAD_OFF + 2 > end)
        return XDP_ABORTED;
    if (n_left == 0) {
        __u64 now = bpf_ktime_get_ns();
        if (now < due_ns)
            return XDP_DROP;
        due_ns += interval_ns;
        if (now > due_ns + LATE_NS_MAX)
            due_ns = now; /* we were not running: do not make up for it with one long burst */
        n_left = burst;
    }
    n_left--;
    n_made++;
    __u16 sport = 0x4000 | (n_made & FLOWS_MASK);
    frame[SPORT_OFF] = sport >> 8;
    frame[SPORT_OFF + 1] = (__u8)sport;
    n_sent++;
    return bpf_redirect(ifindex, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
