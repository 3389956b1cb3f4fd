# SPDX-License-Identifier: BSD-2-Clause
"""`ipsctl upgrade`: another ipsd takes the bridge over while frames cross, and not one is lost; and whatever is wrong with that
other one, this one goes on, and not one is lost either.

                    numbered datagrams, some of which a rule must drop; a TCP transfer each way
    client  ------------------------------------------------------------------------------------>  server
                                  ipsd  ->  ipsd  ->  ipsd ...
"""
import json
import os
import pathlib
import shutil
import signal
import sys
import time

import pytest

import lab as lab_module
from lab import IPSD, STANDIN, wait_until
from test_crash import crossed, kill
from test_fragments import Receiver, fragment

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'faults'))
from traffic import EVIL_RULE, Traffic  # noqa: E402

pytestmark = pytest.mark.skipif(bool(STANDIN), reason='the stand-in has no daemon')

RATE = int(5000 / lab_module.SLOW)


def all_arrived(traffic):
    r = traffic.finish()
    assert r.sent > 20
    assert r.lost == 0 and r.n['duplicated'] == 0, r.n
    assert r.evil_crossed == 0
    for way, t in (r.transfer or {}).items():
        assert t['ok'], (way, t)


def frames_crossed(d):
    return d.stats()['frames.rx']


@pytest.mark.parametrize('queues', [pytest.param(n, marks=pytest.mark.lab(queues=n)) for n in (1, 2)])
def test_five_upgrades_lose_nothing(lab, queues):
    d = lab.ipsd(EVIL_RULE, queues=queues)
    traffic = Traffic(lab, RATE, tcp_rate=500_000)
    try:
        pids, before = {d.pid}, 0
        for _ in range(5):
            time.sleep(0.3)
            said = d.upgrade()
            assert said['old_pid'] in pids and said['new_pid'] not in pids
            pids.add(said['new_pid'])
            assert d.status()['pid'] == said['new_pid']
            assert 0 < said['gap_ms'] < 1000 and said['frames'] > 0
            now = frames_crossed(d)
            assert now > before  # counters go on
            before = now
        time.sleep(0.3)
        all_arrived(traffic)
    finally:
        traffic.close()
    assert len(pids) == 6
    assert d.stats()['drop.rules'] > 0
    assert len(d.wait_events('engine', 5, lambda e: e['engine']['event'] == 'upgraded')) == 5
    d.stop()


def test_events_of_one_daemon_come_before_those_of_the_next(lab):
    d = lab.ipsd('alert udp any any -> any 7000 (msg:"seen"; sid:1;)')
    traffic = Traffic(lab, 500, tcp=False)
    try:
        time.sleep(0.3)
        d.upgrade()
        time.sleep(0.3)
        traffic.finish()
    finally:
        traffic.close()
    d.quiet()
    d.wait_events('alert', 100)
    at = [e['timestamp'] for e in d.events('alert')]
    assert at == sorted(at)
    d.stop()
    assert len(d.events('stats')) == 2  # each one's last word


def test_held_fragments_are_handed_over(lab):
    d = lab.ipsd(set=['defrag.ipv4_timeout=600'])
    r, tap = Receiver(lab, False), lab.client.tap('wan0')
    payload = bytes(range(256)) * 8
    for i in range(70):  # more than a burst
        whole = b'\x0f\xa0\x13\x88' + (8 + len(payload)).to_bytes(2, 'big') + b'\0\0' + payload
        tap.send(fragment(100 + i, 0, whole[:1024], True))
    d.quiet(held=70)
    said = d.upgrade()
    assert said['held'] == 70
    d.quiet(held=70)
    assert r.until_marker() == []
    for i in range(70):
        tap.send(fragment(100 + i, 1024, whole[1024:], False))
    assert r.until_marker() == [payload] * 70
    d.quiet()
    d.stop()


