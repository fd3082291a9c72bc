"""A small processor that runs the program for each frame whose headers must be looked at."""

from amaranth import C, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..headers import EtherType, ExtensionHeader, Protocol
from ..layouts import FRAME_LEN_BITS, HEADER_LEN_BITS, Base, Drop, Kind
from ..patcher.interface import header_write_layout, patch_layout
from .feed import HeaderFeed
from .instruction import TRAPPED, Act, Control, Count, Emit, Op, Patch, Plan, Sum, X, instruction_layout
from .microcode import assemble

__all__ = ["R_BITS", "HeaderProcessor", "outcome_layout"]

R_BITS = FRAME_LEN_BITS + 1
"""Lengths of frames, with a sign."""
COUNT_BITS = 8


def outcome_layout():
    """What the program sets while it runs: flags of the plan, and why the frame is dropped."""
    return data.StructLayout(dict.fromkeys((*FLAGS, "CUT"), 1))


FLAGS = ("HEADED", "MOVED", "AUTO", "LIMIT", "CSUM", "IP", "UFO", "CRC")
"""Those that stand in the plan."""


class HeaderProcessor(wiring.Component):
    """One instruction a clock, three more for a jump; some 60 in all for a frame with IPv4 and TCP.

    ::

        clock n - 3      n - 2          n - 1                        n                            n + 1
        address ─▶ program ─▶ register ─▶ y, early conditions ─▶ x op y, late conditions ─▶ R, register, jump ─▶ zero
                                                                 halfword ─▶ header RAM, sums

    A result can be used by the next instruction, its sign too; whether it was zero by the one after that; as a register by the third. What
    an instruction may not yet ask for, the assembler refuses.

    Members
    -------
    begin, request : In
        A frame: the request is its own from this clock on, until ``done``.
    there, parse_at, parse : In, Out, In
        The row store's read port, and whether the row at that address has been written.
    header : Out(stream.Signature(header_write_layout(geometry), always_ready=True))
    patch : Out(stream.Signature(patch_layout(geometry), always_ready=True))
    plan, size, result : Out
        Which number of the plan becomes the result; that the segment size does.
    ip_sum, l4_sum : Out(16)
        Complete with ``done``.
    flags, drop : Out
        Likewise.
    fragment_id : In(32)
    numbered : Out(1)
        It is used.
    done : Out(1)
        The frame's last instruction.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        address = range(geometry.store_rows)
        super().__init__({
            "begin": In(1),
            "request": In(geometry.request),
            "there": In(1),
            "parse_at": Out(address),
            "parse": In(geometry.row),
            "header": Out(stream.Signature(header_write_layout(geometry), always_ready=True)),
            "patch": Out(stream.Signature(patch_layout(geometry), always_ready=True)),
            "result": Out(R_BITS),
            "ip_sum": Out(16),
            "l4_sum": Out(16),
            "size": Out(1),
            "plan": Out(data.StructLayout({target.name: 1 for target in Plan})),
            "flags": Out(outcome_layout()),
            "drop": Out(Drop),
            "fragment_id": In(32),
            "numbered": Out(1),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        request = self.request
        program = assemble(g)
        layout = instruction_layout()

        # --- Instructions: fetched, given an operand, executed. A jump is known behind its instruction; three more are under way then.
        depth = 1 << (len(program.words) - 1).bit_length()
        m.submodules.program = rom = memory.Memory(
            shape=layout.size, depth=depth, init=program.words, attrs={"ram_style": "block", "syn_romstyle": "EBR"}
        )
        read = rom.read_port()
        coming, now = Signal(layout), Signal(layout, name="now")
        address, target, link = Signal(range(depth)), Signal(range(depth)), Signal(range(depth))
        jumps, jumped = Signal(), Signal()
        halted = Signal(init=1)
        valid = Signal()
        go, run, trapped, taken, condition = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            taken.eq(valid & (trapped | (condition ^ now.jump[0]))),
            read.addr.eq(Mux(jumps, target, address)),
            read.en.eq(go & ~halted),
        ]
        with m.If(go & ~halted):
            m.d.sync += [
                address.eq(read.addr + 1),
                coming.eq(read.data),
                now.eq(coming),
                jumps.eq(taken),
                jumped.eq(jumps),
                valid.eq(~taken & ~jumps & ~jumped),
                target.eq(Mux(trapped, program.trap, Mux(now.jump[1], link, now.target))),
            ]
        with m.If(self.begin):
            m.d.sync += [jumps.eq(1), jumped.eq(0), target.eq(program.labels["start"]), halted.eq(0), valid.eq(0)]
        with m.If(self.done):
            m.d.sync += [halted.eq(1), valid.eq(0)]

        # --- The frame's halfwords.
        m.submodules.feed = feed = HeaderFeed(g)
        at, out = Signal(HEADER_LEN_BITS), Signal(HEADER_LEN_BITS)
        halfword = feed.data
        left, second = Signal(COUNT_BITS), Signal()  # halfwords of a repeated instruction; the second of a word
        some, more = Signal(), Signal()  # left is not 0; not 1 either
        too_long, needs, waits, again = Signal(), Signal(), Signal(), Signal()
        short = feed.ended & ~feed.two
        m.d.comb += [
            feed.begin.eq(self.begin),
            feed.first.eq(request.row),
            feed.there.eq(self.there),
            feed.row.eq(self.parse),
            self.parse_at.eq(feed.at),
            needs.eq(valid & now.need & ~(now.repeat & (second | ~some))),
            trapped.eq(needs & (too_long | short)),
            waits.eq(needs & ~(too_long | short | (feed.here & feed.two))),
            again.eq(valid & now.repeat & more),
            go.eq(~waits & (~again | trapped)),
            run.eq(valid & ~waits & ~trapped & ~(now.repeat & ~some)),
            feed.take.eq(run & now.take),
        ]
        with m.If(run & now.take):
            # (Less than a word is left of the first 256 bytes.)
            m.d.sync += [at.eq(at + 2), too_long.eq(at[-1] | at[2:-1].all())]

        # --- Operands and result.
        result = Signal(signed(R_BITS))
        m.submodules.registers = registers = memory.Memory(shape=R_BITS, depth=1 << (len(program.registers) - 1).bit_length(), init=[])
        write, fetch = registers.write_port(), registers.read_port(domain="comb")
        m.d.comb += fetch.addr.eq(coming.immediate[:4])
        sums = {name: (Signal(16, name=f"sum_{name}"), Signal(name=f"carry_{name}")) for name in ("ip", "l4", "tunnel")}
        words = {
            "FRAME_LEN": request.frame_len,
            "GSO": request.size,
            "GSO_128": Cat(C(0, 7), request.size),
            "CSUM_START": request.csum_start,
            "CSUM_LOW": request.csum_low,
            "ID_HIGH": self.fragment_id[16:],
            "ID_LOW": self.fragment_id[:16],
        }
        if g.udp_tunnel:
            words |= {"OUTER_TH": request.outer_th, "INNER_NH": request.inner_nh}
        if g.vlan:
            words["TCI"] = request.tci
        if g.tcp:
            keeps = {"KEEP_FIRST": 0x009, "KEEP_MIDDLE": 0x089, "KEEP_LAST": 0x080}
            cleared = {name: request[f"clear_{name[5:].lower()}"] ^ C(mask, 12) for name, mask in keeps.items()}
            words |= {name: Cat(~value, C(0xF, 4)) for name, value in cleared.items()}
        value = Signal(FRAME_LEN_BITS)
        with m.Switch(coming.immediate[: max(1, (len(program.values) - 1).bit_length())]):
            for place, name in enumerate(program.values):
                with m.Case(place):
                    m.d.comb += value.eq(words[name])
        operand, y = Signal(R_BITS), Signal(R_BITS)
        with m.If(coming.y_is_immediate):
            m.d.comb += operand.eq(coming.immediate)
        with m.Elif(coming.immediate[4]):
            m.d.comb += operand.eq(value)
        with m.Else():
            m.d.comb += operand.eq(fetch.data)
        # (x - y is x + ~y + 1, and y - x is ~(x + ~y).)
        with m.If(go):
            m.d.sync += y.eq(operand ^ ((coming.op == Op.SUB) | (coming.op == Op.RSUB)).replicate(R_BITS))
        x, total, made = Signal(signed(R_BITS)), Signal(R_BITS), Signal(R_BITS)
        with m.Switch(now.x):
            for choice, source in {X.R: result, X.H: halfword, X.AT: at, X.OUT: out}.items():
                with m.Case(choice):
                    m.d.comb += x.eq(source)
        m.d.comb += [
            total.eq(x + y + (now.op == Op.SUB)),
            made.eq(Mux(now.op == Op.AND, x[:16] & y[:16], total ^ (now.op == Op.RSUB).replicate(R_BITS))),
            self.result.eq(result),
            write.data.eq(result),
        ]
        m.d.sync += [write.addr.eq(now.register), write.en.eq(run & now.store)]
        with m.If(run):
            m.d.sync += result.eq(made)
        zero = Signal()
        m.d.sync += zero.eq(result == 0)

        # --- The header as it leaves.
        header = self.header.payload
        emits = now.emit != Emit.NOTHING
        poke = now.emit == Emit.POKE
        m.d.sync += [
            self.header.valid.eq(run & emits & ~out[-1]),
            header.index.eq(Mux(poke, result[1:HEADER_LEN_BITS], out[1:])),
            header.data.eq(Mux(now.emit == Emit.H, halfword, result)),
            header.field.eq(now.tag),
        ]
        with m.If(run & emits & ~poke):
            m.d.sync += out.eq(out + 2)
        out_long = out[-1] & out[1:-1].any()

        # --- Sums.
        flags = {name: Signal(name=f"flag_{name.lower()}") for name in dict.fromkeys((*FLAGS, *program.flags))}
        scratch = Signal()
        # (A clock late, which leaves time for what decides whether an instruction is executed.)
        summed = Signal(16)
        with m.Switch(now.sums.of):
            with m.Case(Sum.H):
                m.d.sync += summed.eq(halfword)
            with m.Case(Sum.R):
                m.d.sync += summed.eq(result[:16])
            with m.Default():
                m.d.sync += summed.eq(result[16:])
        for name, (total, over) in sums.items():
            if name == "tunnel" and not g.tunnel_csum:
                continue
            counts, begins = now.sums[name], now.sums[f"{name}_begins"]
            if name == "l4":
                counts &= begins | ~(now.sums.partial & scratch)
                begins &= ~(now.sums.partial & scratch)
            adds, clears, minus = (Signal(name=f"{verb}_{name}") for verb in ("adds", "clears", "minus"))
            m.d.sync += [
                adds.eq(counts & run),
                clears.eq(begins & run),
                minus.eq(now.sums.tunnel_minus if name == "tunnel" else now.sums.minus),
            ]
            m.d.sync += Cat(total, over).eq(Mux(clears, 0, total) + Mux(adds, summed ^ minus.replicate(16), 0) + (over & ~clears))

        # --- Loops.
        acts = {act: Signal(name=f"act_{act.name.lower()}") for act in Act}
        m.d.comb += [signal.eq(run & (now.act == act)) for act, signal in acts.items()]
        with m.If(acts[Act.COUNT]):
            with m.Switch(now.argument):
                with m.Case(Count.IHL):
                    m.d.sync += left.eq(Cat(C(0, 1), (halfword[8:12] - 5)[:4]))
                with m.Case(Count.DATA_OFFSET):
                    m.d.sync += left.eq(Cat(C(0, 1), (result[12:16] - 5)[:4]))
                with m.Case(Count.EXTENSION):
                    # (As many as do not fit are too many in any case.)
                    m.d.sync += left.eq(Cat(C(2, 2), halfword[:6] | halfword[6:8].any().replicate(6)))
                with m.Case(Count.R):
                    m.d.sync += left.eq(result[1:9] | result[0].replicate(COUNT_BITS))
        with m.Elif(run & now.repeat):
            m.d.sync += [left.eq(left - 1), second.eq(~second)]
        down = run & now.repeat
        m.d.sync += [some.eq(Mux(down, left > 1, left != 0)), more.eq(Mux(down, left > 2, left > 1))]
        with m.If(acts[Act.COUNT]):
            m.d.sync += second.eq(0)

        # --- What a halfword says.
        kind = {
            "ethertype_ipv4": halfword == EtherType.IPV4,
            "ethertype_ipv6": halfword == EtherType.IPV6,
            "ethertype_ethernet": halfword == EtherType.ETHERNET,
            "ethertype_tag": Cat(halfword == tag for tag in EtherType.TAGS).any(),
            "ipv4_sound": (halfword[12:] == 4) & (halfword[8:12] >= 5),
            "ipv6_sound": halfword[12:] == 6,
            "data_offset_sound": halfword[12:] >= 5,
        }
        byte = Mux(now.argument[0], halfword[8:], halfword[:8])
        extensions = (ExtensionHeader.HOP_BY_HOP, ExtensionHeader.ROUTING, ExtensionHeader.DESTINATION)
        protocol = {
            "is_tcp": byte == Protocol.TCP,
            "is_udp": byte == Protocol.UDP,
            "is_gre": byte == Protocol.GRE,
            "is_ipv4": byte == Protocol.IPV4,
            "is_ipv6": byte == Protocol.IPV6,
            "is_sctp": byte == Protocol.SCTP,
            "is_hop_by_hop": byte == ExtensionHeader.HOP_BY_HOP,
            "is_routing": byte == ExtensionHeader.ROUTING,
            "is_destination": byte == ExtensionHeader.DESTINATION,
            "is_extension": Cat(byte == number for number in extensions).any(),
        }
        known = {}

        def latch(name, value, when):
            known[name] = Signal(name=name)
            with m.If(when):
                m.d.sync += known[name].eq(value)

        for name, value in kind.items():
            latch(name, value, run & now.take)
        controls = {control: acts[Act.CONTROL] & (now.argument == control) for control in Control}
        for name, value in protocol.items():
            latch(name, value, controls[Control.PROTOCOL_LOW] | controls[Control.PROTOCOL_HIGH])

        # --- Flags. Those that the request sets do not change but by the program.
        with m.If(acts[Act.SET] | acts[Act.CLEAR]):
            for number, name in enumerate(program.flags):
                with m.If(now.argument == number):
                    m.d.sync += flags[name].eq(now.act == Act.SET)

        segment, auto = request.kind == Kind.SEGMENT, request.kind == Kind.AUTO
        base_tcp = (request.base == Base.TCP4) | (request.base == Base.TCP6)
        tunnel = request.tunnel if g.udp_tunnel else C(0)
        insert = request.insert if g.vlan else C(0)
        on = request.on
        ipv6 = flags["IPV6"]
        asked = {
            "segment": segment,
            "auto": auto,
            "insert": insert,
            "only_insert": ~segment & ~auto & ~(request.sctp if g.sctp else C(0)),
            "told": request.frame_len != 0,
            "end_told": segment & (request.frame_len != 0),
            "needs_csum": request.needs_csum,
            "checked": segment & request.needs_csum,
            "asks_ufo": segment & (request.base == Base.UFO),
            "base_tcp": base_tcp,
            "base_tcp6": request.base == Base.TCP6,
            "base_uso": request.base == Base.USO,
            "tcp4": segment & (request.base == Base.TCP4),
            "tcp6": segment & (request.base == Base.TCP6),
            "udp": segment & ~base_tcp,
            "wants_tunnel": tunnel,
            "wants_outer4": tunnel & ~(request.outer_ipv6 if g.udp_tunnel else C(0)),
            "wants_outer6": tunnel & (request.outer_ipv6 if g.udp_tunnel else C(0)),
            "tunnel_csum": request.tunnel_csum if g.udp_tunnel else C(0),
            "uso_size": request.csum_start != 0,
            "on_checksum": on.checksum,
            "on_udp": Mux(request.csum_start != 0, on.uso & g.uso, on.ufo & g.ufo),
            "on_gre": on.gre & g.gre,
            "on_gre_csum": on.gre_csum & g.gre_csum,
        }
        asks = {}
        for name, value in asked.items():
            asks[name] = Signal(name=f"asks_{name}")
            m.d.sync += asks[name].eq(value)
        inner_straight = (known["is_tcp"] & Mux(flags["INNER_IPV6"] if "INNER_IPV6" in flags else C(0), asks["tcp6"], asks["tcp4"])) | (
            known["is_udp"] & asks["base_uso"]
        )
        straight = ((known["is_tcp"] & Mux(ipv6, asks["tcp6"], asks["tcp4"])) | (known["is_udp"] & asks["udp"])) & ~asks["wants_tunnel"]
        m.d.comb += scratch.eq(asks["auto"] | ~asks["needs_csum"] | asks["asks_ufo"] | (flags["SCRATCH"] if "SCRATCH" in flags else 0))
        in_tunnel = Cat(C(0, 1), *(flags[name] for name in ("INNER", "INNER_IPV6") if name in flags)).any()
        conditions = {
            "always": C(1),
            "zero": zero,
            "negative": result[-1],
            "straight": straight,
            "inner_straight": inner_straight,
            "inner_bare": in_tunnel & ~(flags["TUNNEL_UDP"] if "TUNNEL_UDP" in flags else C(0)),  # not in UDP
            "straight_tcp": straight & asks["base_tcp"] & g.tcp,
            "start_wrong": ~zero & asks["checked"],
            "right_ipv4": known["ethertype_ipv4"] & ~asks["wants_outer6"],
            "right_ipv6": known["ethertype_ipv6"] & ~asks["wants_outer4"],
            "out_long": out_long,
            "on_tcp": Mux(ipv6, on.tcp6 & g.tcp6, on.tcp4 & g.tcp4),
            "on_ip_in_ip": Mux(ipv6, on.ipxip6 & g.ipxip6, on.ipxip4 & g.ipxip4),
            **asks,
            **known,
            **flags,
            "SCRATCH": scratch,
            "INNER": in_tunnel,
        }
        # (Most conditions do not change while their instruction is on its way: they are looked at a clock before.)
        late, is_late, early = Signal(), Signal(), Signal()
        with m.Switch(now.condition[: max(1, (len(program.late) - 1).bit_length())]):
            for number, name in enumerate(program.late):
                with m.Case(number):
                    m.d.comb += late.eq(conditions[name])
        with m.If(go):
            m.d.sync += is_late.eq(coming.condition < len(program.late))
            with m.Switch(coming.condition):
                for number, name in enumerate(program.early, len(program.late)):
                    with m.Case(number):
                        m.d.sync += early.eq(conditions[name])
        m.d.comb += condition.eq(Mux(is_late, late, early))

        # --- What else is done.
        cut, no_csum = Signal(), Signal()
        with m.If(controls[Control.LINK]):
            m.d.sync += link.eq(now.target)
        trap = Signal(Drop)
        with m.If(trapped):
            m.d.sync += trap.eq(Mux(too_long, Drop.HEADER_TOO_LONG, Mux(feed.fault != 0, feed.fault, Drop.TRUNCATED)))
        with m.If(acts[Act.DROP]):
            m.d.sync += self.drop.eq(Mux(now.argument[:4] == TRAPPED, trap, now.argument[:4]))
        m.d.comb += [
            self.ip_sum.eq(sums["ip"][0]),
            self.l4_sum.eq(sums["l4"][0]),
            self.done.eq(controls[Control.DONE]),
            self.numbered.eq(controls[Control.NUMBERED]),
            *(self.plan[target.name].eq(acts[Act.PLAN] & (now.argument == target)) for target in Plan),
            *(self.flags[name].eq(flags[name]) for name in FLAGS if name != "CSUM"),
            self.flags.CUT.eq(cut),
            # (A datagram whose checksum is 0 has none.)
            self.flags.CSUM.eq(Mux(cut, ~no_csum, flags["CSUM"])),
        ]

        # --- The patcher's program.
        patch = self.patch.payload
        index, mark = Signal.like(patch.index), Signal.like(patch.index)
        constants = (now.argument[:4] == Patch.CONSTANTS) & acts[Act.PATCH]
        marked = controls[Control.PATCH_MARK]
        m.d.sync += [
            self.patch.valid.eq(acts[Act.PATCH] | marked),
            patch.index.eq(Mux(marked, mark, index)),
            patch.kind.eq(Mux(marked, Patch.TUNNEL_CSUM, now.argument[:4])),
            patch.last.eq(now.argument[4] & ~marked),
            patch.data.eq(result),
        ]
        with m.If((now.argument[:4] == Patch.IP_CSUM) | (now.argument[:4] == Patch.INNER_IP_CSUM)):
            m.d.sync += patch.data.eq(sums["ip"][0])
        with m.If(marked):
            m.d.sync += patch.data.eq(sums["tunnel"][0])
        m.d.comb += self.size.eq(constants)
        with m.If(constants):
            m.d.sync += cut.eq(1)
        with m.If((acts[Act.PATCH] & ~constants) | controls[Control.MARK]):
            m.d.sync += index.eq(index + 1)
        with m.If(controls[Control.BACK]):
            m.d.sync += index.eq(index - 1)
        with m.If(controls[Control.MARK]):
            m.d.sync += mark.eq(index)
        if g.segments:
            m.d.comb += patch.id_mode.eq(request.id_mode)
        for name in ("udp", "ipv6", "ufo", "tunnel_udp", "inner_ipv6"):
            if name in patch.shape().members:
                m.d.comb += patch[name].eq(flags[name.upper()] if name.upper() in flags else 0)

        m.d.sync += no_csum.eq((flags["NO_CSUM"] if "NO_CSUM" in flags else C(0)) & asks["auto"] & ~ipv6)
        with m.If(self.begin):
            m.d.sync += [
                cut.eq(0),
                at.eq(0),
                too_long.eq(0),
                out.eq(0),
                index.eq(0),
                self.drop.eq(Drop.NONE),
                *(flag.eq(0) for flag in flags.values()),
            ]
            m.d.sync += flags["CSUM"].eq(request.needs_csum)
        return m
