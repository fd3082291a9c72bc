"""Hold what the gateware sent against the model."""

from collections.abc import Sequence
from itertools import zip_longest

from offcut.cli.engines import Request, Result
from offcut.cli.errors import CommandError

__all__ = ["check_against_model"]


def check_against_model(requests: Sequence[Request], result: Result, model: Result, numbers: Sequence[int]) -> None:
    """Do nothing if both are the same.

    Parameters
    ----------
    numbers : sequence of int
        What the capture calls each request.

    Raises
    ------
    CommandError
        At the first difference; the message says where it is.
    """
    pairs = zip_longest(zip(result.origins, result.frames, strict=True), zip(model.origins, model.frames, strict=True))
    for position, (sent, expected) in enumerate(pairs):
        if sent == expected:
            continue
        wire_frame = f"the gateware and the model differ at wire frame {position + 1}"
        if sent is None or expected is None:
            origin = (sent or expected or (0, b""))[0]
            which = "the model alone sends" if sent is None else "the gateware alone sends"
            raise CommandError(f"{wire_frame}, which {which} (record {numbers[origin]})")
        where = f"{wire_frame}, of record {numbers[expected[0]]}"
        if sent[0] != expected[0]:
            raise CommandError(f"{where} in the model and of record {numbers[sent[0]]} in the gateware")
        if len(sent[1]) != len(expected[1]):
            raise CommandError(f"{where}: {len(sent[1])} bytes and not {len(expected[1])}")
        byte = next(i for i, (a, b) in enumerate(zip(sent[1], expected[1], strict=True)) if a != b)
        raise CommandError(f"{where}: byte {byte} is {sent[1][byte]:02x} and not {expected[1][byte]:02x}")
    if result.dropped != model.dropped:
        raise CommandError(
            f"the gateware dropped {result.dropped or 'nothing'}, the model {model.dropped or 'nothing'} (of {len(requests)} frames)"
        )
