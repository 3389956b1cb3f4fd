# SPDX-License-Identifier: BSD-2-Clause
"""Fragments across the real bridge: what real hosts send arrives byte for byte at a real receiver; an attack that is cut
into fragments does not, in any order; what contradicts itself or never completes is dropped, counted, and gives its
frames back."""
import itertools
import random
import socket
import struct

import pytest

from lab import CLIENT4, CLIENT6, CLIENT_MAC, SERVER4, SERVER6, SERVER_MAC, frame, wait_until

ATTACK = b'the attack that is cut into fragments'
RULE = 'drop udp any any -> any any (msg:"attack"; content:"attack that is cut"; sid:1;)\n'


def checksum(data):
    if len(data) % 2:
        data += b'\0'
    s = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def udp(payload, v6=False, sport=4000, dport=5000):
    family = socket.AF_INET6 if v6 else socket.AF_INET
    src, dst = (socket.inet_pton(family, a) for a in ((CLIENT6, SERVER6) if v6 else (CLIENT4, SERVER4)))
    length = 8 + len(payload)
    head = struct.pack('!HHH', sport, dport, length)
    pseudo = src + dst + (struct.pack('!I3xB', length, 17) if v6 else struct.pack('!BBH', 0, 17, length))
    c = checksum(pseudo + head + b'\0\0' + payload) or 0xffff
    return head + struct.pack('!H', c) + payload


def fragment(ident, off, data, more, v6=False, ttl=64, proto=17, options=b''):
    if v6:
        head = struct.pack('!BxHI', proto, off | more, ident)
        ip = struct.pack('!IHBB', 6 << 28, len(head) + len(data), 44, ttl) + \
            socket.inet_pton(socket.AF_INET6, CLIENT6) + socket.inet_pton(socket.AF_INET6, SERVER6)
        return frame(0x86dd, ip + head + data)
    ip = struct.pack('!BBHHHBBH', 0x45 + len(options) // 4, 0, 20 + len(options) + len(data), ident,
                     off // 8 | (0x2000 if more else 0), ttl, proto, 0) + \
        socket.inet_aton(CLIENT4) + socket.inet_aton(SERVER4) + options
    ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
    return frame(0x0800, ip + data)


def cut(ident, datagram, sizes, v6=False):
    out, off = [], 0
    for i, n in enumerate(sizes):
        data = datagram[off:off + n] if i + 1 < len(sizes) else datagram[off:]
        out.append(fragment(ident, off, data, i + 1 < len(sizes), v6))
        off += n
    return out


class Receiver:
    """A real UDP socket on the server; a marker that is not fragmented says when all before it was seen."""

    def __init__(self, lab, v6):
        family, address = (socket.AF_INET6, SERVER6) if v6 else (socket.AF_INET, SERVER4)
        self.socket = lab.server.socket(family, socket.SOCK_DGRAM, bind=(address, 5000), timeout=1)
        self.sender = lab.client.socket(family, socket.SOCK_DGRAM)
        self.address = address
        self.n = 0

    def until_marker(self):
        """What arrived before the marker (markers are repeated until one comes)."""
        self.n += 1
        marker, got = b'marker %d' % self.n, []
        for _ in range(30):
            self.sender.sendto(marker, (self.address, 5000))
            try:
                while True:
                    data = self.socket.recv(1 << 16)
                    if data == marker:
                        return got
                    if not data.startswith(b'marker'):
                        got.append(data)
            except socket.timeout:
                pass
        raise AssertionError('no marker arrived')


both = pytest.mark.parametrize('v6', [False, True], ids=['ipv4', 'ipv6'])


@both
def test_ping_of_8000_bytes(lab, v6):
    d = lab.ipsd()
    p = lab.client.run(['ping', '-6' if v6 else '-4', '-n', '-c', '5', '-i', '0.05', '-W', '10', '-s', '8000',
                        SERVER6 if v6 else SERVER4])
    assert ' 0% packet loss' in p.stdout, p.stdout
    d.quiet()
    assert d.stats()['defrag.whole'] >= 10


@both
def test_large_datagrams_arrive_byte_for_byte(lab, v6):
    d = lab.ipsd()
    r = Receiver(lab, v6)
    rng = random.Random(4)
    for size in (1473, 2960, 20000, 65000):
        sent = [rng.randbytes(size) for _ in range(5)]
        for data in sent:
            r.sender.sendto(data, (r.address, 5000))
        assert r.until_marker() == sent, size
    d.quiet()
    s = d.stats()
    assert s['defrag.whole'] == 20 and not any(d.drops().values()), s


@pytest.mark.lab(queues=2)
def test_large_datagrams_in_both_directions_and_their_rules(lab):
    """With two workers the datagram's flow may be another worker's than the fragments'."""
    d = lab.ipsd('alert udp any any -> any any (msg:"reply"; flow:established,to_client; content:"in the end"; sid:2;)\n')
    server = lab.server.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(SERVER4, 5000))
    rng = random.Random(5)
    for i in range(20):
        client = lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(CLIENT4, 6000 + i))
        request, reply = rng.randbytes(9000), rng.randbytes(9000) + b'in the end'
        client.sendto(request, (SERVER4, 5000))
        assert server.recv(1 << 16) == request
        server.sendto(reply, (CLIENT4, 6000 + i))
        assert client.recv(1 << 16) == reply
    d.wait_events('alert', 20)
    d.quiet()
    assert len(d.events('alert')) == 20


