/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain: what becomes of one rule, and why.
 *
 * The rule files are read by the same code as for a ruleset, with a builder that admits only the texts that have the
 * sid in question (admit.c); all of them are told, also those that are disabled, off, refused, or replaced by
 * a newer revision. Nothing is compiled into pattern databases. What is told lies in an arena of its own and
 * outlives the builder.
 *
 * Reading costs what reading the files costs: some 50 ms for 20 MB. Control thread.
 */
#include "rules/explain.h"

#include <errno.h>
#include <stdlib.h>

#include "rules/admit.h"
#include "rules/dialect.h"
#include "rules/explain_words.h"

#define ARENA_CHUNK_BYTES (64u << 10)
#define EXPLAINED_MAX     64 /* texts with one sid */

struct explainer {
    struct explanation *out;
    int64_t gid;
    uint32_t sid;
    bool no_memory;
};

bool explain_wants(const struct explainer *x, const struct policy_facts *f)
{
    return f->sid == x->sid && (x->gid < 0 || f->gid == x->gid) && x->out->n < EXPLAINED_MAX;
}

/* Adds a line to a list; NULL (memory was out when it was made) is remembered. */
static void add(struct explainer *x, struct explain_list *l, const char *line)
{
    if (line != NULL && l->n == l->cap) {
        uint32_t cap = l->cap == 0 ? 8 : l->cap * 2;
        const char **v = arena_alloc(x->out->arena, cap * sizeof(*v));

        if (v != NULL && l->n > 0)
            memcpy(v, l->v, l->n * sizeof(*v));
        line = v != NULL ? line : NULL;
        l->v = v != NULL ? v : l->v;
        l->cap = v != NULL ? cap : l->cap;
    }
    if (line == NULL)
        x->no_memory = true;
    else
        l->v[l->n++] = line;
}

static const char *keep(struct explainer *x, const char *s)
{
    if (s == NULL)
        x->no_memory = true;
    return s != NULL ? s : "";
}

static const char *place_of(struct explainer *x, const struct policy_report *r)
{
    return keep(x, explain_say(x->out->arena, "%s:%u", r->file, r->line));
}

static void tell_policy(struct explainer *x, struct explained *t, const struct policy_outcome *o)
{
    for (uint32_t i = 0; i < o->n_seen && i < POLICY_SEEN_MAX && o->seen[i] != NULL; i++) {
        const struct policy_report *r = o->seen[i];
        const char *role = r == o->action_by || r == o->enabled_by ? ", decides"
                           : r == o->kept_from                     ? ", but it has noalert"
                           : r == o->changed_by                    ? ", changed its text"
                                                                   : "";
        char block[32];

        policy_block_name(r->block_side, r->block_s, block, sizeof(block));
        add(x, &t->policy,
            explain_say(x->out->arena, "%s:%u %s%s%s%s: %s%s%s%s", r->file, r->line,
                        policy_verb_name((enum policy_verb)r->verb), block[0] != '\0' ? ", block " : "",
                        block, role, r->selects, r->reason[0] != '\0' ? " (" : "", r->reason,
                        r->reason[0] != '\0' ? ")" : ""));
    }
    if (o->changed != NULL && o->changed_by != NULL) {
        t->changed = keep(x, explain_text(x->out->arena, span_str(o->changed)));
        t->changed_by = place_of(x, o->changed_by);
    }
}

