/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first reading of a configuration file: every key and every single value, each with its line.
 *
 * libcyaml loads the file, but it takes "1.5" for 1 and "banana" for true, names the line before an unknown
 * key, and no line at all for text that is not YAML. So libyaml's events are walked once before, each key
 * looked up in the table of config_schema.c by its dotted path and each value checked by the same code as
 * --set's. What passes here libcyaml reads without surprise; structure (missing keys, too many elements)
 * stays its business.
 *
 * Owns the parser for the length of the call. The file is the operator's, but may be anything: depth is
 * bounded, aliases are refused (a few lines of them can name a billion nodes).
 *
 * libcyaml knows digits only, so that the text is copied on the way, with "1mb" written out. Lines stay what they
 * are; columns behind such a number do not. libyaml tells places in characters, hence its encoding is fixed. Main
 * thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "ips/control/config_schema.h"

#define DEPTH_MAX 8 /* the table's is 4 */

struct level {
    bool list;     /* elements; else keys and values in turn */
    bool have_key; /* the path ends in a key whose value comes next */
    unsigned index;
    size_t path_len; /* of the path without this level's key or index */
};

struct scan {
    char path[256];
    struct level levels[DEPTH_MAX];
    unsigned depth;
    unsigned n_documents;
    const char *file;
    void (*seen)(const char *path, void *arg);
    void *arg;
    struct err *e;
    const char *text; /* from here on it is not copied yet */
    size_t left;
    size_t index; /* of text, in characters */
    FILE *plain;  /* the copy */
};

static int fail_at(struct scan *s, const yaml_mark_t *m, int rc)
{
    err_at(s->e, s->file, (int)m->line + 1, (int)m->column + 1);
    return rc;
}

/* Passes over all characters in front of the one with that index; copies them, or not. */
static void pass_to(struct scan *s, size_t index, bool copy)
{
    size_t n = 0;

    while (n < s->left) {
        bool first = ((unsigned char)s->text[n] & 0xc0) != 0x80; /* byte of a character, in UTF-8 */

        if (first && s->index == index)
            break;
        s->index += first;
        n++;
    }
    if (copy)
        fwrite(s->text, 1, n, s->plain);
    s->text += n;
    s->left -= n;
}

static void path_add(struct scan *s, const char *dot, const char *text)
{
    size_t at = strlen(s->path);

    snprintf(s->path + at, sizeof(s->path) - at, "%s%s", dot, text);
}

/* Puts the index of a list's next element at the path's end. */
static void enter_element(struct scan *s)
{
    struct level *l = s->depth > 0 ? &s->levels[s->depth - 1] : NULL;
    char text[16];

    if (l == NULL || !l->list)
        return;
    s->path[l->path_len] = '\0';
    snprintf(text, sizeof(text), "[%u]", l->index++);
    path_add(s, "", text);
}

static void leave_value(struct scan *s)
{
    struct level *l = s->depth > 0 ? &s->levels[s->depth - 1] : NULL;

    if (l == NULL)
        return;
    s->path[l->path_len] = '\0';
    l->have_key = false;
}

static int scan_key(struct scan *s, const yaml_event_t *ev)
{
    struct level *l = &s->levels[s->depth - 1];
    struct config_slot slot;

    path_add(s, l->path_len > 0 ? "." : "", (const char *)ev->data.scalar.value);
    l->have_key = true;
    if (strpbrk((const char *)ev->data.scalar.value, ".[") == NULL)
        return config_resolve(NULL, s->path, &slot, s->e);
    err_set(s->e, -EINVAL, "unknown key '%s'", s->path);
    err_remedy(s->e,
               "in the file, write groups of keys as YAML maps (flow: {max: 1000}); dots are for --set");
    return -EINVAL;
}

static const char *kind_of(const cyaml_schema_value_t *type)
{
    return type->type == CYAML_MAPPING    ? "a group of keys"
           : type->type == CYAML_SEQUENCE ? "a list"
                                          : "a single value";
}

/* A list or a group begins where the table has one, or it is an error. */
static int scan_open(struct scan *s, bool list)
{
    struct config_slot slot = {.type = &config_schema};
    int rc;

    enter_element(s);
    rc = s->path[0] != '\0' ? config_resolve(NULL, s->path, &slot, s->e) : 0;
    if (rc < 0)
        return rc;
    if (slot.type->type != (list ? CYAML_SEQUENCE : CYAML_MAPPING)) {
        err_set(s->e, -EINVAL, "%s is %s here", s->path[0] != '\0' ? s->path : "the file",
                list ? "a list" : "a group of keys");
        return err_remedy(s->e, "it must be %s; see ips.yaml(5)", kind_of(slot.type)), -EINVAL;
    }
    if (s->depth == DEPTH_MAX)
        return err_set(s->e, -EINVAL, "the file is nested deeper than %d levels", DEPTH_MAX);
    s->levels[s->depth++] = (struct level){.list = list, .path_len = strlen(s->path)};
    return 0;
}

