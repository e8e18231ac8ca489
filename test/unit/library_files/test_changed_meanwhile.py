"""An import compares again what a reader changes by hand while it runs, and does not overwrite it."""

from collections.abc import Mapping
from typing import Any

from support.pure_shelf import PureShelf
from unit.library_files.test_runner import bring, counts, line, only

from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.shelf.library_files.entry import FileReading


class ChangedMeanwhile(PureShelf):
    """A shelf on which a reader changes a book by hand while an import is about to change it."""

    meanwhile: list[tuple[str, dict[str, Any]]]

    async def send(self, method: str, target: str, body: object, headers: Mapping[str, str]) -> ApiAnswer:
        if target.endswith("/bulk") and self.meanwhile:
            path, fields = self.meanwhile.pop(0)
            await self.by_hand("PATCH", path, fields)
        return await super().send(method, target, body, headers)


async def test_a_change_by_hand_during_an_import_is_not_overwritten() -> None:
    shelf = ChangedMeanwhile()
    shelf.meanwhile = []
    await bring(shelf, [line(2, pages=400)])
    path = f"/books/{(await only(shelf))['id']}"
    shelf.meanwhile = [(path, {"pages": 412})]
    report = await bring(shelf, [line(2, pages=500, publisher="Ace", notes="a gift")])
    assert counts(report) == {"read": 1, "updated": 1}
    book = await only(shelf)
    assert (book["pages"], book["publisher"], book["notes"]) == (412, "Ace", "a gift")
    (difference,) = report["differences"]
    assert (difference["shelf"], difference["file"], difference["taken"]) == (412, 500, False)


async def test_a_change_by_hand_between_two_requests_of_a_line_is_not_overwritten() -> None:
    shelf = ChangedMeanwhile()
    shelf.meanwhile = []
    await bring(shelf, [line(2, pages=400)])
    path = f"/books/{(await only(shelf))['id']}"
    read = FileReading(end="finished", ended="2024-03-01", stars=4)
    shelf.meanwhile = [(path, {"notes": "lent"}), (path, {"publisher": "Chilton"})]
    report = await bring(shelf, [line(2, "Dune", read, pages=500)])
    assert counts(report) == {"read": 1, "updated": 1, "finished": 1}
    book = await only(shelf)
    assert (book["pages"], book["publisher"], book["state"]) == (500, "Chilton", "finished")
    assert [difference["field"] for difference in report["differences"]] == ["pages"]


async def test_a_book_that_is_changed_again_and_again_refuses_its_line() -> None:
    shelf = ChangedMeanwhile()
    shelf.meanwhile = []
    await bring(shelf, [line(2, pages=400)])
    path = f"/books/{(await only(shelf))['id']}"
    shelf.meanwhile = [(path, {"notes": str(n)}) for n in range(9)]
    report = await bring(shelf, [line(2, pages=500)])
    (refused,) = report["refused"]
    assert "again and again" in refused["reason"]
    assert (await only(shelf))["pages"] == 400
