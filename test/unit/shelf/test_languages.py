"""Languages of books as tags."""

import pytest

from bookshelf.shelf.languages import language_code, language_tag


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


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("eng", "en"),
        ("en-US", "en"),
        ("English", "en"),
        ("Englisch", "en"),
        ("pt_BR", "pt"),
        ("Quenya", "Quenya"),
        ("", None),
        (None, None),
    ],
)
def test_all_spellings_and_regions_of_a_language_have_one_code(
    language: str | None, code: str | None
) -> None:
    assert language_code(language) == code
