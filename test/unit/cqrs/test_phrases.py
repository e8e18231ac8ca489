"""Phrases: English as texts, translated with their values, and kept as JSON."""

import msgspec
import pytest

from bookshelf.cqrs.phrases import Phrase, phrase

GERMAN = {
    "{name} left out: {why}": "{name} ausgelassen: {why}",
    "longer than {most} characters": "länger als {most} Zeichen",
    "pages": "Seiten",
}
LEFT_OUT = phrase(
    "{name} left out: {why}", name=phrase("pages"), why=phrase("longer than {most} characters", most=1000)
)


def german(text: Phrase) -> str:
    return text.text(lambda template: GERMAN.get(template, template), lambda value: f"{value:g}")


def test_a_phrase_is_an_english_text() -> None:
    assert str(LEFT_OUT) == "pages left out: longer than 1,000 characters"
    assert str(phrase("{stars} stars", stars=4.25)) == "4.25 stars"
    assert str(phrase("{stars} stars", stars=4.0)) == "4 stars"


def test_a_translation_has_the_values_and_the_phrases_among_them() -> None:
    assert german(LEFT_OUT) == "Seiten ausgelassen: länger als 1000 Zeichen"


def test_several_texts_are_joined_by_commas() -> None:
    assert german(phrase("{names}", names=("Lem", "Mann"))) == "Lem, Mann"


def test_a_value_is_no_template() -> None:
    assert str(phrase("{title} left out", title="{why} {0}")) == "{why} {0} left out"


@pytest.mark.parametrize("text", ["a { opens", "{} and {name}"])
def test_a_text_without_values_may_have_any_signs(text: str) -> None:
    assert str(Phrase(text)) == text


def test_values_are_replaced_by_name() -> None:
    named = phrase("{file} is {what}", file="/a.csv", what="empty").with_values(file="books.csv")
    assert str(named) == "books.csv is empty"


def test_a_phrase_is_the_same_after_it_was_kept() -> None:
    for kept in (LEFT_OUT, phrase("{stars} of {names}", stars=4.0, names=("a", "b")), Phrase("plain")):
        assert msgspec.json.decode(msgspec.json.encode(kept), type=Phrase | str) == kept


def test_a_text_of_an_older_report_stays_one() -> None:
    assert msgspec.json.decode(b'"the title is blank"', type=Phrase | str) == "the title is blank"
