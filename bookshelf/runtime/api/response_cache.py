"""A cache of rendered answers: each is rendered once per revision of the view, even if requests overlap."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import NamedTuple

from bookshelf.cqrs.errors import Refused

#: Answers kept, and their bytes in all.
_ENTRIES = 512
_BYTES = 32 << 20


class RenderedResponse(NamedTuple):
    """An answer's body, its entity tag with quotes, the next page's cursor, and the items on all pages."""

    body: bytes
    tag: str
    after: str | None
    items: int | None = None


class _Entry(NamedTuple):
    revision: Hashable
    task: "asyncio.Task[RenderedResponse]"


class ResponseCache:
    """A least-recently-used cache by owner and request target. It keeps refusals too, and no faults."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._sizes: dict[Hashable, int] = {}
        self._bytes = 0

    async def get(
        self, key: Hashable, revision: Hashable, render: Callable[[], Awaitable[RenderedResponse]]
    ) -> RenderedResponse:
        """Return the answer as of `revision` or newer; call `render` if needed. Raises what that raises."""
        entry = self._entries.get(key)
        if entry is None or entry.revision != revision:
            self._forget(key)
            entry = _Entry(revision, asyncio.ensure_future(render()))
            self._entries[key] = entry
            entry.task.add_done_callback(lambda task: self._rendered(key, task))
        else:
            self._entries.move_to_end(key)
            if entry.task.done():
                return entry.task.result()
        return await asyncio.shield(entry.task)

    def _rendered(self, key: Hashable, task: "asyncio.Task[RenderedResponse]") -> None:
        entry = self._entries.get(key)
        fault = None if task.cancelled() else task.exception()
        if entry is None or entry.task is not task:
            return
        if task.cancelled() or not isinstance(fault, Refused | None):
            del self._entries[key]
            return
        self._sizes[key] = 0 if fault else len(task.result().body)
        self._bytes += self._sizes[key]
        while len(self._entries) > _ENTRIES or self._bytes > _BYTES:
            self._forget(next(iter(self._entries)))

    def _forget(self, key: Hashable) -> None:
        self._entries.pop(key, None)
        self._bytes -= self._sizes.pop(key, 0)
