"""Drive a block in Amaranth's simulator: sources and sinks that pause at random, and a deadline for all of them."""

import struct

from amaranth.hdl import Const, ResetInserter
from amaranth.lib import data
from amaranth.sim import Simulator

from offcut.config import Config
from offcut.tx.layouts import Geometry

__all__ = ["geometry", "idle_until", "ones", "plain", "pulse", "receiver", "row_end", "sender", "simulate", "tuser"]

MODULUS = 0xFFFF


def geometry(width, **settings):
    """The geometry of an engine ``width`` bits wide."""
    return Geometry(Config(width=width, **settings))


def ones(octets):
    """The big-endian halfwords of ``octets``, summed modulo 0xFFFF; an odd last octet is the upper half of its own."""
    padded = octets + b"\0" * (len(octets) % 2)
    return sum(int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2)) % MODULUS


def row_end(count, *, last, fault=0):
    """What ends a row of ``count`` bytes, 0 in one that broke the contract."""
    return {"last": int(last), "lane": max(0, count - 1), "empty": int(count == 0), "fault": int(fault)}


def tuser(
    flags=0,
    gso_type=0,
    hdr_len=0,
    gso_size=0,
    csum_start=0,
    csum_offset=0,
    outer_th=0,
    inner_nh=0,
    frame_len=0,
    tci=None,
    keep_id=0,
    user=0,
):
    """A frame's metadata, as ``s_axis_tuser`` carries them."""
    header = struct.pack("<BBHHHHHH", flags, gso_type, hdr_len, gso_size, csum_start, csum_offset, outer_th, inner_nh)
    tag = 0 if tci is None else tci | 1 << 16
    return int.from_bytes(header, "little") | frame_len << 112 | tag << 132 | keep_id << 149 | user << 160


def plain(value):
    """A sampled payload as numbers, in dicts and lists where its layout has fields and elements."""
    if not isinstance(value, data.Const):
        return int(value)
    layout = value.shape()
    if isinstance(layout, data.StructLayout):
        return {name: plain(value[name]) for name, _ in layout}
    return [plain(value[key]) for key, _ in layout]


def simulate(dut, *benches, clocks=20_000, reset=None):
    """Run until every bench has returned; fail if that takes more than ``clocks``.

    Parameters
    ----------
    dut : Elaboratable
    benches : async callables of one SimulatorContext
    clocks : int
    reset : Signal, optional
        A reset of the whole block, for a bench to set at any moment.
    """
    sim = Simulator(dut if reset is None else ResetInserter(reset)(dut))
    sim.add_clock(1e-6)
    for bench in benches:
        sim.add_testbench(bench)

    # (A bench that is still waiting when the simulator goes leaves a warning behind, so the deadline is none.)
    for _ in range(2 * clocks):
        if not sim.advance():
            return
    raise AssertionError(f"The benches are not done after {clocks} clocks")


async def pulse(ctx, signal):
    """Set a one-bit signal for one clock."""
    ctx.set(signal, 1)
    await ctx.tick()
    ctx.set(signal, 0)


async def idle_until(ctx, condition, clocks=1000):
    """Wait for a clock in which ``condition`` holds, ``clocks`` at most."""
    for _ in range(clocks):
        _, _, holds = await ctx.tick().sample(condition)
        if holds:
            return
    raise AssertionError(f"Nothing happened in {clocks} clocks")


def always_ready(stream):
    return isinstance(stream.ready, Const)


def sender(stream, payloads, *, dice=None, pauses=0.0):
    """A bench that sends each payload in turn, and before each pauses for a clock as often as ``pauses`` (0 to 1) says."""

    async def bench(ctx):
        for payload in payloads:
            while pauses and dice.random() < pauses:
                await ctx.tick()
            ctx.set(stream.payload, payload)
            ctx.set(stream.valid, 1)
            ready = False
            while not ready:
                _, _, ready = await ctx.tick().sample(stream.ready)
            ctx.set(stream.valid, 0)

    return bench


def receiver(stream, seen, count, *, dice=None, pauses=0.0):
    """A bench that adds ``count`` payloads to ``seen``, each :func:`plain`, and holds the stream to its rules meanwhile."""

    async def bench(ctx):
        waiting = None
        while len(seen) < count:
            ready = not (pauses and dice.random() < pauses)
            if not always_ready(stream):
                ctx.set(stream.ready, ready)
            _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
            if not always_ready(stream) and waiting is not None:
                assert valid, "valid was withdrawn"
                assert plain(payload) == waiting, "the payload changed while it waited"
            taken = valid and (ready or always_ready(stream))
            waiting = plain(payload) if valid and not taken else None
            if taken:
                seen.append(plain(payload))
        if not always_ready(stream):
            ctx.set(stream.ready, 0)

    return bench
