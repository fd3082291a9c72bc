"""AXI3, which the processing system of a Zynq-7000 speaks (AMBA AXI, IHI 0022, part A): bursts of at most 16 beats, and an ID beside write data."""

from amaranth.lib.wiring import In, Out, Signature

__all__ = ["AXI3_BEATS", "BURST_FIXED", "BURST_WRAP", "RESP_DECERR", "Axi3"]

AXI3_BEATS = 16
"""The longest burst."""

BURST_FIXED = 0b00
BURST_WRAP = 0b10
RESP_DECERR = 0b11


class Axi3(Signature):
    """AXI3 with 32 bits of address, seen from the manager.

    Parameters
    ----------
    data_width : int
        32 or 64.
    id_width : int
        At least 1.
    user_width : int
        Bits of ``aruser`` and ``awuser``; with 0 there are none.

    Raises
    ------
    ValueError
        If a width is none of these.
    """

    def __init__(self, *, data_width, id_width, user_width=0):
        if data_width not in {32, 64}:
            raise ValueError(f"An AXI3 port of the processing system has 32 or 64 bits, not {data_width}")
        if id_width < 1 or user_width < 0:
            raise ValueError(f"An AXI3 port cannot have {id_width} bits of ID and {user_width} user bits")
        self.data_width, self.id_width, self.user_width = data_width, id_width, user_width
        address = {"id": id_width, "addr": 32, "len": 4, "size": 2, "burst": 2, "lock": 2, "cache": 4, "prot": 3, "qos": 4, "valid": 1}
        address |= {"user": user_width} if user_width else {}
        super().__init__({
            **{f"aw{name}": Out(width) for name, width in address.items()}, "awready": In(1),
            "wid": Out(id_width), "wdata": Out(data_width), "wstrb": Out(data_width // 8), "wlast": Out(1), "wvalid": Out(1), "wready": In(1),
            "bid": In(id_width), "bresp": In(2), "bvalid": In(1), "bready": Out(1),
            **{f"ar{name}": Out(width) for name, width in address.items()}, "arready": In(1),
            "rid": In(id_width), "rdata": In(data_width), "rresp": In(2), "rlast": In(1), "rvalid": In(1), "rready": Out(1),
        })  # fmt: skip
