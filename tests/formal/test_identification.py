"""Identifications are the cipher's, whatever their number."""

import pytest

from formal import ProofFailed
from formal.identification import identification_bench
from offcut.tx import identification
from offcut.tx.identification import Identification

ENGINES = [
    # (rounds a clock, latency): the same description, and with four rounds a harder proof
    (2, 17),
    pytest.param(4, 9, marks=pytest.mark.long),
]

FAULTS = [
    # (what is replaced, by what, the promise or invariant that breaks)
    ("carry.eq(total[rounds])", "carry.eq(0)", "a carry passes"),
    ("Mux(last, turned[16:], place ^ known)", "Mux(last, number[16:], place ^ known)", "the high half is loaded once"),
    ("key.word_select(n % 2, 16)", "key.word_select(1, 16)", "that of the plain cipher"),
    ("self.take | fresh", "self.take", "a run lasts as many clocks"),
]


@pytest.mark.parametrize(("rounds", "latency"), ENGINES)
def test_every_identification_is_the_cipher_of_its_number_and_there_in_time(prove, rounds, latency):
    prove(identification_bench(Identification(rounds), latency=latency), depth=1)


@pytest.mark.parametrize(("text", "becomes", "promise"), FAULTS)
def test_a_fault_in_the_cipher_is_found(prove, mutant, text, becomes, promise):
    faulty = mutant(identification, text, becomes).Identification(2)
    with pytest.raises(ProofFailed) as failure:
        prove(identification_bench(faulty, latency=17), depth=1)
    assert any(promise in claim for claim in failure.value.claims), failure.value
