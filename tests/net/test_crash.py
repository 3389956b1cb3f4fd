# SPDX-License-Identifier: BSD-2-Clause
"""The daemon dies, and the wire goes on as its policy says: links and maps are pinned, the next daemon takes them over."""
import json
import os
import pathlib
import re
import signal
import socket
import struct
import threading

import pytest

from lab import IPSCTL, PROJECT, SERVER4, SLOW, STANDIN, Ipsd, frame, run, wait_until
from test_life import settings

pytestmark = pytest.mark.skipif(bool(STANDIN), reason='the stand-in has no daemon')

ETHERTYPE = 0x88b5  # for local experiments


def kill(d, how=signal.SIGKILL):
    d.process.send_signal(how)
    d.process.wait()
    d.kill()


def link(lab, *args, check=True, code=None):
    """ipsctl link, which needs no daemon; JSON."""
    p = lab.appliance.run([IPSCTL, '--json', 'link', args[0], '--pin-dir', lab.pins, *args[1:]],
                          check=check and code is None)
    assert code is None or p.returncode == code, p.stdout + p.stderr
    return json.loads(p.stdout)


def crossed(lab, n=10, mark=b'probe'):
    """How many of n frames arrive at the server."""
    out, into = lab.client.tap('wan0'), lab.server.tap('lan0', ETHERTYPE)
    frames = [frame(ETHERTYPE, mark + b'%4d' % i + bytes(50)) for i in range(n)]
    into.drain()
    for f in frames:
        out.send(f)
    end = frame(ETHERTYPE, b'end' + bytes(50))  # the same way round: what crosses, crosses in order
    out.send(end)
    got = []
    while (f := into.receive(0.5)) and f != end:
        got.append(f)
    return sum(f in got for f in frames)


def attached(lab):
    """The ids of the program and of the maps it works on, of each interface."""
    ids = {}
    for ifname in ('in0', 'in1'):
        xdp = json.loads(lab.appliance.ip('-d', '-j', 'link', 'show', ifname))[0].get('xdp')
        ids[ifname] = xdp and xdp['prog']['id']
    return ids


def maps_of(program):
    p = run(['bpftool', '-j', 'prog', 'show', 'id', str(program)])
    return sorted(json.loads(p.stdout)['map_ids'])


def pins(lab, bridge='br0'):
    folder = lab.pins / bridge
    return sorted(os.listdir(folder)) if folder.exists() else []


@pytest.mark.lab(fail_open=True)
@pytest.mark.parametrize('how', ['SIGKILL', 'SIGSEGV', 'SIGABRT'])
def test_a_crash_with_fail_open_lets_frames_cross(lab, how):
    d = lab.ipsd(fail='open')
    assert crossed(lab) == 10
    before = attached(lab)
    kill(d, getattr(signal, how))
    assert attached(lab) == before, 'the program must stay'
    assert crossed(lab) == 10


@pytest.mark.lab(fail_open=True)
def test_killed_under_traffic_with_fail_open(lab):
    """A thousand numbered frames a second; what is lost is what the daemon had in hand, and none behind that."""
    out, into = lab.client.tap('wan0'), lab.server.tap('lan0', ETHERTYPE)
    d = lab.ipsd(fail='open', shutdown='fail')
    ending, n = threading.Event(), [0]

    def send():
        while not ending.wait(0.001):
            out.send(frame(ETHERTYPE, struct.pack('!I', n[0]) + bytes(50)))
            n[0] += 1
    sender = threading.Thread(target=send)
    sender.start()
    try:
        for _ in range(3):
            wait_until(lambda was=n[0]: n[0] > was + 200, 'frames to be sent')
            kill(d)
            wait_until(lambda was=n[0]: n[0] > was + 200, 'frames to be sent')
            d = lab.ipsd(fail='open', shutdown='fail')
    finally:
        ending.set()
        sender.join()
    got = set()

    def all_there():
        got.update(struct.unpack('!I', f[14:18])[0] for f in into.drain())
        return n[0] - 1 in got
    wait_until(all_there, 'the last frame')
    lost = sorted(set(range(n[0])) - got)
    assert len(lost) <= 3 * 100 * SLOW, f'{len(lost)} of {n[0]} lost: {lost}'


