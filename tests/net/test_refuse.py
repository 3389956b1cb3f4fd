# SPDX-License-Identifier: BSD-2-Clause
"""Bad input: one sentence that says what is wrong and what to do, an exit status, and nothing changed."""
import json
import os
import shutil

import pytest

from lab import IPSCTL, IPSD, STANDIN, Ipsd, refused, run

pytestmark = pytest.mark.skipif(bool(STANDIN), reason='the stand-in has no daemon')


def test_no_such_interface(lab):
    said = refused(lab, bridges=[{'name': 'br0', 'interfaces': ['in0', 'nowhere7']}])
    assert 'nowhere7' in said and '; ' in said


def test_same_interface_twice(lab):
    said = refused(lab, bridges=[{'name': 'br0', 'interfaces': ['in0', 'in0']}])
    assert 'in0' in said


@pytest.mark.lab(second_cable_pair=True)
def test_interface_of_two_bridges(lab):
    said = refused(lab, bridges=[{'name': 'br0', 'interfaces': ['in0', 'in1']}, {'name': 'br1', 'interfaces': ['in1', 'in2']}])
    assert 'in1' in said


def test_one_interface_only(lab):
    assert 'br0' in refused(lab, bridges=[{'name': 'br0', 'interfaces': ['in0']}])


def test_loopback(lab):
    assert 'lo' in refused(lab, bridges=[{'name': 'br0', 'interfaces': ['in0', 'lo']}])


def test_driver_without_native_xdp(lab):
    made = lab.appliance.run(['ip', 'link', 'add', 'soft0', 'type', 'ifb'], check=False)
    if made.returncode != 0:
        made = lab.appliance.run(['ip', 'link', 'add', 'soft0', 'type', 'dummy'], check=False)
    if made.returncode != 0:
        pytest.skip('this kernel makes neither ifb nor dummy interfaces')
    lab.appliance.ip('link', 'set', 'soft0', 'up')
    said = refused(lab, bridges=[{'name': 'br0', 'interfaces': ['in0', 'soft0']}])
    assert 'soft0' in said and 'generic' in said, said


def test_control_socket_in_use(lab):
    first = lab.ipsd()
    said = refused(lab, config={'control': {'socket': str(first.socket)}})
    assert str(first.socket) in said
    assert first.running() and first.status()['bridges']


def test_interfaces_in_use(lab):
    """A second daemon with a socket of its own, on interfaces that have a bridge already."""
    first = lab.ipsd()
    said = refused(lab)
    assert 'bridge br0 is served by another ipsd' in said, said
    said = refused(lab, bridges=[{'name': 'other', 'interfaces': ['in0', 'in1']}])
    assert 'in0' in said or 'in1' in said, said
    assert first.running()
    lab.client.run(['ping', '-n', '-c', '1', '-W', '10', '10.9.0.2'])


YAML = {
    'syntax': ('bridges: [unclosed\n', ''),
    'unknown_key': ('bridges:\n  - name: br0\n    interfaces: [in0, in1]\n    colour: blue\n', 'colour'),
    'bad_value': ('bridges:\n  - name: br0\n    interfaces: [in0, in1]\n    queues: many\n', 'queues'),
    'bad_word': ('bridges:\n  - name: br0\n    interfaces: [in0, in1]\n    mode: warp\n', 'mode'),
    'no_bridge': ('log:\n  level: notice\n', 'bridges'),
    'empty': ('', ''),
    'not_a_mapping': ('- just\n- a\n- list\n', ''),
}


@pytest.mark.parametrize('name', YAML)
def test_bad_yaml(lab, name):
    text, word = YAML[name]
    path = lab.write('bad.yaml', text)
    said = refused(lab, argv=['-c', path])
    assert word in said and (str(path) in said or name in ('no_bridge', 'empty')), said


def test_missing_configuration(lab):
    path = lab.dir / 'nothing.yaml'
    assert str(path) in refused(lab, argv=['-c', path])


def test_bad_set(lab):
    assert 'flow.colour' in refused(lab, set=['flow.colour=blue'])
    assert 'flow.max' in refused(lab, set=['flow.max=lots'])


def test_bad_rules_at_start(lab):
    said = refused(lab, 'alert tcp any any -> any any (msg:"a"; content:"x"; sid:1;)\n'
                        'alert tcp any any -> any any (msg:"b"; nosuch:1; sid:2;)\n'
                        'alert tcp any any (broken\n', config={'rules': {'strict': True}})
    assert 'test.rules:2:' in said and 'test.rules:3:' in said, said


def test_missing_rule_file(lab):
    said = refused(lab, config={'rules': {'files': [str(lab.dir / 'no-such.rules')]}})
    assert 'no-such.rules' in said


def test_log_folder_missing(lab):
    said = refused(lab, config={'log': {'dir': str(lab.dir / 'no' / 'folder')}})
    assert str(lab.dir / 'no' / 'folder') in said


