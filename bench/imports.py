"""Measures imports of a library file by the command line: onto an empty shelf, and the same file again."""

import asyncio
import resource
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench import sample_books
from bench.connection import ANSWER_S, HOST, connect
from bench.measurement import BenchFault, Measurement, Plan, Sample
from bench.memory import cpu_s
from bench.server import Server, server
from bench.wire import get

_BOOKS = 10_000
_PAUSE_S = 0.05
_HEADER = "Title,Author,Date Read,My Rating,Bookshelves\n"
_FACTS = {
    "first": "`bookshelf import` of as many lines onto an empty shelf, until the list of books has them all",
    "again": "the same file again: it is compared, and nothing is changed",
    "client_cpu_s": "processor time of the command, without that of the shelf",
    "shelf_cpu_s": "processor time of the whole `bookshelf up`",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    books = plan.count(_BOOKS)
    file = folder / "books.csv"
    file.write_text("".join(lines(books)), encoding="utf-8")
    async with server(folder / "shelf") as shelf:
        figures = {"first": await _imported(shelf, file, books), "again": await _imported(shelf, file, books)}
    return Sample(figures, {"books": books, **_FACTS})


def lines(books: int) -> Iterator[str]:
    """Yield a CSV file of so many finished books with a rating and a tag."""
    yield _HEADER
    for number in range(books):
        book = sample_books.book(number)
        yield f"{book.title} {number},{book.author},2024/03/{number % 28 + 1:02},{number % 6},fiction\n"


async def _imported(shelf: Server, file: Path, books: int) -> dict[str, float]:
    """Import a file; return the time that it took. Raises `BenchFault` unless the shelf has all its books."""
    began, client_s, shelf_s = time.perf_counter(), _children_s(), cpu_s(shelf.pid)
    command = (sys.executable, "-m", "bookshelf", "import", str(file), "--json")
    process = await asyncio.create_subprocess_exec(
        *command, "--url", f"http://{HOST}:{shelf.gateway}", stdin=DEVNULL, stdout=PIPE
    )
    report = msgspec.json.decode((await process.communicate())[0] or b"{}")
    if process.returncode or report.get("refused") != []:
        raise BenchFault(f"the import has failed, or lines were refused: {report}")
    listed = ""
    async with connect(shelf.gateway) as own, asyncio.timeout(ANSWER_S):
        while listed != str(books):
            await asyncio.sleep(_PAUSE_S)
            listed = (await own.ask(get("/bookshelf/books?limit=1"))).header("Bookshelf-Count") or ""
    return {
        "seconds": time.perf_counter() - began,
        "client_cpu_s": _children_s() - client_s,
        "shelf_cpu_s": cpu_s(shelf.pid) - shelf_s,
    }


def _children_s() -> float:
    """Return the processor time of the child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


IMPORTS = Measurement(
    "imports", "a file imported by the command line, twice, on an empty shelf", _run, large=True
)
