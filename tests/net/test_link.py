# SPDX-License-Identifier: BSD-2-Clause
"""Interfaces that change under a running daemon: cables pulled and plugged, interfaces removed, moved, renamed, and set
otherwise. Every test ends with the books of the frames balanced, as all do.
"""
import json
import os
import signal
import socket
import time

import pytest

from lab import BUILD, CLIENT4, SERVER4, SERVER_MAC, SLOW, frame, run, wait_until

TEST_TYPE = 0x88b5  # for experiments: not IP, forwarded as it is


def link(host, ifname):
    found = json.loads(run(['ip', '-j', '-d', '-n', host.name, 'link', 'show', 'dev', ifname]).stdout)
    return found[0]


def has_carrier(host, ifname):
    return 'LOWER_UP' in link(host, ifname)['flags']


def port(d, side, bridge=0):
    return d.status()['bridges'][bridge]['ports'][side]


def engine(d, what, **fields):
    """The fields of the engine events of that name (and of these fields) so far."""
    return [e['engine'] for e in d.events('engine')
            if e['engine']['event'] == what and all(e['engine'].get(k) == v for k, v in fields.items())]


def wait_engine(d, what, n=1, seconds=5.0, **fields):
    return wait_until(lambda: (lambda v: v if len(v) >= n else None)(engine(d, what, **fields)), f'{n} {what} {fields}',
                      seconds)


def crosses(lab, what, client='wan0', server='lan0', seconds=5.0):
    """Frames of both directions arrive, soon."""
    there, here = lab.server.tap(server, TEST_TYPE), lab.client.tap(client, TEST_TYPE)
    for out, back, name in ((here, there, 'to the server'), (there, here, 'to the client')):
        f = frame(TEST_TYPE, f'{what} {name}'.encode().ljust(60, b'.'))

        def arrived():
            try:
                out.send(f)
                return back.receive(0.05) == f
            except OSError:  # the host's own interface has not found its link yet
                return False
        wait_until(arrived, f'a frame {name} ({what})', seconds)
    for tap in (there, here):
        tap.s.close()


def send_for(tap, f, seconds, pps):
    end, n = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        tap.send(f)
        n += 1
        time.sleep(1 / pps)
    return n


def plug_server(lab, queues=1):
    """The cable between appliance and server, once more."""
    q = ['numtxqueues', str(queues), 'numrxqueues', str(queues)]
    lab.server.ip('link', 'add', 'name', 'lan0', *q, 'type', 'veth', 'peer', 'name', 'in1', *q, 'netns',
                  lab.appliance.name)
    lab.server.run(['ethtool', '-K', 'lan0', 'tx', 'off', 'rx', 'off', 'sg', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off',
                    'rxvlan', 'off', 'txvlan', 'off'])
    lab.server.ip('link', 'set', 'lan0', 'up')
    lab.appliance.ip('link', 'set', 'in1', 'up')


def test_cable_pulled_and_plugged(lab):
    """While the server's cable is out the daemon says so, sleeps, and counts what cannot leave; then all is as before,
    and nothing stale arrives."""
    d = lab.ipsd()
    crosses(lab, 'before')
    lab.server.ip('link', 'set', 'lan0', 'down')
    wait_engine(d, 'link_down', interface='in1', reason='no carrier')
    assert port(d, 1)['state'] == 'no carrier' and port(d, 0)['state'] == 'up'
    assert d.status()['bridges'][0]['state'] == 'cut'
    assert has_carrier(lab.client, 'wan0'), 'link_pass is off'

    tap, n = lab.client.tap('wan0', TEST_TYPE), []
    d.idle(0.02, lambda: n.append(send_for(tap, frame(TEST_TYPE, b'stale'.ljust(60)), 2.0, 100)))
    wait_until(lambda: d.drops()['link_down'] >= sum(n), f'{n} frames counted as dropped')
    assert d.drops()['tx_ring_full'] == 0

    there = lab.server.tap('lan0', TEST_TYPE)
    with pytest.raises(OSError):
        there.receive()  # it says once that it is down
    lab.server.ip('link', 'set', 'lan0', 'up')
    wait_engine(d, 'link_up', interface='in1')
    crosses(lab, 'after')
    assert not [f for f in there.drain() if b'stale' in f]
    assert port(d, 1)['carrier_changes'] == 2 and d.stats()['link.carrier_changes'] == 2
    assert not engine(d, 'link_passed')


