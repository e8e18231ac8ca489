"""The owner of one partition: takes everything that waits, decides it, appends it at once, then answers.

That is group commit: load makes batches larger, not latencies longer.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.position import Position
from bookshelf.log.port import Fenced, Log, LogFault, NewRecord, OutcomeUnknown, Writer
from bookshelf.runtime.clock import Ids
from bookshelf.runtime.owner.command import Outcome, Sent
from bookshelf.runtime.owner.follower import Follower
from bookshelf.runtime.owner.held import Fold, Said
from bookshelf.runtime.owner.mailbox import Letter, Mailbox
from bookshelf.runtime.owner.overlay import Overlay
from bookshelf.runtime.owner.states import States
from bookshelf.runtime.owner.verdict import Judge, value
from bookshelf.runtime.telemetry import OwnerMeters

Verdict = list[Said] | None | Exception

#: Seconds after which an append that has not answered is an unknown outcome.
APPEND_S = 10.0
#: Seconds before the pen is taken anew when that did not help the last time, doubled up to the last.
_PAUSE_S = 0.05
_LAST_PAUSE_S = 1.0
_logger = structlog.get_logger(__name__)


class Owner:
    """One partition of one aggregate, from `run` until `leave`."""

    def __init__(
        self,
        aggregate: Aggregate[Any],
        partition: int,
        log: Log,
        states: States,
        ids: Ids,
        meters: OwnerMeters,
    ) -> None:
        self._aggregate = aggregate
        self._partition = partition
        self._log = log
        self._states = states
        self._meters = meters
        self._judge = Judge(aggregate, ids)
        self._overlay = Overlay(Fold(aggregate), states)
        self._follower = Follower(aggregate, partition, log, states, self._overlay)
        self._mailbox = Mailbox(partition)
        self._writer: Writer
        self._batches = 0
        self.ready = asyncio.Event()

    def ask(self, sent: Sent) -> asyncio.Future[Outcome]:
        """Put a command into the mailbox. Raises `Busy`, `NotOwner`; the future may raise any `Refused`."""
        return self._mailbox.put(sent)

    def leave(self) -> None:
        """Take no more commands; `run` returns once those that wait are answered."""
        self._mailbox.close()

    async def run(self) -> None:
        """Own the partition until `leave`."""
        await self._follower.open()
        following = asyncio.create_task(self._follower.follow())
        serving = asyncio.create_task(self._serve())
        try:
            await asyncio.wait((following, serving), return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()  # it never ends but by a fault
            await serving
        finally:
            self.ready.clear()
            await _ended(following, serving)
            self._mailbox.send_away()
            await self._follower.close()

    async def _serve(self) -> None:
        pause_s = 0.0
        while True:
            batches = self._batches
            try:
                await self._hold_pen()
            except (Fenced, OutcomeUnknown) as fault:
                where = {"aggregate": self._aggregate.name, "partition": self._partition}
                _logger.warning("pen-lost", **where, why=str(fault))
            else:
                return
            pause_s = min(2 * pause_s + _PAUSE_S, _LAST_PAUSE_S) if batches == self._batches else 0.0
            await asyncio.sleep(pause_s)

    async def _hold_pen(self) -> None:
        """Take the pen, read to the end, and serve until told to leave. Raises `Fenced`, `OutcomeUnknown`."""
        # the pen first: from here on no one else writes under this name, so the end stays the end
        self._writer = await self._log.writer(self._aggregate.name, self._aggregate.topic, self._partition)
        await self._follower.catch_up()
        self._overlay.clear()
        self.ready.set()
        letters: Sequence[Letter] = ()
        try:
            while letters := await self._mailbox.take():
                await self._batch(letters)
                self._batches += 1
        except BaseException:
            self._mailbox.put_back(letters)  # what became of them is not known: they are decided anew
            raise
        finally:
            await self._writer.close()

    async def _batch(self, letters: Sequence[Letter]) -> None:
        await self._load(letters)
        verdicts = [self._decide(letter.sent) for letter in letters]
        if any(isinstance(verdict, Refused) for verdict in verdicts):
            await self._follower.catch_up()  # no one is refused for what the owner has not read yet
            await self._load(letters)
            pairs = zip(letters, verdicts, strict=True)
            verdicts = [self._decide(one.sent) if isinstance(v, Refused) else v for one, v in pairs]
        try:
            await self._write(letters, verdicts)
        except (Fenced, OutcomeUnknown):
            raise
        except LogFault as fault:
            self._overlay.drop_unsettled()
            verdicts = [v if isinstance(v, Exception) else fault for v in verdicts]
        await self._load(letters)
        for letter, verdict in zip(letters, verdicts, strict=True):
            self._answer(letter, verdict)

    async def _load(self, letters: Sequence[Letter]) -> None:
        self._states.fresh(letter.sent.subject for letter in letters if letter.sent.fresh)
        await self._states.load([letter.sent.subject for letter in letters])

    def _decide(self, sent: Sent) -> Verdict:
        try:
            said = self._judge.judge(self._overlay.head(sent.subject), sent)
        except Exception as fault:  # noqa: BLE001 (a refusal or a defect: either is this command's answer)
            return fault
        if said:
            self._overlay.add(sent.subject, said)
        return said

    async def _write(self, letters: Sequence[Letter], verdicts: Sequence[Verdict]) -> None:
        wrote = [
            (letter.sent.subject, verdict)
            for letter, verdict in zip(letters, verdicts, strict=True)
            if isinstance(verdict, list) and verdict
        ]
        records = [NewRecord(key, value(one)) for key, said in wrote for one in said]
        if not records:
            return
        with self._meters.append(len(records)):
            offsets = await self._append(records)
        place = 0
        for key, said in wrote:
            self._overlay.settle(key, said, offsets[place : place + len(said)])
            place += len(said)

    async def _append(self, records: Sequence[NewRecord]) -> Sequence[int]:
        try:
            async with asyncio.timeout(APPEND_S):
                return await self._writer.append(records)
        except TimeoutError:
            msg = f"the log did not answer within {APPEND_S:.0f} s"
            raise OutcomeUnknown(msg) from None

    def _answer(self, letter: Letter, verdict: Verdict) -> None:
        if letter.answer.done():  # who asked has gone
            return
        if isinstance(verdict, Exception):
            letter.answer.set_exception(verdict)
            return
        letter.answer.set_result(self._outcome(letter.sent, replayed=verdict is None))

    def _outcome(self, sent: Sent, *, replayed: bool) -> Outcome:
        held = self._overlay.head(sent.subject)
        done = held.recall(sent.id)
        state, version, offset = (
            (held.state, held.version, held.version)
            if done is None
            else (done.state, done.version, done.offset)
        )
        position = Position(self._aggregate.topic, self._partition, offset) if offset >= 0 else None
        return Outcome(sent.subject, state, version, position, replayed)


async def _ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
