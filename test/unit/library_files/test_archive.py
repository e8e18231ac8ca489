"""Archives of a shelf: what is taken out of them, and where hostile ones are stopped."""

import io
import struct
import zipfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from bookshelf.shelf.fields import BookFields
from bookshelf.shelf.library_files import NotALibrary, Options, read_library, write_jsonl
from bookshelf.shelf.library_files.archive import BOOKS, COVER, cover_digests, open_archive
from bookshelf.shelf.library_files.shelf_index import ShelfBook
from bookshelf.shelf.limits import COVER_BYTES
from bookshelf.shelf.values import Cover

DIGEST = "ab" * 32
DUNE = ShelfBook(
    id="dune",
    book=BookFields(title="Dune", author="Frank Herbert"),
    added=datetime(2024, 3, 1, tzinfo=UTC),
    cover=Cover(digest=DIGEST, width=480, height=720, colour="#c08a3e"),
)
LINE = "".join(write_jsonl([DUNE])).encode()


def archive(folder: Path, files: Mapping[str, bytes]) -> Path:
    path = folder / "shelf.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


def test_an_archive_has_books_and_the_covers_that_they_name(tmp_path: Path) -> None:
    path = archive(tmp_path, {BOOKS: LINE, COVER.format(digest=DIGEST): b"picture"})
    with open_archive(path) as found:
        assert found is not None
        library = read_library(found.books, Options(today=date(2026, 1, 1)))
        assert (library.exact, library.rows, cover_digests(library)) == (True, 1, {DIGEST})
        assert found.cover(DIGEST) == b"picture"
        assert found.cover("cd" * 32) is None


@pytest.mark.parametrize(
    "name", ["../covers/{}.webp", "/covers/{}.webp", "covers/{}.svg", "covers/x/{}.webp"]
)
def test_a_file_of_another_name_is_no_cover(tmp_path: Path, name: str) -> None:
    with open_archive(archive(tmp_path, {BOOKS: LINE, name.format(DIGEST): b"x"})) as found:
        assert found is not None
        assert found.cover(DIGEST) is None


def test_a_cover_that_unpacks_to_more_than_a_cover_has_is_none(tmp_path: Path) -> None:
    path = archive(tmp_path, {BOOKS: LINE, COVER.format(digest=DIGEST): bytes(COVER_BYTES + 1)})
    with open_archive(path) as found:
        assert found is not None
        assert found.cover(DIGEST) is None


def test_a_file_that_is_no_archive_of_a_shelf_is_read_as_a_table(tmp_path: Path) -> None:
    (tmp_path / "books.csv").write_text("Title\nDune\n")
    for path in (tmp_path / "books.csv", archive(tmp_path, {"xl/workbook.xml": b""}), tmp_path / "missing"):
        with open_archive(path) as found:
            assert found is None


def test_a_bomb_of_books_is_stopped_at_the_limit_of_a_file(tmp_path: Path) -> None:
    path = archive(tmp_path, {BOOKS: b" " * 10_000})
    with pytest.raises(NotALibrary, match="more than 1,000 bytes of books"), open_archive(path, 1000):
        pass


def test_an_archive_of_very_many_names_is_not_opened(tmp_path: Path) -> None:
    content = bytearray(archive(tmp_path, {BOOKS: LINE}).read_bytes())
    struct.pack_into("<L", content, content.rindex(b"PK\x05\x06") + 12, 17 << 20)
    (tmp_path / "many.zip").write_bytes(content)
    with pytest.raises(NotALibrary, match="too many files"), open_archive(tmp_path / "many.zip"):
        pass


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_a_damaged_archive_is_named(tmp_path: Path, place: float) -> None:
    content = archive(tmp_path, {BOOKS: LINE * 50}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(content[: int(len(content) * place)])
    with pytest.raises(NotALibrary, match="damaged zip archive"), open_archive(tmp_path / "cut.zip"):
        pass


def test_books_that_are_encrypted_are_refused(tmp_path: Path) -> None:
    content = bytearray(archive(tmp_path, {BOOKS: LINE}).read_bytes())
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "secret.zip").write_bytes(content)
    with pytest.raises(NotALibrary, match="damaged zip archive"), open_archive(tmp_path / "secret.zip"):
        pass
    assert zipfile.is_zipfile(io.BytesIO(bytes(content)))
