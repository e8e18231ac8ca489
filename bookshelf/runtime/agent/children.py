"""The processes of service groups as their node sees them: started, activated, suspended and ended."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import msgspec
import structlog

from bookshelf.runtime.agent.child import LINE_BYTES, ChildReport, ChildService, NodeCommand
from bookshelf.runtime.agent.item import ItemRefused

#: Seconds that a child has to end by itself.
_END_S = 10.0
_logger = structlog.get_logger(__name__)


class ServiceChild:
    """The process of one service group.

    `relay` gets what its services register; `ended` is called if it ends by itself once it is loaded.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        relay: Callable[[ChildReport], None],
        ended: Callable[[], None],
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._relay = relay
        self._ended = ended
        self._answers: asyncio.Queue[ChildReport | None] = asyncio.Queue()
        self._is_stopping = False
        self.services: tuple[ChildService, ...] = ()
        self._reading = asyncio.create_task(self._read(), name=f"service group {process.pid}")

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        environment: Mapping[str, str],
        relay: Callable[[ChildReport], None],
        ended: Callable[[], None],
        load_s: float,
    ) -> Self:
        """Start a process, and return when its services are loaded; nothing is registered.

        `command` gets the number of the socket's descriptor as a last argument. Raises `ItemRefused`: it ends
        or refuses, or is not ready in `load_s` seconds; the process has ended then.
        """
        process, reader, writer = await _spawn(command, environment)
        child = cls(process, reader, writer, relay, ended)
        try:
            child.services = (await child._wait_for("loaded", load_s)).services
        except BaseException:
            await child.kill()
            raise
        return child

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    async def activate(self, within_s: float) -> None:
        """Run its services; return when all of them are ready. Raises `ItemRefused`."""
        await self._ask("activate", "active", within_s)

    async def suspend(self, within_s: float) -> None:
        """Stop its services and keep them loaded. Raises `ItemRefused`."""
        await self._ask("suspend", "suspended", within_s)

    async def stop(self) -> None:
        """End the process: by itself, or else by force. What it still reports is passed on."""
        self._is_stopping = True
        with contextlib.suppress(OSError, RuntimeError):  # it has ended already
            self._writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """End the process by force, if it still runs."""
        self._is_stopping = True
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._writer.close()
        await asyncio.gather(self._reading, self._writer.wait_closed(), return_exceptions=True)

    async def _ask(self, do: str, event: str, within_s: float) -> None:
        command = msgspec.convert({"do": do}, NodeCommand)
        self._writer.write(msgspec.json.encode(command) + b"\n")
        await self._wait_for(event, within_s)

    async def _wait_for(self, event: str, within_s: float) -> ChildReport:
        """Return the next answer, which must be this event. Raises `ItemRefused`."""
        try:
            async with asyncio.timeout(within_s):
                answer = await self._answers.get()
        except TimeoutError:
            raise ItemRefused(f"the service group was not {event} in {within_s:g} s") from None
        if answer is None:
            code = await self._process.wait()
            raise ItemRefused(f"the process of the service group has ended with {code}")
        if answer.event != event:
            raise ItemRefused(f"the service group is refused: {answer.why or answer.event}")
        return answer

    async def _read(self) -> None:
        try:
            with contextlib.suppress(ConnectionError, ValueError):  # ValueError: a line is too long
                while line := await self._reader.readline():
                    report = msgspec.json.decode(line, type=ChildReport)
                    if report.event in {"registered", "reported", "deregistered"}:
                        self._relay(report)
                    else:
                        self._answers.put_nowait(report)
        except msgspec.MsgspecError as fault:
            _logger.warning("service-group-unreadable", pid=self._process.pid, why=str(fault))
        self._answers.put_nowait(None)
        if self.services and not self._is_stopping:
            self._ended()


async def _spawn(
    command: Sequence[str], environment: Mapping[str, str]
) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader, asyncio.StreamWriter]:
    """Start a process with a socket to it; nothing is left of both if that is cancelled."""
    ours, theirs = socket.socketpair()
    process: asyncio.subprocess.Process | None = None
    try:
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *command,
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=2,  # what a package prints is no output of the node
                env=environment,
                pass_fds=[theirs.fileno()],
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=LINE_BYTES)
    except BaseException:
        ours.close()
        if process is not None:
            process.kill()
            await process.wait()
        raise
    return process, reader, writer
