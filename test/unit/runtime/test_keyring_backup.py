"""The keyring in backups: it comes back with the log, and destroyed keys do not."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from support.fixed_infrastructure import NOW, FixedClock

from bookshelf.keyring.keyring import Keyring
from bookshelf.keyring.port import KeyDestroyed
from bookshelf.keyring.sqlite import SqliteKeyTable
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.runtime.backup import MANIFEST, BackupFault, restore_backup, write_backup
from bookshelf.runtime.keyring_backup import KEYRING_FILE

ANN, BEN = "a-ann", "a-ben"
LATER = NOW + timedelta(hours=1)


@asynccontextmanager
async def keyring(data: Path) -> AsyncIterator[Keyring]:
    """Open the keyring of a data folder."""
    table = await SqliteKeyTable.open(data / KEYRING_FILE)
    yield Keyring(table, b"the secret of a file", FixedClock().now)
    await table.close()


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """Return a data folder with an empty log, and keys of two people."""
    folder = tmp_path / "data"
    folder.mkdir()
    log = await SqliteLog.open(folder / "log.sqlite", 1)
    await log.close()
    async with keyring(folder) as opened:
        await opened.make(ANN)
        await opened.make(BEN)
    return folder


async def found(data: Path, key_id: str) -> bytes | None:
    async with keyring(data) as opened:
        return await opened.find(key_id)


async def test_a_backup_of_a_keyring_in_use_is_restored_with_the_log(data: Path, tmp_path: Path) -> None:
    async with keyring(data) as opened:
        key = await opened.find(ANN)
        backup, manifest = write_backup(data, tmp_path / "backups", NOW)
    assert [file.name for file in manifest.files if file.part == "keyring"] == [KEYRING_FILE]
    assert sorted(path.name for path in backup.iterdir()) == [KEYRING_FILE, "log.sqlite", MANIFEST]
    restore_backup(backup, tmp_path / "new", NOW, replace=False)
    assert await found(tmp_path / "new", ANN) == key


async def test_the_keyring_of_a_stopped_data_folder_is_restored_with_its_log(
    data: Path, tmp_path: Path
) -> None:
    restore_backup(data, tmp_path / "new", NOW, replace=False)
    assert await found(tmp_path / "new", ANN) == await found(data, ANN)


async def test_a_later_backup_has_no_destroyed_key(data: Path, tmp_path: Path) -> None:
    async with keyring(data) as opened:
        with_key = sqlite3.connect(data / KEYRING_FILE)
        [(wrapped,)] = with_key.execute("SELECT wrapped FROM key WHERE id = ?", (ANN,)).fetchall()
        with_key.close()
        await opened.destroy(ANN)
        backup, _ = write_backup(data, tmp_path / "backups", NOW)
    assert not any(wrapped in path.read_bytes() for path in backup.iterdir())


async def test_a_restored_old_backup_brings_no_destroyed_key_back(data: Path, tmp_path: Path) -> None:
    backup, _ = write_backup(data, tmp_path / "backups", NOW)
    async with keyring(data) as opened:
        await opened.destroy(ANN, "a-never-used")
    restore_backup(backup, data, LATER, replace=True)
    assert await found(data, BEN) is not None
    for key_id in (ANN, "a-never-used"):
        with pytest.raises(KeyDestroyed):
            await found(data, key_id)


async def test_a_backup_from_before_the_keyring_leaves_it_as_it_is(data: Path, tmp_path: Path) -> None:
    (data / KEYRING_FILE).rename(tmp_path / "aside")
    backup, _ = write_backup(data, tmp_path / "backups", NOW)
    (tmp_path / "aside").rename(data / KEYRING_FILE)
    restore_backup(backup, data, LATER, replace=True)
    assert await found(data, ANN) is not None


async def _shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


async def _remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [_shorten, _remove], ids=["shortened", "missing"])
async def test_a_damaged_keyring_of_a_backup_is_refused(
    data: Path, tmp_path: Path, damage: Callable[[Path], Awaitable[None]]
) -> None:
    backup, _ = write_backup(data, tmp_path / "backups", NOW)
    await damage(backup / KEYRING_FILE)
    with pytest.raises(BackupFault, match=r"keyring\.sqlite of the backup"):
        restore_backup(backup, tmp_path / "new", NOW, replace=False)


def test_a_secret_file_that_was_put_there_first_does_not_hinder_a_restore(data: Path, tmp_path: Path) -> None:
    backup, _ = write_backup(data, tmp_path / "backups", NOW)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "accounts.secret").write_bytes(b"the secret of a file")
    restore_backup(backup, tmp_path / "new", NOW, replace=False)
    assert (tmp_path / "new" / "accounts.secret").exists()
