/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SSH: the banners, the key exchange's offers, and then nothing, for what follows is encrypted (RFC 4253).
 *
 * A direction is lines until one begins with "SSH-" (a server may say something else before; some servers take that of a
 * client, too), then records: a length, the length of the padding, a type. KEXINIT's name-lists are what HASSH is made
 * of: the algorithms of one direction in the order in which its sender prefers them. All other records are passed over up
 * to NEWKEYS. When both directions are encrypted, the flow needs no more inspection, and is bypassed if the
 * operator wants that.
 *
 * One transaction a flow. Rules see the protocol's version and the software as soon as the banner's line is whole.
 *
 * Worker thread. Owns what it keeps of the banners and offers.
 */
#include "ips/app/digest.h"
#include "ips/app/memory.h"

#define BANNER_BYTES 255   /* with its end: RFC 4253, 4.2 */
#define KEXINIT_MAX  65536 /* bytes of an offer that is read; a longer one is passed over */
#define RECORD_MAX \
    (1024 * 1024) /* beyond it a length is no length: implementations stop at 35,000 to 262,144 */
#define HASSH_HEX      32
#define MSG_KEXINIT    20
#define MSG_NEWKEYS    21
#define RECORD_HEAD    6 /* length, length of the padding, type */
#define KEXINIT_COOKIE 16
#define KEXINIT_LISTS  10

enum stage { BANNER, BANNER_REST, HEAD, OFFER, SKIP, OVER };

struct side {
    uint8_t stage; /* enum stage */
    bool banner;   /* version and software are known */
    bool fingerprint;
    bool offered;
    uint32_t left;      /* of the record in hand: SKIP, OFFER */
    struct bytes kept;  /* what is not whole yet */
    struct bytes words; /* version and software, one behind the other */
    uint32_t version;   /* bytes of it in words */
    struct bytes algorithms;
    uint8_t hassh[HASSH_HEX * 2];
};

struct ssh {
    struct app_tx tx;
    bool open;
    struct side side[2];
};

static const struct {
    uint8_t hash, string; /* enum buffer_id */
} hassh_buffers[2] = {
    [APP_TO_SERVER] = {BUF_SSH_HASSH, BUF_SSH_HASSH_STRING},
    [APP_TO_CLIENT] = {BUF_SSH_HASSH_SERVER, BUF_SSH_HASSH_SERVER_STRING},
};

static struct span version_of(const struct side *s)
{
    return span_sub(bytes_span(&s->words), 0, s->version);
}

static struct span software_of(const struct side *s)
{
    return span_sub(bytes_span(&s->words), s->version, s->words.len);
}

static struct span hassh_of(const struct side *s)
{
    return span_of(s->hassh, HASSH_HEX);
}

/* --- banner --------------------------------------------------------------------------------------------------------- */

static uint32_t until(struct span s, char a, char b)
{
    uint32_t n = 0;

    while (n < s.len && s.p[n] != (uint8_t)a && s.p[n] != (uint8_t)b)
        n++;
    return n;
}

/* SSH-version-software comments. False: no memory. */
static bool read_banner(struct app *a, struct side *s, struct span line)
{
    struct span rest = span_sub(line_text(line), 4, line.len), version, software;

    version = span_sub(rest, 0, until(rest, '-', '-'));
    software = span_sub(rest, version.len + 1, rest.len);
    software = span_sub(software, 0, until(software, ' ', '\r'));
    if (version.len == rest.len || version.len == 0 || software.len == 0)
        app_event(a, AN_SSH_INVALID_BANNER);
    if (line.len > BANNER_BYTES)
        app_event(a, AN_SSH_LONG_BANNER);
    if (!bytes_add(a, &s->words, version) || !bytes_add(a, &s->words, software))
        return false;
    s->version = version.len;
    s->banner = true;
    return true;
}

/* SSH 1's records look different, and nothing in them is asked for. */
static bool is_version_1(const struct side *s)
{
    struct span v = version_of(s);

    return v.len >= 2 && v.p[0] == '1' && v.p[1] == '.' && !span_eq_str(v, "1.99");
}

static enum app_answer take_line(struct app *a, struct ssh *ssh, struct side *s, const struct app_in *in,
                                 struct span *bytes)
{
    struct span line;
    enum line_answer answer = line_take(a, &s->kept, bytes, app_limits(a)->header_line, &line);
    bool whole = answer == LINE_WHOLE;

