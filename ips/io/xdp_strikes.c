/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Strikes: which rules and parsers stalled a worker, and how often.
 *
 * They lie in a map beside the program, because the process that counts one is about to end, and the next one must know.
 * STEER_STRIKES_MAX things can have them; when all places are taken the newest is not remembered, and that is an error
 * which is said. The supervisor writes while the control server may clear: each element is replaced as a whole, and one
 * strike more or less there is no harm. Control side; owns nothing.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "ips/io/xdp_parts.h"

static bool same(const struct steer_strike *a, const struct steer_strike *b)
{
    return a->gid == b->gid && a->sid == b->sid && strncmp(a->parser, b->parser, sizeof(a->parser)) == 0;
}

static int read_at(struct xdp *x, uint32_t i, struct steer_strike *s, struct err *e)
{
    return bpf_map_lookup_elem(x->map.strikes, &i, s) == 0 ? 0
                                                           : err_sys(e, -errno, "cannot read the strikes");
}

static int write_at(struct xdp *x, uint32_t i, const struct steer_strike *s, struct err *e)
{
    return bpf_map_update_elem(x->map.strikes, &i, s, BPF_ANY) == 0
               ? 0
               : err_sys(e, -errno, "cannot write the strikes");
}

int xdp_strike(struct xdp *x, const struct steer_strike *what, struct err *e)
{
    struct steer_strike s, mine = *what;
    uint32_t place = STEER_STRIKES_MAX;

    mine.count = 1;
    for (uint32_t i = 0; i < STEER_STRIKES_MAX; i++) {
        if (read_at(x, i, &s, e) < 0)
            return e->code;
        if (s.count > 0 && same(&s, what)) {
            place = i;
            mine.count = s.count + 1;
            break;
        }
        if (s.count == 0 && place == STEER_STRIKES_MAX)
            place = i;
    }
    if (place < STEER_STRIKES_MAX)
        return write_at(x, place, &mine, e);
    err_set(e, -ENOSPC, "%d rules and parsers have strikes already: no more can be remembered",
            STEER_STRIKES_MAX);
    return err_remedy(e, "run `ipsctl strikes clear` when their rules were mended"), -ENOSPC;
}

int xdp_strikes(struct xdp *x, struct steer_strike v[STEER_STRIKES_MAX], struct err *e)
{
    int n = 0;

    for (uint32_t i = 0; i < STEER_STRIKES_MAX; i++) {
        if (read_at(x, i, &v[n], e) < 0)
            return e->code;
        v[n].parser[sizeof(v[n].parser) - 1] = '\0';
        n += v[n].count > 0;
    }
    return n;
}

int xdp_strikes_clear(struct xdp *x, const struct steer_strike *what, struct err *e)
{
    static const struct steer_strike none;
    struct steer_strike s;
    int n = 0;

    for (uint32_t i = 0; i < STEER_STRIKES_MAX; i++) {
        if (read_at(x, i, &s, e) < 0)
            return e->code;
        if (s.count == 0 || (what && !same(&s, what)))
            continue;
        if (write_at(x, i, &none, e) < 0)
            return e->code;
        n++;
    }
    return n;
}
