"""What flows through the adapters."""

from amaranth.lib import data

__all__ = ["plain_beat", "requested_beat"]


def plain_beat(width):
    """A beat of AXI4-Stream without a request: ``width`` bits of data."""
    return data.StructLayout({"data": width, "keep": width // 8, "last": 1})


def requested_beat(config):
    """A beat with what the engine samples beside a frame's first: ``user`` is its tuser; ``own`` says that ``auto``, ``mtu`` and ``uso_size``
    stand in place of the settings of these names."""
    return data.StructLayout({
        "data": config.width,
        "keep": config.width // 8,
        "last": 1,
        "user": 160 + config.user_width,
        "own": 1,
        "auto": 1,
        "mtu": 16,
        "own_uso_size": 1,
        "uso_size": 16,
    })
