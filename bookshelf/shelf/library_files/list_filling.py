"""Fills the lists that a file has: creates or restores those that are missing, and appends what they lack."""

import asyncio
from collections.abc import Iterable
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from bookshelf.cqrs.api_client import ApiClient
from bookshelf.cqrs.phrases import phrase
from bookshelf.shelf.library_files.bulk_sender import BulkAnswer, BulkSender, key_of
from bookshelf.shelf.library_files.compare import Difference
from bookshelf.shelf.library_files.entry import Entry, FileEntry, FileList
from bookshelf.shelf.library_files.report import ImportReport
from bookshelf.shelf.library_files.shelf_copy import ShelfFault, list_entries, pages, set_by_file
from bookshelf.shelf.library_files.shelf_index import ShelfIndex
from bookshelf.shelf.lists import UP_NEXT, is_up_next

_NAMING = ("shelf.list-created.v1", "shelf.list-renamed.v1")


class _NamedLists:
    """The lists of the shelf by name: the first with exactly this name, else one that differs in case."""

    def __init__(self, lists: Iterable[tuple[str, str]]) -> None:
        self._by_fold: dict[str, list[tuple[str, str]]] = {}
        for id_, name in ((UP_NEXT, UP_NEXT), *lists):
            self._by_fold.setdefault(name.casefold(), []).append((id_, name))

    def take(self, name: str) -> str | None:
        """Return the id of a list, each at most once; None if there is none."""
        found = sorted(self._by_fold.get(name.casefold(), ()), key=lambda each: each[1] != name)
        if not found:
            return None
        self._by_fold[name.casefold()].remove(found[0])
        return found[0][0]


class ListFiller:
    """Notes the books of each list while lines are imported, and fills the lists in the end.

    `prefer_file`: the name that a list has in the file replaces one that was given by hand. `restores`: a
    removed list is restored.
    """

    def __init__(
        self,
        api: ApiClient,
        index: ShelfIndex,
        report: ImportReport,
        sender: BulkSender,
        *,
        prefer_file: bool,
        restores: bool,
    ) -> None:
        self._api = api
        self._index = index
        self._report = report
        self._sender = sender
        self._prefer_file = prefer_file
        self._restores = restores

    def note(self, entry: Entry, book_id: str) -> None:
        """Note the lists of a line; its book has this id on the shelf."""
        if entry.id is not None and entry.id != book_id:
            self._index.alias(entry.id, book_id)
        for place in entry.lists:
            name = UP_NEXT if is_up_next(place.name) else place.name
            self._index.place(name, book_id, place.position)

    async def fill(self) -> None:
        """Bring all lists up to the file. Raises `ShelfFault`."""
        wanted = list(self._index.lists())
        if not wanted:
            return
        known = [(each["id"], each["name"]) async for each in pages(self._api, "/lists?limit=1000")]
        names = dict(known)
        own = {each.id for each in wanted}
        by_name = _NamedLists([(id_, name) for id_, name in known if id_ not in own])
        for each in wanted:
            list_id = each.id if each.id in names else by_name.take(each.name)
            if list_id is None:
                list_id = await self._created(each)
            elif each.id and list_id != UP_NEXT:
                await self._rename(replace(each, id=list_id), names[list_id])
            if list_id is not None:
                await self._append(list_id, replace(each, name=names.get(list_id) or each.name))

    async def _created(self, wanted: FileList) -> str | None:
        """Create or restore a list; return its id, or None if it stays away."""
        self._report.lists += 1
        if self._report.preview:
            return ""
        body = {"name": wanted.name, "id": wanted.id} if wanted.id else {"name": wanted.name}
        answer = await self._send("POST", "/lists", body)
        if not answer.is_refused:
            return answer.id
        if not wanted.id:
            raise ShelfFault(answer.detail)
        # it exists, and the shelf does not show it: it was removed
        if not self._restores:
            self._report.lists -= 1
            self._report.warn(
                wanted.line, phrase("the list {name} was removed: left out", name=repr(wanted.name))
            )
            return None
        restored = await self._send("POST", f"/lists/{quote(wanted.id, safe='')}/restored", {})
        if restored.is_refused:
            raise ShelfFault(restored.detail)
        self._report.warn(
            wanted.line, phrase("the list {name} was removed: restored", name=repr(wanted.name))
        )
        return wanted.id

    async def _rename(self, wanted: FileList, name: str) -> None:
        """Give a list the name that it has in the file, if the shelf's came from a file."""
        if wanted.name == name:
            return
        taken = self._prefer_file or await set_by_file(self._api, wanted.id, _NAMING)
        self._report.differences.append(Difference(wanted.line, name, "name", name, wanted.name, taken))
        if taken and not self._report.preview:
            path = f"/lists/{quote(wanted.id, safe='')}"
            self._check(wanted.name, await self._send("PATCH", path, {"name": wanted.name}))

    async def _append(self, list_id: str, wanted: FileList) -> None:
        """Append the books that the list lacks, in the file's order."""
        shown = list_entries(self._api, list_id, self._sender.seen)
        held = {entry.book async for entry in shown} if list_id else set[str]()
        entries = [
            FileEntry(book, entry.added)
            for entry in wanted.entries
            if (book := self._index.here(entry.book)) is not None and book not in held
        ]
        self._report.listed += len(entries)
        self._report.entries[wanted.name or UP_NEXT] += len(entries)
        if self._report.preview:
            return
        for answer in await asyncio.gather(*(self._put(list_id, entry) for entry in entries)):
            self._report.listed -= answer.is_refused
            self._check(wanted.name, answer)

    async def _put(self, list_id: str, entry: FileEntry) -> BulkAnswer:
        path = f"/lists/{quote(list_id, safe='')}/books/{quote(entry.book, safe='')}"
        return await self._send("PUT", path, {"added": entry.added} if entry.added else {})

    def _check(self, name: str, answer: BulkAnswer) -> None:
        """Name a refused change of a list."""
        if answer.is_refused:
            not_changed = phrase("the list {name} was not changed: {why}", name=repr(name), why=answer.detail)
            self._report.warn(0, not_changed)

    async def _send(self, method: str, path: str, body: object) -> BulkAnswer:
        """Send a command; its key is of this import, so that an entry that was removed can come back."""
        content = msgspec.json.encode([method, path, body, self._report.correlation], order="sorted")
        return await self._sender.send(method, path, body, key_of(content))