@both
def test_an_attack_in_fragments_of_every_order(lab, v6):
    d = lab.ipsd(RULE)
    r = Receiver(lab, v6)
    tap = lab.client.tap('wan0')
    rng = random.Random(6)
    n = 0
    for sizes in ([16, 16], [24, 8, 16], [16, 8, 8, 16]):
        for order in itertools.permutations(range(len(sizes))):
            attack = cut(1000 + 2 * n, udp(b'....' + ATTACK, v6), sizes, v6)
            harmless = b'nothing to see here %d ' % n + rng.randbytes(40)
            good = cut(1001 + 2 * n, udp(harmless, v6), sizes, v6)
            for i in order:
                tap.send(attack[i])
                tap.send(good[i])
            assert r.until_marker() == [harmless], (sizes, order)
            n += 1
    d.quiet()
    assert len([e for e in d.wait_events('alert', n) if e['alert']['signature_id'] == 1]) == n
    assert d.drops()['rules'] == sum(len(s) * len(list(itertools.permutations(s))) for s in ([1, 2], [1, 2, 3], [1, 2, 3, 4]))


@both
def test_overlaps_never_arrive(lab, v6):
    """The receiver would take neither; nothing of them leaves, and later fragments of the datagram do not either."""
    d = lab.ipsd()
    r = Receiver(lab, v6)
    sink = lab.server.tap('lan0', 0x86dd if v6 else 0x0800)
    tap = lab.client.tap('wan0')
    data = udp(b'A' * 200, v6)
    f = [fragment(7, 0, data[:104], True, v6), fragment(7, 96, b'B' * 104, True, v6),
         fragment(7, 104, data[104:], False, v6), fragment(7, 0, data[:104], True, v6)]
    sink.drain()
    for x in f:
        tap.send(x)
    assert r.until_marker() == []
    got = sink.drain()
    assert not any(x in got for x in f)
    d.quiet()
    assert d.drops()['defrag_overlap'] == 4 and d.stats()['defrag.refused'] == 1


@both
def test_exact_duplicates_do_no_harm(lab, v6):
    d = lab.ipsd()
    r = Receiver(lab, v6)
    tap = lab.client.tap('wan0')
    f = cut(8, udp(b'C' * 300, v6), [104, 104, 100], v6)
    for x in (f[0], f[0], f[2], f[0], f[2], f[1]):
        tap.send(x)
    assert r.until_marker() == [b'C' * 300]
    d.quiet()
    assert d.drops()['defrag_duplicate'] == 3


