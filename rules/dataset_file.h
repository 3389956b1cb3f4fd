/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_DATASET_FILE_H
#define SLUICE_RULES_DATASET_FILE_H
/*
 * Private to rules/. Datasets as text, one value a line: strings in base64, digests in hexadecimal, addresses as they are
 * written; behind a comma the reputation when the set has one. Control threads.
 */
#include "rules/dataset.h"

struct dataset_file {
    uint8_t *bytes; /* heap */
    size_t len;
    uint32_t n_lines;
    uint64_t value_bytes; /* not less than what the values need in a set */
};

/* Reads the whole file and sees how much room it needs. -errno with *e filled; -ENOENT too. */
int dataset_file_open(struct dataset_file *f, const char *path, struct err *e);
void dataset_file_close(struct dataset_file *f);
/* Adds every value; bad lines and values beyond the set's room go to errs. The number of errors. */
uint32_t dataset_file_load(struct dataset_file *f, const char *path, bool rep, struct dataset *d,
                           struct err_list *errs);
/* Writes beside the path and renames, so that a broken write leaves the old file. */
int dataset_file_save(const char *path, const struct dataset *d, struct err *e);
#endif
