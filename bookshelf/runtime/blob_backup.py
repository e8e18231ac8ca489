"""Blobs in backups. They are addressed by their content: to restore them is to add those that are missing."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from tempfile import mkstemp

from bookshelf.media.folder import UNFINISHED
from bookshelf.runtime.data_folder import flush

#: The part of a backup, and the folder in it and in a data folder.
BLOBS = "blobs"
_PATH = re.compile(r"[a-z]{1,32}/([0-9a-f]{2})/([0-9a-f]{2})/\1\2[0-9a-f]{60}(-[0-9]{1,5})?", re.ASCII)


def is_blob(path: str) -> bool:
    """Return True if a path, from the folder of blobs on, is that of a blob."""
    return _PATH.fullmatch(path) is not None


def find_blobs(folder: Path) -> list[str]:
    """Return the paths of all blobs in a folder, from it on, in order."""
    found = (path.relative_to(folder).as_posix() for path in folder.glob("*/??/??/*"))
    return sorted(path for path in found if is_blob(path))


def copy_blobs(folder: Path, target: Path) -> list[str]:
    """Copy all blobs to a new folder; return their paths. One that is deleted meanwhile is left out."""
    copied = []
    for path in find_blobs(folder):
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            shutil.copyfile(folder / path, place)
        except FileNotFoundError:
            continue
        copied.append(path)
    return copied


def add_blobs(source: Path, paths: Iterable[str], folder: Path) -> None:
    """Add blobs to a folder, each whole or not at all. Those of the same size that are there stay."""
    for path in paths:
        place = folder / path
        if place.is_file() and place.stat().st_size == (source / path).stat().st_size:
            continue
        unfinished = folder / UNFINISHED
        unfinished.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, draft = mkstemp(dir=unfinished)
        os.close(descriptor)
        shutil.copyfile(source / path, draft)
        flush(Path(draft))
        Path(draft).replace(place)
        flush(place.parent)
