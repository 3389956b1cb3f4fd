/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asking a worker that hangs.
 *
 * The supervisor fills in the question, sends the thread a signal, and waits for `answered` with a bound. The handler only
 * reads memory that is its own thread's for as long as the round lasts, and unwinds the stack; backtrace() was called
 * once before, so that it need not load its library there. The two questions are apart, because an unwinder may
 * fail in code that was made at run time (pcre), and by then it must be known which rule that was.
 *
 * Control side; the handler runs in a worker. Owns the one question there is.
 */
#include "ips/inquiry.h"

#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "ips/base/clock.h"
#include "rules/ruleset.h"

#define ASK_SIGNAL (SIGRTMIN + 1)

static struct {
    const struct beacon *of;
    bool trace;
    bool answered; /* atomic */
    struct inquiry_answer answer;
    void *frames[INQUIRY_FRAMES];
    int n_frames;
} question;

static void describe(const struct beacon *b, struct inquiry_answer *a)
{
    *a = (struct inquiry_answer){.sid = b->rule ? b->rule->sid : 0, .gid = b->rule ? b->rule->gid : 0};
    if (b->packet && (b->packet->flags & PKT_HAS_IP))
        a->end = packet_ends(b->packet);
}

static void on_signal(int sig)
{
    int saved = errno;

    (void)sig;
    if (!__atomic_load_n(&question.answered, __ATOMIC_ACQUIRE) && question.of->tid == gettid()) {
        if (question.trace)
            question.n_frames = backtrace(question.frames, INQUIRY_FRAMES);
        else
            describe(question.of, &question.answer);
        __atomic_store_n(&question.answered, true, __ATOMIC_RELEASE);
    }
    errno = saved;
}

int inquiry_init(struct err *e)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    void *frame[1];

    question.answered = true;
    (void)backtrace(frame, 1);
    return sigaction(ASK_SIGNAL, &sa, NULL) == 0 ? 0 : err_sys(e, -errno, "cannot set a signal handler");
}

static bool ask(const struct beacon *b, bool trace, unsigned ms)
{
    question.of = b;
    question.trace = trace;
    __atomic_store_n(&question.answered, false, __ATOMIC_RELEASE);
    bool answered = tgkill(getpid(), b->tid, ASK_SIGNAL) == 0;
    for (unsigned i = 0; answered && i < ms && !__atomic_load_n(&question.answered, __ATOMIC_ACQUIRE); i++)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    /* from here on a late handler finds nothing to do */
    return __atomic_exchange_n(&question.answered, true, __ATOMIC_ACQ_REL) && answered;
}

bool inquiry_ask(const struct beacon *b, struct inquiry_answer *out, unsigned ms)
{
    if (!ask(b, false, ms))
        return false;
    *out = question.answer;
    return true;
}

unsigned inquiry_trace(const struct beacon *b, void *frames[INQUIRY_FRAMES], unsigned ms)
{
    if (!ask(b, true, ms) || question.n_frames < 0)
        return 0;
    for (int i = 0; i < question.n_frames; i++)
        frames[i] = question.frames[i];
    return (unsigned)question.n_frames;
}
