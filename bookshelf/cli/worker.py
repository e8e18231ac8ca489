"""One of the processes that share the gateway's port, and its line to the one that started it."""

import asyncio
import os
import signal
import socket
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Worker:
    """Which one this is, of how many; `line`: the descriptor of a socket to who started it."""

    number: int
    count: int
    line: int

    def __str__(self) -> str:
        """Write it for a command line."""
        return f"{self.number}/{self.count}/{self.line}"

    @classmethod
    def read(cls, given: str) -> Self:
        """Read what was written for a command line."""
        return cls(*map(int, given.split("/")))

    def report(self, url: str) -> None:
        """Say that it is ready, and where; leave once who started it is no more."""
        line = socket.socket(fileno=self.line)
        line.settimeout(0)
        line.send(f"{url}\n".encode())
        loop = asyncio.get_running_loop()

        def heard() -> None:
            if not line.recv(1):
                loop.remove_reader(line)
                os.kill(os.getpid(), signal.SIGTERM)

        loop.add_reader(line, heard)
