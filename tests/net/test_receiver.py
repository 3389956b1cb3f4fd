# SPDX-License-Identifier: BSD-2-Clause
"""What the Linux stack does with odd segments, and what the engine thinks it does.

Each row is a connection that is written by hand, from an address that no stack owns, to a program on the real server;
nothing inspects in between. The row says what that program reads, and for each segment what the engine (ips/stream/tcp.c,
asked by way of tests/net/fates) makes of it. Whatever the table says, no byte of a segment that the engine thinks is
discarded may ever be read, on whatever kernel this runs.
"""
import os
import socket
import struct
import subprocess
import time

import pytest

from lab import BUILD, CLIENT_MAC, SERVER4, SERVER_MAC, SLOW, frame, mac

GHOST = '10.9.0.77'
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
T, A, D = 'TAKES', 'ANSWERS', 'DISCARDS'
ISN = 0xfffffff8
FAR = 50_000_000


def csum(b):
    if len(b) % 2:
        b += b'\0'
    s = sum(struct.unpack(f'!{len(b) // 2}H', b))
    s = (s & 0xffff) + (s >> 16)
    return ~((s & 0xffff) + (s >> 16)) & 0xffff


class Ghost:
    """One end of a connection, without a stack: sends what it is told, remembers all that crosses."""
    next_port = 30000

    def __init__(self, lab, dport):
        self.tap = lab.client.tap('wan0', 0x0800)
        Ghost.next_port += 1
        self.sport, self.dport = Ghost.next_port, dport
        self.crossed = []  # (port, frame) in order
        self.mine = []     # indices of what was sent from the table
        self.peer_next = 0
        self.ts_recent = 0
        self.refused = False

    def send(self, flags, at=0, data=b'', ack=0, ts=None, options=b'', window=60000, urgent=0, keep=True):
        if ts is not None:
            options += struct.pack('!BBBBII', 1, 1, 8, 10, ts, self.ts_recent)
        options += b'\1' * (-len(options) % 4)
        seq = (ISN + at) & 0xffffffff
        peer = (self.peer_next + ack) & 0xffffffff if flags & ACK else 0
        tcp = struct.pack('!HHIIBBHHH', self.sport, self.dport, seq, peer, (5 + len(options) // 4) << 4, flags, window, 0,
                          urgent) + options + data
        pseudo = socket.inet_aton(GHOST) + socket.inet_aton(SERVER4) + struct.pack('!BBH', 0, 6, len(tcp))
        tcp = tcp[:16] + struct.pack('!H', csum(pseudo + tcp)) + tcp[18:]
        ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(tcp), 7, 0, 64, 6, 0, socket.inet_aton(GHOST),
                         socket.inet_aton(SERVER4))
        ip = ip[:10] + struct.pack('!H', csum(ip)) + ip[12:]
        f = frame(0x0800, ip + tcp)
        if keep:
            self.mine.append(len(self.crossed))
        self.crossed.append((0, f))
        self.tap.send(f)
        self.listen((0.1 if flags & FIN else 0.03) * SLOW)  # FINs may be acknowledged late

    def listen(self, seconds):
        """What the server answers, until it is silent."""
        while True:
            f = self.tap.receive(seconds)
            if f is None:
                return
            l4 = f[14 + (f[14] & 15) * 4:]
            if f[23] != 6 or struct.unpack('!HH', l4[:4]) != (self.dport, self.sport):
                continue
            self.crossed.append((1, f))
            seq, _, off, flags = struct.unpack('!IIBB', l4[4:14])
            size = int.from_bytes(f[16:18], 'big') - 20 - (off >> 4) * 4
            if flags & RST:
                self.refused = True
                continue
            self.peer_next = seq + size + bool(flags & SYN) + bool(flags & FIN)
            opts = l4[20:(off >> 4) * 4]
            at = opts.find(b'\x08\x0a')
            if at >= 0 and len(opts) >= at + 10:
                self.ts_recent = int.from_bytes(opts[at + 2:at + 6], 'big')

    def fates(self):
        lines = ''.join(f'{port} {f.hex()}\n' for port, f in self.crossed)
        p = subprocess.run([BUILD / 'tests/net/fates'], input=lines, capture_output=True, text=True, check=True)
        said = p.stdout.split()
        return [said[i] for i in self.mine], said


def opened(g, ts=None, syn_data=b''):
    g.send(SYN, 0, syn_data, ts=ts, options=b'\2\4\5\xb4', keep=False)
    g.send(ACK, 1, ts=None if ts is None else ts + 1, keep=False)


def seg(flags, at=1, data=b'', fate=T, **kw):
    return flags, at, data, fate, kw


