"""Measure the engine: clocks in simulation, the harness, area and speed as scripts/synth has recorded them, and what software does instead."""
