"""Blobs in memory: what is read again, what is not, and for how long."""

from collections.abc import AsyncIterator

import pytest
from contract.blob_contract import put, read

from bookshelf.media.hot_blobs import HotBlobs
from bookshelf.media.memory import MemoryBlobs
from bookshelf.media.port import BlobInfo, BlobMissing

MIB = 1 << 20


class CountedBlobs(MemoryBlobs):
    """Counts its reads."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    async def open(self, name: str, part: range | None = None) -> tuple[BlobInfo, AsyncIterator[bytes]]:
        self.reads += 1
        return await super().open(name, part)


@pytest.fixture
def store() -> CountedBlobs:
    return CountedBlobs()


async def test_a_small_blob_is_read_once_and_its_parts_too(store: CountedBlobs) -> None:
    blobs = HotBlobs(store)
    name = await put(blobs, b"a picture")
    for _ in range(3):
        assert await read(blobs, name) == b"a picture"
    _, part = await blobs.open(name, range(2, 9))
    assert b"".join([piece async for piece in part]) == b"picture"
    assert store.reads == 1


async def test_a_large_blob_stays_in_its_storage(store: CountedBlobs) -> None:
    blobs = HotBlobs(store)
    name = await put(blobs, bytes(MIB + 1))
    assert len(await read(blobs, name)) == len(await read(blobs, name)) == MIB + 1
    assert store.reads == 2


async def test_the_bytes_in_memory_are_bounded_and_the_oldest_go_first(store: CountedBlobs) -> None:
    blobs = HotBlobs(store)
    names = [await put(blobs, bytes([number]) * MIB) for number in range(33)]
    for name in (*names, names[32], names[1]):
        await read(blobs, name)
    assert store.reads == 33
    await read(blobs, names[0])
    assert store.reads == 34


async def test_what_another_process_deleted_is_missing_after_a_minute(store: CountedBlobs) -> None:
    now = 0.0
    blobs = HotBlobs(store, lambda: now)
    name = await put(blobs, b"x")
    assert await read(blobs, name) == b"x"
    await store.delete(name)
    assert await blobs.stat(name) is None
    now = 59.0
    assert await read(blobs, name) == b"x"
    now = 60.0
    with pytest.raises(BlobMissing):
        await blobs.open(name)


async def test_what_is_deleted_here_is_missing_at_once(store: CountedBlobs) -> None:
    blobs = HotBlobs(store)
    for delete in (lambda about: blobs.delete(about.name), blobs.discard):
        name = await put(blobs, b"x")
        assert await read(blobs, name) == b"x"
        about = await blobs.stat(name)
        assert about is not None
        await delete(about)
        with pytest.raises(BlobMissing):
            await blobs.open(name)


async def test_a_blob_that_is_deleted_while_it_is_read_is_not_kept() -> None:
    class DeletedOnTheWay(CountedBlobs):
        async def open(self, name: str, part: range | None = None) -> tuple[BlobInfo, AsyncIterator[bytes]]:
            found = await super().open(name, part)
            await blobs.delete(name)
            return found

    blobs = HotBlobs(DeletedOnTheWay())
    name = await put(blobs, b"x")
    assert await read(blobs, name) == b"x"
    with pytest.raises(BlobMissing):
        await blobs.open(name)
