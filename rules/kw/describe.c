/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keywords that say what a rule is and change nothing about what it matches: msg, sid, gid, rev, classtype,
 * priority, reference, metadata, noalert.
 *
 * Their values end up in struct rule_info, which only an event reads. A rule must have a sid; gid is 1, rev 0 and
 * the priority that of its classtype (or PRIORITY_DEFAULT) when they are not written. Control thread.
 */
#include "rules/builder.h"
#include "rules/keywords.h"
#include "rules/number.h"
#include "rules/source.h"

static bool parse_msg(struct draft *d, const struct option *o)
{
    d->info.msg = draft_unescape(d, o->value);
    return d->info.msg != NULL;
}

static bool parse_id_number(struct draft *d, const struct option *o, int64_t min, uint32_t *out)
{
    int64_t v = 0;

    if (!number_read(d, o, min, UINT32_MAX, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool parse_sid(struct draft *d, const struct option *o)
{
    return parse_id_number(d, o, 1, &d->info.sid);
}

static bool parse_gid(struct draft *d, const struct option *o)
{
    return parse_id_number(d, o, 0, &d->info.gid);
}

static bool parse_rev(struct draft *d, const struct option *o)
{
    return parse_id_number(d, o, 0, &d->info.rev);
}

/* An unknown classtype keeps its name and has no description; Suricata warns and does the same. */
static bool parse_classtype(struct draft *d, const struct option *o)
{
    const struct class_row *row = classes_lookup(&d->b->classes, o->value);

    d->info.classtype = row != NULL ? row->name : draft_string(d, o->value);
    d->info.category = row != NULL ? row->description : "";
    if (!d->has_priority)
        d->info.priority = row != NULL ? row->priority : PRIORITY_DEFAULT;
    return d->info.classtype != NULL;
}

static bool parse_priority(struct draft *d, const struct option *o)
{
    int64_t v;

    if (!number_read(d, o, 1, PRIORITY_MAX, &v))
        return false;
    d->info.priority = (uint32_t)v;
    d->has_priority = true;
    return true;
}

static bool parse_reference(struct draft *d, const struct option *o)
{
    const char *s;

    if (memchr(o->value.p, ',', o->value.len) == NULL)
        return draft_fail(d, o->value.p, o->kw->usage, "reference: '%.*s' has no type", TEXT_ARG(o->value));
    if (d->info.n_references == REFERENCES_MAX)
        return draft_fail(d, o->name.p, "keep those that help", "more than %d references", REFERENCES_MAX);
    s = draft_string(d, o->value);
    d->references[d->info.n_references] = s;
    d->info.n_references += s != NULL;
    return s != NULL;
}

/* Several metadata options read as one. */
static bool parse_metadata(struct draft *d, const struct option *o)
{
    const char *old = d->info.metadata;
    size_t size = strlen(old) + 2 + o->value.len + 1;
    char *s = arena_alloc(d->b->arena, size);

    if (s == NULL)
        return draft_no_memory(d);
    snprintf(s, size, "%s%s%.*s", old, old[0] != '\0' ? ", " : "", (int)o->value.len,
             (const char *)o->value.p);
    d->info.metadata = s;
    return true;
}

static bool parse_noalert(struct draft *d, const struct option *o)
{
    d->rule.flags |= RULE_NOALERT;
    return true;
}

#define ROW(word, how, val, flag)      \
    const struct keyword kw_##word = { \
        .name = #word, .usage = how, .value = val, .flags = flag, .parse = parse_##word}

ROW(msg, "write msg:\"text\";", VALUE_QUOTED, KEYWORD_ONCE);
ROW(sid, "write sid:N; with a number that no other rule has", VALUE_PLAIN, KEYWORD_ONCE);
ROW(gid, "write gid:N;", VALUE_PLAIN, KEYWORD_ONCE);
ROW(rev, "write rev:N;", VALUE_PLAIN, KEYWORD_ONCE);
ROW(classtype, "write classtype:name; with a name from classification.config", VALUE_PLAIN, KEYWORD_ONCE);
ROW(priority, "write priority:N; with 1 for the gravest", VALUE_PLAIN, KEYWORD_ONCE);
ROW(reference, "write reference:type,value; for example reference:cve,2014-6271;", VALUE_PLAIN, 0);
ROW(metadata, "write metadata:key value, key value;", VALUE_PLAIN, 0);
ROW(noalert, "write noalert;", VALUE_NONE, 0);
