# SPDX-License-Identifier: BSD-2-Clause
"""The traffic that flows while something goes wrong, and what became of it: numbered datagrams (numbers.c) at a constant rate
and a TCP transfer each way (transfer). Times are CLOCK_MONOTONIC, which every namespace and program here shares.
"""
import json
import pathlib
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'net'))

import lab as lab_module  # noqa: E402
from lab import SLOW  # noqa: E402

NUMBERS = lab_module.BUILD / 'tests/faults/numbers'
EVIL_RULE = 'drop udp any any -> any 7000 (msg:"numbers that must not cross"; content:"numbers-evil"; sid:6000001;)\n'
FRAME_BYTES = 200
MOST_S = 3600


class Tool:
    """A program that says ready, runs until SIGTERM, and ends with one line of JSON."""

    def __init__(self, argv, errors):
        self.errors = errors
        with open(errors, 'wb') as err:
            self.p = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err,
                                      text=True)
        line = self.p.stdout.readline()
        if line != 'ready\n':
            self.p.kill()
            self.p.wait()
            raise RuntimeError(f'{argv[0]}: {line}{errors.read_text()}')

    def tell(self):
        self.p.send_signal(signal.SIGTERM)

    def result(self, seconds):
        try:
            out, _ = self.p.communicate(timeout=seconds * SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        if self.p.returncode:
            raise RuntimeError(f'{self.p.args[0]}: {self.errors.read_text()}')
        return json.loads(out.splitlines()[-1])

    def kill(self):
        if self.p.poll() is None:
            self.p.kill()
        self.p.wait()
        self.p.stdout.close()


class Traffic:
    """Numbers and transfer across a lab. finish() says what became of them."""
    count = 0

    def __init__(self, lab, rate, tcp_rate=1_000_000, slot_ms=100, tcp=True):
        Traffic.count += 1
        folder = lab.dir / f'traffic{Traffic.count}'
        folder.mkdir()
        self.tools = []
        ns = lab.client.name, lab.server.name
        try:
            self.transfer = tcp and self._tool([HERE / 'transfer', *ns, '--rate', tcp_rate], folder / 'transfer')
            self.numbers = self._tool([NUMBERS, '--rate', rate, '--seconds', MOST_S, '--bytes', FRAME_BYTES, '--slot-ms', slot_ms,
                                       ns[0], 'wan0', ns[1]], folder / 'numbers')
        except BaseException:
            self.close()
            raise

    def _tool(self, argv, errors):
        tool = Tool(argv, errors)
        self.tools.append(tool)
        return tool

    def finish(self):
        for t in self.tools:
            t.tell()
        numbers = self.numbers.result(30)
        transfer = self.transfer.result(60) if self.transfer else None
        return Result(numbers, transfer)

    def close(self):
        for t in self.tools:
            t.kill()


class Result:
    def __init__(self, numbers, transfer):
        self.n = numbers
        self.transfer = transfer
        self.start_ns = numbers['start_ns']
        self.sent = numbers['good']['sent']
        self.lost = self.sent - numbers['good']['arrived']
        self.new_lost = numbers['good_new']['sent'] - numbers['good_new']['arrived']
        self.evil_sent = numbers['evil']['sent'] + numbers['evil_new']['sent']
        self.evil_crossed = numbers['evil']['arrived'] + numbers['evil_new']['arrived']
        self.convicted_crossed = numbers['evil']['arrived']
        self.longest_gap_ms = numbers['longest_gap'][1] / 1000
        self.late_ms = numbers['latency_us']['max'] / 1000
        # from, to: when the first and the last number of a run of losses were sent
        self.outages = [(self.ns(a), self.ns(b), n) for a, b, n in numbers['outages']]
        self.longest_gap = self.ns(numbers['longest_gap'][0]), self.longest_gap_ms

    def ns(self, us):
        return self.start_ns + us * 1000

    def lost_in(self, windows, before_ms=5, after_ms=200):
        """Of the lost ones, those of outages that touch one of the windows [(from, to)]."""
        windows = [(a - before_ms * 1_000_000, b + after_ms * 1_000_000) for a, b in windows]
        return sum(n for a, b, n in self.outages if any(a <= to and b >= at for at, to in windows))

    def worst_outage(self):
        """(numbers lost, milliseconds) of the one that lost most."""
        return max(((n, (b - a) / 1e6) for a, b, n in self.outages), default=(0, 0.0))

    @property
    def tcp_ok(self):
        return self.transfer is not None and all(self.transfer[way]['ok'] for way in ('down', 'up'))

    @property
    def tcp_stall_ms(self):
        return max(self.transfer[way]['longest_ms'] for way in ('down', 'up')) if self.transfer else 0


class Windows:
    """When the faults were: `with windows.open(): ...`"""

    def __init__(self):
        self.all = []

    def open(self):
        return Window(self)


class Window:
    def __init__(self, windows):
        self.windows = windows

    def __enter__(self):
        self.began = time.monotonic_ns()
        return self

    def __exit__(self, *_):
        self.windows.all.append((self.began, time.monotonic_ns()))
