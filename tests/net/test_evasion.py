# SPDX-License-Identifier: BSD-2-Clause
"""Nobody walks around it: one attack, cut and covered in thousands of ways (evade.c), against a real Linux receiver
behind the bridge.

      client                       appliance                      server
    +----------------+          +------------------+          +----------------+
    | evade: frames  |----------| in0   ipsd   in1 |----------| evade's ports  |
    | of 10.9.0.100  |          |   drop the attack|          | 8080-8082      |
    +----------------+          +------------------+          +----------------+

Three things are shown. Behind the kernel's bridge the variants of every class do arrive, so the generator makes attacks
that a receiver takes. Behind ipsd none does. The same variants of harmless data arrive byte for byte, and no rule drops
any of it. To see one variant again: SLUICE_EVADE='--class rst --variant 8 -v' PYTEST_ARGS='-s -k attack'.
"""
import os
import re
import shlex

import pytest

from lab import BUILD, CLIENT_MAC, SERVER4, SERVER6, SERVER_MAC, SLOW, wait_until

FROM4, FROM6 = '10.9.0.100', 'fd00:9::100'
ATTACKS = 12000
MORE = os.environ.get('SLUICE_EVADE', '')

# One attack stands anywhere in the stream, the other at its beginning. A split inside every option's bytes is one of
# those that evade makes.
RULES = '''
drop tcp any any -> any 8080:8082 (msg:"anywhere"; flow:established,to_server; content:"/cgi-bin/"; content:"evil-"; \
distance:0; within:5; content:"/etc/shadow"; distance:4; within:40; content:"len="; distance:1; within:4; \
byte_test:4,>,4000,0,relative,string,dec; pcre:"/key=z{2}q+ HTTP/R"; sid:1;)
drop tcp any any -> any 8080:8082 (msg:"at the beginning"; flow:to_server; content:"POST /"; startswith; content:"adm1n-"; \
offset:6; depth:6; content:"really=yes"; distance:1; within:40; isdataat:5,relative; sid:2;)
drop udp any any -> any 8080 (msg:"anywhere, UDP"; content:"/cgi-bin/"; content:"evil-"; distance:0; within:5; \
content:"/etc/shadow"; distance:4; within:40; content:"len="; distance:1; within:4; \
byte_test:4,>,4000,0,relative,string,dec; pcre:"/key=z{2}q+ HTTP/R"; sid:3;)
drop udp any any -> any 8080 (msg:"at the beginning, UDP"; content:"POST /"; startswith; content:"adm1n-"; \
offset:6; depth:6; content:"really=yes"; distance:1; within:40; isdataat:5,relative; sid:4;)
'''
# One sender leaves thousands of datagrams unfinished, which would use up its share of the frames.
DEFRAG = {'frames': 4096, 'host_frames': 4096, 'ipv4_timeout': 2, 'ipv6_timeout': 2}
# Of each class at least this share of the attacks reaches a receiver that nobody guards, in percent. The other variants'
# chaff is what the receiver takes, or it ends the connection.
ARRIVES = {'split': 99, 'bytes': 99, 'order': 99, 'overlap': 10, 'checksum': 90, 'ttl': 90, 'window': 90, 'paws': 10, 'rst': 20,
           'fin': 20, 'syn': 80, 'fields': 60, 'resend': 90, 'urgent': 50, 'handshake': 50, 'spoof': 90, 'frag4': 90,
           'frag6': 90, 'ext6': 90, 'options4': 90, 'vlan': 90, 'udp': 30, 'odd': 90, 'reuse': 90, 'mixed': 30}


