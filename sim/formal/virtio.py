"""What is claimed of the blocks of :mod:`offcut.virtio` that speak to memory."""

from amaranth import Cat, Mux, Signal, Value

from .bench import Bench

__all__ = ["bursts_bench", "read_bench", "walker_bench", "write_bench"]

BLOCK_BEATS = 16
BLOCK_BITS = 7
LANES = 8
PAGE_BITS = 12
MOST_WRITES = 16


def in_block(addr, beats):
    """Whether a burst stays in an aligned block of 16 words: so it never crosses 4 KiB."""
    return (addr[3:7] + beats <= BLOCK_BEATS) & (beats != 0)


def bursts_bench(bursts, *, invariants=True):
    """The bursts of a piece are its bytes, each once and in order; each stays in its block.

    Parameters
    ----------
    bursts : offcut.virtio.bursts.Bursts
    """
    bench = Bench(bursts, invariants=invariants)
    m, i, o = bench.m, bursts.i, bursts.o
    bench.assume_stream_rules(i)
    bench.assume(~i.valid | (i.p.len != 0))
    bench.stream_rules(o, "o")

    remaining, at = Signal.like(i.p.len), Signal.like(i.p.addr)
    count = (o.p.beats << 3) - o.p.first_lane - (LANES - 1 - o.p.last_lane)
    with m.If(i.valid & i.ready):
        m.d.sync += [remaining.eq(i.p.len), at.eq(i.p.addr)]
    with m.If(o.valid & o.ready):
        m.d.sync += [remaining.eq(remaining - count), at.eq(at + count)]
    bench.claim(~o.valid | in_block(o.p.addr, o.p.beats), "a burst stays in its block")
    bench.claim(~o.valid | (count > 0), "a burst has bytes")
    bench.claim(~o.valid | ((o.p.addr == at) & (o.p.first_lane == at[:3])), "a burst begins where the one before ended")
    bench.claim(~o.valid | Mux(o.p.last, remaining == count, remaining > count), "the last burst, and no other, ends its piece")
    bench.claim(~(i.ready & o.valid), "a piece is taken when the one before is done")

    length, end, addr, known = (bench.dut[name] for name in ("length", "end", "addr", "known"))
    offset = addr[:BLOCK_BITS]
    bench.invariant(i.ready | known | ((length == remaining) & (addr == at) & (length != 0)), "a piece is what was taken")
    bench.invariant(~o.valid | known, "its end is known before its first burst")
    measures = ~i.ready & known & ~o.valid
    bench.invariant(~measures | ((end == offset + remaining - 1) & (addr == at) & (remaining != 0)), "what is left is what was not told")
    more = o.valid & ~o.p.last
    rest = (remaining - count)[: len(remaining)]
    bench.invariant(~more | ((end == rest - 1) & (addr == (at + count)[: len(addr)]) & (offset == 0)), "the rest is known ahead")
    return bench


def channel_rules(bench, component, channel):
    """Claim AXI's rule of a channel: once shown, it stays as it is until it is taken."""
    names = [name for name in component.signature.members if name.startswith(channel)]
    valid, ready = getattr(component, f"{channel}valid"), getattr(component, f"{channel}ready")
    payload = Cat(getattr(component, name) for name in names if name not in {f"{channel}valid", f"{channel}ready"})
    waits = bench.past(valid & ~ready)
    bench.claim(~waits | valid, f"{channel}valid is not withdrawn")
    bench.claim(~waits | (payload == bench.past(payload)), f"{channel} does not change while it waits")


def address_rules(bench, component, channel):
    """Claim that an address channel stays in its blocks, and within the window."""
    base, size = component.window_base, component.window_size
    bench.assume(~bench.past(1) | ((base == bench.past(base)) & (size == bench.past(size))))
    valid, addr = getattr(component, f"{channel}valid"), getattr(component, f"{channel}addr")
    beats = getattr(component, f"{channel}len") + 1
    inside = (size == 0) | ((addr[PAGE_BITS:] - base[PAGE_BITS:])[: 64 - PAGE_BITS] < size[PAGE_BITS:])
    bench.claim(~valid | in_block(addr, beats), "a burst stays in its block")
    bench.claim(~valid | inside, "no address outside of the window is issued")

    # A request is looked at from the clock behind the one that took it.
    request = Value.cast(bench.dut["request"])
    request_addr = request[: len(addr) + 1]
    request_beats = component.data.payload.shape()["beats"]
    request_beats = request[request_beats.offset : request_beats.offset + request_beats.width]
    idle = bench.dut["idle"]
    judged = ~idle & bench.past(~idle)
    offset, wraps, pages, all_allowed = (bench.dut[name] for name in ("offset", "wraps", "pages", "all_allowed"))
    bench.invariant(idle | in_block(request_addr, request_beats), "a request stays in its block")
    bench.invariant(
        idle
        | (
            (offset == (request_addr[PAGE_BITS:-1] - base[PAGE_BITS:])[: 64 - PAGE_BITS])
            & (wraps == request_addr[-1])
            & (pages == size[PAGE_BITS:])
            & (all_allowed == (size == 0))
        ),
        "the window is compared with the request",
    )
    bench.invariant(~judged | (bench.dut["inside"] == (~wraps & (all_allowed | (offset < pages)))), "the comparison is the request's")


