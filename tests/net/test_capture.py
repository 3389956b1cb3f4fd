# SPDX-License-Identifier: BSD-2-Clause
"""Capture mode: the same engine over a file. The capture is made here, of a real transfer, by tcpdump."""
import hashlib
import json
import shutil
import signal
import struct

import pytest

from lab import IPSD, SERVER4, STANDIN, run, wait_until

pytestmark = pytest.mark.skipif(bool(STANDIN), reason='the stand-in has no capture mode')

RULES = '''alert tcp any any -> any 80 (msg:"request"; flow:established,to_server; content:"GET /one"; sid:5001;)
drop tcp any any -> any 80 (msg:"evil"; flow:established,to_server; content:"GET /evil"; sid:5002;)
'''


@pytest.fixture
def capture(lab):
    """Three requests across the bridge (the third is evil), as tcpdump saw them at the client."""
    lab.ipsd()
    lab.web_server({'one': 'first\n', 'two': 'second\n', 'evil': 'third\n'})
    path = lab.dir / 'in.pcap'
    with open(lab.dir / 'tcpdump', 'wb') as log:
        t = lab.client.start(['tcpdump', '-i', 'wan0', '-U', '-w', path, '--immediate-mode', '-Z', 'root', 'tcp', 'port', '80'],
                             stderr=log)
    wait_until(lambda: 'listening on' in (lab.dir / 'tcpdump').read_text(), 'tcpdump to listen')
    for name in ('one', 'two', 'evil'):
        lab.curl(f'http://{SERVER4}/{name}')
    # all three connections closed by both sides: FIN flags seen six times
    wait_until(lambda: sum(p[47] & 1 for p in packets(path)) >= 6, 'the capture to be complete')
    t.send_signal(signal.SIGINT)
    t.wait(20)
    rules = lab.write('capture.rules', RULES)
    return lab, path, rules


def packets(path):
    data = path.read_bytes()
    out, at = [], 24
    while at + 16 <= len(data):
        n = struct.unpack_from('<I', data, at + 8)[0]
        if at + 16 + n > len(data):
            break
        out.append(data[at + 16:at + 16 + n])
        at += 16 + n
    return out


def inspect(lab, path, rules, *args, check=True):
    out = lab.dir / f'out-{len(args)}-{path.name}'
    out.mkdir(exist_ok=True)
    p = run([IPSD, '--pcap', path, '--rules', rules, '--log-dir', out, *args], check=check)
    events = [json.loads(line) for line in (out / 'eve.json').read_text().splitlines()] if (out / 'eve.json').exists() else []
    return p, events


def test_capture_alerts_by_packet_number(capture):
    lab, path, rules = capture
    _, events = inspect(lab, path, rules)
    alerts = [e for e in events if e['event_type'] == 'alert']
    assert sorted(e['alert']['signature_id'] for e in alerts) == [5001, 5002]
    sent = packets(path)
    for e in alerts:
        word = b'GET /one' if e['alert']['signature_id'] == 5001 else b'GET /evil'
        assert word in sent[e['pcap_cnt'] - 1]
        assert e['alert']['action'] == 'allowed'  # nothing is enforced without --inline
    assert not [e for e in events if e['event_type'] == 'drop']


def test_capture_inline_drops_the_rest_of_the_flow(capture):
    lab, path, rules = capture
    left = lab.dir / 'left.pcap'
    _, events = inspect(lab, path, rules, '--inline', '--pcap-out', left)
    assert [e['alert']['action'] for e in events if e['event_type'] == 'alert'
            and e['alert']['signature_id'] == 5002] == ['blocked']
    assert [e for e in events if e['event_type'] == 'drop']
    before, after = packets(path), packets(left)
    assert not any(b'GET /evil' in p or b'third' in p for p in after)
    assert any(b'first' in p for p in after) and any(b'second' in p for p in after)
    rest = iter(before)  # what left is a part of what came, in its order, unchanged
    assert all(p in rest for p in after) and len(after) < len(before)


def test_capture_loses_no_event(lab):
    """Jumbo frames that fifteen rules match, logged whole: several times what the logger's ring holds."""
    n, rules = 100, [f'alert udp any any -> any 9 (msg:"m"; dsize:8000; sid:{sid};)' for sid in range(1, 16)]
    udp = struct.pack('>HHHH', 7, 9, 8008, 0) + bytes(8000)
    frame = bytes(12) + b'\x08\x00' + struct.pack('>BBHHHBBH4s4s', 0x45, 0, 8028, 1, 0, 64, 17, 0, b'\x0a\0\0\1',
                                                   b'\x0a\0\0\2') + udp
    record = struct.pack('<IIII', 1, 0, len(frame), len(frame)) + frame
    path = lab.write('jumbo.pcap', struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + record * n)
    p, events = inspect(lab, path, lab.write('all.rules', '\n'.join(rules) + '\n'), '--checksums', 'off')
    assert len([e for e in events if e['event_type'] == 'alert']) == 15 * n, p
    p, events = inspect(lab, path, lab.dir / 'all.rules', '--checksums', 'off', '--set', 'log.ring_bytes=262144')
    lost = 15 * n - len([e for e in events if e['event_type'] == 'alert'])
    assert lost > 0 and f'{lost} events are not in the log' in p.stderr, p


