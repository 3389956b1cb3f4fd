/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.yaml: a list of lines, each a map of selectors with an action.
 *
 *     policy:
 *     - {action: drop, metadata: signature_severity Major, reason: what ET calls major}
 *     - {action: off, sid: [2019401, 2100000-2100099]}
 *
 * Read with libyaml's document tree and not by a libcyaml schema as ips.yaml is: the place of every line is needed long
 * after loading, when the operator asks which one decided, and a selector takes one value or a list. All mistakes
 * of the file are reported in one pass. Keys, verbs and the form of values are rules/policy.c's tables.
 *
 * Owns the tree for the length of the call. Main or loader thread.
 */
#include "ips/control/policy_yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "ips/base/suggest.h"
#include "rules/suricata_update.h"

#define FILE_MAX_BYTES (16u << 20)
#define KEYS_MAX       32 /* of one line, doubles included */

struct reader {
    struct policy *p;
    const char *path;
    yaml_document_t doc;
    struct err_list *errs;
    int rc; /* 0 until something was reported */
};

/* Reports *e at the node. */
static void complain(struct reader *r, const yaml_node_t *n, struct err *e)
{
    err_at(e, r->path, (int)n->start_mark.line + 1, (int)n->start_mark.column + 1);
    err_list_add(r->errs, e);
    r->rc = e->code;
}

static void complain_of(struct reader *r, const yaml_node_t *n, const char *remedy, const char *what)
{
    struct err e = {.code = 0};

    err_set(&e, -EINVAL, "%s", what);
    err_remedy(&e, "%s", remedy);
    complain(r, n, &e);
}

static yaml_node_t *node(struct reader *r, int index)
{
    return yaml_document_get_node(&r->doc, index);
}

static struct span text_of(const yaml_node_t *n)
{
    return span_of(n->data.scalar.value, n->data.scalar.length);
}

static void take_selector(struct reader *r, struct policy_line *l, enum policy_key key, const yaml_node_t *v)
{
    struct err e = {.code = 0};

    if (v->type == YAML_SCALAR_NODE) {
        if (policy_line_select(r->p, l, key, text_of(v), &e) < 0)
            complain(r, v, &e);
        return;
    }
    if (v->type != YAML_SEQUENCE_NODE || v->data.sequence.items.top == v->data.sequence.items.start) {
        complain_of(r, v, "write one value, or a list of values in []",
                    v->type == YAML_SEQUENCE_NODE ? "an empty list selects nothing"
                                                  : "a map in place of a value");
        return;
    }
    for (const int *i = v->data.sequence.items.start; i < v->data.sequence.items.top; i++) {
        const yaml_node_t *one = node(r, *i);

        if (one->type != YAML_SCALAR_NODE)
            complain_of(r, one, "write the values side by side in one list", "a list or a map inside a list");
        else if (policy_line_select(r->p, l, key, text_of(one), &e) < 0)
            complain(r, one, &e);
    }
}

static void unknown_key(struct reader *r, const yaml_node_t *k)
{
    char word[64];
    struct suggest s;
    struct err e = {.code = 0};

    snprintf(word, sizeof(word), "%.*s", (int)(k->type == YAML_SCALAR_NODE ? k->data.scalar.length : 0),
             k->type == YAML_SCALAR_NODE ? (const char *)k->data.scalar.value : "");
    suggest_init(&s, word);
    suggest_offer(&s, "action");
    suggest_offer(&s, "reason");
    suggest_offer(&s, "block");
    for (int i = 0; i < POLICY_KEY_N; i++)
        suggest_offer(&s, policy_key_name((enum policy_key)i));
    err_set(&e, -EINVAL, "unknown key '%s'", word);
    if (s.best != NULL)
        err_remedy(&e, "did you mean '%s'?", s.best);
    else
        err_remedy(&e, "see policy.yaml(5) for the keys there are");
    complain(r, k, &e);
}

/* The action's verb; POLICY_VERB_N when it was refused. */
static enum policy_verb read_action(struct reader *r, const yaml_node_t *v)
{
    static const char remedy[] = "write alert, pass, drop, reject, off or on";
    enum policy_verb verb = POLICY_VERB_N;
    struct err e = {.code = 0};