def assume_requests(bench, component):
    """Who asks keeps to blocks: other proofs claim it."""
    ring, data = component.ring.p, component.data.p
    bench.assume(~component.data.valid | in_block(data.addr, data.beats))
    if "beats" in dict(component.ring.payload.shape()):
        bench.assume(~component.ring.valid | in_block(ring.addr, ring.beats))


def write_bench(channel, *, invariants=True):
    """AXI's rules on aw and w; WLAST with the last beat; blocks; the window.

    Parameters
    ----------
    channel : offcut.virtio.dma.WriteChannel
    """
    bench = Bench(channel, invariants=invariants)
    m = bench.m
    assume_requests(bench, channel)
    channel_rules(bench, channel, "aw")
    channel_rules(bench, channel, "w")
    address_rules(bench, channel, "aw")

    # Beats of the burst shown last that have not been taken: at most one burst has any.
    fresh = channel.awvalid & ~bench.past(channel.awvalid & ~channel.awready)
    beats = Signal(6)
    owed = Mux(fresh, channel.awlen + 1, beats)
    taken = channel.wvalid & channel.wready
    m.d.sync += beats.eq(owed - taken)
    bench.claim(~fresh | (beats == 0), "a burst's beats are complete before the next burst is shown")
    bench.claim(~channel.wvalid | (owed != 0), "no beat comes without an address")
    bench.claim(~channel.wvalid | (channel.wlast == (owed == 1)), "wlast is on the last beat and on no other")
    single = Value.cast(bench.dut["request"])[channel.data.payload.shape()["beats"].offset :][:5] == 1
    bench.invariant(bench.dut["idle"] | ~bench.dut["for_ring"] | single, "a write for a ring is one beat")
    bench.invariant(owed == bench.dut["left"] + channel.wvalid, "what is owed is what is to be pulled and what is shown")
    return bench


def read_bench(channel, *, invariants=True):
    """AXI's rules on ar; blocks; the window.

    Parameters
    ----------
    channel : offcut.virtio.dma.ReadChannel
    """
    bench = Bench(channel, invariants=invariants)
    assume_requests(bench, channel)
    channel_rules(bench, channel, "ar")
    address_rules(bench, channel, "ar")
    return bench