def http_capture(body, piece):
    """A connection in which a server answers GET /f.bin with the body, in segments of so many bytes."""
    packets, seq = [], {False: 1000, True: 5000}

    def tcp(to_client, flags, payload=b''):
        src, dst = (b'\x0a\0\0\2', b'\x0a\0\0\1') if to_client else (b'\x0a\0\0\1', b'\x0a\0\0\2')
        sport, dport = (80, 40000) if to_client else (40000, 80)
        ack = 0 if flags == 2 else seq[not to_client]
        head = struct.pack('>HHIIBBHHH', sport, dport, seq[to_client], ack, 0x50, flags, 65535, 0, 0)
        ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 40 + len(payload), 1, 0, 64, 6, 0, src, dst)
        frame = bytes(12) + b'\x08\x00' + ip + head + payload
        packets.append(struct.pack('<IIII', 1, len(packets), len(frame), len(frame)) + frame)
        seq[to_client] += len(payload) + (1 if flags & 3 else 0)

    tcp(False, 2), tcp(True, 0x12), tcp(False, 0x10)
    tcp(False, 0x18, b'GET /f.bin HTTP/1.1\r\nHost: h\r\n\r\n')
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body) + body
    for at in range(0, len(answer), piece):
        tcp(True, 0x18, answer[at:at + piece])
        tcp(False, 0x10)
    tcp(True, 0x11), tcp(False, 0x11), tcp(True, 0x10)
    return struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + b''.join(packets)


@pytest.mark.parametrize('size, piece', [(10, 1), (100000, 1460), (300000, 20000)])
def test_capture_keeps_files(lab, size, piece):
    """filestore: a file is kept by the digest of its bytes, with its fileinfo; one that matched late is a part of it."""
    body = b'begin' + bytes(i * 7 % 251 for i in range(size)) + b'end'
    path = lab.write('http.pcap', http_capture(body, piece))
    store = lab.dir / 'files'

    def kept(rule, *args):
        rules = lab.write('store.rules', f'alert http any any -> any any ({rule} sid:1;)\n')
        _, events = inspect(lab, path, rules, '--checksums', 'off', '--set', 'app.filestore.enabled=on',
                            '--set', f'app.filestore.dir={store}', *args)
        files = {p.name: p.read_bytes() for p in store.glob('??/*') if '.' not in p.name}
        infos = [json.loads(p.read_text()) for p in store.glob('??/*.json')]
        assert not list((store / 'tmp').iterdir())
        shutil.rmtree(store)
        return files, infos, [e for e in events if e['event_type'] == 'fileinfo'][-1]['fileinfo']

    digest = hashlib.sha256(body).hexdigest()
    for rule in ('filestore;', 'file.data; content:"begin"; filestore;', 'http.uri; content:"f.bin"; filestore:both,flow;'):
        files, infos, info = kept(rule)
        assert files == {digest: body}, rule
        assert infos[0]['fileinfo'] == info and info['sha256'] == digest
        assert info['state'] == 'CLOSED' and info['stored'] and info['filename'] == '/f.bin'
    files, infos, info = kept('file.data; content:"begin"; filestore;', '--set', 'app.filestore.max_bytes=7')
    assert list(files.values()) == [body[:7]] and info['state'] == 'TRUNCATED'
    if size > 65536:
        files, infos, info = kept('file.data; content:"end"; isdataat:!1,relative; filestore;')
        assert all(body.endswith(v) and len(v) < size for v in files.values()) and len(files) == 1
        assert info['state'] == 'TRUNCATED'
    files, infos, info = kept('http.uri; content:"f.bin"; filestore;')  # the request's files: none
    assert not files and not infos and not info['stored']


def test_capture_needs_a_store_it_can_write(lab):
    path = lab.write('http.pcap', http_capture(b'x', 100))
    p, _ = inspect(lab, path, lab.write('one.rules', ''), '--set', 'app.filestore.enabled=on',
                   '--set', 'app.filestore.dir=/nowhere/at/all', check=False)
    assert p.returncode != 0 and 'app.filestore.dir' in p.stderr, p


def test_capture_same_twice(capture):
    lab, path, rules = capture
    one = [e for e in inspect(lab, path, rules)[1] if e['event_type'] == 'alert']
    two = [e for e in inspect(lab, path, rules)[1] if e['event_type'] == 'alert'][-len(one):]

    def facts(v):
        return [(e['timestamp'], e['pcap_cnt'], e['src_ip'], e['src_port'], e['alert']['signature_id']) for e in v]
    assert facts(one) == facts(two)


@pytest.mark.parametrize('cut', [0, 3, 23, 30, 'half'])
def test_capture_cut_short(capture, cut):
    """Said in one sentence that names the file; what came before the cut was inspected."""
    lab, path, rules = capture
    data = path.read_bytes()
    short = lab.write(f'cut-{cut}.pcap', data[:len(data) // 2 + 5 if cut == 'half' else cut])
    p, _ = inspect(lab, short, rules, check=False)
    assert 0 <= p.returncode < 126, p
    assert short.name in p.stderr, p
    if cut != 'half':
        assert p.returncode != 0


def test_not_a_capture(lab):
    rules = lab.write('r.rules', RULES)
    text = lab.write('not.pcap', 'this is no capture at all, but it is long enough to have a header\n')
    p, _ = inspect(lab, text, rules, check=False)
    assert 0 < p.returncode < 126 and 'not.pcap' in p.stderr, p
    p, _ = inspect(lab, lab.dir / 'missing.pcap', rules, check=False)
    assert 0 < p.returncode < 126 and 'missing.pcap' in p.stderr, p
