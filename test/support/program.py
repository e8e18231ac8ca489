"""`bookshelf up` as a process: on a folder and free ports, with clients of its ports."""

from collections.abc import Mapping
from pathlib import Path

from support.client import Client
from support.process_with_ports import Announced
from support.service_of import service_of

from bookshelf.runtime.data_folder import InstanceNote


class _Ports(Client):
    """Brings each request to the own port of the service that serves it."""

    def __init__(self, note: InstanceNote) -> None:
        self._ports = note.services
        super().__init__("http://127.0.0.1")

    def port_of(self, method: str, path: str) -> int:
        return self._ports[service_of(method, path)]


class Program(Announced):
    """`bookshelf up` on a data folder and free ports, from ready to stopped.

    `named=False`: the folder is not on the command line, only expected there. `program` is what runs in place
    of `bookshelf`, with its arguments.
    """

    def __init__(
        self,
        data: Path,
        *args: str,
        env: Mapping[str, str] | None = None,
        named: bool = True,
        program: str = "bookshelf",
    ) -> None:
        self.data = self.folder = data
        chosen = ("--data", data) if named else ()
        module, *before = program.split()
        ports = ("--port", "0", "--service-ports", "auto")
        super().__init__(*before, "up", *chosen, *ports, *args, env=env, program=module)

    @property
    def client(self) -> Client:
        """A new client of the gateway, for what is below /bookshelf."""
        return Client(self.note.url, "/bookshelf")

    @property
    def ports(self) -> Client:
        """A new client of the services' own ports."""
        return _Ports(self.note)

    def service(self, name: str) -> Client:
        """Return a new client of one service's own port."""
        return Client(f"http://127.0.0.1:{self.note.services[name]}")
