/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can only be judged when a rule's text has been read to its end.
 *
 * Contradictions: a rule that loads but can never match is worse than an error, because somebody relies on it. So
 * a keyword the header's protocol cannot satisfy and contents that do not fit into dsize are refused here, and
 * every keyword's own check runs.
 *
 * Then the rule's type, which decides how far its drop or pass reaches (RULES.md 2A, 40). This is Suricata's
 * signature_properties table for what this engine knows:
 *
 *     type           which rules                                       drop and pass hold for
 *     ip-only        header only, no negated address, no flow option   the flow; tested once per direction
 *     like ip-only   the same with a negated address                   the flow
 *     app-layer      names an application protocol, or looks into      the flow
 *                    what its parser publishes; no keyword about
 *                    one packet
 *     stream         looks into the payload of TCP, and has no         the flow when it matched in its stream
 *                    keyword about one packet
 *     packet         everything else                                   the packet
 *
 * A stream rule that counts places from the start (depth, offset, startswith, an anchored pcre, an absolute byte_test),
 * or asks stream_size, is a packet rule, too, because its author may have meant either start (36); a drop by a match
 * in the packet alone is a packet rule's. tcp-pkt and flow:no_stream make a rule a packet rule, tcp-stream and
 * flow:only_stream a stream rule.
 *
 * flowbits:set, xbits, hostbits and iprep do not keep a rule from being ip-only (draft_step.ip_only).
 * Keywords about one packet are those with KEYWORD_PACKET (dsize, flags, ttl, id, itype, icode, ip_proto, sameip)
 * and flow:no_stream. In Snort's rules the action alone decides (rules/names.c). Control thread.
 */
#include "rules/kw/filestore.h"
#include "rules/buffers.h"
#include "rules/builder.h"
#include "rules/keywords.h"
#include "rules/number.h"
#include "rules/source.h"

static const char *const proto_words[PROTO_N] = {"ip", "tcp", "udp", "icmp"};

static bool proto_allows(uint8_t proto, uint8_t keyword_flags)
{
    if (keyword_flags & KEYWORD_TCP)
        return proto == PROTO_IP || proto == PROTO_TCP;
    if (keyword_flags & KEYWORD_ICMP)
        return proto == PROTO_IP || proto == PROTO_ICMP;
    return true;
}

/* Whether ip_proto's condition can hold for a packet of the header's protocol. */
static bool ip_proto_allows(uint8_t proto, const struct step *s)
{
    switch (proto) {
    case PROTO_TCP:
        return number_match(s, 6);
    case PROTO_UDP:
        return number_match(s, 17);
    case PROTO_ICMP:
        return number_match(s, 1) || number_match(s, 58);
    default:
        return true;
    }
}

static void check_steps(struct draft *d)
{
    for (uint32_t i = 0; i < d->n_steps; i++) {
        struct draft_step *s = &d->steps[i];

        if (s->kw->check != NULL)
            s->kw->check(d, s);
        if (!proto_allows(d->rule.proto, s->kw->flags) ||
            (s->kw == &kw_ip_proto && !ip_proto_allows(d->rule.proto, &s->step)))
            draft_fail(d, s->at, "write ip as the rule's protocol, or remove the option",
                       "%s can never hold for a packet of the rule's protocol %s", s->kw->name,
                       proto_words[d->rule.proto]);
        if (s->step.flow != STEP_TEST && s->step.buffer == BUF_PAYLOAD)
            d->rule.flags |= RULE_NEEDS_PAYLOAD;
    }
}

/* The shortest buffer in which all positive contents that look into it can stand. */
int64_t draft_shortest(const struct draft *d, uint16_t slot, const struct draft_step *step)
{
    bool multi = draft_is_multi(d, slot), here = step == NULL;
    int64_t end = 0, cursor = 0;

    for (uint32_t i = 0; i < d->n_steps; i++) {
        const struct draft_step *s = &d->steps[i];

        if (s->step.flow == STEP_TEST || s->step.buffer != slot)
            continue;
        if (s->fresh && (multi || d->dialect != DIALECT_SURICATA))
            cursor = 0;
        if (multi && s->fresh && here && step != NULL)
            break; /* the instance behind the one that the step is about */
        if (multi && s->fresh)
            end = 0;
        here |= s == step;
        if (s->literal.p == NULL || s->uses != 0) {
            if (s->step.flow == STEP_SEARCH ? !s->step.negated : (s->kw->flags & KEYWORD_MOVES) != 0)
                cursor = INT32_MIN; /* pcre, byte_jump: it may end anywhere */
            continue;
        }
        if (s->step.negated)
            continue;
        cursor = (s->step.relative ? cursor : 0) + s->step.a;
        if (cursor < 0)
            cursor = 0;
        cursor += s->literal.len;
        if (cursor > end)
            end = cursor;
    }
    return end;
}

