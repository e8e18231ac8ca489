"""The index of a repository: the packages with their groups and digests, and the digests of its files."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bookshelf.cluster.toml_text import BadToml, decoded, nearest

INDEX = "index.toml"
#: The most bytes of an index.
INDEX_BYTES = 4 << 20
_Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
_Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,62}$(?!\n)")]
_Version = Annotated[str, Meta(pattern=r"^[0-9A-Za-z.+-]{1,80}$(?!\n)")]
_FILE = re.compile(r"config\.toml|gateway\.toml|policies/[a-z][a-z0-9-]{0,62}\.toml")


class BadIndex(Exception):
    """The index cannot be read, or does not have what is asked for."""


class IndexedPackage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A package of a repository."""

    name: _Name
    version: _Version
    group: _Name
    digest: _Digest

    @property
    def path(self) -> str:
        """The path of its archive in the repository."""
        return f"packages/{self.name}-{self.version}.pack"

    @property
    def signature_path(self) -> str:
        """The path of its signatures."""
        return f"{self.path}.sig"


class RepositoryIndex(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All packages, the newest of a group last, and the digests of the other files by their paths."""

    package: tuple[IndexedPackage, ...] = ()
    file: dict[str, _Digest] = {}

    def newest(self, group: str) -> IndexedPackage:
        """Return the package of a group that was added last. Raises `BadIndex`."""
        for package in reversed(self.package):
            if package.group == group:
                return package
        near = nearest(group, {package.group for package in self.package})
        raise BadIndex(
            f"the repository has no group {group[:100]}" + (f"; did you mean {near}?" if near else "")
        )

    def with_digest(self, digest: str) -> IndexedPackage:
        """Return the package with a digest. Raises `BadIndex`."""
        for package in self.package:
            if package.digest == digest:
                return package
        raise BadIndex(f"the repository has no package with the digest {digest[:64]}")

    def adding(self, package: IndexedPackage) -> "RepositoryIndex":
        """Return the index with one more package, or with the same one at its end.

        Raises `BadIndex` if its name and version have another digest already: nodes may have that one.
        """
        others = [one for one in self.package if one.path != package.path]
        if any(one.path == package.path and one.digest != package.digest for one in self.package):
            raise BadIndex(f"{package.path} is in the repository with another content; give it a new version")
        return msgspec.structs.replace(self, package=(*others, package))


def parse_index(text: str) -> RepositoryIndex:
    """Return an index. Raises `BadIndex`."""
    try:
        index = msgspec.convert(_decoded(text), RepositoryIndex)
    except msgspec.ValidationError as fault:
        raise BadIndex(f"{INDEX}: {fault}") from None
    if unknown := [path for path in index.file if _FILE.fullmatch(path) is None]:
        raise BadIndex(f"{INDEX}: {unknown[0][:100]!r} is no file of a repository")
    if len({package.path for package in index.package}) != len(index.package):
        raise BadIndex(f"{INDEX}: a package is in it twice")
    return index


def _decoded(text: str) -> Mapping[str, Any]:
    try:
        return decoded(text, INDEX)
    except BadToml as fault:
        raise BadIndex(str(fault)) from None


def write_index(index: RepositoryIndex) -> str:
    """Return the text of an index."""
    lines = ["# made by `bookshelf repo`"]
    for package in index.package:
        fields = {name: getattr(package, name) for name in IndexedPackage.__struct_fields__}
        lines += ["", "[[package]]", *_written(fields)]
    if index.file:
        lines += ["", "[file]", *_written({f'"{path}"': index.file[path] for path in sorted(index.file)})]
    return "\n".join(lines) + "\n"


def _written(fields: Mapping[str, str]) -> Iterable[str]:
    return [f'{name} = "{value}"' for name, value in fields.items()]
