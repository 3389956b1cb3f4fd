/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decode.vxlan_ports, geneve_ports and teredo_ports: lists of UDP ports, "4789,8472", into what decode/ compares with.
 *
 * An empty list keeps that tunnel closed. A port has one meaning: two lists with the same one are refused, as the second
 * would never be looked at. Main thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ips/control/config.h"

static int add(struct decode_config *dc, const char *key, long port, enum tunnel tunnel, struct err *e)
{
    if (port < 1 || port > UINT16_MAX) {
        err_set(e, -EINVAL, "%s: ports are numbers from 1 to 65535", key);
        return err_remedy(e, "separate them by commas: 4789,8472"), -EINVAL;
    }
    for (unsigned i = 0; i < dc->n_ports; i++)
        if (dc->ports[i].port == port) {
            err_set(e, -EINVAL, "%s: port %ld is in two places", key, port);
            return err_remedy(e, "name it once, for one kind of tunnel"), -EINVAL;
        }
    if (dc->n_ports == DECODE_PORTS_MAX) {
        err_set(e, -EINVAL, "%s: more than %d ports of tunnels", key, DECODE_PORTS_MAX);
        return err_remedy(e, "leave out those that are not used here"), -EINVAL;
    }
    dc->ports[dc->n_ports++] = (struct decode_port){.port = (uint16_t)port, .tunnel = (uint8_t)tunnel};
    return 0;
}

int config_decode_ports(const struct config *c, struct decode_config *dc, struct err *e)
{
    const struct {
        const char *key, *text;
        enum tunnel tunnel;
    } lists[] = {{"decode.vxlan_ports", c->decode.vxlan_ports, TUNNEL_VXLAN},
                 {"decode.geneve_ports", c->decode.geneve_ports, TUNNEL_GENEVE},
                 {"decode.teredo_ports", c->decode.teredo_ports, TUNNEL_TEREDO}};

    dc->n_ports = 0;
    for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (const char *p = lists[i].text + strspn(lists[i].text, " "); *p != '\0';) {
            char *end;
            long port = strtol(p, &end, 10);

            end += strspn(end, " ");
            if (end == p || (*end != ',' && *end != '\0'))
                port = 0;
            int rc = add(dc, lists[i].key, port, lists[i].tunnel, e);
            if (rc < 0)
                return rc;
            p = end + (*end == ',');
            p += strspn(p, " ");
        }
    return 0;
}
