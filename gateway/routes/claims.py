"""Whose claims come first: who was met first, as long as it is not away for good."""

from collections.abc import Iterable

from bookshelf.discovery.port import Instance

#: Seconds that a service may be away before another may have what it holds.
AWAY_S = 60.0
_Rank = tuple[int, bool, str]


class Seniority:
    """Remembers when each service was first met. Those met together rank as ours first, then by name.

    So gateways that start at one time agree, and no one gets in front by what it is called, or by answering
    faster. Time comes with each call, in seconds of any one clock.
    """

    def __init__(self) -> None:
        self._met: dict[str, _Rank] = {}
        self._away: dict[str, float] = {}
        self._meetings = 0

    def met(self, instances: Iterable[Instance], now: float) -> None:
        """Take in who is ready now."""
        ready = {instance.service: instance.stranger for instance in instances}
        self._meetings += 1
        for service, stranger in ready.items():
            self._met.setdefault(service, (self._meetings, stranger, service))
        self._away = {name: self._away.get(name, now) for name in self._met.keys() - ready.keys()}

    def rank(self, service: str) -> _Rank:
        """Return what services are sorted by."""
        return self._met.get(service, (self._meetings + 1, True, service))

    def gone(self, now: float) -> set[str]:
        """Return the services that have been away for too long to hold anything that others want."""
        return {service for service, since in self._away.items() if now - since >= AWAY_S}

    def forget(self, services: Iterable[str]) -> None:
        """Forget services: they begin anew."""
        for service in services:
            self._met.pop(service, None)
            self._away.pop(service, None)
