"""Offcut: a segmentation and checksum offload engine for FPGA NICs."""

__version__ = "0.1.0"