def walker_bench(walker, *, invariants=True):
    """No chain is walked without end, whatever memory says: a chain has at most as many descriptors as the queue, and one table.

    Parameters
    ----------
    walker : offcut.virtio.walker.Walker
    """
    bench = Bench(walker, invariants=invariants)
    m = bench.m
    for stream in (walker.received, walker.sent):
        bench.assume_stream_rules(stream)
    sizes = Cat(walker.size_rx, walker.size_tx)
    bench.assume(~bench.past(1) | (sizes == bench.past(sizes)))
    for size in (walker.size_rx, walker.size_tx):
        bench.assume((size != 0) & ((size & (size - 1)) == 0))
    bench.assume(~walker.ready.any() | ~walker.set)
    bench.stream_rules(walker.read, "read")
    bench.stream_rules(walker.write, "write")

    # Memory answers what was asked for, and nothing before.
    asked, owed = walker.read.valid & walker.read.ready, Signal(6)
    m.d.sync += owed.eq(owed + Mux(asked, walker.read.p.beats, 0) - walker.word.valid)
    bench.assume(~walker.word.valid | (owed != 0))
    reads, writes = bench.dut["reads"], bench.dut["writes"]  # will be shown in the next clock
    waits = walker.read.valid | reads
    bench.invariant(bench.dut["words_left"] == owed + Mux(waits, walker.read.p.beats, 0), "what is left is what memory owes")
    bench.invariant(~(walker.read.valid & reads) & ~(walker.write.valid & writes), "one at a time is shown")
    located = bench.dut["located"]
    bench.invariant(~located | ~(walker.read.valid | walker.write.valid), "an address changes before it is shown")
    bench.invariant(~located | ~(bench.dut["asks_words"] | bench.dut["awaits_words"]), "and before a descriptor's words are counted")
    addr, beats = walker.read.p.addr, walker.read.p.beats
    bench.invariant(~reads | Mux(located, beats == 1, in_block(addr, beats)), "what will be shown is one word, or stays in its block")
    asked = (Mux(bench.dut["in_table"], bench.dut["table_len"] - bench.dut["index"], 1)[:16] << 1) - bench.dut["half"]
    bench.invariant(~bench.dut["asks_words"] | (bench.dut["rest"] == asked[:17]), "the words of a table are counted")
    alone = bench.dut["awaits_word"] | bench.dut["awaits_words"] | walker.malformed
    bench.invariant((bench.dut["words_left"] == 0) | alone, "nothing else is begun meanwhile")
    bench.invariant(~bench.dut["awaits_word"] | (bench.dut["words_left"] == 1), "where one word is awaited, one comes")
    bench.invariant(~waits | (owed == 0), "nor another read")
    bench.invariant(~(walker.write.valid | writes) | bench.dut["awaits_write"], "nor while a write waits")
    bench.claim(~walker.read.valid | in_block(walker.read.p.addr, walker.read.p.beats), "a read stays in its block")

    queue, taken, table = bench.dut["queue"], bench.dut["taken"], bench.dut["table"]
    size = Mux(queue, walker.size_tx, walker.size_rx)
    begins = bench.dut["begins"]
    # Writes are numbered as they are taken, and answered in that order, others' among them; at most 16 are under way.
    put = bench.past(walker.write.valid & walker.write.ready)
    grown, answered = (walker.asked - bench.past(walker.asked))[:6], (walker.done - bench.past(walker.done))[:6]
    under_way = (walker.asked - walker.done)[:6]
    bench.assume((grown <= 1) & (answered <= 1) & (under_way <= MOST_WRITES) & (~put | (grown == 1)))
    behind = (bench.dut["mark"] - walker.done)[:6]
    bench.claim(~bench.dut["awaited"] | (behind <= MOST_WRITES), "the answer that is awaited has not passed by")

    limit = Mux(bench.dut["in_table"], bench.dut["table_len"], size)
    judge, judged, half = (bench.dut[name] for name in ("judge", "judged", "half"))
    walks = bench.dut["awaits_words"]
    flags, length, following = (bench.dut[name] for name in ("flags", "length", "following"))
    has_next, is_indirect = flags[0], flags[2]
    good = (~has_next | (following < limit)) & Mux(is_indirect, ~bench.dut["in_table"] & length[4:20].any(), taken != size)
    bench.invariant(~judge | ~half & ~judged, "a descriptor has two words, so there is a clock between two of them")
    bench.invariant(~bench.dut["in_chain"] | walks | ~(judge | judged), "none is left when words are asked for")
    bench.invariant(~(walks & judged) | bench.dut["bad"] | good, "what is used has been judged")
    bench.invariant(~bench.dut["in_chain"] | bench.dut["ended"] | (bench.dut["index"] < limit), "the next descriptor exists")
    bench.invariant(~bench.dut["in_chain"] | bench.dut["awaits_words"] | ~bench.dut["ended"], "a chain that has ended asks for no more")
    seen, tables = Signal(len(taken) + 1), Signal(2)
    with m.If(begins):
        m.d.sync += [seen.eq(0), tables.eq(0)]
    with m.Else():
        m.d.sync += [seen.eq(seen + walker.push.any()), tables.eq(tables + table)]
    bench.claim(~begins | ~walker.push.any(), "a chain begins with nothing in the store")
    bench.claim(~walker.push.any() | (seen < size), "a chain has at most as many descriptors as its queue")
    bench.claim(~table | (tables == 0), "a chain has one table at most")
    bench.invariant(walker.malformed | (taken == seen), "the descriptors are counted")
    bench.invariant(~bench.dut["in_chain"] | (seen <= size), "and never too many")
    bench.invariant(walker.malformed | (bench.dut["in_table"] == (tables == 1)), "so are the tables")
    bench.invariant(tables < 2, "and never too many")
    return bench
