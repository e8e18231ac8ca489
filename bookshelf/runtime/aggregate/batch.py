"""Works on one batch: decides every queued command, appends all their events in one commit, then answers.

This is group commit: under load the batches grow, and latency stays about the same.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.position import Position
from bookshelf.log.port import Consumed, Fenced, LogFault, NewRecord, OutcomeUnknown, Writer
from bookshelf.runtime.aggregate.command import CommandHandler, InternalCommand, NotOwner
from bookshelf.runtime.aggregate.command_queue import QueuedCommand
from bookshelf.runtime.aggregate.first_answers import FirstAnswers
from bookshelf.runtime.aggregate.plugin import OwnerParts, OwnerPlugin
from bookshelf.runtime.aggregate.replay import PendingEvents
from bookshelf.runtime.aggregate.snapshot import NONE, UNSETTLED, CompletedCommand, DecodedEvent
from bookshelf.runtime.aggregate.state_store import CommandKey

#: Bytes of pending events above which the next batch first waits until the replay has caught up with the log.
PENDING_BYTES = 4 << 20

HandlerResult = list[DecodedEvent] | None | Exception


@dataclass(slots=True)
class Decision:
    """The result of one command, with the state right after it: later commands of the batch do not change it.

    `version` is UNSETTLED while `event`, the id of the aggregate's newest event, has no offset yet.
    For a repetition, `done` is the completed command that it repeats, `first` is the offset of the
    aggregate's first event, and `former` is the decision that it repeats if that is in the same batch.
    """

    result: HandlerResult
    state: Any = None
    version: int = NONE
    event: str = ""
    done: CompletedCommand | None = None
    first: int = NONE
    former: "Decision | None" = None


class BatchProcessor:
    """Decides, appends and answers the batches of one partition; each batch comes with its writer."""

    def __init__(self, parts: OwnerParts, pending: PendingEvents, plugins: Sequence[OwnerPlugin]) -> None:
        context, self._states, self._replay, _ = parts
        self._dependencies = context.dependencies
        self._place = (context.aggregate.topic, context.partition)
        self._refusals = context.aggregate.refusals
        self._pending = pending
        self._plugins = plugins
        self._handler = CommandHandler(context.aggregate, context.dependencies.ids)
        self._first_answers = FirstAnswers(context)
        self._answering: set[asyncio.Task[None]] = set()
        #: True if events of the last batch may be in the log.
        self.tried = False

    async def work(self, writer: Writer, commands: Sequence[QueuedCommand]) -> None:
        """Carry out a batch and answer it. Raises `Fenced`, `OutcomeUnknown` if it must be tried again."""
        self.tried = False
        decisions = await self._decide_batch(commands)
        results = [decision.result for decision in decisions]
        self.tried = True
        offsets: dict[str, int] = {}
        try:
            offsets = await self._write(writer, commands, results)
        except (Fenced, OutcomeUnknown):
            raise
        except LogFault as fault:
            self._pending.drop_unsettled()
            sourced = [queued for queued in commands if queued.source is not None]
            if 0 < len(sourced) < len(commands):
                # one of them may be the cause: the commands from clients are tried again without them
                for queued in sourced:
                    self._refuse(queued, fault)
                await self.work(writer, [queued for queued in commands if queued.source is None])
                return
            for queued in commands:
                self._refuse(queued, fault)  # also in place of a refusal, which may rest on unwritten events
            return
        await self._states.load([queued.request.subject for queued in commands])
        for queued, decision in zip(commands, decisions, strict=True):
            if not decision.result:  # no events, or those of another command with this id
                self._dependencies.meters.ignored(queued.request.command.TYPE)
            self._answer(queued, decision, offsets)

    async def close(self) -> None:
        """Stop reading first answers: their clients get `NotOwner` and turn to the next owner."""
        await self._first_answers.close()
        if self._answering:
            await asyncio.wait(self._answering)

    async def _decide_batch(self, commands: Sequence[QueuedCommand]) -> Sequence[Decision]:
        if self._pending.pending_bytes > PENDING_BYTES or any(map(_needs_latest_state, commands)):
            await self._replay.catch_up()
        self._states.fresh(
            queued.request.subject for queued in commands if queued.request.fresh and not queued.tried
        )
        decisions = await self._decide_all(commands)
        if any(self._declines(decision.result) for decision in decisions) and await self._replay.catch_up():
            # A refusal or an empty decision may rest on an outdated state. The whole batch is decided again,
            # so that its events are appended in the order of the queue.
            self._pending.drop_unsettled()
            decisions = await self._decide_all(commands)
        return decisions

    def _declines(self, result: HandlerResult) -> bool:
        """Return True if the decision may be another one on a later state.

        One that appends nothing must not rest on an outdated state either: fencing cannot reveal that the
        partition was lost.
        """
        if not isinstance(result, list):
            return isinstance(result, Refused)
        return not result or any(isinstance(decided.event, self._refusals) for decided in result)

    async def _decide_all(self, commands: Sequence[QueuedCommand]) -> Sequence[Decision]:
        stored = await self._load(commands)
        batch: dict[CommandKey, Decision] = {}
        return [self._decide(queued, stored, batch) for queued in commands]

    async def _load(self, commands: Sequence[QueuedCommand]) -> dict[CommandKey, CompletedCommand]:
        """Load the snapshots that the commands need; return the completed commands found in the store."""
        keys = [queued.request.subject for queued in commands]
        stored: dict[CommandKey, CompletedCommand] = {}
        asked: set[CommandKey] = set()
        saved = -1
        while True:
            await self._states.load(keys)
            wanted = {
                (request.subject, request.id)
                for request, *_ in commands
                if not request.origin
                and (snapshot := self._pending.head(request.subject)).spilled
                and snapshot.recall(request.id) is None
            }
            if not wanted or (wanted <= asked and saved == self._states.saved):
                return stored
            # during the look-up completed commands may move from memory to the store: repeat until none did
            asked, saved = wanted, self._states.saved
            stored = await self._states.recall_stored(wanted)

    def _decide(
        self,
        queued: QueuedCommand,
        stored: dict[CommandKey, CompletedCommand],
        batch: dict[CommandKey, Decision],
    ) -> Decision:
        request = queued.request
        if queued.source is not None and queued.source.refusal is not None:
            return Decision(queued.source.refusal)
        key = (request.subject, request.id)
        snapshot = self._pending.head(request.subject)
        done = self._states.recall(*key) or stored.get(key)
        try:
            events = self._handler.decide(snapshot, request, done, self._pending.parent(request.subject))
        except Exception as fault:  # noqa: BLE001 (a refusal or a defect: either is this command's answer)
            return Decision(fault)
        if events is None:
            done = None if request.origin else snapshot.recall(request.id) or done
            return Decision(None, snapshot.state, snapshot.version, "", done, snapshot.first, batch.get(key))
        if events:
            self._pending.add(request.subject, events)
            snapshot = self._pending.head(request.subject)
        decision = Decision(events, snapshot.state, snapshot.version)
        if snapshot.version == UNSETTLED:
            decision.event = self._pending.newest_event(request.subject)
        batch[key] = decision
        return decision

    async def _write(
        self, writer: Writer, commands: Sequence[QueuedCommand], results: Sequence[HandlerResult]
    ) -> dict[str, int]:
        """Append the new events and what the plug-ins add; return the offsets of the events by their ids."""
        decided = [
            (queued.request.subject, result)
            for queued, result in zip(commands, results, strict=True)
            if isinstance(result, list) and result
        ]
        records = [NewRecord(key, event.value) for key, events in decided for event in events]
        events, consumed = len(records), None
        for plugin in self._plugins:
            extra, offset = await plugin.extra_records(commands, results)
            records += extra
            consumed = offset or consumed
        if not records and consumed is None:
            return {}
        with self._dependencies.meters.append(events):
            offsets = await self._append(writer, records, consumed)
        ids = [event.envelope.id for _, events in decided for event in events]
        offset_of = dict(zip(ids, offsets, strict=False))  # those of the plug-ins come after the events
        for key in dict.fromkeys(key for key, _ in decided):
            self._pending.settle(key, offset_of)
        return offset_of

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
        if queued.answer.done():  # cancelled: the client has disconnected
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
        if decision.done is None:  # recognised by its origin: only a process sent it, which needs no state
            result = CommandResult(
                queued.request.subject, decision.state, decision.version, None, replayed=True
            )
            queued.answer.set_result(result)
        elif decision.done.version == decision.version or queued.source is not None:
            queued.answer.set_result(self._repeated(queued, decision.done, decision.state))
        else:
            task = asyncio.create_task(self._answer_as_first(queued, decision, decision.done))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    def _outcome(
        self, queued: QueuedCommand, decision: Decision, offsets: dict[str, int], *, replayed: bool
    ) -> CommandResult:
        assert isinstance(decision.result, list)  # noqa: S101 (neither a refusal nor a repetition)
        version = offsets[decision.event] if decision.version == UNSETTLED else decision.version
        offset = offsets[decision.result[-1].envelope.id] if decision.result else version
        position = Position(*self._place, offset) if offset >= 0 else None
        # another service may have appended in between: prefer the log's state if it is of this version
        head = self._pending.head(queued.request.subject)
        state = head.state if head.version == version else decision.state
        first = decision.result[0] if decision.result else None
        change = "" if first is None or first.event is None else first.envelope.id
        return CommandResult(queued.request.subject, state, version, position, replayed, change)

    def _repeated(self, queued: QueuedCommand, done: CompletedCommand, state: Any) -> CommandResult:  # noqa: ANN401 (any aggregate's)
        position = Position(*self._place, done.offset)
        subject = queued.request.subject
        return CommandResult(subject, state, done.version, position, replayed=True, change=done.change)

    async def _answer_as_first(
        self, queued: QueuedCommand, decision: Decision, done: CompletedCommand
    ) -> None:
        """Answer a repetition whose aggregate has changed since, without delaying the other commands."""
        try:
            state = await self._first_answers.state(queued.request.subject, decision.first, done.offset)
        except (OutcomeUnknown, NotOwner) as fault:
            self._refuse(queued, fault)
            return
        if not queued.answer.done():
            first_state = decision.state if state is None else state
            queued.answer.set_result(self._repeated(queued, done, first_state))


def _needs_latest_state(queued: QueuedCommand) -> bool:
    """Return True if the decision needs the latest state: for If-Match, or to find the command in it."""
    return queued.request.expects is not None or isinstance(queued.request.command, InternalCommand)
