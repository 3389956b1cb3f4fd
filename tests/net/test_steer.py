# SPDX-License-Identifier: BSD-2-Clause
"""Steering lines, with frames: each action does what it says, the first match decides, the list changes while traffic
crosses, and the box answers on an address of its own through a bridged port while others' frames go by."""
import socket
import struct
import time

import pytest

from lab import CLIENT4, CLIENT_MAC, SERVER4, STANDIN, frame, refused as start_refused
from numbered import Numbered

pytestmark = pytest.mark.skipif(bool(STANDIN), reason='the stand-in steers nothing')

BOX4 = '10.9.0.5'
DROP = 'drop ip any any -> any any (msg:"marker"; content:"a-marker-to-drop"; sid:7;)\n'
UDP_PORT = Numbered.PORT


def checksum(data):
    s = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def udp4(n, dport=UDP_PORT, src=CLIENT4, dst=SERVER4, marker=b''):
    payload = b'number %d ' % n + marker
    udp = struct.pack('!HHHH', 5000, dport, 8 + len(payload), 0) + payload
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), n & 0xffff, 0, 64, 17, 0, socket.inet_aton(src),
                     socket.inet_aton(dst))
    ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
    return ip + udp


def arrived(tap, wanted, seconds=5.0):
    """Which of the frames have come by the time the last did."""
    got = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        f = tap.receive(0.05)
        if f in wanted:
            got.append(f)
            if f == wanted[-1]:
                break
    return got


def exits(d):
    return {k: n for k, n in d.stats().items() if k.startswith('steer.')}


@pytest.mark.lab(fail_open=True)
def test_each_action(lab):
    """Four VLANs, four actions; and one that no line is about. What is inspected loses the marker; what is bypassed keeps
    it and costs no worker a frame."""
    d = lab.ipsd(DROP, steer=['vlan 10 bypass', 'vlan 20-29 drop', 'vlan 30 inspect', 'vlan 40 host', 'vlan 1-100 drop'])
    tx, rx = lab.client.tap('wan0'), lab.server.tap('lan0')

    def sent(vlan, marker=b''):
        f = frame(0x0800, udp4(vlan, marker=marker), tags=[(0x8100, vlan)] if vlan else [])
        tx.send(f)
        return f
    frames = {v: sent(v) for v in (10, 20, 29, 30, 40, 50, 101)}
    marked = {v: sent(v, b'a-marker-to-drop') for v in (10, 30, 101, 0)}
    last = sent(0)
    got = arrived(rx, [*frames.values(), *marked.values(), last], 20)
    assert [f for f in got if f in frames.values()] == [frames[10], frames[30], frames[101]]
    assert [f for f in got if f in marked.values()] == [marked[10]]
    lines = d.ctl_json('steer', 'list')['lines']
    assert [(l['number'], l['line'], l['frames']) for l in lines] == [
        (1, 'vlan 10 bypass', 2), (2, 'vlan 20-29 drop', 2), (3, 'vlan 30 inspect', 2), (4, 'vlan 40 host', 1),
        (5, 'vlan 1-100 drop', 1)]
    s = exits(d)
    assert (s['steer.line_bypass'], s['steer.line_drop'], s['steer.line_host']) == (2, 3, 1)


def test_addresses_ports_and_protocols(lab):
    d = lab.ipsd(steer=[f'src {CLIENT4} dst {SERVER4}/31 proto udp dport 7001-7002 drop', 'net 192.0.2.0/24 drop',
                        'port 7003 proto udp drop', 'ethertype 0x88cc drop', 'in in1 proto udp dport 7004 drop',
                        'not-ip ethertype 0x88b5 drop'])
    tx, rx = lab.client.tap('wan0'), lab.server.tap('lan0')
    back, front = lab.server.tap('lan0'), lab.client.tap('wan0')
    lab.client.ip('neigh', 'replace', SERVER4, 'lladdr', '02:00:00:09:00:02', 'dev', 'wan0')
    dropped = [frame(0x0800, udp4(1, dport=7001)), frame(0x0800, udp4(2, dport=7002)),
               frame(0x0800, udp4(3, src='192.0.2.9')), frame(0x0800, udp4(4, dst='192.0.2.9')),
               frame(0x0800, udp4(5, dport=7003)), frame(0x88cc, b'x' * 50), frame(0x88b5, b'y' * 50)]
    passed = [frame(0x0800, udp4(6, dport=7000)), frame(0x0800, udp4(7, dport=7001, src='10.9.0.77')),
              frame(0x0800, udp4(8, dport=7004))]
    for f in dropped + passed:
        tx.send(f)
    assert arrived(rx, dropped + passed) == passed
    dropped = [frame(0x0800, udp4(9, dport=7004, src=SERVER4, dst=CLIENT4), CLIENT_MAC, '02:00:00:09:00:02')]
    passed = [frame(0x0800, udp4(10, dport=7005, src=SERVER4, dst=CLIENT4), CLIENT_MAC, '02:00:00:09:00:02')]
    for f in dropped + passed:
        back.send(f)
    assert arrived(front, dropped + passed) == passed
    assert [l['frames'] for l in d.ctl_json('steer', 'list')['lines']] == [2, 2, 1, 1, 1, 1]


