"""Why there is no guest."""

__all__ = ["GuestError", "Unavailable"]


class GuestError(Exception):
    """The guest, or the device in front of it, does not do as it should; the message is one line: what is wrong, and what helps."""


class Unavailable(GuestError):
    """This machine lacks what a guest needs."""
