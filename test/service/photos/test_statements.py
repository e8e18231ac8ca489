"""A page of photos is two statements, whatever its size; the rows of views equal a fold of the log."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import event
from support.photo_site import ANN, BOB, CALLERS, EVE, PhotoSite

from bookshelf.photos.timelines import queries
from bookshelf.photos.timelines.lists import PagePlace

PHOTOS = 120


@pytest.fixture
async def site() -> AsyncIterator[PhotoSite]:
    async with PhotoSite(callers=CALLERS) as made:
        for number in range(PHOTOS):
            await made.add(f"p{number}")
        for number in range(0, PHOTOS, 7):
            made.clock.move(timedelta(seconds=1))
            await made.vote(f"p{number}", "up", BOB)
            await made.vote(f"p{number}", "down", EVE)
            await made.vote(f"p{number}", "up", ANN)
            await made.comment(f"p{number}", "hello", BOB)
        await made.shelf.caught_up()
        yield made


@pytest.mark.parametrize("sort", ["fresh", "hot", "trending"])
async def test_a_page_is_two_statements(site: PhotoSite, sort: str) -> None:
    [host] = site.shelf.hosts["timelines"].views.values()
    day = site.clock.now().date().isoformat()

    def counted(rows: int) -> int:
        def read(db: queries.Db) -> int:
            statements: list[str] = []

            def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
                statements.append(statement)

            event.listen(db, "before_cursor_execute", note)
            found, _ = queries.listed(db, sort, day, "a-bob", PagePlace(rows))
            event.remove(db, "before_cursor_execute", note)
            assert len(found) == min(rows, PHOTOS if sort != "hot" else 18)
            return len(statements)

        return read  # type: ignore[return-value]

    assert [await host.query(counted(rows)) for rows in (1, 10, 100)] == [2, 2, 2]  # type: ignore[arg-type]


async def test_pages_follow_each_other_by_their_links(site: PhotoSite) -> None:
    for sort in ("fresh", "trending", "hot"):
        target, seen = f"/photos?sort={sort}&rows=7", []
        while target:
            answered = await site.send("GET", target, caller=BOB)
            seen += [photo["id"] for photo in answered.json]
            target = answered.headers.get("Link", "").partition(">")[0].removeprefix("<")
        assert len(seen) == len(set(seen)) == (18 if sort == "hot" else PHOTOS)
