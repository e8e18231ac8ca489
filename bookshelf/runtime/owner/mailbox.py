"""Commands that wait for their owner, each with the future of its answer."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from bookshelf.runtime.owner.command import Busy, NotOwner, Outcome, Sent

#: Commands that may wait; more are sent away at once, with a word to come again.
CAPACITY = 10_000


class Letter(NamedTuple):
    """A command, and who waits for its outcome."""

    sent: Sent
    answer: asyncio.Future[Outcome]


class Mailbox:
    """A queue that is emptied as a whole: what came while one batch was written is the next batch."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._letters: list[Letter] = []
        self._some = asyncio.Event()
        self._closed = False

    def put(self, sent: Sent) -> asyncio.Future[Outcome]:
        """Queue a command. Raises `Busy`, `NotOwner`."""
        if self._closed:
            raise NotOwner(self._partition)
        if len(self._letters) >= CAPACITY:
            raise Busy
        letter = Letter(sent, asyncio.get_running_loop().create_future())
        self._letters.append(letter)
        self._some.set()
        return letter.answer

    async def take(self) -> list[Letter]:
        """Return everything that waits, once there is something; nothing more once it is closed."""
        await self._some.wait()
        letters, self._letters = self._letters, []
        if not self._closed:
            self._some.clear()
        return letters

    def put_back(self, letters: Iterable[Letter]) -> None:
        """Put letters first again: their fate is not known yet."""
        self._letters[:0] = letters
        self._some.set()

    def close(self) -> None:
        """Take no more; what waits can still be taken."""
        self._closed = True
        self._some.set()

    def send_away(self) -> None:
        """Tell everyone who waits that the owner is elsewhere."""
        for letter in self._letters:
            if not letter.answer.done():
                letter.answer.set_exception(NotOwner(self._partition))
        self._letters.clear()
