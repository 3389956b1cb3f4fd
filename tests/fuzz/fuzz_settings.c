/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as one of the files beside the rules: threshold.config, datasets of every type, reputation. What is
 * refused must be refused with a place and a remedy; what is loaded must answer.
 *
 * Input: one byte that says which file it is, then the file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rules/eval.h"
#include "rules/ruleset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    THRESHOLDS,
    CATEGORIES,
    REPUTATION,
    SET_STRING,
    SET_MD5,
    SET_SHA256,
    SET_IPV4,
    SET_IP,
    SET_REP,
    N_KINDS
};

/* A file that lives as long as its descriptor. */
static int file_of(const void *bytes, size_t n, char path[64])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        abort();
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static const char *option(unsigned kind, const char *path, char text[256])
{
    static const char *const types[] = {[SET_STRING] = "string",
                                        [SET_MD5] = "md5",
                                        [SET_SHA256] = "sha256",
                                        [SET_IPV4] = "ipv4",
                                        [SET_IP] = "ip"};

    if (kind == SET_REP)
        snprintf(text, 256, "udp.hdr; datarep:fuzz,>,7,type string,load %s;", path);
    else if (kind >= SET_STRING)
        snprintf(text, 256, "udp.hdr; dataset:isset,fuzz,type %s,load %s;", types[kind], path);
    else
        snprintf(text, 256, "%s", kind == THRESHOLDS ? "" : "iprep:any,A,>,3;");
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char input[64], rules[64], categories[64], text[512], opt[256];
    const char *files[1] = {rules}, *reputation[1] = {input};
    struct ruleset_source src = {.files = files, .n_files = 1, .n_workers = 1};
    struct err_list errs;

    if (size == 0)
        return 0;
    unsigned kind = data[0] % N_KINDS;
    int in = file_of(data + 1, size - 1, input), cat = file_of("1,A,a\n2,B,b\n", 12, categories);
    int n =
        snprintf(text, sizeof(text), "alert udp any any -> any any (%s sid:1;)\n", option(kind, input, opt));
    int rule = file_of(text, (size_t)n, rules);

    if (kind == THRESHOLDS) {
        src.threshold_file = input;
    } else if (kind == CATEGORIES || kind == REPUTATION) {
        src.reputation_categories = kind == CATEGORIES ? input : categories;
        src.reputation_files = reputation;
        src.n_reputation_files = kind == REPUTATION;
    }
    err_list_init(&errs);
    struct ruleset *rs = ruleset_build(&src, &errs);
    for (size_t i = 0; i < errs.n; i++)
        if (errs.v[i].remedy[0] == '\0' || errs.v[i].line < 1)
            abort();
    if (rs == NULL && errs.n == 0)
        abort();
    ruleset_free(rs);
    err_list_fini(&errs);
    close(in), close(rule), close(cat);
    return 0;
}
