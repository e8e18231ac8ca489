"""Service packages: the manifest and the archive NAME-VERSION.pack, with the limits of both.

An archive is a zip of `package.toml` and pure Python. Nothing of one is trusted: sizes are compared with what
is really there, and names stay inside the folder that it is unpacked into.
"""

import io
import re
import stat
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, BinaryIO, Literal

import msgspec
from msgspec import Meta

from bookshelf.cluster.toml_text import BadToml, field_problems, loads
from bookshelf.cqrs.item import ItemProblem

#: The version of what a package may use of the program; another one is refused.
PACKAGE_API = 1
ARCHIVE_BYTES = 20 << 20
UNPACKED_BYTES = 100 << 20
FILES = 2000
MANIFEST = "package.toml"
SUFFIX = ".pack"

_NAME = r"[a-z][a-z0-9-]{0,62}"
_VERSION = r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}([-+][A-Za-z0-9.]{1,40})?"
_Name = Annotated[str, Meta(pattern=rf"^{_NAME}$(?!\n)")]
_Version = Annotated[str, Meta(pattern=rf"^{_VERSION}$(?!\n)")]
_MODULE = r"[A-Za-z_][A-Za-z0-9_]{0,99}(\.[A-Za-z_][A-Za-z0-9_]{0,99}){0,9}"
_Entry = Annotated[str, Meta(pattern=rf"^{_MODULE}:[A-Za-z_][A-Za-z0-9_]{{0,99}}$(?!\n)")]
_Pattern = Annotated[
    str, Meta(pattern=r"^([^*\x00-\x1f\x7f]+\*?|\*[^*\x00-\x1f\x7f]+)$(?!\n)", max_length=200)
]
Scope = Literal["request", "session", "application"]


class BadPackage(Exception):
    """The archive or its manifest is refused; `problems` has the fields of a manifest that are wrong."""

    def __init__(self, detail: str, problems: tuple[ItemProblem, ...] = ()) -> None:
        super().__init__(detail)
        self.problems = problems


class PackageManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `package.toml` declares.

    `entry`: the module, and the name in it of the tuple of services. `scope`: what the state of a client of
    its session routes lasts for; None: what each route declares. `exclude`: patterns of the keys that are not
    replicated, by level, beside those that the routes declare.
    """

    name: _Name
    version: _Version
    group: _Name
    api: int
    entry: _Entry
    scope: Scope | None = None
    exclude: dict[Literal["*", "shared", "group", "service"], tuple[_Pattern, ...]] = {}

    @property
    def file(self) -> str:
        """The name of the archive."""
        return f"{self.name}-{self.version}{SUFFIX}"

    @property
    def module(self) -> str:
        """The module that has the services."""
        return self.entry.partition(":")[0]


_FIELDS: Mapping[str, Any] = {field.name: field.type for field in msgspec.structs.fields(PackageManifest)}
_REQUIRED = [field.name for field in msgspec.structs.fields(PackageManifest) if field.required]


def read_manifest(text: str) -> PackageManifest:
    """Return a manifest. Raises `BadPackage`."""
    try:
        given = loads(text, MANIFEST)
    except BadToml as fault:
        raise BadPackage(str(fault), (fault.problem,)) from None
    found = field_problems(given, _FIELDS, text, MANIFEST)
    found += [ItemProblem(MANIFEST, "is required", name) for name in _REQUIRED if name not in given]
    if found:
        raise BadPackage("; ".join(map(str, found)), tuple(found))
    manifest = msgspec.convert(given, PackageManifest)
    if manifest.api != PACKAGE_API:
        raise BadPackage(f"{MANIFEST}: api {manifest.api} is not supported; this program has {PACKAGE_API}")
    return manifest


class PackageArchive:
    """An archive whose names, sizes and manifest have been checked. Raises `BadPackage`."""

    def __init__(self, content: bytes) -> None:
        if len(content) > ARCHIVE_BYTES:
            raise BadPackage(f"the archive has more than {ARCHIVE_BYTES} bytes")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
            self._members = _checked(self._zip.infolist())
        except (*_BROKEN, RecursionError) as fault:
            raise BadPackage(f"the archive is damaged: {str(fault)[:200]}") from None
        self.manifest = self._manifest()
        path = self.manifest.module.replace(".", "/")
        names = {member.filename for member in self._members}
        if not names & {f"{path}.py", f"{path}/__init__.py"}:
            raise BadPackage(f"{MANIFEST}: the archive has no module {self.manifest.module}")

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and the content of each file, at most `UNPACKED_BYTES` in all.

        Raises `BadPackage` for one whose content has another size or checksum than its entry.
        """
        for member in self._members:
            if not member.is_dir():
                yield member.filename, self._read(member)

    def _read(self, member: zipfile.ZipInfo) -> bytes:
        try:
            with self._zip.open(member) as file:
                content = file.read(member.file_size + 1)
        except (*_BROKEN, EOFError) as fault:
            raise BadPackage(f"{member.filename}: is damaged: {str(fault)[:200]}") from None
        if len(content) != member.file_size:
            raise BadPackage(f"{member.filename}: has another size than its entry in the archive")
        return content

    def _manifest(self) -> PackageManifest:
        member = next((one for one in self._members if one.filename == MANIFEST), None)
        if member is None:
            raise BadPackage(f"the archive has no {MANIFEST}")
        try:
            return read_manifest(self._read(member).decode())
        except UnicodeDecodeError:
            raise BadPackage(f"{MANIFEST} is not UTF-8") from None


