"""Commands of an import go out together, in their sequence, and again if the service was too busy."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.shelf.library_files.bulk_sender import BulkSender
from bookshelf.shelf.library_files.shelf_copy import ShelfFault


class Recorder:
    """An API client that keeps the bulk requests; the first `busy` of them are answered with 503 each."""

    def __init__(self, busy: int = 0, status: int = 200) -> None:
        self.sent: list[tuple[str, list[dict[str, Any]]]] = []
        self._busy = busy
        self._status = status

    async def get(self, target: str, headers: Mapping[str, str] | None = None) -> ApiAnswer:
        raise NotImplementedError

    async def send(self, method: str, target: str, body: object, headers: Mapping[str, str]) -> ApiAnswer:
        assert (method, headers["Bookshelf-Correlation"]) == ("POST", "import-1")
        items = msgspec.json.decode(msgspec.json.encode(body))
        self.sent.append((target, items))
        if self._status != 200:
            return ApiAnswer(self._status, {}, {"detail": "too much"})
        busy = len(self.sent) <= self._busy
        refused = {"status": 503, "problem": {"detail": "busy"}}
        results = [refused if busy and n % 2 == 0 else {"status": 204} for n in range(len(items))]
        return ApiAnswer(200, {"Bookshelf-Position": "bookshelf/0@7"}, results)


async def send_all(api: Recorder, *paths: str, body: object = None) -> list[int]:
    sender = BulkSender(api, "import-1")
    answers = await asyncio.gather(*(sender.send("PUT", path, body, path) for path in paths))
    assert {answer.position for answer in answers} == {"bookshelf/0@7"}
    return [answer.status for answer in answers]


async def test_commands_that_wait_go_out_together_by_service() -> None:
    api = Recorder()
    paths = [
        "/books",
        "/books/a",
        "/books/a/readings",
        "/books/a/rating",
        "/lists/l/books/a",
        "/books/b/cover",
    ]
    assert await send_all(api, *paths) == [204] * 6
    sent = {target: [item["path"] for item in items] for target, items in api.sent}
    assert sent == {
        "/bookshelf/books/bulk": ["/books", "/books/a", "/books/b/cover"],
        "/bookshelf/readings/bulk": ["/books/a/readings", "/books/a/rating"],
        "/bookshelf/lists/bulk": ["/lists/l/books/a"],
    }
    assert len(api.sent) == 3


async def test_a_request_has_up_to_500_commands_and_6_mib() -> None:
    api = Recorder()
    await send_all(api, *(f"/books/{n}" for n in range(1200)))
    assert [len(items) for _, items in api.sent] == [500, 500, 200]
    large = Recorder()
    await send_all(large, *(f"/books/{n}" for n in range(7)), body="x" * (2 << 20))
    assert [len(items) for _, items in large.sent] == [2, 2, 2, 1]
    assert [item["path"] for _, items in api.sent for item in items] == [f"/books/{n}" for n in range(1200)]


async def test_what_the_service_was_too_busy_for_is_sent_again_with_its_key() -> None:
    api = Recorder(busy=1)
    assert await send_all(api, *(f"/books/{n}" for n in range(4))) == [204] * 4
    assert [[item["key"] for item in items] for _, items in api.sent] == [
        ["/books/0", "/books/1", "/books/2", "/books/3"],
        ["/books/0", "/books/2"],
    ]


async def test_a_request_that_is_refused_is_a_fault_of_the_shelf() -> None:
    with pytest.raises(ShelfFault, match="too much"):
        await send_all(Recorder(status=413), "/books/a")