    if (answer == LINE_NO_MEMORY)
        return APP_BAD;
    if (answer == LINE_MORE)
        return APP_OK;
    if (s->stage == BANNER_REST || line.len < 4 || memcmp(line.p, "SSH-", 4) != 0) {
        /* what is too long goes on in the next one, which is no line of its own */
        if (in->dir == APP_TO_SERVER && s->stage == BANNER)
            app_event(a, AN_SSH_INVALID_BANNER);
        s->stage = whole ? s->banner ? HEAD : BANNER : BANNER_REST;
    } else {
        if (!read_banner(a, s, line))
            return APP_BAD;
        s->stage = whole ? HEAD : BANNER_REST;
        app_put(a, &ssh->tx, BUF_SSH_PROTO, version_of(s));
        app_put(a, &ssh->tx, BUF_SSH_SOFTWARE, software_of(s));
        if (!app_inspect(a, &ssh->tx, (enum app_dir)in->dir, false))
            return APP_OK;
    }
    if (s->stage == HEAD && is_version_1(s))
        s->stage = OVER;
    return APP_OK;
}

/* --- records -------------------------------------------------------------------------------------------------------- */

/* The name-lists of an offer; false: they do not fit into it. */
static bool read_lists(struct span offer, struct span lists[KEXINIT_LISTS])
{
    struct span rest = span_sub(offer, KEXINIT_COOKIE, offer.len);

    for (unsigned i = 0; i < KEXINIT_LISTS; i++) {
        uint32_t n = rest.len >= 4 ? load_be32(rest.p) : UINT32_MAX;

        if (rest.len < 4 || n > rest.len - 4)
            return false;
        lists[i] = span_sub(rest, 4, n);
        rest = span_sub(rest, 4 + n, rest.len);
    }
    return true;
}

/* Key exchange, cipher, MAC and compression, of the sender's direction. False: no memory. */
static bool join_lists(struct app *a, struct side *s, const struct span lists[KEXINIT_LISTS],
                       enum app_dir dir)
{
    const unsigned used[] = {0, 2 + dir, 4 + dir, 6 + dir};

    for (unsigned i = 0; i < 4; i++)
        if ((i > 0 && !bytes_add(a, &s->algorithms, span_str(";"))) ||
            !bytes_add(a, &s->algorithms, lists[used[i]]))
            return false;
    return true;
}

static bool take_offer(struct app *a, struct ssh *ssh, struct side *s, struct span offer, enum app_dir dir)
{
    struct span lists[KEXINIT_LISTS];

    s->offered = true;
    if (!app_limits(a)->hassh)
        return true;
    if (!read_lists(offer, lists)) {
        app_event(a, AN_SSH_INVALID_RECORD);
        return true;
    }
    if (s->algorithms.len > 0)
        return true; /* a second one: the first was what was asked for */
    if (!join_lists(a, s, lists, dir))
        return false;
    app_digest_hex(a, DIGEST_MD5, bytes_span(&s->algorithms), s->hassh);
    s->fingerprint = true;
    app_put(a, &ssh->tx, (enum buffer_id)hassh_buffers[dir].hash, hassh_of(s));
    app_put(a, &ssh->tx, (enum buffer_id)hassh_buffers[dir].string, bytes_span(&s->algorithms));
    app_inspect(a, &ssh->tx, dir, false);
    return true;
}

static enum app_answer take_head(struct app *a, struct side *s, struct span *bytes)
{
    struct span head;
    enum line_answer answer = piece_take(a, &s->kept, bytes, RECORD_HEAD, &head);

    if (answer != LINE_WHOLE)
        return answer == LINE_MORE ? APP_OK : APP_BAD;
    uint32_t n = load_be32(head.p), padding = head.p[4];
    uint8_t type = head.p[5];

    if (n < 2 || n > RECORD_MAX || padding > n - 2) {
        app_event(a, AN_SSH_INVALID_RECORD);
        s->stage = OVER;
        return APP_OK;
    }
    s->left = n - 2;
    s->stage = SKIP;
    if (type == MSG_NEWKEYS) {
        s->stage = OVER;
    } else if (type == MSG_KEXINIT) {
        if (n > KEXINIT_MAX)
            app_event(a, AN_SSH_LONG_KEX_RECORD);
        else
            s->stage = OFFER;
    }
    return APP_OK;
}

static enum app_answer take_record(struct app *a, struct ssh *ssh, struct side *s, const struct app_in *in,
                                   struct span *bytes)
{
    struct span offer;

