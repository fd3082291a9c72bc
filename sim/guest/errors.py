"""Why there is no guest."""

__all__ = ["GuestError"]


class GuestError(Exception):
    """No guest can run here, or it stopped; the message is one line: what is wrong, and what helps."""
