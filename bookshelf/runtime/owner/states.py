"""The states that an owner works with: the lately used in memory, the rest in its store."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Executor
from functools import partial
from typing import Any, TypeVar

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.runtime.owner.held import Held
from bookshelf.runtime.owner.store import Store

T = TypeVar("T")


class States:
    """A least-recently-used cache of `capacity` aggregates over a store.

    What has changed since the last flush stays in memory whatever its age; the owner flushes when
    `full`. `complete` says that everything there is fits in memory: then a miss is a new aggregate.
    """

    def __init__(
        self, aggregate: Aggregate[Any], store: Store, executor: Executor | None, capacity: int = 20_000
    ) -> None:
        self._empty: Held[Any] = Held(aggregate.initial)
        self._store = store
        self._executor = executor
        self._capacity = capacity
        self._cache: OrderedDict[str, Held[Any]] = OrderedDict()
        self._dirty: dict[str, Held[Any]] = {}
        self._flushing: dict[str, Held[Any]] = {}
        self._decode = msgspec.msgpack.Decoder(Held[type(aggregate.initial)]).decode  # type: ignore[misc]
        self._encode = msgspec.msgpack.Encoder().encode
        self._complete = False

    @property
    def full(self) -> bool:
        """Whether so much has changed that it should be flushed."""
        return len(self._dirty) >= self._capacity // 4

    async def open(self, source: str) -> int:
        """Return the offset that the stored states are as of."""
        offset, count = await self._in_thread(lambda: self._store.open(source))
        self._complete = count == 0
        return offset

    async def reset(self) -> None:
        """Forget everything: it is as of an offset that the log does not have."""
        await self._in_thread(self._store.reset)
        self._complete = True

    async def load(self, keys: Collection[str]) -> None:
        """Have these keys in memory. Returns without a turn of the loop if they are."""
        while missing := [key for key in keys if not self._here(key)]:
            if self._complete:
                self._cache.update(dict.fromkeys(missing, self._empty))
                return
            found = await self._in_thread(partial(self._store.load, missing))
            for key in missing:
                if not self._here(key):
                    stored = found.get(key)
                    self._cache[key] = self._empty if stored is None else self._decode(stored)

    def _here(self, key: str) -> bool:
        return key in self._dirty or key in self._cache or key in self._flushing

    def fresh(self, keys: Iterable[str]) -> None:
        """Say that these keys were never used before, so there is nothing to load."""
        for key in keys:
            if not self._here(key):
                self._cache[key] = self._empty

    def get(self, key: str) -> Held[Any]:
        """Return what is held; the key was loaded before."""
        held = self._dirty.get(key)
        if held is not None:
            return held
        held = self._cache.get(key)
        if held is None:
            return self._flushing[key]
        self._cache.move_to_end(key)
        return held

    def put(self, key: str, held: Held[Any]) -> None:
        """Hold a newer value."""
        self._dirty[key] = held

    async def flush(self, offset: int) -> None:
        """Store what has changed, as of `offset`, then let the longest unused go."""
        self._flushing, self._dirty = self._dirty, {}
        changed, encode = self._flushing, self._encode
        try:
            await self._in_thread(
                lambda: self._store.save({key: encode(held) for key, held in changed.items()}, offset)
            )
        except BaseException:
            self._dirty = {**changed, **self._dirty}
            self._flushing = {}
            raise
        self._cache.update(changed)
        self._flushing = {}
        self._trim()

    def _trim(self) -> None:
        while len(self._cache) > self._capacity:
            self._cache.popitem(last=False)
            self._complete = False

    async def close(self) -> None:
        """Let the store go; what was not flushed is read from the log again."""
        await self._in_thread(self._store.close)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._executor is None:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
