"""Commands that wait for their owner, each with the future of its answer."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bookshelf.log.port import OutcomeUnknown
from bookshelf.runtime.aggregate.command import Busy, CommandRequest, CommandResult, NotOwner
from bookshelf.runtime.aggregate.topic_commands.messages import ReceivedCommand

#: Commands of a partition that may wait; more are sent away at once, with a word to come again.
CAPACITY = 10_000
#: Bytes of the requests that wait or are carried out, of all partitions of a host together. A command takes
#: about ten times the bytes of its request: command, event, record, the log's buffers, state, answer.
CAPACITY_BYTES = 16 << 20
#: Bytes that each partition may have in any case: one that waits for its log does not shut out the others.
SHARE_BYTES = 1 << 20
#: Commands of one batch, and bytes of their requests, at the most.
BATCH = 2_000
BATCH_BYTES = 4 << 20


class Room:
    """Counts the bytes of the commands that wait or are carried out, in all queues that share it."""

    def __init__(self) -> None:
        self.used = 0


class QueuedCommand(NamedTuple):
    """A command, and who waits for its outcome; `tried` if it may have been written already.

    `order` is what is to be known of one that came by topic.
    """

    sent: CommandRequest
    answer: asyncio.Future[CommandResult]
    tried: bool = False
    order: ReceivedCommand | None = None


class CommandQueue:
    """A queue that is emptied as a whole: what came while one batch was written is the next batch.

    The bytes of a batch count until the next one is taken.
    """

    def __init__(self, partition: int, room: Room) -> None:
        self._partition = partition
        self._room = room
        self._commands: list[QueuedCommand] = []
        self._bytes = 0
        self._some = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        """Return how many commands wait."""
        return len(self._commands)

    def put(self, sent: CommandRequest) -> asyncio.Future[CommandResult]:
        """Queue a command. Raises `Busy`, `NotOwner`."""
        if self._closed:
            raise NotOwner(self._partition)
        if len(self._commands) >= CAPACITY or not self._has_room(sent.size):
            raise Busy
        self._add_bytes(sent.size)
        queued = QueuedCommand(sent, asyncio.get_running_loop().create_future())
        self._commands.append(queued)
        self._some.set()
        return queued.answer

    def _has_room(self, size: int) -> bool:
        return self._bytes + size <= SHARE_BYTES or self._room.used + size <= CAPACITY_BYTES

    def _add_bytes(self, size: int) -> None:
        self._bytes += size
        self._room.used += size

    def _count_bytes(self, batch: Sequence[QueuedCommand] = ()) -> None:
        """Count what waits, and the batch that is carried out, anew."""
        size = sum(queued.sent.size for queued in (*batch, *self._commands))
        self._add_bytes(size - self._bytes)

    def put_messages(
        self, orders: Sequence[tuple[CommandRequest, ReceivedCommand]]
    ) -> asyncio.Future[CommandResult]:
        """Queue what came by topic, to be written together; return the first one's answer. Raises `NotOwner`.

        How many may wait is the sender's to bound.
        """
        if self._closed:
            raise NotOwner(self._partition)
        answer: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        self._commands.extend(QueuedCommand(sent, answer, order=order) for sent, order in orders)
        self._add_bytes(sum(sent.size for sent, _ in orders))
        self._some.set()
        return answer

    def discard_messages(self) -> None:
        """Let go of what came by topic: it is read again, from where the log says."""
        self._commands = [queued for queued in self._commands if queued.order is None]
        self._count_bytes()

    async def take(self, most: int = BATCH) -> list[QueuedCommand]:
        """Return the commands of a batch, once there are some; nothing more once it is closed.

        Those that nobody waits for any more and that were never tried are dropped. Commands by topic that
        were put together stay together.
        """
        while True:
            self._commands = [one for one in self._commands if one.tried or not one.answer.done()]
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
        """Return how many of the commands are a batch: one at least."""
        size = 0
        for count, one in enumerate(self._commands):
            size += one.sent.size
            together = count > 0 and one.order is not None and self._commands[count - 1].answer is one.answer
            if count and not together and (count >= most or size > BATCH_BYTES):
                return count
        return len(self._commands)

    def put_back(self, commands: Iterable[QueuedCommand], *, tried: bool) -> None:
        """Put letters first again; if they were `tried`, their fate is not known yet."""
        self._commands[:0] = [queued._replace(tried=queued.tried or tried) for queued in commands]
        self._count_bytes()
        self._some.set()

    def close(self) -> None:
        """Take no more; what waits can still be taken."""
        self._closed = True
        self._some.set()

    def reject_all(self) -> None:
        """Tell everyone who waits that the owner is elsewhere, or that it broke off in their middle."""
        for queued in self._commands:
            if queued.answer.done():
                continue
            msg = "the owner broke off before the log had answered"
            queued.answer.set_exception(OutcomeUnknown(msg) if queued.tried else NotOwner(self._partition))
        self._commands.clear()
        self._count_bytes()
