# SPDX-License-Identifier: BSD-2-Clause
"""The states that a bridge gets into, each as what is done to it while traffic flows, and what is asked of it then.

A state's function has a Run: it opens a window for as long as the fault and what follows from it last. Everything that is
lost outside the windows is lost for no reason.
"""
import contextlib
import os
import pathlib
import signal
import socket
import time
from collections import namedtuple

import harm
import traffic
from engines import Unsupported, alive
from lab import FAULTS, SERVER4, SLOW, wait_until

RULE_SETS = pathlib.Path(os.environ.get('RULES_DIR', pathlib.Path(__file__).resolve().parents[3] / 'shared/rules')) / 'et-open'
HANG_S = 0.5
STALL_SID, STALL_PORT = 4000000001, 7200
CALM_S = 1.5  # between faults
HEAVY_SID = 6100000

STALL_RULES = traffic.EVIL_RULE + (f'alert udp any any -> any {STALL_PORT} (msg:"loops"; content:"wedge"; sid:{STALL_SID};)\n'
                                   f'drop udp any any -> any {STALL_PORT} (msg:"held"; content:"nothing"; sid:6000002;)\n')


class Skipped(Exception):
    """This machine has not what it takes."""


class Run:
    """One engine in one lab while numbers flow. opts: rounds, reload_s, ... of the runner."""

    def __init__(self, lab, engine, opts, policy):
        self.lab, self.engine, self.opts, self.policy = lab, engine, opts, policy
        self.windows = traffic.Windows()
        self.notes = []

    def calm(self, seconds=CALM_S):
        time.sleep(seconds)

    def fault(self):
        return self.windows.open()

    def rounds(self, n=None):
        for i in range(n or self.opts.rounds):
            if i:
                self.calm()
            yield i


def nothing(run):
    run.calm(run.opts.calm_s)


def killed_by(signum):
    def kill(run):
        for _ in run.rounds():
            n = len(run.engine.starts)
            with run.fault():
                run.engine.signal(signum)
                run.engine.wait_restart(n)
    return kill


def daemon_stopped(run):
    for _ in run.rounds():
        with run.fault(), harm.process_stopped(run.engine.pid):
            time.sleep(HANG_S)


def thread_stopped(run):
    """Each worker in its turn: frames arrive at the queue of one, and belong to flows of both."""
    for i in run.rounds(max(2, run.opts.rounds)):
        workers = run.engine.workers()
        n = len(run.engine.starts)
        with run.fault():
            with harm.thread_stopped(workers[i % len(workers)]):
                time.sleep(HANG_S)
            if not alive(run.engine.pid) or len(run.engine.starts) > n:
                run.engine.wait_restart(n)
                run.notes.append('restarted')


def endless_loop(run):
    """A datagram makes a rule loop for ever (ips/base/fault.h). What hung twice is left out: the third one does nothing."""
    s = run.lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(3):
        n, ended = len(run.engine.starts), len(run.engine.ends)
        with run.fault():
            for _ in range(50 if i < 2 else 1):  # one that the fail policy forwards meets no rule
                s.sendto(b'wedge', (SERVER4, STALL_PORT))
                if len(run.engine.ends) > ended:
                    break
                time.sleep(0.1)
            if i < 2:
                run.engine.wait_restart(n)
        run.calm()
    run.notes.append('the third time nothing hung' if len(run.engine.starts) == n else 'the third time, too')


def out_of_memory(run):
    for _ in run.rounds():
        n, ended = len(run.engine.starts), len(run.engine.ends)
        with run.fault():
            if not harm.run_out_of_memory(run.engine.pid, lambda n=ended: len(run.engine.ends) > n):
                raise Skipped('no memory cgroup, or the kernel killed nobody in it')
            run.engine.wait_restart(n)


def heavy_rules(n):
    """Rules that cost much for every number, and match none: each has to try every way to part the dots."""
    return traffic.EVIL_RULE + ''.join(
        f'alert udp any any -> any 7000 (msg:"heavy"; content:"numbers-"; pcre:"/(?:\\.+)+{i}/"; sid:{HEAVY_SID + i};)\n' for i in range(n))


def overloaded(run):
    """For some seconds the rules are so costly that the engine can do half of what comes."""
    n = run.opts.heavy
    run.notes.append(f'{n} rules')
    with run.fault():
        run.engine.reload(heavy_rules(n))
        run.calm(run.opts.overload_s)
        run.engine.reload(traffic.EVIL_RULE)
        run.calm(0.5)


def rules_reloaded(run):
    rules = ''.join(p.read_text(errors='surrogateescape') for p in sorted(RULE_SETS.glob('*.rules'))) if RULE_SETS.is_dir() else ''
    if not rules:
        raise Skipped('ET Open is not there: set RULES_DIR')
    end, n, slowest = time.monotonic() + run.opts.reload_s, 0, 0.0
    while time.monotonic() < end:
        with run.fault():
            began = time.monotonic()
            run.engine.reload(traffic.EVIL_RULE + rules)
            slowest = max(slowest, time.monotonic() - began)
        n += 1
        run.calm(max(0.0, 2 - (time.monotonic() - began)))
    run.notes.append(f'{n} reloads, the slowest {slowest:.1f} s')


