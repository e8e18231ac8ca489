import os
from pathlib import Path

import pytest
from unit.library_files.files import TODAY, library

from bookshelf.shelf.library_files import NotALibrary, Options, read_library
from bookshelf.shelf.limits import FILE_MAX


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \r\n", "is empty"),
        (b"PK\x03\x04\x14\x00\x06\x00", "Excel workbook or another zip file: save it as CSV first"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel workbook"),
        (b"%PDF-1.7", "PDF"),
        (b"SQLite format 3\x00", "Calibre"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b'[{"name": "Emma"}]', "an array of such objects"),
        (bytes(range(256)), "is no text"),
        (b"Work Id,Edition Id,Bookshelf\nOL1W,OL2M,Already Read\n", "'Work Id', 'Edition Id', 'Bookshelf'"),
        (
            b"name of it,year\nEmma,1815\n",
            r"a column for the title or the ISBN.*recognised columns: year \(published\)",
        ),
        (b"Dear diary\n", "its first line is 'Dear diary'"),
        (b",,,\n \n", "is empty: it holds no books"),
        (b"a,b,c,d,e,f,g\n", "'e', …; needed"),
        (b'"\n', "its first line is"),
    ],
)
def test_a_file_without_books_is_refused_in_one_sentence(tmp_path: Path, content: bytes, what: str) -> None:
    with pytest.raises(NotALibrary, match=what) as caught:
        library(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert "library.csv" in str(caught.value)


def test_a_folder_is_no_library(tmp_path: Path) -> None:
    with pytest.raises(NotALibrary, match="is a folder"):
        read_library(tmp_path, Options(today=TODAY))


def test_a_missing_file_is_no_library(tmp_path: Path) -> None:
    with pytest.raises(NotALibrary, match="cannot be read: No such file"):
        read_library(tmp_path / "nothing.csv", Options(today=TODAY))


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    path.touch()
    os.truncate(path, FILE_MAX + 1)
    with pytest.raises(NotALibrary, match="more than"):
        read_library(path, Options(today=TODAY))


def test_a_header_alone_is_a_library_without_books(tmp_path: Path) -> None:
    found = library(tmp_path, "title,author")
    assert (found.rows, list(found)) == (0, [])
