"""What must come out, by the golden model, and whether it did."""

from collections import Counter, deque

from offcut_model import Options, Refused, VirtioNetHdr, segment

from .difference import difference

__all__ = ["Scoreboard", "answer"]


def answer(case, mtu_max):
    """The model's answer to a request: its wire frames, and the reason it was dropped for or None."""
    options = Options(auto=case.auto, mtu=case.mtu or 1500, mtu_max=mtu_max, frame_len=case.frame_len)
    try:
        return segment(case.frame, VirtioNetHdr.parse(case.vnet_hdr), options=options), None
    except Refused as refused:
        return list(refused.segments), refused.reason


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

    def expect(self, what, frames, dropped=None):
        """``frames`` must come next, in this order; ``what`` says in a message where they come from."""
        self._expected.extend((f"segment {index} of {len(frames)} of {what}", bytes(frame)) for index, frame in enumerate(frames))
        if dropped:
            self.drops[dropped] += 1

    def receive(self, frame):
        """Compare the next wire frame.

        Raises
        ------
        AssertionError
            If it is not the one expected, or none is; the message shows both.
        """
        assert self._expected, f"A frame of {len(frame)} bytes came out that nobody expected: {frame[:64].hex()}"
        what, expected = self._expected.popleft()
        if frame != expected:
            raise AssertionError(f"{what}\n{difference(expected, frame)}")
        self.frames += 1

    def finish(self):
        """Nothing may be left."""
        assert not self._expected, f"{len(self._expected)} frames did not come out, first {self._expected[0][0]}"
