/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keywords about controllers: modbus, and the objects of DNP3.
 *
 *     modbus:[unit COND,] function N[,subfunction N];         COND: N, <N, >N, a<>b as in number.h
 *     modbus:[unit COND,] function [!]CATEGORY;               assigned, unassigned, public, user, reserved, all
 *     modbus:[unit COND,] access read|write [TABLE][,address COND[,value COND]];
 *                                                             TABLE: discretes, coils, input, holding
 *     dnp3_obj:GROUP,VARIATION;
 *
 * A request that reads or writes several addresses meets a condition when one of them does; a value is looked for at those
 * addresses only. What the request asks for was read by the parser (modbus_facts.h). Matching runs in workers.
 */
#include "rules/buffers.h"
#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/modbus_facts.h"
#include "rules/number.h"
#include "rules/source.h"
#include "rules/words.h"

enum { UNIT = 1, FUNCTION = 2, SUBFUNCTION = 4, CATEGORY = 8, ACCESS = 16, ADDRESS = 32, VALUE = 64 };

struct modbus_test { /* in the arena */
    struct number_cond unit, address, value;
    uint16_t function, subfunction;
    uint8_t asks; /* the bits above */
    uint8_t access, table, categories;
};

/* A step in a buffer that no rule can name. NULL: reported. */
static struct draft_step *step_in(struct draft *d, const struct option *o, enum buffer_id b)
{
    struct draft_step *s = draft_step_add(d, o->kw, o->name.p);

    if (s == NULL)
        return NULL;
    s->step.flow = STEP_AT;
    s->fresh = true;
    s->step.buffer = (uint16_t)b;
    d->info.apps |= buffer_table[b].apps;
    d->buffer_fresh = true; /* what follows in a sticky buffer begins anew */
    if (!(buffer_table[b].flags & BUFFER_LIVE))
        draft_dormant(d, o->kw->name);
    return s;
}

/* --- modbus: parsing ---------------------------------------------------------------------------------------------------- */

struct bit_word {
    const char *word;
    uint8_t bits;
};

static bool find_bits(const struct bit_word *table, struct span word, uint8_t *bits)
{
    for (; table->word != NULL; table++)
        if (span_eq_str(word, table->word)) {
            *bits = table->bits;
            return true;
        }
    return false;
}

static bool refuse(struct draft *d, const struct option *o, struct span word)
{
    return draft_fail(d, word.p, o->kw->usage, "modbus: '%.*s' is not understood here", TEXT_ARG(word));
}

static bool take_function(struct draft *d, const struct option *o, struct modbus_test *t, struct span v)
{
    static const struct bit_word categories[] = {
        {"assigned", MODBUS_PUBLIC_ASSIGNED},
        {"unassigned", MODBUS_PUBLIC_UNASSIGNED},
        {"public", MODBUS_PUBLIC_ASSIGNED | MODBUS_PUBLIC_UNASSIGNED},
        {"user", MODBUS_USER_DEFINED},
        {"reserved", MODBUS_RESERVED},
        {"all", MODBUS_PUBLIC_ASSIGNED | MODBUS_PUBLIC_UNASSIGNED | MODBUS_USER_DEFINED | MODBUS_RESERVED},
        {NULL, 0}};
    bool negated = v.len > 0 && v.p[0] == '!';
    uint64_t n;

    if (words_number(v, 0, 255, &n)) {
        t->function = (uint16_t)n;
        t->asks |= FUNCTION;
        return true;
    }
    if (!find_bits(categories, negated ? text_trim(span_sub(v, 1, v.len)) : v, &t->categories))
        return refuse(d, o, v);
    if (negated)
        t->categories = (uint8_t)~t->categories;
    t->asks |= CATEGORY;
    return true;
}

static bool take_access(struct draft *d, const struct option *o, struct modbus_test *t, struct span v)
{
    static const struct bit_word accesses[] = {{"read", MODBUS_READ}, {"write", MODBUS_WRITE}, {NULL, 0}};
    static const struct bit_word tables[] = {{"discretes", MODBUS_DISCRETES},
                                             {"coils", MODBUS_COILS},
                                             {"input", MODBUS_INPUT},
                                             {"holding", MODBUS_HOLDING},
                                             {NULL, 0}};
    struct span word;

    t->asks |= ACCESS;
    if (!words_next(&v, &word) || !find_bits(accesses, word, &t->access))
        return refuse(d, o, v);
    if (words_next(&v, &word) && !find_bits(tables, word, &t->table))
        return refuse(d, o, word);
    if (t->access == MODBUS_WRITE && (t->table == MODBUS_DISCRETES || t->table == MODBUS_INPUT))
        return draft_fail(d, o->value.p, o->kw->usage, "modbus: discretes and input cannot be written");
    return true;
}

static bool take_condition(struct draft *d, const struct option *o, struct span v, uint32_t max,
                           struct number_cond *c)
{
    struct option one = *o;

    one.value = v;
    return number_parse(d, &one, max, c);
}

