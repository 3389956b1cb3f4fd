/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rule variables: the caller's, then the defaults.
 *
 * The defaults are the values of Suricata's shipped configuration, so that a rule set written for it loads
 * without any, and the names that only Snort's community rules use. The last definition of a name by the caller
 * wins, so that a command line can override a file.
 *
 * Constant table, borrowed strings; any thread.
 */
#include "rules/variables.h"

#include <string.h>

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

const struct ruleset_var *variables_lookup(const struct variables *v, struct span name)
{
    for (uint32_t i = v->n_own; i-- > 0;)
        if (span_eq_str(name, v->own[i].name))
            return &v->own[i];
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        if (span_eq_str(name, defaults[i].name))
            return &defaults[i];
    return NULL;
}
