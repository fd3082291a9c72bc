"""What must come out, by the golden model, and whether it did."""

from collections import Counter, deque

from offcut_model import DEFAULT_FEATURES, Options, Refused, VirtioNetHdr, segment, takes_identification

from .difference import difference

__all__ = ["Answers", "Scoreboard", "answer", "options_of"]


def options_of(case, **engine):
    """The model's options for a case, those of the ``engine`` given by their names."""
    first, middle, last = case.tcp_clear
    return Options(
        auto=case.auto,
        mtu=case.mtu or 1500,
        frame_len=case.frame_len,
        disable=case.disabled,
        tcp_clear_first=first,
        tcp_clear_middle=middle,
        tcp_clear_last=last,
        id_mode=case.id_mode,
        keep_id=case.keep_id,
        uso_size=case.uso_size,
        vlan_tci=case.vlan_tci,
        **engine,
    )


def answer(case, mtu_max=9216, **engine):
    """The model's answer to a request: its wire frames, and the reason it was dropped for or None.

    ``engine`` are further :class:`offcut_model.Options`: ``features``, ``ufo_order``, ``frag_seed``, ``frag_number``.
    """
    try:
        return segment(case.frame, VirtioNetHdr.parse(case.vnet_hdr), options=options_of(case, mtu_max=mtu_max, **engine)), None
    except Refused as refused:
        return list(refused.segments), refused.reason


class Answers:
    """The model's answers to requests that one engine gets one after the other since its reset. Called with a case, as :func:`answer`.

    Parameters
    ----------
    mtu_max, features, ufo_order, ufo_buffer, frag_seed
        As of :class:`offcut_model.Options`.
    """

    def __init__(self, *, mtu_max=9216, features=DEFAULT_FEATURES, ufo_order="last", ufo_buffer=None, frag_seed=0):
        self._engine = {"mtu_max": mtu_max, "features": features, "ufo_order": ufo_order, "ufo_buffer": ufo_buffer, "frag_seed": frag_seed}
        self._number = 0

    def __call__(self, case):
        engine = {**self._engine, "frag_number": self._number}
        self._number += takes_identification(case.frame, VirtioNetHdr.parse(case.vnet_hdr), options_of(case, **engine))
        return answer(case, **engine)


class Scoreboard:
    """Compares wire frames with what was expected, in order, as they come.

    Attributes
    ----------
    drops : collections.Counter
        Expected drops by reason.
    frames : int
        Wire frames that were right.
    """

    def __init__(self):
        self._expected = deque()
        self.drops = Counter()
        self.frames = 0

    def expect(self, what, frames, dropped=None, user=0):
        """``frames`` must come next, in this order, with these user bits; ``what`` says in a message where they come from."""
        for index, frame in enumerate(frames):
            self._expected.append((f"segment {index} of {len(frames)} of {what}", bytes(frame), user))
        if dropped:
            self.drops[dropped] += 1

    def receive(self, frame, user=0):
        """Compare the next wire frame.

        Raises
        ------
        AssertionError
            If it is not the one expected, or none is; the message shows both.
        """
        assert self._expected, f"A frame of {len(frame)} bytes came out that nobody expected: {frame[:64].hex()}"
        what, expected, user_expected = self._expected.popleft()
        if frame != expected:
            raise AssertionError(f"{what}\n{difference(expected, frame)}")
        assert user == user_expected, f"{what} came with the user bits {user:#x} and not {user_expected:#x}"
        self.frames += 1

    def finish(self):
        """Nothing may be left."""
        assert not self._expected, f"{len(self._expected)} frames did not come out, first {self._expected[0][0]}"
