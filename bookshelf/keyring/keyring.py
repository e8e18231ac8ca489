"""The keyring: wraps each key with a key that follows from the secret file, and keeps it in a table."""

import os
from collections.abc import Callable
from datetime import datetime
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bookshelf.keyring.derived_key import derive_key
from bookshelf.keyring.port import CHECK, KeyDestroyed, KeyringFault, KeyTable, StoredKey

#: Bytes of a key, and of the nonce before a wrapped one.
KEY_BYTES = 32
_NONCE_BYTES = 12


class Keyring:
    """Keeps keys in a table, each wrapped by AES-256-GCM with its id as associated data (`KeyStore`).

    `secret` is the content of the secret file; `now` returns the present time, aware, in UTC.
    """

    def __init__(self, table: KeyTable, secret: bytes, now: Callable[[], datetime]) -> None:
        self._table = table
        self._wrapping = AESGCM(derive_key(secret, "bookshelf keyring"))
        self._now = now

    @classmethod
    async def open(cls, table: KeyTable, secret: bytes, now: Callable[[], datetime]) -> Self:
        """Return the keyring of a table, after a check that the secret is its own. Raises `KeyringFault`."""
        keyring = cls(table, secret, now)
        await keyring.make(CHECK)
        return keyring

    async def make(self, key_id: str, secret: bytes | None = None, expires: datetime | None = None) -> bytes:
        """Return the secret with this id; if there is none, store the given one, or else random bytes."""
        if (found := await self.find(key_id)) is not None:
            return found
        nonce = os.urandom(_NONCE_BYTES)
        wrapped = nonce + self._wrapping.encrypt(nonce, secret or os.urandom(KEY_BYTES), key_id.encode())
        return await self._unwrap(await self._table.add(StoredKey(key_id, wrapped, self._now(), expires)))

    async def find(self, key_id: str) -> bytes | None:
        """Return the secret with this id; None if there never was one. Raises `KeyDestroyed`."""
        stored = await self._table.get(key_id)
        return None if stored is None else await self._unwrap(stored)

    async def _unwrap(self, stored: StoredKey) -> bytes:
        if stored.wrapped is None:
            raise KeyDestroyed(stored.id)
        if stored.expires is not None and stored.expires <= self._now():
            await self._table.clear([stored.id], self._now())
            raise KeyDestroyed(stored.id)
        nonce, sealed = stored.wrapped[:_NONCE_BYTES], stored.wrapped[_NONCE_BYTES:]
        try:
            return self._wrapping.decrypt(nonce, sealed, stored.id.encode())
        except InvalidTag:
            msg = (
                f"the key {stored.id} of the keyring was wrapped with another secret, or is damaged; "
                "give the file that the keyring was made with as accounts_secret_file"
            )
            raise KeyringFault(msg) from None

    async def ids(self, prefix: str) -> list[str]:
        """Return the ids of the secrets that begin with a prefix, neither destroyed nor expired, in order."""
        return await self._table.ids(prefix, self._now())

    async def destroy(self, *key_ids: str) -> None:
        """Destroy secrets durably; an id that was never used cannot be used afterwards either."""
        await self._table.clear(key_ids, self._now())

    async def destroyed(self) -> frozenset[str]:
        """Return the ids of all destroyed secrets; those that have expired are destroyed first."""
        await self._table.clear_expired(self._now())
        return await self._table.cleared()

    async def close(self) -> None:
        """Close the table's connections."""
        await self._table.close()