@pytest.mark.lab(fail_open=True)
def test_a_crash_with_fail_closed_lets_none_cross(lab):
    d = lab.ipsd(fail='closed')
    assert crossed(lab) == 10
    kill(d)
    assert crossed(lab) == 0
    d2 = lab.ipsd(fail='closed')
    assert crossed(lab) == 10
    assert d2.stats()['steer.fail_closed'] >= 11, 'counts go on over a crash'


@pytest.mark.lab(fail_open=True)
def test_the_next_daemon_takes_over(lab):
    d = lab.ipsd(fail='open', shutdown='fail')
    before, maps = attached(lab), maps_of(attached(lab)['in0'])
    assert before['in0'] and before['in0'] == before['in1']
    assert crossed(lab) == 10
    seen = d.stats()['steer.to_worker']
    kill(d)
    d = lab.ipsd(fail='open', shutdown='fail')
    assert attached(lab) == before and maps_of(before['in0']) == maps
    assert 'took over what was pinned' in d.said() and 'did not end in good order' in d.said()
    assert crossed(lab) == 10
    assert d.stats()['steer.to_worker'] >= seen + 10
    d.stop()
    assert attached(lab) == before, 'shutdown: fail leaves the program attached'
    d = lab.ipsd(fail='open', shutdown='detach')
    assert attached(lab) == before and 'did not end in good order' not in d.said()
    d.stop()
    assert attached(lab) == {'in0': None, 'in1': None} and pins(lab) == []


@pytest.mark.lab(queues=4)
def test_interfaces_are_put_back_over_a_crash(lab):
    """What they were before the first daemon, not what the killed one made of them."""
    for ifname in ('in0', 'in1'):
        lab.appliance.run(['ethtool', '-K', ifname, 'gro', 'on'])
    for host, ifname in ((lab.client, 'wan0'), (lab.server, 'lan0')):
        host.run(['ethtool', '-L', ifname, 'tx', '1'])  # XDP on a veth wants no more from the other end than it has queues
    before = settings(lab)
    kill(lab.ipsd(queues=2))
    assert settings(lab) != before
    kill(lab.ipsd(queues=1))
    d = lab.ipsd(queues=3)
    d.stop()
    wait_until(lambda: settings(lab) == before, 'the interfaces to be as they were')


@pytest.mark.lab(second_cable_pair=True)
def test_a_bridge_of_other_interfaces(lab):
    """What was left on the old ones is taken off and put back."""
    before = settings(lab)
    d = lab.ipsd(shutdown='fail')
    d.stop()
    assert settings(lab) != before
    d = lab.ipsd(bridges=[{'name': 'br0', 'interfaces': ['in2', 'in3']}])
    assert 'it is on the interface with index' in d.said()
    assert settings(lab) == before


@pytest.mark.lab(fail_open=True)
@pytest.mark.parametrize('fail, shutdown, expect', [('open', 'fail', 10), ('closed', 'fail', 0), ('closed', 'bridge', 10),
                                                    ('open', 'detach', 0)])
def test_orderly_end(lab, fail, shutdown, expect):
    d = lab.ipsd(fail=fail, shutdown=shutdown)
    assert crossed(lab) == 10
    d.stop()
    assert crossed(lab) == expect
    assert bool(pins(lab)) == (shutdown != 'detach')
    d = lab.ipsd(fail=fail)
    assert crossed(lab) == 10 and d.status()['bridges'][0]['fail'] == fail


# --- no daemon at all ---------------------------------------------------------------------------------------


