# SPDX-License-Identifier: BSD-2-Clause
"""What must cross untouched: real programs on both sides, and crafted frames byte for byte."""
import hashlib
import json
import os
import random
import struct

import pytest

from lab import CLIENT_MAC, SERVER4, SERVER6, SERVER_MAC, frame, refused, wait_until

ARP, IPV4, IPV6, VLAN, QINQ, LLDP, LOOPBACK, EXPERIMENT = 0x0806, 0x0800, 0x86dd, 0x8100, 0x88a8, 0x88cc, 0x9000, 0x88b5


def cross(lab, frames, ethertype=EXPERIMENT, window=64):
    """Send frames from the client, a window at a time, and see every one arrive at the server as it was sent."""
    out, into = lab.client.tap('wan0'), lab.server.tap('lan0', ethertype)
    for i in range(0, len(frames), window):
        for f in frames[i:i + window]:
            out.send(f)
        into.expect(frames[i:i + window])


def test_ping(lab):
    lab.bridge()
    p = lab.client.run(['ping', '-n', '-c', '5', '-i', '0.05', '-W', '10', SERVER4])
    assert ' 0% packet loss' in p.stdout, p.stdout


def test_ping6(lab):
    lab.bridge()
    p = lab.client.run(['ping', '-6', '-n', '-c', '5', '-i', '0.05', '-W', '10', SERVER6])
    assert ' 0% packet loss' in p.stdout, p.stdout


def test_ping_largest_that_needs_no_fragment_and_one_that_does(lab):
    lab.bridge()
    for size in (1472, 1473, 8000):
        p = lab.client.run(['ping', '-n', '-c', '2', '-i', '0.05', '-W', '10', '-s', str(size), SERVER4])
        assert ' 0% packet loss' in p.stdout, p.stdout


@pytest.mark.parametrize('address', [SERVER4, f'[{SERVER6}]'], ids=['ipv4', 'ipv6'])
def test_web(lab, address):
    lab.bridge()
    big = random.Random(1).randbytes(20 << 20)
    lab.web_server({'big': big})
    assert 'hello from the server' in lab.curl(f'http://{address}/').stdout
    lab.curl(f'http://{address}/big', '-o', str(lab.dir / 'got'), timeout=90)
    assert hashlib.sha256((lab.dir / 'got').read_bytes()).hexdigest() == hashlib.sha256(big).hexdigest()


def test_many_small_requests(lab):
    lab.bridge()
    lab.web_server()
    p = lab.curl(f'http://{SERVER4}/?n=[1-200]', '--parallel', '--parallel-max', '10', '-o', '/dev/null', '-w',
                 '%{http_code}\n', timeout=60)
    assert p.stdout.split() == ['200'] * 200


def iperf(lab, *args):
    lab.server.start(['iperf3', '-s', '-1', '-p', '5201'], stdout=open(os.devnull, 'wb'))
    wait_until(lambda: lab.server.listening(5201), 'iperf3 to listen')
    p = lab.client.run(['iperf3', '-c', SERVER4, '-p', '5201', '-t', '2', '-J', *args], timeout=90)
    return json.loads(p.stdout)['end']


def test_iperf_tcp(lab):
    lab.bridge()
    assert iperf(lab)['sum_received']['bytes'] > 0


def test_iperf_tcp_reverse_and_parallel(lab):
    lab.bridge()
    assert iperf(lab, '-R', '-P', '4')['sum_received']['bytes'] > 0


def test_iperf_udp(lab):
    d = lab.bridge()
    end = iperf(lab, '-u', '-b', '5M')['sum']
    assert end['packets'] > 0 and end['lost_packets'] < end['packets']
    if d:  # iperf3's own socket buffers may lose some on a busy machine; the bridge may not
        assert not any(d.drops().values()), d.drops()


def test_every_frame_length(lab):
    """From one byte of payload (a runt on a wire, whole here) to the full MTU."""
    lab.bridge()
    rng = random.Random(2)
    cross(lab, [frame(EXPERIMENT, rng.randbytes(n)) for n in range(1, 1501)])


def test_every_udp_length_both_ways(lab):
    """IPv4 UDP of every size through real sockets, to the server and back."""
    lab.bridge()
    server = lab.server.socket(2, 2, bind=(SERVER4, 7000))
    client = lab.client.socket(2, 2, bind=('10.9.0.1', 7001))
    client.connect((SERVER4, 7000))
    rng = random.Random(3)
    for n in range(0, 1473):
        data = rng.randbytes(n)
        client.send(data)
        got, peer = server.recvfrom(2048)
        assert got == data
        server.sendto(got, peer)
        assert client.recv(2048) == data