def upgraded(run):
    slowest = 0.0
    for i in range(run.opts.upgrades):
        pid = run.engine.pid
        with run.fault():
            began = time.monotonic()
            run.engine.upgrade()
            slowest = max(slowest, time.monotonic() - began)
            wait_until(lambda: run.engine.pid != pid and alive(run.engine.pid), 'another main process')  # noqa: B023
        run.calm(run.opts.upgrade_every_s)
    run.notes.append(f'{run.opts.upgrades} upgrades, the slowest {slowest * 1000:.0f} ms')


def configuration_reloaded(run):
    for _ in run.rounds():
        with run.fault():
            run.engine.reload_configuration()


def carrier_lost(run):
    """The cable to the server is pulled out and put back; what is sent meanwhile has nowhere to go."""
    for _ in run.rounds(run.opts.flaps):
        with run.fault():
            run.lab.server.ip('link', 'set', 'lan0', 'down')
            time.sleep(0.3)
            run.lab.server.ip('link', 'set', 'lan0', 'up')
            time.sleep(0.2)


def interface_removed(run):
    for _ in run.rounds(1):
        with run.fault():
            run.lab.server.ip('link', 'del', 'lan0')
            time.sleep(1)
            run.lab.cable_to_server()
            began = time.monotonic()
            if not answers(run.lab, 5):
                run.notes.append('does not forward by itself')
                run.engine.end()
                run.engine.start()
                answers(run.lab, 10)
            else:
                run.notes.append(f'forwards {time.monotonic() - began:.1f} s after')
    run.calm()


def answers(lab, seconds):
    """A ping crosses."""
    deadline = time.monotonic() + seconds * SLOW
    while time.monotonic() < deadline:
        if lab.client.run(['ping', '-n', '-q', '-c', '1', '-W', '0.2', SERVER4], check=False).returncode == 0:
            return True
    return False


def crash_loop(run):
    """It is killed whenever it is ready, until nobody starts it again; then an operator does."""
    engine = run.engine
    with run.fault():
        for kills in range(1, 10):
            n = len(engine.starts)
            engine.signal(signal.SIGKILL)
            wait_until(lambda: len(engine.starts) > n and engine.starts[-1][1] or engine.given_up(), 'the next one')  # noqa: B023
            if engine.given_up():
                run.notes.append(f'given up after {kills} kills')
                break
        else:
            raise Unsupported('started again however often it crashes')
        run.calm()
        engine.end()
        engine.link('reset')
        engine.start()


def kernel_side_alone(run):
    """Before the traffic: program and links are there, no daemon has run yet."""
    if run.engine.name != 'sluice':
        raise Unsupported('nothing is there without the daemon')
    run.engine.link('attach', 'br0', 'in0', 'in1', run.policy)


def started_beneath_traffic(run):
    with run.fault():
        run.engine.start()


def stopped_and_started(run):
    for _ in run.rounds():
        with run.fault():
            run.engine.end()
            time.sleep(0.5)
            run.engine.start()


def ports_come_late(run):
    """Before the traffic: the engine is started while both cables are dead, as at a boot."""
    for host, ifname in ((run.lab.client, 'wan0'), (run.lab.server, 'lan0')):
        host.ip('link', 'set', ifname, 'down')
    run.engine.start()
    for host, ifname in ((run.lab.client, 'wan0'), (run.lab.server, 'lan0')):
        host.ip('link', 'set', ifname, 'up')
    if not answers(run.lab, 10):
        raise AssertionError('nothing crosses after the cables came alive')


# limit: numbers that one fault may cost unless the policy is closed, as heartbeats; None: no limit is asked
State = namedtuple('State', 'name run limit policies engine before', defaults=(('open',), {}, None))
ALL = 'open', 'closed', 'open-known'
STATES = [
    State('nothing', nothing, 0, ALL),
    State('kill -9', killed_by(signal.SIGKILL), 1, ALL),
    State('SIGSEGV', killed_by(signal.SIGSEGV), 1),
    State('out of memory', out_of_memory, 1, ('open', 'closed')),
    State('daemon stopped 0.5 s', daemon_stopped, 1, ALL),
    State('one thread stopped 0.5 s', thread_stopped, 1, ALL, {'queues': 2}),
    State('endless loop in a rule', endless_loop, 1, ALL, {'program': FAULTS, 'rules': STALL_RULES}),
    State('crash loop', crash_loop, 6, ('open', 'closed')),
    State('overload', overloaded, None, ALL),
    State('reload of ET Open', rules_reloaded, 0, ('open', 'closed')),
    State('upgrades', upgraded, 0, ('open', 'closed')),
    State('configuration reload', configuration_reloaded, 0),
    State('carrier flaps', carrier_lost, None, ('open', 'closed')),
    State('interface removed', interface_removed, None, ('open', 'closed')),
    State('stop and start', stopped_and_started, 1, ('open', 'closed')),
    State('cables alive after start', nothing, 0, ('open',), {}, ports_come_late),
    State('kernel side attached first', started_beneath_traffic, 0, ('open',), {}, kernel_side_alone),
]
BY_NAME = {s.name: s for s in STATES}
