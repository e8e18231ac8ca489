"""A disk of its own, so small that it can be filled; only root can mount one."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_BLOCK = 4096


class SmallDisk:
    """A mounted disk that can be filled to its last block, freed, and made read-only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Leave no block free."""
        with self._ballast.open("ab", buffering=0) as ballast:
            while self.free():
                try:
                    ballast.write(b"\0" * _BLOCK)
                except OSError:
                    return

    def free(self) -> int:
        """Return the blocks that are free."""
        return os.statvfs(self.path).f_bavail

    def relieve(self) -> None:
        """Give all space back."""
        self._ballast.unlink()

    def read_only(self) -> None:
        """Let nothing be written any more, by root neither."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.path)], check=True)


@contextmanager
def tiny_disk(path: Path, size: str = "1m") -> Iterator[SmallDisk]:
    """Mount a new disk at `path`; skip the test where that is not allowed."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk to fill")
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets no disk be mounted")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)
