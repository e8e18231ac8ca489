"""A library onto the shelf: adds what is not there, finishes what was read, says what became of each line.

It can be stopped anywhere and run again: what is on the shelf is recognised, and every command has a key
that is made of its content, so that even a command whose answer was lost is not carried out twice.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from bookshelf.cli.client import Reply, Shelf
from bookshelf.cli.report import Report
from bookshelf.shelf.library_files import Entry, Identity, Refusal, identity

BOOKS = "/bookshelf/books"
#: Requests under way at a time.
_AT_ONCE = 32
_CREATED = 201
_NO_CONTENT = 204
_NOT_FOUND = 404


class OnShelf(msgspec.Struct):
    """A book of the shelf: its id, and whether it is finished."""

    id: str
    finished: bool


class _Refused(Exception):
    """The shelf will not have it; says why."""


class Importer:
    """Brings entries onto one shelf."""

    def __init__(self, shelf: Shelf, report: Report, progress: Callable[[], None]) -> None:
        self._shelf = shelf
        self._report = report
        self._progress = progress
        self._there: dict[Identity, asyncio.Future[OnShelf]] = {}

    async def run(self, entries: Iterable[Entry | Refusal]) -> None:
        """Bring all. Raises `NoShelf`."""
        await self._look()
        source = iter(entries)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(self._work(source))
        except BaseExceptionGroup as faults:
            raise faults.exceptions[0] from None  # they all met the same: the shelf went away

    async def _look(self) -> None:
        """Learn what is on the shelf already."""
        target: str | None = BOOKS
        while target is not None:
            reply = await self._shelf.get(target)
            for book in _expect(reply, 200).body:
                self._known(identity(book)).set_result(OnShelf(book["id"], book["state"] == "finished"))
            target = next_page(reply)

    def _known(self, name: Identity) -> "asyncio.Future[OnShelf]":
        future: asyncio.Future[OnShelf] = asyncio.get_running_loop().create_future()
        self._there[name] = future
        return future

    async def _work(self, source: Any) -> None:  # noqa: ANN401 (one iterator, shared by all who work)
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
        name = identity(entry.book)
        there = self._there.get(name)
        if there is not None:
            return await asyncio.shield(there), False
        known = self._known(name)
        try:
            reply = await self._shelf.post(BOOKS, entry.book, _key("book", entry.book))
            book = OnShelf(_expect(reply, _CREATED).body["id"], finished=False)
        except BaseException as fault:
            del self._there[name]
            known.set_exception(fault if isinstance(fault, _Refused) else _Refused("the import was stopped"))
            known.exception()  # it may be that no one else waits for it
            raise
        known.set_result(book)
        return book, "Idempotency-Replayed" not in reply.headers

    async def _finish(self, entry: Entry, book: OnShelf) -> bool:
        """Finish the book if the reader has, and it is not said yet; return whether that was new."""
        if not entry.finished or book.finished:
            return False
        day = entry.finished_on.isoformat() if entry.finished_on else "unknown"
        body = {"finished": day, "rating": entry.rating, "review": entry.review}
        reply = await self._shelf.post(f"{BOOKS}/{book.id}/finished", body, _key(book.id, body))
        if reply.status == _NOT_FOUND:
            return False  # it was imported once and taken off the shelf since: it stays off
        _expect(reply, _NO_CONTENT)
        book.finished = True
        return "Idempotency-Replayed" not in reply.headers


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
