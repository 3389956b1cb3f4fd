/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two configurations side by side.
 *
 * The tables of config_schema.c are walked over both at once. A single value or a list is compared, and shown, as the
 * text it would have in the file; groups are walked into, and bridges one by one when there are as many as before. What
 * a changed key needs is one table, below: a key that is not in it needs a new start. That is the default for a new key,
 * too, so that nobody has to think of this file for the daemon to stay right.
 *
 * Taking over swaps values where they stand. The running object keeps its place and all of its values that are not live,
 * so no thread ever holds a pointer into a configuration that goes away. Owns nothing but what config_changes_fini()
 * frees.
 */
#include "ips/control/config_diff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ips/control/config_schema.h"

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

/* A key, or a group of them. */
static const struct {
    const char *key;
    enum config_how how;
} changeable[] = {
    {"bridges[].fail", CONFIG_LIVE},
    {"bridges[].heartbeat", CONFIG_LIVE},
    {"bridges[].flow_cache", CONFIG_LIVE},
    {"bridges[].link_pass", CONFIG_LIVE},
    {"bridges[].shutdown", CONFIG_LIVE},
    {"bridges[].steer", CONFIG_LIVE},
    {"guard.broken", CONFIG_LIVE},
    {"guard.source_rate", CONFIG_LIVE},
    {"guard.syn_source_rate", CONFIG_LIVE},
    {"guard.syn_destination_rate", CONFIG_LIVE},
    {"guard.block", CONFIG_LIVE},
    {"guard.allow", CONFIG_LIVE},
    {"overload", CONFIG_LIVE},
    {"log.level", CONFIG_LIVE},
    {"log.stats_interval", CONFIG_LIVE},
    {"supervisor", CONFIG_LIVE},
    {"rules", CONFIG_RULES},
    {"detect.action_order", CONFIG_RULES},
    {"detect.threshold_file", CONFIG_RULES},
    {"detect.state_dir", CONFIG_RULES},
    {"detect.reputation_categories", CONFIG_RULES},
    {"detect.reputation_files", CONFIG_RULES},
};

const char *config_how_name(enum config_how how)
{
    static const char *const names[] = {
        [CONFIG_RESTART] = "restart", [CONFIG_LIVE] = "live", [CONFIG_RULES] = "live, with the rules"};

    return names[how];
}

static enum config_how how_of(const char *path)
{
    char key[128];
    size_t n = 0;

    for (; *path != '\0' && n + 1 < sizeof(key); path++) {
        key[n++] = *path;
        if (*path == '[')
            path += strcspn(path, "]") - 1; /* without the index */
    }
    key[n] = '\0';
    for (size_t i = 0; i < N_OF(changeable); i++) {
        size_t len = strlen(changeable[i].key);

        if (strncmp(key, changeable[i].key, len) == 0 && (key[len] == '\0' || key[len] == '.'))
            return changeable[i].how;
    }
    return CONFIG_RESTART;
}

/* --- values as text --------------------------------------------------------------------------------------- */

static uint32_t read_number(const void *at, unsigned size)
{
    uint32_t v = 0;

    memcpy(&v, at, size < sizeof(v) ? size : sizeof(v));
    return v;
}

static void put_scalar(FILE *f, const cyaml_schema_value_t *type, const void *at)
{
    uint32_t v;

    if (type->type == CYAML_STRING) {
        fprintf(f, *(const char *)at != '\0' ? "%s" : "\"\"", (const char *)at);
        return;
    }
    v = read_number(at, type->data_size);
    for (uint32_t i = 0; type->type == CYAML_ENUM && i < type->enumeration.count; i++)
        if ((uint32_t)type->enumeration.strings[i].val == v) {
            fputs(type->enumeration.strings[i].str, f);
            return;
        }
    fprintf(f, "%u", v);
}

static void put_value(FILE *f, const cyaml_schema_value_t *type, const void *at, unsigned count);

static void put_map(FILE *f, const cyaml_schema_value_t *type, const char *at)
{
    for (const cyaml_schema_field_t *field = type->mapping.fields; field->key != NULL; field++) {
        const char *count = at + field->count_offset;

        fprintf(f, "%s%s: ", field == type->mapping.fields ? "{" : ", ", field->key);
        put_value(f, &field->value, at + field->data_offset,
                  field->value.type == CYAML_SEQUENCE ? read_number(count, field->count_size) : 0);
    }
    fputc('}', f);
}

/* at: where the field's bytes are; count: of a list. */
static void put_value(FILE *f, const cyaml_schema_value_t *type, const void *at, unsigned count)
{
    if (type->flags & CYAML_FLAG_POINTER)
        at = *(const void *const *)at;
    if (type->type == CYAML_SEQUENCE) {
        const cyaml_schema_value_t *entry = type->sequence.entry;
        size_t step = entry->flags & CYAML_FLAG_POINTER ? sizeof(void *) : entry->data_size;

        fputc('[', f);
        for (unsigned i = 0; i < count && at != NULL; i++) {
            fputs(i > 0 ? ", " : "", f);
            put_value(f, entry, (const char *)at + i * step, 0);
        }
        fputc(']', f);
    } else if (at == NULL) {
        fputs("\"\"", f);
    } else if (type->type == CYAML_MAPPING) {
        put_map(f, type, at);
    } else {
        put_scalar(f, type, at);
    }
}

