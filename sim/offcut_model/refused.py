"""How the model says that nothing may be sent."""

__all__ = ["REASONS", "Refused"]

REASONS = {
    "truncated": "the frame ends inside the headers that its request needs",
    "header_too_long": "the headers that its request needs do not fit into 256 bytes",
    "too_long": "a wire frame would exceed mtu_max",
    "too_big": "the frame is above the MTU and nothing says how to cut it",
    "bad_request": "the request asks for what does not exist",
    "bad_header": "the headers contradict the request",
    "disabled": "the feature is not built in, or switched off",
    "length_mismatch": "the frame's length is not the one that was told",
}
"""Every reason the model has, named as the hardware's counters are. (``bad_keep`` is a fault of a bus, which the model does not have.)"""


class Refused(Exception):
    """A frame that is dropped, whole but for :attr:`segments`.

    Attributes
    ----------
    reason : str
        A name out of :data:`REASONS`.
    segments : tuple of bytes
        With ``length_mismatch`` on a frame that is cut: the segments that were whole, with more of the frame behind them, before the
        contradiction was met. They are right, and have been sent. Otherwise empty.
    """

    def __init__(self, reason: str, message: str, segments: tuple[bytes, ...] = ()) -> None:
        if reason not in REASONS:
            raise ValueError(f"There is no reason {reason!r}; there are {', '.join(REASONS)}")
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.segments = segments
