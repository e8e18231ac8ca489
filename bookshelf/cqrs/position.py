"""The position of a record in the log, written topic/partition@offset."""

import re

import msgspec

#: The text form of a position.
FORM = re.compile(r"([a-z0-9][a-z0-9._-]{0,248})/([0-9]{1,9})@([0-9]{1,18})", re.ASCII)


class Position(msgspec.Struct, frozen=True, order=True):
    """The topic, partition and offset of a record, written `bookshelf/0@42`. Offsets count from 0."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


def parse_position(text: str) -> Position:
    """Return the position of a text `topic/partition@offset`. Raises ValueError, which quotes the text."""
    match = FORM.fullmatch(text)
    if match is None:
        msg = f"{text[:80]!r} is not a position; positions look like bookshelf/0@42"
        raise ValueError(msg)
    return Position(match[1], int(match[2]), int(match[3]))
