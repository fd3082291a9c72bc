"""Everything around the design under test: clock, reset, agents, monitors, counters, scoreboard."""

import json
import logging
import os
from collections import Counter

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, Timer

from .agents import CFG, RequestSource, WireSink, pauses
from .rules import StreamRules
from .scoreboard import Answers, Scoreboard
from .simulate import SETTINGS

__all__ = ["Bench", "settings"]

CLOCK_NS = 6
QUIET_CLOCKS = 3_000
"""Nothing moved for so long: it is over. Longer than any pause of an agent and any latency of an engine."""
QUEUED_FRAMES = 8


def settings():
    """The settings that :func:`bench.simulate.run` was given."""
    return json.loads(os.environ.get(SETTINGS, "{}"))


class Bench:
    """A design with the ports of ``offcut_tx`` between a source and a sink.

    Parameters
    ----------
    dut : cocotb handle
    seed : int or str
        Of the pauses and the noise on unused lanes.
    expect : callable, optional
        From a case to ``(wire frames, drop reason or None)``; by default the golden model's answers, from the first after each reset.
    idle, backpressure : str
        Names in :data:`bench.agents.PATTERNS`.
    """

    def __init__(self, dut, *, seed, expect=None, idle="never", backpressure="never"):
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.ERROR)  # the agents print every frame, an item a byte
        self.dut = dut
        self._expect = expect
        self._answers = self._fresh_answers()
        self._sending = None
        self._configure(dut)
        self.source = RequestSource(dut, dut.clk, dut.rst, seed)
        self.sink = WireSink(dut, dut.clk, dut.rst)
        self._seed = seed
        self.pause(idle=idle, backpressure=backpressure)
        self.rules = StreamRules(dut, "m_axis", dut.clk, dut.rst)
        self.board = Scoreboard()
        self.beats_in = 0
        self.number = 0  # of requests since the bench was made, so that one of the generator's can be had again by its number
        self.sent = 0
        cocotb.start_soon(self._count_beats_in())
        self.strobes = Counter()
        for name in (name for name in dir(dut) if name.startswith("stat_")):
            cocotb.start_soon(self._count(name))
        cocotb.start_soon(Clock(dut.clk, CLOCK_NS, unit="ns").start())

    @staticmethod
    def _configure(dut):
        """All-zero is the default of every cfg input; most are the source's, and the seed of fragments holds."""
        for name in dir(dut):
            if name.startswith("cfg_") and name not in CFG:
                getattr(dut, name).value = settings().get("frag_seed", 0) if name == "cfg_frag_seed" else 0

    def _fresh_answers(self):
        """Since a reset: the identifications of IPv6 fragments begin anew."""
        engine = {name: value for name, value in settings().items() if name in ("mtu_max", "ufo_order", "ufo_buffer", "frag_seed")}
        return self._expect or Answers(**engine)

    def pause(self, *, idle="never", backpressure="never"):
        """Stall the source and the sink by other patterns from now on."""
        self.source.set_pause_generator(pauses(idle, f"idle {self._seed}"))
        self.sink.set_pause_generator(pauses(backpressure, f"backpressure {self._seed}"))

    async def reset(self, clocks=4):
        """Hold reset for some clocks; everything that is under way is lost, on both sides."""
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, clocks)
        self.source.clear()
        self.sink.clear()
        self.board = Scoreboard()
        self._answers = self._fresh_answers()
        self.strobes.clear()
        self.sent = 0
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)

    async def run(self, cases, keeps=None):
        """Send requests, and compare all that comes out until nothing moves any more.

        Parameters
        ----------
        cases : iterable of traffic.Case
        keeps : dict of int to list of int, optional
            By the case's place: its ``tkeep``, one bit a byte, instead of all ones.

        Raises
        ------
        AssertionError
            If a wire frame is wrong, missing or too many, a frame or drop was miscounted, a rule of the stream was broken or the
            design stopped taking beats.
        """
        sending = self.start(cases, keeps)
        moved = None
        while moved != (self.beats_in, self.rules.beats):
            moved = (self.beats_in, self.rules.beats)
            await Timer(QUIET_CLOCKS * CLOCK_NS, "ns")
            self.rules.check()
            for frame, user in self.sink.take():
                self.board.receive(frame, user)
        assert sending.done() and self.source.idle(), f"The design takes no more beats, at request {self.current}"
        self.board.finish()
        drops = {name.removeprefix("stat_drop_"): count for name, count in self.strobes.items() if name.startswith("stat_drop_") and count}
        assert self.strobes["stat_frame"] == self.sent, f"{self.sent} frames were sent, {self.strobes['stat_frame']} counted"
        assert self.strobes["stat_segment"] == self.board.frames, f"{self.board.frames} came out, {self.strobes['stat_segment']} counted"
        assert drops == self.board.drops, f"Counted drops {drops}, expected {dict(self.board.drops)}"

    def start(self, cases, keeps=None):
        """Begin to send, and return the task that does."""
        self._sending = cocotb.start_soon(self._send(cases, keeps or {}))
        return self._sending

    async def _send(self, cases, keeps):
        self.source.queue_occupancy_limit_frames = QUEUED_FRAMES
        for index, case in enumerate(cases):
            self.current = f"{self.number} ({case.note})"
            self.number += 1
            frames, dropped = self._answers(case)
            self.board.expect(f"request {self.current}", frames, dropped, user=case.user)
            self.sent += 1
            await self.source.send_case(case, keeps.get(index))

    async def _count_beats_in(self):
        edge, valid, ready = RisingEdge(self.dut.clk), self.dut.s_axis_tvalid, self.dut.s_axis_tready
        while True:
            await edge
            self.beats_in += str(valid.value) == str(ready.value) == "1"

    async def _count(self, name):
        """Count the clocks in which a strobe is high; sleeps while it is low."""
        strobe, edge = getattr(self.dut, name), RisingEdge(self.dut.clk)
        while True:
            await RisingEdge(strobe)
            await edge
            while str(strobe.value) == "1":
                self.strobes[name] += str(self.dut.rst.value) == "0"
                await edge