def evade(lab, mode, count, *args):
    """Play the variants; returns {class: (variants, arrived or wrong, resent)} and everything that was said."""
    for address in (FROM4, FROM6):
        lab.server.ip('neigh', 'replace', address, 'lladdr', CLIENT_MAC, 'dev', 'lan0', 'nud', 'permanent')
    # 0x202: data in a SYN is taken without a cookie
    lab.server.run(['sysctl', '-qw', 'net.ipv4.tcp_fastopen=0x202', 'net.ipv4.tcp_max_syn_backlog=8192',
                    'net.ipv4.tcp_syncookies=0', 'net.ipv4.tcp_invalid_ratelimit=0', 'net.ipv4.icmp_ratelimit=0',
                    'net.ipv4.ipfrag_high_thresh=67108864', 'net.ipv6.ip6frag_high_thresh=67108864'])
    p = lab.client.run([BUILD / 'tests/net/evade', '--server-ns', f'/run/netns/{lab.server.name}', '--mode', mode,
                        '--from', f'{CLIENT_MAC},{FROM4},{FROM6}', '--to', f'{SERVER_MAC},{SERVER4},{SERVER6}',
                        '--count', str(count), '--patience', str(SLOW), *args, *shlex.split(MORE)], timeout=150)
    print(p.stdout)
    assert 'total' in p.stdout, p.stdout + p.stderr
    return {name: tuple(map(int, numbers)) for name, *numbers in
            re.findall(r'^(?:class|total) (\S+) +(\d+) variants +(\d+) \w+ +(\d+) resent', p.stdout, re.M)}, p.stdout


@pytest.fixture(autouse=True)
def program():
    if not (BUILD / 'tests/net/evade').exists():
        pytest.skip('tests/net/evade is not built: make programs')


def test_attacks_arrive_where_nobody_looks(lab):
    """The generator itself: what it sends is an attack to a real receiver."""
    lab.kernel_bridge()
    wait_until(lambda: lab.client.run(['ping', '-n', '-c', '1', '-W', '1', SERVER4], check=False).returncode == 0, 'a ping')
    sums, said = evade(lab, 'attack', 3000, '--show', '0')
    if MORE:
        return
    assert set(sums) == {*ARRIVES, 'all'}, sums
    low = {c: f'{sums[c][1]} of {sums[c][0]}' for c, share in ARRIVES.items() if sums[c][1] * 100 < share * sums[c][0]}
    assert not low, f'fewer attacks arrive than should: {low}\n{said}'


def guarded(lab, mode, count, *args):
    """The variants against ipsd; what arrived or went wrong is none of them."""
    d = lab.ipsd(RULES, config={'defrag': DEFRAG})
    sums, said = evade(lab, mode, count, *args)
    what = 'attacks got through' if mode == 'attack' else 'harmless data was lost or changed'
    print('dropped:', {reason: n for reason, n in d.drops().items() if n})
    assert sums['all'][1] == 0, f'{what}:\n{said}'
    return d, sums


def test_no_attack_gets_through(lab):
    d, sums = guarded(lab, 'attack', ATTACKS)
    assert d.drops()['rules'] > 0
    assert MORE or sums['all'][0] >= 10000


def test_harmless_data_arrives_byte_for_byte(lab):
    d, sums = guarded(lab, 'harmless', ATTACKS)
    assert not d.drops()['rules'], d.drops()
    assert not d.events('alert')
    # where no chaff of any kind makes the receiver ask again, what was forwarded came at once
    slow = {c: sums[c] for c in ('split', 'order', 'bytes', 'overlap', 'checksum', 'window', 'urgent', 'vlan', 'options4', 'ext6')
            if c in sums and sums[c][2] * 10 > sums[c][0]}
    assert MORE or not slow, f'too much had to be sent again (variants, wrong, resent): {slow}'


@pytest.mark.lab(queues=2)
def test_no_attack_gets_through_two_workers(lab):
    """Fragments and segments of a flow arrive at either worker."""
    d, _ = guarded(lab, 'attack', 4000, '--seed', '2')
    assert d.stats()['frames.handed_off'] > 0


@pytest.mark.lab(queues=2)
def test_harmless_data_arrives_byte_for_byte_two_workers(lab):
    d, _ = guarded(lab, 'harmless', 4000, '--seed', '2')
    assert not d.drops()['rules'] and not d.events('alert'), d.drops()


def test_harmless_data_arrives_where_nobody_looks(lab):
    """The receiver and the sender's retransmissions, without the appliance: what ipsd is measured by."""
    lab.kernel_bridge()
    sums, said = evade(lab, 'harmless', 3000)
    assert sums['all'][1] == 0, f'harmless data was lost or changed:\n{said}'