def test_no_spin_when_idle(lab):
    """Both cables out, nothing to do: nothing is done."""
    d = lab.ipsd()
    for host, ifname in ((lab.client, 'wan0'), (lab.server, 'lan0')):
        host.ip('link', 'set', ifname, 'down')
    wait_engine(d, 'link_down', 2)
    d.idle(0.02, lambda: time.sleep(2))
    lab.client.ip('link', 'set', 'wan0', 'up')
    lab.server.ip('link', 'set', 'lan0', 'up')
    crosses(lab, 'after')


def test_link_pass(lab):
    """A loss of the link is handed on to the other side, and nothing is handed back; so is its return."""
    d = lab.ipsd(link_pass='on')
    lab.server.ip('link', 'set', 'lan0', 'down')
    wait_until(lambda: not has_carrier(lab.client, 'wan0'), 'the client to lose its link')
    wait_engine(d, 'link_passed', interface='in0', because_of='in1', done='set down')
    assert port(d, 0)['state'] == 'down by link_pass' and port(d, 1)['state'] == 'no carrier'
    time.sleep(1.2)
    assert 'UP' in link(lab.appliance, 'in1')['flags'], 'our own doing came back to us'

    lab.server.ip('link', 'set', 'lan0', 'up')
    wait_until(lambda: has_carrier(lab.client, 'wan0'), 'the client to find its link again')
    wait_engine(d, 'link_passed', interface='in0', done='set up')
    crosses(lab, 'after')
    assert len(engine(d, 'link_passed')) == 2
    assert d.status()['bridges'][0]['state'] == 'up'

    lab.client.ip('link', 'set', 'wan0', 'down')  # the other way round; and the end of the daemon meanwhile
    wait_until(lambda: not has_carrier(lab.server, 'lan0'), 'the server to lose its link')
    d.stop()
    assert 'UP' in link(lab.appliance, 'in1')['flags'], 'ipsd left in1 down'


def test_link_pass_switched_while_it_holds(lab):
    """Off: what is held down is set up. On: what lost its link is handed on."""
    d = lab.ipsd(link_pass='on')
    lab.server.ip('link', 'set', 'lan0', 'down')
    wait_until(lambda: not has_carrier(lab.client, 'wan0'), 'the client to lose its link')
    d.rewrite(lambda c: c['bridges'][0].update(link_pass='off'))
    d.ctl('config', 'reload')
    wait_until(lambda: has_carrier(lab.client, 'wan0'), 'the client to find its link again')
    d.rewrite(lambda c: c['bridges'][0].update(link_pass='on'))
    d.ctl('config', 'reload')
    wait_until(lambda: not has_carrier(lab.client, 'wan0'), 'the client to lose its link once more')
    lab.server.ip('link', 'set', 'lan0', 'up')
    crosses(lab, 'after')


def test_link_pass_at_start(lab):
    """A daemon that starts with one cable out hands that on, and takes it back when the cable is in."""
    lab.server.ip('link', 'set', 'lan0', 'down')
    d = lab.ipsd(link_pass='on')
    assert has_carrier(lab.client, 'wan0'), 'in1 was not given the time to find its link'
    wait_until(lambda: not has_carrier(lab.client, 'wan0'), 'the client to lose its link', 8)
    assert not engine(d, 'link_down', interface='in1'), 'it was down before'
    lab.server.ip('link', 'set', 'lan0', 'up')
    crosses(lab, 'after')


