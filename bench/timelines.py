"""Measures pages of photos with more and more votes, beside bare statements, and beside sums at read."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event

from bench import sample_photos
from bench.connection import LoadConnection, connect
from bench.figures import latencies
from bench.measurement import Figures, Measurement, Plan, Sample
from bench.memory import cpu_s, resident
from bench.server import server
from bench.wire import get
from bookshelf.galera.cluster import Cluster
from bookshelf.galera.node import NodeFault, check_programs
from bookshelf.photos.person import LOCAL_READER
from bookshelf.photos.timelines.lists import PagePlace
from bookshelf.photos.timelines.queries import listed

#: The votes of each size; --books chooses the largest one instead.
SIZES = (1_000, 10_000, 100_000, 1_000_000)
_LARGEST = 100_000
#: The most votes in MariaDB, whose rows take much longer to be written.
_ON_MARIADB = 100_000
#: Walks through a list, each from another place on, and the pages of each.
_WALKS, _PAGES, _ROWS = 10, 20, 10
_SUMS = 3
_SORTS = ("fresh", "hot", "trending")
_SUM = (
    "SELECT photo.id, SUM(vote.way) AS score FROM timeline_photo photo JOIN timeline_vote vote "
    "ON vote.photo = photo.id WHERE photo.state = 0 GROUP BY photo.id ORDER BY score DESC, photo.id LIMIT 10"
)
_FACTS = {
    "photos": "a tenth of the votes, with three comments each; one of 75 votes is for the same photo",
    "page": f"GET /photos?sort=, {_ROWS} photos of a page: {_WALKS} walks over {_PAGES} pages, one at a time",
    "bare": "the same statements with the same values by sqlite3 alone, all rows fetched",
    "HTTP": "GET /health/live on the same connection: what is left of a page that costs nothing",
    "share": "the rate of pages / the rate of bare statements; 0.4 is wanted",
    "sum": "the first ten photos by SUM(way) over all votes at read; `times`: sum / page p50; 100 is wanted",
    "growth": "p99 of this size / p99 of the smallest one; 1.5 is wanted",
    "processor_ms": "the processor time of the service for a page",
    "MariaDB": "one node of Galera on this machine, if its programs are installed",
    "rebuilt": "the folder had only a log: events a second until timelines, alone, was ready",
}
#: A statement and its values.
_Asked = tuple[str, Sequence[Any]]


async def _run(plan: Plan, folder: Path) -> Sample:
    largest = plan.count(_LARGEST)
    sizes = [size for size in SIZES if size < largest] + [largest]
    figures: Figures = {}
    for size in sizes:
        figures |= {
            f"{size}, {name}": found for name, found in (await _sized(folder / str(size), size)).items()
        }
    clustered = min(largest, _ON_MARIADB)
    found = await _on_mariadb(folder / "mariadb", clustered)
    figures |= {f"{clustered}, {name}, MariaDB": one for name, one in found.items()}
    for size in sizes[1:]:
        for sort in _SORTS:
            first = figures[f"{sizes[0]}, {sort}"]["p99_ms"]
            figures[f"{size}, {sort}"]["growth"] = figures[f"{size}, {sort}"]["p99_ms"] / first
    return Sample(figures, {"votes": sizes, **_FACTS})


async def _served(folder: Path, votes: int, **settings: str) -> Figures:
    """Return the figures of the pages of a new folder with so many votes."""
    written = await sample_photos.fill(folder, votes)
    figures: Figures = {}
    async with server(folder, "timelines", **settings) as up, connect(up.services["timelines"]) as own:
        figures["rebuilt"] = {"events_per_s": written / up.ready_s, **resident(up.pid)}
        for sort in _SORTS:
            before_s = cpu_s(up.pid)
            taken_s = await _walked(own, sort)
            spent_ms = 1000 * (cpu_s(up.pid) - before_s) / len(taken_s)
            figures[sort] = {**latencies(taken_s), "processor_ms": spent_ms}
        figures["HTTP"] = latencies([await _asked(own, "/health/live") for _ in range(_WALKS * _PAGES)])
        figures["queried"] = resident(up.pid)
    return figures


async def _on_mariadb(folder: Path, votes: int) -> Figures:
    """Return the same figures with the rows in a Galera cluster of one node; none without its programs."""
    try:
        check_programs()
    except NodeFault:
        return {}
    _passable(folder)
    cluster = Cluster(folder, None, lambda _: None)
    try:
        await cluster.grow(1)
        return await _served(folder / "data", votes, STORAGE=cluster.storage)
    finally:
        await cluster.stop()


def _passable(folder: Path) -> None:
    """Make a folder that the server can reach, which runs as another user if this one is root."""
    folder.parent.chmod(0o711)
    folder.mkdir(mode=0o711)


async def _sized(folder: Path, votes: int) -> Figures:
    figures = await _served(folder, votes)
    rows = _live_rows(folder)
    for sort in _SORTS:
        figures[f"{sort}, bare"] = latencies(await asyncio.to_thread(_bare, rows, sort))
        figures[sort]["share"] = figures[f"{sort}, bare"]["p50_ms"] / figures[sort]["p50_ms"]
    sum_ms = await asyncio.to_thread(_summed, rows)
    figures["sum"] = {"p50_ms": sum_ms, "times": sum_ms / figures["trending"]["p50_ms"]}
    return figures


async def _walked(own: LoadConnection, sort: str) -> list[float]:
    """Return the seconds of each page of the walks."""
    taken_s: list[float] = []
    for start in range(_WALKS):
        target: str | None = f"/photos?sort={sort}&rows={_ROWS}&offset={start}"
        if sort == "hot":
            target = f"{target}&day={sample_photos.DAY}"
        for _ in range(_PAGES):
            if target is None:
                break
            began = time.perf_counter()
            answer = await own.ask(get(target))
            taken_s.append(time.perf_counter() - began)
            link = answer.header("Link")
            target = link[1 : link.index(">")] if link else None
    return taken_s


async def _asked(own: LoadConnection, target: str) -> float:
    """Return the seconds of one GET."""
    began = time.perf_counter()
    await own.ask(get(target))
    return time.perf_counter() - began


def _live_rows(folder: Path) -> Path:
    """Return the file with the rows of the timelines."""
    pointer = folder / "views" / "timelines" / "live"
    return pointer.with_name(pointer.read_text(encoding="utf-8").strip())


@contextmanager
def _recorded(rows: Path) -> Iterator[tuple[Any, list[_Asked]]]:
    """Yield a connection of the queries, and the statements that it runs."""
    engine = create_engine(f"sqlite:///{rows}")
    asked: list[_Asked] = []

    def keep(_db: object, _cursor: object, statement: str, values: Any, *_: object) -> None:  # noqa: ANN401 (of the driver)
        asked.append((statement, values))

    event.listen(engine, "before_cursor_execute", keep)
    try:
        with engine.connect() as db:
            yield db, asked
    finally:
        engine.dispose()


def _bare(rows: Path, sort: str) -> list[float]:
    """Return the seconds of the statements of each page of the same walks."""
    pages: list[list[_Asked]] = []
    with _recorded(rows) as (db, asked):
        for start in range(_WALKS):
            place = PagePlace(_ROWS, None, start)
            for _ in range(_PAGES):
                asked.clear()
                _, after = listed(db, sort, sample_photos.DAY, LOCAL_READER, place)
                pages.append(list(asked))
                if after is None:
                    break
                place = PagePlace(_ROWS, after)
    taken_s = []
    with closing(sqlite3.connect(rows)) as db:
        for page in pages:
            began = time.perf_counter()
            for statement, values in page:
                db.execute(statement, values).fetchall()
            taken_s.append(time.perf_counter() - began)
    return taken_s


def _summed(rows: Path) -> float:
    """Return the median of milliseconds in which the votes of all photos are added up."""
    taken_s = []
    with closing(sqlite3.connect(rows)) as db:
        for _ in range(_SUMS):
            began = time.perf_counter()
            db.execute(_SUM).fetchall()
            taken_s.append(time.perf_counter() - began)
    return latencies(taken_s)["p50_ms"]


TIMELINES = Measurement(
    "timelines", "pages of photos beside their statements and beside sums", _run, large=True
)
