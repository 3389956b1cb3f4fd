/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One rule before the policy: which lines fit, what they make of it, and who had the last word.
 *
 * Lines are asked in order. Thousands of lines may each name a few sids, so those that name nothing but single sids
 * are found by sid; all others are asked. A modify line changes the text, and the lines behind it see what it made.
 *
 * Drop and reject are refused to rules with noalert, also when it is modify.conf's text that says so. The outcome
 * owns the changed text; everything else in it is borrowed from the policy. One control thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "rules/policy_parts.h"
#include "rules/source.h"

/* --- lines by sid ----------------------------------------------------------------------------------------- */

/* The line names single sids, so that only rules with one of them can fit. */
static bool by_sid(const struct policy_line *l)
{
    const struct policy_test *t = &l->tests[POLICY_SID];

    for (uint32_t i = 0; i < t->n; i++)
        if (t->v[i].lo != t->v[i].hi)
            return false;
    return t->n > 0;
}

static int id_cmp(const void *a, const void *b)
{
    const struct policy_id *x = a, *y = b;

    if (x->sid != y->sid)
        return x->sid < y->sid ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static int seal(struct policy *p)
{
    size_t n_ids = 0;

    if (p->sealed)
        return 0;
    for (uint32_t i = 0; i < p->n; i++)
        n_ids += by_sid(p->lines[i]) ? p->lines[i]->tests[POLICY_SID].n : 0;
    p->by_sid = malloc((n_ids + 1) * sizeof(*p->by_sid));
    p->others = calloc((size_t)p->n + 1, sizeof(*p->others));
    if (p->by_sid == NULL || p->others == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < p->n; i++) {
        const struct policy_test *t = &p->lines[i]->tests[POLICY_SID];

        if (!by_sid(p->lines[i])) {
            p->others[p->n_others++] = i;
            continue;
        }
        for (uint32_t v = 0; v < t->n; v++)
            p->by_sid[p->n_ids++] = (struct policy_id){.sid = t->v[v].lo, .line = i};
    }
    qsort(p->by_sid, p->n_ids, sizeof(*p->by_sid), id_cmp);
    p->sealed = true;
    return 0;
}

/* The first line from `from` on that may fit a rule with this sid; p->n when there is none. */
static uint32_t next_line(const struct policy *p, uint32_t sid, uint32_t from)
{
    uint32_t lo = 0, hi = p->n_ids, best = p->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const struct policy_id *id = &p->by_sid[mid];

        if (id->sid < sid || (id->sid == sid && id->line < from))
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < p->n_ids && p->by_sid[lo].sid == sid)
        best = p->by_sid[lo].line;
    for (lo = 0, hi = p->n_others; lo < hi;) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (p->others[mid] < from)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < p->n_others && p->others[lo] < best ? p->others[lo] : best;
}

/* --- one rule --------------------------------------------------------------------------------------------- */

struct trial {
    struct policy *p;
    struct policy_outcome *o;
    struct policy_facts facts; /* of the text as it is now */
    const struct classes *classes;
    struct policy_line *enabled_by, *action_by; /* the same as the outcome's, to count in */
    bool off_locally; /* by a line of policy.yaml, which a later action of it takes back */
};

static bool prevents(int verb)
{
    return verb == POLICY_DROP || verb == POLICY_REJECT;
}

/* What the rule does as things stand; other actions than a policy's are as good as alert here. */
static int verb_now(const struct trial *t)
{
    enum policy_verb v = policy_verb_lookup(t->facts.action);

    return t->o->action >= 0 ? t->o->action : v < POLICY_OFF ? (int)v : POLICY_ALERT;
}

/* The text with its action replaced, because modify.conf comes behind drop.conf. Heap; NULL: no memory. */
static char *text_with_action(const struct trial *t)
{
    const struct policy_facts *f = &t->facts;
    struct span rest = span_sub(f->text, f->action.len, f->text.len);
    struct span word =
        t->o->action >= 0 ? span_str(policy_verb_name((enum policy_verb)t->o->action)) : f->action;
    char *text = NULL;

    return asprintf(&text, "%.*s%.*s", (int)word.len, (const char *)word.p, (int)rest.len,
                    (const char *)rest.p) < 0
               ? NULL
               : text;
}

/* pcre2_substitute() over the whole text; *out is heap, NULL when nothing matched. Counts limits in the line. */
static int substitute(struct policy *p, struct policy_line *l, struct span text, char **out)
{
    uint32_t options = PCRE2_SUBSTITUTE_GLOBAL | PCRE2_SUBSTITUTE_UNSET_EMPTY;
    PCRE2_SIZE size = RULE_TEXT_MAX;
    char *buf = malloc(size);
    int rc;

    *out = NULL;
    if (buf == NULL)
        return -ENOMEM;
    rc = pcre2_substitute(l->from, text.p, text.len, 0, options, NULL, p->match_ctx, (PCRE2_SPTR)l->to,
                          PCRE2_ZERO_TERMINATED, (PCRE2_UCHAR *)buf, &size);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
        size = RULE_TEXT_MAX;
        rc = pcre2_substitute(l->from, text.p, text.len, 0, options | PCRE2_NO_JIT, NULL, p->match_ctx,
                              (PCRE2_SPTR)l->to, PCRE2_ZERO_TERMINATED, (PCRE2_UCHAR *)buf, &size);
    }
    l->report.n_limit += rc < 0;
    if (rc <= 0) {
        free(buf);
        return 0;
    }
    *out = realloc(buf, size + 1);
    if (*out == NULL)
        *out = buf;
    return 0;
}