def test_vlan_and_qinq(lab):
    lab.bridge()
    rng = random.Random(4)
    ip = ip4_udp(b'in a tag')
    single = [frame(t, body, tags=[(VLAN, tci)]) for tci in (0, 1, 0x2005, 0xefff)
              for t, body in ((IPV4, ip), (EXPERIMENT, rng.randbytes(200)), (ARP, arp_request()))]
    single.append(frame(EXPERIMENT, rng.randbytes(1500), tags=[(VLAN, 7)]))  # a full frame with a tag: 1518 bytes
    cross(lab, single, ethertype=0x0003)
    double = [frame(t, body, tags=[(outer, 0x3064), (VLAN, 200)]) for outer in (QINQ, VLAN)
              for t, body in ((IPV4, ip), (EXPERIMENT, rng.randbytes(300)))]
    cross(lab, double, ethertype=0x0003)


def test_three_tags_cross_and_a_fourth_hides_what_follows(lab):
    """Deeper than anything that is decoded: what cannot be looked at is dropped, or forwarded where that is asked for."""
    tags = [(VLAN, 1), (VLAN, 2), (VLAN, 3), (VLAN, 4)]
    three, four = (frame(EXPERIMENT, b'deep' * 20, tags=tags[:n]) for n in (3, 4))
    d = lab.ipsd()
    cross(lab, [three], ethertype=0x0003)
    lab.client.tap('wan0').send(four)
    wait_until(lambda: d.drops().get('decode_error') == 1, 'the frame with four tags to be dropped')
    d.stop()
    lab.ipsd(config={'decode': {'malformed': 'forward'}})
    cross(lab, [three, four], ethertype=0x0003)


def arp_request():
    return struct.pack('!HHBBH', 1, 0x0800, 6, 4, 1) + bytes.fromhex('020000090001') + bytes([10, 9, 0, 77]) + bytes(6) + \
        bytes([10, 9, 0, 78]) + bytes(18)


def ip4_udp(payload, src='10.9.0.1', dst=SERVER4, sport=1111, dport=2222):
    from scapy.layers.inet import IP, UDP
    return bytes(IP(src=src, dst=dst) / UDP(sport=sport, dport=dport) / payload)


def test_arp_and_unknown_ethertypes(lab):
    lab.bridge()
    frames = [frame(ARP, arp_request(), dst='ff:ff:ff:ff:ff:ff')]
    # nothing in the world, Cisco-like, LLC by length, the last of all
    frames += [frame(t, bytes([i]) * 64) for i, t in enumerate((0x88b6, 0x2000, 46, 1500, 0xffff, 0, 1))]
    frames += [frame(0x8864, bytes.fromhex('11000001001ac021') + bytes(56)),  # PPPoE that carries LCP
               frame(0x8847, bytes.fromhex('00010140') + b'\x90' * 60)]      # MPLS that carries something else
    cross(lab, frames, ethertype=0x0003)


def test_frames_that_ordinary_bridges_keep(lab):
    """A wire in the rack: LLDP, spanning tree, LACP and EAPOL pass, or the neighbours could not see each other."""
    lab.bridge()
    stp = struct.pack('!H', 38) + b'\x42\x42\x03' + bytes(35)
    frames = [frame(LLDP, bytes.fromhex('02070402000009000104050577616e3006020078') + bytes(30), dst='01:80:c2:00:00:0e'),
              frame(0x888e, b'\x01\x01\x00\x00' + bytes(42), dst='01:80:c2:00:00:03'),
              frame(LOOPBACK, bytes(46), dst='cf:00:00:00:00:00')]
    import lab as lab_module
    if not lab_module.STANDIN:  # the kernel's bridge refuses to forward these three at all
        frames += [bytes.fromhex('0180c2000000') + bytes.fromhex('020000090001') + stp,
                   frame(0x8808, b'\x00\x01\x00\x00' + bytes(42), dst='01:80:c2:00:00:01'),
                   frame(0x8809, b'\x01\x01' + bytes(108), dst='01:80:c2:00:00:02')]
    cross(lab, frames, ethertype=0x0003)


def test_server_to_client_frames(lab):
    """The other direction of the bridge, by hand."""
    lab.bridge()
    rng = random.Random(5)
    frames = [frame(EXPERIMENT, rng.randbytes(n), dst=CLIENT_MAC, src=SERVER_MAC) for n in range(1, 1501, 7)]
    out, into = lab.server.tap('lan0'), lab.client.tap('wan0', EXPERIMENT)
    for i in range(0, len(frames), 64):
        for f in frames[i:i + 64]:
            out.send(f)
        into.expect(frames[i:i + 64])


