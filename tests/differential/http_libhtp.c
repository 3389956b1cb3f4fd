/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our HTTP/1 beside libhtp, which Suricata reads HTTP with: every HTTP connection of the captures is read by both, and what they
 * say of each transaction must be the same, or http_explained.c knows why not. Our own reading must be the same however
 * the bytes are cut.
 *
 *     http_libhtp [-v] [CAPTURE|FOLDER|NUMBER]...     -v shows what was explained, too
 *
 * A number is a made-up connection (http_made.c); without arguments ../shared/cases, when it is there, and many made-up ones.
 * Says TAP, and counts in front of it. Exit status 0: nothing is unexplained.
 */
#include "tests/differential/http_libhtp.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[READ_N] = {
#define X(id, name) [READ_##id] = name,
    READ_FIELDS(X)
#undef X
};

static struct {
    unsigned captures, made, unread, connections, transactions, fields, equal, explained, unexplained;
    unsigned pieces, pieces_differ; /* fields of ours, read in pieces */
} total;

static bool verbose;
static const char *capture;

/* --- saying ---------------------------------------------------------------------------------------------------------- */

static uint64_t hash_of(struct span s)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (uint32_t i = 0; i < s.len; i++)
        h = (h ^ s.p[i]) * 0x100000001b3u;
    return h;
}

/* From a little in front of where they differ. */
static void show(const char *who, struct span s, uint32_t from)
{
    printf("#     %-6s %u bytes, %016llx: ", who, s.len, (unsigned long long)hash_of(s));
    if (from > 40)
        printf("[%u]...", from - 40);
    for (uint32_t i = from > 40 ? from - 40 : 0; i < s.len && i < from + 120; i++) {
        if (s.p[i] >= ' ' && s.p[i] < 0x7f && s.p[i] != '\\')
            putchar(s.p[i]);
        else
            printf("\\x%02x", s.p[i]);
    }
    putchar('\n');
}

static void show_difference(const char *what, const struct stream_flow *f, size_t id, const char *field,
                            struct span us, struct span them, const char *who)
{
    uint32_t from = 0;

    while (from < us.len && from < them.len && us.p[from] == them.p[from])
        from++;
    printf("# %s: %s connection %u transaction %zu: %s\n", what, capture, f->number, id, field);
    show("ours", us, from);
    show(who, them, from);
}

/* --- comparing -------------------------------------------------------------------------------------------------------- */

static const struct read_tx nothing;

static const struct read_tx *tx_or_nothing(const struct reading *r, size_t id)
{
    return id < r->n && r->tx[id] ? r->tx[id] : &nothing;
}

static void compare_field(struct pair *p, enum read_field field)
{
    p->field = field;
    p->us = text_span(&p->our_tx->field[field]);
    p->them = text_span(&p->their_tx->field[field]);
    if (p->us.len == 0 && p->them.len == 0)
        return; /* neither has it */
    total.fields++;
    if (span_eq(p->us, p->them)) {
        total.equal++;
        return;
    }
    const char *why = explained(p);
    if (why)
        total.explained++;
    else
        total.unexplained++;
    if (!why || verbose)
        show_difference(why ? why : "UNEXPLAINED", p->flow, p->id, names[field], p->us, p->them, "libhtp");
}

static void compare(const struct stream_flow *f, const struct reading *our, const struct reading *their)
{
    size_t n = our->n > their->n ? our->n : their->n;

    for (size_t id = 0; id < n; id++) {
        struct pair p = {.flow = f,
                         .our = our,
                         .their = their,
                         .our_tx = tx_or_nothing(our, id),
                         .their_tx = tx_or_nothing(their, id),
                         .id = id};

        total.transactions++;
        for (unsigned field = 0; field < READ_N; field++)
            compare_field(&p, (enum read_field)field);
    }
}

static void compare_pieces(const struct stream_flow *f, const struct reading *whole,
                           const struct reading *cut)
{
    size_t n = whole->n > cut->n ? whole->n : cut->n;

    for (size_t id = 0; id < n; id++)
        for (unsigned field = 0; field < READ_N; field++) {
            struct span us = text_span(&tx_or_nothing(whole, id)->field[field]),
                        other = text_span(&tx_or_nothing(cut, id)->field[field]);

            if (us.len == 0 && other.len == 0)
                continue;
            total.pieces++;
            if (span_eq(us, other))
                continue;
            total.pieces_differ++;
            show_difference("IN PIECES", f, id, names[field], us, other, "pieces");
        }
}

