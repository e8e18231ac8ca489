"""The states that a node copies: folded late they are as if folded at once, also after faults of the disk."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookshelf.cluster.session_events import (
    TOPIC,
    ClientSessionChanged,
    ClientSessionClosed,
    ClientSessionCopied,
    ClientSessionOpened,
    SharedStateChanged,
    SharedStateCopied,
)
from bookshelf.cluster.session_parts import PARTS
from bookshelf.cqrs.envelope import Envelope, encode_envelope
from bookshelf.cqrs.message import Event
from bookshelf.log.port import Record
from bookshelf.runtime.agent import copy_file
from bookshelf.runtime.agent.copied_states import CopiedStates, CopiesClosed, States
from bookshelf.runtime.agent.copy_file import CopyFile, Fold, Stored
from bookshelf.runtime.aggregate.disposable_file import Unsaved
from bookshelf.storage.port import TableSetCorrupt

AGGREGATES = (PARTS.session, PARTS.shared)
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
KEYS = ("a", "b", "c", "shared")
NAMES = ("service/one/x", "service/one/y", "group/all/x", "shared/x")


def record(offset: int, key: str, event: Event | bytes) -> Record:
    if isinstance(event, bytes):
        return Record(TOPIC, 0, offset, key, event)
    envelope = Envelope(
        specversion="1.0",
        id=f"e-{offset}",
        source="client-session",
        type=event.TYPE,
        subject=key,
        time=BEGAN,
        datacontenttype="application/json",
        data=msgspec.Raw(msgspec.json.encode(event)),
        actor="reader",
    )
    return Record(TOPIC, 0, offset, key, encode_envelope(envelope))


def changed(n: int, name: str = NAMES[0]) -> ClientSessionChanged:
    value = {name: msgspec.Raw(str(n).encode())}
    return ClientSessionChanged(set=value, drop=(), versions={}, at=BEGAN, keys=1, bytes=20)


def opened(n: int = 0) -> ClientSessionOpened:
    return ClientSessionOpened(
        domain="blue", service="one", owner="", idle_s=1800.0, at=BEGAN + timedelta(seconds=n)
    )


def eagerly(history: Sequence[tuple[str, Event | bytes]]) -> dict[str, States]:
    states: dict[str, States] = {key: {} for key in KEYS}
    for key, event in history:
        for aggregate in AGGREGATES:
            if isinstance(event, aggregate.folds):
                state = states[key].get(aggregate.name, aggregate.initial)
                states[key][aggregate.name] = aggregate.evolve(state, event)
    return states


def _copied(values: Mapping[str, msgspec.Raw], versions: Mapping[str, int], n: int) -> ClientSessionCopied:
    scopes = {"service/one/": n}
    return ClientSessionCopied(
        domain="blue",
        service="one",
        owner="",
        idle_s=1800.0,
        opened=BEGAN,
        touched=BEGAN,
        at=BEGAN,
        n=n,
        set=dict(values),
        versions=dict(versions),
        scopes=scopes,
        bytes=20,
    )


_values = st.dictionaries(
    st.sampled_from(NAMES), st.integers(0, 99).map(lambda n: msgspec.Raw(str(n).encode()))
)
_versions = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 99))
_drop = st.lists(st.sampled_from(NAMES), max_size=2).map(tuple)
_moments = st.integers(0, 99).map(lambda n: BEGAN + timedelta(seconds=n))
_events: st.SearchStrategy[Event | bytes] = st.one_of(
    st.builds(opened, st.integers(0, 99)),
    st.builds(
        ClientSessionChanged,
        set=_values,
        drop=_drop,
        versions=_versions,
        at=_moments,
        keys=st.just(1),
        bytes=st.just(9),
    ),
    st.builds(_copied, _values, _versions, st.integers(0, 99)),
    st.builds(ClientSessionClosed, reason=st.sampled_from(("client", "idle")), at=_moments),
    st.builds(SharedStateChanged, set=_values, drop=_drop, versions=_versions, at=_moments),
    st.builds(
        SharedStateCopied,
        at=_moments,
        n=st.integers(0, 99),
        set=_values,
        versions=_versions,
        scopes=st.just({"shared/": 7}),
    ),
    st.sampled_from((b"no JSON", b"{}")),
)
_added = st.lists(st.tuples(st.sampled_from(KEYS), _events), min_size=1, max_size=12)
_steps = st.one_of(
    _added, _added, st.sampled_from(KEYS), st.sampled_from(("store", "fail to store", "open anew", "crash"))
)


class RefusingFile(CopyFile):
    """A file of which the next `refused` writes are refused; `meanwhile` is called in each write."""

    refused = 0
    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def save(
        self,
        later: Mapping[str, Sequence[bytes]],
        whole: Mapping[str, Stored],
        fold: Fold,
        end: tuple[int, str],
    ) -> None:
        self.meanwhile()
        if self.refused:
            self.refused -= 1
            msg = "the disk is full"
            raise Unsaved(msg)
        super().save(later, whole, fold, end)


class Kept:
    """The copies of one partition, and its log."""

    def __init__(self, folder: Path, capacity: int = 8) -> None:
        self.file = RefusingFile(folder / "copies.sqlite")
        self.history: list[tuple[str, Event | bytes]] = []
        self._capacity = capacity
        self.states: CopiedStates

    async def open(self) -> int:
        """Open the copies, and add what the file does not have yet; return how much it had."""
        self.states = CopiedStates(AGGREGATES, self.file, None, self._capacity)
        offset, _ = await self.states.open("log")
        self._add(offset)
        return offset

    def _add(self, start: int) -> None:
        numbered = enumerate(self.history[start:], start)
        self.states.add([record(offset, key, event) for offset, (key, event) in numbered])

    async def add(self, some: Sequence[tuple[str, Event | bytes]]) -> None:
        start = len(self.history)
        self.history.extend(some)
        self._add(start)
        await self.states.fold_many()

    async def store(self) -> None:
        await self.states.flush(len(self.history), "mark")

    async def step(self, step: object) -> None:
        match step:
            case list():
                await self.add(step)
            case "store":
                await self.store()
            case "fail to store":
                self.file.refused = 1
                await self.store()
                self.file.refused = 0
            case "open anew" | "crash":
                if step == "open anew":
                    await self.store()
                await self.states.close()
                await self.open()
            case str(key):
                assert await self.states.states(key) == eagerly(self.history)[key]

    async def all(self) -> dict[str, States]:
        return {key: dict(await self.states.states(key)) for key in KEYS}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@given(st.lists(_steps, max_size=25))
def test_states_that_are_folded_late_are_those_that_are_folded_at_once(steps: list[Any]) -> None:
    async def run() -> None:
        with TemporaryDirectory() as folder:
            kept = Kept(Path(folder), capacity=2)
            await kept.open()
            for step in steps:
                await kept.step(step)
            assert await kept.all() == eagerly(kept.history)
            await kept.states.close()

    asyncio.run(run())


async def test_a_record_is_folded_only_for_a_key_that_is_asked_for(folder: Path) -> None:
    folded: list[Event] = []

    def evolve(state: Any, event: Event) -> Any:  # noqa: ANN401 (the aggregate's state)
        folded.append(event)
        return PARTS.session.evolve(state, event)

    states = CopiedStates(
        (replace(PARTS.session, evolve=evolve), PARTS.shared), CopyFile(folder / "c.sqlite")
    )
    await states.open("log")
    states.add([record(n, f"key-{n % 100}", opened() if n < 100 else changed(n)) for n in range(200)])
    await states.flush(200, "")
    assert not folded
    assert (await states.get(PARTS.session, "key-7")).content.values[NAMES[0]].json == "107"
    assert len(folded) == 2
    await states.get(PARTS.session, "key-7")
    assert len(folded) == 2
    await states.close()


async def test_a_hot_key_that_is_never_asked_for_keeps_few_records(folder: Path) -> None:
    kept = Kept(folder, capacity=1000)
    await kept.open()
    await kept.add([("a", opened())])
    for n in range(30):
        await kept.add([("a", changed(n * 10 + m)) for m in range(10)])
        await kept.store()
        with sqlite3.connect(folder / "copies.sqlite") as db:
            [(stored,)] = db.execute("SELECT n FROM copy")
        db.close()
        assert stored <= copy_file.FOLD_AFTER
    assert (await kept.states.get(PARTS.session, "a")).content.n == 300
    await kept.add([("b", opened()), *(("b", changed(n)) for n in range(200))])
    await kept.store()
    assert kept.file.load("b") == (msgspec.msgpack.encode(eagerly(kept.history)["b"]), [])
    await kept.states.close()


async def test_a_write_that_is_cancelled_counts_once_it_has_ended(folder: Path) -> None:
    kept, begun, going_on = Kept(folder), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait() -> None:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(going_on.wait(), loop).result(20)

    await kept.open()
    await kept.add([("a", opened()), ("a", changed(1))])
    kept.file.meanwhile = wait
    storing = asyncio.create_task(kept.store())
    await begun.wait()
    storing.cancel()
    await kept.add([("a", changed(2))])
    going_on.set()
    with pytest.raises(asyncio.CancelledError):
        await storing
    assert storing.cancelled()
    kept.file.meanwhile = lambda: None
    await kept.store()
    assert (await kept.states.get(PARTS.session, "a")).content.n == 2
    await kept.states.close()
    assert await kept.open() == 3
    assert await kept.all() == eagerly(kept.history)
    await kept.states.close()


async def test_a_file_that_is_damaged_ends_the_copies_and_is_made_again(folder: Path) -> None:
    kept = Kept(folder)
    await kept.open()
    await kept.add([("a", opened()), ("a", changed(1))])
    await kept.store()
    with sqlite3.connect(folder / "copies.sqlite") as db:
        db.execute("UPDATE copy SET states = x'c1', later = x''")
    db.close()
    noticing = asyncio.create_task(kept.states.damaged())
    with pytest.raises(msgspec.MsgspecError):
        await kept.states.get(PARTS.session, "a")
    with pytest.raises(msgspec.MsgspecError):
        await noticing
    await kept.store()
    await kept.states.close()
    with pytest.raises(CopiesClosed):
        await kept.states.get(PARTS.session, "a")
    assert await kept.open() == 0
    assert await kept.all() == eagerly(kept.history)
    await kept.states.close()


async def test_a_file_that_cannot_be_written_for_another_reason_than_the_disk_is_made_again(
    folder: Path,
) -> None:
    kept = Kept(folder)
    await kept.open()
    await kept.add([("a", opened())])
    with sqlite3.connect(folder / "copies.sqlite") as db:
        db.execute("CREATE TRIGGER no BEFORE INSERT ON copy BEGIN SELECT RAISE(ABORT, 'no'); END")
    db.close()
    with pytest.raises(TableSetCorrupt):
        await kept.store()
    await kept.store()
    await kept.states.close()
    assert await kept.open() == 0
    await kept.states.close()


async def test_a_file_of_another_boot_is_made_again(folder: Path) -> None:
    kept = Kept(folder)
    await kept.open()
    await kept.add([("a", opened())])
    await kept.store()
    await kept.states.close()
    with sqlite3.connect(folder / "copies.sqlite") as db:
        db.execute("UPDATE about SET value = value || 'x' WHERE name = 'source'")
    db.close()
    assert await kept.open() == 0
    await kept.states.close()


async def test_memory_is_bounded_by_number_and_bytes(folder: Path) -> None:
    states = CopiedStates(AGGREGATES, CopyFile(folder / "c.sqlite"), None, 8, 40_000)
    await states.open("log")
    filled = [states.full]
    states.add([record(0, "a", opened()), record(1, "b", opened())])
    filled.append(states.full)
    await states.flush(2, "")
    filled.append(states.full)
    states.add([record(2, "a", ClientSessionClosed(reason="x" * 20_000, at=BEGAN))])
    filled.append(states.full)
    assert filled == [False, True, False, True]
    await states.flush(3, "")
    for n in range(100):
        await states.get(PARTS.session, f"unknown-{n}")
    assert len(states) <= 8
    states.add([record(3, "c", ClientSessionClosed(reason="x" * 30_000, at=BEGAN))])
    await states.flush(4, "")
    await states.get(PARTS.session, "a")
    await states.get(PARTS.session, "c")
    assert len(states) == 1
    await states.close()
