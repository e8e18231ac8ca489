"""A fault that prevents the start is reported in one line, with what to do; nothing is changed."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.process import bookshelf
from support.program import Program


@contextmanager
def taken(port: int = 0) -> Iterator[int]:
    """Listen on a port, as another program would; yield its number."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield other.getsockname()[1]


def test_a_second_shelf_on_the_same_folder_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with Program(tmp_path).ready() as up:
        said = bookshelf("up", "--data", tmp_path, "--port", "0", "--service-ports", "auto").complaint
        assert f"process {up.pid}" in said
        assert up.note.url in said
        assert "--data" in said
        assert up.client.add("Kim")["title"] == "Kim"


def test_the_folder_of_a_killed_shelf_is_free(tmp_path: Path) -> None:
    with Program(tmp_path).ready() as up:
        book = up.client.add("Kim")
        up.kill()
    with Program(tmp_path).ready() as up:
        assert up.client.books() == [book]


def test_a_port_in_use_ends_the_start(tmp_path: Path) -> None:
    with taken() as port:
        said = bookshelf("up", "--data", tmp_path, "--port", str(port), "--service-ports", "auto").complaint
    assert f"port {port}" in said
    assert "--port" in said


def test_a_free_port_replaces_a_service_port_in_use(tmp_path: Path) -> None:
    try:
        with taken(8084):
            check_another_port(tmp_path)
    except OSError:  # another program has it: as good
        check_another_port(tmp_path)


def check_another_port(data: Path) -> None:
    """Start with the fixed ports, of which 8084 is taken."""
    with Program(data, "--service-ports", "fixed").ready() as up:
        found = up.note.services["booklist"]
        assert found != 8084
        assert up.service("booklist").get("/books").status == up.client.get("/books").status == 200
        ended = up.stop()
    [warning] = [line for line in ended.err.splitlines() if "8084" in line]
    assert "port 8084 of 127.0.0.1 is taken" in warning
    assert str(found) in warning


def test_after_a_port_in_use_the_shelf_is_unchanged(tmp_path: Path) -> None:
    with Program(tmp_path).ready() as up:
        book = up.client.add("Kim")
        up.stop()
    with taken() as port:
        assert bookshelf("up", "--data", tmp_path, "--port", str(port), "--service-ports", "auto").complaint
    with Program(tmp_path).ready() as up:
        assert up.client.books() == [book]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "80000"),
        ("PORT", "eighty"),
        ("SERVICE_PORTS", "some"),
        ("PARTITIONS", "0"),
        ("STATE_CACHE", "1"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_an_invalid_setting_ends_the_start(tmp_path: Path, name: str, value: str) -> None:
    said = bookshelf("up", "--data", tmp_path / "new", env={f"BOOKSHELF_{name}": value}).complaint
    assert f"BOOKSHELF_{name}" in said
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", ["import", "export", "dlq", "views"])
def test_an_invalid_setting_ends_every_command(tmp_path: Path, command: str) -> None:
    args = {"import": ["x.csv"], "export": ["-"], "dlq": ["list"], "views": ["rebuild", "booklist"]}[command]
    env = {"BOOKSHELF_PORT": "eighty"}
    assert "BOOKSHELF_PORT" in bookshelf(command, *args, "--data", tmp_path, env=env).complaint


def test_an_address_of_another_machine_ends_the_start(tmp_path: Path) -> None:
    said = bookshelf("up", "--data", tmp_path, "--host", "203.0.113.1", "--service-ports", "auto").complaint
    assert "203.0.113.1" in said


def test_an_invalid_host_name_ends_the_start(tmp_path: Path) -> None:
    said = bookshelf("up", "--data", tmp_path, "--host", "no such host", "--service-ports", "auto").complaint
    assert "no such host" in said


def test_a_file_instead_of_the_data_folder_ends_the_start(tmp_path: Path) -> None:
    there = tmp_path / "file"
    there.write_text("mine")
    assert str(there) in bookshelf("up", "--data", there, "--port", "0").complaint
    assert there.read_text() == "mine"


def test_a_wrong_option_is_named(tmp_path: Path) -> None:
    ended = bookshelf("up", "--data", tmp_path, "--prot", "1")
    assert ended.code == 2
    assert "--port" in ended.err