static int modify(struct trial *t, struct policy_line *l)
{
    struct policy_outcome *o = t->o;
    int was = verb_now(t), rc;
    bool noalert = t->facts.noalert;
    char *before = text_with_action(t), *text = NULL;

    rc = before != NULL ? substitute(t->p, l, span_str(before), &text) : -ENOMEM;
    if (rc < 0 || text == NULL || strcmp(text, before) == 0) {
        free(before);
        free(text);
        return rc;
    }
    free(before);
    free(o->changed);
    o->changed = text;
    o->changed_by = &l->report;
    o->action = -1; /* it is in the text now */
    l->report.n_decided++;
    policy_facts_read(&t->facts, span_str(text), t->classes);
    if (verb_now(t) == was)
        return 0;
    if (prevents(verb_now(t)) && !prevents(was) && (noalert || t->facts.noalert)) {
        l->report.n_kept++;
        o->kept_from = &l->report;
        o->action = was;
    } else {
        t->action_by = l;
    }
    return 0;
}

static void set_action(struct trial *t, struct policy_line *l)
{
    if (prevents(l->report.verb) && t->facts.noalert) {
        l->report.n_kept++;
        t->o->kept_from = &l->report;
        return;
    }
    t->o->action = l->report.verb;
    t->action_by = l;
    if (l->local && t->off_locally) {
        t->o->enabled = true;
        t->off_locally = false;
        t->enabled_by = l;
    }
}

static int take_line(struct trial *t, struct policy_line *l)
{
    l->report.n_matched++;
    if (t->o->n_seen++ < POLICY_SEEN_MAX)
        t->o->seen[t->o->n_seen - 1] = &l->report;
    switch ((enum policy_verb)l->report.verb) {
    case POLICY_OFF:
        t->off_locally = l->local && (t->off_locally || t->o->enabled);
        t->o->enabled = false;
        t->enabled_by = l;
        return 0;
    case POLICY_ON:
        t->o->enabled = true;
        t->off_locally = false;
        t->enabled_by = l;
        return 0;
    case POLICY_MODIFY:
        return modify(t, l);
    default:
        set_action(t, l);
        return 0;
    }
}

/* The last word: on whether the rule is loaded, and when it is, on its action. */
static void settle(struct trial *t)
{
    struct policy_outcome *o = t->o;

    if (t->enabled_by != NULL)
        t->enabled_by->report.n_decided++;
    if (t->action_by != NULL && t->action_by != t->enabled_by && o->enabled &&
        t->action_by->report.verb != POLICY_MODIFY) /* which counted what it changed */
        t->action_by->report.n_decided++;
    for (uint32_t i = 0; i < o->n_seen && i < POLICY_SEEN_MAX && !o->enabled; i++)
        ((struct policy_report *)o->seen[i])->n_off++; /* ours: they are in the policy's lines */
    o->enabled_by = t->enabled_by != NULL ? &t->enabled_by->report : NULL;
    o->action_by = t->action_by != NULL ? &t->action_by->report : NULL;
    o->text = o->changed != NULL ? span_str(o->changed) : t->facts.text;
}

int policy_apply(struct policy *p, const struct policy_facts *facts, const struct classes *classes,
                 struct policy_outcome *o)
{
    struct trial t = {.p = p, .o = o, .facts = *facts, .classes = classes};
    int rc = seal(p);

    memset(o, 0, sizeof(*o));
    o->enabled = facts->enabled;
    o->action = -1;
    o->text = facts->text;
    for (uint32_t i = 0; rc == 0 && t.facts.sid != 0; i++) {
        i = next_line(p, t.facts.sid, i);
        if (i >= p->n)
            break;
        if (policy_line_fits(p, p->lines[i], &t.facts))
            rc = take_line(&t, p->lines[i]);
    }
    settle(&t);
    return rc;
}

bool policy_reports_copy(const struct policy *p, struct arena *a, struct policy_report *out)
{
    const char *file = NULL, *copy = NULL;

    for (uint32_t i = 0; i < p->n; i++) {
        const struct policy_report *r = &p->lines[i]->report;

        if (r->file != file) {
            file = r->file;
            copy = arena_strndup(a, file, strlen(file));
        }
        out[i] = *r;
        out[i].file = copy;
        out[i].selects = arena_strndup(a, r->selects, strlen(r->selects));
        out[i].reason = arena_strndup(a, r->reason, strlen(r->reason));
        if (copy == NULL || out[i].selects == NULL || out[i].reason == NULL)
            return false;
    }
    return true;
}

void policy_outcome_fini(struct policy_outcome *o)
{
    free(o->changed);
    o->changed = NULL;
}
