"""The primary of a group of services: the process that holds the group's lock. All others are its backups."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import structlog

from bookshelf.concurrency import cancel_and_wait
from bookshelf.cqrs.errors import LeaseOver
from bookshelf.runtime.election.leases import Locks

#: The keys of an instance's metadata: its domain, the group whose primary it may be, and the holder's name.
DOMAIN, GROUP, HOLDER = "domain", "group", "holder"
#: The key of the service group that an instance runs in, if it does.
PACKAGE = "package"
_logger = structlog.get_logger(__name__)


def primary_lock(domain: str, group: str) -> str:
    """Return the name of the lock that the primary of a group in a domain holds."""
    return f"{domain}.primary.{group}" if domain else f"primary.{group}"


def candidate_meta(locks: Locks, group: str) -> Mapping[str, str]:
    """Return the metadata by which a gateway knows an instance of a domain, and of a group."""
    meta = {DOMAIN: locks.domain} if locks.domain else {}
    return meta | {GROUP: group, HOLDER: locks.holder} if group else meta


def candidate_for(locks: Locks, group: str) -> "PrimaryCandidate":
    """Return what competes for the primary of a group: one for all services of the group in this process."""
    candidate: PrimaryCandidate = locks.candidates.setdefault(group, PrimaryCandidate(locks, group))
    return candidate


class PrimaryCandidate:
    """Competes for the lock of a group's primary while services need it; the last `stop` releases the lock.

    `token` is the fencing token while it is the primary, else None.
    """

    def __init__(self, locks: Locks, group: str) -> None:
        self._locks = locks
        self._group = group
        self._task: asyncio.Task[None] | None = None
        #: The services that have started it, and have not stopped it.
        self._needed_by: set[object] = set()
        self.token: int | None = None

    def start(self, service: object) -> None:
        """Compete for a service, which stops it once it needs it no more."""
        self._needed_by.add(service)
        if self._task is None:
            self._task = asyncio.create_task(self._compete(), name=f"primary of {self._group}")

    async def stop(self, service: object) -> None:
        """Release the lock, if it is held, and compete no more, once no service needs it."""
        self._needed_by.discard(service)
        if not self._needed_by and self._task is not None:
            task, self._task = self._task, None
            await cancel_and_wait(task)

    async def _compete(self) -> None:
        name = primary_lock("", self._group)
        while True:
            with suppress(LeaseOver):
                async with self._locks.acquire(name, self._locks.primary_s) as token:
                    await self._be_primary(token)

    async def _be_primary(self, token: int) -> None:
        self.token = token
        _logger.info("primary", group=self._group, token=token)
        try:
            await asyncio.Event().wait()
        finally:
            self.token = None
            _logger.info("primary-no-more", group=self._group, token=token)
