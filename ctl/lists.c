/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists that are too long for one request: a file of prefixes is read here, checked as a whole and sent in parts, so
 * that a mistake in its last line changes nothing and the daemon, which may not read the file, does not have to. Long
 * lists are asked for page by page, and emptied round by round.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ips/base/prefix.h"

#define PART_BYTES (PROTO_REQUEST_MAX_BYTES / 2)

/* As many prefixes as a request may have, as text; *at moves behind them. */
static json_t *next_part(const struct prefix_list *l, size_t *at, char *text)
{
    size_t len = 0;

    text[0] = '\0';
    for (size_t n = 0; *at < l->n && n < PROTO_BLOCKS_MAX && len + 2 * PREFIX_TEXT_MAX < PART_BYTES;
         ++*at, n++) {
        char prefix[PREFIX_TEXT_MAX];

        len += (size_t)sprintf(text + len, "%s %s\n", prefix_format(&l->v[*at], prefix),
                               prefix_side_name(l->v[*at].sides));
    }
    return json_pack("{s:s}", "prefixes", text);
}

/* 0, or ipsctl's exit status. */
static int send_list(struct ctl *c, const char *command, const struct prefix_list *l)
{
    char *text = malloc(PART_BYTES);
    struct err e = {.code = 0};
    int status = 0;

    for (size_t at = 0; text != NULL && at < l->n && status == 0;) {
        json_t *reply = client_ask(c, command, next_part(l, &at, text), &e);

        if (reply == NULL)
            status = client_no_daemon(c, &e);
        else if (!json_is_true(json_object_get(reply, "ok")))
            status = client_refused(c, reply);
        json_decref(reply);
    }
    if (text == NULL) {
        fputs("ipsctl: no memory\n", stderr);
        status = 1;
    }
    free(text);
    client_close(c);
    return status;
}

static int bad_file(const struct ctl *c, const struct err_list *errs)
{
    size_t n = errs->n + errs->n_dropped;

    err_list_print(errs, stderr);
    fprintf(stderr, "ipsctl: %s has %zu mistake%s; nothing was changed\n", c->args[0], n, n == 1 ? "" : "s");
    return client_exit_status(PROTO_INVALID);
}

int lists_load(struct ctl *c)
{
    struct prefix_list l = {.n = 0};
    struct err_list errs;
    uint8_t side = PREFIX_SRC;
    int status;

    if (c->n_args > 2 || (c->n_args == 2 && !prefix_side_read(c->args[1], &side))) {
        fputs("ipsctl: wrong arguments; usage: ipsctl block load FILE [src|dst|both]\n", stderr);
        return client_exit_status(PROTO_BAD_REQUEST);
    }
    err_list_init(&errs);
    if (prefix_list_read(&l, c->args[0], side, &errs) < 0) {
        status = bad_file(c, &errs);
    } else {
        prefix_list_sort(&l);
        status = send_list(c, "block load", &l);
        if (status == 0 && c->json)
            printf("{\"loaded\": %zu}\n", l.n);
        else if (status == 0)
            printf("%zu prefixes are on the block list\n", l.n);
    }
    err_list_fini(&errs);
    prefix_list_fini(&l);
    return status;
}

int lists_rest(struct ctl *c, const char *command, json_t *result, struct err *e)
{
    json_t *entries = json_object_get(result, "entries");

    while (json_is_string(json_object_get(result, "next"))) {
        json_t *reply =
            client_ask(c, command, json_pack("{s:O}", "after", json_object_get(result, "next")), e);
        json_t *more = json_object_get(reply, "result"), *next = json_object_get(more, "next");

        if (reply == NULL)
            return -1;
        json_array_extend(entries, json_object_get(more, "entries"));
        json_object_del(result, "next");
        if (json_array_size(json_object_get(more, "entries")) > 0 && next != NULL)
            json_object_set(result, "next", next);
        json_decref(reply);
    }
    return 0;
}

int lists_clear(struct ctl *c, const char *command, json_t *result, struct err *e)
{
    json_int_t n = json_integer_value(json_object_get(result, "removed"));

    while (json_is_true(json_object_get(result, "more"))) {
        json_t *reply = client_ask(c, command, json_object(), e);
        json_t *again = json_object_get(reply, "result");

        if (reply == NULL)
            return -1;
        n += json_integer_value(json_object_get(again, "removed"));
        json_object_set_new(result, "more", json_boolean(json_is_true(json_object_get(again, "more"))));
        json_decref(reply);
    }
    json_object_set_new(result, "removed", json_integer(n));
    return 0;
}
