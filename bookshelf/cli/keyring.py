"""Opens the keyring of a process, after the settings `accounts`, `accounts_secret_file` and `storage`."""

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar

import structlog

from bookshelf.cli.start_secret import StartSecret
from bookshelf.concurrency import cancel_and_wait
from bookshelf.config import Network, Settings, WrongSetting, missing_extra
from bookshelf.keyring.late import LateKeyring
from bookshelf.keyring.port import CHECK, KeyringFault, KeyStore, KeyTable
from bookshelf.runtime.clock import Clock
from bookshelf.runtime.keyring_backup import KEYRING_FILE
from bookshelf.runtime.sealing import Seals
from bookshelf.storage.mariadb.address import is_mariadb

T = TypeVar("T")
_logger = structlog.get_logger(__name__)


async def open_embedded_seals(
    settings: Settings, secret: StartSecret, data: Path, clock: Clock, stack: AsyncExitStack
) -> Seals:
    """Return what seals with the keyring beside the log, also for texts of a time when there were accounts.

    The first start with accounts creates the keyring, and the secret file; without accounts, the first use
    does, which is the shop's. Raises `WrongSetting`.
    """
    opened = await stack.enter_async_context(AsyncExitStack())
    if not settings.has_accounts and not (data / KEYRING_FILE).exists():
        late = LateKeyring(lambda: _open_at_use(settings, secret, data, clock, opened))
        return await _watched(late, stack)
    return await _watched(await _open_embedded(settings, secret, data, clock, opened), stack)


async def _open_at_use(
    settings: Settings, secret: StartSecret, data: Path, clock: Clock, stack: AsyncExitStack
) -> KeyStore:
    try:
        return await _open_embedded(settings, secret, data, clock, stack)
    except WrongSetting as fault:
        _logger.warning("keyring-unreachable", why=str(fault))
        raise KeyringFault(str(fault)) from None


async def _open_embedded(
    settings: Settings, secret: StartSecret, data: Path, clock: Clock, stack: AsyncExitStack
) -> KeyStore:
    path, secret_file = data / KEYRING_FILE, settings.secret_file
    if not path.exists() and not settings.accounts_secret_file and secret_file.exists():
        msg = f"the keyring {path} is missing, without which the texts of people with accounts are lost"
        remedy = f"restore it from the log's backup, or move {secret_file} away if there never was one"
        raise WrongSetting(f"{msg}; {remedy}")
    from bookshelf.keyring.sqlite import SqliteKeyTable  # noqa: PLC0415 (where it is used only)

    table = await _checked(SqliteKeyTable.open(path))
    stack.push_async_callback(table.close)
    is_new = await _checked(table.get(CHECK)) is None
    return await _open(table, secret.read(creates=is_new), clock)


async def open_shared_seals(
    settings: Settings, secret: StartSecret, network: Network, clock: Clock, stack: AsyncExitStack
) -> Seals:
    """Return what seals with the keyring in the database of the views.

    Without accounts it is opened if `accounts_secret_file` is set, and that file created if it is missing:
    the shop needs both. A secret that the keyring was not made with is detected. Raises `WrongSetting`.
    """
    if not settings.has_accounts and not settings.accounts_secret_file:
        return Seals()
    if not network.storage.url:
        msg = "storage (or BOOKSHELF_STORAGE): instances share their keyring in PostgreSQL or MariaDB"
        raise WrongSetting(f"{msg}; set its address, or unset accounts and accounts_secret_file")
    of_mariadb = is_mariadb(network.storage.url)
    try:
        table = await _checked((_mariadb if of_mariadb else _postgres)(network.storage.url))
    except ModuleNotFoundError as fault:
        extra = "mariadb" if of_mariadb else "postgres"
        raise missing_extra("the setting `storage`", fault, extra) from None
    stack.push_async_callback(table.close)
    content = secret.read(creates=not settings.has_accounts)
    return await _watched(await _open(table, content, clock), stack)


async def _postgres(url: str) -> KeyTable:
    from bookshelf.keyring.postgres import PostgresKeyTable  # noqa: PLC0415 (an extra)

    return await PostgresKeyTable.open(url)


async def _mariadb(url: str) -> KeyTable:
    from bookshelf.keyring.mariadb import MariaDbKeyTable  # noqa: PLC0415 (an extra, as the next)
    from bookshelf.storage.mariadb.nodes import keyring_place  # noqa: PLC0415

    return await MariaDbKeyTable.open(*keyring_place(url))


async def _open(table: KeyTable, secret: bytes, clock: Clock) -> KeyStore:
    from bookshelf.keyring.keyring import Keyring  # noqa: PLC0415 (loads `cryptography`)

    return await _checked(Keyring.open(table, secret, clock.now))


async def _watched(keyring: KeyStore, stack: AsyncExitStack) -> Seals:
    """Return what seals with a keyring, and follows the keys that are destroyed. Raises `WrongSetting`."""
    seals = Seals(keyring)
    await _checked(seals.refresh())
    watching = asyncio.create_task(seals.watch())
    stack.push_async_callback(cancel_and_wait, watching)
    return seals


async def _checked(opening: Awaitable[T]) -> T:
    """Return the result; a keyring that cannot be used ends the start. Raises `WrongSetting`."""
    try:
        return await opening
    except KeyringFault as fault:
        raise WrongSetting(str(fault)) from None
