"""One connection to a server of this machine: one request at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from bench.measurement import BenchFault
from bench.wire import Answers, WireResponse

#: Only this machine is ever measured.
HOST = "127.0.0.1"
#: Seconds that one answer may take.
ANSWER_S = 60.0


class Line(asyncio.Protocol):
    """Calls `answered` for every answer, or for the fault that keeps it from coming."""

    def __init__(self) -> None:
        self.answered: Callable[[WireResponse | BenchFault], None] = lambda _: None
        self._answers = Answers()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)  # TCP's, whichever loop made it

    def send(self, request: bytes) -> None:
        """Ask; the answer comes to `answered`."""
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        answer = self._answers.feed(data)
        if answer is not None:
            self.answered(answer)

    def connection_lost(self, fault: Exception | None) -> None:
        """Say that no answer comes any more."""
        self.answered(BenchFault(f"the connection was cut: {fault or 'by the server'}"))

    async def ask(self, request: bytes, status: int | None = 200) -> WireResponse:
        """Ask and wait. Raises `BenchFault` for a cut connection, and another status if one is named."""
        answered: asyncio.Future[WireResponse | BenchFault] = asyncio.get_running_loop().create_future()
        self.answered = lambda answer: None if answered.done() else answered.set_result(answer)
        self.send(request)
        async with asyncio.timeout(ANSWER_S):
            return expected(await answered, status)

    def close(self) -> None:
        """Hang up."""
        self.answered = lambda _: None
        self._transport.close()


@asynccontextmanager
async def line(port: int) -> AsyncIterator[Line]:
    """Open one connection for a while."""
    _, opened = await asyncio.get_running_loop().create_connection(Line, HOST, port)
    try:
        yield opened
    finally:
        opened.close()


async def ask(port: int, request: bytes, status: int = 200) -> WireResponse:
    """Ask once, on a connection of its own. Raises `BenchFault`."""
    async with line(port) as once:
        return await once.ask(request, status)


def expected(answer: WireResponse | BenchFault, status: int | None) -> WireResponse:
    """Return the answer if it has this status, any if None. Raises `BenchFault`."""
    if isinstance(answer, BenchFault):
        raise answer
    if status is not None and answer.status != status:
        said = answer.body[:300].decode(errors="replace")
        msg = f"the answer was {answer.status} where {status} was expected: {said}"
        raise BenchFault(msg)
    return answer
