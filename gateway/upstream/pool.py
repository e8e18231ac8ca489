"""The instances that a request may go to."""

from bookshelf.discovery.port import Instance, Snapshot


class Pool:
    """The ready instances that have all of some tags, taken in turn."""

    __slots__ = ("_instances", "_turn", "tags")

    def __init__(self, tags: tuple[str, ...]) -> None:
        self.tags = tags
        self._instances: tuple[Instance, ...] = ()
        self._turn = 0

    def become(self, snapshot: Snapshot) -> None:
        """Take in who is ready now."""
        self._instances = snapshot.having(self.tags)

    def in_turn(self) -> tuple[Instance, ...]:
        """Return all of them, beginning with the one whose turn it is; none, if none is ready."""
        instances = self._instances
        if len(instances) < 2:  # noqa: PLR2004 (one has no turns)
            return instances
        self._turn = at = (self._turn + 1) % len(instances)
        return instances[at:] + instances[:at]


class Pools:
    """The pool of each set of tags. It stays, and its turn with it, whatever becomes of the routes."""

    def __init__(self) -> None:
        self._pools: dict[tuple[str, ...], Pool] = {}
        self._snapshot = Snapshot()

    def of(self, tags: tuple[str, ...]) -> Pool:
        """Return the pool of these tags."""
        pool = self._pools.get(tags)
        if pool is None:
            pool = self._pools[tags] = Pool(tags)
            pool.become(self._snapshot)
        return pool

    def become(self, snapshot: Snapshot) -> None:
        """Take in who is ready now."""
        self._snapshot = snapshot
        for pool in self._pools.values():
            pool.become(snapshot)
