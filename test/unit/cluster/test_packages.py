"""Archives of packages: what is refused, and that nothing leaves the folder it is unpacked into."""

import io
import stat
import struct
import zipfile
from itertools import pairwise
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.packages import MANIFEST, files, package, zipped

from bookshelf.cluster.packages import (
    ARCHIVE_BYTES,
    FILES,
    UNPACKED_BYTES,
    BadPackage,
    PackageArchive,
    build_archive,
    read_manifest,
)


def test_what_is_built_is_read_again() -> None:
    archive = PackageArchive(package())
    assert dict(archive.files()) == files()
    assert archive.manifest.file == "counters-1.0.0.pack"
    assert archive.manifest.module == "counters.services"


def test_equal_files_make_equal_archives() -> None:
    given = files()
    assert build_archive(given) == build_archive(dict(reversed(given.items())))


@pytest.mark.parametrize(
    "name",
    [
        "../x.py",
        "a/../../x.py",
        "/etc/x.py",
        "a//x.py",
        "./x.py",
        "a\\x.py",
        "C:x.py",
        "a/.hidden.py",
        "a\nb.py",
        "ä.py",
        "/".join(["a"] * 17) + ".py",
        "x" * 300 + ".py",
    ],
)
def test_a_name_that_leaves_the_folder_or_is_odd_is_refused(name: str) -> None:
    with pytest.raises(BadPackage, match="is not allowed"):
        PackageArchive(zipped(files() | {name: b""}))


def test_a_name_with_nul_is_refused() -> None:
    content = zipped(files() | {"abcdefgh.py": b""}).replace(b"abcdefgh.py", b"abc\0efgh.py")
    with pytest.raises(BadPackage, match="is not allowed"):
        PackageArchive(content)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_only_regular_files_are_accepted(kind: int) -> None:
    with pytest.raises(BadPackage, match="is no regular file"):
        PackageArchive(zipped(files() | {"counters/odd.py": b"/etc/passwd"}, mode=kind | 0o777))


@pytest.mark.parametrize("name", ["counters/fast.so", "counters/x.pyc", "a.PYD", "x.pth"])
def test_what_is_compiled_is_refused(name: str) -> None:
    with pytest.raises(BadPackage, match="only pure Python"):
        PackageArchive(zipped(files() | {name: b""}))


@pytest.mark.parametrize("name", ["bookshelf/config.py", "json.py", "os/__init__.py", "gateway/app.py"])
def test_no_module_of_python_or_of_the_program_is_replaced(name: str) -> None:
    with pytest.raises(BadPackage, match="own modules"):
        PackageArchive(zipped(files() | {name: b""}))


def test_two_files_with_one_name_are_refused() -> None:
    with pytest.raises(BadPackage, match="twice"):
        PackageArchive(zipped(files() | {"Counters/services.py": b""}))
    with pytest.raises(BadPackage, match="inside a file"):
        PackageArchive(zipped(files() | {"a": b"", "a/b.py": b""}))


def test_too_many_files_are_refused() -> None:
    with pytest.raises(BadPackage, match=f"more than {FILES} files"):
        PackageArchive(zipped(files() | {f"counters/x{n}.py": b"" for n in range(FILES)}, method=0))


def test_an_archive_that_is_too_large_is_refused() -> None:
    with pytest.raises(BadPackage, match=f"more than {ARCHIVE_BYTES} bytes"):
        PackageArchive(b"\0" * (ARCHIVE_BYTES + 1))


def test_zeros_that_are_packed_small_are_refused_before_they_are_unpacked() -> None:
    content = zipped(files() | {"counters/zeros.txt": b"\0" * (UNPACKED_BYTES + 1)})
    assert len(content) < 1 << 20
    with pytest.raises(BadPackage, match="when it is unpacked"):
        PackageArchive(content)


def _stating(content: bytes, name: bytes, size: int) -> bytes:
    """Return the archive with another unpacked size in both entries of a file."""
    changed = bytearray(content)
    local = content.index(b"PK\3\4", content.index(name) - 30)
    central = content.rindex(name) - 46
    changed[local + 22 : local + 26] = struct.pack("<I", size)
    changed[central + 24 : central + 28] = struct.pack("<I", size)
    return bytes(changed)


