"""The repository of a domain in backups: it comes back with its log, and never over another one."""

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.fixed_infrastructure import NOW
from support.packages import package

from bookshelf.cli.main import main
from bookshelf.cli.repository_folder import RepositoryFolder
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.runtime.backup import MANIFEST, BackupFault, restore_backup, write_backup

LATER = NOW + timedelta(hours=1)


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """Return a data folder with an empty log."""
    folder = tmp_path / "data"
    folder.mkdir()
    log = await SqliteLog.open(folder / "log.sqlite", 1)
    await log.close()
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a signed package and a policy, and what is no part of one."""
    folder = tmp_path / "repository"
    made = RepositoryFolder(folder)
    made.create()
    made.add_package(package())
    made.add_file("policies/newbook.toml", b'state = "open"\n')
    made.sign(Ed25519PrivateKey.generate())
    (folder / ".git").mkdir()
    (folder / ".git" / "config").touch()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_repository_comes_back_where_none_is(data: Path, repository: Path, tmp_path: Path) -> None:
    backup, manifest = write_backup(data, tmp_path / "backups", NOW, repository=repository)
    names = {file.name for file in manifest.files if file.part == "repository"}
    assert names == {f"repository/{name}" for name in contents(repository)}
    assert any(name.endswith(".pack.sig") for name in names)
    place = tmp_path / "new repository"
    restored = restore_backup(backup, tmp_path / "new", NOW, replace=False, repository=place)
    assert restored.repository == str(place)
    assert contents(place) == contents(repository)
    again = restore_backup(backup, tmp_path / "new", LATER, replace=True, repository=place)
    assert again.repository == str(place), "it is the same"


def test_another_repository_stays_and_that_of_the_backup_is_put_beside_the_log(
    data: Path, repository: Path, tmp_path: Path
) -> None:
    backup, _ = write_backup(data, tmp_path / "backups", NOW, repository=repository)
    former = contents(repository)
    RepositoryFolder(repository).add_file("policies/newbook.toml", b'state = "closed"\n')
    present = contents(repository)
    restored = restore_backup(backup, data, NOW, replace=True, repository=repository)
    assert contents(repository) == present
    assert restored.repository is not None
    assert Path(restored.repository).parent == data
    assert contents(Path(restored.repository)) == former


def test_a_damaged_repository_of_a_backup_is_refused(data: Path, repository: Path, tmp_path: Path) -> None:
    backup, _ = write_backup(data, tmp_path / "backups", NOW, repository=repository)
    (backup / "repository" / "index.toml").write_bytes(b"")
    with pytest.raises(BackupFault, match=r"index\.toml of the backup is not what was written"):
        restore_backup(backup, tmp_path / "new", NOW, replace=False)
    assert not (tmp_path / "new" / "log.sqlite").exists()


@pytest.mark.parametrize("name", ["repository/../log.sqlite", "repository/a/b/c", "repository/.hidden"])
def test_a_manifest_with_other_files_is_refused(
    data: Path, repository: Path, tmp_path: Path, name: str
) -> None:
    backup, _ = write_backup(data, tmp_path / "backups", NOW, repository=repository)
    file = backup / MANIFEST
    file.write_text(file.read_text().replace("repository/index.toml", name))
    with pytest.raises(BackupFault, match="lists wrong files"):
        restore_backup(backup, tmp_path / "new", NOW, replace=False)


def test_the_commands_name_the_repository(
    data: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*args: object, location: str) -> str:
        ended = CliRunner().invoke(main, list(map(str, args)), env={"BOOKSHELF_CLUSTER_REPOSITORY": location})
        assert ended.exit_code == 0, ended.output
        return ended.output

    monkeypatch.chdir(tmp_path)
    made = run("backup", tmp_path / "backups", "--data", data, location="repository")  # relative
    assert f"{len(contents(repository))} files of the repository" in made
    backup = next((tmp_path / "backups").glob("bookshelf-*"))
    new = tmp_path / "new"
    assert "is not in use" not in run("restore", backup, "--data", new, location=repository.as_uri())
    beside = run("restore", backup, "--data", new, "--replace", location="")
    assert "cluster_repository is not set" in beside
    elsewhere = run("backup", tmp_path / "more", "--data", data, location="https://example.com/repository")
    assert "Not in it: the repository at https://example.com/repository" in elsewhere
