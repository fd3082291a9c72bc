"""cocotb tests on the stand-in: the bench passes what is right, and says what is wrong."""

from itertools import product

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles

from traffic import Case, requests

from .agents import PATTERNS
from .bench import Bench, settings
from .rules import StreamRules
from .standin import FAULTS

SHORT = ("tiny", "pass", "csum-anywhere")
ONE_BYTE = Case(frame=b"1", vnet_hdr=bytes(10), frame_len=0, auto=False, mtu=0, note="pass: one byte")

MESSAGES = {
    "a bit": "segment 0 of 1",
    "user": "segment 0 of 1",
    "lost": ("segment 0 of 1", "1 frames did not come out"),
    "counted": "Counted drops {'bad_request': 31}",
}
"""How the message begins for faults that are not the stream's; for those it begins with the rule."""


def cases(dut, count, start=0):
    shape = {"width": len(dut.s_axis_tdata), "user_width": len(dut.m_axis_tuser)}
    return requests(settings()["seed"], count, **shape, size="small", jumbo=0, kinds=SHORT, start=start)


def bench(dut, **options):
    return Bench(dut, seed=settings()["seed"], expect=lambda case: ([case.frame], None), **options)


@cocotb.test
async def a_good_design_passes_under_every_pattern(dut):
    dut.fault.value = FAULTS.index("none")
    under_test = bench(dut)
    await under_test.reset()
    for number, (idle, backpressure) in enumerate(product(PATTERNS, PATTERNS)):
        under_test.pause(idle=idle, backpressure=backpressure)
        await under_test.run(cases(dut, 10, start=10 * number))


@cocotb.test
async def every_fault_is_found(dut):
    under_test = bench(dut, idle="seldom", backpressure="coin")
    for number, name in enumerate(FAULTS):
        if name == "none":
            continue
        dut.fault.value = number
        await under_test.reset()
        try:
            await under_test.run([*cases(dut, 30), ONE_BYTE])
        except AssertionError as error:
            assert str(error).startswith(MESSAGES.get(name, f"{name}:")), f"{name} was taken for {error}"
        else:
            raise AssertionError(f"Nobody saw the fault {name!r}")
        under_test.rules.broken.clear()


@cocotb.test
async def unknown_outputs_are_found(dut):
    """The design has no power-up values here, and nobody resets it."""
    for name in ("rst", "s_axis_tvalid", "m_axis_tready"):
        getattr(dut, name).value = 0
    rules = StreamRules(dut, "m_axis", dut.clk, dut.rst)
    cocotb.start_soon(Clock(dut.clk, 6, unit="ns").start())
    await ClockCycles(dut.clk, 10)
    assert rules.broken and all(line.startswith("known:") for line in rules.broken)
