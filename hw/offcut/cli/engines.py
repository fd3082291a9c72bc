"""What cuts: the golden model or the compiled gateware, behind one face."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from offcut.cli.errors import CommandError
from offcut.cli.inputs import Inputs
from offcut.config import Config
from offcut_model import Options, Refused, VirtioNetHdr, segment, takes_identification

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
    """Cuts runs of frames, each as after a reset.

    The number of the run is the seed of IPv6 fragments' identifications: within a run they differ, and so do they from run to run.

    Attributes
    ----------
    ufo_buffer : tuple of int, or None
        Bytes a word, and as many words as no datagram may fill whose fragments wait for each other; None for no such limit.
    """

    ufo_buffer: tuple[int, int] | None

    def run(self, requests: Sequence[Request], progress: Progress) -> Result: ...


class Model:
    """The golden model. With the ``ufo_buffer`` of an engine it drops what outgrows that."""

    def __init__(self, config: Config, inputs: Inputs, ufo_buffer: tuple[int, int] | None = None) -> None:
        self.ufo_buffer = ufo_buffer
        self._options = Options(
            auto=inputs.auto,
            mtu=inputs.mtu,
            mtu_max=config.mtu_max,
            features=config.features,
            disable=inputs.disable,
            id_mode=inputs.id_mode,
            uso_size=inputs.uso_size,
            ufo_order=config.ufo_order,
            ufo_buffer=ufo_buffer,
            vlan_tci=inputs.vlan_tci,
        )
        self._runs = 0

    def run(self, requests: Sequence[Request], progress: Progress) -> Result:
        result = Result([], [])
        options = replace(self._options, frag_seed=self._runs)
        self._runs += 1
        for index, request in enumerate(requests):
            progress(index)
            header = VirtioNetHdr.parse(request.vnet_hdr) if request.vnet_hdr else VirtioNetHdr()
            try:
                frames: Sequence[bytes] = segment(request.frame, header, options)
            except Refused as refused:
                frames = refused.segments
                result.dropped[refused.reason] = result.dropped.get(refused.reason, 0) + 1
            if takes_identification(request.frame, header, options):
                options = replace(options, frag_number=options.frag_number + 1)
            result.frames += frames
            result.origins += [index] * len(frames)
        return result


class Rtl:
    """The gateware, compiled. Building it takes a while the first time that a configuration is used."""

    def __init__(self, config: Config, inputs: Inputs) -> None:
        try:
            from offcut import rtl
        except ModuleNotFoundError as error:
            raise CommandError(f"--engine rtl needs {error.name}; install it with: pip install 'offcut[rtl]'") from None
        self._rtl = rtl
        self._inputs = inputs
        self._runs = 0
        try:
            self._engine = rtl.Engine(config)
        except rtl.BuildError as error:
            raise CommandError(f"the gateware cannot be compiled: {error}") from None
        self.ufo_buffer = self._engine.ufo_buffer

    def run(self, requests: Sequence[Request], progress: Progress) -> Result:
        inputs = self._inputs
        given = [self._rtl.Request(request.frame, request.vnet_hdr, vlan_tci=inputs.vlan_tci) for request in requests]
        try:
            run = self._engine.run(
                given,
                auto=inputs.auto,
                mtu=inputs.mtu,
                disable=inputs.disable,
                id_mode=inputs.id_mode,
                uso_size=inputs.uso_size,
                frag_seed=self._runs,
                origins=True,
                progress=lambda done, clock: progress(done),
            )
        except (self._rtl.ContractViolation, self._rtl.Hang) as error:
            raise CommandError(f"the gateware fails: {error}") from None
        self._runs += 1
        return Result(run.frames, run.origin or [], run.dropped, run.clocks, run.beats)


ENGINES: dict[str, Callable[[Config, Inputs], Engine]] = {"model": Model, "rtl": Rtl}
