// SPDX-License-Identifier: BSD-2-Clause
/*
 * Messages of an upgrade over a socket pair, and the state of frames: what was written is read, and whatever is wrong with
 * it is seen: a frame that is missing, twice, outside; a ring that is too full; every single byte changed; every length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ips/handover.h"

#define N_FRAMES 64u
#define RING     8u

static void pair(int fd[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
}

static void messages_carry_words_and_descriptors(void **state)
{
    struct handover_fds fds = {.n = 1}, got;
    struct err e = {0};
    int s[2], pipe_fd[2];
    char c = 0;

    pair(s);
    assert_int_equal(pipe(pipe_fd), 0);
    fds.v[0] = pipe_fd[1];
    assert_int_equal(handover_say(s[0], json_pack("{s:s, s:i}", "say", "hello", "n", 5), &fds), 0);
    assert_int_equal(handover_say(s[0], json_pack("{s:s}", "say", "done"), &fds), 0);
    json_t *m = handover_hear(s[1], 1000, &got, &e);
    assert_true(handover_is(m, "hello"));
    assert_int_equal(json_integer_value(json_object_get(m, "n")), 5);
    assert_int_equal(got.n, 1);
    assert_int_equal(write(got.v[0], "x", 1), 1);
    assert_int_equal(read(pipe_fd[0], &c, 1), 1);
    handover_close(&got);
    json_decref(m);
    m = handover_hear(s[1], 1000, NULL, &e); /* nobody wants its descriptor */
    assert_true(handover_is(m, "done"));
    json_decref(m);

    assert_null(handover_hear(s[1], 10, &got, &e));
    assert_int_equal(e.code, -ETIMEDOUT);
    assert_int_equal(send(s[0], "{\"say", 5, 0), 5);
    assert_null(handover_hear(s[1], 1000, &got, &e));
    assert_int_equal(e.code, -EPROTO);
    close(s[0]);
    assert_null(handover_hear(s[1], 1000, &got, &e));
    assert_int_equal(e.code, -EPIPE);
    assert_int_equal(handover_say(s[1], json_pack("{s:s}", "say", "running"), NULL), -EPIPE);
    close(s[1]);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
}

/* One that ends with messages unread resets the connection, and what it said before is heard all the same. */
static void last_words_are_heard(void **state)
{
    struct err e;
    int s[2];

    pair(s);
    assert_int_equal(handover_say(s[0], json_pack("{s:s}", "say", "hello"), NULL), 0);
    assert_int_equal(handover_say(s[1], json_pack("{s:s}", "say", "refused"), NULL), 0);
    close(s[1]);
    assert_int_equal(handover_say(s[0], json_pack("{s:s}", "say", "bridge"), NULL), -EPIPE);
    json_t *m = handover_hear(s[0], 0, NULL, &e);
    assert_true(handover_is(m, "refused"));
    json_decref(m);
    assert_null(handover_hear(s[0], 0, NULL, &e));
    assert_int_equal(e.code, -EPIPE);
    close(s[0]);

    pair(s);
    assert_int_equal(handover_say(s[0], json_pack("{s:s}", "say", "hello"), NULL), 0);
    assert_int_equal(handover_say(s[1], json_pack("{s:s}", "say", "refused"), NULL), 0);
    close(s[1]);
    m = handover_hear(s[0], 0, NULL, &e); /* and when nothing was sent that would have taken the error */
    assert_true(handover_is(m, "refused"));
    json_decref(m);
    close(s[0]);
}

/* What decides who has the rings: once an end is shut down, nothing more can be said, and what was said is still heard. */
static void a_word_was_said_or_it_was_not(void **state)
{
    struct err e;
    int s[2];

    pair(s);
    assert_int_equal(handover_say(s[1], json_pack("{s:s}", "say", "running"), NULL), 0);
    assert_int_equal(shutdown(s[0], SHUT_RDWR), 0);
    json_t *m = handover_hear(s[0], 0, NULL, &e);
    assert_true(handover_is(m, "running"));
    json_decref(m);
    assert_int_equal(handover_say(s[1], json_pack("{s:s}", "say", "running"), NULL), -EPIPE);
    assert_null(handover_hear(s[0], 0, NULL, &e));
    close(s[0]);
    close(s[1]);
}

