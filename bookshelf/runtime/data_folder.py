"""The data folder: a lock that lets one process use it, and a note with the addresses of that process."""

import fcntl
import os
import time
from pathlib import Path

import msgspec

from bookshelf.runtime.staging import complete_restore

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
