# SPDX-License-Identifier: BSD-2-Clause
"""New rules while traffic flows."""
import select
import socket
import struct
import threading

from lab import SERVER4, SLOW, wait_until


def udp_pair(lab, port=7300):
    s = lab.server.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(SERVER4, port))
    c = lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
    c.connect((SERVER4, port))
    return c, s


def crosses(lab, c, s, payload):
    c.send(payload)
    if not select.select([s], [], [], 20.0 * SLOW)[0]:
        return False
    assert s.recv(2048) == payload
    return True


def test_reload_changes_what_is_dropped(lab):
    d = lab.ipsd('drop udp any any -> any 7300 (msg:"old"; content:"old"; sid:2001;)\n')
    c, s = udp_pair(lab)
    c.send(b'old')
    wait_until(lambda: d.drops()['rules'] == 1, 'the old rule to act')
    before = d.status()
    d.rules.write_text('drop udp any any -> any 7301 (msg:"new"; content:"new"; sid:2002;)\n')
    d.ctl('rules', 'reload')
    listed = d.ctl('rules', 'list').stdout
    assert '2002' in listed and '2001' not in listed
    c2, s2 = udp_pair(lab, 7301)
    assert crosses(lab, c2, s2, b'old')
    c2.send(b'new')
    wait_until(lambda: d.drops()['rules'] == 2, 'the new rule to act')
    assert d.status() != before


def test_broken_rules_change_nothing(lab):
    d = lab.ipsd('drop udp any any -> any 7300 (msg:"stays"; content:"bad"; sid:2003;)\n')
    d.rules.write_text('drop udp any any -> any 7300 (msg:"fine"; sid:2004;)\n'
                       'drop udp any any -> any 7300 (msg:"unknown option"; nosuchoption:1; sid:2005;)\n'
                       'drop udp any any => any (no end\n')
    p = d.ctl('rules', 'reload', check=False)
    assert p.returncode == 1, p
    said = p.stdout + p.stderr
    assert f'{d.rules}:2:' in said and f'{d.rules}:3:' in said, said  # all errors in one go, each with its place
    listed = d.ctl('rules', 'list').stdout
    assert '2003' in listed and '2004' not in listed
    c, s = udp_pair(lab)
    assert crosses(lab, c, s, b'good')
    c.send(b'bad')
    wait_until(lambda: d.drops()['rules'] == 1, 'the old rule to act still')
    check = d.ctl('rules', 'check', str(d.rules), check=False)
    assert check.returncode == 1 and f'{d.rules}:2:' in check.stdout + check.stderr, check


def test_reload_under_load_loses_no_packet(lab):
    """Numbered datagrams all the while rules are reloaded ten times. At most 128 are under way at once, so that a
    slow machine slows the sender down instead of overflowing a ring (the smallest is the veth's own, of 256 frames);
    every number must arrive, once."""
    window = 128
    d = lab.ipsd('alert udp any any -> any 9 (msg:"r"; content:"abc"; sid:2100;)\n')
    c, s = udp_pair(lab)
    failures, done = [], threading.Event()

    def reload_ten_times():
        try:
            for i in range(10):
                d.rules.write_text(''.join(f'alert udp any any -> any 9 (msg:"r{n}"; content:"abc{n}"; sid:{2100 + n};)\n'
                                           for n in range(200 + i)))
                d.ctl('rules', 'reload')
        except BaseException as e:
            failures.append(e)
        finally:
            done.set()

    t = threading.Thread(target=reload_ten_times)
    t.start()
    sent = 0
    outstanding = set()
    try:
        while not done.is_set() or outstanding:
            while not done.is_set() and len(outstanding) < window:
                c.send(struct.pack('!Q', sent) + bytes(100))
                outstanding.add(sent)
                sent += 1
                if sent % 64 == 0:
                    break
            if not outstanding:
                continue
            ready = select.select([s], [], [], 20.0 * SLOW)[0]
            assert ready, f'{len(outstanding)} of {sent} datagrams lost: {sorted(outstanding)[:10]}...; {d.drops()}'
            for _ in range(window):
                n = struct.unpack('!Q', s.recv(2048)[:8])[0]
                outstanding.remove(n)  # a KeyError here is a packet that came twice
                if not select.select([s], [], [], 0)[0]:
                    break
    finally:
        t.join()
    assert not failures, failures
    assert sent > 1000
    assert '2308' in d.ctl('rules', 'list').stdout
    assert not any(d.drops().values()), d.drops()


def test_a_flow_that_was_dropped_stays_dropped_over_a_reload(lab):
    d = lab.ipsd('drop tcp any any -> any 7400 (msg:"evil"; flow:established; content:"evil"; sid:2200;)\n')
    listener = lab.server.socket(socket.AF_INET, socket.SOCK_STREAM, bind=(SERVER4, 7400), listen=True)
    c = lab.client.socket(socket.AF_INET, socket.SOCK_STREAM)
    c.connect((SERVER4, 7400))
    end, _ = listener.accept()
    lab.sockets.append(end)
    c.send(b'evil')
    wait_until(lambda: d.drops()['rules'] >= 1, 'the rule to act')
    d.rules.write_text('alert tcp any any -> any 7400 (msg:"mild"; content:"mild"; sid:2201;)\n')
    d.ctl('rules', 'reload')
    before = d.stats()['steer.flow_drop']
    end.send(b'answer')
    wait_until(lambda: d.stats()['steer.flow_drop'] > before, 'the flow to stay dropped')
    assert not select.select([c], [], [], 0.3)[0]
