/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Buffers as rules name them.
 *
 * The rows are BUFFER_TABLE in buffers.h. One index over all names of all dialects is made once, when it is asked for
 * first, and never changes. What a name is depends on the dialect: `http_uri` stands behind a content in Suricata's and
 * Snort 2's rules and before it in Snort 3's; a name that the dialect does not have is an error that says whose it is.
 *
 * Checked when the rule is known: no sticky buffer without something that looks into it, no two directions in one
 * rule, no content that can never be in a lower-cased buffer. A buffer that nothing fills yet makes its rule dormant.
 * Control thread.
 */
#include "rules/buffers.h"

#include <ctype.h>
#include <pthread.h>
#include <xxhash.h>

#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/source.h"

#define LIVE      BUFFER_LIVE
#define MULTI     BUFFER_MULTI
#define LOWER     BUFFER_LOWER
#define FOLDED    BUFFER_FOLDED
#define UPPER     BUFFER_UPPER
#define LATE      BUFFER_LATE
#define LAST      BUFFER_LAST
#define ARGS      BUFFER_ARGS
#define NEEDS_ARG BUFFER_NEEDS_ARG

const struct buffer_row buffer_table[BUF_N] = {
#define X(id, suricata, snort3, modifier, letter, apps, direction, flags) \
    {suricata, snort3, modifier, apps, direction, flags, letter},
    BUFFER_TABLE(X)
#undef X
};

/* --- names ------------------------------------------------------------------------------------------------------ */

#define NAMES_MAX  320
#define NAME_SLOTS 1024 /* a power of two, well above NAMES_MAX */

static struct {
    struct buffer_name v[NAMES_MAX];
    uint32_t n;
    uint16_t slots[NAME_SLOTS]; /* open hash: index + 1 into v, 0 = empty */
    char text[8192];            /* the names, each with its NUL */
    uint32_t text_len;
    const char *first[BUF_N]; /* of each buffer */
} names;

static pthread_once_t names_once = PTHREAD_ONCE_INIT;

static uint16_t *name_slot(const char *name, uint32_t len)
{
    uint32_t i = (uint32_t)XXH3_64bits(name, len) & (NAME_SLOTS - 1);

    while (names.slots[i] != 0) {
        const struct buffer_name *n = &names.v[names.slots[i] - 1];

        if (n->len == len && memcmp(n->name, name, len) == 0)
            break;
        i = (i + 1) & (NAME_SLOTS - 1);
    }
    return &names.slots[i];
}

/* A new name, or another use of one that its row has already. */
static void add_name(const char *name, uint32_t len, uint16_t buffer, uint8_t use)
{
    uint16_t *slot = name_slot(name, len);
    char *text = names.text + names.text_len;

    if (*slot != 0) {
        names.v[*slot - 1].uses |= use;
        return;
    }
    if (names.n == NAMES_MAX || names.text_len + len + 1 > sizeof(names.text))
        abort(); /* the table outgrew its index: a test sees it first */
    memcpy(text, name, len);
    names.text_len += len + 1;
    names.v[names.n] = (struct buffer_name){.name = text, .len = len, .buffer = buffer, .uses = use};
    *slot = (uint16_t)++names.n;
    if (names.first[buffer] == NULL)
        names.first[buffer] = text;
}

static void names_make(void)
{
    for (unsigned b = 0; b < BUF_N; b++) {
        const char *const lists[] = {buffer_table[b].suricata, buffer_table[b].snort3,
                                     buffer_table[b].modifier};

        for (unsigned use = 0; use < 3; use++)
            for (const char *s = lists[use]; *s != '\0';) {
                uint32_t n = (uint32_t)strcspn(s, " ");

                add_name(s, n, (uint16_t)b, (uint8_t)(1u << use));
                s += n + (s[n] == ' ');
            }
    }
}

const struct buffer_name *buffers_lookup(struct span name)
{
    uint16_t slot;

    pthread_once(&names_once, names_make);
    slot = *name_slot((const char *)name.p, name.len);
    return slot != 0 ? &names.v[slot - 1] : NULL;
}

const char *buffers_name(enum buffer_id b)
{
    pthread_once(&names_once, names_make);
    return names.first[b] ? names.first[b] : "a number";
}

void buffers_each_name(void (*take)(const char *name, void *arg), void *arg)
{
    pthread_once(&names_once, names_make);
    for (uint32_t i = 0; i < names.n; i++)
        take(names.v[i].name, arg);
}

