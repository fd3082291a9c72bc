"""The header walk: a state for each kind of header, one word of it a clock."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from ..headers import EtherType, ExtensionHeader, Gre, Protocol
from ..layouts import DROP_BITS, FRAME_LEN_BITS, HEADER_LEN_BITS, Base, Drop, Field, Kind
from .facts import facts_layout
from .feed import WORD_BYTES, word_layout
from .next_header import Follows, NextHeader
from .packer import header_word_layout
from .sums import HeaderSums
from .words import halfword

__all__ = ["Walker"]

ETHERNET_WORDS = 3
IPV4_LEAST_WORDS = 5
IPV6_WORDS = 10
IPV6_BYTES = WORD_BYTES * IPV6_WORDS
TCP_LEAST_WORDS = 5
JUMBO_BYTES = 8
JUMBO_LEAST = 1 << 16
"""IP packets above this have a jumbo payload option where they are IPv6; from it on no length field can hold them."""


def minus(value):
    """In one's complement, to take something out is to add its inverse."""
    return 0xFFFF ^ value


class State(enum.IntEnum):
    ETHERNET = 0
    INSERT_TAG = 1
    ETHERTYPE = 2
    IP = 3
    """The first word, which says whether it is IPv4 or IPv6."""
    IPV4 = 4
    IPV6 = 5
    EXTENSION = 6
    GRE = 7
    TUNNEL_UDP = 8
    OPAQUE = 9
    TCP = 10
    UDP = 11
    SETTLE_1 = 12
    SETTLE_2 = 13
    SETTLE_3 = 14


class Term(enum.IntEnum):
    """What goes into the sums in place of a word's first or second halfword."""

    HALFWORD = 0
    MINUS_HALFWORD = 1
    NOTHING = 2
    MINUS_PLACE = 3
    """What stands before the bytes that a length counts, in place of the length: that is the patcher's."""
    LENGTH = 4
    """From the transport header on."""
    MINUS_LENGTH = 5
    HELD = 6
    """From an earlier word: identification and total length of the IPv4 header, or TCP's urgent pointer."""
    PROTOCOL = 7


