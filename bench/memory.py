"""How much memory a large shelf takes."""

import re
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from bench import library
from bench.line import Line, line
from bench.measurement import BenchFault, Figures, Measurement, Plan, Sample
from bench.server import server
from bench.wire import get, post

_BOOKS = 1_000_000
_ASKED = 1500
#: Of so many books one is searched for by its words.
_SEARCHED = 10
_MIB = 1024
#: A step that visits books far from each other.
_STRIDE = 999_983
_FACTS = {
    "first": "only the log is there: states and views are made from it",
    "again": "the folder as the run before left it",
    "worked": "after commands and queries on books that lie far from each other",
    "rss_mib": "resident now (VmRSS), shared libraries and mapped files with it",
    "peak_mib": "resident at the most until then (VmHWM)",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    books = plan.count(_BOOKS)
    await library.fill(folder / "shelf", books)
    figures: Figures = {}
    async with server(folder / "shelf") as shelf:
        figures["first"] = {"ready_s": shelf.ready_s, **resident(shelf.pid)}
    async with server(folder / "shelf") as shelf, line(shelf.gateway) as own:
        figures["again"] = {"ready_s": shelf.ready_s, **resident(shelf.pid)}
        began = time.perf_counter()
        await _work(own, books)
        figures["worked"] = {"seconds": time.perf_counter() - began, **resident(shelf.pid)}
    size = sum(file.stat().st_size for file in (folder / "shelf").rglob("*") if file.is_file())
    figures["disk"] = {"mib": size / _MIB / _MIB}
    return Sample(figures, {"books": books, "asked": min(_ASKED, books), **_FACTS})


async def _work(own: Line, books: int) -> None:
    chosen = (step * _STRIDE % books for step in range(1, min(_ASKED, books) + 1))
    for request, status in chain.from_iterable(_asked(number) for number in chosen):
        await own.ask(request, status)


def _asked(number: int) -> Iterator[tuple[bytes, int]]:
    one = library.book_id(number)
    yield post(f"/bookshelf/books/{one}/finished", {"rating": 4}), 204
    yield get(f"/bookshelf/books/{one}"), 200
    if number % _SEARCHED == 0:
        words = library.book(number).title.replace(" ", "+")
        yield get(f"/bookshelf/books?limit=10&q={words}"), 200


def resident(pid: int) -> dict[str, float]:
    """Return what a process has in memory, in MiB. Raises `BenchFault`."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError as fault:
        msg = "memory is read from /proc, which is not here"
        raise BenchFault(msg) from fault
    said = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", text, re.MULTILINE))
    return {"rss_mib": int(said["VmRSS"]) / _MIB, "peak_mib": int(said["VmHWM"]) / _MIB}


MEMORY = Measurement("memory", "how much memory a large shelf takes", _run, large=True)
