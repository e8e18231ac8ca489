"""Days as readers type them."""

import pytest

from bookshelf.shelf.pages.typed_day import read_day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024", "2024"),
        ("2024-03", "2024-03"),
        ("2024-3-4", "2024-03-04"),
        ("2024/03/14", "2024-03-14"),
        ("14.11.2026", "2026-11-14"),
        ("1. 2. 2026", "2026-02-01"),
        ("11.2026", "2026-11"),
        ("31.02.2024", "31.02.2024"),
        ("14/11/2026", "14/11/2026"),
        ("soon", "soon"),
    ],
)
def test_a_day_is_read(text: str, day: str) -> None:
    assert read_day(text) == day
