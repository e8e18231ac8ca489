"""Backups have the jobs of the site, and a restored job continues: its state and its file are there."""

from datetime import UTC, datetime
from pathlib import Path

from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.runtime.backup import restore_backup, write_backup
from bookshelf.runtime.job_backup import is_job_file
from bookshelf.site.job_store import Job, JobStore

NOW = datetime(2026, 1, 31, tzinfo=UTC)


async def _folder(path: Path) -> Path:
    path.mkdir()
    await (await SqliteLog.open(path / "log.sqlite", 2)).close()
    return path


async def test_a_restored_job_has_its_state_and_its_file(tmp_path: Path) -> None:
    data = await _folder(tmp_path / "data")
    file = tmp_path / "books.csv"
    file.write_text("Title")
    store = JobStore(data / "site", NOW)
    job = Job(id="a", kind="import", made=NOW, name="books.csv")
    store.add(job, file)
    store.put_lines("a", "refused", [(0, {"line": 2})])
    backup, manifest = write_backup(data, tmp_path / "backups", NOW)
    store.close()
    assert [each.name for each in manifest.files if each.part == "site"] == [
        "site/jobs.sqlite",
        "site/uploads/a",
    ]

    restore_backup(backup, tmp_path / "restored", NOW, replace=False)
    restored = JobStore(tmp_path / "restored" / "site", NOW)
    assert restored.get("a") == job
    assert restored.lines("a", "refused", -1, 9) == [(0, {"line": 2})]
    assert restored.path("a").read_text() == "Title"
    restored.close()


async def test_a_shelf_without_jobs_has_none_in_its_backup(tmp_path: Path) -> None:
    data = await _folder(tmp_path / "data")
    JobStore(data / "site", NOW).close()
    _, manifest = write_backup(data, tmp_path / "backups", NOW)
    assert {each.part for each in manifest.files} == {"log"}


async def test_jobs_of_before_are_set_aside_with_their_log(tmp_path: Path) -> None:
    data = await _folder(tmp_path / "data")
    backup, _ = write_backup(data, tmp_path / "backups", NOW)
    store = JobStore(data / "site", NOW)
    store.put(Job(id="a", kind="import", made=NOW))
    store.close()
    kept = restore_backup(backup, data, NOW, replace=True).kept
    assert kept is not None
    assert not (data / "site").exists()
    assert (Path(kept) / "site" / "jobs.sqlite").exists()


def test_names_outside_of_the_folder_of_jobs_are_refused() -> None:
    assert is_job_file("site/jobs.sqlite")
    assert is_job_file("site/uploads/a")
    for name in ("site/other", "site/uploads/../../log.sqlite", "site/uploads/a/b", "log.sqlite"):
        assert not is_job_file(name)