@pytest.mark.lab(fail_open=True)
def test_link_commands_need_no_daemon(lab):
    before = settings(lab)
    assert 'nothing is pinned' in link(lab, 'status', code=5)['error']
    assert crossed(lab) == 0
    link(lab, 'attach', 'br0', 'in0', 'in1')
    assert settings(lab) != before and crossed(lab) == 10
    [b] = link(lab, 'status')['bridges']
    assert b['bridge'] == 'br0' and b['fail'] == 'open' and not b['daemon'] and not b['bypass']
    assert [(p['interface'], p['attached']) for p in b['ports']] == [('in0', True), ('in1', True)]
    assert b['exits']['steer.fail_open'] >= 11 and b['starts'] == 0
    text = lab.appliance.run([IPSCTL, 'link', 'status', '--pin-dir', lab.pins]).stdout
    assert 'in0 attached' in text and 'fail open, bypass off, no daemon runs' in text
    link(lab, 'attach', 'br0', 'in0', 'in1', 'closed')  # again, with another policy: what is there is taken over
    assert crossed(lab) == 0
    link(lab, 'bypass', 'on')
    assert crossed(lab) == 10 and link(lab, 'status', 'br0')['bridges'][0]['bypass']
    link(lab, 'bypass', 'off', 'br0')
    assert crossed(lab) == 0
    link(lab, 'detach', 'br0')
    assert settings(lab) == before and pins(lab) == []
    for wrong in (('attach', 'a/b', 'in0', 'in1'), ('attach', 'br0', 'in0', 'nothere'), ('detach', '..'), ('bypass', 'on', 'br1')):
        assert lab.appliance.run([IPSCTL, 'link', *wrong, '--pin-dir', lab.pins], check=False).returncode in (1, 5)
    assert settings(lab) == before


@pytest.mark.lab(fail_open=True)
def test_link_commands_beside_a_daemon(lab):
    rule = 'drop udp any any -> any 7700 (msg:"never"; content:"evil"; sid:3100;)\n'
    before = settings(lab)
    d = lab.ipsd(rule, fail='closed', shutdown='fail')
    [b] = link(lab, 'status')['bridges']
    assert b['daemon'] and b['pid'] == d.pid and b['starts'] == 1
    assert 'a daemon serves' in link(lab, 'detach', 'br0', code=6)['error']
    assert 'a daemon serves' in link(lab, 'reset', 'br0', code=6)['error']
    link(lab, 'bypass', 'on')
    seen = d.stats()['steer.to_worker']
    assert crossed(lab) == 10 and d.stats()['steer.to_worker'] == seen
    link(lab, 'bypass', 'off')
    assert crossed(lab) == 10 and d.stats()['steer.to_worker'] >= seen + 10
    kill(d)  # and what it left is taken off with no daemon
    assert not link(lab, 'status')['bridges'][0]['daemon']
    link(lab, 'detach', 'br0')
    assert settings(lab) == before and pins(lab) == []


@pytest.mark.lab(fail_open=True)
def test_detach_by_force_under_a_daemon(lab):
    before = settings(lab)
    d = lab.ipsd(fail='open', shutdown='fail')
    link(lab, 'detach', '--force', 'br0')
    assert attached(lab) == {'in0': None, 'in1': None} and crossed(lab) == 0
    d.stop()
    assert settings(lab) == before and pins(lab) == []


@pytest.mark.lab(fail_open=True)
def test_a_daemon_takes_over_what_an_operator_attached(lab):
    before = settings(lab)
    link(lab, 'attach', 'br0', 'in0', 'in1', 'open')
    d = lab.ipsd()
    assert 'attached all the while' in d.said()
    assert crossed(lab) == 10
    d.stop()
    assert settings(lab) == before


# --- what does not fit, and what does not live ----------------------------------------------------------------


@pytest.mark.lab(fail_open=True)
def test_maps_of_another_abi_or_shape(lab):
    before = settings(lab)
    d = lab.ipsd(fail='open', shutdown='fail')
    kill(d)
    life = lab.pins / 'br0' / 'steer_life'
    size = json.loads(run(['bpftool', '-j', 'map', 'show', 'pinned', str(life)]).stdout)['bytes_value']
    run(['bpftool', 'map', 'update', 'pinned', str(life), 'key', '0', '0', '0', '0', 'value', *(['99'] + ['0'] * (size - 1))])
    assert 'ABI 99' in link(lab, 'status', 'br0', code=1)['error']
    assert crossed(lab) == 10, 'whatever lies in the maps, the program goes on'
    d = lab.ipsd(fail='open', shutdown='fail')
    assert 'the maps that were left are removed: they are of ABI 99' in d.said()
    assert "the program on in0 is now this build's" in d.said(), 'switched, not taken off'
    assert crossed(lab) == 10
    d.stop()
    d = lab.ipsd(fail='open', flow_cache_size=1000)
    assert 'steer_flows has another shape' in d.said() and 'steer_config' not in d.said()
    assert crossed(lab) == 10
    assert d.stats()['steer.to_worker'] >= 20, 'the other maps are kept'
    d.stop()
    assert settings(lab) == before, 'what the interfaces were is remembered over all of it'


