"""Offcut's golden model: what the engine must do, in plain Python with the standard library alone.

>>> from offcut_model import VirtioNetHdr, segment
>>> wire_frames = segment(frame, VirtioNetHdr(flags=1, gso_type=1, gso_size=1448, csum_start=34, csum_offset=16))

The way of a frame through the modules: :mod:`.segment` judges it, and :mod:`.requests`, :mod:`.walk` and :mod:`.auto` find out what is
to be done; :mod:`.plans` does it, with :mod:`.layers` for what changes in each header. :mod:`.headers` says where the fields stand,
:mod:`.vnet` how a request is written.
"""

from .checksum import checksum
from .options import FEATURES, Options
from .refused import REASONS, Refused
from .segment import segment
from .vnet import VirtioNetHdr

__all__ = ["FEATURES", "REASONS", "Options", "Refused", "VirtioNetHdr", "checksum", "segment"]
