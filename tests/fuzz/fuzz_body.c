/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies of every coding, in layers and as form data, cut anywhere. The first bytes choose which, and whether digests are
 * made and files kept: of those, each begins once and ends once, also when the ring takes nothing any more.
 */
#include "tests/unit/body_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    bool open;
    uint64_t id;
    unsigned room; /* chunks that are taken */
} keeper;

static bool keep(void *arg, const struct app_chunk *c)
{
    if (c->first == keeper.open || (!c->first && c->id != keeper.id) || (c->first && c->last))
        abort();
    if (c->last || keeper.room > 0) {
        keeper.open = !c->last;
        keeper.id = c->id;
    }
    if (keeper.room == 0)
        return false;
    keeper.room--;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct app_limits limits = {.body_window = 256,
                                             .body_start = 1024,
                                             .decompress_ratio = 100,
                                             .decompress_bytes = 1u << 18,
                                             .layers = 4};
    static struct app_lab *l;
    struct body_about about = {.buffers = {BUF_HTTP_REQUEST_BODY, BUF_FILE_DATA},
                               .n_buffers = 2,
                               .name = span_str("name"),
                               .file = true};

    if (size < 5)
        return 0;
    about.dir = data[0] & 1 ? APP_TO_CLIENT : APP_TO_SERVER;
    about.n_codings = data[0] >> 1 & 3;
    for (unsigned i = 0; i < 3; i++)
        about.coding[i] = data[1 + i] % (BODY_LZMA + 1);
    about.depth = data[0] & 8 ? 1000 : 0;
    about.content_type = span_str(data[0] & 16 ? "multipart/form-data; boundary=X" : "text/html");

    if (!l)
        l = body_lab_new(&limits); /* kept from run to run */
    l->app->hooks.file = keep;
    l->app->cfg.store_bytes = 5000;
    app_set_asks(l->app, data[0] & 64 ? ASK_HASHES | ASK_GROWN | ASK_STORE : 0);
    body_state.tx.store = data[0] & 64 ? 3 : 0;
    keeper.room = data[3];
    body_lab_begin(l, &about);
    body_lab_add(l, data + 5, size - 5, 1u + data[4] * 4u);
    body_lab_end(l, data[0] & 32);
    body_lab_forget(l);
    if (keeper.open)
        abort();
    return 0;
}
