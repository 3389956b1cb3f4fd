# SPDX-License-Identifier: BSD-2-Clause
"""The verdict cache on the wire: what was decided is carried out in the kernel, is in the flow's record at the end, and
outlives the daemon, also while nobody is there."""
import select
import signal

import pytest

from lab import SERVER4, SLOW, STANDIN, wait_until

pytestmark = pytest.mark.skipif(bool(STANDIN), reason='the stand-in decides nothing')

MB = 1 << 20
RULES = ('drop tcp any any -> any any (msg:"evil"; flow:established; content:"evil"; sid:11;)\n'
         'alert tcp any any -> any any (msg:"elephant"; flow:established; content:"elephant"; bypass; sid:12;)\n'
         'drop udp any any -> any 7200 (msg:"no"; sid:13;)\n')
# flows are logged, and end soon when they are closed
SHORT = {'log': {'events': 'flow'}, 'flow': {'tcp_closed': 1, 'udp_new': 2, 'udp_established': 2}}


def connection(lab, port=7100):
    listener = lab.server.socket(2, 1, bind=(SERVER4, port), listen=True)
    client = lab.client.socket(2, 1)
    client.connect((SERVER4, port))
    end, _ = listener.accept()
    listener.close()
    lab.sockets.append(end)
    return client, end


def crosses(a, b, data=b'harmless'):
    a.sendall(data)
    return bool(select.select([b], [], [], 1.0 * SLOW)[0]) and b.recv(1 << 16) == data


def kill(d):
    d.process.send_signal(signal.SIGKILL)
    d.process.wait()
    d.kill()


def flow_event(d, port):
    return d.wait_events('flow', 1, lambda e: e.get('dest_port') == port)[0]


def test_a_dropped_flow_ends_in_the_kernel(lab):
    """Of ten answers none reaches the client, or wakes the worker; its record has all that was sent."""
    d = lab.ipsd(RULES, config=SHORT)
    out = lab.client.socket(2, 2, bind=('10.9.0.1', 7300))
    other = lab.server.socket(2, 2, bind=(SERVER4, 7200))
    out.sendto(b'anything', (SERVER4, 7200))
    wait_until(lambda: d.stats()['flow.cached'] == 1, 'the verdict to be in the cache')
    for _ in range(9):
        out.sendto(b'anything', (SERVER4, 7200))
    other.sendto(b'answer', ('10.9.0.1', 7300))
    s = wait_until(lambda: (lambda s: s if s['steer.flow_drop'] >= 10 else None)(d.stats()), 'drops in the kernel')
    assert s['flow.cached'] == 1 and s['drop.rules'] + s['drop.flow_drop'] == 1, s
    assert not select.select([out, other], [], [], 0.2)[0]
    e = flow_event(d, 7200)['flow']
    assert e['pkts_toserver'] == 10 and e['pkts_toclient'] == 1, e
    assert e['bytes_toserver'] == 10 * 50, e


@pytest.mark.lab(fail_open=True)  # which is also what lets the kernel forward a flow
def test_an_elephant_is_bypassed(lab):
    d = lab.ipsd(RULES, config=SHORT)
    client, end = connection(lab)
    assert crosses(client, end, b'an elephant comes')
    before, got = d.stats(), 0
    data = bytes(range(256)) * 4096 * 8
    end.setblocking(False)
    sent = 0
    while got < len(data):
        ready, room, _ = select.select([client], [end] if sent < len(data) else [], [], 20)
        assert ready or room, 'the transfer stands still'
        if room:
            sent += end.send(data[sent:sent + 65536])
        if ready:
            got += len(client.recv(1 << 18))
    s = d.stats()
    by_kernel = s['steer.flow_bypass'] - before['steer.flow_bypass']
    assert by_kernel > len(data) // 1500, s
    assert s['frames.rx'] - before['frames.rx'] < by_kernel / 10, 'the worker was woken for what the kernel settles'
    assert crosses(client, end, b'evil: the flow needs no inspection')
    client.close()
    end.close()
    e = flow_event(d, 7100)['flow']
    assert e['bytes_toclient'] > len(data) and e['pkts_toclient'] > len(data) // 1500, e
    assert crosses(*connection(lab)), 'the next connection'
    client, end = connection(lab)
    assert not crosses(client, end, b'evil: this one is another'), 'the same port on the server, another connection'