static bool take_field(struct draft *d, const struct option *o, struct modbus_test *t, struct span field)
{
    struct span rest = field, word;
    uint64_t n;

    words_next(&rest, &word);
    rest = text_trim(rest);
    if (span_eq_str(word, "unit")) {
        t->asks |= UNIT;
        return take_condition(d, o, rest, 255, &t->unit);
    }
    if (span_eq_str(word, "function") && !(t->asks & ACCESS))
        return take_function(d, o, t, rest);
    if (span_eq_str(word, "subfunction") && (t->asks & FUNCTION) && words_number(rest, 0, UINT16_MAX, &n)) {
        t->subfunction = (uint16_t)n;
        t->asks |= SUBFUNCTION;
        return true;
    }
    if (span_eq_str(word, "access") && !(t->asks & (FUNCTION | CATEGORY)))
        return take_access(d, o, t, rest);
    if (span_eq_str(word, "address") && (t->asks & ACCESS)) {
        t->asks |= ADDRESS;
        return take_condition(d, o, rest, UINT16_MAX, &t->address);
    }
    if (span_eq_str(word, "value") && t->access == MODBUS_WRITE && (t->asks & ADDRESS)) {
        t->asks |= VALUE;
        return take_condition(d, o, rest, UINT16_MAX, &t->value);
    }
    return refuse(d, o, field);
}

static bool parse_modbus(struct draft *d, const struct option *o)
{
    struct draft_step *s = step_in(d, o, BUF_MODBUS_FACTS);
    struct span rest = o->value, field;
    struct modbus_test *t;

    if (s == NULL)
        return false;
    t = arena_alloc(d->b->arena, sizeof(*t));
    if (t == NULL)
        return draft_no_memory(d);
    *t = (struct modbus_test){0};
    s->step.data = t;
    while (words_field(&rest, &field))
        if (!take_field(d, o, t, field))
            return false;
    return t->asks != 0 || refuse(d, o, o->value);
}

/* --- modbus: matching --------------------------------------------------------------------------------------------------- */

static bool holds(const struct number_cond *c, uint32_t v)
{
    return (v >= c->lo && v <= c->hi) != c->negated;
}

/* One of n numbers from `first` on meets the condition. */
static bool one_holds(const struct number_cond *c, uint32_t first, uint32_t n)
{
    uint32_t last = first + n - 1;

    if (n == 0)
        return false;
    return c->negated ? first < c->lo || last > c->hi : first <= c->hi && last >= c->lo;
}

static bool value_holds(const struct modbus_test *t, const struct modbus_facts *f)
{
    for (uint32_t i = 0; i < f->n_values; i++)
        if (holds(&t->address, f->write_address + i) && holds(&t->value, f->value[i]))
            return true;
    return false;
}

static bool access_holds(const struct modbus_test *t, const struct modbus_facts *f)
{
    bool write = t->access == MODBUS_WRITE;

    if (!(f->access & t->access) || (t->table && !(f->table & t->table)))
        return false;
    if ((t->asks & ADDRESS) && !one_holds(&t->address, write ? f->write_address : f->read_address,
                                          write ? f->n_values : f->read_quantity))
        return false;
    return !(t->asks & VALUE) || value_holds(t, f);
}

static bool match_modbus(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    const struct modbus_test *t = s->data;
    struct modbus_facts f;

    if (b.len != sizeof(f))
        return false;
    memcpy(&f, b.p, sizeof(f));
    return (!(t->asks & UNIT) || holds(&t->unit, f.unit)) &&
           (!(t->asks & FUNCTION) || f.function == t->function) &&
           (!(t->asks & SUBFUNCTION) || (f.has_subfunction && f.subfunction == t->subfunction)) &&
           (!(t->asks & CATEGORY) || (f.category & t->categories)) &&
           (!(t->asks & ACCESS) || access_holds(t, &f));
}

/* --- dnp3_obj ----------------------------------------------------------------------------------------------------------- */

static bool parse_object(struct draft *d, const struct option *o)
{
    struct span rest = o->value, group, variation;
    struct draft_step *s = step_in(d, o, BUF_DNP3_OBJ);
    uint64_t g, v;

    if (s == NULL)
        return false;
    if (!words_field(&rest, &group) || !words_field(&rest, &variation) || rest.len > 0 ||
        !words_number(group, 0, 255, &g) || !words_number(variation, 0, 255, &v))
        return draft_fail(d, o->value.p, o->kw->usage, "%s: '%.*s' is no group and variation", o->kw->name,
                          TEXT_ARG(o->value));
    s->step.a = (int32_t)(g << 8 | v);
    return true;
}

static bool match_object(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    uint64_t v;

    if (b.len != sizeof(v))
        return false;
    memcpy(&v, b.p, sizeof(v));
    return v == (uint64_t)s->a;
}

const struct keyword kw_modbus = {
    .name = "modbus",
    .usage = "write modbus:function N; modbus:access write coils, address >100; with unit N, in front",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .parse = parse_modbus,
    .match = match_modbus,
};

const struct keyword kw_dnp3_obj = {
    .name = "dnp3_obj",
    .usage = "write dnp3_obj:group,variation;",
    .value = VALUE_PLAIN,
    .parse = parse_object,
    .match = match_object,
};

const struct keyword kw_dnp3_object = {
    .name = "dnp3.obj",
    .usage = "write dnp3.obj:group,variation;",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .parse = parse_object,
    .match = match_object,
};
