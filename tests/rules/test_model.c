/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The evaluator against a model. Thousands of random rules of two to five contents over a two-letter alphabet are
 * evaluated against random short payloads, and against a model that knows no shortcut: it tries every place of
 * every content. Retry links, the early end of hopeless searches and the choice of the fast pattern must not change
 * an answer. The sequence of random numbers is fixed.
 */
#include "harness.h"

#define N_RULES    1500
#define N_PAYLOADS 40

enum { MAX_CONTENTS = 5, MAX_BYTES = 3 };

struct content {
    char bytes[MAX_BYTES + 1];
    bool negated, relative, has_end, ends, pcre;
    int from, size; /* offset and depth, or distance and within */
};

static uint64_t state_of_random = 1;

static uint32_t below(uint32_t n)
{
    state_of_random = state_of_random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state_of_random >> 33) % n;
}

static void make_content(struct content *c, bool first)
{
    uint32_t n = 1 + below(MAX_BYTES);

    memset(c, 0, sizeof(*c));
    for (uint32_t i = 0; i < n; i++)
        c->bytes[i] = "ab"[below(2)];
    c->negated = below(5) == 0;
    c->relative = below(first ? 8 : 3) != 0;
    c->pcre = below(6) == 0;
    if (c->pcre)
        return;
    c->ends = below(8) == 0;
    c->has_end = below(2) == 0;
    c->from = c->relative ? (int)below(7) - 3 : (int)below(3);
    c->size = (int)(n + below(4));
}

static size_t write_content(char *out, const struct content *c)
{
    size_t n;

    if (c->pcre) /* the same literal, searched by PCRE2: relative means "anywhere behind the cursor" */
        return (size_t)sprintf(out, "pcre:%s\"/%s/%s\"; ", c->negated ? "!" : "", c->bytes,
                               c->relative ? "R" : "");
    n = (size_t)sprintf(out, "content:%s\"%s\"; %s:%d; ", c->negated ? "!" : "", c->bytes,
                        c->relative ? "distance" : "offset", c->from);
    if (c->has_end)
        n += (size_t)sprintf(out + n, "%s:%d; ", c->relative ? "within" : "depth", c->size);
    if (c->ends)
        n += (size_t)sprintf(out + n, "endswith; ");
    return n;
}

static bool stands_at(const struct content *c, const char *payload, int len, int cursor, int at)
{
    int from = (c->relative ? cursor : 0) + c->from, n = (int)strlen(c->bytes);
    int end = c->has_end && from + c->size < len ? from + c->size : len;

    return at >= from && at + n <= end && (!c->ends || at + n == len) &&
           memcmp(payload + at, c->bytes, (size_t)n) == 0;
}

/* Whether the contents from c on can all be placed. */
static bool model(const struct content *c, int n, const char *payload, int len, int cursor)
{
    bool found = false;

    if (n == 0)
        return true;
    for (int at = 0; at < len; at++) {
        if (!stands_at(c, payload, len, cursor, at))
            continue;
        found = true;
        if (!c->negated && model(c + 1, n - 1, payload, len, at + (int)strlen(c->bytes)))
            return true;
    }
    return c->negated && !found && model(c + 1, n - 1, payload, len, cursor);
}

static void random_rules(void **state)
{
    struct content(*contents)[MAX_CONTENTS] = calloc(N_RULES, sizeof(*contents));
    int *n = calloc(N_RULES, sizeof(*n));
    char *text = malloc(N_RULES * 512);
    size_t at = 0;
    uint32_t n_yes = 0;
    struct loaded l;

    assert_true(contents != NULL && n != NULL && text != NULL);
    for (int r = 0; r < N_RULES; r++) {
        n[r] = 2 + (int)below(MAX_CONTENTS - 1);
        at += (size_t)sprintf(text + at, "alert tcp any any -> any any (");
        for (int i = 0; i < n[r]; i++) {
            make_content(&contents[r][i], i == 0);
            at += write_content(text + at, &contents[r][i]);
        }
        at += (size_t)sprintf(text + at, "sid:%d;)\n", r + 1);
    }
    l = load_ok(text);
    assert_int_equal(ruleset_n_rules(l.rs), N_RULES);
    for (int r = 0; r < N_RULES; r++)
        for (int k = 0; k < N_PAYLOADS; k++) {
            char payload[16];
            int len = 1 + (int)below(15);
            struct pkt p = {.proto = 6, .payload = payload, .payload_len = (uint32_t)len};
            bool want, got;

            for (int i = 0; i < len; i++)
                payload[i] = "ab"[below(2)];
            want = model(contents[r], n[r], payload, len, 0);
            got = rule_matches(l.rs, (uint32_t)r + 1, &p);
            assert_false(last.step_limit);
            n_yes += got;
            if (got != want)
                fail_msg("rule %d against %.*s: %d, and the model says %d", r + 1, len, payload, got, want);
        }
    assert_in_range(n_yes, N_RULES * N_PAYLOADS / 20, N_RULES * N_PAYLOADS / 2); /* both answers are common */
    unload(&l);
    free(contents);
    free(n);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_rules)};

    return cmocka_run_group_tests_name("rules: evaluator and model", tests, NULL, NULL);
}
