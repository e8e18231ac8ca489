"""The reasons of refused lines in the languages of pages, and the files that are made of them."""

from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from unit.library_files.files import fixture, library, refusals
from write_messages import LANGUAGES, catalogue

from bookshelf.shelf.library_files import write_refused
from bookshelf.shelf.library_files.csv_records import BROKEN, QUOTE
from bookshelf.shelf.pages.field_labels import difference_label
from bookshelf.shelf.pages.site import SITE


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_a_file_of_refused_rows_is_refused_again_until_it_is_corrected(tmp_path: Path, language: str) -> None:
    found = fixture("broken.csv")
    translate = SITE.endpoint.renderer.templates[language].translate
    again = library(tmp_path, "".join(write_refused(found, refusals(found), translate)))
    assert again.rows == len(refusals(again)) == 3


@pytest.mark.parametrize(
    ("field", "english", "german"),
    [
        ("pages", "Pages", "Seiten"),
        ("ids.goodreads", "Numbers elsewhere: Goodreads", "Nummern anderswo: Goodreads"),
        ("extra.Shelf mark", "From other programs: Shelf mark", "Aus anderen Programmen: Shelf mark"),
        ("reading 2: ended", "Reading 2: Ended", "Lektüre 2: Beendet"),
    ],
)
def test_what_differs_has_its_name_in_the_language_of_the_page(field: str, english: str, german: str) -> None:
    templates = SITE.endpoint.renderer.templates
    label = difference_label(field)
    assert [templates[language].translate(label) for language in ("en", "de")] == [english, german]


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_the_reason_of_a_broken_record_has_a_quote_sign_by_itself(language: str) -> None:
    messages = read_po(BytesIO(catalogue("bookshelf/shelf/pages", language)))
    texts = {str(each.id): str(each.string) for each in messages if each.id}
    assert {name for name, text in texts.items() if QUOTE in text or QUOTE in name} == {BROKEN.template}
    assert QUOTE in texts[BROKEN.template]
