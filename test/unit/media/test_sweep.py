"""Which blobs a sweep deletes."""

from collections.abc import Collection
from hashlib import blake2b

from support.upstream import pieces

from bookshelf.media.memory import MemoryBlobs
from bookshelf.media.sweep import find_unused, sweep

NOW_S, DAY_S = 1_000_000.0, 86_400.0


class SettableClock:
    """The time of puts, in seconds."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def stored(numbers: Collection[int]) -> tuple[MemoryBlobs, SettableClock, list[str]]:
    clock = SettableClock()
    blobs = MemoryBlobs(clock)
    names = []
    for number in numbers:
        content = b"%d" % number
        names.append(f"photos/{blake2b(content, digest_size=32).hexdigest()}")
        await blobs.put(names[-1], pieces(content))
    return blobs, clock, names


async def test_only_old_blobs_of_the_namespace_that_nothing_names_are_deleted() -> None:
    blobs, clock, names = await stored(range(3))
    await blobs.put(names[0].replace("photos", "files"), pieces(b"0"))
    clock.now_s = NOW_S - DAY_S + 1
    await blobs.put(names[1], pieces(b"1"))

    async def named(digests: Collection[str]) -> Collection[str]:
        assert names[1].removeprefix("photos/") not in digests  # it is young
        return {names[2].removeprefix("photos/")}

    unused = [blob.name async for blob in find_unused(blobs, "photos", named, NOW_S, DAY_S)]
    assert unused == [names[0]]
    assert [blob.name async for blob in sweep(blobs, "photos", named, NOW_S, DAY_S)] == [names[0]]
    assert await blobs.namespaces() == {"photos", "files"}
    assert [blob.name async for blob in sweep(blobs, "photos", named, NOW_S, DAY_S)] == []


async def test_a_blob_that_is_put_while_names_are_read_stays() -> None:
    blobs, clock, names = await stored([7])

    async def named(_digests: Collection[str]) -> Collection[str]:
        clock.now_s = NOW_S
        await blobs.put(names[0], pieces(b"7"))
        return ()

    assert [blob.name async for blob in sweep(blobs, "photos", named, NOW_S, DAY_S)] == []
    assert await blobs.stat(names[0]) is not None


async def test_many_blobs_are_asked_for_in_few_steps() -> None:
    blobs, _, names = await stored(range(1201))
    asked: list[int] = []

    async def named(digests: Collection[str]) -> Collection[str]:
        asked.append(len(digests))
        return ()

    assert len([blob async for blob in find_unused(blobs, "photos", named, NOW_S)]) == len(names)
    assert asked == [500, 500, 201]
