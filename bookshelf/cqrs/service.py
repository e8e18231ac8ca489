"""A service: a name, the tags that it is found by, its port, what it runs and what it serves."""

from dataclasses import dataclass
from typing import Any

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.route import Route
from bookshelf.cqrs.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One line of bookshelf/services.py. Everything else follows from it."""

    name: str
    summary: str
    tags: tuple[str, ...]
    port: int
    runs: tuple[Aggregate[Any] | View, ...]
    serves: tuple[Route, ...]

    @property
    def aggregates(self) -> tuple[Aggregate[Any], ...]:
        """The deciders that this service owns partitions for."""
        return tuple(part for part in self.runs if isinstance(part, Aggregate))

    @property
    def views(self) -> tuple[View, ...]:
        """The views whose rows this service keeps."""
        return tuple(part for part in self.runs if isinstance(part, View))
