"""The job that changes many books alike: tag, list, stars, state, format, series, a name, or removal."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.shelf.library_files.bulk_sender import BulkAnswer, BulkSender, key_of
from bookshelf.shelf.library_files.shelf_copy import SHELF, ShelfFault, seeing
from bookshelf.shelf.lists import list_named
from bookshelf.shelf.pages.change_report import ChangeChoices, JobReport, typed_tags
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.jobs import JobRun

#: Books that are read and changed together, and those that are read at the same time.
_PART, _AT_ONCE = 250, 16
_ERROR, _MISSING = 400, 404
Book = Mapping[str, Any]


class BookCommand(NamedTuple):
    """One command on a book: its method, its path and its body."""

    method: str
    path: str
    body: Mapping[str, Any] = MappingProxyType({})


def command_for(choices: ChangeChoices, book: Book, list_id: str = "") -> BookCommand | None:
    """Return the command that changes a book as chosen; None if it is so already."""
    path = f"/books/{segment(book['id'])}"
    match choices.action:
        case "list":
            return BookCommand("PUT", f"/lists/{segment(list_id)}/books/{segment(book['id'])}")
        case "stars":
            stars = float(choices.value)
            return (
                None if book.get("stars") == stars else BookCommand("PUT", f"{path}/rating", {"stars": stars})
            )
        case "finished":
            return _finish(path, book)
        case "remove":
            return BookCommand("DELETE", path)
    fields = _fields(choices, book)
    equal = all((book.get(name) or None) == (value or None) for name, value in fields.items())
    return None if equal else BookCommand("PATCH", path, fields)


def _finish(path: str, book: Book) -> BookCommand | None:
    match book.get("state"):
        case "finished":
            return None
        case "reading" | "paused":
            return BookCommand("POST", f"{path}/readings/current/finished")
    return BookCommand("POST", f"{path}/readings", {"end": "finished"})


def _fields(choices: ChangeChoices, book: Book) -> dict[str, Any]:
    """Return the fields of a book as they are to be."""
    tags: Sequence[str] = book.get("tags") or ()
    series: Sequence[Mapping[str, Any]] = book.get("series") or ()
    value, former = choices.value, choices.former
    match choices.action:
        case "tag":
            fields: dict[str, Any] = {"tags": list(dict.fromkeys((*tags, *typed_tags(value))))}
        case "untag":
            fields = {"tags": [tag for tag in tags if tag not in {value, *typed_tags(value)}]}
        case "rename-tag":
            fields = {"tags": list(dict.fromkeys(value if tag == former else tag for tag in tags))}
        case "rename-series":
            fields = {"series": _renamed(series, former, value)}
        case "rename-author" if people := book.get("contributors"):
            fields = {"contributors": _renamed(people, former, value)}
        case "rename-author":
            fields = {"author": value}
        case "series":
            fields = {"series": [entry for entry in series if entry["name"] == value] or [{"name": value}]}
        case _:
            fields = {"format": value}
    return fields


def _renamed(entries: Sequence[Mapping[str, Any]], former: str, name: str) -> list[dict[str, Any]]:
    """Return people or places in series with another name; two that are the same then are one.

    The name to sort by belongs to the former name, so it is dropped.
    """
    renamed: dict[tuple[str, Any], dict[str, Any]] = {}
    for entry in entries:
        is_former = entry["name"] == former
        left_out = {"name", "sort"} if is_former else {"name"}
        shown = {key: value for key, value in entry.items() if key not in left_out}
        shown["name"] = name if is_former else entry["name"]
        place = (shown["name"], shown.get("role"))
        known = renamed.get(place, {})
        renamed[place] = {**shown, **known} if is_former else {**known, **shown}
    return list(renamed.values())


async def change_books(run: JobRun) -> dict[str, Any]:
    """Change all books of a job; return what became of them. Raises `ShelfFault`."""
    return await _Changing(run, msgspec.convert(run.job.parameters, ChangeChoices)).change_all()


class _Changing:
    """Changes books a part at a time; those that are as chosen already are left as they are."""

    def __init__(self, run: JobRun, choices: ChangeChoices) -> None:
        self._run = run
        self._choices = choices
        self._sender = BulkSender(run.api, choices.correlation)
        self._list_id = ""
        self._report = JobReport(continued=run.job.starts > 1)
        self._done = self._total = 0

    async def change_all(self) -> dict[str, Any]:
        """Change the books; return the report. Raises `ShelfFault`."""
        if self._choices.action == "list":
            self._list_id = await self._find_list(self._choices.value)
        books = self._chosen() if self._choices.filters is None else self._matching(self._choices.filters)
        async for part in books:
            await asyncio.gather(*map(self._change, part))
        self._report.positions = self._sender.positions
        return dict(msgspec.to_builtins(self._report))

    async def _chosen(self) -> AsyncIterator[list[Book]]:
        """Yield the chosen books, as they are now."""
        ids = self._choices.books
        self._total = len(ids)
        for start in range(0, len(ids), _AT_ONCE):
            paths = [f"{SHELF}/books/{segment(name)}" for name in ids[start : start + _AT_ONCE]]
            answers = await asyncio.gather(*map(self._get, paths))
            gone = sum(answer.status == _MISSING for answer in answers)
            self._report.unchanged += gone
            self._done += gone
            yield [answer.body for answer in answers if answer.status != _MISSING]

    async def _matching(self, filters: Mapping[str, Any]) -> AsyncIterator[list[Book]]:
        """Yield the books that filters match. They may match them no more once they are changed."""
        after: str | None = ""
        while after is not None:
            path = target(f"{SHELF}/books", **filters, sort=self._choices.sort, limit=_PART, after=after)
            answer = await self._get(path)
            self._total = self._total or answer.total
            after = answer.cursor
            yield answer.body

    async def _get(self, path: str) -> ApiAnswer:
        """Return the answer of a view that has what the reader did before. Raises `ShelfFault`."""
        answer = await self._run.api.get(path, seeing(self._choices.after))
        if answer.status >= _ERROR and answer.status != _MISSING:
            raise ShelfFault(answer.detail)
        return answer

    async def _change(self, book: Book) -> None:
        command = command_for(self._choices, book, self._list_id)
        if command is None:
            self._report.unchanged += 1
        else:
            answer = await self._send(command)
            if answer.is_refused:
                line = {"id": book["id"], "title": book["title"], "reason": answer.detail}
                await self._run.add_lines("refused", [(self._report.refused, line)])
                self._report.refused += 1
            else:
                self._report.changed += 1
        self._done += 1
        self._run.progress(self._done, max(self._done, self._total))

    async def _send(self, command: BookCommand) -> BulkAnswer:
        """Return the answer to a command; each one of a job is carried out once, also after a restart."""
        content = [self._choices.correlation, command.method, command.path, dict(command.body)]
        key = key_of(msgspec.json.encode(content, order="sorted"))
        return await self._sender.send(command.method, command.path, dict(command.body), key)

    async def _find_list(self, name: str) -> str:
        """Return the id of the list with this name; a new one if there is none. Raises `ShelfFault`."""
        known = list_named((await self._get(f"{SHELF}/lists?limit=1000")).body, name)
        if known is not None:
            return known
        answer = await self._send(BookCommand("POST", "/lists", {"name": name}))
        if answer.is_refused:
            raise ShelfFault(answer.detail)
        return str(answer.id)
