"""`bookshelf backup` and `bookshelf restore`: what was acknowledged is in the backup, and comes back."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from support.client import Client
from support.process import DEADLINE_S, ROOT, bookshelf, environment
from support.program import Program

from bookshelf.log.sqlite.database import inspect_log
from bookshelf.runtime.backup import find_backups
from bookshelf.runtime.data_folder import DataFolder


def write_backup(data: Path, target: Path) -> Path:
    """Run `bookshelf backup`; return the folder that it has written."""
    return Path(json.loads(bookshelf("backup", target, "--data", data, "--json").well)["backup"])


def add_books(client: Client, count: int, prefix: str = "Book") -> set[str]:
    return {str(client.add(f"{prefix} {number}")["id"]) for number in range(count)}


def read_shelf(data: Path) -> set[str]:
    """Run the shelf on a folder; return the ids of its books."""
    with Program(data).ready() as shelf:
        ids = {str(book["id"]) for book in shelf.client.every_book()}
        assert shelf.stop().well
    return ids


def test_a_backup_of_a_running_shelf_is_restored_to_a_new_folder(tmp_path: Path) -> None:
    with Program(tmp_path / "data").ready() as shelf:
        added = add_books(shelf.client, 20)
        printed = bookshelf("backup", tmp_path / "backups", "--data", tmp_path / "data").well
        add_books(shelf.client, 1, "after the backup")
    (backup,) = find_backups(tmp_path / "backups")
    assert str(backup) in printed
    assert "20 records of topic bookshelf" in printed
    assert {path.name for path in backup.iterdir()} == {"manifest.json", "log.sqlite"}
    assert {path.stat().st_mode & 0o077 for path in (backup.parent, backup)} == {0}
    restored = bookshelf("restore", backup, "--data", tmp_path / "anew").well
    assert "20 records of topic bookshelf" in restored
    assert read_shelf(tmp_path / "anew") == added


def test_an_old_wal_file_is_kept_aside_with_its_log(tmp_path: Path) -> None:
    """Left beside the restored log, SQLite would apply it there and damage it."""
    data = tmp_path / "data"
    with Program(data).ready() as shelf:
        added = add_books(shelf.client, 5)
        backup = write_backup(data, tmp_path / "backups")
        later = add_books(shelf.client, 30, "Later")
        shelf.kill()
    assert (data / "log.sqlite-wal").stat().st_size > 0
    assert "--replace" in bookshelf("restore", backup, "--data", data).complaint
    result = json.loads(bookshelf("restore", backup, "--data", data, "--replace", "--json").well)
    assert {path.name for path in data.iterdir()} == {"lock", "log.sqlite", Path(result["kept"]).name}
    assert read_shelf(data) == added
    # the log of before can be restored as well, with the records of its -wal
    assert bookshelf("restore", result["kept"], "--data", tmp_path / "before").well
    assert read_shelf(tmp_path / "before") == added | later


@pytest.mark.parametrize("how", ["file", "folder"])
def test_a_plain_copy_of_a_stopped_log_is_restored(tmp_path: Path, how: str) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    with Program(data).ready() as shelf:
        added = add_books(shelf.client, 3)
        assert shelf.stop().well
    copy.mkdir()
    shutil.copy(data / "log.sqlite", copy)
    assert bookshelf(
        "restore", copy / "log.sqlite" if how == "file" else copy, "--data", tmp_path / "anew"
    ).well
    assert [path.name for path in copy.iterdir()] == ["log.sqlite"]
    assert read_shelf(tmp_path / "anew") == added


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data`, a shelf of some books, and `backup`, its backup from before the last of them."""
    root = tmp_path_factory.mktemp("stopped")
    with Program(root / "data").ready() as shelf:
        add_books(shelf.client, 2)
        write_backup(root / "data", root / "backups").rename(root / "backup")
        add_books(shelf.client, 3, "Later")
        shelf.kill()
    return root


def test_a_restore_is_refused_while_the_folder_is_in_use(stopped: Path, tmp_path: Path) -> None:
    shutil.copytree(stopped / "data", tmp_path / "data")
    before = (tmp_path / "data" / "log.sqlite").read_bytes()
    folder = DataFolder(tmp_path / "data")
    refused = bookshelf("restore", stopped / "backup", "--data", tmp_path / "data", "--replace").complaint
    folder.close()
    assert "another bookshelf" in refused
    assert (tmp_path / "data" / "log.sqlite").read_bytes() == before


