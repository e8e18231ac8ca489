"""Languages of books as tags."""

import pytest

from bookshelf.shelf.pages.book_language import language_tag


@pytest.mark.parametrize(
    ("language", "tag"),
    [
        ("en", "en"),
        ("eng", "en"),
        ("English", "en"),
        ("Englisch", "en"),
        ("chi", "zh"),
        ("Japanese", "ja"),
        ("\u4e2d\u6587", "zh"),
        ("Espa\u00f1ol", "es"),
        ("pt_BR", "pt-br"),
        ("Klingonisch!", ""),
        ('"><script>', ""),
        ("xx", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_language_has_its_tag(language: str | None, tag: str) -> None:
    assert language_tag(language) == tag
