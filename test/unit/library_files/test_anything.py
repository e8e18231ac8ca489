"""Whatever bytes are in a file: books, refusals or NotALibrary, and never anything else."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.library_files.files import library, refusals

from bookshelf.shelf.library_files import Entry, Library, NotALibrary, Refusal, write_refused
from bookshelf.shelf.limits import TITLE_MAX

HEADS = st.sampled_from(
    [
        b"",
        b"title,author,read,rating,isbn,tags,notes\n",
        b'{"title":"a","author":"b"}\n',
        b"\xff\xfe",
        b"sep=;\n",
    ]
)
PIECES = st.sampled_from(
    [b'"', b",", b";", b"\n", b"\r", b"\0", b"a", b"=", b"\xe9", b"{", b"1/2/2024", b"4,5", b'""']
)
BYTES = st.builds(bytes.__add__, HEADS, st.lists(PIECES, max_size=30).map(b"".join) | st.binary(max_size=60))


def opened(folder: str, content: bytes) -> Library | None:
    with suppress(NotALibrary):
        return library(Path(folder), content)
    return None


@settings(max_examples=100)
@given(BYTES)
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        if (found := opened(folder, content)) is None:
            return
        answered = list(found)
        assert len(answered) == found.rows
        good = [entry for entry in answered if isinstance(entry, Entry)]
        assert all(0 < len(entry.book.title) <= TITLE_MAX for entry in good)
        assert all(not entry.readings or (entry.stars, entry.review) == (None, None) for entry in good)
        refused = [answer for answer in answered if isinstance(answer, Refusal)]
        if refused and found.header:
            again = library(Path(folder), "".join(write_refused(found, refused)))
            assert len(refusals(again)) == again.rows == len(refused)
