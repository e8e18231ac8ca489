"""The port of discovery. Every adapter passes the same contract (test/contract/discovery_contract.py)."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Protocol

import msgspec


class DiscoveryFault(Exception):
    """The registry cannot be reached, refuses, or cannot hold this value; the message names a remedy."""


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One ready instance of a service. `meta` holds short texts: version, owned partitions."""

    id: str
    service: str
    tags: tuple[str, ...]
    address: str
    port: int
    meta: Mapping[str, str] = {}
    #: True for an instance of a foreign service, which another program has registered with the registry.
    foreign: bool = False


class Snapshot(msgspec.Struct, frozen=True):
    """All ready instances at one moment.

    `stale`: the list may be out of date, because the registry does not answer or its answer is in doubt.
    """

    instances: tuple[Instance, ...] = ()
    stale: bool = False

    def having(self, tags: Iterable[str]) -> tuple[Instance, ...]:
        """Return our instances that have all these tags; a foreign one is never asked in place of ours.

        Raises `ValueError` if no tag is given.
        """
        wanted = frozenset(tags)
        if not wanted:
            msg = "name at least one tag to discover by"
            raise ValueError(msg)
        return tuple(one for one in self.instances if not one.foreign and wanted.issubset(one.tags))


class Discovery(Protocol):
    """Service discovery: instances register here and report their health, and clients find them."""

    async def register(self, instance: Instance) -> None:
        """Register the instance as ready, or replace its registration. Raises `DiscoveryFault`."""

    async def report(self, instance_id: str, fault: str | None) -> None:
        """Report the instance's health: None if it is ready, else a fault; snapshots then leave it out."""

    async def deregister(self, instance_id: str) -> None:
        """Remove the instance. An unknown id is no error."""

    def snapshot(self) -> Snapshot:
        """Return the ready instances as of the registry's last answer, without waiting."""

    def watch(self) -> AsyncIterator[Snapshot]:
        """Yield the current snapshot, then each newer one; a slow reader skips to the newest."""
