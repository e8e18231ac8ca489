"""How a node gets packages: from the repository by digest, verified, and unpacked for a process."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bookshelf.cluster.packages import ARCHIVE_BYTES, BadPackage, PackageArchive
from bookshelf.cluster.repository_index import (
    INDEX,
    INDEX_BYTES,
    BadIndex,
    IndexedPackage,
    RepositoryIndex,
    parse_index,
)
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.config import WrongSetting
from bookshelf.runtime.agent.child import ChildReport
from bookshelf.runtime.agent.children import ServiceChild
from bookshelf.runtime.agent.item import ItemRefused
from bookshelf.runtime.agent.package_kind import Start, UnpackedPackage
from bookshelf.runtime.agent.repository import (
    NotInRepository,
    PackageCache,
    Repository,
    RepositoryFault,
    open_repository,
)
from bookshelf.runtime.agent.signatures import SIGNATURE_BYTES, BadKey, is_signed, read_public_keys


class PackageFetcher:
    """Fetches packages of one repository; with `keys` each must be signed by one of them."""

    def __init__(self, repository: Repository, cache: Path, keys: tuple[Ed25519PublicKey, ...]) -> None:
        self._repository = repository
        self._cache = PackageCache(cache, repository)
        self._keys = keys

    @classmethod
    def of(cls, cluster: ClusterSettings, cache: Path) -> Self:
        """Return the fetcher of the settings. Raises `WrongSetting`."""
        try:
            return cls(open_repository(cluster.cluster_repository), cache, read_public_keys(cluster.keys))
        except RepositoryFault as fault:
            raise WrongSetting(f"cluster_repository: {fault}") from None
        except BadKey as fault:
            raise WrongSetting(f"cluster_keys: {fault}") from None

    async def close(self) -> None:
        """Close the connections to the repository."""
        await self._repository.close()

    async def newest(self, group: str) -> IndexedPackage:
        """Return the newest package of a group. Raises `ItemRefused`."""
        index = await self._index()
        try:
            return index.newest(group)
        except BadIndex as fault:
            raise ItemRefused(str(fault)) from None

    async def fetch(self, group: str, digest: str, folder: Path) -> UnpackedPackage:
        """Unpack a package into a folder, which is not there yet. Raises `ItemRefused`.

        Digest and signature are verified before the archive is opened.
        """
        index = await self._index()
        try:
            package = index.with_digest(digest)
            content = await self._cache.fetch(package.path, digest, ARCHIVE_BYTES)
            if self._keys:
                await self._check_signature(package)
            archive = await asyncio.to_thread(PackageArchive, content)
            if archive.manifest.group != group:
                raise ItemRefused(f"{package.path} is a package of the group {archive.manifest.group}")
            await asyncio.to_thread(_unpack, archive, folder)
        except (BadIndex, RepositoryFault) as fault:
            raise ItemRefused(str(fault)) from None
        except BadPackage as fault:
            raise ItemRefused(f"{package.path}: {fault}", fault.problems) from None
        except OSError as fault:
            raise ItemRefused(f"{package.path} cannot be unpacked: {fault.strerror}") from None
        return UnpackedPackage(archive.manifest.entry, archive.manifest.version)

    async def _index(self) -> RepositoryIndex:
        try:
            return parse_index((await self._repository.read(INDEX, INDEX_BYTES)).decode())
        except (RepositoryFault, BadIndex) as fault:
            raise ItemRefused(str(fault)) from None
        except UnicodeDecodeError:
            raise ItemRefused(f"{INDEX} of the repository is not UTF-8") from None

    async def _check_signature(self, package: IndexedPackage) -> None:
        """Check that a listed key has signed a package. Raises `ItemRefused`, `RepositoryFault`."""
        try:
            signatures = await self._repository.read(package.signature_path, SIGNATURE_BYTES)
        except NotInRepository:
            raise ItemRefused(f"{package.path} is not signed") from None
        if not is_signed(package.digest, signatures, self._keys):
            raise ItemRefused(f"{package.path} is signed by no key of `cluster_keys`")


def _unpack(archive: PackageArchive, folder: Path) -> None:
    """Write the files of an archive into a new folder. Raises `BadPackage`, `OSError`."""
    folder.mkdir(parents=True, mode=0o700)
    for name, content in archive.files():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as opened:
            opened.write(content)


def child_starter(environment: Mapping[str, str], data: Path, load_s: float) -> Start:
    """Return what starts the process of a group; `data` has a folder for the rows and states of each."""

    async def start(
        folder: Path, entry: str, relay: Callable[[ChildReport], None], ended: Callable[[], None]
    ) -> ServiceChild:
        command = [sys.executable, "-m", "bookshelf", "child", str(folder), entry, str(data / folder.name)]
        return await ServiceChild.start(command, environment, relay, ended, load_s)

    return start
