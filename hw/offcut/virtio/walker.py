"""Walk the rings of both queues: chains out of the available ring, completions into the used ring."""

from amaranth import Array, C, Cat, Module, Mux, Signal
from amaranth.lib import enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import CHAIN_BITS, HEADER_BYTES, LANES, MARK_BITS, QUEUES, RX, Base, DescriptorFlag

__all__ = ["Walker"]

INDEX_BITS = 16
RING = 4
"""Where the ring begins behind flags and index, in the available ring and in the used one (2.7.6, 2.7.8)."""
INDEX = 2
BLOCK_BEATS = 16
AWAIT_WORD = ("Index read", "Heads read", "Event read")
AWAIT_WRITE = ("Armed", "Complete length", "Count", "Completed", "Frame completed", "Published")
MOST_COMPLETED = 16
"""Completions written before they are published, if there are so many."""


class Where(enum.Enum, shape=3):
    """What is read or written next."""

    AVAIL_INDEX = 0
    HEADS = 1
    DESCRIPTOR = 2
    ELEMENT = 3
    ELEMENT_LENGTH = 4
    USED_INDEX = 5
    USED_EVENT = 6
    """At the available ring's end; without the feature its flags."""
    AVAIL_EVENT = 7
    """At the used ring's end."""


class Walker(wiring.Component):
    """Does one thing at a time, for one queue: completes, fetches chains, or asks the driver whether there are more.

    Registers, descriptors and rings are those of virtio 1.2, 2.7. A chain is shown to its store as a whole, or not at all: what is
    malformed stops the walker until it is reset.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    set : In(1), set_queue : In(1), set_base : In(2), set_high : In(1), set_data : In(32)
        Write half an address.
    running : In(1)
        Begin nothing new without it.
    ready : In(2), size : In(2 x size_bits)
        The queues in use, and their lengths, powers of two.
    indirect, event_idx : In(1)
        The features negotiated.
    kick : In(2)
        Strobes: look into the available ring.
    read : Out(stream.Signature(geometry.ring_read)), word : In(stream.Signature(64, always_valid=False, always_ready=True))
    write : Out(stream.Signature(geometry.ring_write)), asked, done : In(6)
        Of the channels.
    segment : Out(geometry.segment), record : Out(geometry.record without its stop)
    push, commit, rollback : Out(2)
        For the stores, one bit a queue.
    full, empty, room : In(2)
        Of the stores: not one more segment fits; nothing is held; another chain may be begun.
    received, sent : In(stream.Signature(geometry.completion))
    used : Out(2)
        Strobes: the driver wants an interrupt, the used ring has grown.
    malformed : Out(1)
        Stays 1: the driver broke a rule.
    """

    def __init__(self, geometry):
        self._geometry = g = geometry
        super().__init__({
            "set": In(1),
            "set_queue": In(1),
            "set_base": In(2),
            "set_high": In(1),
            "set_data": In(32),
            "running": In(1),
            "ready": In(2),
            "size_rx": In(g.size_bits),
            "size_tx": In(g.size_bits),
            "indirect": In(1),
            "event_idx": In(1),
            "kick": In(2),
            "read": Out(stream.Signature(g.ring_read)),
            "word": In(stream.Signature(8 * LANES, always_ready=True)),
            "write": Out(stream.Signature(g.ring_write)),
            "asked": In(MARK_BITS),
            "done": In(MARK_BITS),
            "segment": Out(g.segment),
            "head": Out(g.head_bits),
            "frame_len": Out(CHAIN_BITS),
            "push": Out(2),
            "commit": Out(2),
            "rollback": Out(2),
            "full": In(2),
            "empty": In(2),
            "room": In(2),
            "received": In(stream.Signature(g.completion)),
            "sent": In(stream.Signature(g.completion)),
            "used": Out(1),
            "malformed": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        high_bits = max(0, g.addr_width - 32)

        # --- What there is for each queue.
        queue = Signal()
        last_avail, avail, used, published = (
            Array(Signal(INDEX_BITS, name=f"{name}_{q}") for q in QUEUES) for name in ("last_avail", "avail", "used", "published")
        )
        kicked, armed, again = Signal(2), Signal(2), Signal(2)
        sizes = Array([self.size_rx, self.size_tx])
        size = sizes[queue]
        next_avail, next_used = last_avail[queue], used[queue]
        place_mask = (size - 1)[: g.head_bits]

        # --- Addresses: a base, and what is added.
        m.submodules.low = low = memory.Memory(shape=32, depth=8, init=[])
        m.submodules.high = high = memory.Memory(shape=max(1, high_bits), depth=8, init=[])
        low_write, high_write = low.write_port(), high.write_port()
        low_read, high_read = low.read_port(domain="comb"), high.read_port(domain="comb")
        where = Signal(Where)
        located = Signal()  # `where` is: the address comes in the clock behind this one
        base = Signal(Base)
        offset = Signal(INDEX_BITS + 5)
        addr = Signal(g.addr_width + 1)
        table = Signal()
        segment_addr = Signal(g.addr_width)
        m.d.comb += [
            low_read.addr.eq(Cat(base, queue)),
            high_read.addr.eq(Cat(base, queue)),
            low_write.addr.eq(Mux(table, Cat(Base.TABLE, queue), Cat(self.set_base, self.set_queue))),
            high_write.addr.eq(low_write.addr),
            low_write.data.eq(Mux(table, segment_addr[:32], self.set_data)),
            high_write.data.eq(Mux(table, segment_addr[32:], self.set_data)),
            low_write.en.eq(table | (self.set & ~self.set_high)),
            high_write.en.eq(table | (self.set & self.set_high)),
        ]

        m.d.sync += located.eq(0)
        with m.If(located):
            m.d.sync += addr.eq(Cat(low_read.data, high_read.data[:high_bits]) + offset)

        # --- Reads and writes: asked for in one state, waited for in the next. They are shown with their address, a clock later.
        reads = Signal()
        writes = Signal()
        words_left = Signal(5)
        mark = Signal(MARK_BITS)
        awaited = Signal()  # the write with that number has not been answered: noted at once, since others are answered behind it
        stored = Signal()
        value, wide = Signal(32), Signal()
        word = self.word.payload
        halfword = Array(word.word_select(n, INDEX_BITS) for n in range(LANES // 2))[addr[1:3]]
        m.d.comb += [
            self.read.p.addr.eq(addr),
            self.write.p.addr.eq(addr),
            self.write.p.data.eq(Mux(wide, value.replicate(2), value[:16].replicate(4))),
            self.write.p.strb.eq(Mux(wide, 0b1111, 0b11) << Cat(0, addr[1] & ~wide, addr[2])),
            stored.eq(~writes & ~self.write.valid & ~awaited),
        ]
        m.d.sync += [reads.eq(0), writes.eq(0)]
        with m.If(reads):
            m.d.sync += self.read.valid.eq(1)
        with m.Elif(self.read.ready):
            m.d.sync += self.read.valid.eq(0)
        with m.If(writes):
            m.d.sync += self.write.valid.eq(1)
        with m.If(self.write.valid & self.write.ready):
            m.d.sync += [self.write.valid.eq(0), mark.eq(self.asked + 1), awaited.eq(1)]
        with m.Elif(mark == self.done):
            m.d.sync += awaited.eq(0)
        with m.If(self.word.valid):
            m.d.sync += words_left.eq(words_left - 1)

        def locate(what):
            m.d.sync += [where.eq(what), located.eq(1)]

        def ask(beats):
            m.d.sync += [reads.eq(1), self.read.p.beats.eq(beats), words_left.eq(beats)]

        def put(what, *, words):
            m.d.sync += [writes.eq(1), value.eq(what), wide.eq(words == 2)]

        # --- The chain at hand.
        heads, heads_at, heads_left = Signal(8 * LANES), Signal(2), Signal(3)
        # Of those in the word, one less than there are: in the word, up to the ring's end, and available.
        in_word, to_end, least = Signal(2), Signal(g.head_bits), Signal(2)
        waiting = Signal(INDEX_BITS)
        m.d.comb += [
            in_word.eq(~addr[1:3]),
            to_end.eq(place_mask & ~next_avail[: g.head_bits]),
        ]
        m.d.sync += [
            least.eq(Mux(in_word < to_end, in_word, to_end)),
            waiting.eq(avail[queue] - next_avail),
        ]
        in_table = Signal()
        table_len = Signal(INDEX_BITS)
        index = Signal(INDEX_BITS)  # of the descriptor that comes next
        half = Signal()  # its address is known already
        # What must be added to is known a clock before, and what is a multiple of 8 needs no adder for the 4 bytes in front of the ring.
        slot = next_used[: g.head_bits] & place_mask
        head_at, slot_behind, event_at = Signal(g.head_bits + 1), Signal(g.head_bits + 1), Signal(g.size_bits + 1)
        m.d.sync += [
            head_at.eq((next_avail[: g.head_bits] & place_mask) + RING // 2),
            slot_behind.eq(slot + 1),
            event_at.eq(Mux(self.event_idx, size + RING // 2, 0)),
        ]
        places = {
            Where.AVAIL_INDEX: (Base.AVAIL, INDEX),
            Where.HEADS: (Base.AVAIL, head_at << 1),
            Where.DESCRIPTOR: (Mux(in_table, Base.TABLE, Base.DESCRIPTORS), Cat(0, 0, 0, half, index)),
            Where.ELEMENT: (Base.USED, Cat(C(RING, 3), slot)),
            Where.ELEMENT_LENGTH: (Base.USED, slot_behind << 3),
            Where.USED_INDEX: (Base.USED, INDEX),
            Where.USED_EVENT: (Base.AVAIL, event_at << 1),
            Where.AVAIL_EVENT: (Base.USED, Cat(C(RING, 3), size)),
        }
        with m.Switch(where):
            for what, (which, plus) in places.items():
                with m.Case(what):
                    m.d.comb += [base.eq(which), offset.eq(plus)]
        taken = Signal(g.size_bits)
        total = Signal(CHAIN_BITS + 1)
        ended = Signal()
        too_many = Signal()  # for the store, as it is now
        ignore = Signal()  # what is left of the words that were asked for
        judge = Signal()
        judged = Signal()
        begins = Signal()
        coming_addr = Signal(g.addr_width)
        coming_beyond, beyond = Signal(), Signal()  # an address that the bus does not have
        length = Signal(32)
        flags = Signal(INDEX_BITS)
        following = Signal(INDEX_BITS)
        has_next, is_write, is_indirect = (
            flags[flag.value.bit_length() - 1] for flag in (DescriptorFlag.NEXT, DescriptorFlag.WRITE, DescriptorFlag.INDIRECT)
        )
        sum_len = Signal(CHAIN_BITS + 2)
        m.d.comb += [
            sum_len.eq(total + length[:CHAIN_BITS]),
            self.segment.addr.eq(segment_addr),
            self.segment.len.eq(length),
            self.segment.last.eq(~has_next),
        ]
        m.d.sync += self.frame_len.eq(total - HEADER_BYTES)
        with m.If(self.word.valid):
            m.d.sync += half.eq(~half)
            with m.If(half):
                m.d.sync += [
                    segment_addr.eq(coming_addr),
                    beyond.eq(coming_beyond),
                    length.eq(word[:32]),
                    flags.eq(word[32:48]),
                    following.eq(word[48:]),
                ]
            with m.Else():
                m.d.sync += [coming_addr.eq(word), coming_beyond.eq(word[g.addr_width :].any())]

        # A descriptor is judged in the clock behind its second word, and used in the next: with the next one's second word at the earliest.
        limit = Mux(in_table, table_len, size)
        wild = {
            "a table in a table, without the feature, or with a descriptor behind it": is_indirect & (in_table | ~self.indirect | has_next),
            "a table of no, half or too many descriptors": is_indirect
            & ((length[:4] != 0) | (length[4:] == 0) | length[CHAIN_BITS:].any()),
            "a table that is not aligned": is_indirect & (segment_addr[:3] != 0),
            "memory of no bytes, or of too many": ~is_indirect
            & ((length == 0) | length[CHAIN_BITS:].any() | (sum_len >> CHAIN_BITS).any()),
            "the wrong direction": ~is_indirect & (is_write != (queue == RX)),
            "more descriptors than the queue has": ~is_indirect & (taken == size),
            "a next one that does not exist": has_next & (following >= limit),
            "an address that the bus does not have": beyond,
        }
        bad = Signal()
        elsewhere = Signal()  # the next descriptor is not among the words that come
        m.d.sync += [
            judge.eq(self.word.valid & half),
            judged.eq(judge),
            bad.eq(Cat(wild.values()).any()),
            elsewhere.eq(~has_next | ~in_table | (following != index + 1)),
        ]
        rest = Signal(INDEX_BITS + 1)  # words of the table, or of the descriptor
        block = Signal(5)  # and of the block
        m.d.comb += block.eq(BLOCK_BEATS - addr[3:7])
        m.d.sync += rest.eq((Mux(in_table, (table_len - index)[:INDEX_BITS], 1) << 1) - half)

        # --- What to do next: the other queue's turn, if it has anything.
        completions = [self.received, self.sent]
        complete, fetch, poll = Signal(2), Signal(2), Signal(2)
        for q in QUEUES:
            more = last_avail[q] != avail[q]
            m.d.sync += [
                complete[q].eq(self.ready[q] & completions[q].valid),
                fetch[q].eq(self.ready[q] & more & self.room[q] & (~again[q] | self.empty[q])),
                poll[q].eq(self.ready[q] & ~more & kicked[q]),
            ]
        wants = complete | fetch | poll
        turn = Signal()
        m.d.comb += turn.eq(Mux(wants.bit_select(~queue, 1), ~queue, queue))
        completion = Mux(queue, self.sent.payload.as_value(), self.received.payload.as_value())
        completion = g.completion(completion)
        completed = Signal(range(MOST_COMPLETED + 1))
        fresh, ahead, event, behind, grown = (Signal(INDEX_BITS, name=name) for name in ("fresh", "ahead", "event", "behind", "grown"))
        news, frame_ends = Signal(), Signal()
        m.d.sync += [self.used.eq(0), kicked.eq(kicked | self.kick)]

        def one(bits):
            return bits.bit_select(queue, 1)

        with m.FSM() as fsm:
            # What is wanted is known a clock late, so there is a clock between whatever changes it and this state.
            with m.State("Idle"):
                m.d.sync += [queue.eq(turn), completed.eq(0)]
                with m.If(self.running & wants.any()):
                    with m.If(complete.bit_select(turn, 1)):
                        m.next = "Complete"
                    with m.Elif(fetch.bit_select(turn, 1)):
                        m.next = "Heads"
                    with m.Else():
                        m.next = "Index"

            # The available ring's index; if nothing has come, ask to be notified, and look again.
            with m.State("Index"):
                m.d.sync += kicked.bit_select(queue, 1).eq(0)
                locate(Where.AVAIL_INDEX)
                ask(1)
                m.next = "Index read"
            with m.State("Index read"):
                m.d.sync += fresh.eq(halfword)
                with m.If(self.word.valid):
                    m.next = "Index known"
            with m.State("Index known"):
                m.d.sync += [avail[queue].eq(fresh), ahead.eq(fresh - next_used), news.eq(fresh != next_avail)]
                m.next = "Index judged"
            with m.State("Index judged"):
                with m.If(ahead > size):
                    m.next = "Malformed"
                with m.Elif(news):
                    m.d.sync += armed.bit_select(queue, 1).eq(0)
                    m.next = "Idle"
                with m.Elif(self.event_idx & ~one(armed)):
                    m.next = "Arm"
                with m.Else():
                    m.next = "Idle"
            with m.State("Arm"):
                locate(Where.AVAIL_EVENT)
                put(next_avail, words=1)
                m.next = "Armed"
            with m.State("Armed"):
                m.d.sync += armed.bit_select(queue, 1).eq(1)
                with m.If(stored):
                    m.next = "Index"

            # Up to four chains, which stand in one word of the ring.
            with m.State("Heads"):
                locate(Where.HEADS)
                ask(1)
                m.next = "Heads read"
            with m.State("Heads read"):
                m.d.sync += [heads.eq(word), heads_at.eq(addr[1:3]), heads_left.eq(Mux(waiting > least, least, waiting - 1))]
                with m.If(self.word.valid):
                    m.next = "Head"
            with m.State("Head"):
                m.d.comb += begins.eq(1)
                head = Array(heads.word_select(n, INDEX_BITS) for n in range(LANES // 2))[heads_at]
                m.d.sync += [
                    self.head.eq(head),
                    index.eq(head),
                    in_table.eq(0),
                    half.eq(0),
                    taken.eq(0),
                    total.eq(0),
                    ended.eq(0),
                    too_many.eq(0),
                    ignore.eq(0),
                ]
                m.next = "Descriptor"

            # One descriptor, or as many as a block of an indirect table still holds.
            with m.State("Descriptor"):
                m.d.sync += [half.eq(half & ~ignore), ignore.eq(0)]
                locate(Where.DESCRIPTOR)
                m.next = "Place"
                with m.If(index >= limit):
                    m.next = "Malformed"
            with m.State("Place"):
                m.next = "Beats"
            with m.State("Beats"):
                ask(Mux(rest < block, rest, block))
                m.next = "Walk"
            with m.State("Walk"):
                with m.If(judged & ~ignore & ~bad):
                    with m.If(is_indirect):
                        m.d.comb += table.eq(1)
                        m.d.sync += [in_table.eq(1), table_len.eq(length[4:]), index.eq(0), ignore.eq(1)]
                    with m.Elif(one(self.full)):
                        m.d.sync += [too_many.eq(1), ignore.eq(1)]
                    with m.Else():
                        m.d.comb += self.push.eq(1 << queue)
                        m.d.sync += [total.eq(sum_len), taken.eq(taken + 1), index.eq(following), ended.eq(~has_next), ignore.eq(elsewhere)]
                with m.If((words_left == 0) & ~judge & ~judged):
                    m.next = "Descriptor"
                    with m.If(ended):
                        m.next = "Commit"
                    with m.Elif(too_many):
                        m.next = "Put off"
                with m.If(judged & ~ignore & bad):
                    m.next = "Malformed"
            with m.State("Commit"):
                m.next = "Committed"
                with m.If(total < HEADER_BYTES):
                    m.next = "Malformed"
            with m.State("Committed"):
                m.d.comb += self.commit.eq(1 << queue)
                m.d.sync += [
                    last_avail[queue].eq(next_avail + 1),
                    again.bit_select(queue, 1).eq(0),
                    heads_at.eq(heads_at + 1),
                    heads_left.eq(heads_left - 1),
                ]
                m.next = "More"
            with m.State("More"):
                # When the last one known has been taken, look whether there are more.
                with m.If(next_avail == avail[queue]):
                    m.d.sync += kicked.bit_select(queue, 1).eq(1)
                m.next = "Idle"
                with m.If((heads_left != 7) & one(self.room) & self.running):
                    m.next = "Head"
            with m.State("Put off"):
                # The store was not empty when this chain began, and is too full for the rest: once more when it is.
                m.d.comb += self.rollback.eq(1 << queue)
                m.d.sync += again.bit_select(queue, 1).eq(1)
                m.next = "Put off, noted"
            with m.State("Put off, noted"):
                m.next = "Idle"

            # Used elements, then the index that makes them the driver's, then whether it wants to hear of them.
            with m.State("Complete"):
                locate(Where.ELEMENT)
                put(completion.head, words=2)
                m.next = "Complete length"
            with m.State("Complete length"):
                with m.If(~writes & ~self.write.valid):
                    locate(Where.ELEMENT_LENGTH)
                    put(completion.len, words=2)
                    m.d.sync += frame_ends.eq(completion.end)
                    m.d.comb += [self.received.ready.eq(~queue), self.sent.ready.eq(queue)]
                    m.next = "Count"
            with m.State("Count"):
                m.d.sync += [used[queue].eq(next_used + 1), completed.eq(completed + 1)]
                m.next = "Completed"
                with m.If(frame_ends):
                    m.next = "Frame completed"
            with m.State("Completed"):
                with m.If(~writes & ~self.write.valid):
                    m.next = "Idle"
            with m.State("Frame completed"):
                with m.If(~writes & ~self.write.valid):
                    # A frame that is complete is never held back by one of several chains, which may wait for buffers.
                    m.next = "Publish"
                    with m.If(Mux(queue, self.sent.valid, self.received.valid) & completion.end & (completed != MOST_COMPLETED)):
                        m.next = "Complete"
            with m.State("Publish"):
                with m.If(stored):
                    locate(Where.USED_INDEX)
                    put(next_used, words=1)
                    m.next = "Published"
            with m.State("Published"):
                with m.If(stored):
                    locate(Where.USED_EVENT)
                    ask(1)
                    m.next = "Event read"
            with m.State("Event read"):
                m.d.sync += event.eq(halfword)
                with m.If(self.word.valid):
                    m.next = "Event"
            with m.State("Event"):
                m.d.sync += [behind.eq(next_used - event - 1), grown.eq(next_used - published[queue]), published[queue].eq(next_used)]
                m.next = "Event judged"
            with m.State("Event judged"):
                # 2.7.7.2: without the feature, a flag says no; with it, the event lies among those that were published.
                m.d.sync += self.used.eq(Mux(self.event_idx, behind < grown, ~event[0]))
                m.next = "Idle"

            with m.State("Malformed"):
                m.d.comb += self.malformed.eq(1)

        # What the proof rests on: nothing is asked for but in states that wait for it.
        awaits_word = Signal()
        awaits_words = Signal()
        awaits_write = Signal()
        in_chain = Signal()
        asks_words = Signal()
        m.d.comb += [
            asks_words.eq(fsm.ongoing("Beats")),
            awaits_word.eq(Cat(fsm.ongoing(state) for state in AWAIT_WORD).any()),
            awaits_words.eq(fsm.ongoing("Walk")),
            in_chain.eq(Cat(fsm.ongoing(state) for state in ("Place", "Beats", "Walk")).any()),
            awaits_write.eq(Cat(fsm.ongoing(state) for state in AWAIT_WRITE).any()),
        ]
        return m