/* Two workers: frames 0-19 free, 20-22 held and 5 with the kernel; 23-52 free and 3+3 with the kernel. */
static size_t make_state(uint8_t *memory, struct handover_frame held[3])
{
    struct handover_writer w;
    struct handover_worker worker = {.n_free = 20, .n_held = 3, .held = held};

    handover_state_begin(&w, memory, N_FRAMES, 2);
    for (uint32_t i = 0; i < 20; i++)
        handover_state_free(&w)[i] = i * (uint64_t)FRAME_BYTES;
    for (uint32_t i = 0; i < 3; i++)
        held[i] = (struct handover_frame){
            .umem_addr = (20 + i) * (uint64_t)FRAME_BYTES + 256, .len = 100 + i, .in_port = 1};
    worker.port[0] = (struct port_held){.fill = 5};
    handover_state_add(&w, &worker);
    for (uint32_t i = 0; i < 30; i++)
        handover_state_free(&w)[i] = (23 + i) * (uint64_t)FRAME_BYTES;
    worker = (struct handover_worker){
        .n_free = 30, .held = held, .port = {{.fill = 2, .tx = 1}, {.fill = 2, .tx = 1}}};
    handover_state_add(&w, &worker);
    return (size_t)(w.at - memory);
}

static int read_state(const uint8_t *memory, size_t bytes)
{
    struct handover_worker workers[2];
    struct err e;
    uint8_t *exact = malloc(bytes ? bytes : 1); /* so that a sanitizer sees who reads behind it */
    memcpy(exact, memory, bytes);
    int rc = handover_state_read(exact, bytes, N_FRAMES, 2, RING, workers, &e);

    if (rc == 0) {
        assert_int_equal(workers[0].held[2].len, 102);
        assert_int_equal(workers[1].free[29], 52 * (uint64_t)FRAME_BYTES);
        assert_int_equal(workers[1].port[1].tx, 1);
    }
    free(exact);
    return rc;
}

static void a_state_is_read_as_it_was_written(void **state)
{
    static uint8_t memory[4096];
    struct handover_frame held[3];
    size_t bytes = make_state(memory, held);

    assert_true(bytes <= handover_state_bytes(N_FRAMES, 2));
    assert_true(handover_state_bytes(N_FRAMES, 2) <= sizeof(memory));
    assert_int_equal(read_state(memory, bytes), 0);
    assert_int_equal(read_state(memory, handover_state_bytes(N_FRAMES, 2)),
                     0); /* room behind it does not matter */
}

static void a_broken_state_is_refused(void **state)
{
    static uint8_t memory[4096], broken[4096];
    struct handover_frame held[3];
    size_t bytes = make_state(memory, held);

    for (size_t n = 0; n < bytes; n++)
        assert_int_equal(read_state(memory, n), -EPROTO);
    /* one byte changed is a frame missing or twice, unless it only says where in its frame a held one lies */
    size_t first_held = 16 + 24 + 20 * 8;
    for (size_t i = 0; i < bytes; i++) {
        if (i >= first_held && i < first_held + sizeof(held))
            continue;
        memcpy(broken, memory, bytes);
        broken[i] ^= 0x11;
        assert_int_equal(read_state(broken, bytes), -EPROTO);
    }
    static const struct handover_frame bad[] = {
        {.umem_addr = 20 * FRAME_BYTES, .len = 0},
        {.umem_addr = 20 * FRAME_BYTES + 4000, .len = 97},
        {.umem_addr = 20 * FRAME_BYTES, .len = 60, .in_port = 2},
        {.umem_addr = 21 * FRAME_BYTES, .len = 60},       /* twice */
        {.umem_addr = N_FRAMES * FRAME_BYTES, .len = 60}, /* outside */
        {.umem_addr = UINT64_MAX - FRAME_BYTES, .len = 60},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memcpy(broken, memory, bytes);
        memcpy(broken + first_held, &bad[i], sizeof(bad[i]));
        assert_int_equal(read_state(broken, bytes), -EPROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_carry_words_and_descriptors),
        cmocka_unit_test(last_words_are_heard),
        cmocka_unit_test(a_word_was_said_or_it_was_not),
        cmocka_unit_test(a_state_is_read_as_it_was_written),
        cmocka_unit_test(a_broken_state_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
