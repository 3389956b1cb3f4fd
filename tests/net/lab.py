# SPDX-License-Identifier: BSD-2-Clause
"""The lab that the network tests run in: three hosts in network namespaces, two cables (veth pairs).

      client                       appliance                      server
    +----------------+          +------------------+          +----------------+
    | wan0           |----------| in0    ipsd  in1 |----------| lan0           |
    | 10.9.0.1       |          |  no address      |          | 10.9.0.2       |
    | fd00:9::1      |          |                  |          | fd00:9::2      |
    +----------------+          +------------------+          +----------------+

The appliance's interfaces keep the settings that the kernel gives them, so that a test can see ipsd change them and
put them back. The hosts' own offloads are off: a frame on the cable looks as it would on a wire.

Lab owns namespaces, processes and one temporary folder, and takes all of them down in close(). Ipsd is one running
daemon; its quiet() says whether every frame has an owner, and runs after every test. Nothing here waits by sleeping
for a while and hoping: wait_until() polls a condition up to a deadline.
"""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import time

PROJECT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get('SLUICE_BUILD', PROJECT / 'build')).resolve()
IPSD = BUILD / 'ipsd'
IPSCTL = BUILD / 'ipsctl'
FAULTS = BUILD / 'ipsd-faults'  # a rule or a parser stalls when it is told to: ips/base/fault.h
# a sanitizer build, or a machine under load, may be this many times slower
SLOW = float(os.environ.get('SLUICE_SLOW', '1'))
# 'bridge': the kernel's own bridge in place of ipsd, to try the tests themselves
STANDIN = os.environ.get('SLUICE_STANDIN', '')
PREFIX = 'slnet'

CLIENT4, SERVER4 = '10.9.0.1', '10.9.0.2'
CLIENT6, SERVER6 = 'fd00:9::1', 'fd00:9::2'
CLIENT_MAC, SERVER_MAC = '02:00:00:09:00:01', '02:00:00:09:00:02'

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_IGNORE_OUTGOING = 23
SO_RCVBUFFORCE = 33
CLONE_NEWNET = 0x40000000
PR_SET_CHILD_SUBREAPER = 36
TP_STATUS_VLAN_VALID = 1 << 4
TP_STATUS_VLAN_TPID_VALID = 1 << 6

# ethtool, bpftool, nginx and sysctl live where an ordinary user's PATH does not look
os.environ['PATH'] = os.environ.get('PATH', '/usr/bin:/bin') + ':/usr/local/sbin:/usr/sbin:/sbin'

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # a daemon that took over from another outlives its parent


