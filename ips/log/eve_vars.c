/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What rules remember of a flow, as Suricata writes it into alerts:
 *
 *     "metadata": {"flowbits": ["a", "b"], "flowints": {"n": 3}}, "traffic": {"id": ["curl"], "label": ["cli-http"]}
 *
 * A flowbit named traffic/id/X or traffic/label/X is said to be about the traffic and stands there without its prefix.
 * The event has numbers; their names are the process's list (rules/var_names.h), which only grows, so a name is there even
 * when the ruleset that used it is gone. The last one set comes last. Logger thread; owns nothing.
 */
#include "ips/log/eve_vars.h"

#include "ips/base/vars.h"
#include "rules/var_names.h"

enum place { PLACE_FLOWBITS, PLACE_FLOWINTS, PLACE_TRAFFIC_ID, PLACE_TRAFFIC_LABEL, PLACE_N };

static const struct {
    const char *object, *list, *prefix;
    char bracket;
} places[PLACE_N] = {
    [PLACE_FLOWBITS] = {"metadata", "flowbits", "", '['},
    [PLACE_FLOWINTS] = {"metadata", "flowints", "", '{'},
    [PLACE_TRAFFIC_ID] = {"traffic", "id", "traffic/id/", '['},
    [PLACE_TRAFFIC_LABEL] = {"traffic", "label", "traffic/label/", '['},
};

static enum place place_of(uint16_t id)
{
    const char *name = var_name(id);

    if (var_name_kind(id) == VAR_FLOWINT)
        return PLACE_FLOWINTS;
    for (int i = PLACE_TRAFFIC_ID; i < PLACE_N; i++)
        if (strncmp(name, places[i].prefix, strlen(places[i].prefix)) == 0)
            return (enum place)i;
    return PLACE_FLOWBITS;
}

static struct var var_at(struct span vars, uint32_t i)
{
    struct var v;

    memcpy(&v, vars.p + i * sizeof(v), sizeof(v));
    return v;
}

/* All variables that belong into one list. False, and nothing written, when there are none. */
static bool write_place(struct json_writer *w, struct span vars, enum place place, bool object_open)
{
    bool open = false;

    for (uint32_t i = vars.len / sizeof(struct var); i-- > 0;) {
        struct var v = var_at(vars, i);
        const char *name = var_name(v.id);

        if (place_of(v.id) != place)
            continue;
        if (!open && !object_open)
            json_write_open(w, places[place].object, '{');
        if (!open)
            json_write_open(w, places[place].list, places[place].bracket);
        open = true;
        if (place == PLACE_FLOWINTS)
            json_write_uint(w, name, v.value);
        else
            json_write_text(w, NULL, span_str(name + strlen(places[place].prefix)));
    }
    if (open)
        json_write_close(w, places[place].bracket == '[' ? ']' : '}');
    return open;
}

static void write_object(struct json_writer *w, struct span vars, enum place first, enum place second)
{
    bool open = write_place(w, vars, first, false);

    open |= write_place(w, vars, second, open);
    if (open)
        json_write_close(w, '}');
}

void eve_write_vars(struct json_writer *w, struct span vars)
{
    if (vars.len == 0)
        return;
    write_object(w, vars, PLACE_FLOWBITS, PLACE_FLOWINTS);
    write_object(w, vars, PLACE_TRAFFIC_ID, PLACE_TRAFFIC_LABEL);
}
