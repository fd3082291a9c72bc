"""What the harness gives to an engine and takes from it, seen on a stand-in that sends every frame back."""

import random
from dataclasses import replace

import pytest
from standin import CFG, STATS, Mode, StandIn

from offcut import verilog
from offcut.config import Config
from offcut.rtl import Engine, Request, Reset, engine

RHYTHMS = {
    "full speed": {},
    "random idle": {"source_idle": 0.5},
    "random stalls": {"sink_stall": 0.5},
    "both": {"source_idle": 0.3, "sink_stall": 0.7},
    "bursts": {"source_idle": (5, 3), "sink_stall": (1, 4)},
    "a sink that waits": {"shy": True},
}


def frames(seed, count, most=400):
    source = random.Random(seed)
    return [source.randbytes(source.choice((1, 2, 3, 60, 63, 64, 65, source.randint(1, most)))) for _ in range(count)]


@pytest.mark.parametrize("width", (32, 64, 512))
@pytest.mark.parametrize("rhythm", RHYTHMS)
@pytest.mark.parametrize("garbage", (True, False), ids=("garbage", "clean"))
def test_every_frame_comes_back_in_order_under_any_rhythm(standin_engine, width, rhythm, garbage, seed):
    sent = frames(seed, 300)
    result = standin_engine(width).run(map(Request, sent), garbage=garbage, seed=seed, **RHYTHMS[rhythm])
    beats = sum(-(-len(frame) * 8 // width) for frame in sent)
    assert result.frames == sent
    assert (result.frames_in, result.frames_out) == (300, 300)
    assert result.bytes_in == result.bytes_out == sum(map(len, sent))
    assert result.beats_in == result.beats == beats < result.clocks
    assert result.strobes == dict.fromkeys(STATS, 0) | {"stat_frame": 300, "stat_segment": 300}


def test_a_run_can_be_repeated_clock_by_clock_and_other_seeds_differ(standin_engine, seed):
    def run(seed):
        return standin_engine(64).run(map(Request, frames(1, 100)), source_idle=0.3, sink_stall=0.3, spans=True, seed=seed)

    assert run(seed) == run(seed)
    assert run(seed).spans_out != run(seed + 1).spans_out


def test_batches_leave_no_trace_in_time(standin_engine, monkeypatch, seed):
    def run():
        return standin_engine(64).run(
            map(Request, frames(seed, 300)), source_idle=0.2, sink_stall=0.4, spans=True, reset_at=[5000], seed=seed
        )

    whole = run()
    monkeypatch.setattr(engine, "BATCH_BYTES", 1000)
    assert run() == whole


def test_memory_stays_flat_when_frames_are_delivered(standin_engine):
    delivered = []
    result = standin_engine(64).run((Request(b"x" * 60) for _ in range(1000)), deliver=delivered.append)
    assert result.frames == [] and delivered == [b"x" * 60] * 1000 and result.frames_out == 1000


def test_progress_counts_requests_and_clocks(standin_engine, monkeypatch):
    monkeypatch.setattr(engine, "BATCH_BYTES", 4000)
    calls = []
    standin_engine(64).run([Request(bytes(1000))] * 20, progress=lambda *call: calls.append(call))
    assert len(calls) > 3 and calls == sorted(calls) and calls[-1][0] == 20


def test_a_run_of_nothing_gives_nothing(standin_engine):
    result = standin_engine(64).run([])
    assert (result.frames, result.clocks, result.beats) == ([], 0, 0)


HEADERS = {
    "none": b"",
    "10 bytes": bytes(range(1, 11)),
    "12 bytes": bytes(range(1, 13)),
    "20 bytes": bytes(range(1, 21)),
    "24 bytes": bytes(range(1, 25)),
}


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("frame_len", (None, 0, 77, 0xFFFFF))
def test_tuser_holds_the_request_with_the_first_beat(standin_engine, header, frame_len):
    header = HEADERS[header]
    request = Request(bytes(24), header, frame_len, mtu=Mode.ECHO_TUSER)
    tuser = int.from_bytes(standin_engine(64).run([request] * 3).frames[2], "little")
    assert tuser & (1 << 80) - 1 == int.from_bytes(header[:10], "little")
    assert tuser >> 80 & 0xFFFFFFFF == int.from_bytes(header[20:24], "little")
    assert tuser >> 112 == (24 if frame_len is None else frame_len)


def test_tuser_is_noise_after_the_first_beat_unless_switched_off(standin_engine, seed):
    requests = [Request(bytes(64), bytes(range(10)), mtu=Mode.RAW_TUSER)] * 2
    first, second = standin_engine(64).run(requests, seed=seed).frames
    assert first[:8] == second[:8] == bytes(range(8))
    assert first[8:] != second[8:]
    first, second = standin_engine(64).run(requests, seed=seed, garbage=False).frames
    assert first == second == bytes(range(8)) * 8


TUSER = {
    "a VLAN tag": ({"vlan_tci": 0xA5C3}, 1 << 148 | 0xA5C3 << 132),
    "a VLAN tag of zeroes": ({"vlan_tci": 0}, 1 << 148),
    "an ID to keep": ({"keep_id": True}, 1 << 149),
    "user bits": ({"user": 0x1_2345_6789}, 0x1_2345_6789 << 160),
}


@pytest.mark.parametrize("field", TUSER)
def test_tuser_holds_what_stands_beside_the_request(standin_engine, field):
    arguments, bits = TUSER[field]
    request = Request(bytes(32), frame_len=0, mtu=Mode.ECHO_TUSER, **arguments)
    (frame,) = standin_engine(64, user_width=33).run([request]).frames
    assert int.from_bytes(frame[: (160 + 33) // 8 + 1], "little") & (1 << 193) - 1 == bits


@pytest.mark.parametrize("user_width", (1, 8, 33, 64))
@pytest.mark.parametrize("width", (32, 512))
def test_user_bits_come_out_with_every_frame(standin_engine, width, user_width, seed):
    source = random.Random(seed)
    users = [source.getrandbits(user_width) for _ in range(200)]
    sent = frames(seed, 200)
    engine = standin_engine(width, user_width=user_width)
    result = engine.run([Request(frame, user=user) for frame, user in zip(sent, users, strict=True)], sink_stall=0.5, seed=seed)
    assert (result.frames, result.users) == (sent, users)
    assert standin_engine(64).run([Request(bytes(8))]).users == []


OWN = {
    "auto": True,
    "mtu": Mode.ECHO_CFG,
    "disable": frozenset({"tx-checksum-ip-generic", "tx-vlan-offload"}),
    "tcp_clear_first": 0xABC,
    "tcp_clear_middle": 0x123,
    "tcp_clear_last": 0xFFF,
    "id_mode": 2,
    "uso_size": 0xFEDC,
}
BITS = [1, Mode.ECHO_CFG, 1 << 14 | 1, 0xABC, 0x123, 0xFFF, 2, 0xFEDC, 0x89ABCDEF]
"""What :data:`OWN` is on the ports, in their order, and a seed of fragments."""


def configuration(values):
    """The ports' bits as the stand-in shows them."""
    bits = shift = 0
    for value, width in zip(values, CFG.values(), strict=True):
        bits |= value << shift
        shift += width
    return bits.to_bytes(16, "little")


@pytest.mark.parametrize("garbage", (True, False), ids=("garbage", "clean"))
def test_every_configuration_input_is_the_requests_own_or_the_runs(standin_engine, garbage):
    engine, seed = standin_engine(64), BITS[-1]
    expected = configuration(BITS)
    of_the_request = engine.run([Request(bytes(16), **OWN)] * 3, frag_seed=seed, garbage=garbage)
    of_the_run = engine.run([Request(bytes(16))] * 3, frag_seed=seed, garbage=garbage, **OWN)
    assert of_the_request.frames == of_the_run.frames == [expected] * 3, "what stood with the first beat holds, whatever noise follows"


@pytest.mark.parametrize("name", OWN)
def test_a_requests_own_configuration_input_comes_before_the_runs_even_if_it_is_zero(standin_engine, name):
    zero = frozenset() if name == "disable" else 0
    if name == "mtu":  # it chooses the stand-in's mode, and 0 sends the frame back
        assert standin_engine(64).run([Request(bytes(16), mtu=0)], **OWN).frames == [bytes(16)]
        return
    expected = configuration([0 if port == f"cfg_{name}" else value for port, value in zip(CFG, BITS, strict=True)])
    assert standin_engine(64).run([Request(bytes(16), **{name: zero})], frag_seed=BITS[-1], **OWN).frames == [expected]


FAULTS = {
    "a hole": {0: 0b1101},
    "a short beat": {1: 0b0001},
    "an empty beat": {1: 0},
    "an empty last beat": {24: 0},
    "a last beat not from lane 0": {24: 0b0010},
}


@pytest.mark.parametrize("width", (32,))
@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_tkeep_reaches_the_engine(standin_engine, width, fault):
    good = Request(bytes(range(100)))
    result = standin_engine(width).run([good, replace(good, keep=FAULTS[fault]), good])
    assert result.dropped == {"bad_keep": 1}
    assert result.frames == [good.frame] * 2


@pytest.mark.parametrize("width", (32, 64, 512))
def test_a_reset_loses_what_was_in_flight_and_nothing_else(standin_engine, width, seed):
    sent = frames(seed, 400)
    whole = standin_engine(width).run(map(Request, sent), sink_stall=0.2, seed=seed, spans=True)
    clocks = sorted(random.Random(seed).sample(range(whole.spans_in[-1].last), 10))
    result = standin_engine(width).run(map(Request, sent), sink_stall=0.2, seed=seed, reset_at=clocks)
    assert [reset.clock for reset in result.resets] == clocks
    epochs = [Reset(0, 0, 0), *result.resets, Reset(None, len(sent), len(result.frames))]
    for before, after in zip(epochs, epochs[1:], strict=False):
        given = sent[before.request : after.request]
        came = result.frames[before.frame : after.frame]
        assert came == given[: len(came)]
    assert came == given, "after the last reset all comes out"


def test_registers_without_reset_start_with_noise(standin_engine, seed):
    def run(seed):
        return standin_engine(64).run([Request(bytes(8), mtu=Mode.STALE)], seed=seed).frames

    assert run(seed) == run(seed)
    assert len({run(seed + n)[0] for n in range(20)}) > 1


@pytest.mark.parametrize("width", (32, 512))
def test_origins_tell_which_request_each_wire_frame_is_of(standin_engine, width, seed):
    source = random.Random(seed)
    modes = [source.choice((Mode.PASS, Mode.SWALLOW)) for _ in range(200)]
    requests = [Request(frame, auto=False, mtu=mode) for frame, mode in zip(frames(seed, 200), modes, strict=True)]
    plain = standin_engine(width).run(requests)
    result = standin_engine(width).run(iter(requests), origins=True)
    assert result.origin == [n for n, mode in enumerate(modes) if mode == Mode.PASS]
    assert replace(result, origin=None) == plain, "clocks and counts are those of the run without markers"


def test_spans_are_the_clocks_of_first_and_last_beats(standin_engine):
    result = standin_engine(64).run([Request(bytes(80)), Request(bytes(8)), Request(bytes(24))], spans=True)
    first, second, third = result.spans_in
    assert (first.last - first.first, second.first, second.last, third.first) == (9, first.last + 1, second.first, second.last + 1)
    for given, came in zip(result.spans_in, result.spans_out, strict=True):
        assert given.last < came.first and given.last - given.first == came.last - came.first
    assert result.clocks == result.spans_out[-1].last - result.spans_in[0].first + 1


def test_a_waveform_is_written_by_an_engine_compiled_for_it(standin_engine, tmp_path):
    request = Request(bytes(range(64)))
    traced = standin_engine(64, trace=True).run([request] * 3, trace=tmp_path / "wave.vcd")
    assert traced == standin_engine(64).run([request] * 3)
    wave = (tmp_path / "wave.vcd").read_text()
    assert "m_axis_tvalid" in wave and "#6400\n" in wave


MISUSES = {
    "a reset before the first clock": ({"reset_at": [5, -1]}, "reset_at must lie between 0 and .*, not be -1"),
    "a seed of 33 bits": ({"frag_seed": 1 << 32}, "frag_seed must lie between 0 and 4294967295, not be 4294967296"),
    "flags of 13 bits": ({"tcp_clear_middle": 0x1000}, "tcp_clear_middle must lie between 0 and 4095, not be 4096"),
    "a fourth ID mode": ({"id_mode": 3}, "id_mode must lie between 0 and 2, not be 3"),
    "a size of 17 bits": ({"uso_size": 65536}, "uso_size must lie between 0 and 65535, not be 65536"),
    "a feature that is none": ({"disable": {"tso"}}, "no feature 'tso'; there are tx-checksum-ip-generic"),
    "a feature as text": ({"disable": "tx-vlan-offload"}, "disable is a set of feature names, not the text 'tx-vlan-offload'"),
    "a waveform without the build for it": ({"trace": "x.vcd"}, "trace=True"),
    "a source that never runs": ({"source_idle": 1.0}, "source_idle must be a probability below 1, not 1.0"),
    "a sink that never runs": ({"sink_stall": (0, 3)}, r"sink_stall must run for at least 1 clock .* not \(0, 3\)"),
    "an MTU of 17 bits": ({"mtu": 65536}, "mtu must lie between 0 and 65535, not be 65536"),
    "origins with resets": ({"origins": True, "reset_at": [5]}, "without resets"),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_misuse_is_refused_with_a_sentence_that_names_it(standin_engine, misuse):
    arguments, sentence = MISUSES[misuse]
    with pytest.raises(ValueError, match=sentence):
        standin_engine(64).run([Request(bytes(64))], **arguments)


IMPOSSIBLE = {
    "no frame": ({"frame": b""}, "A frame has at least one byte"),
    "a header of 11 bytes": ({"vnet_hdr": bytes(11)}, "10, 12, 20 or 24 bytes, not 11"),
    "a length of 21 bits": ({"frame_len": 1 << 20}, "frame_len must lie below 1048576 bytes, not be 1048576"),
    "a frame of a length of 21 bits": ({"frame": bytes(1 << 20)}, "frame_len must lie below 1048576 bytes, not be 1048576"),
    "a VLAN tag of 17 bits": ({"vlan_tci": 1 << 16}, "vlan_tci must lie between 0 and 65535, not be 65536"),
    "user bits where there are none": ({"user": 1}, "user must fit the engine's 0 user bits, not be 1"),
    "tkeep of a beat that is not there": ({"keep": {8: 1}}, r"keep names beat 8 of a frame that has 8 \(counted from 0\)"),
    "tkeep of a beat before the first": ({"keep": {-1: 1}}, "keep names beat -1"),
    "tkeep of 9 bits": ({"keep": {0: 0x100}}, "keep must lie between 0 and 0xff, not be 0x100"),
    "a negative tkeep": ({"keep": {0: -1}}, "keep must lie between 0 and 0xff, not be -0x1"),
    "an MTU of its own of 17 bits": ({"mtu": 65536}, "mtu must lie between 0 and 65535, not be 65536"),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_a_request_that_cannot_be_put_on_the_bus_is_refused(standin_engine, what):
    arguments, sentence = IMPOSSIBLE[what]
    with pytest.raises(ValueError, match=sentence):
        standin_engine(64).run([Request(**{"frame": bytes(64)} | arguments)])


def test_half_a_mebibyte_goes_through(standin_engine, seed):
    """The longest super-frame of Linux; the stand-in drops it, as too many bytes for one wire frame would be."""
    frame = random.Random(seed).randbytes(1 << 19)
    result = standin_engine(512).run([Request(frame, mtu=Mode.SWALLOW), Request(frame[:9000])])
    assert (result.bytes_in, result.frames, result.dropped) == ((1 << 19) + 9000, [frame[:9000]], {"bad_request": 1})


def test_an_input_that_the_engine_does_not_have_can_only_be_zero():
    text = verilog.convert(StandIn(64), name=verilog.TOP).replace("cfg_uso_size", "other_uso_size")
    engine = Engine(Config(width=64), dut=text)
    assert engine.run([Request(bytes(8))]).frames_out == 1
    with pytest.raises(ValueError, match="no port cfg_uso_size, so uso_size can only be 0"):
        engine.run([Request(bytes(8))], uso_size=1400)


def test_a_dut_of_another_width_or_with_other_user_bits_is_refused():
    with pytest.raises(ValueError, match="32 bits wide, the configuration 64"):
        Engine(Config(width=64), dut=verilog.convert(StandIn(32), name=verilog.TOP))
    with pytest.raises(ValueError, match="3 user bits, the configuration 0"):
        Engine(Config(width=64), dut=verilog.convert(StandIn(64, user_width=3), name=verilog.TOP))
