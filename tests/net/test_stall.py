# SPDX-License-Identifier: BSD-2-Clause
"""A worker that hangs: who notices, what is said, what the next daemon leaves out. ipsd-faults stalls when it is told to
(ips/base/fault.h); no other program does."""
import ctypes
import os
import signal
import time

import pytest

from lab import CLIENT4, FAULTS, SERVER4, SLOW, STANDIN, run, wait_until

pytestmark = pytest.mark.skipif(bool(STANDIN), reason='the stand-in has no daemon')

STALL_SID = 4000000001
RULES = f'''
alert udp any any -> any 7 (msg:"stalls"; content:"wedge"; sid:{STALL_SID};)
drop udp any any -> any 7 (msg:"drops"; content:"forbidden"; sid:11;)
'''
PTRACE_CONT, PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 7, 0x4206, 0x4207, 17


def udp(lab, *words):
    """Each word to the server's port 7; what of it arrived."""
    there = lab.server.socket(2, 2, (SERVER4, 7), timeout=1)
    here = lab.client.socket(2, 2, (CLIENT4, 0))
    got = set()
    for w in words:
        here.sendto(w, (SERVER4, 7))
    try:
        while len(got) < len(words):
            got.add(there.recv(2048))
    except TimeoutError:
        pass
    there.close()
    return got


def worker_tid(d, name='ips-0-0'):
    for tid in os.listdir(f'/proc/{d.pid}/task'):
        if open(f'/proc/{d.pid}/task/{tid}/comm').read().strip() == name:
            return int(tid)
    raise AssertionError(f'no thread {name}')


def engine(d, what):
    return [e['engine'] for e in d.events('engine') if e['engine']['event'] == what]


def stalled(d, lab, word):
    """Send what stalls it; it must end by SIGABRT. What it said of it."""
    there = lab.server.socket(2, 2, (SERVER4, 7))
    lab.client.socket(2, 2, (CLIENT4, 4242)).sendto(word, (SERVER4, 7))
    assert d.wait_exit() == -signal.SIGABRT, d.said()
    there.close()
    event = engine(d, 'worker_stalled')
    assert len(event) == 1, d.said()
    d.kill()
    return event[0]


def test_a_rule_that_stalls_twice_is_left_out(lab):
    for strike in (1, 2):
        d = lab.ipsd(RULES, program=FAULTS)
        assert udp(lab, b'fine', b'forbidden') == {b'fine'}
        e = stalled(d, lab, b'wedge')
        assert (e['stage'], e['gid'], e['sid']) == ('detect', 1, STALL_SID), e
        assert (e['src_ip'], e['src_port'], e['dest_ip'], e['dest_port']) == (CLIENT4, 4242, SERVER4, 7)
        assert e['ms'] >= 1000 and e['bridge'] == 'br0'
        assert 'ips-0-0 #0' in d.said() and 'ipsd-faults(' in d.said()

    d = lab.ipsd(RULES, program=FAULTS)
    off = engine(d, 'rule_switched_off')
    assert [(e['gid'], e['sid'], e['strikes']) for e in off] == [(1, STALL_SID, 2)]
    assert f'rule 1:{STALL_SID} is switched off' in d.said()
    assert udp(lab, b'wedge', b'forbidden') == {b'wedge'}, 'the other rules hold'
    assert f'{STALL_SID}' in d.ctl('rules', 'list', '--disabled').stdout
    assert 'stalled workers' in d.ctl('rules', 'explain', str(STALL_SID)).stdout
    assert 'switched off' in d.ctl('strikes', 'list').stdout

    d.ctl('strikes', 'clear', f'1:{STALL_SID}')
    assert d.ctl_json('strikes', 'list') == {'strikes': []}
    d.ctl('rules', 'reload')
    assert d.ctl('rules', 'list', str(STALL_SID)).stdout.count('stalls') == 1


