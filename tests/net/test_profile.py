# SPDX-License-Identifier: BSD-2-Clause
"""What rules cost, asked of a daemon at work; and the cache that a published load fills."""
import os

from lab import wait_until
from test_reload import crosses, udp_pair

RULES = ('alert udp any any -> any 7300 (msg:"twice"; content:"evil"; content:"twin"; sid:2101;)\n'
         'alert udp any any -> any 7300 (msg:"never"; content:"good"; sid:2102;)\n')


def profile(d, *args):
    return d.ctl_json('rules', 'profile', *args)


def row(d, sid):
    return next((r for r in profile(d)['rules'] if r['sid'] == sid), None)


def test_profile_while_traffic_flows(lab):
    d = lab.ipsd(RULES)
    c, s = udp_pair(lab)
    assert d.ctl('rules', 'profile', check=False).returncode == 6  # it was never on
    assert profile(d, 'on')['on']
    assert crosses(lab, c, s, b'evil twin')
    assert crosses(lab, c, s, b'evil alone')
    wait_until(lambda: row(d, 2101) and row(d, 2101)['checks'] == 2, 'both packets to be counted')
    r = row(d, 2101)
    assert r['matches'] == 1 and r['ns'] > 0 and row(d, 2102) is None
    assert 'twice' in d.ctl('rules', 'profile', 'show', '--limit', '1').stdout
    d.ctl('rules', 'reload')  # goes on, from zero
    now = profile(d)
    assert now['on'] and now['rules'] == []
    assert crosses(lab, c, s, b'evil twin')
    wait_until(lambda: row(d, 2101), 'the new rules to be counted')
    assert not profile(d, 'off')['on']
    assert crosses(lab, c, s, b'evil twin')
    assert row(d, 2101)['checks'] == 1  # what was counted stays


def test_a_published_load_fills_the_cache(lab, tmp_path):
    cache = tmp_path / 'cache'
    cache.mkdir(mode=0o755)
    d = lab.ipsd(RULES, set=[f'rules.cache={cache}'])
    files = os.listdir(cache)
    assert len(files) == 1 and files[0].endswith('.hsdb'), files
    d.rules.write_text(RULES.replace('good', 'better'))
    d.ctl('rules', 'check')  # asks what a load would say, and keeps nothing
    assert os.listdir(cache) == files
    d.ctl('rules', 'reload')
    assert len(os.listdir(cache)) == 2
