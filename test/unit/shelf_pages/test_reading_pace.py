"""How far a reading has come, and how many evenings are left."""

from datetime import date, timedelta
from typing import Any

import pytest

from bookshelf.shelf.pages.reading_pace import find_position

TODAY = date(2026, 1, 31)


def entries(*days_and_pages: tuple[int, int], of: int = 400) -> list[dict[str, Any]]:
    return [
        {"on": (TODAY - timedelta(days=days)).isoformat(), "progress": {"page": page, "of": of}}
        for days, page in days_and_pages
    ]


@pytest.mark.parametrize(
    ("progress", "typed", "share"),
    [
        ({"page": 100, "of": 400}, "100", 0.25),
        ({"page": 100}, "100", None),
        ({"percent": 51.5}, "51.5 %", 0.515),
        ({"minutes": 190, "of": 380}, "3h10", 0.5),
        ({"minutes": 65}, "1h05", None),
    ],
)
def test_a_position_is_shown_as_readers_type_it(
    progress: dict[str, Any], typed: str, share: float | None
) -> None:
    position = find_position(progress, (), TODAY)
    assert (position.typed, position.share) == (typed, share)


def test_a_reading_without_progress_has_no_position() -> None:
    assert find_position(None, (), TODAY).value is None


@pytest.mark.parametrize(
    ("noted", "evenings"),
    [
        (entries((2, 100), (1, 150), (0, 200)), 4),
        (entries((6, 100), (3, 150), (0, 200)), 4),  # three days of reading in a week
        (entries((1, 150), (0, 200)), None),  # two entries are no pace
        (entries((0, 100), (0, 150), (0, 200)), None),  # one day is no pace
        (entries((60, 20), (30, 100), (20, 150), (0, 200)), None),  # not in the last 14 days
        (entries((2, 200), (1, 200), (0, 200)), None),  # no gain
        ([*entries((2, 100), (1, 150)), {"on": "2026-01", "progress": {"page": 200, "of": 400}}], None),
    ],
)
def test_the_evenings_left_follow_from_the_pace_of_two_weeks(
    noted: list[dict[str, Any]], evenings: int | None
) -> None:
    assert find_position({"page": 200, "of": 400}, noted, TODAY).evenings == evenings
