"""The table of keys in MariaDB, on one server or a Galera cluster, for instances that share it.

A destroyed key leaves its row at once, and its page when the table is written anew after that. The database's
own logs, replicas and backups keep it, wrapped, for as long as they are kept themselves.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Self

from asyncmy.errors import Error

from bookshelf.keyring.port import KeyringFault, StoredKey

#: Seconds for a statement with all its attempts, and how many there are: each statement may be repeated.
_WAIT_S, _ATTEMPTS, _PAUSE_S = 10.0, 5, 0.02
_TABLE = """
CREATE TABLE IF NOT EXISTS {place}.`key` (
    id VARCHAR(255) NOT NULL PRIMARY KEY, wrapped LONGBLOB, created DATETIME(6) NOT NULL, expires DATETIME(6)
) ENGINE=InnoDB
"""
#: Not IGNORE: that cuts an id that is too long.
_ADD = "INSERT INTO {place}.`key` VALUES (%s, %s, %s, %s) ON DUPLICATE KEY UPDATE id = id"
_GET = "SELECT id, wrapped, created, expires FROM {place}.`key` WHERE id = %s"
_CLEAR = """
INSERT INTO {place}.`key` VALUES (%s, NULL, %s, NULL) ON DUPLICATE KEY UPDATE wrapped = NULL
"""
_CLEAR_EXPIRED = "UPDATE {place}.`key` SET wrapped = NULL WHERE wrapped IS NOT NULL AND expires <= %s"
_CLEARED = "SELECT id FROM {place}.`key` WHERE wrapped IS NULL"
_IDS = """
SELECT id FROM {place}.`key`
WHERE wrapped IS NOT NULL AND (expires IS NULL OR expires > %s) AND LEFT(id, CHAR_LENGTH(%s)) = %s
ORDER BY id
"""
_DURABLE = "SELECT @@innodb_flush_log_at_trx_commit"
_CLUSTER = "SHOW STATUS LIKE 'wsrep_cluster_size'"

Row = tuple[Any, ...]


def _stored(moment: datetime | None) -> datetime | None:
    """Return a moment as the table has it: in UTC, without a zone."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


class MariaDbKeyTable:
    """Keeps the rows in a database of its own.

    `connect` returns a new connection of asyncmy; `database` is the name of the database of the keys.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]], database: str) -> None:
        self._connect = connect
        self._place = f"`{database}`"
        self._connection: Any = None
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, connect: Callable[[], Awaitable[Any]], database: str) -> Self:
        """Connect to a server that answers, and create the table. Raises `KeyringFault`."""
        table = cls(connect, database)
        try:
            await table._check_durable()
            await table._run(
                "CREATE DATABASE IF NOT EXISTS {place} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
            )
            await table._run(_TABLE)
        except BaseException:
            await table.close()
            raise
        return table

    async def _check_durable(self) -> None:
        """Refuse a server that can lose what it has committed: a lost key is never made again."""
        [(flushed,)] = (await self._run(_DURABLE))[0]
        size = (await self._run(_CLUSTER))[0]
        if flushed == 1 or (flushed == 2 and size and int(size[0][1]) > 1):  # noqa: PLR2004 (the server's names)
            return
        msg = (
            f"MariaDB has innodb_flush_log_at_trx_commit={flushed}, and could lose a key that was committed;"
            " set it to 1, or to 2 on the nodes of a cluster"
        )
        raise KeyringFault(msg)

    async def _run(self, statement: str, *values: object) -> tuple[list[Row], int]:
        """Return the rows of a statement, and how many it has changed; repeat it after a fault."""
        try:
            async with asyncio.timeout(_WAIT_S), self._turn:
                for _ in range(_ATTEMPTS):
                    try:
                        return await self._once(statement.format(place=self._place), values)
                    except (Error, OSError):  # a conflict of two nodes, or a lost one
                        await self._forget()
                        await asyncio.sleep(_PAUSE_S)
                return await self._once(statement.format(place=self._place), values)
        except (TimeoutError, OSError, Error) as fault:
            msg = f"the keyring in MariaDB cannot be used ({type(fault).__name__}: {fault}); try again"
            raise KeyringFault(msg) from fault

    async def _once(self, statement: str, values: tuple[object, ...]) -> tuple[list[Row], int]:
        if self._connection is None:
            self._connection = await self._connect()
            try:
                await self._connection.autocommit(True)  # noqa: FBT003 (the driver's signature)
            except BaseException:
                await self._forget()  # as below
                raise
            with contextlib.suppress(Error):  # a server without Galera has no such variable
                await self._execute("SET SESSION wsrep_sync_wait = 7", ())
        return await self._execute(statement, values)

    async def _execute(self, statement: str, values: tuple[object, ...]) -> tuple[list[Row], int]:
        try:
            async with self._connection.cursor() as cursor:
                await cursor.execute(statement, values)
                return [tuple(row) for row in await cursor.fetchall() or ()], int(cursor.rowcount)
        except asyncio.CancelledError:
            await self._forget()  # its answer would be taken for that of the next statement
            raise

    async def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def add(self, key: StoredKey) -> StoredKey:
        """Insert a row unless its id is there already; return the row that is there then."""
        await self._run(_ADD, key.id, key.wrapped, _stored(key.created), _stored(key.expires))
        stored = await self.get(key.id)
        if stored is None:  # what is sealed with it could never be opened
            msg = f"the key {key.id} was not stored by MariaDB"
            raise KeyringFault(msg)
        return stored

    async def get(self, key_id: str) -> StoredKey | None:
        """Return the row with an id; None if there is none."""
        rows, _ = await self._run(_GET, key_id)
        if not rows:
            return None
        found, wrapped, created, expires = rows[0]
        return StoredKey(found, wrapped, created.replace(tzinfo=UTC), _aware(expires))

    async def clear(self, key_ids: Iterable[str], now: datetime) -> None:
        """Remove the wrapped keys of these ids, and insert rows without a key for ids that are not there."""
        for key_id in sorted(set(key_ids)):
            await self._clear(_CLEAR, key_id, _stored(now))

    async def clear_expired(self, now: datetime) -> None:
        """Remove the wrapped keys whose time `expires` has come."""
        await self._clear(_CLEAR_EXPIRED, _stored(now))

    async def _clear(self, statement: str, *values: object) -> None:
        """Run a statement that destroys keys; if it has, have the table written anew without them."""
        _, changed = await self._run(statement, *values)
        if changed:
            await self._run("OPTIMIZE TABLE {place}.`key`")

    async def cleared(self) -> frozenset[str]:
        """Return the ids of the rows without a wrapped key."""
        rows, _ = await self._run(_CLEARED)
        return frozenset(row[0] for row in rows)

    async def ids(self, prefix: str, now: datetime) -> list[str]:
        """Return the ids that begin with a prefix and have a wrapped key that is not expired, in order."""
        rows, _ = await self._run(_IDS, _stored(now), prefix, prefix)
        return [row[0] for row in rows]

    async def close(self) -> None:
        """Close the connection."""
        async with self._turn:
            await self._forget()
