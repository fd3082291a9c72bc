"""What is claimed of the adapters in front of the core: :class:`offcut.ip.control_stream.ControlStream`, :class:`~.InlineHeader`, `StatusStream`."""

from amaranth import Signal

from .bench import Bench

__all__ = ["adapter_bench", "status_bench"]

LIMIT = 6


def _frames(bench, stream, name):
    """Register: whether a frame has begun on a stream and not ended; and the event of its end."""
    taken = stream.valid & stream.ready
    inside = Signal(name=f"{name}_inside")
    with bench.m.If(taken):
        bench.m.d.sync += inside.eq(~stream.payload.last)
    return inside, taken & stream.payload.last


def adapter_bench(dut, *, invariants=True, frames_held=2):
    """The stream's rules on its output, and a frame out for each that came in, never more. Nothing is assumed of keep.

    Parameters
    ----------
    dut : ControlStream or InlineHeader
    frames_held : int
        Frames whose end it can hold.
    """
    bench = Bench(dut, invariants=invariants)
    bench.assume_stream_rules(dut.i)
    bench.stream_rules(dut.o, "o")
    _, came = _frames(bench, dut.i, "i")
    out_inside, left = _frames(bench, dut.o, "o")
    held = bench.count(came, left, limit=LIMIT, name="held")
    bench.claim((held != 0) | ~left | came, "no frame ends that has not ended")
    bench.claim(held <= frames_held, "no frame's end is lost")
    if "control" in dut.signature.members:
        control = dut.control
        bench.assume_stream_rules(control)
        packet_came = control.valid & control.ready & control.payload.last
        first = dut.o.valid & dut.o.ready & ~out_inside
        packets = bench.count(packet_came, first, limit=LIMIT, name="packets")
        bench.claim((packets != 0) | ~(dut.o.valid & ~out_inside), "no frame begins before its packet has come")
        bench.claim(packets <= 2, "a packet stands for one frame")
        bench.invariant(held == 0, "a frame passes at once")
        bench.invariant(bench.dut["inside"] == out_inside, "it knows whether a frame passes")
        bench.invariant(packets == bench.dut["full"] + bench.dut["late"], "a packet that has come is in its place, or waits for it")
    else:
        shown = dut.o.valid & dut.o.payload.last
        if "waits" in bench.dut:
            waits, last = bench.dut["waits"], bench.dut["held"][-1]  # the highest bit of a beat is its `last`
            shown = shown + (waits & last)
            bench.invariant(
                ~waits | last | (bench.dut["place"] == dut._header_bytes // dut._lanes), "a beat waits for one of its own frame"
            )
        bench.invariant(held == shown, "a frame that has ended and not left waits, or is shown")
    return bench


def status_bench(dut, *, invariants=True):
    """The stream's rules on both outputs, and no pause in a frame that the source does not make.

    Parameters
    ----------
    dut : StatusStream
    """
    bench = Bench(dut, invariants=invariants)
    bench.assume_stream_rules(dut.i)
    bench.stream_rules(dut.o, "o")
    bench.stream_rules(dut.status, "status")
    inside, _ = _frames(bench, dut.o, "o")
    bench.claim(~inside | ~dut.i.valid | dut.o.valid, "a frame that has begun is not held")
    bench.invariant(bench.dut["inside"] == inside, "it knows whether a frame passes")
    bench.invariant(~inside | ~bench.dut["held"], "nothing is held within a frame")
    return bench
