from datetime import UTC, datetime, timedelta

import pytest

from bookshelf.shelf.fields import BookFields
from bookshelf.shelf.library_files.entry import Entry, ListPlace
from bookshelf.shelf.lists import UP_NEXT

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
EMMA = BookFields(title="Emma", author="Jane Austen")


@pytest.mark.parametrize(
    ("added", "moment"),
    [
        (None, START + timedelta(microseconds=7)),
        ("2024", datetime(2024, 1, 1, 0, 0, 0, 7, tzinfo=UTC)),
        ("2024-03", datetime(2024, 3, 1, 0, 0, 0, 7, tzinfo=UTC)),
        ("2024-03-02", datetime(2024, 3, 2, 0, 0, 0, 7, tzinfo=UTC)),
        ("2024-03-02T10:00:00Z", datetime(2024, 3, 2, 10, tzinfo=UTC)),
    ],
)
def test_books_of_one_day_keep_the_sequence_of_the_file(added: str | None, moment: datetime) -> None:
    assert Entry(line=7, book=EMMA, added=added).added_at(START) == moment


def test_wanting_a_book_is_an_entry_of_a_list() -> None:
    assert Entry(line=2, book=EMMA, lists=(ListPlace(UP_NEXT, 3),)).up_next
    assert not Entry(line=2, book=EMMA, lists=(ListPlace("favourites"),)).up_next
