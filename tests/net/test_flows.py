# SPDX-License-Identifier: BSD-2-Clause
"""Flows under hard conditions: paths of which only one direction crosses a bridge, and a flood of SYNs that nobody answers
while a download goes on."""
import hashlib
import random
import select
import socket
import struct
import time

import pytest

from lab import CLIENT4, SERVER4, SLOW, frame, wait_until

TWO_BRIDGES = [{'name': 'br0', 'interfaces': ['in0', 'in1']}, {'name': 'br1', 'interfaces': ['in2', 'in3']}]
EVIL = b'GET /evil HTTP/1.0\r\nHost: x\r\n\r\n'
EVIL_ANSWER = b'HTTP/1.0 200 OK\r\n\r\n' + b'.' * 3000 + b'poison' + b'.' * 3000


def take_other_way_back(lab):
    """What the server sends to the client's address goes over the second pair of cables."""
    for host in (lab.client, lab.server):
        for ifname in ('all', *(['wan0', 'wan1'] if host is lab.client else ['lan0', 'lan1'])):
            host.run(['sysctl', '-qw', f'net.ipv4.conf.{ifname}.rp_filter=0'])
    lab.server.ip('route', 'add', f'{CLIENT4}/32', 'dev', 'lan1')


def told(conn, seconds=1.0):
    """What the other end sends until it is silent."""
    got = b''
    while select.select([conn], [], [], seconds * SLOW)[0]:
        data = conn.recv(1 << 16)
        if not data:
            break
        got += data
    return got


def dribble(conn, data, sizes):
    """In segments of these sizes, over and over."""
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    at = 0
    for i in range(len(data)):
        if at >= len(data):
            return
        conn.send(data[at:at + sizes[i % len(sizes)]])
        at += sizes[i % len(sizes)]
        time.sleep(0.002)


def connect(lab, server):
    c = lab.client.socket(socket.AF_INET, socket.SOCK_STREAM, bind=(CLIENT4, 0))
    c.connect((SERVER4, 7900))
    s, _ = server.accept()
    return c, s


@pytest.mark.lab(second_cable_pair=True)
@pytest.mark.parametrize('established', [True, False])
def test_each_bridge_sees_one_direction(lab, established):
    """Both streams are joined and inspected, whether rules ask for an established flow or not."""
    est = 'established,' if established else ''
    take_other_way_back(lab)
    d = lab.ipsd(f'drop tcp any any -> any 7900 (msg:"in"; flow:{est}to_server; content:"GET /evil"; sid:6001;)\n'
                 f'drop tcp any 7900 -> any any (msg:"out"; flow:{est}to_client; content:"poison"; sid:6002;)\n',
                 bridges=TWO_BRIDGES, config={'stream': {'async': 'on' if established else 'off'}})
    server = lab.server.socket(socket.AF_INET, socket.SOCK_STREAM, bind=(SERVER4, 7900), listen=True)

    c, s = connect(lab, server)
    good = random.Random(1).randbytes(300000)
    c.sendall(b'GET /good HTTP/1.0\r\n\r\n')
    assert s.recv(100) == b'GET /good HTTP/1.0\r\n\r\n'
    s.sendall(good)
    s.shutdown(socket.SHUT_WR)
    assert told(c) == good
    assert not any(d.drops().values()), d.drops()

    c, s = connect(lab, server)
    dribble(c, EVIL, [3, 1, 2])
    got = told(s)
    assert EVIL.startswith(got) and b'evil' not in got, got
    c, s = connect(lab, server)
    c.sendall(b'x')
    assert s.recv(10) == b'x'
    s.setsockopt(socket.SOL_TCP, socket.TCP_MAXSEG, 100)
    dribble(s, EVIL_ANSWER, [1000, 23, 1001])
    assert b'poison' not in told(c)
    d.wait_events('alert', 1, lambda e: e['alert']['signature_id'] == 6001)
    d.wait_events('alert', 1, lambda e: e['alert']['signature_id'] == 6002)
    assert d.drops()['rules'] > 1
    for bridge in d.status()['bridges']:
        assert all(w['rx'] > 0 for w in bridge['workers'])


def syn_frames(n, seed):
    """SYNs of random sources to a host that is not there; their frames are let go by the server's stack."""
    rng = random.Random(seed)
    dst = socket.inet_aton('10.9.0.78')
    for _ in range(n):
        src, sport, seq = rng.randbytes(4), rng.randrange(1024, 65536), rng.getrandbits(32)
        tcp = struct.pack('!HHIIBBHHH', sport, 80, seq, 0, 5 << 4, 2, 1000, 0, 0)
        ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 40, 7, 0, 64, 6, 0, src, dst)
        total = sum(struct.unpack('!6H', src + dst + struct.pack('!HH', 6, 20))) + sum(struct.unpack('!10H', tcp))
        tcp = tcp[:16] + struct.pack('!H', folded(total)) + tcp[18:]
        ip = ip[:10] + struct.pack('!H', folded(sum(struct.unpack('!10H', ip)))) + ip[12:]
        yield frame(0x0800, ip + tcp)


def folded(total):
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def test_a_download_outlives_a_syn_flood(lab):
    """20,000 SYNs a second for five seconds, into a table of 2,000 flows: those that nobody answered make room for each
    other, and what is established stays."""
    flow_max, rate, seconds = 2000, 20000, 5
    content = random.Random(3).randbytes(40 << 20)
    frames = list(syn_frames(int(rate * seconds / SLOW), 4))
    d = lab.ipsd('alert tcp any any -> any any (msg:"late"; flow:established,to_server; content:"the last word"; sid:6003;)\n',
                 config={'flow': {'max': flow_max}})
    lab.web_server({'big': content})
    server = lab.server.socket(socket.AF_INET, socket.SOCK_STREAM, bind=(SERVER4, 7900), listen=True)
    idle = [connect(lab, server) for _ in range(20)]
    got = lab.dir / 'got'
    curl = lab.client.start(['curl', '-sS', '--noproxy', '*', '--limit-rate', '4M', '-o', str(got), f'http://{SERVER4}/big'])
    wait_until(lambda: got.exists() and got.stat().st_size > 100000, 'the download to begin')

    tap = lab.client.tap('wan0', 0x88b6)
    began = time.monotonic()
    for i, f in enumerate(frames):
        if i % 100 == 0:
            time.sleep(max(0.0, began + i * SLOW / rate - time.monotonic()))
        tap.send(f)
    took = time.monotonic() - began
    s = d.stats()
    print(f'{len(frames)} SYNs in {took:.1f} s; the download had {got.stat().st_size} bytes by then')
    assert curl.poll() is None and got.stat().st_size < len(content), 'the download was over before the flood'
    assert [w['flows'] for w in d.status()['bridges'][0]['workers']] == [flow_max]
    assert s['flow.emergencies'] >= 1 and s['flow.evicted'] > len(frames) * 0.9 - flow_max, s

    assert curl.wait(timeout=60 * SLOW) == 0
    assert hashlib.sha256(got.read_bytes()).digest() == hashlib.sha256(content).digest()
    for c, s in idle:  # these said nothing all the while, and are still established
        c.sendall(b'the last word')
        assert s.recv(100) == b'the last word'
    d.wait_events('alert', len(idle))
    d.quiet()
    dropped = {reason: n for reason, n in d.drops().items() if n}
    print('dropped:', dropped)
    assert set(dropped) <= {'tx_full'}, dropped  # a cable may be full for a moment; TCP repeats what it loses there
    assert d.stats()['flow.full'] == 0
