"""The page of one reading, over a real shelf: its dates and its stars are changed and taken back together."""

import re

from support.pages import Pages
from support.shelf import Shelf


async def test_stars_of_a_reading_are_changed_with_its_dates_and_taken_back_together(
    pages: Pages, shelf: Shelf
) -> None:
    await shelf.add(id="dune", title="Dune", author="Frank Herbert")
    await shelf.send("POST", "/books/dune/readings", {"end": "finished", "ended": "2024", "stars": 3})
    await shelf.caught_up()
    form = await pages.get("/books/dune/readings/1")
    assert re.search(r'value="3" checked', form.html)
    sent = {"_version": form.value("_version"), "ended": "2023", "exactly": "4.25"}
    for _ in range(2):  # the second time nothing more is done
        page = await pages.submit("/books/dune/readings/1", sent)
    assert "Saved the reading." in page.words
    await shelf.caught_up()
    book = (await shelf.send("GET", "/books/dune")).json
    assert (book["finished_on"], book["stars"]) == ("2023", 4.25)
    correlation = page.value("correlation")
    await pages.submit("/changes", {"correlation": correlation, "_key": correlation, "_back": "/books/dune"})
    await shelf.caught_up()
    book = (await shelf.send("GET", "/books/dune")).json
    assert (book["finished_on"], book["rating"]) == ("2024", 3)
