"""From a batch of letters to their answers: decide each, append what they say at once, then answer.

That is group commit: load makes batches larger, not latencies longer.
"""

import asyncio
from collections.abc import Sequence

from bookshelf.cqrs.errors import Refused
from bookshelf.log.port import Consumed, Fenced, LogFault, NewRecord, OutcomeUnknown, Writer
from bookshelf.runtime.owner.due import FallDue
from bookshelf.runtime.owner.follower import Follower
from bookshelf.runtime.owner.held import Said
from bookshelf.runtime.owner.mailbox import Letter
from bookshelf.runtime.owner.overlay import Overlay
from bookshelf.runtime.owner.replies import Replies
from bookshelf.runtime.owner.seat import Seat
from bookshelf.runtime.owner.states import States
from bookshelf.runtime.owner.verdict import Judge, outcome

Verdict = list[Said] | None | Exception


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
        #: Whether something of the last letters may be in the log.
        self.tried = False

    async def work(self, pen: Writer, letters: Sequence[Letter]) -> None:
        """Answer these letters. Raises `Fenced`, `OutcomeUnknown`: what became of them is not known."""
        self.tried = False
        verdicts = await self._judged(letters)
        self.tried = True
        try:
            await self._write(pen, letters, verdicts)
        except (Fenced, OutcomeUnknown):
            raise
        except LogFault as fault:
            self._overlay.drop_unsettled()
            verdicts = [fault] * len(letters)  # refusals too: they may rest on what was not written
            orders = [letter for letter in letters if letter.order is not None]
            if 0 < len(orders) < len(letters):
                # one of the orders may be what the log does not take: no one else is to pay for that
                await self._answer_all(orders, [fault] * len(orders))
                await self.work(pen, [letter for letter in letters if letter.order is None])
                return
        await self._answer_all(letters, verdicts)

    async def _answer_all(self, letters: Sequence[Letter], verdicts: Sequence[Verdict]) -> None:
        await self._states.load([letter.sent.subject for letter in letters])
        for letter, verdict in zip(letters, verdicts, strict=True):
            self._answer(letter, verdict)

    async def _judged(self, letters: Sequence[Letter]) -> Sequence[Verdict]:
        if any(_wants_the_newest(letter) for letter in letters):
            await self._follower.catch_up()
        self._states.fresh(one.sent.subject for one in letters if one.sent.fresh and not one.tried)
        verdicts = await self._decide_all(letters)
        if any(map(_rests_on_what_is_known, verdicts)) and await self._follower.catch_up():
            # no one is refused for what was not read yet, nor told by a former owner that nothing was to do;
            # all anew, so that the letters' order is the log's
            self._overlay.drop_unsettled()
            verdicts = await self._decide_all(letters)
        return verdicts

    async def _decide_all(self, letters: Sequence[Letter]) -> Sequence[Verdict]:
        await self._states.load([letter.sent.subject for letter in letters])
        return [self._decide(letter) for letter in letters]

    def _decide(self, letter: Letter) -> Verdict:
        sent = letter.sent
        if letter.order is not None and letter.order.refusal is not None:
            return letter.order.refusal
        try:
            said = self._judge.judge(self._overlay.head(sent.subject), sent)
        except Exception as fault:  # noqa: BLE001 (a refusal or a defect: either is this command's answer)
            return fault
        if said:
            self._overlay.add(sent.subject, said)
        return said

    async def _write(self, pen: Writer, letters: Sequence[Letter], verdicts: Sequence[Verdict]) -> None:
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
            return
        with self._means.meters.append(len(records)):
            offsets = await self._append(pen, [*records, *replies], consumed)
        place = 0
        for key, said in wrote:
            self._overlay.settle(key, said, offsets[place : place + len(said)])
            place += len(said)

    async def _append(
        self, pen: Writer, records: Sequence[NewRecord], consumed: Consumed | None
    ) -> Sequence[int]:
        try:
            async with asyncio.timeout(self._means.append_s):
                return await pen.append(records, consumed)
        except TimeoutError:
            msg = f"the log did not answer within {self._means.append_s:.0f} s"
            raise OutcomeUnknown(msg) from None

    def _answer(self, letter: Letter, verdict: Verdict) -> None:
        if letter.answer.done():  # who asked has gone
            return
        if isinstance(verdict, Exception):
            letter.answer.set_exception(verdict)
            return
        held = self._overlay.head(letter.sent.subject)
        letter.answer.set_result(outcome(held, letter.sent, self._place, replayed=verdict is None))


def _rests_on_what_is_known(verdict: Verdict) -> bool:
    """Whether nothing is written for it, so that no pen is asked whether it is still ours."""
    return isinstance(verdict, Refused) or verdict == []


def _wants_the_newest(letter: Letter) -> bool:
    """Whether it hangs on what others wrote last: a version is compared, a deadline may have been cleared."""
    return letter.sent.expects is not None or type(letter.sent.command) is FallDue
