# SPDX-License-Identifier: BSD-2-Clause
"""Several queues, several workers: veth hashes each direction for itself, so flows arrive at two workers and are handed
to the one that owns them."""
import socket
import struct

import pytest

from lab import SERVER4, frame, refused, wait_until

pytestmark = pytest.mark.lab(queues=2)


def test_both_directions_of_many_flows(lab):
    d = lab.bridge()
    server = lab.server.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(SERVER4, 7700))
    for i in range(64):
        c = lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
        c.connect((SERVER4, 7700))
        for n in range(4):
            data = struct.pack('!II', i, n) * 20
            c.send(data)
            got, peer = server.recvfrom(2048)
            assert got == data
            server.sendto(got, peer)
            assert c.recv(2048) == data
    if d:
        b = d.status()['bridges'][0]
        assert [len(p['queues']) for p in b['ports']] == [2, 2] and len(b['workers']) == 2
        assert all(w['rx'] > 0 for w in b['workers']), b['workers']
        # 2^-64 for a bridge that hands nothing over, were every flow's two directions to fall together by chance
        assert d.stats()['frames.handed_off'] > 0
        assert not any(d.drops().values()), d.drops()


def test_rules_see_whole_flows(lab):
    """established and a dropped flow need both directions at one worker."""
    d = lab.ipsd('drop tcp any any -> any 80 (msg:"evil"; flow:established,to_server; content:"/evil"; sid:4001;)\n'
                 'alert tcp any 80 -> any any (msg:"ok"; flow:established,to_client; content:"200 OK"; sid:4002;)\n')
    lab.web_server({'evil': 'x'})
    for i in range(16):
        assert lab.curl(f'http://{SERVER4}/?{i}').stdout.startswith('<html>')
    for i in range(4):
        assert lab.curl(f'http://{SERVER4}/evil?{i}', '--max-time', '1', check=False).returncode == 28
    assert 'evil' not in lab.access_log()
    d.wait_events('alert', 16, lambda e: e['alert']['signature_id'] == 4002)
    d.wait_events('alert', 4, lambda e: e['alert']['signature_id'] == 4001)


def test_transfer_keeps_its_order(lab):
    lab.bridge()
    lab.web_server({'big': bytes(range(256)) * 40000})
    lab.curl(f'http://{SERVER4}/big', '-o', str(lab.dir / 'got'), timeout=60)
    assert (lab.dir / 'got').read_bytes() == bytes(range(256)) * 40000


def test_fewer_queues_than_the_cable_brings(lab):
    """queues: 1 while the veth peer sends on two: the kernel would have no place for the second. Refused with the
    remedy, which is then followed; nothing that arrives may fall beside the one worker."""
    said = refused(lab, queues=1)
    assert 'in0' in said and 'ethtool -L' in said, said
    for host, ifname in ((lab.client, 'wan0'), (lab.server, 'lan0')):
        host.run(['ethtool', '-L', ifname, 'tx', '1'])
    d = lab.ipsd(queues=1)
    out, into = lab.client.tap('wan0'), lab.server.tap('lan0', 0x88b5)
    frames = [frame(0x88b5, struct.pack('!I', i) * 20, src=f'02:00:00:00:{i:02x}:01') for i in range(200)]
    for i in range(0, 200, 50):
        for f in frames[i:i + 50]:
            out.send(f)
        into.expect(frames[i:i + 50])
    server = lab.server.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(SERVER4, 7701))
    for i in range(32):
        lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x%d' % i, (SERVER4, 7701))
        assert server.recv(10) == b'x%d' % i
    assert len(d.status()['bridges'][0]['workers']) == 1
    wait_until(lambda: d.stats()['frames.rx'] >= 232, 'every frame to have met the worker')
