"""The block tests' helpers and dice, here as well."""

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "gateware"))


@pytest.fixture
def dice(seed):
    """This test's own random numbers, made from its ``seed``."""
    return random.Random(seed)
