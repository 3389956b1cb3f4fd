# SPDX-License-Identifier: BSD-2-Clause
"""The daemon dies, and the wire goes on as its policy says: links and maps are pinned, the next daemon takes them over."""
import json
import os
import signal

import pytest

from lab import STANDIN, frame, run, wait_until
from test_life import settings

pytestmark = pytest.mark.skipif(bool(STANDIN), reason='the stand-in has no daemon')

ETHERTYPE = 0x88b5  # for local experiments


def kill(d, how=signal.SIGKILL):
    d.process.send_signal(how)
    d.process.wait()
    d.kill()


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
