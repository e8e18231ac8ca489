"""Measures queries on an idle shelf: repeated queries are answered from the cache of rendered responses."""

from collections.abc import Mapping
from pathlib import Path

from bench import sample_books
from bench.load import Load
from bench.measurement import Figures, Measurement, Plan, Sample
from bench.server import server
from bench.wire import get

_BOOKS = 1000
_FACTS = {
    "list": "GET /books?limit=100",
    "last": "GET /books/last/read",
    "one": "GET /books/{id}, every book in turn: more than the response cache holds, so each is looked up",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    books = plan.count(_BOOKS)
    await sample_books.fill(folder / "shelf", books)
    figures: Figures = {}
    async with server(folder / "shelf") as shelf:
        services = {"list": shelf.services["booklist"], "one": shelf.services["booklist"]}
        services["last"] = shelf.services["lastreadbooks"]
        for name, targets in _targets(books).items():
            for door, prefix, port in (
                ("service", "", services[name]),
                ("gateway", "/bookshelf", shelf.gateway),
            ):
                load = Load([get(prefix + target) for target in targets], 200)
                figures[f"{name}, {door}"] = await load.run(port, plan.connections, plan.seconds)
    return Sample(figures, {"books": books, **_FACTS})


def _targets(books: int) -> Mapping[str, list[str]]:
    every = [f"/books/{sample_books.book_id(number)}" for number in range(books)]
    return {"list": ["/books?limit=100"], "last": ["/books/last/read"], "one": every}


GETS = Measurement("gets", "GET the list, the last read, and one book", _run)