    if (s->stage == HEAD)
        return take_head(a, s, bytes);
    if (s->stage == SKIP) {
        uint32_t n = bytes->len < s->left ? bytes->len : s->left;

        s->left -= n;
        *bytes = span_sub(*bytes, n, bytes->len);
        if (s->left == 0)
            s->stage = HEAD;
        return APP_OK;
    }
    enum line_answer answer = piece_take(a, &s->kept, bytes, s->left, &offer);
    if (answer != LINE_WHOLE)
        return answer == LINE_MORE ? APP_OK : APP_BAD;
    s->stage = HEAD;
    return take_offer(a, ssh, s, offer, (enum app_dir)in->dir) ? APP_OK : APP_BAD;
}

/* --- a flow ---------------------------------------------------------------------------------------------------------- */

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct ssh *ssh = state;
    struct side *s = &ssh->side[in->dir];
    struct span bytes = in->bytes;
    enum app_answer answer = APP_OK;

    if (!ssh->open) {
        ssh->open = true;
        app_tx_open(a, &ssh->tx);
    }
    while (bytes.len > 0 && s->stage != OVER && answer == APP_OK)
        answer =
            s->stage <= BANNER_REST ? take_line(a, ssh, s, in, &bytes) : take_record(a, ssh, s, in, &bytes);
    if (answer != APP_OK)
        return answer;
    if (in->end)
        s->stage = OVER;
    if (ssh->side[0].offered && ssh->side[1].offered)
        app_tx_close(a, &ssh->tx);
    if (s->stage == OVER && !app_inspect(a, &ssh->tx, (enum app_dir)in->dir, true))
        return APP_OK;
    if (ssh->side[0].stage != OVER || ssh->side[1].stage != OVER)
        return APP_OK;
    if (app_limits(a)->encryption_bypass && ssh->side[0].offered && ssh->side[1].offered)
        app_bypass(a);
    return APP_DONE;
}

static void close_flow(struct app *a, void *state)
{
    struct ssh *ssh = state;

    if (ssh->open)
        app_tx_close(a, &ssh->tx);
    for (int dir = 0; dir < 2; dir++) {
        bytes_free(a, &ssh->side[dir].kept);
        bytes_free(a, &ssh->side[dir].words);
        bytes_free(a, &ssh->side[dir].algorithms);
    }
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct ssh *ssh = state;
    const struct side *s = &ssh->side[dir];

    if (s->banner) {
        app_put(a, tx, BUF_SSH_PROTO, version_of(s));
        app_put(a, tx, BUF_SSH_SOFTWARE, software_of(s));
    }
    for (int d = 0; d < 2; d++) {
        if (!ssh->side[d].fingerprint)
            continue;
        app_put(a, tx, (enum buffer_id)hassh_buffers[d].hash, hassh_of(&ssh->side[d]));
        app_put(a, tx, (enum buffer_id)hassh_buffers[d].string, bytes_span(&ssh->side[d].algorithms));
    }
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    static const char *const names[2] = {[APP_TO_SERVER] = "client", [APP_TO_CLIENT] = "server"};
    struct ssh *ssh = state;

    (void)tx;
    for (int dir = 0; dir < 2; dir++) {
        const struct side *s = &ssh->side[dir];

        if (!s->banner)
            continue;
        fields_object(f, names[dir]);
        fields_text(f, "proto_version", version_of(s));
        if (software_of(s).len > 0)
            fields_text(f, "software_version", software_of(s));
        if (s->fingerprint) {
            fields_object(f, "hassh");
            fields_text(f, "hash", hassh_of(s));
            fields_text(f, "string", bytes_span(&s->algorithms));
            fields_close(f);
        }
        fields_close(f);
    }
}

static enum app_probe probe(struct span bytes, const struct app_hint *h)
{
    (void)h;
    if (bytes.len < 4)
        return memcmp(bytes.p, "SSH-", bytes.len) == 0 ? PROBE_MORE : PROBE_NO;
    return memcmp(bytes.p, "SSH-", 4) == 0 ? PROBE_YES : PROBE_NO;
}

static const uint16_t ports[] = {22, 0};

const struct app_parser parser_ssh = {
    .proto = APP_SSH,
    .tcp = true,
    .state_bytes = sizeof(struct ssh),
    .ports = ports,
    .probe = probe,
    .take = take,
    .close = close_flow,
    .show = show,
    .fields = fields,
};
