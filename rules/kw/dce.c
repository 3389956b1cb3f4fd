/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dcerpc.iface, dce_iface: the interface that a DCERPC call is made to.
 *
 *     dcerpc.iface:UUID [,version condition] [,any_frag];      dce_iface:uuid UUID [,version condition] [,any_frag];
 *
 * The condition is about the major version: N, <N, >N, =N, !N; Snort writes "version" in front of it. any_frag asks for
 * nothing here: all fragments of a call have its interface. Both are keywords of a buffer that no rule can name otherwise:
 * UUID and version as bytes (ips/app/dcerpc.h). dcerpc.opnum is in app_numbers.c. Parsing in the control thread, matching
 * in workers.
 */
#include <ctype.h>

#include "rules/buffers.h"
#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/number.h"
#include "rules/source.h"

#define UUID_LEN  16
#define UUID_TEXT "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"

struct iface { /* in the arena */
    uint8_t uuid[UUID_LEN];
    bool any_version;
    struct number_cond version;
};

static unsigned digit(uint8_t c)
{
    return c <= '9' ? c - (unsigned)'0' : (c | 0x20u) - 'a' + 10;
}

static bool read_uuid(struct span text, uint8_t uuid[UUID_LEN])
{
    static const char form[] = UUID_TEXT;
    uint32_t n = 0;

    if (text.len != sizeof(form) - 1)
        return false;
    for (uint32_t i = 0; i < text.len; i++) {
        if (form[i] == 'x' ? !isxdigit(text.p[i]) : text.p[i] != '-')
            return false;
        if (form[i] != 'x')
            continue;
        uuid[n / 2] = (uint8_t)(uuid[n / 2] << 4 | digit(text.p[i]));
        n++;
    }
    return true;
}

/* A word in front of a value, as Snort 3 writes it. */
static struct span behind(struct span text, const char *word)
{
    uint32_t n = (uint32_t)strlen(word);

    if (text.len > n && memcmp(text.p, word, n) == 0 && text.p[n] == ' ')
        return text_trim(span_sub(text, n, text.len));
    return text;
}

static bool parse_iface(struct draft *d, const struct option *o)
{
    struct draft_step *s = draft_step_add(d, o->kw, o->name.p);
    struct iface *iface = arena_alloc(d->b->arena, sizeof(*iface));
    struct span rest = o->value, word;
    bool more;

    if (s == NULL)
        return false;
    if (iface == NULL)
        return draft_no_memory(d);
    *iface = (struct iface){.any_version = true};
    more = text_split(&rest, ',', &word);
    word = behind(text_trim(word), "uuid");
    if (!read_uuid(word, iface->uuid))
        return draft_fail(d, o->value.p, "write it as 4b324fc8-1670-01d3-1278-5a47bf6ee188",
                          "%s: '%.*s' is no interface's UUID", o->kw->name, TEXT_ARG(word));
    while (more) {
        struct option version = *o;

        more = text_split(&rest, ',', &word);
        word = text_trim(word);
        if (span_eq_str(word, "any_frag"))
            continue;
        version.value = behind(word, "version");
        if (!number_parse(d, &version, UINT16_MAX, &iface->version))
            return false;
        iface->any_version = false;
    }
    s->step.flow = STEP_AT;
    s->fresh = true;
    s->step.data = iface;
    buffers_look(d, s, BUF_DCERPC_IFACE);
    d->buffer_fresh = true; /* what follows in a sticky buffer begins anew */
    return true;
}

static bool match_iface(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    const struct iface *iface = s->data;

    if (b.len != UUID_LEN + 2 || memcmp(b.p, iface->uuid, UUID_LEN) != 0)
        return false;
    uint32_t version = load_be16(b.p + UUID_LEN);
    return iface->any_version ||
           (version >= iface->version.lo && version <= iface->version.hi) != iface->version.negated;
}

#define ROW(id, word, in)                                                                \
    const struct keyword kw_##id = {                                                     \
        .name = word,                                                                    \
        .usage = "write " word ":4b324fc8-1670-01d3-1278-5a47bf6ee188[,>1][,any_frag];", \
        .value = VALUE_RAW,                                                              \
        .dialects = in,                                                                  \
        .parse = parse_iface,                                                            \
        .match = match_iface,                                                            \
    }

ROW(dce_iface, "dce_iface", 0);
ROW(dcerpc_iface, "dcerpc.iface", IN_SURICATA);
