"""Sort keys: titles without articles and accents, numbers by value, years of any form."""

import csv
from pathlib import Path

import pytest

from bookshelf.shelf.sort_keys import articles_of, name_key, series_key, title_keys, year_of

CASES = Path(__file__).parents[2] / "fixtures" / "libraries" / "cases"


def title_key(title: str, language: str | None = None) -> tuple[str, str]:
    """The key that the list's column computes from its parts, then the title."""
    full, bare, article = title_keys(title)
    return (bare if bare is not None and f"|{article}|" in articles_of(language) else full), title


def column(name: str, field: str) -> list[str]:
    with (CASES / name).open(encoding="utf-8") as file:
        return [row[field] for row in csv.DictReader(file)]


def test_titles_sort_by_letters_whatever_their_accents_case_and_articles() -> None:
    assert sorted(column("sort-titles.csv", "Title"), key=title_key) == [
        "Äpfel",
        "apple tin",
        "Eagle Days",
        "Émile's Boat",
        "ÉTÉ",
        "été au port",
        "A Quiet Hill",
        "The Yellow Road",
        "Zebra Nights",
    ]


@pytest.mark.parametrize(
    ("title", "language", "key"),
    [
        ("The Yellow Road", None, "yellow road"),
        ("The Yellow Road", "en-GB", "yellow road"),
        ("Die Hard", "en", "die hard"),
        ("Die Äpfel", "de", "apfel"),
        ("Die Äpfel", "Deutsch", "apfel"),
        ("L'Été", "fr", "ete"),
        ("L\u2019Été", "French", "ete"),
        ("La Peste", "fre", "peste"),
        ("El Aleph", "Español", "aleph"),
        ("Un'estate", "it", "estate"),
        ("'t Hart", "nl", "hart"),
        ("Az ajtó", "hu", "ajto"),
        ("Το σπίτι", "el", "σπιτι"),  # noqa: RUF001 (Greek)
        ("الكتاب", "ar", "كتاب"),
        ("The", None, "the"),
        ("A-Z of Plants", None, "z of plants"),
        ("The Road", "ja", "the road"),
        ("«Hello», he wrote", None, "hello he wrote"),
        ("???", None, "???"),
    ],
)
def test_a_title_loses_the_article_of_its_language(title: str, language: str | None, key: str) -> None:
    assert title_key(title, language) == (key, title)


def test_numbers_sort_by_value() -> None:
    titles = ["10 Lives", "9 Lives", "Part 2", "Part 10", "Part 1"]
    assert sorted(titles, key=title_key) == ["9 Lives", "10 Lives", "Part 1", "Part 2", "Part 10"]
    numbers = ["10", "2.5", "2", None, "2.25", "1"]
    assert sorted(numbers, key=lambda number: series_key("Saga", number)) == [
        *(None, "1", "2", "2.25", "2.5", "10"),
    ]


def test_a_title_precedes_the_longer_ones_that_begin_with_it() -> None:
    titles = ["Dune Messiah", "Dune", "Dune!"]
    assert sorted(titles, key=title_key) == ["Dune", "Dune!", "Dune Messiah"]


def test_a_key_fits_an_index_of_any_database() -> None:
    assert len(title_keys("\U0001d50a" * 1000).full.encode()) < 600
    assert len((name_key("\U00020000" * 1000) or "").encode()) < 600


def test_a_name_is_folded_and_an_unknown_one_has_no_key() -> None:
    assert name_key("Müller, Zoë") == "muller zoe"
    assert name_key("") is name_key(None) is None


def test_years_sort_as_numbers() -> None:
    years = [year_of(text) for text in column("years.csv", "Published")]
    assert years == [-1200, -800, 750, 1000, 2021, 2007, None]


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("1965", 1965),
        ("-1200", -1200),
        ("c. 800 BC", -800),
        ("500\u2013400 BCE", -500),
        ("44 v. Chr.", -44),
        ("5 av. J.-C.", -5),
        ("300 до н. э.", -300),
        ("12 AD", 12),
        ("c. 80", 80),
        ("May 2007", 2007),
        ("May 5, 2007", 2007),
        ("01/05/2007", 2007),
        ("2007-05-01", 2007),
        ("20070501", 2007),
        ("2007年5月", 2007),
        ("\u0661\u0669\u0668\u0660", 1980),
        ("\uff12\uff10\uff10\uff17", 2007),
        ("1960s", 1960),
        ("©1999", 1999),
        ("c1999", 1999),
        ("1200-1300", 1200),
        ("2020-2021", 2020),
        ("n.d.", None),
        ("19--", None),
        ("17th century", None),
        ("12345", None),
        ("", None),
        (None, None),
    ],
)
def test_the_first_year_of_a_text(text: str | None, year: int | None) -> None:
    assert year_of(text) == year
