# SPDX-License-Identifier: BSD-2-Clause
"""A worker stands still, and the wire does not: what the fail policy does in the meantime, and how connections that had
frames cross unseen go on and are inspected again."""
import hashlib
import random
import select
import signal
import threading
import time

import pytest

from lab import SERVER4, SLOW, STANDIN, wait_until

pytestmark = pytest.mark.skipif(bool(STANDIN), reason='the stand-in has no workers')

MB = 1 << 20
DROP = 'drop tcp any any -> any any (msg:"marker"; flow:established; content:"a-marker-to-drop"; sid:7;)\n'


class Connection:
    """The server sends, the client counts and hashes, each in a thread of its own; and back again."""

    def __init__(self, lab, port=9000):
        listener = lab.server.socket(2, 1, (SERVER4, port), listen=True)
        self.client = lab.client.socket(2, 1)
        self.client.connect((SERVER4, port))
        self.server = listener.accept()[0]
        lab.sockets.append(self.server)
        self.got = 0
        self.threads = []

    def _send(self, data):
        for at in range(0, len(data), 32768):  # 32 MB a second at most: it is to last
            self.server.sendall(data[at:at + 32768])
            time.sleep(0.001)

    def _receive(self, n, digest):
        while self.got < n:
            piece = self.client.recv(1 << 16)
            assert piece, 'the connection ended'
            self.got += len(piece)
            digest.update(piece)

    def begin(self, data):
        self.digest = hashlib.sha256()
        self.got = 0
        self.threads = [threading.Thread(target=self._send, args=(data,)),
                        threading.Thread(target=self._receive, args=(len(data), self.digest))]
        for t in self.threads:
            t.start()

    def begin_and_wait(self, seed):
        data = random.Random(seed).randbytes(16 * MB)
        self.begin(data)
        wait_until(lambda: self.got > len(data) // 4, 'the transfer to be under way')
        return data

    def finish(self, data, seconds=60):
        for t in self.threads:
            t.join(seconds * SLOW)
        assert not any(t.is_alive() for t in self.threads), f'the transfer stands still at {self.got} of {len(data)}'
        assert self.digest.hexdigest() == hashlib.sha256(data).hexdigest()


def drops_the_marker(sender, receiver):
    """The rule holds. Where a busy machine kept the worker from its work for so long, the fail policy had the marker: again."""
    def once():
        sender.sendall(b'and a-marker-to-drop')
        if not select.select([receiver], [], [], 1 * SLOW)[0]:
            return True
        receiver.recv(1 << 16)
        return False
    wait_until(once, 'the marker to be dropped')


def stand_still(d, seconds):
    d.process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        d.process.send_signal(signal.SIGCONT)


@pytest.mark.lab(fail_open=True)
def test_a_transfer_goes_on_over_a_worker_that_stands_still(lab):
    """The transfer completes while and after the daemon stands still, twice, and the drop rule still holds for it."""
    d = lab.ipsd(DROP, fail='open', heartbeat=20)
    c = Connection(lab)
    data = random.Random(5).randbytes(32 * MB)
    c.begin(data)
    for part in (1, 4):
        wait_until(lambda: c.got > part * len(data) // 8, 'the transfer to be under way')
        before = c.got
        stand_still(d, 0.3)
        assert c.got > before, 'nothing crossed while the daemon stood still'
    c.finish(data)
    s = wait_until(lambda: (lambda s: s if s['flow.taken_up_again'] else None)(d.stats()), 'the flow to be taken up again')
    assert s['steer.fail_open'] > 0 and s['steer.saw_stale'] > 0, s
    assert s['stream.ignored'] == 0, {k: n for k, n in s.items() if n}
    said = d.wait_events('engine', 1, lambda e: e['engine']['event'] == 'worker_escape')
    assert said[0]['engine']['bridge'] == 'br0' and said[0]['engine']['frames'] > 0, said
    assert len(said) <= 2, 'one in ten seconds'
    c.server.sendall(b'harmless')
    assert c.client.recv(100) == b'harmless'
    drops_the_marker(c.server, c.client)
    drop = d.wait_events('drop')[0]
    assert drop['alert']['signature_id'] == 7 and drop['dest_ip' if drop['src_port'] == 9000 else 'src_ip'] == '10.9.0.1'


@pytest.mark.lab(fail_open=True)
def test_both_directions_at_once(lab):
    """Both ends send without a pause while the daemon stands still again and again."""
    d = lab.ipsd(DROP, fail='open', heartbeat=20)
    c = Connection(lab)
    data = random.Random(6).randbytes(24 * MB)
    up = random.Random(7).randbytes(24 * MB)
    digest = hashlib.sha256()

    def take():
        n = 0
        while n < len(up):
            piece = c.server.recv(1 << 16)
            n += len(piece)
            digest.update(piece)

    more = [threading.Thread(target=c.client.sendall, args=(up,)), threading.Thread(target=take)]
    c.begin(data)
    for t in more:
        t.start()
    while any(t.is_alive() for t in c.threads):
        stand_still(d, 0.06)
        time.sleep(0.1)
    c.finish(data)
    for t in more:
        t.join(60 * SLOW)
        assert not t.is_alive(), 'the transfer to the server stands still'
    assert digest.hexdigest() == hashlib.sha256(up).hexdigest()
    s = d.stats()
    assert s['flow.taken_up_again'] >= 1 and s['steer.fail_open'] > 0, s
    drops_the_marker(c.client, c.server)
    d.wait_events('drop')


@pytest.mark.lab(fail_open=True, queues=2)
def test_flows_of_two_workers(lab):
    """Flows that one worker receives and the other owns: what one of them learns of a gap, both know."""
    d = lab.ipsd(DROP, fail='open', heartbeat=20)
    many = [Connection(lab, 9000 + i) for i in range(6)]
    data = random.Random(10).randbytes(4 * MB)
    for c in many:
        c.begin(data)
    for _ in range(3):
        stand_still(d, 0.06)
        time.sleep(0.03)
    for c in many:
        c.finish(data)
    s = d.stats()
    assert s['steer.fail_open'] > 0 and s['flow.taken_up_again'] >= len(many), s
    assert s['frames.handed_off'] > 0, 'no flow was handed over'
    for c in many:
        drops_the_marker(c.server, c.client)
    d.wait_events('drop', len(many))


@pytest.mark.lab(fail_open=True)
def test_fail_closed_lets_nothing_cross(lab):
    d = lab.ipsd(DROP, fail='closed', heartbeat=20)
    c = Connection(lab)
    data = c.begin_and_wait(8)
    stand_still(d, 0.4)
    c.finish(data)
    s = d.stats()
    assert s['steer.fail_closed'] > 0 and s['steer.fail_open'] == 0, s
    assert s['flow.taken_up_again'] == 0, 'nothing crossed, so nothing was missed'


@pytest.mark.lab(fail_open=True)
def test_no_heartbeat_no_fail_policy(lab):
    d = lab.ipsd(DROP, fail='open', heartbeat=0)
    c = Connection(lab)
    data = c.begin_and_wait(9)
    stand_still(d, 0.3)
    c.finish(data)
    s = d.stats()
    assert s['steer.fail_open'] == 0 and s['steer.saw_stale'] == 0, s


def test_an_idle_worker_is_alive_and_costs_nothing(lab):
    """It sleeps for many heartbeats, and the first frame that comes finds it alive."""
    d = lab.ipsd(fail='closed', heartbeat=500)
    for _ in range(3):
        d.idle(0.03, lambda: time.sleep(1.2))
        lab.client.run(['ping', '-c1', '-W2', SERVER4])
    s = d.stats()
    assert s['steer.saw_stale'] == 0 and s['steer.fail_closed'] == 0, s
