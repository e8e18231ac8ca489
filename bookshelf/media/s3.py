"""Blobs in a bucket of S3, or of a server that speaks its protocol. Needs the extra `s3`.

An object's key is NAMESPACE/ab/cd/NAME, as the path of a file is in a folder of blobs. Objects appear whole
or not at all. See docs/decisions/0038-blobs-in-s3.md.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from bookshelf.http.message import BytesBody
from bookshelf.media.arriving import ArrivingFiles, in_thread
from bookshelf.media.port import PIECE, BlobFault, BlobInfo, BlobMissing, check_name

if TYPE_CHECKING:
    from obstore import BytesStream, ObjectMeta, PutMode

#: Seconds after which an object is written again: half of what a sweep lets stay.
RENEWED_S = 12 * 3600.0
#: Above so many bytes an object is written in parts of half of them.
IN_PARTS = 16 << 20
_PARTS_AT_ONCE = 4
#: Marks of blobs that are being discarded: no namespace, whose names are of letters.
_MARKS = "_discarding/"
#: Seconds after which a mark counts no more. Clocks may be apart by 15 minutes, or S3 refuses each request.
_MARK_S = 20 * 60.0
#: How often a put looks for a mark, and the seconds between.
_LOOKS, _PAUSE_S = 10, 0.2
#: Seconds for a short request, and for one that carries an object.
_SHORT_S, _LONG_S = 10.0, 60.0
_NAMESPACE = re.compile(r"[a-z]{1,32}", re.ASCII)


def open_bucket(bucket: str, endpoint: str | None) -> S3Store:
    """Return a bucket; nothing is sent yet. Credentials and region are those of the usual `AWS_` variables.

    `endpoint` is the server's URL, or None for that of AWS. Requests are encrypted unless it begins with
    `http:`.
    """
    return S3Store(
        bucket,
        config={} if endpoint is None else {"endpoint": endpoint.rstrip("/")},
        client_options={
            "allow_http": endpoint is not None and endpoint.startswith("http:"),
            "connect_timeout": "5s",
            "read_timeout": "30s",
            # of a whole response, however slowly it is read
            "timeout": "1h",
        },
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=_SHORT_S)},
    )


class S3Blobs:
    """Stores blobs in a bucket. `arriving` is a folder of this machine; `now` returns seconds since 1970."""

    def __init__(self, bucket: S3Store, arriving: Path, now: Callable[[], float] = time.time) -> None:
        self.bucket = bucket
        self._arriving = ArrivingFiles(arriving)
        self._now = now

    @property
    def unfinished(self) -> Path:
        """The folder of this machine for what is arriving. What was left there is deleted after an hour."""
        return self._arriving.folder

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        """Store a blob, or write it again if it is older than 12 hours. Raises `BlobFault`, `ValueError`."""
        check_name(name)
        async with self._arriving.received(name, pieces) as (file, path):
            size = await in_thread(lambda: path.stat().st_size)
            renewed = False
            for _ in range(_LOOKS):
                about = await self.stat(name)
                if about is None:
                    await self._write(name, file, size, "create")
                elif not renewed and (about.size != size or self._is_old(about)):
                    await self._write(name, file, size, "overwrite")
                    # look once more: a sweep that looked before that may have deleted it
                    renewed = True
                    continue
                if not await self._is_marked(name):
                    return
                await asyncio.sleep(_PAUSE_S)
        raise BlobFault("a sweep is deleting this blob; try again later")

    def _is_old(self, about: BlobInfo) -> bool:
        return self._now() - about.modified > RENEWED_S

    async def _write(self, name: str, file: BinaryIO, size: int, mode: "PutMode") -> None:
        file.seek(0)
        with _faults():
            try:
                if size > IN_PARTS:
                    # parts have no condition; the same bytes again do no harm
                    await self.bucket.put_async(
                        _key(name), file, chunk_size=IN_PARTS // 2, max_concurrency=_PARTS_AT_ONCE
                    )
                    return
                content = await in_thread(file.read)
                async with asyncio.timeout(_LONG_S):
                    await self.bucket.put_async(_key(name), content, mode=mode, use_multipart=False)
            except AlreadyExistsError:
                return  # another put of the same bytes was first

    async def open(self, name: str, part: range | None = None) -> tuple[BlobInfo, AsyncIterator[bytes]]:
        """Return a blob and its bytes, or a part of them. Raises `BlobFault`, `BlobMissing`, `ValueError`."""
        if part is not None and not part:
            about = await self.stat(name)
            if about is None:
                raise BlobMissing(name)
            return about, BytesBody(b"").stream()
        key = _key(name)
        with _faults(BlobMissing(name)):
            async with asyncio.timeout(_SHORT_S):
                found = await self.bucket.get_async(
                    key, options={} if part is None else {"range": (part.start, part.stop)}
                )
            return _info(name, found.meta), _pieces(found.stream(PIECE))

    async def stat(self, name: str) -> BlobInfo | None:
        """Return what a blob is; None if there is none. Raises `BlobFault`, `ValueError`."""
        return await self._look(name, _key(name))

    async def _look(self, name: str, key: str) -> BlobInfo | None:
        try:
            with _faults(BlobMissing(name)):
                async with asyncio.timeout(_SHORT_S):
                    return _info(name, await self.bucket.head_async(key))
        except BlobMissing:
            return None

    async def delete(self, name: str) -> None:
        """Delete a blob. Raises `BlobFault`, `ValueError`."""
        await self._remove(_key(name))

    async def _remove(self, key: str) -> None:
        with _faults():
            async with asyncio.timeout(_SHORT_S):
                await self.bucket.delete_async(key)

    async def discard(self, about: BlobInfo) -> bool:
        """Delete a blob unless it was put again since `about` was read; return True if it is deleted.

        Meanwhile there is a mark, and a put that sees it waits. The mark counts for 20 minutes if the outcome
        is unknown. Raises `BlobFault`, `ValueError`.
        """
        async with self._marked(about.name) as is_mine:
            if not is_mine or await self.stat(about.name) != _to_seconds(about):
                return False
            await self.delete(about.name)
            return True

    @asynccontextmanager
    async def _marked(self, name: str) -> AsyncIterator[bool]:
        """Mark a blob, and yield True, unless another sweep has done so; the mark stays after a fault."""
        key = _MARKS + _key(name)
        try:
            with _faults():
                async with asyncio.timeout(_SHORT_S):
                    await self.bucket.put_async(key, b"", mode="create", use_multipart=False)
        except AlreadyExistsError:
            if not await self._is_marked(name):
                await self._remove(key)
            yield False
            return
        yield True
        await self._remove(key)

    async def _is_marked(self, name: str) -> bool:
        mark = await self._look(name, _MARKS + _key(name))
        return mark is not None and time.time() - mark.modified < _MARK_S

    async def namespaces(self) -> frozenset[str]:
        """Return the namespaces that have blobs. Raises `BlobFault`."""
        with _faults():
            async with asyncio.timeout(_LONG_S):
                found = await self.bucket.list_with_delimiter_async()
        return frozenset(name for name in found["common_prefixes"] if _NAMESPACE.fullmatch(name))

    async def list(self, namespace: str) -> AsyncIterator[BlobInfo]:
        """Yield every blob of a namespace, in the order of S3, which is that of names. Raises `BlobFault`."""
        found = self.bucket.list(f"{namespace}/", chunk_size=1000)
        while True:
            with _faults():
                async with asyncio.timeout(_LONG_S):
                    batch = await anext(found, None)
            if batch is None:
                return
            for about in batch:
                name = f"{namespace}/{about['path'].rpartition('/')[2]}"
                if about["path"] == _key(name):
                    yield _info(name, about)


def _key(name: str) -> str:
    namespace, digest, _ = check_name(name)
    return f"{namespace}/{digest[:2]}/{digest[2:4]}/{name.partition('/')[2]}"


def _info(name: str, about: "ObjectMeta") -> BlobInfo:
    return _to_seconds(BlobInfo(name, about["size"], about["last_modified"].timestamp()))


def _to_seconds(about: BlobInfo) -> BlobInfo:
    """Cut a time to seconds: some servers give parts of them in lists, and none elsewhere."""
    return BlobInfo(about.name, about.size, float(int(about.modified)))


@contextmanager
def _faults(missing: Exception | None = None) -> Iterator[None]:
    """Raise what goes wrong as `BlobFault`, or as `missing` if there is no such object."""
    try:
        yield
    except AlreadyExistsError:
        raise
    except FileNotFoundError as fault:
        if missing is None or "NoSuchBucket" in str(fault):
            raise BlobFault("there is no such bucket") from fault
        raise missing from None
    except TimeoutError as fault:
        raise BlobFault("the bucket cannot be used: it does not answer in time") from fault
    except (BaseError, OSError) as fault:
        raise BlobFault(f"the bucket cannot be used: {str(fault).partition(chr(10))[0][:300]}") from fault


async def _pieces(stream: "BytesStream") -> AsyncIterator[bytes]:
    while True:
        with _faults():
            piece = await anext(stream, None)
        if piece is None:
            return
        yield bytes(piece)
