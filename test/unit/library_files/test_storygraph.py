from datetime import date

from unit.library_files.files import entries, fixture


def test_storygraph_is_recognised_by_its_header() -> None:
    found = fixture("storygraph.csv")
    assert (found.form, found.rows) == ("StoryGraph", 4)


def test_a_book_read_twice_has_two_readings() -> None:
    moonstone = entries(fixture("storygraph.csv"))["The Moonstone"]
    assert [(reading.started, reading.ended) for reading in moonstone.entry.readings] == [
        ("2021-05-01", "2021-05-20"),
        ("2024-03-01", "2024-03-15"),
    ]
    assert moonstone.book["isbn"] == "9780140434088"
    assert moonstone.book["tags"] == ["crime", "victorian"]


def test_a_range_of_days_ends_with_the_day_of_finishing() -> None:
    assert entries(fixture("storygraph.csv"))["The Turn of the Screw"].finished_on == date(2022, 10, 31)


def test_quarters_of_a_star_are_kept() -> None:
    moonstone = entries(fixture("storygraph.csv"))["The Moonstone"]
    assert (moonstone.rating, moonstone.notes) == (4.25, ())


def test_a_quarter_of_a_star_is_a_rating() -> None:
    assert entries(fixture("storygraph.csv"))["The Turn of the Screw"].rating == 0.25


def test_a_review_in_html_becomes_plain_text() -> None:
    review = entries(fixture("storygraph.csv"))["The Moonstone"].review
    assert review == "The first, and still the best.\nRead it twice."


def test_the_number_of_an_audio_book_is_no_isbn() -> None:
    screw = entries(fixture("storygraph.csv"))["The Turn of the Screw"]
    assert "isbn" not in screw.book
    assert "isbn 'B002V1OF70' left out: not an ISBN" in screw.notes


def test_a_book_not_finished_has_an_abandoned_reading() -> None:
    ulysses = entries(fixture("storygraph.csv"))["Ulysses"]
    assert (ulysses.finished, ulysses.book["tags"]) == (False, ["modernism"])
    assert [reading.end for reading in ulysses.entry.readings] == ["abandoned"]


def test_a_book_to_read_is_unread_and_up_next() -> None:
    emma = entries(fixture("storygraph.csv"))["Emma"]
    assert (emma.finished, emma.notes, emma.entry.up_next) == (False, (), True)
