"""Scripts and units: nothing that shellcheck or systemd objects to, and a backup that can be restored."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.process import ROOT, bookshelf
from support.program import Program

from bookshelf.runtime.backup import find_backups

_PACKAGING = ROOT / "packaging"
SCRIPTS = [
    *(_PACKAGING / "install", _PACKAGING / "uninstall", ROOT / ".ci" / "run"),
    *(ROOT / "vagrant" / "provision", ROOT / "vagrant" / "post"),
    ROOT / "swarm" / "machines",
    *sorted((ROOT / "test" / "deploy" / "images").rglob("*.sh")),
]


@pytest.mark.needs("shellcheck")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_shellcheck_finds_no_fault(script: Path) -> None:
    done = subprocess.run(["shellcheck", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
@pytest.mark.parametrize("name", ["bookshelf.service", "bookshelf-backup.service", "bookshelf-backup.timer"])
def test_systemd_accepts_every_line_of_a_unit(name: str) -> None:
    command = ["systemd-analyze", "verify", "--man=no", str(_PACKAGING / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if name in line and "is not executable" not in line]
    assert said == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
@pytest.mark.parametrize(("name", "tenths"), [("bookshelf.service", 12), ("bookshelf-backup.service", 5)])
def test_a_unit_has_a_low_exposure_level(name: str, tenths: int) -> None:
    """In tenths of systemd's own points, of which 100 are the most; what most services have is 96."""
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={tenths}", "--no-pager"]
    done = subprocess.run([*command, str(_PACKAGING / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_backup_unit_writes_a_restorable_backup(tmp_path: Path) -> None:
    """Run its command, with the folders of a test in place of its own."""
    (command,) = re.findall(
        r"^ExecStart=\S+ (.*)$", (_PACKAGING / "bookshelf-backup.service").read_text(), re.MULTILINE
    )
    arguments = command.replace("/var/lib/bookshelf", str(tmp_path)).split()
    with Program(tmp_path / "data").ready() as shelf:
        added = [shelf.client.add(f"Book {number}")["id"] for number in range(20)]
        assert bookshelf(*arguments).well
        shelf.client.add("after the backup")
    (backup,) = find_backups(tmp_path / "backups")
    assert bookshelf("restore", backup, "--data", tmp_path / "anew").well
    with Program(tmp_path / "anew").ready() as restored:
        restored.client.wait_for(f"/books/{added[-1]}", 200)
        assert {book["id"] for book in restored.client.every_book()} == set(added)
