"""A read-only or full disk: reported in one line at the start, and survived while running."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.client import Client
from support.process import bookshelf
from support.program import Program
from support.small_disk import SmallDisk, tiny_disk
from support.until import until

BOOK = {"title": "Kim", "author": "Rudyard Kipling"}


def up(data: Path) -> str:
    """Try to run a shelf; return its error line."""
    return bookshelf("up", "--data", data, "--port", "0", "--service-ports", "auto").complaint


@contextmanager
def locked(folder: Path) -> Iterator[Path]:
    """Let nothing be written below a folder: by its mode, or for root, which ignores modes, by a mount."""
    if os.geteuid() == 0:
        with tiny_disk(folder.with_name("disk"), "4m") as disk:
            copied = shutil.copytree(folder, disk.path / folder.name)
            disk.read_only()
            yield copied
        return
    folder.chmod(0o500)
    try:
        yield folder
    finally:
        folder.chmod(0o700)


def test_a_new_shelf_on_a_read_only_disk_is_refused(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    with locked(tmp_path / "here") as folder:
        said = up(folder / "new")
    assert "cannot be written" in said
    assert "--data" in said


def test_an_existing_shelf_on_a_read_only_disk_is_refused(tmp_path: Path) -> None:
    with Program(tmp_path / "data").ready() as running:
        running.client.add("Kim")
        running.stop()
    with locked(tmp_path / "data") as folder:
        before = contents(folder)
        assert str(folder) in up(folder)
        assert contents(folder) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with tiny_disk(tmp_path / "disk", "6m") as made:
        yield made


def test_a_new_shelf_on_a_full_disk_is_refused(disk: SmallDisk) -> None:
    disk.fill()
    said = up(disk.path / "data")
    assert "free space" in said or "No space" in said


def test_an_existing_shelf_on_a_full_disk_answers_queries(disk: SmallDisk) -> None:
    with Program(disk.path / "data").ready() as running:
        book = running.client.add("Kim")
        running.stop()
    disk.fill()
    said = up(disk.path / "data")
    assert "space" in said or "full" in said
    disk.relieve()
    with Program(disk.path / "data").ready() as running:
        assert running.client.books() == [book]


def test_a_disk_that_fills_up_stops_only_commands(disk: SmallDisk) -> None:
    with Program(disk.path / "data").ready() as running:
        client = running.client
        told = fill_up(client, disk)
        anyone = running.client
        assert {book["id"] for book in anyone.every_book()} <= set(told)
        assert anyone.get(f"/books/{told[0]}/history").status == 200
        assert anyone.get("/books/last/read").status == 200
        assert client.post("/books", BOOK).problem == "unavailable"
        disk.relieve()
        until(lambda: client.post("/books", BOOK, Idempotency_Key="once").status == 201, "it goes on")
        found = ids(client)
        assert len(found) == len(told) + 1
        assert set(told) < set(found)
        assert client.post(f"/books/{told[0]}/finished").status == 204
        running.kill()
    with Program(disk.path / "data").ready() as running:
        assert len(ids(running.client)) == len(told) + 1


def ids(client: Client) -> list[str]:
    return [book["id"] for book in client.every_book()]


def fill_up(client: Client, disk: SmallDisk) -> list[str]:
    """Add books until the disk has no room for one more; return the ids of those that were taken."""
    told = [client.add("First")["id"]]
    assert len(client.books()) == 1
    disk.fill()
    for number in range(10_000):
        reply = client.post("/books", {"title": f"Book {number}", "author": "x", "notes": "n" * 5000})
        if reply.status == 503:
            assert reply.problem == "unavailable"
            assert reply.headers["retry-after"]
            return told
        told.append(reply.json["id"])
    pytest.fail("the disk never was full")