enum buffer_id buffers_letter(char letter)
{
    unsigned b = 0;

    while (b < BUF_N && buffer_table[b].letter != letter)
        b++;
    return (enum buffer_id)b;
}

/* Snort 2 names few buffers before a content, and shares those names with Snort 3. */
uint8_t buffers_use(const struct buffer_name *n, uint8_t dialect)
{
    if (dialect == DIALECT_SURICATA)
        return n->uses & (USE_SURICATA | USE_MODIFIER);
    if (dialect == DIALECT_SNORT3)
        return n->uses & USE_SNORT3;
    if (n->uses & USE_MODIFIER)
        return USE_MODIFIER;
    return strncmp(n->name, "http_", 5) != 0 ? n->uses & USE_SNORT3 : 0;
}

/* --- in a rule ---------------------------------------------------------------------------------------------------- */

/* word: what the rule called it */
static void take_buffer(struct draft *d, enum buffer_id b, const char *word)
{
    d->info.apps |= buffer_table[b].apps;
    if ((buffer_table[b].flags & BUFFER_LIVE) == 0)
        draft_dormant(d, word);
}

/* Whether nothing has looked into the sticky buffer since it was named. */
static bool is_empty(const struct draft *d)
{
    if (d->sticky == NULL)
        return false;
    for (uint32_t i = d->sticky_steps; i < d->n_steps; i++)
        if (d->steps[i].step.flow != STEP_TEST)
            return false;
    return d->sticky_steps <= d->n_steps;
}

static bool empty_buffer(struct draft *d)
{
    return draft_fail(
        d, d->sticky_at,
        d->dialect == DIALECT_SNORT3
            ? "write a content behind it; in Snort 3's rules a buffer's name stands before its contents"
            : "write a content behind it, or remove it",
        "nothing looks into the buffer %s", d->sticky);
}

/* A part of the buffer, as a transform; name is lower-cased there when its case does not count. */
static bool add_part(struct draft *d, const struct buffer_name *n, struct transform part, struct span name)
{
    uint8_t *text = arena_alloc(d->b->arena, (size_t)name.len + 1);

    if (text == NULL)
        return draft_no_memory(d);
    if (name.len > UINT8_MAX || d->buffer.n == TRANSFORMS_MAX)
        return draft_fail(d, name.p, "shorten it", "%s: the argument is too long", n->name);
    if (name.len > 0) {
        memcpy(text, name.p, name.len);
        part.data = text;
        part.len = (uint8_t)name.len;
    }
    d->buffer.list[d->buffer.n++] = part;
    return true;
}

static bool sleeps(struct draft *d, const struct buffer_name *n, struct span value)
{
    char *reason = arena_alloc(d->b->arena, n->len + 1 + value.len + 1);

    if (reason == NULL)
        return draft_no_memory(d);
    snprintf(reason, n->len + 1 + value.len + 1, "%s:%.*s", n->name, (int)value.len, (const char *)value.p);
    d->info.dormant = reason;
    draft_dormant(d, reason);
    return true;
}

static struct span unquoted(struct span s)
{
    return s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"' ? span_sub(s, 1, s.len - 2) : s;
}

/*
 * Snort 3's arguments: http_header:field user-agent; http_uri:path; http_param:"name",nocase. They pick a part of the buffer.
 * with_body and its like only say when the rule is looked at, which is whenever there is something new. What asks a
 * response's rule to look into the request's fields (request), or a decoded target for what it has lost, sleeps.
 */
