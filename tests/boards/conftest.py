"""The block tests' helpers on the import path, and their dice."""

import random
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "gateware"):
    sys.path.insert(0, str(folder))


@pytest.fixture
def dice(seed):
    """This test's own random numbers, made from its ``seed``."""
    return random.Random(seed)
