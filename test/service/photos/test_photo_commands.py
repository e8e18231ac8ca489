"""`bookshelf photos verify` and `sweep` on a data folder, and a backup with its images."""

import asyncio
import json
import os
import shutil
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from support.logfile import append, event
from support.photos import PhotoUploads
from support.pictures import GOOD, encoded, gradient
from support.shelf import Shelf
from support.upstream import pieces

from bookshelf.cli.main import main
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.media.folder import FolderBlobs
from bookshelf.photos.events import TOPIC
from bookshelf.runtime.backup import restore_backup, write_backup

#: A picture of two photos, of which one is removed, and one of a removed photo alone.
SHARED, ALONE = encoded(GOOD, "PNG"), encoded(gradient(90, 70), "PNG")
OLD = 1_700_000_000.0


async def fill(folder: Path) -> None:
    log = await SqliteLog.open(folder / "log.sqlite")
    async with PhotoUploads(folder / "blobs", shelf=Shelf(log=log, services=())) as uploads:
        added = [await uploads.upload(content) for content in (SHARED, SHARED, ALONE)]
        for removed in added[1:]:
            assert (await uploads.send("DELETE", removed.headers["Location"])).status == 204
    await log.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos") / "data"
    folder.mkdir()
    asyncio.run(fill(folder))
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return shutil.copytree(filled, tmp_path / "data")


def photos(folder: Path, command: str, *args: str) -> Result:
    return CliRunner().invoke(main, ["photos", command, "--data", str(folder), *args])


def verified(folder: Path) -> Any:  # noqa: ANN401 (JSON)
    return json.loads(photos(folder, "verify", "--json").output)


def images(folder: Path, namespace: str = "photos") -> dict[str, Path]:
    return {path.name: path for path in (folder / "blobs" / namespace).glob("??/??/*")}


def make_old(folder: Path) -> None:
    for path in (folder / "blobs").rglob("*"):
        if path.is_file():
            os.utime(path, (OLD, OLD))


def test_images_that_are_there_and_clean_pass(folder: Path) -> None:
    result = photos(folder, "verify")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("1 photos, 2 images of ")
    assert result.output.endswith("all there and clean.\n")


def test_a_missing_and_a_damaged_image_are_found(folder: Path) -> None:
    found = verified(folder)
    assert (found["photos"], found["images"], found["violations"]) == (1, 2, 0)
    append(folder, "by-hand", event("photos.photo-removed.v1", "by-hand", {"reason": 7}), TOPIC)
    for path in images(folder).values():
        path.write_bytes(path.read_bytes()[:-1])
    found = verified(folder)
    assert (len(found["damaged"]), len(found["unreadable"]), found["violations"]) == (2, 1, 3)
    for path in images(folder).values():
        path.unlink()
    assert len(verified(folder)["missing"]) == 2
    assert photos(folder, "verify").exit_code == 2


def test_an_image_with_more_than_pixels_is_found(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Berlin"
    content = encoded(GOOD, "JPEG", exif=exif)
    digest = blake2b(content, digest_size=32).hexdigest()
    asyncio.run(FolderBlobs(folder / "blobs").put(f"photos/{digest}", pieces(content)))
    image = {"digest": digest, "width": 1, "height": 1, "bytes": len(content), "type": "image/jpeg"}
    data = {"owner": "a", "title": "x", "added": "2026-11-25T09:30:00Z", "master": image, "placeholder": ""}
    append(folder, "p-1", event("photos.photo-added.v1", "p-1", {**data, "renditions": [image]}), TOPIC)
    [text] = verified(folder)["unclean"]
    assert text == f"{digest} of p-1, has the segment 0xe1"


def test_a_sweep_deletes_old_images_that_no_photo_names_and_nothing_else(folder: Path) -> None:
    before = set(images(folder))
    assert photos(folder, "sweep").output == "0 images deleted, 0 bytes.\n"  # they are young
    make_old(folder)
    unused = json.loads(photos(folder, "sweep", "--dry-run", "--json").output)["blobs"]
    assert len(unused) == 2
    assert set(images(folder)) == before
    assert photos(folder, "sweep").output.splitlines()[-1].startswith("2 images deleted, ")
    assert before - set(images(folder)) == {blob["name"].removeprefix("photos/") for blob in unused}
    assert verified(folder)["violations"] == 0
    assert photos(folder, "sweep").output == "0 images deleted, 0 bytes.\n"


def test_a_sweep_deletes_nothing_while_a_record_cannot_be_read(folder: Path) -> None:
    make_old(folder)
    append(folder, "by-hand", event("photos.photo-added.v1", "by-hand", {"owner": 7}), TOPIC)
    before = set(images(folder))
    result = photos(folder, "sweep")
    assert result.exit_code == 2
    assert "nothing is deleted while a record cannot be read" in result.output
    assert set(images(folder)) == before


def test_a_sweep_deletes_covers_that_were_never_set(folder: Path) -> None:
    blobs = FolderBlobs(folder / "blobs")
    digests = [blake2b(content, digest_size=32).hexdigest() for content in (b"set", b"never set")]
    for digest, content in zip(digests, (b"set", b"never set"), strict=True):
        for namespace in ("covers", "coversabc", "files"):
            asyncio.run(blobs.put(f"{namespace}/{digest}", pieces(content)))
            asyncio.run(blobs.put(f"{namespace}/{digest}-240", pieces(b"small")))
    cover = {"digest": digests[0], "width": 1, "height": 1, "colour": "#000000"}
    append(folder, "b-1", event("shelf.cover-set.v1", "b-1", cover))
    make_old(folder)
    photos(folder, "sweep")
    for namespace in ("covers", "coversabc"):
        assert set(images(folder, namespace)) == {digests[0], f"{digests[0]}-240"}
    assert len(images(folder, "files")) == 4


def test_a_restored_log_with_its_images_passes(folder: Path, tmp_path: Path) -> None:
    backup, _ = write_backup(folder, tmp_path / "backups", datetime(2026, 11, 27, tzinfo=UTC))
    restored = tmp_path / "restored"
    restore_backup(backup, restored, datetime(2026, 11, 27, tzinfo=UTC), replace=False)
    found = verified(restored)
    assert (found["photos"], found["violations"]) == (1, 0)
    shutil.rmtree(restored / "blobs")
    assert verified(restored)["violations"] == found["images"]
