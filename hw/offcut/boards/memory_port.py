"""From AXI4 managers to a memory port of the processing system."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from offcut.axi import Axi4
from offcut.tx.queue import Queue

from .axi3 import Axi3

__all__ = ["MemoryPort"]

QUEUE_DEPTH = 8
"""The least with which a queue takes a beat in every clock."""

REQUEST = ("addr", "len", "size", "burst", "cache", "prot", "id")


class MemoryPort(wiring.Component):
    """One AXI3 port out of one or more AXI4 managers.

    A manager's number stands in the ID above its own bits, so each gets its own answers. Address requests are served in turn. Write data follow
    in the order of their requests, never interleaved (IHI 0022, A5.3.3); two write requests are taken at most before their data have come. A request
    does not wait for its data, nor data for their request to be taken by the port, so neither can wait for the other. Requests pass a register, data
    either way a queue, at one beat a clock; answers to writes pass as they are.

    A manager must take the data that it asked for without waiting for anything else than memory, for all of them share the port.

    Parameters
    ----------
    managers : int
        At least 1.
    addr_width, data_width : int
        Of the managers. The port has 32 bits of address; what is above them is cut off.
    id_width : int
        Of the port; at least one bit more than the managers' one if there are several.
    cache : int
        AxCACHE for every request; None to pass the manager's.
    user : int or None
        AxUSER for every request, on a port that has it.

    Members
    -------
    i : In(Axi4(addr_width, data_width, id_width=1)).array(managers)
        Bursts of at most 16 beats.
    o : Out(Axi3(data_width, id_width))

    Raises
    ------
    ValueError
        If there is no manager, or the port's ID is too narrow to tell them apart.
    """

    def __init__(self, *, managers, addr_width=32, data_width=64, id_width=6, cache=None, user=None):
        if managers < 1:
            raise ValueError(f"A port needs at least 1 manager, not {managers}")
        if 1 + (managers - 1).bit_length() > id_width:
            raise ValueError(f"{managers} managers cannot be told apart by an ID of {id_width} bits")
        self._managers, self._cache, self._user = managers, cache, user
        super().__init__({
            "i": In(Axi4(addr_width, data_width, id_width=1)).array(managers),
            "o": Out(Axi3(data_width=data_width, id_width=id_width, user_width=0 if user is None else 5)),
        })

    def elaborate(self, platform):
        m = Module()
        o = self.o
        identity = len(o.arid)
        number = range(max(2, self._managers))

        def named(manager_id, index):
            return Cat(manager_id, Const(index, identity - 1))

        # --- Requests: a register for each direction, filled by the managers in turn.
        taken, room_for_write = Signal(), Signal()
        new_owner = Signal(number)
        new_id = Signal()
        for prefix, may in (("ar", Const(1)), ("aw", room_for_write)):
            valid, ready = getattr(o, prefix + "valid"), getattr(o, prefix + "ready")
            latest, chosen = Signal(number, name=f"{prefix}_latest"), Signal(number, name=f"{prefix}_chosen")
            asking = [getattr(manager, prefix + "valid") for manager in self.i]
            with m.Switch(latest):
                for turn in range(self._managers):
                    with m.Case(turn):
                        for offset in range(self._managers, 0, -1):  # what is assigned last counts: the one behind the latest
                            candidate = (turn + offset) % self._managers
                            with m.If(asking[candidate]):
                                m.d.comb += chosen.eq(candidate)

            with m.If(ready):
                m.d.sync += valid.eq(0)
            for index, manager in enumerate(self.i):
                request = {name: getattr(manager, prefix + name) for name in REQUEST}
                granted = Signal(name=f"{prefix}_granted_{index}")
                m.d.comb += [
                    granted.eq((~valid | ready) & may & asking[index] & (chosen == index)),
                    getattr(manager, prefix + "ready").eq(granted),
                ]
                with m.If(granted):
                    m.d.sync += [
                        valid.eq(1),
                        latest.eq(index),
                        *(getattr(o, prefix + name).eq(request[name]) for name in ("addr", "len", "size", "burst", "prot")),
                        getattr(o, prefix + "cache").eq(request["cache"] if self._cache is None else self._cache),
                        getattr(o, prefix + "id").eq(named(request["id"], index)),
                    ]
                    if prefix == "aw":
                        m.d.comb += [taken.eq(1), new_owner.eq(index), new_id.eq(request["id"])]
            if self._user is not None:
                m.d.comb += getattr(o, prefix + "user").eq(self._user)

        # --- Write data, in the order of their requests: whose the next are, and whose those behind them.
        beat = data.StructLayout({"data": len(o.wdata), "strb": len(o.wstrb), "last": 1, "id": identity})
        m.submodules.writes = writes = Queue(beat, depth=QUEUE_DEPTH)
        pending = Signal(range(3))
        owner, owner_behind = Signal(number), Signal(number)
        wid, wid_behind = Signal(), Signal()
        finished = Signal()
        m.d.comb += room_for_write.eq(pending != 2)
        m.d.sync += pending.eq(pending + taken - finished)
        with m.If(finished):
            m.d.sync += [owner.eq(owner_behind), wid.eq(wid_behind)]
        with m.If(taken):
            m.d.sync += [owner_behind.eq(new_owner), wid_behind.eq(new_id)]
            with m.If((pending == 0) | finished):  # (with two pending none is taken)
                m.d.sync += [owner.eq(new_owner), wid.eq(new_id)]
        for index, manager in enumerate(self.i):
            with m.If((pending != 0) & (owner == index)):
                m.d.comb += [
                    writes.i.valid.eq(manager.wvalid),
                    writes.i.p.data.eq(manager.wdata),
                    writes.i.p.strb.eq(manager.wstrb),
                    writes.i.p.last.eq(manager.wlast),
                    writes.i.p.id.eq(named(wid, index)),
                    manager.wready.eq(writes.i.ready),
                    finished.eq(manager.wvalid & writes.i.ready & manager.wlast),
                ]
        m.d.comb += [
            o.wvalid.eq(writes.o.valid),
            o.wdata.eq(writes.o.p.data),
            o.wstrb.eq(writes.o.p.strb),
            o.wlast.eq(writes.o.p.last),
            o.wid.eq(writes.o.p.id),
            writes.o.ready.eq(o.wready),
        ]

        # --- Answers, to whom their ID names.
        answer = data.StructLayout({"data": len(o.rdata), "resp": 2, "last": 1, "id": identity})
        m.submodules.reads = reads = Queue(answer, depth=QUEUE_DEPTH)
        m.d.comb += [
            reads.i.valid.eq(o.rvalid),
            reads.i.p.data.eq(o.rdata),
            reads.i.p.resp.eq(o.rresp),
            reads.i.p.last.eq(o.rlast),
            reads.i.p.id.eq(o.rid),
            o.rready.eq(reads.i.ready),
        ]
        for index, manager in enumerate(self.i):
            to_me = reads.o.p.id[1:] == index if self._managers > 1 else Const(1)
            confirmed = o.bid[1:] == index if self._managers > 1 else Const(1)
            m.d.comb += [
                manager.rvalid.eq(reads.o.valid & to_me),
                manager.rdata.eq(reads.o.p.data),
                manager.rresp.eq(reads.o.p.resp),
                manager.rlast.eq(reads.o.p.last),
                manager.rid.eq(reads.o.p.id),
                manager.bvalid.eq(o.bvalid & confirmed),
                manager.bresp.eq(o.bresp),
                manager.bid.eq(o.bid),
            ]
            with m.If(to_me):
                m.d.comb += reads.o.ready.eq(manager.rready)
            with m.If(confirmed):
                m.d.comb += o.bready.eq(manager.bready)

        return m
