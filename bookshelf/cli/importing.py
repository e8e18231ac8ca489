"""`bookshelf import`: reads a library file, adds its books to a shelf, and prints a report."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bookshelf.cli.client import NoShelf, Reply, Shelf, shelf
from bookshelf.cli.faults import MENDABLE, guarded, stop
from bookshelf.cli.loop import run
from bookshelf.config import Settings, read
from bookshelf.runtime.logs import configure
from bookshelf.shelf.library_files import (
    Entry,
    FileReading,
    Identity,
    Library,
    NotALibrary,
    Options,
    Refusal,
    identity,
    read_library,
    write_refused,
)

#: Refused lines and remarks that are printed; the file of refused lines has them all.
_SHOWN = 20


class Report:
    """The counts of an import. Its duration counts from the creation of the report."""

    def __init__(self) -> None:
        self.read = self.added = self.finished = self.unchanged = 0
        self.refused: list[Refusal] = []
        self.warnings: list[tuple[int, str]] = []
        self._began = time.monotonic()

    def count(self, *, added: bool, finished: bool) -> None:
        """Count one line that the shelf accepted."""
        self.added += added
        self.finished += finished
        self.unchanged += not (added or finished)

    def refuse(self, refusal: Refusal) -> None:
        """Keep one line that was refused."""
        self.refused.append(refusal)

    def remark(self, entry: Entry) -> None:
        """Keep the warnings of a line that was accepted."""
        self.warnings.extend((entry.line, warning) for warning in entry.warnings)

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "read": self.read,
            "added": self.added,
            "finished": self.finished,
            "unchanged": self.unchanged,
            "refused": [{"line": refusal.line, "reason": refusal.reason} for refusal in self._in_order()],
            "warnings": [{"line": line, "reason": reason} for line, reason in sorted(self.warnings)],
            "seconds": round(time.monotonic() - self._began, 3),
        }

    def as_text(self) -> Iterator[str]:
        """Yield the report's lines for people."""
        seconds = time.monotonic() - self._began
        yield (
            f"{self.read} books read in {seconds:.1f} s: {self.added} added, {self.finished} finished, "
            f"{self.unchanged} there already, {len(self.refused)} refused."
        )
        yield from _some("Refused", [(refusal.line, refusal.reason) for refusal in self._in_order()])
        yield from _some("Left out", sorted(self.warnings))

    def _in_order(self) -> list[Refusal]:
        return sorted(self.refused, key=lambda refusal: refusal.line)

    def write_refused(self, library: Library, path: Path) -> Path | None:
        """Write the refused lines to a file beside the imported one; return its path, None if there are none.

        A user can correct that file and import it.
        """
        if not self.refused:
            return None
        suffix = ".csv" if library.header else ".jsonl"
        target = path.with_name(f"{path.stem}.refused{suffix}")
        with target.open("w", encoding="utf-8-sig" if library.header else "utf-8", newline="") as file:
            file.writelines(write_refused(library, self._in_order()))
        return target


def _some(title: str, lines: list[tuple[int, str]]) -> Iterator[str]:
    if lines:
        yield f"{title}:"
    for line, reason in lines[:_SHOWN]:
        yield f"  line {line}: {reason}"
    if len(lines) > _SHOWN:
        yield f"  and {len(lines) - _SHOWN} more (--json lists them all)"


BOOKS = "/bookshelf/books"
#: Requests under way at a time.
_AT_ONCE = 32
_CREATED = 201
_NO_CONTENT = 204
_NOT_FOUND = 404


class OnShelf(msgspec.Struct):
    """A book that is on the shelf: its id, and whether it is finished."""

    id: str
    finished: bool


class _Refused(Exception):
    """The shelf has refused an entry; the message has the reason."""


class Importer:
    """Adds the entries of a library to one shelf, several at a time."""

    def __init__(self, shelf: Shelf, report: Report, progress: Callable[[], None]) -> None:
        self._shelf = shelf
        self._report = report
        self._progress = progress
        self._books: dict[Identity, asyncio.Future[OnShelf]] = {}

    async def run(self, entries: Iterable[Entry | Refusal]) -> None:
        """Add all entries. Raises `NoShelf`."""
        await self._list_books()
        source = iter(entries)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(self._work(source))
        except BaseExceptionGroup as faults:
            raise faults.exceptions[0] from None  # all have the same cause: the shelf does not answer

    async def _list_books(self) -> None:
        """Read the books that are on the shelf already."""
        target: str | None = BOOKS
        while target is not None:
            reply = await self._shelf.get(target)
            for book in _expect(reply, 200).body:
                self._known(identity(book)).set_result(OnShelf(book["id"], book["state"] == "finished"))
            target = next_page(reply)

    def _known(self, name: Identity) -> "asyncio.Future[OnShelf]":
        future: asyncio.Future[OnShelf] = asyncio.get_running_loop().create_future()
        self._books[name] = future
        return future

    async def _work(self, source: Any) -> None:  # noqa: ANN401 (one iterator, shared by all tasks)
        for entry in source:
            self._report.read += 1
            if isinstance(entry, Refusal):
                self._report.refuse(entry)
            else:
                await self._bring(entry)
            self._progress()

    async def _bring(self, entry: Entry) -> None:
        self._report.remark(entry)
        try:
            book, added = await self._add(entry)
            finished = await self._finish(entry, book)
        except _Refused as refused:
            self._report.refuse(entry.refused(str(refused)))
            return
        self._report.count(added=added, finished=finished)

    async def _add(self, entry: Entry) -> tuple[OnShelf, bool]:
        """Return the entry's book, and whether it was added now."""
        name = identity(msgspec.structs.asdict(entry.book))
        existing = self._books.get(name)
        if existing is not None:
            return await asyncio.shield(existing), False
        known = self._known(name)
        try:
            body = _book_body(entry)
            reply = await self._shelf.post(BOOKS, body, _key("book", body))
            book = OnShelf(_expect(reply, _CREATED).body["id"], finished=False)
        except BaseException as fault:
            del self._books[name]
            known.set_exception(fault if isinstance(fault, _Refused) else _Refused("the import was stopped"))
            known.exception()  # marks it as handled: perhaps no other task waits for it
            raise
        known.set_result(book)
        return book, "Idempotency-Replayed" not in reply.headers

    async def _finish(self, entry: Entry, book: OnShelf) -> bool:
        """Mark the book as finished if the entry is and the book is not; return True if that was new."""
        reading = next((past for past in reversed(entry.readings) if past.end == "finished"), None)
        if reading is None or book.finished:
            return False
        body = _finish_body(reading)
        reply = await self._shelf.post(f"{BOOKS}/{book.id}/finished", body, _key(book.id, body))
        if reply.status == _NOT_FOUND:
            return False  # an earlier import added it, and it was removed since: it stays removed
        _expect(reply, _NO_CONTENT)
        book.finished = True
        return "Idempotency-Replayed" not in reply.headers


