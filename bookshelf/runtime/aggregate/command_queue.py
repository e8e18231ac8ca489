"""The command queue of a partition: commands that wait for their owner, each with a future for its result."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.errors import Refused
from bookshelf.log.port import OutcomeUnknown
from bookshelf.runtime.aggregate.command import Busy, CommandRequest, NotOwner

#: Commands that one partition's queue can hold; further ones are refused at once with `Busy`.
CAPACITY = 10_000
#: Bytes of the requests that are queued or being carried out, for all partitions of a host together.
#: A command takes about ten times its request: command, event, record, the log's buffers, state, answer.
CAPACITY_BYTES = 16 << 20
#: Bytes that each partition is always granted: one that waits for its log does not block the others.
SHARE_BYTES = 1 << 20
#: Upper limits for one batch: its commands, and the bytes of their requests.
BATCH = 2_000
BATCH_BYTES = 4 << 20


class Room:
    """Counts the bytes of all commands that are queued or being carried out in the queues that share it."""

    def __init__(self) -> None:
        self.used = 0


class CommandSource(Protocol):
    """What a source that can queue its commands again notes beside one of them."""

    @property
    def refusal(self) -> Refused | None:
        """Why the command is refused whatever the state; None if it is decided."""


class QueuedCommand(NamedTuple):
    """A command request and the future of its result. `tried`: its events may be in the log already.

    `source` is None if a client waits for the result.
    """

    request: CommandRequest
    answer: asyncio.Future[CommandResult]
    tried: bool = False
    source: CommandSource | None = None


class CommandQueue:
    """A bounded queue that is taken in batches: commands that arrive during one append form the next batch.

    The bytes of a batch count until the next batch is taken.
    """

    def __init__(self, partition: int, room: Room) -> None:
        self._partition = partition
        self._room = room
        self._commands: list[QueuedCommand] = []
        self._bytes = 0
        self._some = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        """Return the number of queued commands."""
        return len(self._commands)

    def put(self, request: CommandRequest) -> asyncio.Future[CommandResult]:
        """Queue a command. Raises `Busy`, `NotOwner`."""
        if self._closed:
            raise NotOwner(self._partition)
        if len(self._commands) >= CAPACITY or not self._has_room(request.size):
            raise Busy
        self._add_bytes(request.size)
        queued = QueuedCommand(request, asyncio.get_running_loop().create_future())
        self._commands.append(queued)
        self._some.set()
        return queued.answer

    def _has_room(self, size: int) -> bool:
        return self._bytes + size <= SHARE_BYTES or self._room.used + size <= CAPACITY_BYTES

    def _add_bytes(self, size: int) -> None:
        self._bytes += size
        self._room.used += size

    def _count_bytes(self, batch: Sequence[QueuedCommand] = ()) -> None:
        """Count the bytes of the queue and of the batch that is being carried out again."""
        size = sum(queued.request.size for queued in (*batch, *self._commands))
        self._add_bytes(size - self._bytes)

    def put_together(
        self, commands: Sequence[tuple[CommandRequest, CommandSource]]
    ) -> asyncio.Future[CommandResult]:
        """Queue commands of a source for one append; return the result of the first. Raises `NotOwner`.

        The queue's limits do not apply: the caller bounds how many are queued.
        """
        if self._closed:
            raise NotOwner(self._partition)
        answer: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        self._commands.extend(QueuedCommand(request, answer, source=source) for request, source in commands)
        self._add_bytes(sum(request.size for request, _ in commands))
        self._some.set()
        return answer

    def discard_sourced(self) -> None:
        """Remove all commands that have a source, because it queues them again."""
        self._commands = [queued for queued in self._commands if queued.source is None]
        self._count_bytes()

    async def take(self, most: int = BATCH) -> list[QueuedCommand]:
        """Wait for commands and return a batch of up to `most`; empty once the queue is closed and drained.

        Commands that were cancelled before they were ever tried are dropped. Commands of one
        `put_together` stay in one batch, whatever its size.
        """
        while True:
            self._commands = [queued for queued in self._commands if queued.tried or not queued.answer.done()]
            self._count_bytes()
            if self._commands or self._closed:
                break
            self._some.clear()
            await self._some.wait()
        count = self._share(most)
        commands, self._commands = self._commands[:count], self._commands[count:]
        self._count_bytes(commands)
        return commands

    def _share(self, most: int) -> int:
        """Return how many of the commands form the next batch: at least one."""
        size = 0
        for count, queued in enumerate(self._commands):
            size += queued.request.size
            former = self._commands[count - 1].answer if count else None
            together = queued.source is not None and former is queued.answer
            if count and not together and (count >= most or size > BATCH_BYTES):
                return count
        return len(self._commands)

    def put_back(self, commands: Iterable[QueuedCommand], *, tried: bool) -> None:
        """Put commands back at the front; `tried` ones may be in the log already."""
        self._commands[:0] = [queued._replace(tried=queued.tried or tried) for queued in commands]
        self._count_bytes()
        self._some.set()

    def close(self) -> None:
        """Accept no more commands; those in the queue can still be taken."""
        self._closed = True
        self._some.set()

    def reject_all(self) -> None:
        """Fail all queued commands: with `NotOwner`, or with `OutcomeUnknown` if they were tried."""
        for queued in self._commands:
            if queued.answer.done():
                continue
            msg = "the owner stopped before the log had answered"
            queued.answer.set_exception(OutcomeUnknown(msg) if queued.tried else NotOwner(self._partition))
        self._commands.clear()
        self._count_bytes()