static void tell_state(struct explainer *x, struct explained *t, const struct admission *a,
                       const struct draft *d)
{
    const struct policy_outcome *o = &a->policy;
    struct arena *arena = x->out->arena;

    if (o->struck) {
        t->state = "off";
        t->why = "it stalled workers; `ipsctl strikes clear` and a reload would bring it back";
    } else if (!o->enabled) {
        t->state = o->enabled_by != NULL && !a->given->disabled ? "off" : "disabled";
        t->why = o->enabled_by != NULL
                     ? keep(x, explain_say(arena, "%s turns it off", place_of(x, o->enabled_by)))
                     : "its file disables it with a '#'; a policy line 'on' would load it";
    } else if (d->failed) {
        t->state = "rejected";
        t->why = "it has errors";
    } else if (d->skipped) {
        t->state = "skipped";
        t->why = "it says itself, with requires, that it is not for this engine";
    } else if (d->rule.flags & RULE_DORMANT) {
        t->state = "dormant";
        t->why = keep(x, explain_say(arena, "nothing fills or tells '%s' yet", d->info.dormant));
    } else {
        t->state = "loaded";
        t->why = a->given->disabled && o->enabled_by != NULL
                     ? keep(x, explain_say(arena, "its file disables it, %s turns it on",
                                           place_of(x, o->enabled_by)))
                     : "";
    }
}

static const char *flow_words(uint32_t f)
{
    return f & RULE_TO_SERVER ? ", to the server" : f & RULE_TO_CLIENT ? ", to the client" : "";
}

/* What the rule looks for: the draft is good. */
static void tell_rule(struct explainer *x, struct explained *t, struct builder *b, const struct admission *a)
{
    const struct draft *d = &b->draft;
    const struct draft_step *order[STEPS_MAX];
    struct arena *arena = x->out->arena;
    struct step steps[STEPS_MAX];
    struct fast_pattern fast;
    struct span head = a->facts.action, text = a->text->text;
    uint32_t f = d->rule.flags;

    text = text_trim(text);
    text = span_sub(text, head.len, text.len); /* the action is told apart */
    text_split(&text, '(', &head);
    t->header =
        keep(x, explain_say(arena, "%s%s%s%s", keep(x, explain_text(arena, text_trim(head))), flow_words(f),
                            f & RULE_ESTABLISHED       ? ", in established flows"
                            : f & RULE_NOT_ESTABLISHED ? ", in flows that are not established"
                                                       : "",
                            f & RULE_ONLY_FRAG ? ", put together from fragments"
                            : f & RULE_NO_FRAG ? ", never from fragments"
                                               : ""));
    t->inspects = explain_inspects(d);
    t->verdict = explain_verdict(&d->rule);
    if (f & RULE_DORMANT)
        t->fast_pattern = "nothing: it is never tried";
    else if (fastpattern_choose(d, &fast))
        t->fast_pattern = keep(x, explain_fast(arena, d, &fast));
    else
        x->no_memory = true;
    order_steps(d, steps, order);
    for (uint32_t i = 0; i < d->n_steps; i++)
        add(x, &t->steps, explain_step(arena, d, order[i], steps[i].new_buffer, a->text->text));
    for (uint32_t i = 0; i < d->n_posts; i++)
        add(x, &t->effects, explain_step(arena, d, &d->posts[i], true, a->text->text));
    if (f & RULE_NOALERT)
        add(x, &t->effects, "no alert (noalert)");
    if (f & RULE_BYPASS)
        add(x, &t->effects, "the rest of the flow is not inspected (bypass)");
}

static struct explained *new_text(struct explainer *x)
{
    struct explanation *out = x->out;

    if (out->n == out->cap) {
        uint32_t cap = out->cap == 0 ? 4 : out->cap * 2;
        struct explained *v = realloc(out->v, cap * sizeof(*v));

        if (v == NULL) {
            x->no_memory = true;
            return NULL;
        }
        out->v = v;
        out->cap = cap;
    }
    out->v[out->n] = (struct explained){.changed = "",
                                        .changed_by = "",
                                        .action_by = "",
                                        .header = "",
                                        .inspects = "",
                                        .fast_pattern = "",
                                        .verdict = "",
                                        .dialect = ""};
    return &out->v[out->n++];
}