def _book_body(entry: Entry) -> dict[str, Any]:
    """Return the book as POST /books takes it; contributors, if there are several, replace the author."""
    body: dict[str, Any] = msgspec.to_builtins(entry.book)
    if "contributors" in body:
        del body["author"]
    elif not entry.book.author:
        body["contributors"] = []
    return body


def _finish_body(reading: FileReading) -> dict[str, Any]:
    """Return the reading as POST /books/{id}/finished takes it: a day, or unknown."""
    day = reading.ended if reading.ended and len(reading.ended) == len("2024-03-01") else "unknown"
    rating = (int(reading.stars + 0.5) or 1) if reading.stars else None
    return {"finished": day, "rating": rating, "review": reading.review}


def _expect(reply: Reply, status: int) -> Reply:
    if reply.status != status:
        raise _Refused(reply.detail)
    return reply


def _key(what: str, content: Mapping[str, Any]) -> str:
    digest = blake2b(msgspec.json.encode(content, order="sorted"), digest_size=16).hexdigest()
    return f"import-{what}-{digest}"


def next_page(reply: Reply) -> str | None:
    """Return the target of the page after this one, None if this is the last."""
    link = reply.headers.get("Link", "")
    return link[1 : link.index(">")] if 'rel="next"' in link else None


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--url", help="The shelf's address, like http://localhost:8000.")
@click.option("--data", metavar="DIR", help="The data folder of the shelf, running or not.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def import_(file: Path, url: str | None, data: str | None, *, as_json: bool) -> None:
    """Bring a library FILE onto the shelf: Goodreads, StoryGraph, Open Library, Calibre, or any CSV.

    FILE is - for standard input. Running it again adds nothing twice. A file of the refused lines is written
    beside FILE; for standard input it is stdin.refused.csv or .jsonl in the current folder.
    """
    guarded(lambda: _import_file(file, read(os.environ, data=data), url, as_json=as_json))


def _import_file(file: Path, settings: Settings, url: str | None, *, as_json: bool) -> None:
    configure("critical", settings.log_format)
    with _input_file(file) as content:
        beside = Path("stdin") if str(file) == "-" else file
        _bring_file(content, beside, settings, url, as_json=as_json)


@contextmanager
def _input_file(file: Path) -> Iterator[Path]:
    """Yield the file, or a temporary copy of standard input for -: a library is read more than once."""
    if str(file) != "-":
        yield file
        return
    with NamedTemporaryFile() as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield Path(copy.name)


def _bring_file(file: Path, beside: Path, settings: Settings, url: str | None, *, as_json: bool) -> None:
    report = Report()
    try:
        library = read_library(file, Options(today=datetime.now(UTC).astimezone().date()))
        run(_bring(library, report, settings, url, quiet=as_json))
    except NotALibrary as fault:
        stop(str(fault))
    except KeyboardInterrupt:
        _print(report, as_json=as_json)
        click.echo("bookshelf: stopped; run the same command again to go on", err=True)
        sys.exit(130)
    except NoShelf as fault:
        _print(report, as_json=as_json)
        click.echo(f"bookshelf: {fault}; then run the same command again to go on", err=True)
        sys.exit(MENDABLE)
    _end(library, report, beside, as_json=as_json)


def _end(library: Library, report: Report, file: Path, *, as_json: bool) -> None:
    _print(report, as_json=as_json)
    for remark in library.remarks:
        click.echo(f"Note: {remark}.", err=True)
    refused = report.write_refused(library, file)
    if refused is not None:
        click.echo(f"The refused lines are in {refused}: correct them there and import that file.", err=True)


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(report.as_json()))
        return
    for line in report.as_text():
        click.echo(line)


async def _bring(
    library: Library, report: Report, settings: Settings, url: str | None, *, quiet: bool
) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True, quiet=quiet or not sys.stderr.isatty())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(library.form, total=library.rows)
        async with shelf(settings, url) as client:
            click.echo(f"Importing to the shelf at {client.where}.", err=True)
            await Importer(client, report, lambda: progress.advance(bar)).run(library)
