"""The jobs of a page service on disk: a SQLite file, and beside it the files that were uploaded."""

import os
import shutil
import sqlite3
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from bookshelf.cqrs.handler import LOCAL, Caller
from bookshelf.cqrs.phrases import Phrase

#: The name of the database in the folder, and of the subfolder with the uploaded files.
DATABASE = "jobs.sqlite"
UPLOADS = "uploads"
#: Drafts that were made before this are removed.
_DRAFT_DAYS = 7

_TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS job (id TEXT PRIMARY KEY, made TEXT NOT NULL, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS line (
  job TEXT, list TEXT, number INTEGER, content BLOB NOT NULL, PRIMARY KEY (job, list, number)) WITHOUT ROWID;
"""
_LINES = """SELECT number, content FROM line WHERE job = ? AND list = ? AND number > ?
ORDER BY number LIMIT ?"""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Work that goes on after its request was answered, and after a restart.

    `kind` names the function that does it, `parameters` are what it does. `name` is that of the uploaded file
    on the reader's machine, empty without one. `done` of `total` steps are done. `report` is what it has
    found; its lists are lines of their own. `fault` is why it failed, in a sentence for the reader. `starts`
    counts how often it was begun. A `draft` is removed after a week. `caller` is the person that it is for.
    """

    id: str
    kind: str
    made: datetime
    parameters: dict[str, Any] = {}
    name: str = ""
    state: Literal["running", "done", "failed"] = "running"
    done: int = 0
    total: int = 0
    report: dict[str, Any] = {}
    fault: Phrase | str = ""
    starts: int = 0
    draft: bool = False
    caller: Caller = LOCAL

    @property
    def is_running(self) -> bool:
        """True until the job has ended."""
        return self.state == "running"


class JobStore:
    """Keeps jobs in a folder. All of its calls come from one thread."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self._uploads = folder / UPLOADS
        self._uploads.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = sqlite3.connect(folder / DATABASE, isolation_level=None)
        self._db.executescript(_TABLES)
        for job in self.all():
            if job.draft and job.made < now - timedelta(days=_DRAFT_DAYS):
                self.remove(job.id)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def path(self, job_id: str) -> Path:
        """Return the path of a job's uploaded file."""
        return self._uploads / job_id

    def put(self, job: Job) -> None:
        """Keep a job, in place of what was known of it."""
        row = (job.id, job.made.isoformat(), msgspec.json.encode(job))
        self._db.execute("INSERT OR REPLACE INTO job VALUES (?, ?, ?)", row)

    def add(self, job: Job, source: Path | None) -> None:
        """Keep a new job and a copy of its file; both are on the disk afterwards."""
        if source is not None:
            with self.path(job.id).open("wb") as copy, source.open("rb") as file:
                shutil.copyfileobj(file, copy)
                copy.flush()
                os.fsync(copy.fileno())
        self.put(job)

    def get(self, job_id: str) -> Job | None:
        """Return a job; None if there is none with this id."""
        row = self._db.execute("SELECT content FROM job WHERE id = ?", (job_id,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=Job)

    def all(self) -> list[Job]:
        """Return all jobs, the newest first."""
        rows = self._db.execute("SELECT content FROM job ORDER BY made DESC, id DESC").fetchall()
        return [msgspec.json.decode(content, type=Job) for (content,) in rows]

    def remove(self, job_id: str) -> None:
        """Remove a job with all that it has."""
        self.clear(job_id)
        self._db.execute("DELETE FROM job WHERE id = ?", (job_id,))
        self.path(job_id).unlink(missing_ok=True)

    def erase(self, accounts: Collection[str]) -> None:
        """Remove the jobs of accounts, and every trace of them in the folder.

        Raises `sqlite3.Error` as long as another process reads the database: its write-ahead log has traces.
        """
        erased = [job.id for job in self.all() if job.caller.account in accounts]
        if erased:
            self._db.execute("VACUUM")  # without the traces of a time when `secure_delete` was off
        for job_id in erased:
            self.remove(job_id)
        (busy, *_) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError("another process reads the jobs, so that traces are left")

    def clear(self, job_id: str) -> None:
        """Remove the lines of a job."""
        self._db.execute("DELETE FROM line WHERE job = ?", (job_id,))

    def put_lines(self, job_id: str, name: str, lines: Iterable[tuple[int, Any]]) -> None:
        """Keep lines of one list of a job's report, by their numbers."""
        rows = ((job_id, name, number, msgspec.json.encode(content)) for number, content in lines)
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO line VALUES (?, ?, ?, ?)", rows)
        self._db.execute("COMMIT")

    def lines(self, job_id: str, name: str, after: int, limit: int) -> list[tuple[int, Any]]:
        """Return lines of one list whose numbers are above `after`, in their order."""
        rows = self._db.execute(_LINES, (job_id, name, after, limit)).fetchall()
        return [(number, msgspec.json.decode(content)) for number, content in rows]
