# SPDX-License-Identifier: BSD-2-Clause
"""What rules remember about hosts, when a host's flows are spread over two workers: one memory, one count."""
import select
import socket

import pytest

from lab import SERVER4, wait_until

pytestmark = pytest.mark.lab(queues=2)
FLOWS = 40


def receiver(lab, port):
    return lab.server.socket(socket.AF_INET, socket.SOCK_DGRAM, bind=(SERVER4, port))


def send_flows(lab, port, text=b'x'):
    """One datagram in each of many flows."""
    for _ in range(FLOWS):
        lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(text, (SERVER4, port))


def pending(server):
    """Workers overtake each other, so ask only when all have been inspected."""
    n = 0
    while select.select([server], [], [], 0.2)[0]:
        server.recv(100)
        n += 1
    return n


def test_a_count_is_one_count(lab):
    d = lab.ipsd('alert udp any any -> any 7801 (msg:"limit"; threshold:type limit,track by_src,count 3,seconds 600; '
                 'content:"x"; sid:5001;)\n'
                 'drop udp any any -> any 7802 (msg:"filter"; detection_filter:track by_src,count 5,seconds 600; '
                 'content:"x"; sid:5002;)\n')
    limit, filtered = receiver(lab, 7801), receiver(lab, 7802)
    send_flows(lab, 7801)
    send_flows(lab, 7802)
    wait_until(lambda: d.stats()['detect.matches'] == 2 * FLOWS, 'every packet to be inspected')
    assert pending(limit) == FLOWS
    assert pending(filtered) == 5  # whichever worker saw them
    assert d.drops()['rules'] == FLOWS - 5
    assert len(d.wait_events('alert', 3, lambda e: e['alert']['signature_id'] == 5001)) == 3
    assert all(w['rx'] > 0 for w in d.status()['bridges'][0]['workers'])


def test_a_host_is_known_to_all_workers_and_after_a_reload(lab):
    d = lab.ipsd('alert udp any any -> any 7803 (msg:"knock"; content:"knock"; '
                 'xbits:set,net.knock,track ip_src,expire 600; sid:5003;)\n'
                 'drop udp any any -> any 7804 (msg:"known"; content:"x"; xbits:isset,net.knock,track ip_src; sid:5004;)\n')
    server = receiver(lab, 7804)
    send_flows(lab, 7804)
    wait_until(lambda: d.stats()['detect.scans'] >= FLOWS, 'every packet to be inspected')
    assert pending(server) == FLOWS
    send_flows(lab, 7803, b'knock')
    wait_until(lambda: d.stats()['detect.matches'] == FLOWS, 'the host to be noted')
    send_flows(lab, 7804)
    wait_until(lambda: d.drops()['rules'] == FLOWS, 'every packet to be dropped')
    d.ctl('rules', 'reload')
    send_flows(lab, 7804)
    wait_until(lambda: d.drops()['rules'] == 2 * FLOWS, 'every packet to be dropped after the reload')
    assert pending(server) == 0
