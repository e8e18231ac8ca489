"""A process of `bookshelf` that writes its ports to its data folder."""

from pathlib import Path
from typing import Self

from support.process import Process
from support.until import until

from bookshelf.runtime.data_folder import InstanceNote, running


class Announced(Process):
    """From ready to stopped. A subclass sets `folder` before the process is ready."""

    folder: Path

    def ready(self) -> Self:
        """Wait until its folder has its ports; an AssertionError if it ends before."""
        until(lambda: self._note() is not None or not self.alive, f"{self.folder.name} is ready")
        assert self.alive, self.ended()
        return self

    def _note(self) -> InstanceNote | None:
        note = running(self.folder)
        return note if note is not None and note.pid == self.pid else None

    @property
    def note(self) -> InstanceNote:
        """Its own note of where it listens."""
        note = self._note()
        assert note is not None
        return note
