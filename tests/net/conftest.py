# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the network tests. `lab` is the three hosts of lab.py; @pytest.mark.lab(queues=2) shapes it. After the
test every daemon that still runs is stopped in good order, which asserts that no frame was lost by its owners.
"""
import os
import signal

import pytest

import lab as lab_module
from lab import SLOW, Lab, sweep

TEST_LIMIT_S = 180


def pytest_configure(config):
    config.addinivalue_line('markers', 'lab(queues, mtu, second_cable_pair, hop): shape of the lab')


def _terminate(signum, stack):
    raise KeyboardInterrupt  # so that a killed run takes its namespaces down too


@pytest.fixture(scope='session', autouse=True)
def machine():
    if os.geteuid() != 0:
        pytest.exit('the network tests make namespaces and load BPF programs: run them as root (sudo make check-net)', 3)
    if not lab_module.STANDIN and not (lab_module.IPSD.exists() and lab_module.IPSCTL.exists()):
        pytest.exit(f'{lab_module.IPSD} or ipsctl is missing: run make first', 3)
    signal.signal(signal.SIGTERM, _terminate)
    sweep()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """A test that hangs is a failed test, and the next one runs."""
    def too_long(signum, stack):
        raise TimeoutError(f'the test ran longer than {TEST_LIMIT_S * SLOW:.0f} s')
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(int(TEST_LIMIT_S * SLOW))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its daemons said."""
    report = (yield).get_result()
    the_lab = getattr(item, 'the_lab', None)
    if report.failed and the_lab:
        for path in sorted(the_lab.dir.glob('ipsd*/stderr')):
            report.sections.append((f'{path.parent.name} said', path.read_text(errors='replace')[-6000:]))


@pytest.fixture
def lab(request):
    mark = request.node.get_closest_marker('lab')
    the_lab = Lab(**(mark.kwargs if mark else {}))
    request.node.the_lab = the_lab
    try:
        yield the_lab
        for d in list(the_lab.daemons):
            d.stop()
    finally:
        the_lab.close()
