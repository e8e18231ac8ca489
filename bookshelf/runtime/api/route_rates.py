"""Limits how often one person does a thing in a minute. Each instance of a service counts for itself."""

import asyncio
from collections import OrderedDict, deque
from math import ceil

from bookshelf.http.problem import Problem

_WINDOW_S = 60.0
#: Persons that are counted at once; the one that was counted longest ago is forgotten first.
_PERSONS = 10_000


class RouteRates:
    """Counts requests in the last minute by person, at most `per_minute` of each."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, person: str) -> None:
        """Count a request. Raises `Problem` too-many if the person has sent too many."""
        now = asyncio.get_running_loop().time()
        times = self._times.setdefault(person, deque())
        self._times.move_to_end(person)
        if len(self._times) > _PERSONS:
            self._times.popitem(last=False)
        while times and times[0] <= now - _WINDOW_S:
            times.popleft()
        if len(times) >= self._per_minute:
            wait_s = max(1, ceil(times[0] + _WINDOW_S - now))
            msg = f"this can be done {self._per_minute} times a minute; try again in {wait_s} s"
            raise Problem("too-many", msg, Retry_After=str(wait_s))
        times.append(now)
