"""Formal proofs of the gateware's blocks: what each promises holds in every clock, whatever its surroundings do within their own contract."""

from .bench import Bench
from .prover import ProofFailed, prove

__all__ = ["Bench", "ProofFailed", "prove"]
