"""Fills the lists that a file names: creates those that are missing, and appends the books that they lack."""

import asyncio
from urllib.parse import quote

import msgspec

from bookshelf.cqrs.api_client import ApiClient
from bookshelf.shelf.library_files.bulk_sender import BulkAnswer, BulkSender, key_of
from bookshelf.shelf.library_files.entry import Entry
from bookshelf.shelf.library_files.report import ImportReport
from bookshelf.shelf.library_files.shelf_copy import ShelfFault, list_entries, pages
from bookshelf.shelf.library_files.shelf_index import ShelfIndex
from bookshelf.shelf.lists import UP_NEXT


class ListFiller:
    """Notes the books of each list while lines are imported, and fills the lists in the end."""

    def __init__(self, api: ApiClient, index: ShelfIndex, report: ImportReport, sender: BulkSender) -> None:
        self._api = api
        self._index = index
        self._report = report
        self._sender = sender

    def note(self, entry: Entry, book_id: str) -> None:
        """Note the lists of a line; its book has this id on the shelf."""
        for place in entry.lists:
            self._index.place(place.name, book_id, place.position)

    async def fill(self) -> None:
        """Append the noted books by their positions, then in the file's sequence. Raises `ShelfFault`."""
        names = self._index.placed_lists()
        ids = {UP_NEXT: UP_NEXT}
        if names:
            ids |= {each["name"]: each["id"] async for each in pages(self._api, "/lists?limit=1000")}
        for name in names:
            list_id = ids.get(name)
            held = set() if list_id is None else {book async for book in list_entries(self._api, list_id)}
            missing = [book for book in self._index.placed_books(name) if book not in held]
            self._report.listed += len(missing)
            if missing and not self._report.preview:
                await self._append(name, list_id, missing)

    async def _append(self, name: str, list_id: str | None, books: list[str]) -> None:
        if list_id is None:
            created = await self._send("POST", "/lists", {"name": name})
            if created.is_refused:
                raise ShelfFault(created.detail)
            list_id = created.id
        path = f"/lists/{quote(list_id, safe='')}/books"
        answers = await asyncio.gather(
            *(self._send("PUT", f"{path}/{quote(book, safe='')}", {}) for book in books)
        )
        for refused in (answer for answer in answers if answer.is_refused):
            self._report.listed -= 1
            self._report.warn(0, f"a book was not put on the list {name!r}: {refused.detail}")

    async def _send(self, method: str, path: str, body: object) -> BulkAnswer:
        """Send a command; its key is of this import, so that an entry that was removed can come back."""
        content = msgspec.json.encode([method, path, body, self._report.correlation], order="sorted")
        return await self._sender.send(method, path, body, key_of(content))
