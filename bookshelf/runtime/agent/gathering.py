"""Lets calls that lead to one decision go on at the same moment, so that they share one append."""

import asyncio
from collections.abc import Hashable

#: Groups that are remembered: of one that is forgotten, a late call waits as its first one did.
_MOST = 16


class _Group:
    """The members that have come so far; calls that wait do so for `opened`."""

    def __init__(self) -> None:
        self.members = set[str]()
        self.opened: asyncio.Event | None = None

    def open(self) -> None:
        """Let the calls that wait go on."""
        if self.opened is not None:
            self.opened.set()
        self.opened = None


class Gathering:
    """Holds calls until all of a group have come, or until `within_s` seconds after the first that waits.

    A call that decides by itself lets the others go on. The last one of a group waits for none, so that no
    group ends later than without this.
    """

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._groups: dict[Hashable, _Group] = {}

    async def join(self, key: Hashable, member: str, size: int, *, decides: bool = False) -> None:
        """Return once `size` members of the group have come, one of them decides, or the time is over."""
        group = self._group(key)
        group.members.add(member)
        if decides or len(group.members) >= size:
            group.open()
            await asyncio.sleep(0)  # the others go on at the same moment
            return
        if group.opened is None:
            group.opened = asyncio.Event()
            asyncio.get_running_loop().call_later(self._within_s, group.open)
        await group.opened.wait()

    def _group(self, key: Hashable) -> _Group:
        if key not in self._groups:
            self._groups[key] = _Group()
            if len(self._groups) > _MOST:
                del self._groups[next(iter(self._groups))]
        return self._groups[key]
