/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `block ...` and `allow ...`: the lists of addresses whose frames the steering program drops, or lets past the guard.
 * The daemon's ops know the maps; here arguments are checked and errors become codes.
 *
 * A list may have millions of entries and this thread answers for everybody else, so that nothing here does more than
 * PROTO_BLOCKS_MAX of them at a time: ipsctl sends a file in parts, reads a list in pages and empties it in rounds. A
 * part whose text has a mistake adds nothing. Server thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/control/command.h"

static const char *const names[] = {[XDP_LIST_BLOCK] = "block", [XDP_LIST_ALLOW] = "allow"};

static int bad_side(struct command_call *call)
{
    return command_fail(call, PROTO_BAD_REQUEST, "give src, dst or both", "that is not a side");
}

/* The side of the request, src when it says none. */
static bool read_side(const struct command_call *call, uint8_t *side)
{
    const json_t *word = json_object_get(call->args, "side");

    *side = PREFIX_SRC;
    return word == NULL || (json_is_string(word) && prefix_side_read(json_string_value(word), side));
}

static int read_prefix(struct command_call *call, struct prefix *p)
{
    const char *text = json_string_value(json_object_get(call->args, "prefix"));
    uint8_t side;

    if (text == NULL)
        return command_fail(call, PROTO_BAD_REQUEST, "give a prefix such as 192.0.2.0/24 or 2001:db8::1",
                            "there is no address or network");
    if (!read_side(call, &side))
        return bad_side(call);
    if (prefix_parse(text, p, &call->err) < 0)
        return PROTO_BAD_REQUEST;
    p->sides = side;
    return PROTO_OK;
}

static int done(struct command_call *call, enum xdp_list list, const struct prefix *p, const char *verb)
{
    char text[PREFIX_TEXT_MAX];

    prefix_format(p, text);
    log_notice("control", "%s list: %s %s %s", names[list], verb, text, prefix_side_name(p->sides));
    call->result = json_pack("{s:s}", "prefix", text);
    return call->result != NULL ? PROTO_OK : command_fail(call, PROTO_FAILED, "try again", "no memory");
}

static int list_add(struct command_call *call, enum xdp_list list)
{
    struct prefix p;
    int code = read_prefix(call, &p);

    if (code != PROTO_OK)
        return code;
    if (call->cfg->ops->list_add(call->cfg->ops->arg, list, &p, 1, true, &call->err) < 0)
        return PROTO_FAILED;
    return done(call, list, &p, "added");
}

/* A rule may have blocked the address for a time: that is in the verdict cache. */
static bool unblock(struct command_call *call, const struct prefix *p)
{
    struct steer_key k = flowcache_source(p->family, p->addr);

    return (p->sides & PREFIX_SRC) && prefix_is_host(p) &&
           call->cfg->ops->flows_unblock(call->cfg->ops->arg, &k);
}

static int list_del(struct command_call *call, enum xdp_list list)
{
    char remedy[80], text[PREFIX_TEXT_MAX];
    struct prefix p;
    size_t n = 0;
    int code = read_prefix(call, &p);

    if (code != PROTO_OK)
        return code;
    if (call->cfg->ops->list_del(call->cfg->ops->arg, list, &p, 1, &n, &call->err) < 0)
        return PROTO_FAILED;
    if (list == XDP_LIST_BLOCK && unblock(call, &p))
        n++;
    if (n > 0)
        return done(call, list, &p, "removed");
    snprintf(remedy, sizeof(remedy), "`ipsctl %s list` shows the prefixes as they must be given",
             names[list]);
    return command_fail(call, PROTO_NOT_FOUND, remedy, "%s is not on the %s list", prefix_format(&p, text),
                        names[list]);
}

/* --- pages ------------------------------------------------------------------------------------------------ */

static int add_entry(const struct prefix *p, uint64_t frames, void *arg)
{
    char text[PREFIX_TEXT_MAX];

    return json_array_append_new(arg, json_pack("{s:s, s:s, s:I}", "prefix", prefix_format(p, text), "side",
                                                prefix_side_name(p->sides), "frames", (json_int_t)frames));
}

/* Who is blocked for a time stands on the first page; frames are those the kernel dropped. */
static int add_source(const char *bridge, const struct flowcache_entry *e, uint64_t now_ns, void *arg)
{
    struct prefix p = {.family = e->key.version == 6, .bits = e->key.version == 6 ? 128 : 32};
    uint64_t left_ns = e->verdict.expires_ns > now_ns ? e->verdict.expires_ns - now_ns : 0;
    char text[PREFIX_TEXT_MAX];

    if (e->verdict.kind != STEER_KIND_SOURCE || json_array_size(arg) >= PROTO_BLOCKS_MAX)
        return 0;
    memcpy(p.addr, e->key.addr[0], sizeof(p.addr));
    return json_array_append_new(
        arg, json_pack("{s:s, s:s, s:I, s:s, s:I, s:I}", "prefix", prefix_format(&p, text), "side", "src",
                       "frames", (json_int_t)e->pkts[0] + (json_int_t)e->pkts[1], "bridge", bridge, "left_s",
                       (json_int_t)(left_ns / NS_PER_S), "sid", (json_int_t)e->verdict.sid));
}

