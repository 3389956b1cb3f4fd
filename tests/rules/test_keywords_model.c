/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Backtracking through places and variables, against a model. Random rules mix contents with byte_test, byte_jump,
 * byte_extract and isdataat, numbers with variables, relative with absolute; random payloads have three different
 * bytes, so that everything matches in many places. The model tries every place of every content and knows no
 * shortcut; the evaluator's links (rules/order.c) must not change an answer. The random numbers are fixed.
 */
#include "harness.h"

#define N_RULES    2000
#define N_PAYLOADS 40

enum { MAX_STEPS = 6, MAX_VARS = 4 };
enum kind { CONTENT, TEST, JUMP, EXTRACT, DATA, N_KINDS };

struct number { /* or, var >= 0, what that variable holds */
    int n, var;
};

struct item {
    enum kind kind;
    bool negated, relative, has_size, ends;
    uint8_t bytes[2];
    int n_bytes;
    struct number from, size; /* TEST: size is the value */
    int var;                  /* EXTRACT */
};

static uint64_t state_of_random = 7;

static uint32_t below(uint32_t n)
{
    state_of_random = state_of_random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state_of_random >> 33) % n;
}

static struct number make_number(int lo, uint32_t range, int n_vars)
{
    if (n_vars > 0 && below(3) == 0)
        return (struct number){.var = (int)below((uint32_t)n_vars)};
    return (struct number){.n = lo + (int)below(range), .var = -1};
}

static void make_item(struct item *s, bool first, int *n_vars)
{
    static const enum kind kinds[] = {CONTENT, CONTENT, CONTENT, TEST, JUMP, EXTRACT, DATA};

    memset(s, 0, sizeof(*s));
    s->kind = kinds[below(sizeof(kinds) / sizeof(kinds[0]))];
    s->relative = below(first ? 8 : 3) != 0;
    s->from = s->kind == CONTENT && s->relative ? make_number(-2, 5, *n_vars) : make_number(0, 4, *n_vars);
    switch (s->kind) {
    case CONTENT:
        s->n_bytes = 1 + (int)below(2);
        for (int i = 0; i < s->n_bytes; i++)
            s->bytes[i] = (uint8_t)below(3);
        s->negated = below(6) == 0;
        s->has_size = below(2) == 0;
        s->size = make_number(s->n_bytes, 3, *n_vars);
        s->ends = below(10) == 0;
        break;
    case TEST:
        s->size = make_number(0, 3, *n_vars);
        s->negated = below(2) == 0;
        break;
    case EXTRACT:
        s->var = *n_vars;
        *n_vars += *n_vars < MAX_VARS - 1;
        break;
    case DATA:
        s->negated = below(2) == 0;
        break;
    default:
        break;
    }
}

static bool is_ends_with(const struct item *s)
{
    return s->kind == DATA && s->negated && s->relative && s->from.var < 0 && s->from.n == 1;
}

static const char *write_number(struct number v, char out[16])
{
    if (v.var >= 0)
        snprintf(out, 16, "v%d", v.var);
    else
        snprintf(out, 16, "%d", v.n);
    return out;
}

static size_t write_item(char *out, const struct item *s)
{
    char from[16], size[16];
    const char *rel = s->relative ? ",relative" : "";
    size_t n;

    write_number(s->from, from);
    write_number(s->size, size);
    switch (s->kind) {
    case TEST:
        return (size_t)sprintf(out, "byte_test:1,%s=,%s,%s%s; ", s->negated ? "!" : "", size, from, rel);
    case JUMP:
        return (size_t)sprintf(out, "byte_jump:1,%s%s; ", from, rel);
    case EXTRACT:
        return (size_t)sprintf(out, "byte_extract:1,%s,v%d%s; ", from, s->var, rel);
    case DATA:
        return (size_t)sprintf(out, "isdataat:%s%s%s; ", s->negated ? "!" : "", from, rel);
    default:
        n = (size_t)sprintf(out, "content:%s\"|%02x", s->negated ? "!" : "", s->bytes[0]);
        if (s->n_bytes == 2)
            n += (size_t)sprintf(out + n, " %02x", s->bytes[1]);
        n += (size_t)sprintf(out + n, "|\"; %s:%s; ", s->relative ? "distance" : "offset", from);
        if (s->has_size)
            n += (size_t)sprintf(out + n, "%s:%s; ", s->relative ? "within" : "depth", size);
        if (s->ends)
            n += (size_t)sprintf(out + n, "endswith; ");
        return n;
    }
}

/* --- the model -------------------------------------------------------------------------------------------------- */

struct world {
    const uint8_t *b;
    int len;
};

static int value(struct number v, const int *vars)
{
    return v.var >= 0 ? vars[v.var] : v.n;
}

