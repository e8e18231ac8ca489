"""An order that the log does not take must not stop those behind it: it is found, refused, passed over.

That takes a proof that the log takes anything at all, for an outage is no order's fault.
"""

from enum import Enum

from bookshelf.cqrs.errors import Refused
from bookshelf.runtime.clock import Clock
from bookshelf.runtime.owner.command import Sent
from bookshelf.runtime.owner.orders import Arrived, NoCommand


class Unwritable(Refused):
    """A command whose events the log does not take."""

    KIND = "too-large"


class Step(Enum):
    """What is tried with an order."""

    WHOLE = "as it is"
    TRIAL = "nothing of it, to see whether the log takes anything"
    AGAIN = "as it is, for the log takes other things"
    UNANSWERED = "as it is, without an answer, for the topic of its answers may be at fault"
    REFUSED = "its refusal, for it is at fault"
    PASSED = "nothing, for not even its refusal is taken"


_IF_NOT = {
    Step.WHOLE: Step.TRIAL,
    Step.TRIAL: Step.WHOLE,
    Step.AGAIN: Step.UNANSWERED,
    Step.UNANSWERED: Step.REFUSED,
    Step.REFUSED: Step.PASSED,
    Step.PASSED: Step.WHOLE,
}


class Suspicion:
    """What is thought of the order at one offset."""

    def __init__(self, offset: int, clock: Clock) -> None:
        self.offset = offset
        self._clock = clock
        self._step = Step.WHOLE

    @property
    def trial(self) -> bool:
        """Whether it is the log that is tried next."""
        return self._step is Step.TRIAL

    def failed(self) -> None:
        """Say that nothing of the last try was written, for certain."""
        self._step = _IF_NOT[self._step]

    def taken(self) -> None:
        """Say that the trial was written: the log takes other things."""
        self._step = Step.AGAIN

    def softened(self, sent: Sent, arrived: Arrived) -> tuple[Sent, Arrived]:
        """Return what is to be tried with the order."""
        if self._step is Step.TRIAL:
            nothing = Sent(subject="", command=NoCommand(), id="", at=self._clock.now())
            return nothing, Arrived(self.offset, None, Unwritable("a trial of the log"))
        if self._step in {Step.WHOLE, Step.AGAIN}:
            return sent, arrived
        if self._step is Step.UNANSWERED:
            return sent, arrived._replace(back=None)
        refusal = Unwritable("the log does not take what this leads to; it may be too large")
        return sent, Arrived(arrived.after, arrived.back if self._step is Step.REFUSED else None, refusal)
