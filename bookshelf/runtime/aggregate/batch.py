"""From a batch of letters to their answers: decide each, append what they say at once, then answer.

That is group commit: load makes batches larger, not latencies longer.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.position import Position
from bookshelf.log.port import Consumed, Fenced, LogFault, NewRecord, OutcomeUnknown, Writer
from bookshelf.runtime.aggregate.command import CommandResult, NotOwner
from bookshelf.runtime.aggregate.command_handler import CommandHandler
from bookshelf.runtime.aggregate.command_queue import QueuedCommand
from bookshelf.runtime.aggregate.context import PartitionContext
from bookshelf.runtime.aggregate.deadlines.deadline import ExpireDeadline
from bookshelf.runtime.aggregate.first_answers import FirstAnswers
from bookshelf.runtime.aggregate.pending_events import PendingEvents
from bookshelf.runtime.aggregate.replay import PartitionReplay
from bookshelf.runtime.aggregate.snapshot import NONE, UNSETTLED, CompletedCommand, DecodedEvent
from bookshelf.runtime.aggregate.state_cache import StateCache
from bookshelf.runtime.aggregate.state_store import CommandKey
from bookshelf.runtime.aggregate.topic_commands.replies import Replies

#: Bytes of pending events above which the next batch waits until the log was read to its end.
PENDING_BYTES = 4 << 20

HandlerResult = list[DecodedEvent] | None | Exception


@dataclass(slots=True)
class Decision:
    """What became of a command when it was decided: later commands of the same batch change nothing of it.

    `version` is UNSETTLED while `event`, the id of the newest event of the aggregate, has no offset yet.
    `done` is the completed command that this one repeats, `first` where the log begins with the aggregate,
    `former` the decision in the same batch that it repeats.
    """

    result: HandlerResult
    state: Any = None
    version: int = NONE
    event: str = ""
    done: CompletedCommand | None = None
    first: int = NONE
    former: "Decision | None" = None


class BatchProcessor:
    """Works on one partition, with whatever pen it is handed."""

    def __init__(
        self, context: PartitionContext, states: StateCache, pending: PendingEvents, replay: PartitionReplay
    ) -> None:
        self._dependencies = context.dependencies
        self._place = (context.aggregate.topic, context.partition)
        self._states = states
        self._pending = pending
        self._replay = replay
        self._handler = CommandHandler(context.aggregate, context.dependencies.ids)
        self._replies = Replies(context) if context.aggregate.takes else None
        self._first_answers = FirstAnswers(context)
        self._answering: set[asyncio.Task[None]] = set()
        #: Whether something of the last letters may be in the log.
        self.tried = False

    async def work(self, writer: Writer, commands: Sequence[QueuedCommand]) -> None:
        """Answer these letters. Raises `Fenced`, `OutcomeUnknown`: what became of them is not known."""
        self.tried = False
        decisions = await self._judged(commands)
        results = [decision.result for decision in decisions]
        self.tried = True
        offsets: dict[str, int] = {}
        try:
            offsets = await self._write(writer, commands, results)
        except (Fenced, OutcomeUnknown):
            raise
        except LogFault as fault:
            self._pending.drop_unsettled()
            orders = [queued for queued in commands if queued.order is not None]
            if 0 < len(orders) < len(commands):
                # one of the orders may be what the log does not take: no one else is to pay for that
                for queued in orders:
                    self._refuse(queued, fault)
                await self.work(writer, [queued for queued in commands if queued.order is None])
                return
            for queued in commands:
                self._refuse(queued, fault)  # refusals too: they may rest on what was not written
            return
        await self._states.load([queued.sent.subject for queued in commands])
        for queued, decision in zip(commands, decisions, strict=True):
            self._answer(queued, decision, offsets)

    async def close(self) -> None:
        """Stop looking for first answers: the next owner gives those that are waited for."""
        await self._first_answers.close()
        if self._answering:
            await asyncio.wait(self._answering)

    async def _judged(self, commands: Sequence[QueuedCommand]) -> Sequence[Decision]:
        if self._pending.pending_bytes > PENDING_BYTES or any(map(_needs_latest_state, commands)):
            await self._replay.catch_up()
        self._states.fresh(one.sent.subject for one in commands if one.sent.fresh and not one.tried)
        decisions = await self._decide_all(commands)
        if any(_appends_nothing(decision.result) for decision in decisions) and await self._replay.catch_up():
            # no one is refused for what was not read yet, nor told by a former owner that nothing was to do;
            # all anew, so that the letters' order is the log's
            self._pending.drop_unsettled()
            decisions = await self._decide_all(commands)
        return decisions

    async def _decide_all(self, commands: Sequence[QueuedCommand]) -> Sequence[Decision]:
        stored = await self._load(commands)
        batch: dict[CommandKey, Decision] = {}
        return [self._decide(queued, stored, batch) for queued in commands]

    async def _load(self, commands: Sequence[QueuedCommand]) -> dict[CommandKey, CompletedCommand]:
        """Have the states of these commands in memory; return those commands that the store has completed."""
        keys = [queued.sent.subject for queued in commands]
        stored: dict[CommandKey, CompletedCommand] = {}
        asked: set[CommandKey] = set()
        saved = -1
        while True:
            await self._states.load(keys)
            wanted = {(one.sent.subject, one.sent.id) for one in commands if self._may_be_stored(one)}
            if not wanted or (wanted <= asked and saved == self._states.saved):
                return stored
            # while the store is asked, commands may move from memory to the store
            asked, saved = wanted, self._states.saved
            stored = await self._states.recall_stored(wanted)

    def _may_be_stored(self, queued: QueuedCommand) -> bool:
        sent = queued.sent
        snapshot = self._pending.head(sent.subject)
        return snapshot.spilled and snapshot.recall(sent.id) is None

    def _decide(
        self,
        queued: QueuedCommand,
        stored: dict[CommandKey, CompletedCommand],
        batch: dict[CommandKey, Decision],
    ) -> Decision:
        sent = queued.sent
        if queued.order is not None and queued.order.refusal is not None:
            return Decision(queued.order.refusal)
        key = (sent.subject, sent.id)
        snapshot = self._pending.head(sent.subject)
        done = self._states.recall(*key) or stored.get(key)
        try:
            said = self._handler.judge(snapshot, sent, done)
        except Exception as fault:  # noqa: BLE001 (a refusal or a defect: either is this command's answer)
            return Decision(fault)
        if said is None:
            done = snapshot.recall(sent.id) or done
            return Decision(None, snapshot.state, snapshot.version, "", done, snapshot.first, batch.get(key))
        if said:
            self._pending.add(sent.subject, said)
            snapshot = self._pending.head(sent.subject)
        decision = Decision(said, snapshot.state, snapshot.version)
        if snapshot.version == UNSETTLED:
            decision.event = self._pending.newest_event(sent.subject)
        batch[key] = decision
        return decision

    async def _write(
        self, writer: Writer, commands: Sequence[QueuedCommand], results: Sequence[HandlerResult]
    ) -> dict[str, int]:
        """Append what was decided; return the offsets of the records by their ids."""
        wrote = [
            (queued.sent.subject, result)
            for queued, result in zip(commands, results, strict=True)
            if isinstance(result, list) and result
        ]
        records = [NewRecord(key, one.value) for key, said in wrote for one in said]
        if self._replies is not None:
            await self._replies.look_up_topics(commands)
        replies, consumed = ((), None) if self._replies is None else self._replies.to(commands, results)
        if not records and consumed is None:
            return {}
        with self._dependencies.meters.append(len(records)):
            offsets = await self._append(writer, [*records, *replies], consumed)
        ids = [one.envelope.id for _, said in wrote for one in said]
        placed = dict(zip(ids, offsets, strict=False))  # replies come after them
        for key in dict.fromkeys(key for key, _ in wrote):
            self._pending.settle(key, placed)
        return placed

    async def _append(
        self, writer: Writer, records: Sequence[NewRecord], consumed: Consumed | None
    ) -> Sequence[int]:
        try:
            async with asyncio.timeout(self._dependencies.append_s):
                return await writer.append(records, consumed)
        except TimeoutError:
            msg = f"the log did not answer within {self._dependencies.append_s:.0f} s"
            raise OutcomeUnknown(msg) from None

    def _refuse(self, queued: QueuedCommand, fault: Exception) -> None:
        if not queued.answer.done():
            queued.answer.set_exception(fault)

    def _answer(self, queued: QueuedCommand, decision: Decision, offsets: dict[str, int]) -> None:
        if queued.answer.done():  # the client has gone
            return
        if isinstance(decision.result, Exception):
            queued.answer.set_exception(decision.result)
            return
        if decision.result is not None or decision.former is not None:
            answered = decision.former or decision
            queued.answer.set_result(
                self._outcome(queued, answered, offsets, replayed=decision.result is None)
            )
            return
        assert decision.done is not None  # noqa: S101 (a repetition has what it repeats)
        if decision.done.version == decision.version or queued.order is not None:
            queued.answer.set_result(self._repeated(queued, decision.done, decision.state))
        else:
            task = asyncio.create_task(self._answer_as_first(queued, decision, decision.done))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    def _outcome(
        self, queued: QueuedCommand, decision: Decision, offsets: dict[str, int], *, replayed: bool
    ) -> CommandResult:
        assert isinstance(decision.result, list)  # noqa: S101 (it was decided, and is no repetition)
        version = offsets[decision.event] if decision.version == UNSETTLED else decision.version
        offset = offsets[decision.result[-1].envelope.id] if decision.result else version
        position = Position(*self._place, offset) if offset >= 0 else None
        # another service may have appended before these records: the log's state of that version has it too
        head = self._pending.head(queued.sent.subject)
        state = head.state if head.version == version else decision.state
        return CommandResult(queued.sent.subject, state, version, position, replayed)

    def _repeated(self, queued: QueuedCommand, done: CompletedCommand, state: Any) -> CommandResult:  # noqa: ANN401 (any aggregate's)
        position = Position(*self._place, done.offset)
        return CommandResult(queued.sent.subject, state, done.version, position, replayed=True)

    async def _answer_as_first(
        self, queued: QueuedCommand, decision: Decision, done: CompletedCommand
    ) -> None:
        """Answer a repetition on an aggregate that has changed since; other commands do not wait for it."""
        try:
            state = await self._first_answers.state(queued.sent.subject, decision.first, done.offset)
        except (OutcomeUnknown, NotOwner) as fault:
            self._refuse(queued, fault)
            return
        if not queued.answer.done():
            found = decision.state if state is None else state
            queued.answer.set_result(self._repeated(queued, done, found))


def _appends_nothing(result: HandlerResult) -> bool:
    """Whether nothing is written for it, so that no pen is asked whether it is still ours."""
    return isinstance(result, Refused) or result == []


def _needs_latest_state(queued: QueuedCommand) -> bool:
    """Whether it hangs on what others wrote last: a version is compared, a deadline may have been cleared."""
    return queued.sent.expects is not None or type(queued.sent.command) is ExpireDeadline