def test_link_pass_overruled(lab):
    """Who sets an interface up by hand that is held down has it up."""
    d = lab.ipsd(link_pass='on')
    lab.server.ip('link', 'set', 'lan0', 'down')
    wait_until(lambda: not has_carrier(lab.client, 'wan0'), 'the client to lose its link')
    lab.appliance.ip('link', 'set', 'in0', 'up')
    wait_until(lambda: port(d, 0)['state'] == 'up', 'in0 to be up')
    time.sleep(1.2)
    assert has_carrier(lab.client, 'wan0')
    lab.server.ip('link', 'set', 'lan0', 'up')
    crosses(lab, 'after')


@pytest.mark.lab(second_cable_pair=True)
def test_removed_and_added(lab):
    """An interface is deleted: the daemon and its other bridge go on, what cannot leave is counted; an interface of that
    name is made, and the bridge carries frames again, inspected."""
    d = lab.ipsd(rules=f'drop icmp {CLIENT4} any -> any any (msg:"p"; sid:1;)\n',
                 bridges=[{'name': 'br0', 'interfaces': ['in0', 'in1']}, {'name': 'br1', 'interfaces': ['in2', 'in3']}])
    crosses(lab, 'before')
    lab.server.ip('link', 'del', 'lan0')
    wait_engine(d, 'interface_gone', interface='in1', bridge='br0')
    tap, n = lab.client.tap('wan0', TEST_TYPE), []
    d.idle(0.02, lambda: n.append(send_for(tap, frame(TEST_TYPE, b'nowhere'.ljust(60)), 1.0, 100)))
    wait_until(lambda: d.drops()['link_down'] >= sum(n), f'{n} frames counted as dropped')
    assert port(d, 1)['state'] == 'gone' and d.status()['bridges'][0]['state'] == 'cut'
    assert 'gone' in d.ctl('status').stdout
    crosses(lab, 'the other bridge', 'wan1', 'lan1')

    plug_server(lab)
    started = time.monotonic()
    wait_engine(d, 'interface_back', interface='in1', bridge='br0')
    crosses(lab, 'again')
    assert time.monotonic() - started < 2.5 * max(SLOW, 1)
    lab.server.ip('addr', 'add', f'{SERVER4}/24', 'dev', 'lan0')
    lab.client.run(['ping', '-c1', '-W1', SERVER4], check=False)
    d.wait_events('alert', where=lambda e: e['alert']['signature_id'] == 1)
    s = d.status()['bridges'][0]
    assert s['state'] == 'up' and s['rebuilds'] == 1 and d.stats()['link.rebuilds'] == 1
    crosses(lab, 'the other bridge, at the end', 'wan1', 'lan1')


def test_first_interface_removed(lab):
    """The same on the side whose socket holds the frames' memory; and both at once."""
    d = lab.ipsd()
    for round_, sides in enumerate((('wan0',), ('wan0', 'lan0'))):
        crosses(lab, f'before {round_}')
        if 'wan0' in sides:
            lab.client.ip('link', 'del', 'wan0')
        if 'lan0' in sides:
            lab.server.ip('link', 'del', 'lan0')
        wait_until(lambda: sum(p['state'] == 'gone' for p in d.status()['bridges'][0]['ports']) == len(sides), 'gone')
        if 'lan0' in sides:
            plug_server(lab)
        lab.client.ip('link', 'add', 'name', 'wan0', 'type', 'veth', 'peer', 'name', 'in0', 'netns', lab.appliance.name)
        lab.client.ip('link', 'set', 'wan0', 'up')
        wait_engine(d, 'interface_back', round_ + 1, interface='in0')
    crosses(lab, 'after')


