"""What a search finds, and what it does not, on every storage."""

import msgspec
import pytest
from support.generated_logs import BEGAN, PARTITIONS, asked, filled, hosts
from support.views import caught_up

from bookshelf.log.memory import MemoryLog
from bookshelf.shelf import book_list
from bookshelf.shelf.book_list import AskedBook, Listing
from bookshelf.shelf.events import BookAdded
from bookshelf.shelf.history import OneBook
from bookshelf.storage.port import Storage

SEARCHED = {
    "book-0": ("Dune", "Frank Herbert", ("science fiction",)),
    "book-1": ("L'Été à Ålesund", "Zoë Müller", ("voyage",)),
    "book-2": ("Cafe\u0301 Noir (2nd ed.)", "Σοφία ΣΑΣ", ("crime", "naïve_art")),
    "book-3": ("한국의 역사", "Йордан Чёрный", ()),
}
FOUND = {
    "dune": [0],
    "DU": [0],
    "une": [],
    "herbert dune": [0],
    "fiction dun": [0],
    "dune voyage": [],
    "ete alesund": [1],
    "ÉTÉ": [1],
    "zoe": [1],
    "café": [2],
    "cafe\u0301": [2],
    "2": [2],
    "σασ": [2],  # noqa: RUF001 (letters, as they are)
    "ΣΑς": [2],
    "art naive": [2],
    "naive_art": [2],
    "한국": [3],
    "йордан": [3],
    "чёрный": [3],
    "&": [],
    "' | dune": [0],
    "dune:*": [0],
    "\0": [],
}


@pytest.mark.parametrize("query", FOUND)
async def test_a_search_finds_words_and_beginnings_whatever_their_case_and_accents(
    storage: Storage, query: str
) -> None:
    log = MemoryLog(PARTITIONS)
    books = [(k, BookAdded(title=t, author=a, tags=g, added=BEGAN)) for k, (t, a, g) in SEARCHED.items()]
    await filled(log, books)
    async with hosts(log, storage) as views:
        answer, _ = await asked(views["booklist"], book_list.ROUTES[0], Listing(q=query))
    assert [book["id"] for book in msgspec.json.decode(answer)] == [f"book-{n}" for n in FOUND[query]]


async def test_a_search_finds_the_same_after_a_rebuild(storage: Storage) -> None:
    log = MemoryLog(PARTITIONS)
    await filled(log, [("a", BookAdded(title="Dune", author="Frank Herbert", added=BEGAN))])
    async with hosts(log, storage) as views:
        await views["booklist"].rebuild(lambda _done, _total: None)
        await filled(log, [("b", BookAdded(title="Dune 2", author="x", added=BEGAN))])
        await caught_up(views["booklist"], log)
        answer, _ = await asked(views["booklist"], book_list.ROUTES[0], Listing(q="dune"))
    assert [book["id"] for book in msgspec.json.decode(answer)] == ["a", "b"]


async def test_a_search_for_text_that_no_row_can_hold_finds_nothing(storage: Storage) -> None:
    async with hosts(MemoryLog(PARTITIONS), storage) as views:
        for route, params in (
            (book_list.ROUTES[1], AskedBook(id="a\0b")),
            (book_list.ROUTES[2], OneBook(id="a\0b")),
        ):
            assert await asked(views["booklist"], route, params) == (b"NotFound", None)
