"""What every test shares: one seed option, the long campaign, and which tests run on the same worker."""

import zlib

import pytest

DEFAULT_SEED = 20080


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


@pytest.fixture
def seed(request):
    """This test's own seed: the ``--seed`` option mixed with the test's name, so that no two tests draw the same numbers."""
    return zlib.crc32(f"{request.config.getoption('seed')} {request.node.path.name} {request.node.name}".encode())


@pytest.fixture
def long_campaign(request):
    """Whether ``--long`` was given, for tests that only grow with it."""
    return request.config.getoption("long")
