"""The folder of a domain's repository in backups. A restore changes no repository that is there already."""

import re
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

#: The part of a backup, and the folder in it.
REPOSITORY = "repository"
_INDEX = "index.toml"
_NAME = re.compile(r"([a-z]{1,20}/)?[A-Za-z0-9][A-Za-z0-9._+-]{0,199}", re.ASCII)
#: Copies until the index is the same before and after one: a change of the repository writes the index last.
_TRIES = 20


class RepositoryChanges(Exception):
    """The repository was changed during each attempt to copy it."""


def copy_repository(folder: Path, target: Path) -> list[str]:
    """Copy a repository, as of one moment, to a new folder; return the names of its files, none without one.

    Raises `RepositoryChanges`, `OSError`.
    """
    if not (folder / _INDEX).is_file():
        return []
    for _ in range(_TRIES):
        before = (folder / _INDEX).read_bytes()
        names = _files(folder)
        for name in names:
            (target / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copyfile(folder / name, target / name)
        if (folder / _INDEX).read_bytes() == before == (target / _INDEX).read_bytes():
            return names
        shutil.rmtree(target)
    raise RepositoryChanges(f"the repository {folder} is being changed; try again when that has ended")


def is_repository_file(name: str) -> bool:
    """Return True if a name of a manifest is that of a file of the repository."""
    return (
        name.startswith(f"{REPOSITORY}/") and _NAME.fullmatch(name.removeprefix(f"{REPOSITORY}/")) is not None
    )


def restore_repository(
    source: Path, names: Sequence[str], folder: Path | None, data: Path, now: datetime
) -> Path | None:
    """Bring a repository back to `folder`; return where it is, None if there was nothing to bring back.

    A folder that has another repository is left as it is, because nodes may have what is in it. That of the
    backup is then put beside the log, in `data`; so also without a `folder`. Raises `OSError`.
    """
    if not names:
        return None
    if folder is not None and all(_is_same(source / name, folder / name) for name in names):
        return folder
    beside = data / f"{REPOSITORY}-{now:%Y%m%dT%H%M%SZ}"
    place = beside if folder is None or (folder / _INDEX).exists() else folder
    # the index comes last: a repository without one is none yet
    for name in sorted(names, key=lambda name: name == _INDEX):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, place / name)
    return place


def _files(folder: Path) -> list[str]:
    paths = (path for pattern in ("*", "*/*") for path in folder.glob(pattern) if path.is_file())
    names = (path.relative_to(folder).as_posix() for path in paths)
    return sorted(name for name in names if _NAME.fullmatch(name) is not None)


def _is_same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()
