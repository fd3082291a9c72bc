"""``python -m offcut``: the same as ``offcut``."""

import sys

from offcut.cli import main

if __name__ == "__main__":
    sys.exit(main())