@pytest.mark.lab(fail_open=True)
def test_an_interface_that_was_made_anew(lab):
    """The pinned link's interface is gone; one of the same name takes its place."""
    kill(lab.ipsd(fail='open'))
    lab.appliance.ip('link', 'del', 'in1')
    wait_until(lambda: not link(lab, 'status')['bridges'][0]['ports'][1]['attached'], 'the link to lose its interface')
    lab._cable(lab.server, 'lan0', 'in1', 1, 1500, '02:00:00:09:00:02', ('10.9.0.2', 'fd00:9::2'))
    d = lab.ipsd(fail='open')
    assert 'its interface is gone' in d.said() and 'took over what was pinned' in d.said()
    assert crossed(lab) == 10


@pytest.mark.lab(fail_open=True)
def test_crash_loop_ends_in_the_fail_policy(lab):
    config = {'crash_limit': 3}
    for _ in range(3):
        kill(lab.ipsd(fail='closed', config=config))
    refusals = []
    for _ in range(2):
        d = Ipsd(lab, fail='closed', config=config)
        lab.daemons.append(d)
        refusals.append(d.wait_exit())
        d.kill()
        assert 'crashed 3 times within 60 s' in d.said() and 'ipsctl link reset' in d.said(), d.said()
    assert refusals == [3, 3]
    [b] = link(lab, 'status')['bridges']
    assert b['crashes'] == 3 and not b['daemon'] and crossed(lab) == 0
    forced = Ipsd(lab, fail='closed', config=config, more=['--force'])
    lab.daemons.append(forced)
    forced.wait_ready()
    kill(forced)
    link(lab, 'reset')
    assert link(lab, 'status')['bridges'][0]['crashes'] == 0
    d = lab.ipsd(fail='closed', config=config)
    assert crossed(lab) == 10
    [e] = d.wait_events('engine', where=lambda e: e['engine']['event'] == 'takeover')
    assert e['engine']['bridge'] == 'br0' and e['engine']['attached'] and e['engine']['starts'] == 5


@pytest.mark.lab(fail_open=True)
def test_as_another_user(lab):
    """The pins are that user's to remove, and the next daemon's, which starts as root, to take over. With the service's
    capabilities."""
    before = settings(lab)
    config = {'user': 'nobody', 'log': {'dir': str(lab.dir / 'log')}}
    (lab.dir / 'log').mkdir()
    (lab.dir / 'log').chmod(0o777)
    unit = (PROJECT / 'appliance/sluice.service').read_text()
    caps = re.search(r'^CapabilityBoundingSet=(.*)$', unit, re.M)[1].lower().replace('cap_', '+').replace(' ', ',')
    unit = ['setpriv', '--bounding-set', f'-all,{caps}']  # no more privilege than the service has
    kill(lab.ipsd(fail='open', config=config, prefix=unit))
    assert crossed(lab) == 10
    d = lab.ipsd(fail='open', config=config, prefix=unit)
    assert 'attached all the while' in d.said() and "now this build's" not in d.said()
    d.process.send_signal(signal.SIGTERM)
    assert d.wait_exit() == 0, d.said()
    d.kill()
    assert pins(lab) == [] and attached(lab) == {'in0': None, 'in1': None} and settings(lab) == before


