"""Commands that wait for their owner, each with the future of its answer."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bookshelf.log.port import OutcomeUnknown
from bookshelf.runtime.owner.command import Busy, NotOwner, Outcome, Sent
from bookshelf.runtime.owner.orders import Arrived

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


class Letter(NamedTuple):
    """A command, and who waits for its outcome; `tried` if it may have been written already.

    `order` is what is to be known of one that came by topic.
    """

    sent: Sent
    answer: asyncio.Future[Outcome]
    tried: bool = False
    order: Arrived | None = None


class Mailbox:
    """A queue that is emptied as a whole: what came while one batch was written is the next batch.

    The bytes of a batch count until the next one is taken.
    """

    def __init__(self, partition: int, room: Room) -> None:
        self._partition = partition
        self._room = room
        self._letters: list[Letter] = []
        self._bytes = 0
        self._some = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        """Return how many commands wait."""
        return len(self._letters)

    def put(self, sent: Sent) -> asyncio.Future[Outcome]:
        """Queue a command. Raises `Busy`, `NotOwner`."""
        if self._closed:
            raise NotOwner(self._partition)
        if len(self._letters) >= CAPACITY or not self._has_room(sent.size):
            raise Busy
        self._add_bytes(sent.size)
        letter = Letter(sent, asyncio.get_running_loop().create_future())
        self._letters.append(letter)
        self._some.set()
        return letter.answer

    def _has_room(self, size: int) -> bool:
        return self._bytes + size <= SHARE_BYTES or self._room.used + size <= CAPACITY_BYTES

    def _add_bytes(self, size: int) -> None:
        self._bytes += size
        self._room.used += size

    def _count_bytes(self, batch: Sequence[Letter] = ()) -> None:
        """Count what waits, and the batch that is carried out, anew."""
        size = sum(letter.sent.size for letter in (*batch, *self._letters))
        self._add_bytes(size - self._bytes)

    def put_orders(self, orders: Sequence[tuple[Sent, Arrived]]) -> asyncio.Future[Outcome]:
        """Queue what came by topic, to be written together; return the first one's answer. Raises `NotOwner`.

        How many may wait is the sender's to bound.
        """
        if self._closed:
            raise NotOwner(self._partition)
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._letters.extend(Letter(sent, answer, order=order) for sent, order in orders)
        self._add_bytes(sum(sent.size for sent, _ in orders))
        self._some.set()
        return answer

    def forget_orders(self) -> None:
        """Let go of what came by topic: it is read again, from where the log says."""
        self._letters = [letter for letter in self._letters if letter.order is None]
        self._count_bytes()

    async def take(self, most: int = BATCH) -> list[Letter]:
        """Return the commands of a batch, once there are some; nothing more once it is closed.

        Those that nobody waits for any more and that were never tried are dropped. Commands by topic that
        were put together stay together.
        """
        while True:
            self._letters = [one for one in self._letters if one.tried or not one.answer.done()]
            self._count_bytes()
            if self._letters or self._closed:
                break
            self._some.clear()
            await self._some.wait()
        count = self._share(most)
        letters, self._letters = self._letters[:count], self._letters[count:]
        self._count_bytes(letters)
        return letters

    def _share(self, most: int) -> int:
        """Return how many of the commands are a batch: one at least."""
        size = 0
        for count, one in enumerate(self._letters):
            size += one.sent.size
            together = count > 0 and one.order is not None and self._letters[count - 1].answer is one.answer
            if count and not together and (count >= most or size > BATCH_BYTES):
                return count
        return len(self._letters)

    def put_back(self, letters: Iterable[Letter], *, tried: bool) -> None:
        """Put letters first again; if they were `tried`, their fate is not known yet."""
        self._letters[:0] = [letter._replace(tried=letter.tried or tried) for letter in letters]
        self._count_bytes()
        self._some.set()

    def close(self) -> None:
        """Take no more; what waits can still be taken."""
        self._closed = True
        self._some.set()

    def send_away(self) -> None:
        """Tell everyone who waits that the owner is elsewhere, or that it broke off in their middle."""
        for letter in self._letters:
            if letter.answer.done():
                continue
            msg = "the owner broke off before the log had answered"
            letter.answer.set_exception(OutcomeUnknown(msg) if letter.tried else NotOwner(self._partition))
        self._letters.clear()
        self._count_bytes()
