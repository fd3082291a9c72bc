"""The joiner: header rows, patches and payload become frames."""

import pytest
from amaranth.hdl import Signal
from support import geometry, plain, pulse, sender, simulate

from offcut.config import FEATURES
from offcut.tx.joiner import Joiner
from offcut.tx.layouts import Field
from offcut.tx.patcher import lookup_clock

PAYLOAD_AFTER = 2  # from `payload_take` to the buffer's
WIDTHS = [32, 64, 512]
ALL = frozenset(FEATURES)
TAGGED = 16  # bytes of the header of a frame that is not cut


class Unit:
    """One entry, with what the header RAM, the buffers and the patcher will say of it."""

    def __init__(self, g, dice, *, cut=0, headed=None, void=0, slot=0, length=None, release=1, side=0):
        self.g = g
        size = g.bus_bytes
        headed = cut if headed is None else headed
        self.header_len = dice.randrange(34, 202, 2) if cut else TAGGED * headed
        least = 0 if headed else 1
        self.payload = dice.randbytes(dice.choice([least, 1, 2, size, dice.randint(1, 4 * size)]) if length is None else length)
        self.length = self.header_len + len(self.payload)
        row, lane = divmod(self.length - 1, size)
        self.csum_at = self.ip_at = None
        crc = int(g.sctp and not cut and dice.random() < 0.3)
        field = 4 if crc else 2
        if len(self.payload) >= field and dice.getrandbits(1):
            self.csum_at = self.header_len + dice.randrange(len(self.payload) - field + 1)
        crc &= self.csum_at is not None
        if not cut and len(self.payload) > 2 and dice.getrandbits(1):
            at = self.header_len + dice.randrange(0, len(self.payload) - 1, 2)
            self.ip_at = at if self.csum_at is None or abs(at - self.csum_at) >= field else None
        # A sum is made where the bytes stand: one that begins at an odd place comes the other way round, but where a header is patched.
        self.csum_swap = dice.getrandbits(1)
        # A serial patcher answers by the halfword's place in a header, a parallel one by its tag.
        self.values = [dice.getrandbits(16) for _ in range(g.header_bytes // 2 if g.serial else len(g.fields))]
        self.csum = dice.getrandbits(16)
        self.crc = dice.getrandbits(32)
        self.user = dice.getrandbits(g.config.user_width) if g.config.user_width else 0
        self.entry = {
            "single": int(row == 0),
            "void": void,
            "cut": cut,
            "headed": headed,
            "slot": slot,
            "first": dice.getrandbits(1),
            "last": dice.getrandbits(1),
            "release": release,
            "header_len": self.header_len,
            "last_row": row,
            "last_lane": lane,
            "csum": int(self.csum_at is not None),
            "csum_low": dice.getrandbits(17) if self.csum_at is None else self.csum_at + 1,
            "csum_swap": self.csum_swap,
            "ip": int(self.ip_at is not None),
            "ip_low": dice.getrandbits(8) | 1 if self.ip_at is None else self.ip_at + 1,
        }
        self.entry |= {"ufo": int(cut and dice.getrandbits(1))} if g.ufo else {}
        self.entry |= {"side": side} if g.first_last else {}
        self.entry |= {"crc": crc} if g.sctp else {}
        self.entry |= {"user": self.user} if g.config.user_width else {}

    def words(self):
        """The buffer's: payload in the lanes in which it leaves, zeroes around it."""
        size = self.g.bus_bytes
        octets = bytes(self.header_len % size) + self.payload
        return [int.from_bytes(octets[at : at + size], "little") for at in range(0, len(octets), size)]

    def value(self, at, tag):
        """The patcher's, of the field at a place."""
        return self.values[at // 2 % len(self.values) if self.g.serial else tag]

    def answers(self, asked):
        """The patcher's values, of the row or the tags for which it is asked."""
        if not self.g.serial:
            return [self.values[tag % len(self.values)] for tag in plain(asked)]
        lanes = self.g.width // 16
        return self.values[int(asked) * lanes :][:lanes]

    def frame(self, header, tags):
        """The frame that must leave."""
        out = bytearray(header[: self.header_len] + self.payload)
        if self.entry["cut"]:
            for halfword, tag in enumerate(tags[: self.header_len // 2]):
                if tag:
                    out[2 * halfword : 2 * halfword + 2] = self.value(2 * halfword, tag).to_bytes(2, "big")
        if self.ip_at is not None:
            out[self.ip_at : self.ip_at + 2] = self.value(self.ip_at, self.g.tag(Field.IP_CSUM)).to_bytes(2, "big")
        if self.csum_at is not None and self.entry.get("crc"):
            out[self.csum_at : self.csum_at + 4] = self.crc.to_bytes(4, "little")
        elif self.csum_at is not None:
            # In memory order the swapped sum of an odd place is what it would have been from an even one.
            swapped = (self.csum_at + (self.csum_swap and not self.entry["cut"])) % 2
            out[self.csum_at : self.csum_at + 2] = self.csum.to_bytes(2, "little" if swapped else "big")
        return bytes(out)


class Neighbours:
    """The header RAM, the buffers and the patcher, clock by clock."""

    def __init__(self, dut, g, dice, units, waits):
        self.waits = waits
        self.dut, self.g, self.dice, self.units, self.sides = dut, g, dice, units, len(g.side_banks) * g.first_last
        self.headers = [dice.randbytes(g.header_bytes) for _ in range(g.slots)]
        # (No field stands in front of an IP header, so none in what is sent of the header of a frame that is not cut.)
        anywhere = range((g.header_bytes - TAGGED) // 2)
        self.tags = [[0] * (TAGGED // 2) + [dice.choice([0, dice.randrange(len(g.fields))]) for _ in anywhere] for _ in range(g.slots)]
        size, halfwords = g.bus_bytes, g.width // 16
        self.rows = [
            [
                (
                    int.from_bytes(header[at : at + size], "little"),
                    [int(tag != 0) if g.serial else tag for tag in tags[at // 2 :][:halfwords]],
                )
                for at in range(0, g.header_bytes, size)
            ]
            for header, tags in zip(self.headers, self.tags, strict=True)
        ]
        leaving = [unit for unit in units if not unit.entry["void"]]
        self.buffer = [word for unit in leaving if not unit.entry.get("side") for word in unit.words()]
        self.beside = [word for unit in leaving if unit.entry.get("side") for word in unit.words()]
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
        looked_up = None  # the unit whose fields are
        lookup = lookup_clock(self.g)
        clock = 0
        while not done:
            questions = (dut.begin, dut.header_take, dut.header_slot, dut.header_row, dut.payload_take, dut.side_take, dut.released)
            _, _, begin, header_take, slot, row, payload_take, side_take, released = await ctx.tick().sample(*questions)
            clock += 1
            self.released += released
            if header_take:
                data, marks = self.rows[slot][row % len(self.rows[slot])]
                ctx.set(dut.header, data)
                ctx.set(dut.marks, marks)
            assert not (payload_take and side_take)
            banks = len(dut.payload) - self.sides
            word = {self.dice.randrange(banks): self.buffer.pop(0)} if payload_take else {}
            word |= {banks + self.dice.randrange(self.sides): self.beside.pop(0)} if side_take else {}
            later.setdefault(clock + PAYLOAD_AFTER - 1, []).append({"payload": [word.get(bank, 0) for bank in range(len(dut.payload))]})
            if begin:
                unit = next(begun)
                later.setdefault(clock + lookup - 1, []).append({"unit": unit})
                later.setdefault(clock + lookup, []).append({"csum": unit.csum, "crc": unit.crc})
            for values in later.pop(clock, []):
                looked_up = values.pop("unit", looked_up)
                for name, value in values.items():
                    ctx.set(getattr(dut, name), value)
            if looked_up is not None:
                ctx.set(dut.values, looked_up.answers(ctx.get(dut.row if self.g.serial else dut.tags)))
            ctx.set(dut.ready, self.dice.random() >= self.waits)
        assert not self.buffer and not self.beside


def run(g, dice, units, *, pauses=0.0, stalls=0.0, udp=0):
    """The beats that leave, the clocks of each, and the neighbours. The patcher lets a unit wait as often as the source pauses."""
    dut = Joiner(g)
    neighbours, beats, clocks, done = Neighbours(dut, g, dice, units, pauses), [], [], []
    frames = len(neighbours.expected())

    async def sink(ctx):
        if g.serial:
            ctx.set(dut.udp, udp)
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
    """Frames that are not cut, with and without a tag put in, frames in segments or fragments, and void entries."""
    units = []
    while len(units) < count:
        kind, slot = dice.randrange(4), dice.randrange(g.slots)
        if kind < 2:
            units.append(Unit(g, dice, headed=kind, slot=slot))
        else:
            segments = dice.randint(1, 4)
            side = int(g.first_last and kind == 3)
            for number in range(segments):
                final = number == segments - 1
                units.append(Unit(g, dice, cut=1, slot=slot, release=int(final), side=side * final))
            if dice.random() < 0.3:
                units.append(Unit(g, dice, cut=1, slot=slot, void=1))
    return units


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("pauses, stalls", [(0.0, 0.0), (0.6, 0.0), (0.0, 0.5), (0.4, 0.4)])
def test_frames_leave_with_their_fields_and_checksums_in_place(dice, width, pauses, stalls):
    """Fields at any halfword, by their place or their tag; checksums at any byte; payload from either buffer."""
    g = geometry(width)
    units = random_units(dice, g, 60)
    beats, _, neighbours = run(g, dice, units, pauses=pauses, stalls=stalls)
    assert frames_of(g, beats) == neighbours.expected()
    assert neighbours.released == sum(unit.entry["headed"] and unit.entry["release"] for unit in units)


CONFIGURATIONS = {
    # name: settings of the engine
    "everything": {"features": ALL, "user_width": 0},
    "user bits": {"user_width": 5},
    "the first fragment first": {"ufo_order": "first"},
    "TCP alone": {"features": frozenset({"tx-checksum-ip-generic", "tx-tcp-segmentation"})},
    "checksums alone": {"features": frozenset({"tx-checksum-ip-generic"})},
    "checksums and tags": {"features": frozenset({"tx-checksum-ip-generic", "tx-vlan-offload"})},
}


@pytest.mark.parametrize("width", [32, 128])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_engine_puts_in_what_it_was_built_for(dice, name, width):
    """User bits stand beside every beat of their frame."""
    g = geometry(width, **CONFIGURATIONS[name])
    units = random_units(dice, g, 40)
    if not g.segments:
        units = [Unit(g, dice, headed=int(g.vlan and dice.getrandbits(1))) for _ in range(40)]
    beats, _, neighbours = run(g, dice, units, pauses=0.2, stalls=0.2)
    assert frames_of(g, beats) == neighbours.expected()
    users = [unit.user for unit in units if not unit.entry["void"]]
    for beat in beats:
        assert beat.get("user", 0) == users[0]
        if beat["last"]:
            users.pop(0)


@pytest.mark.parametrize("width", [32, 64, 128])
@pytest.mark.parametrize("crc", [0, 1])
def test_a_checksum_may_stand_at_any_byte_of_a_frame(dice, width, crc):
    """Its bytes may be in two rows; from an even place or an odd one on, it comes the one way or the other."""
    g = geometry(width, features=ALL)
    units = []
    for at in range(2 * g.bus_bytes + 1):
        for swap in (0, 1):
            unit = Unit(g, dice, length=3 * g.bus_bytes + 5)
            unit.csum_at, unit.ip_at, unit.csum_swap = at, None, swap
            unit.entry |= {"csum": 1, "csum_low": at + 1, "csum_swap": swap, "ip": 0, "crc": crc}
            units.append(unit)
    beats, _, neighbours = run(g, dice, units)
    assert frames_of(g, beats) == neighbours.expected()


@pytest.mark.parametrize("width", WIDTHS)
def test_there_is_a_beat_in_every_clock(dice, width):
    g = geometry(width)
    units = [unit for unit in random_units(dice, g, 60) if not unit.entry["void"]]
    beats, clocks, _ = run(g, dice, units)
    assert clocks[-1] - clocks[0] == len(beats) - 1


@pytest.mark.parametrize("width", [32, 64])
def test_a_unit_whose_last_field_may_stand_in_its_last_row_is_followed_a_clock_later(dice, width):
    """Of a datagram's, one that ends in the row of its header's end; nothing else waits."""
    g = geometry(width)
    units = [unit for unit in random_units(dice, g, 80) if not unit.entry["void"]]
    for unit in units:
        if unit.entry["cut"] and dice.getrandbits(1):
            unit.__init__(g, dice, cut=1, slot=unit.entry["slot"], release=unit.entry["release"], length=dice.randint(0, 4))
    beats, clocks, neighbours = run(g, dice, units, udp=1)
    assert frames_of(g, beats) == neighbours.expected()
    ends = [clock for beat, clock in zip(beats, clocks, strict=True) if beat["last"]]
    pauses = [
        clock - end - 1 for end, clock in zip(ends, [clocks[n + 1] for n, beat in enumerate(beats[:-1]) if beat["last"]], strict=False)
    ]
    tight = [int(unit.entry["cut"] and (unit.length - 1) // g.bus_bytes == unit.header_len // g.bus_bytes) for unit in units]
    assert any(tight) and not all(tight)
    assert pauses == tight[:-1]


def test_frames_of_one_beat_leave_one_a_clock(dice):
    g = geometry(512)
    units = [Unit(g, dice, length=60) for _ in range(60)]
    beats, clocks, _ = run(g, dice, units)
    assert len(beats) == 60 and clocks[-1] - clocks[0] == 59


def test_an_entry_that_is_void_takes_one_clock_and_frees_its_slot(dice):
    g = geometry(64)
    units = [Unit(g, dice, cut=1, void=1, slot=n % 4) for n in range(12)] + [Unit(g, dice)]
    beats, _, neighbours = run(g, dice, units)
    assert len(frames_of(g, beats)) == 1
    assert neighbours.released == 12


def test_after_a_reset_in_mid_frame_nothing_of_it_is_left(dice):
    g = geometry(64)
    dut, reset, beats = Joiner(g), Signal(), []
    old, new = Unit(g, dice, length=200), Unit(g, dice, length=5)
    new.entry |= {"csum": 0, "ip": 0}

    async def bench(ctx):
        await ctx.tick().repeat(4)
        ctx.set(dut.ready, 1)
        ctx.set(dut.entries.payload, old.entry)
        ctx.set(dut.entries.valid, 1)
        await ctx.tick().repeat(15)
        assert ctx.get(dut.o.valid)
        ctx.set(dut.entries.valid, 0)
        await pulse(ctx, reset)
        ctx.set(dut.entries.payload, new.entry)
        ctx.set(dut.entries.valid, 1)
        await ctx.tick().until(dut.entries.ready)
        ctx.set(dut.entries.valid, 0)
        await ctx.tick().until(dut.payload_take)
        await ctx.tick().repeat(PAYLOAD_AFTER - 1)
        ctx.set(dut.payload, [new.words()[0]] + [0] * (len(dut.payload) - 1))
        ctx.set(dut.o.ready, 1)
        for _ in range(20):
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                beats.append(plain(payload))

    simulate(dut, bench, reset=reset)
    assert frames_of(g, beats) == [new.payload]
