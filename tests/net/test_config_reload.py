# SPDX-License-Identifier: BSD-2-Clause
"""ipsctl config reload: what can change while frames cross does, in one step; what cannot says so and changes nothing."""
import pytest

from lab import CLIENT4, STANDIN, frame
from numbered import Numbered
from test_steer import arrived, udp4

pytestmark = pytest.mark.skipif(bool(STANDIN), reason='the stand-in has no configuration')

RULE = 'drop udp any any -> any any (msg:"marker"; content:"{}"; sid:{};)\n'


def changes(d, command='reload'):
    return {c['key']: (c['running'], c['file'], c['how']) for c in d.ctl_json('config', command)['changes']}


def crosses(lab, payload=b'', **kw):
    tx, rx = lab.client.tap('wan0'), lab.server.tap('lan0')
    f, last = frame(0x0800, udp4(1, marker=payload, **kw)), frame(0x0800, udp4(2, src='10.9.0.250'))
    tx.send(f)
    tx.send(last)
    return arrived(rx, [f, last])[0] == f


def test_live_keys(lab):
    blocked = lab.write('blocked.txt', '10.9.1.0/24\n10.9.2.0/24\n')
    d = lab.ipsd(RULE.format('one-marker', 1))
    other = lab.write('other.rules', RULE.format('other-marker', 2))
    assert changes(d, 'diff') == {} == changes(d)
    assert d.ctl('config', 'reload').stdout == 'no key has changed\n'

    def change(c):
        c['bridges'][0].update(fail='closed', heartbeat=3000, steer=['vlan 7 drop', 'src 10.9.3.0/24 drop'],
                               flow_cache='off')
        c['guard'] = {'block': [str(blocked)], 'broken': 'on', 'source_rate': '1000/s'}
        c['rules']['files'] = [str(other)]
        c['log']['level'] = 'info'
    d.rewrite(change)
    wanted = {'bridges[0].fail': ('open', 'closed', 'live'), 'bridges[0].heartbeat': ('2000', '3000', 'live'),
              'bridges[0].steer': ('[]', '[vlan 7 drop, src 10.9.3.0/24 drop]', 'live'),
              'bridges[0].flow_cache': ('on', 'off', 'live'),
              'rules.files': (f'[{d.rules}]', f'[{other}]', 'live, with the rules'),
              'guard.broken': ('off', 'on', 'live'), 'guard.source_rate': ('""', '1000/s', 'live'),
              'guard.block': ('[]', f'[{blocked}]', 'live'), 'log.level': ('notice', 'info', 'live')}
    assert changes(d, 'diff') == wanted
    assert crosses(lab, src='10.9.1.1') and not crosses(lab, b'one-marker')  # nothing has changed by asking
    assert changes(d) == wanted
    assert changes(d, 'diff') == {}
    assert not crosses(lab, src='10.9.1.1') and not crosses(lab, src='10.9.3.1') and crosses(lab)
    assert crosses(lab, b'one-marker') and not crosses(lab, b'other-marker', src='10.9.0.9')
    assert d.ctl_json('status')['bridges'][0]['fail'] == 'closed'
    assert d.ctl_json('guard', 'show')['source_rate'] == '1000/s burst 1000'
    [e] = d.wait_events('engine', where=lambda e: e['engine']['event'] == 'config' and e['engine']['changes'])
    assert {c['key'] for c in e['engine']['changes']} == set(wanted)

    d.rewrite(lambda c: c['log'].update(stats_interval=1))
    before = len(d.events('stats'))
    assert changes(d) == {'log.stats_interval': ('60', '1', 'live')}
    d.wait_events('stats', before + 2)

    # a file's content alone: entries go and come by difference, what was added by hand stays
    d.ctl('block', 'add', '10.9.4.0/24')
    d.ctl('steer', 'add', 'vlan 9 drop')
    blocked.write_text('10.9.2.0/24\n10.9.5.0/24\n')
    assert changes(d) == {}
    assert {e['prefix']: e['frames'] for e in d.ctl_json('block', 'list')['entries']} == {
        '10.9.2.0/24': 0, '10.9.4.0/24': 0, '10.9.5.0/24': 0}
    assert [l['line'] for l in d.ctl_json('steer', 'list')['lines']] == ['vlan 7 drop', 'src 10.9.3.0/24 drop']


