"""Commands name the shelf that they use, find it by any of its addresses, and make none to read it."""

from pathlib import Path

import pytest
from support.kafka import free_ports
from support.process import bookshelf
from support.program import Program


@pytest.mark.parametrize("form", ["http://{}/bookshelf/books", "http://{}/bookshelf", "{}"])
def test_the_printed_address_is_accepted(running: Program, tmp_path: Path, form: str) -> None:
    running.client.add("Kim")
    place = f"127.0.0.1:{running.client.port}"
    done = bookshelf("export", tmp_path / "all.csv", "--url", form.format(place))
    assert done.well == ""
    assert f"of the shelf at http://{place} written to" in done.err
    assert "Kim" in (tmp_path / "all.csv").read_text()


def test_an_address_without_a_listener_is_named() -> None:
    [port] = free_ports(1)
    done = bookshelf("export", "-", "--url", f"localhost:{port}")
    assert f"the shelf at http://localhost:{port} does not answer" in done.complaint


@pytest.mark.parametrize("command", ["export -", "dlq list", "views rebuild booklist"])
def test_a_mistyped_folder_is_refused_and_not_created(tmp_path: Path, command: str) -> None:
    done = bookshelf(*command.split(), "--data", tmp_path / "typo")
    assert done.code == 2
    assert str(tmp_path / "typo") in done.err
    assert list(tmp_path.iterdir()) == []
