"""Offcut's golden model: what the engine must do, in plain Python with the standard library alone.

>>> from offcut_model import VirtioNetHdr, segment
>>> wire_frames = segment(frame, VirtioNetHdr(flags=1, gso_type=1, gso_size=1448, csum_start=34, csum_offset=16))

The way of a frame through the modules: :mod:`.segment` says in which order it is judged; :mod:`.judge` looks at the request,
:mod:`.requests` and :mod:`.auto` find out what is to be done with the frame, with :mod:`.walk` for where its headers are, and
:mod:`.cutting` makes a plan of that; :mod:`.plans` carries it out, with :mod:`.layers` for what changes in each header. :mod:`.headers`
says where the fields stand, :mod:`.vnet` how a request is written.
"""

from .checksum import checksum
from .identification import fragment_identification
from .options import DEFAULT_FEATURES, FEATURES, Options
from .refused import REASONS, Refused
from .segment import segment, takes_identification
from .vnet import VirtioNetHdr

__all__ = [
    "DEFAULT_FEATURES",
    "FEATURES",
    "REASONS",
    "Options",
    "Refused",
    "VirtioNetHdr",
    "checksum",
    "fragment_identification",
    "segment",
    "takes_identification",
]
