"""From a command to its effect in a view, one at a time."""

import time
from pathlib import Path
from typing import Any

from bench import library
from bench.figures import latencies
from bench.inside import newbook, sent, view, world
from bench.line import Line, line
from bench.measurement import BenchFault, Figures, Measurement, Plan, Sample
from bench.server import server
from bench.wire import get, post
from bookshelf.runtime.aggregate.host import AggregateHost
from bookshelf.runtime.view.host import ViewHost

_ROUNDS = 500
_FACTS = {
    "whole": "from the POST sent to the GET answered with the new book",
    "wait": "from the POST answered to the GET answered, which names the POST's position in Bookshelf-After",
    "in process": "the same two without HTTP: command, wait for the position, query",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    rounds = plan.count(_ROUNDS)
    async with server(folder / "shelf") as shelf, line(shelf.gateway) as own:
        through = [await once(own, own, number, "/bookshelf") for number in range(rounds)]
    figures = _named("gateway", through)
    async with world(folder / "own") as there, newbook(there) as books, view(there) as booklist:
        figures |= _named("in process", [await _within(books, booklist, number) for number in range(rounds)])
    return Sample(figures, {"rounds": rounds, **_FACTS})


def _named(where: str, taken: list[tuple[float, float]]) -> Figures:
    whole, wait = zip(*taken, strict=True)
    return {f"{where}, whole": latencies(whole), f"{where}, wait": latencies(wait)}


async def once(told: Line, asked: Line, number: int, prefix: str = "") -> tuple[float, float]:
    """Add a book and look it up; return the seconds from the POST sent, and from it answered."""
    began = time.perf_counter()
    made = await told.ask(post(f"{prefix}/books", library.book(number)), 201)
    answered = time.perf_counter()
    position, place = made.header("Bookshelf-Position"), made.header("Location")
    if position is None or place is None:
        msg = "the answer to a POST names no position, or no place"
        raise BenchFault(msg)
    target = place if place.startswith(f"{prefix}/") else f"{prefix}{place}"
    await asked.ask(get(target, Bookshelf_After=position))
    now = time.perf_counter()
    return now - began, now - answered


async def _within(books: AggregateHost, booklist: ViewHost, number: int) -> tuple[float, float]:
    began = time.perf_counter()
    outcome = await books.ask(sent(number))
    answered = time.perf_counter()
    await booklist.after([outcome.position] if outcome.position else [])
    await booklist.query(lambda db: _look_up(booklist, db, outcome.subject))
    now = time.perf_counter()
    return now - began, now - answered


def _look_up(booklist: ViewHost, db: Any, subject: str) -> None:  # noqa: ANN401 (the storage's connection)
    table = booklist.view.tables.tables["booklist_book"]
    if db.execute(table.select().where(table.c.id == subject)).first() is None:
        msg = "a view says that it has a record, and its rows have it not"
        raise BenchFault(msg)


VISIBLE = Measurement("visible", "from a command to its effect in a view", _run)
