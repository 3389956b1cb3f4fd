/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy's part in loading a rule: before it is parsed, whether it is loaded and with what text; afterwards, its
 * action. Above the policy stands that a rule which stalled workers (ruleset_source.struck) is left out. Action is part of the order in which rules are evaluated, so this comes before anything is compiled.
 *
 * A builder that only explains one sid (rules/explain.c) is shown the texts that have it, and admits no others.
 * Owns the changed text from admit_rule() to admit_end(). Control thread.
 */
#include "rules/admit.h"

#include <xxhash.h>

#include "rules/builder.h"

static bool is_struck(const struct ruleset_source *src, const struct policy_facts *f)
{
    for (uint32_t i = 0; i < src->n_struck; i++)
        if (src->struck[i].sid == f->sid && src->struck[i].gid == f->gid)
            return true;
    return false;
}

bool admit_rule(struct builder *b, const struct rule_text *t, const char *file, struct admission *a)
{
    a->given = a->text = t;
    a->file = file;
    a->n_errors = b->errs->n;
    a->policy = (struct policy_outcome){.text = t->text, .enabled = !t->disabled, .action = -1};
    if (b->src->policy == NULL && b->explainer == NULL && b->src->n_struck == 0)
        return a->policy.enabled;
    a->facts = (struct policy_facts){.file = file, .enabled = !t->disabled};
    policy_facts_read(&a->facts, t->text, &b->classes);
    if (b->explainer != NULL && !explain_wants(b->explainer, &a->facts)) {
        a->policy.enabled = false;
        return false;
    }
    if (b->src->policy != NULL && policy_apply(b->src->policy, &a->facts, &b->classes, &a->policy) != 0) {
        b->no_memory = true;
        return false;
    }
    if (is_struck(b->src, &a->facts)) {
        a->policy.enabled = false;
        a->policy.struck = true;
    }
    if (a->policy.changed != NULL) {
        a->piece = t->pieces[0];
        a->changed = *t;
        a->changed.text = a->policy.text;
        a->changed.pieces = &a->piece;
        a->changed.n_pieces = 1;
        a->text = &a->changed;
    }
    if (b->explainer != NULL && !a->policy.enabled)
        explain_take(b->explainer, b, a);
    return a->policy.enabled;
}

/* These errors are about a text that nobody wrote as it is: say whose it is. */
static void blame(struct builder *b, size_t from, const struct policy_report *line)
{
    for (size_t i = from; i < b->errs->n; i++) {
        char *text = b->errs->v[i].text;
        size_t at = strlen(text);

        snprintf(text + at, sizeof(b->errs->v[i].text) - at, " (as changed by %s:%u)", line->file,
                 line->line);
    }
}

void admit_parsed(struct builder *b, struct admission *a)
{
    static const uint8_t actions[] = {[POLICY_ALERT] = ACTION_ALERT,
                                      [POLICY_PASS] = ACTION_PASS,
                                      [POLICY_DROP] = ACTION_DROP,
                                      [POLICY_REJECT] = ACTION_REJECT};
    const struct policy_outcome *o = &a->policy;
    struct draft *d = &b->draft;

    if (o->changed_by != NULL)
        blame(b, a->n_errors, o->changed_by);
    if (o->action >= 0)
        check_set_action(d, (enum rule_action)actions[o->action]);
    if (o->action_by != NULL) {
        d->info.policy = &b->reports[policy_report_index(o->action_by)];
        d->info.block_side = o->action_by->block_side;
        d->info.block_s = o->action_by->block_s;
    }
    d->info.text_hash = XXH3_64bits(a->text->text.p, a->text->text.len);
    if (b->explainer != NULL)
        explain_take(b->explainer, b, a);
    d->text = a->given;
}

void admit_end(struct admission *a)
{
    policy_outcome_fini(&a->policy);
}