# name: (how it opens, segments, what the program reads). Place 1 is the first byte.
ROWS = {
    'in order': ({}, [seg(ACK, 1, b'ab'), seg(ACK, 3, b'cd')], b'abcd'),
    'early': ({}, [seg(ACK, 3, b'cd'), seg(ACK, 1, b'ab')], b'abcd'),
    'old bytes differ': ({}, [seg(ACK, 1, b'ab'), seg(ACK, 1, b'XYcd')], b'abcd'),
    'early bytes differ': ({}, [seg(ACK, 3, b'cd'), seg(ACK, 3, b'XY'), seg(ACK, 1, b'ab')], b'abcd'),
    'keep-alive': ({}, [seg(ACK, 1, b'ab'), seg(ACK, 2, b'X', A), seg(ACK, 2, b'', A), seg(ACK, 3, b'cd')], b'abcd'),
    'long over': ({}, [seg(ACK, 1, b'ab'), seg(ACK, 1 - FAR, b'XY', A), seg(ACK, 3, b'cd')], b'abcd'),
    'beyond the window': ({}, [seg(ACK, 1, b'ab'), seg(ACK, FAR, b'XY', D), seg(ACK, 3, b'cd')], b'abcd'),
    'fin beyond the window': ({}, [seg(ACK | FIN, FAR, b'', D), seg(ACK, 1, b'ab')], b'ab'),
    'acknowledges the future': ({}, [seg(ACK, 1, b'XY', D, ack=FAR), seg(ACK, 1, b'ab')], b'ab'),
    'acknowledges the past': ({}, [seg(ACK, 1, b'XY', D, ack=-200_000), seg(ACK, 1, b'ab')], b'ab'),
    'no ack': ({}, [seg(PSH, 1, b'XY', D), seg(0, 1, b'XY', D), seg(FIN, 1, b'', D), seg(URG, 1, b'X', D),
                    seg(ACK, 1, b'ab')], b'ab'),
    'timestamps': ({'ts': 1000}, [seg(ACK, 1, b'ab', ts=1010), seg(ACK, 3, b'XY', D, ts=900), seg(ACK, 3, b'', A, ts=900),
                                  seg(ACK | FIN, 3, b'', D, ts=900), seg(ACK, 3, b'cd', ts=1010),
                                  seg(ACK, 5, b'ef', ts=1009)], b'abcdef'),
    'timestamps left out': ({'ts': 1000}, [seg(ACK, 1, b'ab', ts=1010), seg(ACK, 3, b'cd')], b'abcd'),
    'a timestamp of the far past': ({'ts': 1000}, [seg(ACK, 1, b'ab', ts=1010), seg(ACK, 3, b'XY', D, ts=(1 << 31) + 1100),
                                                   seg(ACK, 3, b'cd', ts=1011)], b'abcd'),
    'rst': ({}, [seg(ACK, 1, b'ab'), seg(RST, 3), seg(ACK, 3, b'cd')], b'ab'),
    'rst in the window': ({}, [seg(ACK, 1, b'ab'), seg(RST, 10), seg(ACK, 3, b'cd')], b'abcd'),
    'rst of the past': ({}, [seg(ACK, 1, b'ab'), seg(RST, 1, b'', D), seg(ACK, 3, b'cd')], b'abcd'),
    'rst beyond the window': ({}, [seg(ACK, 1, b'ab'), seg(RST, FAR, b'', D), seg(ACK, 3, b'cd')], b'abcd'),
    'rst with an old timestamp': ({'ts': 1000}, [seg(ACK, 1, b'ab', ts=1010), seg(RST, 3, ts=1), seg(ACK, 3, b'cd', ts=1011)],
                                  b'ab'),
    'data behind a fin': ({}, [seg(ACK | FIN, 1, b'ab'), seg(ACK, 4, b'XY', D), seg(ACK, 3, b'XY', D)], b'ab'),
    'data before an early fin': ({}, [seg(ACK | FIN, 3, b''), seg(ACK, 1, b'ab'), seg(ACK, 4, b'XY', D)], b'ab'),
    'syn': ({}, [seg(ACK, 1, b'ab'), seg(SYN, 5000, b'', A), seg(SYN, 3, b'XY', D), seg(SYN | ACK, 3, b'', A),
                 seg(ACK, 3, b'cd')], b'abcd'),
    'syn and fin': ({}, [seg(SYN | FIN, 1, b'XY', D), seg(ACK, 1, b'ab')], b'ab'),
    'md5': ({}, [seg(ACK, 1, b'ab', options=bytes([19, 18]) + bytes(16)), seg(ACK, 1, b'cd')], b'cd'),
    'urgent': ({}, [seg(ACK | URG, 1, b'abU', urgent=3), seg(ACK, 4, b'cd')], b'abcd'),
    'urgent, further on': ({}, [seg(ACK | URG, 1, b'ab', urgent=4), seg(ACK, 3, b'cUd')], b'abcd'),
    'syn with data': ({'syn_data': b'ab'}, [seg(ACK, 1, b'cd')], b'cd'),
}


