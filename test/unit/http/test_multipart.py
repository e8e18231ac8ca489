"""Forms with files: what is read, and what hostile or broken ones get."""

from collections.abc import AsyncIterator, Sequence
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from bookshelf.http.message import BrokenBody, Request, TooLarge
from bookshelf.http.multipart import (
    FormLimits,
    MultipartForm,
    is_multipart,
    read_multipart,
    read_stream,
)
from bookshelf.http.problem import Problem

KIND = "multipart/form-data; boundary=x"
#: Not a picture: the parser does not look inside.
PICTURE = bytes(range(256)) * 40
TITLE = b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nDune\r\n'
FILE = (
    b'--x\r\nContent-Disposition: form-data; name="cover"; filename="%b"\r\n'
    b"Content-Type: image/png\r\n\r\n%b\r\n"
)
END = b"--x--\r\n"


class Arriving:
    """A body that arrives in these pieces, and then breaks off if it has a fault."""

    def __init__(self, pieces: Sequence[bytes], fault: Exception | None = None) -> None:
        self._pieces = pieces
        self._fault = fault

    async def read(self, _limit: int) -> bytes:
        raise AssertionError("a form is never read whole")

    async def stream(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self._fault is not None:
            raise self._fault


def form(*pieces: bytes, kind: str = KIND, fault: Exception | None = None) -> Request:
    return Request("POST", "/books/1/cover", CIMultiDict({"Content-Type": kind}), Arriving(pieces, fault))


async def problem(asked: Request, folder: Path, limits: FormLimits | None = None) -> Problem:
    """Return the refusal of a form; no file of it is left."""
    with pytest.raises(Problem) as refusal:
        async with read_multipart(asked, folder, limits):
            pass
    assert list(folder.iterdir()) == []
    return refusal.value


async def test_a_form_has_its_fields_and_its_file_until_it_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    async with read_multipart(form(TITLE + TITLE + FILE % (b"dune.png", PICTURE) + END), folder) as read:
        assert read.fields == {"title": ("Dune", "Dune")}
        [cover] = read.files["cover"]
        assert (cover.name, cover.size) == ("dune.png", len(PICTURE))
        assert cover.digest == blake2b(PICTURE, digest_size=32).hexdigest()
        assert cover.path.parent == folder
        assert cover.path.read_bytes() == PICTURE
        assert cover.path.stat().st_mode & 0o077 == 0
    assert list(folder.iterdir()) == []


async def read_in(pieces: Sequence[bytes], folder: Path) -> MultipartForm:
    async with read_multipart(form(*pieces), folder, FormLimits(files=2)) as read:
        return read


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(cuts=st.lists(st.integers(1, 700), max_size=12))
async def test_a_form_is_the_same_however_it_is_cut_into_pieces(tmp_path: Path, cuts: list[int]) -> None:
    whole = TITLE + FILE % (b"a", b"\r\n--y\r\n-x--" + PICTURE[:500]) + FILE % (b"b", b"x--") + END
    ends = sorted({0, *(cut for cut in cuts if cut < len(whole)), len(whole)})
    pieces = [whole[start:end] for start, end in pairwise(ends)]
    read = await read_in(pieces, tmp_path)
    assert read.fields == {"title": ("Dune",)}
    assert [(file.name, file.size) for file in read.files["cover"]] == [("a", 511), ("b", 3)]


async def test_a_file_that_was_not_chosen_is_left_out_and_an_empty_one_is_not(tmp_path: Path) -> None:
    async with read_multipart(form(FILE % (b"", b"") + END), tmp_path) as read:
        assert read.files == {}
    async with read_multipart(form(FILE % (b"empty.png", b"") + END), tmp_path) as read:
        assert [file.size for file in read.files["cover"]] == [0]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (b"C:\\\\covers\\\\dune.png", "dune.png"),
        (b"../../etc/passwd", "passwd"),
        (b"a\x00b\x1b[31m.png", "ab[31m.png"),
        ("砂丘.png".encode(), "砂丘.png"),
        (b"a" * 400, "a" * 255),
    ],
)
async def test_the_name_of_a_file_is_one_part_without_control_characters(
    tmp_path: Path, given: bytes, name: str
) -> None:
    async with read_multipart(form(FILE % (given, b"x") + END), tmp_path) as read:
        assert [file.name for file in read.files["cover"]] == [name]
    assert list(tmp_path.iterdir()) == []


NAMELESS = b"--x\r\nContent-Disposition: form-data\r\n\r\nDune\r\n"
MALFORMED = {
    "empty": b"",
    "no boundary": b"title=Dune",
    "another boundary": b"--y\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--y--\r\n",
    "no end": TITLE,
    "cut in a head": TITLE + b"--x\r\nContent-Dis",
    "cut in a file": TITLE + (FILE % (b"a.png", PICTURE))[:-300],
    "only line feeds": TITLE.replace(b"\r\n", b"\n") + END,
    "no disposition": b"--x\r\nContent-Type: text/plain\r\n\r\nDune\r\n" + END,
    "another disposition": TITLE.replace(b"form-data", b"attachment") + END,
    "no name": NAMELESS + END,
    "a head without a colon": b"--x\r\nContent-Disposition\r\n\r\nDune\r\n" + END,
    "a head that is not UTF-8": TITLE.replace(b"title", b"\xff") + END,
    "a length of its own that is wrong": TITLE.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\n") + END,
    "a negative length": TITLE.replace(b"\r\n\r\n", b"\r\nContent-Length: -1\r\n\r\n") + END,
    "a continued head": TITLE.replace(b"; name", b";\r\n name") + END,
    "bytes after a boundary": TITLE + b"--xyz\r\n" + END,
    "a preamble without end": b"y" * 100_000,
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_form_is_refused(tmp_path: Path, content: bytes) -> None:
    assert (await problem(form(content), tmp_path)).kind == "malformed"


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        ("", "media-type"),
        ("application/json", "media-type"),
        ("multipart/mixed; boundary=x", "media-type"),
        ("multipart/form-data", "malformed"),
        ("multipart/form-data; boundary=", "malformed"),
        ('multipart/form-data; boundary="a b "', "malformed"),
        ('multipart/form-data; boundary="\u00e9"', "malformed"),
        (f"multipart/form-data; boundary={'x' * 71}", "malformed"),
    ],
)
async def test_a_form_with_an_unusable_media_type_is_refused(tmp_path: Path, kind: str, refusal: str) -> None:
    assert (await problem(form(TITLE + END, kind=kind), tmp_path)).kind == refusal


