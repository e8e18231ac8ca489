"""Storing an uploaded picture, and serving its renditions."""

from collections.abc import AsyncIterator
from hashlib import blake2b
from pathlib import Path

import pytest
from support.pictures import GOOD, encoded
from support.upstream import pieces, whole

from bookshelf.http.message import request
from bookshelf.http.problem import Problem
from bookshelf.media.folder import FolderBlobs
from bookshelf.media.memory import MemoryBlobs
from bookshelf.media.pictures import picture_response, store_picture
from bookshelf.media.pool import PictureWorkers
from bookshelf.media.port import (
    BlobFault,
    ConvertedPicture,
    MadePhoto,
    PhotoLimits,
    PictureLimits,
    PictureRefused,
    PicturesBusy,
)

MADE = ConvertedPicture(300, 450, "#c08a3e", {480: b"large", 240: b"small"})
DIGEST = blake2b(b"large", digest_size=32).hexdigest()
FILE = Path("upload")


class FixedPictures:
    """Answers every picture with the same result."""

    def __init__(self, result: ConvertedPicture | Exception) -> None:
        self._result = result

    async def convert(self, _path: Path, _limits: PictureLimits) -> ConvertedPicture:
        if isinstance(self._result, Exception):
            raise self._result
        return self._result

    async def make_photo(self, _path: Path, _into: Path, _limits: PhotoLimits) -> MadePhoto:
        raise NotImplementedError


class FullBlobs(MemoryBlobs):
    """A storage without room."""

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        raise BlobFault(f"no room for {name}: {pieces}")


async def test_the_digest_of_a_picture_is_that_of_its_largest_rendition() -> None:
    blobs = MemoryBlobs()
    stored = await store_picture(FILE, "covers", FixedPictures(MADE), blobs)
    assert (stored.digest, stored.width, stored.height, stored.colour) == (DIGEST, 300, 450, "#c08a3e")
    assert [blob.name async for blob in blobs.list("covers")] == [f"covers/{DIGEST}", f"covers/{DIGEST}-240"]


@pytest.mark.parametrize(
    ("fault", "kind", "pointer"),
    [
        (PictureRefused("format", "is no picture"), "media-type", "/cover"),
        (PictureRefused("pixels", "has too many"), "invalid", "/cover"),
        (PictureRefused("unreadable", "is damaged"), "invalid", "/cover"),
        (PicturesBusy("many wait"), "unavailable", ""),
    ],
)
async def test_a_refusal_names_the_field_of_the_form(fault: Exception, kind: str, pointer: str) -> None:
    with pytest.raises(Problem) as refusal:
        await store_picture(FILE, "covers", FixedPictures(fault), MemoryBlobs(), field="cover")
    assert refusal.value.kind == kind
    assert [fault.pointer for fault in refusal.value.faults] == ([pointer] if pointer else [])


async def test_a_storage_without_room_is_unavailable() -> None:
    with pytest.raises(Problem) as refusal:
        await store_picture(FILE, "covers", FixedPictures(MADE), FullBlobs())
    assert refusal.value.kind == "unavailable"


async def test_a_stored_rendition_is_served_for_a_year_and_can_run_nothing() -> None:
    blobs = MemoryBlobs()
    await blobs.put(f"covers/{DIGEST}", pieces(b"large"))
    answer = await picture_response(request("GET", "/"), blobs, f"covers/{DIGEST}")
    assert await whole(answer) == b"large"
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Content-Length"] == "5"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    known = request("GET", "/", If_None_Match=answer.headers["ETag"])
    assert (await picture_response(known, blobs, f"covers/{DIGEST}")).status == 304


async def test_a_part_of_a_rendition_is_served_and_head_reads_none_of_it(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    await blobs.put(f"covers/{DIGEST}", pieces(b"large"))
    part = await picture_response(request("GET", "/", Range="bytes=1-2"), blobs, f"covers/{DIGEST}")
    assert (part.status, await whole(part)) == (206, b"ar")
    assert (part.headers["Content-Range"], part.headers["Content-Length"]) == ("bytes 1-2/5", "2")
    head = await picture_response(request("HEAD", "/", Range="bytes=1-2"), blobs, f"covers/{DIGEST}")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "5")
    with pytest.raises(Problem) as refusal:
        await picture_response(request("GET", "/", Range="bytes=9-"), blobs, f"covers/{DIGEST}")
    assert refusal.value.kind == "range"


@pytest.mark.parametrize("name", [f"covers/{'0' * 64}", "covers/../log.sqlite", "covers/x"])
async def test_any_other_name_is_not_found(name: str) -> None:
    with pytest.raises(Problem) as refusal:
        await picture_response(request("GET", "/"), MemoryBlobs(), name)
    assert refusal.value.kind == "not-found"


async def test_an_uploaded_picture_is_converted_stored_and_served(tmp_path: Path) -> None:
    (upload := tmp_path / "upload").write_bytes(encoded(GOOD, "PNG"))
    blobs, workers = MemoryBlobs(), PictureWorkers(1)
    stored = await store_picture(upload, "covers", workers, blobs)
    await workers.close()
    for name in (f"covers/{stored.digest}", f"covers/{stored.digest}-240"):
        content = await whole(await picture_response(request("GET", "/"), blobs, name))
        assert content.startswith(b"RIFF")