static void check_payload_size(struct draft *d)
{
    int64_t end = draft_shortest(d, BUF_PAYLOAD, NULL);

    if (d->dsize_at != NULL && end > d->max_payload)
        draft_fail(d, d->dsize_at, "make dsize larger, or remove it",
                   "dsize allows at most %u bytes, and the rule's contents need %lld", d->max_payload,
                   (long long)end);
    if (d->dsize_at != NULL && d->max_payload == 0 && (d->rule.flags & RULE_NEEDS_PAYLOAD) && end == 0)
        draft_fail(d, d->dsize_at, "remove dsize, or the options that look into the payload",
                   "dsize wants an empty payload, and the rule looks into the payload");
}

/* Whether what the step asks depends on where the payload starts. */
static bool from_start(const struct draft_step *s)
{
    if (s->literal.p != NULL)
        return (s->has & (LITERAL_OFFSET | LITERAL_DEPTH | LITERAL_STARTS)) != 0;
    if (s->pcre.p != NULL)
        return s->at_start && !s->step.relative;
    return !s->step.relative;
}

/* What a TCP rule is tried on: RULE_PACKET, RULE_STREAM or both. */
static uint32_t kind(const struct draft *d)
{
    bool looks_inside = false, from_either = false;

    for (uint32_t i = 0; i < d->n_steps; i++) {
        const struct draft_step *s = &d->steps[i];

        if (s->kw == &kw_stream_size)
            from_either = true;
        if (s->step.flow == STEP_TEST || draft_base(d, s->step.buffer) != BUF_PAYLOAD)
            continue;
        looks_inside = true;
        from_either |= from_start(s);
    }
    if (d->rule.flags & RULE_ONLY_STREAM)
        return RULE_STREAM;
    if (!looks_inside || d->packet_only || (d->rule.proto != PROTO_TCP && d->rule.proto != PROTO_IP))
        return RULE_PACKET;
    return from_either ? RULE_STREAM | RULE_PACKET : RULE_STREAM;
}

/* How far a drop or pass of a rule of this kind reaches: Suricata's table, above. */
static uint32_t reach(const struct draft *d)
{
    bool header_only = !(d->rule.flags & (RULE_APP | RULE_TX));

    for (uint32_t i = 0; i < d->n_steps; i++)
        header_only &= d->steps[i].ip_only;
    for (uint32_t i = 0; i < d->n_posts; i++)
        header_only &= d->posts[i].ip_only;
    if (header_only && !(d->rule.flags & RULE_NEEDS_FLOW))
        return RULE_DROPS_FLOW | (d->addr_negated ? 0 : RULE_IP_ONLY);
    if ((d->rule.flags & RULE_TX) || (!d->packet_only && ((d->rule.flags & RULE_APP) || d->asks_app)))
        return RULE_DROPS_FLOW;
    return d->rule.flags & RULE_STREAM ? RULE_DROPS_STREAM : 0;
}

/* What parsers publish is looked into when they do, and not with a packet. */
static bool looks_into_app(const struct draft *d)
{
    for (uint32_t i = 0; i < d->n_steps; i++)
        if (d->steps[i].step.flow != STEP_TEST &&
            draft_base(d, d->steps[i].step.buffer) >= BUFFERS_OF_PACKETS_N)
            return true;
    return false;
}

static void set_type(struct draft *d)
{
    d->rule.flags |= looks_into_app(d) ? RULE_TX : 0;
    if ((d->rule.flags & RULE_ONLY_STREAM) && d->packet_only)
        draft_fail(d, d->text->text.p, "remove it, or tcp-stream and only_stream",
                   "the rule is about streams only, and has a keyword about one packet");
    d->rule.flags |= kind(d);
    if (d->dialect == DIALECT_SURICATA)
        d->rule.flags |= reach(d);
    else
        d->rule.flags |= d->action_holds_for_flow ? RULE_DROPS_FLOW : 0;
}

/*
 * The policy's action is this engine's own word, whatever the rule's dialect: it reaches as far as the kind of rule
 * allows. A drop that held for one packet only would be undone by TCP's retransmission.
 */
void check_set_action(struct draft *d, enum rule_action action)
{
    d->rule.action = (uint8_t)action;
    if (d->dialect == DIALECT_SURICATA)
        return;
    d->rule.flags &= ~(uint32_t)(RULE_DROPS_FLOW | RULE_DROPS_STREAM);
    d->rule.flags |= reach(d) & ~(uint32_t)RULE_IP_ONLY;
}

void check_rule(struct draft *d)
{
    if (!draft_seen(d, KW_sid))
        draft_fail(d, d->text->text.p, "add sid:N; with a number that no other rule has",
                   "the rule has no sid");
    filestore_check(d);
    check_steps(d);
    buffers_check(d);
    service_take_metadata(d);
    if (d->failed)
        return;
    check_payload_size(d);
    set_type(d);
}
