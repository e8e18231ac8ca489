"""The item `package/GROUP`: a service group is loaded, replaced or unloaded, and each can be undone."""

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import NamedTuple

import structlog

from bookshelf.cqrs.item import ItemChange, ItemProblem
from bookshelf.runtime.agent.child import ChildReport
from bookshelf.runtime.agent.children import ServiceChild
from bookshelf.runtime.agent.groups import ActiveGroup, ServiceGroups
from bookshelf.runtime.agent.item import ItemRefused, LoadedItem

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
#: Seconds before a process that has ended is started again, doubled up to the last.
_AGAIN_S, _LAST_S = 1.0, 30.0
_logger = structlog.get_logger(__name__)


class UnpackedPackage(NamedTuple):
    """A package that was unpacked: the entry and the version of its manifest."""

    entry: str
    version: str


#: Fetches a package by its group and digest, verifies it, and unpacks it into a folder; raises `ItemRefused`.
Fetch = Callable[[str, str, Path], Awaitable[UnpackedPackage]]
#: Starts a process for the services of a folder, by its entry; the functions are those of `ServiceChild`.
Start = Callable[[Path, str, Callable[[ChildReport], None], Callable[[], None]], Awaitable[ServiceChild]]


def check_package(change: ItemChange) -> tuple[ItemProblem, ...]:
    """Return what is wrong with the change of a package."""
    if _NAME.fullmatch(change.name) is None:
        return (ItemProblem("index.toml", f"{change.name[:100]!r} is no name of a group"),)
    if change.action == "put" and _DIGEST.fullmatch(change.digest) is None:
        return (ItemProblem("index.toml", "a package is named by its digest"),)
    return ()


class NoPackageKind:
    """Packages for a process that runs no service groups. `reason`: why no node can; empty if others do."""

    def __init__(self, reason: str = "") -> None:
        self._reason = reason

    def check(self, change: ItemChange) -> tuple[ItemProblem, ...]:
        """Return what is wrong with a change."""
        if self._reason and change.action == "put":
            return (ItemProblem("index.toml", self._reason),)
        return check_package(change)

    def concerns(self, _change: ItemChange) -> Collection[str] | None:
        """Return no service."""
        return ()

    async def load(self, change: ItemChange) -> LoadedItem:
        """Return what does nothing. Raises `ItemRefused`."""
        if problems := self.check(change):
            raise ItemRefused(str(problems[0]), problems)
        return _Nothing()


class _Nothing:
    async def deploy(self) -> None:
        """Do nothing."""

    async def undo(self) -> None:
        """Do nothing."""

    async def settle(self) -> None:
        """Do nothing."""