def test_the_new_one_is_in_the_sandbox_too(lab):
    d = lab.ipsd()

    def held():
        lines = pathlib.Path(f'/proc/{d.pid}/status').read_text().splitlines()
        return [v for v in lines if v.split(':')[0] in ('CapEff', 'CapPrm', 'NoNewPrivs', 'Seccomp')]
    before = held()
    assert 'Seccomp:\t2' in before
    d.upgrade()
    assert held() == before

    def descriptors(generation):
        """All it will ever hold: it answers for the upgrade before it watches interfaces, and is ready after."""
        wait_until(lambda: d.said().count('main: ready') == generation, f'generation {generation} to be ready')
        return len(os.listdir(f'/proc/{d.pid}/fd'))
    before = descriptors(2)
    for _ in range(3):
        d.upgrade()
    wait_until(lambda: descriptors(5) <= before, 'no more descriptors than after the first upgrade')  # nothing piles up
    d.stop()


@pytest.mark.lab(second_cable_pair=True)
def test_two_bridges(lab):
    d = lab.ipsd(bridges=[{'name': 'br0', 'interfaces': ['in0', 'in1']}, {'name': 'br1', 'interfaces': ['in2', 'in3']}])
    d.upgrade()
    lab.client.run(['ping', '-c', '3', '-i', '0.05', '-W', '5', '10.9.0.2'])
    lab.client.run(['ping', '-c', '3', '-i', '0.05', '-W', '5', '10.10.0.2'])
    d.stop()


def test_as_another_user(lab):
    """The one that comes starts as root, and takes over what the one that goes keeps as nobody."""
    (lab.dir / 'log').mkdir()
    (lab.dir / 'log').chmod(0o777)
    d = lab.ipsd(config={'user': 'nobody', 'log': {'dir': str(lab.dir / 'log')}})
    for _ in range(2):
        d.upgrade()
        assert '\nUid:\t65534\t65534' in pathlib.Path(f'/proc/{d.pid}/status').read_text()
    lab.client.run(['ping', '-c', '3', '-i', '0.05', '-W', '5', '10.9.0.2'])
    d.quiet()
    d.process.terminate()
    assert d.wait_exit() == 0
    d.kill()


@pytest.mark.lab(fail_open=True)
def test_a_crash_after_an_upgrade_is_one_crash(lab):
    d = lab.ipsd(fail='open')
    d.upgrade()
    kill(d)
    assert crossed(lab) == 10
    d = lab.ipsd(fail='open')
    [event] = d.wait_events('engine', 1, lambda e: e['engine']['event'] == 'takeover')
    assert event['engine']['crashes'] == 1
    d.upgrade()
    d.stop()


# --- what can be wrong with the next one ---------------------------------------------------------------------------


def goes_on(lab, d, traffic, *args, says, code=1):
    """The upgrade fails, ipsctl says why, and the old daemon has not lost a frame."""
    pid = d.pid
    p = d.ctl('upgrade', *args, check=False)
    assert p.returncode == code, (p.returncode, p.stdout, p.stderr)
    assert says in p.stderr, p.stderr
    assert d.running() and d.status()['pid'] == pid
    before = frames_crossed(d)
    wait_until(lambda: frames_crossed(d) > before, 'frames to cross')
    all_arrived(traffic)
    d.quiet()
    return p.stderr


@pytest.fixture
def other(lab):
    """A daemon whose program file a test may replace, and traffic through it."""
    program = lab.dir / 'ipsd'
    shutil.copy(IPSD, program)
    d = lab.ipsd(EVIL_RULE, program=program)
    traffic = Traffic(lab, RATE, tcp_rate=500_000)

    def replace(text):
        script = lab.write('script', text)
        script.chmod(0o755)
        os.rename(script, program)  # as a package manager does
    d.replace, d.program = replace, program
    yield d, traffic
    traffic.close()


def test_a_broken_configuration(lab, other):
    d, traffic = other
    d.yaml.write_text('bridges: [}\n')
    goes_on(lab, d, traffic, says='ips.yaml')
    assert d.wait_events('engine', 1, lambda e: e['engine']['event'] == 'upgrade_failed')
    d.yaml.write_text(json.dumps(d.config))
    d.upgrade()


