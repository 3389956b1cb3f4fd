/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_NTLMSSP_H
#define SLUICE_APP_NTLMSSP_H
/*
 * Who logs in: NTLMSSP's AUTHENTICATE message (MS-NLMP 2.2.1.3) in a token of whatever carries it (SMB, HTTP, RDP), bare
 * or inside SPNEGO. Any thread; spans are of the token.
 */
#include <stdbool.h>
#include "ips/base/span.h"

enum ntlmssp_answer { NTLMSSP_NONE, NTLMSSP_OTHER /* another message of it */, NTLMSSP_LOGIN, NTLMSSP_BAD };

struct ntlmssp {
    struct span domain, user, host;
    bool unicode; /* they are UTF-16, little-endian */
};

enum ntlmssp_answer ntlmssp_parse(struct span token, struct ntlmssp *out);
#endif
