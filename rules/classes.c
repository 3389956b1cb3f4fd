/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Classtypes: what kind of thing a rule finds, and how grave that is.
 *
 * The built-in table holds the names that Snort's and Suricata's rule sets use, so that rules keep their
 * priorities without a classification.config. A file replaces the table altogether; its lines read
 *
 *     config classification: shortname,description,priority
 *
 * and a bad one is reported like a bad rule. Such a line in a rule file adds to the table that is in force. Strings from a file lie in the ruleset's arena; the row array is on
 * the heap until classes_fini(). Control thread.
 */
#include "rules/classes.h"

#include <errno.h>
#include <stdlib.h>

#include "rules/builder.h"
#include "rules/source.h"

static const struct class_row builtin[] = {
    {"attempted-admin", "Attempted Administrator Privilege Gain", 1},
    {"attempted-user", "Attempted User Privilege Gain", 1},
    {"command-and-control", "Malware Command and Control Activity Detected", 1},
    {"credential-theft", "Successful Credential Theft Detected", 1},
    {"domain-c2", "Domain Observed Used for C2 Detected", 1},
    {"exploit-kit", "Exploit Kit Activity Detected", 1},
    {"file-format", "Known malicious file or file based exploit", 1},
    {"inappropriate-content", "Inappropriate Content was Detected", 1},
    {"malware-cnc", "Known malware command and control traffic", 1},
    {"policy-violation", "Potential Corporate Privacy Violation", 1},
    {"shellcode-detect", "Executable code was detected", 1},
    {"successful-admin", "Successful Administrator Privilege Gain", 1},
    {"successful-user", "Successful User Privilege Gain", 1},
    {"targeted-activity", "Targeted Malicious Activity was Detected", 1},
    {"trojan-activity", "A Network Trojan was detected", 1},
    {"unsuccessful-user", "Unsuccessful User Privilege Gain", 1},
    {"web-application-attack", "Web Application Attack", 1},
    {"attempted-dos", "Attempted Denial of Service", 2},
    {"attempted-recon", "Attempted Information Leak", 2},
    {"bad-unknown", "Potentially Bad Traffic", 2},
    {"client-side-exploit", "Known client side exploit attempt", 2},
    {"coin-mining", "Crypto Currency Mining Activity Detected", 2},
    {"default-login-attempt", "Attempt to login by a default username and password", 2},
    {"denial-of-service", "Detection of a Denial of Service Attack", 2},
    {"external-ip-check", "Device Retrieving External IP Address Detected", 2},
    {"misc-attack", "Misc Attack", 2},
    {"non-standard-protocol", "Detection of a non-standard protocol or event", 2},
    {"pup-activity", "Possibly Unwanted Program Detected", 2},
    {"rpc-portmap-decode", "Decode of an RPC Query", 2},
    {"sdf", "Sensitive Data was Transmitted Across the Network", 2},
    {"social-engineering", "Possible Social Engineering Attempted", 2},
    {"successful-dos", "Denial of Service", 2},
    {"successful-recon-largescale", "Large Scale Information Leak", 2},
    {"successful-recon-limited", "Information Leak", 2},
    {"suspicious-filename-detect", "A suspicious filename was detected", 2},
    {"suspicious-login", "An attempted login using a suspicious username was detected", 2},
    {"system-call-detect", "A system call was detected", 2},
    {"unusual-client-port-connection", "A client was using an unusual port", 2},
    {"web-application-activity", "access to a potentially vulnerable web application", 2},
    {"icmp-event", "Generic ICMP event", 3},
    {"misc-activity", "Misc activity", 3},
    {"network-scan", "Detection of a Network Scan", 3},
    {"not-suspicious", "Not Suspicious Traffic", 3},
    {"protocol-command-decode", "Generic Protocol Command Decode", 3},
    {"string-detect", "A suspicious string was detected", 3},
    {"unknown", "Unknown Traffic", 3},
    {"tcp-connection", "A TCP connection was detected", 4},
};

/* A line of a rule file adds to the built-in table: a copy of it can grow. */
static bool own_builtin(struct builder *b)
{
    struct classes *c = &b->classes;

    c->own = malloc(sizeof(builtin));
    if (c->own == NULL) {
        b->no_memory = true;
        return false;
    }
    memcpy(c->own, builtin, sizeof(builtin));
    c->cap = c->n;
    c->rows = c->own;
    return true;
}

static bool add_row(struct builder *b, struct class_row row)
{
    struct classes *c = &b->classes;
    void *v;

    if (row.name == NULL || row.description == NULL)
        return false;
    if (c->rows == builtin && !own_builtin(b))
        return false;
    v = c->own;
    if (!builder_grow(b, &v, &c->cap, c->n, sizeof(row)))
        return false;
    c->own = v;
    c->own[c->n++] = row;
    c->rows = c->own;
    return true;
}

static void bad_line(struct builder *b, const struct rule_text *t, const uint8_t *at, const char *what)
{
    struct err e;
    int line, column;

    text_place(t, at, &line, &column);
    err_set(&e, -EINVAL, "%s", what);
    err_remedy(&e, "write: config classification: shortname,description,priority");
    err_at(&e, t->file, line, column);
    builder_error(b, &e);
}

bool classes_line(struct builder *b, const struct rule_text *t)
{
    struct span rest = t->text, head, name, description, number;
    uint64_t priority;

    if (!text_split(&rest, ':', &head)) {
        bad_line(b, t, head.p, "not a classification");
        return true;
    }
    head = text_trim(head);
    if (!text_eq_nocase(span_sub(head, 0, 6), "config") ||
        !text_eq_nocase(text_trim(span_sub(head, 6, head.len)), "classification")) {
        bad_line(b, t, head.p, "not a classification");
        return true;
    }
    text_split(&rest, ',', &name);
    text_split(&rest, ',', &description);
    name = text_trim(name);
    description = text_trim(description);
    number = text_trim(rest);
    if (name.len == 0 || !text_u64(number, PRIORITY_MAX, &priority) || priority == 0) {
        bad_line(b, t, number.p, "a classification needs a name, a description and a priority from 1 to 255");
        return true;
    }
    return add_row(b,
                   (struct class_row){arena_strndup(b->arena, (const char *)name.p, name.len),
                                      arena_strndup(b->arena, (const char *)description.p, description.len),
                                      (uint32_t)priority});
}

int classes_load(struct builder *b, const char *file, struct err *e)
{
    struct source s;
    struct rule_text t;
    int rc;

    b->classes = (struct classes){.rows = builtin, .n = sizeof(builtin) / sizeof(builtin[0])};
    if (file == NULL)
        return 0;
    b->classes = (struct classes){0};
    rc = source_open(&s, file, e);
    if (rc != 0)
        return rc;
    while ((rc = source_next(&s, &t)) == 1)
        if (!classes_line(b, &t)) {
            rc = -ENOMEM;
            break;
        }
    source_close(&s);
    return rc == 0 ? 0 : err_set(e, rc, "no memory to read %s", file);
}

void classes_fini(struct classes *c)
{
    free(c->own);
    memset(c, 0, sizeof(*c));
}

const struct class_row *classes_lookup(const struct classes *c, struct span name)
{
    for (size_t i = c->n; i-- > 0;) /* the last line about a name holds */
        if (text_eq_nocase(name, c->rows[i].name))
            return &c->rows[i];
    return NULL;
}
