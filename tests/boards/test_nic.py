"""The core design behind its processing system: a driver on one side, a MAC with a clock of its own on the other, and the engine's registers."""

from bench.simulate import run
from bench.virtio_designs import Watched, WiredNic, as_verilog
from offcut.boards.catalogue import BOARDS
from offcut.core.registers import REGISTERS

TOP = "nic"
COUNTERS_AT = {register.name.removesuffix("_low"): register.offset for register in REGISTERS if register.access == "low"}


def test_a_mac_gets_what_the_model_says_and_the_registers_have_counted_it(seed):
    board = BOARDS["zybo-z7-10"]
    settings = {
        "seed": seed,
        "count": 80,
        "engine": {"mtu_max": board.config.mtu_max, "features": sorted(board.config.features), "ufo_order": board.config.ufo_order},
        "counters_at": COUNTERS_AT,
    }
    text = as_verilog(Watched(WiredNic(board.config, memory_bytes=board.memory_bytes)), TOP)
    tests = ["a_mac_of_another_clock_gets_what_the_model_says_and_is_heard"]
    run("bench.virtio_net", verilog=text, top=TOP, tests=tests, settings=settings, name="boards-nic")
