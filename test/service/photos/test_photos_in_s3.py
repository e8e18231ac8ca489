"""Photos whose images are in S3: the service uploads, the commands, and a backup."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support import s3_server
from support.photos import PhotoUploads
from support.pictures import GOOD, encoded
from support.shelf import Shelf

from bookshelf.cli.blobs import open_blobs
from bookshelf.cli.main import main
from bookshelf.config import Settings
from bookshelf.log.port import Log
from bookshelf.log.sqlite.log import SqliteLog

PNG = encoded(GOOD, "PNG")


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.CREDENTIALS.items():
        monkeypatch.setenv(name, value)


def instance(log: Log, folder: Path, address: str) -> PhotoUploads:
    blobs = open_blobs(Settings(data=str(folder), blobs=address))
    return PhotoUploads(folder, shelf=Shelf(log=log, services=()), blobs=blobs)


def address_in(server: s3_server.S3Server) -> str:
    return f"s3://{server.new_bucket()}?endpoint={server.endpoint}"


def command(data: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--data", str(data)])


async def publish(data: Path, address: str) -> None:
    """Publish a photo by one instance, and read it by another that has a folder of its own."""
    log = await SqliteLog.open(data / "log.sqlite")
    async with instance(log, data / "a", address) as uploads:
        added = await uploads.upload(PNG)
        assert added.status == 201, added.body
        assert uploads.kept() == []
    async with instance(log, data / "b", address) as uploads:
        position = added.headers["Bookshelf-Position"]
        shown = await uploads.image(added.json["id"], "master", position)
        assert (shown.status, len(shown.body)) == (200, added.json["images"]["master"]["bytes"])
        ranged = await uploads.image(added.json["id"], "master", position, Range="bytes=1-3")
        assert (ranged.status, ranged.body) == (206, shown.body[1:4])
    await log.close()


def test_a_photo_is_shown_by_each_instance_and_verified_and_the_backup_is_honest(
    s3: s3_server.S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, address = tmp_path / "data", address_in(s3)
    data.mkdir()
    asyncio.run(publish(data, address))
    monkeypatch.setenv("BOOKSHELF_BLOBS", address)
    assert json.loads(command(data, "photos", "verify", "--json").output)["violations"] == 0
    assert command(data, "photos", "sweep").output == "0 images deleted, 0 bytes.\n"
    made = command(data, "backup", str(tmp_path / "backups"))
    assert f"Not in it: the pictures in {address}" in made.output
    assert not list((tmp_path / "backups").glob("*/blobs"))
    told = json.loads(command(data, "backup", str(tmp_path / "backups"), "--json").output)
    assert told["not_included"] == [address]
    monkeypatch.setenv("BOOKSHELF_BLOBS", address_in(s3))
    assert json.loads(command(data, "photos", "verify", "--json").output)["missing"]


def test_a_restore_names_pictures_that_belong_in_the_bucket(
    s3: s3_server.S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def publish_in_folder() -> None:
        log = await SqliteLog.open(tmp_path / "data" / "log.sqlite")
        async with PhotoUploads(tmp_path / "data" / "blobs", shelf=Shelf(log=log, services=())) as uploads:
            assert (await uploads.upload(PNG)).status == 201
        await log.close()

    (tmp_path / "data").mkdir()
    asyncio.run(publish_in_folder())
    told = json.loads(command(tmp_path / "data", "backup", str(tmp_path / "backups"), "--json").output)
    assert told["not_included"] == []
    monkeypatch.setenv("BOOKSHELF_BLOBS", address := address_in(s3))
    restored = command(tmp_path / "anew", "restore", told["backup"])
    assert f"Pictures are in {tmp_path / 'anew' / 'blobs'}: copy them to {address}." in restored.output


async def test_without_a_server_nothing_is_published_and_no_image_counts_as_missing(
    tmp_path: Path,
) -> None:
    with s3_server.running(tmp_path) as server:
        log = await SqliteLog.open(tmp_path / "log.sqlite")
        async with instance(log, tmp_path / "a", address_in(server)) as uploads:
            added = await uploads.upload(PNG)
            position = added.headers["Bookshelf-Position"]
            assert (await uploads.image(added.json["id"], "master", position)).status == 200
            server.stop()
            refused = await uploads.upload(PNG, title="Another")
            assert (refused.status, refused.json["type"].rpartition(":")[2]) == (503, "unavailable")
            assert (await uploads.image(added.json["id"], "master", position)).status == 503
        await log.close()
    written = b"".join(path.read_bytes() for path in tmp_path.glob("log.sqlite*"))
    assert (b"Low tide" in written, b"Another" in written) == (True, False)
