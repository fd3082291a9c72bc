"""docs/virtio.md says what gateware and tests are made of."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_tables_of_the_page_are_those_of_the_gateware_and_the_tests():
    done = subprocess.run([sys.executable, ROOT / "scripts" / "virtio_docs", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
