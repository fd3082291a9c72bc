"""The transmit engine.

::

    s_axis ─▶ Ingress ─▶ RowStore ─────▶ Slicer ─▶ Aligner ─▶ Gate ─▶ PayloadBuffer ─▶ Joiner ─▶ m_axis
                 │           │             ▲                   │ └─▶ PayloadSum ─┐       ▲  ▲
                 │           ▼             │                   ▼                 ▼       │  │
                 └──▶ HeaderParser ─▶ plans              SegmentQueue ─▶ HeaderPatcher ──┘  │
                             └──────────────────▶ HeaderRam ────────────────────────────────┘

A datagram's first fragment waits in a buffer of its own beside the PayloadBuffer, or all of them wait in that (``ufo_order``).
"""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .aligner import Aligner
from .crc32c import Crc32c
from .gate import Gate
from .header_ram import HeaderRam
from .identification import Identification
from .ingress import Ingress
from .joiner import Joiner
from .layouts import Drop, Geometry
from .parser import UNDER_WAY, HeaderParser
from .patcher import HeaderPatcher, lookup_clock, sum_clock
from .payload_buffer import PayloadBuffer
from .payload_sum import PayloadSum
from .plans import PlanStore
from .queue import Queue
from .rows import RowStore
from .runs import Runs, run_layout
from .slicer import SLICER_CLOCKS, Slicer

__all__ = ["OffcutTx"]

INGRESS_DEPTH = 6
"""Requests that can be under way when the request queue's room goes."""

SLICER_DEPTH = 16
"""Entries likewise, and so many fewer that the sums of those in the joiner fit as well."""

READABLE = 2
"""Clocks from a word's coming into the payload buffer to the first in which it can be taken."""

RUN_FIELDS = ("first", "last", "last_row", "last_lane")
"""Of an entry: what differs among the fragments of a run."""


