"""Personal texts of a person with an account: sealed in log and rows, opened in answers, then forgotten."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.fixed_infrastructure import FixedClock
from support.shelf import Answered, Shelf
from support.until import eventually

from bookshelf.cqrs.handler import Caller
from bookshelf.http.message import Request
from bookshelf.keyring.keyring import Keyring
from bookshelf.keyring.memory import MemoryKeyTable
from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.api.identity import LocalReader
from bookshelf.runtime.sealing import FORGOTTEN, Seals
from bookshelf.shelf.events import TOPIC
from bookshelf.storage.sqlite import SqliteStorage

ANN = "a-ann"
#: Personal texts; each has one word of its own.
NOTES, DESCRIPTION, REVIEW = "Lent by Zebulon", "About xylophones", "The quokka must awaken"
QUOTE, NOTE, PROGRESS_NOTE = "Fear is the wombat", "The kookaburra litany", "The axolotl comes"
REASON = "Too much jellybean"
WORDS = ("zebulon", "xylophones", "quokka", "wombat", "kookaburra", "axolotl", "jellybean")


class OnlyAnn(LocalReader):
    """Every request is Ann's."""

    has_accounts = True

    def of(self, request: Request) -> Caller:  # noqa: ARG002 (the port's)
        return Caller(actor=ANN, account=ANN, owner=ANN)


