"""Service discovery within one process, without a registry: the second adapter of the port."""

from collections.abc import AsyncIterator

from bookshelf.concurrency import Latest
from bookshelf.discovery.port import Instance, Snapshot


class LocalDiscovery:
    """An instance is ready if it is registered and its last report had no fault."""

    def __init__(self) -> None:
        self._instances: dict[str, Instance] = {}
        self._faults: dict[str, str] = {}
        self._latest: Latest[Snapshot] = Latest()
        self._publish()

    async def register(self, instance: Instance) -> None:
        """Register the instance as ready."""
        self._instances[instance.id] = instance
        self._faults.pop(instance.id, None)
        self._publish()

    async def report(self, instance_id: str, fault: str | None) -> None:
        """Report the instance's health: None if it is ready, else a fault."""
        if fault is None:
            self._faults.pop(instance_id, None)
        else:
            self._faults[instance_id] = fault
        self._publish()

    async def deregister(self, instance_id: str) -> None:
        """Remove the instance. An unknown id is no error."""
        self._instances.pop(instance_id, None)
        self._faults.pop(instance_id, None)
        self._publish()

    def _publish(self) -> None:
        ready = (i for i in self._instances.values() if i.id not in self._faults)
        self._latest.put(Snapshot(tuple(ready)))

    def snapshot(self) -> Snapshot:
        """Return the ready instances."""
        return self._latest.now or Snapshot()

    def watch(self) -> AsyncIterator[Snapshot]:
        """Yield the current snapshot, then each newer one."""
        return self._latest.each()
