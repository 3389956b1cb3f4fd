/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transforms behind a sticky buffer: what follows looks into the result (rules/transforms.c has what each does).
 *
 *     http.host; dotprefix; content:".evil.example"; endswith;
 *
 * They may be chained. One that stands behind an option that looked into the buffer changes nothing for that one, only
 * for what follows it (Suricata 7 refuses such a rule; ET Open has one). Control thread.
 */
#include <ctype.h>

#include "rules/builder.h"
#include "rules/eval_scratch.h"
#include "rules/dialect.h"
#include "rules/keywords.h"

static struct transform *add(struct draft *d, const struct option *o, enum transform_kind kind)
{
    struct transform *t;

    if (d->buffer.base == BUF_PAYLOAD || d->buffer.base == BUF_BASE64) {
        draft_fail(d, o->name.p, "write a sticky buffer such as http.host; before it",
                   "%s: only a sticky buffer can be transformed", o->kw->name);
        return NULL;
    }
    d->buffer_fresh =
        true; /* behind a content it is as if the buffer were named anew: what follows sees the result */
    if (d->buffer.n == TRANSFORMS_MAX) {
        draft_fail(d, o->name.p, "remove some", "%s: more than %d transforms of one buffer", o->kw->name,
                   TRANSFORMS_MAX);
        return NULL;
    }
    t = &d->buffer.list[d->buffer.n++];
    *t = (struct transform){.kind = (uint8_t)kind};
    return t;
}

/* The key is written in hexadecimal. */
static bool parse_xor(struct draft *d, const struct option *o)
{
    struct transform *t = add(d, o, TRANSFORM_XOR);
    uint8_t *key = arena_alloc(d->b->arena, (size_t)o->value.len / 2 + 1);

    if (t == NULL)
        return false;
    if (key == NULL)
        return draft_no_memory(d);
    for (uint32_t i = 0; i < o->value.len; i++) {
        uint8_t c = o->value.p[i];

        if (!isxdigit(c) || o->value.len % 2 != 0 || o->value.len > 512)
            return draft_fail(d, o->value.p, o->kw->usage, "xor: '%.*s' is no key", TEXT_ARG(o->value));
        key[i / 2] = (uint8_t)(key[i / 2] << 4 | (isdigit(c) ? c - '0' : tolower(c) - 'a' + 10));
    }
    t->data = key;
    t->len = (uint16_t)(o->value.len / 2);
    return true;
}

static bool parse_pcrexform(struct draft *d, const struct option *o)
{
    struct transform *t = add(d, o, TRANSFORM_PCREXFORM);
    struct builder *b = d->b;
    void *codes = b->codes;
    uint32_t groups = 0;
    PCRE2_SIZE at = 0;
    int error = 0;
    pcre2_code *code;

    if (t == NULL || !builder_grow(b, &codes, &b->cap_codes, b->n_codes, sizeof(*b->codes)))
        return false;
    b->codes = codes;
    if (o->value.len > 1024)
        return draft_fail(d, o->value.p, "shorten it", "pcrexform: more than 1024 bytes");
    code = pcre2_compile(o->value.p, o->value.len, PCRE2_NEVER_UTF | PCRE2_NEVER_UCP, &error, &at, NULL);
    if (code == NULL) {
        PCRE2_UCHAR why[160];

        pcre2_get_error_message(error, why, sizeof(why));
        return draft_fail(d, o->value.p + (at <= o->value.len ? at : 0),
                          "correct the expression (pcre2pattern(3))", "pcrexform: %s", (char *)why);
    }
    b->codes[b->n_codes++] = code;
    if (!b->pcre_no_jit)
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it the interpreter runs */
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
    if (groups != 1)
        return draft_fail(d, o->value.p, "write one pair of parentheses; (?:...) counts as none",
                          "pcrexform: the expression must have one group, which the buffer becomes");
    t->data = code;
    return true;
}

#define PLAIN(word, KIND)                                                                 \
    static bool parse_##word(struct draft *d, const struct option *o)                     \
    {                                                                                     \
        return add(d, o, TRANSFORM_##KIND) != NULL;                                       \
    }                                                                                     \
    const struct keyword kw_##word = {.name = #word,                                      \
                                      .usage = "write " #word "; behind a sticky buffer", \
                                      .value = VALUE_NONE,                                \
                                      .dialects = IN_SURICATA,                            \
                                      .parse = parse_##word}

PLAIN(dotprefix, DOTPREFIX);
PLAIN(to_lowercase, TO_LOWERCASE);
PLAIN(to_uppercase, TO_UPPERCASE);
PLAIN(strip_whitespace, STRIP_WHITESPACE);
PLAIN(compress_whitespace, COMPRESS_WHITESPACE);
PLAIN(url_decode, URL_DECODE);
PLAIN(header_lowercase, HEADER_LOWERCASE);
PLAIN(strip_pseudo_headers, STRIP_PSEUDO_HEADERS);
PLAIN(to_md5, TO_MD5);
PLAIN(to_sha1, TO_SHA1);
PLAIN(to_sha256, TO_SHA256);

const struct keyword kw_xor = {
    .name = "xor",
    .usage = "write xor:\"0d0ac8ff\"; with the key in hexadecimal, up to 256 bytes",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .parse = parse_xor,
};

const struct keyword kw_pcrexform = {
    .name = "pcrexform",
    .usage = "write pcrexform:\"expression with one (group)\"; behind a sticky buffer",
    .value = VALUE_QUOTED,
    .dialects = IN_SURICATA,
    .parse = parse_pcrexform,
};