class PackageKind:
    """Loads service groups on this node.

    `folder` has the unpacked packages. `load_s`: seconds in which a group must be loaded, and in which it
    must run; `standby_s`: seconds for which the former process is kept after a rollout.
    """

    def __init__(
        self, groups: ServiceGroups, folder: Path, fetch: Fetch, start: Start, load_s: float, standby_s: float
    ) -> None:
        self.groups = groups
        self._folder = folder
        self._fetch = fetch
        self._start = start
        self.load_s = load_s
        self._standby_s = standby_s
        self._tasks: set[asyncio.Task[None]] = set()
        #: Every process that may still run.
        self._children: set[ServiceChild] = set()
        #: The groups that are loaded in the open rollout, by name.
        self.following: dict[str, ActiveGroup] = {}

    def check(self, change: ItemChange) -> tuple[ItemProblem, ...]:
        """Return what is wrong with a change."""
        return check_package(change)

    def concerns(self, change: ItemChange) -> Collection[str] | None:
        """Return the services of the group that run now, and those that are loaded to follow them.

        These answer nothing either until the rollout has ended: it may still be rolled back.
        """
        groups = (self.groups.active.get(change.name), self.following.get(change.name))
        return {service.name for group in groups if group is not None for service in group.child.services}

    async def load(self, change: ItemChange) -> LoadedItem:
        """Fetch, verify and start a package, without registering it. Raises `ItemRefused`."""
        if problems := check_package(change):
            raise ItemRefused(str(problems[0]), problems)
        current = self.groups.active.get(change.name)
        if change.action == "remove":
            return _Nothing() if current is None else LoadedGroup(self, current, None)
        if current is not None and current.digest == change.digest:
            return _Nothing()
        following = await self.start(change.name, change.digest)
        self.following[change.name] = following
        return LoadedGroup(self, current, following)

    async def start(self, name: str, digest: str) -> ActiveGroup:
        """Return a group that is loaded and not active. Raises `ItemRefused`; nothing of it runs then."""
        folder = self._folder / f"{name}-{digest[:16]}"
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        package = await self._fetch(name, digest, folder)
        group: ActiveGroup

        def relay(report: ChildReport) -> None:
            self.groups.relay(group, report)

        child = await self._start(folder, package.entry, relay, lambda: self._ended(group))
        self._children.add(child)
        group = ActiveGroup(name, digest, child, package.version)
        if (reason := self.groups.check(child.services, name)) is not None:
            await self.end(child)
            raise ItemRefused(reason)
        return group

    def _ended(self, group: ActiveGroup) -> None:
        """Deregister what has ended by itself, and start it again if it was active."""
        _logger.error("service-group-ended", group=group.name, pid=group.child.pid)
        self.groups.forget(group)
        self._keep(self.end(group.child))
        if self.groups.active.get(group.name) is group and not group.is_leaving:
            self._keep(self._restart(group))

    async def _restart(self, group: ActiveGroup) -> None:
        pause_s = _AGAIN_S
        while self.groups.active.get(group.name) is group:
            await asyncio.sleep(pause_s)  # sleep: before the process is started again
            pause_s = min(2 * pause_s, _LAST_S)
            try:
                again = await self.start(group.name, group.digest)
                if self.groups.active.get(group.name) is not group:  # it was replaced meanwhile
                    await self.end(again.child)
                    return
                await again.child.activate(self.load_s)
            except ItemRefused as fault:
                _logger.warning("service-group-not-restarted", group=group.name, why=str(fault))
            else:
                self.groups.put(again)

    async def end(self, child: ServiceChild) -> None:
        """End a process."""
        await child.stop()
        self._children.discard(child)

    def end_later(self, child: ServiceChild) -> None:
        """End a process that is on standby when its time is over."""

        async def end() -> None:
            await asyncio.sleep(self._standby_s)  # sleep: the time on standby
            await self.end(child)

        self._keep(end())

    def _keep(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End all processes."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        groups = tuple(self.groups.active.values())
        await asyncio.gather(*map(self.end, tuple(self._children)))
        for group in groups:
            self.groups.forget(group)
            self.groups.remove(group)
        await self.groups.passed_on()


class LoadedGroup:
    """A group that is to take the place of the current one; either may be missing."""

    def __init__(self, kind: PackageKind, current: ActiveGroup | None, following: ActiveGroup | None) -> None:
        self._kind = kind
        self._current = current
        self._following = following
        self._is_deployed = False

    async def deploy(self) -> None:
        """Let the new process serve, and keep the former one on standby. Raises `ItemRefused`."""
        self._is_deployed = True
        if self._current is not None:
            await self._current.child.suspend(self._kind.load_s)
            self._kind.groups.forget(self._current)
        if self._following is not None:
            await self._activate(self._following, self._current)
        elif self._current is not None:
            # its routes stay until the rollout has ended: 404 would be an answer from the next revision
            self._current.is_leaving = True

    async def undo(self) -> None:
        """Return to the former process, which still runs, and end the new one."""
        if self._following is not None:
            self._kind.following.pop(self._following.name, None)
            await self._kind.end(self._following.child)
            self._kind.groups.forget(self._following)
        if self._is_deployed and self._current is not None:
            await self._return_to(self._current)
        elif self._following is not None:
            self._kind.groups.remove(self._following)
        self._is_deployed = False

    async def _return_to(self, former: ActiveGroup) -> None:
        """Let the former process serve again, or another one with the same package if it has ended."""
        former.is_leaving = False
        try:
            await self._activate(former)
        except ItemRefused:
            await self._kind.end(former.child)
            await self._activate(await self._kind.start(former.name, former.digest))

    async def settle(self) -> None:
        """End the former process once its time on standby is over."""
        if self._following is not None:
            self._kind.following.pop(self._following.name, None)
            self._kind.groups.settle(self._following.name)
        elif self._current is not None:
            self._kind.groups.remove(self._current)
        if self._current is not None:
            self._kind.end_later(self._current.child)

    async def _activate(self, group: ActiveGroup, former: ActiveGroup | None = None) -> None:
        await group.child.activate(self._kind.load_s)
        self._kind.groups.put(group, former)
