"""The boards that a block design is written for. Pure Python."""

__all__ = ["PARTS"]

PARTS = {
    "arty-z7-20": "xc7z020clg400-1",
    "pynq-z1": "xc7z020clg400-1",
    "pynq-z2": "xc7z020clg400-1",
    "ebaz4205": "xc7z010clg400-1",
    "zybo-z7-10": "xc7z010clg400-1",
    "zybo-z7-20": "xc7z020clg400-1",
    "microzed-7010": "xc7z010clg400-1",
    "microzed-7020": "xc7z020clg400-1",
}
"""Parts by the boards' names."""
