"""The stand-in's engine, and the stand-in on the import path."""

import sys
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from standin import StandIn

from offcut import verilog
from offcut.config import Config
from offcut.rtl import Engine


@cache
def standin_engine(width, trace=False, user_width=0):
    text = verilog.convert(StandIn(width, user_width=user_width), name=verilog.TOP)
    return Engine(Config(width=width, user_width=user_width), dut=text, trace=trace)


@pytest.fixture(name="standin_engine")
def standin_engine_fixture():
    """Makes the compiled stand-in of a bus width in bits, with user bits if they are asked for."""
    return standin_engine
