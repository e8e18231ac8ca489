"""Publishing a photo, changing it, showing it and removing it."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from multidict import CIMultiDict
from PIL import Image
from support.fixed_infrastructure import FixedClock
from support.hostile_photos import SECRET
from support.photos import BOUNDARY, FORM, PhotoUploads, form, part
from support.pictures import GOOD, NO_PICTURES, TOO_LARGE, UNREADABLE, encoded, gradient
from support.shelf import Shelf

from bookshelf.config import PhotoSettings
from bookshelf.http.message import BytesBody, Request
from bookshelf.runtime.api.identity import SignedCallers, signed_in

PNG = encoded(GOOD, "PNG")
JPEG = encoded(gradient(1300, 900), "JPEG", comment=SECRET)
END = f"--{BOUNDARY}--\r\n".encode()
CALLERS = SignedCallers(b"secret of the test " * 2)
ANN, BEN = (signed_in(name, frozenset({"read", "write"}), None) for name in ("ann", "ben"))


async def test_a_photo_is_published_and_shown_in_every_size(tmp_path: Path) -> None:
    async with PhotoUploads(tmp_path) as uploads:
        added = await uploads.upload(JPEG, description="A red wall", credit="Ann")
        assert added.status == 201, added.body
        photo = added.json
        assert added.headers["Location"] == f"/photos/{photo['id']}"
        assert (photo["owner"], photo["title"], photo["description"]) == (
            "a-reader",
            "Low tide",
            "A red wall",
        )
        assert {size: image["width"] for size, image in photo["images"].items()} == {
            "320": 320,
            "1024": 1024,
            "2048": 1300,
            "master": 1300,
            "still": 1300,
        }
        position = added.headers["Bookshelf-Position"]
        for size, image in photo["images"].items():
            shown = await uploads.image(photo["id"], size, position)
            assert (shown.status, shown.headers["Content-Type"]) == (200, image["type"])
            assert len(shown.body) == image["bytes"]
            assert SECRET not in shown.body
        assert not [path for path in uploads.kept() if path.startswith("tmp/")]


async def test_an_image_is_sent_in_parts_and_only_if_it_is_another_one(tmp_path: Path) -> None:
    async with PhotoUploads(tmp_path) as uploads:
        added = await uploads.upload(PNG)
        photo, position = added.json["id"], added.headers["Bookshelf-Position"]
        whole = await uploads.image(photo, "320", position)
        tag = whole.headers["ETag"]
        assert whole.headers["Cache-Control"] == "public, max-age=3600"
        assert whole.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert whole.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert whole.headers["X-Content-Type-Options"] == "nosniff"
        some = await uploads.image(photo, "320", Range="bytes=4-7", If_Range=tag)
        assert (some.status, some.body) == (206, whole.body[4:8])
        assert (await uploads.image(photo, "320", Range="bytes=4-7", If_Range='"other"')).status == 200
        assert (await uploads.image(photo, "320", Range="bytes=9999999-")).status == 416
        assert (await uploads.image(photo, "320", If_None_Match=tag)).status == 304
        head = await uploads.send("HEAD", f"/photos/{photo}/image?size=320")
        assert (head.status, head.headers["Content-Length"]) == (200, str(len(whole.body)))
        assert (await uploads.image(photo, "17")).status == 422
        assert (await uploads.image("x" * 36, "320")).status == 404
        assert (await uploads.image(photo.replace(photo[:8], "00000000"), "320")).status == 404


async def test_an_upload_is_carried_out_once_for_a_key(tmp_path: Path) -> None:
    async with PhotoUploads(tmp_path) as uploads:
        first, again = await asyncio.gather(uploads.upload(PNG, key="one"), uploads.upload(PNG, key="one"))
        assert (first.status, again.status, first.json["id"]) == (201, 201, again.json["id"])
        another = await uploads.upload(PNG, key="one", title="Another")
        assert (another.status, another.json["type"]) == (422, "urn:bookshelf:problem:key-reused")
        second = await uploads.upload(PNG, key="two")
        assert second.status == 201
        assert second.json["id"] != first.json["id"]
        assert second.json["images"] == first.json["images"]


async def test_only_its_owner_changes_a_photo_and_a_moderator_removes_it_for_a_reason(tmp_path: Path) -> None:
    async with PhotoUploads(tmp_path, CALLERS) as uploads:
        added = await uploads.upload(PNG, ANN)
        photo, position = added.json["id"], added.headers["Bookshelf-Position"]
        path = f"/photos/{photo}"
        json = {"Content_Type": "application/json"}
        assert (await uploads.upload(PNG)).status == 401
        other = await uploads.send("PATCH", path, b'{"title": "Mine"}', BEN, **json)
        assert (other.status, other.json["type"]) == (403, "urn:bookshelf:problem:not-yours")
        changed = await uploads.send("PATCH", path, b'{"title": "High tide"}', ANN, **json)
        assert (changed.status, changed.json["title"], changed.json["owner"]) == (200, "High tide", "ann")
        stale = await uploads.send("PATCH", path, b'{"title": "x"}', ANN, **json, If_Match='"0"')
        assert stale.status == 412
        assert (await uploads.send("DELETE", path, b"", BEN)).status == 403
        moderator = signed_in("mia", frozenset({"read", "write", "photos:moderate"}), None)
        assert (await uploads.send("DELETE", path, b"", moderator)).status == 422
        assert (await uploads.image(photo, "320", position)).status == 200
        removed = await uploads.send("DELETE", f"{path}?text=spam", b"", moderator)
        assert removed.status == 204
        gone = await uploads.image(photo, "320", removed.headers["Bookshelf-Position"])
        assert (gone.status, gone.json["type"]) == (410, "urn:bookshelf:problem:gone")
        assert (await uploads.send("DELETE", path, b"", ANN)).status == 204
        assert (await uploads.send("PATCH", path, b'{"title": "x"}', ANN, **json)).status == 410


@pytest.mark.parametrize(
    ("body", "kind", "pointer"),
    [
        (form(None, title="x"), "invalid", "/file"),
        (form(b"", title="x"), "invalid", "/file"),
        (form(PNG), "invalid", "/title"),
        (form(PNG, title=" "), "invalid", "/title"),
        (form(PNG, title="x" * 201), "invalid", "/title"),
        (form(PNG, title="a\x07b"), "invalid", "/title"),
        (form(PNG, title="x", description="y" * 2001), "invalid", "/description"),
        (form(PNG, title="x", more="y"), "invalid", "/more"),
        (part("title", b"x") + form(PNG, title="y"), "invalid", "/title"),
        (part("file", PNG, "a") + form(PNG, title="y"), "invalid", "/file"),
        (part("picture", PNG, "a") + part("title", b"x") + END, "invalid", "/picture"),
        (part("file", PNG) + part("title", b"x") + END, "invalid", "/file"),
        (b"".join(part(f"f{n}", b"x") for n in range(11)) + END, "invalid", None),
        (b"no form", "malformed", None),
    ],
)
async def test_a_form_that_is_wrong_is_refused_at_its_field(
    tmp_path: Path, body: bytes, kind: str, pointer: str | None
) -> None:
    async with PhotoUploads(tmp_path) as uploads:
        answer = await uploads.send("POST", "/photos", body, Content_Type=FORM)
        assert answer.json["type"] == f"urn:bookshelf:problem:{kind}", answer.body
        assert pointer is None or answer.json["errors"][0]["pointer"] == pointer
        assert uploads.kept() == []


async def test_a_file_that_is_no_picture_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async with PhotoUploads(tmp_path, settings=PhotoSettings(photos_uploads_minute=1000)) as uploads:
        for name, content in NO_PICTURES.items():
            answer = await uploads.upload(content)
            assert answer.status == (415 if content else 422), name
        for name, content in UNREADABLE.items():
            answer = await uploads.upload(content)
            assert (answer.status, answer.json["type"].rpartition(":")[2]) == (422, "unreadable"), name
        for name, content in TOO_LARGE.items():
            if "41 megapixels" not in name:
                answer = await uploads.upload(content)
                assert (answer.status, answer.json["type"].rpartition(":")[2]) == (422, "invalid"), name
        assert uploads.kept() == []


async def test_too_many_bytes_and_too_many_photos_a_minute_are_refused(tmp_path: Path) -> None:
    settings = PhotoSettings(photos_bytes=3000, photos_uploads_minute=3)
    async with PhotoUploads(tmp_path, CALLERS, settings=settings) as uploads:
        declared = await uploads.send("POST", "/photos", b"", ANN, Content_Type=FORM, Content_Length="300000")
        assert declared.status == 413
        assert (await uploads.upload(bytes(3001), ANN)).status == 413
        small = encoded(gradient(20, 20), "PNG")
        assert (await uploads.upload(small, ANN)).status == 201
        assert (await uploads.upload(small, ANN)).status == 201
        refused = await uploads.upload(small, ANN)
        assert (refused.status, refused.json["type"].rpartition(":")[2]) == (429, "too-many")
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert (await uploads.upload(small, BEN)).status == 201


class SlowBody(BytesBody):
    """The form of a photo that takes some time to arrive."""

    def __init__(self, clock: FixedClock, time_s: float) -> None:
        super().__init__(form(PNG, title="Low tide"))
        self._clock, self._time_s = clock, time_s

    async def stream(self) -> AsyncIterator[bytes]:
        self._clock.move(timedelta(seconds=self._time_s))
        yield self.content


@pytest.mark.parametrize(("time_s", "status"), [(599.0, 201), (601.0, 503)])
async def test_a_photo_that_takes_too_long_to_arrive_is_not_published(
    tmp_path: Path, time_s: float, status: int
) -> None:
    """So the deletion of its owner's profile knows when nothing is under way any more."""
    shelf = Shelf(services=())
    async with PhotoUploads(tmp_path, shelf=shelf) as uploads:
        body = SlowBody(shelf.clock, time_s)
        sent = Request("POST", "/photos", CIMultiDict({"Content-Type": FORM}), body)
        assert (await uploads.host.api.handle(sent)).status == status
        assert not [path for path in uploads.kept() if path.startswith("tmp/")]


