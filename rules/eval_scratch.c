/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's scratch: for pcre match data, contexts with the limits in them and a JIT stack; for transforms
 * digest contexts and room for their results; for base64_decode room for what it decodes.
 *
 * PCRE2 takes memory while it matches only when its interpreter runs (a pattern or a machine the JIT compiler
 * refuses). For that case it is given an allocator of its own, a bump pool made here, large enough for every
 * doubling of its frames up to PCRE_HEAP_LIMIT_KB; when it is used up the match ends with an error, which counts
 * as a limit. So no worker ever calls malloc. Owner: the worker, which frees it when it stops.
 */
#include "rules/eval_scratch.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/evp.h>

static void *pool_alloc(size_t bytes, void *arg)
{
    struct eval_scratch *s = arg;
    size_t at = (s->pool_used + 15) & ~(size_t)15;

    if (bytes > PCRE_POOL_BYTES - at)
        return NULL;
    s->pool_used = at + bytes;
    return s->pool + at;
}

static void pool_free(void *p, void *arg)
{
    (void)p;
    (void)arg; /* the pool dies as a whole */
}

static pcre2_match_context *context(struct eval_scratch *s, uint32_t match_limit)
{
    pcre2_match_context *m = pcre2_match_context_create(s->gctx);

    if (m == NULL)
        return NULL;
    pcre2_set_match_limit(m, match_limit);
    pcre2_set_depth_limit(m, PCRE_DEPTH_LIMIT);
    pcre2_set_heap_limit(m, PCRE_HEAP_LIMIT_KB);
    if (s->jit_stack != NULL)
        pcre2_jit_stack_assign(m, NULL, s->jit_stack);
    return m;
}

static bool digests_new(struct eval_scratch *s)
{
    const EVP_MD *const kinds[] = {EVP_md5(), EVP_sha1(), EVP_sha256()};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        s->digest[i] = EVP_MD_CTX_new();
        if (s->digest[i] == NULL || EVP_DigestInit_ex(s->digest[i], kinds[i], NULL) != 1)
            return false;
    }
    return true;
}

struct eval_scratch *eval_scratch_new(struct err *e)
{
    struct eval_scratch *s = calloc(1, sizeof(*s));

    if (s != NULL && (s->pool = malloc(PCRE_POOL_BYTES)) != NULL &&
        (s->gctx = pcre2_general_context_create(pool_alloc, pool_free, s)) != NULL &&
        (s->match_data = pcre2_match_data_create(1, s->gctx)) != NULL &&
        (s->match_data_groups = pcre2_match_data_create(2, s->gctx)) != NULL &&
        (s->area = malloc(TRANSFORM_AREA)) != NULL && (s->base64 = malloc(BASE64_MAX)) != NULL &&
        digests_new(s)) {
        uint32_t has_jit = 0;

        pcre2_config(PCRE2_CONFIG_JIT, &has_jit);
        s->jit_stack = has_jit ? pcre2_jit_stack_create(32u << 10, PCRE_JIT_STACK_BYTES, NULL) : NULL;
        s->mctx = context(s, PCRE_MATCH_LIMIT);
        s->mctx_raised = context(s, PCRE_MATCH_LIMIT_RAISED);
        if (s->mctx != NULL && s->mctx_raised != NULL && (s->jit_stack != NULL || !has_jit))
            return s;
    }
    eval_scratch_free(s);
    err_set(e, -ENOMEM, "no memory for a worker's scratch for rules (%u kB)",
            (PCRE_POOL_BYTES + PCRE_JIT_STACK_BYTES + TRANSFORM_AREA + BASE64_MAX) >> 10);
    err_remedy(e, "give the machine more memory, or configure fewer workers");
    return NULL;
}

void eval_scratch_free(struct eval_scratch *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < sizeof(s->digest) / sizeof(s->digest[0]); i++)
        EVP_MD_CTX_free(s->digest[i]);
    free(s->area);
    free(s->base64);
    pcre2_jit_stack_free(s->jit_stack);
    free(s->pool); /* everything else lies in it */
    free(s);
}
