# SPDX-License-Identifier: BSD-2-Clause
"""What rules do to traffic, as the programs at both ends see it."""
import datetime
import errno
import ipaddress
import select
import socket

import pytest

from lab import CLIENT4, CLIENT6, SERVER4, SERVER6, frame, wait_until

IP_RECVERR, IPV6_RECVERR = 11, 25


def test_alert_passes_and_is_logged(lab):
    d = lab.ipsd('alert tcp any any -> any 80 (msg:"seen in passing"; flow:established,to_server; content:"/secret"; '
                 'classtype:web-application-attack; reference:url,example.org/a; metadata:lab yes; priority:2; '
                 'gid:1; sid:1001; rev:7;)\n')
    lab.web_server({'secret': 'the secret\n'})
    assert lab.curl(f'http://{SERVER4}/secret').stdout == 'the secret\n'
    [e] = d.wait_events('alert')[:1]
    assert (e['src_ip'], e['dest_ip'], e['dest_port'], e['proto']) == (CLIENT4, SERVER4, 80, 'TCP')
    assert e['in_iface'] == 'in0'
    a = e['alert']
    assert (a['action'], a['gid'], a['signature_id'], a['rev'], a['severity']) == ('allowed', 1, 1001, 7, 2)
    assert a['signature'] == 'seen in passing' and isinstance(a['category'], str)
    assert isinstance(e['flow_id'], int) and e['flow_id'] > 0
    t = datetime.datetime.strptime(e['timestamp'], '%Y-%m-%dT%H:%M:%S.%f%z')  # microseconds and zone
    assert len(e['timestamp'].split('.')[1]) == len('000000+0000')
    assert abs((datetime.datetime.now(datetime.timezone.utc) - t).total_seconds()) < 3600
    assert not d.events('drop')


@pytest.mark.parametrize('address,client', [(SERVER4, CLIENT4), (f'[{SERVER6}]', CLIENT6)], ids=['ipv4', 'ipv6'])
def test_drop_keeps_the_request_from_the_server(lab, address, client):
    d = lab.ipsd('drop tcp any any -> any 80 (msg:"not here"; flow:established,to_server; content:"/evil"; sid:1002;)\n')
    lab.web_server({'evil': 'must never be fetched\n'})
    assert lab.curl(f'http://{address}/').stdout.startswith('<html>')
    p = lab.curl(f'http://{address}/evil', '--max-time', '2', check=False)
    assert p.returncode == 28, p  # timed out: no answer, no reset
    assert 'evil' not in lab.access_log()
    [alert] = d.wait_events('alert', where=lambda e: e['alert']['signature_id'] == 1002)[:1]
    assert alert['alert']['action'] == 'blocked'
    assert ipaddress.ip_address(alert['src_ip']) == ipaddress.ip_address(client)
    drops = d.wait_events('drop')
    assert all(isinstance(e['drop'], dict) and e['drop'].get('reason') for e in drops), drops
    s = d.stats()
    assert s['drop.rules'] >= 1
    # a new connection is not affected by the dropped one
    assert lab.curl(f'http://{address}/').stdout.startswith('<html>')


def connection(lab, port=7100, server=SERVER4, family=socket.AF_INET):
    """One TCP connection across the bridge: (client's end, server's end)."""
    listener = lab.server.socket(family, socket.SOCK_STREAM, bind=(server, port), listen=True)
    client = lab.client.socket(family, socket.SOCK_STREAM)
    client.connect((server, port))
    end, _ = listener.accept()
    end.settimeout(client.gettimeout())
    lab.sockets.append(end)
    return client, end


def test_the_whole_flow_stays_dropped(lab):
    d = lab.ipsd('drop tcp any any -> any 7100 (msg:"evil"; flow:established; content:"evil"; sid:1003;)\n')
    client, end = connection(lab)
    client.send(b'good morning\n')
    assert end.recv(100) == b'good morning\n'
    client.send(b'something evil\n')
    wait_until(lambda: d.drops()['rules'] >= 1, 'the rule to act')
    end.send(b'a harmless answer\n')  # neither direction crosses any more
    wait_until(lambda: d.stats()['steer.flow_drop'] >= 1, 'the flow to stay dropped, in the kernel')
    for s in (client, end):
        assert not select.select([s], [], [], 0.3)[0]
    # another flow between the same hosts lives
    client2, end2 = connection(lab, 7101)
    client2.send(b'evil is fine on this port')
    assert end2.recv(100) == b'evil is fine on this port'


