"""The helpers of the block tests on the import path, and their dice."""

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def dice(seed):
    """This test's own random numbers, made from its ``seed``."""
    return random.Random(seed)
