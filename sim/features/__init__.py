"""What the engine does, feature by feature, as a table of small requests: docs/features.md is made of it, and the tests run over it.

:mod:`.table` has the rows, :mod:`.row` says what one is, :mod:`.page` writes them as Markdown.
"""

from .row import Row
from .table import AUTO, TABLE

__all__ = ["AUTO", "TABLE", "Row"]
