"""The page of all passages over a real shelf: searched, of one book, in pages, and as a file."""

from collections.abc import AsyncIterator

import pytest
from support.pages import Pages
from support.shelf import Shelf


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with Shelf() as running:
        await running.add(id="dune", title="Dune", author="Frank Herbert", pages=412)
        await running.add(id="emma", title="Emma", author="Jane Austen")
        for book, passage in (
            ("emma", {"quote": "Badly done, Emma!"}),
            ("dune", {"quote": "Fear is the <mind-killer>.", "note": "the litany", "progress": {"page": 12}}),
            ("dune", {"note": "again from here"}),
        ):
            assert (await running.send("POST", f"/books/{book}/passages", passage)).status == 201
        await running.caught_up()
        yield running


async def test_passages_are_shown_by_book(pages: Pages) -> None:
    words = (await pages.get("/passages")).words
    order = [words.index(text) for text in ("3 passages", "Dune", "Fear is", "the litany", "Emma", "Badly")]
    assert order == sorted(order)
    assert "&lt;mind-killer&gt;" in words


@pytest.mark.parametrize(
    ("query", "here", "away"),
    [
        ("q=litan", "One passage", "Badly done"),
        ("book=emma", "Badly done", "litany"),
        ("q=tiger", "No passage has these words", "Emma"),
        ("q=fear&book=emma", "No passage has these words", "litany"),
    ],
)
async def test_passages_are_searched_and_of_one_book(pages: Pages, query: str, here: str, away: str) -> None:
    words = (await pages.get(f"/passages?{query}")).words
    assert here in words
    assert away not in words


async def test_passages_are_a_file_of_text(pages: Pages) -> None:
    page = await pages.get("/passages/text")
    assert page.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''Passages%20")
    assert page.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert page.html == (
        "\ufeffDune \u2013 Frank Herbert\n====================\n"
        "\n\u201cFear is the <mind-killer>.\u201d\nthe litany\n(page 12)\n\nagain from here\n"
        "\n\nEmma \u2013 Jane Austen\n==================\n\n\u201cBadly done, Emma!\u201d\n"
    )
    assert "Emma" not in (await pages.get("/passages/text?q=fear")).html


async def test_many_passages_are_in_pages(pages: Pages, shelf: Shelf) -> None:
    passages = [
        {"method": "POST", "path": "/books/dune/passages", "body": {"note": f"n{n}"}} for n in range(60)
    ]
    await shelf.send("POST", "/readings/bulk", passages)
    await shelf.caught_up()
    page = await pages.get("/passages?book=dune")
    following = page.html.partition('<p class="pager"><a class="btn" href="')[2].partition('"')[0]
    assert "n59" not in page.words
    assert "n59" in (await pages.get(following.replace("&amp;", "&"))).words
