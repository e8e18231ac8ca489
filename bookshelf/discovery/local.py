"""Discovery within one process."""

import asyncio
from collections.abc import AsyncIterator

from bookshelf.discovery.port import Instance, Snapshot


class LocalDiscovery:
    """Everyone is in this process, so who has registered and reports no fault is ready."""

    def __init__(self) -> None:
        self._instances: dict[str, Instance] = {}
        self._faults: dict[str, str] = {}
        self._now = Snapshot()
        self._moved = asyncio.Event()

    async def register(self, instance: Instance) -> None:
        """Make the instance known as ready."""
        self._instances[instance.id] = instance
        self._faults.pop(instance.id, None)
        self._publish()

    async def report(self, instance_id: str, fault: str | None) -> None:
        """Say that an instance is well, or what is wrong with it."""
        if fault is None:
            self._faults.pop(instance_id, None)
        else:
            self._faults[instance_id] = fault
        self._publish()

    async def deregister(self, instance_id: str) -> None:
        """Forget the instance."""
        self._instances.pop(instance_id, None)
        self._faults.pop(instance_id, None)
        self._publish()

    def _publish(self) -> None:
        ready = tuple(i for i in self._instances.values() if i.id not in self._faults)
        if ready == self._now.instances:
            return
        self._now = Snapshot(ready)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def snapshot(self) -> Snapshot:
        """Return who is ready now."""
        return self._now

    async def watch(self) -> AsyncIterator[Snapshot]:
        """Yield the present snapshot, then each newer one."""
        while True:
            moved, now = self._moved, self._now
            yield now
            if now is self._now:
                await moved.wait()
