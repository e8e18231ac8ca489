"""What every blob storage does."""

from collections.abc import AsyncIterator
from hashlib import blake2b

import msgspec
import pytest
from support.upstream import pieces

from bookshelf.media.port import BlobMissing, BlobStore


def name_of(content: bytes, namespace: str = "covers", rendition: str = "") -> str:
    return f"{namespace}/{blake2b(content, digest_size=32).hexdigest()}{rendition}"


async def put(blobs: BlobStore, content: bytes, namespace: str = "covers") -> str:
    await blobs.put(name := name_of(content, namespace), pieces(content[:3], content[3:]))
    return name


async def read(blobs: BlobStore, name: str) -> bytes:
    about, stream = await blobs.open(name)
    content = b"".join([piece async for piece in stream])
    assert (about.name, about.size) == (name, len(content))
    return content


async def names(blobs: BlobStore, namespace: str) -> list[str]:
    return [blob.name async for blob in blobs.list(namespace)]


class BlobContract:
    """Inherit, and give a fixture `blobs`."""

    async def test_a_blob_is_read_as_it_was_put(self, blobs: BlobStore) -> None:
        for content in (b"", b"a picture", b"long" * 100_000):
            name = await put(blobs, content)
            assert await read(blobs, name) == content
            found = await blobs.stat(name)
            assert found is not None
            assert found.size == len(content)

    async def test_a_part_of_a_blob_is_read_with_the_size_of_all(self, blobs: BlobStore) -> None:
        name = await put(blobs, content := bytes(range(256)) * 1000)
        for part in (range(5), range(100, 200_000), range(255_999, 256_000), range(7, 7)):
            about, stream = await blobs.open(name, part)
            assert about.size == len(content)
            assert b"".join([piece async for piece in stream]) == content[part.start : part.stop]

    async def test_a_blob_that_was_never_put_is_missing(self, blobs: BlobStore) -> None:
        assert await blobs.stat(name_of(b"x")) is None
        with pytest.raises(BlobMissing):
            await blobs.open(name_of(b"x"))
        assert await names(blobs, "covers") == []

    async def test_a_second_put_renews_the_time_and_nothing_else(self, blobs: BlobStore) -> None:
        name = await put(blobs, b"same")
        first = await blobs.stat(name)
        assert await put(blobs, b"same") == name
        second = await blobs.stat(name)
        assert first is not None
        assert second is not None
        assert second.modified >= first.modified
        assert await names(blobs, "covers") == [name]

    async def test_content_with_another_digest_is_refused_and_not_stored(self, blobs: BlobStore) -> None:
        name = name_of(b"one")
        with pytest.raises(ValueError, match="digest"):
            await blobs.put(name, pieces(b"another"))
        assert await blobs.stat(name) is None

    async def test_a_rendition_has_the_digest_of_its_picture(self, blobs: BlobStore) -> None:
        name = name_of(b"picture", rendition="-240")
        await blobs.put(name, pieces(b"smaller"))
        assert await read(blobs, name) == b"smaller"
        assert await blobs.stat(name_of(b"picture")) is None

    async def test_a_deleted_blob_is_gone_and_deleting_it_again_is_no_error(self, blobs: BlobStore) -> None:
        name = await put(blobs, b"x")
        await blobs.delete(name)
        await blobs.delete(name)
        assert await blobs.stat(name) is None

    async def test_a_blob_is_discarded_unless_it_was_put_again(self, blobs: BlobStore) -> None:
        name = await put(blobs, b"x")
        first = await blobs.stat(name)
        assert first is not None
        older = msgspec.structs.replace(first, modified=first.modified - 1)
        assert not await blobs.discard(older)
        assert await read(blobs, name) == b"x"
        assert await blobs.discard(first)
        assert await blobs.stat(name) is None
        assert not await blobs.discard(first)

    async def test_namespaces_are_listed(self, blobs: BlobStore) -> None:
        await put(blobs, b"x")
        await put(blobs, b"x", "photos")
        assert await blobs.namespaces() == {"covers", "photos"}

    async def test_namespaces_are_apart(self, blobs: BlobStore) -> None:
        cover, photo = await put(blobs, b"x"), await put(blobs, b"x", "photos")
        await blobs.delete(cover)
        assert await names(blobs, "covers") == []
        assert await names(blobs, "photos") == [photo]

    async def test_blobs_are_listed_by_name(self, blobs: BlobStore) -> None:
        made = [await put(blobs, b"%d" % number) for number in range(20)]
        assert await names(blobs, "covers") == sorted(made)

    async def test_a_body_that_breaks_off_stores_nothing(self, blobs: BlobStore) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield b"half"
            raise ConnectionError("it broke off")

        with pytest.raises(ConnectionError):
            await blobs.put(name_of(b"half"), broken())
        assert await blobs.stat(name_of(b"half")) is None

    @pytest.mark.parametrize(
        "name",
        [
            "covers",
            "covers/x",
            f"covers/{'a' * 63}",
            f"../{'a' * 64}",
            f"covers/{'A' * 64}",
            f"covers/{'a' * 64}/",
        ],
    )
    async def test_any_other_name_is_refused(self, blobs: BlobStore, name: str) -> None:
        for refused in (
            blobs.put(name, pieces(b"x")),
            blobs.open(name),
            blobs.stat(name),
            blobs.delete(name),
        ):
            with pytest.raises(ValueError, match="no name of a blob"):
                await refused
