"""The picture of a cover: uploaded on a page, served in two sizes, removed."""

from collections.abc import AsyncIterator
from hashlib import blake2b
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from support.pages import Pages, ShelfApi
from support.shelf import Shelf

from bookshelf.cqrs.handler import LOCAL, Caller, HandlerPorts, RequestContext
from bookshelf.http.message import Request, read_response, request
from bookshelf.http.problem import Problem
from bookshelf.shelf.pages.cover_files import restore_cover, serve_cover
from bookshelf.shelf.pages.site import SITE

HERE = "/books/emma/cover"


def picture() -> bytes:
    content = BytesIO()
    Image.new("RGB", (600, 900), "#c08a3e").save(content, "PNG")
    return content.getvalue()


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with Shelf() as shelf:
        await shelf.add(id="emma", title="Emma", author="Jane Austen")
        await shelf.caught_up()
        yield shelf


async def served(pages: Pages, file: str) -> Image.Image:
    """Return the picture that is served under a name."""
    asked = request("GET", f"/covers/{file}")
    context = RequestContext(at=pages.ports.now(), path={"file": file})
    response = await serve_cover(asked, context, pages.ports)
    return Image.open(BytesIO(await read_response(response, 1 << 20)))


async def test_an_uploaded_cover_is_shown_in_two_sizes_and_removed(shelf: Shelf, pages: Pages) -> None:
    answer = await pages.upload(HERE, {"_key": "1"}, {"picture": ("emma.png", picture())})
    assert (answer.status, answer.location) == (303, "/books/emma")
    page = await pages.get("/books/emma")
    assert "The cover is new." in page.words
    await shelf.caught_up()
    cover = (await shelf.send("GET", "/books/emma")).json["cover"]
    assert f'src="/covers/{cover["digest"]}-240.webp"' in page.html
    sizes = [(await served(pages, f"{cover['digest']}-{width}.webp")).size for width in (240, 480)]
    assert sizes == [(240, 360), (480, 720)]
    await shelf.send("POST", "/books/emma/readings", {"end": "finished", "ended": "2025-03"})
    await shelf.caught_up()
    poster = await pages.get("/stats/2025/poster.svg")
    assert "data:image/webp;base64," in poster.html
    await pages.submit(HERE, {"_key": "2", "step": "remove"})
    await shelf.caught_up()
    assert "cover" not in (await shelf.send("GET", "/books/emma")).json


async def test_a_cover_is_served_to_its_owner_only(pages: Pages) -> None:
    ann, bob = (Caller(actor=name, account=name, owner=name) for name in ("a-ann", "a-bob"))
    content = webp()
    digest = digest_of(content)

    def asked(
        by: Caller, method: str = "GET", of: str = digest
    ) -> tuple[Request, RequestContext, HandlerPorts]:
        file = f"{of}.webp"
        context = RequestContext(at=pages.ports.now(), caller=by, path={"file": file})
        return request(method, f"/covers/{file}", content), context, pages.ports

    await restore_cover(*asked(ann, "PUT"))
    own = await serve_cover(*asked(ann))
    assert await read_response(own, 1 << 20) == content
    assert own.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    for by, of in ((bob, digest), (LOCAL, digest), (ann, "0" * 64)):
        with pytest.raises(Problem) as missing:
            await serve_cover(*asked(by, of=of))
        assert (missing.value.kind, str(missing.value)) == ("not-found", "there is no such picture")
    await restore_cover(*asked(bob, "PUT"))
    assert (await serve_cover(*asked(bob))).status == 200


async def test_what_is_no_picture_is_refused_at_its_field(pages: Pages) -> None:
    for files in ({"picture": ("emma.svg", b"<svg onload='alert(1)'/>")}, {}):
        page = await pages.upload(HERE, {"_key": "1"}, files)
        assert page.status == 422
        assert 'id="picture-error"' in page.html


async def test_a_cover_that_is_not_stored_is_404(pages: Pages) -> None:
    for file in ("0" * 64 + "-240.webp", "..", "a/b"):
        with pytest.raises(Problem):
            await served(pages, file)


async def test_an_archive_makes_the_same_shelf_with_its_covers_elsewhere(
    shelf: Shelf, pages: Pages, tmp_path: Path
) -> None:
    await pages.upload(HERE, {"_key": "1"}, {"picture": ("emma.png", picture())})
    await shelf.caught_up()
    archive = await pages.download("/export/bookshelf.zip")
    async with Shelf() as other:
        there = Pages(SITE, ShelfApi(other), other.clock, folder=tmp_path)
        async with there.running_jobs() as jobs:
            preview = await there.upload("/import", {"_key": "1"}, {"file": ("shelf.zip", archive)})
            job = preview.location.rpartition("/")[2]
            await jobs.wait(job, 60)
            assert not [blob async for blob in there.ports.blobs.list("covers")]
            await there.post(preview.location, {"_version": "1", "do": "import"})
            await jobs.wait(job, 60)
            report = await there.get(preview.location)
        assert "One book added" in report.words
        await other.caught_up()
        whole = (await other.send("GET", "/books/emma")).json
        assert whole["cover"] == (await shelf.send("GET", "/books/emma")).json["cover"]
        for width in (240, 480):
            file = f"{whole['cover']['digest']}-{width}.webp"
            assert (await served(there, file)).size == (await served(pages, file)).size
        assert await there.download("/export/bookshelf.zip") == archive


async def put(pages: Pages, digest: str, content: bytes) -> int:
    """Send a cover of an export as the command line does; return the status."""
    asked = request("PUT", f"/covers/{digest}.webp", content)
    context = RequestContext(at=pages.ports.now(), path={"file": f"{digest}.webp"})
    return (await restore_cover(asked, context, pages.ports)).status


def webp(*, exif: bytes = b"") -> bytes:
    content = BytesIO()
    Image.new("RGB", (20, 30), "#c08a3e").save(content, "WEBP", exif=exif)
    return content.getvalue()


def digest_of(content: bytes) -> str:
    return blake2b(content, digest_size=32).hexdigest()


async def test_a_cover_of_an_export_is_stored_under_its_name_more_than_once(pages: Pages) -> None:
    content = webp()
    assert await put(pages, digest_of(content), content) == 204
    assert await put(pages, digest_of(content), content) == 204
    assert (await served(pages, f"{digest_of(content)}-240.webp")).size == (20, 30)


@pytest.mark.parametrize(
    "content",
    [picture(), webp() + b"<script>", webp(exif=b"Exif\0\0secret"), webp()[:-9], b"RIFF", b"", b"<svg/>"],
    ids=["png", "appended", "metadata", "cut", "header", "empty", "svg"],
)
async def test_what_no_export_has_is_no_cover(pages: Pages, content: bytes) -> None:
    with pytest.raises(Problem):
        await put(pages, digest_of(content), content)
    assert not [blob async for blob in pages.ports.blobs.list("covers")]


async def test_a_cover_under_a_name_that_is_not_its_own_is_refused(pages: Pages) -> None:
    for name in ("ab" * 32, "../x", "x"):
        with pytest.raises(Problem):
            await put(pages, name, webp())
