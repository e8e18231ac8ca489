"""Backups with blobs: what is copied, what is restored, and what is refused."""

import shutil
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import msgspec
import pytest
from support.upstream import pieces

from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.media.folder import FolderBlobs
from bookshelf.runtime.backup import MANIFEST, BackupFault, restore_backup, write_backup
from bookshelf.runtime.blob_backup import find_blobs, is_blob

NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def stored(folder: Path, *contents: bytes) -> None:
    """Store blobs, each with a rendition."""
    for content in contents:
        name = f"covers/{blake2b(content, digest_size=32).hexdigest()}"
        await FolderBlobs(folder).put(name, pieces(content))
        await FolderBlobs(folder).put(f"{name}-240", pieces(content[:2]))


def contents(folder: Path) -> list[bytes]:
    return sorted((folder / path).read_bytes() for path in find_blobs(folder))


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data folder with an empty log and two pictures."""
    (folder := tmp_path / "data").mkdir()
    await (await SqliteLog.open(folder / "log.sqlite", 1)).close()
    await stored(folder / "blobs", b"one", b"two")
    (folder / "blobs" / "tmp" / "arriving").write_bytes(b"half")
    return folder


def backed_up(data: Path, tmp_path: Path, blobs: Path | None = None) -> Path:
    return write_backup(data, tmp_path / "backups", NOW, blobs=blobs)[0]


async def test_blobs_are_in_a_backup_and_come_back(data: Path, tmp_path: Path) -> None:
    backup = backed_up(data, tmp_path)
    assert contents(backup / "blobs") == [b"on", b"one", b"tw", b"two"]
    restore_backup(backup, tmp_path / "anew", NOW, replace=False)
    assert contents(tmp_path / "anew" / "blobs") == [b"on", b"one", b"tw", b"two"]
    assert not (tmp_path / "anew" / "restored").exists()


async def test_restored_blobs_are_added_to_those_that_are_there(data: Path, tmp_path: Path) -> None:
    backup = backed_up(data, tmp_path)
    await stored(data / "blobs", b"three")
    next(path for path in (data / "blobs").glob("covers/*/*/*") if path.read_bytes() == b"two").unlink()
    restore_backup(backup, data, NOW, replace=True)
    assert contents(data / "blobs") == [b"on", b"one", b"th", b"three", b"tw", b"two"]


async def test_the_folder_of_the_setting_is_copied_and_restored_to(data: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    await stored(elsewhere, b"four")
    backup = backed_up(data, tmp_path, elsewhere)
    assert contents(backup / "blobs") == [b"fo", b"four"]
    restore_backup(backup, tmp_path / "anew", NOW, replace=False, blobs=tmp_path / "other")
    assert contents(tmp_path / "other") == [b"fo", b"four"]
    assert not (tmp_path / "anew" / "blobs").exists()


async def test_a_data_folder_is_restored_with_its_blobs(data: Path, tmp_path: Path) -> None:
    restore_backup(data, tmp_path / "anew", NOW, replace=False)
    assert contents(tmp_path / "anew" / "blobs") == [b"on", b"one", b"tw", b"two"]


@pytest.mark.parametrize("damage", [b"onf", b""], ids=["changed", "cut"])
async def test_a_backup_with_a_damaged_blob_is_refused(data: Path, tmp_path: Path, damage: bytes) -> None:
    backup = backed_up(data, tmp_path)
    next(path for path in backup.glob("blobs/*/*/*/*") if path.read_bytes() == b"one").write_bytes(damage)
    with pytest.raises(BackupFault, match="not what was written"):
        restore_backup(backup, tmp_path / "anew", NOW, replace=False)
    assert not (tmp_path / "anew" / "log.sqlite").exists()


async def test_a_backup_without_one_of_its_blobs_is_refused(data: Path, tmp_path: Path) -> None:
    backup = backed_up(data, tmp_path)
    shutil.rmtree(backup / "blobs")
    with pytest.raises(BackupFault, match="is missing"):
        restore_backup(backup, tmp_path / "anew", NOW, replace=False)


@pytest.mark.parametrize("name", ["blobs/../../evil", "/etc/passwd", "blobs/covers/x", "evil"])
async def test_a_manifest_with_other_paths_is_refused(data: Path, tmp_path: Path, name: str) -> None:
    backup = backed_up(data, tmp_path)
    manifest = msgspec.json.decode((backup / MANIFEST).read_bytes())
    manifest["files"][1]["name"] = name
    (backup / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    with pytest.raises(BackupFault, match="lists wrong files"):
        restore_backup(backup, tmp_path / "anew", NOW, replace=False)


def test_the_path_of_a_blob_repeats_its_digest() -> None:
    digest = "ab" + "cd" + "0" * 60
    assert is_blob(f"covers/ab/cd/{digest}")
    assert is_blob(f"covers/ab/cd/{digest}-240")
    assert not is_blob(f"covers/ab/ce/{digest}")
    assert not is_blob(f"covers/ab/cd/{digest}\n")
