"""A minimal HTTP client connection to a server on this machine: one request at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from bench.measurement import BenchFault
from bench.wire import Answers, WireResponse

#: The host of all measured servers.
HOST = "127.0.0.1"
#: The timeout of a response, in seconds.
ANSWER_S = 60.0


class LoadConnection(asyncio.Protocol):
    """A connection that calls `answered` with every response, or with the error if there is none."""

    def __init__(self) -> None:
        self.answered: Callable[[WireResponse | BenchFault], None] = lambda _: None
        self._answers = Answers()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # TCP's, of any event loop

    def send(self, request: bytes) -> None:
        """Send a request; `answered` gets its response."""
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Parse the received bytes."""
        answer = self._answers.feed(data)
        if answer is not None:
            self.answered(answer)

    def connection_lost(self, fault: Exception | None) -> None:
        """Report the lost connection to `answered`."""
        self.answered(BenchFault(f"the connection was cut: {fault or 'by the server'}"))

    async def ask(self, request: bytes, status: int | None = 200) -> WireResponse:
        """Send a request and return its response.

        Raises `BenchFault` for a lost connection, or for another status than `status` unless that is None.
        """
        answered: asyncio.Future[WireResponse | BenchFault] = asyncio.get_running_loop().create_future()
        self.answered = lambda answer: None if answered.done() else answered.set_result(answer)
        self.send(request)
        try:
            async with asyncio.timeout(ANSWER_S):
                return expected(await answered, status)
        except TimeoutError:
            line = request.partition(b"\r\n")[0].decode(errors="replace")
            msg = f"no answer to {line} within {ANSWER_S:.0f} s"
            raise BenchFault(msg) from None

    def close(self) -> None:
        """Close the connection."""
        self.answered = lambda _: None
        self._transport.close()


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[LoadConnection]:
    """Open a connection for the duration of the block."""
    _, opened = await asyncio.get_running_loop().create_connection(LoadConnection, HOST, port)
    try:
        yield opened
    finally:
        opened.close()


async def ask(port: int, request: bytes, status: int = 200) -> WireResponse:
    """Send one request on a connection of its own. Raises `BenchFault`."""
    async with connect(port) as once:
        return await once.ask(request, status)


def expected(answer: WireResponse | BenchFault, status: int | None) -> WireResponse:
    """Return the response if it has the status, or if that is None. Raises `BenchFault`."""
    if isinstance(answer, BenchFault):
        raise answer
    if status is not None and answer.status != status:
        body = answer.body[:300].decode(errors="replace")
        msg = f"the answer was {answer.status} where {status} was expected: {body}"
        raise BenchFault(msg)
    return answer