def wait_until(condition, what, seconds=20.0):
    """Return condition()'s first true value; fail with `what` when none came in time."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f'waited {seconds * SLOW:.0f} s in vain for {what}')
        time.sleep(0.02)


def run(cmd, check=True, timeout=60, **kw):
    """Run a program to its end; the result has .returncode, .stdout and .stderr as text."""
    p = subprocess.run([str(c) for c in cmd], stdin=kw.pop('stdin', subprocess.DEVNULL), capture_output=True, text=True,
                       errors='replace', timeout=timeout * SLOW, **kw)
    if check and p.returncode != 0:
        raise AssertionError(f'{" ".join(map(str, cmd))}: exit {p.returncode}\n{p.stdout}{p.stderr}')
    return p


class Host:
    """One network namespace."""

    def __init__(self, lab, role):
        self.name = f'{PREFIX}-{os.getpid()}-{lab.number}-{role}'
        self.role = role
        self.lab = lab
        run(['ip', 'netns', 'add', self.name])
        for key in ('all', 'default'):
            base = f'net.ipv6.conf.{key}'
            self.run(['sysctl', '-qw', f'{base}.accept_dad=0', f'{base}.dad_transmits=0', f'{base}.accept_ra=0',
                      f'{base}.router_solicitations=0', f'{base}.disable_ipv6={int(role in ("appliance", "hop", "hop2"))}'])
        self.ip('link', 'set', 'lo', 'up')

    def argv(self, cmd):
        return ['ip', 'netns', 'exec', self.name] + [str(c) for c in cmd]

    def run(self, cmd, **kw):
        return run(self.argv(cmd), **kw)

    def ip(self, *args):
        return run(['ip', '-n', self.name, *args]).stdout

    def start(self, cmd, **kw):
        """A process in this namespace (`ip netns exec` becomes it, so its pid is the program's)."""
        kw.setdefault('stdin', subprocess.DEVNULL)
        p = subprocess.Popen(self.argv(cmd), **kw)
        self.lab.processes.append(p)
        return p

    def enter(self, make):
        """Call make() inside the namespace. A socket made there stays there."""
        with open('/proc/self/ns/net', 'rb') as home, open(f'/run/netns/{self.name}', 'rb') as there:
            if _libc.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), 'setns')
            try:
                return make()
            finally:
                if _libc.setns(home.fileno(), CLONE_NEWNET):
                    os.abort()  # going on in the wrong namespace would touch the machine's own interfaces

    def socket(self, family, kind, bind=None, listen=False, timeout=20.0):
        def make():
            s = socket.socket(family, kind)
            try:
                s.settimeout(timeout * SLOW)
                s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
                if bind:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(bind)
                if listen:
                    s.listen(64)
                return s
            except BaseException:
                s.close()
                raise
        s = self.enter(make)
        self.lab.sockets.append(s)
        return s

    def tap(self, ifname, ethertype=ETH_P_ALL):
        return Tap(self, ifname, ethertype)

    def listening(self, port, kind='t'):
        return bool(self.run(['ss', '-Hn', f'-{kind}l', f'sport = :{port}']).stdout.strip())

    def delete(self):
        for pid in run(['ip', 'netns', 'pids', self.name], check=False).stdout.split():
            try:  # what a server left behind: sessions of its own
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        run(['ip', 'netns', 'del', self.name], check=False)


class Tap:
    """A raw socket on one interface: sends frames as they are, receives them as they were on the cable (the kernel
    moves the outer VLAN tag aside; it is put back here)."""

    def __init__(self, host, ifname, ethertype):
        def make():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            s.bind((ifname, ethertype))
            return s
        self.s = host.enter(make)
        host.lab.sockets.append(self.s)

    def send(self, frame):
        self.s.send(frame)

    def receive(self, timeout=0.0):
        """The next frame, or None when none came within the timeout."""
        self.s.settimeout(timeout if timeout > 0 else 0.0)
        try:
            data, anc, _, _ = self.s.recvmsg(1 << 16, 256)
        except (BlockingIOError, socket.timeout):
            return None
        for level, kind, value in anc:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, tpid = struct.unpack('=IIIHHHH', value[:20])
                if status & TP_STATUS_VLAN_VALID:
                    tpid = tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
                    data = data[:12] + struct.pack('!HH', tpid, tci) + data[12:]
        return data

    def expect(self, frames, seconds=20.0):
        """Wait until every one of the frames arrived, byte for byte (others are let by); fail with those missing."""
        missing = {}
        for f in frames:
            missing[f] = missing.get(f, 0) + 1
        deadline = time.monotonic() + seconds * SLOW
        strays = []
        while missing and time.monotonic() < deadline:
            f = self.receive(0.05)
            if f is None:
                continue
            if f in missing:
                missing[f] -= 1
                if not missing[f]:
                    del missing[f]
            else:
                strays.append(f)
        if missing:
            raise AssertionError('frames that did not arrive as they were sent: '
                                 + ', '.join(f'{len(f)} bytes {f[:40].hex()}' for f in list(missing)[:5])
                                 + f' ({len(missing)} in all); others that came: '
                                 + ', '.join(f'{len(f)} bytes {f[:40].hex()}' for f in strays[:5]))

    def drain(self):
        """All that has arrived by now."""
        got = []
        while True:
            f = self.receive()
            if f is None:
                return got
            got.append(f)


def mac(text):
    return bytes.fromhex(text.replace(':', ''))


def frame(ethertype, payload, dst=SERVER_MAC, src=CLIENT_MAC, tags=()):
    """An Ethernet frame; tags are (tpid, tci) from the outside in."""
    head = mac(dst) + mac(src) + b''.join(struct.pack('!HH', *t) for t in tags)
    return head + struct.pack('!H', ethertype) + payload


