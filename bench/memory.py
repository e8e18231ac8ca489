"""Measures the memory of a large shelf."""

import os
import re
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from bench import sample_books
from bench.connection import LoadConnection, connect
from bench.measurement import BenchFault, Figures, Measurement, Plan, Sample
from bench.server import server
from bench.wire import get, post

_BOOKS = 1_000_000
_ASKED = 1500
#: One of so many books is searched for by its words.
_SEARCHED = 10
_MIB = 1024
#: A step between books that are far from each other.
_STRIDE = 999_983
_FACTS = {
    "first": "the folder has only a log, from which states and views are rebuilt",
    "again": "the same folder, with the states and views of the run before",
    "worked": "after commands and queries on books that are far from each other",
    "rss_mib": "resident memory (VmRSS), with shared libraries and mapped files",
    "peak_mib": "the maximum of resident memory until then (VmHWM)",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    books = plan.count(_BOOKS)
    await sample_books.fill(folder / "shelf", books)
    figures: Figures = {}
    async with server(folder / "shelf") as shelf:
        figures["first"] = {"ready_s": shelf.ready_s, **resident(shelf.pid)}
    async with server(folder / "shelf") as shelf, connect(shelf.gateway) as own:
        figures["again"] = {"ready_s": shelf.ready_s, **resident(shelf.pid)}
        began = time.perf_counter()
        await _work(own, books)
        figures["worked"] = {"seconds": time.perf_counter() - began, **resident(shelf.pid)}
    size = sum(file.stat().st_size for file in (folder / "shelf").rglob("*") if file.is_file())
    figures["disk"] = {"mib": size / _MIB / _MIB}
    return Sample(figures, {"books": books, "asked": min(_ASKED, books), **_FACTS})


async def _work(own: LoadConnection, books: int) -> None:
    chosen = (step * _STRIDE % books for step in range(1, min(_ASKED, books) + 1))
    for request, status in chain.from_iterable(_asked(number) for number in chosen):
        await own.ask(request, status)


def _asked(number: int) -> Iterator[tuple[bytes, int]]:
    book_id = sample_books.book_id(number)
    yield post(f"/bookshelf/books/{book_id}/finished", {"rating": 4}), 204
    yield get(f"/bookshelf/books/{book_id}"), 200
    if number % _SEARCHED == 0:
        words = sample_books.book(number).title.replace(" ", "+")
        yield get(f"/bookshelf/books?limit=10&q={words}"), 200


def resident(pid: int) -> dict[str, float]:
    """Return the resident memory of a process and its maximum, in MiB. Raises `BenchFault`."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError as fault:
        msg = "memory is read from /proc, which this system does not have"
        raise BenchFault(msg) from fault
    fields = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", text, re.MULTILINE))
    return {"rss_mib": int(fields["VmRSS"]) / _MIB, "peak_mib": int(fields["VmHWM"]) / _MIB}


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


MEMORY = Measurement("memory", "memory of a large shelf", _run, large=True)