def test_broken_rules(lab, other):
    d, traffic = other
    d.rules.write_text(EVIL_RULE + 'drop tcp any any -> (sid:2;)\n')
    goes_on(lab, d, traffic, says='test.rules:2')
    d.upgrade('--force')
    assert d.status()['ruleset']['loaded'] == 1


@pytest.mark.parametrize('key, value', [('ring_size', 1024), ('frames', 40000), ('interfaces', ['in1', 'in0'])])
def test_what_takes_a_restart_is_refused(lab, other, key, value):
    d, traffic = other
    d.config['bridges'][0][key] = value
    d.yaml.write_text(json.dumps(d.config))
    assert 'restart' in goes_on(lab, d, traffic, says='running daemon')


def test_a_program_that_ends_at_once(lab, other):
    d, traffic = other
    d.replace('#!/bin/sh\nexit 7\n')
    goes_on(lab, d, traffic, says='ended with status 7')


def test_a_program_that_hangs(lab, other):
    d, traffic = other
    d.replace('#!/bin/sh\nexec sleep 600\n')
    goes_on(lab, d, traffic, '--wait', '1', says='was not ready within 1 s')


def test_a_program_that_is_gone(lab, other):
    d, traffic = other
    d.program.unlink()
    goes_on(lab, d, traffic, says='could not be executed')


FALSE_FRIEND = f'''#!{sys.executable}
import json, os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=3)
s.send(json.dumps({{"say": "ready", "version": "0", "rules": 0}}).encode())
while b'"state"' not in s.recv(1 << 18):
    pass
'''


@pytest.mark.parametrize('then', ['os._exit(1)', 'time.sleep(600)', 's.send(b"nonsense"); time.sleep(600)'],
                         ids=['ends', 'hangs', 'babbles'])
def test_a_program_that_fails_when_it_matters(lab, other, then):
    """It got everything and never says that it runs: frames wait in the rings, and the old daemon takes them up again."""
    d, traffic = other
    traffic.close()
    slow = Traffic(lab, 1000, tcp_rate=100_000)  # what the rings hold for a second
    d.replace(FALSE_FRIEND + then + '\n')
    try:
        goes_on(lab, d, slow, says='did not take over')
    finally:
        slow.close()
    shutil.copy(IPSD, d.dir / 'good')
    os.rename(d.dir / 'good', d.program)
    d.upgrade()
    d.quiet()


def test_a_check_changes_nothing(lab, other):
    d, traffic = other
    p = d.ctl('upgrade', '--check')
    assert 'nothing was changed' in p.stdout
    assert d.status()['pid'] == d.pid
    all_arrived(traffic)
    assert not d.events('engine')


def test_one_at_a_time(lab, other):
    d, traffic = other
    d.replace('#!/bin/sh\nexec sleep 600\n')
    first = lab.appliance.start([lab_module.IPSCTL, '--socket', d.socket, 'upgrade', '--wait', '3'], stderr=-1, text=True)
    wait_until(lambda: 'is getting ready' in d.said(), 'the first one')
    p = d.ctl('upgrade', check=False)
    assert p.returncode == 6 and 'on its way' in p.stderr
    p = d.ctl('rules', 'reload', check=False)
    assert p.returncode == 6, p.stderr
    assert first.wait(20) == 1
    all_arrived(traffic)


def test_the_daemon_dies_while_the_next_one_loads(lab, other):
    d, traffic = other
    traffic.close()
    d.replace('#!/bin/sh\nexec cat <&3\n')  # sees the end of file, as ipsd does
    first = lab.appliance.start([lab_module.IPSCTL, '--socket', d.socket, 'upgrade'], stderr=-1, text=True)
    said = wait_until(lambda: [v for v in d.said().splitlines() if 'is getting ready' in v], 'the next one')[0]
    pid = int(said.split('pid ')[1].split()[0])
    d.process.send_signal(signal.SIGKILL)
    d.process.wait()
    d.kill()
    first.wait(20)
    wait_until(lambda: not os.path.exists(f'/proc/{pid}') or
               open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[0] == 'Z', 'the next one to end')
    lab.ipsd().stop()