def test_a_size_that_is_not_the_stated_one_is_refused_with_no_more_read_than_stated() -> None:
    content = zipped({"zeros.txt": b"\0" * (UNPACKED_BYTES + 1)} | files())
    archive = PackageArchive(_stating(content, b"zeros.txt", 1000))
    with pytest.raises(BadPackage, match=r"zeros\.txt: "):
        list(archive.files())


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(method: int) -> None:
    with pytest.raises(BadPackage, match="another way than deflate"):
        PackageArchive(zipped(files(), method=method))


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\5\6" + b"\0" * 18])
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(BadPackage):
        PackageArchive(content)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (MANIFEST.replace("api = 1", "api = 2"), "api 2 is not supported"),
        (MANIFEST.replace('group = "counters"\n', ""), "group is required"),
        (MANIFEST + 'scop = "session"\n', "did you mean scope?"),
        (MANIFEST.replace("counters.services:SERVICES", "counters/services"), "entry must be"),
        (MANIFEST.replace("counters.services:", "counters.others:"), "no module counters.others"),
        (MANIFEST.replace('"1.0.0"', '"../1"'), "version must be"),
        (MANIFEST.replace('"1.0.0"', '"1\\n"'), "version must be"),
        (MANIFEST + 'exclude = {"*" = ["a*b"]}', "exclude"),
        (MANIFEST + 'exclude = {"*" = ["**"]}', "exclude"),
        (MANIFEST + 'exclude = {"shared" = [""]}', "exclude"),
        (MANIFEST + 'exclude = {"all" = ["a"]}', "exclude"),
        ("name = ", "is no TOML"),
    ],
)
def test_a_wrong_manifest_is_refused(text: str, part: str) -> None:
    with pytest.raises(BadPackage) as refused:
        PackageArchive(zipped(files() | {"package.toml": text.encode()}))
    assert part in str(refused.value)


def test_a_manifest_that_is_missing_or_no_text_is_refused() -> None:
    given = files()
    with pytest.raises(BadPackage, match="not UTF-8"):
        PackageArchive(zipped(given | {"package.toml": b"\xff"}))
    del given["package.toml"]
    with pytest.raises(BadPackage, match=r"has no package\.toml"):
        PackageArchive(zipped(given))


def test_all_patterns_of_excluded_keys_are_accepted() -> None:
    text = MANIFEST + 'exclude = {"*" = ["local_*"], "shared" = ["WORK_DIR", "*_cache"], "service" = []}'
    assert read_manifest(text).exclude["shared"] == ("WORK_DIR", "*_cache")


def _contained(content: bytes) -> None:
    """Check that an archive is refused, or that all of it is inside its folder and its limits."""
    try:
        unpacked = list(PackageArchive(content).files())
    except BadPackage:
        return
    assert sum(len(data) for _, data in unpacked) <= UNPACKED_BYTES
    for name, _ in unpacked:
        path = PurePosixPath(name)
        assert not path.is_absolute()
        assert ".." not in path.parts


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_as_a_package_and_never_fail(content: bytes) -> None:
    with pytest.raises(BadPackage):
        PackageArchive(content)


@given(st.dictionaries(st.text(min_size=1, max_size=12), st.binary(max_size=20), max_size=4))
def test_members_of_any_name_stay_in_the_folder(members: dict[str, bytes]) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in (files() | members).items():
            archive.writestr(zipfile.ZipInfo(name.encode(errors="replace").decode() or "x"), data)
    _contained(made.getvalue())


_PLACES = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=6)
_CUTS = st.lists(st.integers(0, 5000), max_size=4)


@given(_PLACES, _CUTS)
def test_a_damaged_archive_is_refused_or_the_same(places: list[tuple[int, int]], cuts: list[int]) -> None:
    content = bytearray(package())
    for place, value in places:
        content[place % len(content)] = value
    ends = sorted({0, len(content), *(cut % len(content) for cut in cuts)})
    pieces = [bytes(content[begin:end]) for begin, end in pairwise(ends)]
    _contained(bytes(content))
    _contained(b"".join(pieces[::2]))