class Lab:
    count = 0

    def __init__(self, queues=1, mtu=1500, second_cable_pair=False, hop=False, hops=False, fail_open=False):
        Lab.count += 1
        self.number = Lab.count
        self.processes, self.sockets, self.hosts, self.daemons = [], [], [], []
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f'{PREFIX}-{os.getpid()}-'))
        self.dir.chmod(0o755)
        self.pins = self.dir / 'bpf'  # `ip netns exec` hides /sys/fs/bpf, so the lab has a BPF file system of its own
        self.pins.mkdir()
        run(['mount', '-t', 'bpf', '-o', 'mode=0700', 'bpf', self.pins])
        try:
            self.client, self.appliance, self.server = (self._host(r) for r in ('client', 'appliance', 'server'))
            hop = hop or hops
            if hop:  # one more box between client and appliance: two cables meet there, as hop0 and hop1
                self.hop = self._host('hop')
                self._cable(self.client, 'wan0', 'hop0', queues, mtu, CLIENT_MAC, (CLIENT4, CLIENT6), self.hop)
                self._cable(self.hop, 'hop1', 'in0', queues, mtu, '02:00:00:09:00:03', ())
            else:
                self._cable(self.client, 'wan0', 'in0', queues, mtu, CLIENT_MAC, (CLIENT4, CLIENT6))
            if hops:  # and one between appliance and server
                self.far_hop = self._host('hop2')
                self._cable(self.server, 'lan0', 'hop0', queues, mtu, SERVER_MAC, (SERVER4, SERVER6), self.far_hop)
                self._cable(self.far_hop, 'hop1', 'in1', queues, mtu, '02:00:00:09:00:04', ())
            else:
                self._cable(self.server, 'lan0', 'in1', queues, mtu, SERVER_MAC, (SERVER4, SERVER6))
            if second_cable_pair:  # the same hosts once more, for a second bridge
                self._cable(self.client, 'wan1', 'in2', queues, mtu, '02:00:00:0a:00:01', ('10.10.0.1', 'fd00:a::1'))
                self._cable(self.server, 'lan1', 'in3', queues, mtu, '02:00:00:0a:00:02', ('10.10.0.2', 'fd00:a::2'))
            if fail_open:  # a veth takes what another device redirects to it only when its peer has GRO on
                for host, ifname in ((self.client, 'wan0'), (self.server, 'lan0')):
                    host.run(['ethtool', '-K', ifname, 'gro', 'on'])
        except BaseException:
            self.close()
            raise

    def _host(self, role):
        host = Host(self, role)
        self.hosts.append(host)
        return host

    def _cable(self, host, ifname, appliance_ifname, queues, mtu, address, addresses, far=None):
        far = far or self.appliance
        q = ['numtxqueues', str(queues), 'numrxqueues', str(queues)]
        host.ip('link', 'add', 'name', ifname, 'mtu', str(mtu), 'address', address, *q, 'type', 'veth', 'peer', 'name',
                appliance_ifname, 'mtu', str(mtu), *q, 'netns', far.name)
        host.run(['ethtool', '-K', ifname, 'tx', 'off', 'rx', 'off', 'sg', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off',
                  'rxvlan', 'off', 'txvlan', 'off'])
        if addresses:
            host.ip('addr', 'add', f'{addresses[0]}/24', 'dev', ifname)
            host.ip('addr', 'add', f'{addresses[1]}/64', 'dev', ifname, 'nodad')
        host.ip('link', 'set', ifname, 'up')
        far.ip('link', 'set', appliance_ifname, 'up')

    def cut_segments(self, size=1):
        """Between two hops, TCP reaches the appliance in segments of so many bytes, from both ends."""
        for host in (self.hop, self.far_hop):
            said = self.dir / f'cut-{host.role}'
            with open(said, 'wb') as out:
                host.start([BUILD / 'tests/net/impair', '--cut', str(size), 'hop0', 'hop1'], stdout=out, stderr=out)
            wait_until(lambda: 'ready' in said.read_text(), 'impair to be ready')

    def write(self, name, content):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content)
        path.chmod(0o644)
        return path

    def ipsd(self, rules='', **kw):
        """Start the daemon on the bridge and wait until it forwards."""
        if STANDIN:
            import pytest
            pytest.skip('the stand-in bridge inspects nothing')
        d = Ipsd(self, rules, **kw)
        self.daemons.append(d)
        d.wait_ready()
        return d

    def bridge(self, **kw):
        """For tests that only need frames to cross: ipsd, or the stand-in that SLUICE_STANDIN asks for."""
        return self.kernel_bridge() if STANDIN else self.ipsd(**kw)

    def kernel_bridge(self):
        """The kernel's own bridge in the appliance's place: nothing is inspected."""
        a = self.appliance
        # 0xfff8: the group addresses that 802.1D bridges keep to themselves, as far as the kernel lets them by
        a.ip('link', 'add', 'br0', 'type', 'bridge', 'stp_state', '0', 'mcast_snooping', '0', 'group_fwd_mask', '0xfff8')
        for port in ('in0', 'in1'):
            a.ip('link', 'set', port, 'master', 'br0')
            a.ip('link', 'set', port, 'up')
        a.ip('link', 'set', 'br0', 'up')
        wait_until(lambda: a.ip('-d', 'link', 'show', 'in1').count('state forwarding') == 1, 'the kernel bridge')

    def web_server(self, files=None):
        """A real nginx on the server, port 80, IPv4 and IPv6. Returns the folder it serves."""
        root = self.dir / 'www'
        root.mkdir()
        root.chmod(0o755)
        (root / 'index.html').write_text('<html>hello from the server</html>\n')
        for name, content in (files or {}).items():
            self.write(f'www/{name}', content)
        tmp = self.dir / 'nginx'
        tmp.mkdir()
        conf = self.write('nginx.conf', f'''
daemon off;
user root;
worker_processes 1;
pid {tmp}/pid;
error_log {tmp}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log {tmp}/access.log;
    client_body_temp_path {tmp}; proxy_temp_path {tmp}; fastcgi_temp_path {tmp}; uwsgi_temp_path {tmp}; scgi_temp_path {tmp};
    server {{ listen 80; listen [::]:80; root {root}; location /status {{ return 204; }} }}
}}
''')
        log = open(tmp / 'stderr', 'wb')
        p = self.server.start(['nginx', '-e', tmp / 'error.log', '-p', tmp, '-c', conf], stdout=log, stderr=log)
        log.close()

        def up():
            assert p.poll() is None, 'nginx: ' + (tmp / 'stderr').read_text()
            return self.server.listening(80)
        wait_until(up, 'nginx to listen')
        return root

    def access_log(self):
        p = self.dir / 'nginx' / 'access.log'
        return p.read_text() if p.exists() else ''

    def curl(self, url, *args, check=True, timeout=30):
        return self.client.run(['curl', '-sS', '--noproxy', '*', '--max-time', str(timeout * SLOW), *args, url], check=check,
                               timeout=timeout + 30)

    def close(self):
        for d in self.daemons:
            d.kill()
        for s in self.sockets:
            s.close()
        for p in self.processes:
            stop_process(p)
        for h in self.hosts:
            h.delete()
        run(['umount', '-l', self.pins], check=False)  # what is pinned there goes with it
        shutil.rmtree(self.dir, ignore_errors=True)


