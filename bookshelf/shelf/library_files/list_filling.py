"""Fills the lists that a file names: creates those that are missing, and appends the books that they lack."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import quote

from bookshelf.cqrs.api_client import ApiAnswer, ApiClient
from bookshelf.shelf.library_files.entry import Entry
from bookshelf.shelf.library_files.report import ImportReport
from bookshelf.shelf.library_files.shelf_copy import SHELF, ShelfFault, list_entries, pages
from bookshelf.shelf.library_files.shelf_index import ShelfIndex
from bookshelf.shelf.lists import UP_NEXT

#: Sends a command on a list; its key is of this import, so that an entry that was removed can come back.
Send = Callable[[str, str, object], Awaitable[ApiAnswer]]


class ListFiller:
    """Notes the books of each list while lines are imported, and fills the lists in the end."""

    def __init__(self, api: ApiClient, index: ShelfIndex, report: ImportReport, send: Send) -> None:
        self._api = api
        self._index = index
        self._report = report
        self._send = send

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
            list_id = (await self._accepted("POST", "/lists", {"name": name})).body["id"]
        for book in books:
            target = f"/lists/{quote(str(list_id), safe='')}/books/{quote(book, safe='')}"
            answer = await self._send("PUT", SHELF + target, {})
            if answer.status >= HTTPStatus.BAD_REQUEST:
                self._report.listed -= 1
                self._report.warn(0, f"a book was not put on the list {name!r}: {answer.detail}")

    async def _accepted(self, method: str, target: str, body: object) -> ApiAnswer:
        answer = await self._send(method, SHELF + target, body)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise ShelfFault(answer.detail)
        return answer
