"""What ends a command with one line on standard error."""

__all__ = ["CommandError", "reason"]


class CommandError(Exception):
    """Something the user can put right. The message is one line: what is wrong, with its value, and what helps."""


def reason(error: OSError) -> str:
    """What the system said, as part of a sentence: ``no space left on device``."""
    said = error.strerror or str(error)
    return said[:1].lower() + said[1:]
