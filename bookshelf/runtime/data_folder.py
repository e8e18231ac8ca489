"""The data folder: a lock that lets one process use it, and a note with the addresses of that process.

The last step of a restore: prepared files take the place of those in the folder, also after a kill -9.
Prepared files are in the subfolder `restoring`. Its renaming to `restored` decides that they are restored;
what remains is then done by the restoring process, or by the next process that takes the folder's lock.
"""

import fcntl
import os
import shutil
import time
from pathlib import Path

import msgspec

#: Files being prepared; they count for nothing.
PREPARING = "restoring"
#: Files that are restored, and that still have to be moved to their places.
PREPARED = "restored"
#: The file in `PREPARED` with the name of the folder that receives the files of before.
KEPT_IN = "kept-in"
#: The beginning of that name.
KEPT = "before-restore-"
#: Folders that are made again from the log.
DERIVED = ("views", "state")
#: Files of services that belong to the log of before: without restored ones in their place, they go with it.
OF_LOG = ("site",)
#: The endings of files that belong to a SQLite file, after its own name.
_SIDE_FILES = ("-wal", "-shm", "-journal", "")


def decide_restore(folder: Path, keep_in: str) -> None:
    """Restore the files in `restoring` for good: from here on a crash is followed by their completion."""
    staged = folder / PREPARING
    (staged / KEPT_IN).write_text(keep_in)
    flush_tree(staged)
    staged.rename(folder / PREPARED)
    flush(folder)


def complete_restore(folder: Path) -> None:
    """Move restored files to their places, if there are any; the caller holds the folder's lock.

    Files of before go to their own subfolder, together with their `-wal`: left beside another log it would
    damage that. Rows and states of before are removed.
    """
    shutil.rmtree(folder / PREPARING, ignore_errors=True)
    prepared = folder / PREPARED
    if not prepared.is_dir():
        return
    names = sorted(path.name for path in prepared.iterdir() if path.name != KEPT_IN)
    if names:
        for derived in DERIVED:
            shutil.rmtree(folder / derived, ignore_errors=True)
        kept = folder / (prepared / KEPT_IN).read_text()
        for name in set(OF_LOG).difference(names):
            _set_aside(folder, name, kept)
        for name in names:
            _set_aside(folder, name, kept)
            (prepared / name).rename(folder / name)
        flush(folder)
    shutil.rmtree(prepared)
    flush(folder)


def _set_aside(folder: Path, name: str, kept: Path) -> None:
    for path in (folder / f"{name}{ending}" for ending in _SIDE_FILES):
        if path.exists():
            kept.mkdir(mode=0o700, exist_ok=True)
            path.rename(kept / path.name)
            flush(kept)
    flush(folder)


def flush_tree(folder: Path) -> None:
    """Have everything in a folder reach the disk."""
    for path in folder.rglob("*"):
        flush(path)
    flush(folder)


def flush(path: Path) -> None:
    """Have a file, or a folder's names, reach the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


#: Seconds for which the lock is tried, as `running` holds it for a moment, and seconds between two tries.
_LOOK_S = 1.0
_PAUSE_S = 0.02


class FolderFault(Exception):
    """The data folder cannot be used; the message has the reason and what to do."""


class InstanceNote(msgspec.Struct, frozen=True):
    """The process that uses a data folder: its id, its URL, and the address and token of its admin API.

    `services` are the ports of its services by name.
    """

    pid: int
    url: str
    control_host: str
    control_port: int
    token: str
    services: dict[str, int] = {}


class DataFolder:
    """A data folder that is locked for this process until `close`, or until the process ends in any way.

    Raises `FolderFault` if it cannot be written, or if another process uses it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as fault:
            why = f"the data folder {path} cannot be written ({fault.strerror})"
            msg = f"{why}; make it writable, or choose another with --data"
            raise FolderFault(msg) from fault
        self._take()

    def _take(self) -> None:
        if not self._locked():
            os.close(self._lock)
            note = _note(self.path)
            owner = f" (process {note.pid}, {note.url})" if note else ""
            msg = f"another bookshelf{owner} uses {self.path}; stop it, or choose another folder with --data"
            raise FolderFault(msg)
        (self.path / "running.json").unlink(missing_ok=True)
        complete_restore(self.path)  # one that a killed process has left unfinished

    def _locked(self) -> bool:
        """Try for _LOOK_S to take the lock; return True if that succeeded."""
        end = time.monotonic() + _LOOK_S
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    return False
                time.sleep(_PAUSE_S)
            else:
                return True

    def announce(self, note: InstanceNote) -> None:
        """Write the note of this process to `running.json`, readable by its user only."""
        draft = self.path / "running.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(note))
        draft.replace(self.path / "running.json")

    def close(self) -> None:
        """Release the lock and delete the note."""
        (self.path / "running.json").unlink(missing_ok=True)
        os.close(self._lock)


def running(path: Path) -> InstanceNote | None:
    """Return the note of the process that uses a folder; None if none does, even if a note is left behind."""
    try:
        lock = os.open(path / "lock", os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _note(path)
    finally:
        os.close(lock)
    return None


def _note(path: Path) -> InstanceNote | None:
    try:
        return msgspec.json.decode((path / "running.json").read_bytes(), type=InstanceNote)
    except (OSError, msgspec.MsgspecError):
        return None