def test_moved_away_and_back(lab):
    """To another namespace, and back with the same index: its sockets are dead, and it is noticed."""
    d = lab.ipsd()
    crosses(lab, 'before')
    lab.appliance.ip('link', 'set', 'in1', 'netns', lab.server.name)
    wait_engine(d, 'interface_gone', interface='in1')
    assert 'xdp' not in link(lab.server, 'in1'), 'the program went along'
    lab.server.ip('link', 'set', 'in1', 'netns', lab.appliance.name)
    wait_engine(d, 'interface_back', interface='in1')
    crosses(lab, 'after')
    run(['sh', '-c', f'ip -n {lab.appliance.name} link set in1 netns {lab.server.name} && '
         f'ip -n {lab.server.name} link set in1 netns {lab.appliance.name}'])
    wait_engine(d, 'interface_back', 2, interface='in1')
    crosses(lab, 'after that, too')


def test_flows_outlive_a_rebuild(lab):
    """What a rule remembered of a flow is remembered when the bridge was rebuilt under it."""
    d = lab.ipsd(rules='alert udp any any -> any 5000 (msg:"1"; content:"one"; flowbits:set,seen; sid:1;)\n'
                       'alert udp any any -> any 5000 (msg:"2"; content:"two"; flowbits:isset,seen; sid:2;)\n')
    lab.client.ip('neigh', 'replace', SERVER4, 'lladdr', SERVER_MAC, 'dev', 'wan0')
    s = lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(CLIENT4, 4000))
    s.sendto(b'one', (SERVER4, 5000))
    d.wait_events('alert', where=lambda e: e['alert']['signature_id'] == 1)
    lab.server.ip('link', 'del', 'lan0')
    wait_engine(d, 'interface_gone')
    plug_server(lab)
    wait_engine(d, 'interface_back')
    s.sendto(b'two', (SERVER4, 5000))
    d.wait_events('alert', where=lambda e: e['alert']['signature_id'] == 2)


@pytest.mark.lab(queues=2)
def test_rebuild_fails_and_succeeds(lab):
    """An interface that cannot serve comes back: said, with the reason; then one that can."""
    d = lab.ipsd(queues=2)
    crosses(lab, 'before')
    lab.server.ip('link', 'del', 'lan0')
    wait_engine(d, 'interface_gone')
    plug_server(lab, queues=1)
    failed = wait_engine(d, 'rebuild_failed')
    assert 'in1 cannot have 2 queues' in failed[0]['error'] and failed[0]['remedy'], failed
    time.sleep(0.5)
    assert len(engine(d, 'rebuild_failed')) < 6, 'no pause between the tries'
    lab.server.ip('link', 'del', 'lan0')
    plug_server(lab, queues=2)
    wait_engine(d, 'interface_back', seconds=10)
    crosses(lab, 'after')


def test_broken_and_mended(lab):
    """Another program is on the interface that comes back: the bridge is left without sockets and says so; what the other
    side sends follows the fail policy; the daemon answers, and mends it when it can. Then once more, and it ends so."""
    d = lab.ipsd(fail='closed')
    crosses(lab, 'before')
    other = lab.pins / 'other'
    run(['bpftool', 'prog', 'load', BUILD / 'bpf/steer.bpf.o', other])
    for round_ in (1, 2):
        tries = len(engine(d, 'rebuild_failed'))
        lab.server.ip('link', 'del', 'lan0')
        wait_engine(d, 'interface_gone', round_)
        lab.server.ip('link', 'add', 'name', 'lan0', 'type', 'veth', 'peer', 'name', 'new', 'netns', lab.appliance.name)
        lab.server.ip('link', 'set', 'lan0', 'up')
        lab.appliance.run(['bpftool', 'net', 'attach', 'xdp', 'pinned', other, 'dev', 'new'])
        lab.appliance.ip('link', 'set', 'new', 'name', 'in1')
        failed = wait_engine(d, 'rebuild_failed', tries + 1)[-1]
        assert 'already has an XDP program' in failed['error'], failed
        s = d.status()['bridges'][0]
        assert s['state'] == 'broken' and not s['ports'][1]['queues'] and 'broken' in d.ctl('status').stdout
        before = d.stats()['steer.fail_closed']
        lab.client.tap('wan0', TEST_TYPE).send(frame(TEST_TYPE, b'nobody'.ljust(60)))
        wait_until(lambda: d.stats()['steer.fail_closed'] > before, 'the frame to be dropped by the kernel')
        if round_ == 1:
            lab.appliance.ip('link', 'set', 'in1', 'xdp', 'off')
            assert wait_engine(d, 'bridge_rebuilt', seconds=8)[0]['tries'] > 1
            crosses(lab, 'after')
    d.stop()


