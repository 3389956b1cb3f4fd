# SPDX-License-Identifier: BSD-2-Clause
"""Just enough of pcap, pcapng and the headers to take real bytes for generated rules from a capture.

What this cannot read gives no material; what it reads wrong gives a rule that matches nothing. Neither decides anything.
"""
import collections
import ipaddress
import struct

Packet = collections.namedtuple('Packet', 'version proto src dst sport dport ttl tos ident l4 payload')
PROTO = {6: 'tcp', 17: 'udp', 1: 'icmp', 58: 'icmp'}
FLAG_LETTERS = 'FSRPAUEC'
TUNNELS = {4789, 6081}
ETHERNET, NULL, RAW, RAW_BSD, SLL = 1, 0, 101, 12, 113


def frames(path):
    """(link type, bytes) of every frame."""
    data = open(path, 'rb').read()
    if data[:4] == b'\n\r\r\n':
        yield from frames_ng(data)
        return
    order = '<' if data[:4] in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1') else '>'
    link = struct.unpack_from(order + 'I', data, 20)[0] & 0xffff
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from(order + 'I', data, at + 8)[0]
        yield link, data[at + 16:at + 16 + size]
        at += 16 + size


def frames_ng(data):
    order, links, at = '<', [], 0
    while at + 12 <= len(data):
        kind = struct.unpack_from(order + 'I', data, at)[0]
        if kind == 0x0a0d0d0a:
            order = '<' if data[at + 8:at + 12] == b'\x4d\x3c\x2b\x1a' else '>'
            links = []
        size = struct.unpack_from(order + 'I', data, at + 4)[0]
        if size < 12:
            return
        if kind == 1:
            links.append(struct.unpack_from(order + 'H', data, at + 8)[0])
        elif kind == 6:
            which, _, _, n = struct.unpack_from(order + 'IIII', data, at + 8)
            yield links[which] if which < len(links) else ETHERNET, data[at + 28:at + 28 + n]
        at += size


def network(link, f):
    """The frame from its IP header on, or nothing."""
    if link == ETHERNET:
        kind, at = int.from_bytes(f[12:14], 'big'), 14
        while kind in (0x8100, 0x88a8, 0x9100):
            kind, at = int.from_bytes(f[at + 2:at + 4], 'big'), at + 4
        return f[at:] if kind in (0x800, 0x86dd) else b''
    return {RAW: f, RAW_BSD: f, NULL: f[4:], SLL: f[16:]}.get(link, b'')


def behind_extensions(proto, p):
    """IPv6: over hop-by-hop, routing and destination options, but not over a fragment's header."""
    while proto in (0, 43, 60) and len(p) >= 8:
        proto, p = p[0], p[(p[1] + 1) * 8:]
    return proto, p


def decode(link, frame):
    p = network(link, frame)
    if len(p) >= 20 and p[0] >> 4 == 4:
        head, total = (p[0] & 15) * 4, int.from_bytes(p[2:4], 'big')
        if int.from_bytes(p[6:8], 'big') & 0x3fff:
            return None
        version, proto, ttl, tos, ident = 4, p[9], p[8], p[1], int.from_bytes(p[4:6], 'big')
        src, dst, l4 = ipaddress.IPv4Address(p[12:16]), ipaddress.IPv4Address(p[16:20]), p[head:total]
    elif len(p) >= 40 and p[0] >> 4 == 6:
        version, ttl, tos, ident = 6, p[7], (int.from_bytes(p[:2], 'big') >> 4) & 255, 0
        src, dst = ipaddress.IPv6Address(p[8:24]), ipaddress.IPv6Address(p[24:40])
        proto, l4 = behind_extensions(p[6], p[40:40 + int.from_bytes(p[4:6], 'big')])
    else:
        return None
    least = {6: 20, 17: 8, 1: 8, 58: 8}.get(proto)
    if least is None or len(l4) < least:
        return None
    head = (l4[12] >> 4) * 4 if proto == 6 else least
    ports = struct.unpack('>HH', l4[:4]) if proto in (6, 17) else (0, 0)
    return Packet(version, proto, src, dst, *ports, ttl, tos, ident, l4[:head], l4[head:])


def packets(path):
    try:
        return [p for p in (decode(link, f) for link, f in frames(path)) if p is not None]
    except (struct.error, IndexError):
        return []


def undecoded(link, frame):
    """What a frame is that decode() has no use for."""
    p = network(link, frame)
    if len(p) >= 20 and p[0] >> 4 == 4:
        return 'ipv4 fragment' if int.from_bytes(p[6:8], 'big') & 0x3fff else f'ipv4 proto {p[9]}'
    if len(p) >= 40 and p[0] >> 4 == 6:
        proto, _ = behind_extensions(p[6], p[40:])
        return 'ipv6 fragment' if proto == 44 else f'ipv6 proto {proto}'
    return 'other'


def flags(p):
    return ''.join(c for i, c in enumerate(FLAG_LETTERS) if p.l4[13] >> i & 1) or '0'


def facts(path):
    """For every frame the words that explanations speak of: `ipv4 tcp SA len 0 reversed`, `ipv4 udp len 90 tunnel`,
    `ipv6 icmp 135 len 24`, `ipv6 fragment`, `ipv4 proto 2`.

    reversed  TCP between ends whose first packet in the capture is a SYN/ACK
    tunnel    UDP from or to a port of VXLAN or Geneve, or an IPv6 packet in UDP on any port (Teredo)"""
    said, first = [], {}
    try:
        for link, frame in frames(path):
            p = decode(link, frame)
            said.append(facts_of(p, first) if p else undecoded(link, frame))
    except (struct.error, IndexError):
        pass
    return said


def is_ipv6(b):
    return len(b) >= 40 and b[0] >> 4 == 6 and int.from_bytes(b[4:6], 'big') == len(b) - 40


def facts_of(p, first):
    words = f'ipv{p.version} {PROTO[p.proto]}'
    if p.proto == 6:
        words += f' {flags(p)}'
    elif p.proto != 17:
        words += f' {p.l4[0]}'
    words += f' len {len(p.payload)}'
    if p.proto == 17 and ({p.sport, p.dport} & TUNNELS or is_ipv6(p.payload)):
        words += ' tunnel'
    began = first.setdefault((p.proto, frozenset([(p.src, p.sport), (p.dst, p.dport)])), p)
    if p.proto == 6 and began.l4[13] & 0x17 == 0x12:
        words += ' reversed'
    return words
