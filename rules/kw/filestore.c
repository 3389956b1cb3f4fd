/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filestore: when the rule has matched, files are kept on disk.
 *
 *     filestore;                                         the transaction's files in the direction that matched
 *     filestore:DIRECTION[,SCOPE];                       request, to_server, response, to_client, both
 *                                                        file, tx: of the transaction; ssn, flow: from now on, of the flow
 *
 * A rule about packets or streams has no transaction: it is taken as if it said flow. A rule that looks at nothing else is
 * about files: it matches each transaction that carries one. Whether anything is stored, and where, is the
 * configuration's business (app.filestore); rules match either way. Control thread.
 */
#include "rules/kw/filestore.h"

#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/source.h"

static const struct {
    const char *word;
    uint8_t bits;
    bool scope;
} words[] = {
    {"request", FILESTORE_TO_SERVER, false},
    {"to_server", FILESTORE_TO_SERVER, false},
    {"response", FILESTORE_TO_CLIENT, false},
    {"to_client", FILESTORE_TO_CLIENT, false},
    {"both", FILESTORE_TO_SERVER | FILESTORE_TO_CLIENT, false},
    {"file", 0, true},
    {"tx", 0, true},
    {"ssn", FILESTORE_FLOW, true},
    {"flow", FILESTORE_FLOW, true},
};
#define N_WORDS (sizeof(words) / sizeof(words[0]))

static bool parse_filestore(struct draft *d, const struct option *o)
{
    struct span rest = text_trim(o->value), word;
    bool more = rest.len > 0, scope = false;
    uint8_t bits = 0;

    while (more) {
        unsigned i = 0;

        more = text_split(&rest, ',', &word);
        word = text_trim(word);
        while (i < N_WORDS && (words[i].scope != scope || !text_eq_nocase(word, words[i].word)))
            i++;
        if (i == N_WORDS)
            return draft_fail(d, word.p, o->kw->usage, "filestore: '%.*s' is no %s", TEXT_ARG(word),
                              scope ? "scope" : "direction");
        bits |= words[i].bits;
        if (scope && more)
            return draft_fail(d, rest.p, o->kw->usage, "filestore: too many words");
        scope = true;
    }
    d->info.filestore = bits & (FILESTORE_TO_SERVER | FILESTORE_TO_CLIENT) ? bits : bits | FILESTORE_MATCHED;
    return true;
}

static bool match_any(const struct step *s, struct eval *e)
{
    return eval_buffer(e, s->buffer).p != NULL;
}

const struct keyword kw_filestore = {
    .name = "filestore",
    .usage =
        "write filestore; or filestore:DIRECTION,SCOPE; with request, response or both, and file, tx or flow",
    .value = VALUE_OPTIONAL,
    .flags = KEYWORD_ONCE,
    .dialects = IN_SURICATA,
    .parse = parse_filestore,
    .match = match_any,
};

void filestore_check(struct draft *d)
{
    struct draft_step *s;

    if (d->info.filestore == 0)
        return;
    for (uint32_t i = 0; i < d->n_steps; i++)
        if (d->steps[i].step.flow != STEP_TEST)
            return;
    s = draft_step_add(d, &kw_filestore, d->text->text.p);
    if (s == NULL)
        return;
    buffers_look(d, s, BUF_FILE_GROWN);
    s->step.flow = STEP_AT;
    s->fresh = true;
}
