"""cocotb tests on ``offcut_core``: the engine as its registers see it. The settings say the seed and how many random requests."""

import logging
import random
from collections import Counter
from dataclasses import replace
from itertools import islice

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, Timer
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp, AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from offcut import __version__
from offcut.config import DEFAULT_FEATURES, FEATURES, Config
from offcut.core.registers import ADDR_WIDTH, COUNTERS, MAGIC, REGISTERS, WORD_BYTES
from offcut.ip.layouts import LENGTHS, REQUEST, STATUS_TAG, header_bytes, pack
from traffic import requests

from .agents import PATTERNS, RequestSource, WireSink, pauses
from .bench import CLOCK_NS, QUEUED_FRAMES, QUIET_CLOCKS, settings
from .rules import StreamRules
from .scoreboard import Answers, Scoreboard

BLOCK = 15
"""Requests between two changes of the settings."""

OFFSETS = {register.name: register.offset for register in REGISTERS}
CONTROL = next(register for register in REGISTERS if register.name == "control")
APPLY, RESET = (1 << field.low for field in CONTROL.fields)
RESETTING, PENDING, RECEIVING = 1, 2, 4

READ_CLOCKS = 40
"""A read is answered within so many clocks: docs/registers.md promises it."""


def of_case(case):
    """The settings of a case, by their registers."""
    first, middle, last = case.tcp_clear
    return {
        "cfg_auto": int(case.auto),
        "cfg_mtu": case.mtu,
        "cfg_disable": case.disable & (1 << len(FEATURES)) - 1,
        "cfg_tcp_clear_first": first,
        "cfg_tcp_clear_middle": middle,
        "cfg_tcp_clear_last": last,
        "cfg_id_mode": case.id_mode,
        "cfg_uso_size": case.uso_size,
    }


def with_settings_of(case, other):
    names = ("auto", "mtu", "disable", "tcp_clear", "id_mode", "uso_size")
    return replace(case, **{name: getattr(other, name) for name in names})


