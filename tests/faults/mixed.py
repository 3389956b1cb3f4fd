# SPDX-License-Identifier: BSD-2-Clause
"""Ordinary traffic of several kinds beside the numbers: downloads over HTTP, questions like DNS's with their answers, datagrams in
fragments, SYNs to a port where nobody listens. Each kind is a thread that notes when it sent what was lost, so that a loss can
be laid at a fault's door or at nobody's.
"""
import contextlib
import hashlib
import os
import random
import socket
import struct
import threading
import time

from lab import CLIENT4, SERVER4, SLOW, frame

SIZES = 1_000, 20_000, 300_000, 2_000_000
DNS_PORT, FRAGMENT_PORT, CLOSED_PORT = 53, 7300, 81
FRAGMENTED_BYTES = 4000
ANSWER_S = 1.0


class Kind(threading.Thread):
    """Runs until stop(). done: how many went well; lost: [(when sent, what happened)]."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.lab, self.over = lab, threading.Event()
        self.done, self.lost = 0, []

    def stop(self):
        self.over.set()
        self.join(120 * SLOW)

    def beside(self, windows, before_s=2.5, after_s=0.5):
        """What was lost at a time when nothing was wrong: it began more than before_s before each fault, or after it."""
        return [(at, what) for at, what in self.lost
                if not any(a - before_s * 1e9 <= at <= b + after_s * 1e9 for a, b in windows)]


class Downloads(Kind):
    """A file of some size, whole and with the right sum; a connection that breaks is lost whenever it breaks."""
    name = 'HTTP'

    def __init__(self, lab, root, seed):
        super().__init__(lab)
        self.rng, self.sums, self.out = random.Random(seed), {}, lab.dir / f'download{seed}'
        for size in SIZES:
            data = random.Random(size).randbytes(size)
            (root / str(size)).write_bytes(data)
            self.sums[size] = hashlib.sha256(data).digest()

    def run(self):
        while not self.over.is_set():
            size, at = self.rng.choice(SIZES), time.monotonic_ns()
            p = self.lab.curl(f'http://{SERVER4}/{size}', '-o', str(self.out), '--limit-rate', '4M', check=False, timeout=60)
            if p.returncode:
                self.lost.append((at, f'{size} bytes: {p.stderr.strip()}'))
            elif hashlib.sha256(self.out.read_bytes()).digest() != self.sums[size]:
                self.lost.append((at, f'{size} bytes: other bytes arrived'))
            else:
                self.done += 1
            self.over.wait(self.rng.random() * 0.3)


class Questions(Kind):
    """A question to port 53 and its answer."""
    name = 'DNS'

    def __init__(self, lab):
        super().__init__(lab)
        self.here = lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(CLIENT4, 0), timeout=ANSWER_S)
        self.there = lab.server.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(SERVER4, DNS_PORT), timeout=0.2)
        self.answerer = threading.Thread(target=self.answer, daemon=True)
        self.answerer.start()

    def answer(self):
        while not self.over.is_set():
            try:
                question, who = self.there.recvfrom(2048)
            except TimeoutError:
                continue
            answer = bytearray(question)
            answer[2:4], answer[6:8] = b'\x81\x80', b'\0\1'
            with contextlib.suppress(OSError):  # the cable was pulled meanwhile: lost
                self.there.sendto(bytes(answer) + b'\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\x09\0\2', who)

    def run(self):
        number = 0
        while not self.over.is_set():
            number += 1
            name = b'host%06d' % (number % 1000000)
            question = struct.pack('!HHHHHH', number & 0xffff, 0x100, 1, 0, 0, 0) + bytes([len(name)]) + name + b'\4test\0\0\1\0\1'
            at = time.monotonic_ns()
            self.here.sendto(question, (SERVER4, DNS_PORT))
            try:
                while self.here.recv(2048)[:2] != question[:2]:
                    pass
                self.done += 1
            except TimeoutError:
                self.lost.append((at, 'no answer'))
            self.over.wait(0.02)


class Fragments(Kind):
    """Datagrams that no frame holds."""
    name = 'fragments'

    def __init__(self, lab):
        super().__init__(lab)
        self.here = lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(CLIENT4, 0))
        self.there = lab.server.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(SERVER4, FRAGMENT_PORT), timeout=ANSWER_S)

    def run(self):
        number = 0
        while not self.over.is_set():
            number += 1
            data = struct.pack('!Q', number) + os.urandom(FRAGMENTED_BYTES - 8)
            at = time.monotonic_ns()
            self.here.sendto(data, (SERVER4, FRAGMENT_PORT))
            try:
                while True:
                    got = self.there.recv(8192)
                    if got == data:
                        self.done += 1
                        break
                    if got[:8] == data[:8]:
                        self.lost.append((at, 'other bytes arrived'))
                        break
            except TimeoutError:
                self.lost.append((at, 'did not arrive'))
            self.over.wait(0.05)


class Syns(Kind):
    """As a scan does: nobody answers but with a reset, and what is lost nobody misses."""
    name = 'SYNs'

    def run(self):
        tap, rng = self.lab.client.tap('wan0', 0x88b5), random.Random(1)
        while not self.over.is_set():
            for _ in range(20):
                try:
                    tap.send(syn(rng))
                    self.done += 1
                except OSError:
                    break  # the interface is down
            self.over.wait(0.1)


def checksum(data):
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def syn(rng):
    source, there = socket.inet_aton(CLIENT4), socket.inet_aton(SERVER4)
    tcp = struct.pack('!HHIIHHHH', rng.randrange(1024, 65536), CLOSED_PORT, rng.getrandbits(32), 0, 5 << 12 | 2, 64240, 0, 0)
    tcp = tcp[:16] + struct.pack('!H', checksum(source + there + struct.pack('!HH', 6, len(tcp)) + tcp)) + tcp[18:]
    ip = struct.pack('!BBHHHBBH', 0x45, 0, 40, rng.getrandbits(16), 0x4000, 64, 6, 0) + source + there
    return frame(0x0800, ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:] + tcp)
