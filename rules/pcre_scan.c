/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From PCRE2 to Hyperscan, as a prefilter: whatever PCRE2 would match, the result must find too. What it finds beyond
 * that costs an evaluation and changes nothing, because PCRE2 confirms.
 *
 *     PCRE2 option    Hyperscan
 *     i s m           CASELESS DOTALL MULTILINE
 *     A               \A(?:...)
 *     E G             nothing: $ before a final newline finds more; greed does not decide whether there is a match
 *     x               refused: layout and comments are read differently enough
 *
 * Expressions that Hyperscan does not take as they are (back-references, look-around, possessive quantifiers) are
 * compiled with HS_FLAG_PREFILTER, which widens what it cannot express. Expressions that match the empty text, very
 * long ones and those with large repetitions, which take long to compile, are refused. Each is compiled once alone to
 * know that the ruleset's database will take it. Control thread.
 */
#include "rules/pcre_scan.h"

#include <ctype.h>
#include <hs/hs.h>
#include <stdio.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define REPEAT_MAX 128  /* the largest number in braces */
#define WORK_MAX   2048 /* bytes of the expression, and 8 for each repetition asked for */

/* A rough measure of what the numbers in braces multiply to; the expression is plain text to it. */
static bool is_small(struct span text)
{
    uint64_t work = text.len;

    for (uint32_t i = 0; i + 1 < text.len; i++) {
        uint64_t n = 0, most = 0;

        if (text.p[i] != '{' || !isdigit(text.p[i + 1]))
            continue;
        for (i++; i < text.len && (isdigit(text.p[i]) || text.p[i] == ','); i++) {
            n = text.p[i] == ',' ? 0 : n * 10 + (text.p[i] - '0');
            if (n > REPEAT_MAX)
                return false;
            most = n > most ? n : most;
        }
        work += most * 8;
    }
    return work <= WORK_MAX;
}

static bool compiles(const char *text, unsigned flags)
{
    hs_database_t *db = NULL;
    hs_compile_error_t *why = NULL;
    bool ok = hs_compile(text, flags, HS_MODE_BLOCK, NULL, &db, &why) == HS_SUCCESS;

    hs_free_compile_error(why);
    hs_free_database(db);
    return ok;
}

bool pcre_scan(struct span text, uint32_t options, struct pcre_scan *out)
{
    static const struct {
        uint32_t pcre2;
        unsigned hs;
    } same[] = {{PCRE2_CASELESS, HS_FLAG_CASELESS},
                {PCRE2_DOTALL, HS_FLAG_DOTALL},
                {PCRE2_MULTILINE, HS_FLAG_MULTILINE}};
    bool anchored = (options & PCRE2_ANCHORED) != 0;

    if ((options & PCRE2_EXTENDED) || text.len == 0 || text.len > PCRE_SCAN_MAX ||
        memchr(text.p, '\0', text.len) != NULL || !is_small(text))
        return false;
    snprintf(out->text, sizeof(out->text), "%s%.*s%s", anchored ? "\\A(?:" : "", (int)text.len,
             (const char *)text.p, anchored ? ")" : "");
    out->flags = 0;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        out->flags |= options & same[i].pcre2 ? same[i].hs : 0;
    if (compiles(out->text, out->flags))
        return true;
    out->flags |= HS_FLAG_PREFILTER;
    return compiles(out->text, out->flags);
}
