"""Scripts and units: nothing that shellcheck or systemd objects to, and a backup that can be restored."""

import shutil
import subprocess
from pathlib import Path

import pytest
from support.process import ROOT
from support.program import Program

_PACKAGING = ROOT / "packaging"
SCRIPTS = [
    *(_PACKAGING / "backup", _PACKAGING / "install", _PACKAGING / "uninstall", ROOT / ".ci" / "run"),
    *(ROOT / "vagrant" / "provision", ROOT / "vagrant" / "post"),
    *sorted((ROOT / "test" / "deploy" / "images").rglob("*.sh")),
]


@pytest.mark.needs("shellcheck")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    done = subprocess.run(["shellcheck", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
@pytest.mark.parametrize("name", ["bookshelf.service", "bookshelf-backup.service", "bookshelf-backup.timer"])
def test_systemd_understands_every_line_of_a_unit(name: str) -> None:
    command = ["systemd-analyze", "verify", "--man=no", str(_PACKAGING / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if name in line and "is not executable" not in line]
    assert said == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
@pytest.mark.parametrize(("name", "tenths"), [("bookshelf.service", 12), ("bookshelf-backup.service", 5)])
def test_a_unit_is_exposed_to_little(name: str, tenths: int) -> None:
    """In tenths of systemd's own points, of which 100 are the most; what most services have is 96."""
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={tenths}", "--no-pager"]
    done = subprocess.run([*command, str(_PACKAGING / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def backup(data: Path, folder: Path, count: int) -> Path:
    """Run the script that the timer runs; return the copy."""
    command = [str(_PACKAGING / "backup"), str(data), str(folder), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return Path(done.stdout.strip())


def test_a_backup_of_a_shelf_that_runs_can_be_restored(tmp_path: Path) -> None:
    with Program(tmp_path / "data").ready() as shelf:
        added = [shelf.client.add(f"Book {number}")["id"] for number in range(20)]
        copy = backup(tmp_path / "data", tmp_path / "backups", 14)
        shelf.client.add("after the backup")
    anew = tmp_path / "anew"
    anew.mkdir(mode=0o700)
    shutil.copy(copy, anew / "log.sqlite")
    with Program(anew).ready() as restored:
        restored.client.wait_for(f"/books/{added[-1]}", 200)
        assert {book["id"] for book in restored.client.every_book()} == set(added)


def test_only_the_last_copies_are_kept(tmp_path: Path) -> None:
    with Program(tmp_path / "data").ready():
        folder = tmp_path / "backups"
        folder.mkdir()
        for day in range(1, 5):
            (folder / f"log-2020010{day}T000000Z.sqlite").touch()
        copy = backup(tmp_path / "data", folder, 2)
    assert {path.name for path in folder.iterdir()} == {copy.name, "log-20200104T000000Z.sqlite"}
