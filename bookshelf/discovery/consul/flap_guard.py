"""Keeps ready instances that an agent's answer suddenly lacks, for a grace period.

An agent that was restarted lists no instance at first, and then only some; one that was suspended lists all
checks as expired; one whose token lost its rights lists nothing. Each such answer is well-formed. So new
instances are accepted at once, and instances that disappear in a suspect or empty answer without having
reported a fault are kept for `grace_s`; a snapshot with a kept instance is stale. Only an answer after the
grace period removes it, never the lack of an answer.
"""

from collections.abc import Set as AbstractSet

import msgspec

from bookshelf.discovery.port import Instance, Snapshot


class CatalogSnapshot(msgspec.Struct, frozen=True):
    """One answer of the agent. `self_reported_down`: ids of instances that have reported a fault."""

    ready: tuple[Instance, ...] = ()
    self_reported_down: AbstractSet[str] = frozenset()
    #: True if the agent may have lost entries: the first answer after a fault, or its index went back.
    suspect: bool = False


class FlapGuard:
    """Derives the ready instances from answers that may be wrong.

    Times are the arrival times of answers, in seconds of one monotonic clock.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._ready: dict[str, Instance] = {}
        self._held: dict[str, tuple[Instance, float]] = {}
        self._denied: set[str] = set()
        self._silent = False

    def lost(self) -> None:
        """Note that the agent no longer answers: its next answer starts the grace periods anew."""
        self._silent = True

    def apply(self, seen: CatalogSnapshot, now: float) -> None:
        """Apply an answer."""
        ready = {instance.id: instance for instance in seen.ready}
        missing = {key: instance for key, instance in self._ready.items() if key not in ready}
        until = now + self._grace_s
        if self._silent:
            self._silent = False
            self._held = {key: (instance, until) for key, (instance, _) in self._held.items()}
        if seen.suspect or not ready:
            self._held = {**{key: (instance, until) for key, instance in missing.items()}, **self._held}
        known = ready.keys() | seen.self_reported_down
        self._held = {key: held for key, held in self._held.items() if key not in known and held[1] > now}
        self._ready = ready

    def deny(self, instance_id: str) -> None:
        """Leave an instance of this process out, whatever answers list: it has reported a fault here."""
        self._denied.add(instance_id)
        self._held.pop(instance_id, None)

    def allow(self, instance_id: str) -> None:
        """Undo `deny`: answers decide again whether the instance is ready."""
        self._denied.discard(instance_id)

    def snapshot(self, now: float) -> Snapshot:
        """Return the instances that are ready or in their grace period, sorted by service and id."""
        held = [i for i, until in self._held.values() if until > now and i.id not in self._denied]
        ready = [instance for instance in self._ready.values() if instance.id not in self._denied]
        return Snapshot(
            tuple(sorted([*held, *ready], key=lambda instance: (instance.service, instance.id))),
            stale=bool(held),
        )

    def next_end(self, now: float) -> float | None:
        """Return the end of the next grace period; None if no instance is in one."""
        return min((until for _, until in self._held.values() if until > now), default=None)
