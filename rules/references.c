/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reference types: what "cve,2014-6271" in a rule points to.
 *
 * The built-in table holds the types that Snort's and Suricata's rule sets use. A file replaces it altogether; its
 * lines read
 *
 *     config reference: name prefix
 *
 * and a bad one is reported like a bad rule; such a line in a rule file adds to the table that is in force. The table
 * goes into the ruleset, for whoever shows a rule to a person. Control thread; the lookup: any thread.
 */
#include "rules/references.h"

#include <errno.h>
#include <stdlib.h>

#include "rules/builder.h"
#include "rules/source.h"

static const struct reference_kind builtin[] = {
    {"bid", "https://www.securityfocus.com/bid/"},
    {"bugtraq", "https://www.securityfocus.com/bid/"},
    {"cve", "https://cve.mitre.org/cgi-bin/cvename.cgi?name=CVE-"},
    {"arachNIDS", "http://www.whitehats.com/info/IDS"},
    {"mcafee", "http://vil.nai.com/vil/dispVirus.asp?virus_k="},
    {"nessus", "https://www.tenable.com/plugins/nessus/"},
    {"msb", "https://learn.microsoft.com/security-updates/securitybulletins/"},
    {"osvdb", "http://osvdb.org/show/osvdb/"},
    {"exploitdb", "https://www.exploit-db.com/exploits/"},
    {"openpacket", "https://www.openpacket.org/capture/grab/"},
    {"securitytracker", "https://securitytracker.com/id?"},
    {"secunia", "http://www.secunia.com/advisories/"},
    {"xforce", "http://xforce.iss.net/xforce/xfdb/"},
    {"md5", "https://www.virustotal.com/gui/search/"},
    {"sha1", "https://www.virustotal.com/gui/search/"},
    {"sha256", "https://www.virustotal.com/gui/search/"},
    {"et", "https://doc.emergingthreats.net/"},
    {"etpro", "https://doc.emergingthreatspro.com/"},
    {"telus", "http://"},
    {"url", "https://"},
};

static bool add_row(struct builder *b, struct reference_kind row)
{
    struct references *r = &b->refs;
    void *v;

    if (row.name == NULL || row.prefix == NULL)
        return false;
    if (r->rows == builtin) {
        r->own = malloc(sizeof(builtin));
        if (r->own == NULL)
            return false;
        memcpy(r->own, builtin, sizeof(builtin));
        r->cap = r->n;
    }
    v = r->own;
    if (!builder_grow(b, &v, &r->cap, r->n, sizeof(row)))
        return false;
    r->own = v;
    r->own[r->n++] = row;
    r->rows = r->own;
    return true;
}

static bool starts_with_words(struct span *rest)
{
    struct span head;

    if (!text_split(rest, ':', &head))
        return false;
    head = text_trim(head);
    return text_eq_nocase(span_sub(head, 0, 6), "config") &&
           text_eq_nocase(text_trim(span_sub(head, 6, head.len)), "reference");
}

bool references_line(struct builder *b, const struct rule_text *t)
{
    struct span rest = t->text, name;
    struct err e;
    int line, column;

    if (starts_with_words(&rest)) {
        rest = text_trim(rest);
        uint32_t n = 0;

        while (n < rest.len && rest.p[n] != ' ' && rest.p[n] != '\t')
            n++;
        name = span_sub(rest, 0, n);
        rest = text_trim(span_sub(rest, n, rest.len));
        if (name.len > 0 && rest.len > 0)
            return add_row(b,
                           (struct reference_kind){arena_strndup(b->arena, (const char *)name.p, name.len),
                                                   arena_strndup(b->arena, (const char *)rest.p, rest.len)});
    }
    text_place(t, text_trim(t->text).p, &line, &column);
    err_set(&e, -EINVAL, "not a reference type with its prefix");
    err_remedy(&e, "write: config reference: name http://prefix/");
    err_at(&e, t->file, line, column);
    builder_error(b, &e);
    return true;
}

int references_load(struct builder *b, const char *file, struct err *e)
{
    struct source s;
    struct rule_text t;
    int rc;

    b->refs = (struct references){.rows = builtin, .n = sizeof(builtin) / sizeof(builtin[0])};
    if (file == NULL)
        return 0;
    b->refs = (struct references){0};
    rc = source_open(&s, file, e);
    if (rc != 0)
        return rc;
    while ((rc = source_next(&s, &t)) == 1)
        if (!references_line(b, &t)) {
            rc = -ENOMEM;
            break;
        }
    source_close(&s);
    return rc == 0 ? 0 : err_set(e, rc, "no memory to read %s", file);
}

void references_fini(struct references *r)
{
    free(r->own);
    memset(r, 0, sizeof(*r));
}

const char *ruleset_reference_url(const struct ruleset *rs, const char *reference, char *buf, size_t size)
{
    struct span value = span_str(reference), name;

    text_split(&value, ',', &name);
    name = text_trim(name);
    value = text_trim(value);
    for (size_t i = rs->n_references; i-- > 0;)
        if (text_eq_nocase(name, rs->references[i].name)) {
            bool whole = memmem(value.p, value.len, "://", 3) != NULL; /* some authors write it all */

            snprintf(buf, size, "%s%.*s", whole ? "" : rs->references[i].prefix, (int)value.len,
                     (const char *)value.p);
            return buf;
        }
    snprintf(buf, size, "%s", reference);
    return buf;
}