    if (v->type == YAML_SCALAR_NODE)
        verb = policy_verb_lookup(text_of(v));
    if (verb < POLICY_MODIFY)
        return verb;
    err_set(&e, -EINVAL, "no such action: '%.40s'",
            v->type == YAML_SCALAR_NODE ? (const char *)v->data.scalar.value : "a list or a map");
    err_remedy(&e, "%s", remedy);
    complain(r, v, &e);
    return POLICY_VERB_N;
}

static bool is_word(const yaml_node_t *n, const char *word)
{
    return n->type == YAML_SCALAR_NODE && span_eq_str(text_of(n), word);
}

/* The value of a key of the map, or NULL. Keys that stand twice are reported. */
static const yaml_node_t *find(struct reader *r, const yaml_node_t *map, const char *key)
{
    const yaml_node_t *found = NULL;

    for (const yaml_node_pair_t *i = map->data.mapping.pairs.start; i < map->data.mapping.pairs.top; i++)
        if (is_word(node(r, i->key), key))
            found = node(r, i->value);
    return found;
}

static void check_doubles(struct reader *r, const yaml_node_t *map)
{
    const yaml_node_pair_t *start = map->data.mapping.pairs.start, *top = map->data.mapping.pairs.top;

    if (top - start > KEYS_MAX) {
        complain_of(r, map, "see policy.yaml(5) for the keys there are", "too many keys in one line");
        return;
    }
    for (const yaml_node_pair_t *i = start; i < top; i++)
        for (const yaml_node_pair_t *j = start; j < i; j++)
            if (node(r, i->key)->type == YAML_SCALAR_NODE &&
                is_word(node(r, j->key), (const char *)node(r, i->key)->data.scalar.value)) {
                complain_of(r, node(r, i->key), "write a list of values under one key", "the same key twice");
                break;
            }
}

static void take_key(struct reader *r, struct policy_line *l, const yaml_node_t *k, const yaml_node_t *v)
{
    enum policy_key key = k->type == YAML_SCALAR_NODE ? policy_key_lookup(text_of(k)) : POLICY_KEY_N;

    if (is_word(k, "action"))
        return;
    if (is_word(k, "reason")) {
        if (v->type != YAML_SCALAR_NODE)
            complain_of(r, v, "write it as one text", "the reason is a list or a map");
        else if (policy_line_reason(r->p, l, text_of(v)) < 0)
            complain_of(r, v, "free some memory", "no memory for the policy");
    } else if (is_word(k, "block")) {
        struct err e = {.code = 0};

        if (v->type != YAML_SCALAR_NODE)
            complain_of(r, v, "write it as one text, as in block: src 10m", "block is a list or a map");
        else if (policy_line_block(l, text_of(v), &e) < 0)
            complain(r, v, &e);
    } else if (key == POLICY_KEY_N) {
        unknown_key(r, k);
    } else {
        take_selector(r, l, key, v);
    }
}

static void take_line(struct reader *r, const yaml_node_t *map)
{
    const yaml_node_t *action = map->type == YAML_MAPPING_NODE ? find(r, map, "action") : NULL;
    enum policy_verb verb = POLICY_VERB_N;
    struct policy_line *l;
    struct err e = {.code = 0};
    size_t n_errs = r->errs->n;

    if (map->type != YAML_MAPPING_NODE) {
        complain_of(r, map, "write lines as - {action: drop, sid: 2000001}", "not a line of a policy");
        return;
    }
    check_doubles(r, map);
    if (action == NULL)
        complain_of(r, map, "add action: with alert, pass, drop, reject, off or on",
                    "the line has no action");
    else
        verb = read_action(r, action);
    l = policy_line_add(r->p, verb == POLICY_VERB_N ? POLICY_ALERT : verb, r->path,
                        (uint32_t)map->start_mark.line + 1, true);
    if (l == NULL) {
        complain_of(r, map, "write shorter lists of lines", "too many lines, or no memory for them");
        return;
    }
    for (const yaml_node_pair_t *i = map->data.mapping.pairs.start; i < map->data.mapping.pairs.top; i++)
        take_key(r, l, node(r, i->key), node(r, i->value));
    if (r->errs->n == n_errs && policy_line_finish(r->p, l, &e) < 0)
        complain(r, map, &e);
}

