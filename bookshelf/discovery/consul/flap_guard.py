"""What to believe of an answer: who is ready is news, that nobody is there any more may be a mistake.

An agent that was restarted empty knows no one for a moment, and then only some; one that was hung takes
everyone for dead; one that may not read answers with nothing. Each such answer is well-formed. So whoever
was ready, is missing then and has not said so is held for a while; a snapshot with someone held is stale.
What ends that is an answer after that while, and never that none comes.
"""

from collections.abc import Set as AbstractSet

import msgspec

from bookshelf.discovery.port import Instance, Snapshot


class CatalogSnapshot(msgspec.Struct, frozen=True):
    """One answer. `confessed`: who says itself that it is not ready."""

    ready: tuple[Instance, ...] = ()
    confessed: AbstractSet[str] = frozenset()
    #: Whether the agent may have forgotten: the first answer after a fault, or its index went back.
    doubtful: bool = False


class FlapGuard:
    """Who is ready, as far as answers can be believed. Times are of answers, seconds of any one clock."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._ready: dict[str, Instance] = {}
        self._held: dict[str, tuple[Instance, float]] = {}
        self._denied: set[str] = set()
        self._silent = False

    def lost(self) -> None:
        """Note that answers have ceased: when they come again, the while begins anew."""
        self._silent = True

    def hear(self, seen: CatalogSnapshot, now: float) -> None:
        """Take in an answer."""
        ready = {instance.id: instance for instance in seen.ready}
        missing = {key: one for key, one in self._ready.items() if key not in ready}
        until = now + self._grace_s
        if self._silent:
            self._silent = False
            self._held = {key: (one, until) for key, (one, _) in self._held.items()}
        if seen.doubtful or not ready:
            self._held = {**{key: (one, until) for key, one in missing.items()}, **self._held}
        known = ready.keys() | seen.confessed
        self._held = {key: held for key, held in self._held.items() if key not in known and held[1] > now}
        self._ready = ready

    def deny(self, instance_id: str) -> None:
        """Know better than any answer that this one is not ready: this very process has said so."""
        self._denied.add(instance_id)
        self._held.pop(instance_id, None)

    def allow(self, instance_id: str) -> None:
        """Leave it to answers again whether this one is ready."""
        self._denied.discard(instance_id)

    def snapshot(self, now: float) -> Snapshot:
        """Return who is ready or held, by service."""
        held = [one for one, until in self._held.values() if until > now and one.id not in self._denied]
        ready = [one for one in self._ready.values() if one.id not in self._denied]
        return Snapshot(tuple(sorted([*held, *ready], key=_order)), stale=bool(held))

    def next_end(self, now: float) -> float | None:
        """Return when an answer would end that the next one is held, if someone is."""
        return min((until for _, until in self._held.values() if until > now), default=None)


def _order(instance: Instance) -> tuple[str, str]:
    return instance.service, instance.id
