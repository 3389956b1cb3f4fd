/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What IIS makes of a character that its code page does not have: the ASCII character that looks like it, by Microsoft's best
 * fit for code page 1252. "%u2215" in a target is a slash there. Facts, and a search in them.
 *
 * Any thread. Owns nothing.
 */
#include "ips/app/http.h"

/* Runs of characters from the first on; '.' has none (and is nobody's best fit). In order. */
static const struct run {
    uint16_t first;
    const char *fit;
} runs[] = {
    {0x0100, "AaAaAaCcCcCcCcDd.dEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIi..JjKk.LlLlLl..LlNnNnNn...OoOoOo.."
             "RrRrRrSsSsSs..TtTtTtUuUuUuUuUuUuWwYy.Z.Zz...b"},
    {0x0197, "I..l....OOo"},
    {0x01ab, "t..TUu.....z"},
    {0x01c0, "|..!"},
    {0x01cd, "AaIiOoUuUuUuUuUu.Aa....GgGgKkOoOo..j"},
    {0x0261, "g"},
    {0x02b9, "'\".'.......^...'..`._"},
    {0x0300, "`.^~"},
    {0x030e, "\""},
    {0x0331, "__"},
    {0x037e, ";"},
    {0x0393, "G....T"},
    {0x03a3, "S..F..O.......a..de"},
    {0x03c0, "p..st.f"},
    {0x04bb, "h"},
    {0x0589, ":"},
    {0x066a, "%"},
    {0x2000, "       "},
    {0x2010, "--.....="},
    {0x2032, "'..`"},
    {0x2044, "/"},
    {0x2074, "45678......n0123456789"},
    {0x20a7, "P"},
    {0x2102, "C....E..gHHHh.IILl.N..PPQRRR......Z...Z.K.BCeeEF.Mo"},
    {0x2212, "-../\\*..v...8....|.....n"},
    {0x2236, ":.....~"},
    {0x2261, "=..=="},
    {0x2303, "^"},
    {0x2320, "().......<>"},
    {0x2500, "-"},
    {0x250c, "+...+...+...+...+"},
    {0x252c, "-.......-.......+"},
    {0x2550, "-.++++++++++++......------+++"},
    {0x2584, "_"},
    {0x2758, "|"},
    {0x3000, " .......<>"},
    {0x301a, "[]"},
};

uint8_t http_best_fit(uint32_t c)
{
    uint32_t low = 0, high = sizeof(runs) / sizeof(runs[0]);

    if (c < 256)
        return (uint8_t)c;
    if (c >= 0xff01 && c <= 0xff5e) /* the wide forms of ASCII */
        return (uint8_t)(c - 0xff01 + '!');
    while (low < high) { /* the first run behind c */
        uint32_t middle = (low + high) / 2;

        if (runs[middle].first <= c)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return '?';
    const struct run *r = &runs[low - 1];
    uint32_t at = c - r->first;
    return at < strlen(r->fit) && r->fit[at] != '.' ? (uint8_t)r->fit[at] : '?';
}
