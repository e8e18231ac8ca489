"""What a measurement is, and what it gives back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

#: Figures by what was measured and by their name, which ends in their unit.
Figures = dict[str, dict[str, float]]


class BenchFault(Exception):
    """What was measured did not do its work, so its speed says nothing; says what it did instead."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much: runs, seconds of each load, connections, requests; books, if not a measurement's own number.

    `broker` is where Kafka is, for what is measured there.
    """

    runs: int = 3
    seconds: float = 3.0
    connections: int = 64
    books: int | None = None
    requests: int = 1_000_000
    broker: str = ""

    def count(self, own: int) -> int:
        """Return how many books to work with."""
        return own if self.books is None else self.books


class Sample(NamedTuple):
    """What one run found: figures, and facts that one must know to read them."""

    figures: Figures
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One thing to measure; `run` gets an empty folder of its own. A `large` one is run when it is named."""

    name: str
    what: str
    run: Callable[[Plan, Path], Awaitable[Sample]] = field(repr=False)
    large: bool = False