async def test_an_animation_moves_in_its_master_only(tmp_path: Path) -> None:
    frames = [gradient(60, 40).rotate(turn) for turn in (0, 90)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    async with PhotoUploads(tmp_path) as uploads:
        added = await uploads.upload(content)
        assert added.json["animated"] is True
        position = added.headers["Bookshelf-Position"]
        for size, frames_shown in (("master", 2), ("still", 1), ("320", 1)):
            shown = await uploads.image(added.json["id"], size, position)
            (tmp_path / "shown").write_bytes(shown.body)
            with Image.open(tmp_path / "shown") as picture:
                assert getattr(picture, "n_frames", 1) == frames_shown


async def test_the_service_deletes_old_images_that_no_photo_names(tmp_path: Path) -> None:
    async with PhotoUploads(tmp_path) as uploads:
        kept = await uploads.upload(PNG)
        removed = await uploads.upload(encoded(gradient(90, 70), "PNG"))
        for path in uploads.kept():
            os.utime(tmp_path / path, (0, 0))
        assert (await uploads.send("POST", "/sweep")).json == 0
        assert (await uploads.send("DELETE", removed.headers["Location"])).status == 204
        assert (await uploads.send("POST", "/sweep")).json == 2  # its still, and its master
        digests = {image["digest"] for image in kept.json["images"].values()}
        assert {path.rpartition("/")[2] for path in uploads.kept()} == digests
