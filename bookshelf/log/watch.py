"""The port of those who only look on: a log as it is read, which nothing is written to or made in."""

from datetime import datetime
from typing import Protocol

from bookshelf.log.port import Tail


class Watch(Protocol):
    """A part of `Log`, and a way to find what was appended when."""

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has."""

    async def tail(self, topic: str, partition: int, offset: int) -> Tail:
        """Read from `offset`. Raises `OutOfRange` before the start or past the end."""

    async def start(self, topic: str, partition: int) -> int:
        """Return the first offset that is kept. Raises `LogFault`."""

    async def end(self, topic: str, partition: int) -> int:
        """Return an offset that every acknowledged record lies before. Raises `LogFault`."""

    async def since(self, topic: str, partition: int, moment: datetime) -> int:
        """Return an offset that nothing appended at `moment` (aware) or later lies before."""

    async def close(self) -> None:
        """Let go of everything."""
