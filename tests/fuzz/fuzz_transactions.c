/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flow of any protocol, chosen by the fuzzer, with rules that look into what parsers publish: single, repeated and growing
 * buffers, transforms, negations, several buffers in one rule. What must hold: nothing is read that is gone (the sanitizer
 * watches), a drop has a reason, the flow gives all memory back.
 *
 * Input: a byte for the port and the transport, then pieces as lab_fuzz() reads them.
 */
#include "tests/unit/app_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules[] =
    "drop http any any -> any any (http.method; content:\"P\"; http.uri; content:\"/e\"; sid:1;)\n"
    "alert http any any -> any any (http.header; content:!\"X\"; http.uri; content:\"a\"; content:\"b\"; "
    "distance:1; sid:2;)\n"
    "alert http any any -> any any (http.header_names; content:!\"|0d 0a|Host\"; pcre:\"/[a-z]+/\"; sid:3;)\n"
    "alert http any any -> any any (file.data; content:\"ab\"; content:\"cd\"; within:4; sid:4;)\n"
    "alert http any any -> any any (http.request_body; content:\"x\"; http.uri; content:\"u\"; sid:5;)\n"
    "alert dns any any -> any any (dns.query; content:\"a\"; dns.query; content:\"b\"; sid:6;)\n"
    "alert dns any any -> any any (dns.query; dotprefix; content:\".a\"; endswith; sid:7;)\n"
    "alert dns any any -> any any (dns.query; to_sha256; content:\"|00|\"; sid:8;)\n"
    "alert tls any any -> any any (tls.sni; content:\"a\"; endswith; sid:9;)\n"
    "alert tls any any -> any any (tls.cert_subject; content:\"CN\"; tls.cert_issuer; content:!\"CN\"; "
    "sid:10;)\n"
    "alert tcp any any -> any any (file.data; bsize:>10; content:\"|00|\"; sid:11;)\n"
    "pass ssh any any -> any any (ssh.software; content:\"ok\"; sid:12;)\n"
    "alert ip any any -> any any (app-layer-protocol:!http; content:\"a\"; sid:13;)\n"
    "alert smtp any any -> any any (content:\"RCPT\"; sid:14;)\n"
    "alert ftp any any -> any any (content:\"USER\"; flow:established; sid:15;)\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t ports[] = {80,   53,  443, 25,  21,   22, 445, 5060,
                                     1883, 110, 143, 135, 3389, 88, 502, 20000};
    static struct rules_lab *r; /* one for all runs: making it costs more than a run */

    if (!r)
        r = rules_lab_new(&(struct lab_setup){0}, rules);
    if (size < 2)
        return 0;
    r->lab->setup.dport = ports[data[0] & 15];
    r->lab->setup.udp = (data[0] & 16) != 0;
    lab_pieces(r->lab, data + 1, size - 1);
    if (r->lab->flow && (r->lab->pkt.verdict == VERDICT_DROP) != (r->lab->pkt.drop_reason != DROP_NONE))
        abort();
    lab_end_flow(r->lab);
    lab_forget(r->lab);
    rules_lab_forget(r);
    return 0;
}
