"""How often one person may do something in a minute, as counted by one instance."""

from collections import OrderedDict, deque

#: Seconds of a window, and the persons that are counted at once; the one that was idle longest is left out.
WINDOW_S = 60.0
_PERSONS = 10_000


class PersonRates:
    """Counts what persons do in the last minute; `most` of each is accepted."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, person: str, now_s: float) -> float:
        """Count one more and return 0; or return the seconds until it is accepted, and count nothing."""
        times = self._times.setdefault(person, deque())
        self._times.move_to_end(person)
        while times and times[0] <= now_s - WINDOW_S:
            times.popleft()
        if len(times) >= self._most:
            return times[0] + WINDOW_S - now_s
        times.append(now_s)
        if len(self._times) > _PERSONS:
            self._times.popitem(last=False)
        return 0.0
