"""What a live NIC counts."""

from dataclasses import dataclass, field

__all__ = ["Counters", "Passed"]


@dataclass
class Passed:
    """What has passed an engine since the start, between a kernel that uses it and the wire.

    Attributes
    ----------
    frames_in, super_frames_in, bytes_in : int
        Frames that the kernel handed to the engine, those of them with a request to cut, and their bytes without the request.
    frames_out, bytes_out : int
        Wire frames that left the engine.
    back_frames, back_bytes : int
        Frames from the wire to the kernel.
    clocks : int
        Clocks that the gateware ran (none while it is empty); 0 for an engine without a clock.
    unwritten : int
        Frames that a device behind the engine did not take.
    dropped : dict of str to int
        Frames that the engine dropped, by reason; only reasons that occurred.
    """

    frames_in: int = 0
    super_frames_in: int = 0
    bytes_in: int = 0
    frames_out: int = 0
    bytes_out: int = 0
    back_frames: int = 0
    back_bytes: int = 0
    clocks: int = 0
    unwritten: int = 0
    dropped: dict[str, int] = field(default_factory=dict)


@dataclass
class Counters(Passed):
    """What a live NIC counts besides.

    Attributes
    ----------
    beats_in, beats_out : int
        Clocks with a beat; 0 for an engine without a clock.
    lost, reordered : int
        Frames that the wire lost, and those it held back, as it was told to.
    waiting_max : int
        The most frames that waited in front of the engine at once, beside those in the host's TAP.
    engine_seconds, io_seconds : float
        CPU time of the thread that cuts, and of the one that reads and writes. The second includes what the kernel does to receive a frame.
    host_seconds : float
        Of the latter, what was done for the host: to take its frames, and to hand it the peer's, upon which its TCP sends more.
    """

    beats_in: int = 0
    beats_out: int = 0
    lost: int = 0
    reordered: int = 0
    waiting_max: int = 0
    engine_seconds: float = 0.0
    io_seconds: float = 0.0
    host_seconds: float = 0.0
