"""The processing system of a Zynq-7000 as the primitive ``PS7``: its ports as a table, and an instance in which every input is driven.

Port names and widths are the primitive's own. Pins with a place of their own (DDR, MIO, clock and resets of the processor) need no net in a design
and get none: the boot loader sets them up, not the bitstream.
"""

from amaranth import Const, Instance

__all__ = ["INOUT", "INPUT", "OUTPUT", "PORTS", "ps7", "stub"]

INPUT, OUTPUT, INOUT = "input", "output", "inout"


def _axi(prefix, *, manager, id_width, data_width, extra=None):
    """An AXI3 port's ports. Requests come out of a manager of the processing system, and go into a subordinate."""
    forth, back = (OUTPUT, INPUT) if manager else (INPUT, OUTPUT)
    address = {"ADDR": 32, "BURST": 2, "CACHE": 4, "ID": id_width, "LEN": 4, "LOCK": 2, "PROT": 3, "QOS": 4, "SIZE": 2, "VALID": 1}
    sent = {f"{channel}{name}": width for channel in ("AR", "AW") for name, width in address.items()}
    sent |= {"WDATA": data_width, "WID": id_width, "WLAST": 1, "WSTRB": data_width // 8, "WVALID": 1, "BREADY": 1, "RREADY": 1}
    answered = {"ARREADY": 1, "AWREADY": 1, "WREADY": 1, "BID": id_width, "BRESP": 2, "BVALID": 1}
    answered |= {"RDATA": data_width, "RID": id_width, "RLAST": 1, "RRESP": 2, "RVALID": 1}
    ports = {"ACLK": (INPUT, 1), "ARESETN": (OUTPUT, 1)}
    ports |= {name: (forth, width) for name, width in sent.items()}
    ports |= {name: (back, width) for name, width in answered.items()}
    return {f"{prefix}{name}": port for name, port in (ports | (extra or {})).items()}


_LEVELS = {"RACOUNT": (OUTPUT, 3), "RCOUNT": (OUTPUT, 8), "WACOUNT": (OUTPUT, 6), "WCOUNT": (OUTPUT, 8)}
_CAPS = {"RDISSUECAP1EN": (INPUT, 1), "WRISSUECAP1EN": (INPUT, 1)}

_BLOCKS = [
    # prefix, how many of them ("" for one without a number), inputs, outputs
    ("DMA", 4, "ACLK DAREADY DRLAST DRVALID DRTYPE:2", "DAVALID DRREADY RSTN DATYPE:2"),
    ("EMIOCAN", 2, "PHYRX", "PHYTX"),
    (
        "EMIOENET",
        2,
        "EXTINTIN GMIICOL GMIICRS GMIIRXCLK GMIIRXDV GMIIRXER GMIITXCLK MDIOI GMIIRXD:8",
        "GMIITXEN GMIITXER MDIOMDC MDIOO MDIOTN PTPDELAYREQRX PTPDELAYREQTX PTPPDELAYREQRX PTPPDELAYREQTX PTPPDELAYRESPRX PTPPDELAYRESPTX "
        "PTPSYNCFRAMERX PTPSYNCFRAMETX SOFRX SOFTX GMIITXD:8",
    ),
    ("EMIOI2C", 2, "SCLI SDAI", "SCLO SCLTN SDAO SDATN"),
    ("EMIOPJTAG", "", "TCK TDI TMS", "TDO TDTN"),
    ("EMIOSDIO", 2, "CDN CLKFB CMDI WP DATAI:4", "BUSPOW CLK CMDO CMDTN LED BUSVOLT:3 DATAO:4 DATATN:4"),
    ("EMIOSPI", 2, "MI SCLKI SI SSIN", "MO MOTN SCLKO SCLKTN SO SSNTN STN SSON:3"),
    ("EMIOSRAM", "", "INTIN", ""),
    ("EMIOTRACE", "", "CLK", "CTL DATA:32"),
    ("EMIOTTC", 2, "CLKI:3", "WAVEO:3"),
    ("EMIOUART", 2, "CTSN DCDN DSRN RIN RX", "DTRN RTSN TX"),
    ("EMIOUSB", 2, "VBUSPWRFAULT", "VBUSPWRSELECT PORTINDCTL:2"),
    ("EMIOWDT", "", "CLKI", "RSTO"),
    ("EMIOGPIO", "", "I:64", "O:64 TN:64"),
    ("EVENT", "", "EVENTI", "EVENTO STANDBYWFE:2 STANDBYWFI:2"),
    ("FCLK", "", "CLKTRIGN:4", "CLK:4 RESETN:4"),
    ("FPGA", "", "IDLEN", ""),
    ("FTMD", "", "TRACEINCLOCK TRACEINVALID TRACEINATID:4 TRACEINDATA:32", ""),
    ("FTMT", "", "F2PTRIG:4 P2FTRIGACK:4 F2PDEBUG:32", "F2PTRIGACK:4 P2FTRIG:4 P2FDEBUG:32"),
    ("IRQ", "", "F2P:20", "P2F:29"),
    ("DDR", "", "ARB:4", ""),
]

_PADS = {
    **dict.fromkeys(["DDRCASB", "DDRCKE", "DDRCKN", "DDRCKP", "DDRCSB", "DDRDRSTB", "DDRODT", "DDRRASB", "DDRVRN", "DDRVRP", "DDRWEB"], 1),
    **{"DDRA": 15, "DDRBA": 3, "DDRDQ": 32, "DDRDM": 4, "DDRDQSN": 4, "DDRDQSP": 4},
    **{"PSCLK": 1, "PSPORB": 1, "PSSRSTB": 1, "MIO": 54},
}


def _block(prefix, count, inputs, outputs):
    for number in [""] if count == "" else range(count):
        for direction, names in ((INPUT, inputs), (OUTPUT, outputs)):
            for name in names.split():
                name, _, width = name.partition(":")
                yield f"{prefix}{number}{name}", (direction, int(width or 1))


PORTS = {
    **dict(port for block in _BLOCKS for port in _block(*block)),
    **dict(port for number in range(2) for port in _axi(f"MAXIGP{number}", manager=True, id_width=12, data_width=32).items()),
    **dict(port for number in range(2) for port in _axi(f"SAXIGP{number}", manager=False, id_width=6, data_width=32).items()),
    **dict(
        port
        for number in range(4)
        for port in _axi(f"SAXIHP{number}", manager=False, id_width=6, data_width=64, extra=_LEVELS | _CAPS).items()
    ),
    **_axi("SAXIACP", manager=False, id_width=3, data_width=64, extra={"ARUSER": (INPUT, 5), "AWUSER": (INPUT, 5)}),
    **{name: (INOUT, width) for name, width in _PADS.items()},
}
"""Direction and width of every port, by name."""


def ps7(**connections):
    """An instance of the processing system.

    Parameters
    ----------
    connections : dict of str to ValueLike
        What is connected, by the port's name. Inputs that are not named are 0.

    Returns
    -------
    amaranth.hdl.Instance

    Raises
    ------
    ValueError
        If there is no such port, or a value has another width.
    """
    for name, value in connections.items():
        if name not in PORTS:
            raise ValueError(f"The processing system has no port {name!r}")
        if len(value) != PORTS[name][1]:
            raise ValueError(f"{name} has {PORTS[name][1]} bits, not {len(value)}")
    ports = {f"i_{name}": Const(0, width) for name, (direction, width) in PORTS.items() if direction == INPUT and name not in connections}
    ports |= {f"{'i' if PORTS[name][0] == INPUT else 'o'}_{name}": value for name, value in connections.items()}
    return Instance("PS7", **ports)


def stub(connected):
    """An empty Verilog module ``PS7``, for programs that check a design and do not know the primitive.

    Parameters
    ----------
    connected : collection of str
        The ports that an instance connects. Outputs and pads that are not among them are left out; inputs never are.
    """
    ports = {name: port for name, port in PORTS.items() if port[0] == INPUT or name in connected}
    lines = [f"  {direction} [{width - 1}:0] {name};" for name, (direction, width) in ports.items()]
    return "\n".join([f"module PS7({', '.join(ports)});", *lines, "endmodule", ""])
