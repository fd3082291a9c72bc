"""The registers: status, features, queues, interrupts, configuration."""

from amaranth import Array, C, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from offcut.axi import RESP_OKAY, AxiLite

from .features import bit
from .layouts import QUEUES, Base
from .registers import CONFIG, DEVICE_ID, MAGIC, REGISTERS, VENDOR_ID, VERSION, Interrupt, Status, offset

__all__ = ["ADDR_WIDTH", "Mmio"]

ADDR_WIDTH = 12
WORD_BITS = 10
"""Of an address, in words."""

SETTLE = 4
"""Clocks from `halt` until `quiet` speaks of it."""

BASES = {
    "QueueDesc": (Base.DESCRIPTORS, 16),
    "QueueDriver": (Base.AVAIL, 2),
    "QueueDevice": (Base.USED, 4),
}
"""Addresses that the driver sets, and what they must be multiples of (2.7)."""


class Mmio(wiring.Component):
    """Registers of virtio-mmio, version 2 (virtio 1.2, 4.2.2), behind AXI4-Lite; docs/virtio.md tells what is in them.

    One write and one read at a time. A reset is answered when all is quiet: so no register is read or written between the driver's reset
    and its end but Status, which shows what it was until then. Writes of less than 32 bits are ignored.

    Parameters
    ----------
    features : sequence of offcut.virtio.features.Feature
        What is offered.
    addr_width : int
        Bits of an address on the bus. A queue whose addresses have more is refused.
    max_queue : int

    Members
    -------
    s_axil : In(AxiLite(12))
    irq : Out(1)
    mac, mtu, link : In
        The configuration.
    running : Out(1)
        DRIVER_OK, and nothing against it.
    halt : Out(1)
        Begin nothing on the bus. Not 1 before the driver is there.
    clear : Out(1)
        Strobe: a reset is done.
    quiet : In(1)
        Nothing is under way on the bus.
    fault : In(1)
        The driver broke a rule: NEEDS_RESET.
    used : In(1)
        Strobe: interrupt the driver.
    ready : Out(2), size_rx, size_tx, kick : Out(2)
        The queues in use, their lengths, and strobes: look for new buffers.
    indirect, event_idx, mergeable : Out(1)
        Features that were negotiated.
    set, set_queue, set_base, set_high, set_data : Out
        Half an address of a queue.
    """

    def __init__(self, features, *, addr_width, max_queue):
        self._features = features
        self._addr_width = addr_width
        self._max_queue = max_queue
        self._size_bits = ceil_log2(max_queue + 1)
        super().__init__({
            "s_axil": In(AxiLite(ADDR_WIDTH)),
            "irq": Out(1),
            "mac": In(48),
            "mtu": In(16),
            "link": In(1),
            "running": Out(1),
            "halt": Out(1),
            "clear": Out(1),
            "quiet": In(1),
            "fault": In(1),
            "used": In(1),
            "ready": Out(2),
            "size_rx": Out(self._size_bits),
            "size_tx": Out(self._size_bits),
            "kick": Out(2),
            "indirect": Out(1),
            "event_idx": Out(1),
            "mergeable": Out(1),
            "set": Out(1),
            "set_queue": Out(1),
            "set_base": Out(2),
            "set_high": Out(1),
            "set_data": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        bus = self.s_axil
        names = {feature.name for feature in self._features}

        # --- A write is held until both its halves are there, a read for a clock.
        write_at, read_at = Signal(WORD_BITS), Signal(WORD_BITS)
        data, whole = Signal(32), Signal()
        have_address, have_data, reading = Signal(), Signal(), Signal()
        m.d.comb += [
            bus.awready.eq(~have_address),
            bus.wready.eq(~have_data),
            bus.bresp.eq(RESP_OKAY),
            bus.rresp.eq(RESP_OKAY),
            bus.arready.eq(~reading & ~bus.rvalid),
        ]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [have_address.eq(1), write_at.eq(bus.awaddr[2:])]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [have_data.eq(1), data.eq(bus.wdata), whole.eq(bus.wstrb.all())]
        m.d.sync += reading.eq(bus.arvalid & bus.arready)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += read_at.eq(bus.araddr[2:])
        act = Signal()  # the clock in which a write does what it does

        def written(name):
            return act & whole & (write_at == offset(name) // 4)

        # --- Features.
        offered = Signal(64)
        accepted = Signal(64)
        unknown = Signal(2)  # accepted, but not offered, in either half
        device_half, driver_half, driver_beyond, device_beyond = (Signal(name=name) for name in ("dev", "drv", "drv_beyond", "dev_beyond"))
        status = Signal(8)
        m.d.comb += offered.eq(Cat(C(int(any(f.bit == n for f in self._features)), 1) for n in range(64)))
        if "MTU" in names:
            m.d.comb += offered[bit("MTU")].eq(self.mtu != 0)

        def has(name):
            return accepted[bit(name)] if name in names else C(0)

        feasible = ~unknown.any() & has("VERSION_1")
        for feature in self._features:
            if feature.needs:
                feasible &= ~has(feature.name) | Cat(has(need) for need in feature.needs).any()
        with m.If(written("DeviceFeaturesSel")):
            m.d.sync += [device_half.eq(data), device_beyond.eq(data[1:].any())]
        with m.If(written("DriverFeaturesSel")):
            m.d.sync += [driver_half.eq(data), driver_beyond.eq(data[1:].any())]
        with m.If(written("DriverFeatures") & ~status[Status.FEATURES_OK.bit_length() - 1] & ~driver_beyond):
            for half in range(2):
                with m.If(driver_half == half):
                    known = offered.word_select(half, 32)
                    m.d.sync += [
                        accepted.word_select(half, 32).eq(data & known),
                        unknown[half].eq((data & ~known).any()),
                    ]
        m.d.comb += [
            self.indirect.eq(has("RING_INDIRECT_DESC")),
            self.event_idx.eq(has("RING_EVENT_IDX")),
            self.mergeable.eq(has("MRG_RXBUF")),
        ]

        # --- Queues.
        selected, no_queue = Signal(), Signal()
        sizes = Array(Signal(self._size_bits, name=f"size_{q}") for q in QUEUES)
        unfit = Array(Signal(2 * len(BASES) + 1, init=1, name=f"unfit_{q}") for q in QUEUES)  # no length yet, and no address
        size = sizes[selected]
        bad_queue, stopped = Signal(), Signal()
        m.d.comb += [self.size_rx.eq(sizes[0]), self.size_tx.eq(sizes[1])]
        with m.If(written("QueueSel")):
            m.d.sync += [selected.eq(data), no_queue.eq(data[1:].any())]
        set_up = ~no_queue & ~self.ready.bit_select(selected, 1)
        with m.If(written("QueueNum") & set_up):
            length = data[: self._size_bits]
            m.d.sync += [
                size.eq(data),
                unfit[selected][0].eq((length == 0) | ((length & (length - 1)) != 0) | data[self._size_bits :].any()),
            ]
        m.d.comb += [self.set_queue.eq(selected), self.set_data.eq(data)]
        for index, (name, (base, multiple)) in enumerate(BASES.items()):
            for half, suffix in enumerate(("Low", "High")):
                beyond = data[max(0, self._addr_width - 32) :] if half else data[: ceil_log2(multiple)]
                with m.If(written(name + suffix) & set_up):
                    m.d.comb += [self.set.eq(1), self.set_base.eq(base), self.set_high.eq(half)]
                    m.d.sync += unfit[selected][1 + 2 * index + half].eq(beyond.any())
        stop = Signal()
        with m.If(written("QueueReady") & ~no_queue):
            with m.If(~data[0]):
                m.d.comb += stop.eq(self.running)
                m.d.sync += self.ready.bit_select(selected, 1).eq(0)
            with m.Elif(unfit[selected].any()):
                m.d.comb += bad_queue.eq(1)
            with m.Else():
                m.d.sync += self.ready.bit_select(selected, 1).eq(1)
        m.d.sync += self.kick.eq(0)
        with m.If(written("QueueNotify")):
            m.d.sync += self.kick.eq(Cat(data == q for q in QUEUES))

        # --- Configuration: a copy, so that a change is seen.
        mac, mtu, link = Signal.like(self.mac), Signal.like(self.mtu), Signal.like(self.link)
        generation = Signal(8)
        changed = Signal()
        m.d.sync += [
            mac.eq(self.mac),
            mtu.eq(self.mtu),
            link.eq(self.link),
            changed.eq(Cat(mac, mtu, link) != Cat(self.mac, self.mtu, self.link)),
        ]
        with m.If(changed):
            m.d.sync += generation.eq(generation + 1)
        values = {"mac": mac, "status": Cat(link, C(0, 15)), "max_virtqueue_pairs": C(1, 16), "mtu": mtu}
        config = Cat(values[field.name] for field in CONFIG)

        # --- Status and interrupts.
        driver_ok, needs_reset, failed = (status[flag.bit_length() - 1] for flag in (Status.DRIVER_OK, Status.NEEDS_RESET, Status.FAILED))
        features_ok = status[Status.FEATURES_OK.bit_length() - 1]
        interrupt = Signal(len(Interrupt))
        fault = self.fault | bad_queue
        news = Signal()  # for the driver, by an interrupt
        resetting = Signal()
        with m.If(written("Status") & (data != 0)):
            m.d.sync += [
                status.eq(status | (data & (Status.ACKNOWLEDGE | Status.DRIVER | Status.FAILED))),
                features_ok.eq(features_ok | (data[Status.FEATURES_OK.bit_length() - 1] & feasible)),
            ]
            with m.If(data[Status.DRIVER_OK.bit_length() - 1] & features_ok):
                m.d.sync += [driver_ok.eq(1), self.kick.eq(0b11)]
                m.d.comb += news.eq(needs_reset & ~driver_ok)
        with m.If(fault):
            m.d.sync += needs_reset.eq(1)
        link_changed = (link != self.link) & has("STATUS")
        m.d.comb += [
            self.running.eq(driver_ok & ~needs_reset & ~failed & ~stopped & ~resetting),
            self.halt.eq(~self.running),
        ]
        acknowledged = Mux(written("InterruptACK"), data[: len(interrupt)], 0)
        config_news = news | (driver_ok & ((fault & ~needs_reset) | link_changed))
        m.d.sync += [
            interrupt.eq((interrupt & ~acknowledged) | Cat(self.used, config_news)),
            self.irq.eq(interrupt.any()),
        ]

        # --- What a write does, and when it is answered.
        settle = Signal(range(SETTLE + 1))
        with m.FSM():
            with m.State("Idle"):
                with m.If(have_address & have_data):
                    m.next = "Act"
            with m.State("Act"):
                m.d.comb += act.eq(1)
                m.d.sync += settle.eq(SETTLE)
                m.next = "Answer"
                with m.If(stop):
                    m.d.sync += stopped.eq(1)
                    m.next = "Quiesce"
                with m.If(written("Status") & (data == 0)):
                    m.d.sync += resetting.eq(1)
                    m.next = "Quiesce"
            with m.State("Quiesce"):
                with m.If(settle != 0):
                    m.d.sync += settle.eq(settle - 1)
                with m.Elif(self.quiet):
                    m.next = "Answer"
                    m.d.sync += self.clear.eq(resetting)
            with m.State("Answer"):
                m.d.sync += bus.bvalid.eq(1)
                with m.If(bus.bvalid & bus.bready):
                    m.d.sync += [bus.bvalid.eq(0), have_address.eq(0), have_data.eq(0)]
                    m.next = "Idle"
        with m.If(self.clear):
            m.d.sync += [
                self.clear.eq(0),
                status.eq(0),
                interrupt.eq(0),
                accepted.eq(0),
                unknown.eq(0),
                self.ready.eq(0),
                stopped.eq(0),
                resetting.eq(0),
                selected.eq(0),
                no_queue.eq(0),
                device_half.eq(0),
                device_beyond.eq(0),
                driver_half.eq(0),
                driver_beyond.eq(0),
                self.kick.eq(0),
                *(value.eq(1) for value in unfit),
            ]

        # --- Reads.
        found = {
            "MagicValue": C(MAGIC, 32),
            "Version": C(VERSION, 32),
            "DeviceID": C(DEVICE_ID, 32),
            "VendorID": C(VENDOR_ID, 32),
            "DeviceFeatures": Mux(device_beyond, 0, Mux(device_half, offered[32:], offered[:32])),
            "QueueNumMax": Mux(no_queue, 0, self._max_queue),
            "QueueReady": self.ready.bit_select(selected, 1) & ~no_queue,
            "InterruptStatus": interrupt,
            "Status": status,
            "SHMLenLow": C(0xFFFF_FFFF, 32),
            "SHMLenHigh": C(0xFFFF_FFFF, 32),
            "SHMBaseLow": C(0xFFFF_FFFF, 32),
            "SHMBaseHigh": C(0xFFFF_FFFF, 32),
            "ConfigGeneration": generation,
        }
        readable = {register.name for register in REGISTERS if "R" in register.access}
        assert {*found, "Config"} == readable, "the table of registers and what is read differ"
        value = Signal(32)
        with m.Switch(read_at):
            for name, what in found.items():
                with m.Case(offset(name) // 4):
                    m.d.comb += value.eq(what)
            for index in range(len(config) // 32):
                with m.Case(offset("Config") // 4 + index):
                    m.d.comb += value.eq(config.word_select(index, 32))
        with m.If(bus.rvalid & bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(reading):
            m.d.sync += [bus.rvalid.eq(1), bus.rdata.eq(value)]
        return m
