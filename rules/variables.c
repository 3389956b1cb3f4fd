/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rule variables: the caller's, then those of rule files, then the defaults.
 *
 * The defaults are the values of Suricata's shipped configuration, so that a rule set written for it loads
 * without any, and the names that only Snort's community rules use. The last definition of a name by the caller
 * wins, so that a command line can override a file. A file that gives a variable another value changes it for the
 * rules that follow, so the sets made of texts with variables are forgotten then.
 *
 * Control thread.
 */
#include "rules/variables.h"

#include <stdlib.h>
#include <string.h>

#include "ips/base/suggest.h"
#include "rules/builder.h"

static const struct ruleset_var defaults[] = {
    {"HOME_NET", "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]"},
    {"EXTERNAL_NET", "!$HOME_NET"},
    {"HTTP_SERVERS", "$HOME_NET"},
    {"SMTP_SERVERS", "$HOME_NET"},
    {"SQL_SERVERS", "$HOME_NET"},
    {"DNS_SERVERS", "$HOME_NET"},
    {"TELNET_SERVERS", "$HOME_NET"},
    {"AIM_SERVERS", "$EXTERNAL_NET"},
    {"DC_SERVERS", "$HOME_NET"},
    {"DNP3_SERVER", "$HOME_NET"},
    {"DNP3_CLIENT", "$HOME_NET"},
    {"MODBUS_CLIENT", "$HOME_NET"},
    {"MODBUS_SERVER", "$HOME_NET"},
    {"ENIP_CLIENT", "$HOME_NET"},
    {"ENIP_SERVER", "$HOME_NET"},
    {"HTTP_PORTS", "80"},
    {"SHELLCODE_PORTS", "!80"},
    {"ORACLE_PORTS", "1521"},
    {"SSH_PORTS", "22"},
    {"DNP3_PORTS", "20000"},
    {"MODBUS_PORTS", "502"},
    {"FILE_DATA_PORTS", "[$HTTP_PORTS,110,143]"},
    {"FTP_PORTS", "21"},
    {"GENEVE_PORTS", "6081"},
    {"VXLAN_PORTS", "4789"},
    {"TEREDO_PORTS", "3544"},
    {"SIP_PORTS", "[5060,5061]"},
    /* Snort's */
    {"SSH_SERVERS", "$HOME_NET"},
    {"FTP_SERVERS", "$HOME_NET"},
    {"SIP_SERVERS", "$HOME_NET"},
    {"MAIL_PORTS", "[25,110,143]"},
};

#define N_DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

static const struct ruleset_var *find(const struct ruleset_var *v, size_t n, struct span name)
{
    while (n-- > 0)
        if (span_eq_str(name, v[n].name))
            return &v[n];
    return NULL;
}

const struct ruleset_var *variables_lookup(const struct variables *v, struct span name)
{
    const struct ruleset_var *var = find(v->own, v->n_own, name);

    if (var == NULL)
        var = find(v->defined, v->n_defined, name);
    return var != NULL ? var : find(defaults, N_DEFAULTS, name);
}

void variables_fini(struct variables *v)
{
    free(v->defined);
    v->defined = NULL;
    v->n_defined = v->cap_defined = 0;
}

bool variables_define(struct builder *b, struct span name, struct span value)
{
    struct variables *v = &b->vars;
    void *defined = v->defined;
    struct ruleset_var var = {.name = arena_strndup(b->arena, (const char *)name.p, name.len),
                              .value = arena_strndup(b->arena, (const char *)value.p, value.len)};

    if (var.name == NULL || var.value == NULL ||
        !builder_grow(b, &defined, &v->cap_defined, v->n_defined, sizeof(var)))
        return false;
    v->defined = defined;
    v->defined[v->n_defined++] = var;
    sets_forget(&b->sets);
    return true;
}

static void offer(struct suggest *s, const struct ruleset_var *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        suggest_offer(s, v[i].name);
}

const char *variables_suggest(const struct variables *v, struct span name)
{
    char word[64];
    struct suggest s;

    if (name.len >= sizeof(word))
        return NULL;
    memcpy(word, name.p, name.len);
    word[name.len] = '\0';
    suggest_init(&s, word);
    offer(&s, v->own, v->n_own);
    offer(&s, v->defined, v->n_defined);
    offer(&s, defaults, N_DEFAULTS);
    return s.best;
}
