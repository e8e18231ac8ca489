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
    """An answer's body, its entity tag with quotes, and the cursor of the page after it."""

    body: bytes
    tag: str
    after: str | None


class _Entry(NamedTuple):
    revision: Hashable
    task: "asyncio.Task[RenderedResponse]"


class ResponseCache:
    """A least-recently-used cache by request target. Refusals are cached like answers; faults are not."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._bytes = 0

    async def get(
        self, target: str, revision: Hashable, render: Callable[[], Awaitable[RenderedResponse]]
    ) -> RenderedResponse:
        """Return the answer as of `revision` or newer; call `render` if needed. Raises what that raises."""
        entry = self._entries.get(target)
        if entry is None or entry.revision != revision:
            self._forget(target)
            entry = _Entry(revision, asyncio.ensure_future(render()))
            self._entries[target] = entry
            entry.task.add_done_callback(lambda task: self._rendered(target, task))
        else:
            self._entries.move_to_end(target)
            if entry.task.done():
                return entry.task.result()
        return await asyncio.shield(entry.task)

    def _rendered(self, target: str, task: "asyncio.Task[RenderedResponse]") -> None:
        entry = self._entries.get(target)
        fault = None if task.cancelled() else task.exception()
        if entry is None or entry.task is not task:
            return
        if task.cancelled() or not isinstance(fault, Refused | None):
            del self._entries[target]
            return
        self._sizes[target] = 0 if fault else len(task.result().body)
        self._bytes += self._sizes[target]
        while len(self._entries) > _ENTRIES or self._bytes > _BYTES:
            self._forget(next(iter(self._entries)))

    def _forget(self, target: str) -> None:
        self._entries.pop(target, None)
        self._bytes -= self._sizes.pop(target, 0)
