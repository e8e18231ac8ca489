"""Whatever bytes are in a file: books, refusals or NotALibrary, and never anything else."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import convert, to_builtins
from unit.library_files.files import library, refusals

from bookshelf.shelf.fields import NewBook
from bookshelf.shelf.library_files import Entry, FileReading, Library, NotALibrary, Refusal, write_refused
from bookshelf.shelf.limits import TITLE_MAX
from bookshelf.shelf.values import is_before

HEADS = st.sampled_from(
    [
        b"",
        b"title,author,read,rating,isbn,tags,notes\n",
        b'{"title":"a","author":"b"}\n',
        b"\xff\xfe",
        b"titel;autor;reihe;status;begonnen;gelesen am;bewertung;isbn;anzahl gelesen;im besitz\n",
        b"title,author text,remote id,start date,finish date,stopped date,rating,shelf,asin\n",
        b"Book Id\tTitle\tPrimary Author\tCollections\tDate Read\tRating\tISBN\tCopies\n",
        b'[{"title":"a","author":"b","state":"finished"},',
        b"sep=;\n",
    ]
)
PIECES = st.sampled_from(
    [
        b'"',
        b",",
        b";",
        b"\n",
        b"\r",
        b"\0",
        b"a",
        b"=",
        b"\xe9",
        b"{",
        b"1/2/2024",
        b"4,5",
        b'""',
        b"2024-01-02..2023",
        b"dnf",
        b"reading",
        b"9780306406157",
        b"80%",
    ]
)
BYTES = st.builds(bytes.__add__, HEADS, st.lists(PIECES, max_size=30).map(b"".join) | st.binary(max_size=60))


def check_reading(reading: FileReading) -> bool:
    """True if a reading does not end before it starts, and its stars are quarters up to 5."""
    in_order = not (reading.started and reading.ended and is_before(reading.ended, reading.started))
    return in_order and (reading.stars is None or reading.stars * 4 in range(1, 21))


def opened(folder: str, content: bytes) -> Library | None:
    with suppress(NotALibrary):
        return library(Path(folder), content)
    return None


@settings(max_examples=50)
@given(BYTES)
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        if (found := opened(folder, content)) is None:
            return
        answered = list(found)
        assert len(answered) == found.rows
        good = [entry for entry in answered if isinstance(entry, Entry)]
        for entry in good:
            convert(to_builtins(entry.book) | ({} if entry.book.author else {"contributors": []}), NewBook)
            assert all(check_reading(reading) for reading in entry.readings)
            assert [reading.end for reading in entry.readings].count("open") <= 1
        assert all(0 < len(entry.book.title) <= TITLE_MAX for entry in good)
        assert all(not entry.readings or (entry.stars, entry.review) == (None, None) for entry in good)
        refused = [answer for answer in answered if isinstance(answer, Refusal)]
        if refused and found.header:
            again = library(Path(folder), "".join(write_refused(found, refused)))
            assert len(refusals(again)) == again.rows == len(refused)
