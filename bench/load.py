"""A load over HTTP: each connection sends its next request as soon as it has a response."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import cycle

from bench.connection import ANSWER_S, LoadConnection, connect, expected
from bench.figures import latencies
from bench.measurement import BenchFault
from bench.wire import WireResponse

#: Responses of the warm-up, which is not timed.
_WARM_UP = 200


class Load:
    """Sends requests in turn over several connections, and keeps the time of each response."""

    def __init__(self, requests: Sequence[bytes], status: int) -> None:
        self._requests: Iterator[bytes] = cycle(requests)
        self._status = status
        self._until = 0.0
        self._most = 0
        self.answered = 0
        self.taken_s: list[float] = []

    async def run(self, port: int, connections: int, seconds: float) -> dict[str, float]:
        """Return rate and latencies over `seconds`. Raises `BenchFault` for an unexpected status."""
        await self._all(port, min(connections, _WARM_UP), ANSWER_S, _WARM_UP)
        began = time.perf_counter()
        await self._all(port, connections, seconds, 1 << 62)
        return {"per_s": len(self.taken_s) / (time.perf_counter() - began), **latencies(self.taken_s)}

    async def _all(self, port: int, connections: int, seconds: float, most: int) -> None:
        self.taken_s = []
        self._until, self._most = time.perf_counter() + seconds, most
        async with asyncio.timeout(seconds + ANSWER_S), asyncio.TaskGroup() as tasks:
            for _ in range(connections):
                tasks.create_task(self._connection(port))

    async def _connection(self, port: int) -> None:
        async with connect(port) as own:
            await self._ask_on(own)

    def _ask_on(self, own: LoadConnection) -> "asyncio.Future[None]":
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sent = time.perf_counter()

        def answered(answer: WireResponse | BenchFault) -> None:
            nonlocal sent
            now = time.perf_counter()
            try:
                expected(answer, self._status)
            except BenchFault as fault:
                if not ended.done():
                    ended.set_exception(fault)
                return
            self.answered += 1
            self.taken_s.append(now - sent)
            if now >= self._until or len(self.taken_s) >= self._most:
                ended.set_result(None)
            else:
                sent = now
                own.send(next(self._requests))

        own.answered = answered
        own.send(next(self._requests))
        return ended
