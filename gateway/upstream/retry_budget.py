"""The retry budget: limits retries to a share of the requests, so that they cannot overload a slow service.

Time comes with each call, in seconds of any one clock.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryShare:
    """The size of a budget: `ratio` of the requests of the last `window_s` seconds, plus `floor`.

    The floor lets a service with few requests have retries too.
    """

    ratio: float = 0.2
    floor: int = 10
    window_s: int = 10


class RetryBudget:
    """Counts requests and retries of a service by second, in a ring buffer as long as the window."""

    __slots__ = (
        *("_asked", "_asked_by_second", "_second", "_share", "_spent", "_spent_by_second"),
        *("refused", "spent"),
    )

    def __init__(self, share: RetryShare | None = None) -> None:
        self._share = share or RetryShare()
        self._asked_by_second = [0] * self._share.window_s
        self._spent_by_second = [0] * self._share.window_s
        self._asked = 0
        self._spent = 0
        self._second = 0
        #: Retries since the start, and retries that were refused for lack of budget.
        self.spent = 0
        self.refused = 0

    def asked(self, now: float) -> None:
        """Count the first attempt of a request."""
        if int(now) != self._second:
            self._move(int(now))
        self._asked += 1
        self._asked_by_second[self._second % self._share.window_s] += 1

    def spend(self, now: float) -> bool:
        """Take one retry out of the budget; return False if none is left."""
        if int(now) != self._second:
            self._move(int(now))
        if self._spent + 1 > self._share.floor + self._share.ratio * self._asked:
            self.refused += 1
            return False
        self.spent += 1
        self._spent += 1
        self._spent_by_second[self._second % self._share.window_s] += 1
        return True

    def _move(self, second: int) -> None:
        """Advance the window to a second, and remove the counts of the seconds before it."""
        window = self._share.window_s
        for passed in range(self._second + 1, min(second, self._second + window) + 1):
            place = passed % window
            self._asked -= self._asked_by_second[place]
            self._spent -= self._spent_by_second[place]
            self._asked_by_second[place] = self._spent_by_second[place] = 0
        self._second = max(second, self._second)
