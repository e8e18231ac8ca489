"""How far a reading has come, as readers type it."""

from typing import Any

import pytest

from bookshelf.shelf.pages.progress_text import read_progress


@pytest.mark.parametrize(
    ("text", "progress"),
    [
        ("212", {"page": 212}),
        (" p. 212 ", {"page": 212}),
        ("Seite 212", {"page": 212}),
        ("212/412", {"page": 212, "of": 412}),
        ("212 of 412", {"page": 212, "of": 412}),
        ("51%", {"percent": 51.0}),
        ("51,5 %", {"percent": 51.5}),
        ("3h10", {"minutes": 190}),
        ("3:10", {"minutes": 190}),
        ("3 h", {"minutes": 180}),
        ("190 min", {"minutes": 190}),
        ("", None),
        ("far", None),
        ("12 leagues", None),
        ("-3", None),
        ("9999999", None),
    ],
)
def test_a_text_is_read_as_progress(text: str, progress: dict[str, Any] | None) -> None:
    assert read_progress(text) == progress
