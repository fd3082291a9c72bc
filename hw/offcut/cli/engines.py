"""What cuts: the golden model or the compiled gateware, behind one face."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from offcut.cli.errors import CommandError
from offcut.config import Config
from offcut_model import Options, Refused, VirtioNetHdr, segment

__all__ = ["ENGINES", "Engine", "Model", "Progress", "Request", "Result", "Rtl"]


@dataclass(frozen=True, slots=True)
class Request:
    """One frame, and the ``virtio_net_hdr`` that asks something of it (10, 12, 20 or 24 bytes), or none for all zeroes."""

    frame: bytes
    vnet_hdr: bytes = b""


@dataclass(slots=True)
class Result:
    """What left an engine.

    Attributes
    ----------
    frames : list of bytes
        The wire frames, in the order in which they left.
    origins : list of int
        For each of them, the index of the request that it was cut from.
    dropped : dict
        Dropped requests by reason; reasons that did not occur are absent.
    clocks, beats : int or None
        Clocks from the first beat in to the last beat out, and those of them that carried a beat out. The model has no clock.
    """

    frames: list[bytes]
    origins: list[int]
    dropped: dict[str, int] = field(default_factory=dict)
    clocks: int | None = None
    beats: int | None = None


Progress = Callable[[int], None]
"""Called now and then with the number of requests done."""


class Engine(Protocol):
    """Cuts a run of frames."""

    def run(self, requests: Sequence[Request], progress: Progress) -> Result: ...


class Model:
    """The golden model."""

    def __init__(self, config: Config, *, auto: bool, mtu: int) -> None:
        self._options = Options(auto=auto, mtu=mtu, mtu_max=config.mtu_max, features=config.features)

    def run(self, requests: Sequence[Request], progress: Progress) -> Result:
        result = Result([], [])
        for index, request in enumerate(requests):
            progress(index)
            header = VirtioNetHdr.parse(request.vnet_hdr) if request.vnet_hdr else VirtioNetHdr()
            try:
                frames: Sequence[bytes] = segment(request.frame, header, self._options)
            except Refused as refused:
                frames = refused.segments
                result.dropped[refused.reason] = result.dropped.get(refused.reason, 0) + 1
            result.frames += frames
            result.origins += [index] * len(frames)
        return result


class Rtl:
    """The gateware, compiled. Building it takes a while the first time that a configuration is used."""

    def __init__(self, config: Config, *, auto: bool, mtu: int) -> None:
        try:
            from offcut import rtl
        except ModuleNotFoundError as error:
            raise CommandError(f"--engine rtl needs {error.name}; install it with: pip install 'offcut[rtl]'") from None
        self._rtl = rtl
        self._auto = auto
        self._mtu = mtu
        try:
            self._engine = rtl.Engine(config)
        except rtl.BuildError as error:
            raise CommandError(f"the gateware cannot be compiled: {error}") from None

    def run(self, requests: Sequence[Request], progress: Progress) -> Result:
        given = [self._rtl.Request(request.frame, request.vnet_hdr or bytes(10)) for request in requests]
        try:
            run = self._engine.run(given, auto=self._auto, mtu=self._mtu, origins=True, progress=lambda done, clock: progress(done))
        except (self._rtl.ContractViolation, self._rtl.Hang) as error:
            raise CommandError(f"the gateware fails: {error}") from None
        return Result(run.frames, run.origin or [], run.dropped, run.clocks, run.beats)


ENGINES: dict[str, Callable[..., Engine]] = {"model": Model, "rtl": Rtl}
