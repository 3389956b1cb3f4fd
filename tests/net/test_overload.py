# SPDX-License-Identifier: BSD-2-Clause
"""A worker that has more to do than it can: what is shed, that it is counted and said, that nobody waits for long, and
that all is as before when it is over. ipsd-faults has rules that take as long as their sid says (ips/base/fault.h)."""
import json
import os
import signal
import statistics
import sys

import pytest

from lab import CLIENT4, FAULTS, SERVER4, SLOW, STANDIN, merged, wait_until

pytestmark = [pytest.mark.skipif(bool(STANDIN), reason='the stand-in has no daemon'),
              pytest.mark.lab(fail_open=True)]  # flows that pass do so in the kernel

SLOW_SID = 4001000000
RATE = 20000

# Sends `seconds` long at RATE: 4 bytes of number, 8 of the clock, then the words in turn; each port is a flow of its own.
SENDER = '''
import socket, struct, sys, time
seconds, rate, ports, words = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
s = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(ports)]
for i, x in enumerate(s):
    x.bind(('%s', 20000 + i))
began, n = time.monotonic(), 0
while time.monotonic() - began < seconds:
    while n < (time.monotonic() - began) * rate:
        w = words[n %% len(words)].encode()
        s[n %% ports].sendto(struct.pack('!IQ', n, time.monotonic_ns()) + w, ('%s', 9))
        n += 1
    time.sleep(0.0005)
print(n)
''' % (CLIENT4, SERVER4)

# Receives until SIGTERM; writes how many came of each word, and the median delay of each second from the first datagram.
RECEIVER = '''
import collections, json, signal, socket, statistics, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)
s.bind(('%s', 9))
s.settimeout(0.2)
words, delays, first, over = collections.Counter(), collections.defaultdict(list), None, False
def stop(*a):
    global over
    over = True
signal.signal(signal.SIGTERM, stop)
print('ready', flush=True)
while not over:
    try:
        d = s.recv(2048)
    except TimeoutError:
        continue
    now = time.monotonic_ns()
    n, sent = struct.unpack('!IQ', d[:12])
    first = first or now
    words[d[12:].decode()] += 1
    second = (now - first) // 10**9
    delays[second].append((now - sent) // 10**6)
print(json.dumps({'words': words, 'delays': {k: statistics.median(v) for k, v in delays.items()}}))
''' % SERVER4


def flood(lab, seconds, *words, ports=50, rate=RATE):
    """How many were sent; how many of each word arrived; the worst delay in ms of each second."""
    receiver = lab.server.start([sys.executable, '-c', RECEIVER], stdout=-1, text=True)
    assert receiver.stdout.readline() == 'ready\n'
    sender = lab.client.start([sys.executable, '-c', SENDER, str(seconds), str(rate), str(ports), *words], stdout=-1, text=True)
    sent = int(sender.communicate(timeout=(seconds + 60) * SLOW)[0])
    wait_until(lambda: lab.daemons[0].status()['bridges'][0]['workers'][0]['overload']['occupancy_permille'] == 0, 'an empty ring')
    receiver.send_signal(signal.SIGTERM)
    got = json.loads(receiver.communicate(timeout=60 * SLOW)[0])
    return sent, got['words'], got['delays']


def shedding(lab, rules, config=None, **kw):
    """A daemon whose rules can be made slow, and that sheds as it is shipped."""
    return lab.ipsd(rules, program=FAULTS, config=merged({'overload': {'policy': 'auto'}}, config or {}), **kw)


def overloads(d):
    return [e['engine'] for e in d.events('engine') if e['engine']['event'] == 'overload']


def it_is_over(d):
    wait_until(lambda: overloads(d)[-1]['step'] == 0, 'the end of the overload')
    assert d.status()['bridges'][0]['workers'][0]['overload']['sheds'] == 'none'
    assert d.stats()['overload.step'] == 0


def slow_rule(action, us):
    """Tried on each datagram with `slow`; it never matches."""
    return f'{action} udp any any -> any 9 (msg:"slow"; content:"slow"; fast_pattern; content:"not there"; sid:{SLOW_SID + us};)\n'


def test_the_costliest_rule_is_left_out_and_comes_back(lab):
    d = shedding(lab, slow_rule('alert', 400) + 'drop udp any any -> any 9 (msg:"cheap"; content:"forbidden"; sid:11;)')
    sent, words, delays = flood(lab, 4, 'slow', 'forbidden')
    s = d.stats()
    assert s['overload.rules_skipped'] > 0 and s['overload.step'] < 3
    left_out = [e['rules_left_out'] for e in overloads(d) if 'rules_left_out' in e]
    assert left_out and left_out[0] == [f'1:{SLOW_SID + 400}'], overloads(d)
    assert words['slow'] > sent / 4
    it_is_over(d)
    assert d.status()['bridges'][0]['workers'][0]['overload']['rules_left_out'] == []


