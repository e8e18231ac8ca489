"""The types of measurements: plan, sample and figures."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

#: Figures by subject and name; a name ends with its unit.
Figures = dict[str, dict[str, float]]


class BenchFault(Exception):
    """The measured program failed, so that its figures are meaningless; the message describes the failure."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of measurements: runs, seconds of each load, connections, requests and books.

    `books`: None for the default of each measurement. `broker`: the addresses of Kafka; empty for SQLite.
    """

    runs: int = 3
    seconds: float = 3.0
    connections: int = 64
    books: int | None = None
    requests: int = 1_000_000
    broker: str = ""

    def count(self, own: int) -> int:
        """Return the number of books: the plan's, or else the measurement's default `own`."""
        return own if self.books is None else self.books


class Sample(NamedTuple):
    """The result of one run: figures, and facts that explain them."""

    figures: Figures
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measurement. `run` gets an empty folder; a `large` one runs only by name or with --all."""

    name: str
    what: str
    run: Callable[[Plan, Path], Awaitable[Sample]] = field(repr=False)
    large: bool = False
