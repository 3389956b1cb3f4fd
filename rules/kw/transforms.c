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
#include "rules/source.h"

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

/* The key in hexadecimal, with quotes around it or not. */
static bool parse_key(struct draft *d, const struct option *o, struct transform *t, struct span text)
{
    uint8_t *key = arena_alloc(d->b->arena, (size_t)text.len / 2 + 1);

    if (key == NULL)
        return draft_no_memory(d);
    if (text.len >= 2 && text.p[0] == '"' && text.p[text.len - 1] == '"')
        text = text_trim(span_sub(text, 1, text.len - 2));
    if (text.len == 0 || text.len % 2 != 0 || text.len / 2 > UINT8_MAX)
        return draft_fail(d, text.p, o->kw->usage, "xor: '%.*s' is no key", TEXT_ARG(text));
    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];

        if (!isxdigit(c))
            return draft_fail(d, text.p + i, o->kw->usage, "xor: '%.*s' is no key", TEXT_ARG(text));
        key[i / 2] = (uint8_t)(key[i / 2] << 4 | (isdigit(c) ? c - '0' : tolower(c) - 'a' + 10));
    }
    t->data = key;
    t->len = (uint8_t)(text.len / 2);
    return true;
}

/* Whether text begins with the word and a blank; then *rest is what follows them. */
static bool takes_word(struct span text, const char *word, struct span *rest)
{
    struct span head;

    *rest = text;
    text_split(rest, ' ', &head);
    *rest = text_trim(*rest);
    return span_eq_str(head, word);
}

/* [offset N,] KEY | extract BYTES PLACE. The offset is where decoding begins; the place is the key's, in the buffer. */
static bool parse_xor(struct draft *d, const struct option *o)
{
    struct transform *t = add(d, o, TRANSFORM_XOR);
    struct span text = o->value, rest, number;
    uint64_t from = 0, len, at;

    if (t == NULL)
        return false;
    if (takes_word(text, "offset", &rest)) {
        if (!text_split(&rest, ',', &number) || !text_u64(text_trim(number), UINT16_MAX, &from))
            return draft_fail(d, o->value.p, o->kw->usage, "xor: '%.*s' is no offset and key",
                              TEXT_ARG(o->value));
        text = text_trim(rest);
    }
    t->from = (uint16_t)from;
    if (!takes_word(text, "extract", &rest))
        return parse_key(d, o, t, text);
    text_split(&rest, ' ', &number);
    if (!text_u64(number, UINT8_MAX, &len) || len == 0 || !text_u64(text_trim(rest), UINT16_MAX, &at))
        return draft_fail(d, text.p, o->kw->usage, "xor: '%.*s' does not say where the key is",
                          TEXT_ARG(text));
    t->len = (uint8_t)len;
    t->key_at = (uint16_t)at;
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
    .usage =
        "write xor:\"0d0ac8ff\"; with the key in hexadecimal, up to 255 bytes, or xor:offset 4,\"0d0a\"; to "
        "leave the first 4 bytes as they are, or xor:offset 4,extract 4 0; for a key of 4 bytes at the "
        "buffer's byte 0",
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