/* Where a page begins: "10.0.0.0/8 dst" is the last entry of the one before. */
static int read_cursor(struct command_call *call, struct xdp_cursor *c)
{
    const json_t *after = json_object_get(call->args, "after");

    *c = (struct xdp_cursor){.trie = 0};
    if (after == NULL)
        return PROTO_OK;
    if (!json_is_string(after) ||
        prefix_parse_sided(json_string_value(after), PREFIX_SRC, &c->at, &call->err) < 0)
        return command_fail(call, PROTO_BAD_REQUEST, "give the `next` of the page before",
                            "that is no place in the list");
    c->trie = (uint8_t)((c->at.sides == PREFIX_DST ? 2 : 0) + c->at.family);
    c->inside = true;
    return PROTO_OK;
}

static int list_page(struct command_call *call, enum xdp_list list)
{
    json_t *entries = json_array();
    const struct xdp_visit visit = {.fn = add_entry, .arg = entries};
    char text[PREFIX_TEXT_MAX], next[PREFIX_TEXT_MAX + 8];
    struct xdp_cursor c;
    int code = read_cursor(call, &c), rc;

    if (code != PROTO_OK) {
        json_decref(entries);
        return code;
    }
    rc = list == XDP_LIST_BLOCK && !c.inside
             ? call->cfg->ops->flows_each(call->cfg->ops->arg, add_source, entries)
             : 0;
    if (rc == 0)
        rc = call->cfg->ops->list_page(call->cfg->ops->arg, list, &c, PROTO_BLOCKS_MAX, &visit);
    call->result = json_pack("{s:o}", "entries", entries);
    if (rc < 0 || call->result == NULL)
        return command_fail(call, PROTO_FAILED, "try again", "cannot read the %s list", names[list]);
    if (c.trie < 4) {
        snprintf(next, sizeof(next), "%s %s", prefix_format(&c.at, text), prefix_side_name(c.at.sides));
        json_object_set_new(call->result, "next", json_string(next));
    }
    return PROTO_OK;
}

/* --- in bulk ---------------------------------------------------------------------------------------------- */

/* Prefixes, one a line. */
static int read_prefixes(struct prefix_list *l, char *text, uint8_t side, struct err *e)
{
    char *line, *rest = text;
    struct prefix p;
    int rc = 0;

    while (rc == 0 && (line = strsep(&rest, "\n")) != NULL)
        if (*line != '\0' && (rc = prefix_parse_sided(line, side, &p, e)) == 0)
            rc = prefix_list_add(l, &p, e);
    if (rc == 0 && l->n > PROTO_BLOCKS_MAX) {
        err_set(e, -E2BIG, "%zu prefixes in one request", l->n);
        return err_remedy(e, "send at most %d at a time", PROTO_BLOCKS_MAX), -E2BIG;
    }
    return rc;
}

int cmd_block_load(struct command_call *call)
{
    const char *text = json_string_value(json_object_get(call->args, "prefixes"));
    struct prefix_list l = {.n = 0};
    int code = PROTO_OK;
    uint8_t side;
    char *copy;

    if (text == NULL)
        return command_fail(call, PROTO_BAD_REQUEST, "give prefixes, one a line, in one text",
                            "there are no prefixes");
    if (!read_side(call, &side))
        return bad_side(call);
    copy = strdup(text);
    if (copy == NULL)
        return command_fail(call, PROTO_FAILED, "try again", "no memory");
    if (read_prefixes(&l, copy, side, &call->err) < 0)
        code = PROTO_BAD_REQUEST;
    else if (call->cfg->ops->list_add(call->cfg->ops->arg, XDP_LIST_BLOCK, l.v, l.n, false, &call->err) < 0)
        code = PROTO_FAILED;
    else
        call->result = json_pack("{s:I}", "loaded", (json_int_t)l.n);
    if (code == PROTO_OK)
        log_info("control", "block list: %zu prefixes loaded", l.n);
    prefix_list_fini(&l);
    free(copy);
    return code;
}

int cmd_block_clear(struct command_call *call)
{
    size_t n = 0;

    if (call->cfg->ops->list_clear(call->cfg->ops->arg, XDP_LIST_BLOCK, PROTO_BLOCKS_MAX, &n, &call->err) < 0)
        return PROTO_FAILED;
    call->result = json_pack("{s:I, s:b}", "removed", (json_int_t)n, "more", n >= PROTO_BLOCKS_MAX);
    if (n > 0)
        log_notice("control", "block list: %zu entries removed", n);
    return PROTO_OK;
}

/* --- the table's functions -------------------------------------------------------------------------------- */

int cmd_block_add(struct command_call *call)
{
    return list_add(call, XDP_LIST_BLOCK);
}

int cmd_block_del(struct command_call *call)
{
    return list_del(call, XDP_LIST_BLOCK);
}

int cmd_block_list(struct command_call *call)
{
    return list_page(call, XDP_LIST_BLOCK);
}

int cmd_allow_add(struct command_call *call)
{
    return list_add(call, XDP_LIST_ALLOW);
}

int cmd_allow_del(struct command_call *call)
{
    return list_del(call, XDP_LIST_ALLOW);
}

int cmd_allow_list(struct command_call *call)
{
    return list_page(call, XDP_LIST_ALLOW);
}
