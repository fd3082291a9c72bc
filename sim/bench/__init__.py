"""Benches that drive Verilog with cocotb: agents on both streams, monitors of the stream rules, and a scoreboard against the model."""
