"""An order that the log does not take must not stop those behind it: it is found, refused, passed over.

That takes a proof that the log takes anything at all, for an outage is no order's fault.
"""

from enum import Enum

from bookshelf.cqrs.errors import Refused
from bookshelf.runtime.aggregate.command import CommandRequest
from bookshelf.runtime.aggregate.topic_commands.messages import NoCommand, ReceivedCommand
from bookshelf.runtime.clock import Clock


class UnwritableMessage(Refused):
    """A command whose events the log does not take."""

    KIND = "too-large"


class AppendAttempt(Enum):
    """What is tried with an order."""

    WHOLE = "as it is"
    TRIAL = "nothing of it, to see whether the log takes anything"
    AGAIN = "as it is, for the log takes other things"
    UNANSWERED = "as it is, without an answer, for the topic of its answers may be at fault"
    REFUSED = "its refusal, for it is at fault"
    PASSED = "nothing, for not even its refusal is taken"


_NEXT = {
    AppendAttempt.WHOLE: AppendAttempt.TRIAL,
    AppendAttempt.TRIAL: AppendAttempt.WHOLE,
    AppendAttempt.AGAIN: AppendAttempt.UNANSWERED,
    AppendAttempt.UNANSWERED: AppendAttempt.REFUSED,
    AppendAttempt.REFUSED: AppendAttempt.PASSED,
    AppendAttempt.PASSED: AppendAttempt.WHOLE,
}


class PoisonCheck:
    """What is thought of the order at one offset."""

    def __init__(self, offset: int, clock: Clock) -> None:
        self.offset = offset
        self._clock = clock
        self._step = AppendAttempt.WHOLE

    @property
    def trial(self) -> bool:
        """Whether it is the log that is tried next."""
        return self._step is AppendAttempt.TRIAL

    def failed(self) -> None:
        """Say that nothing of the last try was written, for certain."""
        self._step = _NEXT[self._step]

    def taken(self) -> None:
        """Say that the trial was written: the log takes other things."""
        self._step = AppendAttempt.AGAIN

    def softened(
        self, sent: CommandRequest, arrived: ReceivedCommand
    ) -> tuple[CommandRequest, ReceivedCommand]:
        """Return what is to be tried with the order."""
        if self._step is AppendAttempt.TRIAL:
            nothing = CommandRequest(subject="", command=NoCommand(), id="", at=self._clock.now())
            return nothing, ReceivedCommand(self.offset, None, UnwritableMessage("a trial of the log"))
        if self._step in {AppendAttempt.WHOLE, AppendAttempt.AGAIN}:
            return sent, arrived
        if self._step is AppendAttempt.UNANSWERED:
            return sent, arrived._replace(back=None)
        refusal = UnwritableMessage("the log does not take what this leads to; it may be too large")
        return sent, ReceivedCommand(
            arrived.after, arrived.back if self._step is AppendAttempt.REFUSED else None, refusal
        )