void explain_take(struct explainer *x, struct builder *b, const struct admission *a)
{
    const struct policy_outcome *o = &a->policy;
    const struct policy_facts *f = &a->facts;
    const struct draft *d = &b->draft;
    struct explained *t = new_text(x);
    char line[1100];
    int number, column;

    if (t == NULL)
        return;
    text_place(a->given, text_trim(a->given->text).p, &number, &column);
    t->file = keep(x, explain_say(x->out->arena, "%s", a->file));
    t->line = (uint32_t)number;
    t->gid = f->gid;
    t->sid = f->sid;
    t->rev = f->rev;
    t->text = keep(x, explain_text(x->out->arena, f->text));
    t->written = keep(x, explain_text(x->out->arena, f->action));
    t->action = o->action >= 0 ? policy_verb_name((enum policy_verb)o->action) : t->written;
    if (o->action_by != NULL)
        t->action_by = place_of(x, o->action_by);
    tell_policy(x, t, o);
    tell_state(x, t, a, d);
    if (!o->enabled)
        return;
    t->text_hash = d->info.text_hash;
    t->loaded = !d->failed && !d->skipped;
    if (t->loaded)
        t->action = rule_action_name(d->rule.action);
    t->dialect = dialect_name(d->dialect);
    for (size_t i = a->n_errors; i < b->errs->n; i++)
        add(x, &t->errors,
            keep(x, explain_say(x->out->arena, "%s", err_format(&b->errs->v[i], line, sizeof(line)))));
    if (t->loaded)
        tell_rule(x, t, b, a);
}

/* What only all of them together tell: which of several stays, and which thresholds hold for it. */
static void tell_rest(struct explainer *x, struct builder *b)
{
    for (uint32_t i = 0; i < x->out->n; i++) {
        struct explained *t = &x->out->v[i];
        const struct builder_rule *mine = NULL, *other = NULL;
        const struct filter_list *list;
        uint32_t index = 0;

        for (size_t r = 0; r < b->n_rules; r++)
            if (b->rules[r].info.gid != t->gid)
                continue;
            else if (b->rules[r].info.line == t->line && strcmp(b->rules[r].info.file, t->file) == 0)
                mine = b->rules[r].dead ? NULL : &b->rules[r];
            else if (!b->rules[r].dead)
                other = &b->rules[r];
        if (mine == NULL && other != NULL && t->loaded) {
            t->loaded = false;
            t->state = "replaced";
            t->why = keep(x, explain_say(x->out->arena, "%s:%u has the same sid, with rev %u",
                                         other->info.file, other->info.line, other->info.rev));
        }
        if (mine == NULL)
            continue;
        if (!limits_of(b, mine, &index)) {
            x->no_memory = true;
            continue;
        }
        list = &b->limits.lists[index];
        for (uint32_t k = 0; k < list->n; k++)
            add(x, &t->limits, explain_filter(x->out->arena, &b->limits.filters[list->first + k]));
    }
}

int explain_rule(const struct ruleset_source *src, int64_t gid, uint32_t sid, struct explanation *out,
                 struct err *e)
{
    struct explainer x = {.out = out, .gid = gid, .sid = sid};
    struct ruleset_source source = *src;
    struct builder *b = NULL;
    struct err_list errs;
    int rc;

    memset(out, 0, sizeof(*out));
    err_list_init(&errs);
    source.n_workers = 1;
    out->arena = arena_new(ARENA_CHUNK_BYTES);
    if (out->arena != NULL)
        b = builder_new(&source, &errs);
    if (b == NULL)
        return err_set(e, -ENOMEM, "no memory to explain a rule");
    b->explainer = &x;
    rc = builder_load(b, e);
    if (rc == 0)
        tell_rest(&x, b);
    if (rc == 0 && (x.no_memory || b->no_memory))
        rc = err_set(e, -ENOMEM, "no memory to explain a rule");
    builder_free(b, true);
    err_list_fini(&errs);
    return rc;
}

void explain_fini(struct explanation *x)
{
    free(x->v);
    arena_free(x->arena);
    memset(x, 0, sizeof(*x));
}
