/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy line as a whole: what it selects in words, whether another line stands against it, what modify.conf's
 * lines replace, and what to tell the operator when it did nothing.
 *
 * modify.conf's replacements are Python's (\1, \g<name>, \\) with Oinkmaster's ${1} beside them; they are turned
 * into the form of pcre2_substitute() here, and groups that the expression does not have are refused, so that
 * nothing can fail when rules are loaded. One control thread.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "rules/policy_parts.h"
#include "rules/ruleset.h"
#include "rules/source.h"

#define REPLACEMENT_MAX 16384

/* --- modify ----------------------------------------------------------------------------------------------- */

struct replacement {
    const pcre2_code *code;
    char text[REPLACEMENT_MAX];
    size_t n;
    struct err *e;
};

static bool put(struct replacement *r, const char *s, size_t n)
{
    if (r->n + n >= sizeof(r->text))
        return err_set(r->e, -EINVAL, "the replacement is longer than %d bytes", REPLACEMENT_MAX), false;
    memcpy(r->text + r->n, s, n);
    r->n += n;
    r->text[r->n] = '\0';
    return true;
}

static bool put_group(struct replacement *r, struct span name)
{
    char word[64];
    uint32_t n_groups = 0;
    uint64_t n;
    bool there;

    snprintf(word, sizeof(word), "%.*s", (int)name.len, (const char *)name.p);
    if (text_u64(name, UINT32_MAX, &n))
        there = pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &n_groups) == 0 && n <= n_groups;
    else
        there = name.len > 0 && name.len < sizeof(word) &&
                pcre2_substring_number_from_name(r->code, (PCRE2_SPTR)word) > 0;
    if (there)
        return put(r, "${", 2) && put(r, word, strlen(word)) && put(r, "}", 1);
    err_set(r->e, -EINVAL, "the replacement uses the group '%s', which the expression does not have", word);
    return err_remedy(r->e, "put the part that is to be kept in parentheses"), false;
}

/* to.p[*i] is a backslash; *i moves to the last byte that was read. */
static bool put_escape(struct replacement *r, struct span to, uint32_t *i)
{
    struct span rest = span_sub(to, *i + 1, to.len), name;
    uint8_t c = rest.len > 0 ? rest.p[0] : 0;
    uint32_t n = 0;

    if (isdigit(c)) {
        while (n < 2 && n < rest.len && isdigit(rest.p[n]))
            n++;
        *i += n;
        return put_group(r, span_sub(rest, 0, n));
    }
    if (c == 'g' && rest.len > 1 && rest.p[1] == '<') {
        rest = span_sub(rest, 2, rest.len);
        if (text_split(&rest, '>', &name)) {
            *i += name.len + 3;
            return put_group(r, name);
        }
    }
    if (c == '\\' || c == '$') {
        ++*i;
        return put(r, c == '$' ? "$$" : "\\", c == '$' ? 2 : 1);
    }
    if (!isalpha(c))
        return put(r, "\\", 1);
    err_set(r->e, -EINVAL, "the replacement has \\%c, which means nothing", c);
    return err_remedy(r->e, "write \\1 for what the first parentheses matched, \\\\ for a backslash"), false;
}

static bool convert(struct replacement *r, struct span to)
{
    for (uint32_t i = 0; i < to.len; i++) {
        struct span rest = span_sub(to, i, to.len), name;
        bool ok;

        if (to.p[i] == '\\') {
            ok = put_escape(r, to, &i);
        } else if (to.p[i] != '$') {
            ok = put(r, (const char *)to.p + i, 1);
        } else if (rest.len > 2 && rest.p[1] == '{' && isdigit(rest.p[2])) {
            rest = span_sub(rest, 2, rest.len);
            text_split(&rest, '}', &name);
            ok = put_group(r, name);
            i += name.len + 2;
        } else {
            ok = put(r, "$$", 2);
        }
        if (!ok)
            return false;
    }
    return true;
}

int policy_line_modify(struct policy *p, struct policy_line *l, struct span from, struct span to,
                       struct err *e)
{
    struct replacement *r;
    int rc = policy_regex_compile(p, from, 0, &l->from, e);

    if (rc < 0)
        return rc;
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return err_set(e, -ENOMEM, "no memory for the policy");
    r->code = l->from;
    r->e = e;
    rc = convert(r, to) ? 0 : -EINVAL;
    l->to = rc == 0 ? arena_strndup(p->arena, r->text, r->n) : NULL;
    free(r);
    return rc == 0 && l->to == NULL ? err_set(e, -ENOMEM, "no memory for the policy") : rc;
}

/* --- block ------------------------------------------------------------------------------------------------ */

static const char *const block_sides[] = {[RULE_BLOCK_SRC] = "src",
                                          [RULE_BLOCK_DST] = "dst",
                                          [RULE_BLOCK_CLIENT] = "client",
                                          [RULE_BLOCK_SERVER] = "server"};

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

int policy_line_block(struct policy_line *l, struct span text, struct err *e)
{
    struct span rest = text_trim(text), side;
    uint8_t who = RULE_BLOCK_NOBODY;

    text_split(&rest, ' ', &side);
    for (size_t i = RULE_BLOCK_SRC; i < N_OF(block_sides); i++)
        if (span_eq_str(side, block_sides[i]))
            who = (uint8_t)i;
    if (who == RULE_BLOCK_NOBODY || !text_seconds(text_trim(rest), RULE_BLOCK_MAX_S, &l->report.block_s)) {
        err_set(e, -EINVAL, "block cannot be '%.*s'", (int)(text.len < 60 ? text.len : 60),
                (const char *)text.p);
        err_remedy(e, "write src, dst, client or server and a time from 1s to %ud, as in src 10m",
                   RULE_BLOCK_MAX_S / 86400);
        return -EINVAL;
    }
    l->report.block_side = who;
    return 0;
}

