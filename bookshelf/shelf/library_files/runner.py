"""Runs an import: matches each line with the shelf, compares, requests what is new, and reports it."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

import msgspec
from msgspec.structs import replace

from bookshelf.cqrs.api_client import ApiClient
from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shelf.library_files.bulk_sender import BulkAnswer, BulkSender, key_of
from bookshelf.shelf.library_files.compare import (
    Comparison,
    Difference,
    ShelfRequest,
    compare,
    new_book,
)
from bookshelf.shelf.library_files.entry import Entry, FileGoal, FileList, Line, Refusal
from bookshelf.shelf.library_files.goal_setting import set_goals
from bookshelf.shelf.library_files.list_filling import ListFiller
from bookshelf.shelf.library_files.match import MatchKeys, keys_of, match_book
from bookshelf.shelf.library_files.report import ImportReport
from bookshelf.shelf.library_files.shelf_copy import copy_books, read_book
from bookshelf.shelf.library_files.shelf_index import ShelfBook, ShelfIndex, book_of_entry

#: Lines that are carried out together, and books that are read at a time.
_LINES = 500
_AT_ONCE = 32
#: Lines after which other tasks of the process have their turn: a line needs a quarter of a millisecond.
_TURN = 20
#: How often a book is read and compared again because it has changed since.
_TRIES = 5
#: Begins the id of a book that is only planned; the shelf has no id with a space.
_NEW = "line "


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How an import decides.

    `exact`: the file is the project's own, whose ids and values are exact. `prefer_file`: a value of the file
    replaces one that was set by hand. `skip_removed`, `restore_removed`: in place of the rule that the
    project's own files restore removed books and those of other programs leave them out. `left_out`: how a
    remark on a book that is left out names the choice; None: the option of the command line.
    """

    exact: bool = False
    prefer_file: bool = False
    skip_removed: bool = False
    restore_removed: bool = False
    left_out: Phrase | None = None

    @property
    def restores(self) -> bool:
        """True if a removed book is restored."""
        return self.restore_removed or (self.exact and not self.skip_removed)


@dataclass(slots=True)
class _Plan:
    """A line with the book that it was matched with; without one, it is a new book.

    `later`: an earlier line of the file is the same book, and decides where the two differ. `reading`: the
    number of the reading that was recorded last. `sent`: how many requests were, as two may be alike.
    `restored`: the book was. `differences` are those of its last comparison, by field.
    """

    entry: Entry
    keys: MatchKeys
    book: ShelfBook | None
    later: bool = False
    reading: int | None = None
    sent: int = 0
    restored: bool = False
    differences: dict[str, Difference] = field(default_factory=dict)


class _Refused(Exception):
    """The shelf has refused a line."""

    def __init__(self, reason: Phrase) -> None:
        super().__init__(reason)
        self.reason = reason


class _Outdated(Exception):
    """A book has changed since it was read: it is to be read and compared again."""


