"""Decode what a frame's metadata ask for, and refuse what cannot be."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import DROP_BITS, HEADER_LEN_BITS, Base, Drop, Kind

__all__ = ["RequestDecoder"]

DEFAULT_MTU = 1500
GSO_BASES = {1: Base.TCP4, 3: Base.UFO, 4: Base.TCP6, 5: Base.USO}
"""``gso_type`` without its bits for ECN and tunnels (``include/uapi/linux/virtio_net.h``)."""
CSUM_OFFSET = {Base.TCP4: 16, Base.TCP6: 16, Base.USO: 6, Base.UFO: 6}
OUTER_HEADERS = {4: 14 + 20, 6: 14 + 40}
"""The least that stands before an outer UDP header, in bytes, by IP version."""
INNER_HEADER = {4: 20, 6: 40}
UDP_HEADER = 8
SCTP_CSUM_OFFSET = 8
LEAST_CSUM_START_BEHIND_TAG = 14

TUSER = data.StructLayout({
    "flags": data.StructLayout({"needs_csum": 1, "data_valid": 1, "rsc_info": 1, "tunnel_csum": 1, "unknown": 4}),
    "gso_type": data.StructLayout({"base": 5, "tunnel4": 1, "tunnel6": 1, "ecn": 1}),
    "hdr_len": 16,
    "gso_size": 16,
    "csum_start": 16,
    "csum_offset": 16,
    "outer_th": 16,
    "inner_nh": 16,
    "frame_len": 20,
    "tci": 16,
    "insert": 1,
    "keep_id": 1,
    "reserved": 10,
})
"""``s_axis_tuser``, below the user's own bits."""
VNET_HDR_BITS = 80
ID_FIXED = 1

FEATURE_OF_BASE = {
    Base.TCP4: "tx-tcp-segmentation",
    Base.TCP6: "tx-tcp6-segmentation",
    Base.USO: "tx-udp-segmentation",
    Base.UFO: "tx-udp-fragmentation",
}
FEATURE_OF_WALK = {
    "checksum": "tx-checksum-ip-generic",
    "tcp4": "tx-tcp-segmentation",
    "tcp6": "tx-tcp6-segmentation",
    "uso": "tx-udp-segmentation",
    "ufo": "tx-udp-fragmentation",
    "gre": "tx-gre-segmentation",
    "gre_csum": "tx-gre-csum-segmentation",
    "ipxip4": "tx-ipxip4-segmentation",
    "ipxip6": "tx-ipxip6-segmentation",
}


