# SPDX-License-Identifier: BSD-2-Clause
"""The guard, with frames: lists, rates, broken headers, and the allow list that wins over all of them. Lists of a million
prefixes are loaded while traffic crosses."""
import os
import pathlib
import resource
import socket
import struct
import time

import pytest

from lab import CLIENT4, SERVER4, SERVER6, SLOW, STANDIN, frame, refused, wait_until
from test_steer import arrived, checksum, exits, udp4

pytestmark = pytest.mark.skipif(bool(STANDIN), reason='the stand-in guards nothing')

MILLION = 1000000


def syn(n, src=CLIENT4, dst=SERVER4, flags=2):
    tcp = struct.pack('!HHIIBBHHH', 1024 + n, 80, n, 0, 0x50, flags, 1000, 0, 0)
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack('!BBH', 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack('!H', checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(tcp), n, 0, 64, 6, 0, socket.inet_aton(src), socket.inet_aton(dst))
    return ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:] + tcp


def four(n):
    """The n-th of two million addresses, scattered."""
    return socket.inet_ntoa(struct.pack('!I', (0x0b000000 + n * 977) & 0xffffffff))


def crosses(lab, tx, rx, src, dst=SERVER4):
    """Whether a frame from src to dst does; a plain one behind it says when to stop waiting."""
    f, last = frame(0x0800, udp4(1, src=src, dst=dst)), frame(0x0800, udp4(2, src='10.9.0.250'))
    tx.send(f)
    tx.send(last)
    return arrived(rx, [f, last])[0] == f


def test_lists(lab):
    listed = lab.write('bad.txt', '# a list\n10.9.1.0/24\n10.9.1.0/25 dst\n10.9.2.7 both # twice\n10.9.2.7\n')
    d = lab.ipsd(config={'guard': {'block': [str(listed), '10.9.3.0/24 dst'], 'allow': ['10.9.1.9']}})
    tx, rx = lab.client.tap('wan0'), lab.server.tap('lan0')
    assert crosses(lab, tx, rx, '10.9.0.77')
    assert not crosses(lab, tx, rx, '10.9.1.1')
    assert crosses(lab, tx, rx, '10.9.1.9')  # allowed, and inside a prefix that is blocked
    assert not crosses(lab, tx, rx, '10.9.0.77', dst='10.9.1.5')
    assert not crosses(lab, tx, rx, '10.9.0.77', dst='10.9.3.5')
    assert crosses(lab, tx, rx, '10.9.3.5')
    assert not crosses(lab, tx, rx, '10.9.2.7')
    d.ctl('allow', 'add', '10.9.2.0/24', 'src')
    assert crosses(lab, tx, rx, '10.9.2.7')
    assert not crosses(lab, tx, rx, '10.9.0.77', dst='10.9.2.7')
    d.ctl('allow', 'del', '10.9.2.0/24')
    assert not crosses(lab, tx, rx, '10.9.2.7')
    entries = {(e['prefix'], e['side']): e['frames'] for e in d.ctl_json('block', 'list')['entries']}
    assert entries == {('10.9.1.0/24', 'src'): 1, ('10.9.1.0/25', 'dst'): 1, ('10.9.2.7/32', 'src'): 2,
                       ('10.9.2.7/32', 'dst'): 1, ('10.9.3.0/24', 'dst'): 1}
    assert d.ctl_json('allow', 'list')['entries'] == [{'prefix': '10.9.1.9/32', 'side': 'src', 'frames': 1}]
    shown = {c['counter']: c['frames'] for c in d.ctl_json('guard', 'show')['counters']}
    assert shown['steer.blocked_src'] == 3 and shown['steer.blocked_dst'] == 3 and shown['steer.saw_allowed'] == 2
    assert d.ctl('block', 'del', '10.9.7.0/24', check=False).returncode == 5
    assert d.ctl_json('block', 'clear')['removed'] == 5
    assert crosses(lab, tx, rx, '10.9.1.1')


def cpu_seconds(d):
    """What the daemon, and all of ipsctl so far, have had of the processors; the daemon alone writes into maps."""
    ctl = resource.getrusage(resource.RUSAGE_CHILDREN)
    fields = pathlib.Path(f'/proc/{d.pid}/stat').read_text().rsplit(')', 1)[1].split()
    return ctl.ru_utime + ctl.ru_stime + sum(int(n) for n in fields[11:13]) / os.sysconf('SC_CLK_TCK')


