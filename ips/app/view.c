/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What parsers publish, and the call of detection.
 *
 * The view is one of the worker's: it holds borrowed bytes from the first app_put() to the end of app_inspect(), and is
 * empty in between. Detection first sees only what is fresh, because nearly always nothing in it is worth a look;
 * when something is, app_view_complete() has the parser's show() put the rest.
 *
 * A view that is full is inspected as it is, so that nothing is left out, however much a message repeats itself.
 *
 * Worker thread. Owns the view.
 */
#include <assert.h>

#include "ips/app/app_parts.h"

#define IS(set, b)  ((set)[(b) / 64] >> ((b) % 64) & 1)
#define ADD(set, b) ((set)[(b) / 64] |= 1ull << (b) % 64)

void view_reset(struct app *a)
{
    struct app_view *v = &a->view;

    memset(v->set, 0, sizeof(v->set));
    memset(v->fresh, 0, sizeof(v->fresh));
    memset(v->open, 0, sizeof(v->open));
    v->n = 0;
    v->tx = NULL;
    v->shown = v->end = false;
    a->n_shown = 0;
}

static void begin(struct app *a, struct app_tx *tx)
{
    struct app_view *v = &a->view;

    assert(v->tx == NULL || v->tx == tx); /* a parser forgot app_inspect() */
    v->tx = tx;
    v->proto = a->flow->parser->proto;
}

/* Place for one more instance of the buffer; NULL: what show() puts there is known already, or nothing fits. */
static struct buffer_instance *add(struct app *a, struct app_tx *tx, enum buffer_id b)
{
    struct app_view *v = &a->view;

    if (!a->showing && v->n == APP_FRESH_MAX) {
        counter_add(a->c, CTR_APP_VIEW_FULL, 1);
        app_inspect(a, tx, (enum app_dir)a->dir, false);
    }
    if (v->n == APP_INSTANCES_MAX)
        return NULL;
    begin(a, tx);
    if (a->showing && !IS(a->shown, b)) {
        if (IS(v->fresh, b) && (v->fresh_at[b] > 0 || IS(v->open, b)))
            return NULL; /* it grew, and is there as it should be */
        ADD(a->shown, b);
        v->set[b / 64] &= ~(1ull << b % 64);
    }
    struct buffer_instance *i = &v->instance[v->n++];
    *i = (struct buffer_instance){.fresh = !a->showing};
    if (IS(v->set, b))
        v->instance[v->last[b] - 1].next = v->n;
    else
        v->first[b] = v->n;
    v->last[b] = v->n;
    ADD(v->set, b);
    if (!a->showing) {
        v->fresh_at[b] = 0;
        v->origin[b] = 0;
        ADD(v->fresh, b);
    } else if (!IS(v->fresh, b)) {
        v->fresh_at[b] = 0;
        v->origin[b] = 0;
    }
    return i;
}

/* An empty buffer is there all the same. */
static struct span there(struct span s)
{
    static const uint8_t nothing;

    return s.p ? s : span_of(&nothing, 0);
}

void app_put(struct app *a, struct app_tx *tx, enum buffer_id b, struct span bytes)
{
    struct buffer_instance *i = add(a, tx, b);

    if (i)
        i->bytes = there(bytes);
}

void app_put_number(struct app *a, struct app_tx *tx, enum buffer_id b, uint64_t v)
{
    struct buffer_instance *i = add(a, tx, b);

    if (!i)
        return;
    uint64_t *place = &a->view.numbers[i - a->view.instance];
    *place = v;
    i->bytes = span_of(place, sizeof(*place));
}

void app_put_growing(struct app *a, struct app_tx *tx, enum buffer_id b, const struct app_window *w)
{
    struct app_view *v = &a->view;

    if (!a->showing && IS(v->fresh, b))
        app_inspect(a, tx, (enum app_dir)a->dir, false); /* one at a time */
    struct buffer_instance *i = add(a, tx, b);
    if (!i)
        return;
    i->bytes = there(w->bytes);
    v->fresh_at[b] = w->fresh_at;
    v->origin[b] = w->origin;
    if (w->more)
        ADD(v->open, b);
}

bool app_inspect(struct app *a, struct app_tx *tx, enum app_dir dir, bool end)
{
    begin(a, tx);
    a->view.dir = (uint8_t)dir;
    a->view.end = end;
    if (a->p && a->hooks.inspect)
        a->hooks.inspect(a->hooks.arg, a, &a->view);
    view_reset(a);
    return !a->p || (a->p->verdict != VERDICT_DROP && !(a->p->flow && a->p->flow->verdict == FLOW_DROP));
}

void app_view_complete(struct app *a)
{
    struct app_view *v = &a->view;

    if (v->shown)
        return;
    v->shown = true;
    if (!v->tx || !a->flow->parser->show)
        return;
    memset(a->shown, 0, sizeof(a->shown));
    a->showing = true;
    a->flow->parser->show(a, a->flow->state, v->tx, (enum app_dir)v->dir);
    a->showing = false;
}

bool app_view_fields(struct app *a, struct fields *f, const char **object)
{
    const struct app_parser *parser = a->flow ? a->flow->parser : NULL;

    if (!parser || !parser->fields || !a->view.tx)
        return false;
    *object = parser->object ? parser->object : app_word((enum app_proto)parser->proto);
    parser->fields(a->flow->state, a->view.tx, f);
    return true;
}

/* --- events -------------------------------------------------------------------------------------------------------- */

void app_record_fill(const struct app *a, struct app_record *r, const char *event, const char *object,
                     const struct app_tx *tx, const struct fields *f)
{
    *r = (struct app_record){
        .event = event,
        .object = object,
        .p = a->p,
        .flow = a->of,
        .fields = f,
        .app = app_word((enum app_proto)a->flow->parser->proto),
        .to_client = a->dir == APP_TO_CLIENT,
    };
    if (tx) {
        r->tx_id = tx->id;
        r->has_tx = true;
    }
}

static void record(struct app *a, const char *event, const char *object, const struct app_tx *tx,
                   const struct fields *f)
{
    struct app_record r;

    app_record_fill(a, &r, event, object, tx, f);
    a->hooks.log(a->hooks.arg, &r);
}

void app_log(struct app *a, const char *event, const char *object, const struct app_tx *tx,
             const struct fields *f)
{
    if (a->cfg.log && a->hooks.log)
        record(a, event, object, tx, f);
}

void app_tx_open(struct app *a, struct app_tx *tx)
{
    *tx = (struct app_tx){.id = a->flow->next_tx++};
    counter_add(a->c, CTR_APP_TX, 1);
}

void app_tx_close(struct app *a, struct app_tx *tx)
{
    const struct app_parser *parser = a->flow->parser;
    const char *object = parser->object ? parser->object : app_word((enum app_proto)parser->proto);

    if (tx->logged || !a->cfg.log || !a->hooks.log || !parser->fields)
        return;
    tx->logged = 1;
    fields_begin(&a->fields, a->fields_room, sizeof(a->fields_room));
    parser->fields(a->flow->state, tx, &a->fields);
    record(a, object, object, tx, &a->fields);
}

void app_event(struct app *a, enum anomaly which)
{
    if (!a->p)
        return;
    counter_anomaly(a->c, &a->p->anomalies, which);
    if (anomaly_info[which].help[0] == '*')
        exception_apply(EXC_APP_AMBIGUOUS, a->cfg.on_ambiguous, a->p, a->c);
    else if (anomaly_info[which].help[0] == '#')
        exception_apply(EXC_APP_MEMCAP, a->cfg.on_memcap, a->p, a->c);
}
