"""The generator's requests for the compiled engine."""

from offcut.rtl import Request
from offcut.tx.layouts import Geometry

__all__ = ["as_request", "ufo_buffer"]


def ufo_buffer(config):
    """:attr:`offcut_model.Options.ufo_buffer` of an engine."""
    geometry = Geometry(config)
    return (geometry.bus_bytes, geometry.datagram_words) if geometry.runs else None


def as_request(case, **others):
    """A :class:`traffic.Case` as an :class:`offcut.rtl.Request`; ``others`` are further fields of it."""
    first, middle, last = case.tcp_clear
    return Request(
        case.frame,
        case.vnet_hdr,
        case.frame_len,
        auto=case.auto,
        mtu=case.mtu,
        vlan_tci=case.vlan_tci,
        keep_id=case.keep_id,
        user=case.user,
        disable=case.disabled,
        tcp_clear_first=first,
        tcp_clear_middle=middle,
        tcp_clear_last=last,
        id_mode=case.id_mode,
        uso_size=case.uso_size,
        **others,
    )