static bool parse_arguments(struct draft *d, const struct buffer_name *n, struct span value)
{
    static const char *const parts[URI_PARTS] = {"scheme", "host", "port", "path", "query", "fragment"};
    static const char *const times[] = {"with_header", "with_body", "with_trailer"};
    bool raw = n->buffer == BUF_HTTP_URI_RAW, uri = raw || n->buffer == BUF_HTTP_URI,
         both = buffer_table[n->buffer].direction == BOTH_WAYS;
    struct span rest = value, one, name;
    bool more = true, dormant = false;

    if (buffer_table[n->buffer].flags & BUFFER_NEEDS_ARG) {
        more = text_split(&rest, ',', &one);
        bool nocase = span_eq_str(text_trim(rest), "nocase");
        if (more && !nocase)
            return draft_fail(d, rest.p, "write http_param:\"name\",nocase;", "%s: unknown argument '%.*s'",
                              n->name, TEXT_ARG(rest));
        return add_part(d, n, (struct transform){.kind = TRANSFORM_HTTP_PARAM, .from = nocase},
                        unquoted(text_trim(one)));
    }
    while (more) {
        size_t part = 0, time = 0;

        more = text_split(&rest, ',', &one);
        name = one = text_trim(one);
        text_split(&one, ' ', &name);
        one = text_trim(one);
        while (part < URI_PARTS && !span_eq_str(name, parts[part]))
            part++;
        while (time < 3 && !span_eq_str(name, times[time]))
            time++;
        if (span_eq_str(name, "field") && one.len > 0) {
            if (!add_part(d, n, (struct transform){.kind = TRANSFORM_HTTP_FIELD}, one))
                return false;
            dormant |= uri;
        } else if (part < URI_PARTS && one.len == 0) {
            if (!add_part(d, n, (struct transform){.kind = TRANSFORM_HTTP_URI, .key_at = (uint16_t)part},
                          span_of(NULL, 0)))
                return false;
            dormant |= !uri || (!raw && part < URI_PATH);
        } else if (span_eq_str(name, "request") && one.len == 0) {
            dormant |= both;
        } else if (time == 3 || one.len > 0) {
            return draft_fail(d, name.p,
                              "write a word Snort 3 has there, such as field NAME, request, path or query",
                              "%s: unknown argument '%.*s'", n->name, TEXT_ARG(name));
        }
    }
    return !dormant || sleeps(d, n, value);
}

static bool check_value(struct draft *d, const struct buffer_name *n, const struct option *o)
{
    uint16_t flags = buffer_table[n->buffer].flags;

    if (o->value.len == 0)
        return (flags & BUFFER_NEEDS_ARG) == 0 ||
               draft_fail(d, o->name.p, "write http_param:\"name\";", "%s needs a value", n->name);
    if (d->dialect == DIALECT_SNORT3 && (flags & BUFFER_ARGS))
        return true; /* parse_arguments() */
    if (d->dialect == DIALECT_SNORT2 && n->buffer == BUF_FILE_DATA && span_eq_str(o->value, "mime"))
        return true;
    if (d->both_ways && buffer_table[n->buffer].direction == BOTH_WAYS &&
        (span_eq_str(o->value, "to_server") || span_eq_str(o->value, "to_client")))
        return true; /* Suricata's =>, which makes the rule dormant: whose of the two it is */
    return draft_fail(d, o->value.p, "end the name with a ';'", "%s takes no value", n->name);
}

static bool name_sticky(struct draft *d, const struct buffer_name *n, const struct option *o)
{
    if (!check_value(d, n, o))
        return false;
    if (is_empty(d) && !empty_buffer(d))
        return false;
    draft_buffer_set(d, n->buffer);
    d->sticky = n->buffer == BUF_PAYLOAD ? NULL : n->name; /* pkt_data only takes back the buffer before it */
    d->sticky_at = o->name.p;
    d->sticky_steps = d->n_steps;
    take_buffer(d, n->buffer, n->name);
    return o->value.len == 0 || d->dialect != DIALECT_SNORT3 ||
           !(buffer_table[n->buffer].flags & BUFFER_ARGS) || parse_arguments(d, n, o->value);
}

void buffers_look(struct draft *d, struct draft_step *s, enum buffer_id b)
{
    s->step.buffer = (uint16_t)b;
    take_buffer(d, b, buffers_name(b));
}

bool buffers_move_step(struct draft *d, struct draft_step *s, const uint8_t *at, enum buffer_id b)
{
    enum buffer_id now = (enum buffer_id)d->buffer.base;

    /* a pcre may say it again; to Suricata the body of a response and file.data are one buffer */
    if (now == b || (b == BUF_HTTP_RESPONSE_BODY && now == BUF_FILE_DATA))
        return true;
    if (now != BUF_PAYLOAD)
        return draft_fail(d, at, "name every buffer before its contents, or every one behind",
                          "%s behind something that %s, named before it, applies to", buffers_name(b),
                          buffers_name(now));
    if (s->has & LITERAL_BUFFER)
        return draft_fail(d, at, "keep one of them", "a second buffer, %s, for one content", buffers_name(b));
    s->has |= LITERAL_BUFFER;
    s->step.buffer = (uint16_t)b;
    take_buffer(d, b, buffers_name(b));
    return true;
}

