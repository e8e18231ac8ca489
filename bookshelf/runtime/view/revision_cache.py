"""Keeps what was made of the rows of a view, while these stay the same."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from bookshelf.cqrs.errors import Refused

T = TypeVar("T")


class RevisionCache(Generic[T]):
    """A least-recently-used cache by key and revision. It keeps refusals too, and no faults.

    It has at most `most` entries, and `most_bytes` of what `size` returns for each.
    """

    def __init__(self, most: int, most_bytes: int = 0, size: Callable[[T], int] = lambda _made: 0) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._size = size
        self._entries: OrderedDict[Hashable, tuple[Hashable, asyncio.Task[T]]] = OrderedDict()
        self._sizes: dict[Hashable, int] = {}
        self._bytes = 0

    async def get(self, key: Hashable, revision: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Return what was made as of `revision` or newer; call `make` if needed. Raises what that raises."""
        known, task = self._entries.get(key, (None, None))
        if task is None or known != revision:
            self._forget(key)
            task = asyncio.ensure_future(make())
            self._entries[key] = revision, task
            task.add_done_callback(lambda done: self._made(key, done))
        else:
            self._entries.move_to_end(key)
            if task.done():
                return task.result()
        return await asyncio.shield(task)

    def _made(self, key: Hashable, task: "asyncio.Task[T]") -> None:
        entry = self._entries.get(key)
        fault = None if task.cancelled() else task.exception()
        if entry is None or entry[1] is not task:
            return
        if task.cancelled() or not isinstance(fault, Refused | None):
            del self._entries[key]
            return
        self._sizes[key] = 0 if fault else self._size(task.result())
        self._bytes += self._sizes[key]
        while len(self._entries) > self._most or self._bytes > self._most_bytes:
            self._forget(next(iter(self._entries)))

    def _forget(self, key: Hashable) -> None:
        self._entries.pop(key, None)
        self._bytes -= self._sizes.pop(key, 0)
