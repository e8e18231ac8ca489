"""The last step of a restore: prepared files take the place of those in a data folder, also after a kill -9.

Prepared files are in the subfolder `restoring`. Its renaming to `restored` decides that they are restored;
what remains is then done by the restoring process, or by the next process that takes the folder's lock.
"""

import os
import shutil
from pathlib import Path

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
