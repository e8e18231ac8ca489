"""Measures searches and sorted lists on shelves of any size, one at a time, and their memory."""

import time
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from urllib.parse import urlencode

from bench import sample_books
from bench.connection import LoadConnection, connect
from bench.figures import percentile
from bench.measurement import Figures, Measurement, Plan, Sample
from bench.memory import resident
from bench.server import server
from bench.wire import get
from bookshelf.shelf.fields import NewBook

_BOOKS = 10_000
#: The most and the fewest requests of one kind; the larger the shelf, the fewer.
_ASKED, _ASKED_LEAST = 200, 40
#: A step between books that are far from each other.
_STRIDE = 999_983
_SORTS = ("added", "title", "author", "published", "finished", "stars", "-stars", "series")
_FACTS = {
    "rebuilt": "the folder had only a log: seconds until booklist, alone, was ready, and memory then",
    "queried": "memory after all queries",
    "word": "GET /books?q= one word or its beginning, which every tenth book has; about 50 books",
    "words": "the words of a title and of the author's name; about 50 books",
    "relevance": "the same, the best first",
    "suggest": "GET /books/suggest?q= the beginning of a word",
    "sort": "GET /books?sort=, 50 books of a page, from the first page on",
    "names": "GET /authors, /series and /tags?sort=, 60 names of a page with four books each",
    "facets": "GET /books/facets?q= the beginning of a word",
    "count": "the number of matches is in each answer",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    books = plan.count(_BOOKS)
    await sample_books.fill(folder / "shelf", books)
    async with server(folder / "shelf", "booklist") as shelf, connect(shelf.services["booklist"]) as own:
        figures: Figures = {"rebuilt": {"ready_s": shelf.ready_s, **resident(shelf.pid)}}
        asked = max(_ASKED_LEAST, min(_ASKED, _ASKED * 100_000 // books))
        for name, targets in _targets(books, asked).items():
            figures[name] = _latencies([(await _ask(own, target))[0] for target in targets])
        for sort in _SORTS:
            figures[f"sort, {sort}"] = _latencies(await _paged(own, f"/books?limit=50&sort={sort}", asked))
        for sort in ("name", "-count", "-stars"):
            taken_s: list[float] = []
            for kind in ("authors", "series", "tags"):
                taken_s += await _paged(own, f"/{kind}?limit=60&sort={sort}", asked)
            figures[f"names, {sort}"] = _latencies(taken_s)
        figures["queried"] = resident(shelf.pid)
    return Sample(figures, {"books": books, "asked": asked, **_FACTS})


async def _ask(own: LoadConnection, target: str) -> tuple[float, str | None]:
    """Return the seconds until the answer, and the target of the next page."""
    began = time.perf_counter()
    answer = await own.ask(get(target), 200)
    taken_s = time.perf_counter() - began
    link = answer.header("Link")
    return taken_s, link[1 : link.index(">")] if link else None


async def _paged(own: LoadConnection, target: str | None, most: int) -> list[float]:
    taken_s: list[float] = []
    while target is not None and len(taken_s) < most:
        seconds, target = await _ask(own, target)
        taken_s.append(seconds)
    return taken_s


def _latencies(taken_s: Sequence[float]) -> dict[str, float]:
    return {"p50_ms": 1e3 * percentile(taken_s, 50), "p95_ms": 1e3 * percentile(taken_s, 95)}


def _targets(books: int, asked: int) -> Mapping[str, list[str]]:
    """Return the requests of each kind: hardly any twice, because equal ones are answered from the cache."""
    titles = [_book(step, books).title.split() for step in range(asked)]
    words = [f"{book.title} {book.author}" for book in (_book(step, books) for step in range(asked))]
    beginnings = [word[:length] for word, length in product({title[1] for title in titles}, range(2, 6))]
    return {
        "word": [_listed(n, q=title[1][: 3 + n % 4]) for n, title in enumerate(titles)],
        "words": [_listed(n, q=text) for n, text in enumerate(words)],
        "relevance": [_listed(n, q=text, sort="relevance") for n, text in enumerate(words)],
        "suggest": [f"/books/suggest?{urlencode({'q': text})}" for text in beginnings],
        "facets": [
            f"/books/facets?{urlencode({'q': title[1][: 2 + n % 4]})}" for n, title in enumerate(titles[:40])
        ],
        "one": [f"/books/{sample_books.book_id(step * _STRIDE % books)}" for step in range(asked)],
    }


def _listed(number: int, **query: str) -> str:
    return f"/books?{urlencode({'limit': 40 + number % 20, **query})}"


def _book(step: int, books: int) -> NewBook:
    return sample_books.book(step * _STRIDE % books)


SEARCHES = Measurement("searches", "searches and sorted lists, and their memory", _run, large=True)
