"""The table of keys in memory, for tests and simulations."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from bookshelf.keyring.port import StoredKey


class MemoryKeyTable:
    """Keeps the rows in a dict; they are lost with the process."""

    def __init__(self) -> None:
        self.rows: dict[str, StoredKey] = {}

    async def add(self, key: StoredKey) -> StoredKey:
        """Insert a row unless its id is there already; return the row that is there then."""
        return self.rows.setdefault(key.id, key)

    async def get(self, key_id: str) -> StoredKey | None:
        """Return the row with an id; None if there is none."""
        return self.rows.get(key_id)

    async def clear(self, key_ids: Iterable[str], now: datetime) -> None:
        """Remove the wrapped keys of these ids, and insert rows without a key for ids that are not there."""
        for key_id in key_ids:
            row = self.rows.get(key_id) or StoredKey(key_id, None, now)
            self.rows[key_id] = replace(row, wrapped=None)

    async def clear_expired(self, now: datetime) -> None:
        """Remove the wrapped keys whose time `expires` has come."""
        await self.clear([key.id for key in self.rows.values() if key.expires and key.expires <= now], now)

    async def cleared(self) -> frozenset[str]:
        """Return the ids of the rows without a wrapped key."""
        return frozenset(key.id for key in self.rows.values() if key.wrapped is None)

    async def ids(self, prefix: str, now: datetime) -> list[str]:
        """Return the ids that begin with a prefix and have a wrapped key that is not expired, in order."""
        valid = [
            key for key in self.rows.values() if key.wrapped and not (key.expires and key.expires <= now)
        ]
        return sorted(key.id for key in valid if key.id.startswith(prefix))

    async def close(self) -> None:
        """Do nothing."""
