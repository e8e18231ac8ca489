"""Changes are taken back in bulk requests, those of one book one after the other."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.shelf.library_files.undoing import BLOCKED, CHANGING, LeftChange, Undoing


def change(name: str, subject: str = "", **shown: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
    """Return a change as the shelf lists it: it is taken back by a DELETE of its book."""
    path = f"/books/{subject or name}"
    undo = {"method": "DELETE", "path": path, "body": None, "if_match": f'"{name}"'}
    return {"id": name, "subject": subject or name, "undo": [undo], **shown}


class Recorder:
    """An API client that keeps the requests; bulk items of `outdated` paths are answered with 412, once."""

    def __init__(self, *changes: dict[str, Any], outdated: tuple[str, ...] = ()) -> None:
        self._changes = {each["id"]: each for each in changes}
        self._outdated = list(outdated)
        self.sent: list[tuple[str, str, Any]] = []
        self.read: list[str] = []

    async def get(self, target: str, headers: Mapping[str, str] | None = None) -> ApiAnswer:
        del headers
        name = target.rpartition("/")[2]
        self.read.append(name)
        if name not in self._changes:
            return ApiAnswer(404, {}, {"detail": "there is no such change"})
        return ApiAnswer(200, {}, self._changes[name])

    async def send(self, method: str, target: str, body: object, headers: Mapping[str, str]) -> ApiAnswer:
        del headers
        items = msgspec.json.decode(msgspec.json.encode(body))
        self.sent.append((method, target, items))
        position = {"Bookshelf-Position": f"bookshelf/0@{len(self.sent)}"}
        if not target.endswith("/bulk"):
            return ApiAnswer(204, position, None)
        return ApiAnswer(200, position, [{"status": self._status(item["path"])} for item in items])

    def _status(self, path: str) -> int:
        if path in self._outdated:
            self._outdated.remove(path)
            return 412
        return 204

    async def listed(self) -> AsyncIterator[dict[str, Any]]:
        for each in self._changes.values():
            yield each


async def taken_back(api: Recorder) -> tuple[int, list[LeftChange]]:
    return await Undoing(api, "undo-1").take_back_all(api.listed(), lambda _done, _all: None)


async def test_changes_of_different_books_go_out_in_one_request_without_being_read_again() -> None:
    api = Recorder(*(change(str(number)) for number in range(300)))
    assert await taken_back(api) == (300, [])
    ((_, target, items),) = api.sent
    assert (target, len(items), api.read) == ("/bookshelf/books/bulk", 300, [])
    wanted = {"method": "DELETE", "path": "/books/0", "key": "undo-1-0-0-0", "if_match": '"0"', "undoes": "0"}
    assert items[0] == wanted


async def test_an_older_change_of_a_book_is_read_after_the_newer_one_was_taken_back() -> None:
    api = Recorder(change("b", "x"), change("a", "x"))
    assert await taken_back(api) == (2, [])
    assert [items[0]["undoes"] for _, _, items in api.sent] == ["b", "a"]
    assert api.read == ["a"]


async def test_what_has_changed_since_is_read_and_tried_again() -> None:
    api = Recorder(change("a"), outdated=("/books/a",))
    assert await taken_back(api) == (1, [])
    assert (len(api.sent), api.read) == (2, ["a"])


async def test_what_later_changes_prevent_or_others_change_all_the_time_is_left() -> None:
    api = Recorder(change("a", blocked_by=["z"]), change("b"), outdated=("/books/b",) * 9)
    total, left = await taken_back(api)
    assert (total, left) == (2, [LeftChange("a", BLOCKED, ("z",)), LeftChange("b", CHANGING)])


async def test_what_was_taken_back_before_is_done_and_a_missing_change_is_left() -> None:
    api = Recorder(change("a", undone=True))
    assert await taken_back(api) == (1, [])
    assert await Undoing(api, "undo-1").take_back("c") == LeftChange("c", "there is no such change")
    assert api.sent == []


async def test_a_goal_is_set_back_by_a_request_of_its_own() -> None:
    undo = {"method": "PUT", "path": "/goals/2026", "body": {"books": 12}, "if_match": None}
    api = Recorder({**change("a", "goal-2026"), "undo": [undo]})
    undoing = Undoing(api, "undo-1")
    assert await undoing.take_back_all(api.listed(), lambda _done, _all: None) == (1, [])
    assert api.sent == [("PUT", "/bookshelf/goals/2026", {"books": 12})]
    assert undoing.positions == "bookshelf/0@1"
