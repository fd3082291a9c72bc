"""Two frames side by side, where they differ."""

__all__ = ["difference"]

FIELDS = {
    "ipv6": (("version/class/flow", 0, 4), ("payload length", 4, 6), ("next header", 6, 7), ("hop limit", 7, 8)),
    "ip": (("version/ihl", 0, 1), ("total length", 2, 4), ("id", 4, 6), ("fragment", 6, 8), ("ttl", 8, 9), ("checksum", 10, 12)),
    "tcp": (("seq", 4, 8), ("ack", 8, 12), ("offset/flags", 12, 14), ("checksum", 16, 18), ("urgent", 18, 20)),
    "udp": (("length", 4, 6), ("checksum", 6, 8)),
}
"""``(name, first byte, end)`` from the header's beginning."""


def difference(expected, actual):
    """Lines of text: the lengths, then each known field or run of bytes that differs. Empty if nothing does."""
    if expected == actual:
        return ""
    lines = [f"{'':24} {'expected':>20} {'actual':>20}"]
    if len(expected) != len(actual):
        lines.append(f"{'bytes':24} {len(expected):>20} {len(actual):>20}")
    named = set()
    for name, start, end in _fields(expected):
        if expected[start:end] != actual[start:end]:
            named |= set(range(start, end))
            lines.append(f"{f'{name} [{start}:{end}]':24} {expected[start:end].hex():>20} {actual[start:end].hex():>20}")
    others = [at for at in range(min(len(expected), len(actual))) if expected[at] != actual[at] and at not in named]
    for at in others[:4]:
        lines.append(f"{f'byte {at}':24} {expected[at : at + 8].hex():>20} {actual[at : at + 8].hex():>20}")
    if len(others) > 4:
        lines.append(f"and {len(others) - 4} more bytes")
    return "\n".join(lines)


def _fields(frame):
    """The fields that this frame has, at their offsets."""
    l3 = 14
    while frame[l3 - 2 : l3] in (b"\x81\x00", b"\x88\xa8"):
        l3 += 4
    known = {b"\x08\x00": ("ip", 9, 4 * (frame[l3] & 15)), b"\x86\xdd": ("ipv6", 6, 40)} if len(frame) >= l3 + 40 else {}
    if frame[l3 - 2 : l3] not in known:
        return
    network, protocol, length = known[frame[l3 - 2 : l3]]
    for layer, base in ((network, l3), ({6: "tcp", 17: "udp"}.get(frame[l3 + protocol]), l3 + length)):
        for name, start, end in FIELDS.get(layer, ()):
            yield f"{layer} {name}", base + start, base + end
