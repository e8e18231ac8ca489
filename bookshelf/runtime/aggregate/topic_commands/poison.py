"""Isolates a poison message: refuses a command message whose events the log rejects, and reads on.

An empty append is tried first: if the log rejects that too, the log is down and no message is at fault.
"""

from enum import Enum

from bookshelf.cqrs.errors import Refused
from bookshelf.runtime.aggregate.command import CommandRequest
from bookshelf.runtime.aggregate.topic_commands.messages import NoCommand, ReceivedCommand
from bookshelf.runtime.clock import Clock


class UnwritableMessage(Refused):
    """A command whose events the log rejects."""

    KIND = "too-large"


class AppendAttempt(Enum):
    """What is appended next for a command message that may be poison."""

    WHOLE = "its events and its reply"
    TRIAL = "nothing but the consumed offset, to see whether the log accepts any append"
    AGAIN = "its events and its reply, now that the log is known to accept appends"
    UNANSWERED = "its events without a reply, as the reply's topic may be the cause"
    REFUSED = "a reply that refuses it, as its events are the cause"
    PASSED = "nothing but the consumed offset, as even the refusal is rejected"


_NEXT = {
    AppendAttempt.WHOLE: AppendAttempt.TRIAL,
    AppendAttempt.TRIAL: AppendAttempt.WHOLE,
    AppendAttempt.AGAIN: AppendAttempt.UNANSWERED,
    AppendAttempt.UNANSWERED: AppendAttempt.REFUSED,
    AppendAttempt.REFUSED: AppendAttempt.PASSED,
    AppendAttempt.PASSED: AppendAttempt.WHOLE,
}


class PoisonCheck:
    """Finds out step by step whether the command message at one offset is poison."""

    def __init__(self, offset: int, clock: Clock) -> None:
        self.offset = offset
        self._clock = clock
        self._step = AppendAttempt.WHOLE

    @property
    def trial(self) -> bool:
        """True if the next append is the empty one that tries the log."""
        return self._step is AppendAttempt.TRIAL

    def failed(self) -> None:
        """Go to the next step: the log has certainly rejected the last append."""
        self._step = _NEXT[self._step]

    def taken(self) -> None:
        """Note that the empty append succeeded: the log accepts appends, so the message is suspect."""
        self._step = AppendAttempt.AGAIN

    def softened(
        self, sent: CommandRequest, arrived: ReceivedCommand
    ) -> tuple[CommandRequest, ReceivedCommand]:
        """Return the message as this step of the check appends it."""
        if self._step is AppendAttempt.TRIAL:
            nothing = CommandRequest(subject="", command=NoCommand(), id="", at=self._clock.now())
            return nothing, ReceivedCommand(self.offset, None, UnwritableMessage("a trial of the log"))
        if self._step in {AppendAttempt.WHOLE, AppendAttempt.AGAIN}:
            return sent, arrived
        if self._step is AppendAttempt.UNANSWERED:
            return sent, arrived._replace(back=None)
        refusal = UnwritableMessage("the log rejects the events of this command; they may be too large")
        return sent, ReceivedCommand(
            arrived.after, arrived.back if self._step is AppendAttempt.REFUSED else None, refusal
        )