@pytest.mark.parametrize(
    "kind", [KIND, "Multipart/Form-Data; charset=utf-8; boundary=x", 'multipart/form-data;boundary="x"']
)
async def test_media_types_are_compared_without_case_and_with_any_parameters(
    tmp_path: Path, kind: str
) -> None:
    assert is_multipart(form(kind=kind))
    async with read_multipart(form(TITLE + END, kind=kind), tmp_path) as read:
        assert read.fields == {"title": ("Dune",)}
    assert not is_multipart(form(kind="application/x-www-form-urlencoded"))


LONG_HEAD = b"--x\r\nContent-Disposition: form-data; name=a; filename=%b\r\n\r\nb\r\n" % (b"c" * 9000)
MANY_HEADS = b"--x\r\n" + b"X-A: b\r\n" * 50 + TITLE.removeprefix(b"--x\r\n")
FIELD = TITLE.replace(b"Dune", b"D" * 11)
BEYOND = {
    "parts": (TITLE * 4 + END, ""),
    "files": (FILE % (b"a", b"1") + FILE % (b"b", b"2") + END, "/cover"),
    "empty files": (FILE % (b"a", b"") + FILE % (b"b", b"") + END, "/cover"),
    "bytes of a field": (FIELD + END, "/title"),
    "a field that is not UTF-8": (TITLE.replace(b"Dune", b"\xff\xfe") + END, "/title"),
    "a field with a name of another pointer": (FIELD.replace(b"title", b"a/b~c") + END, "/a~1b~0c"),
    "length of a head": (LONG_HEAD + END, ""),
    "number of heads": (MANY_HEADS + END, ""),
}


@pytest.mark.parametrize(("content", "pointer"), BEYOND.values(), ids=BEYOND)
async def test_a_form_beyond_a_limit_is_invalid_and_names_the_field(
    tmp_path: Path, content: bytes, pointer: str
) -> None:
    limits = FormLimits(parts=3, files=1, field_bytes=10)
    refusal = await problem(form(content), tmp_path, limits)
    assert refusal.kind == "invalid"
    assert [fault.pointer for fault in refusal.faults] == ([pointer] if pointer else [])


async def test_a_file_beyond_its_limit_is_too_large_and_leaves_nothing(tmp_path: Path) -> None:
    pieces = [FILE[:40], *([b"y" * 1000] * 20)]
    head = FILE.partition(b"%b\r\n")[0] % b"a"
    with pytest.raises(TooLarge, match="5000 bytes"):
        async with read_multipart(form(head, *pieces[1:]), tmp_path, FormLimits(file_bytes=5000)):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_a_body_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    half = (FILE % (b"a", PICTURE))[:-300]
    with pytest.raises(BrokenBody):
        async with read_multipart(form(TITLE, half, fault=BrokenBody("it broke off")), tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_a_fault_of_the_reader_deletes_the_files_too(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        async with read_multipart(form(FILE % (b"a", PICTURE) + END), tmp_path) as read:
            raise KeyError(read.files["cover"][0].name)
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_bytes(b"")
    with pytest.raises(Problem) as refusal:
        async with read_multipart(form(FILE % (b"a", b"x") + END), taken):
            pass
    assert refusal.value.kind == "unavailable"


async def test_a_body_that_is_one_file_is_in_the_folder_until_the_block_ends(tmp_path: Path) -> None:
    arriving = form(PICTURE[:100], PICTURE[100:], kind="image/png")
    async with read_stream(arriving, tmp_path, len(PICTURE)) as file:
        assert file.size == len(PICTURE)
        assert file.digest == blake2b(PICTURE, digest_size=32).hexdigest()
        assert file.path.read_bytes() == PICTURE
    async with read_stream(form(kind="image/png"), tmp_path, 1) as file:
        assert file.size == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", [None, BrokenBody("it broke off")], ids=["too large", "broken"])
async def test_a_body_that_is_refused_leaves_no_file(tmp_path: Path, fault: Exception | None) -> None:
    arriving = form(PICTURE, PICTURE, kind="image/png", fault=fault)
    with pytest.raises((TooLarge, BrokenBody)):
        async with read_stream(arriving, tmp_path, 2 * len(PICTURE) - (fault is None)):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_without_room_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Problem) as refusal:
        async with read_stream(form(PICTURE, kind="image/png"), tmp_path / "file", 1 << 20):
            pass
    assert refusal.value.kind == "unavailable"
