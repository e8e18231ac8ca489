"""A view that opens sealed texts is rebuilt without them once their keys were destroyed, on every storage."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from sqlalchemy import Column, MetaData, Table, insert, select
from support.counter_context import TOPIC, said, written
from support.faulty import FaultyLog
from support.fixed_infrastructure import FixedClock
from support.until import eventually
from support.views import Views, caught_up

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import SEALED, Event, opened, sealed
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.keyring.keyring import Keyring
from bookshelf.keyring.memory import MemoryKeyTable
from bookshelf.log.port import NewRecord
from bookshelf.runtime.sealing import Seals
from bookshelf.runtime.view.dead_letters import listed, retry
from bookshelf.runtime.view.host import ViewHost
from bookshelf.storage.statements import TEXT


class NoteTaken(Event, frozen=True):
    """An event with a personal text."""

    TYPE: ClassVar[str] = "test.note-taken.v1"
    notes: Annotated[str, sealed("notes")]


TABLES = MetaData()
notes = Table(
    "note",
    TABLES,
    Column("id", TEXT, primary_key=True),
    Column("stored", TEXT, nullable=False),
    Column("words", TEXT, nullable=False),
)
_ADD = insert(notes)


class NotesView:
    """A view of notes with their words, whose handler has a defect until it is repaired."""

    def __init__(self) -> None:
        self.repaired = True
        handlers: dict[type[Event], Handler] = {NoteTaken: self._taken}
        catalogue = Catalogue(NoteTaken)
        self.view = View(
            name="notes", topic=TOPIC, catalogue=catalogue, tables=TABLES, handlers=handlers, opens=True
        )

    def _taken(self, event: Any, recorded: Recorded) -> Iterable[Change]:  # noqa: ANN401 (one event's)
        if not self.repaired:
            msg = "a defect of the handler"
            raise ZeroDivisionError(msg)
        yield _ADD, {"id": recorded.subject, "stored": event.notes, "words": opened(event.notes)}


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(MemoryKeyTable(), b"secret", FixedClock().now)


@pytest.fixture
def seals(views: Views, keyring: Keyring) -> Seals:
    views.seals = Seals(keyring)
    return views.seals


async def note(seals: Seals, person: str, text: str) -> NewRecord:
    event = await seals.seal(NoteTaken(notes=text), person)
    return said(NoteTaken.TYPE, person, msgspec.json.encode(event))


async def words(host: ViewHost, log: FaultyLog) -> dict[str, str]:
    """Return the words of each person; what is stored beside them is sealed."""
    await caught_up(host, log)
    rows = await host.query(lambda db: db.execute(select(notes)).all())
    assert all(row.stored.startswith(SEALED) for row in rows)
    return {row.id: row.words for row in rows}


async def rebuilt(host: ViewHost, log: FaultyLog, expected: dict[str, str]) -> None:
    async def is_rebuilt() -> bool:
        return await words(host, log) == expected

    await eventually(is_rebuilt, "the view has rows without the texts", 30)


async def test_rows_are_rebuilt_whenever_a_key_was_destroyed(
    views: Views, log: FaultyLog, seals: Seals
) -> None:
    await written(log, await note(seals, "a-1", "one"), await note(seals, "a-2", "two"))
    host = await views.host(NotesView().view)
    assert await words(host, log) == {"a-1": "one", "a-2": "two"}
    await seals.forget("a-1")
    await rebuilt(host, log, {"a-1": "", "a-2": "two"})
    await seals.forget("a-2")
    await rebuilt(host, log, {"a-1": "", "a-2": ""})
    await written(log, await note(seals, "a-3", "three"))
    assert await words(host, log) == {"a-1": "", "a-2": "", "a-3": "three"}


async def test_a_key_that_was_destroyed_meanwhile_is_found_at_the_start(
    views: Views, log: FaultyLog, seals: Seals, keyring: Keyring
) -> None:
    await written(log, await note(seals, "a-1", "one"))
    view = NotesView().view
    assert await words(await views.host(view), log) == {"a-1": "one"}
    await views.stop()
    await keyring.destroy("a-1")
    views.seals = Seals(keyring)
    host = await views.host(view)
    await rebuilt(host, log, {"a-1": ""})
    assert host.rows.erasure == views.seals.erasure


async def test_a_dead_letter_is_opened_when_it_is_applied_again(
    views: Views, log: FaultyLog, seals: Seals, keyring: Keyring
) -> None:
    await written(log, await note(seals, "a-1", "one"))
    broken = NotesView()
    broken.repaired = False
    host = await views.host(broken.view)
    assert await words(host, log) == {}
    broken.repaired = True
    await views.stop()
    views.seals = Seals(keyring)
    host = await views.host(broken.view)
    if await listed(host.rows):  # rows in memory are lost with the host
        await retry(host.rows)
    assert await words(host, log) == {"a-1": "one"}


async def test_a_text_that_was_changed_in_the_log_is_a_dead_letter(
    views: Views, log: FaultyLog, seals: Seals
) -> None:
    event = await seals.seal(NoteTaken(notes="one"), "a-1")
    await seals.required().make("a-2")
    moved = msgspec.json.encode(NoteTaken(notes=event.notes.replace("a-1", "a-2")))
    await written(log, said(NoteTaken.TYPE, "a-2", moved))
    host = await views.host(NotesView().view)
    assert await words(host, log) == {}
    [letter] = await listed(host.rows)
    assert letter.reason.startswith("SealBroken")