/* Heap; NULL: no memory. */
static char *value_text(const cyaml_schema_field_t *field, const char *group)
{
    unsigned count =
        field->value.type == CYAML_SEQUENCE ? read_number(group + field->count_offset, field->count_size) : 0;
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    if (f == NULL)
        return NULL;
    put_value(f, &field->value, group + field->data_offset, count);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

/* --- the walk --------------------------------------------------------------------------------------------- */

struct walk {
    char path[128];
    int (*visit)(struct walk *w, const cyaml_schema_field_t *field, char *a, char *b, char *texts[2]);
    struct config_changes *out; /* of config_diff(); NULL: all values are shown, not only those that differ */
};

static int walk_group(struct walk *w, const cyaml_schema_field_t *fields, char *a, char *b);

static int walk_list(struct walk *w, const cyaml_schema_field_t *field, char *a, char *b, unsigned n)
{
    const cyaml_schema_value_t *entry = field->value.sequence.entry;
    size_t len = strlen(w->path);
    int rc = 0;

    a = *(char **)(a + field->data_offset);
    b = *(char **)(b + field->data_offset);
    for (unsigned i = 0; i < n && rc == 0; i++) {
        snprintf(w->path + len, sizeof(w->path) - len, "[%u]", i);
        rc = walk_group(w, entry->mapping.fields, a + i * entry->data_size, b + i * entry->data_size);
    }
    return rc;
}

/* Lists of groups whose elements have an identity: the bridges, by their place. */
static bool is_walked_into(const cyaml_schema_field_t *field, const char *a, const char *b, unsigned *n)
{
    *n = field->value.type == CYAML_SEQUENCE ? read_number(a + field->count_offset, field->count_size) : 0;
    return field->value.type == CYAML_SEQUENCE && (field->value.flags & CYAML_FLAG_POINTER) &&
           field->value.sequence.entry->type == CYAML_MAPPING && strcmp(field->key, "bridges") == 0 &&
           *n == read_number(b + field->count_offset, field->count_size);
}

static int walk_field(struct walk *w, const cyaml_schema_field_t *field, char *a, char *b)
{
    char *texts[2];
    unsigned n;
    int rc = 0;

    if (field->value.type == CYAML_MAPPING)
        return walk_group(w, field->value.mapping.fields, a + field->data_offset, b + field->data_offset);
    if (is_walked_into(field, a, b, &n))
        return walk_list(w, field, a, b, n);
    if (w->out == NULL)
        return w->visit(w, field, a, b, NULL);
    texts[0] = value_text(field, a);
    texts[1] = value_text(field, b);
    if (texts[0] == NULL || texts[1] == NULL)
        rc = -ENOMEM;
    else if (strcmp(texts[0], texts[1]) != 0)
        rc = w->visit(w, field, a, b, texts);
    free(texts[0]);
    free(texts[1]);
    return rc;
}

static int walk_group(struct walk *w, const cyaml_schema_field_t *fields, char *a, char *b)
{
    size_t len = strlen(w->path);
    int rc = 0;

    for (const cyaml_schema_field_t *f = fields; f->key != NULL && rc == 0; f++) {
        snprintf(w->path + len, sizeof(w->path) - len, "%s%s", len > 0 ? "." : "", f->key);
        rc = walk_field(w, f, a, b);
    }
    w->path[len] = '\0';
    return rc;
}

/* --- what is done with a value ------------------------------------------------------------------------------- */

static int note_change(struct walk *w, const cyaml_schema_field_t *field, char *a, char *b, char *texts[2])
{
    struct config_changes *out = w->out;
    struct config_change *c;

    (void)field, (void)a, (void)b;
    if (out->n == out->cap) {
        size_t cap = out->cap == 0 ? 16 : out->cap * 2;

        c = realloc(out->v, cap * sizeof(*c));
        if (c == NULL)
            return -ENOMEM;
        out->v = c;
        out->cap = cap;
    }
    c = &out->v[out->n++];
    *c = (struct config_change){.was = texts[0], .is = texts[1], .how = how_of(w->path)};
    snprintf(c->key, sizeof(c->key), "%s", w->path);
    out->n_of[c->how]++;
    texts[0] = texts[1] = NULL; /* taken */
    return 0;
}

static void swap(char *a, char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char byte = a[i];

        a[i] = b[i];
        b[i] = byte;
    }
}

/* Needs no memory: a configuration is not taken over by halves. */
static int exchange(struct walk *w, const cyaml_schema_field_t *field, char *a, char *b, char *texts[2])
{
    const cyaml_schema_value_t *type = &field->value;

    (void)texts;
    if (how_of(w->path) == CONFIG_RESTART)
        return 0;
    swap(a + field->data_offset, b + field->data_offset,
         type->flags & CYAML_FLAG_POINTER ? sizeof(void *) : type->data_size);
    if (type->type == CYAML_SEQUENCE)
        swap(a + field->count_offset, b + field->count_offset, field->count_size);
    return 0;
}

int config_diff(const struct config *running, const struct config *fresh, struct config_changes *out,
                struct err *e)
{
    struct walk w = {.visit = note_change, .out = out};

    *out = (struct config_changes){.n = 0};
    if (walk_group(&w, config_schema.mapping.fields, (char *)running, (char *)fresh) == 0) /* reads only */
        return 0;
    config_changes_fini(out);
    return err_set(e, -ENOMEM, "no memory to compare the configurations");
}

void config_changes_fini(struct config_changes *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->v[i].was);
        free(c->v[i].is);
    }
    free(c->v);
    *c = (struct config_changes){.n = 0};
}

void config_adopt(struct config *running, struct config *fresh)
{
    struct walk w = {.visit = exchange};

    walk_group(&w, config_schema.mapping.fields, (char *)running, (char *)fresh);
}
