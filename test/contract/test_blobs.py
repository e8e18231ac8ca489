"""The blob storages: in memory, and in a folder."""

import os
import time
from pathlib import Path

import pytest
from contract.blob_contract import BlobContract, name_of, put
from support.upstream import pieces

from bookshelf.media.folder import FolderBlobs
from bookshelf.media.hot_blobs import HotBlobs
from bookshelf.media.memory import MemoryBlobs
from bookshelf.media.port import BlobFault


class TestMemoryBlobs(BlobContract):
    """Blobs that are gone with the process."""

    @pytest.fixture
    def blobs(self) -> MemoryBlobs:
        return MemoryBlobs()


class TestFolderBlobs(BlobContract):
    """Blobs as files."""

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> FolderBlobs:
        return FolderBlobs(tmp_path / "blobs")

    async def test_a_blob_is_one_file_that_only_its_user_reads(self, tmp_path: Path) -> None:
        name = await put(FolderBlobs(tmp_path), b"x")
        namespace, digest = name.split("/")
        place = tmp_path / namespace / digest[:2] / digest[2:4] / digest
        assert place.read_bytes() == b"x"
        assert place.stat().st_mode & 0o077 == 0
        assert list((tmp_path / "tmp").iterdir()) == []

    async def test_what_a_killed_process_left_is_deleted_after_an_hour(self, tmp_path: Path) -> None:
        blobs = FolderBlobs(tmp_path)
        blobs.unfinished.mkdir(parents=True)
        for age_s, left in ((3700, "old"), (3500, "young")):
            (blobs.unfinished / left).write_bytes(b"half")
            os.utime(blobs.unfinished / left, (time.time() - age_s, time.time() - age_s))
        await put(blobs, b"x")
        assert [path.name for path in blobs.unfinished.iterdir()] == ["young"]

    async def test_a_folder_that_cannot_be_written_is_a_fault_with_the_reason(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        blobs = FolderBlobs(tmp_path / "file")
        with pytest.raises(BlobFault, match="Not a directory"):
            await blobs.put(name_of(b"x"), pieces(b"x"))
        with pytest.raises(BlobFault, match="Not a directory"):
            await blobs.stat(name_of(b"x"))


class TestHotBlobs(BlobContract):
    """Blobs of a folder, with those that were read lately in memory."""

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> HotBlobs:
        return HotBlobs(FolderBlobs(tmp_path / "blobs"))