def test_renamed(lab):
    """The name is followed, the configuration's is missed, and both are said."""
    d = lab.ipsd()
    lab.appliance.ip('link', 'set', 'in1', 'name', 'uplink')
    e = wait_engine(d, 'interface_renamed', interface='in1', to='uplink')[0]
    assert 'configuration' in e['remedy']
    p = port(d, 1)
    assert p['interface'] == 'uplink' and p['configured'] == 'in1' and p['state'] == 'up'
    crosses(lab, 'under another name')
    lab.appliance.ip('link', 'set', 'uplink', 'name', 'in1')
    assert 'remedy' not in wait_engine(d, 'interface_renamed', interface='uplink', to='in1')[0]


def test_mtu(lab):
    """What fits a frame is noted; what does not is warned of (native XDP would refuse it: generic)."""
    d = lab.ipsd(mode='generic')
    lab.appliance.ip('link', 'set', 'in0', 'mtu', '1400')
    e = wait_engine(d, 'mtu_changed', interface='in0', to=1400)[0]
    assert e['from'] == 1500 and 'error' not in e
    assert port(d, 0)['mtu'] == 1400
    lab.appliance.ip('link', 'set', 'in0', 'mtu', '9000')
    e = wait_engine(d, 'mtu_changed', interface='in0', to=9000)[0]
    assert 'must fit' in e['error'] and 'mtu 1500' in e['remedy']
    lab.appliance.ip('link', 'set', 'in0', 'mtu', '1500')
    wait_engine(d, 'mtu_changed', interface='in0', to=1500)


def test_set_down_by_somebody(lab):
    """An interface set down is said to be; set up again, it works."""
    d = lab.ipsd()
    lab.appliance.ip('link', 'set', 'in0', 'down')
    wait_engine(d, 'link_down', interface='in0', reason='set down')
    assert port(d, 0)['state'] == 'down'
    lab.appliance.ip('link', 'set', 'in0', 'up')
    wait_engine(d, 'link_up', interface='in0')
    crosses(lab, 'after')


def test_promisc_taken_away(lab):
    d = lab.ipsd()
    lab.appliance.ip('link', 'set', 'in0', 'promisc', 'off')
    assert wait_engine(d, 'promisc_cleared', interface='in0')[0]['done'] == 'set again'
    assert 'PROMISC' in link(lab.appliance, 'in0')['flags']
    for _ in range(20):  # somebody insists: it is let be, and said no more
        lab.appliance.ip('link', 'set', 'in0', 'promisc', 'off')
        time.sleep(0.02)
    time.sleep(0.3)
    assert len(engine(d, 'promisc_cleared')) <= 5


def test_program_detached_by_force(lab):
    """The program is put back within a second or two."""
    lab.ipsd()
    d = lab.daemons[0]
    crosses(lab, 'before')
    run(['bpftool', 'link', 'detach', 'pinned', f'{lab.pins}/br0/link1'])
    assert wait_engine(d, 'program_detached', interface='in1')[0]['done'] == 'attached again'
    assert 'xdp' in link(lab.appliance, 'in1')
    crosses(lab, 'after')


