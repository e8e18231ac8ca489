"""Measures the time from a command to its effect in a view, one command at a time."""

import time
from pathlib import Path
from typing import Any

from bench import sample_books
from bench.connection import LoadConnection, connect
from bench.figures import latencies
from bench.in_process import newbook, open_infrastructure, sent, view
from bench.measurement import BenchFault, Figures, Measurement, Plan, Sample
from bench.server import server
from bench.wire import get, post
from bookshelf.runtime.aggregate.host import AggregateHost
from bookshelf.runtime.view.host import ViewHost

_ROUNDS = 500
_FACTS = {
    "whole": "from sending the POST to the response of the GET with the new book",
    "wait": "from the POST's response to the GET's, which has the POST's position in Bookshelf-After",
    "in process": "both without HTTP: a command, a wait for its position, a query",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    rounds = plan.count(_ROUNDS)
    async with server(folder / "shelf") as shelf, connect(shelf.gateway) as own:
        through = [await once(own, own, number, "/bookshelf") for number in range(rounds)]
    figures = _named("gateway", through)
    async with (
        open_infrastructure(folder / "own") as infrastructure,
        newbook(infrastructure) as books,
        view(infrastructure) as booklist,
    ):
        figures |= _named("in process", [await _within(books, booklist, number) for number in range(rounds)])
    return Sample(figures, {"rounds": rounds, **_FACTS})


def _named(where: str, taken: list[tuple[float, float]]) -> Figures:
    whole, wait = zip(*taken, strict=True)
    return {f"{where}, whole": latencies(whole), f"{where}, wait": latencies(wait)}


async def once(
    commands: LoadConnection, queries: LoadConnection, number: int, prefix: str = ""
) -> tuple[float, float]:
    """Add a book and query it; return the seconds since the POST was sent, and since its response."""
    began = time.perf_counter()
    created = await commands.ask(post(f"{prefix}/books", sample_books.book(number)), 201)
    answered = time.perf_counter()
    position, location = created.header("Bookshelf-Position"), created.header("Location")
    if position is None or location is None:
        msg = "the response to a POST lacks Bookshelf-Position or Location"
        raise BenchFault(msg)
    target = location if location.startswith(f"{prefix}/") else f"{prefix}{location}"
    await queries.ask(get(target, Bookshelf_After=position))
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
        msg = "a view has reached the position of a record, but lacks its row"
        raise BenchFault(msg)


VISIBLE = Measurement("visible", "from a command to its effect in a view", _run)