const char *policy_block_name(uint8_t side, uint32_t seconds, char *buf, size_t size)
{
    char time[TEXT_SECONDS_MAX];

    buf[0] = '\0';
    if (side != RULE_BLOCK_NOBODY && side < N_OF(block_sides))
        snprintf(buf, size, "%s %s", block_sides[side], text_seconds_format(seconds, time));
    return buf;
}

/* --- the whole line --------------------------------------------------------------------------------------- */

static char *add_text(char *at, const char *s)
{
    size_t n = strlen(s);

    memcpy(at, s, n + 1);
    return at + n;
}

/* "severity 1-2; metadata signature_severity Major, deployment Perimeter" */
static const char *selects(struct policy *p, const struct policy_line *l)
{
    size_t size = 1;
    char *text, *at;

    for (int k = 0; k < POLICY_KEY_N; k++)
        for (uint32_t i = 0; i < l->tests[k].n; i++)
            size += strlen(policy_key_name(k)) + 3 + strlen(l->tests[k].v[i].text);
    text = at = arena_alloc(p->arena, size);
    for (int k = 0; k < POLICY_KEY_N && text != NULL; k++)
        for (uint32_t i = 0; i < l->tests[k].n; i++) {
            at = add_text(at, i > 0 ? ", " : at > text ? "; " : "");
            at = i == 0 ? add_text(at, policy_key_name(k)) : at;
            if (k == POLICY_ALL)
                break;
            at = i == 0 ? add_text(at, " ") : at;
            at = add_text(at, l->tests[k].v[i].text);
        }
    return text;
}

/* Whether both would answer the same question about the same rules: only `on` beside an action does not. */
static bool same_question(enum policy_verb a, enum policy_verb b)
{
    return a != b && !(a == POLICY_ON && b < POLICY_OFF) && !(b == POLICY_ON && a < POLICY_OFF);
}

static int check_others(const struct policy *p, const struct policy_line *l, struct err *e)
{
    for (uint32_t i = 0; i < l->index; i++) {
        const struct policy_report *other = &p->lines[i]->report;

        if (!p->lines[i]->local || !same_question(other->verb, l->report.verb) ||
            strcmp(other->selects, l->report.selects) != 0)
            continue;
        err_set(e, -EINVAL, "%s and, on line %u, %s for the very same rules",
                policy_verb_name(l->report.verb), other->line, policy_verb_name(other->verb));
        return err_remedy(e, "remove the one that is not meant"), -EINVAL;
    }
    return 0;
}

int policy_line_finish(struct policy *p, struct policy_line *l, struct err *e)
{
    uint32_t n = 0;

    for (int k = 0; k < POLICY_KEY_N; k++)
        n += l->tests[k].n > 0;
    if (n == 0) {
        err_set(e, -EINVAL, "the line does not say which rules it is about");
        return err_remedy(e, "add sid, severity, metadata or another selector, or all: yes"), -EINVAL;
    }
    if (n > 1 && l->tests[POLICY_ALL].n > 0) {
        err_set(e, -EINVAL, "all rules, and some of them");
        return err_remedy(e, "remove all, or the other selectors"), -EINVAL;
    }
    if (l->report.block_side != RULE_BLOCK_NOBODY && l->report.verb != POLICY_DROP &&
        l->report.verb != POLICY_REJECT) {
        err_set(e, -EINVAL, "block, but the action is %s", policy_verb_name(l->report.verb));
        return err_remedy(e, "write action: drop or reject: only what a rule drops is blocked"), -EINVAL;
    }
    l->report.selects = selects(p, l);
    if (l->report.selects == NULL)
        return err_set(e, -ENOMEM, "no memory for the policy");
    return l->local ? check_others(p, l, e) : 0;
}

bool policy_report_warning(const struct policy_report *r, struct err *e)
{
    char what[120];

    snprintf(what, sizeof(what), "the line '%s: %.80s'", policy_verb_name(r->verb), r->selects);
    if (r->n_limit > 0) {
        err_set(e, -ELOOP, "%s has an expression that gave up on %u rules; it was taken as not fitting them",
                what, r->n_limit);
        err_remedy(e, "write an expression with fewer nested repetitions");
    } else if (r->n_matched == 0) {
        err_set(e, -ENOENT, "%s fits no rule", what);
        err_remedy(e, "check its spelling against 'ipsctl rules list', or remove it");
    } else if (r->n_decided > 0 || r->verb == POLICY_MODIFY) {
        return false;
    } else if (r->n_kept == r->n_matched) {
        err_set(e, -ENOENT, "%s fits only rules with noalert, which a policy never makes drop or reject",
                what);
        err_remedy(e, "name the rules that ask for their flowbits");
    } else if (r->n_off == r->n_matched && r->verb < POLICY_OFF) {
        err_set(e, -ENOENT, "%s fits only rules that are not loaded", what);
        err_remedy(e, "add a line 'action: on' for them, or remove this one");
    } else {
        return false; /* later lines decide, which may be meant */
    }
    err_at(e, r->file, (int)r->line, 0);
    return true;
}
