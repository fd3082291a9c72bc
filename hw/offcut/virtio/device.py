"""The network device: registers, two queues, one AXI4 port, a stream each way."""

from amaranth import Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from offcut.axi import Axi4, AxiLite, AxiStream
from offcut.tx.queue import Queue

from .dma import ReadChannel, WriteChannel
from .features import offered
from .layouts import LANES, QUEUES, RX, TX, Geometry
from .mmio import ADDR_WIDTH, Mmio
from .receive import FrameStore, Scatterer
from .store import Store
from .transmit import TUSER_BITS, Transmitter
from .walker import Walker

__all__ = ["VirtioNet"]

QUEUE_LENGTHS = (8, 1024)
"""Least and greatest ``max_queue``."""

CHAINS = 16
"""Of the queues of chains that were fetched, each of which holds up to 13."""

MARGIN = 2
"""Chains that can still come when the walker is told that there is no room: one since it was told, one that has begun."""

RESERVE = 32
"""Segments for which there is room when a chain is begun, where the queue is long enough: more than Linux puts into one."""


class VirtioNet(wiring.Component):
    """A virtio network device (virtio 1.2): MMIO version 2, split queues, one for each direction.

    ::

        s_axil ─▶ Mmio ──────▶ Walker ──▶ chains of queue 1 ─▶ Transmitter ─▶ tx
                                │  │ └──▶ chains of queue 0 ─▶ Scatterer ◀── FrameStore ◀─ rx
                                ▼  ▼                             │      ▲
        m_axi  ◀──────── WriteChannel, ReadChannel ◀─────────────┘      └ Transmitter's, too

    Frames of the transmit queue leave with their request in ``tuser``, as `OffcutTx` takes it. Frames for the driver are held until they
    are whole; one longer than ``config.mtu_max`` is dropped, one whose ``tkeep`` breaks the contract, and one that comes before the driver is
    there, too. While the driver has no buffers, ``rx`` waits. docs/virtio.md tells the rest.

    Parameters
    ----------
    config : offcut.config.Config
        Of the engine behind ``tx``: what it can do is what is offered.
    data_width : int
        Of ``m_axi``, ``tx`` and ``rx``: 64.
    addr_width : int
        Bits of an address on ``m_axi``, 32 to 64.
    max_queue : int
        Most descriptors of a queue, a power of two.
    cache : int
        ARCACHE and AWCACHE: by default normal memory that is not cached, as a port without coherence wants it.

    Members
    -------
    s_axil : In(AxiLite(12))
        The registers (4.2.2).
    m_axi : Out(Axi4(addr_width, data_width))
        Rings and buffers.
    irq : Out(1)
        Level: InterruptStatus is not 0.
    mac : In(48), mtu : In(16), link : In(1)
        Of the configuration; the first byte of the address in 7:0. With an ``mtu`` of 0 none is told.
    window_base, window_size : In(64)
        Multiples of 4 KiB. Addresses outside are never issued; with a size of 0 all are allowed.
    tx : Out(AxiStream(data_width, 160))
    rx : In(AxiStream(data_width))
    stat_rx_drop : Out(1)
        Strobe: a frame for the driver was dropped.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """

    def __init__(self, config, *, data_width=64, addr_width=64, max_queue=256, cache=0b0011):
        if data_width != 8 * LANES:
            raise ValueError(f"The device is {8 * LANES} bits wide, not {data_width}")
        if not 32 <= addr_width <= 64:
            raise ValueError(f"An address has 32 to 64 bits, not {addr_width}")
        least, greatest = QUEUE_LENGTHS
        if not least <= max_queue <= greatest or max_queue != 1 << ceil_log2(max_queue):
            raise ValueError(f"A queue's length must be a power of two between {least} and {greatest}, not {max_queue}")
        if not 0 <= cache < 16:
            raise ValueError(f"AxCACHE has 4 bits, not {cache:#x}")
        self._config = config
        self._geometry = Geometry(addr_width, max_queue)
        self._cache = cache
        super().__init__({
            "s_axil": In(AxiLite(ADDR_WIDTH)),
            "m_axi": Out(Axi4(addr_width, data_width, id_width=1)),
            "irq": Out(1),
            "mac": In(48),
            "mtu": In(16),
            "link": In(1),
            "window_base": In(64),
            "window_size": In(64),
            "tx": Out(AxiStream(data_width, TUSER_BITS)),
            "rx": In(AxiStream(data_width)),
            "stat_rx_drop": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry

        m.submodules.mmio = mmio = Mmio(offered(self._config), addr_width=g.addr_width, max_queue=g.max_queue)
        cleared = ResetInserter(mmio.clear)
        walker, reads, writes = Walker(g), ReadChannel(g, cache=self._cache), WriteChannel(g, cache=self._cache)
        m.submodules.walker = cleared(walker)
        m.submodules.reads = cleared(reads)
        m.submodules.writes = cleared(writes)
        chains = [Store(g.segment, depth=g.max_queue) for _ in QUEUES]
        records = [Queue(g.record, depth=CHAINS, margin=MARGIN) for _ in QUEUES]
        for q, name in zip(QUEUES, ("rx", "tx"), strict=True):
            m.submodules[f"{name}_chains"] = cleared(chains[q])
            m.submodules[f"{name}_records"] = cleared(records[q])
        m.submodules.transmitter = transmitter = Transmitter(g)
        m.submodules.frames = frames = FrameStore(self._config.mtu_max)
        scatterer = Scatterer(g, frame_max=self._config.mtu_max)
        m.submodules.scatterer = cleared(scatterer)

        # --- Registers.
        wiring.connect(m, wiring.flipped(self.s_axil), mmio.s_axil)
        m.d.comb += [
            self.irq.eq(mmio.irq),
            mmio.mac.eq(self.mac),
            mmio.mtu.eq(self.mtu),
            mmio.link.eq(self.link),
            mmio.used.eq(walker.used),
        ]
        m.d.sync += mmio.quiet.eq(reads.quiet & writes.quiet)
        m.d.sync += mmio.fault.eq(mmio.running & (walker.malformed | reads.outside | reads.error | writes.outside | writes.error))

        # --- The rings.
        m.d.comb += [
            *(getattr(walker, name).eq(getattr(mmio, name)) for name in (
                "set", "set_queue", "set_base", "set_high", "set_data", "running", "ready", "size_rx", "size_tx", "indirect", "event_idx", "kick",
            )),
            walker.asked.eq(writes.asked),
            walker.done.eq(writes.done),
        ]  # fmt: skip
        wiring.connect(m, walker.read, reads.ring)
        wiring.connect(m, reads.word, walker.word)
        wiring.connect(m, walker.write, writes.ring)
        reserve = min(RESERVE, g.max_queue // 2)
        for q in QUEUES:
            store, queue = chains[q], records[q]
            m.d.comb += [
                store.push.eq(walker.push[q]),
                store.payload.eq(walker.segment),
                store.commit.eq(walker.commit[q]),
                store.rollback.eq(walker.rollback[q]),
                walker.full[q].eq(store.full),
                walker.empty[q].eq(store.empty),
                queue.i.valid.eq(walker.commit[q]),
                queue.i.p.head.eq(walker.head),
                queue.i.p.frame_len.eq(walker.frame_len),
                queue.i.p.stop.eq(store.stop),
            ]
            m.d.sync += walker.room[q].eq((store.level <= g.max_queue - reserve) & queue.room)

        # --- Out.
        wiring.connect(m, chains[TX].o, transmitter.segments)
        wiring.connect(m, records[TX].o, transmitter.records)
        wiring.connect(m, transmitter.read, reads.data)
        wiring.connect(m, reads.beat, transmitter.beat)
        wiring.connect(m, transmitter.completions, walker.sent)
        wiring.connect(m, transmitter.tx, wiring.flipped(self.tx))
        m.d.comb += [transmitter.halt.eq(mmio.halt), transmitter.clear.eq(mmio.clear)]

        # --- In.
        wiring.connect(m, wiring.flipped(self.rx), frames.i)
        wiring.connect(m, frames.lengths, scatterer.lengths)
        wiring.connect(m, chains[RX].o, scatterer.segments)
        wiring.connect(m, records[RX].o, scatterer.records)
        wiring.connect(m, scatterer.write, writes.data)
        wiring.connect(m, scatterer.completions, walker.received)
        m.d.comb += [
            frames.listen.eq(mmio.running & mmio.ready[RX]),
            frames.clear.eq(mmio.clear),
            frames.at.eq(scatterer.at),
            frames.take.eq(scatterer.take),
            scatterer.data.eq(frames.data),
            scatterer.mergeable.eq(mmio.mergeable),
            chains[RX].skip.eq(scatterer.skip),
            chains[RX].skip_to.eq(scatterer.skip_to),
            scatterer.begin.eq(writes.begin),
            scatterer.first_lane.eq(writes.first_lane),
            scatterer.last_lane.eq(writes.last_lane),
            scatterer.pull.eq(writes.pull),
            scatterer.final.eq(writes.final),
            scatterer.owed.eq(writes.owed),
            writes.source.eq(scatterer.source),
        ]
        m.d.sync += self.stat_rx_drop.eq(frames.drop | scatterer.drop)

        # --- The bus.
        for channel in (reads, writes):
            m.d.comb += [
                channel.halt.eq(mmio.halt),
                channel.window_base.eq(self.window_base),
                channel.window_size.eq(self.window_size),
            ]
        for name, member in self.m_axi.signature.members.items():
            ours, theirs = getattr(self.m_axi, name), getattr(reads if name.startswith(("ar", "r")) else writes, name)
            m.d.comb += ours.eq(theirs) if member.flow == Out else theirs.eq(ours)
        return m