#: What zipfile raises for archives that are none, or not as they state.
_BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, OSError)
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}", re.ASCII)
_MOST_SEGMENTS = 16
_COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1
#: Ends of names of files that are compiled.
_COMPILED = (".so", ".pyd", ".pyc", ".pyo", ".dll", ".dylib", ".pth")
_TAKEN = sys.stdlib_module_names | {"bookshelf", "gateway", "bench"}


def _checked(members: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """Return the entries of an archive. Raises `BadPackage`."""
    if len(members) > FILES:
        raise BadPackage(f"the archive has more than {FILES} files")
    if sum(member.file_size for member in members) > UNPACKED_BYTES:
        raise BadPackage(f"the archive has more than {UNPACKED_BYTES} bytes when it is unpacked")
    names: set[str] = set()
    for member in members:
        _check_member(member)
        name = member.filename.rstrip("/").lower()
        if name in names:
            raise BadPackage(f"the archive has {member.filename!r} twice")
        names.add(name)
    for name in names:
        if any(folder in names and not _is_folder(folder, members) for folder in _above(name)):
            raise BadPackage(f"the archive has {name!r} inside a file")
    return members


def _above(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _is_folder(name: str, members: list[zipfile.ZipInfo]) -> bool:
    return any(member.is_dir() and member.filename.rstrip("/").lower() == name for member in members)


def _check_member(member: zipfile.ZipInfo) -> None:
    """Check the name and the kind of one entry. Raises `BadPackage`."""
    given = member.filename
    # zipfile cuts a name off at NUL and replaces the separators of the machine
    shown = repr(member.orig_filename[:200])
    segments = given.removesuffix("/").split("/")
    if given != member.orig_filename or len(segments) > _MOST_SEGMENTS:
        raise BadPackage(f"the archive has the name {shown}, which is not allowed")
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise BadPackage(f"the archive has the name {shown}, which is not allowed")
    if segments[0].partition(".")[0] in _TAKEN:
        raise BadPackage(f"the archive has {shown}, a name of Python's or of the program's own modules")
    if given.lower().endswith(_COMPILED):
        raise BadPackage(f"the archive has {shown}; only pure Python is allowed")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in {0, stat.S_IFDIR if member.is_dir() else stat.S_IFREG}:
        raise BadPackage(f"the archive has {shown}, which is no regular file")
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _COMPRESSIONS:
        raise BadPackage(f"the archive has {shown}, which is encrypted or packed in another way than deflate")


#: The time of every file in an archive: equal files make equal archives.
_TIME = (1980, 1, 1, 0, 0, 0)


def build_archive(files: Mapping[str, bytes]) -> bytes:
    """Return the archive of these files; the same files make the same bytes. Raises `BadPackage`."""
    made: BinaryIO = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, _TIME)
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, files[name])
    made.seek(0)
    content = made.read()
    for _ in PackageArchive(content).files():
        pass
    return content
