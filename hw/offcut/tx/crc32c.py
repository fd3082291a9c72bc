"""Make the CRC32c of what an SCTP checksum covers, while it passes."""

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Crc32c", "FieldAt"]

POLYNOMIAL = 0x82F63B78
"""RFC 9260, appendix A, the coefficient of x^31 in bit 0: so bytes enter as they come on the wire, lowest bit first."""

ONES = 0xFFFFFFFF
"""What a CRC begins with, and what it is inverted by at its end."""

TERMS = 36
"""Bits that are added up in one clock: two levels of LUTs with six inputs."""


class FieldAt:
    """The lanes of a row in which the four bytes of a CRC's field stand, a clock later.

    Parameters
    ----------
    m : Module
    bits : int
        That name a lane.
    row : Value
    csum_low : Value
        Byte position of the field's second byte.
    when : Value
        There is one.
    """

    BYTES = 4

    def __init__(self, m, bits, row, csum_low, *, when):
        size = 1 << bits
        place = Signal(len(csum_low), name="crc_place")
        self._first, self._behind = Signal(range(size + 1), name="crc_first"), Signal(range(size + 1), name="crc_behind")
        m.d.comb += place.eq(csum_low - 1)
        lane, here = place[:bits], row == place >> bits
        last = Signal(len(csum_low), name="crc_last")
        m.d.comb += last.eq(place + self.BYTES - 1)
        over = (row == last >> bits) & (last >> bits != place >> bits)
        m.d.sync += [self._first.eq(0), self._behind.eq(0)]
        with m.If(when & here):
            m.d.sync += [self._first.eq(lane), self._behind.eq(Mux(lane > size - self.BYTES, size, lane + self.BYTES))]
        with m.Elif(when & over):
            m.d.sync += self._behind.eq(last[:bits] + 1)

    def covers(self, lane):
        """Whether the field has a byte in this lane."""
        return (lane >= self._first) & (lane < self._behind)


def advance(crc, bits):
    """The state after so many bits of 0."""
    for _ in range(bits):
        crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc


def retreat(crc, bits):
    """The state before so many bits of 0: the polynomial's own top bit tells whether it was added."""
    for _ in range(bits):
        crc = (crc ^ POLYNOMIAL) << 1 | 1 if crc >> 31 else crc << 1
    return crc


def terms(value, columns):
    """For each bit of a product, the bits of ``value`` that add up to it; ``columns`` says what each of those adds."""
    return [[bit for bit, column in zip(value, columns, strict=True) if column >> row & 1] for row in range(32)]


def product(value, columns):
    """``value`` times a matrix, over the field of two elements."""
    return Cat(*(Cat(*row).xor() for row in terms(value, columns)))


class Crc32c(wiring.Component):
    """A whole word enters in each clock. A CRC can be read ``latency`` clocks after its unit's last word.

    The lanes behind the last byte enter as bytes of 0 like all others, and their steps are taken back: one stage for each bit of their
    number, one unit a clock.

    Members
    -------
    valid : In(1)
        A word passes.
    begin, lane : In
        The word holds the first byte that counts, and in which lane. What came before is forgotten.
    word : In
        Bytes that do not count are 0: before the first one, and behind the frame's end. So is the checksum's own field.
    push : In(1)
        It is the last one of a unit whose CRC is wanted.
    behind : In
        Lanes behind the frame's last byte, in the word with ``push``.
    crc : Out(32)
        The oldest CRC in the queue. Its lowest byte stands first on the wire.
    pop : In(1)
    """

    def __init__(self, geometry):
        self._geometry = g = geometry
        whole = range(g.width)
        self._columns = [advance(1 << bit % 32, g.width - bit // 32 * 32) for bit in whole]
        most = max(len(row) for row in terms(whole[32:], self._columns[32:]))
        self._tree = 1 if most <= 2 * TERMS else 2
        self.latency = self._tree + 1 + g.lane_bits
        super().__init__({
            "valid": In(1),
            "begin": In(1),
            "lane": In(g.lane_bits),
            "word": In(g.width),
            "push": In(1),
            "behind": In(g.lane_bits),
            "crc": Out(32),
            "pop": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry

        def later(value, clocks, name):
            for clock in range(clocks):
                value, before = Signal.like(value, name=f"{name}_{clock}"), value
                m.d.sync += value.eq(before)
            return value

        # --- The word but its first four bytes, which the state comes upon: sums that know nothing of each other.
        partial = []
        for row, bits in enumerate(terms(self.word[32:], self._columns[32:])):
            chunks = -(-len(bits) // TERMS)
            sums = [Signal(name=f"sum_{row}_{chunk}") for chunk in range(chunks)]
            m.d.sync += [one.eq(Cat(*bits[chunk::chunks]).xor()) for chunk, one in enumerate(sums)]
            if self._tree == 2:
                both = Signal(name=f"sum_{row}")
                m.d.sync += both.eq(Cat(*sums).xor())
                sums = [both]
            partial.append(Cat(*sums).xor() if sums else Const(0, 1))

        # --- Meanwhile: the state with which bytes of 0 lead to all ones where the first byte stands.
        initial = Signal(32)
        m.d.sync += initial.eq(Array(Const(retreat(ONES, 8 * lane), 32) for lane in range(g.bus_bytes))[self.lane])
        initial = later(initial, self._tree - 1, "initial")

        # --- The state.
        valid, begin, push = (
            later(value, self._tree, name) for name, value in (("valid", self.valid), ("begin", self.begin), ("push", self.push))
        )
        start = later(self.word[:32], self._tree, "start")
        behind = later(self.behind, self._tree + 1, "behind")
        state = Signal(32)
        done = Signal()
        m.d.sync += done.eq(valid & push)
        with m.If(valid):
            m.d.sync += state.eq(product(Mux(begin, initial, state) ^ start, self._columns[:32]) ^ Cat(*partial))

        # --- Steps taken back, the most at first. The last stage needs the fewest terms, and is written into the queue at once.
        for bit in reversed(range(g.lane_bits)):
            columns = [retreat(1 << n, 8 << bit) for n in range(32)]
            back = Mux(behind[bit], product(state, columns), state)
            if bit:
                state, done, behind = (
                    later(value, 1, f"{name}_{bit}") for name, value in (("state", back), ("done", done), ("behind", behind[:bit]))
                )

        # No flow control of its own: a CRC for each entry of the segment queue and the few under way, which are fewer than its depth.
        m.submodules.queue = ram = memory.Memory(shape=32, depth=g.queue_depth, init=[])
        write = ram.write_port()
        read = ram.read_port(domain="comb")
        m.d.comb += [write.en.eq(done), write.data.eq(back ^ ONES), self.crc.eq(read.data)]
        m.d.sync += [write.addr.eq(write.addr + done), read.addr.eq(read.addr + self.pop)]
        return m
