/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parsers, in the order in which the probes are asked: those first whose beginnings cannot be mistaken. A protocol
 * that is here is live for rules: a row in rules/service.h says so (LIVE).
 */
#include <stddef.h>

#include "ips/app/table.h"

const struct app_parser *const app_parsers[] = {
#define X(name) &parser_##name,
    APP_PARSERS(X)
#undef X
        NULL,
};
