/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_DCERPC_H
#define SLUICE_APP_DCERPC_H
/*
 * A DCERPC conversation: what a TCP connection, a named pipe in SMB, or datagrams between two ports carry. Whoever has one
 * gives its bytes to dce_take(), and calls dce_show() and dce_fields() for transactions that dce_owns(). Its transactions
 * are the calls, dce_free() closes them.
 */
#include "ips/app/body.h"

#define DCE_IFACES_MAX 32 /* contexts of a conversation; the oldest goes when there are more */
#define DCE_CALLS_MAX  4  /* calls whose fragments are put together at a time */
#define DCE_IFACE_LEN  18 /* what BUF_DCERPC_IFACE holds: UUID as it is written, major version big-endian */

struct dce_iface {
    uint16_t context;
    bool refused;
    bool again; /* it was offered another time: until that is answered, it may be either */
    uint8_t bytes[DCE_IFACE_LEN], before[DCE_IFACE_LEN];
};

struct dce_call {
    struct app_tx tx;
    uint32_t id;
    uint32_t used; /* when it was begun, in calls; 0: free */
    uint32_t fragments[2];
    uint64_t bytes[2];
    uint8_t activity[16]; /* of datagrams */
    uint8_t iface[2][DCE_IFACE_LEN];
    uint8_t n_ifaces;
    uint16_t opnum;
    bool requested, responded, little;
    struct body stub[2];
};

struct dce_side {
    uint8_t stage;
    uint8_t type, flags;
    bool little;
    uint16_t auth;
    uint32_t id;
    uint32_t left; /* of the PDU, behind what was taken */
    uint32_t stub; /* of them, of the stub */
    struct bytes kept;
    struct dce_call *call;
};

struct dce {
    struct dce_side side[2];
    struct dce_iface *ifaces;         /* DCE_IFACES_MAX of them, when there is one */
    uint16_t offered[DCE_IFACES_MAX]; /* places in ifaces of what the last bind asked for, in its order */
    uint8_t n_ifaces, next_iface, n_offered;
    uint32_t n_calls;
    struct dce_call calls[DCE_CALLS_MAX];
};

enum dce_answer { DCE_OK, DCE_BAD, DCE_STOP /* the packet was dropped */ };

enum dce_answer dce_take(struct app *a, struct dce *d, enum app_dir dir, struct span bytes);
/* A whole datagram of version 4. */
enum dce_answer dce_take_datagram(struct app *a, struct dce *d, enum app_dir dir, struct span bytes);
/* NULL when the transaction is not one of this conversation's. */
struct dce_call *dce_owns(struct dce *d, const struct app_tx *tx);
void dce_show(struct app *a, struct dce_call *call, struct app_tx *tx, enum app_dir dir);
void dce_fields(const struct dce *d, const struct dce_call *call, struct fields *f);
void dce_free(struct app *a, struct dce *d);
#endif
