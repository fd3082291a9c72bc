"""The boards that a block design is written for. Pure Python."""

from offcut.boards.catalogue import BOARDS

__all__ = ["PARTS"]

PARTS = {name: board.part for name, board in BOARDS.items()}
"""Parts by the boards' names."""