def test_the_box_itself(lab):
    """in0 has an address. With `host` lines for it, and for ARP that asks for it, a client reaches a listener on the
    appliance through the bridged port, while its traffic to the server crosses the bridge, ARP included."""
    lab.appliance.ip('addr', 'add', f'{BOX4}/24', 'dev', 'in0')
    d = lab.ipsd(steer=[f'in in0 dst {BOX4} proto tcp dport 22 host', f'in in0 arp dst {BOX4} host', f'dst {BOX4} drop'])
    ssh = lab.appliance.socket(socket.AF_INET, socket.SOCK_STREAM, (BOX4, 22), listen=True)
    other = lab.appliance.socket(socket.AF_INET, socket.SOCK_STREAM, (BOX4, 23), listen=True)
    far = lab.server.socket(socket.AF_INET, socket.SOCK_STREAM, (SERVER4, 22), listen=True)
    for target, listener in ((BOX4, ssh), (SERVER4, far)):
        s = lab.client.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.connect((target, 22))
        c = listener.accept()[0]
        c.sendall(b'hello from ' + target.encode())
        assert s.recv(100) == b'hello from ' + target.encode()
        c.close()
        s.close()
    s = lab.client.socket(socket.AF_INET, socket.SOCK_STREAM, timeout=1)
    with pytest.raises(OSError):
        s.connect((BOX4, 23))
    other.settimeout(0.01)
    with pytest.raises(OSError):
        other.accept()
    n = [l['frames'] for l in d.ctl_json('steer', 'list')['lines']]
    assert n[0] > 3 and n[1] >= 1 and n[2] >= 1
    assert lab.client.ip('neigh', 'show', SERVER4).count('02:00:00:09:00:02') == 1  # its ARP crossed


@pytest.mark.lab(fail_open=True)
def test_changed_while_traffic_crosses(lab):
    """Lines are added and removed a hundred times under a stream of numbered datagrams, all of which one of the lines or
    the worker lets by: none is lost, and the counts of a line that stays only grow."""
    d = lab.ipsd()
    d.ctl('steer', 'add', f'proto udp dport {UDP_PORT} inspect')
    before = 0
    with Numbered(lab):
        for i in range(50):
            d.ctl('steer', 'add', 'at', '1', *f'vlan {i + 1} proto udp bypass'.split())
            d.ctl('steer', 'add', 'at', '1', f'proto udp dport {UDP_PORT} bypass' if i % 2 else 'vlan 9 drop')
            lines = d.ctl_json('steer', 'del', '1')['lines']
            assert lines[-1]['line'] == f'proto udp dport {UDP_PORT} inspect'
            assert lines[-1]['frames'] >= before
            before = lines[-1]['frames']
            if i % 10 == 9:
                for _ in range(10):
                    d.ctl('steer', 'del', '1')
    assert before > 0
    assert d.ctl_json('steer', 'clear')['lines'] == []


def test_mistakes(lab):
    d = lab.ipsd(steer=['vlan 7 inspect'])

    def refused(*args, status, says):
        p = d.ctl(*args, check=False)
        assert p.returncode == status, p.stderr
        assert says in p.stderr, p.stderr
    refused('steer', 'add', 'vlna 7 drop', status=2, says="did you mean 'vlan'?")
    refused('steer', 'add', 'in eth7 drop', status=2, says='in0')
    refused('steer', 'add', 'at', '9', 'drop', status=5, says='no such steering line')
    refused('steer', 'add', 'at', '1', status=2, says='usage')
    refused('steer', 'del', '2', status=5, says='no such steering line')
    refused('steer', 'del', 'x', status=2, says='usage')
    refused('--bridge', 'br7', 'steer', 'list', status=5, says='br7')
    assert [l['line'] for l in d.ctl_json('--bridge', 'br0', 'steer', 'list')['lines']] == ['vlan 7 inspect']
    for i in range(63):
        d.ctl('steer', 'add', f'vlan {i + 100} inspect')
    refused('steer', 'add', 'vlan 9 drop', status=1, says='at most 64')
    assert len(d.ctl_json('steer', 'list')['lines']) == 64


def test_a_restart_takes_the_files_lines(lab):
    """The maps are pinned: lines of the last daemon hold until the next one is there, and then its own."""
    d = lab.ipsd(steer=['vlan 7 drop'], shutdown='fail')
    d.ctl('steer', 'add', 'vlan 8 drop')
    d.stop()
    d = lab.ipsd(steer=['vlan 7 drop', 'vlan 9 drop'], shutdown='detach')
    assert [l['line'] for l in d.ctl_json('steer', 'list')['lines']] == ['vlan 7 drop', 'vlan 9 drop']


def test_a_bad_line_stops_the_start(lab):
    said = start_refused(lab, steer=['vlan 7 drop', 'vlan 8 bypas'])
    assert "steer[1]" in said and "did you mean 'bypass'?" in said
