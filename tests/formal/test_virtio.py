"""What speaks to memory keeps AXI's rules, stays in its window, and comes to an end, whatever the driver wrote there."""

import pytest

from formal import ProofFailed
from formal.virtio import bursts_bench, read_bench, walker_bench, write_bench
from offcut.virtio import bursts, dma, walker
from offcut.virtio.layouts import Geometry

ADDR_WIDTH = 32
MAX_QUEUE = 16


def geometry():
    return Geometry(ADDR_WIDTH, MAX_QUEUE)


PROOFS = {
    # block: (what makes it, its bench, k)
    "bursts": (lambda module: module.Bursts(geometry()), bursts, bursts_bench, 3),
    "writes": (lambda module: module.WriteChannel(geometry(), cache=3), dma, write_bench, 3),
    "reads": (lambda module: module.ReadChannel(geometry(), cache=3), dma, read_bench, 3),
    "walker": (lambda module: module.Walker(geometry()), walker, walker_bench, 2),
}

FAULTS = [
    # (block, what is replaced, by what, clocks, the promise that breaks)
    ("bursts", "end.eq(length + offset - 1)", "end.eq(length + offset)", 6, "burst"),
    ("bursts", "Mux(across, BLOCK_BEATS, ", "Mux(across, BLOCK_BEATS + 1, ", 6, "a burst stays"),
    ("bursts", "blocks.eq(blocks - 1)", "blocks.eq(blocks - 2)", 8, "last burst"),
    ("writes", "self.final.eq(left == 1)", "self.final.eq(left == 2)", 8, "wlast"),
    ("writes", "(left == 0) & w_free)", "(left == 0))", 8, "w does not change"),
    ("writes", "with m.If(self.awready):\n            m.d.sync += self.awvalid.eq(0)", "m.d.sync += self.awvalid.eq(0)", 8, "awvalid"),
    ("reads", "(offset < pages)", "(offset <= pages)", 8, "outside of the window"),
    ("reads", "(~self.arvalid | self.arready) & reads.i.ready", "reads.i.ready", 8, "ar does not change"),
    ("walker", "with m.Elif(mark == self.done):", "with m.Elif(stored & (mark == self.done)):", 0, "passed by"),
    ("walker", "(taken == size)", "(taken == 1 << g.head_bits)", 0, "as many descriptors"),
    ("walker", "is_indirect & (in_table | ~self.indirect", "is_indirect & (~self.indirect", 0, "has been judged"),
]


@pytest.mark.parametrize("block", PROOFS)
def test_the_rules_hold_whatever_memory_and_driver_do(prove, block):
    make, module, bench, depth = PROOFS[block]
    prove(bench(make(module)), depth=depth)


@pytest.mark.parametrize(("block", "text", "becomes", "clocks", "promise"), FAULTS)
def test_a_fault_is_found(prove, mutant, block, text, becomes, clocks, promise):
    """In the first clocks after reset; the walker's lie too deep for that, and there it is the induction that fails."""
    make, module, bench, depth = PROOFS[block]
    faulty = make(mutant(module, text, becomes))
    with pytest.raises(ProofFailed) as failure:
        if clocks:
            prove(bench(faulty, invariants=False), mode="bmc", depth=clocks)
        else:
            prove(bench(faulty), depth=depth)
    assert any(promise in claim for claim in failure.value.claims), failure.value
