from datetime import date

from unit.library_files.files import entries, fixture


def test_storygraph_is_recognised_by_its_header() -> None:
    found = fixture("storygraph.csv")
    assert (found.form, found.rows) == ("StoryGraph", 4)


def test_a_book_read_twice_is_finished_on_the_last_day() -> None:
    moonstone = entries(fixture("storygraph.csv"))["The Moonstone"]
    assert moonstone.finished_on == date(2024, 3, 15)
    assert moonstone.book["isbn"] == "9780140434088"
    assert moonstone.book["tags"] == ["crime", "victorian"]


def test_a_range_of_days_ends_with_the_day_of_finishing() -> None:
    assert entries(fixture("storygraph.csv"))["The Turn of the Screw"].finished_on == date(2022, 10, 31)


def test_quarters_of_a_star_are_rounded_with_a_note() -> None:
    moonstone = entries(fixture("storygraph.csv"))["The Moonstone"]
    assert moonstone.rating == 4
    assert moonstone.notes == ("rating '4.25' rounded to 4",)


def test_a_quarter_of_a_star_is_still_a_star() -> None:
    assert entries(fixture("storygraph.csv"))["The Turn of the Screw"].rating == 1


def test_a_review_in_html_becomes_plain_text() -> None:
    review = entries(fixture("storygraph.csv"))["The Moonstone"].review
    assert review == "The first, and still the best.\nRead it twice."


def test_the_number_of_an_audio_book_is_no_isbn() -> None:
    screw = entries(fixture("storygraph.csv"))["The Turn of the Screw"]
    assert "isbn" not in screw.book
    assert "isbn 'B002V1OF70' left out: not an ISBN" in screw.notes


def test_a_book_not_finished_keeps_that_as_a_tag() -> None:
    ulysses = entries(fixture("storygraph.csv"))["Ulysses"]
    assert (ulysses.finished, ulysses.book["tags"]) == (False, ["modernism", "did-not-finish"])


def test_a_book_to_read_is_unread_and_has_no_notes() -> None:
    emma = entries(fixture("storygraph.csv"))["Emma"]
    assert (emma.finished, emma.notes) == (False, ())
