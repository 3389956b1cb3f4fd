/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_LIMITS_H
#define SLUICE_APP_LIMITS_H
/*
 * What parsers do at most. Those that an operator may want to change are members of struct app_limits (app.* in the
 * configuration, ips.yaml(5)); all others are constants beside the code that obeys them, named *_MAX.
 */
#include <stdbool.h>
#include <stdint.h>

struct app_limits {
    uint32_t body_window;  /* bytes of a body or file that rules can look back into */
    uint32_t body_start;   /* the first so many bytes of it stay together */
    uint64_t request_body; /* of a body that rules look into; 0: all of it */
    uint64_t response_body;
    uint64_t file_depth;       /* the same of files elsewhere (SMTP, FTP, SMB) */
    uint32_t decompress_ratio; /* a body that grows more than that when it is decompressed... */
    uint64_t decompress_bytes; /* ...beyond so many bytes is given up */
    uint32_t layers;           /* of compression */
    uint32_t header_line;      /* bytes of one header or command line */
    uint32_t headers_bytes;    /* of all headers of a message */
    uint32_t headers;          /* lines of them */
    uint32_t transactions;     /* of a flow that are open at a time */
    uint32_t ftp_commands;     /* of a control connection that wait for their replies */
    bool encryption_bypass;    /* after a handshake the flow is bypassed */
    bool ja3, ja4, hassh;      /* fingerprints are made */
};
#define APP_LIMITS_DEFAULT                                                                                \
    {                                                                                                     \
        .body_window = 8192, .body_start = 32768, .request_body = 0, .response_body = 0, .file_depth = 0, \
        .decompress_ratio = 2048, .decompress_bytes = 16u << 20, .layers = 4, .header_line = 18432,       \
        .headers_bytes = 65536, .headers = 512, .transactions = 256, .ftp_commands = 1024, .ja3 = true,   \
        .ja4 = true, .hassh = true,                                                                       \
    }
#endif
