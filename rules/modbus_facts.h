/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_MODBUS_FACTS_H
#define SLUICE_RULES_MODBUS_FACTS_H
/*
 * What the modbus keyword asks about a frame. The parser publishes the struct as the bytes of a buffer that no rule can
 * name (BUF_MODBUS_FACTS), and rules/kw/machines.c reads it. Host byte order; it never leaves the process.
 */
#include <stdbool.h>
#include <stdint.h>

#define MODBUS_VALUES_MAX 2048

enum modbus_access { MODBUS_READ = 1, MODBUS_WRITE = 2 };
enum modbus_table { MODBUS_DISCRETES = 1, MODBUS_COILS = 2, MODBUS_INPUT = 4, MODBUS_HOLDING = 8 };
enum modbus_category { /* of function codes */
                       MODBUS_PUBLIC_ASSIGNED = 1,
                       MODBUS_PUBLIC_UNASSIGNED = 2,
                       MODBUS_USER_DEFINED = 4,
                       MODBUS_RESERVED = 8
};

struct modbus_facts {
    uint8_t unit, function, category;
    bool has_subfunction;
    uint16_t subfunction;
    uint8_t access, table;                /* of what is read or written; 0: nothing */
    uint32_t read_address, read_quantity; /* first one, and how many */
    uint32_t write_address, n_values;     /* of the values below */
    uint16_t value[MODBUS_VALUES_MAX];
};
#endif
