/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a policy asks about, read from a rule's text without parsing the rule.
 *
 * Options are cut at the same places where rules/parse.c cuts them: at a ';' that is not escaped and not inside the
 * quotes that open a value. Of what is written twice the first counts, but for metadata, whose entries all count. Text
 * that is no rule has no sid, and nothing else is promised about it. Pure functions; the spans point into the
 * text.
 */
#include <ctype.h>

#include "rules/policy_parts.h"
#include "rules/source.h"

struct span policy_rule_options(struct span text)
{
    const uint8_t *open = text.len > 0 ? memchr(text.p, '(', text.len) : NULL;
    const uint8_t *close = text.len > 0 ? memrchr(text.p, ')', text.len) : NULL;

    if (open == NULL || close == NULL || close < open)
        return span_sub(text, 0, 0);
    return span_of(open + 1, (size_t)(close - open - 1));
}

/* Where the quoted text that begins at s[from] ends; s.len when it does not. */
static uint32_t quote_end(struct span s, uint32_t from)
{
    for (uint32_t i = from + 1; i < s.len; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            return i;
    }
    return s.len;
}

bool policy_option_next(struct span *rest, struct span *name, struct span *value)
{
    struct span s = text_trim(*rest);
    uint32_t i = 0, colon;

    if (s.len == 0)
        return false;
    while (i < s.len && s.p[i] != ':' && s.p[i] != ';')
        i++;
    colon = i;
    if (i < s.len && s.p[i] == ':') {
        i++;
        while (i < s.len && (isspace(s.p[i]) || s.p[i] == '!'))
            i++;
        if (i < s.len && s.p[i] == '"' && quote_end(s, i) < s.len)
            i = quote_end(s, i) + 1;
    }
    for (; i < s.len && s.p[i] != ';'; i++)
        if (s.p[i] == '\\' && i + 1 < s.len)
            i++;
    *name = text_trim(span_sub(s, 0, colon));
    *value = i > colon ? text_trim(span_sub(s, colon + 1, i - colon - 1)) : span_sub(s, i, 0);
    *rest = span_sub(s, i + 1, s.len);
    return true;
}

static struct span unquote(struct span v)
{
    return v.len >= 2 && v.p[0] == '"' && v.p[v.len - 1] == '"' ? span_sub(v, 1, v.len - 2) : v;
}

static void set_number(uint32_t *out, struct span v)
{
    uint64_t n;

    if (text_u64(text_trim(unquote(v)), UINT32_MAX, &n))
        *out = (uint32_t)n;
}

struct seen {
    bool sid, gid, rev, priority, msg, classtype;
};

static bool first(bool *seen)
{
    bool was = *seen;

    *seen = true;
    return !was;
}

static void take_option(struct policy_facts *f, struct seen *seen, struct span name, struct span value)
{
    if (text_eq_nocase(name, "sid") && first(&seen->sid))
        set_number(&f->sid, value);
    else if (text_eq_nocase(name, "gid") && first(&seen->gid))
        set_number(&f->gid, value);
    else if (text_eq_nocase(name, "rev") && first(&seen->rev))
        set_number(&f->rev, value);
    else if (text_eq_nocase(name, "priority") && first(&seen->priority))
        set_number(&f->severity, value);
    else if (text_eq_nocase(name, "msg") && first(&seen->msg))
        f->msg = unquote(value);
    else if (text_eq_nocase(name, "classtype") && first(&seen->classtype))
        f->classtype = text_trim(unquote(value));
    else if (text_eq_nocase(name, "metadata") && f->n_metadata < POLICY_METADATA_MAX)
        f->metadata[f->n_metadata++] = unquote(value);
    else if (text_eq_nocase(name, "noalert") ||
             (text_eq_nocase(name, "flowbits") && text_eq_nocase(text_trim(unquote(value)), "noalert")))
        f->noalert = true;
}

void policy_facts_read(struct policy_facts *f, struct span text, const struct classes *classes)
{
    const char *file = f->file;
    bool enabled = f->enabled;
    struct span rest, name, value;
    struct seen seen = {0};
    uint32_t n = 0;

    text = text_trim(text);
    *f = (struct policy_facts){.text = text,
                               .file = file,
                               .enabled = enabled,
                               .gid = 1,
                               .severity = PRIORITY_DEFAULT,
                               .msg = span_sub(text, 0, 0),
                               .classtype = span_sub(text, 0, 0)};
    while (n < text.len && !isspace(text.p[n]))
        n++;
    f->action = span_sub(text, 0, n);
    rest = policy_rule_options(text);
    while (policy_option_next(&rest, &name, &value))
        take_option(f, &seen, name, value);
    if (!seen.priority && f->classtype.len > 0) {
        const struct class_row *row = classes_lookup(classes, f->classtype);

        f->severity = row != NULL ? row->priority : PRIORITY_DEFAULT;
    }
}
