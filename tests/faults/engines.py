# SPDX-License-Identifier: BSD-2-Clause
"""The engines under test, each kept running as a service manager keeps it: when its main process fails and nobody asked for
that, it is started again after 100 ms, but for the statuses that say not to (appliance/sluice.service: RestartSec, Restart,
RestartPreventExitStatus). Sluice says so itself when an upgrade made another process the main one (MAINPID=, sd_notify(3)).
"""
import collections
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import threading
import time

import traffic
from lab import IPSCTL, IPSD, SLOW, Ipsd, wait_until

RESTART_S = 0.1
HERE = pathlib.Path(__file__).resolve().parent


class Unsupported(Exception):
    """This engine, or this build of it, has no such thing."""


def alive(pid):
    try:
        return open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except (FileNotFoundError, ProcessLookupError):
        return False


class Service:
    """One engine on the lab's bridge. starts: (when its process was started, when it was ready); ends: (when, status)."""
    policies = ()
    final = {0}  # exit statuses after which it is not started again

    def __init__(self, lab):
        self.lab = lab
        self.starts, self.ends = [], []
        self.wanted = threading.Event()
        self.changed = threading.Condition()
        self.process, self.pid, self.failed = None, 0, None
        self.keeper = None

    # what an engine has to say: start_process() -> Popen, is_ready(n) after the n-th start

    def start(self, seconds=60):
        self.wanted.set()
        ended = len(self.ends)
        self._start_once()
        self.keeper = threading.Thread(target=self._keep, daemon=True)
        self.keeper.start()
        wait_until(lambda: self.starts[-1][1] or len(self.ends) > ended, f'{self.name} to be ready', seconds)
        if not self.starts[-1][1]:
            raise RuntimeError(f'{self.name} ended at start with status {self.ends[-1][1]}:\n{self.said()[-2000:]}')

    def _start_once(self):
        began = time.monotonic_ns()
        self.process = self.start_process()
        self.pid = self.process.pid
        self.starts.append([began, 0])

    def _runs(self):
        return self.process.poll() is None or (self.pid != self.process.pid and alive(self.pid))

    def _keep(self):
        while self.wanted.is_set():
            ran = self._runs()
            self._note_ready()
            if ran or self._runs():  # what it said before it ended may be who comes after it
                time.sleep(0.005)
                continue
            self.ends.append((time.monotonic_ns(), self.process.returncode))
            if self.process.returncode in self.final and self.pid == self.process.pid:
                return
            time.sleep(RESTART_S)
            if self.wanted.is_set():
                self._start_once()

    def _note_ready(self):
        if self.starts and not self.starts[-1][1] and self.is_ready(len(self.starts)):
            self.starts[-1][1] = time.monotonic_ns()

    def wait_ready(self, seconds=60):
        def ready():
            if not self.keeper:
                self._note_ready()
            return bool(self.starts[-1][1])
        try:
            wait_until(ready, f'{self.name} to be ready', seconds)
        except AssertionError as e:
            raise AssertionError(f'{e}; it said:\n{self.said()[-2000:]}') from None

    def wait_restart(self, n_before, seconds=60):
        """Until it was started more often than before, and is ready."""
        wait_until(lambda: len(self.starts) > n_before and self.starts[-1][1], f'{self.name} to be started again', seconds)

    def given_up(self):
        return bool(self.ends) and self.ends[-1][1] in self.final

    def signal(self, signum):
        os.kill(self.pid, signum)

    def end(self):
        """The orderly end, as `systemctl stop`: no one starts it again."""
        self.wanted.clear()
        if self.keeper:
            self.keeper.join()
            self.keeper = None
        if alive(self.pid):
            os.kill(self.pid, signal.SIGTERM)
            try:
                wait_until(lambda: self.process.poll() is not None and not alive(self.pid), f'{self.name} to end', 30)
            except AssertionError:
                os.kill(self.pid, signal.SIGKILL)
                raise
        return self.process.poll()

    def close(self):
        self.wanted.clear()
        if self.keeper:
            self.keeper.join()
        for pid in {self.pid, self.process.pid if self.process else 0} - {0}:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        if self.process:
            self.process.wait()

    def threads(self, pattern):
        """Thread ids whose name matches."""
        found = []
        for t in os.listdir(f'/proc/{self.pid}/task'):
            if re.fullmatch(pattern, open(f'/proc/{self.pid}/task/{t}/comm').read().strip()):
                found.append(int(t))
        return sorted(found)

    def rss_bytes(self):
        try:
            return int(re.search(r'VmRSS:\s*(\d+) kB', open(f'/proc/{self.pid}/status').read())[1]) * 1024
        except (FileNotFoundError, ProcessLookupError, TypeError):
            return 0

    def events(self):
        return collections.Counter()

    def books(self):
        """'' when every frame has one owner; else what is wrong. None: this engine keeps no such books."""
        return None

    def reload_configuration(self):
        raise Unsupported('nothing is taken over from a changed configuration')


