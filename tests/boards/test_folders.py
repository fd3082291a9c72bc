"""The boards' folders are what the sources make."""

import subprocess
import sys
from pathlib import Path

from offcut.boards.catalogue import BOARDS

ROOT = Path(__file__).parents[2]


def test_readmes_overlays_and_the_table_are_up_to_date():
    run = subprocess.run([sys.executable, ROOT / "scripts" / "boards", "--check"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_every_board_has_a_folder_and_every_folder_a_board():
    assert {path.name for path in (ROOT / "boards").iterdir()} == set(BOARDS)