@pytest.mark.lab(queues=4)
def test_queues_changed(lab):
    """More queues than workers: set back, because their frames would find no worker."""
    for host, ifname in ((lab.client, 'wan0'), (lab.server, 'lan0')):
        host.run(['ethtool', '-L', ifname, 'rx', '2', 'tx', '2'])
    d = lab.ipsd(queues=2)
    crosses(lab, 'before')
    lab.appliance.run(['ethtool', '-L', 'in0', 'rx', '4', 'tx', '4'])
    e = wait_engine(d, 'queues_changed', interface='in0')[0]
    assert e['to'] == 4 and e['workers'] == 2 and e['done'] == 'set back', e
    assert 'RX:\t\t2' in lab.appliance.run(['ethtool', '-l', 'in0']).stdout.split('Current')[1]
    crosses(lab, 'after')


def test_link_pass_and_a_crash(lab):
    """Killed while it held an interface down: the next one looks at the cables, and leaves what it found up at first."""
    d = lab.ipsd(link_pass='on', shutdown='fail')
    crosses(lab, 'before')
    lab.server.ip('link', 'set', 'lan0', 'down')
    wait_until(lambda: not has_carrier(lab.client, 'wan0'), 'the client to lose its link')
    os.kill(d.pid, signal.SIGKILL)
    d.kill()
    d = lab.ipsd(link_pass='on', shutdown='fail')  # the cable is still out, and had its time
    wait_engine(d, 'link_passed', interface='in0', seconds=2)
    assert not has_carrier(lab.client, 'wan0')
    os.kill(d.pid, signal.SIGKILL)
    d.kill()
    lab.server.ip('link', 'set', 'lan0', 'up')
    assert not has_carrier(lab.client, 'wan0')
    d = lab.ipsd(link_pass='on')
    wait_until(lambda: has_carrier(lab.client, 'wan0'), 'the client to have its link')
    crosses(lab, 'after')
    d.stop()
    assert 'UP' in link(lab.appliance, 'in0')['flags'], 'it was up before the first daemon'


def test_flaps(lab):
    """A cable with a bad contact: every change is counted, and in the end all is up."""
    d = lab.ipsd(link_pass='on')
    for _ in range(10):
        lab.server.ip('link', 'set', 'lan0', 'down')
        lab.server.ip('link', 'set', 'lan0', 'up')
    crosses(lab, 'after')
    wait_until(lambda: port(d, 1)['carrier_changes'] >= 20, 'twenty changes counted')
    wait_until(lambda: d.status()['bridges'][0]['state'] == 'up', 'the bridge to be up')
    assert engine(d, 'link_down', interface='in1')


def test_after_an_upgrade(lab):
    """A bridge whose frames and sockets came from another process is rebuilt like any; and one that holds an interface
    down is handed over and holds it still."""
    d = lab.ipsd(link_pass='on')
    d.upgrade()
    crosses(lab, 'after the upgrade')
    for round_ in (1, 2):
        lab.server.ip('link', 'del', 'lan0')
        wait_engine(d, 'interface_gone', round_, interface='in1')
        wait_until(lambda: not has_carrier(lab.client, 'wan0'), 'the client to lose its link')
        plug_server(lab)
        wait_engine(d, 'interface_back', round_, interface='in1')
        crosses(lab, 'after it was back')
    lab.server.ip('link', 'set', 'lan0', 'down')
    wait_until(lambda: not has_carrier(lab.client, 'wan0'), 'the client to lose its link')
    d.upgrade()
    wait_until(lambda: not has_carrier(lab.client, 'wan0'), 'the client to be without a link')
    lab.server.ip('link', 'set', 'lan0', 'up')
    crosses(lab, 'when the cable is back')


def test_no_upgrade_without_an_interface(lab):
    """It is refused; this one goes on, and takes the interface in when it is back."""
    d = lab.ipsd()
    crosses(lab, 'before')
    lab.server.ip('link', 'del', 'lan0')
    wait_engine(d, 'interface_gone', interface='in1')
    pid = d.status()['pid']
    p = d.ctl('upgrade', check=False)
    assert p.returncode != 0 and 'an interface is gone' in p.stderr, p
    assert d.status()['pid'] == pid
    plug_server(lab)
    wait_engine(d, 'interface_back', interface='in1')
    crosses(lab, 'after')