class Walker(wiring.Component):
    """Looks at each header word once, in order; says what a frame is, writes its header for the header RAM, and sums it.

    One word a clock, and three clocks more to settle; a frame that needs no walk takes one clock.

    A header begins wherever the one before it ends, so the window of four bytes lags behind the words of the frame: by a halfword for each
    Ethernet header, since that has 14 bytes.

    Members
    -------
    i : In(stream.Signature(word_layout(geometry)))
    decided : Out(1)
        The frame's other words are not wanted.
    header : Out(stream.Signature(header_word_layout(geometry), always_ready=True))
    flush : Out(1)
        The header is complete.
    request : Out(geometry.request)
    facts : Out(facts_layout(geometry))
    bare : Out(1)
        ``request`` is that of a frame which needs no walk: the last clock's word.
    settle : Out(3)
        A bit for each of the three clocks after a walk, in which ``request`` and ``facts`` stay.
    ip_sum, l4_sum, tunnel_sum, inner_ip_sum : Out(16)
        Sums in one's complement, complete four clocks after the last bit of ``settle``: what is the same in every segment. The patcher adds
        what it puts in, and each length as that of the whole segment, so what stands before the bytes that a length counts is taken out here.

        - ``ip_sum``, ``inner_ip_sum``: an IPv4 header but its checksum, length and ID, and where fragments are asked for, their offset. Where
          auto does not cut, but its checksum alone.
        - ``l4_sum``: the pseudo-header and the transport header but its sequence number, flags, length and checksum. Of a datagram, which is
          summed as it is: the pseudo-header with its length, less the old checksum; likewise where auto does not cut.
        - ``tunnel_sum``: what a GRE or outer UDP checksum covers up to the payload. An IPv4 header in it sums to 0, a transport header and its
          payload to the opposite of their pseudo-header.
    fragment_id : In(32)
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__({
            "i": In(stream.Signature(word_layout(geometry))),
            "decided": Out(1),
            "header": Out(stream.Signature(header_word_layout(geometry), always_ready=True)),
            "flush": Out(1),
            "request": Out(geometry.request),
            "facts": Out(facts_layout(geometry)),
            "bare": Out(1),
            "settle": Out(3),
            "ip_sum": Out(16),
            "inner_ip_sum": Out(16),
            "l4_sum": Out(16),
            "tunnel_sum": Out(16),
            "fragment_id": In(32),
        })

    def elaborate(self, platform):
        m = Module()
        g = self._geometry
        word, facts = self.i.payload, self.facts
        request = Signal(g.request)  # of the frame being walked
        state = Signal(State)
        number = Signal(7)  # of the word in its header
        final = Signal(7)  # number of the last one, once that is known
        at, out = facts.at, facts.out  # of the window

        # --- The window.
        lag = Signal(2)
        before, before_whole = Signal(32), Signal()
        window = Signal(32)
        whole = Signal()
        with m.Switch(lag):
            with m.Case(0):
                m.d.comb += [window.eq(word.data), whole.eq(word.count == WORD_BYTES)]
            with m.Case(1):
                m.d.comb += [window.eq(Cat(before[16:], word.data[:16])), whole.eq(before_whole & (word.count >= 2))]
            with m.Default():
                m.d.comb += [window.eq(before), whole.eq(before_whole)]
        high, low = halfword(window, 0), halfword(window, 1)  # the first of the two, and the second
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [before.eq(word.data), before_whole.eq(word.count == WORD_BYTES)]

        # --- What this frame is, known two clocks after its request.
        def registered(value, name):
            signal = Signal(name=name)
            m.d.sync += signal.eq(value)
            return signal

        insert = request.insert if g.vlan else C(0)
        inner = facts.inner if g.tunnel else C(0)  # an IP header in a tunnel
        wants_tunnel = request.tunnel & ~inner if g.udp_tunnel else C(0)
        told = registered(request.frame_len != 0, "told")
        segment, auto = registered(request.kind == Kind.SEGMENT, "segment"), registered(request.kind == Kind.AUTO, "auto")
        asks_ufo = registered((request.kind == Kind.SEGMENT) & (request.base == Base.UFO), "asks_ufo") if g.ufo else C(0)
        auto_ufo = registered((request.kind == Kind.AUTO) & (request.csum_start == 0), "auto_ufo") if g.ufo else C(0)
        as_ufo = asks_ufo | auto_ufo
        only_insert = ~segment & ~auto & ~(request.sctp if g.sctp else C(0))
        is_tcp = (request.base == Base.TCP4) | (request.base == Base.TCP6) if g.uso or g.ufo else C(1)
        scratch = registered(auto | ~request.needs_csum | asks_ufo, "from_addresses") | (facts.no_end & is_tcp)
        cutting = registered(segment | facts.above | facts.big, "cutting")
        from_place = cutting & (facts.tcp | ~as_ufo)  # each segment's transport header counts its bytes
        longer = facts.rest[16:FRAME_LEN_BITS].any()  # in the second word of an IP header: than 65,535 bytes

        # --- What stands behind this IP header, by the protocol number that was just read.
        protocol, fresh = Signal(8), Signal()
        here_ipv6 = Signal()  # the family of this IP header
        routed, source_routed = Signal(), Signal()  # a routing header; one that leads elsewhere
        jumbo = Signal()  # its option is the next header
        want4, want6 = Signal(), Signal()
        m.submodules.next_header = following_header = NextHeader(g)
        m.d.comb += [
            following_header.protocol.eq(protocol),
            following_header.request.eq(request),
            following_header.ipv6.eq(here_ipv6),
            following_header.inner.eq(inner),
            following_header.routed.eq(routed),
            following_header.elsewhere.eq((facts.fragment[:14].any() & ~here_ipv6) | source_routed),
        ]
        follows, wrong_protocol, disabled = following_header.follows, following_header.wrong, following_header.disabled

        # --- Whether this window can be looked at, and what is wrong if not.
        walking = Signal()
        m.d.comb += walking.eq(~((state == State.INSERT_TAG) | self.settle.any()))
        m.d.comb += self.i.ready.eq(walking | (self.settle.any() & ~word.first))  # (what is left of a frame is passed over)
        broken_off = Signal()  # the frame's last word was not whole; the next one will only say so
        too_long = word.index[-1] & ((lag != 2) | word.index[0]) & ~broken_off
        late = fresh & (wrong_protocol | disabled) & segment
        take = Signal()
        look = Signal()
        wrong, off = Signal(), Signal()  # what the word says
        ends = Signal()  # the walk, with this word
        fail = Signal()
        drop = Signal(DROP_BITS)
        m.d.comb += look.eq(take & ~late & ~too_long & whole)
        with m.If(take):
            with m.If(late):
                m.d.comb += [fail.eq(1), drop.eq(Mux(wrong_protocol, Drop.BAD_HEADER, Drop.DISABLED))]
            with m.Elif(too_long):
                m.d.comb += [fail.eq(1), drop.eq(Drop.HEADER_TOO_LONG)]
            with m.Elif(~whole):
                m.d.comb += [fail.eq(word.end), drop.eq(Mux(word.fault != 0, word.fault, Drop.TRUNCATED))]
                m.d.sync += broken_off.eq(~word.end)
            with m.Elif(wrong | off):
                m.d.comb += [fail.eq(1), drop.eq(Mux(wrong, Drop.BAD_HEADER, Drop.DISABLED))]
            with m.Elif(word.end & ~ends):
                m.d.comb += [fail.eq(1), drop.eq(Mux(word.fault != 0, word.fault, Drop.TRUNCATED))]

        # --- The sums. Of this word both halfwords count, unless a state says otherwise, for those sums that the state names.
        built = {"ip": True, "l4": True, "inner_ip": g.tunnel, "tunnel": g.tunnel_csum}
        m.submodules.sums = sums = HeaderSums((name for name, is_built in built.items() if is_built), turned="tunnel")
        first, second = Signal(Term), Signal(Term)
        held = Signal(16) if g.tunnel_csum else facts.length[:16]
        length = facts.rest[:FRAME_LEN_BITS]
        m.d.comb += [getattr(self, f"{name}_sum").eq(sums.sums[name]) for name in sums.sums.shape().members]
        with m.Switch(first):
            for term, value in {
                Term.HALFWORD: high,
                Term.MINUS_HALFWORD: minus(high),
                Term.MINUS_PLACE: minus(facts.place),
                Term.MINUS_LENGTH: minus(length[16:]),
                Term.HELD: facts.identification,
            }.items():
                with m.Case(term):
                    m.d.comb += sums.a.eq(value)
        with m.Switch(second):
            for term, value in {
                Term.HALFWORD: low,
                Term.MINUS_HALFWORD: minus(low),
                Term.LENGTH: length[:16],
                Term.MINUS_LENGTH: minus(length[:16]),
                Term.HELD: held,
                Term.PROTOCOL: Mux(facts.tcp, Protocol.TCP, Protocol.UDP),
            }.items():
                with m.Case(term):
                    m.d.comb += sums.b.eq(value)

        def count(name, when=1):
            """This word counts for a sum."""
            if built[name]:
                with m.If(when):
                    m.d.comb += sums.count[name].eq(look)

        def settle(name, when=1):
            """So do the two values of this clock of settling."""
            if built[name]:
                m.d.comb += sums.count[name].eq(when)

        def begin(name, when=1):
            if built[name]:
                with m.If(when):
                    m.d.comb += sums.begin[name].eq(look)

        # --- The header as it leaves: this word, unless a state says otherwise.
        header = self.header.payload
        flip = Signal()  # the next window begins two bytes after this one
        emit = Signal()
        m.d.comb += [
            self.header.valid.eq(emit),
            emit.eq(look),
            header.at.eq(out),
            header.high.eq(high),
            header.low.eq(low),
            header.flip.eq(flip),
        ]

        def tag(high=Field.NONE, low=Field.NONE, when=1):
            with m.If(when):
                m.d.comb += [header.high_tag.eq(g.tag(high)), header.low_tag.eq(g.tag(low))]

        def goto(following):
            m.d.sync += [state.eq(following), number.eq(0)]

        def goto_ip(four, six, in_tunnel=0):
            goto(State.IP)
            m.d.sync += [want4.eq(four), want6.eq(six)]
            if g.tunnel:
                with m.If(in_tunnel):
                    m.d.sync += facts.inner.eq(1)

        def follow():
            """Go where the protocol number leads."""
            m.d.sync += facts.l4.eq(at + WORD_BYTES)
            with m.Switch(follows):
                for kind, following in {
                    Follows.EXTENSION: State.EXTENSION,
                    Follows.TCP: State.TCP,
                    Follows.UDP: State.UDP,
                    Follows.TUNNEL_UDP: State.TUNNEL_UDP,
                    Follows.GRE: State.GRE,
                }.items():
                    with m.Case(kind):
                        goto(following)
                with m.Case(Follows.IP):
                    goto_ip(protocol == Protocol.IPV4, protocol == Protocol.IPV6, 1)
                with m.Default():
                    m.d.comb += ends.eq(1)
                    if g.sctp:
                        m.d.sync += facts.sctp.eq((follows == Follows.SCTP) & (request.csum_start == at + WORD_BYTES))

        with m.If(look):
            m.d.sync += [at.eq(at + Mux(flip, 2, 4)), number.eq(number + 1), fresh.eq(0)]
        # What a header's length field counts, if it has one, begins here.
        behind, fixed = Signal(HEADER_LEN_BITS), (state == State.IP) & (window[4:8] == 6)
        m.d.comb += behind.eq(out + Mux(fixed, IPV6_BYTES - 1, -1))
        with m.If(look & (number == 0)):
            m.d.sync += [facts.place.eq(out + Mux(fixed, IPV6_BYTES, 0)), facts.behind.eq(behind)]
        with m.If(emit):
            m.d.sync += out.eq(out + Mux(flip, 2, 4))
        with m.If(look & flip):
            m.d.sync += lag.eq(lag + 1)
        # In auto what was told counts until something is declared, and once more for the payload.
        as_told = facts.big | (state < State.IPV4) | self.settle[0]
        rest = Signal.like(facts.rest)
        m.d.comb += rest.eq(facts.end - at)
        with m.If((number == 0) & (look | (self.settle[0] & ~facts.tcp & ~facts.udp))):
            m.d.sync += facts.rest.eq(rest)
        m.d.sync += [
            facts.end.eq(Mux(Mux(auto, as_told, told), request.frame_len, facts.l3 + facts.length)),
            facts.payload.eq(rest),
            facts.above.eq(auto & ((facts.length > request.size) | facts.big)),
        ]
        tunnel_word = inner & (here_ipv6 if g.tunnel else C(0))  # an inner IPv6 header is in the tunnel's checksum; an IPv4 one sums to 0

        with m.Switch(state):
            with m.Case(State.ETHERNET):
                count("tunnel", inner)
                with m.If(look & (number == ETHERNET_WORDS - 1)):
                    goto(State.ETHERTYPE)
                    with m.If(insert & ~inner):
                        goto(State.INSERT_TAG)
            with m.Case(State.INSERT_TAG):
                if g.vlan:
                    m.d.comb += [emit.eq(1), header.high.eq(EtherType.CUSTOMER_TAG), header.low.eq(request.tci)]
                    goto(State.ETHERTYPE)
                    with m.If(only_insert):
                        goto(State.SETTLE_1)
            with m.Case(State.ETHERTYPE):
                is_tag = Cat(high == value for value in EtherType.TAGS).any()
                is_ipv4, is_ipv6 = high == EtherType.IPV4, high == EtherType.IPV6
                outer_ipv6 = request.outer_ipv6 if g.udp_tunnel else C(0)
                with m.If(~is_tag):
                    m.d.comb += [
                        flip.eq(1),
                        wrong.eq(~(is_ipv4 | is_ipv6) | (wants_tunnel & (is_ipv6 != outer_ipv6))),
                    ]
                m.d.comb += sums.alone.eq(~is_tag)
                count("tunnel", inner)
                with m.If(look):
                    m.d.sync += number.eq(0)
                    with m.If(~is_tag):
                        goto_ip(is_ipv4, is_ipv6)

            with m.Case(State.IP):
                is_ipv4, is_ipv6 = window[4:8] == 4, window[4:8] == 6
                header_words = window[0:4]
                m.d.comb += wrong.eq(
                    ~(is_ipv4 | is_ipv6) | (want4 & ~is_ipv4) | (want6 & ~is_ipv6) | (is_ipv4 & (header_words < IPV4_LEAST_WORDS))
                )
                tag(low=Field.LENGTH, when=is_ipv4 & ~inner)
                tag(low=Field.INNER_LENGTH, when=is_ipv4 & inner)
                m.d.comb += sums.alone.eq(is_ipv4)
                count("ip", ~inner)
                count("inner_ip", inner)
                count("tunnel", inner & is_ipv6)
                begin("ip", ~inner)
                begin("inner_ip", inner)
                begin("l4")
                if g.tunnel_csum:
                    with m.If(look & ~inner):
                        m.d.sync += held.eq(low)
                with m.If(look):
                    m.d.sync += [
                        state.eq(Mux(is_ipv4, State.IPV4, State.IPV6)),
                        here_ipv6.eq(is_ipv6),
                        final.eq(Mux(is_ipv4, header_words, IPV6_WORDS) - 1),
                        routed.eq(0),
                        source_routed.eq(0),
                    ]
                    with m.If(~inner):
                        m.d.sync += [
                            facts.l3.eq(at),
                            facts.ipv6.eq(is_ipv6),
                            facts.length.eq(low),
                            facts.no_end.eq((low == 0) & ~told),
                            facts.length_behind.eq(behind),
                        ]
                    if g.tunnel:
                        m.d.sync += facts.inner_ipv6.eq(is_ipv6)
                        with m.If(inner):
                            m.d.sync += facts.inner_length_behind.eq(behind)
            with m.Case(State.IPV4):
                count("ip", ~inner)
                count("inner_ip", inner)
                with m.Switch(number):
                    with m.Case(1):
                        tag(Field.IDENTIFICATION, when=~inner)
                        tag(Field.INNER_IDENTIFICATION, when=inner)
                        if g.ufo:
                            with m.If(~inner & (asks_ufo | (auto & (low == 0)))):
                                m.d.comb += header.low_tag.eq(g.tag(Field.FRAGMENT))
                        m.d.comb += [first.eq(Term.NOTHING), sums.alone.eq(asks_ufo)]
                        with m.If(look):
                            with m.If(~inner):
                                m.d.sync += [
                                    facts.identification.eq(high),
                                    facts.fragment.eq(low),
                                    facts.big.eq(auto & told & (facts.length == 0) & longer),
                                ]
                            if g.tunnel:
                                m.d.sync += facts.inner_identification.eq(high)
                    with m.Case(2):
                        tag(low=Field.IP_CSUM, when=~inner)
                        tag(low=Field.INNER_IP_CSUM, when=inner)
                        m.d.comb += sums.alone.eq(1)
                        with m.If(look):
                            m.d.sync += [protocol.eq(high[:8]), fresh.eq(1)]
                    with m.Case(3, 4):
                        count("l4", scratch)
                with m.If(look & (number == final)):
                    m.d.sync += facts.ip_whole.eq(1)
                    follow()
            with m.Case(State.IPV6):
                next_header = window[16:24]
                is_length = number == 1
                count("l4", ~is_length & scratch)
                count("tunnel", tunnel_word)
                with m.If(is_length):
                    m.d.comb += first.eq(Term.MINUS_PLACE)
                    jumbo_here = (
                        C(int(g.segments_ipv6))
                        & ~inner
                        & (next_header == ExtensionHeader.HOP_BY_HOP)
                        & Mux(told, longer & (facts.rest != JUMBO_LEAST), high == 0)
                    )
                    tag(Field.LENGTH, when=~inner)
                    tag(Field.INNER_LENGTH, when=inner)
                    with m.If(jumbo_here):
                        m.d.comb += header.low.eq(Cat(low[:8], C(Protocol.TCP, 8)))
                    with m.Elif(asks_ufo & (next_header == Protocol.UDP)):
                        m.d.comb += header.low.eq(Cat(low[:8], C(ExtensionHeader.FRAGMENT, 8)))
                    with m.If(look):
                        m.d.sync += [protocol.eq(next_header), fresh.eq(1), jumbo.eq(jumbo_here)]
                        with m.If(~inner):
                            m.d.sync += [
                                facts.length.eq(high + IPV6_BYTES),
                                facts.no_end.eq((high == 0) & ~told),
                                facts.big.eq(auto & told & (high == 0) & longer),
                            ]
                with m.If(look & (number == final)):
                    m.d.sync += facts.ip_whole.eq(1)
                    follow()
            with m.Case(State.EXTENSION):
                next_header = window[0:8]
                count("tunnel", tunnel_word)
                with m.If(number == 0):
                    with m.If(jumbo):
                        m.d.comb += wrong.eq((high != Protocol.TCP << 8) | (low != ExtensionHeader.JUMBO_PAYLOAD))
                    with m.Elif(asks_ufo & (next_header == Protocol.UDP)):
                        m.d.comb += header.high.eq(Cat(high[:8], C(ExtensionHeader.FRAGMENT, 8)))
                    with m.If(look):
                        m.d.sync += [
                            final.eq(Cat(C(1, 1), window[8:14] | window[14:16].any().replicate(6))),
                            protocol.eq(next_header),
                            fresh.eq(1),
                        ]
                        with m.If(protocol == ExtensionHeader.ROUTING):
                            m.d.sync += [routed.eq(1), source_routed.eq(source_routed | (window[24:32] != 0))]
                with m.If(jumbo):
                    m.d.comb += emit.eq(0)
                with m.If(look & (number != 0) & (number == final)):
                    m.d.sync += [jumbo.eq(0), facts.shrunk.eq(facts.shrunk | jumbo)]
                    follow()

            if g.tunnel and g.gre:
                with m.Case(State.GRE):
                    has_checksum, has_key = high[15], high[13]
                    opening = number == 0
                    carried, with_checksum = Signal(16), Signal()
                    with m.If(opening):
                        is_ipv4, is_ipv6, is_ethernet = (low == value for value in (EtherType.IPV4, EtherType.IPV6, EtherType.ETHERNET))
                        m.d.comb += [
                            wrong.eq(
                                (high & (0xFFFF ^ (Gre.CHECKSUM | Gre.KEY))).any()
                                | (has_checksum & ~request.needs_csum)
                                | ~(is_ipv4 | is_ipv6 | is_ethernet)
                            ),
                            off.eq(has_checksum & ~request.on.gre_csum),
                        ]
                        begin("tunnel")
                        with m.If(look):
                            m.d.sync += [
                                final.eq(has_checksum + has_key),
                                carried.eq(low),
                                with_checksum.eq(has_checksum),
                                facts.tunnel_behind.eq(behind),
                            ]
                    with m.Elif((number == 1) & with_checksum):
                        tag(Field.TUNNEL_CSUM)
                        m.d.comb += first.eq(Term.NOTHING)
                        with m.If(look):
                            m.d.sync += facts.tunnel_csum.eq(1)
                    count("tunnel")
                    inside = Mux(opening, low, carried)
                    with m.If(look & Mux(opening, ~has_checksum & ~has_key, number == final)):
                        goto_ip(inside == EtherType.IPV4, inside == EtherType.IPV6, 1)
                        with m.If(inside == EtherType.ETHERNET):
                            goto(State.ETHERNET)
            if g.udp_tunnel and g.tunnel:
                with m.Case(State.TUNNEL_UDP, State.OPAQUE):
                    opaque = state == State.OPAQUE
                    arrived, half = request.inner_nh == at + 4, request.inner_nh == at + 2
                    is_length = ~opaque & (number == 1)
                    m.d.comb += flip.eq(opaque & half)
                    m.d.comb += wrong.eq(~opaque & (number == 0) & (request.outer_th != at))
                    tag(Field.TUNNEL_LENGTH, Field.TUNNEL_CSUM, is_length & request.tunnel_csum)
                    tag(Field.TUNNEL_LENGTH, when=is_length & ~request.tunnel_csum)
                    m.d.comb += [
                        first.eq(Mux(is_length, Term.MINUS_PLACE, Term.HALFWORD)),
                        sums.alone.eq(flip),
                    ]
                    begin("tunnel", ~opaque & (number == 0))
                    count("tunnel")
                    with m.If(look):
                        with m.If(~opaque & (number == 0)):
                            m.d.sync += [facts.tunnel_behind.eq(behind), facts.tunnel_udp.eq(1), facts.tunnel_csum.eq(request.tunnel_csum)]
                        with m.If((is_length & arrived) | (opaque & (arrived | half))):
                            goto_ip(request.base == Base.TCP4, request.base == Base.TCP6, 1)
                        with m.Elif(is_length):
                            goto(State.OPAQUE)

            with m.Case(State.TCP):
                with m.If(number == 0):
                    m.d.comb += wrong.eq(segment & request.needs_csum & (request.csum_start != at))
                    with m.If(look):
                        m.d.sync += facts.tcp.eq(1)
                count("l4", cutting & (number != 1))
                with m.Switch(number):
                    with m.Case(1):
                        tag(Field.HIGH, Field.LOW)
                        if g.tcp:
                            with m.If(look):
                                m.d.sync += facts.seq.eq(Cat(low, high))
                    with m.Case(3):
                        tag(Field.FLAGS)
                        m.d.comb += [wrong.eq(cutting & (high[12:] < TCP_LEAST_WORDS)), first.eq(Term.NOTHING)]
                        with m.If(look):
                            m.d.sync += final.eq(high[12:] - 1)
                            if g.tcp:
                                m.d.sync += facts.flags.eq(high)
                    with m.Case(4):
                        # (The tunnel's sum has no urgent pointer: that comes later.)
                        m.d.comb += [
                            first.eq(Mux(cutting, Mux(scratch, Term.NOTHING, Term.HALFWORD), Term.MINUS_HALFWORD)),
                            sums.alone.eq(g.tunnel_csum | ~cutting),
                            sums.turn.eq(1),
                        ]
                        count("l4")
                        count("tunnel")
                        if g.tunnel_csum:
                            with m.If(look & cutting):
                                m.d.sync += held.eq(low)
                with m.If(look & (number >= 4) & ((number == final) | ~cutting)):
                    m.d.sync += facts.l4_whole.eq(1)
                    m.d.comb += ends.eq(1)
            with m.Case(State.UDP):
                with m.If(as_ufo):
                    m.d.comb += emit.eq(0)
                with m.If(number == 0):
                    m.d.comb += wrong.eq(segment & request.needs_csum & (request.csum_start != at))
                    count("l4", cutting & ~as_ufo)
                    with m.If(look):
                        m.d.sync += facts.udp.eq(1)
                with m.Else():
                    tag(Field.LOW)
                    m.d.comb += [
                        first.eq(Mux(cutting, Mux(as_ufo, Term.NOTHING, Term.MINUS_HALFWORD), Term.HALFWORD)),
                        second.eq(Mux(cutting & ~as_ufo, Term.HALFWORD, Term.MINUS_HALFWORD)),
                        sums.turn.eq(1),
                    ]
                    count("l4", ~cutting | as_ufo | ~scratch)
                    count("tunnel")
                    with m.If(look):
                        m.d.sync += [facts.udp_length.eq(high), facts.csum.eq(low), facts.l4_whole.eq(1)]
                        m.d.comb += ends.eq(1)

            # --- What is not in any one word. What is only known of frames that are cut, or only of others, does no harm to the others.
            with m.Case(State.SETTLE_1):
                goto(State.SETTLE_2)
                m.d.comb += [
                    self.settle[0].eq(1),
                    first.eq(Mux(cutting, Mux(facts.udp, Term.MINUS_PLACE, Term.NOTHING), Term.HELD)),
                    second.eq(Term.HELD),
                    sums.alone.eq(cutting & (facts.udp | (not g.tunnel_csum))),
                ]
                settle("ip", ~cutting)
                settle("l4", from_place)
            with m.Case(State.SETTLE_2):
                # The length from the transport header on: into a sum from scratch, out of one that began with it.
                goto(State.SETTLE_3)
                from_scratch = ~cutting | as_ufo
                m.d.comb += [
                    self.settle[1].eq(1),
                    first.eq(Mux(from_scratch, Term.NOTHING, Term.MINUS_LENGTH)),
                    second.eq(Mux(from_scratch, Term.LENGTH, Term.MINUS_LENGTH)),
                ]
                settle("l4", Mux(facts.tcp, ~cutting | ~scratch, cutting & as_ufo))
                if g.tunnel_csum:
                    settle("tunnel", Mux(facts.tunnel_udp, facts.udp, facts.tcp))
                    m.d.comb += sums.turn.eq(~facts.tunnel_udp)
            with m.Case(State.SETTLE_3):
                goto(State.ETHERNET)
                m.d.comb += [
                    self.settle[2].eq(1),
                    self.flush.eq(1),
                    first.eq(Mux(from_place, Term.MINUS_PLACE, Term.NOTHING)),
                    second.eq(Term.PROTOCOL),
                    sums.alone.eq(~scratch),
                    sums.turn.eq(1),
                ]
                settle("l4")
                if g.tunnel_csum:
                    settle("tunnel", ~facts.tunnel_udp)
                m.d.sync += [lag.eq(0), fresh.eq(0), broken_off.eq(0)]
                m.d.sync += facts.eq(0)

        if g.ufo:
            # The fragment header, behind what every fragment repeats.
            fragments6 = asks_ufo & facts.ipv6 & (facts.drop == Drop.NONE)
            with m.If(fragments6 & self.settle[0]):
                m.d.comb += [emit.eq(1), header.high.eq(Protocol.UDP << 8), header.low.eq(0), header.low_tag.eq(g.tag(Field.FRAGMENT))]
            with m.If(fragments6 & self.settle[1]):
                m.d.comb += [emit.eq(1), header.high.eq(self.fragment_id[16:]), header.low.eq(self.fragment_id[:16])]

        # --- The end of the walk, or of one that was none.
        with m.If(take & (fail | ends)):
            m.d.sync += [
                state.eq(State.SETTLE_1),
                number.eq(0),
            ]
            with m.If(facts.udp & as_ufo):
                m.d.sync += at.eq(facts.l4)
            with m.If(fail):
                m.d.sync += [facts.drop.eq(drop), facts.early.eq((state == State.ETHERNET) & ~inner)]
        first_word = (state == State.ETHERNET) & ~inner & (number == 0)
        m.d.comb += self.decided.eq(
            take & (fail | ends | (only_insert & (state == State.ETHERNET) & look & (number == ETHERNET_WORDS - 1)))
        )
        bare = first_word & ~word.request.walk
        m.d.comb += [take.eq(self.i.valid & walking & ~bare), self.request.eq(request)]
        m.d.sync += self.bare.eq(self.i.valid & bare)
        with m.If(self.i.valid & first_word):
            m.d.sync += request.eq(word.request)
        return m
