"""AXI4-Lite's rules, whatever the manager and the registers do."""

import pytest

from formal import ProofFailed
from formal.axi_lite import axi_lite_bench
from offcut.core import axi_lite
from offcut.core.axi_lite import AxiLiteSubordinate

FAULTS = [
    # (what is replaced, by what, the promise that breaks)
    ("with m.If(bus.bvalid & bus.bready):", "with m.If(bus.bvalid):", "bvalid is not withdrawn"),
    (
        "registers.write.eq(has_address & has_data & ~bus.bvalid)",
        "registers.write.eq(has_address & has_data)",
        "a write that has wholly come",
    ),
    ("bus.wready.eq(~has_data)", "bus.wready.eq(1)", "no write is answered before|a write that has wholly come|wdata"),
    ("registers.read.eq(asked & ~bus.rvalid)", "registers.read.eq(asked)", "rdata is stable|a read that was asked"),
    ("                has_data.eq(0),\n", "", "no write is answered before|a write that has wholly come"),
]


def test_every_request_is_answered_once_and_every_answer_stays(prove):
    prove(axi_lite_bench(AxiLiteSubordinate(5)), depth=3)


@pytest.mark.parametrize(("text", "becomes", "promise"), FAULTS)
def test_a_fault_in_the_subordinate_is_found(prove, mutant, text, becomes, promise):
    faulty = mutant(axi_lite, text, becomes).AxiLiteSubordinate(5)
    with pytest.raises(ProofFailed, match="fails after reset") as failure:
        prove(axi_lite_bench(faulty, invariants=False), mode="bmc", depth=12)
    assert any(one in claim for claim in failure.value.claims for one in promise.split("|")), failure.value