static int scan_value(struct scan *s, const yaml_event_t *ev)
{
    const char *text = (const char *)ev->data.scalar.value;
    struct config_slot slot = {.type = &config_schema};
    unsigned long bytes;
    int rc = 0;

    if (strlen(text) != ev->data.scalar.length)
        return err_set(s->e, -EINVAL, "%s has a NUL byte in its value", s->path);
    enter_element(s);
    if (s->path[0] != '\0')
        rc = config_resolve(NULL, s->path, &slot, s->e);
    if (rc < 0)
        return rc;
    if (slot.type->type == CYAML_MAPPING || slot.type->type == CYAML_SEQUENCE) {
        err_set(s->e, -EINVAL, "%s has a single value or none", s->path[0] != '\0' ? s->path : "the file");
        return err_remedy(s->e, "it must be %s; see ips.yaml(5)", kind_of(slot.type)), -EINVAL;
    }
    rc = config_value_check(slot.type, s->path, text, s->e);
    if (rc < 0)
        return rc;
    s->seen(s->path, s->arg);
    if (config_value_bytes(slot.type, text, &bytes)) {
        pass_to(s, ev->start_mark.index, true);
        pass_to(s, ev->end_mark.index, false);
        fprintf(s->plain, "%lu", bytes);
    }
    return 0;
}

static int scan_event(struct scan *s, const yaml_event_t *ev)
{
    bool key = s->depth > 0 && !s->levels[s->depth - 1].list && !s->levels[s->depth - 1].have_key;
    int rc = 0;

    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (s->n_documents++ == 0)
            return 0;
        err_set(s->e, -EINVAL, "a second YAML document begins here");
        return err_remedy(s->e, "remove the '---' line and merge the parts"), -EINVAL;
    case YAML_ALIAS_EVENT:
        err_set(s->e, -EINVAL, "YAML aliases are not supported");
        return err_remedy(s->e, "write the value out"), -EINVAL;
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        if (!key)
            return scan_open(s, ev->type == YAML_SEQUENCE_START_EVENT);
        return err_set(s->e, -EINVAL, "a list or a map stands where a key should");
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        s->depth--;
        leave_value(s);
        return 0;
    case YAML_SCALAR_EVENT:
        if (key)
            return scan_key(s, ev);
        rc = scan_value(s, ev);
        leave_value(s);
        return rc;
    default:
        return 0;
    }
}

/* Walks the events of the whole text. */
static int scan_events(struct scan *s, yaml_parser_t *parser)
{
    bool more = true;
    yaml_event_t ev;
    int rc = 0;

    while (rc == 0 && more) {
        if (!yaml_parser_parse(parser, &ev)) {
            err_set(s->e, -EINVAL, "not YAML: %s", parser->problem != NULL ? parser->problem : "unreadable");
            err_remedy(
                s->e, "indent with blanks, never with tabs, and quote texts that hold ': ', '#' or brackets");
            return fail_at(s, &parser->problem_mark, -EINVAL);
        }
        rc = scan_event(s, &ev);
        if (rc < 0)
            fail_at(s, &ev.start_mark, rc);
        more = ev.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&ev);
    }
    return rc;
}

int config_scan(const char *file, char **text, size_t *len, void (*seen)(const char *path, void *arg),
                void *arg, struct err *e)
{
    struct scan s = {.file = file, .seen = seen, .arg = arg, .e = e, .text = *text, .left = *len};
    char *plain = NULL;
    yaml_parser_t parser;
    size_t plain_len = 0;
    int rc;

    if (!yaml_parser_initialize(&parser))
        return err_set(e, -ENOMEM, "no memory to read %s", file);
    s.plain = open_memstream(&plain, &plain_len);
    if (s.plain == NULL) {
        yaml_parser_delete(&parser);
        return err_set(e, -ENOMEM, "no memory to read %s", file);
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)*text, *len);
    rc = scan_events(&s, &parser);
    yaml_parser_delete(&parser);
    pass_to(&s, SIZE_MAX, true);
    if (fclose(s.plain) != 0 && rc == 0)
        rc = err_set(e, -ENOMEM, "no memory to read %s", file);
    if (rc < 0) {
        free(plain);
        return rc;
    }
    free(*text);
    *text = plain;
    *len = plain_len;
    return 0;
}