static bool modify_content(struct draft *d, const struct buffer_name *n, const struct option *o)
{
    if (o->value.p != NULL && o->value.len > 0)
        return draft_fail(d, o->value.p, "end the name with a ';'", "%s takes no value", n->name);
    if (d->last_content == NULL)
        return draft_fail(
            d, o->name.p,
            "write it behind a content; if it stands before its contents, the rule is Snort 3's: "
            "set rules.dialect",
            "%s has no content before it", n->name);
    return buffers_move_step(d, d->last_content, o->name.p, n->buffer);
}

bool buffers_option(struct draft *d, const struct buffer_name *n, const struct option *o)
{
    uint8_t use = buffers_use(n, d->dialect);

    if (use == USE_MODIFIER)
        return modify_content(d, n, o);
    if (use != 0)
        return name_sticky(d, n, o);
    return draft_fail(
        d, o->name.p, DIALECT_REMEDY, "the buffer '%s' is %s's, and this file is read as %s's", n->name,
        dialect_name(n->uses & (USE_SURICATA | USE_MODIFIER) ? DIALECT_SURICATA : DIALECT_SNORT3),
        dialect_name(d->dialect));
}

/* --- checks -------------------------------------------------------------------------------------------------------- */

uint16_t draft_base(const struct draft *d, uint16_t slot)
{
    return slot_base(d->b->transformed, slot);
}

bool draft_is_multi(const struct draft *d, uint16_t slot)
{
    return d->dialect == DIALECT_SURICATA && (buffer_table[draft_base(d, slot)].flags & BUFFER_MULTI) != 0;
}

/* Snort 3 lets a rule about a response look at its request (RULES.md 2B, 31); in the others that never matches. */
static bool check_direction(struct draft *d, const struct draft_step *s, uint8_t *ways, const char **first)
{
    enum buffer_id b = (enum buffer_id)draft_base(d, s->step.buffer);
    uint8_t way = buffer_table[b].direction, flow = BOTH_WAYS;

    if (d->dialect == DIALECT_SNORT3 || way == BOTH_WAYS)
        return true;
    if (d->rule.flags & RULE_TO_SERVER)
        flow = TO_SERVER;
    if (d->rule.flags & RULE_TO_CLIENT)
        flow = TO_CLIENT;
    if ((flow & way) == 0)
        return draft_fail(d, s->at, "correct the flow option, or name a buffer of that direction",
                          "%s is filled %s only, and the rule's flow says %s", buffers_name(b),
                          way == TO_SERVER ? "to the server" : "to the client",
                          flow == TO_SERVER ? "to_server" : "to_client");
    if (*ways != 0 && *ways != way && !d->both_ways)
        return draft_fail(d, s->at, "make two rules and join them with flowbits",
                          "%s and %s are filled in different directions, so both never hold", *first,
                          buffers_name(b));
    *ways = way;
    *first = buffers_name(b);
    return true;
}

static bool check_case(struct draft *d, struct draft_step *s)
{
    uint8_t *bytes = (uint8_t *)s->literal.p; /* ours, in the arena */
    enum buffer_id b = (enum buffer_id)draft_base(d, s->step.buffer);
    uint16_t flags = buffer_table[b].flags;

    if (s->step.buffer >= BUF_N || !(flags & (BUFFER_LOWER | BUFFER_FOLDED | BUFFER_UPPER)))
        return true;
    for (uint32_t i = 0; (flags & BUFFER_UPPER) && i < s->literal.len; i++)
        if (bytes[i] >= 'a' && bytes[i] <= 'z')
            bytes[i] &= 0xdf;
    if (flags & BUFFER_UPPER)
        return true;
    if ((flags & BUFFER_LOWER) && (s->has & LITERAL_NOCASE))
        return draft_fail(d, s->at, "remove nocase", "nocase on %s, which is lower-cased already",
                          buffers_name(b));
    for (uint32_t i = 0; i < s->literal.len; i++) {
        if (bytes[i] < 'A' || bytes[i] > 'Z')
            continue;
        if (flags & BUFFER_LOWER)
            return draft_fail(d, s->at, "write the content in lower case",
                              "%s is lower-cased, so an upper-case letter never is in it", buffers_name(b));
        bytes[i] |= 0x20;
    }
    return true;
}

void buffers_check(struct draft *d)
{
    const char *first = NULL;
    uint8_t ways = 0;

    if (is_empty(d))
        empty_buffer(d);
    for (uint32_t i = 0; i < d->n_steps; i++) {
        struct draft_step *s = &d->steps[i];

        if (s->step.flow == STEP_TEST)
            continue;
        if (!check_direction(d, s, &ways, &first))
            return;
        if (s->literal.p != NULL)
            check_case(d, s);
    }
}
