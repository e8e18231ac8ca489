"""Deletes what a site keeps of people whose keys were destroyed: jobs and files are not sealed."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime, timedelta
from sqlite3 import Error

import structlog

from bookshelf.cqrs.handler import HandlerPorts
from bookshelf.keyring.port import KeyringFault
from bookshelf.media.port import BlobFault

#: Seconds between two looks at the keyring.
LOOK_S = 30.0
#: What belongs to a person is deleted at each look for so long: a request may have been under way, and no
#: access token is valid for longer.
AGAIN = timedelta(hours=1)
#: Deletes what is kept of the accounts with these ids; it may be repeated.
Erase = Callable[[Collection[str]], Awaitable[None]]
_logger = structlog.get_logger(__name__)


class Erasure:
    """Follows the destroyed keys of a keyring; without one it does nothing."""

    def __init__(self, ports: HandlerPorts, erases: Iterable[Erase]) -> None:
        self._ports = ports
        self._erases = tuple(erases)
        self._since: dict[str, datetime] = {}

    async def look(self) -> bool:
        """Delete what is left of forgotten people; return False if there is no keyring.

        At first that is done for all of them: a backup may have brought something back. What cannot be
        deleted now is deleted at a later look.
        """
        try:
            keyring = self._ports.keyring
        except KeyringFault:
            return False
        try:
            destroyed, now = await keyring.destroyed(), self._ports.now()
            due = {account for account in destroyed if now - self._since.get(account, now) < AGAIN}
            if due:
                for erase in self._erases:
                    await erase(due)
                self._since.update((account, now) for account in due - self._since.keys())
        except (KeyringFault, BlobFault, Error, OSError) as fault:
            _logger.warning("erasure-delayed", why=str(fault), again_in_s=LOOK_S)
        return True

    async def watch(self, look_s: float = LOOK_S) -> None:
        """Look again and again, until cancelled."""
        while await self.look():  # noqa: ASYNC110 (keys are destroyed in other processes)
            await asyncio.sleep(look_s)