def test_frames_to_strangers(lab):
    """The bridge is promiscuous and has no address: frames between other machines cross as well."""
    lab.bridge()
    f = frame(EXPERIMENT, b'stranger' * 10, dst='02:11:22:33:44:55', src='02:66:77:88:99:aa')
    out, into = lab.client.tap('wan0'), lab.server.tap('lan0', EXPERIMENT)
    out.send(f)
    into.expect([f])


@pytest.mark.lab(mtu=9000)
def test_jumbo_is_refused_with_the_remedy(lab):
    import lab as lab_module
    if lab_module.STANDIN:
        pytest.skip('the stand-in refuses nothing')
    said = refused(lab)
    assert 'in0' in said and '9000' in said and 'mtu' in said.lower(), said


@pytest.mark.lab(mtu=3000)
def test_mtu_larger_than_usual(lab):
    """What fits a frame of the UMEM is fine; the MTU's last byte arrives."""
    lab.bridge()
    rng = random.Random(6)
    cross(lab, [frame(EXPERIMENT, rng.randbytes(n)) for n in (1, 1500, 1501, 2048, 2999, 3000)])


def test_malformed_ip_is_dropped_and_counted(lab):
    from scapy.layers.inet import IP
    d = lab.ipsd()
    out, into = lab.client.tap('wan0'), lab.server.tap('lan0', IPV4)
    good = ip4_udp(b'payload of a healthy packet')
    bad = [
        b'\x45',                                    # ends inside the header
        good[:19],
        b'\x55' + good[1:],                         # version 5 under IPv4's ethertype
        b'\x44' + good[1:],                         # header of 16 bytes
        b'\x4f' + good[1:30],                       # header longer than the frame
        good[:2] + b'\x00\x10' + good[4:],          # total length shorter than the header
        good[:2] + b'\x7f\xff' + good[4:],          # total length beyond the frame
        bytes(IP(src='10.9.0.1', dst=SERVER4, proto=17) / b'half'),  # ends inside the UDP header
    ]
    for b in bad:
        out.send(frame(IPV4, b))
    marker = frame(IPV4, good)
    out.send(marker)
    into.expect([marker])
    assert not [f for f in into.drain() if f[12:14] == b'\x08\x00' and f[14:] in bad]
    wait_until(lambda: d.drops().get('decode_error') == len(bad), f'{len(bad)} frames dropped as decode error')
    assert d.stats()['decode.invalid'] == len(bad)


def test_malformed_ip_is_forwarded_when_asked(lab):
    lab.ipsd(config={'decode': {'malformed': 'forward'}})
    good = ip4_udp(b'payload')
    cross(lab, [frame(IPV4, b'\x45'), frame(IPV4, good[:19]), frame(IPV4, b'\x55' + good[1:]),
                frame(IPV6, b'\x60' + bytes(20))], ethertype=0x0003)


def test_not_ip_is_dropped_when_asked(lab):
    d = lab.ipsd(config={'decode': {'not_ip': 'drop'}})
    out, into = lab.client.tap('wan0'), lab.server.tap('lan0')
    unwanted, marker = frame(EXPERIMENT, bytes(64)), frame(IPV4, ip4_udp(b'marker'))
    for f in (unwanted, marker):
        out.send(f)
    into.expect([marker])
    assert unwanted not in into.drain()
    wait_until(lambda: d.drops().get('not_ip', 0) >= 1, 'the drop to be counted')


def test_random_bytes_do_no_harm(lab):
    """2,000 frames of noise behind plausible starts: nothing crashes, every frame is forwarded or counted."""
    d = lab.ipsd('alert ip any any -> any any (msg:"any"; content:"|00 00|"; sid:1;)\n')
    rng = random.Random(7)
    out = lab.client.tap('wan0')
    heads = [(IPV4, b'\x45\x00'), (IPV4, b''), (IPV6, b'\x60'), (VLAN, b'\x00\x01\x08\x00\x45'), (QINQ, b''), (ARP, b''),
             (IPV4, b'\x4f\x00'), (IPV6, b'\x60\x00\x00\x00\x00\x40\x00'), (EXPERIMENT, b'')]
    sent = 0
    before = d.stats()['frames.rx']
    for _ in range(40):
        for _ in range(50):
            ethertype, head = rng.choice(heads)
            out.send(frame(ethertype, head + rng.randbytes(rng.choice((0, 1, 3, 19, 20, 21, 40, 60, 100, 1400)))))
            sent += 1
        wait_until(lambda: d.stats()['frames.rx'] - before >= sent, 'the frames to be received')
    d.quiet()