def test_folders_that_are_not_a_shelf_are_refused_and_unchanged(stopped: Path, tmp_path: Path) -> None:
    letters = tmp_path / "letters"
    (letters / "views").mkdir(parents=True)
    assert (
        "neither empty nor a shelf"
        in bookshelf("restore", stopped / "backup", "--data", letters, "--replace").complaint
    )
    assert [path.name for path in letters.iterdir()] == ["views"]
    assert "there is no shelf" in bookshelf("backup", tmp_path / "b", "--data", tmp_path / "typo").complaint
    assert not (tmp_path / "typo").exists()
    assert not (tmp_path / "b").exists()


def test_a_source_that_is_not_a_backup_is_refused_with_what_to_do(stopped: Path, tmp_path: Path) -> None:
    def restore(source: Path) -> str:
        return bookshelf("restore", source, "--data", tmp_path / "anew").complaint

    assert "there is no backup" in restore(tmp_path / "typo")
    (tmp_path / "some").mkdir()
    assert "is no backup" in restore(tmp_path / "some")
    shutil.copytree(stopped / "backup", tmp_path / "some" / "bookshelf-20260101T000000Z")
    assert "name one of them" in restore(tmp_path / "some")
    (tmp_path / "text").write_text("no log")
    assert "is no log" in restore(tmp_path / "text")
    assert not (tmp_path / "anew" / "log.sqlite").exists()


def test_a_damaged_backup_is_refused(stopped: Path, tmp_path: Path) -> None:
    backup, data = tmp_path / "backup", tmp_path / "data"
    shutil.copytree(stopped / "backup", backup)
    content = bytearray((backup / "log.sqlite").read_bytes())
    content[-100] ^= 0xFF
    (backup / "log.sqlite").write_bytes(content)
    assert "not what was written" in bookshelf("restore", backup, "--data", data).complaint
    manifest = json.loads((stopped / "backup" / "manifest.json").read_text())
    manifest["files"].append({"part": "letters", "name": "letters.sqlite", "bytes": 1, "sha256": ""})
    (backup / "manifest.json").write_text(json.dumps(manifest))
    assert "letters" in bookshelf("restore", backup, "--data", data).complaint
    assert not (data / "log.sqlite").exists()


def test_a_damaged_log_gives_no_backup(stopped: Path, tmp_path: Path) -> None:
    shutil.copytree(stopped / "data", tmp_path / "data")
    log = tmp_path / "data" / "log.sqlite"
    with closing(sqlite3.connect(log)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(log.read_bytes())
    content[4096 * 3 : 4096 * 3 + 64] = bytes(64)
    log.write_bytes(content)
    assert "damaged" in bookshelf("backup", tmp_path / "backups", "--data", tmp_path / "data").complaint
    assert list((tmp_path / "backups").iterdir()) == []


def test_keep_removes_all_but_the_newest_backups(stopped: Path, tmp_path: Path) -> None:
    for day in range(1, 5):
        shutil.copytree(stopped / "backup", tmp_path / f"bookshelf-2020010{day}T000000Z")
    (tmp_path / "bookshelf-notes").mkdir()
    (tmp_path / ".bookshelf-20200105T000000Z.part").mkdir()  # of a backup that was killed
    assert bookshelf("backup", tmp_path, "--data", stopped / "data", "--keep", "2").well
    old, new = find_backups(tmp_path)
    assert old.name == "bookshelf-20200104T000000Z"
    assert {path.name for path in tmp_path.iterdir()} == {old.name, new.name, "bookshelf-notes"}


_KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from bookshelf.runtime.backup import restore_backup

left = int(sys.argv[3])

def count(event, args):
    global left
    if event in {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.copyfile"}:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
restore_backup(Path(sys.argv[1]), Path(sys.argv[2]), datetime.now(UTC), replace=True)
"""


def test_a_restore_that_is_killed_at_any_step_leaves_one_log_or_the_other(
    stopped: Path, tmp_path: Path
) -> None:
    """Kill -9 comes before the n-th change of names, for every n; then the folder is opened as `up` does."""
    former = 5
    outcomes = []
    for step in range(1, 100):
        data = tmp_path / str(step)
        shutil.copytree(stopped / "data", data)
        command = [sys.executable, "-c", _KILLED, str(stopped / "backup"), str(data), str(step)]
        done = subprocess.run(command, env=environment(), cwd=ROOT, timeout=DEADLINE_S, check=False)
        DataFolder(data).close()
        names = {path.name for path in data.iterdir()}
        assert not names & {"restoring", "restored"}, step
        if "log.sqlite-wal" in names:
            with closing(sqlite3.connect(data / "log.sqlite")) as log:
                log.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        outcomes.append(inspect_log(data / "log.sqlite").records["bookshelf"])
        kept = [name for name in names if name.startswith("before-restore-")]
        assert len(kept) == (outcomes[-1] != former), step
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    assert outcomes == sorted(outcomes, reverse=True)
    assert set(outcomes) == {2, former}