def test_a_million_prefixes(lab):
    """Loaded by hand in less than 5 s; all of them hold, and none but them."""
    path = lab.write('million.txt', ''.join(f'{four(n)}\n' for n in range(MILLION)))
    d = lab.ipsd()
    tx, rx = lab.client.tap('wan0'), lab.server.tap('lan0')
    wall, cpu = time.monotonic(), cpu_seconds(d)
    assert d.ctl('block', 'load', str(path)).stdout == f'{MILLION} prefixes are on the block list\n'
    wall, cpu = time.monotonic() - wall, cpu_seconds(d) - cpu
    print(f'block load: {MILLION} prefixes in {wall:.2f} s, {cpu:.2f} s of them on a processor')
    assert cpu < 5 * SLOW  # others may run on this machine meanwhile
    for n in (0, 1, 12345, MILLION - 1):
        assert not crosses(lab, tx, rx, four(n))
    assert crosses(lab, tx, rx, four(MILLION))
    assert crosses(lab, tx, rx, '10.9.0.77')
    assert sum(e['frames'] for e in d.ctl_json('block', 'list')['entries']) == 4
    d.ctl('block', 'load', str(path))  # again: their counts begin anew
    entries = d.ctl_json('block', 'list')['entries']
    assert len(entries) == MILLION and len({e['prefix'] for e in entries}) == MILLION
    assert sum(e['frames'] for e in entries) == 0
    assert d.ctl_json('block', 'clear')['removed'] == MILLION
    assert crosses(lab, tx, rx, four(0))


def test_a_list_with_mistakes_changes_nothing(lab):
    path = lab.write('bad.txt', '10.9.1.0/24\n' + 'nonsense\n' * 12)
    d = lab.ipsd()
    p = d.ctl('block', 'load', str(path), check=False)
    assert p.returncode == 1 and f'{path}:2: ' in p.stderr and f'{path}:11: ' in p.stderr and f'{path}:12:' not in p.stderr
    assert '12 mistakes; nothing was changed' in p.stderr
    assert d.ctl_json('block', 'list')['entries'] == []
    assert d.ctl('block', 'load', '/nowhere', check=False).returncode == 1
    assert d.ctl('block', 'load', check=False).returncode == 2
    assert d.ctl('block', 'load', str(path), 'up', check=False).returncode == 2
    d.stop()
    said = refused(lab, config={'guard': {'block': [str(path)]}})
    assert f'{path}:2' in said and '12 errors' in said
    said = refused(lab, config={'guard': {'allow': ['10.0.0.0/33']}})
    assert 'guard.allow[0]' in said
    said = refused(lab, config={'guard': {'source_rate': '10/m'}})
    assert 'guard.source_rate' in said and 'N/s burst M' in said


def test_entries_outlive_the_daemon(lab):
    d = lab.ipsd(config={'guard': {'block': ['10.9.1.0/24']}}, shutdown='fail', fail='open')
    tx, rx = lab.client.tap('wan0'), lab.server.tap('lan0')
    d.ctl('block', 'add', '10.9.2.0/24')
    assert not crosses(lab, tx, rx, '10.9.1.1')
    assert not crosses(lab, tx, rx, '10.9.2.1')
    d.stop()
    d = lab.ipsd(config={'guard': {'block': ['10.9.1.0/24', '10.9.3.0/24']}}, shutdown='detach')
    for third in (1, 2, 3):
        assert not crosses(lab, tx, rx, f'10.9.{third}.1')
    entries = {e['prefix']: e['frames'] for e in d.ctl_json('block', 'list')['entries']}
    assert entries == {'10.9.1.0/24': 2, '10.9.2.0/24': 2, '10.9.3.0/24': 1}


def count_crossing(tx, rx, frames, last):
    for f in frames:
        tx.send(f)
    tx.send(last)
    return len(arrived(rx, [*frames, last])) - 1


