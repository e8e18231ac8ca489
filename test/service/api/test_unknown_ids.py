"""What a query does not find is looked for again once the view has read to the end of the log."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.faulty import FaultyLog
from support.shelf import Shelf

from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import LogFault


class CountingEnds(FaultyLog):
    """A log that counts how often it is asked for an end, and does not answer while `away`."""

    asked = 0
    away = False

    async def end(self, topic: str, partition: int) -> int:
        self.asked += 1
        await asyncio.sleep(0)  # sleep: others are served meanwhile, as with a broker
        if self.away:
            msg = "no broker answers"
            raise LogFault(msg)
        return await super().end(topic, partition)


@pytest.fixture
def log() -> CountingEnds:
    return CountingEnds(MemoryLog(2))


@pytest.fixture
async def shelf(log: CountingEnds) -> AsyncIterator[Shelf]:
    async with Shelf(log) as opened:
        yield opened


@pytest.mark.parametrize("suffix", ["", "/history", "?as-of=2100-01-01T00:00:00Z"])
async def test_a_new_book_is_found_at_once_by_a_client_without_positions(
    shelf: Shelf, log: CountingEnds, suffix: str
) -> None:
    log.readable.clear()
    book = await shelf.add()
    asked = asyncio.create_task(shelf.send("GET", f"/books/{book['id']}{suffix}"))
    done, _ = await asyncio.wait({asked}, timeout=0)
    assert not done
    log.readable.set()
    assert (await asked).status == 200


async def test_a_query_to_the_end_has_all_that_was_done_before(shelf: Shelf, log: CountingEnds) -> None:
    log.readable.clear()
    book = await shelf.add()
    asked = asyncio.create_task(shelf.send("GET", "/books", Bookshelf_After="end"))
    done, _ = await asyncio.wait({asked}, timeout=0)
    assert not done
    log.readable.set()
    assert [shown["id"] for shown in (await asked).json] == [book["id"]]


async def test_an_unknown_book_is_not_found_once_the_log_was_read(shelf: Shelf) -> None:
    assert (await shelf.send("GET", "/books/unknown")).status == 404


async def test_many_unknown_books_share_the_reads_of_the_log(shelf: Shelf, log: CountingEnds) -> None:
    before = log.asked
    answers = await asyncio.gather(*(shelf.send("GET", f"/books/unknown-{n}") for n in range(200)))
    assert {answer.status for answer in answers} == {404}
    assert log.asked - before <= 8


async def test_without_an_answer_of_the_log_the_rows_are_used(shelf: Shelf, log: CountingEnds) -> None:
    book = await shelf.add()
    await shelf.caught_up()
    log.away = True
    assert (await shelf.send("GET", f"/books/{book['id']}")).status == 200
    assert (await shelf.send("GET", "/books/unknown")).status == 404


async def test_a_query_to_the_end_is_refused_while_the_log_does_not_answer(
    shelf: Shelf, log: CountingEnds
) -> None:
    await shelf.add()
    await shelf.caught_up()
    log.away = True
    answer = await shelf.send("GET", "/books", Bookshelf_After="end")
    assert (answer.status, "Retry-After" in answer.headers) == (503, True)


async def test_a_view_that_cannot_read_on_answers_503(shelf: Shelf, log: CountingEnds) -> None:
    log.readable.clear()
    book = await shelf.add()
    for host in shelf.hosts["booklist"].views.values():
        host._patience_s = 0.01  # noqa: SLF001 (two seconds otherwise)
    answer = await shelf.send("GET", f"/books/{book['id']}")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    log.readable.set()
