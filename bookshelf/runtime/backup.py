"""Backups of a data folder. Each is a folder: `manifest.json`, and the files that it lists.

A backup is complete from the moment that it has its name: until then it is called `.NAME.part`. Rows and
states are not in it, because they are made again from the log. A new kind of data adds its files to the
manifest, under the name of a part of its own.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import file_digest
from pathlib import Path

import msgspec

from bookshelf import __version__
from bookshelf.log.port import LogFault
from bookshelf.log.sqlite.database import LogContent, copy_log, inspect_log, raise_ends, settle_log
from bookshelf.runtime import data_folder
from bookshelf.runtime.blob_backup import BLOBS, add_blobs, copy_blobs, find_blobs, is_blob
from bookshelf.runtime.data_folder import DataFolder, running
from bookshelf.runtime.job_backup import JOBS, copy_jobs, is_job_file, stage_jobs
from bookshelf.runtime.keyring_backup import KEYRING, KEYRING_FILE, copy_keyring, keep_destroyed
from bookshelf.runtime.repository_backup import (
    REPOSITORY,
    RepositoryChanges,
    copy_repository,
    is_repository_file,
    restore_repository,
)

MANIFEST = "manifest.json"
LOG = "log.sqlite"
#: The format that this version writes, and the newest that it reads.
FORMAT = 1
#: The parts that this version restores.
PARTS = ("log", KEYRING, BLOBS, JOBS, REPOSITORY)
_PREFIX = "bookshelf-"
#: The secret file of the accounts, if the settings name no other; it is in no backup.
_ACCOUNTS_FILE = "accounts.secret"
#: Names in a data folder that hold nothing to be lost.
_NOTHING_TO_LOSE = {
    "lock",
    "running.json",
    "running.new",
    _ACCOUNTS_FILE,
    BLOBS,
    JOBS,
    data_folder.PREPARING,
    *data_folder.DERIVED,
}


class BackupFault(Exception):
    """A backup cannot be written or restored; the message has the reason and what to do."""


class BackupFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a backup: its part, its path in the backup and in the data folder, its size and digest."""

    part: str
    name: str
    bytes: int
    sha256: str


