"""`bookshelf up` as a process: on a folder and free ports, with clients of its doors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from support.client import Client
from support.process import Process
from support.until import until

from bookshelf.runtime.folder import Running, running


class _Ports(Client):
    """Brings each request to the own port of the service that serves it."""

    def __init__(self, note: Running) -> None:
        self._ports = note.services
        super().__init__("http://127.0.0.1")

    def port_of(self, method: str, path: str) -> int:
        path = path.partition("?")[0]
        if path.endswith("/finished"):
            return self._ports["readbook"]
        if method not in {"GET", "HEAD"}:
            return self._ports["newbook"]
        return self._ports["lastreadbooks" if path == "/books/last/read" else "booklist"]


class Program(Process):
    """`bookshelf up` on a data folder and free ports, from ready to stopped.

    `named=False`: the folder is not on the command line, only expected there.
    """

    def __init__(
        self, data: Path, *args: str, env: Mapping[str, str] | None = None, named: bool = True
    ) -> None:
        self.data = data
        chosen = ("--data", data) if named else ()
        super().__init__("up", *chosen, "--port", "0", "--service-ports", "auto", *args, env=env)

    def ready(self) -> Self:
        """Wait until it says where it listens; an AssertionError if it ends before."""
        until(lambda: self._note() is not None or not self.alive, "the shelf is ready")
        assert self.alive, self.ended()
        return self

    def _note(self) -> Running | None:
        note = running(self.data)
        return note if note is not None and note.pid == self.pid else None

    @property
    def note(self) -> Running:
        """Its own note of where it listens."""
        note = self._note()
        assert note is not None
        return note

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
