"""Two books become one, over a real shelf: chosen, compared, merged with all they have, taken back."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.pages import Pages
from support.shelf import Shelf

LEFT = "/books/left/merge"
PAIR = f"{LEFT}?with=hand"


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with Shelf() as running:
        left = {"title": "The Left Hand", "author": "Ursula K. Le Guin", "pages": 304, "tags": ["winter"]}
        hand = {"title": "Left Hand", "author": "Ursula K. Le Guin", "pages": 286, "published": "1969"}
        await running.add(id="left", **left)
        await running.add(id="hand", tags=["sf"], notes="from Lisbon", **hand)
        await running.add(id="emma", title="Emma", author="Jane Austen")
        for method, path, body in (
            ("POST", "/books/left/readings", {"end": "finished", "ended": "2011"}),
            ("POST", "/books/hand/readings", {"started": "2025-03-08"}),
            ("POST", "/books/hand/readings/1/progress", {"progress": {"page": 100}, "on": "2025-03-09"}),
            ("POST", "/books/hand/readings/1/finished", {"finished": "2025-03-14", "stars": 4.5}),
            ("POST", "/books/hand/passages", {"quote": "Light is the left hand."}),
            ("PUT", "/lists/up-next/books/emma", {}),
            ("PUT", "/lists/up-next/books/hand", {}),
        ):
            answer = await running.send(method, path, body)
            assert answer.status < 300, answer.body
        await running.caught_up()
        yield running


async def state(shelf: Shelf) -> list[Any]:
    """Return all that can be seen of the books and the list."""
    await shelf.caught_up()
    of_left = ("/books/left/readings", "/books/left/passages")
    paths = ("/books?sort=title", *of_left, "/lists/up-next?all=true")
    return [(await shelf.send("GET", path)).json for path in paths]


async def merge(pages: Pages, shelf: Shelf, **fields: str) -> Any:  # noqa: ANN401 (a page)
    shown = await pages.get(PAIR)
    page = await pages.submit(PAIR, {"_key": "k1", "seen": shown.value("seen"), **fields})
    await shelf.caught_up()
    return page


async def test_the_other_book_is_found_by_words_of_the_title(pages: Pages) -> None:
    page = await pages.get(LEFT)
    assert 'href="/books/left/merge?with=hand"' in page.html
    assert "with=left" not in page.html
    assert "Emma" in (await pages.get(f"{LEFT}?q=emma")).words
    assert "No other book found" in (await pages.get(f"{LEFT}?q=tiger")).words


async def test_the_fields_that_differ_are_chosen_and_the_result_is_shown(pages: Pages) -> None:
    page = await pages.get(PAIR)
    assert re.findall(r'<input type="radio" name="take\.(\w+)" value="own" checked>', page.html) == [
        "title",
        "pages",
    ]
    result = page.words.partition("The result")[2]
    for text in (
        "The Left Hand",
        "304",
        "1969",
        "winter , sf",
        "from Lisbon",
        "Readings 2",
        "Passages 1",
        "Up next",
    ):
        assert text in result, result
    chosen = await pages.get(f"{PAIR}&take.pages=other")
    assert "286" in chosen.words.partition("The result")[2]


async def test_all_that_the_other_book_has_comes_to_the_kept_one(pages: Pages, shelf: Shelf) -> None:
    page = await merge(pages, shelf, **{"take.pages": "other"})
    assert "Merged the two books." in page.words
    books, readings, passages, up_next = await state(shelf)
    (left,) = (book for book in books if book["id"] == "left")
    assert [book["id"] for book in books] == ["emma", "left"]
    assert (left["title"], left["pages"], left["published"]) == ("The Left Hand", 286, "1969")
    assert sorted(left["tags"]) == ["sf", "winter"]
    assert [(one.get("ended"), one.get("stars")) for one in readings] == [("2011", None), ("2025-03-14", 4.5)]
    assert [entry["on"] for entry in readings[1]["entries"]] == ["2025-03-09"]
    assert [one["quote"] for one in passages] == ["Light is the left hand."]
    assert [entry["book"]["id"] for entry in up_next["entries"]] == ["emma", "left"]
    history = (await shelf.send("GET", "/books/hand/history")).json
    assert history[-1]["data"]["merged_into"] == "left"


async def test_one_undo_takes_a_merge_back(pages: Pages, shelf: Shelf) -> None:
    before = await state(shelf)
    page = await merge(pages, shelf)
    correlation = page.value("correlation")
    undone = await pages.submit("/changes", {"correlation": correlation, "_key": correlation})
    assert "Taken back." in undone.words
    after = await state(shelf)
    assert after[1:] == before[1:]
    assert [{**book, "tags": sorted(book["tags"])} for book in after[0]] == before[0]


async def test_two_open_readings_become_one(pages: Pages, shelf: Shelf) -> None:
    for book, day in (("left", "2026-01-01"), ("hand", "2026-01-20")):
        await shelf.send("POST", f"/books/{book}/readings", {"started": day})
    await shelf.send(
        "POST", "/books/hand/readings/2/progress", {"progress": {"page": 50}, "on": "2026-01-21"}
    )
    await shelf.caught_up()
    assert "the progress entries of one reading stay" in (await pages.get(PAIR)).words
    await merge(pages, shelf)
    readings = (await state(shelf))[1]
    assert [(one["end"], one.get("started")) for one in readings] == [
        ("finished", None),
        ("finished", "2025-03-08"),
        ("open", "2026-01-01"),
    ]
    assert [entry["progress"]["page"] for entry in readings[2]["entries"]] == [50]


async def test_a_book_that_was_changed_meanwhile_is_compared_again(pages: Pages, shelf: Shelf) -> None:
    shown = await pages.get(PAIR)
    await shelf.send("PATCH", "/books/hand", {"pages": 290})
    await shelf.caught_up()
    answer = await pages.post(PAIR, {"_key": "k1", "seen": shown.value("seen"), "take.pages": "other"})
    assert answer.status == 422
    assert "One of the books was changed meanwhile." in answer.words
    assert "290" in answer.words.partition("The result")[2]


@pytest.mark.parametrize("other", ["left", "nothing"])
async def test_what_is_no_other_book_is_not_found(pages: Pages, other: str) -> None:
    assert (await pages.get(f"{LEFT}?with={other}")).status == 404