def test_open_forwards_what_is_too_much_and_nobody_waits(lab):
    # pass rules are never left out, so there is no step but the last that helps
    d = shedding(lab, slow_rule('pass', 400) + 'drop udp any any -> any 9 (msg:"cheap"; content:"forbidden"; sid:11;)')
    sent, words, delays = flood(lab, 5, 'slow')
    s = d.stats()
    assert s['overload.forwarded'] > 1000, s
    assert words['slow'] + s['drop.tx_ring_full'] + s['io.kernel_rx_dropped'] + s['io.kernel_tx_refused'] >= sent, 'a frame is not counted'
    full_ring_ms = 2048 * 0.4  # what it would be, and stay; a fifth of it is aimed at
    late = statistics.median(delays[k] for k in delays if 2 <= int(k) < 5)
    assert late < full_ring_ms * SLOW * max(1, os.getloadavg()[0] / os.cpu_count()), delays
    assert max(e['highest_step'] for e in overloads(d)) == 3
    it_is_over(d)


def test_a_transfer_survives_being_shed(lab):
    """Segments of it cross uninspected, and what comes behind them is no impossible TCP."""
    content = os.urandom(4 << 20)
    lab.web_server({'big': content})
    d = shedding(lab, slow_rule('pass', 400))
    out = lab.dir / 'got'
    curl = lab.client.start(['curl', '-sS', '--noproxy', '*', '--limit-rate', '1M', '-o', out, f'http://{SERVER4}/big'])
    flood(lab, 4, 'slow')
    assert curl.wait(120 * SLOW) == 0
    assert out.read_bytes() == content
    assert d.stats()['overload.forwarded'] > 1000
    it_is_over(d)


def test_closed_drops_what_is_too_much_and_nothing_crosses_uninspected(lab):
    d = shedding(lab, slow_rule('alert', 400) + 'drop udp any any -> any 9 (msg:"cheap"; content:"forbidden"; sid:11;)',
                 fail='closed')
    sent, words, delays = flood(lab, 4, 'slow', 'slow', 'slow forbidden', ports=51)
    s = d.stats()
    assert 'slow forbidden' not in words and words['slow'] > 0
    assert s['drop.overload'] > 0 and s['overload.forwarded'] == s['overload.rules_skipped'] == s['overload.bypassed_flows'] == 0
    assert {e['step'] for e in overloads(d)} <= {0, 3}
    it_is_over(d)
    d.quiet()


def test_open_keeps_dropped_flows_dropped(lab):
    """What a flow was dropped for before holds while nothing is inspected."""
    d = shedding(lab, slow_rule('pass', 400) + 'drop udp any 20000 -> any 9 (msg:"flow"; sid:12;)',
                 flow_cache='off')  # the kernel would not even ask
    # one of two flows is dropped with its first datagram
    sent, words, delays = flood(lab, 4, 'slow bad', 'slow good', ports=2)
    s = d.stats()
    assert s['overload.forwarded'] > 1000 and s['drop.flow_drop'] > 1000, s
    assert words.get('slow bad', 0) == 0 and words['slow good'] > 1000
    it_is_over(d)


def test_an_elephant_passes_when_it_was_inspected_far_enough(lab):
    d = shedding(lab, slow_rule('pass', 400), config={'overload': {'elephant_depth': 100000}})
    sent, words, delays = flood(lab, 4, 'slow' + 'x' * 400, ports=1)
    s = d.stats()
    assert s['overload.bypassed_flows'] == 1
    assert words['slow' + 'x' * 400] > sent / 4
    it_is_over(d)


def test_off_sheds_nothing(lab):
    d = shedding(lab, slow_rule('pass', 400), set=['overload.policy=off'])
    flood(lab, 2, 'slow')
    s = d.stats()
    assert s['overload.forwarded'] == s['drop.overload'] == 0 and not overloads(d)
    assert d.status()['bridges'][0]['workers'][0]['overload']['peak_permille'] > 500


def test_the_policy_changes_while_it_runs(lab):
    """From off, and a bridge that fails open, to one that must drop: not a frame is forwarded uninspected."""
    d = shedding(lab, slow_rule('pass', 400), config={'overload': {'policy': 'off'}})

    def change(c):
        c['overload'] = {'policy': 'auto', 'high': 40}
        c['bridges'][0]['fail'] = 'closed'
    d.rewrite(change)
    changed = {x['key']: x['how'] for x in d.ctl_json('config', 'reload')['changes']}
    assert changed == {k: 'live' for k in ('overload.policy', 'overload.high', 'bridges[0].fail')}
    flood(lab, 3, 'slow')
    s = d.stats()
    assert s['drop.overload'] > 1000 and s['overload.forwarded'] == 0, s
    it_is_over(d)


def test_a_slow_packet_is_named(lab):
    d = shedding(lab, slow_rule('alert', 30000))
    flood(lab, 1, 'slow', rate=20, ports=1)
    e = wait_until(lambda: [e['engine'] for e in d.events('engine') if e['engine']['event'] == 'packet_slow'], 'packet_slow')
    assert (e[0]['gid'], e[0]['sid'], e[0]['dest_port']) == (1, SLOW_SID + 30000, 9) and e[0]['us'] >= 30000
    assert d.stats()['overload.slow_packets'] >= 1