def test_who_is_judged_may_change(lab):
    """stall 0: nobody is; from the moment that the configuration says otherwise a worker that hung before is, too."""
    d = lab.ipsd(RULES, program=FAULTS, config={'supervisor': {'stall': 0, 'strikes': 0}})
    assert udp(lab, b'wedge') == set()
    time.sleep(1.5)
    assert d.process.poll() is None and not engine(d, 'worker_stalled')
    d.rewrite(lambda c: c['supervisor'].update(stall=500, strikes=1))
    d.ctl('config', 'reload')
    assert d.wait_exit() == -signal.SIGABRT, d.said()
    assert engine(d, 'worker_stalled')[0]['sid'] == STALL_SID
    d.kill()
    d = lab.ipsd(RULES, program=FAULTS, config={'supervisor': {'strikes': 1}})
    assert [e['sid'] for e in engine(d, 'rule_switched_off')] == [STALL_SID]
    d.stop()


def test_a_parser_that_stalls_is_named(lab):
    d = lab.ipsd(RULES, program=FAULTS, config={'supervisor': {'stall': 300}})
    there = lab.server.socket(2, 2, (SERVER4, 53))
    here = lab.client.socket(2, 2, (CLIENT4, 4243))
    query = b'\x12\x34\x01\0\0\1\0\0\0\0\0\0' + b'\x12sluice-fault-stall' + b'\x03com\0\0\1\0\1'
    here.sendto(query, (SERVER4, 53))
    assert d.wait_exit() == -signal.SIGABRT, d.said()
    there.close()
    e = engine(d, 'worker_stalled')[0]
    assert (e['stage'], e['parser'], e['dest_port']) == ('parse', 'dns', 53) and 'sid' not in e
    d.kill()


def hold(tid, seconds):
    """Stop one thread, as a debugger does: SIGSTOP would stop them all."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    assert libc.ptrace(PTRACE_SEIZE, tid, None, None) == 0, os.strerror(ctypes.get_errno())
    assert libc.ptrace(PTRACE_INTERRUPT, tid, None, None) == 0
    os.waitpid(tid, 0x40000000)  # __WALL
    time.sleep(seconds)
    assert libc.ptrace(PTRACE_DETACH, tid, None, None) == 0


@pytest.mark.parametrize('seconds', [0.6, 2.5])
def test_a_worker_that_somebody_else_holds_is_no_hang(lab, seconds):
    d = lab.ipsd(RULES, busy_poll='on')  # it never sleeps, so it is held in the middle of a round
    assert udp(lab, b'fine') == {b'fine'}
    hold(worker_tid(d), seconds)
    e = wait_until(lambda: engine(d, 'worker_resumed'), 'worker_resumed')[0]
    assert seconds * 1000 - 250 <= e['ms'], e
    assert bool(engine(d, 'worker_held')) == (seconds > 1.5)
    assert udp(lab, b'fine', b'forbidden') == {b'fine'}


def test_a_daemon_that_was_stopped_blames_nobody(lab):
    d = lab.ipsd(RULES, busy_poll='on')
    os.kill(d.pid, signal.SIGSTOP)
    time.sleep(1.8)
    os.kill(d.pid, signal.SIGCONT)
    e = wait_until(lambda: engine(d, 'daemon_stopped'), 'daemon_stopped')
    assert max(x['ms'] for x in e) >= 1500
    assert not engine(d, 'worker_stalled') and d.ctl_json('strikes', 'list') == {'strikes': []}
    assert udp(lab, b'fine', b'forbidden') == {b'fine'}


def test_the_service_manager_hears_that_all_is_well(lab):
    import socket
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path = str(lab.dir / 'notify')
    s.bind(path)
    s.settimeout(30 * SLOW)
    d = lab.ipsd(RULES, prefix=['env', f'NOTIFY_SOCKET={path}', 'WATCHDOG_USEC=400000'])
    heard = []
    while heard.count('WATCHDOG=1') < 3:
        heard.append(s.recv(256).decode())
    assert 'READY=1' in heard
    s.close()


def test_an_idle_supervisor_costs_little(lab):
    d = lab.ipsd()
    d.idle(0.01, lambda: time.sleep(3), worker_tid(d, 'supervisor'))
