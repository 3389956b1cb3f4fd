/* SPDX-License-Identifier: BSD-2-Clause */
/* A plan in words, one line for each step: what is printed about a variant that got through, and with -v. */
#include <stdio.h>
#include "tests/net/evade.h"

void plan_print_step(const struct variant *v, const struct step *s)
{
    static const char *const fault[] = {
        "bad-tcp-sum",  "zero-tcp-sum", "bad-ip-sum",  "low-ttl",   "other-mac",    "no-timestamp", "md5",
        "short-header", "long-header",  "bad-version", "truncated", "routing-left", "spoofed",      "padded",
        "at-edge",      "options",      "fast-open",   "vid-5",     "bad-echo"};
    static const char *const trick[] = {
        "", " frag-plain", " frag-twice", " frag-overlap", " frag-bad-sum", " frag-other-id", " frag-atomic"};
    if (s->kind != SEND) {
        static const char *const what[] = {"", "for SYN/ACK", "until accepted", "until acknowledged:"};
        printf("    wait %s %d\n", what[s->kind], s->off);
        return;
    }
    printf("    %s%s%s%s%s%s%s off %d len %u%s", s->flags & SYN ? "S" : "", s->flags & FIN ? "F" : "",
           s->flags & RST ? "R" : "", s->flags & PSH ? "P" : "", s->flags & ACK ? "A" : "",
           s->flags & URG ? "U" : "", s->flags ? "" : "-", s->off, s->len, s->chaff ? " CHAFF" : "");
    if (s->chaff_to > 0)
        printf(" chaff-to %d", s->chaff_to);
    if (s->seq_add)
        printf(" seq%+d", (int32_t)s->seq_add);
    if (s->ack_add)
        printf(" ack%+d", (int32_t)s->ack_add);
    if (s->ts_add)
        printf(" ts%+d", s->ts_add);
    if (s->flags & URG)
        printf(" urgent %u", s->urgent);
    for (unsigned i = 0; i < sizeof fault / sizeof *fault; i++) {
        if (s->fault >> i & 1)
            printf(" %s", fault[i]);
    }
    printf("%s", trick[s->trick]);
    if (s->ext)
        printf(" ext %u", s->ext);
    if (s->tags)
        printf(" priority-tag %u", s->tags);
    printf("\n");
}

void plan_print(const struct variant *v)
{
    printf("  seed %llu variant %u class %s %s: IPv%d %s port %u%s, %u bytes\n", (unsigned long long)v->seed,
           v->number, v->class_name, v->mode == MODE_ATTACK ? "attack" : "harmless", v->v6 ? 6 : 4,
           v->udp ? "UDP" : "TCP", v->port, v->timestamps && !v->udp ? " timestamps" : "", v->len);
    for (unsigned i = 0; i < v->n_steps; i++)
        plan_print_step(v, &v->step[i]);
}
