"""The lines of a message's head, written so that none becomes two."""

from collections.abc import Sequence


class Unwritable(ValueError):
    """It cannot be written down as HTTP: a value of it has a line's end in it."""


def ended(lines: Sequence[str]) -> str:
    """Return the lines, each with its end. Raises `Unwritable`."""
    text = "\r\n".join(lines) + "\r\n"
    if text.count("\n") != len(lines) or text.count("\r") != len(lines) or "\0" in text:
        raise Unwritable("a header's value has a line's end in it")
    return text