class OffcutTx(wiring.Component):
    """The transmit engine behind AXI4-Stream names. The README lists the ports, docs/architecture.md tells how the blocks work together.

    Parameters
    ----------
    config : offcut.config.Config
    """

    def __init__(self, config):
        self._geometry = g = Geometry(config)
        ports = {
            "s_axis_tdata": In(g.width),
            "s_axis_tkeep": In(g.bus_bytes),
            "s_axis_tuser": In(160 + config.user_width),
            "s_axis_tvalid": In(1),
            "s_axis_tready": Out(1),
            "s_axis_tlast": In(1),
            "m_axis_tdata": Out(g.width),
            "m_axis_tkeep": Out(g.bus_bytes),
            "m_axis_tvalid": Out(1),
            "m_axis_tready": In(1),
            "m_axis_tlast": Out(1),
            **({"m_axis_tuser": Out(config.user_width)} if config.user_width else {}),
            **{f"cfg_{name}": In(field.shape) for name, field in g.settings},
            "cfg_frag_seed": In(32),
            "stat_frame": Out(1),
            "stat_segment": Out(1),
        }
        ports |= {f"stat_drop_{reason.name.lower()}": Out(1) for reason in Drop if reason != Drop.NONE}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        g = self._geometry

        kept = [name for name, _ in g.entry if name not in {*RUN_FIELDS, "single"}]
        rest = data.StructLayout({name: g.entry[name].shape for name in kept} | {"run": 1})

        m.submodules.ingress = ingress = Ingress(g)
        m.submodules.rows = rows = RowStore(g)
        m.submodules.requests = requests = Queue(g.request, depth=g.queue_depth, margin=INGRESS_DEPTH)
        m.submodules.parser = parser = HeaderParser(g)
        m.submodules.plans = plans = PlanStore(g, margin=UNDER_WAY + 1)
        m.submodules.header_ram = header_ram = HeaderRam(g)
        m.submodules.slicer = slicer = Slicer(g)
        m.submodules.aligner = aligner = Aligner(g)
        m.submodules.gate = gate = Gate(g)
        m.submodules.payload_sum = payload_sum = PayloadSum(g)
        m.submodules.payload_buffer = buffer = PayloadBuffer(g, g.buffer_banks)
        if g.first_last:
            m.submodules.side_buffer = side_buffer = PayloadBuffer(g, g.side_banks)
        m.submodules.patcher = patcher = HeaderPatcher(g)
        if g.sctp:
            m.submodules.crc = crc = Crc32c(g)
        # An entry comes before its unit's last word does. It is kept back until all will be in time: the words, their sum, the CRC.
        soonest = max(
            READABLE - lookup_clock(g),
            payload_sum.latency - sum_clock(g),
            crc.latency - lookup_clock(g) if g.sctp else 0,
        )
        hold = max(0, aligner.behind + soonest - Queue.LATENCY)
        layout = run_layout(g, rest) if g.runs else g.entry
        m.submodules.segments = segments = Queue(layout, depth=g.queue_depth, margin=SLICER_DEPTH, hold=hold)
        m.submodules.joiner = joiner = Joiner(g)

        # --- Frames in: rows into the store, requests to the parser.
        m.d.comb += [
            ingress.i.valid.eq(self.s_axis_tvalid),
            ingress.i.p.data.eq(self.s_axis_tdata),
            ingress.i.p.keep.eq(self.s_axis_tkeep),
            ingress.i.p.last.eq(self.s_axis_tlast),
            ingress.i.p.user.eq(self.s_axis_tuser),
            self.s_axis_tready.eq(ingress.i.ready),
            ingress.room.eq(rows.room & requests.room),
            *(ingress.settings[name].eq(getattr(self, f"cfg_{name}")) for name, _ in g.settings),
            requests.i.valid.eq(ingress.requests.valid),
            requests.i.payload.eq(ingress.requests.payload),
        ]
        wiring.connect(m, ingress.rows, rows.i)

        # --- Headers: a plan for each frame, a slot for each that is cut.
        wiring.connect(m, requests.o, parser.requests)
        wiring.connect(m, parser.header, header_ram.i)
        wiring.connect(m, parser.patch, patcher.patch)
        if g.serial:
            m.d.comb += [patcher.header.valid.eq(parser.header.valid), patcher.header.payload.eq(parser.header.payload)]
        m.d.comb += [
            parser.written.eq(rows.written),
            rows.parse_at.eq(parser.parse_at),
            parser.parse.eq(rows.parse),
            parser.room.eq(plans.room),
            parser.released.eq(joiner.released),
            plans.i.valid.eq(parser.plan.valid),
            plans.i.payload.eq(parser.plan.payload),
            header_ram.into.eq(parser.slot),
            patcher.slot.eq(parser.slot),
        ]

        if g.ufo:
            m.submodules.identification = identification = Identification()
            m.d.comb += [
                identification.seed.eq(self.cfg_frag_seed),
                identification.take.eq(parser.fragmented),
                parser.fragment_id.eq(identification.id),
            ]

        # --- Payload: cut, aligned, held until it is whole.
        wiring.connect(m, plans.opening, slicer.plan)
        wiring.connect(m, rows.ends, slicer.rows)
        wiring.connect(m, slicer.o, aligner.i)
        wiring.connect(m, aligner.o, gate.i)
        word = aligner.o

        def with_word(value, name, clocks=aligner.behind):
            """What is told of a word, when that comes."""
            for clock in range(clocks):
                signal = Signal(len(value), name=f"{name}_{clock}")
                m.d.sync += signal.eq(value)
                value = signal
            return value

        m.d.comb += [
            slicer.room.eq(buffer.room & segments.room & (side_buffer.room if g.first_last else 1)),
            slicer.slicing.eq(plans.slicing),
            slicer.number.eq(plans.number),
            plans.ranging_at.eq(slicer.ranging_at),
            slicer.ranging.eq(plans.ranging),
            aligner.plan.eq(plans.judging),
            plans.leaving_at.eq(word.payload.number),
            gate.plan.eq(plans.leaving),
            plans.base_at.eq(payload_sum.base_at),
            payload_sum.base.eq(plans.base),
            plans.done.eq(with_word(slicer.finished, "finished", SLICER_CLOCKS + 1 + aligner.behind + payload_sum.levels)),
            rows.cut_at.eq(aligner.at),
            aligner.row.eq(rows.cut),
            buffer.write.eq(with_word(gate.write, "write")),
            buffer.commit.eq(with_word(gate.commit, "commit")),
            buffer.discard.eq(discard := with_word(gate.discard, "discard")),
            buffer.word.eq(aligner.word),
            payload_sum.valid.eq(valid := with_word(word.valid, "valid")),
            payload_sum.first.eq(with_word(gate.first, "first")),
            payload_sum.push.eq(with_word(gate.push, "push")),
            payload_sum.number.eq(with_word(word.payload.number, "number")),
            payload_sum.word.eq(aligner.summed),
        ]
        entry = Signal.like(segments.i.payload, name="entry")
        if g.runs:
            made = gate.entry.payload
            m.d.comb += [
                *(entry[name].eq(made[name]) for name in RUN_FIELDS),
                *(entry[name].eq(getattr(gate, name)) for name in ("count", "full_row", "full_lane")),
                *(entry.rest[name].eq(made[name]) for name in kept),
                entry.rest.run.eq(gate.count != 0),
            ]
        else:
            m.d.comb += entry.eq(gate.entry.payload)
        m.d.comb += [segments.i.valid.eq(gate.entry.valid), segments.i.payload.eq(entry)]
        if g.sctp:
            m.d.comb += [
                crc.valid.eq(valid),
                crc.begin.eq(with_word(word.payload.begin, "begin")),
                crc.lane.eq(with_word(word.payload.begin_lane, "begin_lane")),
                crc.word.eq(aligner.summed),
                crc.push.eq(with_word(gate.push & plans.leaving.crc, "crc_push")),
                crc.behind.eq(with_word(~word.payload.last_lane, "lanes_behind")),
                crc.pop.eq(patcher.take_crc),
            ]
            with m.If(patcher.take_crc):
                m.d.sync += joiner.crc.eq(crc.crc)
        entries = joiner.entries
        if g.runs:
            # What stands in an entry for one fragment alone: the sum with the first, the header's release with the last.
            m.submodules.runs = runs = Runs(g, rest)
            one = runs.o.payload
            wiring.connect(m, segments.o, runs.i)
            m.d.comb += [
                entries.valid.eq(runs.o.valid),
                runs.o.ready.eq(entries.ready),
                *(entries.payload[name].eq(one[name]) for name in (*RUN_FIELDS, "single")),
                *(entries.payload[name].eq(one.rest[name]) for name in kept),
            ]
            with m.If(one.rest.run & ~one.first):
                m.d.comb += [entries.payload.summed.eq(0), entries.payload.csum.eq(0)]
            with m.If(one.rest.run & ~one.last):
                m.d.comb += entries.payload.release.eq(0)
        else:
            wiring.connect(m, segments.o, entries)
        if g.first_last:
            m.d.comb += [
                side_buffer.write.eq(with_word(gate.side_write, "side_write")),
                side_buffer.commit.eq(with_word(gate.side_commit, "side_commit")),
                side_buffer.discard.eq(discard),
                side_buffer.word.eq(aligner.word),
                side_buffer.take.eq(joiner.side_take),
            ]

        # --- Out.
        m.d.comb += [
            header_ram.take.eq(joiner.header_take),
            header_ram.slot.eq(joiner.header_slot),
            header_ram.row.eq(joiner.header_row),
            joiner.header.eq(header_ram.data),
            joiner.marks.eq(header_ram.marks),
            buffer.take.eq(joiner.payload_take),
            joiner.payload.eq(Cat(buffer.data, side_buffer.data) if g.first_last else buffer.data),
            patcher.begin.eq(joiner.begin),
            patcher.entry.eq(entries.payload),
            patcher.sum.eq(payload_sum.sum),
            payload_sum.pop.eq(patcher.take_sum),
            joiner.ready.eq(patcher.ready),
            *((patcher.row.eq(joiner.row), joiner.udp.eq(patcher.udp)) if g.serial else [patcher.tags.eq(joiner.tags)]),
            joiner.values.eq(patcher.values),
            joiner.csum.eq(patcher.csum),
            self.m_axis_tvalid.eq(joiner.o.valid),
            self.m_axis_tdata.eq(joiner.o.payload.data),
            self.m_axis_tkeep.eq(joiner.o.payload.keep),
            self.m_axis_tlast.eq(joiner.o.payload.last),
            joiner.o.ready.eq(self.m_axis_tready),
        ]

        if g.config.user_width:
            m.d.comb += self.m_axis_tuser.eq(joiner.o.payload.user)

        m.d.sync += [
            self.stat_frame.eq(self.s_axis_tvalid & self.s_axis_tready & self.s_axis_tlast),
            self.stat_segment.eq(self.m_axis_tvalid & self.m_axis_tready & self.m_axis_tlast),
        ]
        for reason in Drop:
            if reason != Drop.NONE:
                m.d.sync += getattr(self, f"stat_drop_{reason.name.lower()}").eq(gate.drop.valid & (gate.drop.payload == reason))

        return m
