/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_HTTP1_TALK_H
#define SLUICE_TESTS_HTTP1_TALK_H
/*
 * Conversations in HTTP for tests of its parser: what both sides say, in order, as text. A talk is held three times: in
 * whole messages, a byte at a time, and cut at random places. Rules must see the same each time.
 */
#include "tests/unit/app_lab.h"

#include <setjmp.h>
#include <cmocka.h>

struct says {
    enum app_dir dir;
    const char *text;
    uint32_t len; /* 0: of the text */
    bool fin;
};
#define CLIENT(t)                                               \
    {                                                           \
        .dir = APP_TO_SERVER, .text = (t), .len = sizeof(t) - 1 \
    }
#define SERVER(t)                                               \
    {                                                           \
        .dir = APP_TO_CLIENT, .text = (t), .len = sizeof(t) - 1 \
    }
#define CLIENT_ENDS(t)                                                       \
    {                                                                        \
        .dir = APP_TO_SERVER, .text = (t), .len = sizeof(t) - 1, .fin = true \
    }
#define SERVER_ENDS(t)                                                       \
    {                                                                        \
        .dir = APP_TO_CLIENT, .text = (t), .len = sizeof(t) - 1, .fin = true \
    }

enum cuts { WHOLE, BYTES, RANDOM };

static inline void talk_say(struct app_lab *l, const struct says *s, enum cuts cuts, uint32_t *seed)
{
    for (uint32_t at = 0; at < s->len || (s->len == 0 && at == 0);) {
        uint32_t n = s->len - at;

        if (cuts == BYTES)
            n = n < 1 ? n : 1;
        if (cuts == RANDOM) {
            *seed = *seed * 1103515245 + 12345;
            uint32_t want = 1 + (*seed >> 16) % 23;
            n = n < want ? n : want;
        }
        lab_send_fin(l, s->dir, s->text + at, n, s->fin && at + n == s->len);
        at += n;
        if (s->len == 0)
            return;
    }
}

static inline bool talk_grows(unsigned b)
{
    return b == BUF_FILE_DATA || b == BUF_HTTP_REQUEST_BODY || b == BUF_HTTP_RESPONSE_BODY ||
           b == BUF_HTTP_BODY_RAW;
}

/* Everything that was published but bodies, as text to be compared: by transaction and buffer, in order. */
static inline size_t talk_seen(const struct app_lab *l, char *out, size_t room)
{
    uint64_t last = l->n_seen > 0 ? l->seen[l->n_seen - 1].tx : 0;
    size_t n = 0;

    out[0] = '\0';
    for (uint64_t tx = 0; tx <= last + 1; tx++)
        for (unsigned b = 0; b < BUF_N; b++)
            for (uint32_t i = 0; i < l->n_seen; i++) {
                const struct lab_seen *s = &l->seen[i];

                if (s->buffer != b || s->tx != tx || talk_grows(b))
                    continue;
                n += (size_t)snprintf(out + n, room - n, "%llu %s [%.*s]\n", (unsigned long long)s->tx,
                                      buffers_name((enum buffer_id)b), (int)s->bytes.len,
                                      (const char *)s->bytes.p);
                if (n >= room)
                    abort();
            }
    return n;
}

/* Holds the talk; the lab that is returned has seen it in one piece per message. */
static inline struct app_lab *talk_with(const struct lab_setup *setup, const struct says *says, unsigned n)
{
    static char whole[1 << 18], other[1 << 18];
    static char bodies[2][1 << 18];
    size_t bodies_len[2];
    struct app_lab *l = lab_new(setup);
    uint32_t seed = 1;

    for (unsigned i = 0; i < n; i++)
        talk_say(l, &says[i], WHOLE, &seed);
    talk_seen(l, whole, sizeof(whole));
    bodies_len[0] = lab_grown(l, BUF_HTTP_REQUEST_BODY).len;
    bodies_len[1] = lab_grown(l, BUF_HTTP_RESPONSE_BODY).len;
    if (bodies_len[0])
        memcpy(bodies[0], l->grown[BUF_HTTP_REQUEST_BODY].p, bodies_len[0]);
    if (bodies_len[1])
        memcpy(bodies[1], l->grown[BUF_HTTP_RESPONSE_BODY].p, bodies_len[1]);
    for (unsigned round = 0; round < 12; round++) {
        struct app_lab *again = lab_new(setup);

        seed = round * 7919 + 1;
        for (unsigned i = 0; i < n; i++)
            talk_say(again, &says[i], round == 0 ? BYTES : RANDOM, &seed);
        talk_seen(again, other, sizeof(other));
        assert_string_equal(whole, other);
        assert_int_equal(lab_grown(again, BUF_HTTP_REQUEST_BODY).len, bodies_len[0]);
        assert_int_equal(lab_grown(again, BUF_HTTP_RESPONSE_BODY).len, bodies_len[1]);
        if (bodies_len[0])
            assert_memory_equal(again->grown[BUF_HTTP_REQUEST_BODY].p, bodies[0], bodies_len[0]);
        if (bodies_len[1])
            assert_memory_equal(again->grown[BUF_HTTP_RESPONSE_BODY].p, bodies[1], bodies_len[1]);
        for (enum anomaly an = 0; an < AN_N; an++)
            if (anomaly_room(an) == ANOMALY_APP &&
                anomaly_has(&again->events, an) != anomaly_has(&l->events, an)) {
                print_error("%s, in pieces (%u) %d\n", anomaly_info[an].name, round,
                            anomaly_has(&again->events, an));
                fail();
            }
        lab_free(again);
    }
    return l;
}

#define talk(...)                                                                   \
    talk_with(&(struct lab_setup){.dport = 80}, (const struct says[]){__VA_ARGS__}, \
              sizeof((const struct says[]){__VA_ARGS__}) / sizeof(struct says))

static inline bool talk_body(const struct app_lab *l, enum buffer_id b, const char *text)
{
    return span_eq_str(lab_grown(l, b), text);
}
#endif
