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
from bookshelf.runtime.owner.command import NotOwner, Outcome
from bookshelf.runtime.owner.due import FallDue
from bookshelf.runtime.owner.first_answers import FirstAnswers
from bookshelf.runtime.owner.follower import Follower
from bookshelf.runtime.owner.held import NONE, UNSETTLED, Done, Said
from bookshelf.runtime.owner.mailbox import Letter
from bookshelf.runtime.owner.overlay import Overlay
from bookshelf.runtime.owner.replies import Replies
from bookshelf.runtime.owner.seat import Seat
from bookshelf.runtime.owner.states import States
from bookshelf.runtime.owner.store import CommandKey
from bookshelf.runtime.owner.verdict import Judge

#: Bytes of pending events above which the next batch waits until the log was read to its end.
PENDING_BYTES = 4 << 20

Verdict = list[Said] | None | Exception


@dataclass(slots=True)
class Decision:
    """What became of a command when it was decided: later commands of the same batch change nothing of it.

    `version` is UNSETTLED while `event`, the id of the newest event of the aggregate, has no offset yet.
    `done` is the completed command that this one repeats, `first` where the log begins with the aggregate,
    `former` the decision in the same batch that it repeats.
    """

    verdict: Verdict
    state: Any = None
    version: int = NONE
    event: str = ""
    done: Done | None = None
    first: int = NONE
    former: "Decision | None" = None


