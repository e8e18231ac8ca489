"""Runs worker processes that share one port (SO_REUSEPORT): starts them, restarts them, passes signals on."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Self

import click
import structlog

from bookshelf.cli.command import MENDABLE, on_hangup, run, run_until_signalled
from bookshelf.http.server import PortTaken

#: Seconds before a worker that has ended is restarted, doubled up to the last; a run of _WELL_S resets them.
_FIRST_S = 0.1
_LAST_S = 5.0
_WELL_S = 10.0
_logger = structlog.get_logger(__name__)


def shared(args: Sequence[str], host: str, port: int, count: int) -> None:
    """Run `count` processes of this program with these arguments at one port, until a signal ends them."""
    with held(host, port) as bound:
        workers = Workers([sys.executable, "-m", "bookshelf", *args, "--port", str(bound)], count)
        run(run_until_signalled(workers.serve))
    if workers.code:
        sys.exit(workers.code)


@contextmanager
def held(host: str, port: int) -> Iterator[int]:
    """Reserve a port for the workers without listening on it; yield its number. Raises `PortTaken`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            kept.bind((host, port))
        except OSError as fault:
            raise PortTaken(host, port, fault) from fault
        number: int = kept.getsockname()[1]
        yield number


class _Failed(Exception):
    """A worker has ended before it was ready; it has printed the reason itself."""


class Workers:
    """The worker processes by number. Each is ready before the next starts, so that a fault shows once."""

    def __init__(self, command: Sequence[str], count: int) -> None:
        self._command = command
        self._count = count
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._ready = {number: asyncio.Event() for number in range(1, count + 1)}
        self._leaving = asyncio.Event()
        self._url = ""
        #: The exit code of this process.
        self.code = 0

    async def serve(self, ready: asyncio.Event, leaving: asyncio.Event) -> None:
        """Keep the workers running until `leaving` is set; a worker that ends is restarted."""
        on_hangup(lambda: self._send_signal(signal.SIGHUP))
        with suppress(_Failed):
            await self._all(ready, leaving)

    async def _all(self, ready: asyncio.Event, leaving: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                for number, event in self._ready.items():
                    tasks.create_task(self._keep(number))
                    await event.wait()
                ready.set()
                click.echo(f"the gateway is ready at {self._url}/bookshelf/books ({self._count} processes)")
                await leaving.wait()
                self._leaving.set()
                self._send_signal(signal.SIGTERM)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    def _send_signal(self, number: int) -> None:
        for process in self._running.values():
            with suppress(ProcessLookupError):
                process.send_signal(number)

    async def _keep(self, number: int) -> None:
        pause_s, loop = _FIRST_S, asyncio.get_running_loop()
        while not self._leaving.is_set():
            began = loop.time()
            code = await self._once(number)
            if self._leaving.is_set():
                return
            if not self._ready[number].is_set():
                self.code = code if code > 0 else MENDABLE
                raise _Failed
            pause_s = _FIRST_S if loop.time() - began > _WELL_S else pause_s
            _logger.warning("worker-ended", number=number, code=code, again_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LAST_S)

    async def _once(self, number: int) -> int:
        """Run one worker to its end; return its exit code."""
        ours, theirs = socket.socketpair()
        with theirs:
            worker = WorkerPipe(number, self._count, theirs.fileno())
            command = (*self._command, "--worker", str(worker))
            process = await asyncio.create_subprocess_exec(*command, pass_fds=[worker.line])
        self._running[number] = process
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            if self._leaving.is_set():  # it was set while the worker was being started
                process.terminate()
            await self._read_report(number, reader)
            return await process.wait()
        finally:
            writer.close()
            del self._running[number]
            if process.returncode is None:
                process.terminate()
                await process.wait()

    async def _read_report(self, number: int, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            url = (await reader.readline()).decode().strip()
            if url:
                self._url = url
                self._ready[number].set()


@dataclass(frozen=True, slots=True)
class WorkerPipe:
    """The number of a worker, of how many, and `line`: the descriptor of a socket to its parent process."""

    number: int
    count: int
    line: int

    def __str__(self) -> str:
        """Return the text for a command line."""
        return f"{self.number}/{self.count}/{self.line}"

    @classmethod
    def read(cls, given: str) -> Self:
        """Return the value of a text from a command line."""
        return cls(*map(int, given.split("/")))

    def report(self, url: str) -> None:
        """Report to the parent that this worker is ready at `url`; end once the parent has ended."""
        line = socket.socket(fileno=self.line)
        line.settimeout(0)
        line.send(f"{url}\n".encode())
        loop = asyncio.get_running_loop()

        def end_with_parent() -> None:
            if not line.recv(1):
                loop.remove_reader(line)
                os.kill(os.getpid(), signal.SIGTERM)

        loop.add_reader(line, end_with_parent)