def test_rates(lab):
    """A burst passes at once and no more; another source is not held to account for it; the allow list is not limited."""
    d = lab.ipsd(config={'guard': {'source_rate': '10/s burst 20', 'syn_source_rate': '5/s burst 5',
                                   'syn_destination_rate': '5/s burst 8', 'allow': ['10.9.0.99']}})
    tx, rx = lab.client.tap('wan0'), lab.server.tap('lan0')
    last = frame(0x0800, udp4(9999, src='10.9.0.251'))
    began = time.monotonic()
    n = count_crossing(tx, rx, [frame(0x0800, udp4(i, src='10.9.0.70')) for i in range(100)], last)
    assert 20 <= n <= 21 + 10 * (time.monotonic() - began)
    assert count_crossing(tx, rx, [frame(0x0800, udp4(i, src='10.9.0.71')) for i in range(20)], last) == 20
    assert count_crossing(tx, rx, [frame(0x0800, udp4(i, src='10.9.0.99')) for i in range(100)], last) == 100
    began = time.monotonic()
    n = count_crossing(tx, rx, [frame(0x0800, syn(i, src='10.9.0.72')) for i in range(15)], last)
    assert 5 <= n <= 6 + 5 * (time.monotonic() - began)
    n += count_crossing(tx, rx, [frame(0x0800, syn(i, src=f'10.9.0.{73 + i}')) for i in range(15)], last)
    assert 8 <= n <= 9 + 5 * (time.monotonic() - began)  # all of these were SYNs to one destination
    shown = d.ctl_json('guard', 'show')
    assert shown['source_rate'] == '10/s burst 20' and shown['syn_destination_rate'] == '5/s burst 8'
    c = {c['counter']: c['frames'] for c in shown['counters']}
    assert c['steer.guard_rate'] > 50 and c['steer.guard_syn_src'] > 5 and c['steer.guard_syn_dst'] > 5
    assert c['steer.saw_allowed'] == 100


def test_broken_headers(lab):
    bad = [syn(1, flags=3), syn(2, flags=0), udp4(3, src='127.0.0.1'), udp4(4, src=SERVER4), udp4(5)[:24]]
    good = [syn(6), udp4(7)]
    for on in ('off', 'on'):
        d = lab.ipsd(config={'guard': {'broken': on}})
        tx = lab.client.tap('wan0')
        rx = lab.server.tap('lan0')
        frames = [frame(0x0800, p) for p in good]
        for p in bad:
            tx.send(frame(0x0800, p))
        for f in frames:
            tx.send(f)
        assert arrived(rx, frames) == frames
        assert exits(d)['steer.guard_broken'] == (len(bad) if on == 'on' else 0)
        assert d.ctl_json('guard', 'show')['broken'] == (on == 'on')
        d.stop()


def test_ipv6(lab):
    d = lab.ipsd(config={'guard': {'block': ['fd00:9::1 src']}})
    c = lab.client.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s = lab.server.socket(socket.AF_INET6, socket.SOCK_DGRAM, (SERVER6, 7000), timeout=1)
    c.sendto(b'x', (SERVER6, 7000))
    with pytest.raises(OSError):
        s.recv(10)
    assert exits(d)['steer.blocked_src'] > 0
    d.ctl('block', 'del', 'fd00:9::1')
    c.sendto(b'x', (SERVER6, 7000))
    s.settimeout(20)
    assert s.recv(10) == b'x'


def test_blocked_for_a_time(lab):
    """Who sends what a rule drops is blocked; shown with what is left of it; taken off by hand; and never, who is on the
    allow list."""
    policy = lab.write('policy.yaml', 'policy:\n- {sid: 13, action: drop, block: src 10m}\n')
    d = lab.ipsd('alert udp any any -> any any (msg:"marker"; content:"a-marker"; sid:13;)\n',
                 config={'rules': {'policy': str(policy)}, 'guard': {'allow': ['10.9.0.99']}})
    tx, rx = lab.client.tap('wan0'), lab.server.tap('lan0')
    for src in ('10.9.0.70', '10.9.0.99'):
        tx.send(frame(0x0800, udp4(1, src=src, marker=b'a-marker')))
    wait_until(lambda: d.ctl_json('block', 'list')['entries'], 'an address to be blocked')
    assert not crosses(lab, tx, rx, '10.9.0.70')
    assert crosses(lab, tx, rx, '10.9.0.99') and crosses(lab, tx, rx, '10.9.0.71')
    entry = next(e for e in d.ctl_json('block', 'list')['entries'] if e['prefix'] == '10.9.0.70/32')
    assert entry['sid'] == 13 and 500 < entry['left_s'] <= 600 and entry['frames'] == 1
    assert ' s ' in d.ctl('block', 'list').stdout
    assert exits(d)['steer.blocked_for_a_time'] == 1
    d.ctl('block', 'del', '10.9.0.70')
    assert crosses(lab, tx, rx, '10.9.0.70')
    assert d.ctl('block', 'del', '10.9.0.70', check=False).returncode == 5
