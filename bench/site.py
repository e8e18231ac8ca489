"""Measures the reader's site: pages at the gateway, imports, memory and size, and pages in a browser."""

import asyncio
import sys
import time
import zipfile
from asyncio.subprocess import PIPE
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from bench import sample_books
from bench.connection import HOST, LoadConnection, connect
from bench.figures import percentile
from bench.measurement import BenchFault, Figures, Measurement, Plan, Sample
from bench.memory import resident
from bench.programs import found
from bench.server import end, server
from bench.wire import get, post_form
from bookshelf import services

_BOOKS = 10_000
_ASKED = 100
#: A step between books that are far from each other.
_STRIDE = 999_983
_PAUSE_S = 0.1
_KIB = 1024
_FACTS = {
    "page": "GET of a page of the site through the gateway, one at a time, hardly any twice",
    "books, one page": "the shelf's first page with 60 covers",
    "import": "a CSV file of as many lines onto an empty shelf: until its preview, and until its report",
    "alone": "the site's service in a process of its own, before and after answers to pages",
    "wheel": "the files of the frame and of the pages, compressed as in a wheel",
    "browser": "chromium, if it is installed: requests and bytes of a first and a later visit, first paint,"
    " search and live updates; slow: processor / 4, 1.6 Mbit/s, 150 ms",
    "search, key": "from the key to the results, with the 80 ms that the page waits for further keys",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    books = plan.count(_BOOKS)
    await sample_books.fill(folder / "shelf", books)
    async with server(folder / "shelf") as shelf, connect(shelf.gateway) as own:
        figures: Figures = {}
        for name, targets in _targets(books).items():
            figures[f"page, {name}"] = _latencies([await _timed(own, target) for target in targets])
        figures["books, one page"] = await _sizes(own)
        figures |= await _in_browser(f"http://{HOST}:{shelf.gateway}", books)
    async with server(folder / "empty") as shelf, connect(shelf.gateway) as own:
        figures["import"] = await _import(own, books)
    figures["alone"] = await _alone(folder / "alone")
    figures["wheel"] = {"kib": _compressed() / _KIB}
    return Sample(figures, {"books": books, "asked": _ASKED, **_FACTS})


def _targets(books: int) -> dict[str, list[str]]:
    """Return the addresses of each kind of page."""
    chosen = [sample_books.book(step * _STRIDE % books) for step in range(_ASKED)]
    words = [book.title.split()[1][: 3 + place % 4] for place, book in enumerate(chosen)]
    return {
        "home": ["/"] * _ASKED,
        "search": [f"/books?{urlencode({'q': word})}" for word in words],
        "filtered": [f"/books?{urlencode({'author': book.author})}" for book in chosen],
        "shelf": [
            f"/books?{urlencode({'sort': sort, 'view': view})}"
            for sort in ("added", "title", "author", "published", "-stars")
            for view in ("covers", "list", "spines")
        ]
        * (_ASKED // 15),
        "book": [f"/books/{sample_books.book_id(step * _STRIDE % books)}" for step in range(_ASKED)],
        "add": [f"/books/add?{urlencode({'text': word})}" for word in words],
    }


async def _timed(own: LoadConnection, target: str) -> float:
    began = time.perf_counter()
    await own.ask(get(target, Accept_Encoding="gzip"))
    return time.perf_counter() - began


def _latencies(taken_s: Sequence[float]) -> dict[str, float]:
    return {"p50_ms": 1e3 * percentile(taken_s, 50), "p95_ms": 1e3 * percentile(taken_s, 95)}


async def _sizes(own: LoadConnection) -> dict[str, float]:
    plain = await own.ask(get("/books"))
    packed = await own.ask(get("/books", Accept_Encoding="gzip"))
    tag = packed.header("ETag") or ""
    again = await own.ask(get("/books", Accept_Encoding="gzip", If_None_Match=tag), None)
    return {
        "html_bytes": float(len(plain.body)),
        "gzip_bytes": float(len(packed.body)),
        "again_status": float(again.status),
    }


async def _in_browser(origin: str, books: int) -> Figures:
    if found("chromium") is None:
        return {}
    try:
        from bench.site_browser import in_browser  # noqa: PLC0415 (playwright is a tool of development)
    except ModuleNotFoundError:
        return {}
    return await in_browser(origin, sample_books.book_id(books // 2))


async def _import(own: LoadConnection, books: int) -> dict[str, float]:
    began = time.perf_counter()
    shown = await own.ask(post_form("/import", {"_key": "bench", "text": "".join(_lines(books))}), 303)
    address = urlsplit(shown.header("Location") or "").path
    await _until(own, address, b'value="import"')
    previewed = time.perf_counter()
    form = {"_version": "bench", "do": "import"}
    await own.ask(post_form(address, form), 303)
    await _until(own, address, b"undo-2")
    return {"preview_s": previewed - began, "import_s": time.perf_counter() - previewed}


def _lines(books: int) -> Iterator[str]:
    yield "Title,Author,Date Read,My Rating,Bookshelves\n"
    for number in range(books):
        book = sample_books.book(number)
        yield f"{book.title} {number},{book.author},2024/03/{number % 28 + 1:02},{number % 6},fiction\n"


async def _until(own: LoadConnection, address: str, part: bytes) -> None:
    """Ask for the page of an import until it has a part. Raises `BenchFault` if the import has failed."""
    while part not in (body := (await own.ask(get(address))).body):
        if b'class="warn"' in body:
            raise BenchFault("the site could not import the file")
        await asyncio.sleep(_PAUSE_S)


async def _alone(folder: Path) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.site_alone", str(folder), stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None  # noqa: S101 (it is a pipe)
    try:
        line = await process.stdout.readline()
        if not line:
            raise BenchFault("the service of the site did not start")
        port, ready_ms = line.split()
        before = resident(process.pid)
        async with connect(int(port)) as own:
            for _ in range(_ASKED):
                await own.ask(get("/settings"))
        after = resident(process.pid)
    finally:
        await end(process)
    return {"ready_ms": float(ready_ms), "rss_mib": before["rss_mib"], "worked_rss_mib": after["rss_mib"]}


def _compressed() -> int:
    """Return the bytes of the frame and of all pages in a wheel."""
    package = Path(services.__file__).parent
    wheel = BytesIO()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in (package / "site", *package.glob("*/pages")):
            for file in part.rglob("*"):
                if file.is_file() and file.suffix not in {".pyc", ".po"}:
                    archive.write(file, file.relative_to(package))
    return len(wheel.getvalue())


SITE = Measurement(
    "site", "the reader's site: pages, imports, size, and pages in a browser", _run, large=True
)