@pytest.mark.lab(fail_open=True)
@pytest.mark.parametrize('cache', ['on', 'off'])
def test_a_dropped_flow_stays_dropped_over_a_crash(lab, cache):
    """While nobody is there and everything else crosses, and when the next daemon has taken over."""
    d = lab.ipsd(RULES, fail='open', flow_cache=cache)
    client, end = connection(lab)
    good = connection(lab, 7101)
    assert crosses(client, end) and crosses(*good)
    assert not crosses(client, end, b'evil')
    assert (d.stats()['steer.flow_drop'] > 0) or cache == 'off'
    kill(d)
    assert crosses(*good), 'fail open'
    assert not crosses(client, end, b'while nobody is there')
    d = lab.ipsd(RULES, fail='open', flow_cache=cache)
    assert crosses(*good)
    assert not crosses(client, end, b'when the next one is')
    if cache == 'off':  # TCP repeats itself ever more slowly
        wait_until(lambda: (lambda s: s['flow.recalled'] >= 1 and s['drop.flow_drop'] >= 1)(d.stats()), 'the worker to know')
    assert crosses(*connection(lab, 7102)), 'a new connection'


@pytest.mark.lab(fail_open=True)
def test_a_dropped_flow_stays_dropped_over_a_restart(lab):
    d = lab.ipsd(RULES, fail='open', shutdown='fail')
    client, end = connection(lab)
    assert crosses(client, end)
    assert not crosses(client, end, b'evil')
    d.stop()
    assert not crosses(client, end, b'while nobody is there')
    lab.ipsd(RULES, fail='open')
    assert not crosses(client, end, b'when the next one is')


@pytest.mark.lab(fail_open=True)
def test_open_known_lets_known_flows_cross(lab):
    d = lab.ipsd(RULES, fail='open-known')
    good, bad, idle = connection(lab), connection(lab, 7101), connection(lab, 7103)
    assert crosses(*good) and crosses(*reversed(good))
    assert crosses(*bad)
    assert not crosses(*bad, b'evil')
    wait_until(lambda: d.stats()['flow.known'] >= 2, 'two flows to be known')
    kill(d)
    assert crosses(*good) and crosses(*reversed(good)), 'a flow that was judged clean'
    assert not crosses(*bad), 'one that was dropped'
    assert not crosses(*idle), 'one of which no data was inspected'
    late = lab.client.socket(2, 1, timeout=1)
    listener = lab.server.socket(2, 1, bind=(SERVER4, 7102), listen=True)
    with pytest.raises(TimeoutError):
        late.connect((SERVER4, 7102))
    d = lab.ipsd(RULES, fail='open-known')
    assert crosses(*good) and crosses(*reversed(good))
    assert not crosses(*good, b'evil'), 'it is inspected again'
    listener.close()


def test_a_drop_blocks_its_source_for_a_time(lab):
    """Nothing of the client passes for two seconds, the server's own frames do; then the client is back."""
    policy = lab.write('policy.yaml', 'policy:\n- {sid: 13, action: drop, block: src 2s}\n')
    d = lab.ipsd(RULES, config={'rules': {'policy': str(policy)}})
    out = lab.client.socket(2, 2, bind=('10.9.0.1', 7300))
    into = lab.server.socket(2, 2, bind=(SERVER4, 7201))
    assert crosses_udp(out, into)
    out.sendto(b'anything', (SERVER4, 7200))
    drop = d.wait_events('drop')[0]['drop']
    assert drop['blocked'] == {'ip': '10.9.0.1', 'seconds': 2}, drop
    assert not crosses_udp(out, into)
    into.sendto(b'the other way', ('10.9.0.1', 7300))
    assert select.select([out], [], [], 1)[0], 'only the source is blocked'
    s = d.stats()
    assert s['ips.sources_blocked'] == 1 and s['steer.blocked_for_a_time'] > 0, s
    blocked = d.ctl_json('flows', 'list', 'blocked')['flows'][0]
    assert blocked['from'] == '10.9.0.1' and blocked['sid'] == 13 and blocked['left_s'] <= 2, blocked
    wait_until(lambda: crosses_udp(out, into), 'the client to be back')
    lab.client.socket(2, 2).sendto(b'anything', (SERVER4, 7200))  # another flow: the first one is dropped unasked
    wait_until(lambda: not crosses_udp(out, into), 'the client to be blocked again')
    d.ctl('flows', 'forget', '10.9.0.1')
    assert crosses_udp(out, into), 'free before its time'