class CoreBench:
    """The core between a source and a sink, with a manager on its registers.

    Parameters
    ----------
    dut : cocotb handle
    idle, backpressure, bus : str
        How the source, the sink and the manager pause: names in :data:`bench.agents.PATTERNS`.
    """

    def __init__(self, dut, *, idle="never", backpressure="never", bus="never"):
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.ERROR)
        seed = settings()["seed"]
        self.dut = dut
        self.rng = random.Random(f"core/{seed}")
        self.by = settings().get("requests", "tuser")
        self.sources = []
        if self.by == "tuser":
            self.source = RequestSource(dut, dut.clk, dut.rst, seed)
        else:
            self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst)
        self.source.queue_occupancy_limit_frames = QUEUED_FRAMES
        self.sources.append(self.source)
        if self.by == "control":
            self.packets = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_control"), dut.clk, dut.rst)
            self.packets.set_pause_generator(pauses(backpressure, f"packets {seed}"))
            self.sources.append(self.packets)
            self.statuses = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_status"), dut.clk, dut.rst)
            self.statuses.set_pause_generator(pauses(idle, f"statuses {seed}"))
        self.sink = WireSink(dut, dut.clk, dut.rst)
        self.rules = StreamRules(dut, "m_axis", dut.clk, dut.rst)
        self.source.set_pause_generator(pauses(idle, f"idle {seed}"))
        self.sink.set_pause_generator(pauses(backpressure, f"backpressure {seed}"))
        self.bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        for number, channel in enumerate((self.bus.write_if.aw_channel, self.bus.write_if.w_channel, self.bus.read_if.ar_channel)):
            channel.set_pause_generator(pauses(bus, f"bus {number} {seed}"))
        for number, channel in enumerate((self.bus.write_if.b_channel, self.bus.read_if.r_channel)):
            channel.set_pause_generator(pauses(bus, f"answers {number} {seed}"))
        self.slow_bus = bus != "never"
        self.counted = Counter()
        self.forget()
        cocotb.start_soon(Clock(dut.clk, CLOCK_NS, unit="ns").start())

    def forget(self):
        """After a reset of the engine: nothing is expected of it."""
        self.board = Scoreboard()
        self.answers = Answers(features=frozenset(settings().get("features", DEFAULT_FEATURES)))
        self.lengths = []
        if self.by == "control":
            self.statuses.clear()

    def stop(self):
        """Forget what was queued and not begun."""
        for source in self.sources:
            source.clear()

    def idle(self):
        return all(source.idle() for source in self.sources)

    def told(self, case):
        """A case as far as the core's requests can tell it."""
        if self.by in ("tuser", "control"):
            return case
        header = case.vnet_hdr[:10].ljust(20, b"\0") + (case.vnet_hdr[20:24] if self.by == "vnet24" else b"").ljust(4, b"\0")
        return replace(case, vnet_hdr=header, frame_len=0, vlan_tci=None, keep_id=False)

    async def give(self, case, packet=None):
        """Queue a frame with its request, in the core's way; ``packet`` goes in place of the control packet that says it all."""
        if self.by == "tuser":
            await self.source.send_case(case)
        elif self.by == "control":
            await self.packets.send(_words(packet or _packet(case)))
            await self.source.send(case.frame)
        else:
            count = header_bytes(self.by)
            await self.source.send(case.vnet_hdr.ljust(24, b"\0")[:count] + case.frame)

    async def reset(self):
        """Reset everything, and begin anew."""
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 4)
        self.stop()
        self.sink.clear()
        self.counted.clear()
        self.forget()
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)

    async def read(self, name):
        began = cocotb.utils.get_sim_time("ns")
        answer = await self.bus.read(OFFSETS[name], WORD_BYTES)
        clocks = (cocotb.utils.get_sim_time("ns") - began) / CLOCK_NS
        assert answer.resp == AxiResp.OKAY, f"{name}: {answer.resp}"
        assert self.slow_bus or clocks <= READ_CLOCKS + 2, f"{name} took {clocks} clocks"  # (the agents need two of them)
        return int.from_bytes(answer.data, "little")

    async def write(self, name, value):
        answer = await self.bus.write(OFFSETS[name], value.to_bytes(WORD_BYTES, "little"))
        assert answer.resp == AxiResp.OKAY, f"{name}: {answer.resp}"

    async def counter(self, name):
        low = await self.read(f"{name}_low")
        return low | await self.read(f"{name}_high") << 32

    async def configure(self, case):
        """Write the settings of a case in any order, and apply them."""
        chosen = list(of_case(case).items())
        self.rng.shuffle(chosen)
        for name, value in chosen:
            await self.write(name, value)
        assert await self.read("status") & PENDING
        await self.write("control", APPLY)
        assert not await self.read("status") & PENDING

    async def send(self, case, packet=None):
        """Queue a case, and expect what the model says of it."""
        case = self.told(case)
        frames, dropped = self.answers(case)
        self.lengths += map(len, frames)
        self.board.expect(case.note, frames, dropped, user=case.user)
        self.counted.update(tx_frames=1, tx_bytes=len(case.frame), tx_segments=len(frames), tx_segment_bytes=sum(map(len, frames)))
        if dropped:
            self.counted[f"tx_drop_{dropped}"] += 1
        await self.give(case, packet)

    async def settle(self):
        """Wait until nothing moves any more, and compare what came out."""
        moved = None
        while moved != self.rules.beats or not self.idle():
            moved = self.rules.beats
            await Timer(QUIET_CLOCKS * CLOCK_NS, "ns")
            self.rules.check()
            for frame, user in self.sink.take():
                self.board.receive(frame, user)
        self.board.finish()
        if self.by == "control":
            packets = [self.statuses.recv_nowait(compact=False).tdata for _ in range(self.statuses.count())]
            words = [[int.from_bytes(packet[at : at + 4], "little") for at in range(0, len(packet), 4)] for packet in packets]
            assert words == [[STATUS_TAG << 28, 0, 0, 0, 0, length] for length in self.lengths], "a status for each frame that left"
            self.lengths.clear()

    async def check_counters(self):
        read = {name: await self.counter(name) for name in COUNTERS}
        assert read == {name: self.counted[name] for name in COUNTERS}, f"{read} and not {dict(self.counted)}"


def _packet(case):
    """A case as a control packet."""
    number = int.from_bytes
    fields = {name: number(case.vnet_hdr[at : at + 2], "little") for name, at in {"gso_size": 4, "csum_start": 6, "csum_offset": 8}.items()}
    if len(case.vnet_hdr) == 24:
        fields |= {
            name: number(case.vnet_hdr[at : at + 2], "little") for name, at in {"outer_th_offset": 20, "inner_nh_offset": 22}.items()
        }
    fields |= {"flags": case.vnet_hdr[0], "gso_type": case.vnet_hdr[1], "frame_len": case.frame_len, "keep_id": int(case.keep_id)}
    fields |= {"insert_vlan": int(case.vlan_tci is not None), "vlan_tci": case.vlan_tci or 0, "user": case.user}
    return pack(REQUEST, **fields)


