"""Each row of the feature table, asked of the model, of the gateware, and of the running kernel: so docs/features.md, which is made of it, is true."""

from dataclasses import replace
from functools import cache

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6ExtHdrFragment
from scapy.layers.l2 import GRE, Ether
from scapy.layers.sctp import SCTP

from features import AUTO, TABLE
from kernel.differences import DIFFERENCES, Asked, agreement
from offcut.config import DEFAULT_FEATURES, FEATURES, Config
from offcut.oracle import KernelOracle, unavailable
from offcut.rtl import Engine, Request
from offcut_model import Refused, segment

ROWS = [*(row for name in FEATURES for row in TABLE[name]), *AUTO]
SENT = [row for row in ROWS if not isinstance(row.leaves, str)]


def of_row(row):
    return row.says


def model(row, **options):
    """The wire frames, or the reason of the drop."""
    try:
        return segment(row.raw, row.header, replace(row.options, **options))
    except Refused as refused:
        return refused.reason


def test_every_feature_has_rows_and_every_row_its_own_sentence():
    assert TABLE.keys() == FEATURES.keys() and all(TABLE.values())
    assert len({(row.says, row.frame.summary(), tuple(row.tells)) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=of_row)
def test_the_model_does_what_the_table_says(row):
    answer = model(row)
    assert (answer if isinstance(answer, str) else tuple(map(row.seen, answer))) == row.leaves


ENGINES = {
    "last": Config(width=32, features=frozenset(FEATURES), user_width=1),
    "first": Config(width=512, ufo_order="first", user_width=64),
}
"""By the order of fragments: two engines that tests/rtl compiles as well. Neither width nor user bits change what leaves."""


@cache
def engine(ufo_order):
    return Engine(ENGINES[ufo_order])


CFG = ("auto", "mtu", "disable", "tcp_clear_first", "tcp_clear_middle", "tcp_clear_last", "id_mode", "uso_size")


@pytest.mark.parametrize("row", ROWS, ids=of_row)
def test_the_gateware_does_what_the_table_says(row):
    options = row.options
    assert options.features in (DEFAULT_FEATURES, frozenset(FEATURES)), "what is built in beside does not matter to the others"
    inputs = {name: getattr(options, name) for name in CFG}
    asked = Request(row.raw, row.header.pack(24), vlan_tci=options.vlan_tci, keep_id=options.keep_id)
    result = engine(options.ufo_order).run([asked], frag_seed=options.frag_seed, **inputs)
    answer = next(iter(result.dropped)) if result.dropped else tuple(map(row.seen, result.frames))
    assert answer == row.leaves
    assert result.dropped or result.frames == model(row), "what is not shown is right, too"


@pytest.fixture(scope="module")
def kernel():
    why = unavailable()
    if why:
        pytest.skip(why)
    with KernelOracle() as oracle:
        yield oracle


@pytest.mark.parametrize("row", [row for row in ROWS if row.asks_linux], ids=of_row)
def test_linux_does_what_the_table_says(row, kernel):
    """The same but for the order and the identification of fragments; or it differs as the table says, and for that reason."""
    answer = kernel.ask(row.header.pack(24), row.raw)
    assert agreement(Asked(row.header, row.raw, model(row, ufo_order="first"), answer)) in (
        [row.linux] if row.linux else ["cut", "whole", "refused"]
    )


def test_a_difference_that_is_named_exists_and_every_other_reason_is_a_sentence():
    names = {difference.__name__ for difference in DIFFERENCES}
    assert {row.linux for row in ROWS if row.linux and row.asks_linux} <= names


@pytest.mark.parametrize("row", [row for row in SENT if row.asks is not None or row.options.auto], ids=of_row)
def test_scapy_finds_every_checksum_of_what_leaves_right(row):
    for wire in model(row):
        blank = Ether(wire)
        found = {}
        for place, layer in summed(blank):
            found[place], layer.chksum = layer.chksum, None
        right = list(Ether(bytes(blank)).iterpayloads())
        assert all(value % 0xFFFF == right[place].chksum % 0xFFFF for place, value in found.items()), "0x0000 and 0xFFFF are the same sum"


def summed(frame):
    """The layers that have a checksum which covers nothing but what is in this frame, each behind its place."""
    for place, layer in enumerate(frame.iterpayloads()):
        if isinstance(layer, IP | TCP | UDP | SCTP | GRE) and layer.chksum:
            yield place, layer
        if isinstance(layer, IPv6ExtHdrFragment) or isinstance(layer, IP) and (layer.frag or layer.flags.MF):
            return
