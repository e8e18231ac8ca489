import codecs
from pathlib import Path

import pytest
from unit.library_files.files import entries, fixture, library, only

BOOK = "title,author\nŒuvres… “choisies”,Émile Zola\n"
ANSWER = {"title": "Œuvres… “choisies”", "author": "Émile Zola"}


@pytest.mark.parametrize(
    "content",
    [
        BOOK.encode(),
        BOOK.encode("utf-8-sig"),
        BOOK.encode("utf-16"),
        codecs.BOM_UTF16_BE + BOOK.encode("utf-16-be"),
        BOOK.encode("utf-16-le"),
        BOOK.encode("utf-16-be"),
        BOOK.encode("cp1252"),
    ],
    ids=["utf-8", "utf-8 bom", "utf-16", "utf-16 be bom", "utf-16-le", "utf-16-be", "windows-1252"],
)
def test_every_usual_encoding_is_read(tmp_path: Path, content: bytes) -> None:
    assert only(library(tmp_path, content)).book == ANSWER


def test_a_german_spreadsheet_with_semicolons_is_read() -> None:
    found = entries(fixture("semicolon-windows1252.csv"))
    assert found["Die Verwandlung"].book == {
        "title": "Die Verwandlung",
        "author": "Franz Kafka",
        "published": "1915",
        "pages": 72,
        "notes": "Gregor, der Käfer, „ungeheuer“",
    }
    assert found["Die Verwandlung"].rating == 4.5
    assert not found["Effi Briest"].finished
    assert found["Der Prozeß"].book["notes"] == "20 € beim Trödler"


def test_a_spreadsheets_unicode_text_with_tabs_is_read() -> None:
    found = entries(fixture("tabs-utf16.txt"))
    assert found["Norwid, “Vade-mecum”"].finished
    assert found["坊っちゃん"].book["author"] == "夏目漱石"


def test_one_damaged_letter_does_not_cost_all_others(tmp_path: Path) -> None:
    content = "title,author\nŒuvres,Émile Zola\nNana,Emile ".encode() + b"Zol\xe2\n"
    found = entries(library(tmp_path, content))
    assert found["Œuvres"].book["author"] == "Émile Zola"
    assert found["Nana"].book["author"] == "Emile Zol\ufffd"


def test_nul_and_control_characters_become_spaces(tmp_path: Path) -> None:
    found = only(library(tmp_path, "title,author,notes\nNa\0na\x07,Émile\x1bZola,a\x00b\tc\n"))
    assert found.book == {"title": "Na na", "author": "Émile Zola", "notes": "a b\tc"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read_and_counted(tmp_path: Path, end: str) -> None:
    found = entries(library(tmp_path, end.join(["title,author", "Nana,Zola", "", "Emma,Austen", ""])))
    assert [(title, entry.line) for title, entry in found.items()] == [("Nana", 2), ("Emma", 4)]
