"""The data folder: one process at a time, and a note of who that is and how it is reached."""

import fcntl
import os
import time
from pathlib import Path

import msgspec

from bookshelf.runtime.staging import complete_restore

#: Seconds for which the lock may be held by processes that only look, and between two tries.
_LOOK_S = 1.0
_PAUSE_S = 0.02


class FolderFault(Exception):
    """The folder cannot be used; says why, and what to try."""


class InstanceNote(msgspec.Struct, frozen=True):
    """Who uses a folder: process id, the gateway's address, the control door's address and its key.

    `services` are the ports of the services, by name.
    """

    pid: int
    url: str
    control_host: str
    control_port: int
    token: str
    services: dict[str, int] = {}


class DataFolder:
    """A data folder that is this process's alone until it is closed, or the process ends however it ends."""

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
            there = _note(self.path)
            who = f" (process {there.pid}, {there.url})" if there else ""
            msg = f"another bookshelf{who} uses {self.path}; stop it, or choose another folder with --data"
            raise FolderFault(msg)
        (self.path / "running.json").unlink(missing_ok=True)
        complete_restore(self.path)  # of a process that was killed

    def _locked(self) -> bool:
        """Take the lock. `running` holds it for a moment when it looks, so it is tried for a while."""
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
        """Say who runs here; readable by this user alone."""
        draft = self.path / "running.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(note))
        draft.replace(self.path / "running.json")

    def close(self) -> None:
        """Let others in."""
        (self.path / "running.json").unlink(missing_ok=True)
        os.close(self._lock)


def running(path: Path) -> InstanceNote | None:
    """Return who runs in a folder; None if no one does, whatever note a killed process may have left."""
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
