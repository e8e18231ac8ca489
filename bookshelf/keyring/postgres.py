"""The table of keys in PostgreSQL, for instances that share a database.

A destroyed key leaves the table at once, and its page with the VACUUM that follows. The database's own logs,
replicas and backups keep it, wrapped, for as long as they are kept themselves.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Self

import asyncpg

from bookshelf.keyring.port import KeyringFault, StoredKey

#: Seconds for a statement, and for a connection.
_WAIT_S = 10.0
#: The number of the lock under which the table is created.
_LOCK = 0x626F6F6B
_SCHEMA = """
CREATE SCHEMA IF NOT EXISTS bookshelf_keyring;
CREATE TABLE IF NOT EXISTS bookshelf_keyring.key (
    id text PRIMARY KEY, wrapped bytea, created timestamptz NOT NULL, expires timestamptz
)
"""
_ADD = "INSERT INTO bookshelf_keyring.key VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
_GET = "SELECT id, wrapped, created, expires FROM bookshelf_keyring.key WHERE id = $1"
_CLEAR = """
INSERT INTO bookshelf_keyring.key SELECT unnest($1::text[]), NULL, $2
ON CONFLICT (id) DO UPDATE SET wrapped = NULL
"""
_CLEAR_EXPIRED = """
UPDATE bookshelf_keyring.key SET wrapped = NULL WHERE wrapped IS NOT NULL AND expires <= $1
"""
_CLEARED = "SELECT id FROM bookshelf_keyring.key WHERE wrapped IS NULL"
_IDS = """
SELECT id FROM bookshelf_keyring.key
WHERE wrapped IS NOT NULL AND (expires IS NULL OR expires > $2) AND starts_with(id, $1)
ORDER BY id COLLATE "C"
"""


class PostgresKeyTable:
    """Keeps the rows in a table of its own schema."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect to a database that answers, and create the table. Raises `KeyringFault`."""
        with_fsync = {"application_name": "bookshelf", "synchronous_commit": "on"}
        pool = asyncpg.create_pool(
            url,
            min_size=0,
            max_size=2,
            timeout=_WAIT_S,
            command_timeout=_WAIT_S,
            server_settings=with_fsync,
        )
        async with _translated():
            await pool
        table = cls(pool)
        try:
            async with table._connection() as connection, connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
                await connection.execute(_SCHEMA)
        except BaseException:
            await table.close()
            raise
        return table

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        async with _translated(), self._pool.acquire(timeout=_WAIT_S) as connection:
            yield connection

    async def add(self, key: StoredKey) -> StoredKey:
        """Insert a row unless its id is there already; return the row that is there then."""
        async with self._connection() as connection:
            await connection.execute(_ADD, key.id, key.wrapped, key.created, key.expires)
        return await self.get(key.id) or key

    async def get(self, key_id: str) -> StoredKey | None:
        """Return the row with an id; None if there is none."""
        async with self._connection() as connection:
            row = await connection.fetchrow(_GET, key_id)
        return None if row is None else StoredKey(*row)

    async def clear(self, key_ids: Iterable[str], now: datetime) -> None:
        """Remove the wrapped keys of these ids, and insert rows without a key for ids that are not there."""
        await self._clear(_CLEAR, sorted(set(key_ids)), now)

    async def clear_expired(self, now: datetime) -> None:
        """Remove the wrapped keys whose time `expires` has come."""
        await self._clear(_CLEAR_EXPIRED, now)

    async def _clear(self, statement: str, *values: object) -> None:
        """Run a statement that destroys keys; if it has, have the former versions of its rows removed."""
        async with self._connection() as connection:
            if not (await connection.execute(statement, *values)).endswith(" 0"):
                await connection.execute("VACUUM bookshelf_keyring.key")

    async def cleared(self) -> frozenset[str]:
        """Return the ids of the rows without a wrapped key."""
        async with self._connection() as connection:
            return frozenset(row[0] for row in await connection.fetch(_CLEARED))

    async def ids(self, prefix: str, now: datetime) -> list[str]:
        """Return the ids that begin with a prefix and have a wrapped key that is not expired, in order."""
        async with self._connection() as connection:
            return [row[0] for row in await connection.fetch(_IDS, prefix, now)]

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """Raise errors of the database as `KeyringFault`."""
    try:
        yield
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
        msg = f"the keyring in PostgreSQL cannot be used ({type(fault).__name__}: {fault}); try again"
        raise KeyringFault(msg) from fault