def crosses_udp(a, b):
    a.sendto(b'harmless', (SERVER4, 7201))
    if not select.select([b], [], [], 0.3 * SLOW)[0]:
        return False
    b.recv(100)
    return True


@pytest.mark.lab(fail_open=True)
@pytest.mark.parametrize('cache', ['on', 'off'])
def test_an_operator_decides(lab, cache):
    """Drop, forget, bypass, for a time, of a connection that runs; and what list says of it."""
    d = lab.ipsd(RULES, flow_cache=cache)
    client, end = connection(lab)
    ends = [f'{a}:{p}' for a, p in (client.getsockname(), end.getsockname())]
    assert crosses(client, end)
    d.ctl('flows', 'drop', 'tcp', *ends)
    assert not crosses(client, end, b'lost'), 'dropped'
    shown = d.ctl_json('flows', 'list', 'dropped')
    assert shown['count']['dropped'] == 1 and shown['count']['bypassed'] == 0, shown
    flow = shown['flows'][0]
    assert sorted([flow['from'], flow['to']]) == sorted(ends) and flow['by'] == 'operator' and 'left_s' not in flow, flow
    assert (sum(flow['packets']) > 0) == (cache == 'on'), flow
    d.ctl('flows', 'forget', 'tcp', *reversed(ends))
    assert end.recv(100) == b'lost', 'TCP repeats what was dropped'
    assert crosses(client, end)
    d.ctl('flows', 'bypass', 'tcp', *ends, 'for', '2s')
    assert crosses(client, end, b'evil is fine')
    flow = d.ctl_json('flows', 'list', '--limit', '5', 'bypassed')['flows'][0]
    assert flow['left_s'] <= 2 and flow['kind'] == 'bypassed', flow
    assert 'bypassed' in d.ctl('flows', 'list').stdout
    s = d.stats()
    assert (s['steer.flow_bypass'] > 0) == (s['steer.flow_drop'] > 0) == (cache == 'on'), s
    wait_until(lambda: not d.ctl_json('flows', 'list', 'bypassed')['flows'], 'the time to be over')
    crosses(client, end, b'the last one')
    assert not crosses(client, end, b'evil is not')


REFUSED = [
    (('drop', 'icmp', '10.9.0.1:1', '10.9.0.2:2'), 'have a verdict'),
    (('drop', 'tcp', '10.9.0.1', '10.9.0.2:2'), 'two ends'),
    (('drop', 'tcp', '10.9.0.1:1', '[fd00::1]:2'), 'two ends'),
    (('drop', 'tcp', '10.9.0.1:1', '10.9.0.2:70000'), 'two ends'),
    (('bypass', 'tcp', '10.9.0.1:1', '10.9.0.2:2', 'for', '10y'), 'no time'),
    (('bypass', 'tcp', '10.9.0.1:1', '10.9.0.2:2', 'vlan', '5000'), 'no VLAN'),
    (('bypass', 'tcp', '10.9.0.1:1'), 'usage'),
    (('forget', '10.9.0.9'), 'not blocked'),
    (('list', 'nonsense'), 'no kind'),
]


def test_what_flows_commands_refuse(lab):
    d = lab.ipsd(RULES)
    for args, why in REFUSED:
        p = d.ctl('flows', *args, check=False)
        assert p.returncode != 0 and why in p.stderr, (args, p.stderr)
