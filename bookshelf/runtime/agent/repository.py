"""The repository of a domain: a folder, or the address of a web server; and the cache of its packages.

Everything is taken by its digest, so that neither has to be trusted.
"""

import asyncio
import contextlib
import os
import re
import ssl
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from bookshelf.http.client import NoResponse, RemoteHandler, Unreachable
from bookshelf.http.message import BrokenBody, TooLarge, read_response, request

#: Seconds for one file.
_FILE_S = 25.0
_OK, _NOT_FOUND = 200, 404
_PATH = re.compile(r"([a-z]{1,20}/)?[A-Za-z0-9][A-Za-z0-9._+-]{0,199}", re.ASCII)
_BASE = re.compile(r"(/[A-Za-z0-9._~%+-]*)*", re.ASCII)


class RepositoryFault(Exception):
    """The repository cannot be read, or has something else; the message names the file."""


class NotInRepository(RepositoryFault):
    """The repository has no such file."""


class Repository(Protocol):
    """Reads the files of a repository."""

    async def read(self, path: str, most: int) -> bytes:
        """Return the content of a file, at most so many bytes.

        Raises `RepositoryFault`, `NotInRepository`.
        """

    async def close(self) -> None:
        """Close the connections."""


class FolderRepository:
    """A repository in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def read(self, path: str, most: int) -> bytes:
        """Return the content of a file. Raises `RepositoryFault`, `NotInRepository`."""
        return await asyncio.to_thread(self._read, _checked(path), most)

    def _read(self, path: str, most: int) -> bytes:
        try:
            with (self.folder / path).open("rb") as file:
                content = file.read(most + 1)
        except FileNotFoundError:
            raise NotInRepository(f"the repository has no {path}") from None
        except OSError as fault:
            raise RepositoryFault(f"{path} of the repository cannot be read: {fault.strerror}") from None
        if len(content) > most:
            raise RepositoryFault(f"{path} of the repository has more than {most} bytes")
        return content

    async def close(self) -> None:
        """Return; a folder is not kept open."""


class WebRepository:
    """A repository at an address of a web server. Redirects are not followed."""

    def __init__(self, url: str, *, tls: ssl.SSLContext | None = None, file_s: float = _FILE_S) -> None:
        self._base = urlsplit(url).path.rstrip("/")
        if _BASE.fullmatch(self._base) is None:
            raise RepositoryFault("the address of the repository has a path that cannot be used")
        self._server = RemoteHandler(url, 4, tls=tls, answer_s=file_s)
        self._file_s = file_s

    async def read(self, path: str, most: int) -> bytes:
        """Return the content of a file. Raises `RepositoryFault`, `NotInRepository`."""
        target = f"{self._base}/{_checked(path).replace('+', '%2B')}"
        try:
            async with asyncio.timeout(self._file_s):
                answer = await self._server.handle(request("GET", target, Accept="*/*"))
                content = await read_response(answer, most if answer.status == _OK else 1 << 20)
        except TooLarge:
            raise RepositoryFault(f"{path} of the repository has more than {most} bytes") from None
        except (Unreachable, NoResponse, BrokenBody) as fault:
            raise RepositoryFault(f"the repository cannot be reached for {path}: {fault}") from None
        except TimeoutError:
            raise RepositoryFault(f"{path} of the repository has not come in {self._file_s:g} s") from None
        if answer.status == _NOT_FOUND:
            raise NotInRepository(f"the repository has no {path}")
        if answer.status != _OK:
            raise RepositoryFault(f"the repository answers {path} with status {answer.status}")
        return content

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()


def _checked(path: str) -> str:
    if _PATH.fullmatch(path) is None:
        raise RepositoryFault(f"{path[:200]!r} is no path in a repository")
    return path


def open_repository(location: str) -> Repository:
    """Return the repository at a folder, absolute or relative, or at an address with file:, http: or https:.

    Raises `RepositoryFault`.
    """
    scheme, colon, _ = location.partition(":")
    if not location or not colon or "/" in scheme:
        if not location:
            raise RepositoryFault("no repository is set")
        return FolderRepository(Path(location).expanduser())
    try:
        parts = urlsplit(location)
        usable = parts.port is None or parts.port > 0
    except ValueError:
        usable = False
    if scheme == "file" and usable and parts.netloc in {"", "localhost"} and parts.path.startswith("/"):
        return FolderRepository(Path(unquote(parts.path)))
    if scheme in {"http", "https"} and usable and parts.hostname and parts.username is None:
        if parts.query or parts.fragment:
            raise RepositoryFault("the address of the repository must end with its path")
        return WebRepository(location)
    raise RepositoryFault(
        "the repository must be a folder, or an address like https://HOST/PATH or file:///PATH"
    )


def folder_of(location: str) -> Path | None:
    """Return the folder of a repository on this machine; None without one, or for one of a web server.

    Raises `RepositoryFault`.
    """
    if not location:
        return None
    repository = open_repository(location)
    return repository.folder if isinstance(repository, FolderRepository) else None


class PackageCache:
    """The archives that this node has fetched, by their digests."""

    def __init__(self, folder: Path, repository: Repository) -> None:
        self._folder = folder
        self._repository = repository

    async def fetch(self, path: str, digest: str, most: int) -> bytes:
        """Return a file of the repository with this digest, from the cache if it is there.

        Raises `RepositoryFault`, also for a file with another digest.
        """
        cached = self._folder / f"{digest}.pack"
        content = await asyncio.to_thread(_read_if_there, cached)
        if content is not None and sha256(content).hexdigest() == digest:
            return content
        content = await self._repository.read(path, most)
        if sha256(content).hexdigest() != digest:
            raise RepositoryFault(f"{path} of the repository has another digest than the change states")
        # a cache that cannot be written costs another transfer, and nothing else
        with contextlib.suppress(OSError):
            await asyncio.to_thread(_write, cached, content)
        return content


def _read_if_there(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        new.write_bytes(content)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
