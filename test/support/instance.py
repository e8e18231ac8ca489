"""`bookshelf run SERVICE` as a process, on a real broker and a real agent."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self
from uuid import uuid4

from support.client import Client
from support.process import Process
from support.until import until

from bookshelf.runtime.folder import Running, running


def names_of_its_own() -> dict[str, str]:
    """Return the environment of instances that share a cluster with other tests, and nothing in it."""
    return {"BOOKSHELF_KAFKA_PREFIX": f"test-{uuid4().hex[:8]}.", "BOOKSHELF_KAFKA_PARTITIONS": "2"}


class Instance(Process):
    """One instance of a service, from ready to stopped; its folder is `run/NAME` in the data folder."""

    def __init__(self, service: str, data: Path, *args: str, env: Mapping[str, str]) -> None:
        self.name = f"{service}-test"
        self.folder = data / "run" / self.name
        super().__init__(
            "run", service, "--data", data, "--id", self.name, *args, env={"BOOKSHELF_PORT": "0", **env}
        )

    def ready(self) -> Self:
        """Wait until its folder says where it listens; an AssertionError if it ends before."""
        until(lambda: self._note() is not None or not self.alive, f"{self.name} is ready")
        assert self.alive, self.ended()
        return self

    def _note(self) -> Running | None:
        note = running(self.folder)
        return note if note is not None and note.pid == self.pid else None

    @property
    def note(self) -> Running:
        """Its own note of where it listens."""
        note = self._note()
        assert note is not None
        return note

    @property
    def client(self) -> Client:
        """A new client of its port."""
        return Client(self.note.url)
