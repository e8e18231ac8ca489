"""The states of one partition that a node copies: records are kept as they are until a state is asked for.

Most sessions that a node copies are never asked for there, so most records are never decoded.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog

from bookshelf.concurrency import to_its_end
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.catalogue import DecodedValue
from bookshelf.log.port import Record
from bookshelf.runtime.agent.copy_file import CopyFile, Stored
from bookshelf.runtime.aggregate.disposable_file import Unsaved
from bookshelf.runtime.aggregate.snapshot import AggregateSnapshot, memory_of
from bookshelf.runtime.aggregate.state_cache import CACHE_BYTES, form_of

T = TypeVar("T")
#: Records of one key that are kept in memory; with more they are folded.
_FOLD_AFTER = 64
#: Bytes of what is kept of a key, beside its states and records.
_KEPT_BYTES = 300
#: The format of the file; a file of another format is made again from the log.
_FORMAT = "1"
_logger = structlog.get_logger(__name__)


class CopiesClosed(Exception):
    """These copies were closed: they are opened anew, or their node ends."""


#: States by the name of their aggregate; without an entry it is the initial one.
States = dict[str, Any]


class _Kept(msgspec.Struct):
    """What is in memory of a key: states, and the values of the records after them, in order.

    Without states (None) the records come after what the file has. `counted`: its bytes in the cache.
    """

    values: list[bytes] = msgspec.field(default_factory=list)
    states: States | None = None
    counted: int = 0


class _Fold:
    """Folds the records of keys, which may be of several aggregates."""

    def __init__(self, aggregates: Sequence[Aggregate[Any]]) -> None:
        catalogue = aggregates[0].catalogue
        self.read, self.read_alone = catalogue.read, catalogue.read_alone
        self._of_event = {event: aggregate for aggregate in aggregates for event in aggregate.folds}
        self._parts = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
        self._decode: dict[str, Callable[[msgspec.Raw], Any]] = {
            aggregate.name: msgspec.msgpack.Decoder(type(aggregate.initial)).decode
            for aggregate in aggregates
        }
        self.encode = msgspec.msgpack.Encoder().encode

    def states(self, stored: Stored | None) -> States:
        """Return the states of what is stored of a key. Raises `MsgspecError`."""
        encoded, values = stored or (b"", ())
        parts = self._parts(encoded) if encoded else {}
        states = {name: self._decode[name](part) for name, part in parts.items()}
        self.apply(states, values, self.read_alone)
        return states

    def encoded(self, stored: Stored) -> bytes:
        """Return the encoded states of what is stored of a key. Raises `MsgspecError`."""
        return self.encode(self.states(stored))

    def apply(self, states: States, values: Sequence[bytes], decode: Callable[[bytes], DecodedValue]) -> None:
        """Apply records to the states of a key."""
        for value in values:
            try:
                _, event = decode(value)
                aggregate = None if event is None else self._of_event.get(type(event))
                if event is not None and aggregate is not None:
                    former = states.get(aggregate.name, aggregate.initial)
                    states[aggregate.name] = aggregate.evolve(former, event)
            except Exception:  # noqa: BLE001, S112 (it is a fault of its key, whose owner refuses all commands)
                continue


class CopiedStates:
    """The states of all aggregates of a topic in one partition, above a file.

    In memory is what has changed since the last flush, and up to `capacity` keys with `capacity_bytes` that
    were asked for last; all others are in the file. It is to be flushed when it is `full`: when a quarter
    of either limit has changed.
    """

    def __init__(
        self,
        aggregates: Sequence[Aggregate[Any]],
        file: CopyFile,
        executor: Executor | None = None,
        capacity: int = 20_000,
        capacity_bytes: int = CACHE_BYTES,
    ) -> None:
        self._aggregates = aggregates
        self._file = file
        self._executor = executor
        self._fold = _Fold(aggregates)
        self._capacity, self._capacity_bytes = capacity, capacity_bytes
        self._enough, self._enough_bytes = capacity // 4, capacity_bytes // 4
        self._cache: OrderedDict[str, _Kept] = OrderedDict()
        self._cache_bytes = 0
        #: What has changed since the last flush; of a key that is in the cache too, the same object.
        self._changed: dict[str, _Kept] = {}
        self._changed_bytes = 0
        self._many: set[str] = set()
        #: Held while the file is read or written: what is added meanwhile comes after what it has.
        self._using_file = asyncio.Lock()
        self._damaged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closed = False

    def __len__(self) -> int:
        """Return how many keys are in memory; one that has changed since the last flush may count twice."""
        return len(self._cache) + len(self._changed)

    @property
    def full(self) -> bool:
        """True if so much has changed that it is to be flushed."""
        return len(self._changed) >= self._enough or self._changed_bytes >= self._enough_bytes

    async def open(self, source: str) -> tuple[int, str]:
        """Open the file; return the offset that it is as of, and the mark of the record before that."""
        forms = "/".join(f"{aggregate.name}/{form_of(aggregate)}" for aggregate in self._aggregates)
        return await self._in_thread(lambda: self._file.open(f"{source}/{_FORMAT}/{forms}"))

    async def reset(self) -> None:
        """Empty the file, because the log does not have its offset."""
        await self._in_thread(self._file.reset)

    def add(self, records: Sequence[Record]) -> None:
        """Add the next records of the partition."""
        changed, cache = self._changed, self._cache
        for record in records:
            key = record.key
            kept = changed.get(key)
            if kept is None:
                kept = changed[key] = cache.get(key) or _Kept()
            values = kept.values
            values.append(record.value)
            if len(values) > _FOLD_AFTER:
                self._many.add(key)
        self._changed_bytes += sum([len(record.value) for record in records])

    async def fold_many(self) -> None:
        """Fold the records of the keys that have many of them in memory."""
        while self._many:
            await self.states(self._many.pop())

    async def get(self, aggregate: Aggregate[Any], key: str) -> Any:  # noqa: ANN401 (the aggregate's state)
        """Return the state of a key after all records that were added.

        Raises `CopiesClosed`, `TableSetCorrupt`.
        """
        return (await self.states(key)).get(aggregate.name, aggregate.initial)

    async def states(self, key: str) -> States:
        """Return the states of a key, as `get` does for one aggregate."""
        kept = self._changed.get(key) or self._cache.get(key)
        if kept is None or kept.states is None:
            kept = await self._load(key)
        states = kept.states = kept.states or {}
        if kept.values:
            self._fold.apply(states, kept.values, self._fold.read)
            kept.values = []
            self._count(key)
        elif key in self._cache:
            self._cache.move_to_end(key)
        return states

    async def _load(self, key: str) -> _Kept:
        """Return what is kept of a key, now with what the file has."""
        async with self._using_file:
            if self._closed:
                raise CopiesClosed
            kept = self._changed.get(key) or self._cache.get(key)
            if kept is not None and kept.states is not None:
                return kept
            try:
                states = self._fold.states(await self._in_thread(lambda: self._file.load(key)))
            except Exception as fault:
                self._note_damage(fault)
                raise
            kept = self._changed.get(key) or _Kept()  # records may have been added meanwhile
            kept.states = states
            self._cache[key] = kept
            self._count(key)
            return kept

    def _count(self, key: str) -> None:
        """Count the bytes of a key in the cache anew, and drop the keys that were asked for longest ago."""
        if (kept := self._cache.get(key)) is None:
            return
        self._cache.move_to_end(key)
        states = (kept.states or {}).values()
        size = _KEPT_BYTES + sum(map(len, kept.values))
        size += sum(memory_of(AggregateSnapshot(state)) for state in states)
        self._cache_bytes += size - kept.counted
        kept.counted = size
        while len(self._cache) > self._capacity or self._cache_bytes > self._capacity_bytes:
            _, oldest = self._cache.popitem(last=False)
            self._cache_bytes -= oldest.counted

    async def flush(self, offset: int, mark: str) -> None:
        """Store what has changed; the file is as of `offset` then. A cancellation waits for the end of it.

        If the disk refuses the write, all stays in memory, and the next flush is due once twice as much has
        changed. Raises `TableSetCorrupt`.
        """
        await to_its_end(self._flush(offset, mark))

    async def _flush(self, offset: int, mark: str) -> None:
        async with self._using_file:
            if self._damaged.done():
                return
            changed, self._changed = self._changed, {}
            size, self._changed_bytes = self._changed_bytes, 0
            later = {key: kept.values for key, kept in changed.items() if kept.states is None}
            whole: dict[str, Stored] = {
                key: (self._fold.encode(kept.states), tuple(kept.values))  # at once, as they change later
                for key, kept in changed.items()
                if kept.states is not None
            }
            try:
                await self._in_thread(
                    lambda: self._file.save(later, whole, self._fold.encoded, (offset, mark))
                )
            except Unsaved as fault:
                self._put_back(changed, size)
                _logger.warning("states-not-stored", aggregate=self._aggregates[0].name, why=str(fault))
                return
            except Exception as fault:
                self._note_damage(fault)  # it lacks what has changed: the next one is made from the log
                raise
            self._enough, self._enough_bytes = self._capacity // 4, self._capacity_bytes // 4
            for key in whole:
                self._count(key)

    def _put_back(self, changed: Mapping[str, _Kept], size: int) -> None:
        for key, kept in changed.items():
            later = self._changed.setdefault(key, kept)
            if later is not kept:  # then it left the cache before it was changed again
                later.states, later.values = kept.states, [*kept.values, *later.values]
        self._changed_bytes += size
        self._enough = 2 * len(self._changed)
        self._enough_bytes = max(self._enough_bytes, 2 * self._changed_bytes)

    def _note_damage(self, fault: Exception) -> None:
        if not self._damaged.done():
            self._damaged.set_exception(fault)
            self._damaged.exception()  # so that it counts as read

    async def damaged(self) -> None:
        """Wait until the file cannot be read, and raise why."""
        await asyncio.shield(self._damaged)

    async def close(self) -> None:
        """Close the file, after deleting it if it is damaged; what was not flushed is read again."""
        async with self._using_file:
            self._closed = True
            if self._damaged.done():
                await self._in_thread(self._file.reset)
            await self._in_thread(self._file.close)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Do work in a thread; also a cancelled caller leaves the file only once it has ended."""
        return await to_its_end(asyncio.get_running_loop().run_in_executor(self._executor, work))


MakeCopies = Callable[[Sequence[Aggregate[Any]], int], CopiedStates]


def sqlite_copies(folder: Path, partitions: int, cached: int, stack: AsyncExitStack) -> MakeCopies:
    """Return what makes the copies of a partition, in a file of this folder, until the stack closes.

    `cached`: the most keys of a partition that stay in memory once they were asked for.
    """
    threads = ThreadPoolExecutor(1, thread_name_prefix="copies")
    stack.push_async_callback(asyncio.to_thread, threads.shutdown)

    def made(aggregates: Sequence[Aggregate[Any]], partition: int) -> CopiedStates:
        file = CopyFile(folder / f"{aggregates[0].topic}-{partition}.sqlite")
        return CopiedStates(aggregates, file, threads, cached, CACHE_BYTES // partitions)

    return made
