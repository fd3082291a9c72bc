"""``offcut_core``: the transmit engine behind AXI4-Lite registers, with 64-bit counters.

:mod:`offcut.core.registers` is the one list of registers, :mod:`offcut.core.documents` makes the page and the header of it; both are
pure Python. The gateware is :class:`offcut.core.core.OffcutCore`.
"""
