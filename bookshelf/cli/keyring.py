"""Opens the keyring of a process, after the settings `accounts`, `accounts_secret_file` and `storage`."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar

from bookshelf.concurrency import cancel_and_wait
from bookshelf.config import Network, Settings, WrongSetting, missing_extra
from bookshelf.keyring.port import CHECK, KeyringFault, KeyTable
from bookshelf.runtime.clock import Clock
from bookshelf.runtime.keyring_backup import KEYRING_FILE
from bookshelf.runtime.sealing import Seals
from bookshelf.runtime.secret_file import BadSecretFile, read_or_create_secret, read_secret

T = TypeVar("T")


async def open_embedded_seals(settings: Settings, data: Path, clock: Clock, stack: AsyncExitStack) -> Seals:
    """Return what seals with the keyring beside the log, also for texts of a time when there were accounts.

    The first start with accounts creates the keyring, and the secret file. Raises `WrongSetting`.
    """
    path, secret_file = data / KEYRING_FILE, settings.secret_file
    if not path.exists():
        if not settings.has_accounts:
            return Seals()
        if not settings.accounts_secret_file and secret_file.exists():
            msg = f"the keyring {path} is missing, without which the texts of people with accounts are lost"
            remedy = f"restore it from the log's backup, or move {secret_file} away if there never was one"
            raise WrongSetting(f"{msg}; {remedy}")
    from bookshelf.keyring.sqlite import SqliteKeyTable  # noqa: PLC0415 (with accounts only)

    table = await _checked(SqliteKeyTable.open(path))
    stack.push_async_callback(table.close)
    is_new = settings.has_accounts and await _checked(table.get(CHECK)) is None
    return await _open(table, read_or_create_secret if is_new else read_secret, secret_file, clock, stack)


async def open_shared_seals(
    settings: Settings, network: Network, clock: Clock, stack: AsyncExitStack
) -> Seals:
    """Return what seals with the keyring in the database of the views. Raises `WrongSetting`."""
    if not settings.has_accounts:
        return Seals()
    if not network.storage.url:
        msg = (
            "storage (or BOOKSHELF_STORAGE): accounts are on, and instances share their keyring in PostgreSQL"
        )
        raise WrongSetting(f"{msg}; set its address, or accounts to off")
    try:
        from bookshelf.keyring.postgres import PostgresKeyTable  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as fault:
        raise missing_extra("the setting `storage`", fault, "postgres") from None
    table = await _checked(PostgresKeyTable.open(network.storage.url))
    stack.push_async_callback(table.close)
    return await _open(table, read_secret, settings.secret_file, clock, stack)


async def _open(
    table: KeyTable, read: Callable[[Path], bytes], secret_file: Path, clock: Clock, stack: AsyncExitStack
) -> Seals:
    from bookshelf.keyring.keyring import Keyring  # noqa: PLC0415 (with accounts only)

    try:
        secret = read(secret_file)
    except BadSecretFile as fault:
        name = "accounts_secret_file (or BOOKSHELF_ACCOUNTS_SECRET_FILE)"
        raise WrongSetting(f"{name}: {fault}; the keyring cannot be read without it") from None
    seals = Seals(await _checked(Keyring.open(table, secret, clock.now)))
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
