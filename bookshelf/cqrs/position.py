"""Where a record stands: topic/partition@offset."""

import re

import msgspec

#: How a position is written.
FORM = re.compile(r"([a-z0-9][a-z0-9._-]{0,248})/([0-9]{1,9})@([0-9]{1,18})", re.ASCII)


class Position(msgspec.Struct, frozen=True, order=True):
    """One record's place in the log; written `bookshelf/0@42`. Offsets count from 0."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


def parse_position(text: str) -> Position:
    """Read `topic/partition@offset`. Raises ValueError, saying what was found."""
    found = FORM.fullmatch(text)
    if found is None:
        msg = f"{text[:80]!r} is not a position; positions look like bookshelf/0@42"
        raise ValueError(msg)
    return Position(found[1], int(found[2]), int(found[3]))
