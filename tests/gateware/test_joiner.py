"""The joiner: header rows, patches and payload become frames."""

import pytest
from amaranth.hdl import Signal
from support import geometry, plain, pulse, sender, simulate

from offcut.tx.joiner import Joiner
from offcut.tx.layouts import Field

FIELDS_AFTER, CHECKSUMS_AFTER = 2, 4  # clocks from `begin` to the patcher's answers
PAYLOAD_AFTER = 2  # from `payload_take` to the buffer's
WIDTHS = [32, 64, 512]


class Unit:
    """One entry, with what the header RAM, the buffer and the patcher will say of it."""

    def __init__(self, g, dice, *, cut, first=1, last=1, void=0, slot=0, length=None):
        self.g = g
        size = g.bus_bytes
        self.header_len = dice.choice([54, 58, 66, 78]) if cut else 0
        self.payload = dice.randbytes(length or dice.choice([1, 2, size, dice.randint(1, 4 * size)]))
        self.length = self.header_len + len(self.payload)
        row, lane = divmod(self.length - 1, size)
        tagged = dice.getrandbits(1)
        self.csum = dice.getrandbits(16)  # as it stands on the wire
        start = dice.choice([14, 34, 35, 0, 1]) if not cut else 34
        self.csum_at = 50 if cut else dice.randrange(max(1, self.length - 1))
        swap = (self.csum_at - start) % 2
        has_csum = dice.getrandbits(1) if self.length > 1 else 0
        has_ip = int(not cut and self.length > 30 and dice.getrandbits(1))
        if has_ip and abs(self.csum_at - 26) < 6:
            has_csum = 0
        self.entry = {
            "single": int(row == 0),
            "void": void,
            "cut": cut,
            "slot": slot,
            "first": first,
            "last": last,
            "header_len": self.header_len,
            "last_row": row,
            "last_lane": lane,
            "csum": has_csum,
            "csum_low": self.csum_at + 1,
            "csum_swap": swap,
            "ip": has_ip,
            "ip_tagged": tagged,
        }
        # Summed where the bytes stand, so a sum from an odd place on comes the other way round.
        summed = self.csum if start % 2 == 0 else int.from_bytes(self.csum.to_bytes(2, "little"), "big")
        self.fields = {
            "total_length": dice.getrandbits(16),
            "identification": dice.getrandbits(16),
            "seq": dice.getrandbits(32),
            "flags": dice.getrandbits(16),
        }
        self.checksums = {"ip_csum": dice.getrandbits(16), "csum": summed}

    def words(self):
        """The buffer's: payload in the lanes in which it leaves, zeroes around it."""
        size = self.g.bus_bytes
        octets = bytes(self.header_len % size) + self.payload
        return [int.from_bytes(octets[at : at + size], "little") for at in range(0, len(octets), size)]

    def frame(self, header, tags):
        """The frame that must leave."""
        out = bytearray(header[: self.header_len] + self.payload)
        whole = self.entry["first"] and self.entry["last"]
        patched = self.entry["cut"] and not whole
        if patched:
            seq = self.fields["seq"].to_bytes(4, "big")
            even = {Field.TOTAL_LENGTH: self.fields["total_length"].to_bytes(2, "big"), Field.SEQUENCE_LOW: seq[2:]}
            odd = {
                Field.IDENTIFICATION: self.fields["identification"].to_bytes(2, "big"),
                Field.SEQUENCE_HIGH: seq[:2],
                Field.FLAGS: self.fields["flags"].to_bytes(2, "big"),
            }
            for halfword in range(self.header_len // 2):
                at = 2 * halfword
                out[at : at + 2] = (odd if halfword % 2 else even).get(tags[halfword], out[at : at + 2])
        if patched or self.entry["ip"]:
            at = 28 if self.entry["ip_tagged"] else 24
            out[at : at + 2] = self.checksums["ip_csum"].to_bytes(2, "big")
        if patched or self.entry["csum"]:
            out[self.csum_at : self.csum_at + 2] = self.csum.to_bytes(2, "big")
        return bytes(out)


class Neighbours:
    """The header RAM, the buffer and the patcher, clock by clock."""

    def __init__(self, dut, g, dice, units):
        self.dut, self.dice, self.units = dut, dice, units
        self.headers = [dice.randbytes(g.header_bytes) for _ in range(g.slots)]
        self.tags = [
            [dice.choice([0, 0, 0, 1, 2, 3] if at % 2 else [0, 0, 1, 2]) for at in range(g.header_bytes // 2)] for _ in range(g.slots)
        ]
        size, halfwords = g.bus_bytes, g.width // 16
        self.rows = [
            [
                (
                    int.from_bytes(header[at : at + size], "little"),
                    sum(tag << 2 * lane for lane, tag in enumerate(tags[at // 2 :][:halfwords])),
                )
                for at in range(0, g.header_bytes, size)
            ]
            for header, tags in zip(self.headers, self.tags, strict=True)
        ]
        self.buffer = [word for unit in units if not unit.entry["void"] for word in unit.words()]
        self.released = 0

    def expected(self):
        slots = [unit.entry["slot"] for unit in self.units]
        return [
            unit.frame(self.headers[slot], self.tags[slot]) for unit, slot in zip(self.units, slots, strict=True) if not unit.entry["void"]
        ]

    async def answer(self, ctx, done):
        """Every answer comes as many clocks after its question as the blocks promise."""
        dut, later = self.dut, {}
        begun = iter([unit for unit in self.units if not unit.entry["void"]])
        clock = 0
        while not done:
            questions = (dut.begin, dut.header_take, dut.header_slot, dut.header_row, dut.payload_take, dut.released)
            _, _, begin, header_take, slot, row, payload_take, released = await ctx.tick().sample(*questions)
            clock += 1
            self.released += released
            if header_take:
                data, tags = self.rows[slot][row % len(self.rows[slot])]
                ctx.set(dut.header, data)
                ctx.set(dut.fields, tags)
            banks = len(dut.payload)
            word = {self.dice.randrange(banks): self.buffer.pop(0)} if payload_take else {}
            later.setdefault(clock + PAYLOAD_AFTER - 1, []).append({"payload": [word.get(bank, 0) for bank in range(banks)]})
            if begin:
                unit = next(begun)
                later.setdefault(clock + FIELDS_AFTER - 1, []).append(unit.fields)
                later.setdefault(clock + CHECKSUMS_AFTER - 1, []).append(unit.checksums)
            for values in later.pop(clock, []):
                for name, value in values.items():
                    ctx.set(getattr(dut, name), value)
        assert not self.buffer


def run(g, dice, units, *, pauses=0.0, stalls=0.0):
    """The beats that leave, the clocks of each, and the neighbours."""
    dut = Joiner(g)
    neighbours, beats, clocks, done = Neighbours(dut, g, dice, units), [], [], []
    frames = len(neighbours.expected())

    async def sink(ctx):
        ended, clock, waiting = 0, 0, None
        while ended < frames:
            ready = dice.random() >= stalls
            ctx.set(dut.o.ready, ready)
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            clock += 1
            beat = plain(payload) if valid else None
            assert waiting in (None, beat), "a beat changed or went while it waited"
            waiting = None if ready else beat
            if valid and ready:
                beats.append(beat)
                clocks.append(clock)
                ended += beat["last"]
        await ctx.tick().repeat(4)
        done.append(True)

    async def answers(ctx):
        await neighbours.answer(ctx, done)

    simulate(dut, sender(dut.entries, [unit.entry for unit in units], dice=dice, pauses=pauses), sink, answers)
    return beats, clocks, neighbours


def frames_of(g, beats):
    """Whole frames, with AXI's rules for keep and for unused lanes."""
    frames, frame = [], b""
    for beat in beats:
        count = beat["keep"].bit_count()
        assert beat["keep"] == (1 << count) - 1 and count and (beat["last"] or count == g.bus_bytes)
        assert beat["data"] >> 8 * count == 0, "unused lanes must be 0"
        frame += beat["data"].to_bytes(g.bus_bytes, "little")[:count]
        if beat["last"]:
            frames.append(frame)
            frame = b""
    assert not frame
    return frames


def random_units(dice, g, count):
    """Frames that are not cut, frames in segments, frames in one, and void entries."""
    units = []
    while len(units) < count:
        kind, slot = dice.randrange(4), dice.randrange(g.slots)
        if kind < 2:
            units.append(Unit(g, dice, cut=0))
        elif kind == 2:
            units.append(Unit(g, dice, cut=1, slot=slot))
        else:
            segments = dice.randint(2, 4)
            units += [Unit(g, dice, cut=1, slot=slot, first=int(n == 0), last=int(n == segments - 1)) for n in range(segments)]
            if dice.random() < 0.3:
                units.append(Unit(g, dice, cut=1, slot=slot, first=0, void=1))
    return units


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("pauses, stalls", [(0.0, 0.0), (0.6, 0.0), (0.0, 0.5), (0.4, 0.4)])
def test_frames_leave_with_their_fields_and_checksums_in_place(dice, width, pauses, stalls):
    g = geometry(width)
    units = random_units(dice, g, 60)
    beats, _, neighbours = run(g, dice, units, pauses=pauses, stalls=stalls)
    assert frames_of(g, beats) == neighbours.expected()
    assert neighbours.released == sum(unit.entry["cut"] and unit.entry["last"] for unit in units)


@pytest.mark.parametrize("width", WIDTHS)
def test_there_is_a_beat_in_every_clock(dice, width):
    g = geometry(width)
    units = [unit for unit in random_units(dice, g, 60) if not unit.entry["void"]]
    beats, clocks, _ = run(g, dice, units)
    assert clocks[-1] - clocks[0] == len(beats) - 1


def test_frames_of_one_beat_leave_one_a_clock(dice):
    g = geometry(512)
    units = [Unit(g, dice, cut=0, length=60) for _ in range(60)]
    beats, clocks, _ = run(g, dice, units)
    assert len(beats) == 60 and clocks[-1] - clocks[0] == 59


def test_an_entry_that_is_void_takes_one_clock_and_frees_its_slot(dice):
    g = geometry(64)
    units = [Unit(g, dice, cut=1, void=1, slot=n % 4) for n in range(12)] + [Unit(g, dice, cut=0)]
    beats, _, neighbours = run(g, dice, units)
    assert len(frames_of(g, beats)) == 1
    assert neighbours.released == 12


def test_after_a_reset_in_mid_frame_nothing_of_it_is_left(dice):
    g = geometry(64)
    dut, reset, beats = Joiner(g), Signal(), []
    old, new = Unit(g, dice, cut=0, length=200), Unit(g, dice, cut=0, length=5)
    new.entry["csum"] = 0

    async def bench(ctx):
        await ctx.tick().repeat(4)
        ctx.set(dut.entries.payload, old.entry)
        ctx.set(dut.entries.valid, 1)
        await ctx.tick().repeat(12)
        assert ctx.get(dut.o.valid)
        ctx.set(dut.entries.valid, 0)
        await pulse(ctx, reset)
        ctx.set(dut.entries.payload, new.entry)
        ctx.set(dut.entries.valid, 1)
        await ctx.tick().until(dut.payload_take)
        ctx.set(dut.entries.valid, 0)
        await ctx.tick().repeat(PAYLOAD_AFTER - 1)
        ctx.set(dut.payload, [new.words()[0]] + [0] * (len(dut.payload) - 1))
        ctx.set(dut.o.ready, 1)
        for _ in range(16):
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                beats.append(plain(payload))

    simulate(dut, bench, reset=reset)
    assert frames_of(g, beats) == [new.payload]
