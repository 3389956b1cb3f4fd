# SPDX-License-Identifier: BSD-2-Clause
"""Attacks inside other packets: each way in that decode/ opens is sent across the bridge, with an attack that must not
arrive and with harmless words that must, byte for byte."""
import json
import struct

import pytest

from lab import CLIENT_MAC, IPSD, SERVER_MAC, mac, run, wait_until

RULES = ('drop udp any any -> any 7777 (msg:"attack"; content:"attack"; sid:6001;)\n'
         'reject udp any any -> any 7778 (msg:"answered"; content:"attack"; sid:6002;)\n')
WORDS = {True: b'this is the attack itself', False: b'nothing of interest here.'}


def checksum(data):
    data += b'\0' * (len(data) % 2)
    s = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def ip4(proto, payload, src='198.51.100.1', dst='198.51.100.2'):
    a = b''.join(bytes(int(x) for x in h.split('.')) for h in (src, dst))
    h = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(payload), 7, 0, 64, proto, 0) + a
    return h[:10] + struct.pack('!H', checksum(h)) + h[12:] + payload


def ip6(next_header, payload, src=1, dst=2):
    a = b''.join(bytes.fromhex('20010db8000000000000000000000000')[:15] + bytes([h]) for h in (src, dst))
    return struct.pack('!IHBB', 0x60000000, len(payload), next_header, 64) + a + payload


def udp(dport, payload, sport=5000):
    return struct.pack('!HHHH', sport, dport, 8 + len(payload), 0) + payload  # no checksum


def eth(ethertype, payload):
    return mac(SERVER_MAC) + mac(CLIENT_MAC) + struct.pack('!H', ethertype) + payload


def label(value, bottom=True):
    return struct.pack('!I', value << 12 | bottom << 8 | 64)


def inner4(words, port):
    return ip4(17, udp(port, words), '10.9.9.1', '10.9.9.2')


def inner6(words, port):
    body = udp(port, words)
    packet = ip6(17, body)
    s = checksum(packet[8:40] + struct.pack('!II', len(body), 17) + body) or 0xffff
    return packet[:46] + struct.pack('!H', s) + packet[48:]


def frame4(words, port):
    return eth(0x0800, inner4(words, port))


VXLAN = struct.pack('!II', 0x08000000, 42 << 8)
WAYS = {
    'qinq': lambda w, p: eth(0x88a8, b'\0\5\x81\0' + b'\0\6\x08\0' + inner4(w, p)),
    'three tags': lambda w, p: eth(0x88a8, b'\0\5\x81\0' + b'\0\6\x81\0' + b'\0\7\x86\xdd' + inner6(w, p)),
    '802.1ah': lambda w, p: eth(0x88e7, b'\0\0\0\x2a' + frame4(w, p)),
    'mpls': lambda w, p: eth(0x8847, label(100, False) + label(200) + inner4(w, p)),
    'pseudo-wire': lambda w, p: eth(0x8847, label(300) + frame4(w, p)),
    'pseudo-wire, control word': lambda w, p: eth(0x8847, label(300) + b'\0\0\0\1' + frame4(w, p)),
    'pppoe': lambda w, p: eth(0x8864, struct.pack('!BBHHH', 0x11, 0, 9, 2 + len(inner4(w, p)), 0x21) + inner4(w, p)),
    '4in4': lambda w, p: eth(0x0800, ip4(4, inner4(w, p))),
    '6in4': lambda w, p: eth(0x0800, ip4(41, inner6(w, p))),
    '4in6': lambda w, p: eth(0x86dd, ip6(4, inner4(w, p), 11, 12)),
    'gre': lambda w, p: eth(0x0800, ip4(47, b'\x20\0\x08\0\0\0\0\1' + inner4(w, p))),
    'gre, ethernet': lambda w, p: eth(0x0800, ip4(47, b'\0\0\x65\x58' + frame4(w, p))),
    'pptp': lambda w, p: eth(0x0800, ip4(47, struct.pack('!HHHHI', 0x3001, 0x880b, 4 + len(inner4(w, p)), 1, 1) +
                                         b'\xff\3\0\x21' + inner4(w, p))),
    'erspan': lambda w, p: eth(0x0800, ip4(47, b'\x10\0\x88\xbe\0\0\0\1' + b'\x10\1\0\0\0\0\0\0' + frame4(w, p))),
    'vxlan': lambda w, p: eth(0x0800, ip4(17, udp(4789, VXLAN + frame4(w, p)))),
    'vxlan in vlan in vxlan': lambda w, p: eth(
        0x0800, ip4(17, udp(4789, VXLAN + eth(0x8100, b'\0\x09\x08\0' + ip4(17, udp(8472, VXLAN + frame4(w, p))))))),
    'geneve': lambda w, p: eth(0x0800, ip4(17, udp(6081, struct.pack('!BBHI', 0, 0, 0x6558, 42 << 8) + frame4(w, p)))),
    'teredo': lambda w, p: eth(0x0800, ip4(17, udp(3544, b'\0\0\x11\x22\1\2\3\4' + inner6(w, p)))),
    'authentication header': lambda w, p: eth(0x0800, ip4(51, b'\4\4' + bytes(22) + inner4(w, p))),
}


