"""`bookshelf log-level`: what a running process logs is changed without a restart."""

from pathlib import Path

from support.client import Client
from support.process import bookshelf
from support.program import Program

from bookshelf.runtime.data_folder import InstanceNote


def admin(note: InstanceNote) -> Client:
    return Client(f"http://{note.control_host}:{note.control_port}")


def access_lines(shelf: Program) -> int:
    return shelf.warned.count('"event":"request"')


def test_the_log_level_of_a_running_shelf_is_changed_and_changed_back(tmp_path: Path) -> None:
    with Program(tmp_path).ready() as shelf:
        assert shelf.client.get("/books").status == 200
        assert access_lines(shelf) == 0
        changed = bookshelf("log-level", "info", "--data", tmp_path)
        assert changed.well == f"{tmp_path}: log level info\n"
        assert shelf.client.get("/books").status == 200
        assert access_lines(shelf) == 1
        assert bookshelf("log-level", "warning", "--data", tmp_path).well
        assert shelf.client.get("/books").status == 200
        assert access_lines(shelf) == 1
        assert shelf.stop().code == 0


def test_without_a_running_process_nothing_is_changed_or_created(tmp_path: Path) -> None:
    complaint = bookshelf("log-level", "debug", "--data", tmp_path).complaint
    assert f"nothing runs on {tmp_path}" in complaint
    assert list(tmp_path.iterdir()) == []


def test_a_level_that_does_not_exist_is_refused_with_the_allowed_ones(tmp_path: Path) -> None:
    with Program(tmp_path).ready() as shelf:
        key = {"Authorization": f"Bearer {shelf.note.token}"}
        for body, status in ({"level": "loud"}, 422), ({}, 422), (b"[", 400):
            answer = admin(shelf.note).ask("PUT", "/log-level", body, **key)
            assert answer.status == status
        answer = admin(shelf.note).ask("PUT", "/log-level", {"level": "loud"}, **key)
        assert all(level in answer.json["detail"] for level in ("debug", "info", "warning", "error"))
        assert admin(shelf.note).ask("PUT", "/log-level", {"level": "debug"}).status == 403
