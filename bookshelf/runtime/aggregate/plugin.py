"""What extends an owner from outside: other sources of commands, and work that follows its replay."""

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from bookshelf.log.port import Consumed, NewRecord
from bookshelf.runtime.aggregate.command_queue import CommandQueue, QueuedCommand
from bookshelf.runtime.aggregate.context import PartitionContext
from bookshelf.runtime.aggregate.replay import PartitionReplay
from bookshelf.runtime.aggregate.state_cache import StateCache


class OwnerParts(NamedTuple):
    """The parts of an owner that its plug-ins use."""

    context: PartitionContext
    states: StateCache
    replay: PartitionReplay
    queue: CommandQueue


class OwnerPlugin:
    """Extends one owner. Each method does nothing unless the plug-in overrides it."""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Work while the owner has its writer: from its opening until before its closing."""
        yield

    def tasks(self, ready: asyncio.Event) -> Iterable[Coroutine[Any, Any, None]]:  # noqa: ARG002 (for overrides)
        """Return what runs beside the owner until cancelled; `ready` is set while commands are taken."""
        return ()

    def note_folded(self, keys: Collection[str]) -> None:
        """Note that records of these keys were folded; their snapshots are loaded."""

    async def extra_records(
        self,
        commands: Sequence[QueuedCommand],  # noqa: ARG002 (for overrides)
        results: Sequence[object],  # noqa: ARG002 (for overrides)
    ) -> tuple[Sequence[NewRecord], Consumed | None]:
        """Return what a batch appends after its events. At most one plug-in of an owner consumes a topic."""
        return (), None
