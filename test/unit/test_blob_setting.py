"""The setting `blobs`: a folder, or the address of a bucket."""

from pathlib import Path

import pytest

from bookshelf.cli.blobs import open_blobs
from bookshelf.config import Settings, WrongSetting
from bookshelf.media.folder import FolderBlobs


@pytest.mark.parametrize(
    "address",
    [
        "s3://",
        "s3://a",
        "s3://Bucket",
        "s3://bucket/folder",
        "s3://key:secret@bucket",
        "s3://bucket:1",
        "s3://bucket#part",
        "s3://bucket?endpoint=",
        "s3://bucket?endpoint=s3.example",
        "s3://bucket?endpoint=ftp://s3.example",
        "s3://bucket?endpoint=http://key:secret@s3.example",
        "s3://bucket?endpoint=http://s3.example/path",
        "s3://bucket?endpoint=http://s3.example&endpoint=http://s3.example",
        "s3://bucket?region=moon",
        "s3://bucket?endpoint=https://s3.example\n",
        "s3://[bucket",
        "gs://bucket",
        "http://bucket",
    ],
)
def test_a_wrong_address_is_refused(address: str) -> None:
    with pytest.raises(WrongSetting, match="must be a folder, like /srv/bookshelf/blobs, or a bucket"):
        open_blobs(Settings(blobs=address))


def test_a_folder_is_a_folder(tmp_path: Path) -> None:
    assert isinstance(open_blobs(Settings(data=str(tmp_path))), FolderBlobs)
    assert open_blobs(Settings(blobs=str(tmp_path))).unfinished == tmp_path / "tmp"


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("s3://bucket", None),
        ("s3://bucket?endpoint=https://s3.example:9000", "https://s3.example:9000"),
        ("s3://bucket?endpoint=http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
        ("s3://bucket?endpoint=http%3A%2F%2F[::1]:9000", "http://[::1]:9000"),
    ],
)
def test_a_bucket_has_the_endpoint_of_its_address(address: str, endpoint: str | None, tmp_path: Path) -> None:
    s3 = pytest.importorskip(
        "bookshelf.media.s3", reason="the extra s3 is not installed", exc_type=ImportError
    )
    opened = open_blobs(Settings(data=str(tmp_path), blobs=address))
    assert opened.unfinished == tmp_path / "blobs" / "tmp"
    assert isinstance(opened, s3.S3Blobs)
    assert opened.bucket.config.get("endpoint") == endpoint
