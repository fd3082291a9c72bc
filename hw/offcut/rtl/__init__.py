"""The gateware itself as an engine to call: compiled by Verilator, driven by a compiled harness, no Python per clock."""

from offcut.rtl.build import BuildError, cache_directory
from offcut.rtl.engine import ContractViolation, Engine, Hang, Reset, Result, Span
from offcut.rtl.request import Request

__all__ = ["BuildError", "ContractViolation", "Engine", "Hang", "Request", "Reset", "Result", "Span", "cache_directory"]
