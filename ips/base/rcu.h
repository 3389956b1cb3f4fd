/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_RCU_H
#define SLUICE_BASE_RCU_H
/*
 * liburcu orders a reader's last look at an object before the writer frees it, but does so in its own, not
 * instrumented code: the thread sanitizer sees a race. These two say to it what is true; in other builds they
 * are nothing. p is the address of the published pointer.
 */
#ifdef SLUICE_TSAN
#include <sanitizer/tsan_interface.h>
#define rcu_before_quiescent(p) __tsan_release((void *)(p)) /* reader: just before rcu_quiescent_state() */
#define rcu_after_grace(p)      __tsan_acquire((void *)(p)) /* writer: just after synchronize_rcu() */
#else
#define rcu_before_quiescent(p) ((void)(p))
#define rcu_after_grace(p)      ((void)(p))
#endif
#endif
