"""The page that changes the fields of a book, over a real shelf."""

import html
import re
from collections.abc import AsyncIterator

import pytest
from support.pages import Pages, ShownPage
from support.shelf import Shelf

HERE = "/books/left-hand"
PEOPLE = [
    {"name": "Ursula K. Le Guin", "sort": "Le Guin, Ursula K."},
    {"name": "Gisela Stege", "role": "translator"},
]


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with Shelf() as shelf:
        fields = {
            "title": "The Left Hand of Darkness",
            "pages": 304,
            "series": [{"name": "Hain", "number": "4"}],
        }
        book = {"id": "left-hand", **fields, "contributors": PEOPLE, "tags": ["winter"]}
        assert (await shelf.send("POST", "/books", book)).status == 201
        await shelf.caught_up()
        yield shelf


def fields_of(page: ShownPage) -> dict[str, str]:
    """Return the names and values of all inputs of the form."""
    inputs = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', page.html))
    areas = dict(re.findall(r'<textarea[^>]* name="(\w+)"[^>]*>\n(.*?)</textarea>', page.html, re.DOTALL))
    return {name: html.unescape(text) for name, text in {**inputs, **areas}.items() if name != "q"}


async def test_a_form_that_is_saved_as_it_is_changes_nothing(shelf: Shelf, pages: Pages) -> None:
    before = (await shelf.send("GET", HERE)).json
    page = await pages.submit(f"{HERE}/edit", fields_of(await pages.get(f"{HERE}/edit")))
    assert page.status == 200
    assert (await shelf.send("GET", HERE)).json == before
    assert len((await shelf.send("GET", f"{HERE}/history")).json) == 1


async def test_every_field_is_changed_and_taken_back(shelf: Shelf, pages: Pages) -> None:
    before = (await shelf.send("GET", HERE)).json
    form = fields_of(await pages.get(f"{HERE}/edit"))
    changed = {
        "title": "Die linke Hand der Dunkelheit",
        "contributors": "Ursula K. Le Guin\nKarin Ivancsics (editor)",
        "series": "Hainish Cycle #4\nMasterworks",
        "tags": "winter, gender, winter",
        "pages": "",
        "copies": "0",
        "notes": "Two lines\nof notes",
    }
    page = await pages.submit(f"{HERE}/edit", form | changed)
    assert "Saved the book." in page.words
    await shelf.caught_up()
    book = (await shelf.send("GET", HERE)).json
    assert book["contributors"] == [PEOPLE[0], {"name": "Karin Ivancsics", "role": "editor"}]
    assert book["series"] == [{"name": "Hainish Cycle", "number": "4"}, {"name": "Masterworks"}]
    assert (book["tags"], book["pages"], book["copies"]) == (["winter", "gender"], None, 0)
    assert book["notes"] == "Two lines\nof notes"
    change = page.value("change")
    await pages.submit("/changes", {"change": change, "_key": change, "_back": HERE})
    await shelf.caught_up()
    assert (await shelf.send("GET", HERE)).json == before


async def test_a_change_in_between_shows_both_versions(shelf: Shelf, pages: Pages) -> None:
    form = fields_of(await pages.get(f"{HERE}/edit"))
    await shelf.send("PATCH", HERE, {"title": "Theirs"})
    page = await pages.post(f"{HERE}/edit", form | {"title": "Mine"})
    assert page.status == 412
    assert page.value("title") == "Mine"
    assert "Theirs" in page.words
    assert "Keep mine" in page.words
    assert '<a href="#title">Title</a>' in page.html
    assert '<a href="#notes">' not in page.html
    kept = await pages.submit(f"{HERE}/edit", fields_of(page))
    assert "Mine" in kept.words


async def test_changes_of_different_fields_are_joined(shelf: Shelf, pages: Pages) -> None:
    form = fields_of(await pages.get(f"{HERE}/edit"))
    await shelf.send("PATCH", HERE, {"title": "Theirs", "tags": ["ice"]})
    await shelf.caught_up()
    page = await pages.submit(f"{HERE}/edit", form | {"notes": "Mine"})
    assert "Saved the book." in page.words
    await shelf.caught_up()
    book = (await shelf.send("GET", HERE)).json
    assert (book["title"], book["tags"], book["notes"]) == ("Theirs", ["ice"], "Mine")


async def test_keep_mine_keeps_what_others_have_changed_in_other_fields(shelf: Shelf, pages: Pages) -> None:
    form = fields_of(await pages.get(f"{HERE}/edit"))
    await shelf.send("PATCH", HERE, {"title": "Theirs", "pages": 12})
    await shelf.caught_up()
    page = await pages.post(f"{HERE}/edit", form | {"title": "Mine"})
    assert page.status == 412
    await pages.submit(f"{HERE}/edit", fields_of(page))
    await shelf.caught_up()
    book = (await shelf.send("GET", HERE)).json
    assert (book["title"], book["pages"]) == ("Mine", 12)


@pytest.mark.parametrize(
    ("field", "text"),
    [("title", ""), ("pages", "many"), ("isbn", "12"), ("lent_on", "yesterday"), ("contributors", "")],
)
async def test_a_wrong_value_is_named_at_its_field(pages: Pages, field: str, text: str) -> None:
    form = fields_of(await pages.get(f"{HERE}/edit"))
    page = await pages.post(f"{HERE}/edit", form | {field: text, "notes": "Kept"})
    assert page.status == 422
    assert f'id="{field}-error"' in page.html
    assert fields_of(page)["notes"] == "Kept"


async def test_roles_are_read_in_the_language_of_the_page(shelf: Shelf, pages: Pages) -> None:
    pages.cookies["bookshelf-prefs"] = "language=de"
    form = fields_of(await pages.get(f"{HERE}/edit"))
    assert form["contributors"] == "Ursula K. Le Guin\nGisela Stege (\u00dcbersetzer)"
    added = form["contributors"] + "\nHeike H\u00f6hn (Sprecher)"
    await pages.submit(f"{HERE}/edit", form | {"contributors": added})
    await shelf.caught_up()
    people = (await shelf.send("GET", HERE)).json["contributors"]
    assert [person.get("role", "author") for person in people] == ["author", "translator", "narrator"]


async def test_one_more_person_series_and_tag_are_completed_from_the_shelf(
    shelf: Shelf, pages: Pages
) -> None:
    shown = await pages.get(f"{HERE}/edit")
    for name in ("authors", "series", "tags"):
        assert f'<datalist id="known-{name}"><option ' in shown.html
    more = {"another_person": "Ann Goldstein", "another_series": "Ekumen #2", "another_tag": "ice"}
    await pages.submit(f"{HERE}/edit", fields_of(shown) | more)
    await shelf.caught_up()
    book = (await shelf.send("GET", HERE)).json
    assert book["contributors"][-1]["name"] == "Ann Goldstein"
    assert book["series"][-1] == {"name": "Ekumen", "number": "2"}
    assert book["tags"] == ["winter", "ice"]
