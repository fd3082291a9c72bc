"""What every test shares: one seed option, the long campaign, which tests run on the same worker and in what order, and how programs are started."""

import functools
import os
import signal
import subprocess
import zlib
from pathlib import Path

import pytest

DEFAULT_SEED = 20080

LONGEST_FIRST = ("test_veth_traffic", "test_offcut_tx", "test_core", "test_virtio_net", "test_payload_buffer", "test_guest", "test_random")
"""Files of few tests that take minutes, most of them to compile: begun first, so that no worker ends alone with one of them."""

# A test compiles an engine for seconds of simulation: optimised by half it is as fast, and there in half the time.
os.environ.setdefault("CXXFLAGS", "-O1")
if not os.environ.get("HOME"):
    os.environ.setdefault("OFFCUT_CACHE", str(Path(__file__).parents[1] / "build" / "engines"))


def pytest_addoption(parser):
    group = parser.getgroup("offcut")
    group.addoption("--seed", type=int, default=DEFAULT_SEED, metavar="N", help="base seed of every random test (default: %(default)s)")
    group.addoption("--long", action="store_true", help="run the long campaign (tests marked `long`), too")


def pytest_report_header(config):
    return f"seed: {config.getoption('seed')} (again with --seed N)"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    if not config.getoption("long"):
        left_out = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("long")]
    # Tests of one file and one bus width share a worker, so what they compile is compiled once; widths run side by side.
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            width = item.callspec.params.get("width", "") if hasattr(item, "callspec") else ""
            item.add_marker(pytest.mark.xdist_group(f"{item.path.stem}{width}"))
    items.sort(key=lambda item: LONGEST_FIRST.index(item.path.stem) if item.path.stem in LONGEST_FIRST else len(LONGEST_FIRST))


@pytest.fixture
def seed(request):
    """This test's own seed: the ``--seed`` option mixed with the test's name, so that no two tests draw the same numbers."""
    return zlib.crc32(f"{request.config.getoption('seed')} {request.node.path.name} {request.node.name}".encode())


@pytest.fixture
def long_campaign(request):
    """Whether ``--long`` was given, for tests that only grow with it."""
    return request.config.getoption("long")


@pytest.fixture
def popen():
    """``subprocess.Popen`` for programs that are sent signals: they are not born deaf to them, though the tests were, by ``nohup`` or ``&``."""
    return functools.partial(subprocess.Popen, preexec_fn=_hear_signals)


def _hear_signals():
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
