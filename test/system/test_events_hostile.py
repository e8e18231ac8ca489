"""`bookshelf events` escapes control characters of foreign events."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from support.process import COMMAND, bookshelf, environment
from support.program import Program
from support.watched_log import on_sqlite

from bookshelf.log.port import partition_of

TRAPS = "\x1b]0;owned\x07 \x1b[2J \x9b31m \u202eback\u202c \x7f \r\n over"
#: What a terminal acts upon, but for the colours that we send ourselves.
RAW = ("\x1b]", "\x1b[2J", "\x9b", "\x07", "\u202e", "\x7f")


async def written(data: Path, *values: bytes, key: str = "a") -> None:
    async with on_sqlite(data) as log:
        for value in values:
            await log.write_raw(key, value)


def on_terminal(*args: str) -> str:
    """Run `events` on a terminal; return what came there."""
    ours, theirs = pty.openpty()
    env = {**environment(), "TERM": "xterm-256color", "COLUMNS": "300"}
    with subprocess.Popen(
        [*COMMAND, "events", *args], env=env, stdin=theirs, stdout=theirs, stderr=theirs
    ) as it:
        os.close(theirs)
        found = b""
        while piece := _piece(ours):
            found += piece
        os.close(ours)
        assert it.wait() == 0, found
    return found.decode()


def _piece(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # the other side is closed
        return b""


@pytest.mark.parametrize("form", [(), ("--json",)])
async def test_terminal_control_characters_are_escaped(tmp_path: Path, form: tuple[str, ...]) -> None:
    output = json.dumps({"type": TRAPS, "time": TRAPS, "data": {TRAPS: TRAPS}})
    await written(tmp_path, output.encode(), TRAPS.encode(), key=TRAPS)
    partition = partition_of(TRAPS, 2)
    for args in (
        ("tail", "--from", "start", "--no-follow"),
        ("history", TRAPS),
        *(("show", f"bookshelf/{partition}@{offset}") for offset in range(2)),
    ):
        shown = on_terminal(*args, *form, "--data", str(tmp_path))
        assert "over" in shown
        assert [raw for raw in RAW if raw in shown] == []


async def test_records_that_are_not_events_are_shown(tmp_path: Path) -> None:
    deep, huge = b"[" * 100_000, b'{"data": 1e999, "n": ' + b"9" * 5000 + b"}"
    nested = b'{"data": ' + b'{"a":' * 400 + b"1" + b"}" * 401
    await written(
        tmp_path,
        b"\xff\xfe",
        b"null",
        b"[]",
        deep,
        huge,
        nested,
        b"",
        b'{"type": 7, "time": 7, "data": null}',
    )
    for args in (("tail", "--from", "start", "--no-follow"), ("history", "a")):
        assert bookshelf("events", *args, "--data", tmp_path).well.count("\n") == 8
        lines = bookshelf("events", *args, "--json", "--data", tmp_path).well.splitlines()
        assert len([json.loads(line) for line in lines]) == 8
    shown = [json.loads(line)["position"] for line in lines]
    for position in shown:
        assert position in bookshelf("events", "show", position, "--data", tmp_path).well


async def test_a_closed_pipe_is_not_an_error(tmp_path: Path) -> None:
    await written(tmp_path, *[b'{"type": "a"}'] * 3)
    for form in ((), ("--json",)):
        command = [*COMMAND, "events", "tail", "--from", "start", "--data", str(tmp_path), *form]
        with subprocess.Popen(  # noqa: ASYNC220 (the loop has nothing else to do)
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as tail:
            assert tail.stdout is not None
            assert tail.stderr is not None
            try:
                assert all("bookshelf/" in tail.stdout.readline() for _ in range(3))
                tail.stdout.close()
                assert tail.wait(30) == 0  # though nothing more comes that it could fail to write
                assert tail.stderr.read() == ""
            finally:
                tail.kill()


def test_a_running_shelf_is_not_disturbed(tmp_path: Path) -> None:
    with (
        Program(tmp_path).ready() as up,
        subprocess.Popen(
            [*COMMAND, "events", "tail", "--from", "start", "--data", str(tmp_path), "--count", "20"],
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        ) as tail,
    ):
        for number in range(20):
            up.client.add(f"Book {number}")
        shown, _ = tail.communicate(timeout=30)
        assert [f"Book {n}" in line for n, line in enumerate(shown.splitlines())] == [True] * 20
        assert up.stop().well


def test_a_stopped_shelf_is_unchanged(tmp_path: Path) -> None:
    with Program(tmp_path).ready() as up:
        up.client.add("Dune")
        assert up.stop().well
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    # the files that SQLite needs to read beside a writer
    aside = {tmp_path / f"log.sqlite-{name}" for name in ("shm", "wal")}
    assert "Dune" in bookshelf("events", "tail", "--from", "start", "--no-follow", "--data", tmp_path).well
    assert bookshelf("topics", "check", "--data", tmp_path).well
    assert {file for file in tmp_path.rglob("*") if file.is_file()} - aside == before.keys()
    assert {file: file.read_bytes() for file in before} == before


def test_an_invalid_log_is_reported(tmp_path: Path) -> None:
    assert "there is no log at" in bookshelf("events", "tail", "--data", tmp_path).complaint
    (tmp_path / "log.sqlite").write_bytes(b"no database" * 100)
    assert "cannot be read" in bookshelf("events", "tail", "--data", tmp_path).complaint
    assert "name one" in bookshelf("events", "tail", "--data", tmp_path, "--broker", "here").complaint
    assert list(tmp_path.iterdir()) == [tmp_path / "log.sqlite"]
