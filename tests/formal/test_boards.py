"""The blocks between the processing system's ports and ours keep the handshake's rules."""

import pytest

from formal import ProofFailed
from formal.boards import axi_rules_bench
from offcut.boards import axi3_to_lite, memory_port
from offcut.boards.axi3_to_lite import Axi3ToLite
from offcut.boards.memory_port import MemoryPort


def memory_bench(port):
    return axi_rules_bench(port, upstream=list(port.i), downstream=[port.o])


def bridge_bench(bridge):
    return axi_rules_bench(bridge, upstream=[bridge.i], downstream=list(bridge.o))


@pytest.mark.parametrize("managers", [1, 2])
def test_a_memory_port_withdraws_and_changes_nothing(prove, managers):
    prove(memory_bench(MemoryPort(managers=managers, data_width=32)), depth=4)


def test_a_bridge_withdraws_and_changes_nothing_in_its_first_transactions(prove):
    prove(bridge_bench(Axi3ToLite(base=0x4000_0000, windows=1)), mode="bmc", depth=11)


@pytest.mark.parametrize(
    ("module", "text", "becomes", "promise"),
    [
        (memory_port, "granted.eq((~valid | ready) & may", "granted.eq(may", "is stable while it waits"),
        (memory_port, "with m.If(ready):\n                m.d.sync += valid.eq(0)", "m.d.sync += valid.eq(0)", "valid is not withdrawn"),
        (axi3_to_lite, "with m.If(arready):", "with m.If(1):", "valid is not withdrawn"),
        (axi3_to_lite, "with m.If(i.bready):", "with m.If(1):", "valid is not withdrawn"),
    ],
)
def test_a_fault_is_found(prove, mutant, module, text, becomes, promise):
    faulty = mutant(module, text, becomes)
    if module is memory_port:
        bench = memory_bench(faulty.MemoryPort(managers=1, data_width=32))
    else:
        bench = bridge_bench(faulty.Axi3ToLite(base=0x4000_0000, windows=1))
    with pytest.raises(ProofFailed) as failure:
        prove(bench, mode="bmc", depth=11)
    assert any(promise in claim for claim in failure.value.claims), failure.value
