# SPDX-License-Identifier: BSD-2-Clause
"""One row of the table: a lab, an engine in it, traffic, one state; then what was lost, for how long, who looked, and what the
engine says of it. judge() compares with what is asked of Sluice; the same is asked of the other engine, so that one can see
what it does not do.
"""
import collections
import contextlib
import dataclasses
import json
import time
import traceback

import engines
import states
import traffic
from lab import SERVER4, SERVER6, SERVER_MAC, SLOW, Lab

WAKE_MS = 2  # numbers come in bursts, and a beat is as old as its worker's round


@dataclasses.dataclass
class Options:
    rate: int = 20000
    rounds: int = 3
    calm_s: float = 5.0
    reload_s: float = 20.0
    overload_s: float = 5.0
    upgrades: int = 20
    upgrade_every_s: float = 0.2
    flaps: int = 5
    heartbeat_ms: int = 20
    heavy: int = 0  # rules that make capacity about half of the rate; 0: find out
    slack: float = 1.0  # what is asked is stretched by it on a machine that others use


@dataclasses.dataclass
class Row:
    state: str
    engine: str
    policy: str
    result: traffic.Result = None
    windows: list = dataclasses.field(default_factory=list)
    events: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    books: str = None
    notes: list = dataclasses.field(default_factory=list)
    missed: list = dataclasses.field(default_factory=list)
    skipped: str = ''
    failed: str = ''
    restarts: int = 0

    @property
    def outside(self):
        return self.result.lost - self.result.lost_in(self.windows)

    @property
    def worst(self):
        """What the costliest fault lost."""
        return max((self.result.lost_in([w]) for w in self.windows), default=self.result.lost)


class FaultLab(Lab):
    def __init__(self, queues=1):
        super().__init__(queues=queues, fail_open=True)
        self.queues = queues

    def cable_to_server(self):
        """The cable that was taken away, as it was."""
        self._cable(self.server, 'lan0', 'in1', self.queues, 1500, SERVER_MAC, (SERVER4, SERVER6))
        self.server.run(['ethtool', '-K', 'lan0', 'gro', 'on'])


def make_engine(name, lab, policy, opts, extra):
    if name == 'suricata':
        if 'program' in extra:
            raise engines.Unsupported('no build with planted faults')
        return engines.Suricata(lab, threads=extra.get('queues', 1))
    if name == 'bridge':
        return engines.KernelBridge(lab)
    return engines.Sluice(lab, policy=policy, heartbeat_ms=opts.heartbeat_ms, **extra)


def run_row(state, engine_name, policy, opts):
    row = Row(state.name, engine_name, policy)
    with contextlib.ExitStack() as stack:
        lab = FaultLab(queues=state.engine.get('queues', 1))
        stack.callback(lab.close)
        try:
            engine = make_engine(engine_name, lab, policy, opts, state.engine)
            stack.callback(engine.close)
            run = states.Run(lab, engine, opts, policy)
            if state.before:
                state.before(run)
            else:
                engine.start()
            observe(row, state, run, stack)
        except states.Skipped as e:
            row.skipped = str(e)
        except engines.Unsupported as e:
            row.skipped = f'not offered: {e}'
        except Exception as e:  # a row that breaks is a row of the table; the others are wanted all the same
            row.failed = f'{type(e).__name__}: {e}'
            row.notes.append(traceback.format_exc(limit=-3))
    return row


def observe(row, state, run, stack):
    engine, n_starts, before = run.engine, len(run.engine.starts), run.engine.events()
    t = traffic.Traffic(run.lab, run.opts.rate)
    stack.callback(t.close)
    time.sleep(0.5)
    state.run(run)
    run.calm(states.CALM_S * SLOW)
    row.result = t.finish()
    row.windows, row.notes = run.windows.all, run.notes
    row.restarts = len(engine.starts) - n_starts
    row.books = engine.books()
    row.events = engine.events() - before
    judge(row, state, run)


def judge(row, state, run):
    r, opts = row.result, run.opts
    if state.limit is not None and row.policy != 'closed':
        most = state.limit * (opts.heartbeat_ms + WAKE_MS) * opts.slack * opts.rate / 1000
        if row.worst > most:
            row.missed.append(f'a fault cost {row.worst} numbers (asked: at most {most:.0f})')
    if row.outside:
        row.missed.append(f'{row.outside} lost beside the fault')
    if (row.policy in ('closed', 'open-known') or row.engine == 'suricata') and r.evil_crossed:
        row.missed.append(f'{r.evil_crossed} crossed uninspected')
    if not r.tcp_ok:
        row.missed.append(f'TCP: {json.dumps({w: e["error"] or "sums differ" for w, e in (r.transfer or {}).items() if not e["ok"]})}')
    if r.n['duplicated']:
        row.missed.append(f'{r.n["duplicated"]} arrived twice')
    if row.books:
        row.missed.append(f'books: {row.books}')


def find_heavy(engine_name, opts):
    """How many heavy rules leave capacity for about half the rate; what does not pass is dropped (policy closed)."""
    with contextlib.ExitStack() as stack:
        lab = FaultLab()
        stack.callback(lab.close)
        engine = make_engine(engine_name, lab, 'closed', opts, {})
        stack.callback(engine.close)
        engine.start()
        n = 1
        while n < 4096:
            engine.reload(states.heavy_rules(n))
            t = traffic.Traffic(lab, opts.rate, tcp=False)
            stack.callback(t.close)
            time.sleep(1.5)
            r = t.finish()
            slots = r.n['slots'][5:]
            sent, lost = sum(s[0] for s in slots), sum(s[1] for s in slots)
            if lost > 0.4 * sent:
                return n
            n = n * 2 if lost < 0.1 * sent else n + max(1, n // 4)
        return n
