"""What the network device's benches simulate, as Verilog."""

from amaranth import Array, Cat, ClockDomain, ClockSignal, Module, Mux, ResetSignal, Signal
from amaranth.back import verilog
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from offcut.axi import Axi4, AxiLite, AxiStream, flat_ports
from offcut.boards.nic import WIRE
from offcut.boards.nic import Nic as BoardNic
from offcut.tx import OffcutTx
from offcut.virtio import VirtioNet

__all__ = ["RULES", "AxiWatch", "Nic", "Watched", "WiredNic", "as_verilog"]

RULES = (
    "awvalid was withdrawn, or its payload changed",
    "wvalid was withdrawn, or its payload changed",
    "arvalid was withdrawn, or its payload changed",
    "a write burst is too long, crosses 4 KiB, or is not of whole words",
    "a read burst is too long, crosses 4 KiB, or is not of whole words",
    "wlast is on the wrong beat",
    "data without an address",
    "an address outside of the window",
)
"""What an AXI4 manager must not do (IHI 0022), and one rule of ours; a bit of `AxiWatch.broken` each."""

MOST_BURSTS = 16
MOST_BEATS = 16
PAGE_WORDS = 512


class AxiWatch(wiring.Component):
    """Watches an AXI4 port from aside. It knows nothing of how the manager works.

    Members
    -------
    bus : In(signature)
        All of the port's signals.
    window_base, window_size : In(64)
    broken : Out(len(RULES))
        A bit for each rule, for ever.
    reads, writes : Out(8)
        Transactions shown and not answered.
    moved : Out(32)
        Beats read and writes answered.
    """

    def __init__(self, bus):
        self._bus = bus
        super().__init__({
            **{name: In(member.shape) for name, member in bus.members.items()},
            "window_base": In(64),
            "window_size": In(64),
            "broken": Out(len(RULES)),
            "reads": Out(8),
            "writes": Out(8),
            "moved": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        broken = []
        fresh = {}
        for channel in ("aw", "w", "ar"):
            valid, ready = getattr(self, f"{channel}valid"), getattr(self, f"{channel}ready")
            names = [n for n in self._bus.members if n.startswith(channel) and n not in {f"{channel}valid", f"{channel}ready"}]
            payload = Cat(getattr(self, name) for name in names)
            waits, before = Signal(name=f"{channel}_waits"), Signal(len(payload), name=f"{channel}_before")
            m.d.sync += [waits.eq(valid & ~ready), before.eq(payload)]
            broken.append(waits & (~valid | (payload != before)))
            fresh[channel] = valid & ~waits
        for channel in ("aw", "ar"):
            address, beats = getattr(self, f"{channel}addr"), getattr(self, f"{channel}len") + 1
            crosses = address[3:12] + beats > PAGE_WORDS
            odd = (getattr(self, f"{channel}burst") != 1) | (getattr(self, f"{channel}size") != 3) | (address[:3] != 0)
            broken.append(fresh[channel] & (crosses | odd | (beats > MOST_BEATS)))

        # Bursts that were shown and whose data is not complete: their lengths, in order.
        lengths = Array(Signal(8, name=f"length_{n}") for n in range(MOST_BURSTS))
        come, gone, beat = Signal(4), Signal(4), Signal(8)
        length = Mux((come == gone) & fresh["aw"], self.awlen, lengths[gone])
        with m.If(fresh["aw"]):
            m.d.sync += [lengths[come].eq(self.awlen), come.eq(come + 1)]
        taken = self.wvalid & self.wready
        with m.If(taken):
            m.d.sync += beat.eq(Mux(self.wlast, 0, beat + 1))
            with m.If(self.wlast):
                m.d.sync += gone.eq(gone + 1)
        broken.append(taken & (self.wlast != (beat == length)))
        broken.append(taken & (come == gone) & ~fresh["aw"])

        outside = [(getattr(self, f"{c}addr") - self.window_base)[:64] >= self.window_size for c in ("aw", "ar")]
        broken.append((self.window_size != 0) & ((fresh["aw"] & outside[0]) | (fresh["ar"] & outside[1])))

        read, written = self.rvalid & self.rready, self.bvalid & self.bready
        m.d.sync += [
            self.broken.eq(self.broken | Cat(broken)),
            self.reads.eq(self.reads + fresh["ar"] - (read & self.rlast)),
            self.writes.eq(self.writes + fresh["aw"] - written),
            self.moved.eq(self.moved + read + written),
        ]
        return m


class Watched(wiring.Component):
    """A component with the AXI4 port ``m_axi``, and `AxiWatch` beside it: its outputs are ``watch_…``."""

    def __init__(self, component):
        self._component = component
        watch = {"broken": len(RULES), "reads": 8, "writes": 8, "moved": 32}
        super().__init__({
            **component.signature.members,
            **{f"watch_{name}": Out(width) for name, width in watch.items()},
        })
        self._outputs = tuple(watch)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self._component
        m.submodules.watch = watch = AxiWatch(dut.m_axi.signature)
        for name, member in dut.signature.members.items():
            ours, theirs = getattr(self, name), getattr(dut, name)
            if member.is_signature:
                wiring.connect(m, wiring.flipped(ours), theirs)
            else:
                m.d.comb += ours.eq(theirs) if member.flow == Out else theirs.eq(ours)
        m.d.comb += [
            *(getattr(watch, name).eq(getattr(dut.m_axi, name)) for name in dut.m_axi.signature.members),
            watch.window_base.eq(dut.window_base),
            watch.window_size.eq(dut.window_size),
            *(getattr(self, f"watch_{name}").eq(getattr(watch, name)) for name in self._outputs),
        ]
        return m


class Nic(wiring.Component):
    """The device with the engine behind it: ports as of `VirtioNet`, but ``wire`` in place of ``tx``."""

    def __init__(self, config, **options):
        self._device = VirtioNet(config, **options)
        self._engine = OffcutTx(config)
        bus = self._device.m_axi.signature
        super().__init__({
            "s_axil": In(AxiLite(12)),
            "m_axi": Out(Axi4(bus.addr_width, bus.data_width)),
            "irq": Out(1),
            "mac": In(48),
            "mtu": In(16),
            "link": In(1),
            "window_base": In(64),
            "window_size": In(64),
            "wire": Out(AxiStream(64)),
            "rx": In(AxiStream(64)),
            "stat_length_mismatch": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.device = device = self._device
        m.submodules.engine = engine = self._engine
        wiring.connect(m, wiring.flipped(self.s_axil), device.s_axil)
        wiring.connect(m, device.m_axi, wiring.flipped(self.m_axi))
        wiring.connect(m, wiring.flipped(self.rx), device.rx)
        m.d.comb += [getattr(device, name).eq(getattr(self, name)) for name in ("mac", "mtu", "link", "window_base", "window_size")]
        m.d.comb += [
            self.irq.eq(device.irq),
            device.tx.tready.eq(engine.s_axis_tready),
            *(getattr(engine, f"s_axis_{name}").eq(getattr(device.tx, name)) for name in ("tdata", "tkeep", "tuser", "tlast", "tvalid")),
            *(getattr(self.wire, name).eq(getattr(engine, f"m_axis_{name}")) for name in ("tdata", "tkeep", "tlast", "tvalid")),
            engine.m_axis_tready.eq(self.wire.tready),
            self.stat_length_mismatch.eq(engine.stat_drop_length_mismatch),
        ]
        return m


class WiredNic(wiring.Component):
    """The device, engine and FIFOs of the boards' ``core`` design: ports as of `Nic`, with the wire's own clock, and the engine's registers."""

    def __init__(self, config, *, memory_bytes):
        self._nic = BoardNic(config, memory_bytes=memory_bytes)
        self._memory_bytes = memory_bytes
        inputs = {"mac": 48, "mtu": 16, "link": 1, "window_base": 64, "window_size": 64, "wire_clk": 1, "wire_rst": 1}
        super().__init__({
            "s_axil": In(AxiLite(12)),
            "core_axil": In(AxiLite(12)),
            "m_axi": Out(Axi4(32, 64)),
            "irq": Out(1),
            **{name: In(width) for name, width in inputs.items()},
            "wire": Out(AxiStream(64, 1)),
            "rx": In(AxiStream(64, 1)),
        })

    def elaborate(self, platform):
        m = Module()
        m.domains += ClockDomain(WIRE)
        m.d.comb += [ClockSignal(WIRE).eq(self.wire_clk), ResetSignal(WIRE).eq(self.wire_rst)]
        m.submodules.nic = nic = self._nic
        wiring.connect(m, wiring.flipped(self.s_axil), nic.registers[0])
        wiring.connect(m, wiring.flipped(self.core_axil), nic.registers[1])
        wiring.connect(m, nic.memory, wiring.flipped(self.m_axi))
        wiring.connect(m, nic.wire_tx, wiring.flipped(self.wire))
        wiring.connect(m, wiring.flipped(self.rx), nic.wire_rx)
        m.d.comb += [self.irq.eq(nic.irq), nic.link.eq(self.link)]
        return m


def as_verilog(component, name):
    """A component as Verilog text, its ports by their flat names."""
    return verilog.convert(component, name=name, ports=flat_ports(component), emit_src=False, strip_internal_attrs=True)