def test_drop_one_packet_of_udp_noise(lab):
    """A drop by header only: the named port is dropped, its neighbours are not."""
    d = lab.ipsd('drop udp any any -> any 7200 (msg:"no"; sid:1004;)\n')
    yes = lab.server.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(SERVER4, 7201))
    no = lab.server.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(SERVER4, 7200))
    c = lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(20):
        c.sendto(b'n%d' % i, (SERVER4, 7200))
        c.sendto(b'y%d' % i, (SERVER4, 7201))
        assert yes.recv(100) == b'y%d' % i
    assert not select.select([no], [], [], 0)[0]
    wait_until(lambda: d.drops()['rules'] + d.drops()['flow_drop'] + d.stats()['steer.flow_drop'] == 20, '20 counted drops')


@pytest.mark.parametrize('v6', [False, True], ids=['ipv4', 'ipv6'])
def test_reject_resets_tcp_at_both_ends(lab, v6):
    lab.ipsd('reject tcp any any -> any 7100 (msg:"go away"; flow:established; content:"evil"; sid:1005;)\n')
    client, end = connection(lab, server=SERVER6 if v6 else SERVER4, family=socket.AF_INET6 if v6 else socket.AF_INET)
    client.send(b'hello')
    assert end.recv(100) == b'hello'
    end.send(b'hello yourself')
    assert client.recv(100) == b'hello yourself'
    client.send(b'evil')
    for s in (client, end):
        with pytest.raises(ConnectionResetError):
            s.recv(100)


def test_reject_of_an_answer_resets_both_ends(lab):
    """The rule fires on a packet from the server: directions and sequence numbers the other way round."""
    lab.ipsd('reject tcp any 7100 -> any any (msg:"leak"; flow:established,to_client; content:"passwd"; sid:1006;)\n')
    client, end = connection(lab)
    client.send(b'give me the file')
    assert end.recv(100) == b'give me the file'
    end.send(b'root:passwd')
    for s in (client, end):
        with pytest.raises(ConnectionResetError):
            s.recv(100)


def test_reject_of_a_syn_refuses_the_connection(lab):
    lab.ipsd('reject tcp any any -> any 7100 (msg:"closed"; flags:S; sid:1007;)\n')
    lab.server.socket(socket.AF_INET, socket.SOCK_STREAM, bind=(SERVER4, 7100), listen=True)
    c = lab.client.socket(socket.AF_INET, socket.SOCK_STREAM)
    with pytest.raises(ConnectionRefusedError):
        c.connect((SERVER4, 7100))


@pytest.mark.parametrize('v6', [False, True], ids=['ipv4', 'ipv6'])
def test_reject_tells_udp_unreachable(lab, v6):
    d = lab.ipsd('reject udp any any -> any 7200 (msg:"no service"; content:"evil"; sid:1008;)\n')
    family, server = (socket.AF_INET6, SERVER6) if v6 else (socket.AF_INET, SERVER4)
    s = lab.server.socket(family, socket.SOCK_DGRAM, bind=(server, 7200))
    c = lab.client.socket(family, socket.SOCK_DGRAM)
    c.setsockopt(*((socket.IPPROTO_IPV6, IPV6_RECVERR, 1) if v6 else (socket.IPPROTO_IP, IP_RECVERR, 1)))
    c.connect((server, 7200))
    c.send(b'good')
    assert s.recv(100) == b'good'
    c.send(b'evil')
    with pytest.raises(OSError) as e:
        c.recv(100)
    assert e.value.errno in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EACCES), e.value
    assert not select.select([s], [], [], 0)[0]
    assert d.stats()['ips.rejected'] == 1


