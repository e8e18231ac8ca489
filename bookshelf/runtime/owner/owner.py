"""The owner of one partition: takes everything that waits, and hands it to its scribe, with the pen."""

import asyncio
from contextlib import nullcontext

import structlog

from bookshelf.log.port import Fenced, OutcomeUnknown
from bookshelf.runtime.owner.alarm import Alarm
from bookshelf.runtime.owner.command import Outcome, Sent
from bookshelf.runtime.owner.deadlines import Deadlines
from bookshelf.runtime.owner.follower import Follower
from bookshelf.runtime.owner.held import Fold
from bookshelf.runtime.owner.inbox import Inbox
from bookshelf.runtime.owner.mailbox import BATCH, Letter, Mailbox
from bookshelf.runtime.owner.overlay import Overlay
from bookshelf.runtime.owner.scribe import Scribe
from bookshelf.runtime.owner.seat import Seat
from bookshelf.runtime.owner.states import States
from bookshelf.runtime.owner.tasks import ended

#: Seconds before the pen is taken anew when that did not help the last time, doubled up to the last.
_PAUSE_S = 0.05
_LAST_PAUSE_S = 1.0
_logger = structlog.get_logger(__name__)


class Owner:
    """One partition of one aggregate, from `run` until `leave`. `ready` is set while it is served."""

    def __init__(self, seat: Seat, states: States, ready: asyncio.Event) -> None:
        aggregate = seat.aggregate
        self._seat = seat
        self._deadlines = Deadlines(aggregate, states) if aggregate.due is not None else None
        self._overlay = Overlay(Fold(aggregate), states)
        self._follower = Follower(seat, states, self._overlay, self._deadlines)
        self._scribe = Scribe(seat, states, self._overlay, self._follower)
        self._mailbox = Mailbox(seat.partition, seat.means.room)
        self._alarm = Alarm(seat, states, self._follower, self._mailbox)
        self._inbox = Inbox(seat, self._mailbox) if aggregate.takes else None
        self._batches = 0
        #: Commands of the next batch at the most: half as many after a batch that was not answered in time.
        self._most = BATCH
        self.ready = ready

    def ask(self, sent: Sent) -> asyncio.Future[Outcome]:
        """Put a command into the mailbox. Raises `Busy`, `NotOwner`; the future may raise any `Refused`."""
        return self._mailbox.put(sent)

    async def catch_up_to(self, offset: int) -> None:
        """Return once the state includes every record before `offset`; at once if the log ends before it."""
        await self._follower.catch_up_to(offset)

    @property
    def queued(self) -> int:
        """How many commands wait."""
        return len(self._mailbox)

    @property
    def folded(self) -> int:
        """The offset that is read next."""
        return self._follower.folded

    def leave(self) -> None:
        """Take no more commands; `run` returns once those that wait are answered."""
        self._mailbox.close()

    async def run(self) -> None:
        """Own the partition until `leave`."""
        await self._follower.open()
        serving = asyncio.create_task(self._serve())
        endless = [asyncio.create_task(self._follower.follow())]
        if self._deadlines is not None:
            endless.append(asyncio.create_task(self._alarm.run(self._deadlines, self.ready)))
        try:
            await asyncio.wait((serving, *endless), return_when=asyncio.FIRST_COMPLETED)
            for task in endless:
                if task.done():
                    task.result()  # none of them ends but by a fault
            await serving
        finally:
            self.ready.clear()
            await ended(serving, *endless)
            self._mailbox.send_away()
            await self._scribe.close()
            await self._follower.close()

    async def _serve(self) -> None:
        pause_s = 0.0
        while True:
            batches = self._batches
            try:
                await self._hold_pen()
            except (Fenced, OutcomeUnknown) as fault:
                if isinstance(fault, OutcomeUnknown):
                    self._most = max(1, self._most // 2)
                where = {"aggregate": self._seat.aggregate.name, "partition": self._seat.partition}
                _logger.warning("pen-lost", **where, why=str(fault))
            else:
                return
            pause_s = min(2 * pause_s + _PAUSE_S, _LAST_PAUSE_S) if batches == self._batches else 0.0
            await asyncio.sleep(pause_s)

    async def _hold_pen(self) -> None:
        """Take the pen, read to the end, and serve until told to leave. Raises `Fenced`, `OutcomeUnknown`."""
        # the pen first: from here on no one else writes under this name, so the end stays the end
        name, topic = self._seat.aggregate.name, self._seat.aggregate.topic
        pen = await self._seat.means.log.writer(name, topic, self._seat.partition)
        await self._follower.catch_up()
        self._overlay.clear()
        self.ready.set()
        letters: list[Letter] = []
        try:
            async with nullcontext() if self._inbox is None else self._inbox.open():
                while letters := await self._mailbox.take(self._most):
                    await self._scribe.work(pen, letters)
                    self._batches += 1
                    self._most = min(2 * self._most, BATCH)
        except BaseException:
            # they are decided anew, maybe by another owner; what became of those that were tried is not known
            self._mailbox.put_back(letters, tried=self._scribe.tried)
            raise
        finally:
            await pen.close()
