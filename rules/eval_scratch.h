/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_EVAL_SCRATCH_H
#define SLUICE_RULES_EVAL_SCRATCH_H
/* Private to rules/. What PCRE2, transforms and base64_decode need to work without asking the heap; one per worker. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <openssl/types.h>
#include "rules/eval.h"

#define PCRE_MATCH_LIMIT        3500 /* internal steps of one match, Suricata's default */
#define PCRE_DEPTH_LIMIT        1500
#define PCRE_MATCH_LIMIT_RAISED 35000 /* with the flag O */
#define PCRE_JIT_STACK_BYTES    (512u << 10)
#define PCRE_POOL_BYTES         (2u << 20) /* the interpreter's frames; untouched while JIT code runs */
#define PCRE_HEAP_LIMIT_KB      512
#define BASE64_MAX              65535 /* bytes decoded by one base64_decode */

struct eval_scratch {
    pcre2_general_context *gctx; /* allocates from the pool */
    pcre2_match_data *match_data;
    pcre2_match_data *match_data_groups; /* with room for the first group */
    pcre2_match_context *mctx;           /* the usual limits */
    pcre2_match_context *mctx_raised;
    pcre2_jit_stack *jit_stack;
    uint8_t *pool;
    size_t pool_used;
    EVP_MD_CTX *digest[3]; /* MD5, SHA-1, SHA-256, ready to start */
    uint8_t *area;         /* TRANSFORM_AREA bytes: transformed buffers of the packet in hand */
    uint32_t area_used;
    uint8_t *base64; /* BASE64_MAX bytes: what base64_decode made for the rule in hand */
};
#endif
