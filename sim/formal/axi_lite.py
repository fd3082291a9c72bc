"""What is claimed of :class:`offcut.core.axi_lite.AxiLiteSubordinate`."""

from amaranth import Mux, Signal

from offcut.axi import RESP_OKAY, RESP_SLVERR

from .bench import Bench

__all__ = ["axi_lite_bench"]

PENDING_MAX = 3
"""More than the component ever holds of a kind."""


def axi_lite_bench(dut, *, invariants=True):
    """One answer a request, in order, that stays until it is taken; each write reaches the registers once, with its own address and data.

    The registers may answer when and what they like, and so may the manager ask: nothing is assumed of either.

    Parameters
    ----------
    dut : AxiLiteSubordinate
    """
    bench = Bench(dut, invariants=invariants)
    m, inside = bench.m, bench.dut
    bus, port = dut.axil, dut.registers
    event = {name: getattr(bus, f"{name}valid") & getattr(bus, f"{name}ready") for name in ("aw", "w", "b", "ar", "r")}

    # --- The standard's rules for whoever drives a channel.
    for prefix, names in {"b": ["bresp"], "r": ["rdata", "rresp"]}.items():
        valid, ready = getattr(bus, f"{prefix}valid"), getattr(bus, f"{prefix}ready")
        waits = bench.past(valid & ~ready)
        bench.claim(~waits | valid, f"{prefix}valid is not withdrawn")
        for name in names:
            signal = getattr(bus, name)
            bench.claim(~waits | (signal == bench.past(signal)), f"{name} is stable while it waits")

    # --- One answer a request.
    owed = {
        name: bench.count(event[name], event[answer], limit=PENDING_MAX, name=f"owed_{name}")
        for name, answer in (("aw", "b"), ("w", "b"), ("ar", "r"))
    }
    bench.claim(~bus.bvalid | ((owed["aw"] != 0) & (owed["w"] != 0)), "no write is answered before its address and its data have come")
    bench.claim(~bus.rvalid | (owed["ar"] != 0), "no read is answered that was not asked")
    bench.claim((owed["aw"] != 0) & (owed["w"] != 0) & ~bus.bvalid == port.write, "a write that has wholly come is made at once")
    bench.claim(~bench.past(port.write) | bus.bvalid, "a write that was made is answered")
    bench.claim(((owed["ar"] != 0) & ~bus.rvalid) == port.read, "a read that was asked reaches the registers until they answer")
    bench.claim(~bench.past(port.read & port.read_done) | bus.rvalid, "what the registers answer is answered")

    # --- Nobody waits for nothing: with nothing owed, every channel is open.
    for name, count in owed.items():
        bench.claim((count != 0) | getattr(bus, f"{name}ready"), f"{name}ready is 1 while nothing is under way")

    # --- What is asked is what the registers see, and what they say is what comes back.
    for event_name, fields in {"aw": [("awaddr", port.write_word)], "ar": [("araddr", port.read_word)]}.items():
        for name, seen in fields:
            last = Signal(len(seen), name=f"last_{name}")
            with m.If(event[event_name]):
                m.d.sync += last.eq(getattr(bus, name)[2:])
            strobe = port.write if event_name == "aw" else port.read
            bench.claim(~strobe | (seen == last), f"the registers see the {name} that came")
            bench.invariant((seen == last), f"{name} is kept")
    for name, seen in {"wdata": port.write_data, "wstrb": port.write_lanes}.items():
        last = Signal(len(seen), name=f"last_{name}")
        with m.If(event["w"]):
            m.d.sync += last.eq(getattr(bus, name))
        bench.claim(~port.write | (seen == last), f"the registers see the {name} that came")
        bench.invariant(seen == last, f"{name} is kept")
    said = Mux(port.write_error, RESP_SLVERR, RESP_OKAY)
    bench.claim(~bench.past(port.write) | (bus.bresp == bench.past(said)), "a write's answer is an error where the registers say so")
    read_said = Mux(port.read_error, RESP_SLVERR, RESP_OKAY)
    answered = bench.past(port.read & port.read_done)
    bench.claim(
        ~answered | ((bus.rresp == bench.past(read_said)) & (bus.rdata == bench.past(port.read_data))),
        "a read's answer is what the registers said",
    )

    bench.invariant(owed["aw"] == inside["has_address"] + bus.bvalid, "an address is held or being answered")
    bench.invariant(owed["w"] == inside["has_data"] + bus.bvalid, "so are data")
    bench.invariant(owed["ar"] == inside["asked"] + bus.rvalid, "so is a read")
    return bench
