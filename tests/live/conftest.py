"""Live NICs for tests, where the machine allows them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from judgement import own_name

from offcut.live import LiveError, Session, Settings


@pytest.fixture(scope="session")
def live_possible():
    """Skip, with the reason, where no live NIC can be made."""
    try:
        with Session(Settings(engine="model", name=own_name())):
            pass
    except LiveError as error:
        pytest.skip(str(error))


@pytest.fixture
def live(live_possible):
    """Makes a live NIC of a name of its own: ``with live(mtu=9000) as nic``."""
    return lambda **settings: Session(Settings(**({"name": own_name(), "tuned": False} | settings)))


@pytest.fixture
def program():
    """A program's path, or a skip where it is missing."""

    def find(name):
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find


@pytest.fixture
def finished():
    """Start a program at one end and wait for it: what it printed. It must succeed."""

    def run(nic, end, command, timeout=400):
        process = nic.start(end, command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=timeout)
        assert process.returncode == 0, err.decode()
        return out

    return run
