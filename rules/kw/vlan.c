/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vlan.id and vlan.layers: the frame's 802.1Q tags.
 *
 *     vlan.id:number [,layer];   layer: 0 the outermost, 1, 2; -1 the innermost, -2, -3; any (default); all
 *     vlan.layers:number;
 *
 * Numbers in the notation of rules/number.h. A frame without a tag has no id, so no vlan.id holds for it; a layer the
 * frame has not does not match either. Matching runs in workers.
 */
#include "rules/dialect.h"
#include "rules/number.h"
#include "rules/source.h"
#include "rules/words.h"

#define VLAN_LAYERS_MAX 3
enum { LAYER_ANY = 100, LAYER_ALL = 101 };

static bool parse_vlan_id(struct draft *d, const struct option *o)
{
    struct option number = *o;
    struct span layer, head;
    uint64_t v = LAYER_ANY;
    struct draft_step *s;

    text_split(&number.value, ',', &head);
    layer = text_trim(number.value);
    number.value = text_trim(head);
    if (text_eq_nocase(layer, "all"))
        v = LAYER_ALL;
    else if (layer.len > 0 && !text_eq_nocase(layer, "any") &&
             !words_number(layer, -VLAN_LAYERS_MAX, VLAN_LAYERS_MAX - 1, &v))
        return draft_fail(d, layer.p, o->kw->usage, "vlan.id: '%.*s' is no layer", TEXT_ARG(layer));
    s = number_step(d, &number, 4095);
    if (s == NULL)
        return false;
    s->step.c = (int32_t)(int64_t)v;
    return true;
}

static bool match_vlan_id(const struct step *s, struct eval *e)
{
    const struct facts *f = e->facts;
    int n = f->n_vlans, hits = 0, layer = s->c < 0 ? s->c + n : s->c;

    for (int i = 0; i < n && i < (int)(sizeof(f->vlan) / sizeof(f->vlan[0])); i++)
        if (number_match(s, f->vlan[i] & 0x0fff)) {
            if (i == layer)
                return true;
            hits++;
        }
    return s->c == LAYER_ANY ? hits > 0 : s->c == LAYER_ALL && n > 0 && hits == n;
}

static bool parse_vlan_layers(struct draft *d, const struct option *o)
{
    return number_step(d, o, VLAN_LAYERS_MAX) != NULL;
}

static bool match_vlan_layers(const struct step *s, struct eval *e)
{
    return number_match(s, e->facts->n_vlans);
}

const struct keyword kw_vlan_id = {
    .name = "vlan.id",
    .usage = "write vlan.id:N; with !, <, <=, > or >= before N, a<>b, and a layer behind it: ,0 for the "
             "outermost, "
             ",-1 for the innermost, ,all",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_PACKET,
    .dialects = IN_SURICATA,
    .parse = parse_vlan_id,
    .match = match_vlan_id,
};

const struct keyword kw_vlan_layers = {
    .name = "vlan.layers",
    .usage = "write vlan.layers:N; with !, <, <=, > or >= before N; N to 3",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_PACKET,
    .dialects = IN_SURICATA,
    .parse = parse_vlan_layers,
    .match = match_vlan_layers,
};
