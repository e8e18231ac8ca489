"""A keyring that is opened when something is first kept in it: most shelves without accounts need none."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from bookshelf.keyring.port import KeyStore


class LateKeyring:
    """Keeps keys in a keyring that `open_keyring` creates at the first `make` or `destroy` (`KeyStore`).

    Until then there are no keys. If it cannot be created, the next use tries again.
    """

    def __init__(self, open_keyring: Callable[[], Awaitable[KeyStore]]) -> None:
        self._open = open_keyring
        self._opening = asyncio.Lock()
        self._keyring: KeyStore | None = None

    async def _opened(self) -> KeyStore:
        async with self._opening:
            if self._keyring is None:
                self._keyring = await self._open()
            return self._keyring

    async def make(self, key_id: str, secret: bytes | None = None, expires: datetime | None = None) -> bytes:
        """Return the secret with this id; if there is none, store the given one, or else random bytes."""
        return await (await self._opened()).make(key_id, secret, expires)

    async def find(self, key_id: str) -> bytes | None:
        """Return the secret with this id; None if there never was one. Raises `KeyDestroyed`."""
        return None if self._keyring is None else await self._keyring.find(key_id)

    async def ids(self, prefix: str) -> list[str]:
        """Return the ids of the secrets that begin with a prefix, neither destroyed nor expired, in order."""
        return [] if self._keyring is None else await self._keyring.ids(prefix)

    async def destroy(self, *key_ids: str) -> None:
        """Destroy secrets durably; an id that was never used cannot be used afterwards either."""
        await (await self._opened()).destroy(*key_ids)

    async def destroyed(self) -> frozenset[str]:
        """Return the ids of all destroyed secrets; those that have expired are destroyed first."""
        return frozenset() if self._keyring is None else await self._keyring.destroyed()
