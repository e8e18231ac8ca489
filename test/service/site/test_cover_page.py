"""The picture of a cover: uploaded on a page, served in two sizes, removed."""

from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from PIL import Image
from support.pages import Pages, ShelfApi
from support.shelf import Shelf

from bookshelf.cqrs.handler import RequestContext
from bookshelf.http.message import read_response, request
from bookshelf.http.problem import Problem
from bookshelf.shelf.pages.cover_files import serve_cover
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


@pytest.fixture
def pages(shelf: Shelf) -> Pages:
    return Pages(SITE, ShelfApi(shelf), shelf.clock)


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


async def test_what_is_no_picture_is_refused_at_its_field(pages: Pages) -> None:
    for files in ({"picture": ("emma.svg", b"<svg onload='alert(1)'/>")}, {}):
        page = await pages.upload(HERE, {"_key": "1"}, files)
        assert page.status == 422
        assert 'id="picture-error"' in page.html


async def test_a_cover_that_is_not_stored_is_404(pages: Pages) -> None:
    for file in ("0" * 64 + "-240.webp", "..", "a/b"):
        with pytest.raises(Problem):
            await served(pages, file)
