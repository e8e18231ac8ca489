"""The job that merges a book into another one, and what that leads to: as an import of the one would.

All that the other book has is recorded for the kept one: empty fields, readings, passages, lists. Of fields
that differ, the kept book's value stays unless the reader chose the other. Then the other book is removed.
"""

from collections import Counter
from collections.abc import Collection
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from bookshelf.cqrs.api_client import ApiClient
from bookshelf.shelf.library_files.bulk_sender import BulkAnswer, BulkSender, key_of
from bookshelf.shelf.library_files.compare import Comparison, compare
from bookshelf.shelf.library_files.entry import Entry, FileReading
from bookshelf.shelf.library_files.shelf_copy import ShelfFault, list_entries, pages, read_book, seeing
from bookshelf.shelf.library_files.shelf_index import ShelfBook
from bookshelf.shelf.pages.change_report import JobReport, MergeChoices
from bookshelf.site.jobs import JobRun


def plan_merge(kept: ShelfBook, other: ShelfBook, taken: Collection[str]) -> Comparison:
    """Return the requests that record all of the other book for the kept one, and what differs.

    `taken` are the fields whose value is the other book's, as `compare` names them.
    """
    entry = Entry(
        line=0,
        book=other.book,
        readings=tuple(_reading(reading, kept) for reading in other.readings),
        stars=None if other.readings else other.stars,
        review=None if other.readings else other.review,
        spoiler=other.spoiler,
        passages=other.passages,
        cover=other.cover,
    )
    return compare(entry, kept, exact=False, take=lambda field: field in taken)


def _reading(reading: FileReading, kept: ShelfBook) -> FileReading:
    """Return a reading of the other book as it is recorded for the kept one.

    Two open readings are one. While the kept book is being read, no other reading can be open, and so none
    can get its progress entries.
    """
    opened = next((one for one in kept.readings if one.end == "open"), None)
    if opened is None:
        return replace(reading, number=None)
    if reading.end == "open":
        return replace(reading, number=opened.number, started=opened.started, format=opened.format)
    return replace(reading, number=None, entries=(), progress=None)


def lost_entries(kept: ShelfBook, other: ShelfBook) -> int:
    """Return how many readings of the other book cannot take their progress entries along."""
    if all(reading.end != "open" for reading in kept.readings):
        return 0
    return sum(bool(reading.entries) and reading.end != "open" for reading in other.readings)


async def lists_with(api: ApiClient, kept: str, other: str, after: str = "") -> list[tuple[str, str]]:
    """Return ids and names of the lists that have only the other book. Raises `ShelfFault`."""
    found = []
    async for each in pages(api, "/lists?limit=1000", seeing(after)):
        books = {entry.book async for entry in list_entries(api, each["id"], seeing(after))}
        if other in books and kept not in books:
            found.append((str(each["id"]), str(each["name"])))
    return found


async def merge_books(run: JobRun) -> dict[str, Any]:
    """Merge the other book into the kept one; return what became of both. Raises `ShelfFault`."""
    return await _Merging(run, msgspec.convert(run.job.parameters, MergeChoices)).merge()


class _Merging:
    """Merges two books. After a restart it compares them again, and finds most of it done."""

    def __init__(self, run: JobRun, choices: MergeChoices) -> None:
        self._run = run
        self._choices = choices
        self._sender = BulkSender(run.api, choices.correlation)
        self._report = JobReport(continued=run.job.starts > 1)
        self._sent: Counter[bytes] = Counter()

    async def merge(self) -> dict[str, Any]:
        """Merge; a step that is refused leaves the other book on the shelf. Raises `ShelfFault`."""
        kept = await read_book(self._run.api, self._choices.kept, self._choices.after)
        other = await read_book(self._run.api, self._choices.other, self._choices.after)
        if kept is None or other is None or kept.removed:
            raise ShelfFault("one of the books is not on the shelf any more")
        if not other.removed:
            refused = await self._take_over(kept, other)
            if refused is None:
                path = f"/books/{quote(other.id, safe='')}?merged-into={quote(kept.id, safe='')}"
                refused = await self._refused("DELETE", path, {})
            self._report.changed += refused is None
            if refused is not None:
                line = {"id": other.id, "title": other.book.title, "reason": refused}
                await self._run.add_lines("refused", [(0, line)])
                self._report.refused = 1
        self._report.positions = self._sender.positions
        return dict(msgspec.to_builtins(self._report))

    async def _take_over(self, kept: ShelfBook, other: ShelfBook) -> str | None:
        """Record what the other book has for the kept one; return why a step was refused."""
        requests = plan_merge(kept, other, self._choices.taken).requests
        reading = None
        for done, request in enumerate(requests):
            path, body = request.addressed(kept.id, reading)
            answer = await self._send(request.method, path, body)
            if answer.is_refused:
                return answer.detail
            if path.endswith("/readings"):
                reading = answer.number
            self._run.progress(done, len(requests) + 1)
        self._report.changed += bool(requests)
        for list_id, _ in await lists_with(self._run.api, kept.id, other.id, self._choices.after):
            path = f"/lists/{quote(list_id, safe='')}/books/{quote(kept.id, safe='')}"
            refused = await self._refused("PUT", path, {"after": other.id})
            if refused is not None:
                return refused
        return None

    async def _refused(self, method: str, path: str, body: object) -> str | None:
        answer = await self._send(method, path, body)
        return answer.detail if answer.is_refused else None

    async def _send(self, method: str, path: str, body: object) -> BulkAnswer:
        """Return the answer to a command; equal ones of the merge have different keys."""
        content = msgspec.json.encode([self._choices.correlation, method, path, body], order="sorted")
        self._sent[content] += 1
        return await self._sender.send(method, path, body, key_of(content + b"%d" % self._sent[content]))
