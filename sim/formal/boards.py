"""What is claimed of the blocks between AXI ports: the handshake's rules (IHI 0022, A3.2.1) on every channel that they drive."""

from amaranth import Cat, Value

from .bench import Bench

__all__ = ["axi_rules_bench"]

CHANNELS = {"aw": True, "w": True, "b": False, "ar": True, "r": False}
"""Prefix of a channel, and whether the manager drives it."""


def _channels(port):
    """Each channel of a port: its prefix, whether a manager drives it, valid, ready, and all else as one value."""
    for prefix, forth in CHANNELS.items():
        names = [name for name in port.signature.members if name.startswith(prefix) and not (prefix == "w" and name.startswith("wr"))]
        payload = [getattr(port, name) for name in names if name not in {f"{prefix}valid", f"{prefix}ready"}]
        yield prefix, forth, getattr(port, f"{prefix}valid"), getattr(port, f"{prefix}ready"), Cat(map(Value.cast, payload))


def axi_rules_bench(component, *, upstream, downstream):
    """Nothing that is offered is withdrawn or changed before it is taken, if nobody around does that.

    Parameters
    ----------
    component : wiring.Component
    upstream, downstream : list
        Its ports towards managers, and those towards subordinates.
    """
    bench = Bench(component)
    for number, (port, drives_forth) in enumerate([*((port, False) for port in upstream), *((port, True) for port in downstream)]):
        for prefix, forth, valid, ready, payload in _channels(port):
            waits = bench.past(valid & ~ready)
            stable = payload == bench.past(payload)
            if forth == drives_forth:
                bench.claim(~waits | valid, f"port {number}: {prefix}valid is not withdrawn")
                bench.claim(~waits | stable, f"port {number}: {prefix} is stable while it waits")
            else:
                bench.assume(~waits | (valid & stable))
    return bench