class Sluice(Service):
    name = 'sluice'
    policies = ('open', 'closed', 'open-known')
    final = {0, 2, 3}

    def __init__(self, lab, rules=traffic.EVIL_RULE, policy='open', heartbeat_ms=20, config=None, program=IPSD, **bridge):
        super().__init__(lab)
        self.program = program
        self.notify = lab.dir / f'notify-{Ipsd.number}'
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.s.bind(str(self.notify))
        self.s.setblocking(False)
        lab.sockets.append(self.s)
        self.n_ready = 0
        config = {'overload': {'policy': 'auto'}, **(config or {})}  # as shipped, not as tests of other things have it
        self.options = dict(rules=rules, config=config, fail=policy, shutdown='fail', heartbeat=heartbeat_ms, **bridge)
        self.d = None

    def start_process(self):
        prefix = ['env', f'NOTIFY_SOCKET={self.notify}']
        if self.d is None:
            self.d = Ipsd(self.lab, program=self.program, prefix=prefix, **self.options)
        else:
            with open(self.d.stderr, 'ab') as log:
                self.d.process = self.lab.appliance.start([*prefix, self.program, '-c', self.d.yaml], stdout=log, stderr=log)
        return self.d.process

    def is_ready(self, n):
        """READY=1 and MAINPID=, as they come."""
        while True:
            try:
                words = self.s.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.n_ready >= n
            for word in words:
                key, _, value = word.partition('=')
                if key == 'READY':
                    self.n_ready += 1
                elif key == 'MAINPID':
                    self.pid = int(value)

    def _note_ready(self):
        if self.is_ready(len(self.starts)) and not self.starts[-1][1]:
            self.starts[-1][1] = time.monotonic_ns()

    def _start_once(self):
        self.n_ready = len(self.starts)  # a daemon that died may not have said it
        super()._start_once()

    def said(self):
        return self.d.said() if self.d else ''

    def ctl(self, *args):
        p = self.d.ctl(*args, check=False)
        if p.returncode:
            said = (p.stdout + p.stderr).strip()
            raise (Unsupported if p.returncode in (2, 5) else RuntimeError)(f'ipsctl {" ".join(args)}: {said[:300]}')
        return p.stdout

    def link(self, *args):
        """ipsctl link ...: works without a daemon."""
        return self.lab.appliance.run([IPSCTL, 'link', args[0], '--pin-dir', self.lab.pins, *args[1:]]).stdout

    def workers(self):
        return self.threads(r'ips-\d+-\d+')

    def reload(self, rules=None):
        if rules is not None:
            self.d.rules.write_text(rules, errors='surrogateescape')
        self.ctl('rules', 'reload')

    def reload_configuration(self):
        self.ctl('config', 'reload')

    def upgrade(self):
        self.ctl('upgrade')

    def events(self):
        """By name. A line that a killed daemon left half written is no event."""
        found = collections.Counter()
        for line in self.d.eve.read_bytes().split(b'\n') if self.d and self.d.eve.exists() else ():
            if b'"engine"' in line:
                with contextlib.suppress(ValueError):
                    found[json.loads(line)['engine']['event']] += 1
        return found

    def books(self):
        try:
            self.d.quiet()
            return ''
        except (AssertionError, KeyError) as e:
            return str(e)


class Suricata(Service):
    """$SURICATA_RUN runs a command where Suricata 7 is installed, as for tests/differential."""
    name = 'suricata'
    policies = ('-',)

    def __init__(self, lab, rules=traffic.EVIL_RULE, threads=1):
        super().__init__(lab)
        self.run = os.environ['SURICATA_RUN']
        self.dir = lab.dir / 'suricata'
        self.dir.mkdir()
        self.socket, self.rules, self.out = self.dir / 'sock', self.dir / 'test.rules', self.dir / 'stdout'
        self.rules.write_text(rules, errors='surrogateescape')
        text = (HERE / 'suricata.yaml').read_text()
        for name, value in (('DIR', self.dir), ('SOCKET', self.socket), ('RULES', self.rules), ('THREADS', threads)):
            text = text.replace(f'@{name}@', str(value))
        (self.dir / 'suricata.yaml').write_text(text)
        for ifname in ('in0', 'in1'):  # what its documentation asks for: frames as they are on the wire
            lab.appliance.run(['ethtool', '-K', ifname, 'gro', 'off', 'gso', 'off', 'tso', 'off', 'tx', 'off', 'rx', 'off',
                               'rxvlan', 'off', 'txvlan', 'off'])

    def start_process(self):
        (self.dir / 'pid').unlink(missing_ok=True)
        with open(self.out, 'ab') as log:
            return self.lab.appliance.start([self.run, 'suricata', '-c', self.dir / 'suricata.yaml', '--af-packet', '-k', 'none',
                                             '--runmode', 'workers', '-l', self.dir], stdout=log, stderr=log)

    def is_ready(self, n):
        return self.said().count('Engine started') >= n

    def said(self):
        return self.out.read_text(errors='replace') if self.out.exists() else ''

    def workers(self):
        return self.threads(r'W#.*in0')

    def command(self, name):
        """One command over its unix socket (the protocol of suricatasc)."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(120 * SLOW)
            s.connect(str(self.socket))
            answer = {}
            for request in ({'version': '0.2'}, {'command': name}):
                s.sendall(json.dumps(request).encode() + b'\n')
                got = b''
                while True:
                    got += s.recv(65536)
                    try:
                        answer = json.loads(got)
                        break
                    except ValueError:
                        continue
        if answer.get('return') != 'OK':
            raise RuntimeError(f'suricata: {name}: {answer}')

    def reload(self, rules=None):
        if rules is not None:
            self.rules.write_text(rules, errors='surrogateescape')
        self.command('reload-rules')

    def upgrade(self):
        """There is no other way than to end it and to start the new one."""
        self.end()
        self.start()


class KernelBridge(Service):
    """No engine: what the traffic tools themselves lose, and how long a frame takes at least."""
    name = 'bridge'
    policies = ('-',)

    def start(self, seconds=60):
        self.starts.append((0, 0))
        self.lab.kernel_bridge()

    def said(self):
        return ''
