"""Comparing a line with a book: what is requested, and what is listed as a difference."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from unit.library_files.shelf_books import ADDED

from bookshelf.shelf.fields import BookFields
from bookshelf.shelf.library_files.compare import Comparison, compare, new_book
from bookshelf.shelf.library_files.entry import Entry, FilePassage, FileReading, ProgressNote
from bookshelf.shelf.library_files.shelf_index import ShelfBook, book_of_entry
from bookshelf.shelf.values import Contributor, Cover, ReadingProgress, SeriesEntry

DUNE = BookFields(title="Dune", author="Frank Herbert")


def on_shelf(*readings: FileReading, **fields: Any) -> ShelfBook:  # noqa: ANN401 (of any field)
    return ShelfBook(id="d", book=replace(DUNE, **fields), added=ADDED, readings=readings)


def line(*readings: FileReading, **fields: Any) -> Entry:  # noqa: ANN401 (of any field)
    return Entry(line=2, book=replace(DUNE, **fields), readings=readings)


def by_hand(_field: str) -> bool:
    return False


def from_file(_field: str) -> bool:
    return True


def told(
    entry: Entry, book: ShelfBook, take: Callable[[str], bool] = by_hand, *, exact: bool = False
) -> list[Any]:
    comparison = compare(entry, book, exact=exact, take=take)
    made = [(request.method, request.path, request.body) for request in comparison.requests]
    return [(method, path, msgspec.json.decode(msgspec.json.encode(body))) for method, path, body in made]


def differences(
    entry: Entry, book: ShelfBook, take: Callable[[str], bool] = by_hand
) -> list[tuple[Any, ...]]:
    comparison = compare(entry, book, exact=False, take=take)
    return [(each.field, each.shelf, each.file, each.taken) for each in comparison.differences]


def test_an_equal_line_and_an_empty_one_do_nothing() -> None:
    book = on_shelf(FileReading(number=1, ended="2024-03-01", stars=4.5), pages=412, tags=("sf",))
    for entry in (line(), line(FileReading(ended="2024-03"), pages=412, tags=("SF",))):
        assert compare(entry, book, exact=False, take=by_hand) == Comparison((), (), book)


def test_an_empty_value_of_the_shelf_is_filled() -> None:
    entry = line(isbn="0441013597", tags=("sf",), ids={"goodreads": "1"}, series=(SeriesEntry("Dune", "1"),))
    assert told(entry, on_shelf()) == [
        (
            "PATCH",
            "/books/{id}",
            {
                "isbn": "0441013597",
                "tags": ["sf"],
                "series": [{"name": "Dune", "number": "1"}],
                "ids": {"goodreads": "1"},
            },
        )
    ]


@pytest.mark.parametrize("isbn", ["9780441013593", "0441013597"])
def test_the_title_of_a_book_of_which_only_the_isbn_was_known_is_filled_and_fills_nothing(isbn: str) -> None:
    unknown = {"title": "ISBN 9780441013593", "isbn": isbn}
    assert told(line(isbn=isbn), on_shelf(**unknown)) == [("PATCH", "/books/{id}", {"title": "Dune"})]
    assert differences(line(isbn=isbn), on_shelf(**unknown)) == []
    assert told(line(**unknown), on_shelf(isbn=isbn), from_file) == []
    assert differences(line(**unknown), on_shelf(isbn=isbn), from_file) == []


def test_a_value_that_differs_is_listed_and_taken_if_the_shelfs_came_from_a_file() -> None:
    entry, book = line(pages=500), on_shelf(pages=412)
    assert told(entry, book, by_hand) == []
    assert differences(entry, book, by_hand) == [("pages", 412, 500, False)]
    assert told(entry, book, from_file) == [("PATCH", "/books/{id}", {"pages": 500})]
    assert differences(entry, book, from_file) == [("pages", 412, 500, True)]


@pytest.mark.parametrize(
    ("shelf", "file"),
    [
        ({"isbn": "9780441013593"}, {"isbn": "0-441-01359-7"}),
        ({"published": "1965-08-01"}, {"published": "1965"}),
        ({"author": "Herbert, Frank"}, {"author": "Frank Herbert"}),
        ({"notes": "two  words\r\n"}, {"notes": "two words"}),
    ],
)
def test_two_forms_of_one_value_are_equal(shelf: dict[str, Any], file: dict[str, Any]) -> None:
    assert told(line(**file), on_shelf(**shelf), from_file) == []


def test_a_finer_date_of_the_file_is_a_difference() -> None:
    assert differences(line(published="1965-08-01"), on_shelf(published="1965")) == [
        ("published", "1965", "1965-08-01", False)
    ]


def test_tags_identifiers_and_extra_are_joined() -> None:
    book = on_shelf(tags=("sf", "own"), ids={"goodreads": "1"}, extra={"a: b": "x"})
    entry = line(tags=("SF", "desert"), ids={"goodreads": "2", "asin": "B"}, extra={"a: b": "y", "a: c": "z"})
    assert told(entry, book) == [
        (
            "PATCH",
            "/books/{id}",
            {"tags": ["sf", "own", "desert"], "ids": {"asin": "B"}, "extra": {"a: c": "z"}},
        )
    ]
    assert differences(entry, book) == [("ids.goodreads", "1", "2", False), ("extra.a: b", "x", "y", False)]


def test_people_that_the_file_knows_more_of_are_joined() -> None:
    file = (Contributor("Frank Herbert", sort="Herbert, Frank"), Contributor("T. R.", role="translator"))
    book = replace(on_shelf(contributors=(Contributor("Frank Herbert"),)))
    assert told(line(contributors=file), book)[0][2]["contributors"] == [
        {"name": "Frank Herbert", "sort": "Herbert, Frank"},
        {"name": "T. R.", "role": "translator"},
    ]


def test_another_author_is_a_difference() -> None:
    assert [field for field, *_ in differences(line(contributors=(Contributor("F. H."),)), on_shelf())] == [
        "contributors"
    ]


def test_a_new_reading_is_recorded_with_its_opinion() -> None:
    entry = line(FileReading(started="2023", ended="2024-03", end="abandoned", stars=2.5, review="long"))
    assert told(entry, on_shelf()) == [
        (
            "POST",
            "/books/{id}/readings",
            {"started": "2023", "ended": "2024-03", "end": "abandoned", "stars": 2.5, "review": "long"},
        )
    ]


def test_an_open_reading_is_started_noted_and_paused() -> None:
    entry = line(
        FileReading(
            started="2024-03-01", end="open", paused=True, progress=ReadingProgress(page=40), stars=4.0
        )
    )
    assert [(method, path) for method, path, _ in told(entry, on_shelf())] == [
        ("POST", "/books/{id}/readings"),
        ("POST", "/books/{id}/readings/{reading}/progress"),
        ("POST", "/books/{id}/readings/{reading}/paused"),
        ("PUT", "/books/{id}/rating"),
    ]


def test_a_reading_with_entries_is_open_until_they_are_noted() -> None:
    entries = (
        ProgressNote(ReadingProgress(percent=50.0), on="2024-03-02"),
        ProgressNote(ReadingProgress(percent=90.0)),
    )
    entry = line(FileReading(started="2024", ended="2024-03-05", stars=5.0, entries=entries))
    assert [path.rpartition("/")[2] for _, path, _ in told(entry, on_shelf())] == [
        "readings",
        "progress",
        "progress",
        "finished",
    ]


def test_the_total_that_the_shelf_has_filled_in_is_no_difference() -> None:
    noted = ProgressNote(ReadingProgress(page=40, of=412))
    book = on_shelf(FileReading(number=1, end="open", entries=(noted,), progress=noted.progress))
    assert told(line(FileReading(end="open", progress=ReadingProgress(page=40))), book) == []
    assert differences(line(FileReading(end="open", progress=ReadingProgress(page=41))), book) == [
        ("reading 1: progress", {"page": 40, "of": 412}, {"page": 41}, False)
    ]


def test_the_open_reading_ends_on_the_day_of_the_file() -> None:
    book = on_shelf(FileReading(number=3, started="2024-03-01", end="open"))
    assert told(line(FileReading(ended="2024-03-09", stars=4.0)), book) == [
        ("POST", "/books/{id}/readings/3/finished", {"finished": "2024-03-09"}),
        ("PUT", "/books/{id}/rating", {"stars": 4.0, "reading": 3}),
    ]


def test_a_reading_without_any_date_ends_only_one_that_a_file_has_opened() -> None:
    book = on_shelf(FileReading(number=1, started="2024-03-01", end="open"))
    assert told(line(FileReading()), book, by_hand) == []
    assert differences(line(FileReading()), book) == [("reading 1: end", "open", "finished", False)]
    assert told(line(FileReading()), book, from_file)[0][2] == {"finished": None}


def test_an_open_reading_of_the_file_is_another_one_if_a_file_had_ended_the_shelfs() -> None:
    book = on_shelf(FileReading(number=1, ended="2023"))
    entry = line(FileReading(end="open"))
    assert told(entry, book, from_file) == [("POST", "/books/{id}/readings", {"started": None})]
    assert told(entry, book, by_hand) == []
    assert differences(entry, book, by_hand) == [("reading 1: end", "finished", "open", False)]


def test_another_end_of_the_same_reading_is_taken_by_opening_it_again() -> None:
    book = on_shelf(FileReading(number=1, started="2024-01-01", ended="2024-02-01"))
    entry = line(FileReading(started="2024-01-01", ended="2024-02-01", end="abandoned"))
    assert [path.rpartition("/")[2] for _, path, _ in told(entry, book, from_file)] == [
        "reopened",
        "abandoned",
    ]


def test_stars_and_review_of_a_book_without_readings() -> None:
    entry = replace(line(), stars=3.25, review="so far", spoiler=True)
    assert told(entry, on_shelf()) == [
        ("PUT", "/books/{id}/rating", {"stars": 3.25}),
        ("PUT", "/books/{id}/review", {"text": "so far", "spoiler": True}),
    ]


def test_new_passages_are_added() -> None:
    passage = FilePassage(quote="Fear is the mind-killer.")
    entry = replace(line(), passages=(passage,))
    assert told(entry, on_shelf()) == [
        ("POST", "/books/{id}/passages", {"quote": "Fear is the mind-killer."})
    ]
    assert told(entry, replace(on_shelf(), passages=(passage,))) == []


def test_a_new_book_has_all_of_the_line() -> None:
    entry = replace(line(FileReading(ended="2024"), pages=412), id="own", stars=None)
    first, second = new_book(entry)
    assert first.body == {
        "title": "Dune",
        "author": "Frank Herbert",
        "pages": 412,
        "id": "own",
    }
    assert second.path == "/books/{id}/readings"


def test_a_book_without_any_author_is_added_with_no_contributors() -> None:
    body = new_book(line(author=""))[0].body
    assert (body.get("author"), body["contributors"]) == (None, [])


@pytest.mark.parametrize(
    "entry",
    [
        line(pages=412, tags=("a",), ids={"asin": "B"}, extra={"x: y": "z"}),
        replace(line(), stars=4.5, review="Good.", spoiler=True),
        replace(line(), stars=4.5, spoiler=True),
        line(FileReading(number=7, ended="2024", stars=3.0), FileReading(end="open", paused=True)),
        replace(line(), passages=(FilePassage(quote="Fear"),), cover=Cover("a" * 64, 300, 400, "#102030")),
    ],
    ids=["fields", "opinion", "spoiler without a review", "readings", "passages and cover"],
)
def test_the_planned_book_of_a_line_is_what_its_requests_make_of_a_new_book(entry: Entry) -> None:
    planned = book_of_entry(entry, "x")
    blank = ShelfBook(id="x", book=entry.book, added=planned.added, planned=True)
    assert planned == compare(entry, blank, exact=True, take=from_file).after


WORD = st.sampled_from(["a", "b", "c d"])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "pages": st.integers(1, 3),
        "notes": WORD,
        "published": st.sampled_from(["1965", "1965-08"]),
        "tags": st.lists(WORD, unique=True).map(tuple),
        "ids": st.dictionaries(st.sampled_from(["asin", "goodreads"]), WORD),
        "extra": st.dictionaries(st.sampled_from(["x: y", "x: z"]), WORD),
        "series": st.lists(st.builds(SeriesEntry, WORD, st.none() | WORD), max_size=2).map(tuple),
    },
)
DAY = st.none() | st.sampled_from(["2023", "2024-01", "2024-01-05"])
READING = st.builds(
    FileReading,
    started=DAY,
    ended=DAY,
    stars=st.none() | st.sampled_from([1.0, 4.5]),
    review=st.none() | WORD,
)


#: Two readings of a month, of which one has a review: by rules alone, they changed places the second time.
_TWICE_IN_ONE_MONTH = (
    [
        FileReading(ended="2024-01"),
        FileReading(ended="2024-01", review="a"),
        FileReading(review="b"),
    ],
    [
        FileReading(ended="2024-01-05", stars=1.0, review="a"),
        FileReading(ended="2024-01", stars=1.0),
        FileReading(stars=1.0),
    ],
)


@given(FIELDS, FIELDS, st.lists(READING, max_size=3), st.lists(READING, max_size=3), st.booleans())
@example({}, {}, *_TWICE_IN_ONE_MONTH, True)  # noqa: FBT003 (as hypothesis gives it)
def test_what_was_taken_once_is_equal_the_second_time(
    file: dict[str, Any],
    shelf: dict[str, Any],
    in_file: list[FileReading],
    on_it: list[FileReading],
    exact: bool,  # noqa: FBT001 (made by hypothesis)
) -> None:
    numbered = [replace(reading, number=number) for number, reading in enumerate(on_it, start=1)]
    first = compare(line(*in_file, **file), on_shelf(*numbered, **shelf), exact=exact, take=from_file)
    again = compare(line(*in_file, **file), first.after, exact=exact, take=from_file)
    assert again.requests == ()


@given(FIELDS, FIELDS, st.lists(READING, max_size=3), st.lists(READING, max_size=3))
def test_each_value_of_the_file_is_on_the_shelf_or_listed(
    file: dict[str, Any], shelf: dict[str, Any], in_file: list[FileReading], on_it: list[FileReading]
) -> None:
    numbered = [replace(reading, number=number) for number, reading in enumerate(on_it, start=1)]
    result = compare(line(*in_file, **file), on_shelf(*numbered, **shelf), exact=True, take=by_hand)
    listed = {each.field for each in result.differences}
    for name, value in file.items():
        after = getattr(result.after.book, name)
        match value:
            case dict():
                assert all(after[key] == kept or f"{name}.{key}" in listed for key, kept in value.items())
            case tuple():
                assert set(value) <= set(after) or name in listed
            case _:
                assert after == value or name in listed
    assert len(result.after.readings) >= max(len(in_file), len(on_it))