@pytest.fixture(scope='module')
def wire():
    from lab import Lab
    lab = Lab()
    try:
        lab.kernel_bridge()
        lab.server.ip('neigh', 'add', GHOST, 'lladdr', CLIENT_MAC, 'dev', 'lan0')
        lab.server.run(['sysctl', '-qw', 'net.ipv4.tcp_challenge_ack_limit=2147483647', 'net.ipv4.tcp_invalid_ratelimit=0'])
        yield lab
    finally:
        lab.close()


def read_all(listener):
    listener.settimeout(0.3 * SLOW)
    try:
        c, _ = listener.accept()
    except socket.timeout:
        return b''
    with c:
        c.settimeout(0.05 * SLOW)
        got = b''
        try:
            while True:
                more = c.recv(65536)
                if not more:
                    return got
                got += more
        except (socket.timeout, ConnectionError):
            return got


def check(wire, how, segments, reads, port):
    listener = wire.server.socket(socket.AF_INET, socket.SOCK_STREAM, bind=(SERVER4, port), listen=True)
    try:
        g = Ghost(wire, port)
        opened(g, **how)
        for flags, at, data, _, kw in segments:
            g.send(flags, at, data, **kw)
        got = read_all(listener)
        fates, every = g.fates()
        g.send(RST, 0, keep=False)
    finally:
        listener.close()
    taken = set(how.get('syn_data', b'')).union(*(data for (_, _, data, _, _), fate in zip(segments, fates) if fate == T))
    assert set(got) <= taken, f'{got} was read, and the engine thinks that only {bytes(taken)} can be'
    assert fates == [s[3] for s in segments], every
    assert got == reads


@pytest.mark.parametrize('name', ROWS)
def test_receiver(wire, name):
    how, segments, reads = ROWS[name]
    check(wire, how, segments, reads, 4000 + list(ROWS).index(name))


def test_fast_open(wire):
    """Data in the SYN, taken without a cookie: the server says so itself."""
    wire.server.run(['sysctl', '-qw', f'net.ipv4.tcp_fastopen={0x602}'])
    try:
        listener = wire.server.socket(socket.AF_INET, socket.SOCK_STREAM, bind=(SERVER4, 4900), listen=True)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
        g = Ghost(wire, 4900)
        g.send(SYN, 0, b'ab', options=b'\2\4\5\xb4\x22\x02')
        g.send(ACK, 3, b'cd')
        got = read_all(listener)
        fates, every = g.fates()
        assert fates == [T, T], every
        assert got == b'abcd'
    finally:
        wire.server.run(['sysctl', '-qw', 'net.ipv4.tcp_fastopen=1'])


def test_wrong_ack_in_the_handshake(wire):
    listener = wire.server.socket(socket.AF_INET, socket.SOCK_STREAM, bind=(SERVER4, 4901), listen=True)
    g = Ghost(wire, 4901)
    g.send(SYN)
    g.send(ACK, 1, b'XY', ack=777)
    g.send(ACK, 1, b'ab')
    got = read_all(listener)
    fates, every = g.fates()
    assert fates == [T, D, T], every
    assert got in (b'ab', b'')


def test_normalised(lab):
    """Behind the normaliser every receiver reads what was inspected: the urgent byte is in its place."""
    d = lab.ipsd(config={'normalise': {'ttl_floor': 80, 'tcp_reserved': True, 'tcp_options': True, 'ecn': True, 'padding': True,
                                       'window': True}})
    lab.server.ip('neigh', 'add', GHOST, 'lladdr', CLIENT_MAC, 'dev', 'lan0')
    listener = lab.server.socket(socket.AF_INET, socket.SOCK_STREAM, bind=(SERVER4, 4902), listen=True)
    arrived = lab.server.tap('lan0', 0x0800)
    g = Ghost(lab, 4902)
    opened(g)
    g.send(ACK | URG | 0xc0, 1, b'abU', urgent=3, options=b'\x4d\4\1\2')
    g.send(ACK | URG, 4, b'cUd', urgent=2)
    assert read_all(listener) == b'abUcUd'
    seen = [f for f in arrived.drain() if f[26:30] == socket.inet_aton(GHOST)]
    assert len(seen) >= 4
    for f in seen:
        tcp = f[34:]
        assert f[22] == 80 and not tcp[13] & (URG | 0xc0) and tcp[18:20] == b'\0\0' and b'\x4d' not in tcp[20:(tcp[12] >> 4) * 4]
        pseudo = f[26:34] + struct.pack('!BBH', 0, 6, int.from_bytes(f[16:18], 'big') - 20)
        assert csum(f[14:34]) == 0 and csum(pseudo + f[34:14 + int.from_bytes(f[16:18], 'big')]) == 0
    stats = d.stats()
    assert stats['normalise.urgent'] == 2 and stats['normalise.tcp_options'] == 1 and stats['normalise.ecn'] == 1