class Scribe:
    """Works on one partition, with whatever pen it is handed."""

    def __init__(self, seat: Seat, states: States, overlay: Overlay, follower: Follower) -> None:
        self._means = seat.means
        self._place = (seat.aggregate.topic, seat.partition)
        self._states = states
        self._overlay = overlay
        self._follower = follower
        self._judge = Judge(seat.aggregate, seat.means.ids)
        self._replies = Replies(seat) if seat.aggregate.takes else None
        self._first_answers = FirstAnswers(seat)
        self._answering: set[asyncio.Task[None]] = set()
        #: Whether something of the last letters may be in the log.
        self.tried = False

    async def work(self, pen: Writer, letters: Sequence[Letter]) -> None:
        """Answer these letters. Raises `Fenced`, `OutcomeUnknown`: what became of them is not known."""
        self.tried = False
        decisions = await self._judged(letters)
        verdicts = [decision.verdict for decision in decisions]
        self.tried = True
        offsets: dict[str, int] = {}
        try:
            offsets = await self._write(pen, letters, verdicts)
        except (Fenced, OutcomeUnknown):
            raise
        except LogFault as fault:
            self._overlay.drop_unsettled()
            orders = [letter for letter in letters if letter.order is not None]
            if 0 < len(orders) < len(letters):
                # one of the orders may be what the log does not take: no one else is to pay for that
                for letter in orders:
                    self._refuse(letter, fault)
                await self.work(pen, [letter for letter in letters if letter.order is None])
                return
            for letter in letters:
                self._refuse(letter, fault)  # refusals too: they may rest on what was not written
            return
        await self._states.load([letter.sent.subject for letter in letters])
        for letter, decision in zip(letters, decisions, strict=True):
            self._answer(letter, decision, offsets)

    async def close(self) -> None:
        """Stop looking for first answers: the next owner gives those that are waited for."""
        await self._first_answers.close()
        if self._answering:
            await asyncio.wait(self._answering)

    async def _judged(self, letters: Sequence[Letter]) -> Sequence[Decision]:
        if self._overlay.pending_bytes > PENDING_BYTES or any(map(_wants_the_newest, letters)):
            await self._follower.catch_up()
        self._states.fresh(one.sent.subject for one in letters if one.sent.fresh and not one.tried)
        decisions = await self._decide_all(letters)
        if (
            any(_rests_on_what_is_known(decision.verdict) for decision in decisions)
            and await self._follower.catch_up()
        ):
            # no one is refused for what was not read yet, nor told by a former owner that nothing was to do;
            # all anew, so that the letters' order is the log's
            self._overlay.drop_unsettled()
            decisions = await self._decide_all(letters)
        return decisions

    async def _decide_all(self, letters: Sequence[Letter]) -> Sequence[Decision]:
        stored = await self._load(letters)
        batch: dict[CommandKey, Decision] = {}
        return [self._decide(letter, stored, batch) for letter in letters]

    async def _load(self, letters: Sequence[Letter]) -> dict[CommandKey, Done]:
        """Have the states of these commands in memory; return those commands that the store has completed."""
        keys = [letter.sent.subject for letter in letters]
        stored: dict[CommandKey, Done] = {}
        asked: set[CommandKey] = set()
        saved = -1
        while True:
            await self._states.load(keys)
            wanted = {(one.sent.subject, one.sent.id) for one in letters if self._may_be_stored(one)}
            if not wanted or (wanted <= asked and saved == self._states.saved):
                return stored
            # while the store is asked, commands may move from memory to the store
            asked, saved = wanted, self._states.saved
            stored = await self._states.recall_stored(wanted)

    def _may_be_stored(self, letter: Letter) -> bool:
        sent = letter.sent
        held = self._overlay.head(sent.subject)
        return held.spilled and held.recall(sent.id) is None

    def _decide(
        self, letter: Letter, stored: dict[CommandKey, Done], batch: dict[CommandKey, Decision]
    ) -> Decision:
        sent = letter.sent
        if letter.order is not None and letter.order.refusal is not None:
            return Decision(letter.order.refusal)
        key = (sent.subject, sent.id)
        held = self._overlay.head(sent.subject)
        done = self._states.recall(*key) or stored.get(key)
        try:
            said = self._judge.judge(held, sent, done)
        except Exception as fault:  # noqa: BLE001 (a refusal or a defect: either is this command's answer)
            return Decision(fault)
        if said is None:
            done = held.recall(sent.id) or done
            return Decision(None, held.state, held.version, "", done, held.first, batch.get(key))
        if said:
            self._overlay.add(sent.subject, said)
            held = self._overlay.head(sent.subject)
        decision = Decision(said, held.state, held.version)
        if held.version == UNSETTLED:
            decision.event = self._overlay.newest_event(sent.subject)
        batch[key] = decision
        return decision

    async def _write(
        self, pen: Writer, letters: Sequence[Letter], verdicts: Sequence[Verdict]
    ) -> dict[str, int]:
        """Append what was decided; return the offsets of the records by their ids."""
        wrote = [
            (letter.sent.subject, verdict)
            for letter, verdict in zip(letters, verdicts, strict=True)
            if isinstance(verdict, list) and verdict
        ]
        records = [NewRecord(key, one.value) for key, said in wrote for one in said]
        if self._replies is not None:
            await self._replies.look_up_topics(letters)
        replies, consumed = ((), None) if self._replies is None else self._replies.to(letters, verdicts)
        if not records and consumed is None:
            return {}
        with self._means.meters.append(len(records)):
            offsets = await self._append(pen, [*records, *replies], consumed)
        ids = [one.envelope.id for _, said in wrote for one in said]
        placed = dict(zip(ids, offsets, strict=False))  # replies come after them
        for key in dict.fromkeys(key for key, _ in wrote):
            self._overlay.settle(key, placed)
        return placed

    async def _append(
        self, pen: Writer, records: Sequence[NewRecord], consumed: Consumed | None
    ) -> Sequence[int]:
        try:
            async with asyncio.timeout(self._means.append_s):
                return await pen.append(records, consumed)
        except TimeoutError:
            msg = f"the log did not answer within {self._means.append_s:.0f} s"
            raise OutcomeUnknown(msg) from None

    def _refuse(self, letter: Letter, fault: Exception) -> None:
        if not letter.answer.done():
            letter.answer.set_exception(fault)

    def _answer(self, letter: Letter, decision: Decision, offsets: dict[str, int]) -> None:
        if letter.answer.done():  # the client has gone
            return
        if isinstance(decision.verdict, Exception):
            letter.answer.set_exception(decision.verdict)
            return
        if decision.verdict is not None or decision.former is not None:
            answered = decision.former or decision
            letter.answer.set_result(
                self._outcome(letter, answered, offsets, replayed=decision.verdict is None)
            )
            return
        assert decision.done is not None  # noqa: S101 (a repetition has what it repeats)
        if decision.done.version == decision.version or letter.order is not None:
            letter.answer.set_result(self._repeated(letter, decision.done, decision.state))
        else:
            task = asyncio.create_task(self._answer_as_first(letter, decision, decision.done))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    def _outcome(
        self, letter: Letter, decision: Decision, offsets: dict[str, int], *, replayed: bool
    ) -> Outcome:
        assert isinstance(decision.verdict, list)  # noqa: S101 (it was decided, and is no repetition)
        version = offsets[decision.event] if decision.version == UNSETTLED else decision.version
        offset = offsets[decision.verdict[-1].envelope.id] if decision.verdict else version
        position = Position(*self._place, offset) if offset >= 0 else None
        # another service may have appended before these records: the log's state of that version has it too
        head = self._overlay.head(letter.sent.subject)
        state = head.state if head.version == version else decision.state
        return Outcome(letter.sent.subject, state, version, position, replayed)

    def _repeated(self, letter: Letter, done: Done, state: Any) -> Outcome:  # noqa: ANN401 (any aggregate's)
        position = Position(*self._place, done.offset)
        return Outcome(letter.sent.subject, state, done.version, position, replayed=True)

    async def _answer_as_first(self, letter: Letter, decision: Decision, done: Done) -> None:
        """Answer a repetition on an aggregate that has changed since; other commands do not wait for it."""
        try:
            state = await self._first_answers.state(letter.sent.subject, decision.first, done.offset)
        except (OutcomeUnknown, NotOwner) as fault:
            self._refuse(letter, fault)
            return
        if not letter.answer.done():
            found = decision.state if state is None else state
            letter.answer.set_result(self._repeated(letter, done, found))


def _rests_on_what_is_known(verdict: Verdict) -> bool:
    """Whether nothing is written for it, so that no pen is asked whether it is still ours."""
    return isinstance(verdict, Refused) or verdict == []


def _wants_the_newest(letter: Letter) -> bool:
    """Whether it hangs on what others wrote last: a version is compared, a deadline may have been cleared."""
    return letter.sent.expects is not None or type(letter.sent.command) is FallDue
