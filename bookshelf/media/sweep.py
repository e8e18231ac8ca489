"""Deletes blobs that nothing refers to: those of one namespace, and never ones that were put lately."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection

from bookshelf.media.port import BlobInfo, BlobStore, check_name

#: Seconds for which a blob stays that nothing refers to: something may be about to.
KEPT_S = 24 * 3600.0
_BATCH = 500
#: Returns those of these digests that something refers to, as of now or later.
Named = Callable[[Collection[str]], Awaitable[Collection[str]]]


async def find_unused(
    blobs: BlobStore, namespace: str, named: Named, now_s: float, kept_s: float = KEPT_S
) -> AsyncIterator[BlobInfo]:
    """Yield the blobs of a namespace that nothing refers to, and that were not put for `kept_s` seconds.

    `named` is asked after the times of the blobs were read, for many at once. `now_s`: seconds since 1970.
    Raises `BlobFault`, and what `named` raises.
    """
    old: list[BlobInfo] = []
    async for blob in blobs.list(namespace):
        if blob.modified <= now_s - kept_s:
            old.append(blob)
        if len(old) >= _BATCH:
            for unused in await _unnamed(old, named):
                yield unused
            old = []
    for unused in await _unnamed(old, named):
        yield unused


async def _unnamed(old: list[BlobInfo], named: Named) -> list[BlobInfo]:
    if not old:
        return []
    digests = {blob.name: check_name(blob.name)[1] for blob in old}
    kept = frozenset(await named(frozenset(digests.values())))
    return [blob for blob in old if digests[blob.name] not in kept]


async def sweep(
    blobs: BlobStore, namespace: str, named: Named, now_s: float, kept_s: float = KEPT_S
) -> AsyncIterator[BlobInfo]:
    """Delete what `find_unused` yields, unless it was put again meanwhile, and yield what was deleted.

    It can be ended at any point and started anew, and may run twice at once. Raises `BlobFault`.
    """
    async for blob in find_unused(blobs, namespace, named, now_s, kept_s):
        if await blobs.discard(blob):
            yield blob
