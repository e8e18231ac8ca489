from unit.library_files.files import entries, fixture


def test_the_reading_log_is_recognised_by_its_header() -> None:
    found = fixture("openlibrary.csv")
    assert (found.form, found.rows) == ("Open Library", 3)


def test_a_book_already_read_is_finished_on_no_known_day() -> None:
    tales = entries(fixture("openlibrary.csv"))["Good Tales of Old"]
    assert (tales.finished, tales.finished_on, tales.rating) == (True, None, 5)
    assert not tales.notes


def test_authors_and_subjects_are_parted_at_the_bars() -> None:
    tales = entries(fixture("openlibrary.csv"))["Good Tales of Old"]
    assert tales.book == {
        "title": "Good Tales of Old",
        "author": "Ann Example, Bob Sample",
        "published": "1871",
        "tags": ["Fiction, general", "Villages", "Marriage"],
    }


def test_books_wanted_and_begun_are_unread() -> None:
    found = entries(fixture("openlibrary.csv"))
    assert not found["The Time Machine"].finished
    assert not found["Dracula"].finished