def test_what_cannot_change_changes_nothing(lab):
    d = lab.ipsd(RULE.format('one-marker', 1))
    before = d.yaml.read_text()

    def refused(change, *says):
        d.rewrite(change)
        p = d.ctl('config', 'reload', check=False)
        assert p.returncode == 1, p.stdout
        for word in (*says, 'nothing was changed'):
            assert word in p.stderr, p.stderr
        d.yaml.write_text(before)
        assert changes(d, 'diff') == {}
        assert d.ctl_json('steer', 'list')['lines'] == [] and d.ctl_json('block', 'list')['entries'] == []
        assert d.ctl_json('status')['ruleset']['generation'] == 1
        assert d.ctl_json('guard', 'show')['broken'] is False

    def good(c):
        c['bridges'][0].update(steer=['vlan 7 drop'], fail='closed')
        c['guard'] = {'block': ['10.9.1.0/24'], 'broken': 'on'}

    def restart(c):
        good(c)
        c['flow'] = {'max': 1024}
        c['bridges'][0]['queues'] = 1
    refused(restart, '2 keys cannot change while ipsd runs', 'flow.max: 262144 -> 1024', 'bridges[0].queues: 0 -> 1',
            'ipsctl upgrade')

    def bad_rule(c):
        good(c)
        c['rules']['files'] = [str(lab.write('bad.rules', 'drop udp any any -> any any (msg:"x"; contnet:"y"; sid:9;)\n'))]
    refused(bad_rule, 'bad.rules:1', 'contnet')

    def bad_line(c):
        good(c)
        c['bridges'][0]['steer'].append('vlan 7 bypas')
    refused(bad_line, 'steer[1]', "did you mean 'bypass'?")

    def bad_list(c):
        good(c)
        c['guard']['block'].append(str(lab.write('bad.txt', '10.0.0.0/8\nx\n')))
    refused(bad_list, 'bad.txt:2')

    def unknown(c):
        good(c)
        c['gaurd'] = {}
    refused(unknown, "did you mean 'guard'?")
    d.yaml.write_text('{')
    p = d.ctl('config', 'reload', check=False)
    assert p.returncode == 1 and f'{d.yaml}:' in p.stderr
    d.yaml.unlink()
    assert d.ctl('config', 'diff', check=False).returncode == 1
    assert crosses(lab, src='10.9.1.1') and not crosses(lab, b'one-marker')


def test_the_command_line_is_read_again_too(lab):
    d = lab.ipsd(set=['bridges[0].fail=closed', 'flow.max=4096'])
    assert changes(d, 'diff') == {}
    d.rewrite(lambda c: c['bridges'][0].update(fail='open-known'))
    assert changes(d, 'diff') == {}  # --set stands over the file


def test_no_frame_is_lost(lab):
    """Reloads that change rules, lists and lines, one after the other, under a stream of numbered datagrams."""
    d = lab.ipsd(RULE.format('one-marker', 1))
    with Numbered(lab):
        for i in range(20):
            def change(c, i=i):
                c['bridges'][0].update(steer=[f'vlan {n} drop' for n in range(1, 2 + i)], fail='open' if i % 2 else 'closed')
                c['guard'] = {'block': [f'10.9.{i + 1}.0/24'], 'allow': [f'{CLIENT4}/32'] if i % 3 else []}
                c['rules']['vars'] = [{'name': 'HOME_NET', 'value': f'10.9.{i}.0/24'}]
            d.rewrite(change)
            assert 'guard.block' in changes(d)
    assert [e['prefix'] for e in d.ctl_json('block', 'list')['entries']] == ['10.9.20.0/24']
    assert d.ctl_json('status')['ruleset']['generation'] == 21