/* --- captures --------------------------------------------------------------------------------------------------------- */

/* What everybody calls a request. */
static bool is_request(const struct stream_flow *f)
{
    const struct turn *t = NULL;

    for (size_t i = 0; i < f->n_turns && !t; i++)
        if (f->turns[i].dir == APP_TO_SERVER && f->turns[i].len > 0)
            t = &f->turns[i];
    if (!t || t->len < 16 || (memcmp(t->p, "GET /", 5) != 0 && memcmp(t->p, "POST /", 6) != 0))
        return false;
    const uint8_t *end = memchr(t->p, '\n', t->len);
    return end && memmem(t->p, (size_t)(end - t->p), " HTTP/1.", 8);
}

static void read_flow(const struct stream_flow *f)
{
    struct reading our = {0}, their = {0}, cut = {0};

    read_with_ours(f, CUT_WHOLE, &our);
    if (our.recognised || is_request(f)) {
        total.connections++;
        read_with_libhtp(f, &their);
        compare(f, &our, &their);
        for (enum cutting how = CUT_BYTES; how <= CUT_RANDOM; how++) {
            read_with_ours(f, how, &cut);
            compare_pieces(f, &our, &cut);
            reading_free(&cut);
        }
    }
    reading_free(&our);
    reading_free(&their);
}

static int take_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
    const char *end = strrchr(path, '.'), *why;

    if (type != FTW_F || !end || (strcmp(end, ".pcap") != 0 && strcmp(end, ".pcapng") != 0))
        return 0;
    capture = path;
    struct stream_flow *all = streams_read(path, &why);
    if (why) {
        total.unread++;
        printf("# %s: %s\n", path, why);
    }
    unsigned before = total.connections;
    for (const struct stream_flow *f = all; f; f = f->next)
        read_flow(f);
    streams_free(all);
    total.captures += total.connections > before;
    return 0;
}

/* --- made-up connections ------------------------------------------------------------------------------------------------ */

#define MADE 5000

static void take_made(unsigned number)
{
    struct stream_flow f;

    capture = "made-up";
    make_flow(number, &f);
    read_flow(&f);
    total.made++;
    if (verbose)
        for (size_t i = 0; i < f.n_turns; i++)
            show(f.turns[i].dir == APP_TO_SERVER ? "client" : "server",
                 span_of(f.turns[i].p, (uint32_t)f.turns[i].len), 0);
    for (size_t i = 0; i < f.n_turns; i++)
        free(f.turns[i].p);
    free(f.turns);
}

static void take_argument(const char *s)
{
    char *end;
    unsigned long number = strtoul(s, &end, 10);

    if (*end == '\0')
        take_made((unsigned)number);
    else
        nftw(s, take_file, 16, FTW_PHYS);
}

static void say_row(const char *why, unsigned n)
{
    printf("# %6u  %s\n", n, why);
}

int main(int argc, char **argv)
{
    int first = argc > 1 && strcmp(argv[1], "-v") == 0 ? 2 : 1;

    verbose = first == 2;
    for (int i = first; i < argc; i++)
        take_argument(argv[i]);
    if (first == argc) {
        nftw("../shared/cases", take_file, 16, FTW_PHYS);
        for (unsigned i = 0; i < MADE; i++)
            take_made(i);
    }
    explained_counts(say_row);
    printf("# %u captures with HTTP and %u made up, %u connections, %u transactions, %u fields: "
           "%u equal, %u explained, %u not explained\n",
           total.captures, total.made, total.connections, total.transactions, total.fields, total.equal,
           total.explained, total.unexplained);
    printf("# %u fields of ours read in pieces: %u differ\n", total.pieces, total.pieces_differ);
    printf("1..2\n%sok 1 - libhtp reads the same\n", total.unexplained || total.fields == 0 ? "not " : "");
    printf("%sok 2 - pieces of any length say the same\n", total.pieces_differ ? "not " : "");
    return total.unexplained || total.pieces_differ || total.fields == 0;
}
