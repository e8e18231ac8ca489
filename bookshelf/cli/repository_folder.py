"""Writes the folder of a repository: archives, policies, settings, signatures and the index of them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bookshelf.cluster.packages import PackageArchive
from bookshelf.cluster.repository_index import (
    INDEX,
    BadIndex,
    IndexedPackage,
    RepositoryIndex,
    parse_index,
    write_index,
)
from bookshelf.config import WrongSetting
from bookshelf.cqrs.item import digest_of
from bookshelf.runtime.agent.signatures import is_signed, sign


class RepositoryFolder:
    """The folder of a repository that this machine writes. One process changes it at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self) -> None:
        """Create the folder with an empty index. Raises `WrongSetting` if there is an index already."""
        if (self._folder / INDEX).exists():
            raise WrongSetting(f"{self._folder} is a repository already")
        for name in ("packages", "policies"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        self._write(INDEX, write_index(RepositoryIndex()).encode())

    def index(self) -> RepositoryIndex:
        """Return the index. Raises `WrongSetting`."""
        try:
            return parse_index((self._folder / INDEX).read_text(encoding="utf-8"))
        except FileNotFoundError:
            msg = f"{self._folder} is no repository; `bookshelf repo init {self._folder}` makes one"
            raise WrongSetting(msg) from None
        except (BadIndex, UnicodeDecodeError) as fault:
            raise WrongSetting(f"{self._folder}: {fault}") from None

    def add_package(self, content: bytes) -> IndexedPackage:
        """Add an archive that has been checked. Raises `WrongSetting`."""
        manifest = PackageArchive(content).manifest
        package = IndexedPackage(
            name=manifest.name, version=manifest.version, group=manifest.group, digest=digest_of(content)
        )
        with self._locked():
            try:
                index = self.index().adding(package)
            except BadIndex as fault:
                raise WrongSetting(str(fault)) from None
            self._write(package.path, content)
            self._write(INDEX, write_index(index).encode())
        return package

    def add_file(self, path: str, content: bytes) -> None:
        """Add settings, rules or a policy that have been checked. Raises `WrongSetting`."""
        with self._locked():
            index = self.index()
            self._write(path, content)
            files = {**index.file, path: digest_of(content)}
            self._write(INDEX, write_index(msgspec.structs.replace(index, file=files)).encode())

    def sign(self, key: Ed25519PrivateKey) -> list[IndexedPackage]:
        """Sign every package that the key has not signed yet; return those. Raises `WrongSetting`."""
        with self._locked():
            return [package for package in self.index().package if self._sign(package, key)]

    def _sign(self, package: IndexedPackage, key: Ed25519PrivateKey) -> bool:
        path = self._folder / package.signature_path
        given = path.read_bytes() if path.exists() else b""
        if is_signed(package.digest, given, [key.public_key()]):
            return False
        if digest_of((self._folder / package.path).read_bytes()) != package.digest:
            raise WrongSetting(f"{package.path} has another digest than the index states; it was not signed")
        self._write(package.signature_path, given + f"{sign(package.digest, key)}\n".encode())
        return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Wait until no other process changes the folder."""
        if not (self._folder / INDEX).exists():
            self.index()
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, path: str, content: bytes) -> None:
        """Write a file as a whole or not at all."""
        file = self._folder / path
        file.parent.mkdir(exist_ok=True)
        new = file.with_name(f".{file.name}.new")
        with new.open("wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        new.replace(file)
