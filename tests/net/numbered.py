# SPDX-License-Identifier: BSD-2-Clause
"""A slow, steady stream of which nothing may be lost, for tests that change something beneath it."""
import socket
import threading
import time

from lab import SERVER4, SLOW


class Numbered:
    """Datagrams with numbers from the client to the server while the block runs; all of them have to arrive."""
    PORT, PAUSE_S = 7000, 0.0005

    def __init__(self, lab):
        self.there = (SERVER4, self.PORT)
        self.rx = lab.server.socket(socket.AF_INET, socket.SOCK_DGRAM, self.there)
        self.tx = lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.stop, self.sent = threading.Event(), 0
        self.thread = threading.Thread(target=self._send)

    def _send(self):
        while not self.stop.is_set():
            self.tx.sendto(b'%d' % self.sent, self.there)
            self.sent += 1
            time.sleep(self.PAUSE_S)

    def __enter__(self):
        self.tx.sendto(b'first', self.there)
        assert self.rx.recv(100) == b'first'
        self.thread.start()

    def __exit__(self, failed, *_):
        self.stop.set()
        self.thread.join()
        if failed:
            return
        self.rx.settimeout(5 * SLOW)
        got = set()
        while len(got) < self.sent:
            got.add(int(self.rx.recv(100)))
        assert got == set(range(self.sent))