@pytest.mark.lab(fail_open=True)
def test_what_a_rule_drops_never_crosses_when_closed(lab):
    """A frame that a rule drops is sent all the time, while daemons are killed, ended and started."""
    rule = 'drop udp any any -> any 7700 (msg:"never"; content:"evil"; sid:3100;)\n'
    into = lab.server.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(SERVER4, 7700), timeout=1.0)
    out = lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ending, sent = threading.Event(), [0]

    def send():
        while not ending.wait(0.001):
            out.sendto(b'evil %d' % sent[0], (SERVER4, 7700))
            sent[0] += 1
    d = lab.ipsd(rule, fail='closed', shutdown='fail')
    lab.client.run(['ping', '-n', '-c', '1', '-W', '10', SERVER4])
    sender = threading.Thread(target=send)
    sender.start()
    try:
        for how in ('kill', 'stop', 'kill'):
            wait_until(lambda n=sent[0]: sent[0] > n + 100, 'frames to be sent')
            if how == 'kill':
                kill(d)
            else:
                d.process.send_signal(signal.SIGTERM)
                assert d.wait_exit() == 0
                d.kill()
            wait_until(lambda n=sent[0]: sent[0] > n + 100, 'frames to be sent')
            d = lab.ipsd(rule, fail='closed', shutdown='fail')
    finally:
        ending.set()
        sender.join()
    assert sent[0] > 600
    out.sendto(b'good', (SERVER4, 7700))
    assert into.recv(100) == b'good', 'the first that crosses is the only one that may'


# --- beside other XDP programs ----------------------------------------------------------------------------------

XDPFILT = next(pathlib.Path('/usr/lib').glob('*/bpf/xdpfilt_alw_udp.o'), None)  # of xdp-tools: passes all until it is told


def dispatcher(lab):
    """Another program on in0, behind libxdp's dispatcher; skipped where that is not to be had."""
    if not XDPFILT or run(['sh', '-c', 'command -v xdp-loader'], check=False).returncode:
        pytest.skip('xdp-tools is not installed')
    if run(['sh', '-c', "bpftool feature probe kernel | grep -q 'program_type ext is available'"], check=False).returncode:
        pytest.skip('this kernel loads no programs of type EXT, which a dispatcher is made of')
    loader(lab, 'load', '-m', 'native', 'in0', XDPFILT)


def loader(lab, *args):
    return lab.appliance.run(['env', f'LIBXDP_BPFFS={lab.pins}', 'xdp-loader', *args]).stdout


def behind(lab):
    return [line.split()[2] for line in loader(lab, 'status', 'in0').splitlines() if '=>' in line]


@pytest.mark.lab(fail_open=True)
def test_beside_other_programs(lab, monkeypatch):
    dispatcher(lab)
    monkeypatch.setenv('LIBXDP_BPFFS', str(lab.pins))
    before = settings(lab)
    d = lab.ipsd(fail='open', shutdown='detach')
    assert behind(lab) == ['xdpfilt_alw_udp', 'steer'] and crossed(lab) == 10
    number, seen = run(['bpftool', '-j', 'prog', 'show', 'name', 'steer']).stdout, d.stats()['steer.to_worker']
    assert seen >= 10
    kill(d)
    assert behind(lab) == ['xdpfilt_alw_udp', 'steer'] and crossed(lab) == 10
    d = lab.ipsd(fail='closed', shutdown='detach')
    assert run(['bpftool', '-j', 'prog', 'show', 'name', 'steer']).stdout.count('"id"') <= number.count('"id"') + 1
    assert 'attached all the while' in d.said() and d.stats()['steer.to_worker'] >= seen
    assert crossed(lab) == 10
    d.process.send_signal(signal.SIGTERM)
    assert d.wait_exit() == 0
    d.kill()
    assert 'may not take the program off a dispatcher' in d.said() and crossed(lab) == 0
    assert [p['attached'] for p in link(lab, 'status')['bridges'][0]['ports']] == [True, True]
    link(lab, 'detach', 'br0')
    assert behind(lab) == ['xdpfilt_alw_udp'] and pins(lab) == []
    assert settings(lab)['in1'] == before['in1'] and settings(lab)['in0']['flags'] == before['in0']['flags']
    link(lab, 'attach', 'br0', 'in0', 'in1')
    assert behind(lab) == ['xdpfilt_alw_udp', 'steer'] and crossed(lab) == 10
    d = lab.ipsd(fail='open', flow_cache_size=1000)  # on other maps: a new program goes there, then the old one goes
    assert behind(lab) == ['xdpfilt_alw_udp', 'steer'] and crossed(lab) == 10
    kill(d)
    link(lab, 'detach', 'br0')
    assert behind(lab) == ['xdpfilt_alw_udp']