def test_no_privilege(lab):
    """As an ordinary user, from a place that user can read."""
    place = lab.dir / 'open'
    place.mkdir()
    place.chmod(0o777)
    program = shutil.copy(IPSD, place / 'ipsd')
    os.chmod(program, 0o755)
    rules = lab.write('open/test.rules', '')
    conf = lab.write('open/ips.yaml', json.dumps({'bridges': [{'name': 'br0', 'interfaces': ['in0', 'in1']}],
                                                  'rules': {'files': [str(rules)]}, 'log': {'dir': str(place)},
                                                  'control': {'socket': str(place / 's')}}))
    p = lab.appliance.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--no-new-privs', program, '-c',
                           conf], check=False, timeout=30)
    assert 0 < p.returncode < 126, p
    assert 'CAP_' in p.stderr or 'root' in p.stderr or 'privilege' in p.stderr, p.stderr
    assert 'ready' not in p.stderr


def test_unknown_option_and_help(lab):
    p = run([IPSD, '--no-such-option'], check=False)
    assert p.returncode == 2 and '--no-such-option' in p.stderr, p
    p = run([IPSD, '--help'])
    for word in ('--pcap', '--rules', '--set', '-c'):
        assert word in p.stdout, p.stdout
    assert run([IPSD, '--version']).stdout.strip()


def test_ipsctl_without_a_daemon(lab):
    from lab import IPSCTL
    p = run([IPSCTL, '--socket', lab.dir / 'nobody.sock', 'status'], check=False)
    assert p.returncode == 3 and 'nobody.sock' in p.stderr, p


def test_strangers_may_not_command(lab):
    """Peer credentials, not only the file's mode: an open socket file lets nobody in."""
    d = lab.ipsd()
    os.chmod(d.socket, 0o666)
    os.chmod(d.dir, 0o755)
    code = f'''
import socket, json
s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect({str(d.socket)!r})
s.sendall(json.dumps({{"command": "shutdown", "args": {{}}}}).encode() + b"\\n")
print(s.makefile().readline())
'''
    p = run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '/usr/bin/python3', '-c', code], check=False)
    answer = json.loads(p.stdout) if p.stdout.strip() else {'ok': False, 'code': 403}
    assert answer['ok'] is False and answer['code'] == 403, p
    assert d.running() and d.status()['bridges']


def test_garbage_on_the_control_socket(lab):
    import socket as so
    d = lab.ipsd()
    for junk in (b'not json\n', b'{}\n', b'[1,2]\n', b'{"command": 5}\n', b'{"command": "no such"}\n', b'\x00\xff\n',
                 b'{"command": "block add", "args": {"prefix": 7}}\n', b'{"command": "status"', b'[' * 100000 + b'\n'):
        s = so.socket(so.AF_UNIX)
        s.settimeout(20)
        s.connect(str(d.socket))
        s.sendall(junk)
        if junk.endswith(b'\n'):
            answer = json.loads(s.makefile().readline())
            assert answer['ok'] is False and answer['code'] in (400, 404) and answer['error'], (junk[:30], answer)
        s.close()
    assert d.status()['bridges']


def test_check_strict(tmp_path):
    """One bad rule stops no other; with --strict it stops all. The reply counts either way."""
    good = tmp_path / 'good.rules'
    good.write_text('alert tcp any any -> any any (msg:"a"; content:"a"; sid:1;)\n'
                    'alert rfb any any -> any any (msg:"b"; rfb.name; content:"b"; sid:2;)\n')
    bad = tmp_path / 'bad.rules'
    bad.write_text('alert tcp any any -> any any (msg:"c"; nosuchoption; sid:3;)\n')

    def check(*args):
        p = run([IPSCTL, '--json', 'rules', 'check', *args], check=False)
        return p.returncode, json.loads(p.stdout)

    for strict in ([], ['--strict']):
        status, r = check(*strict, good)
        assert (status, r['loaded'], r['dormant'], r['rejected'], r['errors']) == (0, 2, 1, 0, [])
    status, r = check(good, bad)
    assert (status, r['loaded'], r['dormant'], r['rejected'], len(r['errors'])) == (1, 2, 1, 1, 1)
    assert r['memory_bytes'] > 0 and r['load_ms'] >= 0
    status, r = check('--strict', good, bad)
    assert (status, r['loaded'], r['dormant'], r['rejected'], len(r['errors'])) == (1, 0, 0, 1, 1)
    [e] = r['errors']
    assert (e['file'], e['line'], e['column']) == (str(bad), 1, 40) and 'nosuchoption' in e['what'] and e['remedy']
    p = run([IPSCTL, 'rules', 'check', '--strict', good, bad], check=False)
    assert p.returncode == 1 and 'without it 2 would be loaded' in p.stdout and f'{bad}:1:40:' in p.stderr
    for args in (['rules', 'check', '--strict'], ['rules', 'reload', '--strict'], ['rules', 'explain', '--strict', '1', good]):
        p = run([IPSCTL, *args], check=False)  # where it means nothing: said, not ignored
        assert p.returncode == 2 and 'rules.strict' in p.stderr, p
    for page in (['--help'], ['rules', 'check', '--help']):
        assert '--strict' in run([IPSCTL, *page]).stdout
