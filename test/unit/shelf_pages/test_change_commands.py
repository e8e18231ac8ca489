"""The command that changes one of many books, and the places of a series."""

from typing import Any

import pytest

from bookshelf.shelf.pages.change_job import command_for
from bookshelf.shelf.pages.change_report import ChangeChoices
from bookshelf.shelf.pages.series_gaps import places_of

ANN, BEN = {"name": "Ann"}, {"name": "Ben", "sort": "B"}


@pytest.mark.parametrize(
    ("action", "value", "former", "book", "expected"),
    [
        ("tag", "new", "", {"tags": ["old"]}, {"tags": ["old", "new"]}),
        ("tag", "old", "", {"tags": ["old"]}, None),
        ("tag", "a, b,, a ", "", {"tags": ["b"]}, {"tags": ["b", "a"]}),
        ("untag", "old", "", {"tags": ["old"]}, {"tags": []}),
        ("untag", "a, b", "", {"tags": ["a", "c", "b", "a, b"]}, {"tags": ["c"]}),
        ("untag", "old", "", {}, None),
        ("format", "ebook", "", {"format": "ebook"}, None),
        ("series", "S", "", {"series": [{"name": "S", "number": "2"}]}, None),
        ("series", "S", "", {"series": [{"name": "T"}]}, {"series": [{"name": "S"}]}),
        ("rename-tag", "b", "a", {"tags": ["a", "b", "c"]}, {"tags": ["b", "c"]}),
        ("rename-author", "Ann", "Al", {"author": "Al"}, {"author": "Ann"}),
        ("rename-author", "Ann", "Ben", {"contributors": [BEN, ANN]}, {"contributors": [ANN]}),
        (
            "rename-author",
            "Cem",
            "Ben",
            {"contributors": [ANN, {**BEN, "role": "editor"}]},
            {"contributors": [ANN, {"name": "Cem", "role": "editor"}]},
        ),
        (
            "rename-author",
            "Ben",
            "Al",
            {"contributors": [{"name": "Al", "sort": "A"}, BEN]},
            {"contributors": [BEN]},
        ),
        (
            "rename-series",
            "S",
            "T",
            {"series": [{"name": "T", "number": "2"}, {"name": "S"}]},
            {"series": [{"name": "S", "number": "2"}]},
        ),
    ],
)
def test_only_what_differs_is_changed(
    action: str, value: str, former: str, book: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    choices = ChangeChoices(correlation="c", action=action, value=value, former=former)
    command = command_for(choices, {"id": "a/b", "author": "", **book})
    assert (None if command is None else command.body) == expected
    assert command is None or command.path == "/books/a%2Fb"


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (["1", "2", "3"], ["1", "2", "3"]),
        (["3", "1"], ["1", (2, 2), "3"]),
        (["4"], [(1, 3), "4"]),
        (["1-3", "5"], ["1-3", (4, 4), "5"]),
        (["1", "2.5", "4", ""], ["1", "2.5", (2, 3), "4", ""]),
        (["", "prequel", "1"], ["1", "prequel", ""]),
        (["1", "2004"], ["1", "2004"]),
        (["0", "2"], ["0", (1, 1), "2"]),
        ([], []),
    ],
)
def test_gaps_between_whole_numbers_are_named(numbers: list[str], expected: list[Any]) -> None:
    books = [
        {"id": f"b{n}", "title": f"T{n}", "author": "A", "series": [{"name": "S", "number": number}]}
        for n, number in enumerate(numbers)
    ]
    places = places_of("S", books)
    assert [place.number if place.book else (place.first, place.last) for place in places] == expected