#: The topic whose offsets are fencing tokens: what they protect refuses lower ones than it has seen.
TOKENS = "locks"
#: How many tokens may have been granted since a backup was made.
_MARGIN = 1_000_000


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The list of a backup's files. `made` is in UTC; `log` describes the content of the log."""

    format: int
    made: datetime
    version: str
    files: tuple[BackupFile, ...]
    log: LogContent


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was restored, where to, and the folder with the files of before, if there were any.

    `repository`: where the repository of the backup is now, if it has one.
    """

    data: str
    log: LogContent
    made: datetime | None
    kept: str | None
    repository: str | None = None


def write_backup(
    data: Path,
    target: Path,
    now: datetime,
    keep: int | None = None,
    blobs: Path | None = None,
    repository: Path | None = None,
) -> tuple[Path, Manifest]:
    """Write a backup of a data folder, in use or not, to a new folder in `target`; return it.

    `keep`: how many backups stay in `target`, the newest ones. `blobs`: the folder of blobs, if it is not in
    the data folder. `repository`: the folder of the domain's repository, if it has one.

    Raises `BackupFault`, `LogFault`, `OSError`.
    """
    if not (data / LOG).is_file():
        msg = f"there is no shelf in {data}; name its folder with --data"
        raise BackupFault(msg)
    if (data / data_folder.PREPARED).is_dir():
        msg = f"a restore to {data} was interrupted; start the shelf, which completes it, then try again"
        raise BackupFault(msg)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(target):
        for left in target.glob(f".{_PREFIX}*.part"):
            shutil.rmtree(left)  # of a process that was killed
        backup = _free_name(target, now)
        part = target / f".{backup.name}.part"
        part.mkdir(mode=0o700)
        try:
            manifest = _fill(data, (blobs or data / BLOBS, repository), part, now)
            data_folder.flush_tree(part)
            part.rename(backup)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        data_folder.flush(target)
        if keep is not None:
            for old in find_backups(target)[:-keep]:
                shutil.rmtree(old)
        return backup, manifest


def _fill(data: Path, beside: tuple[Path, Path | None], part: Path, now: datetime) -> Manifest:
    blobs, repository = beside
    copy_log(data / LOG, part / LOG)
    content = inspect_log(part / LOG)
    # after the log: a blob is stored before the event that names it
    copied = copy_blobs(blobs, part / BLOBS)
    # after the log: a key is made before the first text that is sealed with it
    keyring = copy_keyring(data, part)
    files = (_describe("log", part, LOG), *(_describe(KEYRING, part, name) for name in keyring))
    files += tuple(_describe(BLOBS, part, f"{BLOBS}/{path}") for path in copied)
    files += tuple(_describe(JOBS, part, f"{JOBS}/{name}") for name in copy_jobs(data / JOBS, part / JOBS))
    if repository is not None:
        try:
            copied = copy_repository(repository, part / REPOSITORY)
        except RepositoryChanges as fault:
            raise BackupFault(str(fault)) from fault
        files += tuple(_describe(REPOSITORY, part, f"{REPOSITORY}/{name}") for name in copied)
    manifest = Manifest(format=FORMAT, made=now, version=__version__, files=files, log=content)
    (part / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    return manifest


def _describe(part: str, folder: Path, name: str) -> BackupFile:
    path = folder / name
    return BackupFile(part=part, name=name, bytes=path.stat().st_size, sha256=_digest(path))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Hold the lock of a folder of backups: what is unfinished in it is then of a process that has ended."""
    descriptor = os.open(target, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        msg = f"another backup is being written to {target}; try again when it has ended"
        raise BackupFault(msg) from None
    finally:
        os.close(descriptor)


def _free_name(target: Path, now: datetime) -> Path:
    name = f"{_PREFIX}{now:%Y%m%dT%H%M%S}"
    names = (f"{name}{tenths}Z" for tenths in ("", *(f".{number:03}" for number in range(1, 1000))))
    return next(path for path in map(target.joinpath, names) if not path.exists())


def find_backups(target: Path) -> list[Path]:
    """Return the complete backups in a folder, the oldest first."""
    return sorted(
        (path for path in target.glob(f"{_PREFIX}*Z") if (path / MANIFEST).is_file()),
        key=lambda path: path.name.removesuffix("Z"),
    )


def restore_backup(
    source: Path,
    data: Path,
    now: datetime,
    *,
    replace: bool,
    blobs: Path | None = None,
    repository: Path | None = None,
) -> Restored:
    """Put what a backup contains into a data folder that no process uses.

    `source` is a backup, a data folder that is not in use, or a copy of a log's file. `replace`: the data
    folder may have a log already; it is kept in a subfolder. `blobs`: the folder of blobs, if it is not in
    the data folder; blobs are added to those that are there. `repository`: the folder of the domain's
    repository; if it has another one, that of the backup is put beside the log.

    Raises `BackupFault`, `FolderFault`, `LogFault`, `OSError`.
    """
    manifest, log = _read_source(source)
    _check_target(data, replace=replace)
    folder = DataFolder(data)
    try:
        staged = data / data_folder.PREPARING
        staged.mkdir(mode=0o700)
        try:
            content = _stage(manifest, log, staged)
            raise_ends(staged / LOG, TOKENS, data / LOG, _MARGIN)
            _stage_keyring(manifest, log.parent, staged, data)
            _add_blobs(manifest, log.parent, blobs or data / BLOBS)
            _stage_jobs(manifest, log.parent, staged)
            restored = _restore_repository(manifest, log.parent, repository, data, now)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        kept = data / f"{data_folder.KEPT}{now:%Y%m%dT%H%M%S.%f}Z"
        data_folder.decide_restore(data, kept.name)
        data_folder.complete_restore(data)
    finally:
        folder.close()
    return Restored(
        data=str(data),
        log=content,
        made=None if manifest is None else manifest.made,
        kept=str(kept) if kept.exists() else None,
        repository=None if restored is None else str(restored),
    )


def _read_source(source: Path) -> tuple[Manifest | None, Path]:
    """Return the manifest, if there is one, and the log to restore. Raises `BackupFault`."""
    if not source.exists():
        raise BackupFault(f"there is no backup at {source}")
    if (source / MANIFEST).is_file():
        return _read_manifest(source / MANIFEST), source / LOG
    log = source / LOG if source.is_dir() else source
    if log.is_file():
        if running(log.parent) is not None:
            raise BackupFault(f"a shelf runs on {log.parent}; make a backup of it and restore that")
        return None, log
    if backups := find_backups(source):
        raise BackupFault(f"{source} holds {len(backups)} backups; name one of them, like {backups[-1]}")
    raise BackupFault(f"{source} is no backup: it has neither {MANIFEST} nor {LOG}")


def _read_manifest(path: Path) -> Manifest:
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BackupFault(f"{path} cannot be read ({fault}); restore another backup") from fault
    unknown = sorted({file.part for file in manifest.files} - set(PARTS))
    if manifest.format > FORMAT or unknown:
        what = f"has the parts {', '.join(unknown)}" if unknown else f"is of format {manifest.format}"
        raise BackupFault(f"{path.parent} {what}; restore it with version {manifest.version} or later")
    logs = [file for file in manifest.files if file.part == "log"]
    blobs = [file.name for file in manifest.files if file.part == BLOBS]
    wrong = any(file.part == JOBS and not is_job_file(file.name) for file in manifest.files)
    wrong |= any(file.part == REPOSITORY and not is_repository_file(file.name) for file in manifest.files)
    wrong |= any(file.part == KEYRING and file.name != KEYRING_FILE for file in manifest.files)
    if [file.name for file in logs] != [LOG] or not all(map(_is_blob, blobs)) or wrong:
        raise BackupFault(f"{path} lists wrong files; restore another backup")
    return manifest


def _check_target(data: Path, *, replace: bool) -> None:
    try:
        names = {path.name for path in data.iterdir()}
    except FileNotFoundError:
        return
    is_shelf = bool(names & {LOG, "lock", _ACCOUNTS_FILE})
    if names and not is_shelf:
        raise BackupFault(f"{data} is neither empty nor a shelf's folder; choose another with --data")
    if names - _NOTHING_TO_LOSE and not replace:
        msg = f"{data} is not empty; with --replace its log is kept in a subfolder and replaced"
        raise BackupFault(msg)


def _is_blob(name: str) -> bool:
    return name.startswith(f"{BLOBS}/") and is_blob(name.removeprefix(f"{BLOBS}/"))


def _stage(manifest: Manifest | None, source: Path, staged: Path) -> LogContent:
    """Copy the log and check the copy, so that what was checked is what is restored."""
    log = staged / LOG
    try:
        shutil.copyfile(source, log)
    except FileNotFoundError:
        raise BackupFault(f"{source} is missing; restore another backup") from None
    if manifest is None:
        # a plain copy may have newer records in a file beside it; that of a backup has none
        wal = source.with_name(source.name + "-wal")
        if wal.is_file():
            shutil.copyfile(wal, staged / (LOG + "-wal"))
        settle_log(log)
        return inspect_log(log)
    _check_file(next(file for file in manifest.files if file.name == LOG), staged)
    content = inspect_log(log)
    if content != manifest.log:
        raise LogFault(f"{LOG} of the backup does not match its manifest; restore another backup")
    return content


def _stage_keyring(manifest: Manifest | None, source: Path, staged: Path, data: Path) -> None:
    """Copy the keyring of a backup, or beside a log; keys that are destroyed in `data` stay destroyed."""
    if _checked(manifest, KEYRING, source) or (manifest is None and (source / KEYRING_FILE).is_file()):
        copy_keyring(source, staged)
        keep_destroyed(staged, data)


def _add_blobs(manifest: Manifest | None, source: Path, blobs: Path) -> None:
    """Add the blobs of a backup, which are checked first, or those of a data folder."""
    if manifest is None:
        paths = find_blobs(source / BLOBS)
    else:
        paths = [name.removeprefix(f"{BLOBS}/") for name in _checked(manifest, BLOBS, source)]
    if blobs.resolve() != (source / BLOBS).resolve():
        add_blobs(source / BLOBS, paths, blobs)


def _stage_jobs(manifest: Manifest | None, source: Path, staged: Path) -> None:
    """Copy the jobs of a backup, which are checked first; a plain copy of a log has none."""
    stage_jobs(source, _checked(manifest, JOBS, source), staged)


def _restore_repository(
    manifest: Manifest | None, source: Path, folder: Path | None, data: Path, now: datetime
) -> Path | None:
    """Bring the repository of a backup back, checked first; a plain copy of a log has none."""
    names = [name.removeprefix(f"{REPOSITORY}/") for name in _checked(manifest, REPOSITORY, source)]
    return restore_repository(source / REPOSITORY, names, folder, data, now)


def _checked(manifest: Manifest | None, part: str, source: Path) -> list[str]:
    """Return the names of the files of a part, all as they were written; none without a manifest.

    Raises `BackupFault`.
    """
    files = [file for file in manifest.files if file.part == part] if manifest is not None else []
    for file in files:
        _check_file(file, source)
    return [file.name for file in files]


def _check_file(file: BackupFile, folder: Path) -> None:
    """Raise `BackupFault` if a file is not what the manifest describes."""
    try:
        found = _describe(file.part, folder, file.name)
    except FileNotFoundError:
        raise BackupFault(f"{file.name} of the backup is missing; restore another backup") from None
    if found != file:
        raise BackupFault(f"{file.name} of the backup is not what was written; restore another backup")