def test_what_no_datagram_can_have(lab):
    """Ping of death, teardrop, tiny first fragments, no bytes: dropped with a reason each; the bridge goes on."""
    d = lab.ipsd()
    r = Receiver(lab, False)
    tap = lab.client.tap('wan0')
    tap.send(fragment(20, 65528, b'D' * 400, False))          # beyond 65,535: broken in itself
    tap.send(fragment(21, 0, b'E' * 64, True))                # teardrop: the second lies within the first
    tap.send(fragment(21, 24, b'E' * 16, False))
    tap.send(fragment(22, 0, b'F' * 8, True, proto=6))        # a TCP header that needs the next fragment
    tap.send(fragment(22, 8, b'F' * 64, False, proto=6))
    tap.send(fragment(23, 8, b'', True))                      # no bytes (and 60 of padding on a wire)
    tap.send(fragment(24, 0, b'G' * 64, True))                # a fragment that would be routed elsewhere
    tap.send(fragment(24, 64, b'G' * 64, False, options=b'\x83\x07\x04\x0a\x09\x00\x07\x00'))
    assert r.until_marker() == []
    d.quiet()
    drops = d.drops()
    assert drops['decode_error'] == 1
    assert drops['defrag_overlap'] == 2
    assert drops['defrag_tiny'] == 2
    assert drops['defrag_error'] == 3


def test_incomplete_datagrams_time_out(lab):
    d = lab.ipsd(set=['defrag.ipv4_timeout=1', 'defrag.ipv6_timeout=1'])
    r = Receiver(lab, False)
    tap = lab.client.tap('wan0')
    for i in range(10):
        tap.send(fragment(100 + i, 0, b'H' * 64, True))
        tap.send(fragment(100 + i, 0, b'H' * 64, True, v6=True))
    assert r.until_marker() == []
    wait_until(lambda: d.drops()['defrag_timeout'] == 20, 'the timeouts')
    d.quiet()
    s = d.stats()
    assert s['defrag.timeouts'] == 20 and s['defrag.held'] == 0


def test_held_frames_are_in_the_books(lab):
    d = lab.ipsd(set=['defrag.ipv4_timeout=600'])
    r = Receiver(lab, False)
    tap = lab.client.tap('wan0')
    for i in range(10):
        tap.send(fragment(100 + i, 0, b'I' * 64, True))
    assert r.until_marker() == []
    d.quiet(held=10)
    d.process.terminate()  # they are given back when the worker stops
    assert d.wait_exit() == 0


def test_a_spray_stays_within_its_budget(lab):
    """One host sprays first fragments; its own oldest go, and another datagram of it still passes."""
    d = lab.ipsd(set=['defrag.frames=128', 'defrag.host_frames=64', 'defrag.datagram_frames=48', 'defrag.ipv4_timeout=2'])
    r = Receiver(lab, False)
    tap = lab.client.tap('wan0')
    for i in range(500):
        tap.send(fragment(i, 0, b'J' * 64, True))
    good = cut(30000, udp(b'K' * 300), [104, 104, 100])
    for x in good:
        tap.send(x)
    assert r.until_marker() == [b'K' * 300]
    s = d.stats()
    assert s['defrag.held'] <= 64
    wait_until(lambda: d.stats()['defrag.held'] == 0, 'the rest to time out')
    d.quiet()
    drops = d.drops()
    assert drops['defrag_memcap'] + drops['defrag_timeout'] == 500 and drops['defrag_memcap'] >= 436


def test_one_fragment_cannot_be_made_to_die_on_the_way(lab):
    """Fragments leave with the lowest TTL of their datagram: all of them arrive at the same place."""
    d = lab.ipsd()
    r = Receiver(lab, False)
    sink = lab.server.tap('lan0', 0x0800)
    tap = lab.client.tap('wan0')
    data = udp(b'L' * 200)
    for x in (fragment(9, 0, data[:104], True, ttl=64), fragment(9, 104, data[104:], False, ttl=3)):
        tap.send(x)
    assert r.until_marker() == [b'L' * 200]
    ttls = {f[14 + 8] for f in sink.drain() if len(f) > 40 and f[14 + 4:14 + 6] == b'\0\x09' and f[14 + 6:14 + 8] != b'\0\0'}
    assert ttls == {3}
    d.quiet()
    assert d.stats()['defrag.ttl_evened'] == 1