static void take_document(struct reader *r)
{
    const yaml_node_t *root = yaml_document_get_root_node(&r->doc), *list = NULL;

    if (root == NULL || (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0))
        return; /* nothing but comments */
    if (root->type == YAML_MAPPING_NODE) {
        check_doubles(r, root);
        for (const yaml_node_pair_t *i = root->data.mapping.pairs.start; i < root->data.mapping.pairs.top;
             i++)
            if (!is_word(node(r, i->key), "policy"))
                complain_of(r, node(r, i->key), "write one list of lines, under the key policy",
                            "unknown key in a policy");
        list = find(r, root, "policy");
        if (list == NULL || (list->type == YAML_SCALAR_NODE && list->data.scalar.length == 0))
            return; /* "policy:" with its lines commented out */
    }
    if (list == NULL || list->type != YAML_SEQUENCE_NODE) {
        complain_of(r, list != NULL ? list : root,
                    "begin with 'policy:' and write its lines under it, each with a '-'",
                    "the policy is not a list of lines");
        return;
    }
    for (const int *i = list->data.sequence.items.start; i < list->data.sequence.items.top; i++)
        take_line(r, node(r, *i));
}

static FILE *open_file(const char *path, struct err *e)
{
    FILE *f = fopen(path, "re");
    struct stat st;

    if (f == NULL) {
        err_sys(e, -errno, "cannot open %s", path);
        err_remedy(e, "correct rules.policy in the configuration (or --policy)");
        return NULL;
    }
    if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= (off_t)FILE_MAX_BYTES)
        return f;
    err_set(e, -EINVAL, "%s is not a file of at most %u MB", path, FILE_MAX_BYTES >> 20);
    err_remedy(e, "correct rules.policy in the configuration (or --policy)");
    fclose(f);
    return NULL;
}

static void not_yaml(struct reader *r, const yaml_parser_t *parser)
{
    struct err e = {.code = 0};

    err_set(&e, -EINVAL, "not YAML: %s", parser->problem != NULL ? parser->problem : "unreadable");
    err_remedy(&e, "indent with blanks, never with tabs, and quote texts that hold ': ', '#' or brackets");
    err_at(&e, r->path, (int)parser->problem_mark.line + 1, (int)parser->problem_mark.column + 1);
    err_list_add(r->errs, &e);
    r->rc = -EINVAL;
}

int policy_yaml_read(struct policy *p, const char *path, struct err_list *errs)
{
    struct reader r = {.p = p, .path = path, .errs = errs};
    struct err e = {.code = 0};
    FILE *f = open_file(path, &e);
    yaml_parser_t parser;

    if (f == NULL) {
        err_list_add(errs, &e);
        return e.code;
    }
    if (!yaml_parser_initialize(&parser)) {
        fclose(f);
        err_set(&e, -ENOMEM, "no memory to read %s", path);
        err_list_add(errs, &e);
        return -ENOMEM;
    }
    yaml_parser_set_input_file(&parser, f);
    if (!yaml_parser_load(&parser, &r.doc)) {
        not_yaml(&r, &parser);
    } else {
        take_document(&r);
        yaml_document_delete(&r.doc);
        if (!yaml_parser_load(&parser, &r.doc)) {
            not_yaml(&r, &parser);
        } else {
            const yaml_node_t *more = yaml_document_get_root_node(&r.doc);

            if (more != NULL)
                complain_of(&r, more, "remove the '---' line and merge the parts",
                            "a second YAML document begins here");
            yaml_document_delete(&r.doc);
        }
    }
    yaml_parser_delete(&parser);
    fclose(f);
    return r.rc;
}

int policy_load(const struct policy_files *files, struct policy **out, struct err_list *errs)
{
    const struct {
        enum policy_verb verb;
        const char *path;
    } rows[] = {{POLICY_OFF, files->disable_conf},
                {POLICY_ON, files->enable_conf},
                {POLICY_DROP, files->drop_conf},
                {POLICY_MODIFY, files->modify_conf},
                {POLICY_VERB_N, files->policy}};
    struct policy *p = NULL;
    struct err e = {.code = 0};
    int rc = 0;

    *out = NULL;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int bad;

        if (rows[i].path == NULL || rows[i].path[0] == '\0')
            continue;
        if (p == NULL && (p = policy_new()) == NULL) {
            err_set(&e, -ENOMEM, "no memory for the policy");
            err_list_add(errs, &e);
            return -ENOMEM;
        }
        bad = rows[i].verb == POLICY_VERB_N ? policy_yaml_read(p, rows[i].path, errs)
                                            : suricata_update_read(p, rows[i].verb, rows[i].path, errs);
        rc = bad < 0 ? bad : rc;
    }
    if (rc < 0) {
        policy_free(p);
        p = NULL;
    }
    *out = p;
    return rc;
}
