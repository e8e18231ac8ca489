"""The ports of the keyring: what its users ask for, and the table that an adapter keeps.

Every adapter of the table passes the same contract (test/contract/keyring_contract.py).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

import msgspec

#: The key that shows, when a keyring is opened, that the secret is the right one.
CHECK = "check"


class KeyringFault(Exception):
    """The keyring cannot be used; the message has the reason and what to do."""


class KeyDestroyed(Exception):
    """The key was destroyed, or has expired: what was sealed with it is gone. No key takes its id again."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"the key {key_id} was destroyed")
        self.key_id = key_id


class SealBroken(Exception):
    """A sealed text was changed, or stands in another place than the one that it was sealed for."""


class KeyStore(Protocol):
    """Keeps secrets by id: one for each person, for each month of signing keys, and so on.

    Every method raises `KeyringFault`.
    """

    async def make(self, key_id: str, secret: bytes | None = None, expires: datetime | None = None) -> bytes:
        """Return the secret with this id; if there is none, store `secret`, or else 32 random bytes.

        Callers that ask at the same time, in any process, get the same secret. Raises `KeyDestroyed`.
        """

    async def find(self, key_id: str) -> bytes | None:
        """Return the secret with this id; None if there never was one. Raises `KeyDestroyed`."""

    async def ids(self, prefix: str) -> list[str]:
        """Return the ids of the secrets that begin with a prefix, neither destroyed nor expired, in order."""

    async def destroy(self, *key_ids: str) -> None:
        """Destroy secrets durably; an id that was never used cannot be used afterwards either."""

    async def destroyed(self) -> frozenset[str]:
        """Return the ids of all destroyed secrets; those that have expired are destroyed first."""


class StoredKey(msgspec.Struct, frozen=True):
    """A row of the table: `wrapped` is None once the key is destroyed; times are aware, in UTC."""

    id: str
    wrapped: bytes | None
    created: datetime
    expires: datetime | None = None


class KeyTable(Protocol):
    """The table of keys. A change is durable once its method returns. Each method raises `KeyringFault`."""

    async def add(self, key: StoredKey) -> StoredKey:
        """Insert a row unless its id is there already; return the row that is there then."""

    async def get(self, key_id: str) -> StoredKey | None:
        """Return the row with an id; None if there is none."""

    async def clear(self, key_ids: Iterable[str], now: datetime) -> None:
        """Remove the wrapped keys of these ids, and insert rows without a key for ids that are not there."""

    async def clear_expired(self, now: datetime) -> None:
        """Remove the wrapped keys whose time `expires` has come."""

    async def cleared(self) -> frozenset[str]:
        """Return the ids of the rows without a wrapped key."""

    async def ids(self, prefix: str, now: datetime) -> list[str]:
        """Return the ids that begin with a prefix and have a wrapped key that is not expired, in order."""

    async def close(self) -> None:
        """Close the table's connections."""
