# SPDX-License-Identifier: BSD-2-Clause
"""What faults cost, as tests/faults measures it, with little traffic, little time, and limits that a busy machine can hold.
The table itself is `make faults`."""
import pathlib
import sys

import pytest

from lab import SLOW, STANDIN

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / 'faults'))

import rows  # noqa: E402
import states  # noqa: E402

pytestmark = pytest.mark.skipif(bool(STANDIN), reason='the stand-in has no daemon')

RATE = int(5000 / SLOW)
HEARTBEATS = 10  # lost by one fault at most; asked on an idle machine is one
OPTIONS = rows.Options(rate=RATE, rounds=1, calm_s=1, reload_s=3, overload_s=2, upgrades=3, flaps=1, heavy=1)
CASES = [('nothing', 'closed'), ('kill -9', 'open'), ('kill -9', 'closed'), ('kill -9', 'open-known'), ('daemon stopped 0.5 s', 'open'),
         ('daemon stopped 0.5 s', 'closed'), ('one thread stopped 0.5 s', 'open'), ('one thread stopped 0.5 s', 'closed'), ('endless loop in a rule', 'open'),
         ('upgrades', 'open'), ('upgrades', 'closed'), ('carrier flaps', 'closed'), ('stop and start', 'open')]
UNHURT = 'nothing', 'upgrades'


@pytest.mark.parametrize('name, policy', CASES)
def test_what_it_costs(name, policy):
    row = rows.run_row(states.BY_NAME[name], 'sluice', policy, OPTIONS)
    if row.skipped:
        pytest.skip(row.skipped)
    assert not row.failed, row.notes
    r = row.result
    said = f'{r.lost} of {r.sent} lost, outages {r.outages[:5]}, windows {row.windows}, {dict(row.events)}'
    assert r.sent >= RATE, said
    assert r.tcp_ok, r.transfer
    assert r.n['duplicated'] == 0, said
    assert row.books == '', row.books
    if policy != 'open':
        assert r.evil_crossed == 0, said
    if policy != 'closed' and name != 'carrier flaps':
        assert row.worst <= HEARTBEATS * SLOW * OPTIONS.heartbeat_ms * RATE / 1000, said
    if name in UNHURT and SLOW == 1:
        assert row.worst <= (0 if policy == 'open' else HEARTBEATS * OPTIONS.heartbeat_ms * RATE / 1000), said
