"""AXI4-Lite requests in every order and at every pace, on registers that answer when they like."""

import pytest
from amaranth.hdl import Signal
from support import pulse, simulate

from offcut.axi import RESP_OKAY, RESP_SLVERR
from offcut.core.axi_lite import AxiLiteSubordinate

ADDR_WIDTH = 8
BAD_WORD = 63
"""The registers say that this one does not exist."""


def registers(dut, log, dice, slow, clients):
    """A bench that serves the registers until all clients are done: a read takes some clocks."""

    async def bench(ctx):
        port, held = dut.registers, dict.fromkeys(range(64), 0)
        wait = 0
        while clients:
            ctx.set(port.write_error, ctx.get(port.write_word) == BAD_WORD)
            _, _, write, word, data, lanes, read, read_word, done = await ctx.tick().sample(
                port.write, port.write_word, port.write_data, port.write_lanes, port.read, port.read_word, port.read_done
            )
            if write:
                log.append(("write", word, data, lanes))
                if word != BAD_WORD:
                    mask = sum(0xFF << 8 * lane for lane in range(4) if lanes >> lane & 1)
                    held[word] = held[word] & ~mask | data & mask
            if done:
                log.append(("read", read_word))
                ctx.set(port.read_done, 0)
                wait = dice.randrange(slow + 1)
            elif read and wait:
                wait -= 1
            elif read:
                ctx.set(port.read_data, held[read_word])
                ctx.set(port.read_error, read_word == BAD_WORD)
                ctx.set(port.read_done, 1)

    return bench


def channel(dut, prefix, payloads, dice, pauses, clients):
    """A bench that sends payloads on one channel, and holds it to nothing but its own handshake."""

    async def bench(ctx):
        valid, ready = getattr(dut.axil, f"{prefix}valid"), getattr(dut.axil, f"{prefix}ready")
        for payload in payloads:
            while dice.random() < pauses:
                await ctx.tick()
            for name, value in payload.items():
                ctx.set(getattr(dut.axil, name), value)
            ctx.set(valid, 1)
            taken = False
            while not taken:
                _, _, taken = await ctx.tick().sample(ready)
            ctx.set(valid, 0)
        clients.remove(prefix)

    return bench


def answers(dut, prefix, names, count, seen, dice, pauses, clients):
    """A bench that takes ``count`` answers; one that waits must stay as it is."""

    async def bench(ctx):
        valid, ready = getattr(dut.axil, f"{prefix}valid"), getattr(dut.axil, f"{prefix}ready")
        signals = [getattr(dut.axil, name) for name in names]
        waits = None
        while len(seen) < count:
            takes = dice.random() >= pauses
            ctx.set(ready, takes)
            _, _, is_valid, *values = await ctx.tick().sample(valid, *signals)
            assert waits is None or (is_valid and values == waits), f"an answer on {prefix} did not stay"
            waits = values if is_valid and not takes else None
            if is_valid and takes:
                seen.append(tuple(values))
        ctx.set(ready, 1)
        for _ in range(20):  # and no more of them
            _, _, is_valid = await ctx.tick().sample(valid)
            assert not is_valid, f"an answer on {prefix} to nothing"
        clients.remove(prefix)

    return bench


PACES = {
    "at once": (0, 0, 0, 0),
    "data late": (0, 0.8, 0, 0),
    "addresses late": (0.8, 0, 0, 0),
    "answers waiting": (0, 0, 0.8, 0),
    "slow registers": (0, 0, 0, 9),
    "all": (0.5, 0.5, 0.5, 5),
}
"""How often addresses, data and answers pause, and how slow registers are."""


@pytest.mark.parametrize("addresses, data, answering, slow", PACES.values(), ids=PACES)
def test_every_request_is_served_once_and_answered_once_in_order(dice, addresses, data, answering, slow):
    dut, count, log = AxiLiteSubordinate(ADDR_WIDTH), 60, []
    clients = ["aw", "w", "ar", "b", "r"]
    words = [dice.choice([0, 1, 2, BAD_WORD]) for _ in range(count)]
    writes = [(dice.choice([0, 1, 2, BAD_WORD]), dice.getrandbits(32), dice.getrandbits(4)) for _ in range(count)]
    wrote, got = [], []

    def byte_address(word):
        return word << 2 | dice.getrandbits(2)  # which byte does not matter

    simulate(
        dut,
        channel(dut, "aw", [{"awaddr": byte_address(word)} for word, _, _ in writes], dice, addresses, clients),
        channel(dut, "w", [{"wdata": value, "wstrb": lanes} for _, value, lanes in writes], dice, data, clients),
        channel(dut, "ar", [{"araddr": byte_address(word)} for word in words], dice, addresses, clients),
        answers(dut, "b", ["bresp"], count, wrote, dice, answering, clients),
        answers(dut, "r", ["rresp"], count, got, dice, answering, clients),
        registers(dut, log, dice, slow, clients),
    )
    assert [entry[1:] for entry in log if entry[0] == "write"] == writes
    assert [entry[1] for entry in log if entry[0] == "read"] == words
    assert [resp for (resp,) in wrote] == [RESP_SLVERR if word == BAD_WORD else RESP_OKAY for word, _, _ in writes]
    assert [resp for (resp,) in got] == [RESP_SLVERR if word == BAD_WORD else RESP_OKAY for word in words]


@pytest.mark.parametrize("clocks", range(6))
def test_a_reset_in_the_middle_of_requests_forgets_them(clocks):
    dut, reset = AxiLiteSubordinate(ADDR_WIDTH), Signal()
    bus = dut.axil

    async def bench(ctx):
        for name, value in {"awaddr": 4, "wdata": 7, "wstrb": 15, "araddr": 8, "awvalid": 1, "arvalid": 1, "wvalid": clocks % 2}.items():
            ctx.set(getattr(bus, name), value)
        ctx.set(dut.registers.read_done, 1)
        for _ in range(clocks):
            await ctx.tick()
        for name in ("awvalid", "wvalid", "arvalid"):
            ctx.set(getattr(bus, name), 0)
        await pulse(ctx, reset)
        for _ in range(10):
            _, _, answered, read_answered, write, read, *ready = await ctx.tick().sample(
                bus.bvalid, bus.rvalid, dut.registers.write, dut.registers.read, bus.awready, bus.wready, bus.arready
            )
            assert not (answered or read_answered or write or read) and all(ready)
        for _ in range(2):  # and the next is answered as ever
            ctx.set(bus.awvalid, 1)
            ctx.set(bus.wvalid, 1)
            ctx.set(bus.bready, 1)
            await ctx.tick()
            ctx.set(bus.awvalid, 0)
            ctx.set(bus.wvalid, 0)
            await ctx.tick()
            _, _, answered, resp = await ctx.tick().sample(bus.bvalid, bus.bresp)
            assert (answered, resp) == (1, RESP_OKAY)

    simulate(dut, bench, reset=reset)
