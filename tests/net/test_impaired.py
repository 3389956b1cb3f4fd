# SPDX-License-Identifier: BSD-2-Clause
"""A bad cable: loss, reordering, duplication, delay and corruption between the client and the appliance (impair.c), and
what TCP carries over it arrives as it was sent.

      client               hop                     appliance                    server
    +--------+      +---------------+          +---------------+          +----------------+
    | wan0   |------| hop0     hop1 |----------| in0      in1  |----------| lan0           |
    | curl   |      |     impair    |          |     ipsd      |          | nginx, iperf3  |
    +--------+      +---------------+          +---------------+          +----------------+

Round trips are short and the hosts' retransmission timers are 10 ms at least, so that 5 % of loss do not cost minutes.
"""
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import threading

import pytest

from lab import BUILD, CLIENT4, PROJECT, SERVER4, SERVER6, wait_until

pytestmark = pytest.mark.lab(hop=True)
BIG = int(os.environ.get('SLUICE_IMPAIRED_BYTES', 100 << 20))
IMPAIR = BUILD / 'tests/net/impair'


class Impair:
    def __init__(self, lab, **settings):
        args = [a for k, v in settings.items() for a in (f'--{k.replace("_", "-")}', str(v))]
        self.said = lab.dir / 'impair'
        with open(self.said, 'wb') as out:
            self.process = lab.hop.start([IMPAIR, *args, 'hop0', 'hop1'], stdout=out, stderr=out)
        wait_until(lambda: 'ready' in self.said.read_text(), 'impair to be ready')

    def stop(self):
        """What it did to the frames."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0, self.said.read_text()
        n = {k: int(v) for k, v in re.findall(r'(\w+) (\d+)', self.said.read_text())}
        print('impair:', n)
        assert not n['full'] and not n['refused'], n
        return n


@pytest.fixture
def hosts(lab):
    for tool in ('nginx', 'curl', 'iperf3'):
        if not shutil.which(tool):
            pytest.skip(f'{tool} is not installed: make deps')
    if not IMPAIR.exists():
        pytest.skip('tests/net/impair is not built: make programs')
    for host, dev in ((lab.client, 'wan0'), (lab.server, 'lan0')):
        host.ip('route', 'change', '10.9.0.0/24', 'dev', dev, 'rto_min', '10ms')
        host.ip('-6', 'route', 'replace', 'fd00:9::/64', 'dev', dev, 'metric', '1', 'rto_min', '10ms')
    return lab


def impaired(lab, seed, loss=5):
    return Impair(lab, seed=seed, loss=loss, twice=2, reorder=5, reorder_us=400, corrupt=1, delay_us=100)


def bridged(lab):
    """With the rules that are delivered."""
    return lab.bridge(config={'rules': {'files': [str(PROJECT / 'appliance/rules/*.rules')],
                                     'classification': str(PROJECT / 'appliance/rules/classification.config')}})


def content_right(d):
    if d:
        d.quiet()
        drops = {k: n for k, n in d.drops().items() if n}
        print('dropped:', drops)
        assert not drops.get('rules'), drops


def test_a_big_file_arrives_as_it_is(hosts):
    d = bridged(hosts)
    block = bytes(range(256)) * 4096
    parts = [hashlib.sha256(b'%d' % i).digest() + block for i in range(BIG // (len(block) + 32) + 1)]
    data = b''.join(parts)[:BIG]
    hosts.web_server({'big': data})
    cable = impaired(hosts, 1)
    hosts.curl(f'http://{SERVER4}/big', '-o', str(hosts.dir / 'got'), '-w', '%{time_total} s\n', timeout=120)
    n = cable.stop()
    assert hashlib.sha256((hosts.dir / 'got').read_bytes()).digest() == hashlib.sha256(data).digest()
    assert n['lost'] > n['in'] / 30 and n['twice'] and n['reordered'] and n['corrupted'], n
    content_right(d)


@pytest.mark.parametrize('v6', [False, True], ids=['ipv4', 'ipv6'])
def test_iperf_both_ways(hosts, v6):
    d = bridged(hosts)
    server = SERVER6 if v6 else SERVER4
    hosts.server.start(['iperf3', '-s', '-1', '-p', '5201'], stdout=open(os.devnull, 'wb'))
    wait_until(lambda: hosts.server.listening(5201), 'iperf3 to listen')
    cable = impaired(hosts, 2)
    p = hosts.client.run(['iperf3', '-c', server, '-p', '5201', '-t', '5', '-P', '4', '--bidir', '-J'], timeout=60)
    r = json.loads(p.stdout)
    assert 'error' not in r, r['error']
    end = r['end']
    got = [end[k]['bytes'] for k in ('sum_received', 'sum_received_bidir_reverse')]
    print('received, bytes:', got)
    assert all(n > 1 << 20 for n in got), end
    n = cable.stop()
    assert n['lost'] and n['corrupted'], n
    content_right(d)


def test_uploads_arrive_as_they_are(hosts):
    """Eight connections at a time, client to server: what the appliance joins comes through the bad cable directly."""
    d = bridged(hosts)
    cable = impaired(hosts, 3)
    listener = hosts.server.socket(socket.AF_INET, socket.SOCK_STREAM, bind=(SERVER4, 7300), listen=True, timeout=60)
    sent = [hashlib.sha256(b'%d' % i).digest() * 30000 for i in range(8)]
    clients = [hosts.client.socket(socket.AF_INET, socket.SOCK_STREAM, bind=(CLIENT4, 0), timeout=60) for _ in sent]
    got, threads = [], []

    def receive(s):
        parts = []
        while part := s.recv(1 << 16):
            parts.append(part)
        got.append(b''.join(parts))

    def send(s, data):
        s.connect((SERVER4, 7300))
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    for c, data in zip(clients, sent):
        threads.append(threading.Thread(target=send, args=(c, data)))
        threads[-1].start()
    for _ in sent:
        end, _ = listener.accept()
        end.settimeout(60)
        hosts.sockets.append(end)
        threads.append(threading.Thread(target=receive, args=(end,)))
        threads[-1].start()
    for t in threads:
        t.join(90)
        assert not t.is_alive(), 'a transfer did not end'
    assert sorted(got) == sorted(sent)
    cable.stop()
    content_right(d)
