"""The folder of this machine in which files arrive, before they are stored elsewhere."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from hashlib import blake2b
from pathlib import Path
from shutil import rmtree
from tempfile import mkstemp
from typing import Any, BinaryIO, TypeVar

from bookshelf.media.port import BlobFault, check_name

#: A file that is older than this many seconds was given up.
GIVEN_UP_S = 3600.0
T = TypeVar("T")


class ArrivingFiles:
    """Receives blobs into files of a folder, which is made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tidied = 0.0

    @contextlib.asynccontextmanager
    async def received(self, name: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[BinaryIO, Path]]:
        """Write the content of a blob to a file, which is deleted at the end of the block.

        Raises `BlobFault`, and `ValueError` if the content is not that of the name.
        """
        await in_thread(self._tidy)
        descriptor, path = await in_thread(self._new_file)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                digest = blake2b(digest_size=32)
                async for piece in pieces:
                    digest.update(piece)
                    await in_thread(file.write, piece)
                _check_digest(name, digest.hexdigest())
                await in_thread(file.flush)
                yield file, Path(path)
        finally:
            await in_thread(Path(path).unlink, missing_ok=True)

    def _new_file(self) -> tuple[int, str]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return mkstemp(dir=self.folder)

    def _tidy(self) -> None:
        """Delete files that were given up, at most once in an hour."""
        now = time.time()
        if now - self._tidied < GIVEN_UP_S:
            return
        self._tidied = now
        for left in self.folder.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if now - left.stat().st_mtime <= GIVEN_UP_S:
                    continue
                if left.is_dir():
                    rmtree(left, ignore_errors=True)
                else:
                    left.unlink()


async def in_thread(work: Callable[..., T], *args: Any, **options: Any) -> T:  # noqa: ANN401 (those of the work)
    """Do work with files in a thread. Raises `BlobFault`, or FileNotFoundError."""
    try:
        return await asyncio.to_thread(work, *args, **options)
    except FileNotFoundError:
        raise
    except OSError as fault:
        raise BlobFault(f"the folder of blobs cannot be used: {fault.strerror or fault}") from fault


def _check_digest(name: str, digest: str) -> None:
    _, named, is_rendition = check_name(name)
    if not is_rendition and digest != named:
        msg = f"the content of {name} has the digest {digest}"
        raise ValueError(msg)