static bool stands_at(const struct item *s, struct world w, int cursor, const int *vars, int at)
{
    int from = (s->relative ? cursor : 0) + value(s->from, vars), end = w.len;

    if (s->has_size && from + value(s->size, vars) < end)
        end = from + value(s->size, vars);
    return at >= from && at + s->n_bytes <= end && (!s->ends || at + s->n_bytes == w.len) &&
           memcmp(w.b + at, s->bytes, (size_t)s->n_bytes) == 0;
}

static bool model(const struct item *s, int n, struct world w, int cursor, const int *vars);

static bool model_content(const struct item *s, int n, struct world w, int cursor, const int *vars)
{
    bool found = false;

    for (int at = 0; at < w.len; at++) {
        if (!stands_at(s, w, cursor, vars, at))
            continue;
        found = true;
        if (!s->negated && model(s + 1, n - 1, w, at + s->n_bytes, vars))
            return true;
    }
    return s->negated && !found && model(s + 1, n - 1, w, cursor, vars);
}

static bool model(const struct item *s, int n, struct world w, int cursor, const int *vars)
{
    int at, mine[MAX_VARS];

    if (n == 0)
        return true;
    if (s->kind == CONTENT)
        return model_content(s, n, w, cursor, vars);
    at = (s->relative ? cursor : 0) + value(s->from, vars);
    if (s->kind == DATA)
        return (s->relative ? at <= w.len : at < w.len) != s->negated && model(s + 1, n - 1, w, cursor, vars);
    if (at >= w.len)
        return false;
    memcpy(mine, vars, sizeof(mine));
    switch (s->kind) {
    case TEST:
        return (w.b[at] == value(s->size, vars)) != s->negated && model(s + 1, n - 1, w, cursor, vars);
    case JUMP:
        return at + 1 + w.b[at] <= w.len && model(s + 1, n - 1, w, at + 1 + w.b[at], vars);
    default:
        mine[s->var] = w.b[at];
        return model(s + 1, n - 1, w, at + 1, mine);
    }
}

/* --- the two together -------------------------------------------------------------------------------------------- */

struct random_rule {
    struct item v[MAX_STEPS];
    int n;
};

/* Line r of the text. */
static const char *rule_text(char *text, int r)
{
    char *line = strtok(text, "\n");

    while (r-- > 0)
        line = strtok(NULL, "\n");
    return line;
}

static void random_rules(void **state)
{
    struct random_rule *rules = calloc(N_RULES, sizeof(*rules));
    char *text = malloc(N_RULES * 768);
    uint32_t n_yes = 0;
    size_t at = 0;
    struct loaded l;

    assert_true(rules != NULL && text != NULL);
    for (int r = 0; r < N_RULES; r++) {
        int n_vars = 0;

        rules[r].n = 2 + (int)below(MAX_STEPS - 1);
        at += (size_t)sprintf(text + at, "alert tcp any any -> any any (");
        for (int i = 0; i < rules[r].n; i++) {
            make_item(&rules[r].v[i], i == 0, &n_vars);
            if (i > 0 && is_ends_with(&rules[r].v[i]) && rules[r].v[i - 1].negated)
                rules[r].v[i].from.n = 2; /* Suricata makes it the negated content's endswith: trap 9 */
            at += write_item(text + at, &rules[r].v[i]);
        }
        at += (size_t)sprintf(text + at, "sid:%d;)\n", r + 1);
    }
    l = load_ok(text);
    assert_int_equal(ruleset_n_rules(l.rs), N_RULES);
    for (int r = 0; r < N_RULES; r++)
        for (int k = 0; k < N_PAYLOADS; k++) {
            uint8_t payload[16];
            struct world w = {.b = payload, .len = 1 + (int)below(15)};
            struct pkt p = {.proto = 6, .payload = (char *)payload, .payload_len = (uint32_t)w.len};
            int vars[MAX_VARS] = {0};
            bool want, got;

            for (int i = 0; i < w.len; i++)
                payload[i] = (uint8_t)below(3);
            want = model(rules[r].v, rules[r].n, w, 0, vars);
            got = rule_matches(l.rs, (uint32_t)r + 1, &p);
            assert_false(last.step_limit);
            n_yes += got;
            if (got != want)
                fail_msg("rule %d, payload %d of %d bytes: %d, and the model says %d\n%s", r + 1, k, w.len,
                         got, want, rule_text(text, r));
        }
    assert_in_range(n_yes, N_RULES * N_PAYLOADS / 20, N_RULES * N_PAYLOADS / 2); /* both answers are common */
    unload(&l);
    free(rules);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_rules)};

    return cmocka_run_group_tests_name("rules: places, variables and a model", tests, NULL, NULL);
}
