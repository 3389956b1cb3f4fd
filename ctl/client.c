/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The conversation with the daemon: connect once, one line out, one line back.
 *
 * Owns the socket until client_close(). A reply may take as long as rules take to compile, so silence is only an
 * error after SILENCE_MS.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define SILENCE_MS 300000
#define READ_BYTES 65536

static int client_connect(struct ctl *c, struct err *e)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int rc;

    if (c->fd >= 0)
        return 0;
    if (strlen(c->socket) >= sizeof(sun.sun_path))
        return err_set(e, -ENAMETOOLONG, "the socket's path %s is too long", c->socket);
    memcpy(sun.sun_path, c->socket, strlen(c->socket) + 1);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return err_sys(e, -errno, "cannot make a socket");
    if (connect(c->fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
        return 0;
    rc = err_sys(e, -errno, "no ipsd answers on %s", c->socket);
    if (rc == -EACCES)
        err_remedy(e, "become root, or join the group in control.group");
    else
        err_remedy(e, "start it ('systemctl start sluice'), or give its control.socket with --socket");
    client_close(c);
    return rc;
}

void client_close(struct ctl *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static int send_line(struct ctl *c, const char *line, struct err *e)
{
    size_t len = strlen(line);

    while (len > 0) {
        ssize_t n = send(c->fd, line, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, -errno, "cannot send to ipsd on %s", c->socket);
        line += n;
        len -= (size_t)n;
    }
    return 0;
}

/* A heap string without its newline, or NULL. */
static char *receive_line(struct ctl *c, struct err *e)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    char *line = NULL, *grown;
    size_t n = 0;
    ssize_t got;

    for (;;) {
        grown = n + READ_BYTES + 1 <= PROTO_LINE_MAX_BYTES + READ_BYTES ? realloc(line, n + READ_BYTES + 1)
                                                                        : NULL;
        if (grown == NULL) {
            err_set(e, -ENOMEM, "the reply of ipsd is too long");
            break;
        }
        line = grown;
        if (poll(&p, 1, SILENCE_MS) == 0) {
            err_set(e, -ETIMEDOUT, "ipsd on %s has not answered for %d s", c->socket, SILENCE_MS / 1000);
            err_remedy(e, "look at its log ('journalctl -u sluice')");
            break;
        }
        got = recv(c->fd, line + n, READ_BYTES, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            err_set(e, -ECONNRESET, "ipsd on %s closed the connection without an answer", c->socket);
            err_remedy(e, "look at its log ('journalctl -u sluice')");
            break;
        }
        n += (size_t)got;
        if (line[n - 1] == '\n') { /* one request, one reply: nothing can follow it */
            line[n - 1] = '\0';
            return line;
        }
    }
    free(line);
    return NULL;
}

json_t *client_ask(struct ctl *c, const char *command, json_t *args, struct err *e)
{
    json_t *request = json_pack("{s:s, s:o}", "command", command, "args", args);
    json_t *reply = NULL;
    char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    char *line = NULL;

    json_decref(request);
    if (text == NULL) {
        err_set(e, -EINVAL, "the request cannot be written as JSON");
        err_remedy(e, "give arguments in UTF-8");
        return NULL;
    }
    if (client_connect(c, e) == 0 && send_line(c, text, e) == 0 && send_line(c, "\n", e) == 0)
        line = receive_line(c, e);
    free(text);
    if (line == NULL)
        return NULL;
    reply = json_loads(line, 0, NULL);
    free(line);
    if (!json_is_object(reply) || json_object_get(reply, "ok") == NULL) {
        json_decref(reply);
        err_set(e, -EPROTO, "what answers on %s is not an ipsd of this version", c->socket);
        err_remedy(e, "give its control.socket with --socket");
        return NULL;
    }
    return reply;
}

void client_print_json(const json_t *o)
{
    json_dumpf(o, stdout, JSON_INDENT(2));
    putchar('\n');
}

int client_end(int status)
{
    if (fflush(stdout) == 0)
        return status;
    perror("ipsctl: cannot write the answer");
    return 1;
}

int client_failed(const struct ctl *c, const struct err *e, int code)
{
    char line[900];

    if (c->json) {
        json_t *o =
            json_pack("{s:b, s:i, s:s, s:s}", "ok", 0, "code", code, "error", e->text, "remedy", e->remedy);

        client_print_json(o);
        json_decref(o);
    }
    fprintf(stderr, "ipsctl: %s\n", err_format(e, line, sizeof(line)));
    return client_exit_status(code);
}

int client_no_daemon(const struct ctl *c, const struct err *e)
{
    client_failed(c, e, 0);
    return e->code == -EACCES ? client_exit_status(PROTO_DENIED) : PROTO_EXIT_NO_DAEMON;
}

int client_refused(const struct ctl *c, const json_t *reply)
{
    const char *remedy = json_string_value(json_object_get(reply, "remedy"));
    const char *what = json_string_value(json_object_get(reply, "error"));

    if (c->json) {
        client_print_json(reply);
    } else {
        print_errors(stderr, json_object_get(reply, "errors"));
    }
    fputs("ipsctl: ", stderr);
    print_clean(stderr, what != NULL ? what : "the daemon refused without a reason");
    if (remedy != NULL && remedy[0] != '\0') {
        fputs("; ", stderr);
        print_clean(stderr, remedy);
    }
    fputc('\n', stderr);
    return client_exit_status((int)json_integer_value(json_object_get(reply, "code")));
}

int client_exit_status(int code)
{
    static const struct {
        int code, status;
    } rows[] = {
#define X(id, code, status, meaning) {code, status},
        PROTO_CODE_TABLE(X)
#undef X
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].code == code)
            return rows[i].status;
    return 1;
}
