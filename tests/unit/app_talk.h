/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_APP_TALK_H
#define SLUICE_TESTS_APP_TALK_H
/* Conversations of protocols that people could type: turns of text on app_lab.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/app_lab.h"

#define C APP_TO_SERVER
#define S APP_TO_CLIENT

struct turn {
    enum app_dir dir;
    const char *text;
};

/* A connection that the client has opened, so that the server may speak first. */
static inline struct app_lab *talk_limited(uint16_t port, const struct app_limits *limits)
{
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = port, .limits = limits});

    lab_send(l, C, "", 0);
    return l;
}

static inline struct app_lab *talk_new(uint16_t port)
{
    return talk_limited(port, NULL);
}

/* Each turn in pieces of so many bytes; 0: random ones. */
static inline void play(struct app_lab *l, const struct turn *t, size_t n, size_t piece)
{
    unsigned seed = 1;

    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(t[i].text);

        for (size_t at = 0; at < len;) {
            size_t k = piece ? piece : 1 + (size_t)rand_r(&seed) % 40;

            k = k > len - at ? len - at : k;
            lab_send(l, t[i].dir, t[i].text + at, k);
            at += k;
        }
    }
}
#define N(array) (sizeof(array) / sizeof((array)[0]))
#endif
