"""`bookshelf run SERVICE` as a process, on a real broker and a real agent."""

from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from support.client import Client
from support.process_with_ports import Announced


def names_of_its_own() -> dict[str, str]:
    """Return the environment of instances that share a cluster with other tests, and nothing in it."""
    return {"BOOKSHELF_KAFKA_PREFIX": f"test-{uuid4().hex[:8]}.", "BOOKSHELF_KAFKA_PARTITIONS": "2"}


class Instance(Announced):
    """One instance of a service, from ready to stopped; its folder is `run/NAME` in the data folder."""

    def __init__(self, service: str, data: Path, *args: str, env: Mapping[str, str]) -> None:
        self.name = f"{service}-test"
        self.folder = data / "run" / self.name
        super().__init__(
            "run", service, "--data", data, "--id", self.name, *args, env={"BOOKSHELF_PORT": "0", **env}
        )

    @property
    def client(self) -> Client:
        """A new client of its port."""
        return Client(self.note.url)