def test_pass_spares_what_drop_would_take(lab):
    lab.ipsd('drop udp any any -> any 7200:7299 (msg:"no"; content:"x"; sid:1009;)\n'
             'pass udp any any -> any 7250 (msg:"but this"; sid:1010;)\n')
    s = lab.server.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(SERVER4, 7250))
    c = lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
    c.sendto(b'x', (SERVER4, 7250))
    assert s.recv(10) == b'x'


@pytest.mark.parametrize('tags', [[(0x8100, 5)], [(0x88a8, 6), (0x8100, 7)]], ids=['vlan', 'qinq'])
def test_drop_inside_vlan_tags(lab, tags):
    from scapy.layers.inet import IP, UDP
    d = lab.ipsd('drop udp any any -> any 2222 (msg:"tagged"; content:"evil"; sid:1011;)\n')
    out, into = lab.client.tap('wan0'), lab.server.tap('lan0')

    def udp(payload, sport):
        return frame(0x0800, bytes(IP(src=CLIENT4, dst=SERVER4) / UDP(sport=sport, dport=2222) / payload), tags=tags)
    bad, good = udp(b'evil', 1), udp(b'good', 2)
    out.send(bad)
    out.send(good)
    into.expect([good])
    assert bad not in into.drain()
    [e] = d.wait_events('alert')
    assert e['vlan'] == [tci for _, tci in tags]


def test_drop_holds_for_ping(lab):
    d = lab.ipsd('drop icmp any any -> any any (msg:"no echo"; itype:8; sid:1012;)\n')
    p = lab.client.run(['ping', '-n', '-c', '3', '-i', '0.05', '-W', '1', SERVER4], check=False)
    assert p.returncode == 1 and ' 100% packet loss' in p.stdout, p.stdout
    assert d.wait_events('alert')[0]['proto'] == 'ICMP'
    lab.client.run(['ping', '-6', '-n', '-c', '2', '-i', '0.05', '-W', '10', SERVER6])


def test_payload_that_arrives_backwards_in_two_writes(lab):
    """Both halves of a pattern inside one segment are found wherever they stand in it."""
    d = lab.ipsd('alert tcp any any -> any 7100 (msg:"two"; flow:established,to_server; content:"alpha"; '
                 'content:"omega"; distance:1; within:20; pcre:"/alpha.{3,12}omega/"; sid:1013;)\n')
    client, end = connection(lab)
    client.send(b'alpha ---- alpha and omega')
    assert end.recv(100)
    d.wait_events('alert', where=lambda e: e['alert']['signature_id'] == 1013)


@pytest.mark.parametrize('side', ['v4', 'v6'])
def test_block_list(lab, side):
    d = lab.ipsd()
    client, server, v = (CLIENT4, SERVER4, '-4') if side == 'v4' else (CLIENT6, SERVER6, '-6')
    prefix = '10.9.0.0/25' if side == 'v4' else 'fd00:9::/64'

    def ping():
        return lab.client.run(['ping', v, '-n', '-c', '1', '-W', '1', server], check=False).returncode == 0
    wait_until(ping, 'the first ping to pass')
    d.ctl('block', 'add', prefix)
    assert prefix in d.ctl('block', 'list').stdout
    assert not ping()
    again = d.ctl('block', 'add', prefix, check=False)
    assert again.returncode == 0, again  # twice is once
    assert d.ctl('block', 'list').stdout.count(prefix) == 1
    d.ctl('block', 'del', prefix)
    wait_until(ping, 'the ping to pass again')
    gone = d.ctl('block', 'del', prefix, check=False)
    assert gone.returncode == 5, gone  # no such thing
    bad = d.ctl('block', 'add', '10.9.0.0/99', check=False)
    assert bad.returncode == 2 and '10.9.0.0/99' in bad.stderr, bad


def test_drops_are_listed_by_reason(lab):
    d = lab.ipsd('drop udp any any -> any 7200 (msg:"no"; sid:1014;)\n')
    lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', (SERVER4, 7200))
    wait_until(lambda: d.drops()['rules'] == 1, 'the drop')
    assert 'rules' in d.ctl('drops').stdout
    assert d.ctl_json('drops')
    assert '1014' in d.ctl('rules', 'list').stdout
