"""A command with Bookshelf-After is decided on a state that includes these positions."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.faulty import FaultyLog
from support.shelf import Shelf

from bookshelf.log.memory import MemoryLog


@pytest.fixture
def log() -> FaultyLog:
    return FaultyLog(MemoryLog(2))


@pytest.fixture
async def shelf(log: FaultyLog) -> AsyncIterator[Shelf]:
    async with Shelf(log) as opened:
        yield opened


async def test_a_book_that_the_client_has_removed_cannot_be_finished(shelf: Shelf, log: FaultyLog) -> None:
    book = await shelf.add()
    await shelf.caught_up()
    assert (await shelf.send("GET", f"/books/{book['id']}")).status == 200
    log.readable.clear()  # readbook has not read the removal when the client finishes the book
    removed = await shelf.send("DELETE", f"/books/{book['id']}")
    after = removed.headers["Bookshelf-Position"]
    finishing = asyncio.create_task(
        shelf.send("POST", f"/books/{book['id']}/finished", {"rating": 5}, Bookshelf_After=after)
    )
    done, _ = await asyncio.wait({finishing}, timeout=0)
    assert not done
    log.readable.set()
    assert (await finishing).status == 404


async def test_a_command_ahead_of_the_log_is_answered_503_and_delays_no_other(
    shelf: Shelf, log: FaultyLog
) -> None:
    book = await shelf.add()
    await shelf.caught_up()
    log.readable.clear()
    changed = await shelf.send("PATCH", f"/books/{book['id']}", {"title": "later"})
    after = changed.headers["Bookshelf-Position"]
    finishing = asyncio.create_task(
        shelf.send("POST", f"/books/{book['id']}/finished", {"rating": 5}, Bookshelf_After=after)
    )
    other = await shelf.send("POST", f"/books/{book['id']}/finished", {"rating": 4})
    assert (other.status, finishing.done()) == (204, False)
    refused = await finishing
    assert (refused.status, refused.json["type"]) == (503, "urn:bookshelf:problem:behind")
    assert "Retry-After" in refused.headers


@pytest.mark.parametrize("after", ["bookshelf/0@999999,bookshelf/1@999999", "elsewhere/0@5", ""])
async def test_positions_of_other_partitions_are_not_awaited(shelf: Shelf, after: str) -> None:
    book = await shelf.add()
    finished = await shelf.send("POST", f"/books/{book['id']}/finished", Bookshelf_After=after)
    assert finished.status == 204


async def test_a_malformed_position_is_refused(shelf: Shelf) -> None:
    book = await shelf.add()
    refused = await shelf.send("POST", f"/books/{book['id']}/finished", Bookshelf_After="yesterday")
    assert (refused.status, refused.json["errors"][0]["header"]) == (400, "Bookshelf-After")