def stop_process(p):
    if p.poll() is None:
        p.terminate()
        try:
            p.wait(10)
        except subprocess.TimeoutExpired:
            p.kill()
    p.wait()
    for pipe in (p.stdout, p.stderr):
        if pipe:
            pipe.close()


def merged(base, more):
    out = dict(base)
    for k, v in more.items():
        out[k] = merged(out[k], v) if isinstance(v, dict) and isinstance(out.get(k), dict) else v
    return out


class Successor:
    """A daemon that took over from another: no child of ours by birth, but adopted (PR_SET_CHILD_SUBREAPER), so it can be
    waited for. As much of Popen as the lab uses."""
    stdout = stderr = None

    def __init__(self, pid):
        self.pid = pid
        self.returncode = None

    def poll(self):
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # its launcher still stands between
                return None
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout=60.0):
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired('ipsd', timeout)
            time.sleep(0.01)
        return self.returncode

    def send_signal(self, sig):
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Ipsd:
    """One run of the daemon in the appliance. Its configuration is written as JSON, which is YAML too."""
    number = 0

    def __init__(self, lab, rules='', bridges=None, config=None, set=(), more=(), argv=None, prefix=(), program=IPSD,
                 **bridge_keys):
        Ipsd.number += 1
        self.lab = lab
        self.dir = lab.dir / f'ipsd{Ipsd.number}'
        (self.dir / 'log').mkdir(parents=True)
        self.socket = self.dir / 'ipsd.sock'
        self.rules = self.dir / 'test.rules'
        self.rules.write_text(rules)
        self.stderr = self.dir / 'stderr'
        self.eve = self.dir / 'log' / 'eve.json'
        bridges = bridges or [{'name': 'br0', 'interfaces': ['in0', 'in1']}]
        # shutdown: what a test leaves attached is another test's surprise; tests of the other ends say so
        # heartbeat: on a slow machine a worker may not run for a while, and only tests of that want to see it
        # overload: what one slow machine can do is too much for another; tests of shedding ask for it
        self.config = merged({'bridges': [merged(merged({'shutdown': 'detach', 'heartbeat': 2000}, b), bridge_keys) for b in bridges],
                              'pin_dir': str(lab.pins),
                              'overload': {'policy': 'off'},
                              'rules': {'files': [str(self.rules)]},
                              'log': {'dir': str(self.dir / 'log')},
                              'control': {'socket': str(self.socket)}}, config or {})
        self.yaml = self.dir / 'ips.yaml'
        self.yaml.write_text(json.dumps(self.config, indent=1) + '\n')
        if argv is None:
            argv = ['-c', self.yaml, *more] + [a for s in set for a in ('--set', s)]
        with open(self.stderr, 'wb') as log:
            self.process = lab.appliance.start([*prefix, program, *argv], stdout=log, stderr=subprocess.STDOUT)

    @property
    def pid(self):
        return self.process.pid

    def said(self):
        return self.stderr.read_text(errors='replace')

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f'ipsd ended at start with status {self.process.returncode}:\n{self.said()}')
            return 'ready' in self.said()
        wait_until(ready, 'ipsd to be ready', 60)

    def wait_exit(self, seconds=30.0):
        try:
            return self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'ipsd did not end within {seconds * SLOW:.0f} s; it said:\n{self.said()}') from None

    def ctl(self, *args, check=True):
        return run([IPSCTL, '--socket', self.socket, *args], check=check)

    def ctl_json(self, *args):
        return json.loads(self.ctl('--json', *args).stdout)

    def rewrite(self, change):
        """The configuration file, changed by change(dict)."""
        c = json.loads(self.yaml.read_text())
        change(c)
        self.yaml.write_text(json.dumps(c))

    def cpu_s(self, tid='*'):
        """Seconds of CPU that its threads, or the one, have had, to the nanosecond."""
        return sum(int(p.read_text().split()[0]) for p in pathlib.Path(f'/proc/{self.pid}/task').glob(f'{tid}/schedstat')) / 1e9

    def idle(self, most, wait, tid='*'):
        """While wait() its threads, or the one, take no more than this share of a CPU. Time that a busy machine takes away
        counts as theirs, so it may be one while of three; who spins does so in each."""
        shares = []
        while len(shares) < 3 and (not shares or shares[-1] >= most * max(SLOW, 1)):
            before, began = self.cpu_s(tid), time.monotonic()
            wait()
            shares.append((self.cpu_s(tid) - before) / (time.monotonic() - began))
        assert shares[-1] < most * max(SLOW, 1), [f'{share * 100:.1f} % of a CPU' for share in shares]

    def status(self):
        return self.ctl_json('status')

    def stats(self):
        """{'frames.rx': n, ..., 'drop.rules': n, ...}: flat, whatever the nesting of the reply."""
        flat = {}

        def walk(prefix, value):
            if isinstance(value, dict):
                for k, v in value.items():
                    walk(f'{prefix}.{k}' if prefix else k, v)
            elif isinstance(value, int):
                flat[prefix] = value
        walk('', self.ctl_json('stats'))
        return flat

    def drops(self):
        return {k[len('drop.'):]: n for k, n in self.stats().items() if k.startswith('drop.')}

    def events(self, kind=None):
        """The lines of eve.json; every one must be JSON. A last line still being written is left for later."""
        if not self.eve.exists():
            return []
        out = []
        for line in self.eve.read_bytes().split(b'\n')[:-1]:
            e = json.loads(line)
            if kind is None or e['event_type'] == kind:
                out.append(e)
        return out

    def wait_events(self, kind, n=1, where=lambda e: True):
        return wait_until(lambda: (lambda v: v if len(v) >= n else None)([e for e in self.events(kind) if where(e)]),
                          f'{n} {kind} event(s) in eve.json')

    def quiet(self, held=0):
        """Every frame has exactly one owner and none disappeared: wait until the books balance. held: how many frames of
        incomplete datagrams are in a worker's hand."""
        last = {}

        def balanced():
            last['status'], s = self.status(), self.stats()
            for b in last['status']['bridges']:
                f = b['frames']
                if f['size'] <= 0 or f['free'] + f['fill'] + f['worker'] + f['tx'] != f['size']:
                    return False
            last['stats'] = s
            in_hand = sum(b['frames']['worker'] for b in last['status']['bridges'])
            return in_hand == s['defrag.held'] == held and s['frames.rx'] == (
                s['frames.tx'] + sum(n for k, n in s.items() if k.startswith('drop.')) + held)
        try:
            wait_until(balanced, 'balanced books')
        except AssertionError as e:
            raise AssertionError(f'{e}: {json.dumps([b["frames"] for b in last["status"]["bridges"]])} '
                                 f'{json.dumps({k: n for k, n in last.get("stats", {}).items() if n})}') from None

    def running(self):
        return self.process.poll() is None

    def stop(self):
        """The orderly end: books balanced, SIGTERM, exit status 0, no complaint from a sanitizer."""
        if self.running():
            self.quiet()
            self.process.send_signal(signal.SIGTERM)
        code = self.wait_exit()
        self.kill()
        assert code == 0, f'ipsd ended with status {code}:\n{self.said()}'
        self.clean()
        assert not self.socket.exists(), 'ipsd left its control socket behind'

    def upgrade(self, *args):
        """`ipsctl upgrade`; from here on self.process is the daemon that took over. Returns what ipsctl says."""
        said = self.ctl_json('upgrade', *args)
        self.follow(said['new_pid'])
        return said

    def follow(self, pid):
        assert self.process.wait(30 * SLOW) == 0, f'the daemon that left did not end well:\n{self.said()}'
        self.process = Successor(pid)

    def clean(self):
        for bad in ('ERROR: AddressSanitizer', 'ERROR: LeakSanitizer', 'runtime error:', 'WARNING: ThreadSanitizer'):
            assert bad not in self.said(), self.said()

    def kill(self):
        stop_process(self.process)
        if self in self.lab.daemons:
            self.lab.daemons.remove(self)


