/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a rule says of itself in an alert: its metadata, as an object of lists, and its references, as addresses. Both
 * are text from rule files; the writer escapes it. Logger thread. Owns nothing.
 */
#include "ips/log/eve_rule.h"

#include <stdio.h>

/* Where a rule's "reference: type,value" leads; the types of the reference.config that rule sets ship. */
static const struct {
    const char *type, *prefix;
} reference_types[] = {
    {"url", "http://"},
    {"cve", "https://cve.mitre.org/cgi-bin/cvename.cgi?name="},
    {"bugtraq", "http://www.securityfocus.com/bid/"},
    {"bid", "http://www.securityfocus.com/bid/"},
    {"nessus", "http://cgi.nessus.org/plugins/dump.php3?id="},
    {"md5", "http://www.threatexpert.com/report.aspx?md5="},
    {"exploitdb", "https://www.exploit-db.com/exploits/"},
    {"et", "http://doc.emergingthreats.net/"},
};

/* The piece of s before the first `stop`; *rest is what comes after it. */
static struct span cut(struct span s, char stop, struct span *rest)
{
    const uint8_t *at = s.len > 0 ? memchr(s.p, stop, s.len) : NULL;
    uint32_t len = at != NULL ? (uint32_t)(at - s.p) : s.len;

    *rest = span_sub(s, at != NULL ? len + 1 : len, s.len);
    return span_sub(s, 0, len);
}

static struct span trim(struct span s)
{
    while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = span_sub(s, 1, s.len);
    while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* "key value" or a bare word, which is a key without a value. */
static struct span metadata_item(struct span *left, struct span *value)
{
    struct span item = trim(cut(*left, ',', left));
    struct span key = cut(item, ' ', value);

    *value = trim(*value);
    return key;
}

#define METADATA_KEYS_MAX 64 /* keys beyond it are left out: a rule has a dozen */

/* {"key": ["value", ...]}: values of a repeated key are gathered under its first place. */
void eve_write_metadata(struct json_writer *w, struct span text)
{
    struct span seen[METADATA_KEYS_MAX], left = text;
    unsigned n_seen = 0;

    json_write_open(w, "metadata", '{');
    while (left.len > 0 && n_seen < METADATA_KEYS_MAX) {
        struct span value, key, rest, first = metadata_item(&left, &value);
        bool again = false;

        for (unsigned i = 0; i < n_seen && !again; i++)
            again = span_eq(seen[i], first);
        if (again || first.len == 0 || value.len == 0)
            continue;
        seen[n_seen++] = first;
        json_write_text(w, NULL, first);
        json_write_raw(w, ":[", 2);
        w->comma = false;
        json_write_text(w, NULL, value);
        for (rest = left; rest.len > 0;) {
            key = metadata_item(&rest, &value);
            if (span_eq(key, first) && value.len > 0)
                json_write_text(w, NULL, value);
        }
        json_write_close(w, ']');
    }
    json_write_close(w, '}');
}

void eve_write_references(struct json_writer *w, struct span text)
{
    json_write_open(w, "references", '[');
    while (text.len > 0) {
        struct span line = cut(text, '\n', &text), value, type = trim(cut(line, ',', &value));
        const char *prefix = NULL;
        char whole[1024];

        value = trim(value);
        for (unsigned i = 0; i < sizeof(reference_types) / sizeof(reference_types[0]); i++)
            if (span_eq_str(type, reference_types[i].type))
                prefix = reference_types[i].prefix;
        if (prefix == NULL) {
            json_write_text(w, NULL, line);
            continue;
        }
        snprintf(whole, sizeof(whole), "%s%.*s", prefix, (int)value.len, (const char *)value.p);
        json_write_str(w, NULL, whole);
    }
    json_write_close(w, ']');
}
