/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_FTP_PARTS_H
#define SLUICE_APP_FTP_PARTS_H
/*
 * Between the files of FTP:
 *   ftp.c        lines of both directions, transactions
 *   ftp_port.c   where data connections go: PORT, EPRT, PASV, EPSV
 *   ftp_data.c   the data connections
 */
#include "ips/app/memory.h"
#include "ips/io/packet.h"

#define FTP_LINE_MAX 4096 /* bytes of a command or reply */
#define FTP_KEPT_MAX 8192 /* bytes of replies that a transaction keeps; all are published */

/* Commands that say something about data connections. The numbers are the first byte of a note for one. */
enum ftp_verb { FTP_OTHER, FTP_PORT, FTP_EPRT, FTP_PASV, FTP_EPSV, FTP_AUTH, FTP_STOR, FTP_RETR, FTP_LIST };

enum ftp_mode { FTP_NO_MODE, FTP_ACTIVE, FTP_PASSIVE };

struct ftp_end { /* where a data connection goes to */
    uint16_t port;
    bool has_addr;
    struct addr addr;
};

/* "h1,h2,h3,h4,p1,p2", wherever it is in s: PORT, and the reply to PASV. */
bool ftp_port_numbers(struct span s, struct ftp_end *e);
/* "|1|192.0.2.1|1234|" or, in the reply to EPSV, "|||1234|". */
bool ftp_port_extended(struct span s, struct ftp_end *e);
#endif