def refused(lab, rules='', **kw):
    """Run ipsd on something it must refuse; returns what it said. It must end by itself, with an error status, by its
    own decision (no signal), and without having claimed to be ready."""
    d = Ipsd(lab, rules, **kw)
    lab.daemons.append(d)
    code = d.wait_exit()
    d.kill()
    said = d.said()
    d.clean()
    assert code not in (0, None) and 0 < code < 126, f'status {code}: {said}'
    assert 'ready' not in said, said
    return said


def sweep():
    """Remove what a killed earlier run left: namespaces and BPF file systems whose process is gone."""
    for line in run(['ip', 'netns', 'list']).stdout.splitlines():
        name = line.split()[0]
        part = name.split('-')
        if part[0] == PREFIX and len(part) == 4 and part[1].isdigit() and not os.path.exists(f'/proc/{part[1]}'):
            run(['ip', 'netns', 'del', name], check=False)
    for line in pathlib.Path('/proc/mounts').read_text().splitlines():
        folder = pathlib.Path(line.split()[1])
        part = folder.parent.name.split('-')
        if folder.name == 'bpf' and part[0] == PREFIX and part[1].isdigit() and not os.path.exists(f'/proc/{part[1]}'):
            run(['umount', '-l', folder], check=False)
            shutil.rmtree(folder.parent, ignore_errors=True)


def is_socket(path):
    return stat.S_ISSOCK(os.stat(path).st_mode)
