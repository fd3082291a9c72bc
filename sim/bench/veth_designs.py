"""What the veth design's bench simulates: all of it but the processing system, with who watches its ports."""

from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from offcut.axi import Axi4
from offcut.boards.axi3 import Axi3
from offcut.boards.top import VethLogic

from .virtio_designs import RULES, AxiWatch

__all__ = ["WatchedVeth"]

WATCHED = {"broken": len(RULES), "reads": 8, "writes": 8, "moved": 32}


class WatchedVeth(wiring.Component):
    """`VethLogic` with an `AxiWatch` at each memory port.

    Ports are those of `VethLogic` by their flat names, but for the memory ports' requests and data, which leave in few vectors that a bench reads at
    once: ``memory_N_seen`` (arvalid, awvalid, wvalid, rready, bready), ``memory_N_busy``, ``memory_N_ar`` and ``memory_N_aw`` (address, length, ID),
    ``memory_N_w`` (data, strobes, last, ID). ``watch_N_…`` is what the watch sees, ``irq_N`` a line each.
    """

    def __init__(self, config, *, memory_bytes, coherent):
        self._logic = VethLogic(config, memory_bytes=memory_bytes, coherent=coherent)
        self._memory_bytes = memory_bytes
        self._ports = range(len(self._logic.memory))
        ids = len(self._logic.memory[0].arid)
        answers = {"arready": In(1), "awready": In(1), "wready": In(1)}
        answers |= {
            "rid": In(ids),
            "rdata": In(64),
            "rresp": In(2),
            "rlast": In(1),
            "rvalid": In(1),
            "bid": In(ids),
            "bresp": In(2),
            "bvalid": In(1),
        }
        questions = {"seen": Out(5), "busy": Out(1), "ar": Out(36 + ids), "aw": Out(36 + ids), "w": Out(73 + ids)}
        super().__init__({
            "registers": In(Axi3(data_width=32, id_width=12)),
            **{f"memory_{n}_{name}": flow for n in self._ports for name, flow in (answers | questions).items()},
            **{f"watch_{n}_{name}": Out(width) for n in self._ports for name, width in WATCHED.items()},
            **{f"irq_{n}": Out(1) for n in range(2)},
        })
        self._answers = tuple(answers)

    def elaborate(self, platform):
        m = Module()
        m.submodules.logic = logic = self._logic
        wiring.connect(m, wiring.flipped(self.registers), logic.registers)
        m.d.comb += [getattr(self, f"irq_{n}").eq(logic.irq[n]) for n in range(2)]
        for n in self._ports:
            port = logic.memory[n]
            m.submodules[f"watch_{n}"] = watch = AxiWatch(Axi4(addr_width=32, data_width=64, id_width=len(port.arid)))
            ours = {name: getattr(self, f"memory_{n}_{name}") for name in (*self._answers, "seen", "busy", "ar", "aw", "w")}
            m.d.comb += [
                *(getattr(port, name).eq(ours[name]) for name in self._answers),
                ours["seen"].eq(Cat(port.arvalid, port.awvalid, port.wvalid, port.rready, port.bready)),
                ours["busy"].eq(port.arvalid | port.awvalid | port.wvalid),
                ours["ar"].eq(Cat(port.araddr, port.arlen, port.arid)),
                ours["aw"].eq(Cat(port.awaddr, port.awlen, port.awid)),
                ours["w"].eq(Cat(port.wdata, port.wstrb, port.wlast, port.wid)),
                *(getattr(watch, name).eq(getattr(port, name)) for name in Axi4(addr_width=32).members if hasattr(port, name)),
                watch.window_size.eq(self._memory_bytes),
                *(getattr(self, f"watch_{n}_{name}").eq(getattr(watch, name)) for name in WATCHED),
            ]
        return m
