"""The state cache of an owner: recently used snapshots in memory, all others in the state store."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec
import structlog

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.parent import is_child, parent_of
from bookshelf.log.port import Record
from bookshelf.runtime.aggregate.disposable_file import Unsaved
from bookshelf.runtime.aggregate.key_filter import KeyFilter
from bookshelf.runtime.aggregate.later_records import LaterRecords, Recent, bytes_of, large
from bookshelf.runtime.aggregate.snapshot import (
    AggregateSnapshot,
    CompletedCommand,
    SnapshotFold,
    memory_of,
    spill,
)
from bookshelf.runtime.aggregate.state_store import NO_ENTRIES, CommandKey, Spilled, StateStore
from bookshelf.storage.port import TableSetCorrupt

T = TypeVar("T")
#: Minimum time in hours for which a completed command is remembered.
COMMAND_MEMORY_H = 24.0
#: Bytes of memory for the states of all partitions of a host together.
CACHE_BYTES = 32 << 20
#: Keys that the filter is given beside a look-up.
_FILLED_AT_ONCE = 5000
#: The format of stored snapshots; a store of another format is rebuilt from the log.
_FORMAT = "5"
_logger = structlog.get_logger(__name__)


class StateIndex(Protocol):
    """Derives a text from each snapshot, by which the store orders the keys. `name` identifies the rule."""

    name: str

    def entry(self, snapshot: AggregateSnapshot[Any]) -> str | None:
        """Return the text of a snapshot; None if it has none. It must not raise."""


class SnapshotForms:
    """Makes and decodes the snapshots of an aggregate, and those of its parent, by their keys."""

    def __init__(self, aggregate: Aggregate[Any]) -> None:
        own, parent = aggregate.initial, aggregate.parent
        self._fold = SnapshotFold(aggregate)
        #: True if a snapshot follows from an earlier one of its key and the records of the key alone.
        self.follow_from_records = parent is None
        self._empty: AggregateSnapshot[Any] = AggregateSnapshot(own)
        self._decode = msgspec.msgpack.Decoder(AggregateSnapshot[type(own)]).decode  # type: ignore[misc]
        self._empty_parent, self._decode_parent = self._empty, self._decode
        if parent is not None:
            above = parent.initial
            self._empty_parent = AggregateSnapshot(above)
            self._decode_parent = msgspec.msgpack.Decoder(AggregateSnapshot[type(above)]).decode  # type: ignore[misc]

    def empty(self, key: str) -> AggregateSnapshot[Any]:
        """Return the snapshot of a key without a record: the same one for every child, or parent."""
        return self._empty if is_child(key) else self._empty_parent

    def decoded(self, key: str, value: bytes, records: Iterable[Record] = ()) -> AggregateSnapshot[Any]:
        """Decode the stored snapshot of a key, and fold the records after it. Raises `MsgspecError`."""
        decode = self._decode if is_child(key) else self._decode_parent
        snapshot: AggregateSnapshot[Any] = decode(value)
        for record in records:
            snapshot, _ = spill(self._fold.apply(snapshot, record)[0])
        return snapshot


class StateCache:
    """A least-recently-used cache of up to `capacity` snapshots and `capacity_bytes`, above a state store.

    Snapshots that changed since the last flush stay in memory whatever their age; the owner flushes when
    `full` is True: when those changed amount to a quarter of either limit. Of a large one only the records
    since are stored, as long as they are few (`LaterRecords`). While all snapshots fit in memory
    (`_complete`), a miss is a new aggregate and needs no look-up. Later most of them need none, because a
    filter has all stored keys: after a start it is filled beside the look-ups, and counts once it has all.
    """

    def __init__(
        self,
        aggregate: Aggregate[Any],
        store: StateStore,
        executor: Executor | None,
        capacity: int = 20_000,
        command_memory_h: float = COMMAND_MEMORY_H,
        capacity_bytes: int = CACHE_BYTES,
    ) -> None:
        self._aggregate = aggregate
        self._forms = SnapshotForms(aggregate)
        self._store = store
        self._executor = executor
        self._capacity = capacity
        self._capacity_bytes = capacity_bytes
        self._cache: OrderedDict[str, AggregateSnapshot[Any]] = OrderedDict()
        #: Bytes of the cached snapshots by key; empty snapshots have no entry.
        self._sizes: dict[str, int] = {}
        self._cache_bytes = 0
        self._dirty: dict[str, AggregateSnapshot[Any]] = {}
        #: Bytes of the changed snapshots: their sizes before the change plus the sizes of the records since.
        self._dirty_bytes = 0
        self._recent = LaterRecords()
        self._flushing: dict[str, AggregateSnapshot[Any]] = {}
        #: Completed commands that no longer fit in their snapshot: not stored yet, and being stored.
        self._spilled: dict[CommandKey, CompletedCommand] = {}
        self._spilling: dict[CommandKey, CompletedCommand] = {}
        self._memory_ms = int(command_memory_h * 3_600_000)
        self._newest_ms = 0
        #: The number of flushes: an earlier look-up in the store is outdated once this has grown.
        self.saved = 0
        self._encode = msgspec.msgpack.Encoder().encode
        self._complete = False
        self._filter = KeyFilter()
        #: The last key that the filter was given from the store; None once it has all.
        self._filled: str | None = ""
        self._damaged = False
        #: Set before `open` if the keys are to be found by a text from their snapshots.
        self.index: StateIndex | None = None
        self._enough, self._enough_bytes = capacity // 4, capacity_bytes // 4

    def __len__(self) -> int:
        """Return how many snapshots are in memory; one that changed since the last flush may count twice."""
        return len(self._cache) + len(self._dirty) + len(self._flushing)

    @property
    def full(self) -> bool:
        """True if so much has changed that the owner should flush."""
        changed = len(self._dirty) + len(self._spilled)
        return changed >= self._enough or self._dirty_bytes >= self._enough_bytes

    async def open(self, source: str) -> tuple[int, str]:
        """Open the store; return the offset of its states, and the mark of the record before that offset."""
        made_by = f"{source}/{form_of(self._aggregate, self.index)}"  # states of another form cannot be used
        offset, count = await self._in_thread(lambda: self._store.open(made_by))
        self._complete = count == 0
        self._filled = None if self._complete else ""
        return offset, self._store.mark

    async def reset(self) -> None:
        """Empty the store, because the log does not have the offset of its states."""
        await self._in_thread(self._store.reset)
        self._complete = True
        self._filter, self._filled = KeyFilter(), None
        self._recent = LaterRecords()

    async def load(self, keys: Collection[str]) -> None:
        """Load the snapshots of these keys; they stay in memory until the caller next awaits.

        Those of the parents of children are loaded too.
        """
        self._trim()
        if self._aggregate.parent is not None:
            keys = {*keys, *map(parent_of, keys)}
        while missing := [key for key in keys if not self._here(key)]:
            if self._complete:
                self._cache.update((key, self._forms.empty(key)) for key in missing)
                return
            sought = self._maybe_stored(missing)
            stored = await self._load_stored(sought) if sought else {}
            for key in missing:
                if not self._here(key):
                    snapshot = stored.get(key)
                    if snapshot is None:
                        self._keep(key, self._forms.empty(key), 0)
                    else:
                        self._keep(key, snapshot, memory_of(snapshot))

    def _keep(self, key: str, snapshot: AggregateSnapshot[Any], size: int) -> None:
        """Put a stored snapshot into the cache as the most recently used."""
        self._cache_bytes += size - self._sizes.pop(key, 0)
        if size:
            self._sizes[key] = size
        self._cache[key] = snapshot
        self._cache.move_to_end(key)

    def _maybe_stored(self, keys: Sequence[str]) -> Sequence[str]:
        """Return those of the keys that the store may have."""
        return keys if self._filled is not None else [key for key in keys if key in self._filter]

    async def _load_stored(self, keys: Collection[str]) -> dict[str, AggregateSnapshot[Any]]:
        stored, later = await self._read_store(partial(self._look_up, keys))
        try:
            found = {
                key: self._forms.decoded(key, value, later.get(key, ())) for key, value in stored.items()
            }
        except msgspec.MsgspecError:
            self._damaged = True
            raise
        for key, value in stored.items():
            if not self._here(key):
                self._recent.loaded(key, len(value), later.get(key, ()))
        return found

    def _look_up(self, keys: Collection[str]) -> tuple[dict[str, bytes], Mapping[str, Sequence[Record]]]:
        """Look keys up in the store, and give the filter some more of its keys. Raises `TableSetCorrupt`.

        Returns their snapshots, and the records after them.
        """
        after = self._filled
        if after is not None:
            some = self._store.keys(after, _FILLED_AT_ONCE)
            self._filter.add(some)
            self._filled = some[-1] if len(some) == _FILLED_AT_ONCE else None
        stored = self._store.load(keys)
        return stored, self._store.later(large(stored))

    async def _read_store(self, work: Callable[[], T]) -> T:
        """Read the store. One that is damaged, or of another release, is rebuilt by the next start."""
        try:
            return await self._in_thread(work)
        except TableSetCorrupt:
            self._damaged = True
            raise

    def _here(self, key: str) -> bool:
        return key in self._dirty or key in self._cache or key in self._flushing

    def fresh(self, keys: Iterable[str]) -> None:
        """Take these keys as never used before, so that `load` need not look them up."""
        for key in keys:
            if not self._here(key):
                self._cache[key] = self._forms.empty(key)

    def get(self, key: str) -> AggregateSnapshot[Any]:
        """Return the snapshot of a key that was loaded before."""
        snapshot = self._dirty.get(key) or self._flushing.get(key)
        if snapshot is None:
            snapshot = self._cache[key]
            self._cache.move_to_end(key)
        return snapshot

    def put(
        self, key: str, snapshot: AggregateSnapshot[Any], size: int = 0, record: Record | None = None
    ) -> None:
        """Replace a key's snapshot by a newer one; `size` is that of the record in between, in bytes.

        With `record`, the new one is what the fold makes of the former one and this record.
        """
        self._recent.add(key, record if self._forms.follow_from_records else None)
        self._dirty_bytes += size + (0 if key in self._dirty else self._sizes.get(key, 0))
        self._dirty[key] = snapshot

    def spill(self, key: str, older: Iterable[CompletedCommand], newest_ms: int) -> None:
        """Keep completed commands that left their snapshot; `newest_ms` is the log's newest time."""
        self._spilled.update(((key, done.command), done) for done in older)
        self._newest_ms = max(self._newest_ms, newest_ms)

    def recall(self, key: str, command: str) -> CompletedCommand | None:
        """Return a completed command that left its snapshot and is not stored yet; None if there is none."""
        return self._spilled.get((key, command)) or self._spilling.get((key, command))

    async def recall_stored(self, commands: Collection[CommandKey]) -> dict[CommandKey, CompletedCommand]:
        """Return those of the commands that the store has as completed. Raises `TableSetCorrupt`."""
        return await self._read_store(partial(self._store.recall, commands))

    async def first(self, most: int) -> dict[str, str]:
        """Return the first stored keys of the index with their texts, in order. Raises `TableSetCorrupt`."""
        return await self._read_store(lambda: self._store.first(most))

    async def flush(self, offset: int, mark: str = "", *, now: datetime | None = None) -> None:
        """Store the changed snapshots as of `offset`, then drop the least recently used ones from memory.

        Completed commands are forgotten once they are older than the command memory. Their age is measured by
        the times of the log's events; times after `now` count as `now`.
        If the disk refuses the write, the changes stay in memory, and the next flush is due once twice as
        much has changed.
        """
        if self._damaged:
            return
        self._flushing, self._dirty = self._dirty, {}
        flushing_bytes, self._dirty_bytes = self._dirty_bytes, 0
        self._spilling, self._spilled = self._spilled, {}
        changed, spilled, recent = self._flushing, self._spilling, self._recent.take()
        by_records = self._recent.enough(recent)
        newest_ms = self._newest_ms if now is None else min(self._newest_ms, int(now.timestamp() * 1000))
        kept = Spilled(spilled, newest_ms - self._memory_ms)
        try:
            lengths, sizes = await self._in_thread(
                lambda: self._save(changed, by_records, offset, mark, kept)
            )
        except Unsaved as fault:
            self._unsaved(changed, flushing_bytes, recent)
            self._enough = 2 * (len(self._dirty) + len(self._spilled))
            self._enough_bytes = max(self._enough_bytes, 2 * self._dirty_bytes)
            _logger.warning("states-not-stored", aggregate=self._aggregate.name, why=str(fault))
            return
        except BaseException:
            self._unsaved(changed, flushing_bytes, recent)
            raise
        self._recent.saved(lengths, by_records)
        self._note_saved(changed, sizes, by_records)

    def _note_saved(
        self,
        changed: dict[str, AggregateSnapshot[Any]],
        sizes: Mapping[str, int],
        by_records: Collection[str],
    ) -> None:
        """Keep what was stored in the cache, as far as there is room."""
        self._enough, self._enough_bytes = self._capacity // 4, self._capacity_bytes // 4
        self.saved += 1
        self._spilling = {}
        for key, snapshot in changed.items():
            size = sizes[key]
            if key in by_records:
                size = self._sizes[key] + size if key in self._sizes else memory_of(snapshot)
            self._keep(key, snapshot, size)
        self._flushing = {}
        self._trim()

    def _unsaved(self, changed: dict[str, AggregateSnapshot[Any]], size: int, recent: Recent) -> None:
        self._recent.put_back(recent)
        self._dirty = {**changed, **self._dirty}
        self._dirty_bytes += size
        self._flushing = {}
        self._spilled = {**self._spilling, **self._spilled}
        self._spilling = {}

    def _save(
        self,
        changed: dict[str, AggregateSnapshot[Any]],
        by_records: Mapping[str, Sequence[Record]],
        offset: int,
        mark: str,
        spilled: Spilled,
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Write what has changed to the store: snapshots, or records.

        Returns the bytes of each stored snapshot; and of each changed one the bytes that it takes in memory,
        or about how many more than before if its records are stored.
        """
        self._filter.add(changed)  # before they are stored: the filter has whatever the store has
        whole = {key: snapshot for key, snapshot in changed.items() if key not in by_records}
        values = {key: self._encode(snapshot) for key, snapshot in whole.items()}
        entries = NO_ENTRIES
        if self.index is not None:
            entries = {key: self.index.entry(snapshot) for key, snapshot in changed.items()}
        self._store.save({**values, **by_records}, offset, entries, mark, spilled)
        sizes = {key: memory_of(snapshot) for key, snapshot in whole.items()}
        sizes |= {key: bytes_of(records) for key, records in by_records.items()}
        return {key: len(value) for key, value in values.items()}, sizes

    def _trim(self) -> None:
        while len(self._cache) > self._capacity or self._cache_bytes > self._capacity_bytes:
            key, snapshot = self._cache.popitem(last=False)
            self._cache_bytes -= self._sizes.pop(key, 0)
            self._recent.forget(key)
            self._complete = self._complete and snapshot is self._forms.empty(key)

    async def close(self) -> None:
        """Close the store; changes that were not flushed are read from the log again."""
        if self._damaged:
            await self._in_thread(self._store.reset)
        await self._in_thread(self._store.close)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._executor is None:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def form_of(aggregate: Aggregate[Any], index: StateIndex | None = None) -> str:
    """Return what stored states depend on: format, aggregate version, shape of the state, index."""
    shape = msgspec.json.encode(msgspec.json.schema(type(aggregate.initial)), order="sorted")
    indexed = "" if index is None else f"/{index.name}"
    parent, made_with = aggregate.parent, ""
    if parent is not None:
        shape += msgspec.json.encode(msgspec.json.schema(type(parent.initial)), order="sorted")
        made_with = f"/parent-v{parent.version}"
    digest = hashlib.sha256(shape).hexdigest()[:12]
    return f"{_FORMAT}/v{aggregate.version}/{digest}{indexed}{made_with}"