class RequestDecoder(wiring.Component):
    """The first three steps of the order of judgement (docs/semantics.md). Two clocks, a request a clock.

    Members
    -------
    valid : In(1)
        With the frame's first row: ``row``, its address, ``user``, its ``tuser``, and ``settings``.
    o : Out(stream.Signature(geometry.request, always_ready=True))
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "valid": In(1),
            "row": In(range(geometry.store_rows)),
            "user": In(TUSER.size + geometry.config.user_width),
            "settings": In(geometry.settings),
            "o": Out(stream.Signature(geometry.request, always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        config = g.config
        user, settings = data.View(TUSER, self.user[: TUSER.size]), self.settings
        needs_csum = user.flags.needs_csum
        gso_type = user.gso_type
        tunnel = gso_type.tunnel4 | gso_type.tunnel6

        def on(feature):
            """Whether a feature is built in and not switched off."""
            return ~settings.disable[config.bit(feature)] if config.has(feature) else 0

        # --- Clock 1: what each part says for itself.
        base, known = Signal(2), Signal()
        with m.Switch(gso_type.base):
            for number, value in GSO_BASES.items():
                with m.Case(number):
                    m.d.comb += [base.eq(value), known.eq(1)]
        tcp = (base == Base.TCP4) | (base == Base.TCP6)
        csum_offset = Signal(16)
        feature = Signal()
        with m.Switch(base):
            for value in Base:
                with m.Case(value):
                    m.d.comb += [csum_offset.eq(CSUM_OFFSET[value]), feature.eq(on(FEATURE_OF_BASE[value]))]

        exists = known & ~(gso_type.tunnel4 & gso_type.tunnel6) & ~((base == Base.UFO) & tunnel) & ~(gso_type.ecn & ~tcp)
        disabled = (
            ~feature
            | (gso_type.ecn & ~on("tx-tcp-ecn-segmentation"))
            | (tunnel & ~on("tx-udp_tnl-segmentation"))
            | (tunnel & user.flags.tunnel_csum & ~on("tx-udp_tnl-csum-segmentation"))
            | (user.keep_id & ~on("tx-tcp-mangleid-segmentation"))
        )
        size = user.gso_size
        unfit = (
            (size == 0)
            | size.all()
            | ((base == Base.UFO) & size[:3].any())
            | (needs_csum & (user.csum_offset != csum_offset))
            | (~needs_csum & ((base == Base.USO) | tunnel))
        )
        disorder = Signal()
        if g.udp_tunnel:
            outer = Mux(gso_type.tunnel6, OUTER_HEADERS[6], OUTER_HEADERS[4])
            inner = Mux(base == Base.TCP6, INNER_HEADER[6], INNER_HEADER[4])
            m.d.comb += disorder.eq(
                tunnel
                & (
                    (user.outer_th < outer)
                    | (user.inner_nh < user.outer_th + UDP_HEADER)
                    | user.inner_nh[0]
                    | (user.csum_start < user.inner_nh + inner)
                )
            )
        crosses_tag = user.insert & needs_csum & (user.csum_start < LEAST_CSUM_START_BEHIND_TAG)

        found = {
            name: Signal(name=name)
            for name in ("segment", "exists", "disabled", "unfit", "disorder", "crosses_tag", "no_tag", "no_checksum", "nothing")
        }
        m.d.sync += [
            found["segment"].eq(gso_type.as_value() != 0),
            found["exists"].eq(exists),
            found["disabled"].eq(disabled),
            found["unfit"].eq(unfit),
            found["disorder"].eq(disorder),
            found["crosses_tag"].eq(crosses_tag),
            found["no_tag"].eq(user.insert & ~on("tx-vlan-offload")),
            found["no_checksum"].eq(~on("tx-checksum-ip-generic")),
            found["nothing"].eq(~self.user[:VNET_HDR_BITS].any()),
        ]
        first = Signal(g.request)
        valid, auto = Signal(), Signal()
        m.d.sync += [
            valid.eq(self.valid),
            auto.eq(settings.auto),
            first.row.eq(self.row),
            first.base.eq(base),
            first.needs_csum.eq(needs_csum),
            first.size.eq(size),
            first.csum_start.eq(user.csum_start),
            first.csum_low.eq(user.csum_start + user.csum_offset + 1),
            first.csum_swap.eq(user.csum_offset[0]),
            first.frame_len.eq(user.frame_len),
            *(first.on[name].eq(on(feature)) for name, feature in FEATURE_OF_WALK.items()),
        ]
        # (Where no request is asked for and auto is on, it is auto, or nothing counts.)
        with m.If(settings.auto & (gso_type.as_value() == 0) & ~needs_csum):
            m.d.sync += [first.size.eq(Mux(settings.mtu == 0, DEFAULT_MTU, settings.mtu)), first.csum_start.eq(settings.uso_size)]
        if g.segments:
            m.d.sync += first.id_mode.eq(Mux(user.keep_id & on("tx-tcp-mangleid-segmentation"), ID_FIXED, settings.id_mode))
        if g.udp_tunnel:
            m.d.sync += [
                first.tunnel.eq(tunnel),
                first.outer_ipv6.eq(gso_type.tunnel6),
                first.tunnel_csum.eq(tunnel & user.flags.tunnel_csum),
                # (Those that no header reaches become odd, which no place in a walk is.)
                *(
                    first[name].eq(Cat(user[name][0] | user[name][HEADER_LEN_BITS:].any(), user[name][1:HEADER_LEN_BITS]))
                    for name in ("outer_th", "inner_nh")
                ),
            ]
        if g.tcp:
            m.d.sync += [
                first.clear_first.eq(settings.tcp_clear_first),
                first.clear_middle.eq(settings.tcp_clear_middle),
                first.clear_last.eq(settings.tcp_clear_last),
            ]
        if g.vlan:
            m.d.sync += [first.tci.eq(user.tci), first.insert.eq(user.insert)]
        if config.user_width:
            m.d.sync += first.user.eq(self.user[TUSER.size :])
        sctp = Signal()
        if g.sctp:
            m.d.sync += sctp.eq(on("tx-checksum-sctp") & (user.csum_offset == SCTP_CSUM_OFFSET))

        # --- Clock 2: the order in which it counts.
        request = self.o.payload
        kind, walk, drop = Signal(2), Signal(), Signal(DROP_BITS)
        insert = first.insert if g.vlan else 0
        with m.If(found["segment"]):
            m.d.comb += [kind.eq(Kind.SEGMENT), walk.eq(1)]
            with m.If(~found["exists"]):
                m.d.comb += drop.eq(Drop.BAD_REQUEST)
            with m.Elif(found["disabled"] | found["no_tag"]):
                m.d.comb += drop.eq(Drop.DISABLED)
            with m.Elif(found["unfit"] | found["disorder"] | found["crosses_tag"]):
                m.d.comb += drop.eq(Drop.BAD_REQUEST)
        with m.Else():
            with m.If(first.needs_csum):
                m.d.comb += [kind.eq(Kind.CHECKSUM), walk.eq(sctp | insert)]
            with m.Elif(auto & found["nothing"]):
                m.d.comb += [kind.eq(Kind.AUTO), walk.eq(1)]
            with m.Else():
                m.d.comb += [kind.eq(Kind.PASS), walk.eq(insert)]
            with m.If(found["no_tag"] | (first.needs_csum & found["no_checksum"])):
                m.d.comb += drop.eq(Drop.DISABLED)
            with m.Elif(found["crosses_tag"]):
                m.d.comb += drop.eq(Drop.BAD_REQUEST)
        m.d.sync += [
            self.o.valid.eq(valid),
            request.eq(first),
            request.kind.eq(kind),
            request.drop.eq(drop),
            request.walk.eq(walk & (drop == Drop.NONE)),
        ]
        if g.sctp:
            m.d.sync += request.sctp.eq((kind == Kind.CHECKSUM) & sctp)
        return m