@pytest.mark.lab(queues=2)
def test_attacks_inside(lab):
    d = lab.ipsd(RULES)
    out, into = lab.client.tap('wan0'), lab.server.tap('lan0')
    for name, way in WAYS.items():
        out.send(way(WORDS[True], 7777))
        out.send(way(WORDS[False], 7777))
        wanted, got = way(WORDS[False], 7777), []

        def arrived():
            got.extend(into.drain())
            return wanted in got
        wait_until(arrived, f'the harmless frame: {name}')
        assert not any(WORDS[True] in f for f in got), name
    d.wait_events('alert', len(WAYS), lambda e: e['alert']['signature_id'] == 6001 and e['alert']['action'] == 'blocked')
    assert d.stats()['drop.rules'] == len(WAYS)


def test_path_in_the_event_and_no_answer(lab):
    d = lab.ipsd(RULES)
    out = lab.client.tap('wan0')
    out.send(WAYS['vxlan in vlan in vxlan'](WORDS[True], 7778))
    e = d.wait_events('alert', 1)[0]
    assert e['src_ip'] == '10.9.9.1' and e['dest_port'] == 7778 and e['pkt_src'] == 'vxlan tunnel'
    t = e['tunnel']
    assert (t['src_ip'], t['dest_ip'], t['dest_port'], t['proto'], t['depth']) == (
        '198.51.100.1', '198.51.100.2', 4789, 'UDP', 2)
    assert [(h['type'], h['id'], h['dest_port']) for h in t['path']] == [('vxlan', 42, 4789), ('vxlan', 42, 8472)]
    drop = d.wait_events('drop', 1)[0]
    assert drop['tunnel']['depth'] == 2 and drop['drop']['reason'] == 'rules'
    s = d.stats()
    assert s['ips.reject_tunnelled'] == 1 and s['frames.injected'] == 0
    assert not [f for f in out.drain() or [] if f[12:14] == b'\x08\0' and f[23] == 1]


def test_five_deep_is_dropped(lab):
    d = lab.ipsd('alert pkthdr any any -> any any (msg:"deep"; decode-event:too_many_layers; sid:6003;)\n',
                 set=('log.anomalies=on',))
    out, into = lab.client.tap('wan0'), lab.server.tap('lan0')
    four, five = inner4(WORDS[False], 7777), None
    for _ in range(4):
        four = ip4(4, four)
    five = ip4(4, four)
    into.drain()
    out.send(eth(0x0800, five))
    out.send(eth(0x0800, four))
    into.expect([eth(0x0800, four)])
    d.wait_events('alert', 1, lambda e: e['alert']['signature_id'] == 6003)
    a = d.wait_events('anomaly', 1, lambda e: e['anomaly']['event'] == 'decoder.too_many_layers')[0]  # hosts' MLD is odd, too
    assert a['anomaly']['type'] == 'decode' and a['tunnel']['depth'] == 4
    assert d.stats()['drop.decode_error'] == 1
    assert d.stats()['anomaly.too_many_layers'] == 1


def test_broken_packets_have_names(lab):
    """In capture mode: rules that ask for what is odd, malformed packets among them, and nothing else about those."""
    rules = lab.write('odd.rules', 'alert pkthdr any any -> any any (decode-event:ipv4.trunc_pkt; sid:1;)\n'
                      'alert ip any any -> any any (decode-event:gre.version0_recur; sid:2;)\n'
                      'drop pkthdr any any -> any any (decode-event:ipv6.ipv4_in_ipv6_wrong_version; sid:3;)\n'
                      'alert ip any any -> any any (msg:"everything"; sid:4;)\n')
    frames = [eth(0x0800, inner4(WORDS[False], 1))[:-1],
              eth(0x0800, ip4(47, b'\1\0\x08\0' + inner4(WORDS[False], 1))),
              eth(0x86dd, ip6(4, b'\x60' + inner4(WORDS[False], 1)))]
    path = lab.dir / 'odd.pcap'
    path.write_bytes(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + b''.join(
        struct.pack('<IIII', 1, i, len(f), len(f)) + f for i, f in enumerate(frames)))
    for inline in ((), ('--inline',)):
        out = lab.dir / f'odd{len(inline)}'
        out.mkdir()
        run([IPSD, '--pcap', path, '--rules', rules, '--log-dir', out, '--set', 'log.anomalies=on', *inline])
        events = [json.loads(line) for line in (out / 'eve.json').read_text().splitlines()]
        alerts = [(e['pcap_cnt'], e['alert']['signature_id']) for e in events if e['event_type'] == 'alert']
        assert sorted(alerts) == [(1, 1), (2, 2), (2, 4), (2, 4), (3, 3)]
        assert [(e['pcap_cnt'], e['anomaly']['event']) for e in events if e['event_type'] == 'anomaly'] == [
            (1, 'decoder.ipv4.trunc_pkt'), (2, 'decoder.gre.version0_recur'),
            (3, 'decoder.ipv6.ipv4_in_ipv6_wrong_version')]
        drops = [(e['pcap_cnt'], e['drop']['reason']) for e in events if e['event_type'] == 'drop']
        assert drops == ([(1, 'decode error'), (3, 'decode error')] if inline else [])
        stats = [e for e in events if e['event_type'] == 'stats'][-1]['stats']
        assert stats['anomaly']['ipv4']['trunc_pkt'] == 1