class ImportRunner:
    """Imports the lines of one file. `start` is when it began; `index` is empty at the start."""

    def __init__(
        self, api: ApiClient, index: ShelfIndex, report: ImportReport, options: ImportOptions, start: datetime
    ) -> None:
        self._api = api
        self._index = index
        self._report = report
        self._options = options
        self._start = start
        self._plans: dict[str, _Plan] = {}
        self._sender = BulkSender(api, report.correlation)
        choices = {"prefer_file": options.prefer_file, "restores": options.restores}
        self._lists = ListFiller(api, index, report, self._sender, **choices)
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def run(self, lines: Iterable[Line], progress: Callable[[], None]) -> None:
        """Import all lines, which are read twice if they are exact. Raises `ShelfFault`."""
        await copy_books(self._api, self._index, removed=True)
        if self._options.exact:
            for line in lines:
                if isinstance(line, Entry) and line.id is not None:
                    self._index.meet(line.id, None)
        for number, line in enumerate(lines):
            await self._take(line)
            progress()
            if number % _TURN == 0:
                await asyncio.sleep(0)
        await self._carry_out_all()
        await self._lists.fill()
        goals = list(self._index.goals())
        await set_goals(self._api, goals, self._report, prefer_file=self._options.prefer_file)

    async def _take(self, line: Line) -> None:
        if isinstance(line, FileList):
            self._index.put_list(line)
        elif isinstance(line, FileGoal):
            self._index.put_goal(line)
        else:
            self._report.read += 1
            if isinstance(line, Refusal):
                self._report.refused.append(line)
            else:
                await self._plan(line)

    async def _plan(self, entry: Entry) -> None:
        """Plan what a line leads to; lines of a book that another line changes wait for that one."""
        self._report.warn(entry.line, *entry.warnings)
        keys = keys_of(entry.book, entry.id or "")
        book_id, near = self._match(keys)
        if book_id in self._plans or len(self._plans) >= _LINES:
            await self._carry_out_all()
            book_id, near = self._match(keys)
        if book_id is None:
            self._plan_new(entry, keys, near)
            return
        book = self._index.get(book_id)
        if book.removed:
            self._plan_removed(entry, keys, book)
            return
        later = not self._options.exact and self._index.met(book.id) is not None
        if self._is_equal(entry, book):
            self._report.unchanged += 1
            self._lists.note(entry, book.id)
        else:
            self._plans[book.id] = _Plan(entry, keys, book, later)
        self._index.meet(book.id, keys.year)

    def _is_equal(self, entry: Entry, book: ShelfBook) -> bool:
        """Return True if a line has nothing new; False also if the import has changed the book before."""
        if not book.whole:
            return False
        comparison = compare(entry, book, exact=self._options.exact, take=_keep)
        return not comparison.requests and not comparison.differences

    def _match(self, keys: MatchKeys) -> tuple[str | None, str | None]:
        """Return the book of a line, on the shelf or removed, and one that is nearly the same."""
        here = match_book(keys, self._index.candidates(removed=False), self._index.met)
        if here.book is not None or not self._index.has_removed:
            return here
        return match_book(keys, self._index.candidates(removed=True), self._index.met).book, here.near

    def _plan_new(self, entry: Entry, keys: MatchKeys, near: str | None) -> None:
        if near is not None:
            other = self._index.get(near).book
            twin = phrase(
                "{title} is a new book; {other} by {author} is on the shelf already,"
                " perhaps as another edition",
                title=entry.book.title,
                other=other.title,
                author=other.author or phrase("an unknown author"),
            )
            self._report.warn(entry.line, twin)
        book_id = entry.id or f"{_NEW}{entry.line}"
        book = book_of_entry(entry, book_id)
        self._index.add(book, keys._replace(id=book_id))
        self._index.meet(book_id, keys.year)
        if self._report.preview:
            self._count_new(book)
            self._lists.note(entry, book_id)
        else:
            self._plans[book_id] = _Plan(entry, keys, None)

    def _plan_removed(self, entry: Entry, keys: MatchKeys, book: ShelfBook) -> None:
        if self._options.restores:
            self._plans[book.id] = _Plan(entry, keys, book)
            return
        exact = self._options.exact
        option = phrase("--skip-removed is set") if exact else phrase("--restore-removed restores it")
        self._report.skipped += 1
        left_out = phrase(
            "{title} was removed from the shelf: left out; {option}",
            title=book.book.title,
            option=self._options.left_out or option,
        )
        self._report.warn(entry.line, left_out)

    async def _carry_out_all(self) -> None:
        """Carry out what is planned. Raises `ShelfFault`."""
        plans, self._plans = self._plans, {}
        try:
            async with asyncio.TaskGroup() as group:
                for planned, plan in plans.items():
                    group.create_task(self._carry_out(planned, plan))
        except BaseExceptionGroup as faults:
            raise faults.exceptions[0] from None  # all have the same cause: the shelf does not answer

    async def _carry_out(self, planned: str, plan: _Plan) -> None:
        try:
            if plan.book is None:
                await self._add(planned, plan)
            else:
                await self._update(plan, plan.book)
        except _Refused as refused:
            self._report.refused.append(plan.entry.refused(refused.reason))
        for difference in plan.differences.values():
            self._report.differences.append(difference)

    async def _add(self, planned: str, plan: _Plan) -> None:
        """Add a new book. One that a lost request had added, and that was removed since, is restored."""
        entry = plan.entry
        create, *rest = new_book(entry)
        added = {"added": entry.added_at(self._start).isoformat()}
        try:
            answer = await self._send(create, plan, "", "", added)
        except _Refused:
            self._index.drop(planned)
            raise
        keys = plan.keys._replace(id=answer.id)
        book = replace(
            self._index.get(planned), id=answer.id, planned=False, whole=False, position=answer.position
        )
        self._index.rename(planned, book, keys)
        self._index.meet(book.id, plan.keys.year)
        if answer.known:
            await self._update(plan, book)
            return
        self._lists.note(entry, book.id)
        for request in rest:
            answer = await self._send(request, plan, book.id, "")
        if rest:
            self._index.rename(book.id, replace(book, position=answer.position), keys)
        self._count_new(book)

    def _count_new(self, book: ShelfBook) -> None:
        self._report.added += 1
        self._report.finished += _state_of(book) == "finished"
        self._report.new_books.update(_traits(book))

    async def _update(self, plan: _Plan, known: ShelfBook) -> None:
        """Bring a book up to the line. What is changed meanwhile is compared, too, and not overwritten."""
        for _ in range(_TRIES):
            try:
                await self._compare_and_send(plan, known)
            except _Outdated:
                plan.reading = None
            else:
                return
        raise _Refused(phrase("its book is being changed again and again: import the line later"))

    async def _compare_and_send(self, plan: _Plan, known: ShelfBook) -> None:
        """Read a book whole, restore it, compare, and request what is new. Raises `_Outdated`."""
        book = known if known.planned else await self._read(known.id, known.position)
        if book.removed:
            book = await self._taking_over(plan, book) or await self._restored(plan, book)
        self._lists.note(plan.entry, book.id)
        comparison = self._compare(plan, book)
        # of an earlier try only those that the shelf has taken still hold
        plan.differences = {name: found for name, found in plan.differences.items() if found.taken}
        plan.differences |= {found.field: found for found in comparison.differences}
        if not comparison.requests:
            self._report.unchanged += not plan.restored
            return
        after = comparison.after
        if not self._report.preview:
            version = _etag_of(book.version)
            for request in comparison.requests:
                answer = await self._send(request, plan, book.id, version)
                version = answer.version
            after = replace(after, whole=False, position=answer.position)
        self._index.put(after)
        self._report.updated += not plan.restored
        self._report.finished += _state_of(after) == "finished" and _state_of(book) != "finished"
        if book.planned:
            self._report.new_books.subtract(_traits(book))
            self._report.new_books.update(_traits(after))

    async def _taking_over(self, plan: _Plan, book: ShelfBook) -> ShelfBook | None:
        """Return the book that a removed one was merged into, if that is on the shelf."""
        target = None if book.merged_into is None else await read_book(self._api, book.merged_into)
        if target is None or target.removed:
            return None
        merged = phrase(
            "{title} was merged into {other}, which is compared with the line",
            title=book.book.title,
            other=target.book.title,
        )
        self._report.warn(plan.entry.line, merged)
        return target

    async def _restored(self, plan: _Plan, book: ShelfBook) -> ShelfBook:
        plan.restored = True
        if not self._report.preview:
            restore = ShelfRequest("POST", "/books/{id}/restored")
            answer = await self._send(restore, plan, book.id, _etag_of(book.version))
            book = await self._read(book.id, answer.position)
        self._report.restored += 1
        restored = phrase("{title} was removed from the shelf: restored", title=book.book.title)
        self._report.warn(plan.entry.line, restored)
        return replace(book, removed=False)

    async def _read(self, book_id: str, after: str) -> ShelfBook:
        async with self._slots:
            book = await read_book(self._api, book_id, after)
        if book is None:
            raise _Refused(phrase("the shelf does not have the book any more: import the line again"))
        self._index.put(book)
        return book

    def _compare(self, plan: _Plan, book: ShelfBook) -> Comparison:
        """Compare; of the values that differ, those that came from a file give way, or all if so chosen."""

        def take(field: str) -> bool:
            return not plan.later and (self._options.prefer_file or field not in book.by_hand)

        return compare(plan.entry, book, exact=self._options.exact, take=take)

    async def _send(
        self,
        request: ShelfRequest,
        plan: _Plan,
        book_id: str,
        version: str,
        of_start: Mapping[str, str] = MappingProxyType({}),
    ) -> BulkAnswer:
        """Send a request on a book of this version, or on a new one; return the answer.

        Raises `_Refused`, `_Outdated`. `of_start` are fields of its body that another run of the import would
        give other values.
        """
        path, body = request.addressed(book_id, plan.reading)
        content = msgspec.json.encode([request.method, path, body, version, plan.sent], order="sorted")
        plan.sent += 1
        given = {**of_start, **body}
        answer = await self._sender.send(
            request.method, path, given, key_of(content), if_match=version or None
        )
        if answer.is_outdated:
            raise _Outdated
        if answer.is_refused and not answer.known:
            raise _Refused(Phrase(answer.detail))
        if path.endswith("/readings"):
            plan.reading = answer.number
        return answer


def _etag_of(position: str) -> str:
    """Return the position of a book's newest event as its version in If-Match."""
    return f'"{position.rpartition("@")[2]}"'


def _keep(_field: str) -> bool:
    return False


def _state_of(book: ShelfBook) -> str:
    ends = {reading.end: reading for reading in book.readings}
    if "open" in ends:
        return "paused" if ends["open"].paused else "reading"
    return next((end for end in ("finished", "abandoned") if end in ends), "unread")


def _traits(book: ShelfBook) -> Iterator[str]:
    """Yield what a preview counts of a new book: its state, and whether it has stars."""
    yield _state_of(book)
    if book.stars or any(reading.stars for reading in book.readings):
        yield "stars"