def _words(packet):
    return AxiStreamFrame(b"".join(word.to_bytes(4, "little") for word in packet))


def draw(dut, count, **options):
    user_width = len(dut.s_axis_tuser) - 160 if hasattr(dut, "s_axis_tuser") else 0
    chosen = {"width": len(dut.s_axis_tdata), "size": "small", "jumbo": 0, "user_width": user_width}
    return requests(settings()["seed"], count, **chosen, **options)


@cocotb.test
async def a_driver_finds_out_what_the_core_is(dut):
    bench = CoreBench(dut)
    await bench.reset()
    assert await bench.read("magic") == MAGIC
    version = await bench.read("version")
    assert f"{version >> 24}.{version >> 16 & 0xFF}.{version & 0xFFFF}" == __version__
    assert await bench.read("build") & 0x3FF == len(dut.s_axis_tdata)
    assert await bench.read("mtu_max") == 9216
    assert await bench.read("features") == sum(1 << Config.bit(name) for name in DEFAULT_FEATURES)
    assert await bench.read("status") == await bench.read("control") == 0
    assert {name: await bench.counter(name) for name in COUNTERS} == dict.fromkeys(COUNTERS, 0)
    for register in REGISTERS:
        if register.access == "rw":
            assert await bench.read(register.name) == 0, f"{register.name} after reset"


@cocotb.test
async def what_is_written_is_read_byte_by_byte_and_reserved_bits_stay_zero(dut):
    bench = CoreBench(dut, bus="coin")
    await bench.reset()
    held = {register: 0 for register in REGISTERS if register.access == "rw"}
    for _ in range(60):
        register = bench.rng.choice(list(held))
        first = bench.rng.randrange(WORD_BYTES)
        data = bench.rng.randbytes(bench.rng.randint(1, WORD_BYTES - first))
        answer = await bench.bus.write(register.offset + first, data)
        assert answer.resp == AxiResp.OKAY
        word = bytearray(held[register].to_bytes(WORD_BYTES, "little"))
        word[first : first + len(data)] = data
        held[register] = int.from_bytes(word, "little") & register.mask
        assert await bench.read(register.name) == held[register], register.name
    for register, value in held.items():
        assert await bench.read(register.name) == value, register.name


@cocotb.test
async def what_is_no_register_or_cannot_be_written_is_answered_with_an_error(dut):
    bench = CoreBench(dut)
    await bench.reset()
    access = {register.offset: register.access for register in REGISTERS}
    for offset in range(0, 1 << ADDR_WIDTH, WORD_BYTES):
        if offset not in access or access[offset] not in ("rw", "wo"):
            assert (await bench.bus.write(offset, b"\xff" * WORD_BYTES)).resp == AxiResp.SLVERR, hex(offset)
        if offset not in access:
            answer = await bench.bus.read(offset, WORD_BYTES)
            assert (answer.resp, answer.data) == (AxiResp.SLVERR, bytes(WORD_BYTES)), hex(offset)
    assert await bench.read("magic") == MAGIC


@cocotb.test
async def requests_agree_with_the_model_under_settings_that_were_written_and_counters_with_both(dut):
    bench = CoreBench(dut)
    count = settings().get("count", 150)
    await bench.reset()
    cases = draw(dut, count)
    for _ in range(0, count, BLOCK):
        bench.source.set_pause_generator(pauses(bench.rng.choice(list(PATTERNS)), bench.rng.random()))
        bench.sink.set_pause_generator(pauses(bench.rng.choice(list(PATTERNS)), bench.rng.random()))
        block = list(islice(cases, BLOCK))
        await bench.configure(block[0])
        for case in block:
            await bench.send(with_settings_of(case, block[0]))
        await bench.settle()
        await bench.check_counters()


