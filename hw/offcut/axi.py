"""AXI signatures, seen from the manager; a subordinate's port is ``In`` of them. Names are the standard's (AMBA AXI, IHI 0022), in lower case.

``flat_ports`` gives the flat names that a Verilog user wires up: ``s_axil_awaddr`` for the member ``awaddr`` of an interface ``s_axil``.
"""

from amaranth.lib.wiring import In, Out, Signature

__all__ = ["BURST_INCR", "PAGE_BYTES", "RESP_OKAY", "RESP_SLVERR", "Axi4", "AxiLite", "AxiStream", "flat_ports"]

BURST_INCR = 0b01
RESP_OKAY = 0b00
RESP_SLVERR = 0b10
PAGE_BYTES = 4096
"""No burst crosses a multiple of this."""


class AxiLite(Signature):
    """AXI4-Lite with 32 bits of data.

    Parameters
    ----------
    addr_width : int
        Bits of a byte address.
    """

    def __init__(self, addr_width):
        self.addr_width = addr_width
        super().__init__({
            "awaddr": Out(addr_width), "awprot": Out(3), "awvalid": Out(1), "awready": In(1),
            "wdata": Out(32), "wstrb": Out(4), "wvalid": Out(1), "wready": In(1),
            "bresp": In(2), "bvalid": In(1), "bready": Out(1),
            "araddr": Out(addr_width), "arprot": Out(3), "arvalid": Out(1), "arready": In(1),
            "rdata": In(32), "rresp": In(2), "rvalid": In(1), "rready": Out(1),
        })  # fmt: skip


class Axi4(Signature):
    """AXI4 as a manager of memory needs it: incrementing bursts, no locks, no regions.

    Parameters
    ----------
    addr_width : int
        Bits of a byte address.
    data_width : int
        32, 64 or 128.
    id_width : int
        At least 1. Transactions with one ID stay in order.

    Raises
    ------
    ValueError
        If a width is none of these.
    """

    def __init__(self, addr_width=64, data_width=64, id_width=1):
        if data_width not in {32, 64, 128}:
            raise ValueError(f"An AXI4 data bus has 32, 64 or 128 bits here, not {data_width}")
        if id_width < 1:
            raise ValueError(f"An AXI4 ID has at least 1 bit, not {id_width}")
        self.addr_width, self.data_width, self.id_width = addr_width, data_width, id_width
        address = {"id": id_width, "addr": addr_width, "len": 8, "size": 3, "burst": 2, "cache": 4, "prot": 3, "valid": 1}
        super().__init__({
            **{f"aw{name}": Out(width) for name, width in address.items()}, "awready": In(1),
            "wdata": Out(data_width), "wstrb": Out(data_width // 8), "wlast": Out(1), "wvalid": Out(1), "wready": In(1),
            "bid": In(id_width), "bresp": In(2), "bvalid": In(1), "bready": Out(1),
            **{f"ar{name}": Out(width) for name, width in address.items()}, "arready": In(1),
            "rid": In(id_width), "rdata": In(data_width), "rresp": In(2), "rlast": In(1), "rvalid": In(1), "rready": Out(1),
        })  # fmt: skip


class AxiStream(Signature):
    """AXI4-Stream (IHI 0051) of frames, seen from the transmitter.

    ``tkeep`` is contiguous from lane 0 and full on every beat but the one with ``tlast``; byte 0 is in bits 7:0.

    Parameters
    ----------
    data_width : int
        Bits, a multiple of 8.
    user_width : int
        Bits of ``tuser``; with 0 there is none.

    Raises
    ------
    ValueError
        If ``data_width`` is no multiple of 8, or ``user_width`` below 0.
    """

    def __init__(self, data_width, user_width=0):
        if data_width <= 0 or data_width % 8:
            raise ValueError(f"A stream's width is a multiple of 8 bits, not {data_width}")
        if user_width < 0:
            raise ValueError(f"tuser cannot have {user_width} bits")
        self.data_width, self.user_width = data_width, user_width
        super().__init__({
            "tdata": Out(data_width),
            "tkeep": Out(data_width // 8),
            **({"tuser": Out(user_width)} if user_width else {}),
            "tlast": Out(1),
            "tvalid": Out(1),
            "tready": In(1),
        })


def flat_ports(component):
    """Every port of a component by its flat name, as ``amaranth.back.verilog.convert(ports=…)`` takes them.

    Returns
    -------
    dict of str to (Signal, None)
    """
    ports = {}
    for path, _, value in component.signature.flatten(component):
        ports["_".join(map(str, path))] = (getattr(value, "as_value", lambda value=value: value)(), None)
    return ports
