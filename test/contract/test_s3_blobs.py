"""Blobs in S3: the contract on moto's server, and what a bucket alone can do."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from contract.blob_contract import BlobContract, name_of, names, put, read
from support import s3_server

from bookshelf.media.port import BlobFault, BlobInfo

pytest.importorskip("obstore", reason="the extra s3 is not installed")

from obstore.store import S3Store

from bookshelf.media.s3 import IN_PARTS, RENEWED_S, S3Blobs, open_bucket


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(s3: s3_server.S3Server) -> S3Store:
    return open_bucket(s3.new_bucket(), s3.endpoint)


@pytest.fixture
def blobs(bucket: S3Store, tmp_path: Path) -> S3Blobs:
    return S3Blobs(bucket, tmp_path / "tmp")


def later() -> float:
    """Return a time at which what is put now is written again."""
    return time.time() + RENEWED_S + 60


class Watched:
    """A bucket that lists the requests of a put."""

    def __init__(self, bucket: S3Store) -> None:
        self._bucket = bucket
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever it is)
        if name == "put_async":
            self.asked.append(name)
        return getattr(self._bucket, name)


class TestS3Blobs(BlobContract):
    """In a bucket."""

    async def test_keys_are_the_paths_of_a_folder(self, blobs: S3Blobs, bucket: S3Store) -> None:
        name = await put(blobs, b"x")
        digest = name.partition("/")[2]
        [batch] = [batch async for batch in bucket.list()]
        assert [about["path"] for about in batch] == [f"covers/{digest[:2]}/{digest[2:4]}/{digest}"]

    async def test_nothing_stays_on_this_machine(self, blobs: S3Blobs) -> None:
        await put(blobs, b"x")
        assert list(blobs.unfinished.iterdir()) == []

    async def test_a_blob_of_more_than_a_part_is_read_as_it_was_put(self, blobs: S3Blobs) -> None:
        content = b"0123456789abcdef" * (IN_PARTS // 16) + b"end"
        name = await put(blobs, content)
        assert await read(blobs, name) == content
        _, stream = await blobs.open(name, range(IN_PARTS - 1, IN_PARTS + 3))
        assert b"".join([piece async for piece in stream]) == b"fend"

    async def test_a_young_blob_is_not_written_again(self, bucket: S3Store, tmp_path: Path) -> None:
        watched = Watched(bucket)
        blobs = S3Blobs(watched, tmp_path)  # type: ignore[arg-type]  # it forwards all
        await put(blobs, b"x")
        await put(blobs, b"x")
        assert watched.asked.count("put_async") == 1

    async def test_a_blob_that_is_older_than_12_hours_is_written_again(
        self, bucket: S3Store, tmp_path: Path
    ) -> None:
        watched = Watched(bucket)
        await put(S3Blobs(bucket, tmp_path), b"x")
        blobs = S3Blobs(watched, tmp_path, later)  # type: ignore[arg-type]  # as above
        name = await put(blobs, b"x")
        assert watched.asked.count("put_async") == 1
        assert await read(blobs, name) == b"x"

    async def test_a_second_create_is_refused_by_the_bucket(self, blobs: S3Blobs, bucket: S3Store) -> None:
        """The server knows If-None-Match, or the tests of marks would prove nothing."""
        name = await put(blobs, b"x")
        assert not await blobs.discard(msgspec.structs.replace(await known(blobs, name), modified=1.0))
        async with blobs._marked(name) as first, blobs._marked(name) as second:  # noqa: SLF001 (as above)
            assert (first, second) == (True, False)
        assert await marks(bucket) == []

    async def test_a_blob_that_is_put_while_a_sweep_deletes_it_is_there(
        self, bucket: S3Store, tmp_path: Path
    ) -> None:
        """The sweep has looked, then the bytes are put again, then it deletes."""
        blobs, again = S3Blobs(bucket, tmp_path / "a"), S3Blobs(bucket, tmp_path / "b", later)
        name = await put(blobs, b"x")
        async with blobs._marked(name):  # noqa: SLF001 (a sweep at any point)
            with pytest.raises(BlobFault, match="a sweep is deleting"):
                await put(again, b"x")
            await blobs.delete(name)
        assert await blobs.stat(name) is None
        await put(again, b"x")
        assert await read(blobs, name) == b"x"

    async def test_a_put_waits_for_a_sweep_and_puts_again_what_it_deleted(
        self, bucket: S3Store, tmp_path: Path
    ) -> None:
        blobs = S3Blobs(bucket, tmp_path / "a")
        name = await put(blobs, b"x")
        sweep = blobs._marked(name)  # noqa: SLF001 (one that has looked at the old blob)
        assert await sweep.__aenter__()

        class Deleting(Watched):
            """Has the sweep end once its mark was seen."""

            async def head_async(self, key: str) -> object:
                found = await bucket.head_async(key)
                if key.startswith("_"):
                    await blobs.delete(name)
                    await sweep.__aexit__(None, None, None)
                    self.asked.append("deleted")
                return found

        deleting = Deleting(bucket)
        await put(S3Blobs(deleting, tmp_path / "b", later), b"x")  # type: ignore[arg-type]  # it forwards all
        assert deleting.asked == ["put_async", "deleted", "put_async"]
        assert await read(blobs, name) == b"x"

    async def test_two_sweeps_do_not_delete_a_blob_at_once(self, blobs: S3Blobs, bucket: S3Store) -> None:
        name = await put(blobs, b"x")
        async with blobs._marked(name):  # noqa: SLF001 (another sweep)
            assert not await blobs.discard(await known(blobs, name))
        assert await blobs.discard(await known(blobs, name))
        assert await marks(bucket) == []

    async def test_marks_are_no_namespace(self, blobs: S3Blobs) -> None:
        name = await put(blobs, b"x")
        async with blobs._marked(name):  # noqa: SLF001 (a sweep)
            assert await blobs.namespaces() == {"covers"}
            assert await names(blobs, "covers") == [name]

    async def test_a_bucket_that_does_not_exist_is_a_fault(
        self, s3: s3_server.S3Server, tmp_path: Path
    ) -> None:
        blobs = S3Blobs(open_bucket("test-missing", s3.endpoint), tmp_path)
        with pytest.raises(BlobFault, match="no such bucket"):
            await put(blobs, b"x")
        with pytest.raises(BlobFault, match="no such bucket"):
            await blobs.open(name_of(b"x"))
        with pytest.raises(BlobFault):
            await blobs.namespaces()


async def known(blobs: S3Blobs, name: str) -> BlobInfo:
    found = await blobs.stat(name)
    assert found is not None
    return found


async def marks(bucket: S3Store) -> list[str]:
    return [about["path"] async for batch in bucket.list("_discarding/") for about in batch]


async def test_nothing_is_sent_unencrypted_unless_the_address_is_of_http(
    s3: s3_server.S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    bucket = s3.new_bucket()
    await put(S3Blobs(open_bucket(bucket, s3.endpoint), tmp_path), b"x")
    with pytest.raises(BlobFault, match="the bucket cannot be used"):
        await put(S3Blobs(open_bucket(bucket, None), tmp_path), b"x")


class TestS3Faults:
    """On a server of its own, which is stopped and killed."""

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[s3_server.S3Server]:
        with s3_server.running(tmp_path) as server:
            yield server

    async def test_a_server_that_is_gone_is_a_fault_and_no_missing_blob(
        self, server: s3_server.S3Server, tmp_path: Path
    ) -> None:
        blobs = S3Blobs(open_bucket(server.new_bucket(), server.endpoint), tmp_path / "tmp")
        name = await put(blobs, b"x")
        server.stop()
        for asked in (put(blobs, b"y"), blobs.stat(name), blobs.delete(name), blobs.namespaces()):
            with pytest.raises(BlobFault, match="the bucket cannot be used"):
                await asked
        with pytest.raises(BlobFault, match="the bucket cannot be used"):
            await blobs.open(name)
        with pytest.raises(BlobFault, match="the bucket cannot be used"):
            await names(blobs, "covers")
        assert list(blobs.unfinished.iterdir()) == []

    @pytest.mark.slow
    async def test_a_server_that_does_not_answer_is_a_fault_in_time(
        self, server: s3_server.S3Server, tmp_path: Path
    ) -> None:
        blobs = S3Blobs(open_bucket(server.new_bucket(), server.endpoint), tmp_path / "tmp")
        server.signal(signal.SIGSTOP)
        with pytest.raises(BlobFault, match="does not answer in time"):
            await blobs.stat(name_of(b"x"))
