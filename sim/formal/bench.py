"""A component, everything that may be done to it, and what is claimed of it."""

from amaranth import ClockDomain, Const, Module, Mux, Signal, Value
from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume
from amaranth.lib.wiring import In

__all__ = ["Bench", "Opened"]


class Opened:
    """A component's inside, for invariants: its signals by name, and its memory.

    Induction starts in any state at all, also in ones that no reset leads to. So what a proof claims must tell such states apart, and
    that takes names from inside. They are looked up when the proof is built: if one is gone, the error says which.

    Parameters
    ----------
    component : wiring.Component
        Not elaborated yet; from now on it is elaborated as it was opened.
    """

    def __init__(self, component):
        self.component = component
        self.body = component.elaborate(None)
        component.elaborate = lambda platform: self.body

    def __getitem__(self, name):
        """The signal of that name that the component drives itself."""
        found = [signal for signal in self.body._driving if signal.name == name]
        if len(found) != 1:
            raise LookupError(f"{type(self.component).__name__} drives {len(found)} signals named {name!r}; its proof rests on one")
        return found[0]

    def __contains__(self, name):
        return any(signal.name == name for signal in self.body._driving)

    def open(self, name):
        """A submodule's inside."""
        return Opened(self.body.submodules[name])

    def watch(self, memory, address):
        """What a memory holds at an address, through a read port of the proof's own."""
        port = self.body.submodules[memory].read_port(domain="comb")
        self.body.d.comb += port.addr.eq(address)
        return port.data

    def write_address(self, memory):
        """The address of its write port."""
        return self.body.submodules[memory].write_ports[0].addr

    def read_address(self, memory):
        """The address of the component's own read port."""
        return self.body.submodules[memory].read_ports[0].addr

    def source(self, signal):
        """What the component drives a signal with, where that is one assignment."""
        found = [one.rhs for one in self.body._statements["comb"] if getattr(one, "lhs", None) is signal]
        if len(found) != 1:
            raise LookupError(f"{type(self.component).__name__} drives {signal.name!r} in {len(found)} assignments; its proof rests on one")
        return found[0]


class Bench:
    """Drives a component with anything that the assumptions allow.

    Parameters
    ----------
    component : wiring.Component
        Its inputs are free.
    invariants : bool
        False leaves out what is claimed for induction's sake alone, so that from reset on nothing but a promise can fail.

    Attributes
    ----------
    m : Module
        For the proof's own registers. They start at their initial value, together with the component.
    dut : Opened
    claims : list of str
        What was claimed, in words.
    """

    def __init__(self, component, *, invariants=True):
        self._invariants = invariants
        self.m = Module()
        self.m.domains.sync = domain = ClockDomain(reset_less=True)
        self.m.submodules.dut = component
        self.claims = []
        self.dut = Opened(component)
        self._inputs = [domain.clk]
        members = [Value.cast(value) for _path, member, value in component.signature.flatten(component) if member.flow == In]
        self._inputs += [member for member in members if not isinstance(member, Const)]  # an always_ready is none
        self._started = self.past(1)

    def free(self, shape, name):
        """A value that may be another one in each clock."""
        signal = Signal(shape, name=name)
        self._inputs.append(signal)
        return signal

    def constant(self, shape, name):
        """A value that may be any, but stays what it is."""
        signal = self.free(shape, name)
        self.assume(~self._started | (signal == self.past(signal)))
        return signal

    def past(self, value, clocks=1):
        """What a value was some clocks ago; before the beginning, 0."""
        for _ in range(clocks):
            later = Signal.like(Value.cast(value), name="past", init=0)
            self.m.d.sync += later.eq(value)
            value = later
        return value

    def count(self, up, down=0, *, limit, name):
        """A register that counts events, and can go one past what is ever allowed."""
        counter = Signal(range(limit + 2), name=name)
        self.m.d.sync += counter.eq(counter + up - down)
        return counter

    def since(self, promise, events, *, limit, name):
        """Events before this clock, counted from the last clock in which a promise was given; ``limit`` if there was none or it is reached."""
        spent = Signal(range(limit + 1), init=limit, name=name)
        now = Mux(promise, 0, spent)
        self.m.d.sync += spent.eq(Mux(now + events > limit, limit, now + events))
        return now

    def assume(self, condition):
        self.m.d.comb += Assume(condition)

    def claim(self, condition, words):
        """Claim a promise, said in words.

        It stands in a module of its own, since the solver names what fails by its place in the hierarchy.
        """
        holds = Signal(name="holds")
        self.m.d.comb += holds.eq(condition)
        place = Module()
        place.d.comb += Assert(holds)
        self.m.submodules[f"claim_{len(self.claims)}"] = place
        self.claims.append(words)

    def invariant(self, condition, words):
        """Claim what no user sees, but what the promises follow from."""
        if self._invariants:
            self.claim(condition, words)

    def stream_rules(self, stream, name):
        """Claim what `amaranth.lib.stream` asks of whoever drives a stream."""
        waits = self.past(stream.valid & ~stream.ready)
        payload = Value.cast(stream.payload)
        self.claim(~waits | stream.valid, f"{name}.valid is not withdrawn")
        self.claim(~waits | (payload == self.past(payload)), f"{name}.payload is stable while it waits")

    def assume_stream_rules(self, stream):
        """Assume the same of whoever drives a stream into the component."""
        waits = self.past(stream.valid & ~stream.ready)
        payload = Value.cast(stream.payload)
        self.assume(~waits | (stream.valid & (payload == self.past(payload))))

    def rtlil(self):
        """The design as RTLIL text; a bench can be converted once."""
        return rtlil.convert(self.m, ports=self._inputs)
