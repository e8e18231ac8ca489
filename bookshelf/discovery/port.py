"""The port of discovery. Every adapter passes the same contract (test/contract/discovery_contract.py)."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Protocol

import msgspec


class DiscoveryFault(Exception):
    """The registry is away, refuses, or cannot be told this; says in one line what to try."""


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One ready instance of a service. `meta` is small text: version, owned partitions.

    `stranger`: it was not registered by one of ours, but by someone else, in the registry itself.
    """

    id: str
    service: str
    tags: tuple[str, ...]
    address: str
    port: int
    meta: Mapping[str, str] = {}
    stranger: bool = False


class Snapshot(msgspec.Struct, frozen=True):
    """All ready instances at one moment. `stale`: the registry is away, this is its last good answer."""

    instances: tuple[Instance, ...] = ()
    stale: bool = False

    def having(self, tags: Iterable[str]) -> tuple[Instance, ...]:
        """Return the instances that have all these tags. Raises ValueError for no tags: that is everyone."""
        wanted = frozenset(tags)
        if not wanted:
            msg = "name at least one tag to discover by"
            raise ValueError(msg)
        return tuple(instance for instance in self.instances if wanted.issubset(instance.tags))


class Discovery(Protocol):
    """Where instances say that they are ready, and others look."""

    async def register(self, instance: Instance) -> None:
        """Make the instance known as ready; again with other meta replaces it. Raises `DiscoveryFault`."""

    async def report(self, instance_id: str, fault: str | None) -> None:
        """Say that the instance is well (None), or what is wrong: then it is in no snapshot."""

    async def deregister(self, instance_id: str) -> None:
        """Forget the instance. Forgetting an unknown one is no error."""

    def snapshot(self) -> Snapshot:
        """Return who is ready, as last heard. Never waits."""

    def watch(self) -> AsyncIterator[Snapshot]:
        """Yield the present snapshot, then each newer one; a slow reader skips to the newest."""
