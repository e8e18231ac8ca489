"""A log that is set back to an earlier copy and extended: views and stored states give up the lost part."""

import shutil
from pathlib import Path

import pytest
from chaos.expected_state import ExpectedState, check_views
from support.client import Client
from support.program import Program

pytestmark = pytest.mark.chaos


def write_books(client: Client, name: str, count: int) -> list[str]:
    """Add books, change and finish some of them; return their ids."""
    books: list[str] = [client.add(f"{name} {number}")["id"] for number in range(count)]
    for book in books[::2]:
        assert client.patch(f"/books/{book}", {"notes": f"{name} {book}"}).status == 200
    for book in books[::3]:
        said = {"review": f"{name} {book}", "finished": "2024-02-29"}
        assert client.post(f"/books/{book}/finished", said).status == 204
    return books


def replace_log(data: Path, source: Path) -> None:
    """Put the log of another shelf in the place of this one's."""
    for left in data.glob("log.sqlite*"):
        left.unlink()
    for file in source.glob("log.sqlite*"):
        shutil.copy2(file, data / file.name)


@pytest.mark.parametrize(("ended", "extended"), [("killed", True), ("in order", False)])
def test_a_shelf_with_a_restored_log_answers_from_that_log(
    tmp_path: Path, ended: str, *, extended: bool
) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    with Program(data).ready() as up:
        kept = write_books(up.client, "kept", 6)
        assert up.stop().well
    shutil.copytree(data, copy)
    with Program(data).ready() as up:
        lost = write_books(up.client, "lost", 9)
        assert up.client.patch(f"/books/{kept[0]}", {"notes": "of the lost part"}).status == 200
        check_views(up.client, ExpectedState(data))
        assert (up.stop() if ended == "in order" else up.kill()) is not None
    if extended:
        with Program(copy).ready() as up:
            write_books(up.client, "instead", 30)
            assert up.stop().well
    replace_log(data, copy)
    with Program(data).ready() as up:
        check_views(up.client, ExpectedState(data))
        for book in lost:
            assert up.client.patch(f"/books/{book}", {"notes": "after"}).status == 404
            assert up.client.post(f"/books/{book}/finished", {"review": "after"}).status == 404
        for book in kept[1::3]:
            assert up.client.patch(f"/books/{book}", {"notes": f"after {book}"}).status == 200
        write_books(up.client, "after", 3)
        check_views(up.client, ExpectedState(data))
        assert up.stop().well
