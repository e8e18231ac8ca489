"""The jobs of the site in backups: their database, as of one moment, and the files uploaded for them."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

#: The part of a backup, and the folder in the data folder (that of the service `site`).
JOBS = "site"
_DATABASE, _UPLOADS = "jobs.sqlite", "uploads"


def copy_jobs(source: Path, target: Path) -> list[str]:
    """Copy the jobs to a new folder; return the names of its files, none if there are no jobs.

    A process may write them meanwhile. Raises `OSError`.
    """
    if not (source / _DATABASE).is_file():
        return []
    with closing(sqlite3.connect(f"{(source / _DATABASE).as_uri()}?mode=ro", uri=True)) as jobs:
        ids = [str(job) for (job,) in jobs.execute("SELECT id FROM job ORDER BY id")]
        if not ids:
            return []
        (target / _UPLOADS).mkdir(parents=True, mode=0o700)
        with closing(sqlite3.connect(target / _DATABASE)) as copy:
            jobs.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
    names = [_DATABASE]
    for path in sorted((source / _UPLOADS).iterdir()):
        if path.name in ids:
            shutil.copyfile(path, target / _UPLOADS / path.name)
            names.append(f"{_UPLOADS}/{path.name}")
    return names


def is_job_file(name: str) -> bool:
    """Return True if a name of a manifest is that of a file of the jobs."""
    return name == f"{JOBS}/{_DATABASE}" or (
        name.startswith(f"{JOBS}/{_UPLOADS}/") and name.count("/") == 2 and ".." not in name  # noqa: PLR2004 (parts)
    )


def stage_jobs(source: Path, names: list[str], staged: Path) -> None:
    """Copy the files of the jobs of a backup to the folder of what is being restored."""
    for name in names:
        (staged / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(source / name, staged / name)
