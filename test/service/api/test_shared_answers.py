"""Two instances of a service on one database: what was written is read at either, hot answers or not."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from support.instances import Shared
from support.postgres import Server
from support.shelf import Answered, Shelf

from bookshelf.http.message import request
from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.service import ServiceHost
from bookshelf.services import SERVICES

pytestmark = pytest.mark.needs("postgres")
[BOOKLIST] = [service for service in SERVICES if service.name == "booklist"]


class Two:
    """A shelf, and another instance of its booklist."""

    def __init__(self, shelf: Shelf, other: ServiceHost) -> None:
        self.shelf = shelf
        self._apis = (shelf.hosts["booklist"].api, other.api)

    async def get(self, target: str, **headers: str) -> tuple[Answered, Answered]:
        """Ask both."""
        one, other = [
            Answered(await edge.handle(request("GET", target, b"", **headers))) for edge in self._apis
        ]
        return one, other


@pytest.fixture
async def two(postgres_server: Server) -> AsyncIterator[Two]:
    async with postgres_server.database() as name:
        shared = Shared(postgres_server, name, MemoryLog(4))
        async with (
            shared.storage() as storage,
            shared.storage() as elsewhere,
            Shelf(shared.log, storage) as shelf,
        ):
            other = ServiceHost(
                BOOKLIST, replace(shelf.infrastructure, storage=elsewhere), "127.0.0.1", 18084
            )
            await other.start()
            yield Two(shelf, other)
            await other.stop()


async def test_a_write_is_read_at_both_instances(two: Two) -> None:
    for n in range(12):
        book = await two.shelf.add(title=f"Book {n}")
        for answer in await two.get("/books", Bookshelf_After=book["position"]):
            assert len(answer.json) == n + 1


async def test_an_answer_of_one_instance_is_given_by_the_other(two: Two) -> None:
    for n in range(12):
        book = await two.shelf.add(title=f"Book {n}")
        await two.get("/books")  # a hot answer, of before or after
        await two.get(f"/books/{book['id']}", Bookshelf_After=book["position"])
        one, other = await two.get("/books")
        assert len(one.json) == len(other.json) == n + 1
        assert one.headers["ETag"] == other.headers["ETag"]


async def test_an_unchanged_answer_is_304_at_both_instances(two: Two) -> None:
    book = await two.shelf.add()
    one, _ = await two.get("/books", Bookshelf_After=book["position"])
    for answer in await two.get("/books", If_None_Match=one.headers["ETag"]):
        assert answer.status == 304
