/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Application protocols: as the protocol of a rule's header, and Snort 3's service option.
 *
 * A rule about an application protocol carries it in info.apps for the day when flows know theirs. In the header
 * it restricts the rule to flows of that protocol (RULE_APP), and one that nothing recognises makes the rule
 * dormant (rules/parse.c). Snort 3's `service` is matched by the flow's protocol where that is known, whatever the
 * ports, and by the header's ports while it is not (RULE_SERVICE; RULES.md 2C, 48). Snort 2 writes the service among
 * the metadata.
 *
 * The table is APP_TABLE in service.h. Control thread.
 */
#include "rules/service.h"

#include <ctype.h>
#include <strings.h>

#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/source.h"

static const struct app_row {
    const char *name, *suricata, *snort;
    uint8_t proto;
    bool live;
} apps[APP_N] = {
#define X(id, name, suricata, snort, transport, live) {name, suricata, snort, PROTO_##transport, live},
    APP_TABLE(X)
#undef X
};

_Static_assert(APP_N <= 64, "info.apps has a bit for each protocol");

/* Whether `word` is one of the blank-separated words. */
static bool among(struct span word, const char *words)
{
    while (*words != '\0') {
        size_t n = strcspn(words, " ");

        if (n == word.len && strncasecmp(words, (const char *)word.p, n) == 0)
            return true;
        words += n + (words[n] == ' ');
    }
    return false;
}

bool service_header_word(struct span word, uint8_t dialect, struct service_word *out)
{
    if (text_eq_nocase(word, "http")) {
        *out = (struct service_word){
            .name = "http", .apps = APP_HTTP, .proto = PROTO_TCP, .live = apps[APP_HTTP1].live};
        return true;
    }
    for (int i = 0; i < APP_N; i++)
        if (among(word, dialect == DIALECT_SNORT3 ? apps[i].snort : apps[i].suricata)) {
            *out = (struct service_word){
                .name = apps[i].name, .apps = 1ull << i, .proto = apps[i].proto, .live = apps[i].live};
            return true;
        }
    return false;
}

uint64_t service_apps(struct span name)
{
    if (text_eq_nocase(name, "http"))
        return APP_BIT(HTTP1);
    for (int i = 0; i < APP_N; i++)
        if (among(name, apps[i].snort) || among(name, apps[i].suricata))
            return 1ull << i;
    return 0;
}

uint64_t service_live(void)
{
    uint64_t live = 0;

    for (int i = 0; i < APP_N; i++)
        live |= (uint64_t)apps[i].live << i;
    return live;
}

/* --- service:ftp, smtp; --------------------------------------------------------------------------------------- */

static bool is_name(struct span s)
{
    for (uint32_t i = 0; i < s.len; i++)
        if (!isalnum(s.p[i]) && !text_is_one_of(s.p[i], "-_.+/"))
            return false;
    return s.len > 0;
}

/* Only services that flows are known by are asked for; with the others the header's ports decide. */
static void take_service(struct draft *d, struct span name)
{
    uint64_t of = service_apps(name);

    d->info.apps |= of;
    d->rule.apps |= of & service_live();
    if (d->rule.apps != 0 && !(d->rule.flags & RULE_APP))
        d->rule.flags |= RULE_SERVICE;
}

static bool parse_service(struct draft *d, const struct option *o)
{
    struct span rest = o->value, one;
    bool more = true;

    while (more) {
        more = text_split(&rest, ',', &one);
        one = text_trim(one);
        if (!is_name(one))
            return draft_fail(d, one.p, o->kw->usage, "service: '%.*s' is no name of a service",
                              TEXT_ARG(one));
        take_service(d, one);
    }
    return true;
}

void service_take_metadata(struct draft *d)
{
    struct span rest = span_str(d->info.metadata), one;
    bool more = d->dialect == DIALECT_SNORT2;

    while (more) {
        more = text_split(&rest, ',', &one);
        one = text_trim(one);
        if (one.len > 8 && memcmp(one.p, "service ", 8) == 0)
            take_service(d, text_trim(span_sub(one, 8, one.len)));
    }
}

const struct keyword kw_service = {
    .name = "service",
    .usage = "write service:http; or a list with commas, such as service:imap,pop3;",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_ONCE,
    .dialects = IN_SNORT3,
    .parse = parse_service,
};