class SealedShelf:
    """A shelf whose texts are sealed, and what it is made of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = MemoryLog(1)
        self.keyring = Keyring(MemoryKeyTable(), b"secret", FixedClock().now)
        self.seals = Seals(self.keyring)
        self.shelf = Shelf(self.log, SqliteStorage(folder), callers=OnlyAnn(), seals=self.seals)
        self.position = ""

    async def send(self, method: str, target: str, body: Any = None, **headers: str) -> Answered:  # noqa: ANN401 (JSON)
        """Send a request that reads what was written before; it succeeds."""
        answer = await self.shelf.send(method, target, body, Bookshelf_After=self.position, **headers)
        assert answer.status < 300, answer.body
        self.position = answer.headers.get("Bookshelf-Position", self.position)
        return answer

    async def get(self, target: str) -> Any:  # noqa: ANN401 (JSON)
        return (await self.send("GET", target)).json

    async def fill(self) -> str:
        """Add a book with every personal text there is; return its id."""
        fields = {"title": "Dune", "author": "Frank Herbert", "notes": NOTES, "description": DESCRIPTION}
        book: str = (await self.send("POST", "/books", fields, Idempotency_Key="add")).json["id"]
        at = f"/books/{book}"
        await self.send("POST", f"{at}/readings", {"started": "2024"})
        noted = {"progress": {"percent": 5}, "note": PROGRESS_NOTE}
        await self.send("POST", f"{at}/readings/current/progress", noted)
        await self.send("POST", f"{at}/readings/current/abandoned", {"reason": REASON})
        await self.send("PUT", f"{at}/review", {"text": REVIEW})
        await self.send("POST", f"{at}/passages", {"quote": QUOTE, "note": NOTE})
        return book

    async def records(self) -> list[bytes]:
        """Return the values of all records of the shelf."""
        tail = await self.log.tail(TOPIC, 0, 0)
        end = await self.log.end(TOPIC, 0)
        found: list[bytes] = []
        while len(found) < end:
            found += [record.value for record in await tail.take(end)]
        return found

    def words_in_files(self) -> set[str]:
        """Return the words of personal texts that are in any file of the views."""
        content = b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file()).lower()
        return {word for word in WORDS if word.encode() in content}


@pytest.fixture
async def ann(tmp_path: Path) -> AsyncIterator[SealedShelf]:
    sealed = SealedShelf(tmp_path / "views")
    async with sealed.shelf:
        yield sealed


async def test_answers_have_the_texts_and_the_log_has_not(ann: SealedShelf) -> None:
    book = await ann.fill()
    shown = await ann.get(f"/books/{book}")
    assert (shown["notes"], shown["description"], shown["review"]) == (NOTES, DESCRIPTION, REVIEW)
    [reading] = await ann.get(f"/books/{book}/readings")
    assert (reading["reason"], reading["entries"][0]["note"]) == (REASON, PROGRESS_NOTE)
    [passage] = await ann.get(f"/books/{book}/passages")
    assert (passage["quote"], passage["note"]) == (QUOTE, NOTE)
    history = await ann.get(f"/books/{book}/history")
    said = [text for event in history for text in event["data"].values() if isinstance(text, str)]
    assert {NOTES, DESCRIPTION, PROGRESS_NOTE, REASON, REVIEW, QUOTE, NOTE} <= set(said)
    assert (await ann.get(f"/books/{book}?as-of=2026-03-02T00:00:00Z"))["notes"] == NOTES
    log = b"".join(await ann.records()).lower()
    assert [word for word in WORDS if word.encode() in log] == []


async def test_opened_answers_are_never_kept(ann: SealedShelf) -> None:
    book = await ann.fill()
    for _ in range(2):
        answer = await ann.send("GET", f"/books/{book}")
        assert answer.headers["Cache-Control"] == "no-store"
        tag = answer.headers["ETag"]
    assert (await ann.send("GET", f"/books/{book}", If_None_Match=tag)).json["notes"] == NOTES
    assert (await ann.send("GET", "/books/facets")).headers["Cache-Control"] == "private, no-cache"


async def test_the_same_text_appends_nothing(ann: SealedShelf) -> None:
    book = await ann.fill()
    before = len(await ann.records())
    at = f"/books/{book}"
    await ann.send("PATCH", at, {"notes": NOTES, "description": DESCRIPTION})
    await ann.send("PUT", f"{at}/review", {"text": REVIEW})
    await ann.send("PATCH", f"{at}/passages/1", {"quote": QUOTE, "note": NOTE})
    await ann.send("POST", f"{at}/readings/1/abandoned", {"reason": REASON})
    assert len(await ann.records()) == before
    await ann.send("PATCH", at, {"notes": NOTES + "!"})
    assert len(await ann.records()) == before + 1


async def test_a_retry_with_personal_texts_is_a_repetition_and_another_text_is_not(ann: SealedShelf) -> None:
    book = await ann.fill()
    fields = {"title": "Dune", "author": "Frank Herbert", "notes": NOTES, "description": DESCRIPTION}
    again = await ann.send("POST", "/books", fields, Idempotency_Key="add")
    assert (again.json["id"], again.headers["Idempotency-Replayed"]) == (book, "true")
    other = await ann.shelf.send("POST", "/books", {**fields, "notes": "else"}, Idempotency_Key="add")
    assert other.status == 422


async def test_if_match_compares_versions_and_undo_brings_texts_back(ann: SealedShelf) -> None:
    book = await ann.fill()
    tag = (await ann.send("GET", f"/books/{book}")).headers["ETag"]
    changed = await ann.send("PATCH", f"/books/{book}", {"notes": "else"}, If_Match=tag)
    change = await ann.get(f"/changes/{changed.headers['Bookshelf-Change']}")
    assert change["events"][0]["data"] == {"notes": "else"}
    [request] = change["undo"]
    assert request["body"] == {"notes": NOTES}
    await ann.send(request["method"], request["path"], request["body"])
    assert (await ann.get(f"/books/{book}"))["notes"] == NOTES


async def test_personal_texts_are_searched(ann: SealedShelf) -> None:
    book = await ann.fill()
    for word in ("zebulon", "quokka", "wombat", "kookab"):
        assert [found["id"] for found in await ann.get(f"/books?q={word}")] == [book]
    assert len(await ann.get("/passages?q=wombat")) == 1
    await ann.send("PATCH", f"/books/{book}", {"notes": "Lent by Quentin"})
    assert await ann.get("/books?q=zebulon") == []


async def test_a_forgotten_person_leaves_no_text(ann: SealedShelf) -> None:
    book = await ann.fill()
    await ann.get(f"/books/{book}")
    assert ann.words_in_files()
    await ann.seals.forget(ANN)
    shown = await ann.get(f"/books/{book}")
    assert (shown["title"], shown["notes"], shown["review"]) == ("Dune", FORGOTTEN, FORGOTTEN)
    assert (await ann.get(f"/books/{book}/passages"))[0]["quote"] == FORGOTTEN
    assert (await ann.get(f"/books/{book}/history"))[0]["data"]["notes"] == FORGOTTEN

    async def gone() -> bool:
        return not ann.words_in_files()

    await eventually(gone, "the rows are rebuilt without the texts", 30)
    assert await ann.get("/books?q=zebulon") == []
    assert [found["id"] for found in await ann.get("/books?q=dune")] == [book]
    assert (await ann.get(f"/books/{book}"))["notes"] == FORGOTTEN
    refused = await ann.shelf.send("PATCH", f"/books/{book}", {"notes": "again"})
    assert refused.status == 403