@cocotb.test
async def settings_count_together_between_two_frames(dut):
    """While equal frames flow back to back, two settings are written one by one and applied: each frame is cut by the old ones or by the new
    ones, and once by the new ones, always so."""
    bench = CoreBench(dut)
    await bench.reset()
    case = next(filter(_is_cut, draw(dut, 2000, kinds=("auto",))))
    old = replace(case, mtu=1000, id_mode=0)
    new = replace(case, mtu=400, id_mode=1)
    await bench.configure(old)
    ways = {"old": bench.answers(old)[0], "new": bench.answers(new)[0]}
    mixed = [bench.answers(replace(old, mtu=400))[0], bench.answers(replace(old, id_mode=1))[0]]
    assert all(mix not in ways.values() for mix in mixed), "the test would not see it"

    async def feed():
        for _ in range(120):
            await bench.give(case)

    feeding = cocotb.start_soon(feed())
    await ClockCycles(dut.clk, 300)
    await bench.write("cfg_mtu", 400)
    await ClockCycles(dut.clk, 200)
    await bench.write("cfg_id_mode", 1)
    await ClockCycles(dut.clk, 200)
    await bench.write("control", APPLY)
    await feeding
    while not bench.source.idle():
        await ClockCycles(dut.clk, 100)
    await ClockCycles(dut.clk, 2 * QUIET_CLOCKS)
    frames = [frame for frame, _ in bench.sink.take()]
    seen = []
    while frames:
        (way,) = (name for name, expected in ways.items() if frames[: len(expected)] == expected)
        seen.append(way)
        frames = frames[len(ways[way]) :]
    assert len(seen) == 120 and set(seen) == {"old", "new"} and seen == sorted(seen, reverse=True)


def _is_cut(case):
    """TCP over IPv4 alone: the identification of IPv6 fragments would differ from frame to frame."""
    plain = case.frame[12:14] == b"\x08\x00" and case.frame[23] == 6
    return plain and len(case.frame) > 1200 and len(Answers()(replace(case, mtu=1000, id_mode=0))[0]) > 1


@cocotb.test
async def a_reset_by_register_breaks_no_frame_that_leaves_and_keeps_counters_and_settings(dut):
    bench = CoreBench(dut, idle="seldom", backpressure="coin")
    await bench.reset()
    await bench.write("cfg_mtu", 1400)
    await bench.write("control", APPLY)
    for attempt in range(10):
        cases = [replace(case, mtu=1400, auto=False) for case in draw(dut, 40, start=100 * attempt, kinds=("tso", "csum", "pass"))]
        plain = [replace(case, disable=0, tcp_clear=(0, 0, 0), id_mode=0, uso_size=0) for case in cases]

        async def feed(plain=plain):
            for case in plain[:30]:
                await bench.give(bench.told(case))

        feeding = cocotb.start_soon(feed())
        await ClockCycles(dut.clk, bench.rng.randint(50, 600))
        # The host stops at a frame's end, as a driver stops its DMA.
        feeding.cancel()
        bench.source.clear()
        while not bench.source.idle():
            await ClockCycles(dut.clk, 1)
        bench.stop()
        if bench.by == "control":  # as the DMA is reset: a packet whose frame does not come must not wait
            bench.packets.assert_reset(True)
            await ClockCycles(dut.clk, 10)
        assert not await bench.read("status") & RECEIVING
        await bench.write("control", RESET)
        while await bench.read("status") & RESETTING:
            pass
        if bench.by == "control":
            bench.packets.assert_reset(False)
        await ClockCycles(dut.clk, 50)
        bench.rules.check()
        bench.sink.take()
        before = {name: await bench.counter(name) for name in COUNTERS}
        assert await bench.read("cfg_mtu") == 1400
        # From here on all is as after a reset, but for what was counted.
        bench.forget()
        bench.counted = Counter(before)
        for case in plain[30:]:
            await bench.send(case)
        await bench.settle()
        await bench.check_counters()
    assert bench.counted["tx_segments"] > 50


@cocotb.test
async def lengths_alone_make_the_core_cut_as_auto_does(dut):
    """Control packets as AMD's own engine takes them."""
    bench = CoreBench(dut, idle="seldom", backpressure="coin")
    await bench.reset()
    for case in draw(dut, 120, kinds=("auto",)):
        mss, header_len, udp = bench.rng.choice((96, 200, 400)), 54, bench.rng.getrandbits(1)
        whole, checks = bench.rng.random() < 0.2, bench.rng.getrandbits(1)
        packet = pack(
            LENGTHS,
            total_len=max(0, len(case.frame) - 14),
            header_len=header_len,
            whole=int(whole),
            no_checksum=1 - checks,
            no_tcp=udp,
            no_udp=1 - udp,
            mss=mss,
        )
        plain = replace(
            case, vnet_hdr=bytes(24), frame_len=max(14, len(case.frame)), vlan_tci=None, keep_id=False, user=0, disable=0, id_mode=0
        )
        plain = replace(plain, tcp_clear=(0, 0, 0), auto=bool(checks or not whole), mtu=0xFFFF if whole else mss)
        plain = replace(plain, uso_size=mss + 14 - header_len if udp and not whole else 0)
        await bench.send(plain, packet)
    await bench.settle()
    await bench.check_counters()
    assert bench.counted["tx_segments"] > bench.counted["tx_frames"]
