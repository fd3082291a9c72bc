"""A reset by register, between two frames."""

import pytest

from formal import ProofFailed
from formal.restart import restart_bench
from offcut.core import restart
from offcut.core.restart import Restart

FAULTS = [
    # (what is replaced, by what, the promise that breaks)
    ("(~self.valid & ~inside)", "~inside", "no reset while a beat waits"),
    ("with m.Elif(self.resetting & between):", "with m.Elif(self.resetting):", "no reset w"),
    ("m.d.sync += [self.reset.eq(1), self.show.eq(0)]", "m.d.sync += self.reset.eq(1)", "beats are shown but in the reset"),
]


def test_a_reset_comes_and_comes_between_two_frames(prove):
    prove(restart_bench(Restart()), depth=3)


@pytest.mark.parametrize(("text", "becomes", "promise"), FAULTS)
def test_a_fault_in_the_reset_is_found(prove, mutant, text, becomes, promise):
    faulty = mutant(restart, text, becomes).Restart()
    with pytest.raises(ProofFailed, match="fails after reset") as failure:
        prove(restart_bench(faulty, invariants=False), mode="bmc", depth=12)
    assert any(promise in claim for claim in failure.value.claims), failure.value
