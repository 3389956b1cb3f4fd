/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors, policy lines and explanations as JSON. Which field of an explanation becomes which key is one table. Pure
 * functions over the caller's values; any control thread, and ipsctl.
 */
#include "ips/control/rules_json.h"

#include <stdlib.h>
#include <string.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

json_t *rules_text_json(const char *s)
{
    char *ascii;
    json_t *j;

    if (s == NULL)
        s = "";
    j = json_string(s);
    if (j != NULL)
        return j;
    ascii = strdup(s);
    for (char *p = ascii; p != NULL && *p != '\0'; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    j = ascii != NULL ? json_string(ascii) : NULL;
    free(ascii);
    return j;
}

json_t *rules_error_json(const struct err *e)
{
    return json_pack("{s:o, s:i, s:i, s:o, s:o}", "file", rules_text_json(e->file), "line", e->line, "column",
                     e->column, "what", rules_text_json(e->text), "remedy", rules_text_json(e->remedy));
}

json_t *rules_errors_json(const struct err_list *errs, size_t max)
{
    json_t *list = json_array();

    for (size_t i = 0; i < errs->n && i < max; i++)
        json_array_append_new(list, rules_error_json(&errs->v[i]));
    return list;
}

json_t *rules_policy_json(const struct policy_report *lines, uint32_t n)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < n; i++) {
        const struct policy_report *r = &lines[i];
        char block[32];

        policy_block_name(r->block_side, r->block_s, block, sizeof(block));
        json_array_append_new(list, json_pack("{s:o, s:I, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I}", "file",
                                              rules_text_json(r->file), "line", (json_int_t)r->line, "action",
                                              policy_verb_name((enum policy_verb)r->verb), "block", block,
                                              "selects", rules_text_json(r->selects), "reason",
                                              rules_text_json(r->reason), "matched", (json_int_t)r->n_matched,
                                              "decided", (json_int_t)r->n_decided, "off",
                                              (json_int_t)r->n_off, "kept", (json_int_t)r->n_kept));
    }
    return list;
}

json_t *rules_warnings_json(const struct policy_report *lines, uint32_t n)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < n; i++) {
        struct err e = {.code = 0};

        if (policy_report_warning(&lines[i], &e))
            json_array_append_new(list, rules_error_json(&e));
    }
    return list;
}

static const struct field {
    const char *key;
    enum { NUMBER, TEXT, LIST } is;
    size_t at;
} fields[] = {
#define FIELD(name, is)                             \
    {                                               \
#name, is, offsetof(struct explained, name) \
    }
    FIELD(sid, NUMBER),   FIELD(gid, NUMBER),     FIELD(rev, NUMBER),        FIELD(state, TEXT),
    FIELD(why, TEXT),     FIELD(file, TEXT),      FIELD(line, NUMBER),       FIELD(dialect, TEXT),
    FIELD(text, TEXT),    FIELD(changed, TEXT),   FIELD(changed_by, TEXT),   FIELD(written, TEXT),
    FIELD(action, TEXT),  FIELD(action_by, TEXT), FIELD(policy, LIST),       FIELD(errors, LIST),
    FIELD(header, TEXT),  FIELD(inspects, TEXT),  FIELD(fast_pattern, TEXT), FIELD(steps, LIST),
    FIELD(effects, LIST), FIELD(limits, LIST),    FIELD(verdict, TEXT),
#undef FIELD
};

static json_t *list_json(const struct explain_list *l)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < l->n; i++)
        json_array_append_new(list, rules_text_json(l->v[i]));
    return list;
}

static json_t *explained_json(const struct explained *t)
{
    json_t *o = json_object();

    for (size_t i = 0; i < N_OF(fields); i++) {
        const void *at = (const char *)t + fields[i].at;

        if (fields[i].is == NUMBER)
            json_object_set_new(o, fields[i].key, json_integer(*(const uint32_t *)at));
        else if (fields[i].is == TEXT)
            json_object_set_new(o, fields[i].key, rules_text_json(*(const char *const *)at));
        else
            json_object_set_new(o, fields[i].key, list_json(at));
    }
    return o;
}

json_t *rules_explain_json(const struct explanation *x)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < x->n; i++)
        json_array_append_new(list, explained_json(&x->v[i]));
    return list;
}
