"""Places orders over HTTP: from many clients at once, or at a steady rate until each has ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from itertools import count

import msgspec

from bench.connection import ANSWER_S, HOST, LoadConnection, connect
from bench.measurement import BenchFault
from bench.shop.customers import CUSTOMERS, Customers
from bench.wire import WireResponse

#: Products, and clients of HTTP.
PRODUCTS, CLIENTS = 500, 64
#: Orders a second while latencies are measured.
RATE = 20
_DATA = b"data: "
_READY_S = 300.0
_ENDS = {"FINALIZED", "CANCELED"}


class Shoppers:
    """Customers that order at a port, of the gateway or the service; each order is of the next customer.

    `made` numbers the orders: keys of earlier ones must not repeat.
    """

    def __init__(self, customers: Customers, port: int, made: Iterator[int] | None = None) -> None:
        self._customers = customers
        self._port = port
        self._made = made or count()

    def _next(self, product: str | None, customer: str | None = None, **headers: str) -> tuple[str, bytes]:
        number = next(self._made)
        person = customer or f"a-{number % CUSTOMERS}"
        what = product or f"p-{number % PRODUCTS}"
        return person, self._customers.order(person, what, f"order-{number}", **headers)

    async def rush(self, orders: int, product: str | None = None, status: str = "") -> float:
        """Place so many orders from all clients, of one product or of all in turn; return the seconds.

        With `status`, each answer waits for that end of its order.
        """
        left, began = iter(range(orders)), time.perf_counter()
        headers = {"Prefer": "wait=30"} if status else {}

        async def client() -> None:
            async with connect(self._port) as own:
                for _ in left:
                    person, asked = self._next(product, **headers)
                    answer = await own.ask(asked, 201)
                    if status:
                        _expect(await self._end(person, answer), status)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(CLIENTS):
                tasks.create_task(client())
        return time.perf_counter() - began

    async def ready(self) -> None:
        """Return once an order is final, also in the view: services may be joining their groups."""
        async with asyncio.timeout(_READY_S), connect(self._port) as own:
            while True:
                person, asked = self._next(None, Prefer="wait=10")
                found = msgspec.json.decode((await own.ask(asked, 201)).body)
                look = self._customers.get(person, f"/shop/orders/{found['id']}", Bookshelf_After="end")
                seen = await own.ask(look, None)
                if found["state"] == "FINALIZED" and seen.status == HTTPStatus.OK:
                    return

    async def answers(
        self, seconds: float, status: str, product: str | None = None, customer: str | None = None
    ) -> list[float]:
        """Place orders at a steady rate, and return the seconds until each POST is answered with that end."""

        async def one(own: LoadConnection) -> None:
            person, asked = self._next(product, customer, Prefer="wait=30")
            _expect(await self._end(person, await own.ask(asked, 201)), status)

        return await self._paced(seconds, one)

    async def streams(
        self, seconds: float, status: str, product: str | None = None, customer: str | None = None
    ) -> list[float]:
        """Do the same, with the seconds until the stream of events of each order has that end."""

        async def one(own: LoadConnection) -> None:
            person, asked = self._next(product, customer)
            _expect(await self._end(person, await own.ask(asked, 201)), status)

        return await self._paced(seconds, one)

    async def _end(self, person: str, answer: WireResponse) -> str:
        """Return how an order has ended: from its answer, or else from its stream of events."""
        found = msgspec.json.decode(answer.body)
        if found["state"] in _ENDS:
            return str(found["state"])
        position = answer.header("Bookshelf-Position") or ""
        target = f"/shop/orders/{found['id']}/events"
        async with asyncio.timeout(ANSWER_S):
            return await _ended(self._port, self._customers.get(person, target, Bookshelf_After=position))

    async def _paced(self, seconds: float, one: Callable[[LoadConnection], Awaitable[None]]) -> list[float]:
        taken_s: list[float] = []

        async def timed() -> None:
            sent = time.perf_counter()
            async with connect(self._port) as own:
                await one(own)
            taken_s.append(time.perf_counter() - sent)

        began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for turn in range(max(1, round(seconds * RATE))):
                await asyncio.sleep(max(0.0, began + turn / RATE - time.perf_counter()))
                tasks.create_task(timed())
        return taken_s


def _expect(found: str, status: str) -> None:
    if found != status:
        msg = f"an order is {found}, not {status}"
        raise BenchFault(msg)


async def _ended(port: int, asked: bytes) -> str:
    """Return the state in which an order has ended, from its stream."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(asked)
        if b" 200 " not in (first := await reader.readline()):
            msg = f"the stream of an order was answered {first.decode(errors='replace').strip()}"
            raise BenchFault(msg)
        while line := await reader.readline():
            if line.startswith(_DATA):
                state: str = msgspec.json.decode(line[len(_DATA) :])["state"]
                if state in _ENDS:
                    return state
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    msg = "the stream of an order ended before the order"
    raise BenchFault(msg)
