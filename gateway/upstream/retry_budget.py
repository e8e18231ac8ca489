"""How much may be tried again: a share of what is asked, so that retries never bring down who is slow.

Time comes with each call, in seconds of any one clock.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryShare:
    """At most `ratio` of the last `window_s` seconds' requests, and `floor` more: a lone one may be, too."""

    ratio: float = 0.2
    floor: int = 10
    window_s: int = 10


class RetryBudget:
    """Counts what was asked and what was tried again, second by second, in a ring as long as the window."""

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
        #: Retries since the beginning, and those that there was no budget for.
        self.spent = 0
        self.refused = 0

    def asked(self, now: float) -> None:
        """Note a request's first try."""
        if int(now) != self._second:
            self._move(int(now))
        self._asked += 1
        self._asked_by_second[self._second % self._share.window_s] += 1

    def spend(self, now: float) -> bool:
        """Take one retry out of the budget; False if there is none left."""
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
        """Forget the seconds that the window has left behind."""
        window = self._share.window_s
        for passed in range(self._second + 1, min(second, self._second + window) + 1):
            place = passed % window
            self._asked -= self._asked_by_second[place]
            self._spent -= self._spent_by_second[place]
            self._asked_by_second[place] = self._spent_by_second[place] = 0
        self._second = max(second, self._second)
