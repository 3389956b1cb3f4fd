/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_DNP3_PARTS_H
#define SLUICE_APP_DNP3_PARTS_H
/* Between dnp3.c (frames, fragments) and dnp3_objects.c. Worker thread. */
#include "ips/app/memory.h"

#define DNP3_OBJECTS_MAX 256

struct dnp3_facts {
    uint8_t function;
    bool response;
    uint16_t indications; /* of a response */
    uint16_t n_objects;
    uint16_t object[DNP3_OBJECTS_MAX]; /* group << 8 | variation */
};

enum dnp3_objects {
    DNP3_OBJECTS_OK,
    DNP3_OBJECTS_BAD,     /* lengths cannot be */
    DNP3_OBJECTS_UNKNOWN, /* one whose size is not known: what follows it was not read */
    DNP3_OBJECTS_MANY     /* more than DNP3_OBJECTS_MAX */
};

/* Adds the objects of a fragment, behind its header, to f. */
enum dnp3_objects dnp3_objects(struct span s, bool with_values, struct dnp3_facts *f);
#endif
